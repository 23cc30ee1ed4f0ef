//! What a fill does: search the CRM in one form after another until somebody owns the number, then make cards.
//!
//! "Nobody" is said only when every search was answered in full. Anything less is an error, so that it can never be taken for an answer.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::enrich::{Enricher, Verified};
use super::outage::Outage;
use super::plan::Plan;
use super::{Calibration, Settings, Upstream};
use crate::cache::{FillError, Patience, Search, Source};
use crate::card::Card;
use crate::contact::ContactId;
use crate::crm::{self, Ask, CrmClient, CrmError};
use crate::matching;
use crate::metrics::Metrics;
use crate::outcome::Class;
use crate::phone::{Number, Region};

/// The CRM as the cache sees it.
#[derive(Debug)]
pub(super) struct CrmSource {
    client: CrmClient,
    enricher: Enricher,
    plan: Plan,
    outage: Outage,
    region: Region,
    metrics: Arc<Metrics>,
}

impl CrmSource {
    pub(super) fn new(settings: Settings, crm: Upstream, calibration: Calibration, metrics: Arc<Metrics>) -> Self {
        let Settings { region, leads, .. } = settings;
        let client = crm.client.clone();
        let enricher = Enricher { crm, leads, region };
        Self { client, enricher, plan: Plan::new(calibration), outage: Outage::default(), region, metrics }
    }

    /// The contacts that own the number. Nobody is an empty list, and only if every search was answered in full.
    ///
    /// A contact that is expected to own it is asked for by its id, as the search may not know yet. If it does own it, one search is
    /// enough to find who else does.
    async fn owners(&self, asked: &Number, search: &Search) -> Result<Vec<Verified>, FillError> {
        let ask = ask(search.class, search.patience);
        if search.expected.is_empty() {
            return self.found(asked, ask, usize::MAX).await;
        }
        match self.expected(asked, &search.expected, ask).await {
            Ok(named) if named.is_empty() => self.found(asked, ask.begun(), usize::MAX).await,
            Ok(named) => {
                search.early.offer(&self.enricher.at_once(&named));
                let others = self.found(asked, ask.begun(), 1).await.unwrap_or_default();
                Ok(joined(named, others))
            }
            Err(error) => match self.found(asked, ask, usize::MAX).await {
                // Somebody is said to have it who could not be asked for.
                Ok(found) if found.is_empty() => Err(error),
                found => found,
            },
        }
    }

    /// Those of these contacts that own the number.
    async fn expected(&self, asked: &Number, ids: &[ContactId], ask: Ask) -> Result<Vec<Verified>, FillError> {
        let contacts = self.client.contacts(ids, ask).await.map_err(fill_error)?;
        let owners = matching::owners(contacts, asked, self.region);
        self.metrics.verdict(matching::verdict(owners.len(), true));
        Ok(owners)
    }

    /// The owners that the CRM's search finds, with at most so many forms of the number.
    async fn found(&self, asked: &Number, mut ask: Ask, forms: usize) -> Result<Vec<Verified>, FillError> {
        let mut complete = false;
        for text in self.plan.texts(asked.e164).into_iter().take(forms) {
            let Ok(query) = crm::SearchText::new(text.text) else {
                continue; // Too short a text finds only strangers.
            };
            let page = self.outage.heed(self.client.search(&query, ask).await).map_err(fill_error)?;
            let owners = matching::owners(page.contacts, asked, self.region);
            self.metrics.verdict(matching::verdict(owners.len(), page.complete));
            if !owners.is_empty() {
                self.plan.found(text.form);
                return Ok(owners);
            }
            if !page.complete {
                return Err(FillError::Incomplete);
            }
            complete = true;
            ask = ask.begun();
        }
        if complete { Ok(Vec::new()) } else { Err(FillError::Incomplete) }
    }

    async fn fill(&self, search: Search) -> Result<Vec<Card>, FillError> {
        let asked = Number { e164: search.key, extension: None };
        let owners = self.owners(&asked, &search).await?;
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        search.early.offer(&self.enricher.at_once(&owners));
        Ok(self.enricher.in_full(&owners, ask(search.class, search.patience).begun()).await)
    }

    async fn fetch(&self, ids: &[ContactId], patience: Patience) -> Result<Vec<Card>, FillError> {
        let ask = ask(Class::Background, patience);
        let contacts = self.outage.heed(self.client.contacts(ids, ask).await).map_err(fill_error)?;
        let verified: Vec<Verified> = contacts
            .into_iter()
            .filter(|contact| !contact.is_deleted)
            .map(|contact| {
                let numbers = matching::numbers(&contact, self.region);
                (contact, numbers)
            })
            .collect();
        Ok(self.enricher.in_full(&verified, ask.begun()).await)
    }
}

impl Source for CrmSource {
    fn find(&self, search: Search) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        Box::pin(self.fill(search))
    }

    fn refetch(&self, ids: Vec<ContactId>, patience: Patience) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        Box::pin(async move { self.fetch(&ids, patience).await })
    }
}

const fn ask(class: Class, Patience { start_by, done_by }: Patience) -> Ask {
    Ask { class, start_by, until: done_by }
}

/// Both, each once.
fn joined(mut named: Vec<Verified>, others: Vec<Verified>) -> Vec<Verified> {
    let is_new = |(other, _): &Verified| !named.iter().any(|(contact, _)| contact.id == other.id);
    let others: Vec<_> = others.into_iter().filter(is_new).collect();
    named.extend(others);
    named
}

/// What a failed call means for the fill.
fn fill_error(error: CrmError) -> FillError {
    match error {
        CrmError::QuotaExhausted { wait } => FillError::Overloaded { retry_after: wait },
        CrmError::Suspended { retry_after } => FillError::Suspended { retry_after },
        // The gate keeps the pause the CRM asked for; nothing is to be remembered of this number.
        CrmError::RateLimited { retry_after } => FillError::Suspended { retry_after: retry_after.unwrap_or_default() },
        CrmError::Timeout => FillError::TimedOut,
        CrmError::Connect
        | CrmError::Blocked
        | CrmError::Unauthorized
        | CrmError::PaymentRequired
        | CrmError::Forbidden
        | CrmError::WrongHost
        | CrmError::Rejected { .. }
        | CrmError::Server { .. }
        | CrmError::Malformed { .. } => FillError::Failed,
    }
}
