//! The server's time as this process knows it: ages of entries and the end of a beat's validity are told in it, so that no machine's own
//! clock counts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The server's clock may run a little faster or slower than ours between two looks.
const DRIFT: Duration = Duration::from_millis(20);

/// Microseconds of the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Micros(pub(super) u64);

impl Micros {
    /// So much later.
    pub(super) fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }

    /// How much later than `then` this is; nothing if it is not.
    pub(super) const fn since(self, then: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(then.0))
    }
}

/// A duration for the server.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// What was last seen of the server's clock.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<Seen>>);

/// The server said `time` at some moment between two of ours.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sent: Instant,
    heard: Instant,
    time: Micros,
}

impl Clock {
    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's time now, give or take a round trip.
    pub(super) fn now(&self) -> Option<Micros> {
        let seen = (*self.seen())?;
        Some(seen.time.after(Instant::now() - seen.heard))
    }

    /// The latest that the server's clock can show at a moment of ours.
    pub(super) fn at_most(&self, at: Instant) -> Option<Micros> {
        let seen = (*self.seen())?;
        Some(seen.time.after(at - seen.sent))
    }

    /// The server said this time between two moments of ours. Whether that fits with what it said before: if not, its clock has jumped.
    pub(super) fn learn(&self, time: Micros, sent: Instant, heard: Instant) -> bool {
        let mut seen = self.seen();
        let fits = seen.is_none_or(|old| {
            let (least, most) = (old.time.after(sent - old.heard), old.time.after(heard - old.sent + DRIFT));
            time.after(DRIFT) >= least && time <= most
        });
        *seen = Some(Seen { sent, heard, time });
        fits
    }

    /// What was seen is of no use any more.
    pub(super) fn forget(&self) {
        *self.seen() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[tokio::test(start_paused = true)]
    async fn it_runs_on_between_two_looks() {
        let (clock, sent) = (Clock::default(), Instant::now());
        assert_eq!(clock.now(), None);
        assert!(clock.learn(Micros(5_000_000), sent, sent));
        tokio::time::advance(MS(250)).await;
        assert_eq!(clock.now(), Some(Micros(5_250_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_is_no_jump_and_a_jump_is_one() {
        for (told, fits) in [(1_000, true), (1_045, true), (1_100, false), (940, false), (60_000, false)] {
            let (clock, begin) = (Clock::default(), Instant::now());
            clock.learn(Micros(0), begin, begin);
            let (sent, heard) = (begin + MS(990), begin + MS(1_035));
            assert_eq!(clock.learn(Micros(told * 1_000), sent, heard), fits, "{told}");
        }
    }
}
