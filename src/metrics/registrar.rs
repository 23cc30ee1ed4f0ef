//! Registering metrics: one prefix, one place where a bad name would show.

use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// From a hit in microseconds to a fill at its cap. An answer at the default deadline of 1.5 s falls under 1.6, which the alerts count by.
pub(super) const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.6, 2.5, 5.0, 8.0,
];
/// Ages of stale answers, from a second to three days.
pub(super) const AGES: &[f64] = &[1.0, 10.0, 60.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 259_200.0];

/// Registers metrics under the common prefix.
pub(super) struct Registrar<'a>(pub(super) &'a Registry);

impl Registrar<'_> {
    pub(super) fn register<C: prometheus::core::Collector + Clone + 'static>(&self, collector: C) -> C {
        self.0.register(Box::new(collector.clone())).expect("metric names are distinct constants");
        collector
    }

    pub(super) fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let opts = Opts::new(name, help).namespace("callcard");
        self.register(IntCounterVec::new(opts, labels).expect("metric names are valid constants"))
    }

    pub(super) fn single_counter(&self, name: &str, help: &str) -> IntCounter {
        let opts = Opts::new(name, help).namespace("callcard");
        self.register(IntCounter::with_opts(opts).expect("metric names are valid constants"))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        let opts = Opts::new(name, help).namespace("callcard");
        self.register(IntGauge::with_opts(opts).expect("metric names are valid constants"))
    }

    /// A gauge that need not be whole.
    pub(super) fn fraction(&self, name: &str, help: &str) -> Gauge {
        let opts = Opts::new(name, help).namespace("callcard");
        self.register(Gauge::with_opts(opts).expect("metric names are valid constants"))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let opts = Opts::new(name, help).namespace("callcard");
        self.register(IntGaugeVec::new(opts, labels).expect("metric names are valid constants"))
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts::new(name, help).namespace("callcard").buckets(buckets.to_vec());
        self.register(Histogram::with_opts(opts).expect("metric names are valid constants"))
    }

    pub(super) fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).namespace("callcard").buckets(SECONDS.to_vec());
        self.register(HistogramVec::new(opts, labels).expect("metric names are valid constants"))
    }
}
