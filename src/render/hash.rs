//! `name=value` pairs, form-encoded, for Asterisk's `HASH()`: several facts from one `CURL()`.
//!
//! A space is `%20`, since `hashcompat=yes` does not read `+`. Values land in dialplan variables, so whatever people typed is made as
//! harmless as the text form is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::facts::{self, Fact, Value};
use super::{Options, text};
use crate::lookup::Answer;

/// Unreserved in RFC 3986: never needs encoding.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// So many characters of each value. `max=` is for the one name on a telephone's display, not for these.
const LONGEST: usize = 200;

/// The pairs of an answer.
pub(super) fn pairs(answer: &Answer, options: &Options) -> String {
    join(facts::of(answer).into_iter().map(|fact| pair(&fact, options)))
}

/// The pairs of a failure: nothing was found, and why.
pub(super) fn failure(code: &str) -> String {
    join(["found=0".to_owned(), format!("reason={}", encode(code))].into_iter())
}

fn pair(Fact { name, value }: &Fact, options: &Options) -> String {
    let clean = |text: &str, ascii| text::clean(text, LONGEST, ascii).unwrap_or_default();
    let value = match value {
        Value::Ours(text) => text.clone(),
        Value::Typed(text) => clean(text, options.ascii),
        // A changed address is somebody else's.
        Value::Address(text) => Some(clean(text, false)).filter(|safe| safe == text).unwrap_or_default(),
    };
    format!("{name}={}", encode(&value))
}

fn join(pairs: impl Iterator<Item = String>) -> String {
    pairs.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}
