//! Names of companies, kept one by one: an account may have more of them than anybody wants to hold.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::time::Instant;

use super::{CompanyNames, Names, Settings};
use crate::contact::CompanyId;
use crate::crm::client::{Ask, CrmClient};
use crate::crm::{CrmError, wire::Named};

/// The companies met lately. Cheap to clone.
#[derive(Clone)]
pub(super) struct Companies {
    settings: Settings,
    names: Cache<CompanyId, Held>,
    /// Until then nothing is asked, because the CRM failed.
    quiet_until: Arc<Mutex<Option<Instant>>>,
}

/// A name, or that there is none. Its age is kept here and not by the cache, whose clock tests cannot stop.
#[derive(Clone)]
struct Held {
    name: Option<Arc<str>>,
    stale_at: Instant,
}

impl fmt::Debug for Companies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Companies").field("held", &self.names.entry_count()).finish_non_exhaustive()
    }
}

impl Companies {
    pub(super) fn new(settings: Settings) -> Self {
        // The default policy would turn away newcomers once the cache is full.
        let names = Cache::builder().max_capacity(settings.companies).eviction_policy(EvictionPolicy::lru()).build();
        Self { settings, names, quiet_until: Arc::default() }
    }

    /// The names of these companies; those not held or held too long are asked for, all in one call.
    pub(super) async fn names(&self, client: &CrmClient, wanted: &[CompanyId], ask: Ask) -> Names<CompanyNames> {
        let missing = self.missing(wanted);
        let degraded = !missing.is_empty() && !self.ask(client, &missing, ask).await;
        let known = wanted.iter().filter_map(|&id| Some((id, self.names.get(&id)?.name?))).collect();
        Names { known: Arc::new(CompanyNames(known)), degraded }
    }

    /// A name that may be another one now is asked for when it is next wanted.
    pub(super) fn forget(&self, id: CompanyId) {
        self.names.invalidate(&id);
    }

    fn missing(&self, wanted: &[CompanyId]) -> Vec<CompanyId> {
        let now = Instant::now();
        let is_fresh = |id: &CompanyId| self.names.get(id).is_some_and(|held| now < held.stale_at);
        wanted.iter().copied().filter(|id| !is_fresh(id)).collect()
    }

    /// Whether the CRM answered.
    async fn ask(&self, client: &CrmClient, ids: &[CompanyId], ask: Ask) -> bool {
        if self.quiet_until().is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let answer = client.companies(ids, ask).await;
        match &answer {
            Ok(companies) => self.keep(ids, companies),
            // One caller's short patience is no reason to keep quiet for the others.
            Err(CrmError::QuotaExhausted { .. }) => {}
            Err(error) => self.be_quiet(error),
        }
        answer.is_ok()
    }

    /// A company that did not come back has no name to show, and need not be asked for again soon.
    fn keep(&self, asked: &[CompanyId], companies: &[Named]) {
        let stale_at = Instant::now() + self.settings.lifetime;
        for &id in asked {
            let company = companies.iter().find(|company| company.id == id.0);
            let name = company.and_then(|company| company.name.as_deref()).map(Arc::from);
            self.names.insert(id, Held { name, stale_at });
        }
    }

    fn be_quiet(&self, error: &CrmError) {
        tracing::warn!(%error, "company names could not be loaded: ids or old names are shown");
        // A right that is missing now is missing for a while.
        let quiet = if *error == CrmError::Forbidden { self.settings.lifetime } else { self.settings.quiet };
        *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + quiet);
    }

    fn quiet_until(&self) -> Option<Instant> {
        *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
