//! The mirror's time: Unix milliseconds by tokio's clock, so that a test that pauses it pauses the mirror.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::contact::UnixSeconds;

/// Turns tokio's clock into Unix time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
    began_unix: i64,
}

impl Clock {
    /// A clock that shows the present.
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), began_unix: Timestamp::now().as_millisecond() }
    }

    /// Now, in Unix milliseconds.
    pub(super) fn now(&self) -> i64 {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.began_unix.saturating_add(passed)
    }

    /// Now, as records are stamped.
    pub(super) fn seconds(&self) -> UnixSeconds {
        UnixSeconds(self.now() / 1_000)
    }

    /// Time since then; none for a moment to come.
    pub(super) fn since(&self, millis: i64) -> Duration {
        Duration::from_millis(u64::try_from(self.now().saturating_sub(millis)).unwrap_or(0))
    }
}
