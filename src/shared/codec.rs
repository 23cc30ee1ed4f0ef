//! How an answer is written down: thirteen readable digits that the server compares, and sealed behind them the rest in a compact binary form.
//!
//! ```text
//! "1" · time of the fetch, thirteen digits of milliseconds · nonce · sealed(epoch, times, cards)
//! ```
//!
//! The first byte is the version. What another version wrote, and what does not open, is nothing that can be used.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::clock::Micros;
use super::keys::Keys;
use crate::cache::Remembered;
use crate::card::{Card, Company, Group, LeadState, LeadView, Owner, Partial, TagView};
use crate::contact::{CatalogId, CompanyId, ContactId, Element, ElementId, GroupId, LeadId, UserId};
use crate::phone::{E164, Number};

const VERSION: &[u8] = b"1";
/// Version and time.
const HEAD: usize = 14;

/// An entry as it lies on the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    /// Every change up to this one was known when its fill began.
    pub(super) epoch: u64,
    pub(super) remembered: Remembered,
}

/// Times in milliseconds, counted from the fetch.
#[derive(Serialize, Deserialize)]
struct WireEntry {
    epoch: u64,
    searched_before: u64,
    fresh: u64,
    renew: u64,
    usable: u64,
    cards: Vec<WireCard>,
}

#[derive(Serialize, Deserialize)]
struct WireCard {
    is_company: bool,
    id: u64,
    name: String,
    first_name: Option<String>,
    last_name: Option<String>,
    url: String,
    phones: Vec<String>,
    emails: Vec<String>,
    company: Option<WireNamed>,
    owner: Option<WireNamed>,
    group: Option<WireNamed>,
    tags: Vec<(String, Option<String>)>,
    created_at: Option<i64>,
    updated_at: Option<i64>,
    next_task_at: Option<i64>,
    leads: Vec<WireLead>,
    elements: Vec<WireElement>,
    /// Leads, leads refused, owner, company.
    lacks: [bool; 4],
    numbers: Vec<(u64, Option<String>)>,
}

#[derive(Serialize, Deserialize)]
struct WireElement {
    id: u64,
    catalog: Option<u64>,
    /// As it stands in JSON.
    quantity: Option<String>,
    price_field: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct WireNamed {
    id: u64,
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireLead {
    id: u64,
    name: Option<String>,
    /// As it stands in JSON.
    price: Option<String>,
    pipeline: Option<String>,
    stage: Option<String>,
    /// 0 open, 1 won, 2 lost.
    state: Option<u8>,
    url: String,
    updated_at: Option<i64>,
    elements: Vec<WireElement>,
}

/// The bytes of an entry that will lie at `place`.
pub(super) fn write(keys: &Keys, place: &str, written: &Written, now: Micros) -> Option<Vec<u8>> {
    let Remembered { cards, age, searched, fresh, renew, usable } = &written.remembered;
    let entry = WireEntry {
        epoch: written.epoch,
        searched_before: millis(searched.saturating_sub(*age)),
        fresh: millis(*fresh),
        renew: millis(*renew),
        usable: millis(*usable),
        cards: cards.iter().map(|card| WireCard::from(card.as_ref())).collect(),
    };
    let fetched = Micros(now.0.saturating_sub(super::clock::micros(*age))).0 / 1_000;
    let head = [VERSION, format!("{fetched:013}").as_bytes()].concat();
    let secret = postcard::to_stdvec(&entry).ok().filter(|_| head.len() == HEAD)?;
    Some(keys.seal(place, &head, secret))
}

/// What the bytes at `place` say; nothing if they say nothing that we understand.
pub(super) fn read(keys: &Keys, place: &str, value: &[u8], now: Micros) -> Option<Written> {
    let head = value.get(..HEAD).filter(|head| head.starts_with(VERSION))?;
    let fetched: u64 = std::str::from_utf8(&head[VERSION.len()..]).ok()?.parse().ok()?;
    let opened = keys.open(place, HEAD, value).ok()?;
    let entry: WireEntry = postcard::from_bytes(&opened).ok()?;
    let age = now.since(Micros(fetched.checked_mul(1_000)?));
    let cards: Option<Vec<_>> = entry.cards.into_iter().map(|card| card.card().map(Arc::new)).collect();
    Some(Written {
        epoch: entry.epoch,
        remembered: Remembered {
            cards: cards?,
            age,
            searched: age + Duration::from_millis(entry.searched_before),
            fresh: Duration::from_millis(entry.fresh),
            renew: Duration::from_millis(entry.renew),
            usable: Duration::from_millis(entry.usable),
        },
    })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl From<&Card> for WireCard {
    fn from(card: &Card) -> Self {
        // Named one by one, so that a field that is added there is missed here by the compiler.
        let Card {
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
            partial: Partial { leads: no_leads, leads_refused, owner: no_owner, company: no_company },
            numbers,
            ready: _,
        } = card;
        let text = |text: &Arc<str>| text.to_string();
        let time = |at: &Option<Timestamp>| at.map(Timestamp::as_second);
        let named = |id: u64, name: &Option<Arc<str>>| WireNamed { id, name: name.as_ref().map(text) };
        Self {
            is_company: id.company().is_some(),
            id: id.number(),
            name: name.clone(),
            first_name: first_name.clone(),
            last_name: last_name.clone(),
            url: url.clone(),
            phones: phones.clone(),
            emails: emails.clone(),
            company: company.as_ref().map(|company| named(company.id.0, &company.name)),
            owner: owner.as_ref().map(|owner| named(owner.id.0, &owner.name)),
            group: owner.as_ref().and_then(|owner| owner.group.as_ref()).map(|group| named(group.id.0, &group.name)),
            tags: tags.iter().map(|tag| (tag.name.clone(), tag.color.clone())).collect(),
            created_at: time(created_at),
            updated_at: time(updated_at),
            next_task_at: time(next_task_at),
            leads: leads.iter().map(WireLead::from).collect(),
            elements: elements.iter().map(WireElement::from).collect(),
            lacks: [*no_leads, *leads_refused, *no_owner, *no_company],
            numbers: numbers.iter().map(written_number).collect(),
        }
    }
}

fn written_number(number: &Number) -> (u64, Option<String>) {
    (number.e164.get(), number.extension.as_ref().map(|extension| extension.as_str().to_owned()))
}

fn read_number((digits, extension): (u64, Option<String>)) -> Option<Number> {
    let extension = match extension {
        Some(text) => Some(text.parse().ok()?),
        None => None,
    };
    Some(Number { e164: E164::try_from(digits).ok()?, extension })
}

impl WireCard {
    fn card(self) -> Option<Card> {
        let time = |at: Option<i64>| at.and_then(|at| Timestamp::from_second(at).ok());
        let company = |WireNamed { id, name }| Company { id: CompanyId(id), name: name.map(Arc::from) };
        let group = self.group.map(|WireNamed { id, name }| Group { id: GroupId(id), name: name.map(Arc::from) });
        let owner = |WireNamed { id, name }| Owner { id: UserId(id), name: name.map(Arc::from), group };
        let elements: Option<Vec<_>> = self.elements.into_iter().map(WireElement::element).collect();
        let [leads_lack, leads_refused, owner_lacks, company_lacks] = self.lacks;
        let numbers: Option<Vec<_>> = self.numbers.into_iter().map(read_number).collect();
        let leads: Option<Vec<_>> = self.leads.into_iter().map(WireLead::lead).collect();
        Some(Card {
            id: if self.is_company { CompanyId(self.id).into() } else { ContactId(self.id).into() },
            name: self.name,
            first_name: self.first_name,
            last_name: self.last_name,
            url: self.url,
            phones: self.phones,
            emails: self.emails,
            company: self.company.map(company),
            owner: self.owner.map(owner),
            tags: self.tags.into_iter().map(|(name, color)| TagView { name, color }).collect(),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            next_task_at: time(self.next_task_at),
            leads: leads?,
            elements: elements?,
            partial: Partial { leads: leads_lack, leads_refused, owner: owner_lacks, company: company_lacks },
            numbers: numbers?,
            ready: <_>::default(),
        })
    }
}

impl From<&LeadView> for WireLead {
    fn from(lead: &LeadView) -> Self {
        let LeadView { id, name, price, pipeline, stage, state, url, updated_at, elements } = lead;
        Self {
            id: id.0,
            name: name.clone(),
            price: price.as_ref().map(serde_json::Number::to_string),
            pipeline: pipeline.as_ref().map(|name| name.to_string()),
            stage: stage.as_ref().map(|name| name.to_string()),
            state: state.map(|state| match state {
                LeadState::Open => 0,
                LeadState::Won => 1,
                LeadState::Lost => 2,
            }),
            url: url.clone(),
            updated_at: updated_at.map(Timestamp::as_second),
            elements: elements.iter().map(WireElement::from).collect(),
        }
    }
}

impl From<&Element> for WireElement {
    fn from(element: &Element) -> Self {
        let Element { id, catalog, quantity, price_field } = element;
        Self {
            id: id.0,
            catalog: catalog.map(|catalog| catalog.0),
            quantity: quantity.as_ref().map(serde_json::Number::to_string),
            price_field: *price_field,
        }
    }
}

impl WireElement {
    fn element(self) -> Option<Element> {
        let catalog = self.catalog.map(CatalogId);
        Some(Element {
            id: ElementId(self.id),
            catalog,
            quantity: number(self.quantity)?,
            price_field: self.price_field,
        })
    }
}

/// A number as it stands in JSON; nothing if the text is none.
fn number(text: Option<String>) -> Option<Option<serde_json::Number>> {
    match text {
        Some(text) => serde_json::from_str(&text).ok().map(Some),
        None => Some(None),
    }
}

impl WireLead {
    fn lead(self) -> Option<LeadView> {
        let elements: Option<Vec<_>> = self.elements.into_iter().map(WireElement::element).collect();
        let state = match self.state {
            None => None,
            Some(0) => Some(LeadState::Open),
            Some(1) => Some(LeadState::Won),
            Some(2) => Some(LeadState::Lost),
            Some(_) => return None,
        };
        Some(LeadView {
            id: LeadId(self.id),
            name: self.name,
            price: number(self.price)?,
            pipeline: self.pipeline.map(Arc::from),
            stage: self.stage.map(Arc::from),
            state,
            url: self.url,
            updated_at: self.updated_at.and_then(|at| Timestamp::from_second(at).ok()),
            elements: elements?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;

    const NOW: Micros = Micros(1_760_000_000_000_000);
    const PLACE: &str = "callcard:a:{b}:entry";

    fn keys() -> Keys {
        Keys::new("acme.kommo.com", &SecretString::from("a secret".to_owned()))
    }

    fn element(id: u64, quantity: Option<&str>) -> Element {
        let quantity = quantity.map(|text| serde_json::from_str(text).unwrap());
        Element { id: ElementId(id), catalog: Some(CatalogId(9)), quantity, price_field: None }
    }

    fn card(id: u64, name: &str) -> Card {
        let number = Number { e164: "+14155550123".parse().unwrap(), extension: Some("12".parse().unwrap()) };
        let lead = |id, state| LeadView {
            id: LeadId(id),
            name: Some("Roof".to_owned()),
            price: Some(serde_json::from_str("100.5").unwrap()),
            pipeline: Some("Sales".into()),
            stage: None,
            state,
            url: format!("https://acme.kommo.com/leads/detail/{id}"),
            updated_at: Timestamp::from_second(1_700_000_000).ok(),
            elements: vec![element(3, None)],
        };
        Card {
            id: if id == 8 { CompanyId(id).into() } else { ContactId(id).into() },
            name: name.to_owned(),
            first_name: Some("Anna".to_owned()),
            last_name: None,
            url: "https://acme.kommo.com/contacts/detail/7".to_owned(),
            phones: vec!["+14155550123".to_owned()],
            emails: vec!["anna@example.com".to_owned()],
            company: Some(Company { id: CompanyId(5), name: Some("Acme".into()) }),
            owner: Some(Owner {
                id: UserId(71),
                name: None,
                group: Some(Group { id: GroupId(2), name: Some("Sales".into()) }),
            }),
            tags: vec![TagView { name: "VIP".to_owned(), color: Some("#ff0000".to_owned()) }],
            created_at: None,
            updated_at: Timestamp::from_second(1_700_000_001).ok(),
            next_task_at: Timestamp::from_second(-5).ok(),
            leads: vec![lead(1, Some(LeadState::Open)), lead(2, Some(LeadState::Lost)), lead(3, None)],
            elements: vec![element(4, Some("2.5"))],
            partial: Partial { leads: true, owner: true, ..Partial::default() },
            numbers: vec![number],
            ready: <_>::default(),
        }
    }

    fn written(cards: Vec<Card>) -> Written {
        let seconds = Duration::from_secs;
        let remembered = Remembered {
            cards: cards.into_iter().map(Arc::new).collect(),
            age: seconds(30),
            searched: seconds(90),
            fresh: seconds(600),
            renew: seconds(480),
            usable: seconds(86_400),
        };
        Written { epoch: 1_760_000_000_000_007, remembered }
    }

    #[test]
    fn what_was_written_is_read_and_has_aged() {
        for cards in [vec![], vec![card(7, "Anna Ivanova"), card(8, "Ἄννα \u{1f600} \"x\"")]] {
            let written = written(cards);
            let value = write(&keys(), PLACE, &written, NOW).unwrap();
            assert_eq!(read(&keys(), PLACE, &value, NOW).as_ref(), Some(&written));
            let later = read(&keys(), PLACE, &value, NOW.after(Duration::from_secs(60))).unwrap().remembered;
            assert_eq!((later.age, later.searched), (Duration::from_secs(90), Duration::from_secs(150)));
            assert_eq!(later.fresh, written.remembered.fresh);
        }
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_younger_than_now() {
        let value = write(&keys(), PLACE, &written(vec![]), NOW).unwrap();
        assert_eq!(read(&keys(), PLACE, &value, Micros(5)).unwrap().remembered.age, Duration::ZERO);
    }

    #[test]
    fn nothing_personal_is_readable_and_the_time_is() {
        let value = write(&keys(), PLACE, &written(vec![card(7, "Anna Ivanova")]), NOW).unwrap();
        assert!(value.starts_with(b"11759999970000"), "{:?}", &value[..14]);
        for text in ["Anna", "4155550123", "example.com", "VIP"] {
            assert!(!value.windows(text.len()).any(|bytes| bytes == text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn another_version_is_nothing() {
        let mut value = write(&keys(), PLACE, &written(vec![]), NOW).unwrap();
        value[0] = b'2';
        assert_eq!(read(&keys(), PLACE, &value, NOW), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            assert_eq!(read(&keys(), PLACE, &bytes, NOW), None);
            assert_eq!(read(&keys(), PLACE, &[b"11759999970000".as_slice(), &bytes].concat(), NOW), None);
        }
    }
}
