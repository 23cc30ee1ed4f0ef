//! JSON text, written member by member.
//!
//! The text is what `serde_json` makes of the same values, for a fraction of its work: that crate looks at every character, also of the
//! members' names, for something to escape. Our names need no escape and texts seldom do, so they are copied as a whole; a text that needs
//! one is left to that crate.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

/// JSON text that grows.
pub(super) struct Json(Vec<u8>);

/// The inside of an object.
pub(super) struct Members<'j> {
    json: &'j mut Json,
    is_first: bool,
}

/// What a member, or an element of an array, can be.
pub(super) trait Value {
    /// Appends it.
    fn write(self, json: &mut Json);
}

/// An object with the members that the function writes.
pub(super) struct Object<F>(F);

/// An array of what the iterator yields.
pub(super) struct Array<I>(I);

/// The object whose members `write` writes.
pub(super) const fn object<F: FnOnce(&mut Members<'_>)>(write: F) -> Object<F> {
    Object(write)
}

/// The array of these values.
pub(super) const fn array<I: Iterator<Item: Value>>(values: I) -> Array<I> {
    Array(values)
}

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Appends text that is JSON already, or a piece of it.
    pub(super) fn raw(&mut self, text: impl AsRef<[u8]>) {
        self.0.extend_from_slice(text.as_ref());
    }

    pub(super) fn value(&mut self, value: impl Value) {
        value.write(self);
    }

    /// The inside of an object that has members already.
    pub(super) const fn more(&mut self) -> Members<'_> {
        Members { json: self, is_first: false }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Members<'_> {
    /// One more member. The name needs no escape.
    pub(super) fn member(&mut self, name: &'static str, value: impl Value) {
        self.json.raw(if self.is_first { "\"" } else { ",\"" });
        self.json.raw(name);
        self.json.raw("\":");
        value.write(self.json);
        self.is_first = false;
    }
}

impl<F: FnOnce(&mut Members<'_>)> Value for Object<F> {
    fn write(self, json: &mut Json) {
        json.raw("{");
        self.0(&mut Members { json, is_first: true });
        json.raw("}");
    }
}

impl<I: Iterator<Item: Value>> Value for Array<I> {
    fn write(self, json: &mut Json) {
        json.raw("[");
        for (at, value) in self.0.enumerate() {
            if at > 0 {
                json.raw(",");
            }
            value.write(json);
        }
        json.raw("]");
    }
}

impl<V: Value> Value for Option<V> {
    fn write(self, json: &mut Json) {
        match self {
            Some(value) => value.write(json),
            None => json.raw("null"),
        }
    }
}

impl Value for &str {
    fn write(self, json: &mut Json) {
        let needs_escape = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
        // Without an early end, so that many bytes are looked at together.
        if self.bytes().fold(false, |any, byte| any | needs_escape(byte)) {
            serde_json::to_writer(&mut json.0, self).expect("a vector takes everything");
        } else {
            json.raw("\"");
            json.raw(self);
            json.raw("\"");
        }
    }
}

impl Value for u64 {
    fn write(self, json: &mut Json) {
        json.raw(itoa::Buffer::new().format(self));
    }
}

impl Value for bool {
    fn write(self, json: &mut Json) {
        json.raw(if self { "true" } else { "false" });
    }
}

impl Value for &serde_json::Number {
    fn write(self, json: &mut Json) {
        write!(json.0, "{self}").expect("a vector takes everything");
    }
}

/// RFC 3339, in UTC.
impl Value for Timestamp {
    fn write(self, json: &mut Json) {
        json.raw("\"");
        DateTimePrinter::new().print_timestamp(&self, &mut json.0).expect("a vector takes everything");
        json.raw("\"");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn written(value: impl Value) -> String {
        let mut json = Json::with_capacity(0);
        json.value(value);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    #[test]
    fn members_and_elements_are_parted_by_commas() {
        let empty = written(object(|object| object.member("none", array([0_u64; 0].into_iter()))));
        assert_eq!(empty, r#"{"none":[]}"#);

        let nested = written(object(|outer| {
            outer.member("a", None::<u64>);
            outer.member("b", array([1_u64, 2].into_iter()));
            outer.member("c", Some(object(|inner| inner.member("d", true))));
            outer.member("e", object(|_| ()));
        }));
        assert_eq!(nested, r#"{"a":null,"b":[1,2],"c":{"d":true},"e":{}}"#);
    }

    #[test]
    fn an_object_goes_on_where_it_was_left() {
        let mut json = Json::with_capacity(0);
        json.raw(r#"{"a":1"#);
        json.more().member("b", "x");
        json.raw("}");
        assert_eq!(json.bytes(), br#"{"a":1,"b":"x"}"#);
    }

    proptest! {
        #[test]
        fn the_text_is_what_serde_json_makes_of_it(text in any::<String>(), number: u64, float in -1e9..1e9, seconds in -9_000_000_000_i64..200_000_000_000) {
            let at = Timestamp::from_second(seconds).unwrap();
            let float = json!(float);
            prop_assert_eq!(written(&*text), json!(text).to_string());
            prop_assert_eq!(written(number), json!(number).to_string());
            prop_assert_eq!(written(float.as_number().unwrap()), float.to_string());
            prop_assert_eq!(written(at), json!(at).to_string());
        }
    }
}
