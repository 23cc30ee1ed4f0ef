//! When the next call may go: one call an interval, and never two at once.
//!
//! With `T` the interval and `g` the timer's grain (`g < T`), any call that goes `n` calls after another goes at least `n·T − g` later,
//! by the *actual* times of both. So `rate + 1` calls later is always more than a second later, and no closed second sees more than
//! `rate + 1`: after idling, after a pause, after late wake-ups. Idle time is not saved up.
//!
//! This is the part that replicas share if there are several ([`super::shared_pace`]); the line in front of it stays in the process.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::Settings;
use crate::outcome::Class;

/// How late a timer wakes on an idle machine: it counts in milliseconds and rounds up.
pub(super) const GRAIN: Duration = Duration::from_millis(2);

/// The clock of all calls, and the slower one that background calls obey besides.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pace {
    all: Clock,
    background: Clock,
}

#[derive(Clone, Debug, PartialEq)]
struct Clock {
    interval: Duration,
    /// A call this much late does not delay the next one: else every wake-up would cost the rate its rounding.
    grain: Duration,
    free_at: Instant,
}

impl Pace {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        Self::of(settings.interval(), settings.background_share, now)
    }

    /// One call an interval, and of those in the background a share.
    pub(super) fn of(interval: Duration, background_share: f64, now: Instant) -> Self {
        let slower = interval.div_f64(background_share);
        Self { all: Clock::new(interval, now), background: Clock::new(slower, now) }
    }

    /// From one call to the next.
    pub(super) const fn interval(&self) -> Duration {
        self.all.interval
    }

    /// The slot of a live call that has this many live calls ahead of it.
    pub(super) fn live_slot(&self, ahead: usize, from: Instant) -> Instant {
        self.all.slot(ahead, from)
    }

    /// The earliest slot of a background call: behind every live call that waits now, and behind its own kind.
    pub(super) fn background_slot(&self, ahead: usize, live: usize, from: Instant) -> Instant {
        self.background.slot(ahead, self.all.slot(live, from))
    }

    /// A call goes now.
    pub(super) fn take(&mut self, class: Class, now: Instant) {
        self.all.take(now);
        if class == Class::Background {
            self.background.take(now);
        }
    }
}

impl Clock {
    fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, grain: GRAIN.min(interval / 2), free_at: now }
    }

    fn slot(&self, ahead: usize, from: Instant) -> Instant {
        let ahead = u32::try_from(ahead).expect("a line is bounded by its settings");
        self.free_at.max(from) + self.interval * ahead
    }

    fn take(&mut self, now: Instant) {
        self.free_at = (self.free_at + self.grain).max(now) + self.interval - self.grain;
    }
}
