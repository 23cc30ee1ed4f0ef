//! The name under which support finds one request: the caller's own, if it sent a usable one, or a random one.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Carries the id both ways.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A longer one is no id.
const MAX_BYTES: usize = 128;

/// Visible ASCII, at most 128 bytes: safe in a header, a log line and a page.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RequestId(Id);

#[derive(Clone, PartialEq, Eq)]
enum Id {
    Sent(HeaderValue),
    /// Hexadecimal digits.
    Random([u8; 32]),
}

impl RequestId {
    /// The caller's id, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(X_REQUEST_ID).filter(|value| is_usable(value));
        sent.map_or_else(Self::random, |sent| Self(Id::Sent(sent.clone())))
    }

    fn random() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let random = fastrand::u128(..).to_ne_bytes();
        let mut id = [0; 32];
        for (digits, byte) in id.chunks_exact_mut(2).zip(random) {
            digits.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        Self(Id::Random(id))
    }

    /// The id as text.
    pub(super) fn as_str(&self) -> &str {
        let text = match &self.0 {
            Id::Sent(value) => value.to_str().ok(),
            Id::Random(digits) => str::from_utf8(digits).ok(),
        };
        text.expect("only visible ASCII is let in")
    }

    /// The id as a header's value.
    pub(super) fn to_header(&self) -> HeaderValue {
        match &self.0 {
            Id::Sent(value) => value.clone(),
            Id::Random(digits) => HeaderValue::from_bytes(digits).expect("hexadecimal digits are a header value"),
        }
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_usable(value: &HeaderValue) -> bool {
    (1..=MAX_BYTES).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
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
            assert_eq!(id_for(sent).as_str().len(), 32);
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
