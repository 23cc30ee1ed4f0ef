//! How many of the last calls failed, over a sliding time.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::settings::BreakerSettings;

/// The calls of the last window, oldest first. Its size is bounded by what the quota lets through in that time.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    calls: VecDeque<Call>,
    failed: usize,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    ended: Instant,
    failed: bool,
}

impl Window {
    /// Adds a call that ended now; returns whether too many have failed.
    pub(super) fn record(&mut self, failed: bool, settings: &BreakerSettings, now: Instant) -> bool {
        while let Some(old) = self.calls.pop_front_if(|call| now - call.ended > settings.window) {
            self.failed -= usize::from(old.failed);
        }
        self.calls.push_back(Call { ended: now, failed });
        self.failed += usize::from(failed);
        self.calls.len() >= settings.least_calls && self.failed * 100 >= self.calls.len() * settings.failure_percent
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
