//! Writing the snapshot: records in, and everything that hangs on them kept in step.
//!
//! A batch is one transaction. It notes which contacts and numbers the outside has to learn about ([`Changes`]), and which records have to
//! be fetched because something now names them ([`Kind`]).

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableTable, Table, WriteTransaction};
use serde::Serialize;

use super::error::StoreError;
use super::record::{self, Held, lead_bytes};
use super::store::{COMPANIES, CONTACTS, LEADS, LINKS, META, NUMBERS, Policy, WANTS};
use crate::contact::{CompanyId, Contact, ContactId, LeadId, UnixSeconds};
use crate::crm::{LinkedLead, NamedCompany};
use crate::matching;
use crate::phone::E164;

/// What can be fetched by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Contact = 0,
    Lead = 1,
    Company = 2,
}

/// What has become of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It, or one of its leads, is other than it was.
    Changed,
    /// It is no longer there.
    Gone,
}

/// What is other than it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// These contacts.
    pub contacts: BTreeMap<ContactId, Fate>,
    /// These numbers have an owner whom they did not have.
    pub numbers: BTreeSet<E164>,
}

impl Changes {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty() && self.numbers.is_empty()
    }
}

/// One transaction under way.
pub(super) struct Batch<'t> {
    contacts: Table<'t, u64, &'static [u8]>,
    numbers: Table<'t, (u64, u64), ()>,
    leads: Table<'t, u64, &'static [u8]>,
    links: Table<'t, (u64, u64), ()>,
    companies: Table<'t, u64, &'static str>,
    wants: Table<'t, (u8, u64), ()>,
    meta: Table<'t, &'static str, &'static [u8]>,
    policy: Policy,
    changes: Changes,
}

impl<'t> Batch<'t> {
    pub(super) fn begin(transaction: &'t WriteTransaction, policy: Policy) -> Result<Self, StoreError> {
        Ok(Self {
            contacts: transaction.open_table(CONTACTS)?,
            numbers: transaction.open_table(NUMBERS)?,
            leads: transaction.open_table(LEADS)?,
            links: transaction.open_table(LINKS)?,
            companies: transaction.open_table(COMPANIES)?,
            wants: transaction.open_table(WANTS)?,
            meta: transaction.open_table(META)?,
            policy,
            changes: Changes::default(),
        })
    }

    /// What has changed so far.
    pub(super) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Puts a contact in place of what was known of it, and wants what it names for the first time.
    pub(super) fn put_contact(&mut self, contact: Contact, now: UnixSeconds) -> Result<(), StoreError> {
        let id = contact.id;
        let new = Held { numbers: matching::numbers(&contact, self.policy.region), contact, seen_at: now };
        let old = self.contact(id)?;
        self.contacts.insert(id.0, new.to_bytes().as_slice())?;
        self.unwant(Kind::Contact, id.0)?;
        let (had, has) = (old.as_ref().map(lines).unwrap_or_default(), lines(&new));
        for number in had.difference(&has) {
            self.numbers.remove((number.get(), id.0))?;
        }
        for number in has.difference(&had) {
            self.numbers.insert((number.get(), id.0), ())?;
            self.changes.numbers.insert(*number);
        }
        self.link(id, old.as_ref().map_or(&[], |old| &old.contact.leads), &new.contact.leads)?;
        if let Some(company) = new.contact.company
            && self.companies.get(company.0)?.is_none()
        {
            self.want(Kind::Company, company.0)?;
        }
        if old.is_some_and(|old| old.contact != new.contact) {
            self.changes.contacts.insert(id, Fate::Changed);
        }
        Ok(())
    }

    /// Takes a contact out, with all that only it held.
    pub(super) fn remove_contact(&mut self, id: ContactId) -> Result<(), StoreError> {
        self.unwant(Kind::Contact, id.0)?;
        let Some(old) = self.contact(id)? else { return Ok(()) };
        for number in lines(&old) {
            self.numbers.remove((number.get(), id.0))?;
        }
        self.link(id, &old.contact.leads, &[])?;
        self.contacts.remove(id.0)?;
        self.changes.contacts.insert(id, Fate::Gone);
        Ok(())
    }

    /// Puts a lead's details in place, if one of our contacts has it; where the lead and a contact disagree about that, wants the contact.
    pub(super) fn put_lead(&mut self, linked: &LinkedLead) -> Result<(), StoreError> {
        let LinkedLead { lead, contacts } = linked;
        self.unwant(Kind::Lead, lead.id.0)?;
        let holders = self.holders(lead.id)?;
        if !contacts.is_empty() {
            let said: BTreeSet<_> = contacts.iter().copied().collect();
            for id in said.symmetric_difference(&holders) {
                self.want(Kind::Contact, id.0)?;
            }
        }
        if holders.is_empty() {
            return Ok(());
        }
        let bytes = lead_bytes(lead);
        let is_same = self.leads.insert(lead.id.0, bytes.as_slice())?.is_some_and(|old| old.value() == bytes);
        if !is_same {
            self.changes.contacts.extend(holders.into_iter().map(|id| (id, Fate::Changed)));
        }
        Ok(())
    }

    /// Remembers that the CRM has a lead no longer.
    pub(super) fn remove_lead(&mut self, id: LeadId) -> Result<(), StoreError> {
        self.unwant(Kind::Lead, id.0)?;
        let holders = self.holders(id)?;
        if !holders.is_empty() {
            self.leads.insert(id.0, [].as_slice())?;
            self.changes.contacts.extend(holders.into_iter().map(|id| (id, Fate::Changed)));
        }
        Ok(())
    }

    /// Puts a company's name in place.
    pub(super) fn put_company(&mut self, company: &NamedCompany) -> Result<(), StoreError> {
        self.unwant(Kind::Company, company.id.0)?;
        self.companies.insert(company.id.0, company.name.as_deref().unwrap_or_default())?;
        Ok(())
    }

    /// Whether a company is known.
    pub(super) fn has_company(&self, id: CompanyId) -> Result<bool, StoreError> {
        Ok(self.companies.get(id.0)?.is_some())
    }

    /// Has a record fetched anew.
    pub(super) fn want(&mut self, kind: Kind, id: u64) -> Result<(), StoreError> {
        self.wants.insert((kind as u8, id), ())?;
        Ok(())
    }

    /// Has a lead's details fetched if they were never seen.
    fn want_lead(&mut self, lead: LeadId) -> Result<(), StoreError> {
        if self.policy.leads && self.leads.get(lead.0)?.is_none() {
            self.want(Kind::Lead, lead.0)?;
        }
        Ok(())
    }

    /// Does not have a record fetched after all.
    pub(super) fn unwant(&mut self, kind: Kind, id: u64) -> Result<(), StoreError> {
        self.wants.remove((kind as u8, id))?;
        Ok(())
    }

    /// Contacts held whose ids lie between these two, the upper one included.
    pub(super) fn contacts_between(&self, above: u64, up_to: u64) -> Result<Vec<ContactId>, StoreError> {
        if above >= up_to {
            return Ok(Vec::new());
        }
        self.contacts.range(above + 1..=up_to)?.map(|record| Ok(ContactId(record?.0.value()))).collect()
    }

    /// Makes of every contact anew what is to be made of it now: its numbers, and whether its leads are wanted.
    pub(super) fn read_anew(&mut self) -> Result<(), StoreError> {
        self.numbers.retain(|_, ()| false)?;
        let ids: Vec<u64> =
            self.contacts.iter()?.map(|record| Ok(record?.0.value())).collect::<Result<_, StoreError>>()?;
        for id in ids {
            let Some(mut held) = self.contact(ContactId(id))? else { continue };
            held.numbers = matching::numbers(&held.contact, self.policy.region);
            for number in lines(&held) {
                self.numbers.insert((number.get(), id), ())?;
            }
            for lead in &held.contact.leads {
                self.want_lead(*lead)?;
            }
            self.contacts.insert(id, held.to_bytes().as_slice())?;
        }
        Ok(())
    }

    /// Writes a value that is not a record.
    pub(super) fn put_meta<T: Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), StoreError> {
        self.meta.insert(name, record::seal(0, value).as_slice())?;
        Ok(())
    }

    fn contact(&self, id: ContactId) -> Result<Option<Held>, StoreError> {
        let bytes = self.contacts.get(id.0)?;
        Ok(bytes.map(|bytes| Held::from_bytes(id, bytes.value())).transpose()?)
    }

    /// The contacts that name a lead.
    fn holders(&self, lead: LeadId) -> Result<BTreeSet<ContactId>, StoreError> {
        let pairs = self.links.range((lead.0, 0)..=(lead.0, u64::MAX))?;
        pairs.map(|pair| Ok(ContactId(pair?.0.value().1))).collect()
    }

    /// A contact names these leads now. One that nobody names any more is forgotten, one that is not known yet wanted.
    fn link(&mut self, contact: ContactId, old: &[LeadId], new: &[LeadId]) -> Result<(), StoreError> {
        let (had, has): (BTreeSet<_>, BTreeSet<_>) = (old.iter().copied().collect(), new.iter().copied().collect());
        for lead in had.difference(&has) {
            self.links.remove((lead.0, contact.0))?;
            if self.holders(*lead)?.is_empty() {
                self.leads.remove(lead.0)?;
                self.unwant(Kind::Lead, lead.0)?;
            }
        }
        for lead in has.difference(&had) {
            self.links.insert((lead.0, contact.0), ())?;
            self.want_lead(*lead)?;
        }
        Ok(())
    }
}

/// The lines that a contact can be reached on.
fn lines(held: &Held) -> BTreeSet<E164> {
    held.numbers.iter().map(|number| number.e164).collect()
}
