//! Cards for the tests of those who keep them: one with nothing on it, and one with something of everything.

use jiff::Timestamp;

use super::{Card, Company, Group, LeadState, LeadView, Owner, Partial, TagView};
use crate::contact::{CatalogId, CompanyId, Element, ElementId, GroupId, LeadId, PartyId, UserId};
use crate::phone::Number;

pub(crate) fn blank(id: PartyId, name: &str) -> Card {
    Card {
        id,
        name: name.to_owned(),
        first_name: None,
        last_name: None,
        url: String::new(),
        phones: Vec::new(),
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
        numbers: Vec::new(),
        ready: <_>::default(),
    }
}

pub(crate) fn full(id: PartyId, name: &str) -> Card {
    let group = Group { id: GroupId(2), name: Some("Sales".into()) };
    Card {
        first_name: Some("Anna".to_owned()),
        url: "https://acme.kommo.com/contacts/detail/7".to_owned(),
        phones: vec!["+14155550123".to_owned(), "call me".to_owned()],
        emails: vec!["anna@example.com".to_owned()],
        company: Some(Company { id: CompanyId(u64::MAX), name: Some("Acme".into()) }),
        owner: Some(Owner { id: UserId(71), name: None, group: Some(group) }),
        tags: vec![TagView { name: "VIP".to_owned(), color: Some("#ff0000".to_owned()) }],
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
        numbers: vec![Number { e164: "+14155550123".parse().unwrap(), extension: Some("12".parse().unwrap()) }],
        ..blank(id, name)
    }
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

fn element(id: u64, quantity: Option<&str>) -> Element {
    let quantity = quantity.map(|text| text.parse().unwrap());
    Element { id: ElementId(id), catalog: Some(CatalogId(9)), quantity, price_field: Some(3) }
}
