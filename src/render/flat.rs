//! One JSON object of strings: what a contact centre can take into its attributes. At most 32 KB, Amazon Connect's bound.

use serde::Serializer;
use serde::ser::SerializeMap;

use super::facts::{self, Fact, Value};
use crate::lookup::Answer;

/// So many bytes of each typed text. There are ten of them; with every byte escaped to two, the object stays well under 32 KB.
const LONGEST: usize = 1000;

/// The object.
pub(super) fn object(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    let mut serializer = serde_json::Serializer::new(&mut bytes);
    write(&mut serializer, &facts::of(answer)).expect("strings go into a vector");
    bytes
}

fn write<S: Serializer>(serializer: S, facts: &[Fact]) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(facts.len()))?;
    for Fact { name, value } in facts {
        match value {
            Value::Ours(text) => map.serialize_entry(name, text)?,
            Value::Address(text) if text.len() > LONGEST => map.serialize_entry(name, "")?,
            Value::Typed(text) | Value::Address(text) => map.serialize_entry(name, &shorten(text))?,
        }
    }
    map.end()
}

/// Without control characters (each would take six bytes, and none is worth saying), cut on a character.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).collect();
    short.truncate(short.floor_char_boundary(LONGEST));
    short
}
