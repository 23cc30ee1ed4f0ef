//! What the gate can be told: the quota, the bounds and the times. Defaults suit one Kommo account.

use std::time::Duration;

/// Beyond this a "rate" is not a quota any more, and timers could not keep it.
const HIGHEST_RATE: u32 = 500;
/// Keeps every predicted time within what a clock can add up.
const LONGEST_LINE: usize = 10_000;

/// The gate's settings. [`Settings::checked`] says whether they make sense.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Calls a second; no closed sliding second ever sees more than `rate + 1`. Default 6.
    pub rate: u32,
    /// The part of the rate that background calls may use while no live call waits. Default 5/12: 2.5 a second of 6.
    pub background_share: f64,
    /// Calls under way at once, so that a slow CRM does not pile them up. Default 8.
    pub max_in_flight: usize,
    /// How many of those may be background calls, so that slow ones leave room for the living. Default 2.
    pub max_background_in_flight: usize,
    /// Calls of one class that may wait for a slot; more are refused at once. Default 256.
    pub max_waiting: usize,
    /// Retries per hundred calls. Default 10; 0 means none.
    pub retry_percent: u32,
    /// The pause after a 429 that does not say how long. Default 1 s doubling to 30 s.
    pub pause: Backoff,
    /// The longest `Retry-After` that is obeyed; a longer one is taken for a mistake. Default 10 min.
    pub longest_pause: Duration,
    /// When calls are suspended, and for how long.
    pub breaker: BreakerSettings,
}

/// When the breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// The sliding time over which failures are counted. Default 30 s.
    pub window: Duration,
    /// Fewer calls than this in the window say nothing. Default 10.
    pub least_calls: usize,
    /// Failures per hundred calls that open it. Default 50.
    pub failure_percent: usize,
    /// Open after too many failures. Default 5 s doubling to 60 s.
    pub failures_for: Backoff,
    /// Open after the CRM has blocked this address. Default 60 s doubling to 10 min.
    pub blocked_for: Backoff,
    /// Open after the CRM has refused the credentials. Default 30 s.
    pub credentials_for: Backoff,
    /// Open when the account is not paid for or does not exist. Default 60 s.
    pub account_for: Backoff,
    /// A half-open breaker waits this long for a live call to probe with; then a background call may. Default 30 s.
    pub background_probe_after: Duration,
}

/// A time that doubles with every repetition, up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first time.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
}

/// Settings that make no sense together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// The rate is outside its bounds.
    #[error("the rate must be 1 to {HIGHEST_RATE} calls a second")]
    Rate,
    /// The share is not a part of the whole.
    #[error("the background share must be 0.01 to 1")]
    BackgroundShare,
    /// Nothing, or more than everything, may be in flight.
    #[error("calls in flight must be at least 1, background calls 1 to as many")]
    InFlight,
    /// The line has no room, or far too much.
    #[error("the calls that may wait must be 1 to {LONGEST_LINE}")]
    Waiting,
    /// More retries than calls, or a failure ratio over the whole.
    #[error("a percentage is out of its bounds")]
    Percentage,
    /// A time that is zero, or whose bound is under its start.
    #[error("a time is zero, or its bound is under its start")]
    Times,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            rate: 6,
            background_share: 5.0 / 12.0,
            max_in_flight: 8,
            max_background_in_flight: 2,
            max_waiting: 256,
            retry_percent: 10,
            pause: Backoff::seconds(1, 30),
            longest_pause: Duration::from_secs(600),
            breaker: BreakerSettings::default(),
        }
    }
}

impl Settings {
    /// The settings, if they make sense.
    ///
    /// # Errors
    /// Names the first rule that is broken.
    pub fn checked(self) -> Result<Self, InvalidSettings> {
        let rules = [
            ((1..=HIGHEST_RATE).contains(&self.rate), InvalidSettings::Rate),
            ((0.01..=1.0).contains(&self.background_share), InvalidSettings::BackgroundShare),
            ((1..=self.max_in_flight).contains(&self.max_background_in_flight), InvalidSettings::InFlight),
            ((1..=LONGEST_LINE).contains(&self.max_waiting), InvalidSettings::Waiting),
            (self.retry_percent <= 100, InvalidSettings::Percentage),
            ((1..=100).contains(&self.breaker.failure_percent), InvalidSettings::Percentage),
            (self.pause.makes_sense() && self.longest_pause >= self.pause.most, InvalidSettings::Times),
            (self.breaker.times_make_sense(), InvalidSettings::Times),
        ];
        rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(self), |(_, fault)| Err(fault))
    }

    /// The time from one call to the next: rounded up, so that the rate is never exceeded by rounding.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_nanos(1_000_000_000_u64.div_ceil(self.rate.into()))
    }
}

// === impl BreakerSettings ===

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            least_calls: 10,
            failure_percent: 50,
            failures_for: Backoff::seconds(5, 60),
            blocked_for: Backoff::seconds(60, 600),
            credentials_for: Backoff::seconds(30, 30),
            account_for: Backoff::seconds(60, 60),
            background_probe_after: Duration::from_secs(30),
        }
    }
}

impl BreakerSettings {
    fn times_make_sense(&self) -> bool {
        let times = [self.failures_for, self.blocked_for, self.credentials_for, self.account_for];
        !self.window.is_zero() && times.iter().all(Backoff::makes_sense)
    }
}

// === impl Backoff ===

impl Backoff {
    /// From so many seconds to so many.
    #[must_use]
    pub const fn seconds(first: u64, most: u64) -> Self {
        Self { first: Duration::from_secs(first), most: Duration::from_secs(most) }
    }

    /// The time after this many repetitions.
    pub(in crate::crm) fn nth(&self, repetitions: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(repetitions)).min(self.most)
    }

    fn makes_sense(&self) -> bool {
        !self.first.is_zero() && self.first <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(Settings::default().checked(), Ok(Settings::default()));
    }

    #[test]
    fn each_rule_is_enforced_and_named() {
        let default = Settings::default();
        let faults = [
            (Settings { rate: 0, ..default }, InvalidSettings::Rate),
            (Settings { background_share: f64::NAN, ..default }, InvalidSettings::BackgroundShare),
            (Settings { max_in_flight: 0, ..default }, InvalidSettings::InFlight),
            (Settings { max_background_in_flight: 9, ..default }, InvalidSettings::InFlight),
            (Settings { max_waiting: 0, ..default }, InvalidSettings::Waiting),
            (Settings { retry_percent: 101, ..default }, InvalidSettings::Percentage),
            (Settings { pause: Backoff::seconds(2, 1), ..default }, InvalidSettings::Times),
        ];
        for (settings, fault) in faults {
            assert_eq!(settings.checked(), Err(fault));
        }
    }

    #[test]
    fn an_interval_is_rounded_up() {
        let nanos = |rate| Settings { rate, ..Settings::default() }.interval().as_nanos();
        assert_eq!((nanos(1), nanos(5), nanos(6)), (1_000_000_000, 200_000_000, 166_666_667));
    }

    #[test]
    fn a_backoff_doubles_up_to_its_bound_and_never_overflows() {
        let backoff = Backoff::seconds(5, 60);
        let seconds: Vec<_> = [0, 1, 2, 3, 4, u32::MAX].map(|n| backoff.nth(n).as_secs()).into();
        assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
    }
}
