//! What a fill does: search the CRM in one form after another until somebody owns the number, then make cards.
//!
//! "Nobody" is said only when every search was answered in full. Anything less is an error, so that it can never be taken for an answer.
//! Where companies are looked at too, that goes for them as well: a number that no contact has is nobody's only if no company has it.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::enrich::{Enricher, Verified};
use super::outage::Outage;
use super::plan::Plan;
use super::{Calibration, Settings, Upstream};
use crate::cache::{FillError, Patience, Search, Source};
use crate::card::Card;
use crate::contact::{CompanyId, ContactId, PartyId};
use crate::crm::{self, Ask, CrmClient, CrmError, Permission};
use crate::matching;
use crate::metrics::Metrics;
use crate::outcome::Class;
use crate::phone::{Number, Region};

/// The CRM as the cache sees it.
#[derive(Debug)]
pub(super) struct CrmSource {
    client: CrmClient,
    enricher: Enricher,
    contacts: Plan,
    /// Absent when companies are not looked at.
    companies: Option<Companies>,
    outage: Outage,
    region: Region,
    metrics: Arc<Metrics>,
}

/// How companies are searched for. What forms their numbers are typed in is learnt apart from the contacts'.
#[derive(Debug)]
struct Companies {
    plan: Plan,
    right: Permission,
}

/// Whose numbers are searched.
#[derive(Clone, Copy, Debug)]
enum Among<'a> {
    Contacts,
    Companies(&'a Permission),
}

impl CrmSource {
    pub(super) fn new(settings: Settings, crm: Upstream, calibration: Calibration, metrics: Arc<Metrics>) -> Self {
        let Settings { region, leads, companies, .. } = settings;
        let client = crm.client.clone();
        let enricher = Enricher::new(crm, leads, region);
        let companies = companies.then(|| Companies {
            plan: Plan::new(calibration.clone()),
            right: Permission::new(
                "companies",
                "CALLCARD_COMPANIES is on: numbers that no contact has cannot be answered",
            ),
        });
        Self {
            client,
            enricher,
            contacts: Plan::new(calibration),
            companies,
            outage: Outage::default(),
            region,
            metrics,
        }
    }

    /// The contacts that own the number, or the companies if no contact does. Nobody is an empty list, and only if every search was
    /// answered in full.
    ///
    /// A contact that is expected to own it is asked for by its id, as the search may not know yet. If it does own it, one search is
    /// enough to find who else does.
    async fn owners(&self, asked: &Number, search: &Search) -> Result<Vec<Verified>, FillError> {
        let ask = ask(search.class, search.patience);
        if search.expected.is_empty() {
            return self.found(asked, ask).await;
        }
        match self.expected(asked, &search.expected, ask).await {
            Ok(named) if named.is_empty() => self.found(asked, ask.begun()).await,
            Ok(named) => {
                search.early.offer(&self.enricher.at_once(&named));
                let others =
                    self.search(&self.contacts, Among::Contacts, asked, ask.begun(), 1).await.unwrap_or_default();
                Ok(joined(named, others))
            }
            Err(error) => match self.found(asked, ask).await {
                // Somebody is said to have it who could not be asked for.
                Ok(found) if found.is_empty() => Err(error),
                found => found,
            },
        }
    }

    /// Those of these contacts that own the number.
    async fn expected(&self, asked: &Number, ids: &[ContactId], ask: Ask) -> Result<Vec<Verified>, FillError> {
        let contacts = self.client.contacts(ids, ask).await.map_err(fill_error)?;
        let parties = contacts.into_iter().map(|contact| contact.with_id(PartyId::from)).collect();
        let owners = matching::owners(parties, asked, self.region);
        self.metrics.verdict(matching::verdict(owners.len(), true));
        Ok(owners)
    }

    /// The contacts that the CRM's search finds, or the companies if it finds none.
    async fn found(&self, asked: &Number, ask: Ask) -> Result<Vec<Verified>, FillError> {
        let owners = self.search(&self.contacts, Among::Contacts, asked, ask, usize::MAX).await?;
        match &self.companies {
            Some(companies) if owners.is_empty() => {
                // While the right to see them is refused nothing can be said, and nothing is asked.
                if companies.right.is_refused() {
                    return Err(FillError::Failed);
                }
                let among = Among::Companies(&companies.right);
                self.search(&companies.plan, among, asked, ask.begun(), usize::MAX).await
            }
            _ => Ok(owners),
        }
    }

    /// The owners of the number among these, searched for with at most so many texts.
    async fn search(
        &self,
        plan: &Plan,
        among: Among<'_>,
        asked: &Number,
        mut ask: Ask,
        most: usize,
    ) -> Result<Vec<Verified>, FillError> {
        let mut complete = false;
        for text in plan.texts(asked.e164).into_iter().take(most) {
            let Ok(query) = crm::SearchText::new(text.text) else {
                continue; // Too short a text finds only strangers.
            };
            let page = self.page(among, &query, ask).await.map_err(fill_error)?;
            let owners = matching::owners(page.contacts, asked, self.region);
            self.metrics.verdict(matching::verdict(owners.len(), page.complete));
            if !owners.is_empty() {
                plan.found(text.form);
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

    async fn page(&self, among: Among<'_>, text: &crm::SearchText, ask: Ask) -> Result<crm::Page<PartyId>, CrmError> {
        match among {
            Among::Contacts => self.outage.heed(self.client.search(text, ask).await).map(crm::Page::of_parties),
            Among::Companies(right) => {
                let page = self.client.search_companies(text, ask).await;
                right.learn(&page);
                page.map(crm::Page::of_parties)
            }
        }
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

    async fn fetch(&self, ids: &[PartyId], patience: Patience) -> Result<Vec<Card>, FillError> {
        let ask = ask(Class::Background, patience);
        let contacts: Vec<ContactId> = ids.iter().filter_map(|id| id.contact()).collect();
        let companies: Vec<CompanyId> = ids.iter().filter_map(|id| id.company()).collect();
        let contacts = match contacts.is_empty() {
            true => Vec::new(), // Nothing asked: no news of the CRM.
            false => self.outage.heed(self.client.contacts(&contacts, ask).await).map_err(fill_error)?,
        };
        let companies = self.client.whole_companies(&companies, ask).await.map_err(fill_error)?;
        let contacts = contacts.into_iter().map(|contact| contact.with_id(PartyId::from));
        let companies = companies.into_iter().map(|company| company.with_id(PartyId::from));
        let parties = contacts.chain(companies).filter(|party| !party.is_deleted);
        let verified: Vec<Verified> = parties
            .map(|party| {
                let numbers = matching::numbers(&party, self.region);
                (party, numbers)
            })
            .collect();
        Ok(self.enricher.in_full(&verified, ask.begun()).await)
    }
}

impl Source for CrmSource {
    fn find(&self, search: Search) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        Box::pin(self.fill(search))
    }

    fn refetch(&self, ids: Vec<PartyId>, patience: Patience) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
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
