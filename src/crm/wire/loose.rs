//! Reads members of the CRM's JSON that may be of another type than documented.
//!
//! A member of the wrong type counts as absent: one odd value must not cost the whole page. Two habits of the CRM's platform are
//! understood beyond that: numbers written as strings (and the other way round), and `[]` for an empty object.

use serde::de::{DeserializeOwned, Deserializer};
use serde_json::{Number, Value};

use super::shape::{self, List, Object, Scalar};

/// Text, or a number as text; never blank.
pub(in crate::crm) fn text<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    let text = match scalar(json)? {
        Value::String(text) => text,
        Value::Number(number) => whole(&number).map_or_else(|| number.to_string(), |whole| whole.to_string()),
        _ => return Ok(None),
    };
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// A positive whole number, or a string of its digits. Zero is how the CRM says "nobody".
pub(in crate::crm) fn id<'de, D: Deserializer<'de>>(json: D) -> Result<Option<u64>, D::Error> {
    Ok(id_or_zero(json)?.filter(|&id| id != 0))
}

/// The same where zero is an id too.
pub(super) fn id_or_zero<'de, D: Deserializer<'de>>(json: D) -> Result<Option<u64>, D::Error> {
    Ok(match scalar(json)? {
        Value::Number(number) => whole(&number),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// Seconds since 1970; zero is no time.
pub(super) fn seconds<'de, D: Deserializer<'de>>(json: D) -> Result<Option<i64>, D::Error> {
    Ok(id(json)?.and_then(|seconds| i64::try_from(seconds).ok()))
}

/// A number as it is, or a string that is one.
pub(super) fn number<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Number>, D::Error> {
    Ok(match scalar(json)? {
        Value::Number(number) => Some(number),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// True, or what PHP takes for it.
pub(super) fn flag<'de, D: Deserializer<'de>>(json: D) -> Result<bool, D::Error> {
    Ok(match scalar(json)? {
        Value::Bool(flag) => flag,
        Value::Number(number) => number.as_u64() != Some(0),
        Value::String(text) => matches!(text.as_str(), "1" | "true"),
        _ => false,
    })
}

/// An object; anything else is the empty one.
pub(super) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(json: D) -> Result<T, D::Error> {
    shape::read(json).map(|Object(object)| object)
}

/// A list of objects; none if it is no list.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    json: D,
) -> Result<Option<Vec<T>>, D::Error> {
    shape::read(json).map(|List(list)| list)
}

fn scalar<'de, D: Deserializer<'de>>(json: D) -> Result<Value, D::Error> {
    shape::read(json).map(|Scalar(value)| value)
}

/// The whole number that a JSON number means: `7`, but also `7.0`.
fn whole(number: &Number) -> Option<u64> {
    /// Whole numbers are exact in a double up to here.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=EXACT).contains(float))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range, see above")]
        Some(float as u64)
    })
}
