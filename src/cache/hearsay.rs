//! Acting on what others say has changed: nothing of it is believed, everything it concerns is asked for anew.
//!
//! What changed expires, and may be given as stale until the CRM has been asked; only a "nobody" about a number that a contact is said to have
//! may not. Numbers that were asked for lately
//! are fetched anew in the background, many in one batch, by the ids of their contacts.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::invalidate::with_equivalents;
use super::{Cache, Change, Inner, Reach, Shown};
use crate::contact::{ContactId, PartyId};
use crate::phone::E164;

impl Cache {
    /// A contact has changed, and is said to have these numbers now: what is known about it and about them expires. Its old numbers are
    /// those of its card; a new one may be known as nobody's. Tells how many entries there were.
    #[expect(clippy::must_use_candidate, reason = "done for its effect; the count is for those who report it")]
    pub fn contact_changed(&self, id: ContactId, phones: &[E164]) -> usize {
        let (known, expired) = self.0.party_changed(id.into(), phones);
        self.0.tell(|| Change::Said(id, known));
        expired
    }

    /// These numbers are said to be somebody's who is no contact: what is known about them expires. Tells how many entries there were.
    #[expect(clippy::must_use_candidate, reason = "done for its effect; the count is for those who report it")]
    pub fn phones_changed(&self, phones: &[E164]) -> usize {
        let expired = self.0.phones_changed(phones);
        self.0.tell(|| Change::SaidOf(with_equivalents(phones.iter().copied()).into_iter().collect()));
        expired
    }

    /// A lead or a company has changed, or is gone: every contact or company that shows it counts as changed. Tells how many entries there were.
    #[expect(clippy::must_use_candidate, reason = "done for its effect; the count is for those who report it")]
    pub fn shown_changed(&self, shown: Shown) -> usize {
        let expired = self.0.shown_changed(shown);
        self.0.tell(|| Change::Shown(shown));
        expired
    }
}

impl Inner {
    /// Returns all numbers it concerns, and how many had an entry.
    pub(super) fn party_changed(&self, id: PartyId, phones: &[E164]) -> (Vec<E164>, usize) {
        let now = Instant::now();
        let said = with_equivalents(phones.iter().copied());
        let mut table = self.table();
        let all: Vec<E164> =
            said.iter().copied().chain(self.phones_of(id)).collect::<BTreeSet<_>>().into_iter().collect();
        table.invalidate_contact(id, &all, now);
        for phone in &said {
            let entry = self.store.entry(*phone);
            if entry.as_ref().is_some_and(|entry| entry.parties().any(|party| party == id)) {
                continue; // No news: the search found it there before.
            }
            self.expected.note(*phone, id.contact(), now);
            if let Some(entry) = entry {
                self.store.put(*phone, entry.contradicted(now));
            }
        }
        let expired = self.expire(&all, now);
        (all, expired)
    }

    pub(super) fn phones_changed(&self, phones: &[E164]) -> usize {
        let now = Instant::now();
        let all: Vec<E164> = with_equivalents(phones.iter().copied()).into_iter().collect();
        let mut table = self.table();
        for phone in &all {
            table.invalidate_phone(*phone, now);
            self.expected.note(*phone, None, now);
        }
        self.expire(&all, now)
    }

    pub(super) fn shown_changed(&self, shown: Shown) -> usize {
        self.store.links.parties(shown).into_iter().map(|party| self.party_changed(party, &[]).1).sum()
    }

    /// Expires entries, and lets those that somebody is likely to ask for again be fetched anew. To be called under the table's lock.
    fn expire(&self, phones: &[E164], now: Instant) -> usize {
        let mut expired = 0;
        for phone in phones {
            expired += usize::from(self.let_go(*phone, Reach::Expire, now));
            if self.deserves_a_refetch(*phone, now) {
                self.due.push(*phone);
            }
        }
        expired
    }

    /// Asked for lately, and with ids to ask by: a search now may not know of the change yet, so it is left to the next caller.
    fn deserves_a_refetch(&self, phone: E164, now: Instant) -> bool {
        self.store.entry(phone).is_some_and(|entry| {
            let has_ids =
                || entry.parties().next().is_some() || self.expected.of(phone, now).is_some_and(|ids| !ids.is_empty());
            entry.asked_at + self.settings.asked_lately > now && has_ids()
        })
    }
}
