//! The answer for programs: the contract's members in the contract's order, absent values as null, arrays always arrays.

use jiff::Timestamp;
use serde::Serialize;

use super::Asked;
use super::line::Line;
use crate::card::{Card, Company, LeadView, Owner, TagView};
use crate::contact::PartyKind;
use crate::lookup::{Answer, Finding, Freshness};
use crate::matching::MatchKind;
use crate::outcome::{AnswerKind, CacheStatus};

/// The whole document.
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
    pub(super) fn new(answer: &'a Answer, asked: &'a Asked) -> Self {
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
    leads: &'a [LeadView],
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<[&'static str; 1]>,
    matches: Matches<'a>,
}

impl<'a> Who<'a> {
    pub(super) fn new(answer: &'a Answer) -> Self {
        let Finding::Found(found) = &answer.finding else {
            let matches = Matches { count: 0, kind: None, others: Vec::new() };
            return Self { contact: None, leads: &[], partial: None, matches };
        };
        Self {
            contact: Some(Contact::from(&*found.best)),
            leads: &found.best.leads,
            partial: found.best.leads_partial.then_some(["leads"]),
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
}

impl<'a> From<&'a Card> for Contact<'a> {
    fn from(card: &'a Card) -> Self {
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
        }
    }
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
