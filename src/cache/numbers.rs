//! What is known of numbers that somebody has: many, and small.
//!
//! A map without a bound of its own. What is known of a number is of no use without the cards of its owners, so it is taken out when one of
//! them leaves the bounded store, and its bytes are part of that card's weight ([`super::store`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::entry::{Entry, Outcome};
use super::epoch::Epoch;
use super::parties::Parties;
use crate::contact::PartyId;
use crate::phone::E164;

/// Bytes of one number: its slot in a map that is three fifths full, and its entry.
pub(super) const NUMBER_BYTES: usize = 28 + 80;

/// Shards: so many that threads hardly meet.
const SHARD_BITS: u32 = 6;

/// The numbers and their entries. The keys are the CRM's: nobody outside can choose them so that they collide.
#[derive(Debug)]
pub(super) struct Numbers {
    shards: Vec<RwLock<FxHashMap<E164, Box<Thin>>>>,
    len: AtomicU64,
    clock: Clock,
}

impl Numbers {
    pub(super) fn new(clock: Clock) -> Self {
        let shards = (0..1 << SHARD_BITS).map(|_| RwLock::default()).collect();
        Self { shards, len: AtomicU64::new(0), clock }
    }

    pub(super) fn get(&self, key: E164) -> Option<Entry> {
        self.read(key).get(&key).map(|thin| thin.entry(self.clock))
    }

    /// Whether a number's entry names a party.
    pub(super) fn names(&self, key: E164, party: PartyId) -> bool {
        self.read(key).get(&key).is_some_and(|thin| thin.parties.contains(party))
    }

    /// Puts an entry in place of an older one.
    pub(super) fn put(&self, key: E164, parties: Parties, entry: &Entry) {
        let thin = Box::new(Thin::of(parties, entry, self.clock));
        if self.write(key).insert(key, thin).is_none() {
            self.len.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a number's entry out if it is so; tells whether it was there and so.
    pub(super) fn remove_if(&self, key: E164, is_so: impl FnOnce(&Parties) -> bool) -> bool {
        let mut shard = self.write(key);
        let removed = shard.get(&key).is_some_and(|thin| is_so(&thin.parties)) && shard.remove(&key).is_some();
        if removed {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// Nothing panics while it holds the lock.
    fn read(&self, key: E164) -> RwLockReadGuard<'_, FxHashMap<E164, Box<Thin>>> {
        self.shards[shard(key)].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, key: E164) -> RwLockWriteGuard<'_, FxHashMap<E164, Box<Thin>>> {
        self.shards[shard(key)].write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upper bits of a product with the golden ratio: neighbouring numbers are spread over all shards.
fn shard(key: E164) -> usize {
    usize::try_from(key.get().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SHARD_BITS)).expect("a few bits")
}

/// An [`Entry`] of a number that somebody has, in 72 bytes. Times in nanoseconds on the store's clock, or in milliseconds from the fetch
/// where that is enough: a time too far away for them only counts as a little nearer.
#[derive(Debug)]
struct Thin {
    parties: Parties,
    fetched_at: i64,
    searched_at: i64,
    fresh_until: i64,
    stale_until: i64,
    started: Epoch,
    asked_ms: i32,
    recheck_ms: i32,
    refresh_ms: i32,
    failures: u32,
}

impl Thin {
    fn of(parties: Parties, entry: &Entry, clock: Clock) -> Self {
        let ms = |at: Instant| millis(at, entry.fetched_at);
        Self {
            parties,
            fetched_at: clock.nanos(entry.fetched_at),
            searched_at: clock.nanos(entry.searched_at),
            fresh_until: clock.nanos(entry.fresh_until),
            stale_until: clock.nanos(entry.stale_until),
            started: entry.started,
            asked_ms: ms(entry.asked_at),
            recheck_ms: ms(entry.recheck_at),
            refresh_ms: ms(entry.refresh_at),
            failures: entry.failures,
        }
    }

    fn entry(&self, clock: Clock) -> Entry {
        let near = |ms: i32| clock.at(self.fetched_at.saturating_add(i64::from(ms) * 1_000_000));
        Entry {
            outcome: Outcome::Known(self.parties.clone()),
            fetched_at: clock.at(self.fetched_at),
            searched_at: clock.at(self.searched_at),
            asked_at: near(self.asked_ms),
            fresh_until: clock.at(self.fresh_until),
            stale_until: clock.at(self.stale_until),
            recheck_at: near(self.recheck_ms),
            failures: self.failures,
            refresh_at: near(self.refresh_ms),
            started: self.started,
        }
    }
}

/// Milliseconds from `from` to `at`, rounded towards `from`.
fn millis(at: Instant, from: Instant) -> i32 {
    let span = |span: Duration| i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
    if at >= from { span(at - from) } else { -span(from - at) }
}

/// Instants as nanoseconds from the moment the store was made, before or after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn starting_now() -> Self {
        Self(Instant::now())
    }

    pub(super) fn nanos(self, at: Instant) -> i64 {
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        if at >= self.0 { nanos(at - self.0) } else { -nanos(self.0 - at) }
    }

    pub(super) fn at(self, nanos: i64) -> Instant {
        let span = Duration::from_nanos(nanos.unsigned_abs());
        // The clock may not go back that far; then it only looks younger.
        if nanos >= 0 { self.0 + span } else { self.0.checked_sub(span).unwrap_or(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact::{CompanyId, ContactId};

    const SECOND: Duration = Duration::from_secs(1);

    fn entry(parties: &Parties, at: Instant) -> Entry {
        Entry {
            outcome: Outcome::Known(parties.clone()),
            fetched_at: at,
            searched_at: at.checked_sub(SECOND * 3_600).unwrap(),
            asked_at: at + Duration::from_millis(1),
            fresh_until: at + SECOND * 600 + Duration::from_nanos(7),
            stale_until: at + SECOND * 86_400 * 365,
            recheck_at: at,
            failures: 3,
            refresh_at: at + SECOND * 480,
            started: Epoch(9),
        }
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!((size_of::<Thin>(), size_of::<Parties>()), (72, 16));
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_comes_back_as_it_was_whenever_it_was_fetched() {
        tokio::time::advance(SECOND * 100_000).await;
        let numbers = Numbers::new(Clock::starting_now());
        let phone = "+14155550123".parse().unwrap();
        let (one, two) = (ContactId(7).into(), CompanyId(u64::MAX).into());
        for parties in [vec![one], vec![two], vec![one, two]] {
            let parties: Parties = parties.into_iter().collect();
            for at in [Instant::now(), Instant::now() + SECOND, Instant::now().checked_sub(SECOND).unwrap()] {
                numbers.put(phone, parties.clone(), &entry(&parties, at));
                assert_eq!(format!("{:?}", numbers.get(phone)), format!("{:?}", Some(entry(&parties, at))));
            }
        }
        assert_eq!(numbers.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_so_is_taken_out() {
        let numbers = Numbers::new(Clock::starting_now());
        let phone = "+14155550123".parse().unwrap();
        let parties: Parties = [ContactId(7).into()].into_iter().collect();
        let at = Instant::now() + SECOND * 7_200;
        numbers.put(phone, parties.clone(), &entry(&parties, at));
        assert!(!numbers.remove_if(phone, |parties| parties.contains(ContactId(8).into())));
        assert!(numbers.remove_if(phone, |parties| parties.contains(ContactId(7).into())));
        assert!(!numbers.remove_if(phone, |_| true));
        assert_eq!((numbers.len(), numbers.get(phone).is_none()), (0, true));
    }
}
