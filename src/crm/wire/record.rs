//! The CRM's records as they stand in its JSON, and their way into our words.
//!
//! Every member is optional and read [loosely](super::loose); members that nobody here needs are not named. A record without an id
//! cannot be used at all, and one in the recycle bin is no longer there.

use std::fmt;

use serde::Deserialize;

use super::loose;
use crate::contact::{
    self, Account, CatalogId, CompanyId, ContactId, Element, ElementId, GroupId, Lead, LeadId, PipelineId, StageId,
    Tag, UnixSeconds, UserId,
};
use crate::crm::lists::{LinkedLead, NamedCompany};
use crate::crm::subscriptions::Subscription;

/// A contact as a search may see it. Personal data: the `Debug` form shows the id only.
#[derive(Clone, PartialEq, Eq)]
pub struct Specimen {
    /// Its id.
    pub id: ContactId,
    /// When it was last changed.
    pub updated_at: Option<UnixSeconds>,
    /// The values of its PHONE fields, as typed.
    pub phones: Vec<String>,
    /// Every text in it that can be read: names, the values of all fields, phones too, and tags.
    pub texts: Vec<String>,
}

impl fmt::Debug for Specimen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Specimen").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What becomes of a record of the CRM.
pub(super) enum Reading<R> {
    /// Ours.
    Record(R),
    /// In the recycle bin.
    Deleted,
    /// Without an id.
    Unusable,
}

impl<R> Reading<R> {
    fn of(id: Option<u64>, is_deleted: bool, record: impl FnOnce(u64) -> R) -> Self {
        match id {
            None => Self::Unusable,
            Some(_) if is_deleted => Self::Deleted,
            Some(id) => Self::Record(record(id)),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireContact {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    first_name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    last_name: Option<String>,
    #[serde(deserialize_with = "loose::id")]
    responsible_user_id: Option<u64>,
    #[serde(deserialize_with = "loose::id_or_zero")]
    group_id: Option<u64>,
    #[serde(deserialize_with = "loose::seconds")]
    created_at: Option<i64>,
    #[serde(deserialize_with = "loose::seconds")]
    updated_at: Option<i64>,
    #[serde(deserialize_with = "loose::seconds")]
    closest_task_at: Option<i64>,
    #[serde(deserialize_with = "loose::flag")]
    is_deleted: bool,
    #[serde(deserialize_with = "loose::list")]
    custom_fields_values: Option<Vec<Field>>,
    #[serde(rename = "_embedded", deserialize_with = "loose::object")]
    embedded: Linked,
}

/// A custom field. Its name is in the account's language and may be changed: only the code says what it is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Field {
    #[serde(deserialize_with = "loose::text")]
    field_code: Option<String>,
    #[serde(deserialize_with = "loose::list")]
    values: Option<Vec<FieldValue>>,
}

/// The value can be any JSON; only text and numbers are of use here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FieldValue {
    #[serde(deserialize_with = "loose::text")]
    value: Option<String>,
}

/// What hangs on a contact. Leads are there only if asked for, and only as ids.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Linked {
    #[serde(deserialize_with = "loose::list")]
    tags: Option<Vec<WireTag>>,
    #[serde(deserialize_with = "loose::list")]
    companies: Option<Vec<Link>>,
    #[serde(deserialize_with = "loose::list")]
    leads: Option<Vec<Link>>,
    #[serde(deserialize_with = "loose::list")]
    catalog_elements: Option<Vec<WireElement>>,
}

/// An element of a list. What is particular to this link is in its metadata.
#[derive(Default, Deserialize)]
#[serde(default)]
struct WireElement {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::object")]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(deserialize_with = "loose::number")]
    quantity: Option<serde_json::Number>,
    #[serde(deserialize_with = "loose::id")]
    catalog_id: Option<u64>,
    #[serde(deserialize_with = "loose::id")]
    price_id: Option<u64>,
}

impl WireElement {
    fn read(self) -> Option<Element> {
        let Metadata { quantity, catalog_id, price_id } = self.metadata;
        Some(Element { id: ElementId(self.id?), catalog: catalog_id.map(CatalogId), quantity, price_field: price_id })
    }
}

fn elements(list: Option<Vec<WireElement>>) -> Vec<Element> {
    list.into_iter().flatten().filter_map(WireElement::read).collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireTag {
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    color: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Link {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
}

impl WireContact {
    pub(super) fn read(self) -> Reading<contact::Contact> {
        self.read_as(ContactId)
    }

    /// A company's record has the same members.
    pub(super) fn read_company(self) -> Reading<contact::Contact<CompanyId>> {
        self.read_as(CompanyId)
    }

    fn read_as<Id>(self, of: impl FnOnce(u64) -> Id) -> Reading<contact::Contact<Id>> {
        Reading::of(self.id, self.is_deleted, |id| contact::Contact {
            id: of(id),
            phones: self.values_of("PHONE"),
            emails: self.values_of("EMAIL"),
            name: self.name.unwrap_or_default(),
            first_name: self.first_name.unwrap_or_default(),
            last_name: self.last_name.unwrap_or_default(),
            owner: self.responsible_user_id.map(UserId),
            group: self.group_id.map(GroupId),
            created_at: self.created_at.map(UnixSeconds),
            updated_at: self.updated_at.map(UnixSeconds),
            next_task_at: self.closest_task_at.map(UnixSeconds),
            tags: self.embedded.tags.into_iter().flatten().filter_map(WireTag::read).collect(),
            company: ids(self.embedded.companies).next().map(CompanyId),
            leads: ids(self.embedded.leads).map(LeadId).collect(),
            elements: elements(self.embedded.catalog_elements),
            is_deleted: false,
        })
    }

    /// Everything in it that a search may look at.
    pub(super) fn read_specimen(self) -> Reading<Specimen> {
        let texts = self.texts();
        Reading::of(self.id, self.is_deleted, |id| Specimen {
            id: ContactId(id),
            updated_at: self.updated_at.map(UnixSeconds),
            phones: self.values_of("PHONE"),
            texts,
        })
    }

    fn texts(&self) -> Vec<String> {
        let names = [&self.name, &self.first_name, &self.last_name].into_iter().flatten();
        let fields = self.custom_fields_values.iter().flatten();
        let values = fields.flat_map(|field| field.values.iter().flatten()).filter_map(|value| value.value.as_ref());
        let tags = self.embedded.tags.iter().flatten().filter_map(|tag| tag.name.as_ref());
        names.chain(values).chain(tags).cloned().collect()
    }

    fn values_of(&self, code: &str) -> Vec<String> {
        let fields = self.custom_fields_values.iter().flatten();
        let coded = fields.filter(|field| field.field_code.as_deref() == Some(code));
        coded.flat_map(|field| field.values.iter().flatten()).filter_map(|value| value.value.clone()).collect()
    }
}

impl WireTag {
    fn read(self) -> Option<Tag> {
        Some(Tag { name: self.name?, color: self.color })
    }
}

fn ids(links: Option<Vec<Link>>) -> impl Iterator<Item = u64> {
    links.into_iter().flatten().filter_map(|link| link.id)
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireLead {
    #[serde(deserialize_with = "loose::id")]
    id: Option<u64>,
    #[serde(deserialize_with = "loose::text")]
    name: Option<String>,
    #[serde(deserialize_with = "loose::number")]
    price: Option<serde_json::Number>,
    #[serde(deserialize_with = "loose::id")]
    pipeline_id: Option<u64>,
    #[serde(deserialize_with = "loose::id")]
    status_id: Option<u64>,
    #[serde(deserialize_with = "loose::seconds")]
    updated_at: Option<i64>,
    #[serde(deserialize_with = "loose::flag")]
    is_deleted: bool,
    #[serde(rename = "_embedded", deserialize_with = "loose::object")]
    embedded: Linked,
}

impl WireLead {
    pub(super) fn read(self) -> Reading<Lead> {
        Reading::of(self.id, self.is_deleted, |id| Lead {
            id: LeadId(id),
            name: self.name,
            price: self.price,
            pipeline: self.pipeline_id.map(PipelineId),
            stage: self.status_id.map(StageId),
            updated_at: self.updated_at.map(UnixSeconds),
            elements: elements(self.embedded.catalog_elements),
            is_deleted: false,
        })
    }
}

/// A lead with what hangs on it. Contacts are there only if asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireLinkedLead {
    #[serde(flatten)]
    lead: WireLead,
    #[serde(rename = "_embedded", deserialize_with = "loose::object")]
    embedded: LinkedContacts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LinkedContacts {
    #[serde(deserialize_with = "loose::list")]
    contacts: Option<Vec<Link>>,
}

impl WireLinkedLead {
    pub(super) fn read(self) -> Reading<LinkedLead> {
        let contacts = ids(self.embedded.contacts).map(ContactId).collect();
        match self.lead.read() {
            Reading::Record(lead) => Reading::Record(LinkedLead { lead, contacts }),
            Reading::Deleted => Reading::Deleted,
            Reading::Unusable => Reading::Unusable,
        }
    }
}

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
