//! The account behind the API: what is true in it, and the person who changes that.

use std::sync::Arc;

use tokio::time::Instant;

use super::Sandbox;
use super::changes::{Moment, NoSuchRecord};
use super::delivery;
use super::fixtures::office::OLIVIA;
use super::record::{Company, Contact, Lead};
use super::webhooks::Webhook;
use super::world::World;

/// The truth.
impl Sandbox {
    /// Every contact as it is now, those in the recycle bin included, by id.
    #[must_use = "the contacts are made as the iterator is read"]
    pub fn truth(&self) -> impl Iterator<Item = Contact> + use<> {
        let (sandbox, ids) = (self.clone(), self.world().contact_ids());
        ids.into_iter().filter_map(move |id| sandbox.contact(id))
    }

    /// A contact as it is now.
    #[must_use]
    pub fn contact(&self, id: u64) -> Option<Contact> {
        self.world().contact(id).map(Arc::unwrap_or_clone)
    }

    /// A lead as it is now.
    #[must_use]
    pub fn lead(&self, id: u64) -> Option<Lead> {
        self.world().lead(id).map(Arc::unwrap_or_clone)
    }

    /// A company as it is now.
    #[must_use]
    pub fn company(&self, id: u64) -> Option<Company> {
        self.world().company(id).map(Arc::unwrap_or_clone)
    }
}

/// The person who edits. Webhooks that are due set out at once; where they are delivered over HTTP this needs a tokio runtime.
impl Sandbox {
    /// A new contact, owned by the administrator.
    #[expect(clippy::must_use_candidate, reason = "who only wants one more contact need not know its id")]
    pub fn add_contact(&self, name: &str, phones: &[&str]) -> u64 {
        self.change(|world, at| world.add_contact(name, phones, OLIVIA, at))
    }

    /// Edits a contact.
    ///
    /// # Errors
    /// If it does not exist or is in the recycle bin.
    pub fn update_contact(&self, id: u64, edit: impl FnOnce(&mut Contact)) -> Result<(), NoSuchRecord> {
        self.change(|world, at| world.update_contact(id, edit, at))
    }

    /// Gives a contact other numbers.
    ///
    /// # Errors
    /// If it does not exist or is in the recycle bin.
    pub fn set_phones(&self, id: u64, phones: &[&str]) -> Result<(), NoSuchRecord> {
        self.update_contact(id, |contact| contact.set_phones(phones))
    }

    /// Moves a contact to the recycle bin.
    ///
    /// # Errors
    /// If it does not exist or is there already.
    pub fn delete_contact(&self, id: u64) -> Result<(), NoSuchRecord> {
        self.change(|world, at| world.delete_contact(id, at))
    }

    /// Takes a contact out of the recycle bin.
    ///
    /// # Errors
    /// If it is not there.
    pub fn restore_contact(&self, id: u64) -> Result<(), NoSuchRecord> {
        self.change(|world, at| world.restore_contact(id, at))
    }

    /// Joins `loser` into `winner`, which keeps its id; the loser is gone.
    ///
    /// # Errors
    /// If either does not exist, or they are the same.
    pub fn merge(&self, winner: u64, loser: u64) -> Result<(), NoSuchRecord> {
        self.change(|world, at| world.merge(winner, loser, at))
    }

    /// A new open lead of a contact.
    ///
    /// # Errors
    /// If the contact does not exist.
    pub fn add_lead(&self, contact: u64, name: &str, price: u64) -> Result<u64, NoSuchRecord> {
        self.change(|world, at| world.add_lead(contact, name, price, at))
    }

    /// Edits a lead.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn update_lead(&self, id: u64, edit: impl FnOnce(&mut Lead)) -> Result<(), NoSuchRecord> {
        self.change(|world, at| world.update_lead(id, edit, at))
    }

    /// Moves a lead to another stage.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn move_lead(&self, id: u64, pipeline: u64, status: u64) -> Result<(), NoSuchRecord> {
        self.update_lead(id, |lead| (lead.pipeline, lead.status) = (pipeline, status))
    }

    /// Accepts an incoming lead: it goes to the first stage, and its contacts are no longer unsorted.
    ///
    /// # Errors
    /// If it does not exist or is not an incoming one.
    pub fn accept_lead(&self, id: u64) -> Result<(), NoSuchRecord> {
        self.change(|world, at| world.accept_lead(id, at))
    }

    /// Moves a lead to the recycle bin.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn delete_lead(&self, id: u64) -> Result<(), NoSuchRecord> {
        self.change(|world, at| world.delete_lead(id, at))
    }

    /// Edits a company.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn update_company(&self, id: u64, edit: impl FnOnce(&mut Company)) -> Result<(), NoSuchRecord> {
        self.change(|world, at| world.update_company(id, edit, at))
    }

    /// The webhooks held so far, where [`WebhookSettings::deliver`](super::WebhookSettings::deliver) is off.
    #[must_use]
    pub fn take_webhooks(&self) -> Vec<Webhook> {
        std::mem::take(&mut self.hooks().held)
    }

    fn change<T>(&self, change: impl FnOnce(&mut World, Moment) -> T) -> T {
        let at = Moment { unix: self.unix(), indexed_at: Instant::now() + self.settings().index_delay };
        let (result, notices) = {
            let mut world = self.world();
            (change(&mut world, at), std::mem::take(&mut world.notices))
        };
        delivery::dispatch(self, notices);
        result
    }
}
