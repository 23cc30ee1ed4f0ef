//! A card as few bytes: what the cache keeps of a contact that is not asked about just now.
//!
//! Nothing is lost but what can be made again: names and numbers that repeat each other are written once, an address of the CRM's as the
//! word that it begins with (its end is an id), names that many cards share as places among [`Words`]. The bytes are read by the process
//! that wrote them and by nobody else, so they carry neither version nor checksum.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::{Book, Words};
use super::{Card, Company, Group, LeadState, LeadView, Owner, Partial, TagView};
use crate::contact::{
    CatalogId, CompanyId, ContactId, Element, ElementId, GroupId, LeadId, PartyId, PartyKind, UserId,
};
use crate::phone::{E164, Number};

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

#[derive(Serialize, Deserialize)]
struct LeadRecord<'a> {
    id: u64,
    name: Option<&'a str>,
    price: Amount,
    #[serde(borrow)]
    pipeline: Option<Word<'a>>,
    #[serde(borrow)]
    stage: Option<Word<'a>>,
    state: Option<State>,
    #[serde(borrow)]
    url: Address<'a>,
    updated_at: Option<i64>,
    elements: Vec<ElementRecord>,
}

#[derive(Serialize, Deserialize)]
struct ElementRecord {
    id: u64,
    catalog: Option<u64>,
    quantity: Amount,
    price_field: Option<u64>,
}

/// A part of the whole name.
#[derive(Serialize, Deserialize)]
enum Part<'a> {
    None,
    /// So many bytes at its beginning.
    First(usize),
    /// What is left after so many bytes.
    After(usize),
    Text(&'a str),
}

/// An address of a record's page.
#[derive(Serialize, Deserialize)]
enum Address<'a> {
    /// This word, and then the record's id.
    Made(u32),
    Text(&'a str),
}

/// A number as it is shown.
#[derive(Serialize, Deserialize)]
enum Shown<'a> {
    /// The readable number at this place.
    Number(usize),
    Text(&'a str),
}

/// A text that other cards may have too.
#[derive(Serialize, Deserialize)]
enum Word<'a> {
    At(u32),
    Text(&'a str),
}

/// An id and what it is called.
type Named<'a> = (u64, Option<Word<'a>>);

#[derive(Clone, Copy, Serialize, Deserialize)]
enum State {
    Open,
    Won,
    Lost,
}

/// A number of JSON's. Whole ones are what the CRM sends.
#[derive(Serialize, Deserialize)]
enum Amount {
    None,
    Whole(i64),
    Natural(u64),
    Fraction(f64),
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

    /// The card of bytes that were packed with the same words.
    #[must_use]
    pub fn unpack(bytes: &[u8], words: &Words) -> Self {
        let record: Record<'_> = postcard::from_bytes(bytes).expect("the bytes were packed by this process");
        let book = words.book();
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let numbers: Vec<Number> = record.numbers.into_iter().map(number).collect();
        let [created_at, updated_at, next_task_at] = record.times.map(time);
        let tag =
            |(name, color): (&str, Option<&str>)| TagView { name: name.to_owned(), color: color.map(str::to_owned) };
        let owner = |((id, name), group): (Named<'_>, Option<Named<'_>>)| Owner {
            id: UserId(id),
            name: Word::shared(name, &book),
            group: group.map(|(id, name)| Group { id: GroupId(id), name: Word::shared(name, &book) }),
        };
        Self {
            id: match record.is_company {
                true => PartyId::Company(CompanyId(record.id)),
                false => PartyId::Contact(ContactId(record.id)),
            },
            first_name: record.first_name.text(record.name),
            last_name: record.last_name.text(record.name),
            name: record.name.to_owned(),
            url: record.url.text(record.id, &book),
            phones: record.phones.into_iter().map(|phone| phone.text(&numbers)).collect(),
            emails: owned(record.emails),
            company: record.company.map(|(id, name)| Company { id: CompanyId(id), name: name.map(Arc::from) }),
            owner: record.owner.map(owner),
            tags: record.tags.into_iter().map(tag).collect(),
            created_at,
            updated_at,
            next_task_at,
            leads: record.leads.into_iter().map(|lead| lead.view(&book)).collect(),
            elements: record.elements.into_iter().map(ElementRecord::element).collect(),
            partial: partial(record.lacks),
            numbers,
            ready: <_>::default(),
        }
    }
}

fn bits(Partial { leads, leads_refused, owner, company }: Partial) -> u8 {
    [leads, leads_refused, owner, company].into_iter().rev().fold(0, |bits, lacks| bits << 1 | u8::from(lacks))
}

const fn partial(bits: u8) -> Partial {
    Partial { leads: bits & 1 != 0, leads_refused: bits & 2 != 0, owner: bits & 4 != 0, company: bits & 8 != 0 }
}

fn time(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok())
}

fn number((digits, extension): (u64, Option<&str>)) -> Number {
    let e164 = E164::try_from(digits).expect("it was one when it was packed");
    let extension = extension.map(|text| text.parse().expect("it was one when it was packed"));
    Number { e164, extension }
}

impl<'a> Part<'a> {
    fn of(part: Option<&'a str>, name: &str) -> Self {
        match part {
            None => Self::None,
            Some(part) if name.starts_with(part) => Self::First(part.len()),
            Some(part) if name.ends_with(part) => Self::After(name.len() - part.len()),
            Some(part) => Self::Text(part),
        }
    }

    fn text(self, name: &str) -> Option<String> {
        let text = match self {
            Self::None => return None,
            Self::First(len) => &name[..len],
            Self::After(len) => &name[len..],
            Self::Text(text) => text,
        };
        Some(text.to_owned())
    }
}

impl<'a> Address<'a> {
    fn of(url: &'a str, id: u64, words: &Words) -> Self {
        let beginning = url.strip_suffix(itoa::Buffer::new().format(id));
        match beginning.and_then(|beginning| words.place(beginning)) {
            Some(place) => Self::Made(place),
            None => Self::Text(url),
        }
    }

    fn text(self, id: u64, book: &Book) -> String {
        match self {
            Self::Made(place) => [&**book.at(place), itoa::Buffer::new().format(id)].concat(),
            Self::Text(url) => url.to_owned(),
        }
    }
}

impl<'a> Shown<'a> {
    fn of(phone: &'a str, numbers: &[String]) -> Self {
        numbers.iter().position(|number| number == phone).map_or(Self::Text(phone), Self::Number)
    }

    fn text(self, numbers: &[Number]) -> String {
        match self {
            Self::Number(at) => numbers[at].e164.to_string(),
            Self::Text(text) => text.to_owned(),
        }
    }
}

impl<'a> Word<'a> {
    fn of(text: &'a str, words: &Words) -> Self {
        words.place(text).map_or(Self::Text(text), Self::At)
    }

    fn maybe(text: Option<&'a str>, words: &Words) -> Option<Self> {
        text.map(|text| Self::of(text, words))
    }

    fn shared(word: Option<Self>, book: &Book) -> Option<Arc<str>> {
        word.map(|word| match word {
            Self::At(place) => Arc::clone(book.at(place)),
            Self::Text(text) => text.into(),
        })
    }
}

impl<'a> LeadRecord<'a> {
    fn of(lead: &'a LeadView, words: &Words) -> Self {
        let LeadView { id, name, price, pipeline, stage, state, url, updated_at, elements } = lead;
        Self {
            id: id.0,
            name: name.as_deref(),
            price: Amount::of(price.as_ref()),
            pipeline: Word::maybe(pipeline.as_deref(), words),
            stage: Word::maybe(stage.as_deref(), words),
            state: state.map(|state| match state {
                LeadState::Open => State::Open,
                LeadState::Won => State::Won,
                LeadState::Lost => State::Lost,
            }),
            url: Address::of(url, id.0, words),
            updated_at: updated_at.map(Timestamp::as_second),
            elements: elements.iter().map(ElementRecord::of).collect(),
        }
    }

    fn view(self, book: &Book) -> LeadView {
        LeadView {
            id: LeadId(self.id),
            name: self.name.map(str::to_owned),
            price: self.price.number(),
            pipeline: Word::shared(self.pipeline, book),
            stage: Word::shared(self.stage, book),
            state: self.state.map(|state| match state {
                State::Open => LeadState::Open,
                State::Won => LeadState::Won,
                State::Lost => LeadState::Lost,
            }),
            url: self.url.text(self.id, book),
            updated_at: time(self.updated_at),
            elements: self.elements.into_iter().map(ElementRecord::element).collect(),
        }
    }
}

impl ElementRecord {
    fn of(element: &Element) -> Self {
        let Element { id, catalog, quantity, price_field } = element;
        Self {
            id: id.0,
            catalog: catalog.map(|catalog| catalog.0),
            quantity: Amount::of(quantity.as_ref()),
            price_field: *price_field,
        }
    }

    fn element(self) -> Element {
        Element {
            id: ElementId(self.id),
            catalog: self.catalog.map(CatalogId),
            quantity: self.quantity.number(),
            price_field: self.price_field,
        }
    }
}

impl Amount {
    fn of(number: Option<&serde_json::Number>) -> Self {
        let Some(number) = number else { return Self::None };
        let whole = number.as_i64().map(Self::Whole).or_else(|| number.as_u64().map(Self::Natural));
        whole.or_else(|| number.as_f64().map(Self::Fraction)).expect("a number of JSON's is one of these")
    }

    fn number(self) -> Option<serde_json::Number> {
        match self {
            Self::None => None,
            Self::Whole(whole) => Some(whole.into()),
            Self::Natural(natural) => Some(natural.into()),
            Self::Fraction(fraction) => serde_json::Number::from_f64(fraction),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn element(id: u64, quantity: Option<&str>) -> Element {
        let quantity = quantity.map(|text| text.parse().unwrap());
        Element { id: ElementId(id), catalog: Some(CatalogId(9)), quantity, price_field: Some(3) }
    }

    fn lead(id: u64, price: Option<&str>, state: Option<LeadState>) -> LeadView {
        LeadView {
            id: LeadId(id),
            name: Some("Roof".to_owned()),
            price: price.map(|text| text.parse().unwrap()),
            pipeline: Some("Sales".into()),
            stage: None,
            state,
            url: format!("https://acme.kommo.com/leads/detail/{id}"),
            updated_at: Timestamp::from_second(1_700_000_000).ok(),
            elements: vec![element(3, None)],
        }
    }

    fn card(id: PartyId, name: &str, first: Option<&str>, last: Option<&str>) -> Card {
        let number = Number { e164: "+14155550123".parse().unwrap(), extension: Some("12".parse().unwrap()) };
        Card {
            id,
            name: name.to_owned(),
            first_name: first.map(str::to_owned),
            last_name: last.map(str::to_owned),
            url: "https://acme.kommo.com/contacts/detail/7".to_owned(),
            phones: vec!["+14155550123".to_owned(), "call me".to_owned()],
            emails: vec!["anna@example.com".to_owned()],
            company: Some(Company { id: CompanyId(u64::MAX), name: Some("Acme".into()) }),
            owner: Some(Owner {
                id: UserId(71),
                name: None,
                group: Some(Group { id: GroupId(2), name: Some("Sales".into()) }),
            }),
            tags: vec![TagView { name: "VIP".to_owned(), color: Some("#ff0000".to_owned()) }],
            created_at: None,
            updated_at: Timestamp::from_second(1_700_000_001).ok(),
            next_task_at: Timestamp::from_second(-5).ok(),
            leads: vec![
                lead(1, Some("100.1"), Some(LeadState::Open)),
                lead(u64::MAX, Some("18446744073709551615"), Some(LeadState::Lost)),
                lead(3, Some("-3"), Some(LeadState::Won)),
                lead(4, None, None),
            ],
            elements: vec![element(4, Some("2.5"))],
            partial: Partial { leads: true, owner: true, ..Partial::default() },
            numbers: vec![number],
            ready: <_>::default(),
        }
    }

    fn there_and_back(card: &Card, words: &Words) -> Card {
        Card::unpack(&card.pack(words), words)
    }

    #[test]
    fn a_card_comes_back_as_it_was() {
        let words = Words::default();
        for id in [ContactId(7).into(), CompanyId(7).into(), ContactId(u64::MAX).into()] {
            let card = card(id, "Anna Ivanova", Some("Anna"), Some("Ivanova"));
            assert!(there_and_back(&card, &words) == card);
        }
    }

    #[test]
    fn what_could_not_be_had_stays_missing() {
        for bits in 0..16 {
            assert_eq!(super::bits(partial(bits)), bits);
        }
    }

    #[test]
    fn what_cards_share_and_what_repeats_is_not_written_out() {
        let words = Words::default();
        let bytes = card(ContactId(7).into(), "Anna Ivanova", Some("Anna"), Some("Ivanova")).pack(&words);
        for (text, times) in [("Anna", 1), ("Ivanova", 1), ("Sales", 0), ("https", 0), ("4155550123", 0)] {
            let found = bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
            assert_eq!(found, times, "{text}");
        }
    }

    proptest! {
        #[test]
        fn names_of_any_kind_come_back(name in ".{0,9}", first in prop::option::of(".{0,3}"), last in prop::option::of(".{0,3}")) {
            let card = card(ContactId(7).into(), &name, first.as_deref(), last.as_deref());
            prop_assert!(there_and_back(&card, &Words::default()) == card);
        }

        #[test]
        fn parts_of_a_name_come_back(name in ".{1,9}", at in any::<prop::sample::Index>()) {
            let at = at.index(name.chars().count());
            let at = name.char_indices().nth(at).map_or(0, |(at, _)| at);
            let card = card(ContactId(7).into(), &name, Some(&name[..at]), Some(&name[at..]));
            prop_assert!(there_and_back(&card, &Words::default()) == card);
        }
    }
}
