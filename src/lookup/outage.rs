//! Tells the operator that the CRM is gone, and when it is back: once each, however many callers it hits.
//!
//! The gate tells when it suspends calls; on a quiet line it never has reason to. Here every fill counts: the first that fails after one
//! that worked is told, then the next that works, and in between a reminder now and then. What is told is a word of
//! [`UpstreamOutcome`] and a time, nothing of the number.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::crm::CrmError;
use crate::outcome::UpstreamOutcome;

/// An outage that lasts is told again after this.
const REMINDER: Duration = Duration::from_secs(300);
/// A CRM that comes and goes is not told to be gone more often than this.
const FLAPPING: Duration = Duration::from_secs(60);

/// Whether the CRM can be asked at present.
#[derive(Debug, Default)]
pub(super) struct Outage {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    now: Option<Lasting>,
    last_told: Option<Instant>,
}

/// An outage that has begun and not ended.
#[derive(Clone, Copy, Debug)]
struct Lasting {
    since: Instant,
    outcome: UpstreamOutcome,
    is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    Began { outcome: UpstreamOutcome },
    Lasts { outcome: UpstreamOutcome, so_far: Duration },
    Ended { after: Duration },
}

impl Outage {
    /// Passes a fill's result on, and tells what it means if that is news.
    pub(super) fn heed<T>(&self, result: Result<T, CrmError>) -> Result<T, CrmError> {
        let now = Instant::now();
        let notice = match &result {
            Ok(_) => self.state().worked(now),
            Err(error) => self.state().failed(error.outcome(), now),
        };
        if let Some(notice) = notice {
            notice.log();
        }
        result
    }

    /// Nothing panics while it is held.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn worked(&mut self, now: Instant) -> Option<Notice> {
        let outage = self.now.take().filter(|outage| outage.is_told)?;
        Some(Notice::Ended { after: now - outage.since })
    }

    fn failed(&mut self, outcome: UpstreamOutcome, now: Instant) -> Option<Notice> {
        // What was not sent says nothing new: neither that the CRM is gone nor that it is back.
        let was_sent = outcome != UpstreamOutcome::ShortCircuited;
        if self.now.is_none() && !was_sent {
            return None;
        }
        let outage = self.now.get_or_insert(Lasting { since: now, outcome, is_told: false });
        if was_sent {
            outage.outcome = outcome;
        }
        let pause = if outage.is_told { REMINDER } else { FLAPPING };
        if self.last_told.is_some_and(|told| now < told + pause) {
            return None;
        }
        self.last_told = Some(now);
        let Lasting { since, outcome, is_told } = *outage;
        outage.is_told = true;
        Some(if is_told { Notice::Lasts { outcome, so_far: now - since } } else { Notice::Began { outcome } })
    }
}

impl Notice {
    fn log(self) {
        match self {
            Self::Began { outcome } => {
                warn!(
                    upstream.outcome = outcome.as_str(),
                    "the CRM fails: callers who are not in the cache get no card"
                );
            }
            Self::Lasts { outcome, so_far } => {
                warn!(upstream.outcome = outcome.as_str(), seconds = so_far.as_secs(), "the CRM still fails");
            }
            Self::Ended { after } => info!(seconds = after.as_secs(), "the CRM answers again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use UpstreamOutcome::{Connect, ShortCircuited, Timeout};

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_outage_is_told_when_it_begins_every_five_minutes_and_when_it_ends() {
        let (mut state, t) = (State::default(), Instant::now());
        assert_eq!(state.worked(t), None);
        assert_eq!(state.failed(Timeout, t), Some(Notice::Began { outcome: Timeout }));
        assert!((1..300).all(|second| state.failed(Connect, t + s(second)).is_none()));
        assert_eq!(state.failed(Connect, t + s(300)), Some(Notice::Lasts { outcome: Connect, so_far: s(300) }));
        assert_eq!(state.failed(Connect, t + s(301)), None);
        assert_eq!(state.worked(t + s(302)), Some(Notice::Ended { after: s(302) }));
        assert_eq!(state.worked(t + s(303)), None);
    }

    #[test]
    fn a_call_that_was_not_sent_begins_no_outage_but_reminds_of_one() {
        let (mut state, t) = (State::default(), Instant::now());
        assert_eq!(state.failed(ShortCircuited, t), None);
        assert!(state.failed(Timeout, t).is_some());
        assert_eq!(state.failed(ShortCircuited, t + s(300)), Some(Notice::Lasts { outcome: Timeout, so_far: s(300) }));
    }

    #[test]
    fn a_crm_that_comes_and_goes_is_told_once_a_minute_and_always_when_it_stays_away() {
        let (mut state, t) = (State::default(), Instant::now());
        let mut told = 0;
        for second in 0..60 {
            told += usize::from(state.failed(Connect, t + s(second)).is_some());
            told += usize::from(state.worked(t + s(second)).is_some());
        }
        assert_eq!(told, 2, "once gone, once back");
        assert_eq!(state.failed(Connect, t + s(59)), None);
        assert_eq!(state.failed(Connect, t + s(60)), Some(Notice::Began { outcome: Connect }));
        assert_eq!(state.worked(t + s(70)), Some(Notice::Ended { after: s(11) }));
    }
}
