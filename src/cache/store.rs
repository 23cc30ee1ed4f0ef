//! The bounded stores: moka as plain maps with a size, nothing more.
//!
//! Numbers somebody has, numbers nobody has, and cards are kept apart, each with its own share of the bytes: a scan over random numbers
//! fills only the store of unknown ones and can neither grow memory nor push a living card out. Eviction is least-recently-used, since
//! moka's default admits no newcomer to a full cache unless it was asked for more often than what it would replace, and a caller who
//! rings for the first time must find the card on the second ring. moka's clock plays no part: entries carry their own times, and its
//! time-to-live only clears away what nobody asks for any more.

use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Moka;
use prometheus::IntCounter;
use tokio::time::Instant;

use super::entry::{Entry, Lifetimes, Outcome};
use super::epoch::Epoch;
use super::links::{Links, PAIR_BYTES};
use crate::card::{Card, LeadView};
use crate::contact::{Element, PartyId};
use crate::metrics::Metrics;
use crate::outcome::{EntryKind, EvictionCause};
use crate::phone::E164;

/// moka's own bytes per entry beyond key and value, measured on 0.12.16.
const OVERHEAD: usize = 394;

/// A card and the fill it came from.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) card: Arc<Card>,
    pub(super) started: Epoch,
    pub(super) fetched_at: Instant,
}

/// All that is remembered.
#[derive(Debug)]
pub(super) struct Store {
    known: Moka<E164, Arc<Entry>>,
    unknown: Moka<E164, Arc<Entry>>,
    cards: Moka<PartyId, Stored>,
    /// Which of the cards show a lead or a company.
    pub(super) links: Links,
}

impl Store {
    /// Stores of `max_bytes` in all: three quarters for cards, one eighth each for known and unknown numbers.
    pub(super) fn new(max_bytes: u64, lifetimes: &Lifetimes, metrics: &Metrics) -> Self {
        let (causes, links) = (Causes::new(metrics), Links::default());
        let eighth = max_bytes / 8;
        // Longer than any entry's own time, jitter included.
        let backstop = |stale: Duration, fresh: Duration| stale.max(fresh).saturating_mul(2);
        let known = backstop(lifetimes.known_stale, lifetimes.known_fresh);
        let unknown = backstop(lifetimes.unknown_stale, lifetimes.unknown_fresh);
        Self {
            known: bounded(eighth, known, |entry: &Arc<Entry>| entry_bytes(entry), counted(&causes)),
            unknown: bounded(eighth, unknown, |entry: &Arc<Entry>| entry_bytes(entry), counted(&causes)),
            cards: bounded(max_bytes - 2 * eighth, known, |stored: &Stored| card_bytes(&stored.card), {
                let links = links.clone();
                move |stored: &Stored, cause| {
                    links.remove(&stored.card);
                    causes.count(cause);
                }
            }),
            links,
        }
    }

    /// The entry for a number, whoever has it.
    pub(super) fn entry(&self, key: E164) -> Option<Arc<Entry>> {
        self.known.get(&key).or_else(|| self.unknown.get(&key))
    }

    /// Puts an entry in place of an older one. To be called under the table's lock.
    pub(super) fn put(&self, key: E164, entry: Entry) {
        let (into, from) = match entry.outcome {
            Outcome::Known(_) => (&self.known, &self.unknown),
            Outcome::Unknown => (&self.unknown, &self.known),
        };
        into.insert(key, Arc::new(entry));
        from.invalidate(&key);
    }

    /// Removes a number's entry; tells whether there was one.
    pub(super) fn remove(&self, key: E164) -> bool {
        let known = self.known.remove(&key).is_some();
        self.unknown.remove(&key).is_some() || known
    }

    /// The card of a contact.
    pub(super) fn card(&self, id: PartyId) -> Option<Stored> {
        self.cards.get(&id)
    }

    /// Puts a card in place of an older one: newer by the CRM's `updated_at`, then by the start of its fill. To be called under the
    /// table's lock. Returns the card that is in place afterwards.
    pub(super) fn put_card(&self, card: Arc<Card>, started: Epoch, fetched_at: Instant) -> Arc<Card> {
        if let Some(old) = self.cards.get(&card.id)
            && (old.card.updated_at, old.started) > (card.updated_at, started)
        {
            return old.card;
        }
        self.links.add(&card);
        self.cards.insert(card.id, Stored { card: Arc::clone(&card), started, fetched_at });
        card
    }

    /// Puts a card that another replica fetched in place of one that was fetched earlier still. To be called under the table's lock.
    /// Returns the card that is in place afterwards.
    pub(super) fn put_older_card(&self, card: Arc<Card>, started: Epoch, fetched_at: Instant) -> Arc<Card> {
        match self.cards.get(&card.id) {
            Some(old) if (old.card.updated_at, old.fetched_at) >= (card.updated_at, fetched_at) => old.card,
            _ => self.put_card(card, started, fetched_at),
        }
    }

    /// Removes a contact's card and returns it.
    pub(super) fn remove_card(&self, id: PartyId) -> Option<Arc<Card>> {
        self.cards.remove(&id).map(|stored| stored.card)
    }

    /// Entries of one kind; exact after moka's housekeeping, which this runs.
    pub(super) fn count(&self, kind: EntryKind) -> u64 {
        match kind {
            EntryKind::Known => settled(&self.known).entry_count(),
            EntryKind::Unknown => settled(&self.unknown).entry_count(),
            EntryKind::Card => settled(&self.cards).entry_count(),
            EntryKind::Failed => 0,
        }
    }

    /// Estimated bytes in all.
    pub(super) fn bytes(&self) -> u64 {
        settled(&self.known).weighted_size()
            + settled(&self.unknown).weighted_size()
            + settled(&self.cards).weighted_size()
    }
}

/// Runs moka's pending housekeeping, so that its counts are exact.
fn settled<K, V>(cache: &Moka<K, V>) -> &Moka<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    cache.run_pending_tasks();
    cache
}

/// One store, bounded by weight; `on_leave` hears of every value that leaves it or is replaced.
fn bounded<K, V>(
    bytes: u64,
    backstop: Duration,
    weigh: impl Fn(&V) -> usize + Send + Sync + 'static,
    on_leave: impl Fn(&V, RemovalCause) + Send + Sync + 'static,
) -> Moka<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Moka::builder()
        .max_capacity(bytes)
        .weigher(move |_, value| u32::try_from(weigh(value) + OVERHEAD).unwrap_or(u32::MAX))
        .eviction_policy(EvictionPolicy::lru())
        .time_to_live(backstop)
        .eviction_listener(move |_, value, cause| on_leave(&value, cause))
        .build()
}

/// Entries that leave are only counted.
fn counted(causes: &Causes) -> impl Fn(&Arc<Entry>, RemovalCause) + Send + Sync + 'static {
    let causes = causes.clone();
    move |_, cause| causes.count(cause)
}

fn entry_bytes(entry: &Entry) -> usize {
    let ids = match &entry.outcome {
        Outcome::Known(ids) => ids.len() * size_of::<PartyId>() + 2 * size_of::<usize>(),
        Outcome::Unknown => 0,
    };
    size_of::<E164>() + size_of::<Entry>() + ids
}

/// What a card takes on the heap: its own fields, every string it owns (names shared between cards are not counted), its pairs in the
/// index, and the text that is made of it when it is shown: every string again, and the names of the members.
fn card_bytes(card: &Card) -> usize {
    const MEMBERS: usize = 512;
    2 * owned_bytes(card) + MEMBERS
}

fn owned_bytes(card: &Card) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
    let texts = |all: &[String]| all.iter().map(|text| text.capacity() + size_of::<String>()).sum::<usize>();
    let tags: usize = card.tags.iter().map(|tag| tag.name.capacity() + text(&tag.color) + size_of_val(tag)).sum();
    let linked = |elements: &[Element]| size_of_val(elements);
    let lead = |lead: &LeadView| text(&lead.name) + lead.url.capacity() + size_of_val(lead) + linked(&lead.elements);
    let leads: usize = card.leads.iter().map(lead).sum();
    size_of::<PartyId>()
        + size_of::<Card>()
        + card.name.capacity()
        + text(&card.first_name)
        + text(&card.last_name)
        + card.url.capacity()
        + texts(&card.phones)
        + texts(&card.emails)
        + tags
        + leads
        + linked(&card.elements)
        + size_of_val(card.numbers.as_slice())
        + (card.leads.len() + usize::from(card.company.is_some())) * PAIR_BYTES
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
