//! The answer for programs: the contract's members in the contract's order, absent values as null, arrays always arrays.
//!
//! It has three parts. The beginning repeats how the caller wrote the number, the end tells how the answer was found and how old it is. The
//! middle is most of the bytes and nearly all of the work; only the CRM can change it, and the validator is made of it. It is kept on a card
//! that has room for it, and copied from then on; but only in the common case: one contact, asked about without an extension and without
//! the elements of lists.

use super::Asked;
use super::line::Line;
use super::members::{Json, Members, Value, array, object};
use crate::card::{Card, Company, Group, LeadState, LeadView, Owner, Part, Ready, Slot, Tag, TagView};
use crate::contact::Element;
use crate::crm::dictionary::ElementNames;
use crate::lookup::{Answer, Finding, Found, Freshness};
use crate::phone::E164;

/// Room for a common answer.
const USUAL: usize = 1_024;

/// The whole document, and its validator.
pub(super) fn document(answer: &Answer, asked: &Asked<'_>) -> (Vec<u8>, Tag) {
    let mut json = Json::with_capacity(USUAL);
    beginning(&mut json, answer, asked);
    let tag = middle(&mut json, answer);
    end(&mut json, &answer.freshness);
    (json.into_bytes(), tag)
}

fn beginning(json: &mut Json, answer: &Answer, asked: &Asked<'_>) {
    match &answer.finding {
        Finding::Found(_) => json.raw(r#"{"found":true"#),
        _ => {
            json.raw(r#"{"found":false"#);
            json.more().member("reason", answer.finding.kind().as_str());
        }
    }
    json.raw(r#","phone":{"input":"#);
    json.value(&*asked.input);
}

fn end(json: &mut Json, freshness: &Freshness) {
    json.more().member(
        "cache",
        object(|cache| {
            cache.member("status", freshness.status.as_str());
            cache.member("age_s", freshness.age.as_secs());
            cache.member("stale", freshness.is_stale());
        }),
    );
    json.raw("}");
}

/// The middle, from the card if it is kept there.
fn middle(json: &mut Json, answer: &Answer) -> Tag {
    let place = place(answer);
    if let Some(ready) = place.and_then(|(slot, number)| slot.get(number)) {
        json.raw(&ready.text);
        return ready.tag;
    }
    let begin = json.bytes().len();
    line(json, &Line::of(answer));
    who(json, if let Finding::Found(found) = &answer.finding { Some(found) } else { None });
    let text = &json.bytes()[begin..];
    let tag = Tag::of(text);
    if let Some((slot, number)) = place {
        slot.keep(|| Ready { number, text: text.into(), tag });
    }
    tag
}

/// Where the middle of this answer is kept.
fn place(answer: &Answer) -> Option<(&Slot, E164)> {
    let Finding::Found(found) = &answer.finding else { return None };
    let Found { number, best, others, elements, .. } = found;
    let is_common = others.is_empty() && elements.is_none() && number.extension.is_none();
    is_common.then(|| (&best.ready, number.e164))
}

/// What is left of the part about the number, and its end.
fn line(json: &mut Json, line: &Line) {
    let mut phone = json.more();
    phone.member("e164", line.e164.as_deref());
    phone.member("national", line.national.as_deref());
    phone.member("international", line.international.as_deref());
    phone.member("region", line.region);
    phone.member("extension", line.extension.as_deref());
    json.raw("}");
}

/// Whose number it is.
fn who(json: &mut Json, found: Option<&Found>) {
    let mut document = json.more();
    document.member("contact", found.map(contact));
    document.member("leads", array(found.into_iter().flat_map(leads)));
    let mut partial = found.into_iter().flat_map(partial).peekable();
    if partial.peek().is_some() {
        document.member("partial", array(partial.map(Part::as_str)));
    }
    let others = found.map_or(&[][..], |found| &found.others);
    document.member(
        "matches",
        object(|matches| {
            matches.member("count", found.map_or(0, |_| 1 + others.len() as u64));
            matches.member("kind", found.map(|found| found.kind.as_str()));
            matches.member("others", array(others.iter().map(|card| other(card))));
        }),
    );
}

fn contact(found: &Found) -> impl Value {
    let card = &*found.best;
    object(move |contact| {
        contact.member("kind", card.id.kind().as_str());
        contact.member("id", card.id.number());
        contact.member("name", &*card.name);
        contact.member("first_name", card.first_name.as_deref());
        contact.member("last_name", card.last_name.as_deref());
        contact.member("url", &*card.url);
        contact.member("phones", array(card.phones.iter().map(String::as_str)));
        contact.member("emails", array(card.emails.iter().map(String::as_str)));
        contact.member("company", card.company.as_ref().map(company));
        contact.member("owner", card.owner.as_ref().map(owner));
        contact.member("tags", array(card.tags.iter().map(tag)));
        contact.member("created_at", card.created_at);
        contact.member("updated_at", card.updated_at);
        contact.member("next_task_at", card.next_task_at);
        catalog_elements(contact, found, &card.elements);
    })
}

fn company(company: &Company) -> impl Value {
    named(company.id.0, company.name.as_deref())
}

fn owner(owner: &Owner) -> impl Value {
    object(|object| {
        object.member("id", owner.id.0);
        object.member("name", owner.name.as_deref());
        object.member("group", owner.group.as_ref().map(group));
    })
}

fn group(group: &Group) -> impl Value {
    named(group.id.0, group.name.as_deref())
}

fn named(id: u64, name: Option<&str>) -> impl Value {
    object(move |object| {
        object.member("id", id);
        object.member("name", name);
    })
}

fn tag(tag: &TagView) -> impl Value {
    object(|object| {
        object.member("name", &*tag.name);
        object.member("color", tag.color.as_deref());
    })
}

fn leads(found: &Found) -> impl Iterator<Item: Value> {
    found.best.leads.iter().map(|lead| self::lead(lead, found))
}

fn lead(view: &LeadView, found: &Found) -> impl Value {
    object(|lead| {
        lead.member("id", view.id.0);
        lead.member("name", view.name.as_deref());
        lead.member("price", view.price.as_ref());
        lead.member("pipeline", view.pipeline.as_deref());
        lead.member("stage", view.stage.as_deref());
        lead.member("state", view.state.map(LeadState::as_str));
        lead.member("url", &*view.url);
        lead.member("updated_at", view.updated_at);
        catalog_elements(lead, found, &view.elements);
    })
}

/// Another party of the same kind with the same number: enough to choose it and to open it.
fn other(card: &Card) -> impl Value {
    object(|other| {
        other.member("id", card.id.number());
        other.member("name", &*card.name);
        other.member("url", &*card.url);
    })
}

/// The elements of the account's lists, for those who asked for them.
fn catalog_elements(members: &mut Members<'_>, found: &Found, elements: &[Element]) {
    if let Some(names) = &found.elements {
        members.member("catalog_elements", array(elements.iter().map(|element| self::element(element, &names.known))));
    }
}

fn element(element: &Element, names: &ElementNames) -> impl Value {
    object(|object| {
        object.member("id", element.id.0);
        object.member("name", name(element, names));
        object.member("catalog_id", element.catalog.map(|catalog| catalog.0));
        object.member("quantity", element.quantity.as_ref());
        object.member("price_id", element.price_field);
    })
}

fn name<'a>(element: &Element, names: &'a ElementNames) -> Option<&'a str> {
    names.get(&(element.catalog?, element.id)).map(|name| &**name)
}

/// The parts that could not be had: those of the card, and the names of the elements asked for.
fn partial(found: &Found) -> impl Iterator<Item = Part> {
    let card = &found.best;
    let lacks_names = found.elements.as_ref().is_some_and(|names| {
        let mut all = card.elements.iter().chain(card.leads.iter().flat_map(|lead| &lead.elements));
        names.degraded && all.any(|element| name(element, &names.known).is_none())
    });
    card.partial.parts().chain(lacks_names.then_some(Part::CatalogElements))
}
