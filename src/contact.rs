//! What a CRM knows about people, in our words.
//!
//! These are the records as the CRM holds them: values as typed, ids unresolved. They carry no serde of the CRM's wire format (that is
//! `crm::wire`) and nothing that we promise to callers (that is [`crate::card`]).

use std::fmt;

/// Declares an id newtype.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A contact's id in the CRM.
    ContactId
}
id! {
    /// A lead's id in the CRM.
    LeadId
}
id! {
    /// A company's id in the CRM.
    CompanyId
}
id! {
    /// A CRM user's id: the owner of contacts.
    UserId
}
id! {
    /// A pipeline's id.
    PipelineId
}
id! {
    /// A stage's id inside its pipeline. 142 and 143 recur in every pipeline (kommo developers, "Leads pipelines").
    StageId
}

id! {
    /// A group of the CRM's users: a department. Zero is one too, the first.
    GroupId
}
id! {
    /// The id of one of the account's lists: products and the like.
    CatalogId
}
id! {
    /// An element's id in its list.
    ElementId
}

impl StageId {
    /// The stage every pipeline ends in when the deal is won.
    pub const WON: Self = Self(142);
    /// The stage every pipeline ends in when the deal is lost.
    pub const LOST: Self = Self(143);
}

/// Who can own a number: a person or a company. The CRM counts them apart, so contact 7 is not company 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartyId {
    /// A person.
    Contact(ContactId),
    /// A company.
    Company(CompanyId),
}

/// What a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartyKind {
    /// A person.
    Contact,
    /// A company.
    Company,
}

impl PartyId {
    /// What it is.
    #[must_use]
    pub const fn kind(self) -> PartyKind {
        match self {
            Self::Contact(_) => PartyKind::Contact,
            Self::Company(_) => PartyKind::Company,
        }
    }

    /// The contact, if it is one.
    #[must_use]
    pub const fn contact(self) -> Option<ContactId> {
        match self {
            Self::Contact(id) => Some(id),
            Self::Company(_) => None,
        }
    }

    /// The company, if it is one.
    #[must_use]
    pub const fn company(self) -> Option<CompanyId> {
        match self {
            Self::Company(id) => Some(id),
            Self::Contact(_) => None,
        }
    }

    /// The CRM's number for it, unique among its kind.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Contact(ContactId(number)) | Self::Company(CompanyId(number)) => number,
        }
    }
}

impl PartyKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
        }
    }
}

impl From<ContactId> for PartyId {
    fn from(id: ContactId) -> Self {
        Self::Contact(id)
    }
}

impl From<CompanyId> for PartyId {
    fn from(id: CompanyId) -> Self {
        Self::Company(id)
    }
}

/// Seconds since 1970, UTC, as the CRM gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct UnixSeconds(pub i64);

/// One person as the CRM holds them; one company, or either of both, where the id says so. Personal data: the `Debug` form shows the id
/// only.
#[derive(Clone, PartialEq)]
pub struct Contact<Id = ContactId> {
    /// Its id.
    pub id: Id,
    /// Full name; may be empty, may be a phone number typed by a PBX.
    pub name: String,
    /// First name, often empty.
    pub first_name: String,
    /// Last name, often empty.
    pub last_name: String,
    /// The user responsible for the contact.
    pub owner: Option<UserId>,
    /// The group of that user.
    pub group: Option<GroupId>,
    /// When it was made.
    pub created_at: Option<UnixSeconds>,
    /// When it was last changed: newer records replace older ones by this.
    pub updated_at: Option<UnixSeconds>,
    /// When its next task is due.
    pub next_task_at: Option<UnixSeconds>,
    /// The values of its PHONE fields, as typed.
    pub phones: Vec<String>,
    /// The values of its EMAIL fields, as typed.
    pub emails: Vec<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The one company a contact can have; a company has none.
    pub company: Option<CompanyId>,
    /// Linked leads: the CRM's answer holds only their ids.
    pub leads: Vec<LeadId>,
    /// Linked elements of the account's lists.
    pub elements: Vec<Element>,
    /// In the recycle bin: never a match.
    pub is_deleted: bool,
}

impl<Id> Contact<Id> {
    /// The same record under another kind of id.
    pub fn with_id<T>(self, of: impl FnOnce(Id) -> T) -> Contact<T> {
        Contact {
            id: of(self.id),
            name: self.name,
            first_name: self.first_name,
            last_name: self.last_name,
            owner: self.owner,
            group: self.group,
            created_at: self.created_at,
            updated_at: self.updated_at,
            next_task_at: self.next_task_at,
            phones: self.phones,
            emails: self.emails,
            tags: self.tags,
            company: self.company,
            leads: self.leads,
            elements: self.elements,
            is_deleted: self.is_deleted,
        }
    }
}

impl<Id: fmt::Debug> fmt::Debug for Contact<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A tag on a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its text.
    pub name: String,
    /// Its colour as the CRM gives it (`#ff0000` or without the `#`), if it has one.
    pub color: Option<String>,
}

/// An element of one of the account's lists, linked to a contact, a company or a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its id.
    pub id: ElementId,
    /// The list it is in.
    pub catalog: Option<CatalogId>,
    /// How many; not always a whole number.
    pub quantity: Option<serde_json::Number>,
    /// The field that has its price.
    pub price_field: Option<u64>,
}

/// A deal linked to a contact.
#[derive(Clone, PartialEq)]
pub struct Lead {
    /// Its id.
    pub id: LeadId,
    /// Its name, often empty.
    pub name: Option<String>,
    /// In whole units of the account's currency.
    pub price: Option<serde_json::Number>,
    /// The pipeline it is in.
    pub pipeline: Option<PipelineId>,
    /// The stage it is in.
    pub stage: Option<StageId>,
    /// When it was last changed.
    pub updated_at: Option<UnixSeconds>,
    /// Linked elements of the account's lists.
    pub elements: Vec<Element>,
    /// In the recycle bin: not shown.
    pub is_deleted: bool,
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The account behind the credentials (`GET /account`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: Option<String>,
    /// The host's first label.
    pub subdomain: Option<String>,
    /// ISO 3166 two letters; a good default region.
    pub country: Option<String>,
}
