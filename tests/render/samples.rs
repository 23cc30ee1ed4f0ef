//! Answers to show: one ordinary contact, and what happens to people in a real CRM.

use std::sync::Arc;
use std::time::Duration;

use callcard::card::{Card, Company, Group, LeadState, LeadView, Owner, Partial, TagView};
use callcard::contact::{CompanyId, ContactId, GroupId, LeadId, UserId};
use callcard::lookup::{Answer, Finding, Found, Freshness};
use callcard::matching::MatchKind;
use callcard::outcome::CacheStatus;
use callcard::phone::Number;
use callcard::render::{Asked, Options};
use jiff::Timestamp;

pub(crate) const NUMBER: &str = "+14155550123";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn options() -> Options {
    Options {
        new_contact_url: Some("https://acme.kommo.com/contacts/add?phone=%2B14155550123".to_owned()),
        reload_url: Some("?phone=%2B14155550123&format=html&refresh=1".to_owned()),
        ..Options::new(at("2026-11-24T12:00:00Z"))
    }
}

pub(crate) fn asked() -> Asked<'static> {
    Asked { input: "(415) 555-0123".into() }
}

pub(crate) fn number() -> Number {
    Number { e164: NUMBER.parse().unwrap(), extension: None }
}

/// An ordinary contact with a few leads.
pub(crate) fn anna() -> Card {
    Card {
        id: ContactId(7).into(),
        name: "Anna Ivanova".to_owned(),
        first_name: Some("Anna".to_owned()),
        last_name: Some("Ivanova".to_owned()),
        url: "https://acme.kommo.com/contacts/detail/7".to_owned(),
        phones: vec![NUMBER.to_owned(), "+14155550177".to_owned()],
        emails: vec!["anna@northwind-roofing.example".to_owned()],
        company: Some(Company { id: CompanyId(5), name: Some("Northwind Roofing".into()) }),
        owner: Some(Owner { id: UserId(71), name: Some("Olivia Owner".into()), group: Some(sales()) }),
        tags: vec![tag("VIP", Some("#d21f3c")), tag("wholesale", Some("#ffd54f")), tag("net 30", None)],
        created_at: Some(at("2023-03-14T09:30:00Z")),
        updated_at: Some(at("2026-11-24T08:15:00Z")),
        next_task_at: Some(at("2026-11-22T10:00:00Z")),
        leads: vec![
            lead(
                1,
                Some("Warehouse roof, 2 400 m²"),
                Some(184_000),
                Some("Negotiation"),
                LeadState::Open,
                "2026-11-24T09:00:00Z",
            ),
            lead(
                2,
                Some("Service contract 2027"),
                Some(9_600),
                Some("Offer sent"),
                LeadState::Open,
                "2026-11-20T12:00:00Z",
            ),
            lead(
                3,
                Some("Office skylights"),
                Some(27_350),
                Some("Closed - won"),
                LeadState::Won,
                "2026-05-02T12:00:00Z",
            ),
            lead(4, None, None, Some("Closed - lost"), LeadState::Lost, "2025-09-11T12:00:00Z"),
        ],
        elements: Vec::new(),
        partial: Partial::default(),
        numbers: vec![number()],
        ready: <_>::default(),
    }
}

/// A contact with nothing but an id.
pub(crate) fn bare(id: u64) -> Card {
    Card {
        id: ContactId(id).into(),
        name: String::new(),
        first_name: None,
        last_name: None,
        url: format!("https://acme.kommo.com/contacts/detail/{id}"),
        phones: vec![NUMBER.to_owned()],
        emails: Vec::new(),
        company: None,
        owner: None,
        tags: Vec::new(),
        created_at: None,
        updated_at: None,
        next_task_at: None,
        leads: Vec::new(),
        elements: Vec::new(),
        partial: Partial::default(),
        numbers: vec![number()],
        ready: <_>::default(),
    }
}

/// The owner's group.
fn sales() -> Group {
    Group { id: GroupId(0), name: Some("Sales".into()) }
}

pub(crate) fn tag(name: &str, color: Option<&str>) -> TagView {
    TagView { name: name.to_owned(), color: color.map(str::to_owned) }
}

pub(crate) fn lead(
    id: u64,
    name: Option<&str>,
    price: Option<u64>,
    stage: Option<&str>,
    state: LeadState,
    updated: &str,
) -> LeadView {
    LeadView {
        id: LeadId(id),
        name: name.map(str::to_owned),
        price: price.map(Into::into),
        pipeline: Some("Sales".into()),
        stage: stage.map(Into::into),
        state: Some(state),
        url: format!("https://acme.kommo.com/leads/detail/{id}"),
        updated_at: Some(at(updated)),
        elements: Vec::new(),
    }
}

pub(crate) fn found(best: Card) -> Answer {
    found_among(best, Vec::new())
}

pub(crate) fn found_among(best: Card, others: Vec<Card>) -> Answer {
    let others = others.into_iter().map(Arc::new).collect();
    let found = Found { number: number(), best: Arc::new(best), others, kind: MatchKind::Exact, elements: None };
    Answer { finding: Finding::Found(found), freshness: fresh() }
}

pub(crate) fn nobody() -> Answer {
    Answer { finding: Finding::NotFound(number()), freshness: fresh() }
}

pub(crate) fn withheld() -> Answer {
    Answer { finding: Finding::Withheld, freshness: Freshness::skipped() }
}

pub(crate) fn extension() -> Answer {
    Answer { finding: Finding::Extension("204".parse().unwrap()), freshness: Freshness::skipped() }
}

pub(crate) fn fresh() -> Freshness {
    Freshness { age: Duration::from_secs(12), ttl: 588, ..Freshness::without_entry(CacheStatus::Hit, None) }
}

pub(crate) fn stale() -> Freshness {
    Freshness { age: Duration::from_secs(3 * 3600), ttl: -10_200, ..Freshness::without_entry(CacheStatus::Stale, None) }
}
