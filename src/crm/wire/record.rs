//! The CRM's contacts, companies and leads as they stand in its JSON, and their way into our words.
//!
//! Every member is optional and read [loosely](super::loose); members that nobody here needs are not named. A record without an id
//! cannot be used at all, and one in the recycle bin is no longer there.

use std::fmt;

use serde::Deserialize;

use super::loose;
use crate::contact::{
    self, CatalogId, CompanyId, ContactId, Element, ElementId, GroupId, Lead, LeadId, PipelineId, StageId, Tag,
    UnixSeconds, UserId,
};
use crate::crm::lists::LinkedLead;

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
    pub(super) fn of(id: Option<u64>, is_deleted: bool, record: impl FnOnce(u64) -> R) -> Self {
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
