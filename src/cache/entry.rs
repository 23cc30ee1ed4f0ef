//! One number's entry: what is known about it, and until when that may be said.
//!
//! An entry is never changed in place: a newer one takes its place in the store. All its times come from tokio's clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::epoch::Epoch;
use super::parties::Parties;
use super::second::Remembered;
use crate::card::Card;
use crate::contact::PartyId;

/// How long answers may be used, counted from the moment the CRM gave them.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifetimes {
    /// Known callers are fresh for this long.
    pub known_fresh: Duration,
    /// Known callers may be given as stale until then.
    pub known_stale: Duration,
    /// Numbers nobody has are fresh for this long: short, since the CRM's search index lags its writes.
    pub unknown_fresh: Duration,
    /// Numbers nobody has may be given as stale until then.
    pub unknown_stale: Duration,
    /// A card whose leads could not be had is fresh for this long only, so that they come soon.
    pub partial_fresh: Duration,
    /// Fresh times are spread by ± this share, so that entries made together do not end together.
    pub jitter: f64,
    /// "Nobody" has a number that somebody has just been said to have: fresh for this long, as the CRM's search may be behind.
    pub doubted_fresh: Duration,
    /// An entry asked for after this share of its fresh time is refreshed in the background.
    pub refresh_after: f64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            known_fresh: Duration::from_secs(10 * 60),
            known_stale: Duration::from_secs(24 * 60 * 60),
            unknown_fresh: Duration::from_secs(60),
            unknown_stale: Duration::from_secs(60 * 60),
            partial_fresh: Duration::from_secs(30),
            doubted_fresh: Duration::from_secs(5),
            jitter: 0.1,
            refresh_after: 0.8,
        }
    }
}

/// Who has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// These contacts, best first. Their cards are kept once each, shared by all of a contact's numbers.
    Known(Parties),
    /// Nobody.
    Unknown,
}

/// What is known about one number.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) outcome: Outcome,
    /// When the CRM last confirmed it.
    pub(super) fetched_at: Instant,
    /// When the CRM was last *searched* for the number; a refresh by id confirms the contacts but does not look for new ones.
    pub(super) searched_at: Instant,
    /// When a caller is known to have asked for it: at its last live fill, or late in a fresh life.
    pub(super) asked_at: Instant,
    pub(super) fresh_until: Instant,
    pub(super) stale_until: Instant,
    /// No fill before this moment: the last one failed.
    pub(super) recheck_at: Instant,
    /// How many fills in a row have failed since the entry was made.
    pub(super) failures: u32,
    /// From then on a lookup asks for a refresh in the background.
    pub(super) refresh_at: Instant,
    /// The fill that made it.
    pub(super) started: Epoch,
}

/// What an entry is good for at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// To be given at once.
    Fresh {
        /// Late in its life: refresh it in the background.
        due: bool,
    },
    /// To be given only if a fill does not succeed soon.
    Stale,
    /// To be given at once although stale: the last fill failed a moment ago.
    Hold,
    /// No longer usable.
    Gone,
}

impl Entry {
    /// An entry for the outcome of a search that started at `started` and ended now.
    pub(super) fn new(cards: &[Arc<Card>], started: Epoch, lifetimes: &Lifetimes, now: Instant) -> Self {
        let outcome = if cards.is_empty() {
            Outcome::Unknown
        } else {
            Outcome::Known(cards.iter().map(|card| card.id).collect())
        };
        let mut entry = Self {
            outcome,
            fetched_at: now,
            searched_at: now,
            asked_at: now,
            fresh_until: now,
            stale_until: now,
            recheck_at: now,
            failures: 0,
            refresh_at: now,
            started,
        };
        entry.live(cards.iter().any(|card| card.partial.may_come_soon()), lifetimes, now);
        entry
    }

    /// The same contacts, and perhaps more of them, confirmed anew by their ids; the search keeps its own age.
    pub(super) fn confirmed(&self, cards: &[&Arc<Card>], started: Epoch, lifetimes: &Lifetimes, now: Instant) -> Self {
        let outcome = Outcome::Known(cards.iter().map(|card| card.id).collect());
        let mut entry = Self { outcome, fetched_at: now, recheck_at: now, failures: 0, started, ..self.clone() };
        entry.live(cards.iter().any(|card| card.partial.may_come_soon()), lifetimes, now);
        entry
    }

    /// The same entry where "nobody" may only mean that the search does not know yet.
    pub(super) fn doubted(self, lifetimes: &Lifetimes, now: Instant) -> Self {
        match self.outcome {
            Outcome::Known(_) => self,
            Outcome::Unknown => Self { fresh_until: self.fresh_until.min(now + lifetimes.doubted_fresh), ..self },
        }
    }

    /// The same entry once it has been declared stale: usable, and to be asked for anew at once.
    pub(super) fn expired(&self, now: Instant) -> Self {
        Self {
            fresh_until: self.fresh_until.min(now),
            recheck_at: now,
            refresh_at: self.refresh_at.min(now),
            ..self.clone()
        }
    }

    /// An entry for what another replica found out.
    pub(super) fn remembered(cards: &[Arc<Card>], found: &Remembered, started: Epoch, now: Instant) -> Self {
        let outcome = match cards {
            [] => Outcome::Unknown,
            cards => Outcome::Known(cards.iter().map(|card| card.id).collect()),
        };
        // Our clock may not go back that far; then it only looks younger.
        let back = |span: Duration| now.checked_sub(span).unwrap_or(now);
        let left = |span: Duration| match span.checked_sub(found.age) {
            Some(left) => now + left,
            None => back(found.age - span),
        };
        Self {
            outcome,
            fetched_at: back(found.age),
            searched_at: back(found.searched),
            fresh_until: left(found.fresh),
            stale_until: left(found.usable),
            recheck_at: now,
            failures: 0,
            refresh_at: left(found.renew),
            started,
            asked_at: now,
        }
    }

    /// The same, the other way round.
    pub(super) fn as_remembered(&self, cards: Vec<Arc<Card>>, now: Instant) -> Remembered {
        let lasts = |until: Instant| until.saturating_duration_since(self.fetched_at);
        Remembered {
            cards,
            age: self.age(now),
            searched: now.saturating_duration_since(self.searched_at),
            fresh: lasts(self.fresh_until),
            renew: lasts(self.refresh_at),
            usable: lasts(self.stale_until),
        }
    }

    /// Sets the times of an entry that begins to live now.
    fn live(&mut self, partial: bool, lifetimes: &Lifetimes, now: Instant) {
        let (fresh, stale) = match self.outcome {
            Outcome::Known(_) if partial => (lifetimes.partial_fresh.min(lifetimes.known_fresh), lifetimes.known_stale),
            Outcome::Known(_) => (lifetimes.known_fresh, lifetimes.known_stale),
            Outcome::Unknown => (lifetimes.unknown_fresh, lifetimes.unknown_stale),
        };
        let spread = 1.0 + lifetimes.jitter * (2.0 * fastrand::f64() - 1.0);
        let fresh = fresh.mul_f64(spread);
        self.fresh_until = now + fresh;
        self.stale_until = now + stale.max(fresh);
        self.refresh_at = now + fresh.mul_f64(lifetimes.refresh_after);
    }

    /// The same entry after a fill for it failed: it stays as usable as it was, but is not tried again before `hold` has passed.
    pub(super) fn held(&self, hold: Duration, now: Instant) -> Self {
        let until = now + hold;
        Self {
            recheck_at: until,
            refresh_at: self.refresh_at.max(until),
            failures: self.failures.saturating_add(1),
            ..self.clone()
        }
    }

    /// What it is good for. `expired` says that everything older was declared stale after this entry was made;
    /// `max_age` that the caller wants nothing older as fresh.
    pub(super) fn state(&self, now: Instant, expired: bool, max_age: Option<Duration>) -> State {
        let too_old = max_age.is_some_and(|max| self.age(now) > max.max(CURRENT));
        if now >= self.stale_until {
            State::Gone
        } else if now < self.fresh_until && !expired && !too_old {
            State::Fresh { due: now >= self.refresh_at }
        } else if now < self.recheck_at {
            State::Hold
        } else {
            State::Stale
        }
    }

    /// The same entry once somebody is said to have the number: that nobody has it may not be said any more, not even as stale.
    pub(super) fn contradicted(&self, now: Instant) -> Self {
        let expired = self.expired(now);
        match self.outcome {
            Outcome::Known(_) => expired,
            Outcome::Unknown => Self { stale_until: now, ..expired },
        }
    }

    /// The contacts, or companies, that own the number.
    pub(super) fn parties(&self) -> impl Iterator<Item = PartyId> + '_ {
        match &self.outcome {
            Outcome::Known(parties) => Some(parties.iter()),
            Outcome::Unknown => None,
        }
        .into_iter()
        .flatten()
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.fetched_at)
    }

    /// Seconds until it stops being fresh; negative since it has.
    pub(super) fn ttl(&self, now: Instant) -> i64 {
        let ahead = self.fresh_until.saturating_duration_since(now).as_secs();
        let behind = now.saturating_duration_since(self.fresh_until).as_secs();
        i64::try_from(ahead).unwrap_or(i64::MAX) - i64::try_from(behind).unwrap_or(i64::MAX)
    }
}

/// An answer younger than this is current whatever the caller's `max_age`: asking the CRM the same question again within a second
/// brings nothing new, and it counts such repetitions as abuse.
const CURRENT: Duration = Duration::from_secs(1);

/// A pause that doubles with each failure in a row, from `first` up to `most`.
pub(super) fn backoff(first: Duration, most: Duration, failures: u32) -> Duration {
    first.saturating_mul(1 << failures.min(16)).min(most)
}
