//! Lists as the mirror reads them: a window at a time, in ascending order of ids; and the account's journal of events.
//!
//! A page of the API is a place in a list that shifts while it is read: whatever is deleted before a page moves every later record one
//! place up. So a [`Window`] says only where to look; whether nothing was skipped is for the reader to see by the ids that came.

use super::client::Ask;
use super::wire::{Listing, Record, Tail};
use super::{CrmClient, CrmError, query};
use crate::contact::{CompanyId, Contact, ContactId, Lead, LeadId, UnixSeconds};
use crate::outcome::Endpoint;

/// The most records that one window can hold.
pub const MOST_IN_WINDOW: usize = query::LIMIT;

/// A place in a list that is ordered by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Counted from 1, in windows of `limit` records.
    pub page: usize,
    /// Records in the window, at most [`MOST_IN_WINDOW`].
    pub limit: usize,
    /// Only records that were changed then or later.
    pub changed_since: Option<UnixSeconds>,
}

impl Window {
    /// How many records of the list come before it.
    #[must_use]
    pub const fn offset(&self) -> usize {
        (self.page - 1) * self.limit
    }
}

/// What was in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice<R> {
    /// The live records, in the CRM's order.
    pub records: Vec<R>,
    /// Whether the list goes on behind it.
    pub more: bool,
}

/// A lead and the contacts that it is linked to.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkedLead {
    /// The lead.
    pub lead: Lead,
    /// Its contacts.
    pub contacts: Vec<ContactId>,
}

/// A company, as far as cards name it.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedCompany {
    /// Its id.
    pub id: CompanyId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<UnixSeconds>,
}

impl std::fmt::Debug for NamedCompany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamedCompany").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An entry of the account's journal: something happened to these records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id, unlike all others a text.
    pub id: String,
    /// When it happened.
    pub at: Option<UnixSeconds>,
    /// The contacts it names: the one it happened to, one that was merged, one that was linked.
    pub contacts: Vec<ContactId>,
    /// The leads it names.
    pub leads: Vec<LeadId>,
}

/// The end of a list that was changed last, or begun last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latest {
    /// The record with the latest change.
    Change,
    /// The record with the highest id.
    Id,
}

impl CrmClient {
    /// Contacts by id, with the ids of their leads.
    ///
    /// # Errors
    /// When the window could not be had.
    pub async fn contacts_window(&self, window: Window, ask: Ask) -> Result<Slice<Contact>, CrmError> {
        self.slice(Endpoint::ContactsList, query::window(query::CONTACTS, window), ask).await
    }

    /// Leads by id, with their contacts.
    ///
    /// # Errors
    /// When the window could not be had.
    pub async fn leads_window(&self, window: Window, ask: Ask) -> Result<Slice<LinkedLead>, CrmError> {
        self.slice(Endpoint::Leads, query::window(query::LEADS, window), ask).await
    }

    /// Companies by id.
    ///
    /// # Errors
    /// When the window could not be had.
    pub async fn companies_window(&self, window: Window, ask: Ask) -> Result<Slice<NamedCompany>, CrmError> {
        self.slice(Endpoint::Companies, query::window(query::COMPANIES, window), ask).await
    }

    /// These companies, in any order.
    ///
    /// # Errors
    /// When not every batch could be had.
    pub async fn named_companies(&self, ids: &[CompanyId], ask: Ask) -> Result<Vec<NamedCompany>, CrmError> {
        self.batches(Endpoint::Companies, query::companies_by_id(ids.iter().map(|id| id.0)), ask).await
    }

    /// These leads with their contacts, in any order. One that does not come back does not exist, or not for this token.
    ///
    /// # Errors
    /// When not every batch could be had.
    pub async fn linked_leads(&self, ids: &[LeadId], ask: Ask) -> Result<Vec<LinkedLead>, CrmError> {
        self.batches(Endpoint::Leads, query::linked_leads_by_id(ids.iter().map(|id| id.0)), ask).await
    }

    /// The contact at the end of the list; none in an empty account.
    ///
    /// # Errors
    /// When it could not be had.
    pub async fn latest_contact(&self, by: Latest, ask: Ask) -> Result<Option<Contact>, CrmError> {
        let slice = self.slice(Endpoint::ContactsList, query::latest(query::CONTACTS, by), ask).await?;
        Ok(slice.records.into_iter().next())
    }

    /// The lead at the end of the list; none in an empty account.
    ///
    /// # Errors
    /// When it could not be had.
    pub async fn latest_lead(&self, by: Latest, ask: Ask) -> Result<Option<Lead>, CrmError> {
        let slice: Slice<LinkedLead> = self.slice(Endpoint::Leads, query::latest(query::LEADS, by), ask).await?;
        Ok(slice.records.into_iter().next().map(|linked| linked.lead))
    }

    /// A page of the journal, counted from 1: what has happened to contacts and leads since then, the latest first.
    ///
    /// # Errors
    /// When it could not be had; [`CrmError::Forbidden`] where the token's user may not read it.
    pub async fn events(&self, since: UnixSeconds, page: usize, ask: Ask) -> Result<Slice<Event>, CrmError> {
        self.slice(Endpoint::Events, query::events(since, page), ask).await
    }

    async fn slice<R: Record>(&self, endpoint: Endpoint, path: String, ask: Ask) -> Result<Slice<R>, CrmError> {
        let Listing { records, tail } = self.call(endpoint, &path, ask).await?;
        match tail {
            Tail::End => Ok(Slice { records, more: false }),
            Tail::More => Ok(Slice { records, more: true }),
            Tail::Unsaid => Err(CrmError::Malformed { what: "it has no list" }),
            Tail::Failed(error) => Err(error),
        }
    }
}
