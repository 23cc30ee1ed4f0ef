//! The table of fills in flight, and the memory of invalidations that can overtake them.
//!
//! Plain data under one lock (the [`Cache`](super::Cache) owns it): every rule about who may join which fill and which result may be
//! stored is decided here, in one order of [`Epoch`]s. It is touched only when an answer is not at hand, never on a hit.
//!
//! Guarantees:
//! - At most one joinable fill per number.
//! - After an invalidation of a number, or of everything, nobody joins a fill that started before it, and its result is not stored.
//! - After an invalidation of a contact, no result that holds it and was started before is stored; a caller who joined such a fill
//!   only after the invalidation is told so by [`Table::overtook`].

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::backoff;
use super::epoch::Epoch;
use crate::contact::PartyId;
use crate::phone::E164;

/// How long after a failure a number with nothing usable is not tried again: the first time and at most.
const FAILED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// Fills in flight (`F` is the handle callers wait on), invalidations, and failures in their window.
#[derive(Debug)]
pub struct Table<F> {
    now: Epoch,
    flights: HashMap<E164, Flight<F>>,
    /// Everything that started before this was invalidated.
    all: Epoch,
    phones: Invalidations<E164>,
    contacts: Invalidations<PartyId>,
    /// Invalidations of contacts from before this may have been forgotten.
    forgotten: Epoch,
    failures: HashMap<E164, Failure>,
    bound: usize,
}

#[derive(Debug)]
struct Flight<F> {
    started: Epoch,
    handle: F,
}

/// A number whose last fill failed and that has nothing usable.
#[derive(Clone, Copy, Debug)]
struct Failure {
    until: Instant,
    count: u32,
}

/// A caller's place at a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the fill started.
    pub started: Epoch,
    /// When the caller came to it.
    pub joined: Epoch,
    /// The caller started it.
    pub leads: bool,
}

impl<F: Clone> Table<F> {
    /// `memory` is how long invalidations are remembered (at least twice the longest fill); `bound` how many of each kind.
    #[must_use]
    pub fn new(memory: Duration, bound: usize) -> Self {
        Self {
            now: Epoch::default(),
            flights: HashMap::new(),
            all: Epoch::default(),
            phones: Invalidations::new(memory),
            contacts: Invalidations::new(memory),
            forgotten: Epoch::default(),
            failures: HashMap::new(),
            bound,
        }
    }

    /// A new moment in the order of events: for work that can be overtaken without being in the table.
    pub fn stamp(&mut self) -> Epoch {
        self.now = self.now.next();
        self.now
    }

    /// Joins the fill for `key`, or makes one with `begin`.
    pub fn join_or_begin(&mut self, key: E164, begin: impl FnOnce() -> F) -> (F, Place) {
        let joined = self.stamp();
        if let Some(flight) = self.flights.get(&key) {
            return (flight.handle.clone(), Place { started: flight.started, joined, leads: false });
        }
        let handle = begin();
        self.flights.insert(key, Flight { started: joined, handle: handle.clone() });
        (handle, Place { started: joined, joined, leads: true })
    }

    /// Takes the fill that started at `started` out of the table, if it is still there.
    pub fn leave(&mut self, key: E164, started: Epoch) {
        if self.flights.get(&key).is_some_and(|flight| flight.started == started) {
            self.flights.remove(&key);
        }
    }

    /// Whether a result for `key` holding `contacts`, of work begun at `started`, may still be stored.
    #[must_use]
    pub fn may_store(&self, key: E164, contacts: &[PartyId], started: Epoch) -> bool {
        self.all <= started
            && !self.phones.any(&key, started, self.now)
            && !contacts.iter().any(|id| self.contacts.any(id, started, self.now))
    }

    /// Whether a card of work begun at `started` may still be stored.
    #[must_use]
    pub fn may_store_card(&self, id: PartyId, started: Epoch) -> bool {
        self.all <= started && !self.contacts.any(&id, started, self.now)
    }

    /// Whether one of `contacts` was invalidated after the fill started but before the caller came to it; also if that may have been
    /// forgotten since.
    #[must_use]
    pub fn overtook(&self, contacts: &[PartyId], place: Place) -> bool {
        let may_be_forgotten = !place.leads && self.forgotten > place.joined;
        may_be_forgotten || contacts.iter().any(|id| self.contacts.any(id, place.started, place.joined))
    }

    /// Nothing known or being filled for `key` may be trusted any more.
    pub fn invalidate_phone(&mut self, key: E164, at: Instant) -> Epoch {
        let epoch = self.stamp();
        self.flights.remove(&key);
        self.failures.remove(&key);
        self.phones.push(key, epoch, at);
        self.settle(at);
        epoch
    }

    /// Nothing known or being filled about this contact or company may be trusted any more; `phones` are the numbers it is known to have.
    pub fn invalidate_contact(&mut self, id: PartyId, phones: &[E164], at: Instant) -> Epoch {
        for phone in phones {
            self.invalidate_phone(*phone, at);
        }
        let epoch = self.stamp();
        self.contacts.push(id, epoch, at);
        self.settle(at);
        epoch
    }

    /// Nothing known or being filled may be trusted any more. What was invalidated before is remembered of contacts: fills that go on may
    /// have callers who came after that.
    pub fn invalidate_all(&mut self) -> Epoch {
        self.all = self.stamp();
        self.flights.clear();
        self.failures.clear();
        self.phones.clear();
        self.all
    }

    /// A fill for `key` failed and nothing usable is there.
    pub fn failed(&mut self, key: E164, at: Instant) {
        if self.failures.len() >= self.bound && !self.failures.contains_key(&key) {
            self.failures.retain(|_, failure| failure.until > at);
            if self.failures.len() >= self.bound {
                return; // The number is simply tried again sooner.
            }
        }
        let failure = self.failures.entry(key).or_insert(Failure { until: at, count: 0 });
        if at > failure.until + FAILED.1 {
            failure.count = 0; // Long ago: not the same trouble.
        }
        failure.until = at + backoff(FAILED.0, FAILED.1, failure.count);
        failure.count = failure.count.saturating_add(1);
    }

    /// How much longer `key` is in its window after a failure.
    #[must_use]
    pub fn failing_for(&self, key: E164, at: Instant) -> Option<Duration> {
        let left = self.failures.get(&key)?.until.saturating_duration_since(at);
        (!left.is_zero()).then_some(left)
    }

    /// A fill for `key` succeeded.
    pub fn succeeded(&mut self, key: E164) {
        self.failures.remove(&key);
    }

    /// Fills that can be joined.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Whether a fill for `key` can be joined.
    #[must_use]
    pub fn is_filling(&self, key: E164) -> bool {
        self.flights.contains_key(&key)
    }

    /// Numbers in their window after a failure.
    #[must_use]
    pub fn failing(&self, at: Instant) -> usize {
        self.failures.values().filter(|failure| failure.until > at).count()
    }

    /// Keeps the memory of invalidations within its bound. What has to be forgotten early is remembered coarsely: as if everything that
    /// started before had been invalidated, which can cost a fill but never serve an old answer.
    fn settle(&mut self, at: Instant) {
        self.phones.forget(at);
        self.contacts.forget(at);
        if self.phones.len + self.contacts.len > self.bound {
            self.forgotten = self.invalidate_all();
            self.contacts.clear();
        }
    }
}

/// When each of a kind of things was invalidated, for as long as a fill can be in flight.
#[derive(Debug)]
struct Invalidations<K> {
    memory: Duration,
    by_key: HashMap<K, Vec<(Epoch, Instant)>>,
    len: usize,
    forgotten_at: Option<Instant>,
}

impl<K: Eq + Hash> Invalidations<K> {
    fn new(memory: Duration) -> Self {
        Self { memory, by_key: HashMap::new(), len: 0, forgotten_at: None }
    }

    fn push(&mut self, key: K, epoch: Epoch, at: Instant) {
        self.by_key.entry(key).or_default().push((epoch, at));
        self.len += 1;
    }

    /// Whether `key` was invalidated after `after` and not after `until`.
    fn any(&self, key: &K, after: Epoch, until: Epoch) -> bool {
        self.by_key.get(key).is_some_and(|all| all.iter().any(|(epoch, _)| *epoch > after && *epoch <= until))
    }

    /// Drops what no fill in flight can care for; swept once per memory span, so the cost per invalidation stays small.
    fn forget(&mut self, at: Instant) {
        if self.forgotten_at.is_some_and(|last| at < last + self.memory) {
            return;
        }
        self.forgotten_at = Some(at);
        self.by_key.retain(|_, all| {
            all.retain(|(_, when)| *when + self.memory > at);
            !all.is_empty()
        });
        self.len = self.by_key.values().map(Vec::len).sum();
    }

    fn clear(&mut self) {
        self.by_key.clear();
        self.len = 0;
    }
}
