//! How an answer looks: one pure function from an [`Answer`] to bytes, one file a format.
//!
//! Nothing here waits, reads a clock or knows HTTP beyond a status and a content type: what a page needs to know about its surroundings
//! (the time, where to make a new contact) comes in with [`Options`]. Every format has the same facts in it; what differs is what its
//! readers can bear. Choosing the format, headers and problem documents belong to `http`.

mod facts;
mod flat;
mod format;
mod hash;
mod json;
mod line;
mod members;
mod page;
mod profile;
mod text;
mod vcard;
mod xml;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;

use crate::card::Tag;
use crate::lookup::{Answer, Finding};
use crate::phone::{Number, Region};

pub use format::{Format, UnknownFormat};
pub use profile::Profile;

/// What the caller sent, as far as answers repeat it. Personal data: no `Debug` of the content.
#[derive(Clone)]
pub struct Asked<'a> {
    /// The phone as it came in, decoded once: json gives it back unchanged, because some phone systems compare it.
    pub input: Cow<'a, str>,
}

/// What the caller may choose about the answer, and what a page must know about its surroundings.
#[derive(Clone)]
pub struct Options {
    /// Now: dates on the page are told as distances from it.
    pub now: Timestamp,
    /// text: at most so many characters.
    pub max: usize,
    /// text: Latin letters only.
    pub ascii: bool,
    /// text: instead of an empty answer.
    pub default: Option<String>,
    /// json, flat, vcard: "not found" is a 200, for clients that take a 404 for a broken service.
    pub not_found_ok: bool,
    /// html: opens the CRM's form for a new contact, with the number filled in.
    pub new_contact_url: Option<String>,
    /// html: the same page, read from the CRM again.
    pub reload_url: Option<String>,
    /// html: how the question wanted its number read; a corrected number is asked for with the same.
    pub region: Option<Region>,
}

impl Options {
    /// The contract's defaults.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        let Profile { max, ascii, not_found_ok, .. } = *Profile::DEFAULT;
        Self { now, max, ascii, default: None, not_found_ok, new_contact_url: None, reload_url: None, region: None }
    }
}

/// Why there is no answer, in the words that `http` has chosen.
#[derive(Clone)]
pub struct Failure<'a> {
    /// The status that goes with the code.
    pub status: StatusCode,
    /// The stable code of the contract, `upstream-timeout` and the like.
    pub code: &'a str,
    /// One sentence for a person.
    pub detail: &'a str,
    /// What support asks for.
    pub request_id: &'a str,
    /// The number, where it could be read.
    pub number: Option<&'a Number>,
}

/// A whole representation.
#[derive(Clone)]
pub struct Rendered {
    /// What the contract says this format answers with here.
    pub status: StatusCode,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The bytes.
    pub body: Bytes,
    /// The validator, in the form that has one: changes when the card does, not with its age, the cache's status or the spelling of the
    /// number.
    pub tag: Option<Tag>,
}

/// Shows an answer.
#[must_use]
pub fn render(format: Format, answer: &Answer, asked: &Asked<'_>, options: &Options) -> Rendered {
    let (body, tag): (Bytes, _) = match format {
        Format::Json => {
            let (document, tag) = json::document(answer, asked);
            (document.into(), Some(tag))
        }
        Format::Text => (text::line(answer, options).into(), None),
        Format::Html => (page::page(answer, options).into(), None),
        Format::Vcard => (vcard(answer).into(), None),
        Format::Xml => (xml::directory(answer).into(), None),
        Format::Flat => (flat::object(answer).into(), None),
        Format::Hash => (hash::pairs(answer, options).into(), None),
    };
    Rendered { status: status(format, answer, options), content_type: format.content_type(), body, tag }
}

/// A vCard needs somebody to be about; without one there is nothing in the answer but its status.
fn vcard(answer: &Answer) -> String {
    if let Finding::Found(found) = &answer.finding { vcard::card(&found.best) } else { String::new() }
}

/// Only programs are told "not found" by the status: a phone system would take it for an error, and a browser needs no number.
fn status(format: Format, answer: &Answer, options: &Options) -> StatusCode {
    let by_status = matches!(format, Format::Json | Format::Flat | Format::Vcard);
    let found = matches!(answer.finding, Finding::Found(_));
    if by_status && !found && !options.not_found_ok { StatusCode::NOT_FOUND } else { StatusCode::OK }
}

/// Shows a failure in the forms that keep their own (text, hash, xml, html); `None` where a problem document is due (json, flat, vcard).
#[must_use]
pub fn render_error(format: Format, failure: &Failure<'_>, asked: &Asked<'_>, options: &Options) -> Option<Rendered> {
    let (status, body): (StatusCode, Bytes) = match format {
        Format::Text => (StatusCode::OK, text::fallback(options).into()),
        Format::Hash => (StatusCode::OK, hash::failure(failure.code).into()),
        Format::Xml => (StatusCode::OK, xml::failure().into()),
        Format::Html => (failure.status, page::failure(failure, asked, options).into()),
        Format::Json | Format::Flat | Format::Vcard => return None,
    };
    Some(Rendered { status, content_type: format.content_type(), body, tag: None })
}

/// The value of `Content-Security-Policy` for every html answer.
#[must_use]
pub fn content_security_policy() -> &'static str {
    page::content_security_policy()
}

/// The json answer alone, for `POST /lookup`, which puts many into one document.
#[must_use]
pub fn json_body(answer: &Answer, asked: &Asked<'_>) -> Vec<u8> {
    json::document(answer, asked).0
}

/// Shapes without content: what is inside is personal data.
macro_rules! masked {
    ($($name:ty),+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })+
    };
}

masked!(Asked<'_>, Options, Failure<'_>, Rendered);
