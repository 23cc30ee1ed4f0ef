//! The names of owners, pipelines and stages as the mirror knows them: kept with the records, so that a card is whole after a restart
//! while the CRM is down, and so that no lookup ever asks for one.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::contact::{GroupId, PipelineId, StageId, UserId};
use crate::crm::dictionary::{Groups, Owners, Pipelines};

/// The names of one moment.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of owners, and the groups they are in.
    pub owners: Arc<Owners>,
    /// Of groups.
    pub groups: Arc<Groups>,
    /// Of pipelines and stages.
    pub pipelines: Arc<Pipelines>,
}

/// Ids that a card needed and that had no name.
#[derive(Debug, Default)]
pub(super) struct Missing {
    pub(super) owners: BTreeSet<UserId>,
    pub(super) stages: BTreeSet<(PipelineId, StageId)>,
}

impl Missing {
    /// Notes what these names lack for a contact.
    pub(super) fn note(&mut self, owner: &Owner, names: &Names) {
        let lacks_owner = |id: &UserId| names.owners.owner(*id).is_none();
        self.owners.extend(owner.contact.owner.filter(lacks_owner));
        let stages = owner.leads.iter().filter_map(|lead| lead.pipeline.zip(lead.stage));
        self.stages.extend(stages.filter(|(pipeline, stage)| names.pipelines.stage(*pipeline, *stage).is_none()));
    }
}

/// As they are written down; sorted, so that the same names are the same bytes.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    owners: Vec<(u64, Option<String>, Option<u64>)>,
    groups: Vec<(u64, String)>,
    pipelines: Vec<(u64, String)>,
    stages: Vec<(u64, u64, String)>,
}

impl From<&Names> for Written {
    fn from(names: &Names) -> Self {
        let owner = |(id, name, group): (UserId, Option<&str>, Option<GroupId>)| {
            (id.0, name.map(str::to_owned), group.map(|id| id.0))
        };
        let groups = names.groups.iter().map(|(id, name)| (id.0, name.to_owned()));
        let pipelines = names.pipelines.iter().map(|(id, name)| (id.0, name.to_owned()));
        let stages = names.pipelines.stages().map(|(pipeline, stage, name)| (pipeline.0, stage.0, name.to_owned()));
        let mut written = Self {
            owners: names.owners.iter().map(owner).collect(),
            groups: groups.collect(),
            pipelines: pipelines.collect(),
            stages: stages.collect(),
        };
        written.owners.sort_unstable();
        written.groups.sort_unstable();
        written.pipelines.sort_unstable();
        written.stages.sort_unstable();
        written
    }
}

impl From<Written> for Names {
    fn from(written: Written) -> Self {
        let owners = written.owners.into_iter().map(|(id, name, group)| (UserId(id), name, group.map(GroupId)));
        let groups = written.groups.into_iter().map(|(id, name)| (GroupId(id), name));
        let pipelines = written.pipelines.into_iter().map(|(id, name)| (PipelineId(id), name));
        let stages =
            written.stages.into_iter().map(|(pipeline, stage, name)| (PipelineId(pipeline), StageId(stage), name));
        Self {
            owners: Arc::new(owners.collect()),
            groups: Arc::new(groups.collect()),
            pipelines: Arc::new(Pipelines::new(pipelines, stages)),
        }
    }
}
