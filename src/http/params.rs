//! The query string, decoded: the parameters this service knows, each once, as text.
//!
//! Phone systems put a caller's number into a URL with whatever encoding they have, and add parameters of their own. So the names that
//! are not ours are skipped unread, a `+` is a space (what a bare `+` before a number then means is for the reader of numbers to say),
//! and everything else is strict: what is not UTF-8, too long, or said twice with two meanings is a fault.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode;

/// What is wrong with one parameter. It never repeats the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The parameter's name.
    pub(super) parameter: &'static str,
    /// Why it is refused.
    pub(super) why: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.parameter, self.why)
    }
}

/// A parameter: how it is written, what it means, and its longest value in bytes.
struct Known {
    written: &'static str,
    meaning: &'static str,
    max_bytes: usize,
}

const fn known(written: &'static str, meaning: &'static str, max_bytes: usize) -> Known {
    Known { written, meaning, max_bytes }
}

/// A SIP address with a display name fits into 512 bytes; a value that does not is no phone number.
const KNOWN: &[Known] = &[
    known("phone", "phone", 512),
    known("number", "phone", 512),
    known("caller", "phone", 512),
    known("from", "phone", 512),
    known("region", "region", 8),
    known("deadline_ms", "deadline_ms", 16),
    known("max_age", "max_age", 16),
    known("refresh", "refresh", 8),
    known("include", "include", 64),
    known("format", "format", 16),
    known("profile", "profile", 16),
    known("notfound", "notfound", 8),
    known("max", "max", 8),
    known("ascii", "ascii", 8),
    known("default", "default", 256),
    known("key", "key", 512),
];

/// The known parameters of one query string, and what was wrong with them. No `Debug`: it holds the phone.
pub(super) struct Params {
    values: Vec<(&'static str, String)>,
    faults: Vec<Fault>,
}

impl Params {
    /// Reads a raw query string, without its `?`.
    pub(super) fn decode(query: &str) -> Self {
        let mut params = Self { values: Vec::new(), faults: Vec::new() };
        for pair in query.as_bytes().split(|byte| *byte == b'&') {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = (&pair[..equals], pair.get(equals + 1..).unwrap_or_default());
            let name = decode(name).unwrap_or_default();
            if let Some(known) = KNOWN.iter().find(|known| known.written == name) {
                params.add(known, value);
            }
        }
        params
    }

    fn add(&mut self, known: &Known, value: &[u8]) {
        let parameter = known.meaning;
        let Some(value) = decode(value) else {
            return self.fault(parameter, "is not UTF-8");
        };
        if value.len() > known.max_bytes {
            return self.fault(parameter, "is too long");
        }
        match self.get(parameter) {
            None => self.values.push((parameter, value.into_owned())),
            Some(earlier) if earlier == value => {}
            Some(_) => self.fault(parameter, "is given twice with different values"),
        }
    }

    /// Notes that a parameter is refused.
    pub(super) fn fault(&mut self, parameter: &'static str, why: &'static str) {
        let fault = Fault { parameter, why };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// The value as it was sent, also when it is empty.
    pub(super) fn get(&self, parameter: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == parameter).map(|(_, value)| value.as_str())
    }

    /// The value itself, which is no longer there afterwards.
    pub(super) fn take(&mut self, parameter: &str) -> Option<String> {
        self.values.iter_mut().find(|(name, _)| *name == parameter).map(|(_, value)| std::mem::take(value))
    }

    /// Reads a value; an empty one counts as absent, since the variables of a dial plan often are.
    pub(super) fn read<T>(
        &mut self,
        parameter: &'static str,
        must_be: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(parameter).filter(|value| !value.is_empty())?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.fault(parameter, must_be);
        }
        parsed
    }

    /// Whether the parameter was refused.
    pub(super) fn refuses(&self, parameter: &str) -> bool {
        self.faults.iter().any(|fault| fault.parameter == parameter)
    }

    /// Something was said about this parameter, if only a fault.
    pub(super) fn mentions(&self, parameter: &str) -> bool {
        self.get(parameter).is_some() || self.refuses(parameter)
    }

    /// Everything that is wrong so far.
    pub(super) fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// Percent-decoding with `+` for a space; nothing if the bytes are not UTF-8.
fn decode(text: &[u8]) -> Option<Cow<'_, str>> {
    if !text.contains(&b'+') {
        return percent_decode(text).decode_utf8().ok();
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(|text| text.into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(query: &str) -> Vec<String> {
        Params::decode(query).faults().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_bare_plus_stays_visible_as_a_leading_space() {
        assert_eq!(Params::decode("phone=+14155550123").get("phone"), Some(" 14155550123"));
        assert_eq!(Params::decode("phone=%2B14155550123").get("phone"), Some("+14155550123"));
        assert_eq!(Params::decode("phone=%2b1+%28415%29").get("phone"), Some("+1 (415)"));
    }

    #[test]
    fn names_may_be_encoded_and_values_may_be_missing() {
        assert_eq!(Params::decode("p%68one=1").get("phone"), Some("1"));
        assert_eq!(Params::decode("phone").get("phone"), Some(""));
        assert_eq!(Params::decode("").get("phone"), None);
        assert_eq!(Params::decode("&&=&phone=1&").get("phone"), Some("1"));
        assert_eq!(Params::decode("phone=50%&max=1").get("phone"), Some("50%"), "a lone percent sign is itself");
    }

    #[test]
    fn aliases_agree_or_are_refused() {
        assert_eq!(Params::decode("caller=1&from=1&phone=1").get("phone"), Some("1"));
        assert_eq!(faults("caller=1&from=1&phone=1"), [""; 0]);
        assert_eq!(faults("number=1&phone=2"), ["phone is given twice with different values"]);
        assert_eq!(faults("max=1&max=2&max=3"), ["max is given twice with different values"]);
    }

    #[test]
    fn unknown_parameters_are_skipped_whatever_they_hold() {
        assert_eq!(faults("callid=%FF&%FF=1&utm=1&utm=2&Phone=1"), [""; 0]);
    }

    #[test]
    fn bytes_that_are_not_text_and_values_without_end_are_refused() {
        let long = "1".repeat(513);
        assert_eq!(
            faults(&format!("phone=%FF&default={long}&key=%C3%28")),
            ["phone is not UTF-8", "default is too long", "key is not UTF-8",]
        );
    }

    #[test]
    fn an_empty_value_is_absent_and_a_wrong_one_is_a_fault() {
        let mut params = Params::decode("max=&ascii=x");
        assert_eq!(params.read("max", "must be a number", |text| text.parse::<u8>().ok()), None);
        assert_eq!(params.read("ascii", "must be 0 or 1", |text| text.parse::<u8>().ok()), None);
        assert_eq!(params.faults(), [Fault { parameter: "ascii", why: "must be 0 or 1" }]);
    }

    proptest::proptest! {
        #[test]
        fn no_query_string_panics(query in ".*") {
            Params::decode(&query);
        }
    }
}
