//! Writing the snapshot: records in, and everything that hangs on them kept in step.
//!
//! A batch is one transaction. It notes which contacts and numbers the outside has to learn about ([`Changes`]), and which records have to
//! be fetched because something now names them ([`Kind`]).

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableTable, Table, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::STATE;
use super::error::StoreError;
use super::fleet::Row;
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
    /// What has been written, where other replicas have to do the same.
    rows: Option<Vec<Row>>,
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
            rows: None,
        })
    }

    /// Notes every row that is written from now on.
    pub(super) fn record(&mut self) {
        self.rows = Some(Vec::new());
    }

    /// What has been written since [`Self::record`].
    pub(super) fn take_rows(&mut self) -> Vec<Row> {
        self.rows.take().unwrap_or_default()
    }

    /// The one place where anything is written.
    pub(super) fn write(&mut self, row: Row) -> Result<(), StoreError> {
        match &row {
            Row::Contact(id, Some(bytes)) => drop(self.contacts.insert(*id, bytes.as_slice())?),
            Row::Contact(id, None) => drop(self.contacts.remove(*id)?),
            Row::Lead(id, Some(bytes)) => drop(self.leads.insert(*id, bytes.as_slice())?),
            Row::Lead(id, None) => drop(self.leads.remove(*id)?),
            Row::Company(id, name) => drop(self.companies.insert(*id, name.as_str())?),
            Row::Number(number, contact, true) => drop(self.numbers.insert((*number, *contact), ())?),
            Row::Number(number, contact, false) => drop(self.numbers.remove((*number, *contact))?),
            Row::Link(lead, contact, true) => drop(self.links.insert((*lead, *contact), ())?),
            Row::Link(lead, contact, false) => drop(self.links.remove((*lead, *contact))?),
            Row::Want(kind, id, true) => drop(self.wants.insert((*kind, *id), ())?),
            Row::Want(kind, id, false) => drop(self.wants.remove((*kind, *id))?),
            Row::Meta(name, bytes) => drop(self.meta.insert(name.as_str(), bytes.as_slice())?),
        }
        if let Some(rows) = &mut self.rows {
            rows.push(row);
        }
        Ok(())
    }

    /// Reads what [`Self::put_meta`] wrote.
    pub(super) fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let bytes = self.meta.get(name)?;
        Ok(bytes.map(|bytes| record::open(0, bytes.value())).transpose()?)
    }

    /// Takes a value away that is not a record, and concerns only this snapshot.
    pub(super) fn forget_meta(&mut self, name: &'static str) -> Result<(), StoreError> {
        self.meta.remove(name)?;
        Ok(())
    }

    /// Whether nothing but whose it is has ever been written.
    pub(super) fn is_fresh(&self) -> Result<bool, StoreError> {
        Ok(self.meta.get(STATE)?.is_none())
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
        self.write(Row::Contact(id.0, Some(new.to_bytes())))?;
        self.unwant(Kind::Contact, id.0)?;
        let (had, has) = (old.as_ref().map(lines).unwrap_or_default(), lines(&new));
        for number in had.difference(&has) {
            self.write(Row::Number(number.get(), id.0, false))?;
        }
        for number in has.difference(&had) {
            self.write(Row::Number(number.get(), id.0, true))?;
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
            self.write(Row::Number(number.get(), id.0, false))?;
        }
        self.link(id, &old.contact.leads, &[])?;
        self.write(Row::Contact(id.0, None))?;
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
        let is_same = self.leads.get(lead.id.0)?.is_some_and(|old| old.value() == bytes);
        if !is_same {
            self.write(Row::Lead(lead.id.0, Some(bytes)))?;
            self.changes.contacts.extend(holders.into_iter().map(|id| (id, Fate::Changed)));
        }
        Ok(())
    }

    /// Remembers that the CRM has a lead no longer.
    pub(super) fn remove_lead(&mut self, id: LeadId) -> Result<(), StoreError> {
        self.unwant(Kind::Lead, id.0)?;
        let holders = self.holders(id)?;
        if !holders.is_empty() {
            self.write(Row::Lead(id.0, Some(Vec::new())))?;
            self.changes.contacts.extend(holders.into_iter().map(|id| (id, Fate::Changed)));
        }
        Ok(())
    }

    /// Puts a company's name in place.
    pub(super) fn put_company(&mut self, company: &NamedCompany) -> Result<(), StoreError> {
        self.unwant(Kind::Company, company.id.0)?;
        self.write(Row::Company(company.id.0, company.name.clone().unwrap_or_default()))
    }

    /// Whether a company is known.
    pub(super) fn has_company(&self, id: CompanyId) -> Result<bool, StoreError> {
        Ok(self.companies.get(id.0)?.is_some())
    }

    /// Has a record fetched anew.
    pub(super) fn want(&mut self, kind: Kind, id: u64) -> Result<(), StoreError> {
        self.write(Row::Want(kind as u8, id, true))
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
        // Most are not wanted: what changes nothing is not written.
        if self.wants.get((kind as u8, id))?.is_none() {
            return Ok(());
        }
        self.write(Row::Want(kind as u8, id, false))
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
                self.write(Row::Number(number.get(), id, true))?;
            }
            for lead in &held.contact.leads {
                self.want_lead(*lead)?;
            }
            self.write(Row::Contact(id, Some(held.to_bytes())))?;
        }
        Ok(())
    }

    /// Writes a value that is not a record.
    pub(super) fn put_meta<T: Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), StoreError> {
        self.write(Row::Meta(name.to_owned(), record::seal(0, value)))
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
            self.write(Row::Link(lead.0, contact.0, false))?;
            if self.holders(*lead)?.is_empty() {
                self.write(Row::Lead(lead.0, None))?;
                self.unwant(Kind::Lead, lead.0)?;
            }
        }
        for lead in has.difference(&had) {
            self.write(Row::Link(lead.0, contact.0, true))?;
            self.want_lead(*lead)?;
        }
        Ok(())
    }
}

/// The lines that a contact can be reached on.
fn lines(held: &Held) -> BTreeSet<E164> {
    held.numbers.iter().map(|number| number.e164).collect()
}
