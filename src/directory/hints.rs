//! What others say has changed: webhooks and operators. A hint is never data, only a reason to look.
//!
//! Until the feed has looked, a contact that is said to be gone is not spoken of, and a number that was dropped is asked for anew. Hints live
//! in memory only: what is lost in a crash is found by the next increment.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Directory;
use super::fleet::Told;
use crate::contact::{ContactId, LeadId};
use crate::phone::E164;

/// More than this at once is a bulk change, which the next increment shows as well.
const MOST: usize = 50_000;

/// The hints that came since the feed last looked, and what is not to be trusted meanwhile.
#[derive(Debug, Default)]
pub(super) struct Hints(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Counts the hints: what came before a fetch is settled by it, what came after is not.
    now: u64,
    pending: Pending,
    contacts: HashMap<ContactId, u64>,
    numbers: HashMap<E164, u64>,
    /// Another replica fetches: `now` is a time then, in milliseconds.
    follows: bool,
}

/// What is to be fetched.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    pub(super) contacts: Vec<ContactId>,
    pub(super) leads: Vec<LeadId>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.contacts.is_empty() && self.leads.is_empty()
    }
}

impl Hints {
    /// Whether nothing was said against these contacts and this number.
    pub(super) fn trusts(&self, number: E164, contacts: impl IntoIterator<Item = ContactId>) -> bool {
        let hints = self.lock();
        let nothing = hints.contacts.is_empty() && hints.numbers.is_empty();
        nothing
            || (!hints.numbers.contains_key(&number)
                && !contacts.into_iter().any(|id| hints.contacts.contains_key(&id)))
    }

    /// Takes what is to be fetched.
    pub(super) fn take(&self) -> Pending {
        std::mem::take(&mut self.lock().pending)
    }

    /// The moment, to be told to [`Self::settle`] later.
    pub(super) fn now(&self) -> u64 {
        self.lock().now
    }

    /// These contacts have been fetched since `then`.
    pub(super) fn settle(&self, contacts: &[ContactId], then: u64) {
        let mut hints = self.lock();
        for id in contacts {
            settle(&mut hints.contacts, id, then);
        }
    }

    /// What was taken could not be written down.
    pub(super) fn give_back(&self, mut pending: Pending) {
        let mut hints = self.lock();
        pending.contacts.append(&mut hints.pending.contacts);
        pending.leads.append(&mut hints.pending.leads);
        hints.pending = pending;
    }

    /// This replica follows from now on: what is not trusted is settled by time, see [`Self::settle_before`].
    pub(super) fn follow(&self, now: i64) {
        let mut hints = self.lock();
        hints.follows = true;
        hints.now = hints.now.max(u64::try_from(now).unwrap_or(0));
        hints.distrust_all_since_now();
    }

    /// This replica leads from now on: it has everything fetched that is not trusted.
    pub(super) fn lead(&self) {
        let mut hints = self.lock();
        hints.follows = false;
        hints.now += 1;
        hints.distrust_all_since_now();
        let contacts: Vec<ContactId> = hints.contacts.keys().copied().collect();
        hints.pending.contacts.extend(contacts);
    }

    /// A follower has got an increment that saw everything that was said before then.
    pub(super) fn settle_before(&self, then: i64) {
        let mut hints = self.lock();
        let then = u64::try_from(then).unwrap_or(0);
        if hints.follows {
            hints.contacts.retain(|_, at| *at > then);
            hints.numbers.retain(|_, at| *at > then);
        }
    }

    /// An increment that began then is in.
    pub(super) fn settle_numbers(&self, then: u64) {
        self.lock().numbers.retain(|_, at| *at > then);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settle<K: Hash + Eq>(distrusted: &mut HashMap<K, u64>, key: &K, then: u64) {
    if distrusted.get(key).is_some_and(|at| *at <= then) {
        distrusted.remove(key);
    }
}

impl Inner {
    fn distrust_all_since_now(&mut self) {
        let now = self.now;
        self.contacts.values_mut().chain(self.numbers.values_mut()).for_each(|at| *at = now);
    }

    fn note(&mut self, contacts: &[ContactId], leads: &[LeadId], time: i64) {
        if self.follows {
            // Told to the one who fetches.
            self.now = self.now.max(u64::try_from(time).unwrap_or(0));
            return;
        }
        self.now += 1;
        if self.pending.contacts.len() + self.pending.leads.len() < MOST {
            self.pending.contacts.extend(contacts);
            self.pending.leads.extend(leads);
        }
    }
}

impl Directory {
    /// These records have changed at the CRM: they are fetched anew as soon as the quota allows.
    pub fn hint(&self, contacts: &[ContactId], leads: &[LeadId]) {
        self.note_hint(contacts, leads);
        let (contacts, leads) = (contacts.iter().map(|id| id.0).collect(), leads.iter().map(|id| id.0).collect());
        self.0.outbox.put(Told::Changed(contacts, leads));
    }

    pub(super) fn note_hint(&self, contacts: &[ContactId], leads: &[LeadId]) {
        self.0.hints.lock().note(contacts, leads, self.0.clock.now());
        self.0.wake.notify_one();
    }

    /// These contacts are said to be gone, or are to be asked for anew: nothing is said of them until they have been fetched. Tells how
    /// many numbers they have.
    #[expect(clippy::must_use_candidate, reason = "done for its effect")]
    pub fn drop_contacts(&self, contacts: &[ContactId]) -> usize {
        self.0.outbox.put(Told::Dropped(contacts.iter().map(|id| id.0).collect()));
        self.note_dropped(contacts)
    }

    pub(super) fn note_dropped(&self, contacts: &[ContactId]) -> usize {
        let store = self.store();
        let held = contacts.iter().filter_map(|id| store.view().and_then(|view| view.contact(*id)).ok().flatten());
        let numbers = held.map(|held| held.numbers.len()).sum();
        {
            let mut hints = self.0.hints.lock();
            hints.note(contacts, &[], self.0.clock.now());
            let now = hints.now;
            hints.contacts.extend(contacts.iter().map(|id| (*id, now)));
        }
        self.0.wake.notify_one();
        numbers
    }

    /// Nothing is said about this number until its owners have been fetched anew and an increment has come; tells whether it had an owner.
    #[expect(clippy::must_use_candidate, reason = "done for its effect")]
    pub fn drop_number(&self, number: E164) -> bool {
        self.0.outbox.put(Told::Number(number.get()));
        self.note_dropped_number(number)
    }

    pub(super) fn note_dropped_number(&self, number: E164) -> bool {
        let owners = self.store().view().and_then(|view| view.owners(number)).unwrap_or_default();
        {
            let mut hints = self.0.hints.lock();
            hints.note(&owners, &[], self.0.clock.now());
            let now = hints.now;
            hints.numbers.insert(number, now);
        }
        self.0.wake.notify_one();
        !owners.is_empty()
    }

    /// Everything counts as out of date until the next increment, which comes at once.
    pub fn expire(&self) {
        self.0.outbox.put(Told::All);
        self.note_expired();
    }

    pub(super) fn note_expired(&self) {
        let now = self.0.clock.now();
        self.0.standing.write().unwrap_or_else(PoisonError::into_inner).expired_at = Some(now);
        self.0.wake.notify_one();
    }
}
