//! Changes to the account, as a person at the CRM would make them. Each moves the record's `updated_at`, is entered in the journal, and is
//! told to webhooks; the search index shows it late.

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;

use super::events::Event;
use super::fixtures::office;
use super::record::{Company, Contact, EMAIL, LOST, Lead, PHONE, WON};
use super::webhooks::Notice;
use super::world::World;

/// There is no such record to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox has no {kind} {id}")]
pub struct NoSuchRecord {
    /// `contact`, `lead` or `company`.
    pub kind: &'static str,
    /// The id asked for.
    pub id: u64,
}

/// When a change happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// For the records.
    pub(super) unix: i64,
    /// When the search index will show it.
    pub(super) indexed_at: Instant,
}

impl World {
    /// A contact that exists and is not in the bin.
    fn live_contact(&self, id: u64) -> Result<Contact, NoSuchRecord> {
        let contact = self.contact(id).filter(|contact| !contact.is_deleted);
        contact.map(Arc::unwrap_or_clone).ok_or(NoSuchRecord { kind: "contact", id })
    }

    fn live_lead(&self, id: u64) -> Result<Lead, NoSuchRecord> {
        let lead = self.lead(id).filter(|lead| !lead.is_deleted);
        lead.map(Arc::unwrap_or_clone).ok_or(NoSuchRecord { kind: "lead", id })
    }

    /// Puts a contact's new state in place everywhere but in the journal.
    fn keep_contact(&mut self, id: u64, new: Option<Contact>, at: Moment) -> Option<Arc<Contact>> {
        let old = self.contact(id).filter(|contact| !contact.is_deleted);
        let new = new.map(Arc::new);
        let live = new.as_ref().filter(|contact| !contact.is_deleted);
        self.index.change(id, old.as_deref(), live.map(Arc::as_ref), at.indexed_at);
        self.live_contacts.replace(id, old.map(|contact| contact.updated_at), live.map(|contact| contact.updated_at));
        match &new {
            Some(contact) if contact.is_deleted => self.bin.insert(id),
            _ => self.bin.remove(&id),
        };
        self.contacts.insert(id, new.clone());
        new
    }

    fn keep_lead(&mut self, new: Lead) -> Arc<Lead> {
        let new = Arc::new(new);
        let old = self.lead(new.id).filter(|lead| !lead.is_deleted).map(|lead| lead.updated_at);
        if let Some(shelf) = &mut self.live_leads {
            shelf.replace(new.id, old, (!new.is_deleted).then_some(new.updated_at));
        }
        self.leads.insert(new.id, Arc::clone(&new));
        new
    }

    fn note(&mut self, kind: impl Into<String>, entity: &'static str, id: u64, at: Moment) {
        self.events.push(Event::new(kind, entity, id, at.unix));
    }

    fn tell_contact(&mut self, action: &'static str, contact: Arc<Contact>, old_owner: Option<u64>) {
        self.notices.push(Notice::Contact { action, contact, old_owner });
    }

    fn tell_lead(&mut self, action: &'static str, lead: Arc<Lead>, old: Option<(u64, u64)>) {
        self.notices.push(Notice::Lead { action, lead, old_stage: old });
    }

    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A new contact.
    pub(super) fn add_contact(&mut self, name: &str, phones: &[&str], owner: u64, at: Moment) -> u64 {
        let id = self.take_id();
        let mut contact = Contact::named(id, name);
        contact.set_phones(phones);
        (contact.owner, contact.created_by, contact.updated_by) = (owner, owner, owner);
        (contact.created_at, contact.updated_at) = (at.unix, at.unix);
        let kept = self.keep_contact(id, Some(contact), at);
        self.note("contact_added", "contact", id, at);
        kept.into_iter().for_each(|contact| self.tell_contact("add", contact, None));
        id
    }

    /// Edits a contact.
    pub(super) fn update_contact(
        &mut self,
        id: u64,
        edit: impl FnOnce(&mut Contact),
        at: Moment,
    ) -> Result<(), NoSuchRecord> {
        let old = self.live_contact(id)?;
        let mut new = old.clone();
        edit(&mut new);
        (new.id, new.is_deleted, new.updated_at) = (id, false, at.unix);
        self.note_differences(&old, &new, at);
        let old_owner = (old.owner != new.owner).then_some(old.owner);
        let kept = self.keep_contact(id, Some(new), at);
        kept.into_iter().for_each(|contact| self.tell_contact("update", contact, old_owner));
        Ok(())
    }

    fn note_differences(&mut self, old: &Contact, new: &Contact, at: Moment) {
        if old.name != new.name {
            self.note("name_field_changed", "contact", new.id, at);
        }
        for (def, same) in [(&PHONE, old.phones() == new.phones()), (&EMAIL, old.emails() == new.emails())] {
            if !same {
                self.note(format!("custom_field_{}_value_changed", def.id), "contact", new.id, at);
            }
        }
        if old.owner != new.owner {
            self.note("entity_responsible_changed", "contact", new.id, at);
        }
    }

    /// Moves a contact to the recycle bin. A list by `updated_at` will not show it.
    pub(super) fn delete_contact(&mut self, id: u64, at: Moment) -> Result<(), NoSuchRecord> {
        let contact = Contact { is_deleted: true, updated_at: at.unix, ..self.live_contact(id)? };
        let kept = self.keep_contact(id, Some(contact), at);
        self.note("contact_deleted", "contact", id, at);
        kept.into_iter().for_each(|contact| self.tell_contact("delete", contact, None));
        Ok(())
    }

    /// Takes a contact out of the recycle bin.
    pub(super) fn restore_contact(&mut self, id: u64, at: Moment) -> Result<(), NoSuchRecord> {
        let binned = self.contact(id).filter(|contact| contact.is_deleted);
        let binned = binned.ok_or(NoSuchRecord { kind: "deleted contact", id })?;
        let contact = Contact { is_deleted: false, updated_at: at.unix, ..Arc::unwrap_or_clone(binned) };
        let kept = self.keep_contact(id, Some(contact), at);
        self.note("contact_restored", "contact", id, at);
        kept.into_iter().for_each(|contact| self.tell_contact("restore", contact, None));
        Ok(())
    }

    /// Joins two contacts: the winner keeps its id and gets what the loser has; the loser is gone, not even in the bin.
    pub(super) fn merge(&mut self, winner: u64, loser: u64, at: Moment) -> Result<(), NoSuchRecord> {
        let gone = self.live_contact(loser)?;
        let mut kept = self.live_contact(winner).and_then(|contact| match contact.id == loser {
            true => Err(NoSuchRecord { kind: "second contact", id: loser }),
            false => Ok(contact),
        })?;
        absorb(&mut kept, &gone);
        kept.updated_at = at.unix;
        let leads: Vec<Arc<Lead>> = gone.leads.iter().filter_map(|lead| self.lead(*lead)).collect();
        for lead in leads {
            let contacts =
                lead.contacts.iter().map(|&contact| if contact == loser { winner } else { contact }).collect();
            self.keep_lead(Lead { contacts, ..Arc::unwrap_or_clone(lead) });
        }
        self.keep_contact(loser, None, at);
        let kept = self.keep_contact(winner, Some(kept), at);
        let before = json!([{"merged_contact": {"id": loser}}]);
        self.events.push(Event { before, ..Event::new("entity_merged", "contact", winner, at.unix) });
        kept.into_iter().for_each(|contact| self.tell_contact("update", contact, None));
        self.tell_contact("delete", Arc::new(gone), None);
        Ok(())
    }

    /// A new open lead of a contact, whose own `updated_at` it leaves alone.
    pub(super) fn add_lead(&mut self, contact: u64, name: &str, price: u64, at: Moment) -> Result<u64, NoSuchRecord> {
        let mut person = self.live_contact(contact)?;
        let id = self.take_id();
        let lead = Lead {
            id,
            name: name.to_owned(),
            price,
            owner: person.owner,
            pipeline: office::SALES,
            status: office::FIRST_CONTACT,
            contacts: vec![contact],
            company: person.company,
            created_at: at.unix,
            updated_at: at.unix,
            closed_at: None,
            elements: Vec::new(),
            is_deleted: false,
        };
        person.leads.push(id);
        self.keep_contact(contact, Some(person), at);
        let kept = self.keep_lead(lead);
        self.note("lead_added", "lead", id, at);
        self.note("entity_linked", "contact", contact, at);
        self.tell_lead("add", kept, None);
        Ok(id)
    }

    /// Edits a lead; a new stage is told as one.
    pub(super) fn update_lead(
        &mut self,
        id: u64,
        edit: impl FnOnce(&mut Lead),
        at: Moment,
    ) -> Result<(), NoSuchRecord> {
        let old = self.live_lead(id)?;
        let mut new = old.clone();
        edit(&mut new);
        (new.id, new.is_deleted, new.updated_at) = (id, false, at.unix);
        new.closed_at = matches!(new.status, WON | LOST).then(|| old.closed_at.unwrap_or(at.unix));
        let moved = (old.pipeline, old.status) != (new.pipeline, new.status);
        if moved {
            self.note("lead_status_changed", "lead", id, at);
        }
        if old.price != new.price {
            self.note("sale_field_changed", "lead", id, at);
        }
        let kept = self.keep_lead(new);
        self.tell_lead(if moved { "status" } else { "update" }, kept, moved.then_some((old.pipeline, old.status)));
        Ok(())
    }

    /// Takes an incoming lead into the pipeline. Webhooks tell it as the end of something unsorted.
    pub(super) fn accept_lead(&mut self, id: u64, at: Moment) -> Result<(), NoSuchRecord> {
        let old = self.live_lead(id)?;
        if old.status != office::INCOMING {
            return Err(NoSuchRecord { kind: "incoming lead", id });
        }
        let kept = self.keep_lead(Lead { status: office::FIRST_CONTACT, updated_at: at.unix, ..old });
        self.note("lead_status_changed", "lead", id, at);
        for contact in &kept.contacts {
            if let Ok(person) = self.live_contact(*contact) {
                self.keep_contact(*contact, Some(Contact { is_unsorted: false, ..person }), at);
            }
        }
        self.notices.push(Notice::Accepted { lead: kept });
        Ok(())
    }

    /// Moves a lead to the recycle bin; its id stays among its contacts' leads.
    pub(super) fn delete_lead(&mut self, id: u64, at: Moment) -> Result<(), NoSuchRecord> {
        let lead = Lead { is_deleted: true, updated_at: at.unix, ..self.live_lead(id)? };
        let kept = self.keep_lead(lead);
        self.note("lead_deleted", "lead", id, at);
        self.tell_lead("delete", kept, None);
        Ok(())
    }

    /// Edits a company.
    pub(super) fn update_company(
        &mut self,
        id: u64,
        edit: impl FnOnce(&mut Company),
        at: Moment,
    ) -> Result<(), NoSuchRecord> {
        let old = self.company(id).ok_or(NoSuchRecord { kind: "company", id })?;
        let mut new = Arc::unwrap_or_clone(old);
        edit(&mut new);
        (new.id, new.updated_at) = (id, at.unix);
        let new = Arc::new(new);
        self.companies.insert(id, Arc::clone(&new));
        self.notices.push(Notice::Company { action: "update", company: new });
        Ok(())
    }
}

fn absorb(winner: &mut Contact, loser: &Contact) {
    let joined = |own: Vec<String>, other: Vec<String>| {
        let extra: Vec<String> = other.into_iter().filter(|value| !own.contains(value)).collect();
        [own, extra].concat()
    };
    let (phones, emails) = (joined(winner.phones(), loser.phones()), joined(winner.emails(), loser.emails()));
    winner.set_phones(&phones.iter().map(String::as_str).collect::<Vec<_>>());
    winner.set_emails(&emails.iter().map(String::as_str).collect::<Vec<_>>());
    winner.leads.extend(loser.leads.iter().filter(|lead| !winner.leads.contains(lead)).copied().collect::<Vec<_>>());
    winner.tags.extend(loser.tags.iter().cloned());
    winner.company = winner.company.or(loser.company);
}
