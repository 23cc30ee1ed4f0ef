//! What a packed card is made of: its leads, and the texts that are written out only where nothing shorter says the same.
//!
//! Every reading way back can fail, for the bytes may come from another process.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::words::{Book, Words};
use super::super::{LeadState, LeadView};
use crate::contact::{CatalogId, Element, ElementId, LeadId};
use crate::phone::Number;

/// Seconds as a point in time.
pub(super) fn time(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok())
}

#[derive(Serialize, Deserialize)]
pub(super) struct LeadRecord<'a> {
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
pub(super) struct ElementRecord {
    id: u64,
    catalog: Option<u64>,
    quantity: Amount,
    price_field: Option<u64>,
}

/// A part of the whole name.
#[derive(Serialize, Deserialize)]
pub(super) enum Part<'a> {
    None,
    /// So many bytes at its beginning.
    First(usize),
    /// What is left after so many bytes.
    After(usize),
    Text(&'a str),
}

/// An address of a record's page.
#[derive(Serialize, Deserialize)]
pub(super) enum Address<'a> {
    /// This word, and then the record's id.
    Made(u32),
    Text(&'a str),
}

/// A number as it is shown.
#[derive(Serialize, Deserialize)]
pub(super) enum Shown<'a> {
    /// The readable number at this place.
    Number(usize),
    Text(&'a str),
}

/// A text that other cards may have too.
#[derive(Serialize, Deserialize)]
pub(super) enum Word<'a> {
    At(u32),
    Text(&'a str),
}

/// An id and what it is called.
pub(super) type Named<'a> = (u64, Option<Word<'a>>);

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

impl<'a> Part<'a> {
    pub(super) fn of(part: Option<&'a str>, name: &str) -> Self {
        match part {
            None => Self::None,
            Some(part) if name.starts_with(part) => Self::First(part.len()),
            Some(part) if name.ends_with(part) => Self::After(name.len() - part.len()),
            Some(part) => Self::Text(part),
        }
    }

    pub(super) fn text(self, name: &str) -> Option<Option<String>> {
        let text = match self {
            Self::None => return Some(None),
            Self::First(len) => name.get(..len)?,
            Self::After(len) => name.get(len..)?,
            Self::Text(text) => text,
        };
        Some(Some(text.to_owned()))
    }
}

impl<'a> Address<'a> {
    pub(super) fn of(url: &'a str, id: u64, words: &Words) -> Self {
        let beginning = url.strip_suffix(itoa::Buffer::new().format(id));
        match beginning.and_then(|beginning| words.place(beginning)) {
            Some(place) => Self::Made(place),
            None => Self::Text(url),
        }
    }

    pub(super) fn text(self, id: u64, book: &Book) -> Option<String> {
        Some(match self {
            Self::Made(place) => [&**book.at(place)?, itoa::Buffer::new().format(id)].concat(),
            Self::Text(url) => url.to_owned(),
        })
    }
}

impl<'a> Shown<'a> {
    pub(super) fn of(phone: &'a str, numbers: &[String]) -> Self {
        numbers.iter().position(|number| number == phone).map_or(Self::Text(phone), Self::Number)
    }

    pub(super) fn text(self, numbers: &[Number]) -> Option<String> {
        Some(match self {
            Self::Number(at) => numbers.get(at)?.e164.to_string(),
            Self::Text(text) => text.to_owned(),
        })
    }
}

impl<'a> Word<'a> {
    pub(super) fn of(text: &'a str, words: &Words) -> Self {
        words.place(text).map_or(Self::Text(text), Self::At)
    }

    pub(super) fn maybe(text: Option<&'a str>, words: &Words) -> Option<Self> {
        text.map(|text| Self::of(text, words))
    }

    pub(super) fn shared(word: Option<&Self>, book: &Book) -> Option<Option<Arc<str>>> {
        Some(match word {
            None => None,
            Some(Self::At(place)) => Some(Arc::clone(book.at(*place)?)),
            Some(Self::Text(text)) => Some((*text).into()),
        })
    }
}

impl<'a> LeadRecord<'a> {
    pub(super) fn of(lead: &'a LeadView, words: &Words) -> Self {
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

    pub(super) fn view(self, book: &Book) -> Option<LeadView> {
        Some(LeadView {
            id: LeadId(self.id),
            name: self.name.map(str::to_owned),
            price: self.price.number(),
            pipeline: Word::shared(self.pipeline.as_ref(), book)?,
            stage: Word::shared(self.stage.as_ref(), book)?,
            state: self.state.map(|state| match state {
                State::Open => LeadState::Open,
                State::Won => LeadState::Won,
                State::Lost => LeadState::Lost,
            }),
            url: self.url.text(self.id, book)?,
            updated_at: time(self.updated_at),
            elements: self.elements.into_iter().map(ElementRecord::element).collect(),
        })
    }
}

impl ElementRecord {
    pub(super) fn of(element: &Element) -> Self {
        let Element { id, catalog, quantity, price_field } = element;
        Self {
            id: id.0,
            catalog: catalog.map(|catalog| catalog.0),
            quantity: Amount::of(quantity.as_ref()),
            price_field: *price_field,
        }
    }

    pub(super) fn element(self) -> Element {
        Element {
            id: ElementId(self.id),
            catalog: self.catalog.map(CatalogId),
            quantity: self.quantity.number(),
            price_field: self.price_field,
        }
    }
}

impl Amount {
    pub(super) fn of(number: Option<&serde_json::Number>) -> Self {
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
