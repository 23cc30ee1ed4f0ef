//! The name under which support finds one request: the caller's own, if it sent a usable one, or a random one.
//!
//! A caller's id is the caller's own text, and some phone systems put the number there. It goes back to the caller as it came; what is
//! written down (logs, traces, and the `request_id` of a refusal, which is looked for in them) is a random one if it may hold a number.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Carries the id both ways.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A longer one is no id.
const MAX_BYTES: usize = 128;
/// So many digits may be a phone number; extensions have fewer.
const NUMBER_DIGITS: usize = 7;
/// What was made at random has letters among its digits: more than anybody would put around a number.
const RANDOM_LETTERS: usize = 3;

/// Visible ASCII, at most 128 bytes: safe in a header, a log line and a page.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RequestId(Id);

#[derive(Clone, PartialEq, Eq)]
enum Id {
    Sent(HeaderValue),
    Random(Digits),
    /// What was sent may hold a number, so that it goes under another name here.
    Renamed(HeaderValue, Digits),
}

/// Hexadecimal.
type Digits = [u8; 32];

impl RequestId {
    /// The caller's id, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(match headers.get(X_REQUEST_ID).filter(|value| is_usable(value)) {
            None => Id::Random(random()),
            Some(sent) if may_hold_a_number(sent.as_bytes()) => Id::Renamed(sent.clone(), random()),
            Some(sent) => Id::Sent(sent.clone()),
        })
    }

    /// What may be written down.
    pub(super) fn as_str(&self) -> &str {
        match &self.0 {
            Id::Sent(value) => visible(value.as_bytes()),
            Id::Random(digits) | Id::Renamed(_, digits) => visible(digits),
        }
    }

    /// What the caller is told: its own word, if it sent one.
    pub(super) fn echo(&self) -> &str {
        match &self.0 {
            Id::Sent(value) | Id::Renamed(value, _) => visible(value.as_bytes()),
            Id::Random(digits) => visible(digits),
        }
    }

    /// What the caller is told, as a header's value.
    pub(super) fn to_header(&self) -> HeaderValue {
        match &self.0 {
            Id::Sent(value) | Id::Renamed(value, _) => value.clone(),
            Id::Random(digits) => HeaderValue::from_bytes(digits).expect("hexadecimal digits are a header value"),
        }
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn random() -> Digits {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let random = fastrand::u128(..).to_ne_bytes();
    let mut id = [0; 32];
    for (digits, byte) in id.chunks_exact_mut(2).zip(random) {
        digits.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    id
}

fn visible(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("only visible ASCII is let in")
}

fn is_usable(value: &HeaderValue) -> bool {
    (1..=MAX_BYTES).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// Seven digits between two letters, whatever else stands among them: `+1(415)555-0123`. The names that programs make at random have such
/// runs too, and are known by their form.
fn may_hold_a_number(id: &[u8]) -> bool {
    let digits = |part: &[u8]| part.iter().filter(|byte| byte.is_ascii_digit()).count();
    !is_random(id) && id.split(u8::is_ascii_alphabetic).any(|part| digits(part) >= NUMBER_DIGITS)
}

/// A UUID, a ULID, or at least 16 hexadecimal digits.
fn is_random(id: &[u8]) -> bool {
    let letters = id.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let is_hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    let is_uuid = || {
        let parts = id.split(|byte| *byte == b'-');
        parts.clone().map(<[u8]>::len).eq([8, 4, 4, 4, 12]) && parts.clone().all(is_hex)
    };
    let is_ulid = || id.len() == 26 && id.iter().all(u8::is_ascii_alphanumeric);
    letters >= RANDOM_LETTERS && ((id.len() >= 16 && is_hex(id)) || is_uuid() || is_ulid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(sent: &[u8]) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(sent).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_usable_id_is_echoed() {
        assert_eq!(id_for(b"7f3a-call@pbx").as_str(), "7f3a-call@pbx");
        assert_eq!(id_for(&[b'a'; 128]).as_str().len(), 128);
    }

    #[test]
    fn an_unusable_or_missing_id_is_replaced() {
        for sent in [&b""[..], b"a b", b"\xff\xfe", &[b'a'; 129]] {
            let id = id_for(sent);
            assert_eq!((id.as_str().len(), id.echo()), (32, id.as_str()));
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }

    #[test]
    fn what_may_hold_a_number_goes_back_to_the_caller_but_is_written_down_under_another_name() {
        let numbers = [
            "+14155550123",
            "(415)555-0123",
            "4.1.5.5.5.5.0.1.2.3",
            "5550123",
            "call-14155550123-ring",
            "sip:14155550123@pbx",
            "%2B1%20415%20555%200123",
            "1700000000.42",
            "0000014155550123",
            "ca11000014155550123",
            "14155550-0123-4155-5501-234155550123",
            "00000000000000014155550123",
        ];
        for sent in numbers {
            let id = id_for(sent.as_bytes());
            assert_eq!((id.echo(), id.to_header().to_str().unwrap()), (sent, sent));
            assert_eq!(id.as_str().len(), 32, "{sent}");
            assert!(!format!("{id:?}").contains("0123"), "{id:?}");
        }
    }

    #[test]
    fn an_id_that_a_program_makes_is_kept_whatever_digits_are_in_it() {
        let made = [
            "call-17",
            "ring-123456",
            "b7ad6b7169203331",
            "0af7651916cd43dd8448eb211c80319c",
            "550e8400-e29b-41d4-a716-446655440000",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01hx0000000000000000000abc",
            "V1StGXR8_Z5jdHi6B-myT",
        ];
        for sent in made {
            let id = id_for(sent.as_bytes());
            assert_eq!((id.as_str(), id.echo()), (sent, sent));
        }
    }
}
