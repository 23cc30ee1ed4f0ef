//! The cards that are asked for now, made from their records and kept as they are, with the text that was made of them.
//!
//! Only a memory of work done: a card is taken from here only for the very record it was made from, so nothing can be told from here that
//! the store would not tell. It is bounded, and a card that finds its places taken takes the oldest one; moka is not asked a second time
//! on a hit.
//!
//! A card is let in when it is asked for again before another one that would lie beside it: whoever is asked for once, as in a scan of all
//! numbers, pushes out nobody whose ten phones are ringing.

use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::parties::PartyKey;
use super::record::Record;
use crate::card::{Card, LeadView};
use crate::contact::Element;

/// Cards that share one lock.
const SET: usize = 4;
/// Bytes for which there is one place. A common card takes more, so that it is bytes that run short, not places in one of the sets.
const PLACE: u64 = 1_024;

/// The hot cards.
#[derive(Debug)]
pub(super) struct Hot {
    sets: Vec<Set>,
    bytes: AtomicU64,
    bound: u64,
}

#[derive(Debug, Default)]
struct Set {
    cards: RwLock<Vec<Made>>,
    /// Who was asked for last and was not here.
    missed: AtomicU64,
}

#[derive(Debug)]
struct Made {
    key: PartyKey,
    record: Record,
    card: Arc<Card>,
    bytes: u64,
}

impl Hot {
    /// Room for cards of `bound` bytes in all.
    pub(super) fn new(bound: u64) -> Self {
        let sets = usize::try_from(bound / PLACE).unwrap_or(usize::MAX).max(SET) / SET;
        Self { sets: (0..sets).map(|_| Set::default()).collect(), bytes: AtomicU64::new(0), bound }
    }

    /// The card that was made from this record.
    pub(super) fn get(&self, key: PartyKey, record: &Record) -> Option<Arc<Card>> {
        let set = self.set(key).cards.read().unwrap_or_else(PoisonError::into_inner);
        set.iter().find(|made| made.key == key && made.record.is(record)).map(|made| Arc::clone(&made.card))
    }

    /// Whether a card that is not here should be, now that it is asked for.
    pub(super) fn is_wanted(&self, key: PartyKey) -> bool {
        self.set(key).missed.swap(key.get(), Ordering::Relaxed) == key.get()
    }

    /// Keeps the card that was made from this record, if there is room.
    pub(super) fn put(&self, key: PartyKey, record: Record, card: Arc<Card>) {
        let bytes = bytes(&card);
        let mut set = self.set(key).cards.write().unwrap_or_else(PoisonError::into_inner);
        self.take_out(&mut set, |made| made.key == key);
        while !set.is_empty() && (set.len() >= SET || !self.has_room(bytes)) {
            let oldest = set.remove(0);
            self.bytes.fetch_sub(oldest.bytes, Ordering::Relaxed);
        }
        if self.has_room(bytes) {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            set.push(Made { key, record, card, bytes });
        }
    }

    /// Lets go of the card that was made from this record.
    pub(super) fn forget(&self, key: PartyKey, record: &Record) {
        let mut set = self.set(key).cards.write().unwrap_or_else(PoisonError::into_inner);
        self.take_out(&mut set, |made| made.record.is(record));
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Threads that put at the same moment can pass the bound by a card each.
    fn has_room(&self, bytes: u64) -> bool {
        self.bytes() + bytes <= self.bound
    }

    fn take_out(&self, set: &mut Vec<Made>, is_so: impl Fn(&Made) -> bool) {
        set.retain(|made| {
            let stays = !is_so(made);
            if !stays {
                self.bytes.fetch_sub(made.bytes, Ordering::Relaxed);
            }
            stays
        });
    }

    fn set(&self, key: PartyKey) -> &Set {
        &self.sets[key.spread(self.sets.len())]
    }
}

/// What a card takes on the heap: its own fields, every string it owns, and the text that is made of it when it is shown: every string
/// again, and the names of the members.
fn bytes(card: &Card) -> u64 {
    const MEMBERS: usize = 512;
    u64::try_from(2 * owned(card) + MEMBERS).unwrap_or(u64::MAX)
}

fn owned(card: &Card) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
    let texts = |all: &[String]| all.iter().map(|text| text.capacity() + size_of::<String>()).sum::<usize>();
    let tags: usize = card.tags.iter().map(|tag| tag.name.capacity() + text(&tag.color) + size_of_val(tag)).sum();
    let linked = |elements: &[Element]| size_of_val(elements);
    let lead = |lead: &LeadView| text(&lead.name) + lead.url.capacity() + size_of_val(lead) + linked(&lead.elements);
    let leads: usize = card.leads.iter().map(lead).sum();
    size_of::<Made>()
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
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::super::epoch::Epoch;
    use super::super::numbers::Clock;
    use super::super::record::Stored;
    use super::*;
    use crate::card::Words;
    use crate::card::samples::blank;
    use crate::contact::{ContactId, PartyId};

    fn made(id: u64, name: &str) -> (PartyKey, Record, Arc<Card>) {
        let id = PartyId::Contact(ContactId(id));
        let card = blank(id, name);
        let stored = Stored { card: &card, started: Epoch(1), fetched_at: Instant::now(), former: Vec::new() };
        (id.into(), Record::of(&stored, &Words::default(), Clock::starting_now()), Arc::new(card))
    }

    #[test]
    fn a_card_is_given_only_for_the_record_it_was_made_from() {
        let hot = Hot::new(1 << 20);
        let ((key, record, card), (_, equal, _)) = (made(7, "Anna"), made(7, "Anna"));
        hot.put(key, record.clone(), card);
        assert!(hot.get(key, &record).is_some() && hot.get(key, &equal).is_none());
        hot.forget(key, &equal);
        assert!(hot.get(key, &record).is_some());
        hot.forget(key, &record);
        assert!(hot.get(key, &record).is_none() && hot.bytes() == 0);
    }

    #[test]
    fn a_newer_card_takes_the_place_of_the_older_one() {
        let hot = Hot::new(1 << 20);
        let ((key, old, card), (_, new, newer)) = (made(7, "Anna"), made(7, "Anna B."));
        hot.put(key, old.clone(), card);
        let bytes = hot.bytes();
        hot.put(key, new.clone(), newer);
        assert!(hot.get(key, &old).is_none());
        assert_eq!(hot.get(key, &new).unwrap().name, "Anna B.");
        assert!(hot.bytes() < 2 * bytes);
    }

    #[test]
    fn a_card_is_wanted_when_it_is_asked_for_again() {
        let hot = Hot::new(1);
        let ((anna, ..), (rita, ..)) = (made(7, "Anna"), made(8, "Rita"));
        let asked = [anna, rita, anna, anna, anna].map(|key| hot.is_wanted(key));
        assert_eq!(asked, [false, false, false, true, true]);
    }

    #[test]
    fn the_bound_holds_and_the_latest_has_a_place() {
        let hot = Hot::new(64 * 1_024);
        for id in 0..1_000 {
            let (key, record, card) = made(id, &"x".repeat(2_000));
            hot.put(key, record.clone(), card);
            assert!(hot.bytes() <= 64 * 1_024);
        }
        let (key, record, card) = made(1_001, &"x".repeat(100_000));
        hot.put(key, record.clone(), card);
        assert!(hot.get(key, &record).is_none(), "it is larger than all the room");
    }
}
