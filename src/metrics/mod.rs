//! Every metric of the process, in one struct.
//!
//! The help text of a metric is written once, where it is registered; the README's table is compared with it by a test. Labels come
//! from [`crate::outcome`] or from the router's own patterns, so no label can grow with the traffic. Every combination exists from the
//! start, so that `rate()` sees the first event.

mod families;
mod grid;
mod meter;
mod registrar;

use std::time::Duration;

use prometheus::{IntCounter, Registry, TextEncoder};

pub use self::meter::RouteMeter;

use self::families::{CacheFamilies, DirectoryFamilies, Http, Lookups, SharedFamilies, Tokens, Upstream, Webhooks};
use self::registrar::Registrar;
use crate::outcome::{
    AnswerKind, CacheStatus, Class, DeliveryOutcome, Endpoint, EntryKind, EvictionCause, HintEffect, HintKind,
    RefreshOutcome, SearchVerdict, SharedOp, SharedResult, TokenKind, UpstreamOutcome, VerdictKind,
};

/// All metrics, and the registry they are scraped from.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    lookups: Lookups,
    upstream: Upstream,
    tokens: Tokens,
    cache: CacheFamilies,
    directory: DirectoryFamilies,
    http: Http,
    webhooks: Webhooks,
    shared: SharedFamilies,
}

impl Metrics {
    /// A registry of its own, so that tests can have many.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let r = Registrar(&registry);
        let (lookups, upstream) = (Lookups::register(&r), Upstream::register(&r));
        let tokens = Tokens::register(&r);
        let (cache, http) = (CacheFamilies::register(&r), Http::register(&r));
        let webhooks = Webhooks::register(&r);
        let (directory, shared) = (DirectoryFamilies::register(&r), SharedFamilies::register(&r));
        Self { registry, lookups, upstream, tokens, cache, directory, http, webhooks, shared }
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
        self.lookups.total.at(status, answer).inc();
        self.lookups.duration.at(status).observe(took.as_secs_f64());
    }

    /// A fill is running until the guard is dropped; its duration is observed then.
    #[must_use]
    pub fn fill(&self) -> FillGuard<'_> {
        self.lookups.fills_in_flight.inc();
        FillGuard { metrics: self, started: tokio::time::Instant::now() }
    }

    /// A call to the CRM ended; `took` is absent when nothing was sent.
    pub fn upstream(&self, endpoint: Endpoint, outcome: UpstreamOutcome, took: Option<Duration>) {
        self.upstream.requests.at(endpoint, outcome).inc();
        if let Some(took) = took {
            self.upstream.request_duration.at(endpoint).observe(took.as_secs_f64());
        }
    }

    /// A call waited this long for its slot.
    pub fn quota_wait(&self, class: Class, waited: Duration) {
        self.upstream.quota_wait.at(class).observe(waited.as_secs_f64());
    }

    /// A call was refused for want of a slot.
    pub fn quota_refusal(&self, class: Class) {
        self.upstream.quota_refusals.at(class).inc();
    }

    /// The breaker opened or closed.
    pub fn breaker(&self, open: bool) {
        self.upstream.breaker_open.set(i64::from(open));
    }

    /// The CRM token in use expires then, in Unix seconds.
    pub fn token_expiry(&self, kind: TokenKind, at: i64) {
        self.tokens.expiry.with_label_values(&[kind.as_str()]).set(at);
    }

    /// A renewal of the access token has ended.
    pub fn token_refresh(&self, outcome: RefreshOutcome) {
        self.tokens.refreshes.with_label_values(&[outcome.as_str()]).inc();
    }

    /// Candidates were compared with a number.
    pub fn verdict(&self, verdict: VerdictKind) {
        self.lookups.verdicts.at(verdict).inc();
    }

    /// This is how the account's search is known to work.
    pub fn search_mode(&self, verdict: SearchVerdict) {
        for mode in SearchVerdict::ALL {
            self.lookups.search_mode.at(*mode).set(i64::from(*mode == verdict));
        }
    }

    /// Entries of one kind now in the cache.
    pub fn cache_entries(&self, kind: EntryKind, count: u64) {
        self.cache.entries.at(kind).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The cache's estimated size now.
    pub fn cache_bytes(&self, bytes: u64) {
        self.cache.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The counter of entries that left for this cause.
    #[must_use]
    pub fn evictions(&self, cause: EvictionCause) -> IntCounter {
        self.cache.evictions.at(cause).clone()
    }

    /// Whether this replica keeps the mirror up to date.
    pub fn directory_leader(&self, leads: bool) {
        self.directory.leader.set(i64::from(leads));
    }

    /// The mirror as it stands.
    pub fn directory(&self, contacts: u64, lag: Duration, complete: bool) {
        let directory = &self.directory;
        directory.contacts.set(i64::try_from(contacts).unwrap_or(i64::MAX));
        directory.lag.set(i64::try_from(lag.as_secs()).unwrap_or(i64::MAX));
        directory.complete.set(i64::from(complete));
    }

    /// A stale answer of this age was given.
    pub fn stale(&self, age: Duration) {
        self.lookups.stale_age.observe(age.as_secs_f64());
    }

    /// A webhook came.
    pub fn delivery(&self, outcome: DeliveryOutcome) {
        self.webhooks.deliveries.with_label_values(&[outcome.as_str()]).inc();
    }

    /// A webhook's hint was acted on.
    pub fn hint(&self, kind: HintKind, effect: HintEffect) {
        self.webhooks.hints.with_label_values(&[kind.as_str(), effect.as_str()]).inc();
    }

    /// The last webhook is so long ago now.
    pub fn last_delivery(&self, age: Duration) {
        self.webhooks.last_delivery_age.set(age.as_secs_f64());
    }

    /// A call to the shared store failed.
    pub fn shared_error(&self, op: SharedOp) {
        self.shared.errors.with_label_values(&[op.as_str()]).inc();
    }

    /// A call to the shared store took this long, answered or not.
    pub fn shared_took(&self, op: SharedOp, took: Duration) {
        self.shared.duration.with_label_values(&[op.as_str()]).observe(took.as_secs_f64());
    }

    /// The shared store was found or lost.
    pub fn shared_up(&self, up: bool) {
        self.shared.up.set(i64::from(up));
    }

    /// So many replicas share the quota.
    pub fn shared_replicas(&self, replicas: u32) {
        self.shared.replicas.set(i64::from(replicas));
    }

    /// A fill asked the shared store first.
    pub fn shared_lookup(&self, result: SharedResult) {
        self.shared.lookups.with_label_values(&[result.as_str()]).inc();
    }

    /// Changes told by others may have been missed.
    pub fn shared_missed(&self) {
        self.shared.missed.inc();
    }

    /// The metrics of one route's requests, resolved once. `route` is a pattern of the router.
    #[must_use]
    pub fn route(&self, route: &'static str) -> RouteMeter {
        RouteMeter::new(&self.http, route)
    }

    /// An HTTP request was answered. `route` is a pattern of the router or one fixed word, `method` one of the nine of RFC 9110 or `other`.
    pub fn http(&self, route: &str, method: &str, code: u16, took: Duration) {
        self.http.requests.with_label_values(&[route, method, &code.to_string()]).inc();
        self.http.duration.with_label_values(&[route]).observe(took.as_secs_f64());
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
        self.metrics.lookups.fills_in_flight.dec();
        self.metrics.lookups.fill_duration.observe(self.started.elapsed().as_secs_f64());
    }
}
