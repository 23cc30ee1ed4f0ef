//! Every metric of the process, in one struct.
//!
//! The help text of a metric is written once, where it is registered; the README's table is compared with it by a test. Labels come
//! from [`crate::outcome`] or from the router's own patterns, so no label can grow with the traffic. Every combination exists from the
//! start, so that `rate()` sees the first event.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::outcome::{
    AnswerKind, CacheStatus, Class, Endpoint, EntryKind, EvictionCause, SharedOp, UpstreamOutcome, VerdictKind,
};

/// From a hit in microseconds to a fill at its cap.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 8.0,
];
/// Ages of stale answers, from a second to three days.
const AGES: &[f64] = &[1.0, 10.0, 60.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 259_200.0];

/// All metrics, and the registry they are scraped from.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    lookups: IntCounterVec,
    lookup_duration: HistogramVec,
    fill_duration: Histogram,
    fills_in_flight: IntGauge,
    upstream_requests: IntCounterVec,
    upstream_request_duration: HistogramVec,
    quota_wait: HistogramVec,
    quota_refusals: IntCounterVec,
    breaker_open: IntGauge,
    verdicts: IntCounterVec,
    cache_entries: IntGaugeVec,
    cache_bytes: IntGauge,
    cache_evictions: IntCounterVec,
    stale_age: Histogram,
    directory_contacts: IntGauge,
    directory_lag: IntGauge,
    directory_complete: IntGauge,
    shared_errors: IntCounterVec,
    http_requests: IntCounterVec,
    http_request_duration: HistogramVec,
}

/// Registers metrics under the common prefix.
struct Registrar<'a>(&'a Registry);

impl Registrar<'_> {
    fn register<C: prometheus::core::Collector + Clone + 'static>(&self, collector: C) -> C {
        self.0.register(Box::new(collector.clone())).expect("metric names are distinct constants");
        collector
    }

    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let opts = Opts::new(name, help).namespace("callcard");
        self.register(IntCounterVec::new(opts, labels).expect("metric names are valid constants"))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        let opts = Opts::new(name, help).namespace("callcard");
        self.register(IntGauge::with_opts(opts).expect("metric names are valid constants"))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let opts = Opts::new(name, help).namespace("callcard");
        self.register(IntGaugeVec::new(opts, labels).expect("metric names are valid constants"))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts::new(name, help).namespace("callcard").buckets(buckets.to_vec());
        self.register(Histogram::with_opts(opts).expect("metric names are valid constants"))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).namespace("callcard").buckets(SECONDS.to_vec());
        self.register(HistogramVec::new(opts, labels).expect("metric names are valid constants"))
    }
}

impl Metrics {
    /// A registry of its own, so that tests can have many.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let r = Registrar(&registry);
        let metrics = Self {
            lookups: r.counter(
                "lookups_total",
                "Lookups by how the answer was found and what it was.",
                &["status", "answer"],
            ),
            lookup_duration: r.histograms("lookup_duration_seconds", "Time from question to answer.", &["status"]),
            fill_duration: r.histogram(
                "fill_duration_seconds",
                "Time of one whole fill, all CRM calls included.",
                SECONDS,
            ),
            fills_in_flight: r.gauge("fills_in_flight", "Fills running now."),
            upstream_requests: r.counter(
                "upstream_requests_total",
                "Calls to the CRM by endpoint and how they ended.",
                &["endpoint", "outcome"],
            ),
            upstream_request_duration: r.histograms(
                "upstream_request_duration_seconds",
                "Time of one call to the CRM, without the wait for the quota.",
                &["endpoint"],
            ),
            quota_wait: r.histograms(
                "upstream_quota_wait_seconds",
                "Time a call waited for its quota slot.",
                &["class"],
            ),
            quota_refusals: r.counter(
                "upstream_quota_refusals_total",
                "Calls not made because no quota slot was free in time.",
                &["class"],
            ),
            breaker_open: r.gauge("upstream_breaker_open", "1 while calls to the CRM are suspended, else 0."),
            verdicts: r.counter(
                "verdicts_total",
                "What comparing the CRM's candidates with the number found.",
                &["verdict"],
            ),
            cache_entries: r.gauges("cache_entries", "Entries in the in-process cache.", &["kind"]),
            cache_bytes: r.gauge("cache_bytes", "Estimated size of the in-process cache."),
            cache_evictions: r.counter("cache_evictions_total", "Entries that left the cache, by cause.", &["cause"]),
            stale_age: r.histogram("stale_age_seconds", "Age of stale answers when they were given.", AGES),
            directory_contacts: r.gauge("directory_contacts", "Contacts in the local mirror."),
            directory_lag: r.gauge("directory_lag_seconds", "How far the local mirror is behind the CRM."),
            directory_complete: r
                .gauge("directory_complete", "1 once the local mirror holds the whole contact base, else 0."),
            shared_errors: r.counter("shared_errors_total", "Failed calls to the shared store.", &["op"]),
            http_requests: r.counter("http_requests_total", "HTTP requests served.", &["route", "method", "code"]),
            http_request_duration: r.histograms(
                "http_request_duration_seconds",
                "Time of one HTTP request.",
                &["route"],
            ),
            registry,
        };
        metrics.touch();
        metrics
    }

    /// Makes every combination of closed labels exist at zero.
    fn touch(&self) {
        for status in CacheStatus::ALL {
            self.lookup_duration.with_label_values(&[status.as_str()]);
            for answer in AnswerKind::ALL {
                self.lookups.with_label_values(&[status.as_str(), answer.as_str()]);
            }
        }
        for endpoint in Endpoint::ALL {
            self.upstream_request_duration.with_label_values(&[endpoint.as_str()]);
            for outcome in UpstreamOutcome::ALL {
                self.upstream_requests.with_label_values(&[endpoint.as_str(), outcome.as_str()]);
            }
        }
        for class in Class::ALL {
            self.quota_wait.with_label_values(&[class.as_str()]);
            self.quota_refusals.with_label_values(&[class.as_str()]);
        }
        VerdictKind::ALL.iter().for_each(|v| drop(self.verdicts.with_label_values(&[v.as_str()])));
        EntryKind::ALL.iter().for_each(|k| drop(self.cache_entries.with_label_values(&[k.as_str()])));
        EvictionCause::ALL.iter().for_each(|c| drop(self.cache_evictions.with_label_values(&[c.as_str()])));
        SharedOp::ALL.iter().for_each(|o| drop(self.shared_errors.with_label_values(&[o.as_str()])));
    }

    /// Adds what only the running program can say: its build and its process.
    pub fn describe_process(&self, version: &str, revision: &str) {
        let r = Registrar(&self.registry);
        r.gauges("build_info", "Always 1; the labels say which build this is.", &["version", "revision"])
            .with_label_values(&[version, revision])
            .set(1);
        r.0.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("the process collector is registered once");
    }

    /// The Prometheus text exposition (version 0.0.4).
    ///
    /// # Errors
    /// When a metric cannot be encoded; that is a defect of this crate.
    pub fn encode(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// A lookup was answered.
    pub fn lookup(&self, status: CacheStatus, answer: AnswerKind, took: Duration) {
        self.lookups.with_label_values(&[status.as_str(), answer.as_str()]).inc();
        self.lookup_duration.with_label_values(&[status.as_str()]).observe(took.as_secs_f64());
    }

    /// A fill is running until the guard is dropped; its duration is observed then.
    #[must_use]
    pub fn fill(&self) -> FillGuard<'_> {
        self.fills_in_flight.inc();
        FillGuard { metrics: self, started: tokio::time::Instant::now() }
    }

    /// A call to the CRM ended; `took` is absent when nothing was sent.
    pub fn upstream(&self, endpoint: Endpoint, outcome: UpstreamOutcome, took: Option<Duration>) {
        self.upstream_requests.with_label_values(&[endpoint.as_str(), outcome.as_str()]).inc();
        if let Some(took) = took {
            self.upstream_request_duration.with_label_values(&[endpoint.as_str()]).observe(took.as_secs_f64());
        }
    }

    /// A call waited this long for its slot.
    pub fn quota_wait(&self, class: Class, waited: Duration) {
        self.quota_wait.with_label_values(&[class.as_str()]).observe(waited.as_secs_f64());
    }

    /// A call was refused for want of a slot.
    pub fn quota_refusal(&self, class: Class) {
        self.quota_refusals.with_label_values(&[class.as_str()]).inc();
    }

    /// The breaker opened or closed.
    pub fn breaker(&self, open: bool) {
        self.breaker_open.set(i64::from(open));
    }

    /// Candidates were compared with a number.
    pub fn verdict(&self, verdict: VerdictKind) {
        self.verdicts.with_label_values(&[verdict.as_str()]).inc();
    }

    /// Entries of one kind now in the cache.
    pub fn cache_entries(&self, kind: EntryKind, count: u64) {
        self.cache_entries.with_label_values(&[kind.as_str()]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The cache's estimated size now.
    pub fn cache_bytes(&self, bytes: u64) {
        self.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The counter of entries that left for this cause.
    #[must_use]
    pub fn evictions(&self, cause: EvictionCause) -> IntCounter {
        self.cache_evictions.with_label_values(&[cause.as_str()])
    }

    /// A stale answer of this age was given.
    pub fn stale(&self, age: Duration) {
        self.stale_age.observe(age.as_secs_f64());
    }

    /// An HTTP request was answered. `route` is a pattern of the router or one fixed word, `method` one of the nine of RFC 9110 or `other`.
    pub fn http(&self, route: &str, method: &str, code: u16, took: Duration) {
        self.http_requests.with_label_values(&[route, method, &code.to_string()]).inc();
        self.http_request_duration.with_label_values(&[route]).observe(took.as_secs_f64());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts a fill as running while it lives, also when it panics.
#[derive(Debug)]
pub struct FillGuard<'a> {
    metrics: &'a Metrics,
    started: tokio::time::Instant,
}

impl Drop for FillGuard<'_> {
    fn drop(&mut self) {
        self.metrics.fills_in_flight.dec();
        self.metrics.fill_duration.observe(self.started.elapsed().as_secs_f64());
    }
}
