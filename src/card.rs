//! The trimmed view of a contact that we promise to callers: names resolved, times readable, only what an agent needs.
//!
//! A [`Card`] is made once per fill and shared by all numbers of its contact. It knows which numbers it owns, so a number that has moved
//! to somebody else is noticed when the card is read, not only when it was stored.

mod packed;
mod ready;
#[cfg(test)]
pub(crate) mod samples;
mod words;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::contact::{CompanyId, Element, GroupId, LeadId, PartyId, StageId, UnixSeconds, UserId};
use crate::phone::Number;

pub use self::ready::{Ready, Slot, Tag};
pub use self::words::Words;

/// One contact, or company, with its leads, ready to be shown. Personal data: the `Debug` form shows the id only.
#[derive(Clone, PartialEq)]
pub struct Card {
    /// Whom it shows.
    pub id: PartyId,
    /// The name to show; the CRM's `name`, or first and last name joined, or empty.
    pub name: String,
    /// First name, if there is one.
    pub first_name: Option<String>,
    /// Last name, if there is one.
    pub last_name: Option<String>,
    /// Opens it in the CRM.
    pub url: String,
    /// Its numbers: E.164 where readable, as typed where not; without doubles.
    pub phones: Vec<String>,
    /// Its e-mail addresses.
    pub emails: Vec<String>,
    /// Its company.
    pub company: Option<Company>,
    /// The user responsible for it.
    pub owner: Option<Owner>,
    /// Its tags.
    pub tags: Vec<TagView>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// When its next task is due.
    pub next_task_at: Option<Timestamp>,
    /// Its leads: open ones first, latest first.
    pub leads: Vec<LeadView>,
    /// Linked elements of the account's lists, for those who ask.
    pub elements: Vec<Element>,
    /// What could not be had.
    pub partial: Partial,
    /// Every readable number of the contact: what ownership is decided on.
    pub numbers: Vec<Number>,
    /// The card as it is shown, where the card is kept and somebody has made it ready.
    pub ready: Slot,
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The parts of a card that could not be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// The leads' details: each has its id and url only.
    pub leads: bool,
    /// They were refused to the token's user, so that they will not come soon.
    pub leads_refused: bool,
    /// The owner's name.
    pub owner: bool,
    /// The company's name.
    pub company: bool,
}

impl Partial {
    /// The parts, in the order in which they are told.
    pub fn parts(self) -> impl Iterator<Item = Part> {
        let all = [(self.leads, Part::Leads), (self.owner, Part::Owner), (self.company, Part::Company)];
        all.into_iter().filter_map(|(lacks, part)| lacks.then_some(part))
    }

    /// Whether it is worth asking for the leads again soon.
    #[must_use]
    pub const fn may_come_soon(self) -> bool {
        self.leads && !self.leads_refused
    }
}

/// A part of an answer that could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The details of the leads.
    Leads,
    /// The owner's name.
    Owner,
    /// The company's name.
    Company,
    /// The names of list elements.
    CatalogElements,
}

impl Part {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Owner => "owner",
            Self::Company => "company",
            Self::CatalogElements => "catalog_elements",
        }
    }
}

/// The company of a contact. The name is absent when the CRM would not tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// Its name.
    pub name: Option<Arc<str>>,
}

/// The CRM user responsible for a contact. The name is absent when the token may not list users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub name: Option<Arc<str>>,
    /// The group the user is in.
    pub group: Option<Group>,
}

/// A group of users. The name is absent when the CRM would not tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: Option<Arc<str>>,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TagView {
    /// Its text.
    pub name: String,
    /// Its colour as `#rrggbb`, if it has one.
    pub color: Option<String>,
}

/// Whether a lead is still being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LeadState {
    /// In some stage of its pipeline.
    Open,
    /// Closed, the deal was made.
    Won,
    /// Closed, the deal was not made.
    Lost,
}

impl LeadState {
    /// 142 is won and 143 is lost in every pipeline; everything else is open (kommo developers, "Leads pipelines").
    #[must_use]
    pub fn of(stage: StageId) -> Self {
        match stage {
            StageId::WON => Self::Won,
            StageId::LOST => Self::Lost,
            _ => Self::Open,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

/// One lead of a contact. Only `id` and `url` are always there.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadView {
    /// Its id.
    pub id: LeadId,
    /// Its name.
    pub name: Option<String>,
    /// In whole units of the account's currency.
    pub price: Option<serde_json::Number>,
    /// The pipeline's name.
    pub pipeline: Option<Arc<str>>,
    /// The stage's name.
    pub stage: Option<Arc<str>>,
    /// Open, won or lost.
    pub state: Option<LeadState>,
    /// Opens the lead in the CRM.
    pub url: String,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// Linked elements of the account's lists, for those who ask.
    pub elements: Vec<Element>,
}

/// Reads the CRM's seconds; a value out of range is no time at all.
#[must_use]
pub fn timestamp(at: UnixSeconds) -> Option<Timestamp> {
    Timestamp::from_second(at.0).ok()
}
