//! What an account is made of beside its contacts and leads: users and their groups, companies' names, pipelines, subscriptions, itself.

use serde::Deserialize;

use super::loose;
use super::record::Reading;
use crate::contact::{Account, CompanyId, GroupId, PipelineId, UnixSeconds, UserId};
use crate::crm::lists::NamedCompany;
use crate::crm::subscriptions::Subscription;

/// A user of the CRM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::crm) struct User {
    pub(in crate::crm) id: UserId,
    pub(in crate::crm) name: Option<String>,
    pub(in crate::crm) group: Option<GroupId>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUser {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    #[serde(deserialize_with = "loose::object")]
    rights: WireRights,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireRights {
    #[serde(deserialize_with = "loose::id_or_zero")]
    group_id: Option<u64>,
}

impl WireUser {
    pub(super) fn read(self) -> Reading<User> {
        let group = self.rights.group_id.map(GroupId);
        Reading::of(self.id, false, |id| User { id: UserId(id), name: self.name, group })
    }
}

/// The groups of the account's users, which come with the account itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::crm) struct Groups(pub(in crate::crm) Vec<(GroupId, String)>);

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireGroups {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(rename = "_embedded", deserialize_with = "loose::object")]
    embedded: UsersGroups,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UsersGroups {
    #[serde(deserialize_with = "loose::list")]
    users_groups: Option<Vec<WireGroup>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireGroup {
    #[serde(deserialize_with = "loose::id_or_zero")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
}

impl WireGroups {
    /// Nothing if it is no account's answer at all.
    pub(super) fn read(self) -> Option<Groups> {
        self.id?;
        let groups = self.embedded.users_groups.into_iter().flatten();
        Some(Groups(groups.filter_map(|group| Some((GroupId(group.id?), group.name?))).collect()))
    }
}

/// A record of which only the name matters: a company, a list's element, a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::crm) struct Named {
    pub(in crate::crm) id: u64,
    pub(in crate::crm) name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireNamed {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
}

impl WireNamed {
    pub(super) fn read(self) -> Reading<Named> {
        Reading::of(self.id, false, |id| Named { id, name: self.name })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireCompany {
    #[serde(flatten)]
    named: WireNamed,
    #[serde(deserialize_with = "loose::seconds")]
    updated_at: Option<i64>,
}

impl WireCompany {
    pub(super) fn read(self) -> Reading<NamedCompany> {
        let (name, updated_at) = (self.named.name, self.updated_at.map(UnixSeconds));
        Reading::of(self.named.id, false, |id| NamedCompany { id: CompanyId(id), name, updated_at })
    }
}

/// A pipeline and its stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::crm) struct Pipeline {
    pub(in crate::crm) id: PipelineId,
    pub(in crate::crm) name: Option<String>,
    pub(in crate::crm) stages: Vec<Named>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WirePipeline {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    #[serde(rename = "_embedded", deserialize_with = "loose::object")]
    embedded: Statuses,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Statuses {
    #[serde(deserialize_with = "loose::list")]
    statuses: Option<Vec<WireNamed>>,
}

impl WirePipeline {
    pub(super) fn read(self) -> Reading<Pipeline> {
        let stages = self.embedded.statuses.into_iter().flatten();
        let stages = stages.filter_map(|stage| Some(Named { id: stage.id?, name: stage.name })).collect();
        Reading::of(self.id, false, |id| Pipeline { id: PipelineId(id), name: self.name, stages })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireSubscription {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    destination: Option<String>,
    #[serde(deserialize_with = "loose::flag")]
    disabled: bool,
    settings: serde_json::Value,
}

impl WireSubscription {
    pub(super) fn read(self) -> Reading<Subscription> {
        // PHP writes a list with gaps as an object.
        let listed = self.settings.as_array().into_iter().flatten();
        let keyed = self.settings.as_object().into_iter().flat_map(serde_json::Map::values);
        let events = listed.chain(keyed).filter_map(|event| event.as_str()).map(str::to_owned).collect();
        let destination = self.destination.unwrap_or_default();
        Reading::of(self.id, false, |_| Subscription::new(destination, events, self.disabled))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireAccount {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    subdomain: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    country: Option<String>,
}

impl WireAccount {
    pub(super) fn read(self) -> Option<Account> {
        Some(Account { id: self.id?, name: self.name, subdomain: self.subdomain, country: self.country })
    }
}
