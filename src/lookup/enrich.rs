//! From a contact whose number is verified to the card an agent reads: leads with their stages, names behind ids, links.
//!
//! Nothing here can fail a lookup: what cannot be had in time is left out, and the card says so.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::Upstream;
use crate::card::{Card, Company, LeadState, LeadView, Owner, TagView, timestamp};
use crate::contact::{Contact, Lead, LeadId, PartyId, Tag};
use crate::crm::Ask;
use crate::crm::dictionary::{CompanyNames, Names, Owners, Pipelines};
use crate::phone::{self, Number, Region};

/// Leads whose details are fetched for one fill at most, newest first; the others keep id and url.
const MOST_LEADS: usize = 1_000;

/// How much is told about leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// Name, stage, pipeline and price of each.
    Full,
    /// What the contacts answer holds; one CRM call less.
    Ids,
}

/// A verified owner and all of its readable numbers.
pub(super) type Verified = (Contact<PartyId>, Vec<Number>);

/// The details of leads, as far as they were fetched.
#[derive(Debug, Default)]
struct Details {
    by_id: HashMap<LeadId, Lead>,
    asked: HashSet<LeadId>,
    complete: bool,
}

/// The names behind ids, as far as they are known.
#[derive(Debug, Default)]
struct KnownNames {
    pipelines: Names<Pipelines>,
    owners: Names<Owners>,
    companies: Names<CompanyNames>,
}

/// Makes cards.
#[derive(Debug)]
pub(super) struct Enricher {
    pub(super) crm: Upstream,
    pub(super) leads: Leads,
    pub(super) region: Region,
}

impl Enricher {
    /// Cards with what the contacts' own answer holds: no names behind ids, no details of leads.
    pub(super) fn at_once(&self, owners: &[Verified]) -> Vec<Card> {
        let (details, names) = (Details::default(), KnownNames::default());
        owners.iter().map(|owner| self.card(owner, &details, &names)).collect()
    }

    /// Cards with everything that can be had within `ask`.
    pub(super) async fn in_full(&self, owners: &[Verified], ask: Ask) -> Vec<Card> {
        let users = wanted(owners, |contact| contact.owner);
        let companies = wanted(owners, |contact| contact.company);
        let ((details, pipelines), owners_known, companies) = tokio::join!(
            self.details(owners, ask),
            self.crm.names.owners(&users, ask),
            self.crm.names.company_names(&companies, ask),
        );
        let names = KnownNames { pipelines, owners: owners_known, companies };
        owners.iter().map(|owner| self.card(owner, &details, &names)).collect()
    }

    /// The leads of all owners, newest first, and the names of their stages.
    async fn details(&self, owners: &[Verified], ask: Ask) -> (Details, Names<Pipelines>) {
        let mut asked: Vec<LeadId> = owners.iter().flat_map(|(contact, _)| contact.leads.iter().copied()).collect();
        if self.leads == Leads::Ids || asked.is_empty() {
            return <_>::default();
        }
        asked.sort_unstable_by_key(|id| Reverse(*id));
        asked.dedup();
        let complete = asked.len() <= MOST_LEADS;
        asked.truncate(MOST_LEADS);
        let Ok(leads) = self.crm.client.leads(&asked, ask).await else {
            return <_>::default(); // Counted by the client; the card says that they are missing.
        };
        let stages: Vec<_> = leads.iter().filter_map(|lead| lead.pipeline.zip(lead.stage)).collect();
        let by_id = leads.into_iter().map(|lead| (lead.id, lead)).collect();
        let details = Details { by_id, asked: asked.into_iter().collect(), complete };
        (details, self.crm.names.pipelines(&stages, ask).await)
    }

    fn card(&self, (contact, numbers): &Verified, details: &Details, names: &KnownNames) -> Card {
        let leads = self.lead_views(contact, details, names);
        Card {
            id: contact.id,
            name: display_name(contact),
            first_name: filled(&contact.first_name),
            last_name: filled(&contact.last_name),
            url: self.crm.links.party(contact.id),
            phones: shown_phones(contact, self.region),
            emails: contact.emails.clone(),
            company: contact.company.map(|id| Company { id, name: names.companies.known.company(id) }),
            owner: contact.owner.map(|id| Owner { id, name: names.owners.known.owner(id) }),
            tags: contact.tags.iter().map(tag_view).collect(),
            created_at: contact.created_at.and_then(timestamp),
            updated_at: contact.updated_at.and_then(timestamp),
            next_task_at: contact.next_task_at.and_then(timestamp),
            leads_partial: !details.complete && !contact.leads.is_empty(),
            leads,
            numbers: numbers.clone(),
        }
    }

    /// Open leads first, latest first. A lead that was asked for and did not come back is deleted.
    fn lead_views(&self, contact: &Contact<PartyId>, details: &Details, names: &KnownNames) -> Vec<LeadView> {
        let mut ids = contact.leads.clone();
        ids.sort_unstable();
        ids.dedup();
        let mut views: Vec<_> = ids
            .into_iter()
            .filter_map(|id| match details.by_id.get(&id) {
                Some(lead) if lead.is_deleted => None,
                Some(lead) => Some(self.lead_view(lead, names)),
                None if details.asked.contains(&id) => None,
                None => Some(self.bare_lead(id)),
            })
            .collect();
        views.sort_by_key(|lead| (lead.state != Some(LeadState::Open), Reverse((lead.updated_at, lead.id))));
        views
    }

    fn lead_view(&self, lead: &Lead, names: &KnownNames) -> LeadView {
        LeadView {
            name: lead.name.clone(),
            price: lead.price.clone(),
            pipeline: lead.pipeline.and_then(|id| names.pipelines.known.pipeline(id)),
            stage: lead
                .pipeline
                .zip(lead.stage)
                .and_then(|(pipeline, stage)| names.pipelines.known.stage(pipeline, stage)),
            state: lead.stage.map(LeadState::of),
            updated_at: lead.updated_at.and_then(timestamp),
            ..self.bare_lead(lead.id)
        }
    }

    fn bare_lead(&self, id: LeadId) -> LeadView {
        let url = self.crm.links.lead(id);
        LeadView { id, name: None, price: None, pipeline: None, stage: None, state: None, url, updated_at: None }
    }
}

/// The ids to be named, each once.
fn wanted<T: Ord>(owners: &[Verified], id: impl Fn(&Contact<PartyId>) -> Option<T>) -> Vec<T> {
    let ids: BTreeSet<T> = owners.iter().filter_map(|(contact, _)| id(contact)).collect();
    ids.into_iter().collect()
}

/// The CRM's `name`, or first and last name joined where it is empty.
fn display_name(contact: &Contact<PartyId>) -> String {
    let name = contact.name.trim();
    if !name.is_empty() {
        return name.to_owned();
    }
    format!("{} {}", contact.first_name.trim(), contact.last_name.trim()).trim().to_owned()
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// E.164 where readable, as typed where not; without doubles.
fn shown_phones(contact: &Contact<PartyId>, region: Region) -> Vec<String> {
    let mut shown: Vec<String> = Vec::new();
    for value in contact.phones.iter().map(|value| value.trim()).filter(|value| !value.is_empty()) {
        let numbers = phone::read_stored(value, region);
        let texts = if numbers.is_empty() {
            vec![value.to_owned()]
        } else {
            numbers.iter().map(|number| number.e164.to_string()).collect()
        };
        for text in texts {
            if !shown.contains(&text) {
                shown.push(text);
            }
        }
    }
    shown
}

/// The colour as `#rrggbb`; anything else is no colour.
fn tag_view(tag: &Tag) -> TagView {
    let hex = tag.color.as_deref().map(|color| color.trim_start_matches('#').to_ascii_lowercase());
    let color = hex.filter(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    TagView { name: tag.name.clone(), color: color.map(|hex| format!("#{hex}")) }
}
