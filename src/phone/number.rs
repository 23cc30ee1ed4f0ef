//! A line and what is dialled behind it; and why a text is neither.

use super::{E164, digits};
use std::fmt;

/// Digits dialled behind a switchboard, or within one: 1 to 20 of them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extension(Box<str>);

impl Extension {
    /// libphonenumber's limit, after an explicit `ext`.
    const MAX_DIGITS: usize = 20;

    /// The digits.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not 1 to 20 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an extension (1 to 20 digits)")]
pub struct NotExtension;

impl std::str::FromStr for Extension {
    type Err = NotExtension;

    fn from_str(text: &str) -> Result<Self, NotExtension> {
        let is_extension = (1..=Self::MAX_DIGITS).contains(&text.len()) && digits::count(text) == text.len();
        is_extension.then(|| Self(text.into())).ok_or(NotExtension)
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl serde::Serialize for Extension {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A line, and the extension behind it if one was given.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Number {
    /// The line.
    pub e164: E164,
    /// Behind the switchboard.
    pub extension: Option<Extension>,
}

impl From<E164> for Number {
    fn from(e164: E164) -> Self {
        Self { e164, extension: None }
    }
}

/// Why a text is not a possible phone number: libphonenumber's reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum InvalidPhone {
    /// No digits where a number's digits should be.
    #[error("not a phone number")]
    NotANumber,
    /// Shorter than every number of its country.
    #[error("too short to be a phone number")]
    TooShort,
    /// Longer than every number of its country.
    #[error("too long to be a phone number")]
    TooLong,
    /// No country has this calling code.
    #[error("no country has this calling code")]
    InvalidCountryCode,
    /// Between the lengths that its country's numbers have.
    #[error("no number of this country has this length")]
    InvalidLength,
}

impl InvalidPhone {
    /// Every reason.
    pub const ALL: &'static [Self] =
        &[Self::NotANumber, Self::TooShort, Self::TooLong, Self::InvalidCountryCode, Self::InvalidLength];

    /// libphonenumber's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotANumber => "NOT_A_NUMBER",
            Self::TooShort => "TOO_SHORT",
            Self::TooLong => "TOO_LONG",
            Self::InvalidCountryCode => "INVALID_COUNTRY_CODE",
            Self::InvalidLength => "INVALID_LENGTH",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_number_nor_extension() {
        let number = Number { e164: "+14155550123".parse().unwrap(), extension: "4711".parse().ok() };
        assert_eq!(format!("{number:?}"), "Number { e164: +…23, extension: Some(…) }");
    }

    #[test]
    fn an_extension_is_digits() {
        assert_eq!("0012".parse::<Extension>().unwrap().as_str(), "0012");
        for text in ["", "1a", "-1", "١", "123456789012345678901"] {
            assert_eq!(text.parse::<Extension>(), Err(NotExtension), "{text}");
        }
    }
}
