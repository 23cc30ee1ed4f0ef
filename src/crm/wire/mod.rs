//! The CRM's JSON: lists in HAL envelopes, read with suspicion.
//!
//! Whatever comes, reading it ends: in records, in "nothing there", or in [`CrmError::Malformed`]. A list also says how it ends,
//! because "nobody has this number" may only be said of a list that was seen to its end.

mod account;
mod event;
pub(super) mod loose;
mod record;
mod shape;

pub(super) use account::{Groups, Named, Pipeline, User};
pub use record::Specimen;

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use self::account::{WireAccount, WireCompany, WireGroups, WireNamed, WirePipeline, WireSubscription, WireUser};
use self::event::WireEvent;
use self::record::{Reading, WireContact, WireLead, WireLinkedLead};
use super::CrmError;
use super::lists::{Event, LinkedLead, NamedCompany};
use super::response::Body;
use super::rights::Glance;
use super::subscriptions::Subscription;
use crate::contact::{Account, CompanyId, Contact, Lead};

/// What a good answer is read into.
pub(super) trait Answer: Sized {
    /// Reads the body.
    fn read(body: Body) -> Result<Self, CrmError>;
    /// Whether it says that there is nothing.
    fn is_empty(&self) -> bool;
}

/// One page, or several put together.
#[derive(Debug)]
pub(super) struct Listing<R> {
    pub(super) records: Vec<R>,
    pub(super) tail: Tail,
}

/// How a list ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// There is no more.
    End,
    /// A further page exists.
    More,
    /// The CRM sent neither a list nor the word that there is none.
    Unsaid,
    /// The next page could not be had.
    Failed(CrmError),
}

impl<R> Listing<R> {
    /// All records, if the list was seen to its end.
    pub(super) fn whole(self) -> Result<Vec<R>, CrmError> {
        match self.tail {
            Tail::End => Ok(self.records),
            Tail::More => Err(CrmError::Malformed { what: "its list has no end" }),
            Tail::Unsaid => Err(CrmError::Malformed { what: "it has no list" }),
            Tail::Failed(error) => Err(error),
        }
    }
}

/// A record that comes in lists.
pub(super) trait Record: Sized {
    /// The records and their list's tail from a page's JSON.
    fn page(json: &[u8]) -> Result<Listing<Self>, CrmError>;
}

impl<R: Record> Answer for Listing<R> {
    fn read(body: Body) -> Result<Self, CrmError> {
        match body {
            Body::Nothing => Ok(Self { records: Vec::new(), tail: Tail::End }),
            Body::Blank => Ok(Self { records: Vec::new(), tail: Tail::Unsaid }),
            Body::Json(json) => R::page(&json),
        }
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Answer for Glance {
    fn read(body: Body) -> Result<Self, CrmError> {
        match body {
            Body::Nothing => Ok(Self { is_empty: true }),
            Body::Blank => Err(CrmError::Malformed { what: "it has no list" }),
            Body::Json(json) => match parse::<Envelope<HashMap<String, IgnoredAny>>>(&json)?.embedded.is_empty() {
                true => Err(CrmError::Malformed { what: "it has no list" }),
                false => Ok(Self { is_empty: false }),
            },
        }
    }

    fn is_empty(&self) -> bool {
        self.is_empty
    }
}

impl Answer for Account {
    fn read(body: Body) -> Result<Self, CrmError> {
        let Body::Json(json) = body else { return Err(CrmError::Malformed { what: "it has no body" }) };
        parse::<WireAccount>(&json)?.read().ok_or(WITHOUT_ID)
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// What a change of our own is answered with; only that it was accepted matters.
#[derive(Debug)]
pub(super) struct Accepted;

impl Answer for Accepted {
    fn read(_: Body) -> Result<Self, CrmError> {
        Ok(Self)
    }

    fn is_empty(&self) -> bool {
        false
    }
}

impl Answer for Groups {
    fn read(body: Body) -> Result<Self, CrmError> {
        let Body::Json(json) = body else { return Err(CrmError::Malformed { what: "it has no body" }) };
        parse::<WireGroups>(&json)?.read().ok_or(WITHOUT_ID)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const WITHOUT_ID: CrmError = CrmError::Malformed { what: "a record has no id" };

/// The HAL envelope of a list.
#[derive(Deserialize)]
#[serde(default, bound = "E: DeserializeOwned + Default")]
struct Envelope<E> {
    #[serde(rename = "_links", deserialize_with = "loose::object")]
    links: Links,
    #[serde(rename = "_embedded", deserialize_with = "loose::object")]
    embedded: E,
}

/// Only whether a further page exists matters: its address is our own, with the page number raised.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Links {
    next: Option<IgnoredAny>,
}

impl<E: Default> Default for Envelope<E> {
    fn default() -> Self {
        Self { links: Links::default(), embedded: E::default() }
    }
}

/// Says under which name a record's lists come.
macro_rules! listed {
    ($($record:ty: $list:ident of $wire:ty, by $read:ident;)+) => {$(
        impl Record for $record {
            fn page(json: &[u8]) -> Result<Listing<Self>, CrmError> {
                #[derive(Default, Deserialize)]
                #[serde(default)]
                struct Embedded {
                    #[serde(deserialize_with = "loose::list")]
                    $list: Option<Vec<$wire>>,
                }
                let page = parse::<Envelope<Embedded>>(json)?;
                listing(page.embedded.$list, page.links.next.is_some(), <$wire>::$read)
            }
        }
    )+};
}

listed! {
    Contact: contacts of WireContact, by read;
    Contact<CompanyId>: companies of WireContact, by read_company;
    Specimen: contacts of WireContact, by read_specimen;
    Lead: leads of WireLead, by read;
    LinkedLead: leads of WireLinkedLead, by read;
    NamedCompany: companies of WireCompany, by read;
    Event: events of WireEvent, by read;
    Pipeline: pipelines of WirePipeline, by read;
    Subscription: webhooks of WireSubscription, by read;
    User: users of WireUser, by read;
}

/// Companies and the elements of lists alike are only named here.
impl Record for Named {
    fn page(json: &[u8]) -> Result<Listing<Self>, CrmError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Embedded {
            #[serde(deserialize_with = "loose::list")]
            companies: Option<Vec<WireNamed>>,
            #[serde(deserialize_with = "loose::list")]
            elements: Option<Vec<WireNamed>>,
        }
        let page = parse::<Envelope<Embedded>>(json)?;
        listing(page.embedded.companies.or(page.embedded.elements), page.links.next.is_some(), WireNamed::read)
    }
}

fn parse<T: DeserializeOwned + Default>(json: &[u8]) -> Result<T, CrmError> {
    let unreadable = |_| CrmError::Malformed { what: "its JSON is cut or broken" };
    serde_json::from_slice::<shape::Object<T>>(json).map(|shape::Object(value)| value).map_err(unreadable)
}

fn listing<W, R>(list: Option<Vec<W>>, more: bool, read: fn(W) -> Reading<R>) -> Result<Listing<R>, CrmError> {
    let Some(list) = list else { return Ok(Listing { records: Vec::new(), tail: Tail::Unsaid }) };
    let mut records = Vec::with_capacity(list.len());
    for wire in list {
        match read(wire) {
            Reading::Record(record) => records.push(record),
            Reading::Deleted => {}
            Reading::Unusable => return Err(WITHOUT_ID),
        }
    }
    Ok(Listing { records, tail: if more { Tail::More } else { Tail::End } })
}

#[cfg(test)]
mod tests;
