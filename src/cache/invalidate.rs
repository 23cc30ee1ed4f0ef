//! Taking knowledge back: a number, a contact with all of its numbers, or everything; and explaining one entry.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::entry::{Outcome, State};
use super::{Cache, Change, Epoch, Inner};
use crate::contact::{CompanyId, ContactId, PartyId};
use crate::phone::{E164, Number};

/// How far an invalidation reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is gone: nothing of it may be served, not even as stale.
    Remove,
    /// It has changed: it may be served as stale while the CRM cannot be asked.
    Expire,
}

/// One entry, explained.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explained {
    /// `known` or `unknown`.
    pub kind: &'static str,
    /// `fresh`, `stale`, `hold` or `gone`.
    pub state: &'static str,
    /// The contacts that own the number, best first.
    pub contacts: Vec<ContactId>,
    /// The companies that own it, best first; there are some only where no contact does.
    pub companies: Vec<CompanyId>,
    /// Seconds since the CRM confirmed it.
    pub age_s: u64,
    /// Seconds until it stops being fresh; negative since it has.
    pub fresh_for_s: i64,
    /// Seconds until it may not even be given as stale.
    pub stale_for_s: u64,
    /// Seconds until a fill may be tried after the last one failed.
    pub hold_for_s: u64,
    /// Fills that failed in a row.
    pub failures: u32,
    /// A fill is running now.
    pub filling: bool,
    /// The place of its fill in the order of fills and invalidations.
    pub epoch: Epoch,
}

impl Cache {
    /// Takes back what is known about one number; tells whether anything was.
    #[expect(clippy::must_use_candidate, reason = "done for its effect; the count is for those who report it")]
    pub fn invalidate_phone(&self, key: E164, reach: Reach) -> bool {
        let existed = self.0.drop_phone(key, reach);
        self.0.tell(|| Change::Phones(vec![key], reach));
        existed
    }

    /// Takes back what is known about a contact and about each of its numbers; tells how many entries there were.
    #[expect(clippy::must_use_candidate, reason = "done for its effect; the count is for those who report it")]
    pub fn invalidate_contact(&self, id: ContactId, reach: Reach) -> usize {
        self.invalidate_party(id.into(), reach)
    }

    /// Takes back what is known about a company and about each of its numbers; tells how many entries there were.
    #[expect(clippy::must_use_candidate, reason = "done for its effect; the count is for those who report it")]
    pub fn invalidate_company(&self, id: CompanyId, reach: Reach) -> usize {
        self.invalidate_party(id.into(), reach)
    }

    fn invalidate_party(&self, id: PartyId, reach: Reach) -> usize {
        let (phones, reached) = self.0.drop_party(id, &[], reach);
        self.0.tell(|| Change::Party(id, phones, reach));
        reached
    }

    /// Lets everything count as stale: each number is asked for anew, and the old answer is given while the CRM cannot be asked.
    pub fn expire_all(&self) {
        self.0.expire_all();
        self.0.tell(|| Change::All);
    }

    /// What is there for a number, usable or not.
    #[must_use]
    pub fn explain(&self, key: E164) -> Option<Explained> {
        let now = Instant::now();
        let filling = self.0.table().is_filling(key);
        let entry = self.0.store.entry(key)?;
        let expired = entry.started.0 < self.0.expired_before.load(Ordering::Acquire);
        let readable = self.0.cards(&entry, &Number { e164: key, extension: None }).is_some();
        let kind = match &entry.outcome {
            Outcome::Known(_) => "known",
            Outcome::Unknown => "unknown",
        };
        let state = match entry.state(now, expired, None) {
            _ if !readable => "gone",
            State::Fresh { .. } => "fresh",
            State::Stale => "stale",
            State::Hold => "hold",
            State::Gone => "gone",
        };
        Some(Explained {
            kind,
            state,
            contacts: entry.parties().filter_map(PartyId::contact).collect(),
            companies: entry.parties().filter_map(PartyId::company).collect(),
            age_s: entry.age(now).as_secs(),
            fresh_for_s: entry.ttl(now),
            stale_for_s: entry.stale_until.saturating_duration_since(now).as_secs(),
            hold_for_s: entry.recheck_at.saturating_duration_since(now).as_secs(),
            failures: entry.failures,
            filling,
            epoch: entry.started,
        })
    }
}

impl Inner {
    /// Tells the other replicas, if there can be any.
    pub(super) fn tell(&self, change: impl FnOnce() -> Change) {
        if let Some(second) = &self.second {
            second.tell(change());
        }
    }

    /// Another replica says that something is no longer true.
    pub(super) fn hear(&self, change: &Change) {
        match change {
            Change::Phones(phones, reach) => {
                for phone in phones {
                    self.drop_phone(*phone, *reach);
                }
            }
            Change::Party(id, phones, reach) => {
                self.drop_party(*id, phones, *reach);
            }
            Change::Said(id, phones) => drop(self.party_changed((*id).into(), phones)),
            Change::SaidOf(phones) => drop(self.phones_changed(phones)),
            Change::Shown(shown) => drop(self.shown_changed(*shown)),
            Change::All => self.expire_all(),
        }
    }

    fn drop_phone(&self, key: E164, reach: Reach) -> bool {
        let now = Instant::now();
        let mut table = self.table();
        table.invalidate_phone(key, now);
        self.let_go(key, reach, now)
    }

    /// Also what is known of `more` numbers. Returns all of its numbers, and how many had an entry.
    fn drop_party(&self, id: PartyId, more: &[E164], reach: Reach) -> (Vec<E164>, usize) {
        let now = Instant::now();
        let mut table = self.table();
        let mut phones = self.phones_of(id);
        phones.extend(more);
        phones.sort_unstable();
        phones.dedup();
        table.invalidate_contact(id, &phones, now);
        let reached = phones.iter().filter(|phone| self.let_go(**phone, reach, now)).count();
        if reach == Reach::Remove {
            self.store.remove_card(id);
        }
        (phones, reached)
    }

    fn expire_all(&self) {
        let mut table = self.table();
        let epoch = table.invalidate_all();
        self.expired_before.store(epoch.0, Ordering::Release);
    }

    /// The numbers under which a contact or company may be found: its own, and what they are equivalent to.
    pub(super) fn phones_of(&self, id: PartyId) -> Vec<E164> {
        let Some(stored) = self.store.card(id) else {
            return Vec::new();
        };
        with_equivalents(stored.card.numbers.iter().map(|number| number.e164)).into_iter().collect()
    }

    /// Removes or expires one entry; tells whether there was one. To be called under the table's lock.
    pub(super) fn let_go(&self, key: E164, reach: Reach, now: Instant) -> bool {
        match reach {
            Reach::Remove => self.store.remove(key),
            Reach::Expire => self.store.entry(key).is_some_and(|entry| {
                self.store.put(key, entry.expired(now));
                true
            }),
        }
    }
}

/// The numbers, and what else the same phones may call under.
pub(super) fn with_equivalents(phones: impl IntoIterator<Item = E164>) -> BTreeSet<E164> {
    phones.into_iter().flat_map(|phone| std::iter::once(phone).chain(phone.equivalents())).collect()
}
