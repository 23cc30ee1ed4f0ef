//! The answer as a flat list of names and texts, for readers without structure: `flat` (a contact centre's attributes) and `hash`
//! (Asterisk's `HASH()`). Every name is always there, so that a flow can be built before the first call comes in.

use crate::card::{Card, LeadState, LeadView};
use crate::lookup::{Answer, Finding};

use super::line::Line;

/// One fact.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: Value,
}

/// Where a fact comes from decides how much it is trusted.
pub(super) enum Value {
    /// Made by us: a number, a word of ours, an address of ours. Safe as it is.
    Ours(String),
    /// Typed by somebody into the CRM, to be read by a person.
    Typed(String),
    /// Typed by somebody, and of use only unchanged.
    Address(String),
}

/// The facts of `answer`, always the same names in the same order.
pub(super) fn of(answer: &Answer) -> Vec<Fact> {
    let found = if let Finding::Found(found) = &answer.finding { Some(found) } else { None };
    let card = found.map(|found| &*found.best);
    let reason = if found.is_some() { "" } else { answer.finding.kind().as_str() };
    let line = Line::of(answer);
    let mut facts = vec![
        ours("found", &u8::from(found.is_some())),
        ours("reason", &reason),
        ours("phone", &line.e164.unwrap_or_default()),
        ours("extension", &line.extension.unwrap_or_default()),
    ];
    facts.extend(contact(card));
    facts.extend(leads(card));
    facts.push(ours("matches", &found.map_or(0, |found| 1 + found.others.len())));
    facts.push(ours("stale", &u8::from(answer.freshness.is_stale())));
    facts.push(ours("age_s", &answer.freshness.age.as_secs()));
    facts
}

fn contact(card: Option<&Card>) -> [Fact; 10] {
    let company = card.and_then(|card| card.company.as_ref()?.name.as_deref());
    let owner = card.and_then(|card| card.owner.as_ref());
    let email = card.and_then(|card| card.emails.first());
    let tags = card.map(|card| card.tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>().join(", "));
    [
        ours("kind", &card.map(|card| card.id.kind().as_str()).unwrap_or_default()),
        typed("name", card.map(|card| card.name.as_str())),
        typed("first_name", card.and_then(|card| card.first_name.as_deref())),
        typed("last_name", card.and_then(|card| card.last_name.as_deref())),
        typed("company", company),
        Fact { name: "email", value: Value::Address(email.cloned().unwrap_or_default()) },
        typed("owner", owner.and_then(|owner| owner.name.as_deref())),
        ours("owner_id", &owner.map(|owner| owner.id.to_string()).unwrap_or_default()),
        typed("tags", tags.as_deref()),
        ours("url", &card.map(|card| card.url.clone()).unwrap_or_default()),
    ]
}

/// The first lead is the one that matters: open before closed, latest before older.
fn leads(card: Option<&Card>) -> [Fact; 8] {
    let all = card.map_or(&[][..], |card| &card.leads);
    let first: Option<&LeadView> = all.first();
    let price = first.and_then(|lead| lead.price.as_ref());
    [
        typed("lead", first.and_then(|lead| lead.name.as_deref())),
        typed("pipeline", first.and_then(|lead| lead.pipeline.as_deref())),
        typed("stage", first.and_then(|lead| lead.stage.as_deref())),
        ours("state", &first.and_then(|lead| lead.state).map(LeadState::as_str).unwrap_or_default()),
        ours("price", &price.map(ToString::to_string).unwrap_or_default()),
        ours("lead_url", &first.map(|lead| lead.url.clone()).unwrap_or_default()),
        ours("leads", &all.len()),
        ours("open_leads", &all.iter().filter(|lead| lead.state == Some(LeadState::Open)).count()),
    ]
}

fn ours(name: &'static str, value: &impl ToString) -> Fact {
    Fact { name, value: Value::Ours(value.to_string()) }
}

fn typed(name: &'static str, value: Option<&str>) -> Fact {
    Fact { name, value: Value::Typed(value.unwrap_or_default().to_owned()) }
}
