//! Numbers that somebody has just said to be a contact's, before the CRM's search may know.
//!
//! The CRM searches an index that lags its writes by seconds, so a search for a number that a contact has just been given finds nobody, and
//! "nobody" would then be believed for its whole life. For as long as the index may lag, the number is therefore also asked for by the id
//! of the contact that is said to have it, which is never late; and a "nobody" about it is believed for a moment only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::contact::ContactId;
use crate::phone::E164;

/// Contacts that are asked for about one number; more have hardly got the same one within a minute.
const MOST_CONTACTS: usize = 8;

/// The numbers, bounded: one that does not fit is only as wrong as the search, and for no longer than a "nobody" lives.
#[derive(Debug)]
pub(super) struct Expectations {
    lag: Duration,
    bound: usize,
    by_phone: Mutex<HashMap<E164, Expectation>>,
}

#[derive(Debug)]
struct Expectation {
    contacts: Vec<ContactId>,
    until: Instant,
}

impl Expectations {
    /// `lag` is how long the CRM's search may be behind.
    pub(super) fn new(lag: Duration, bound: usize) -> Self {
        Self { lag, bound, by_phone: Mutex::default() }
    }

    /// A number is said to be this contact's, or somebody's.
    pub(super) fn note(&self, phone: E164, contact: Option<ContactId>, now: Instant) {
        let mut by_phone = self.by_phone();
        if by_phone.len() >= self.bound && !by_phone.contains_key(&phone) {
            by_phone.retain(|_, expectation| expectation.until > now);
            if by_phone.len() >= self.bound {
                return;
            }
        }
        let until = now + self.lag;
        let expectation = by_phone.entry(phone).or_insert(Expectation { contacts: Vec::new(), until });
        if expectation.until <= now {
            expectation.contacts.clear();
        }
        expectation.until = until;
        let contacts = &mut expectation.contacts;
        contacts.extend(contact.filter(|id| contacts.len() < MOST_CONTACTS && !contacts.contains(id)));
    }

    /// The contacts that are said to have a number; `None` if nothing has been said lately.
    pub(super) fn of(&self, phone: E164, now: Instant) -> Option<Vec<ContactId>> {
        let mut by_phone = self.by_phone();
        let expectation = by_phone.get(&phone)?;
        if expectation.until <= now {
            by_phone.remove(&phone);
            return None;
        }
        Some(expectation.contacts.clone())
    }

    /// Nothing panics while it holds the lock.
    fn by_phone(&self) -> MutexGuard<'_, HashMap<E164, Expectation>> {
        self.by_phone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn phone(n: u64) -> E164 {
        format!("+1415{:07}", 2_000_000 + n).parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_holds_for_the_lag_and_is_then_forgotten() {
        let (said, now) = (Expectations::new(60 * SECOND, 10), Instant::now());
        said.note(phone(1), Some(ContactId(7)), now);
        said.note(phone(1), None, now + SECOND);
        said.note(phone(1), Some(ContactId(9)), now + 2 * SECOND);
        assert_eq!(said.of(phone(1), now + 61 * SECOND), Some(vec![ContactId(7), ContactId(9)]));
        assert_eq!(said.of(phone(1), now + 62 * SECOND), None);
        assert_eq!(said.of(phone(2), now), None);
        said.note(phone(2), None, now);
        assert_eq!(said.of(phone(2), now), Some(vec![]), "somebody's, but not said whose");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_said_long_ago_is_not_mixed_with_what_is_said_now() {
        let (said, now) = (Expectations::new(60 * SECOND, 10), Instant::now());
        said.note(phone(1), Some(ContactId(7)), now);
        said.note(phone(1), Some(ContactId(9)), now + 60 * SECOND);
        assert_eq!(said.of(phone(1), now + 60 * SECOND), Some(vec![ContactId(9)]));
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_and_their_contacts_are_bounded_and_the_outdated_make_room() {
        let (said, now) = (Expectations::new(60 * SECOND, 10), Instant::now());
        (0..100).for_each(|n| said.note(phone(n), Some(ContactId(n)), now));
        (0..100).for_each(|n| said.note(phone(0), Some(ContactId(n)), now));
        assert_eq!(said.by_phone().len(), 10);
        assert_eq!(said.of(phone(0), now).unwrap().len(), MOST_CONTACTS);
        said.note(phone(50), None, now + 60 * SECOND);
        assert_eq!(said.by_phone().len(), 1);
    }
}
