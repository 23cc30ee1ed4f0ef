//! The gate's laws, under schedules nobody would write by hand.

mod breaker;
mod gate;
mod quota;

use std::time::Duration;

use tokio::time::Instant;

/// The most admissions any closed sliding second sees.
fn worst_second(admitted: &[Instant]) -> usize {
    let second = Duration::from_secs(1);
    admitted
        .iter()
        .map(|&from| admitted.iter().filter(|&&at| from <= at && at - from <= second).count())
        .max()
        .unwrap_or(0)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}
