//! Records by their ids: what hints, events and other records have named.

use std::collections::HashSet;
use std::hash::Hash;

use super::super::batch::Kind;
use super::{Feed, FeedError};
use crate::contact::{CompanyId, Contact, ContactId, LeadId};
use crate::crm::{CrmError, LinkedLead, MOST_IN_WINDOW, NamedCompany};

/// How often what was fetched may name something else.
const ROUNDS: usize = 4;

impl Feed {
    /// Fetches a batch if at least so many records of the kind are wanted; tells whether it did.
    pub(super) async fn fetch_some(&mut self, kind: Kind, least: usize) -> Result<bool, FeedError> {
        let ids = self.directory.store().view()?.wanted(kind, MOST_IN_WINDOW)?;
        if ids.is_empty() || ids.len() < least {
            return Ok(false);
        }
        match kind {
            Kind::Contact => self.fetch_contacts(ids).await?,
            Kind::Lead => self.fetch_leads(ids).await?,
            Kind::Company => self.fetch_companies(ids).await?,
        }
        Ok(true)
    }

    /// Fetches until nothing is wanted any more.
    pub(super) async fn fetch_all(&mut self) -> Result<(), FeedError> {
        // A lead may name a contact that names further leads; two that never agree are left for the next time.
        for _ in 0..ROUNDS {
            let mut fetched = false;
            for kind in [Kind::Contact, Kind::Lead, Kind::Company] {
                while self.fetch_some(kind, 1).await? {
                    fetched = true;
                }
            }
            if !fetched {
                break;
            }
        }
        Ok(())
    }

    async fn fetch_contacts(&mut self, ids: Vec<u64>) -> Result<(), FeedError> {
        let then = self.directory.0.hints.now();
        let ids: Vec<ContactId> = ids.into_iter().map(ContactId).collect();
        let mut contacts = self.contacts_of(&ids).await?;
        let missing = missing(&ids, contacts.iter().map(|contact| contact.id));
        if !missing.is_empty() {
            contacts.extend(self.contacts_of(&missing).await?);
        }
        let (now, asked) = (self.directory.0.clock.seconds(), ids.clone());
        self.commit(self.state.clone(), move |batch| {
            let gone = self::missing(&asked, contacts.iter().map(|contact| contact.id));
            gone.into_iter().try_for_each(|id| batch.remove_contact(id))?;
            contacts.into_iter().try_for_each(|contact| batch.put_contact(contact, now))
        })
        .await?;
        self.directory.0.hints.settle(&ids, then);
        Ok(())
    }

    async fn contacts_of(&mut self, ids: &[ContactId]) -> Result<Vec<Contact>, FeedError> {
        self.ask(|crm, ask| async move { crm.contacts(ids, ask).await }).await
    }

    async fn fetch_leads(&mut self, ids: Vec<u64>) -> Result<(), FeedError> {
        let ids: Vec<LeadId> = ids.into_iter().map(LeadId).collect();
        let mut leads = match self.leads_of(&ids).await {
            // Their ids are shown; there is no use in asking on.
            Err(FeedError::Crm(CrmError::Forbidden)) => return self.give_leads_up(ids).await,
            answer => answer?,
        };
        let missing = missing(&ids, leads.iter().map(|linked| linked.lead.id));
        if !missing.is_empty() {
            leads.extend(self.leads_of(&missing).await?);
        }
        self.commit(self.state.clone(), move |batch| {
            let gone = self::missing(&ids, leads.iter().map(|linked| linked.lead.id));
            gone.into_iter().try_for_each(|id| batch.remove_lead(id))?;
            leads.iter().try_for_each(|linked| batch.put_lead(linked))
        })
        .await
    }

    async fn leads_of(&mut self, ids: &[LeadId]) -> Result<Vec<LinkedLead>, FeedError> {
        self.ask(|crm, ask| async move { crm.linked_leads(ids, ask).await }).await
    }

    async fn give_leads_up(&mut self, ids: Vec<LeadId>) -> Result<(), FeedError> {
        self.commit(self.state.clone(), move |batch| ids.iter().try_for_each(|id| batch.unwant(Kind::Lead, id.0))).await
    }

    async fn fetch_companies(&mut self, ids: Vec<u64>) -> Result<(), FeedError> {
        let ids: Vec<CompanyId> = ids.into_iter().map(CompanyId).collect();
        let question = &ids;
        let companies = match self.ask(|crm, ask| async move { crm.named_companies(question, ask).await }).await {
            Err(FeedError::Crm(CrmError::Forbidden)) => Vec::new(),
            answer => answer?,
        };
        self.commit(self.state.clone(), move |batch| {
            // One that does not come has no name to show.
            ids.iter().try_for_each(|id| batch.put_company(&NamedCompany { id: *id, name: None, updated_at: None }))?;
            companies.iter().try_for_each(|company| batch.put_company(company))
        })
        .await
    }
}

/// Those that did not come. They are asked for once more before they count as gone: the CRM is known to answer with nothing at times.
fn missing<I: Copy + Eq + Hash>(asked: &[I], came: impl Iterator<Item = I>) -> Vec<I> {
    let came: HashSet<I> = came.collect();
    asked.iter().copied().filter(|id| !came.contains(id)).collect()
}
