//! Which of the CRM's candidates really owns a number, and which owner is shown. Pure: no I/O, no clock.
//!
//! The CRM's search is fuzzy: it finds the digits in names, order numbers and longer numbers. A contact owns a number only if one of its
//! PHONE values normalises to the same E.164 number, or to one that the same phone had before or after a national re-numbering.
//! Contacts are never merged: the best is shown, the others are listed.

use std::cmp::Reverse;
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;

use crate::card::{Card, LeadState};
use crate::contact::{Contact, PartyId};
use crate::outcome::VerdictKind;
use crate::phone::{self, Number, Region};

/// How a stored number equals the one asked about. Exact sorts before equivalent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchKind {
    /// The same E.164 number.
    Exact,
    /// The same phone before or after a national re-numbering.
    Equivalent,
}

impl MatchKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Equivalent => "equivalent",
        }
    }
}

/// How strongly a set of numbers owns the one asked about. Sorts strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ownership {
    /// Exact, or by way of a re-numbering.
    pub kind: MatchKind,
    /// The caller named an extension, and this owner does not have it.
    pub other_extension: bool,
}

/// Whether `numbers` own `asked`, and how. A caller without an extension matches the line, whatever extension is stored.
#[must_use]
pub fn ownership(numbers: &[Number], asked: &Number) -> Option<Ownership> {
    let other_extension = |own: &Number| asked.extension.is_some() && own.extension != asked.extension;
    let by_kind = |kind, own: &Number| Ownership { kind, other_extension: other_extension(own) };
    let exact = numbers.iter().filter(|own| own.e164 == asked.e164).map(|own| by_kind(MatchKind::Exact, own)).min();
    exact.or_else(|| {
        let equals = |own: &&Number| asked.e164.equivalents().into_iter().any(|equal| equal == own.e164);
        numbers.iter().filter(equals).map(|own| by_kind(MatchKind::Equivalent, own)).min()
    })
}

/// Every readable number among a contact's PHONE values. National forms are read with the account's default region.
#[must_use]
pub fn numbers<Id>(contact: &Contact<Id>, region: Region) -> Vec<Number> {
    let mut numbers: Vec<Number> = Vec::new();
    for number in contact.phones.iter().flat_map(|value| phone::read_stored(value, region)) {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

/// The candidates that own `asked`, each with its numbers. Deleted ones and doubles are left out.
#[must_use]
pub fn owners<Id: Copy + Eq + Hash>(
    candidates: Vec<Contact<Id>>,
    asked: &Number,
    region: Region,
) -> Vec<(Contact<Id>, Vec<Number>)> {
    let mut seen = std::collections::HashSet::new();
    candidates
        .into_iter()
        .filter(|contact| !contact.is_deleted && seen.insert(contact.id))
        .map(|contact| {
            let numbers = numbers(&contact, region);
            (contact, numbers)
        })
        .filter(|(_, numbers)| ownership(numbers, asked).is_some())
        .collect()
}

/// The verdict over all candidates seen.
#[must_use]
pub const fn verdict(owners: usize, complete: bool) -> VerdictKind {
    match (owners, complete) {
        (0, true) => VerdictKind::None,
        (0, false) => VerdictKind::Incomplete,
        (1, _) => VerdictKind::Match,
        _ => VerdictKind::Ambiguous,
    }
}

/// Sorts the owners of `asked`: the strongest ownership first; then whoever has an open lead, the latest lead activity, the latest
/// contact update, the lowest id.
#[must_use]
pub fn best_first(mut cards: Vec<Arc<Card>>, asked: &Number) -> Vec<Arc<Card>> {
    if cards.len() > 1 {
        cards.sort_by_cached_key(|card| {
            (ownership(&card.numbers, asked).map_or(Rank::Stranger, Rank::Owner), standing(card))
        });
    }
    cards
}

/// Owners before those that own nothing, which a caller of [`best_first`] should not have passed.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Owner(Ownership),
    Stranger,
}

/// Has an open lead, latest lead activity, latest contact update.
type Activity = (bool, Option<Timestamp>, Option<Timestamp>);

/// How much a contact is likely to be the one who calls; sorts likeliest first.
fn standing(card: &Card) -> (Reverse<Activity>, PartyId) {
    let has_open = card.leads.iter().any(|lead| lead.state == Some(LeadState::Open));
    let latest_lead = card.leads.iter().filter_map(|lead| lead.updated_at).max();
    (Reverse((has_open, latest_lead, card.updated_at)), card.id)
}
