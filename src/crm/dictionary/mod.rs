//! The names behind the CRM's ids: stages, owners and their groups, companies, elements of lists.
//!
//! A card is right without them, so asking for names cannot fail: what could not be had is absent, and [`Names::degraded`] says so.
//! Pipelines, users and groups are kept as whole lists ([`list`]), names of companies and elements one by one ([`single`]). Each is asked
//! for again an hour after it came; after a failure nothing is asked for half a minute, after a refused right for ten.

mod list;
mod single;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use self::list::CachedList;
use self::single::Singles;
use super::CrmError;
use super::client::{Ask, CrmClient};
use super::wire::{Groups as GroupList, Named, Pipeline, User};
use crate::contact::{CatalogId, CompanyId, ElementId, GroupId, PipelineId, StageId, UserId};

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
    /// Names of list elements kept. Default 10 000.
    pub elements: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(3_600),
            quiet: Duration::from_secs(30),
            reload: Duration::from_secs(300),
            patience: Duration::from_secs(10),
            companies: 10_000,
            elements: 10_000,
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

    /// Names that were kept elsewhere.
    #[must_use]
    pub fn new(
        pipelines: impl IntoIterator<Item = (PipelineId, String)>,
        stages: impl IntoIterator<Item = (PipelineId, StageId, String)>,
    ) -> Self {
        Self {
            pipelines: pipelines.into_iter().map(|(id, name)| (id, name.into())).collect(),
            stages: stages.into_iter().map(|(pipeline, stage, name)| ((pipeline, stage), name.into())).collect(),
        }
    }

    /// Every pipeline, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (PipelineId, &str)> {
        self.pipelines.iter().map(|(id, name)| (*id, &**name))
    }

    /// Every stage, in any order.
    pub fn stages(&self) -> impl Iterator<Item = (PipelineId, StageId, &str)> {
        self.stages.iter().map(|((pipeline, stage), name)| (*pipeline, *stage, &**name))
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

/// Names and groups of the CRM's users.
#[derive(Debug, Default)]
pub struct Owners(HashMap<UserId, Known>);

#[derive(Debug)]
struct Known {
    name: Option<Arc<str>>,
    group: Option<GroupId>,
}

impl Owners {
    /// The user's name.
    #[must_use]
    pub fn owner(&self, id: UserId) -> Option<Arc<str>> {
        self.0.get(&id)?.name.clone()
    }

    /// The group the user is in.
    #[must_use]
    pub fn group(&self, id: UserId) -> Option<GroupId> {
        self.0.get(&id)?.group
    }

    /// Every user, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (UserId, Option<&str>, Option<GroupId>)> {
        self.0.iter().map(|(id, known)| (*id, known.name.as_deref(), known.group))
    }

    fn from_records(records: Vec<User>) -> Self {
        let known = |user: User| (user.id, Known { name: user.name.map(Into::into), group: user.group });
        Self(records.into_iter().map(known).collect())
    }
}

/// Names of the groups of users.
#[derive(Debug, Default)]
pub struct Groups(HashMap<GroupId, Arc<str>>);

impl Groups {
    /// The group's name.
    #[must_use]
    pub fn group(&self, id: GroupId) -> Option<Arc<str>> {
        self.0.get(&id).cloned()
    }

    /// Every group, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (GroupId, &str)> {
        self.0.iter().map(|(id, name)| (*id, &**name))
    }

    fn from_records(GroupList(records): GroupList) -> Self {
        Self(records.into_iter().map(|(id, name)| (id, name.into())).collect())
    }
}

/// Names and groups that were kept elsewhere.
impl FromIterator<(UserId, Option<String>, Option<GroupId>)> for Owners {
    fn from_iter<I: IntoIterator<Item = (UserId, Option<String>, Option<GroupId>)>>(users: I) -> Self {
        let known = |(id, name, group): (_, Option<String>, _)| (id, Known { name: name.map(Into::into), group });
        Self(users.into_iter().map(known).collect())
    }
}

/// Names that were kept elsewhere.
impl FromIterator<(GroupId, String)> for Groups {
    fn from_iter<I: IntoIterator<Item = (GroupId, String)>>(names: I) -> Self {
        Self(names.into_iter().map(|(id, name)| (id, name.into())).collect())
    }
}

/// Names of some companies.
pub type CompanyNames = HashMap<CompanyId, Arc<str>>;

/// Names of some elements of lists.
pub type ElementNames = HashMap<(CatalogId, ElementId), Arc<str>>;

/// All dictionaries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dictionaries {
    client: CrmClient,
    pipelines: CachedList<Pipelines>,
    owners: CachedList<Owners>,
    groups: CachedList<Groups>,
    companies: Singles<CompanyId>,
    elements: Singles<(CatalogId, ElementId)>,
}

impl Dictionaries {
    /// Empty dictionaries, filled when first asked or by [`Self::preload`].
    #[must_use]
    pub fn new(client: CrmClient, settings: Settings) -> Self {
        Self {
            client,
            pipelines: CachedList::new("pipelines", settings),
            owners: CachedList::new("users", settings),
            groups: CachedList::new("groups", settings),
            companies: Singles::new("companies", settings.companies, settings),
            elements: Singles::new("catalogs", settings.elements, settings),
        }
    }

    /// Loads the lists that every card needs, so that the first caller does not wait for them.
    pub async fn preload(&self, ask: Ask) {
        tokio::join!(self.load_pipelines(|_| true, ask), self.load_owners(|_| true, ask), self.groups(ask));
    }

    /// The lists whole, as they are held; loaded first if there are none, and again if these ids are not in them.
    pub async fn lists(
        &self,
        owners: &[UserId],
        stages: &[(PipelineId, StageId)],
        ask: Ask,
    ) -> (Names<Owners>, Names<Groups>, Names<Pipelines>) {
        tokio::join!(
            self.load_owners(|names| owners.iter().all(|id| names.0.contains_key(id)), ask),
            self.groups(ask),
            self.load_pipelines(|names| stages.iter().all(|key| names.stages.contains_key(key)), ask),
        )
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

    /// The names of the groups of users.
    pub async fn groups(&self, ask: Ask) -> Names<Groups> {
        let client = self.client.clone();
        let load = move |ask| async move { client.groups(ask).await.map(Groups::from_records) };
        self.groups.current(|_| true, ask, load).await
    }

    /// The names of these companies.
    pub async fn company_names(&self, wanted: &[CompanyId], ask: Ask) -> Names<CompanyNames> {
        self.companies.names(wanted, |missing| self.load_companies(missing, ask)).await
    }

    /// The names of these elements, one call for each list with names that are not held.
    pub async fn element_names(&self, wanted: &[(CatalogId, ElementId)], ask: Ask) -> Names<ElementNames> {
        self.elements.names(wanted, |missing| self.load_elements(missing, ask)).await
    }

    async fn load_companies(&self, missing: Vec<CompanyId>, ask: Ask) -> Result<single::Found<CompanyId>, CrmError> {
        let records = self.client.companies(&missing, ask).await?;
        Ok(records.into_iter().map(|Named { id, name }| (CompanyId(id), name)).collect())
    }

    async fn load_elements(
        &self,
        missing: Vec<(CatalogId, ElementId)>,
        ask: Ask,
    ) -> Result<single::Found<(CatalogId, ElementId)>, CrmError> {
        let mut by_catalog: HashMap<CatalogId, Vec<ElementId>> = HashMap::new();
        for (catalog, id) in missing {
            by_catalog.entry(catalog).or_default().push(id);
        }
        let mut found = Vec::new();
        for (catalog, ids) in by_catalog {
            let records = self.client.elements(catalog, &ids, ask).await?;
            found.extend(records.into_iter().map(|Named { id, name }| ((catalog, ElementId(id)), name)));
        }
        Ok(found)
    }

    /// What is held of users, groups and these companies, without asking anybody.
    #[must_use]
    pub fn held(&self, companies: &[CompanyId]) -> (Names<Owners>, Names<Groups>, Names<CompanyNames>) {
        (self.owners.held(), self.groups.held(), self.companies.held(companies))
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
