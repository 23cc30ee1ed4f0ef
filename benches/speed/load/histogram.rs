//! Latencies in buckets of about one percent: small, and as exact as a percentile on a shared machine can be.

use std::fmt;
use std::time::Duration;

/// Buckets a doubling.
const FINE: u32 = 64;
const BUCKETS: usize = 64 * FINE as usize;

/// Counts of nanoseconds.
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, longest: 0 }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
        self.longest = self.longest.max(nanoseconds);
    }

    /// The upper edge of the bucket that holds this share of all, in microseconds.
    fn at(&self, permille: u64) -> f64 {
        let wanted = (self.total * permille).div_ceil(1000);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return edge(bucket + 1);
            }
        }
        0.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small positive numbers"
)]
fn bucket(nanoseconds: u64) -> usize {
    ((nanoseconds as f64).log2() * f64::from(FINE)) as usize
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand buckets")]
fn edge(bucket: usize) -> f64 {
    (bucket as f64 / f64::from(FINE)).exp2() / 1000.0
}

impl fmt::Display for Histogram {
    /// Members of a JSON object, in microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a few seconds")]
        let longest = self.longest as f64 / 1000.0;
        let (p50, p90, p99) = (self.at(500), self.at(900), self.at(990));
        write!(f, r#""p50_us": {p50:.1}, "p90_us": {p90:.1}, "p99_us": {p99:.1}, "max_us": {longest:.1}"#)
    }
}
