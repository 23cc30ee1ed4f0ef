//! A number → what is known about it, and whether that is for us to say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::error::{Damaged, StoreError};
use super::names::{Missing, Names};
use super::record::Held;
use super::status::Standing;
use super::store::{LeadState, View};
use super::{Directory, Settings};
use crate::contact::{Contact, Lead, LeadId};
use crate::matching;
use crate::phone::Number;

/// What the mirror knows about a number.
#[derive(Clone, Debug)]
pub struct Knowledge {
    /// Whose it is. Empty: nobody's, which is said only while it is current.
    pub owners: Vec<Owner>,
    /// The names behind the owners' ids.
    pub names: Names,
    /// Time since the CRM said so, or that nothing has changed.
    pub age: Duration,
    /// Seconds until it stops being current; negative since it has.
    pub ttl: i64,
    /// Whether it is the answer. If not, the CRM is to be asked first.
    pub is_current: bool,
}

/// A contact that owns the number.
#[derive(Clone, Debug)]
pub struct Owner {
    /// As the CRM has it.
    pub contact: Contact,
    /// All of its readable numbers.
    pub numbers: Vec<Number>,
    /// Its leads that the CRM still has, as far as their details are known.
    pub leads: Vec<Lead>,
    /// Leads whose details are not known.
    pub unknown_leads: Vec<LeadId>,
    /// The name of its company.
    pub company: Option<String>,
}

impl Directory {
    /// What is known about a number; nothing if that is not for us to say.
    #[must_use]
    pub fn find(&self, asked: &Number, max_age: Option<Duration>) -> Option<Knowledge> {
        if self.0.damaged.load(Ordering::Acquire) {
            return None;
        }
        // A page that is not what it was can make the store panic; no caller shall notice more than an ordinary lookup.
        match catch_unwind(AssertUnwindSafe(|| self.look_up(asked, max_age))) {
            Ok(Ok(knowledge)) => knowledge,
            Ok(Err(error)) => {
                self.distrust_snapshot(&error);
                None
            }
            Err(_panic) => {
                self.distrust_snapshot(&Damaged.into());
                None
            }
        }
    }

    fn look_up(&self, asked: &Number, max_age: Option<Duration>) -> Result<Option<Knowledge>, StoreError> {
        let view = self.store().view()?;
        let owners = owners(&view, asked)?;
        let trusted = self.0.hints.trusts(asked.e164, owners.iter().map(|held| held.contact.id));
        let standing = self.standing();
        let Some(age) = self.age(&standing, &owners).filter(|_| trusted) else { return Ok(None) };
        let Settings { nobody_for, known_fresh, known_stale: last, .. } = self.0.settings;
        let limit = if owners.is_empty() { nobody_for } else { known_fresh };
        let is_current = standing.answers() && age <= limit && max_age.is_none_or(|max| age <= max);
        if !is_current && (owners.is_empty() || age > last) {
            return Ok(None);
        }
        let owners = owners.into_iter().map(|held| owner(&view, held)).collect::<Result<Vec<_>, StoreError>>()?;
        let names = self.names();
        self.note_missing_names(&owners, &names);
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Ok(Some(Knowledge { owners, names, age, ttl: seconds(limit).saturating_sub(seconds(age)), is_current }))
    }

    /// How old what is said about these contacts is; nothing if the CRM has never confirmed it.
    fn age(&self, standing: &Standing, owners: &[Held]) -> Option<Duration> {
        let seen = |held: &Held| held.seen_at.0.saturating_mul(1_000);
        let increment = standing.as_of.filter(|_| owners.is_empty() || !standing.events_hidden);
        let confirmed = match owners.iter().map(seen).min() {
            Some(seen) => Some(increment.map_or(seen, |at| at.max(seen))),
            None => increment,
        };
        confirmed.map(|at| self.0.clock.since(at))
    }

    /// Remembers which ids had no name, so that the feed can ask for them.
    fn note_missing_names(&self, owners: &[Owner], names: &Names) {
        let mut missing = Missing::default();
        owners.iter().for_each(|owner| missing.note(owner, names));
        if !missing.owners.is_empty() || !missing.stages.is_empty() {
            let mut all = self.0.missing.lock().unwrap_or_else(PoisonError::into_inner);
            all.owners.append(&mut missing.owners);
            all.stages.append(&mut missing.stages);
        }
    }
}

/// The contacts whose numbers equal the one asked about, exactly or by way of a re-numbering.
fn owners(view: &View, asked: &Number) -> Result<Vec<Held>, StoreError> {
    let mut ids = view.owners(asked.e164)?;
    for equal in asked.e164.equivalents() {
        ids.extend(view.owners(equal)?);
    }
    ids.sort_unstable();
    ids.dedup();
    let mut owners = Vec::with_capacity(ids.len());
    for id in ids {
        // A number that points at nobody, or at somebody who does not have it, is as bad as a torn record.
        let held = view.contact(id)?.ok_or(Damaged)?;
        matching::ownership(&held.numbers, asked).ok_or(Damaged)?;
        owners.push(held);
    }
    Ok(owners)
}

pub(super) fn owner(view: &View, held: Held) -> Result<Owner, StoreError> {
    let Held { contact, numbers, .. } = held;
    let states = if contact.leads.is_empty() { Vec::new() } else { view.leads(&contact.leads)? };
    let (mut leads, mut unknown_leads) = (Vec::new(), Vec::new());
    for (id, state) in states {
        match state {
            LeadState::Known(lead) => leads.push(lead),
            LeadState::Unknown => unknown_leads.push(id),
            LeadState::Gone => {}
        }
    }
    let company = contact.company.map(|id| view.company(id)).transpose()?.flatten();
    Ok(Owner { leads, unknown_leads, company, contact, numbers })
}
