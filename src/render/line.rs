//! The number that was asked about, in every form that answers show it.

use crate::lookup::{Answer, Finding};
use crate::phone::{Number, Region};

/// A number, formatted. All absent when there was none: withheld, or an extension of the house.
#[derive(Default)]
pub(super) struct Line {
    /// `+14155550123`.
    pub(super) e164: Option<String>,
    /// As written at home.
    pub(super) national: Option<String>,
    /// As written abroad.
    pub(super) international: Option<String>,
    /// Where it belongs.
    pub(super) region: Option<&'static str>,
    /// The digits after the number, or instead of one.
    pub(super) extension: Option<String>,
}

impl Line {
    /// The number that `answer` is about.
    pub(super) fn of(answer: &Answer) -> Self {
        match &answer.finding {
            Finding::Found(found) => Self::from(&found.number),
            Finding::NotFound(number) => Self::from(number),
            Finding::Withheld => Self::default(),
            Finding::Extension(extension) => Self { extension: Some(extension.to_string()), ..Self::default() },
        }
    }
}

impl From<&Number> for Line {
    fn from(number: &Number) -> Self {
        let parts = number.e164.parts();
        Self {
            e164: Some(number.e164.to_string()),
            national: Some(parts.national()),
            international: Some(parts.international()),
            region: parts.region().map(Region::as_str),
            extension: number.extension.as_ref().map(ToString::to_string),
        }
    }
}
