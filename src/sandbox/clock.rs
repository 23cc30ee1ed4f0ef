//! The sandbox's time: tokio's clock, so that a test that pauses it pauses the CRM too.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Turns tokio's monotonic clock into Unix seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
    started_unix: i64,
}

impl Clock {
    /// A clock that is behind the present by this much.
    pub(super) fn new(behind: Duration) -> Self {
        let now = Timestamp::now().as_second();
        Self { started: Instant::now(), started_unix: now.saturating_sub_unsigned(behind.as_secs()) }
    }

    /// Time since the sandbox began.
    pub(super) fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started)
    }

    /// Now, in Unix seconds.
    pub(super) fn unix(&self) -> i64 {
        let passed = self.since_start(Instant::now()).as_secs();
        self.started_unix.saturating_add_unsigned(passed)
    }
}
