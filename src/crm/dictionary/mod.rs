//! The names behind the CRM's ids: stages, owners, companies.
//!
//! A card is right without them, so asking for names cannot fail: what could not be had is absent, and [`Names::degraded`] says so.
//! Pipelines and users are kept as whole lists ([`list`]), company names one by one ([`company`]). Each is asked for again an hour
//! after it came; after a failure nothing is asked for half a minute.

mod company;
mod list;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use self::company::Companies;
use self::list::CachedList;
use super::client::{Ask, CrmClient};
use super::wire::{Named, Pipeline};
use crate::contact::{CompanyId, PipelineId, StageId, UserId};

/// How long names are kept.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Names are asked for again after this. Default 1 h.
    pub lifetime: Duration,
    /// After a failure nothing is asked for this long. Default 30 s.
    pub quiet: Duration,
    /// A list that lacks an id is asked for again, but not more often than this. Default 5 min.
    pub reload: Duration,
    /// A list is loaded in this time or not at all; it is loaded for all callers, so none of them decides. Default 10 s.
    pub patience: Duration,
    /// Company names kept. Default 10 000.
    pub companies: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(3_600),
            quiet: Duration::from_secs(30),
            reload: Duration::from_secs(300),
            patience: Duration::from_secs(10),
            companies: 10_000,
        }
    }
}

/// What is known of the names asked for.
#[derive(Clone, Debug, Default)]
pub struct Names<T> {
    /// The names; one that is not known is absent.
    pub known: Arc<T>,
    /// The CRM could not be asked or would not tell: names may be absent or old for that reason.
    pub degraded: bool,
}

/// Names of pipelines and their stages.
#[derive(Debug, Default)]
pub struct Pipelines {
    pipelines: HashMap<PipelineId, Arc<str>>,
    /// Stage ids are unique within their pipeline only: 142 and 143 are in each.
    stages: HashMap<(PipelineId, StageId), Arc<str>>,
}

impl Pipelines {
    /// The pipeline's name.
    #[must_use]
    pub fn pipeline(&self, id: PipelineId) -> Option<Arc<str>> {
        self.pipelines.get(&id).cloned()
    }

    /// The name of a stage of this pipeline.
    #[must_use]
    pub fn stage(&self, pipeline: PipelineId, stage: StageId) -> Option<Arc<str>> {
        self.stages.get(&(pipeline, stage)).cloned()
    }

    fn from_records(records: Vec<Pipeline>) -> Self {
        let mut names = Self::default();
        for pipeline in records {
            names.pipelines.extend(pipeline.name.map(|name| (pipeline.id, name.into())));
            let stages = pipeline.stages.into_iter();
            names.stages.extend(stages.filter_map(|s| Some(((pipeline.id, StageId(s.id)), s.name?.into()))));
        }
        names
    }
}

/// Names of the CRM's users.
#[derive(Debug, Default)]
pub struct Owners(HashMap<UserId, Arc<str>>);

impl Owners {
    /// The user's name.
    #[must_use]
    pub fn owner(&self, id: UserId) -> Option<Arc<str>> {
        self.0.get(&id).cloned()
    }

    fn from_records(records: Vec<Named>) -> Self {
        Self(records.into_iter().filter_map(|user| Some((UserId(user.id), user.name?.into()))).collect())
    }
}

/// Names of some companies.
#[derive(Debug, Default)]
pub struct CompanyNames(HashMap<CompanyId, Arc<str>>);

impl CompanyNames {
    /// The company's name.
    #[must_use]
    pub fn company(&self, id: CompanyId) -> Option<Arc<str>> {
        self.0.get(&id).cloned()
    }
}

/// All dictionaries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dictionaries {
    client: CrmClient,
    pipelines: CachedList<Pipelines>,
    owners: CachedList<Owners>,
    companies: Companies,
}

impl Dictionaries {
    /// Empty dictionaries, filled when first asked or by [`Self::preload`].
    #[must_use]
    pub fn new(client: CrmClient, settings: Settings) -> Self {
        Self {
            client,
            pipelines: CachedList::new("pipelines", settings),
            owners: CachedList::new("users", settings),
            companies: Companies::new(settings),
        }
    }

    /// Loads the lists that every card needs, so that the first caller does not wait for them.
    pub async fn preload(&self, ask: Ask) {
        tokio::join!(self.load_pipelines(|_| true, ask), self.load_owners(|_| true, ask));
    }

    /// The names of these stages and their pipelines.
    pub async fn pipelines(&self, wanted: &[(PipelineId, StageId)], ask: Ask) -> Names<Pipelines> {
        if wanted.is_empty() {
            return Names::default();
        }
        self.load_pipelines(|names| wanted.iter().all(|key| names.stages.contains_key(key)), ask).await
    }

    /// The names of these users.
    pub async fn owners(&self, wanted: &[UserId], ask: Ask) -> Names<Owners> {
        if wanted.is_empty() {
            return Names::default();
        }
        self.load_owners(|names| wanted.iter().all(|id| names.0.contains_key(id)), ask).await
    }

    /// The names of these companies.
    pub async fn company_names(&self, wanted: &[CompanyId], ask: Ask) -> Names<CompanyNames> {
        self.companies.names(&self.client, wanted, ask).await
    }

    /// A company may have another name now.
    pub fn forget_company(&self, id: CompanyId) {
        self.companies.forget(id);
    }

    async fn load_pipelines(&self, suffices: impl Fn(&Pipelines) -> bool, ask: Ask) -> Names<Pipelines> {
        let client = self.client.clone();
        let load = move |ask| async move { client.pipelines(ask).await.map(Pipelines::from_records) };
        self.pipelines.current(suffices, ask, load).await
    }

    async fn load_owners(&self, suffices: impl Fn(&Owners) -> bool, ask: Ask) -> Names<Owners> {
        let client = self.client.clone();
        let load = move |ask| async move { client.users(ask).await.map(Owners::from_records) };
        self.owners.current(suffices, ask, load).await
    }
}

#[cfg(test)]
mod tests;
