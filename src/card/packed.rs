//! A card as few bytes: what the cache keeps of a contact that is not asked about just now.
//!
//! Nothing is lost but what can be made again: names and numbers that repeat each other are written once, an address of the CRM's as the
//! word that it begins with (its end is an id), names that many cards share as places among [`Words`]. The bytes carry neither version nor
//! checksum. With [`Words::none`] they are whole in themselves, and what the shared store keeps.

mod parts;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::{Book, Words};
use super::{Card, Company, Group, Owner, Partial, TagView};
use crate::contact::{CompanyId, ContactId, GroupId, PartyId, PartyKind, UserId};
use crate::phone::{E164, Number};
use parts::{Address, ElementRecord, LeadRecord, Named, Part, Shown, Word, time};

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    is_company: bool,
    id: u64,
    name: &'a str,
    #[serde(borrow)]
    first_name: Part<'a>,
    #[serde(borrow)]
    last_name: Part<'a>,
    #[serde(borrow)]
    url: Address<'a>,
    #[serde(borrow)]
    numbers: Vec<(u64, Option<&'a str>)>,
    #[serde(borrow)]
    phones: Vec<Shown<'a>>,
    #[serde(borrow)]
    emails: Vec<&'a str>,
    #[serde(borrow)]
    company: Option<(u64, Option<&'a str>)>,
    #[serde(borrow)]
    owner: Option<(Named<'a>, Option<Named<'a>>)>,
    #[serde(borrow)]
    tags: Vec<(&'a str, Option<&'a str>)>,
    /// Made, changed, next task.
    times: [Option<i64>; 3],
    #[serde(borrow)]
    leads: Vec<LeadRecord<'a>>,
    elements: Vec<ElementRecord>,
    /// Leads, leads refused, owner, company: a bit each.
    lacks: u8,
}

impl Card {
    /// Its bytes.
    #[must_use]
    pub fn pack(&self, words: &Words) -> Vec<u8> {
        // Named one by one, so that a field that is added there is missed here by the compiler.
        let Self {
            id,
            name,
            first_name,
            last_name,
            url,
            phones,
            emails,
            company,
            owner,
            tags,
            created_at,
            updated_at,
            next_task_at,
            leads,
            elements,
            partial,
            numbers,
            ready: _,
        } = self;
        let shown: Vec<_> = numbers.iter().map(|number| number.e164.to_string()).collect();
        let record = Record {
            is_company: id.kind() == PartyKind::Company,
            id: id.number(),
            name,
            first_name: Part::of(first_name.as_deref(), name),
            last_name: Part::of(last_name.as_deref(), name),
            url: Address::of(url, id.number(), words),
            numbers: numbers.iter().map(|n| (n.e164.get(), n.extension.as_ref().map(|e| e.as_str()))).collect(),
            phones: phones.iter().map(|phone| Shown::of(phone, &shown)).collect(),
            emails: emails.iter().map(String::as_str).collect(),
            company: company.as_ref().map(|company| (company.id.0, company.name.as_deref())),
            owner: owner.as_ref().map(|owner| {
                let group = owner.group.as_ref().map(|group| (group.id.0, Word::maybe(group.name.as_deref(), words)));
                ((owner.id.0, Word::maybe(owner.name.as_deref(), words)), group)
            }),
            tags: tags.iter().map(|tag| (tag.name.as_str(), tag.color.as_deref())).collect(),
            times: [created_at, updated_at, next_task_at].map(|at| at.map(Timestamp::as_second)),
            leads: leads.iter().map(|lead| LeadRecord::of(lead, words)).collect(),
            elements: elements.iter().map(ElementRecord::of).collect(),
            lacks: bits(*partial),
        };
        postcard::to_stdvec(&record).expect("a vector takes everything")
    }

    /// The card of bytes that were packed with the same words, or with none; nothing if they are no such bytes.
    #[must_use]
    pub fn unpack(bytes: &[u8], words: &Words) -> Option<Self> {
        let record: Record<'_> = postcard::from_bytes(bytes).ok()?;
        let book = words.book();
        let numbers: Vec<Number> = record.numbers.into_iter().map(number).collect::<Option<_>>()?;
        let [created_at, updated_at, next_task_at] = record.times.map(time);
        let tag =
            |(name, color): (&str, Option<&str>)| TagView { name: name.to_owned(), color: color.map(str::to_owned) };
        Some(Self {
            id: match record.is_company {
                true => PartyId::Company(CompanyId(record.id)),
                false => PartyId::Contact(ContactId(record.id)),
            },
            first_name: record.first_name.text(record.name)?,
            last_name: record.last_name.text(record.name)?,
            name: record.name.to_owned(),
            url: record.url.text(record.id, &book)?,
            phones: record.phones.into_iter().map(|phone| phone.text(&numbers)).collect::<Option<_>>()?,
            emails: record.emails.into_iter().map(str::to_owned).collect(),
            company: record.company.map(|(id, name)| Company { id: CompanyId(id), name: name.map(Arc::from) }),
            owner: match record.owner {
                Some(named) => Some(owner(named, &book)?),
                None => None,
            },
            tags: record.tags.into_iter().map(tag).collect(),
            created_at,
            updated_at,
            next_task_at,
            leads: record.leads.into_iter().map(|lead| lead.view(&book)).collect::<Option<_>>()?,
            elements: record.elements.into_iter().map(ElementRecord::element).collect(),
            partial: partial(record.lacks),
            numbers,
            ready: <_>::default(),
        })
    }
}

fn owner(((id, name), group): (Named<'_>, Option<Named<'_>>), book: &Book) -> Option<Owner> {
    let group = match group {
        Some((id, name)) => Some(Group { id: GroupId(id), name: Word::shared(name.as_ref(), book)? }),
        None => None,
    };
    Some(Owner { id: UserId(id), name: Word::shared(name.as_ref(), book)?, group })
}

fn bits(Partial { leads, leads_refused, owner, company }: Partial) -> u8 {
    [leads, leads_refused, owner, company].into_iter().rev().fold(0, |bits, lacks| bits << 1 | u8::from(lacks))
}

const fn partial(bits: u8) -> Partial {
    Partial { leads: bits & 1 != 0, leads_refused: bits & 2 != 0, owner: bits & 4 != 0, company: bits & 8 != 0 }
}

fn number((digits, extension): (u64, Option<&str>)) -> Option<Number> {
    let extension = match extension {
        Some(text) => Some(text.parse().ok()?),
        None => None,
    };
    Some(Number { e164: E164::try_from(digits).ok()?, extension })
}

#[cfg(test)]
mod tests;
