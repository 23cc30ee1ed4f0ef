//! The validator of an answer.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::json::Who;
use super::line::Line;
use crate::lookup::Answer;

/// What the validator stands for: all that the CRM can change, and the number it was asked about.
#[derive(Serialize)]
struct Stable<'a> {
    kind: &'static str,
    line: Line,
    who: Who<'a>,
}

/// Changes when the card does, not with its age, the cache's status or the spelling of the number. It is a *weak* validator (RFC 9110
/// §8.8.1): the age inside the body differs between two answers with the same card. `If-None-Match` compares weakly anyway.
pub(super) fn of(answer: &Answer) -> String {
    let stable = Stable { kind: answer.finding.kind().as_str(), line: Line::of(answer), who: Who::new(answer) };
    let bytes = serde_json::to_vec(&stable).expect("a card has only string keys");
    let digest = Sha256::digest(&bytes);
    format!("W/\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]))
}
