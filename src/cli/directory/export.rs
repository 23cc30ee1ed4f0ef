//! One contact of the mirror as a line of JSON: what the CRM holds, with names beside ids.

use jiff::Timestamp;
use serde::Serialize;

use crate::card::{LeadState, TagView, timestamp};
use crate::contact::{ContactId, Lead, LeadId, UnixSeconds};
use crate::directory::{Names, Owner};
use crate::phone::E164;

#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    id: ContactId,
    name: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    /// As typed.
    phones: &'a [String],
    /// As read.
    numbers: Vec<E164>,
    emails: &'a [String],
    company: Option<Named<'a>>,
    owner: Option<Named<'a>>,
    tags: Vec<TagView>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    next_task_at: Option<Timestamp>,
    leads: Vec<LeadRow<'a>>,
    /// Leads whose details are not known.
    unknown_leads: &'a [LeadId],
}

#[derive(Debug, Serialize)]
struct Named<'a> {
    id: u64,
    name: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Debug, Serialize)]
struct LeadRow<'a> {
    id: LeadId,
    name: Option<&'a str>,
    price: Option<&'a serde_json::Number>,
    pipeline: Option<String>,
    stage: Option<String>,
    state: Option<LeadState>,
    updated_at: Option<Timestamp>,
}

impl<'a> Row<'a> {
    pub(super) fn new(owner: &'a Owner, names: &Names) -> Self {
        let contact = &owner.contact;
        let time = |at: Option<UnixSeconds>| at.and_then(timestamp);
        let tag = |tag: &crate::contact::Tag| TagView { name: tag.name.clone(), color: tag.color.clone() };
        let user = contact
            .owner
            .map(|id| Named { id: id.0, name: names.owners.owner(id).map(|name| name.to_string().into()) });
        Self {
            id: contact.id,
            name: &contact.name,
            first_name: &contact.first_name,
            last_name: &contact.last_name,
            phones: &contact.phones,
            numbers: owner.numbers.iter().map(|number| number.e164).collect(),
            emails: &contact.emails,
            company: contact.company.map(|id| Named { id: id.0, name: owner.company.as_deref().map(Into::into) }),
            owner: user,
            tags: contact.tags.iter().map(tag).collect(),
            created_at: time(contact.created_at),
            updated_at: time(contact.updated_at),
            next_task_at: time(contact.next_task_at),
            leads: owner.leads.iter().map(|lead| LeadRow::new(lead, names)).collect(),
            unknown_leads: &owner.unknown_leads,
        }
    }
}

impl<'a> LeadRow<'a> {
    fn new(lead: &'a Lead, names: &Names) -> Self {
        let pipeline = lead.pipeline.and_then(|id| names.pipelines.pipeline(id));
        let stage = lead.pipeline.zip(lead.stage).and_then(|(pipeline, stage)| names.pipelines.stage(pipeline, stage));
        Self {
            id: lead.id,
            name: lead.name.as_deref(),
            price: lead.price.as_ref(),
            pipeline: pipeline.map(|name| name.to_string()),
            stage: stage.map(|name| name.to_string()),
            state: lead.stage.map(LeadState::of),
            updated_at: lead.updated_at.and_then(timestamp),
        }
    }
}
