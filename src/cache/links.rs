//! Which cached contacts and companies show a lead or a company: the way from a change of one of these to the numbers it concerns.
//!
//! It holds what the cards in the store hold and nothing else: a pair comes with a card and goes with it, so the store's bound is its bound
//! too (a card's weight includes its pairs).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::parties::PartyKey;
use crate::card::Card;
use crate::contact::{CompanyId, LeadId, PartyId};

/// Bytes of one pair in the index, its share of the tree included.
pub(super) const PAIR_BYTES: usize = 32;

/// A record that is shown on cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// A deal.
    Lead(LeadId),
    /// The company a contact works for.
    Company(CompanyId),
}

/// The index. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(Arc<Mutex<Pairs>>);

/// A record in eight bytes, as a [`PartyKey`], and who shows it.
type Pair = (u64, PartyKey);

/// Each pair once, and how many cards more hold it: while a card takes the place of an older one, both do for a moment.
#[derive(Debug, Default)]
struct Pairs {
    once: BTreeSet<Pair>,
    more: HashMap<Pair, u32>,
}

impl Links {
    /// A card has come into the store.
    pub(super) fn add(&self, card: &Card) {
        let mut pairs = self.pairs();
        for pair in pairs_of(card) {
            if !pairs.once.insert(pair) {
                *pairs.more.entry(pair).or_default() += 1;
            }
        }
    }

    /// A card has left the store.
    pub(super) fn remove(&self, card: &Card) {
        let mut pairs = self.pairs();
        for pair in pairs_of(card) {
            match pairs.more.get_mut(&pair) {
                Some(1) => drop(pairs.more.remove(&pair)),
                Some(more) => *more -= 1,
                None => drop(pairs.once.remove(&pair)),
            }
        }
    }

    /// The contacts and companies on whose cards it is shown.
    pub(super) fn parties(&self, shown: Shown) -> Vec<PartyId> {
        let from_first_to_last = (key(shown), PartyKey::LEAST)..=(key(shown), PartyKey::GREATEST);
        self.pairs().once.range(from_first_to_last).map(|(_, party)| party.party()).collect()
    }

    /// Pairs in the index.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.pairs().once.len()
    }

    /// Nothing panics while it holds the lock.
    fn pairs(&self) -> MutexGuard<'_, Pairs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn key(shown: Shown) -> u64 {
    match shown {
        Shown::Lead(LeadId(id)) => id << 1,
        Shown::Company(CompanyId(id)) => id << 1 | 1,
    }
}

fn pairs_of(card: &Card) -> impl Iterator<Item = Pair> {
    let leads = card.leads.iter().map(|lead| Shown::Lead(lead.id));
    let company = card.company.iter().map(|company| Shown::Company(company.id));
    leads.chain(company).map(|shown| (key(shown), card.id.into()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::entry::Lifetimes;
    use super::super::epoch::Epoch;
    use super::super::store::Store;
    use tokio::time::Instant;

    use super::*;
    use crate::card::{Company, LeadView, Partial};
    use crate::contact::ContactId;
    use crate::metrics::Metrics;

    fn card(id: u64, leads: &[u64], company: Option<u64>) -> Arc<Card> {
        let lead = |id: &u64| LeadView {
            id: LeadId(*id),
            name: None,
            price: None,
            pipeline: None,
            stage: None,
            state: None,
            url: String::new(),
            updated_at: None,
            elements: Vec::new(),
        };
        Arc::new(Card {
            id: ContactId(id).into(),
            name: "N".repeat(1_000),
            first_name: None,
            last_name: None,
            url: String::new(),
            phones: Vec::new(),
            emails: Vec::new(),
            company: company.map(|id| Company { id: CompanyId(id), name: None }),
            owner: None,
            tags: Vec::new(),
            created_at: None,
            updated_at: None,
            next_task_at: None,
            leads: leads.iter().map(lead).collect(),
            elements: Vec::new(),
            partial: Partial::default(),
            numbers: Vec::new(),
            ready: <_>::default(),
        })
    }

    fn shown(store: &Store, shown: Shown) -> Vec<u64> {
        store.links.parties(shown).into_iter().map(PartyId::number).collect()
    }

    #[test]
    fn the_contacts_that_show_a_lead_or_a_company_are_found() {
        let store = Store::new(1 << 20, &Lifetimes::default(), &Metrics::new());
        for (id, leads, company) in [(7, &[1, 2][..], Some(5)), (9, &[2], None), (8, &[2], Some(5))] {
            store.put_card(card(id, leads, company), Epoch(1), Instant::now());
        }
        assert_eq!(shown(&store, Shown::Lead(LeadId(2))), [7, 8, 9]);
        assert_eq!(shown(&store, Shown::Company(CompanyId(5))), [7, 8]);
        assert_eq!(shown(&store, Shown::Lead(LeadId(5))), [0; 0]);
    }

    #[test]
    fn a_pair_goes_with_its_card_and_stays_with_a_newer_one() {
        let store = Store::new(1 << 20, &Lifetimes::default(), &Metrics::new());
        store.put_card(card(7, &[1, 2], None), Epoch(1), Instant::now());
        store.put_card(card(7, &[2, 3], None), Epoch(2), Instant::now());
        assert_eq!((shown(&store, Shown::Lead(LeadId(1))), shown(&store, Shown::Lead(LeadId(2)))), (vec![], vec![7]));
        store.put_card(card(7, &[4], None), Epoch(1), Instant::now()); // Older than what is there.
        assert_eq!(store.links.len(), 2);
        store.remove_card(ContactId(7).into());
        assert_eq!(store.links.len(), 0);
    }

    #[test]
    fn what_is_evicted_leaves_nothing_behind() {
        let store =
            Store::new(1 << 20, &Lifetimes { known_stale: Duration::from_secs(60), ..<_>::default() }, &Metrics::new());
        for id in 1..20_000 {
            store.put_card(card(id, &[id, id + 1], Some(1)), Epoch(id), Instant::now());
        }
        store.bytes(); // Runs what moka has postponed.
        let cards = usize::try_from(store.count(crate::outcome::EntryKind::Card)).unwrap();
        assert!((100..1_000).contains(&cards), "{cards}");
        assert_eq!(store.links.len(), 3 * cards);
    }
}
