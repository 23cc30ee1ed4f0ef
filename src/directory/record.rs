//! Records as the snapshot holds them: compact bytes with a version in front and a checksum behind.
//!
//! The checksum covers the record's id too, so that a record which turns up in another one's place is as unreadable as a torn one. The
//! numbers of a contact are read when it is written, never when somebody calls.

use serde::{Deserialize, Serialize};

use super::error::Damaged;
use crate::contact::{
    CatalogId, CompanyId, Contact, ContactId, Element, ElementId, GroupId, Lead, LeadId, PipelineId, StageId, Tag,
    UnixSeconds, UserId,
};
use crate::phone::{E164, Number};

/// The version of every record. Another one is another snapshot: see [`super::identity`].
const VERSION: u8 = 1;
/// The checksum's bytes, at the end.
const SUM: usize = 4;

/// A contact with what was made of its phones, and when it was last seen at the CRM.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// As the CRM has it.
    pub contact: Contact,
    /// Its readable numbers.
    pub numbers: Vec<Number>,
    /// When the CRM last showed it, by our clock.
    pub seen_at: UnixSeconds,
}

#[derive(Serialize, Deserialize)]
struct ContactRecord<'a> {
    name: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    owner: Option<u64>,
    group: Option<u64>,
    created_at: Option<i64>,
    updated_at: Option<i64>,
    next_task_at: Option<i64>,
    #[serde(borrow)]
    phones: Vec<&'a str>,
    #[serde(borrow)]
    emails: Vec<&'a str>,
    #[serde(borrow)]
    tags: Vec<(&'a str, Option<&'a str>)>,
    company: Option<u64>,
    leads: Vec<u64>,
    #[serde(borrow)]
    elements: Vec<ElementRecord<'a>>,
    #[serde(borrow)]
    numbers: Vec<(u64, Option<&'a str>)>,
    seen_at: i64,
}

#[derive(Serialize, Deserialize)]
struct ElementRecord<'a> {
    id: u64,
    catalog: Option<u64>,
    #[serde(borrow)]
    quantity: Amount<'a>,
    price_field: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct LeadRecord<'a> {
    name: Option<&'a str>,
    #[serde(borrow)]
    price: Amount<'a>,
    pipeline: Option<u64>,
    stage: Option<u64>,
    updated_at: Option<i64>,
    #[serde(borrow)]
    elements: Vec<ElementRecord<'a>>,
}

/// Whole numbers are what the CRM sends; anything else is kept as it was written.
#[derive(Serialize, Deserialize)]
enum Amount<'a> {
    None,
    Whole(i64),
    Text(&'a str),
}

impl Held {
    /// Its bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Contact { id, name, first_name, last_name, phones, emails, tags, leads, .. } = &self.contact;
        let contact = &self.contact;
        let quantities = texts(&contact.elements);
        let record = ContactRecord {
            name,
            first_name,
            last_name,
            owner: contact.owner.map(|id| id.0),
            group: contact.group.map(|id| id.0),
            created_at: contact.created_at.map(|at| at.0),
            updated_at: contact.updated_at.map(|at| at.0),
            next_task_at: contact.next_task_at.map(|at| at.0),
            phones: phones.iter().map(String::as_str).collect(),
            emails: emails.iter().map(String::as_str).collect(),
            tags: tags.iter().map(|tag| (tag.name.as_str(), tag.color.as_deref())).collect(),
            company: contact.company.map(|id| id.0),
            leads: leads.iter().map(|id| id.0).collect(),
            elements: contact.elements.iter().zip(&quantities).map(ElementRecord::new).collect(),
            numbers: self.numbers.iter().map(|n| (n.e164.get(), n.extension.as_ref().map(|e| e.as_str()))).collect(),
            seen_at: self.seen_at.0,
        };
        seal(id.0, &record)
    }

    /// Reads the bytes of the contact with this id.
    pub(super) fn from_bytes(id: ContactId, bytes: &[u8]) -> Result<Self, Damaged> {
        let record: ContactRecord<'_> = open(id.0, bytes)?;
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let tag = |(name, color): (&str, Option<&str>)| Tag { name: name.to_owned(), color: color.map(str::to_owned) };
        Ok(Self {
            numbers: record.numbers.into_iter().map(number).collect::<Result<_, _>>()?,
            seen_at: UnixSeconds(record.seen_at),
            contact: Contact {
                id,
                name: record.name.to_owned(),
                first_name: record.first_name.to_owned(),
                last_name: record.last_name.to_owned(),
                owner: record.owner.map(UserId),
                group: record.group.map(GroupId),
                created_at: record.created_at.map(UnixSeconds),
                updated_at: record.updated_at.map(UnixSeconds),
                next_task_at: record.next_task_at.map(UnixSeconds),
                phones: owned(record.phones),
                emails: owned(record.emails),
                tags: record.tags.into_iter().map(tag).collect(),
                company: record.company.map(CompanyId),
                leads: record.leads.into_iter().map(LeadId).collect(),
                elements: record.elements.into_iter().map(ElementRecord::read).collect::<Result<_, _>>()?,
                is_deleted: false,
            },
        })
    }
}

fn number((digits, extension): (u64, Option<&str>)) -> Result<Number, Damaged> {
    let e164 = E164::try_from(digits).map_err(|_| Damaged)?;
    let extension = extension.map(str::parse).transpose().map_err(|_| Damaged)?;
    Ok(Number { e164, extension })
}

/// A lead's bytes.
pub(super) fn lead_bytes(lead: &Lead) -> Vec<u8> {
    let text = lead.price.as_ref().map(ToString::to_string);
    let quantities = texts(&lead.elements);
    let price = Amount::new(lead.price.as_ref(), text.as_deref());
    let record = LeadRecord {
        name: lead.name.as_deref(),
        price,
        pipeline: lead.pipeline.map(|id| id.0),
        stage: lead.stage.map(|id| id.0),
        updated_at: lead.updated_at.map(|at| at.0),
        elements: lead.elements.iter().zip(&quantities).map(ElementRecord::new).collect(),
    };
    seal(lead.id.0, &record)
}

/// Reads the bytes of the lead with this id.
pub(super) fn lead_from_bytes(id: LeadId, bytes: &[u8]) -> Result<Lead, Damaged> {
    let record: LeadRecord<'_> = open(id.0, bytes)?;
    let price = record.price.read()?;
    Ok(Lead {
        id,
        name: record.name.map(str::to_owned),
        price,
        pipeline: record.pipeline.map(PipelineId),
        stage: record.stage.map(StageId),
        updated_at: record.updated_at.map(UnixSeconds),
        elements: record.elements.into_iter().map(ElementRecord::read).collect::<Result<_, _>>()?,
        is_deleted: false,
    })
}

/// The quantities as they were written, for records to borrow.
fn texts(elements: &[Element]) -> Vec<Option<String>> {
    elements.iter().map(|element| element.quantity.as_ref().map(ToString::to_string)).collect()
}

impl<'a> Amount<'a> {
    fn new(number: Option<&serde_json::Number>, text: Option<&'a str>) -> Self {
        match number.zip(text) {
            None => Self::None,
            Some((number, text)) => number.as_i64().map_or(Self::Text(text), Self::Whole),
        }
    }

    fn read(self) -> Result<Option<serde_json::Number>, Damaged> {
        match self {
            Self::None => Ok(None),
            Self::Whole(whole) => Ok(Some(whole.into())),
            Self::Text(text) => text.parse().map(Some).map_err(|_| Damaged),
        }
    }
}

impl<'a> ElementRecord<'a> {
    fn new((element, quantity): (&Element, &'a Option<String>)) -> Self {
        Self {
            id: element.id.0,
            catalog: element.catalog.map(|id| id.0),
            quantity: Amount::new(element.quantity.as_ref(), quantity.as_deref()),
            price_field: element.price_field,
        }
    }

    fn read(self) -> Result<Element, Damaged> {
        Ok(Element {
            id: ElementId(self.id),
            catalog: self.catalog.map(CatalogId),
            quantity: self.quantity.read()?,
            price_field: self.price_field,
        })
    }
}

/// Version, content, checksum.
pub(super) fn seal(id: u64, content: &impl Serialize) -> Vec<u8> {
    let mut bytes = postcard::to_extend(content, vec![VERSION]).expect("a vector takes everything");
    bytes.extend_from_slice(&sum(id, &bytes).to_le_bytes());
    bytes
}

/// The content, if version and checksum are right.
pub(super) fn open<'a, T: Deserialize<'a>>(id: u64, bytes: &'a [u8]) -> Result<T, Damaged> {
    let (content, stored) = bytes.split_last_chunk::<SUM>().ok_or(Damaged)?;
    let is_whole = u32::from_le_bytes(*stored) == sum(id, content) && content.first() == Some(&VERSION);
    if !is_whole {
        return Err(Damaged);
    }
    postcard::from_bytes(&content[1..]).map_err(|_| Damaged)
}

fn sum(id: u64, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held() -> Held {
        let contact = Contact {
            id: ContactId(7),
            name: "Anna Ivanova".to_owned(),
            first_name: "Anna".to_owned(),
            last_name: String::new(),
            owner: Some(UserId(71)),
            group: Some(GroupId(0)),
            created_at: Some(UnixSeconds(1_735_765_200)),
            updated_at: Some(UnixSeconds(-1)),
            next_task_at: None,
            phones: vec!["(415) 555-0123 ext. 12".to_owned(), "call me".to_owned()],
            emails: vec!["anna@example.com".to_owned()],
            tags: vec![Tag { name: "VIP".to_owned(), color: Some("#ff0000".to_owned()) }],
            company: Some(CompanyId(5)),
            leads: vec![LeadId(1), LeadId(u64::MAX)],
            elements: vec![Element {
                id: ElementId(4_410),
                catalog: Some(CatalogId(7_712)),
                quantity: Some("1.5".parse().unwrap()),
                price_field: None,
            }],
            is_deleted: false,
        };
        let numbers = crate::matching::numbers(&contact, "US".parse().unwrap());
        Held { contact, numbers, seen_at: UnixSeconds(1_767_340_800) }
    }

    #[test]
    fn a_contact_comes_back_as_it_was() {
        let held = held();
        assert_eq!(held.numbers.len(), 1);
        assert_eq!(Held::from_bytes(ContactId(7), &held.to_bytes()), Ok(held));
    }

    #[test]
    fn a_lead_comes_back_with_whatever_price_it_had() {
        for price in [None, Some("18400"), Some("-3"), Some("0.25"), Some("18446744073709551615")] {
            let price = price.map(|text| text.parse().unwrap());
            let lead = Lead {
                id: LeadId(9),
                name: Some("Roof".to_owned()),
                price,
                pipeline: Some(PipelineId(1)),
                stage: Some(StageId::WON),
                updated_at: Some(UnixSeconds(5)),
                elements: Vec::new(),
                is_deleted: false,
            };
            assert_eq!(lead_from_bytes(LeadId(9), &lead_bytes(&lead)), Ok(lead));
        }
    }

    #[test]
    fn a_record_in_another_ones_place_is_damaged() {
        assert_eq!(Held::from_bytes(ContactId(8), &held().to_bytes()), Err(Damaged));
    }

    proptest! {
        #[test]
        fn a_changed_byte_or_a_lost_end_is_noticed(at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let mut bytes = held().to_bytes();
            let at = at.index(bytes.len());
            prop_assert_eq!(Held::from_bytes(ContactId(7), &bytes[..at]), Err(Damaged));
            bytes[at] ^= flip;
            prop_assert_eq!(Held::from_bytes(ContactId(7), &bytes), Err(Damaged));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Held::from_bytes(ContactId(7), &bytes).is_err());
        }
    }
}
