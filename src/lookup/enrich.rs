//! From a contact whose number is verified to the card an agent reads: leads with their stages, names behind ids, links.
//!
//! Nothing here can fail a lookup: what cannot be had in time is left out, and the card says so.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Upstream;
use crate::card::{Card, Company, Group, LeadState, LeadView, Owner, Partial, TagView, timestamp};
use crate::contact::{Contact, GroupId, Lead, LeadId, PartyId, Tag, UserId};
use crate::crm::dictionary::{CompanyNames, Groups, Names, Owners, Pipelines};
use crate::crm::{Ask, CrmError, Permission};
use crate::directory;
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
    refused: bool,
}

impl Details {
    fn refused() -> Self {
        Self { refused: true, ..Self::default() }
    }
}

/// The names behind ids, as far as they are known.
#[derive(Debug, Default)]
struct KnownNames {
    pipelines: Names<Pipelines>,
    owners: Names<Owners>,
    groups: Names<Groups>,
    companies: Names<CompanyNames>,
}

/// Makes cards.
#[derive(Debug)]
pub(super) struct Enricher {
    pub(super) crm: Upstream,
    leads: Leads,
    leads_right: Permission,
    region: Region,
}

impl Enricher {
    pub(super) fn new(crm: Upstream, leads: Leads, region: Region) -> Self {
        Self { crm, leads, leads_right: Permission::new("leads", "they are shown by their ids"), region }
    }

    /// Cards with what is at hand: the contacts' own answer and the names known already, no details of leads.
    pub(super) fn at_once(&self, owners: &[Verified]) -> Vec<Card> {
        let companies = wanted(owners, |contact| contact.company);
        let (users, groups, companies) = self.crm.names.held(&companies);
        let names = KnownNames { pipelines: Names::default(), owners: users, groups, companies };
        let details = Details::default();
        owners.iter().map(|owner| self.card(owner, &details, &names)).collect()
    }

    /// Cards with everything that can be had within `ask`.
    pub(super) async fn in_full(&self, owners: &[Verified], ask: Ask) -> Vec<Card> {
        let users = wanted(owners, |contact| contact.owner);
        let companies = wanted(owners, |contact| contact.company);
        let ((details, pipelines), (owners_known, groups), companies) = tokio::join!(
            self.details(owners, ask),
            self.users(&users, ask),
            self.crm.names.company_names(&companies, ask),
        );
        let names = KnownNames { pipelines, owners: owners_known, groups, companies };
        owners.iter().map(|owner| self.card(owner, &details, &names)).collect()
    }

    /// A card with what the mirror holds.
    pub(super) fn recorded(&self, owner: directory::Owner, names: &directory::Names) -> Card {
        let directory::Owner { contact, numbers, leads, unknown_leads, company } = owner;
        let company_names: CompanyNames = contact.company.zip(company.map(Into::into)).into_iter().collect();
        let names = KnownNames {
            pipelines: Names { known: Arc::clone(&names.pipelines), degraded: false },
            owners: Names { known: Arc::clone(&names.owners), degraded: false },
            groups: Names { known: Arc::clone(&names.groups), degraded: false },
            companies: Names { known: Arc::new(company_names), degraded: false },
        };
        let unknown: HashSet<LeadId> = unknown_leads.into_iter().collect();
        let details = Details {
            by_id: leads.into_iter().map(|lead| (lead.id, lead)).collect(),
            asked: contact.leads.iter().copied().filter(|id| !unknown.contains(id)).collect(),
            complete: unknown.is_empty(),
            refused: false,
        };
        self.card(&(contact.with_id(PartyId::from), numbers), &details, &names)
    }

    /// The users and their groups. Groups are for users: nobody's group is asked for.
    async fn users(&self, users: &[UserId], ask: Ask) -> (Names<Owners>, Names<Groups>) {
        if users.is_empty() {
            return <_>::default();
        }
        tokio::join!(self.crm.names.owners(users, ask), self.crm.names.groups(ask))
    }

    /// The leads of all owners, newest first, and the names of their stages.
    async fn details(&self, owners: &[Verified], ask: Ask) -> (Details, Names<Pipelines>) {
        let mut asked: Vec<LeadId> = owners.iter().flat_map(|(contact, _)| contact.leads.iter().copied()).collect();
        if self.leads == Leads::Ids || asked.is_empty() {
            return <_>::default();
        }
        if self.leads_right.is_refused() {
            return (Details::refused(), Names::default());
        }
        asked.sort_unstable_by_key(|id| Reverse(*id));
        asked.dedup();
        let complete = asked.len() <= MOST_LEADS;
        asked.truncate(MOST_LEADS);
        let answer = self.crm.client.leads(&asked, ask).await;
        self.leads_right.learn(&answer);
        let leads = match answer {
            Ok(leads) => leads,
            Err(CrmError::Forbidden) => return (Details::refused(), Names::default()),
            // Counted by the client; the card says that they are missing.
            Err(_) => return <_>::default(),
        };
        let stages: Vec<_> = leads.iter().filter_map(|lead| lead.pipeline.zip(lead.stage)).collect();
        let by_id = leads.into_iter().map(|lead| (lead.id, lead)).collect();
        let details = Details { by_id, asked: asked.into_iter().collect(), complete, refused: false };
        (details, self.crm.names.pipelines(&stages, ask).await)
    }

    fn card(&self, (contact, numbers): &Verified, details: &Details, names: &KnownNames) -> Card {
        let leads = self.lead_views(contact, details, names);
        let company = contact.company.map(|id| Company { id, name: names.companies.known.get(&id).cloned() });
        let owner = contact.owner.map(|id| owner(id, contact, names));
        let partial = Partial {
            leads: !details.complete && !contact.leads.is_empty(),
            leads_refused: details.refused,
            owner: names.owners.degraded && owner.as_ref().is_some_and(|owner| owner.name.is_none()),
            company: names.companies.degraded && company.as_ref().is_some_and(|company| company.name.is_none()),
        };
        Card {
            id: contact.id,
            name: display_name(contact),
            first_name: filled(&contact.first_name),
            last_name: filled(&contact.last_name),
            url: self.crm.links.party(contact.id),
            phones: shown_phones(contact, self.region),
            emails: contact.emails.clone(),
            company,
            owner,
            tags: contact.tags.iter().map(tag_view).collect(),
            created_at: contact.created_at.and_then(timestamp),
            updated_at: contact.updated_at.and_then(timestamp),
            next_task_at: contact.next_task_at.and_then(timestamp),
            elements: contact.elements.clone(),
            partial,
            leads,
            numbers: numbers.clone(),
            ready: <_>::default(),
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
            elements: lead.elements.clone(),
            ..self.bare_lead(lead.id)
        }
    }

    fn bare_lead(&self, id: LeadId) -> LeadView {
        let url = self.crm.links.lead(id);
        LeadView {
            id,
            name: None,
            price: None,
            pipeline: None,
            stage: None,
            state: None,
            url,
            updated_at: None,
            elements: Vec::new(),
        }
    }
}

/// The ids to be named, each once.
fn wanted<T: Ord>(owners: &[Verified], id: impl Fn(&Contact<PartyId>) -> Option<T>) -> Vec<T> {
    let ids: BTreeSet<T> = owners.iter().filter_map(|(contact, _)| id(contact)).collect();
    ids.into_iter().collect()
}

/// The user responsible, and the user's group: as the list of users says, or where that is not to be had, as the contact does.
fn owner(id: UserId, contact: &Contact<PartyId>, names: &KnownNames) -> Owner {
    let group = names.owners.known.group(id).or(contact.group);
    let group = group.map(|id| Group { id, name: names.groups.known.group(id) });
    // The CRM writes 0 both for the first group and for none.
    let group = group.filter(|group| group.name.is_some() || group.id != GroupId(0));
    Owner { id, name: names.owners.known.owner(id), group }
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
