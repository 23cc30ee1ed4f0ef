//! The questions the service has for the CRM, each one method.
//!
//! Every request goes the same way, [`CrmClient::call`]: leave from the gate, the wire, the reading, the count, and the gate told how it
//! went. A failure that may pass is tried once more if the gate's budget allows, with a slot of its own. Nobody is kept beyond
//! [`Ask::until`]. A request whose token turns out to be outdated is sent once more with the next one.

mod call;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::call::Question;

use super::gate::Gate;
use super::query::{self, SearchText};
use super::rights::{Glance, Right};
use super::subscriptions::Subscription;
use super::wire::{Answer, Groups, Listing, Named, Pipeline, Record, Specimen, Tail, User};
use super::{CrmError, TokenSource, Transport};
use crate::contact::{Account, CatalogId, CompanyId, Contact, ContactId, ElementId, Lead, LeadId, PartyId};
use crate::metrics::Metrics;
use crate::outcome::{Class, Endpoint};

/// How the CRM is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// One request, from the first byte sent to the last received, is over by then. Default 7 s: of a CRM that takes five, the next caller
    /// still has the name, and a second is left for the leads.
    pub request_timeout: Duration,
    /// With less time left than this no request is sent: no answer could come. Default 50 ms.
    pub least_time: Duration,
    /// A request that was given less time than this and ran out of it says nothing about the CRM: our own line took the rest. Default 1 s.
    pub fair_time: Duration,
    /// Pages of one search, the first included. Default 4, which is 1000 candidates.
    pub page_cap: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(7),
            least_time: Duration::from_millis(50),
            fair_time: Duration::from_secs(1),
            page_cap: 4,
        }
    }
}

/// A batch of ids fits one page; more are followed only if the CRM cuts its pages shorter than asked.
const BATCH_PAGES: usize = 4;
/// An account has thousands of users at most.
const USER_PAGES: usize = 20;

/// On whose behalf a question is asked, and for how long they will wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who goes first when slots are short.
    pub class: Class,
    /// If the first request cannot be sent by then, none is: nobody would wait for its answer.
    pub start_by: Instant,
    /// The end of all patience: queue, requests and retry together.
    pub until: Instant,
}

impl Ask {
    /// Somebody waits for it, this long.
    #[must_use]
    pub fn live(patience: Duration) -> Self {
        Self::within(Class::Live, patience)
    }

    /// Nobody waits for it.
    #[must_use]
    pub fn background(patience: Duration) -> Self {
        Self::within(Class::Background, patience)
    }

    fn within(class: Class, patience: Duration) -> Self {
        let until = Instant::now() + patience;
        Self { class, start_by: until, until }
    }

    /// The same question once it has begun: the rest is worth waiting for.
    #[must_use]
    pub const fn begun(self) -> Self {
        Self { start_by: self.until, ..self }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// What a search among contacts, or companies, brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<Id = ContactId> {
    /// The candidates, each once: the CRM's search is fuzzy.
    pub contacts: Vec<Contact<Id>>,
    /// Whether these are all. If not, nobody may conclude that a contact does not exist.
    pub complete: bool,
}

impl<Id: Into<PartyId>> Page<Id> {
    /// The same, where contacts and companies may meet.
    #[must_use]
    pub fn of_parties(self) -> Page<PartyId> {
        let parties = self.contacts.into_iter().map(|contact| contact.with_id(Into::into)).collect();
        Page { contacts: parties, complete: self.complete }
    }
}

/// The CRM, as the rest of the service knows it. Cheap to clone.
#[derive(Clone)]
pub struct CrmClient {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    tokens: TokenSource,
    transport: Arc<dyn Transport>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for CrmClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrmClient").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl CrmClient {
    /// A client that sends through this transport, with these tokens, when this gate lets it.
    #[must_use]
    pub fn new(
        settings: Settings,
        tokens: TokenSource,
        transport: Arc<dyn Transport>,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { shared: Arc::new(Shared { settings, tokens, transport, gate, metrics }) }
    }

    /// Contacts in which the text occurs somewhere.
    ///
    /// Further pages are followed up to the cap. If one of them fails, what came before is still an answer, though not a complete one.
    ///
    /// # Errors
    /// When the first page could not be had.
    pub async fn search(&self, text: &SearchText, ask: Ask) -> Result<Page, CrmError> {
        self.found(Endpoint::ContactsQuery, query::contacts_with(text), ask).await
    }

    /// Companies in which the text occurs somewhere; as with [`Self::search`].
    ///
    /// # Errors
    /// When the first page could not be had.
    pub async fn search_companies(&self, text: &SearchText, ask: Ask) -> Result<Page<CompanyId>, CrmError> {
        self.found(Endpoint::Companies, query::companies_with(text), ask).await
    }

    async fn found<Id: Copy + Ord>(&self, endpoint: Endpoint, path: String, ask: Ask) -> Result<Page<Id>, CrmError>
    where
        Contact<Id>: Record,
    {
        let cap = self.shared.settings.page_cap;
        let Listing { records: mut contacts, tail } = self.pages::<Contact<Id>>(endpoint, path, cap, ask).await?;
        if tail == Tail::Unsaid && contacts.is_empty() {
            return Err(CrmError::Malformed { what: "it has no list" });
        }
        // Pages shift when a contact is edited between two of them.
        contacts.sort_by_key(|contact| (contact.id, std::cmp::Reverse(contact.updated_at)));
        contacts.dedup_by_key(|contact| contact.id);
        Ok(Page { contacts, complete: tail == Tail::End })
    }

    /// These contacts, in any order. One that does not come back does not exist, or not for this token.
    ///
    /// # Errors
    /// When not every batch could be had.
    pub async fn contacts(&self, ids: &[ContactId], ask: Ask) -> Result<Vec<Contact>, CrmError> {
        self.batches(Endpoint::ContactsById, query::contacts_by_id(ids.iter().map(|id| id.0)), ask).await
    }

    /// These companies with all that is known of them, in any order. One that does not come back does not exist, or not for this token.
    ///
    /// # Errors
    /// When not every batch could be had.
    pub async fn whole_companies(&self, ids: &[CompanyId], ask: Ask) -> Result<Vec<Contact<CompanyId>>, CrmError> {
        self.batches(Endpoint::Companies, query::whole_companies_by_id(ids.iter().map(|id| id.0)), ask).await
    }

    /// These leads, in any order. One that does not come back does not exist, or not for this token.
    ///
    /// # Errors
    /// When not every batch could be had.
    pub async fn leads(&self, ids: &[LeadId], ask: Ask) -> Result<Vec<Lead>, CrmError> {
        self.batches(Endpoint::Leads, query::leads_by_id(ids.iter().map(|id| id.0)), ask).await
    }

    /// One page of the account's contacts, the oldest first, as a search may see them; and whether there are more.
    ///
    /// # Errors
    /// When it could not be had.
    pub async fn specimens(&self, page: usize, ask: Ask) -> Result<(Vec<Specimen>, bool), CrmError> {
        let path = query::contacts_in_order(page);
        let Listing { records, tail } = self.call::<Listing<Specimen>>(Endpoint::ContactsList, &path, ask).await?;
        Ok((records, tail == Tail::More))
    }

    /// The account behind the token: the cheapest proof that URL and token are right.
    ///
    /// # Errors
    /// When it could not be had.
    pub async fn account(&self, ask: Ask) -> Result<Account, CrmError> {
        self.call(Endpoint::Account, query::ACCOUNT, ask).await
    }

    /// Whether the token may list these, by asking for one of them.
    ///
    /// # Errors
    /// [`CrmError::Forbidden`] if it may not; any other error leaves the question open.
    pub async fn may_list(&self, right: Right, ask: Ask) -> Result<(), CrmError> {
        self.call::<Glance>(right.endpoint(), right.path(), ask).await.map(drop)
    }

    /// Every subscription to webhooks.
    pub(super) async fn subscriptions(&self, ask: Ask) -> Result<Vec<Subscription>, CrmError> {
        self.pages(Endpoint::Webhooks, query::WEBHOOKS.to_owned(), 1, ask).await?.whole()
    }

    /// All pipelines with their stages.
    pub(super) async fn pipelines(&self, ask: Ask) -> Result<Vec<Pipeline>, CrmError> {
        self.pages(Endpoint::Pipelines, query::PIPELINES.to_owned(), 1, ask).await?.whole()
    }

    /// All users.
    pub(super) async fn users(&self, ask: Ask) -> Result<Vec<User>, CrmError> {
        self.pages(Endpoint::Users, query::users(), USER_PAGES, ask).await?.whole()
    }

    /// The groups of users.
    pub(super) async fn groups(&self, ask: Ask) -> Result<Groups, CrmError> {
        self.call(Endpoint::Account, query::GROUPS, ask).await
    }

    /// The names of these elements of one list.
    pub(super) async fn elements(
        &self,
        catalog: CatalogId,
        ids: &[ElementId],
        ask: Ask,
    ) -> Result<Vec<Named>, CrmError> {
        self.batches(Endpoint::Catalogs, query::elements_by_id(catalog.0, ids.iter().map(|id| id.0)), ask).await
    }

    /// The names of these companies.
    pub(super) async fn companies(&self, ids: &[CompanyId], ask: Ask) -> Result<Vec<Named>, CrmError> {
        self.batches(Endpoint::Companies, query::companies_by_id(ids.iter().map(|id| id.0)), ask).await
    }

    pub(super) async fn batches<R: Record>(
        &self,
        endpoint: Endpoint,
        paths: Vec<String>,
        ask: Ask,
    ) -> Result<Vec<R>, CrmError> {
        let mut records = Vec::new();
        for path in paths {
            records.extend(self.pages(endpoint, path, BATCH_PAGES, ask).await?.whole()?);
        }
        Ok(records)
    }

    /// The first page and those after it, up to the cap.
    async fn pages<R: Record>(
        &self,
        endpoint: Endpoint,
        path: String,
        cap: usize,
        ask: Ask,
    ) -> Result<Listing<R>, CrmError> {
        let mut list: Listing<R> = self.call(endpoint, &path, ask).await?;
        for number in 2..=cap {
            if list.tail != Tail::More {
                break;
            }
            match self.call::<Listing<R>>(endpoint, &query::page(&path, number), ask.begun()).await {
                // The page before promised this one: nothing in it is not the same as the end.
                Ok(next) if next.is_empty() => list.tail = Tail::Unsaid,
                Ok(next) => {
                    list.records.extend(next.records);
                    list.tail = next.tail;
                }
                Err(error) => list.tail = Tail::Failed(error),
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests;
