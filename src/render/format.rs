//! The forms an answer can take, as callers name them.

use std::fmt;
use std::str::FromStr;

/// A form of the answer. The set is closed: what is in it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Everything, for programs.
    Json,
    /// One safe line, for telephone switches.
    Text,
    /// A page, for a person.
    Html,
    /// vCard 4.0, for address books.
    Vcard,
    /// A directory entry, for desk phones.
    Xml,
    /// One flat object of strings, for contact centres.
    Flat,
    /// Form-encoded, for Asterisk's `HASH()`.
    Hash,
}

impl Format {
    /// Every format.
    pub const ALL: &'static [Self] =
        &[Self::Json, Self::Text, Self::Html, Self::Vcard, Self::Xml, Self::Flat, Self::Hash];

    /// The word in `format=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Html => "html",
            Self::Vcard => "vcard",
            Self::Xml => "xml",
            Self::Flat => "flat",
            Self::Hash => "hash",
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::Flat => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Vcard => "text/vcard; charset=utf-8",
            Self::Xml => "text/xml; charset=utf-8",
            Self::Hash => "application/x-www-form-urlencoded",
        }
    }

    /// The media type alone, for `Accept`. Two formats share one; the earlier in [`Self::ALL`] is meant by it.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        let whole = self.content_type();
        whole.split_once(';').map_or(whole, |(media_type, _)| media_type)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.iter().copied().find(|format| format.as_str() == text).ok_or(UnknownFormat)
    }
}

/// The text names no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("format must be one of json, text, html, vcard, xml, flat, hash")]
pub struct UnknownFormat;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_word_and_named_in_the_error() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(*format));
            assert!(UnknownFormat.to_string().contains(format.as_str()));
        }
        assert_eq!("JSON".parse::<Format>(), Err(UnknownFormat));
    }

    #[test]
    fn media_types_have_no_parameters() {
        assert_eq!(Format::Text.media_type(), "text/plain");
        assert_eq!(Format::Json.media_type(), "application/json");
    }
}
