//! Accepts any JSON where some shape is expected: what does not fit is skipped and becomes the shape's default.
//!
//! Nothing is buffered on the way: a member that does not fit costs no memory, however large or deep it is.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// What is made of a piece of JSON. Each method's default is "does not fit".
pub(super) trait Shape: Default {
    /// Null, a flag, a number or a string.
    fn scalar(_: Value) -> Self {
        Self::default()
    }

    /// A list.
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    /// An object.
    fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Reads whatever comes into the shape; fails only where the text is not JSON.
pub(super) fn read<'de, D: Deserializer<'de>, S: Shape>(json: D) -> Result<S, D::Error> {
    json.deserialize_any(AnyJson(PhantomData))
}

/// A value without structure; null if it has one.
#[derive(Default)]
pub(super) struct Scalar(pub(super) Value);

impl Shape for Scalar {
    fn scalar(value: Value) -> Self {
        Self(value)
    }
}

/// An object read by its own rules.
#[derive(Default)]
pub(super) struct Object<T>(pub(super) T);

impl<T: DeserializeOwned + Default> Shape for Object<T> {
    fn object<'de, A: MapAccess<'de>>(object: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(Self)
    }
}

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        read(json)
    }
}

/// A list of objects, or the values of an object: PHP writes a list with a gap in its keys that way. None if it is neither.
pub(super) struct List<T>(pub(super) Option<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: DeserializeOwned + Default> Shape for List<T> {
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut items = Vec::new();
        while let Some(Object(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Self(Some(items)))
    }

    fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut items = Vec::new();
        while let Some((IgnoredAny, Object(item))) = object.next_entry()? {
            items.push(item);
        }
        Ok(Self(Some(items)))
    }
}

struct AnyJson<S>(PhantomData<S>);

impl<'de, S: Shape> Visitor<'de> for AnyJson<S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<S, E> {
        Ok(S::scalar(Value::Null))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<S, E> {
        Ok(S::scalar(Value::Bool(flag)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<S, E> {
        Ok(S::scalar(Value::Number(number.into())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<S, E> {
        Ok(S::scalar(Value::Number(number.into())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<S, E> {
        Ok(S::scalar(Number::from_f64(number).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<S, E> {
        Ok(S::scalar(Value::String(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<S, A::Error> {
        S::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<S, A::Error> {
        S::object(object)
    }
}
