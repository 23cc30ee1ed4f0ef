//! The bounded stores: moka as plain maps with a size, nothing more.
//!
//! Cards, and the numbers under which they are found, are kept apart from numbers nobody has, each with a share of the bytes: a scan over
//! random numbers fills only the store of unknown ones and can neither grow memory nor push a living card out. A card is kept as few bytes
//! ([`Card::pack`]) and made anew when it is asked for, unless it is hot. What is known of its numbers lies in a plain map beside it, is
//! part of its weight and leaves with it.
//!
//! Eviction is least-recently-used, since
//! moka's default admits no newcomer to a full cache unless it was asked for more often than what it would replace, and a caller who
//! rings for the first time must find the card on the second ring. moka's clock plays no part: entries carry their own times, and its
//! time-to-idle only clears away what nobody asks for any more (a time-to-live would cost a node more an entry).

use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Moka;
use prometheus::IntCounter;
use rustc_hash::FxBuildHasher;
use tokio::time::Instant;

use super::entry::{Entry, Lifetimes, Outcome};
use super::epoch::Epoch;
use super::hot::Hot;
use super::invalidate::with_equivalents;
use super::links::Links;
use super::numbers::{Clock, Numbers};
use super::parties::PartyKey;
use super::record::{Record, Stored};
use crate::card::{Card, Slot, Words};
use crate::contact::PartyId;
use crate::metrics::Metrics;
use crate::outcome::{EntryKind, EvictionCause};
use crate::phone::E164;

/// moka's own bytes per card, key included: 305 as measured on 0.12.16 (a 64-bit Linux, the system's allocator), and what entries that were evicted leave
/// behind in its table until it is made anew. The bound matters only when the store is full, and then there always are such.
const OVERHEAD: usize = 520;
/// The same for a number that nobody has: a scan turns its store over again and again, which then takes three times what its entries would.
const SCANNED: usize = 1_500;

/// All that is remembered.
#[derive(Debug)]
pub(super) struct Store {
    /// The keys are the CRM's: nobody outside can choose them so that they collide.
    cards: Moka<PartyKey, Record, FxBuildHasher>,
    unknown: Moka<E164, Arc<Entry>>,
    shared: Arc<Shared>,
    /// Which of the cards show a lead or a company.
    pub(super) links: Links,
    clock: Clock,
    invalidated: IntCounter,
}

/// What lies beside the cards and leaves with them.
#[derive(Debug)]
struct Shared {
    known: Numbers,
    words: Words,
    hot: Hot,
}

impl Shared {
    /// Takes out what is known of the numbers of a card that has left; returns how many they were. One that has just been put in for a
    /// newer card of the same party may be among them: then it is asked for once more.
    fn left_with(&self, stored: &Stored) -> usize {
        let id = stored.card.id;
        stored.reach().filter(|number| self.known.remove_if(*number, |parties| parties.contains(id))).count()
    }
}

impl Store {
    /// Stores of `max_bytes` in all: a quarter for unknown numbers, an eighth for hot cards, the rest for cards and their numbers.
    pub(super) fn new(max_bytes: u64, lifetimes: &Lifetimes, metrics: &Metrics) -> Self {
        let (causes, links, clock) = (Causes::new(metrics), Links::default(), Clock::starting_now());
        let (quarter, eighth) = (max_bytes / 4, max_bytes / 8);
        // Longer than any entry's own time, jitter included.
        let backstop = |stale: Duration, fresh: Duration| stale.max(fresh).saturating_mul(2);
        let known = backstop(lifetimes.known_stale, lifetimes.known_fresh);
        let unknown = backstop(lifetimes.unknown_stale, lifetimes.unknown_fresh);
        let shared = Shared { known: Numbers::new(clock), words: Words::default(), hot: Hot::new(eighth) };
        let shared = Arc::new(shared);
        let invalidated = causes.invalidated.clone();
        let unknown = bounded(quarter, unknown, |_| SCANNED + size_of::<Entry>(), {
            let causes = causes.clone();
            move |_: &Arc<Entry>, cause| causes.count(cause)
        });
        let cards = bounded(max_bytes - quarter - eighth, known, |record: &Record| OVERHEAD + record.weight(), {
            let (links, shared) = (links.clone(), Arc::clone(&shared));
            move |record: &Record, cause| {
                let stored = record.read(&shared.words, clock);
                links.remove(&stored.card);
                shared.hot.forget(stored.card.id.into(), record);
                causes.count(cause);
                if cause != RemovalCause::Replaced {
                    let numbers = shared.left_with(&stored);
                    (0..numbers).for_each(|_| causes.count(cause));
                }
            }
        });
        Self { cards, unknown, shared, links, clock, invalidated }
    }

    /// The entry for a number, whoever has it.
    pub(super) fn entry(&self, key: E164) -> Option<Entry> {
        self.shared.known.get(key).or_else(|| self.unknown.get(&key).map(|entry| (*entry).clone()))
    }

    /// Puts an entry in place of an older one. To be called under the table's lock.
    pub(super) fn put(&self, key: E164, entry: Entry) {
        match &entry.outcome {
            Outcome::Known(parties) => {
                self.shared.known.put(key, parties.clone(), &entry);
                self.unknown.invalidate(&key);
                // A card that has been evicted a moment ago did not take this entry with it.
                if !parties.iter().all(|id| self.cards.contains_key(&PartyKey::from(id))) {
                    self.remove_known(key);
                }
            }
            Outcome::Unknown => {
                self.unknown.insert(key, Arc::new(entry));
                self.remove_known(key);
            }
        }
    }

    /// Removes a number's entry; tells whether there was one.
    pub(super) fn remove(&self, key: E164) -> bool {
        let known = self.remove_known(key);
        self.unknown.remove(&key).is_some() || known
    }

    fn remove_known(&self, key: E164) -> bool {
        let removed = self.shared.known.remove_if(key, |_| true);
        if removed {
            self.invalidated.inc();
        }
        removed
    }

    /// The card of a contact, for somebody who asked: it is hot if somebody else did so a moment ago.
    pub(super) fn shown(&self, id: PartyId) -> Option<Arc<Card>> {
        let key = id.into();
        let record = self.cards.get(&key)?;
        if let Some(card) = self.shared.hot.get(key, &record) {
            return Some(card);
        }
        let card = record.read(&self.shared.words, self.clock).card;
        if card.id != id {
            return None;
        }
        if !self.shared.hot.is_wanted(key) {
            return Some(Arc::new(card));
        }
        let card = Arc::new(Card { ready: Slot::open(), ..card });
        self.shared.hot.put(key, record.clone(), Arc::clone(&card));
        if !self.cards.contains_key(&key) {
            self.shared.hot.forget(key, &record); // It has left meanwhile.
        }
        Some(card)
    }

    /// The card of a contact.
    pub(super) fn card(&self, id: PartyId) -> Option<Stored> {
        let stored = self.cards.get(&PartyKey::from(id))?.read(&self.shared.words, self.clock);
        (stored.card.id == id).then_some(stored)
    }

    /// Puts a card in place of an older one: newer by the CRM's `updated_at`, then by the start of its fill. To be called under the
    /// table's lock. Returns the card that is in place afterwards.
    pub(super) fn put_card(&self, card: Arc<Card>, started: Epoch, fetched_at: Instant) -> Arc<Card> {
        let old = self.card(card.id);
        match old {
            Some(old) if (old.card.updated_at, old.started) > (card.updated_at, started) => Arc::new(old.card),
            old => self.replace(old, card, started, fetched_at),
        }
    }

    /// Puts a card that another replica fetched in place of one that was fetched earlier still. To be called under the table's lock.
    /// Returns the card that is in place afterwards.
    pub(super) fn put_older_card(&self, card: Arc<Card>, started: Epoch, fetched_at: Instant) -> Arc<Card> {
        match self.card(card.id) {
            Some(old) if (old.card.updated_at, old.fetched_at) >= (card.updated_at, fetched_at) => Arc::new(old.card),
            _ => self.put_card(card, started, fetched_at),
        }
    }

    fn replace(&self, old: Option<Stored>, card: Arc<Card>, started: Epoch, fetched_at: Instant) -> Arc<Card> {
        let former = old.map_or_else(Vec::new, |old| self.former(&old, &card));
        let stored = Stored { card: &*card, started, fetched_at, former };
        let record = Record::of(&stored, &self.shared.words, self.clock);
        self.links.add(&card);
        self.cards.insert(card.id.into(), record);
        card
    }

    /// The numbers that the old card had and the new one has not, as far as entries still name the contact: they are to leave with it.
    fn former(&self, old: &Stored, new: &Card) -> Vec<E164> {
        if old.former.is_empty() && old.card.numbers == new.numbers {
            return Vec::new();
        }
        let has = with_equivalents(new.numbers.iter().map(|number| number.e164));
        old.reach().filter(|number| !has.contains(number) && self.shared.known.names(*number, new.id)).collect()
    }

    /// Removes a contact's card.
    pub(super) fn remove_card(&self, id: PartyId) {
        self.cards.invalidate(&PartyKey::from(id));
    }

    /// Entries of one kind; exact after moka's housekeeping, which this runs.
    pub(super) fn count(&self, kind: EntryKind) -> u64 {
        match kind {
            EntryKind::Known => {
                settled(&self.cards);
                self.shared.known.len()
            }
            EntryKind::Unknown => settled(&self.unknown).entry_count(),
            EntryKind::Card => settled(&self.cards).entry_count(),
            EntryKind::Failed => 0,
        }
    }

    /// Estimated bytes in all.
    pub(super) fn bytes(&self) -> u64 {
        settled(&self.cards).weighted_size() + settled(&self.unknown).weighted_size() + self.shared.hot.bytes()
    }
}

/// Runs moka's pending housekeeping, so that its counts are exact.
fn settled<K, V, S>(cache: &Moka<K, V, S>) -> &Moka<K, V, S>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    S: std::hash::BuildHasher + Clone + Send + Sync + 'static,
{
    cache.run_pending_tasks();
    cache
}

/// One store, bounded by weight; `on_leave` hears of every value that leaves it or is replaced.
fn bounded<K, V, S>(
    bytes: u64,
    backstop: Duration,
    weigh: impl Fn(&V) -> usize + Send + Sync + 'static,
    on_leave: impl Fn(&V, RemovalCause) + Send + Sync + 'static,
) -> Moka<K, V, S>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    S: std::hash::BuildHasher + Clone + Default + Send + Sync + 'static,
{
    Moka::builder()
        .max_capacity(bytes)
        .weigher(move |_, value| u32::try_from(weigh(value)).unwrap_or(u32::MAX))
        .eviction_policy(EvictionPolicy::lru())
        .time_to_idle(backstop)
        .eviction_listener(move |_, value, cause| on_leave(&value, cause))
        .build_with_hasher(S::default())
}

/// Counters by why an entry left.
#[derive(Clone, Debug)]
struct Causes {
    size: IntCounter,
    expired: IntCounter,
    invalidated: IntCounter,
}

impl Causes {
    fn new(metrics: &Metrics) -> Self {
        Self {
            size: metrics.evictions(EvictionCause::Size),
            expired: metrics.evictions(EvictionCause::Expired),
            invalidated: metrics.evictions(EvictionCause::Invalidated),
        }
    }

    fn count(&self, cause: RemovalCause) {
        match cause {
            RemovalCause::Size => self.size.inc(),
            RemovalCause::Expired => self.expired.inc(),
            RemovalCause::Explicit => self.invalidated.inc(),
            RemovalCause::Replaced => {} // A newer version came: nothing left.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::samples::blank;
    use crate::contact::ContactId;
    use crate::phone::Number;

    const ANNA: PartyId = PartyId::Contact(ContactId(7));

    fn phone(n: u64) -> E164 {
        format!("+1415{:07}", 5_550_100 + n).parse().unwrap()
    }

    fn card(numbers: &[u64]) -> Arc<Card> {
        let numbers = numbers.iter().map(|n| Number { e164: phone(*n), extension: None }).collect();
        Arc::new(Card { numbers, ..blank(ANNA, "Anna") })
    }

    fn store() -> Store {
        Store::new(1 << 20, &Lifetimes::default(), &Metrics::new())
    }

    fn put(store: &Store, numbers: &[u64], epoch: u64) {
        let card = store.put_card(card(numbers), Epoch(epoch), Instant::now());
        for n in numbers {
            let entry = Entry::new(&[Arc::clone(&card)], Epoch(epoch), &Lifetimes::default(), Instant::now());
            store.put(phone(*n), entry);
        }
    }

    #[test]
    fn what_is_known_of_its_numbers_leaves_with_a_card() {
        let store = store();
        put(&store, &[1, 2], 1);
        assert_eq!((store.count(EntryKind::Known), store.count(EntryKind::Card)), (2, 1));
        store.remove_card(ANNA);
        assert_eq!((store.count(EntryKind::Known), store.count(EntryKind::Card)), (0, 0));
    }

    #[test]
    fn so_does_what_is_known_of_numbers_that_it_had_before() {
        let store = store();
        put(&store, &[1, 2], 1);
        put(&store, &[3], 2);
        put(&store, &[3], 3);
        assert_eq!(store.count(EntryKind::Known), 3, "they stay for as long as the card does");
        store.remove_card(ANNA);
        assert_eq!(store.count(EntryKind::Known), 0);
    }

    #[test]
    fn an_entry_without_its_card_is_not_kept() {
        let store = store();
        let entry = Entry::new(&[card(&[1])], Epoch(1), &Lifetimes::default(), Instant::now());
        store.put(phone(1), entry);
        assert_eq!(store.count(EntryKind::Known), 0);
    }

    #[test]
    fn a_card_that_is_asked_for_again_is_made_once_from_then_on() {
        let store = store();
        put(&store, &[1], 1);
        let first = store.shown(ANNA).unwrap();
        let second = store.shown(ANNA).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &store.shown(ANNA).unwrap()));
        put(&store, &[1, 2], 2);
        assert_eq!(store.shown(ANNA).unwrap().numbers.len(), 2);
        store.remove_card(ANNA);
        assert!(store.shown(ANNA).is_none());
        assert_eq!(store.shared.hot.bytes(), 0, "nothing of it stays behind");
    }
}
