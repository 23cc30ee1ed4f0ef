//! The answer for programs: the contract's members in the contract's order, absent values as null, arrays always arrays.

use jiff::Timestamp;
use serde::Serialize;

use super::Asked;
use super::line::Line;
use crate::card::{Card, Company, LeadView, Owner, Part, TagView};
use crate::contact::{self, CatalogId, ElementId, PartyKind};
use crate::crm::dictionary::ElementNames;
use crate::lookup::{Answer, Finding, Found, Freshness};
use crate::matching::MatchKind;
use crate::outcome::{AnswerKind, CacheStatus};

/// What every document with an answer begins with, up to the caller's own spelling of the number.
pub(super) const INPUT: &str = r#"{"found":true,"phone":{"input":"#;
/// What the part about the cache begins with, up to the status.
pub(super) const TAIL: &str = r#","cache":{"status":""#;

/// The whole document. Its beginning and its end are known to [`super::ready`].
#[derive(Serialize)]
pub(super) struct Document<'a> {
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    phone: Phone<'a>,
    #[serde(flatten)]
    who: Who<'a>,
    cache: Cache,
}

impl<'a> Document<'a> {
    pub(super) fn new(answer: &'a Answer, asked: &'a Asked<'_>) -> Self {
        let kind = answer.finding.kind();
        Self {
            found: kind == AnswerKind::Found,
            reason: (kind != AnswerKind::Found).then_some(kind.as_str()),
            phone: Phone { input: &asked.input, line: Line::of(answer) },
            who: Who::new(answer),
            cache: Cache::from(&answer.freshness),
        }
    }
}

#[derive(Serialize)]
struct Phone<'a> {
    input: &'a str,
    #[serde(flatten)]
    line: Line,
}

/// The part that only the CRM can change; the `ETag` is made of it.
#[derive(Serialize)]
pub(super) struct Who<'a> {
    contact: Option<Contact<'a>>,
    leads: Leads<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partial: Vec<Part>,
    matches: Matches<'a>,
}

impl<'a> Who<'a> {
    pub(super) fn new(answer: &'a Answer) -> Self {
        let Finding::Found(found) = &answer.finding else {
            let matches = Matches { count: 0, kind: None, others: Vec::new() };
            return Self { contact: None, leads: Leads::Plain(&[]), partial: Vec::new(), matches };
        };
        Self {
            contact: Some(Contact::new(found)),
            leads: Leads::new(found),
            partial: partial(found),
            matches: Matches {
                count: 1 + found.others.len(),
                kind: Some(found.kind),
                others: found.others.iter().map(|card| Other::from(&**card)).collect(),
            },
        }
    }
}

#[derive(Serialize)]
struct Contact<'a> {
    kind: PartyKind,
    id: u64,
    name: &'a str,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    url: &'a str,
    phones: &'a [String],
    emails: &'a [String],
    company: Option<&'a Company>,
    owner: Option<&'a Owner>,
    tags: &'a [TagView],
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    next_task_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_elements: Option<Vec<Element<'a>>>,
}

impl<'a> Contact<'a> {
    fn new(found: &'a Found) -> Self {
        let card = &*found.best;
        Self {
            kind: card.id.kind(),
            id: card.id.number(),
            name: &card.name,
            first_name: card.first_name.as_deref(),
            last_name: card.last_name.as_deref(),
            url: &card.url,
            phones: &card.phones,
            emails: &card.emails,
            company: card.company.as_ref(),
            owner: card.owner.as_ref(),
            tags: &card.tags,
            created_at: card.created_at,
            updated_at: card.updated_at,
            next_task_at: card.next_task_at,
            catalog_elements: found.elements.as_ref().map(|names| elements(&card.elements, &names.known)),
        }
    }
}

/// The leads, with their list elements for those who asked for these.
#[derive(Serialize)]
#[serde(untagged)]
enum Leads<'a> {
    Plain(&'a [LeadView]),
    WithElements(Vec<Lead<'a>>),
}

#[derive(Serialize)]
struct Lead<'a> {
    #[serde(flatten)]
    view: &'a LeadView,
    catalog_elements: Vec<Element<'a>>,
}

impl<'a> Leads<'a> {
    fn new(found: &'a Found) -> Self {
        let leads = &found.best.leads;
        let Some(names) = &found.elements else { return Self::Plain(leads) };
        let lead = |view: &'a LeadView| Lead { view, catalog_elements: elements(&view.elements, &names.known) };
        Self::WithElements(leads.iter().map(lead).collect())
    }
}

/// An element of one of the account's lists.
#[derive(Serialize)]
struct Element<'a> {
    id: ElementId,
    name: Option<&'a str>,
    catalog_id: Option<CatalogId>,
    quantity: Option<&'a serde_json::Number>,
    price_id: Option<u64>,
}

fn elements<'a>(elements: &'a [contact::Element], names: &'a ElementNames) -> Vec<Element<'a>> {
    let shown = |element: &'a contact::Element| Element {
        id: element.id,
        name: name(element, names),
        catalog_id: element.catalog,
        quantity: element.quantity.as_ref(),
        price_id: element.price_field,
    };
    elements.iter().map(shown).collect()
}

fn name<'a>(element: &contact::Element, names: &'a ElementNames) -> Option<&'a str> {
    names.get(&(element.catalog?, element.id)).map(|name| &**name)
}

/// The parts that could not be had: those of the card, and the names of the elements asked for.
fn partial(found: &Found) -> Vec<Part> {
    let card = &found.best;
    let lacks_names = found.elements.as_ref().is_some_and(|names| {
        let mut all = card.elements.iter().chain(card.leads.iter().flat_map(|lead| &lead.elements));
        names.degraded && all.any(|element| name(element, &names.known).is_none())
    });
    card.partial.parts().chain(lacks_names.then_some(Part::CatalogElements)).collect()
}

#[derive(Serialize)]
struct Matches<'a> {
    count: usize,
    kind: Option<MatchKind>,
    others: Vec<Other<'a>>,
}

/// Another party of the same kind with the same number: enough to choose it and to open it.
#[derive(Serialize)]
struct Other<'a> {
    id: u64,
    name: &'a str,
    url: &'a str,
}

impl<'a> From<&'a Card> for Other<'a> {
    fn from(card: &'a Card) -> Self {
        Self { id: card.id.number(), name: &card.name, url: &card.url }
    }
}

#[derive(Serialize)]
struct Cache {
    status: &'static str,
    age_s: u64,
    stale: bool,
}

impl From<&Freshness> for Cache {
    fn from(freshness: &Freshness) -> Self {
        let status: CacheStatus = freshness.status;
        Self { status: status.as_str(), age_s: freshness.age.as_secs(), stale: freshness.is_stale() }
    }
}
