//! The json answer, made ready: serialised once a card and number, with what differs from call to call spliced in.
//!
//! Three things differ: how the caller wrote the number, how the answer was found, and its age. The rest is most of the bytes and nearly
//! all of the work. Only the common case is made ready: one contact, asked about without an
//! extension and without the elements of lists.

use super::Asked;
use super::etag;
use super::json::{INPUT, TAIL};
use crate::card::Ready;
use crate::lookup::{Answer, Finding, Found, Freshness};

/// Room for the caller's spelling and the tail.
const SPARE: usize = 160;

/// What is ready for this answer, made now if it is the first; nothing if the answer is not of the common kind.
pub(super) fn of(answer: &Answer) -> Option<&Ready> {
    let Finding::Found(found) = &answer.finding else { return None };
    let Found { number, best, others, elements, .. } = found;
    if !others.is_empty() || elements.is_some() || number.extension.is_some() {
        return None;
    }
    best.ready.get_or(number.e164, || make(answer, found))
}

fn make(answer: &Answer, found: &Found) -> Ready {
    let document = etag::document(answer);
    let stable = etag::stable(&document);
    let middle = stable.strip_prefix(INPUT).and_then(|rest| rest.strip_prefix("\"\""));
    Ready {
        number: found.number.e164,
        text: middle.expect("the document begins with the input").into(),
        tag: etag::over(stable).into(),
    }
}

/// The whole document.
pub(super) fn document(middle: &str, asked: &Asked<'_>, freshness: &Freshness) -> Vec<u8> {
    let mut document = Vec::with_capacity(INPUT.len() + middle.len() + asked.input.len() + SPARE);
    document.extend_from_slice(INPUT.as_bytes());
    push_string(&mut document, &asked.input);
    document.extend_from_slice(middle.as_bytes());
    document.extend_from_slice(TAIL.as_bytes());
    document.extend_from_slice(freshness.status.as_str().as_bytes());
    document.extend_from_slice(b"\",\"age_s\":");
    document.extend_from_slice(itoa::Buffer::new().format(freshness.age.as_secs()).as_bytes());
    document.extend_from_slice(if freshness.is_stale() { b",\"stale\":true}}" } else { b",\"stale\":false}}" });
    document
}

/// Most spellings of a number need no escape.
fn push_string(into: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        into.push(b'"');
        into.extend_from_slice(text.as_bytes());
        into.push(b'"');
    } else {
        serde_json::to_writer(into, text).expect("a string takes everything");
    }
}
