//! The validator of an answer.

use std::hash::{DefaultHasher, Hasher};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::Asked;
use super::json::{Document, TAIL};
use crate::lookup::Answer;

/// Changes when the card does, not with its age, the cache's status or the spelling of the number. It is a *weak* validator (RFC 9110
/// §8.8.1): the age inside the body differs between two answers with the same card. `If-None-Match` compares weakly anyway.
pub(super) fn of(answer: &Answer) -> String {
    over(stable(&document(answer)))
}

/// The json document as if the caller had written nothing.
pub(super) fn document(answer: &Answer) -> String {
    let nothing = Asked { input: "".into() };
    serde_json::to_string(&Document::new(answer, &nothing)).expect("a card has only string keys")
}

/// What of it only the CRM can change, and the number that was asked about: all but the cache's part.
pub(super) fn stable(document: &str) -> &str {
    document.rfind(TAIL).map_or(document, |end| &document[..end])
}

/// The validator of the stable part. 64 bits tell the versions of one card apart; the hash has no key, so that all replicas agree.
pub(super) fn over(stable: &str) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(stable.as_bytes());
    format!("W/\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(hasher.finish().to_be_bytes()))
}
