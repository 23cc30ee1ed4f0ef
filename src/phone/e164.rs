//! The canonical form of a phone number, and what may be shown of it.

use super::calling_code;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::LazyLock;

/// Fewer digits, calling code included, are never a subscriber's number.
pub(super) const MIN_DIGITS: usize = 7;
/// ITU-T E.164 allows 15. The plans of five countries (Germany, Indonesia, Japan, South Korea, Nigeria) know longer ones, up to 19, and
/// libphonenumber reads them; so do we. 19 digits always fit the integer.
pub(super) const MAX_DIGITS: usize = 19;

/// A phone number in E.164 form: a known calling code and a national significant number, 7 to 19 digits in all.
///
/// Eight bytes and `Copy`: the key of every cache. `Display` shows it in full (`+14155550123`), `Debug` only its end, so that a number cannot
/// slip into a log by way of somebody's `{:?}`. It need not be valid, nor even possible, in its country.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(NonZeroU64);

impl E164 {
    /// The number whose digits, calling code included, are `digits`.
    pub(super) fn from_digits(digits: &str) -> Result<Self, NotE164> {
        let is_sized = (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len());
        if !is_sized || !digits.bytes().all(|byte| byte.is_ascii_digit()) || calling_code::split(digits).is_none() {
            return Err(NotE164);
        }
        digits.parse().map(Self).map_err(|_| NotE164)
    }

    /// All digits, calling code included: `14155550123`.
    #[must_use]
    pub fn digits(self) -> String {
        itoa::Buffer::new().format(self.get()).to_owned()
    }

    /// The digits as an integer, for compact storage.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The country calling code: `1`.
    #[must_use]
    pub fn calling_code(self) -> u16 {
        self.parts().code
    }

    /// The national significant number, leading zeros (Italy) included: `4155550123`.
    #[must_use]
    pub fn national_number(self) -> String {
        self.parts().national
    }

    /// The number taken apart, for who wants more than one of its forms.
    #[must_use]
    pub fn parts(self) -> Parts {
        let mut digits = itoa::Buffer::new();
        let (code, national) =
            calling_code::split(digits.format(self.get())).expect("every constructor checks the calling code");
        Parts { code, national: national.to_owned() }
    }

    /// What a log may show.
    #[must_use]
    pub const fn masked(self) -> Masked {
        Masked(self)
    }

    fn last_two(self) -> u64 {
        self.0.get() % 100
    }
}

/// A number's calling code, and its national number with leading zeros. How they are written: [`super::grouping`].
#[derive(Clone)]
pub struct Parts {
    pub(super) code: u16,
    pub(super) national: String,
}

/// Not `+` and the digits of an E.164 number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an E.164 number (`+`, a known calling code, 7 to 19 digits in all)")]
pub struct NotE164;

impl FromStr for E164 {
    type Err = NotE164;

    fn from_str(text: &str) -> Result<Self, NotE164> {
        Self::from_digits(text.strip_prefix('+').ok_or(NotE164)?)
    }
}

impl TryFrom<u64> for E164 {
    type Error = NotE164;

    fn try_from(digits: u64) -> Result<Self, NotE164> {
        Self::from_digits(itoa::Buffer::new().format(digits))
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut text, mut digits) = ([b'+'; 1 + MAX_DIGITS], itoa::Buffer::new());
        let digits = digits.format(self.get()).as_bytes();
        text[1..=digits.len()].copy_from_slice(digits);
        // In one piece, so that a `String` grows once.
        f.write_str(str::from_utf8(&text[..=digits.len()]).expect("digits are ASCII"))
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("code", &self.code).finish_non_exhaustive()
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+…{:02}", self.last_two())
    }
}

impl serde::Serialize for E164 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number as a log may show it: a hash under a key that this process drew at random, and the last two digits.
///
/// One caller can be followed through one process's log, and cannot be found by trying all numbers without that process's memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Masked(E164);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        write!(f, "{:012x}…{:02}", KEY.hash_one(self.0) >> 16, self.0.last_two())
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_eight_bytes_even_when_absent() {
        assert_eq!((size_of::<E164>(), size_of::<Option<E164>>()), (8, 8));
    }

    #[test]
    fn display_is_full_and_debug_is_not() {
        let number = number("+14155550123");
        assert_eq!(number.to_string(), "+14155550123");
        assert_eq!(format!("{number:?}"), "+…23");
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"+14155550123\"");
    }

    #[test]
    fn leading_zeros_of_the_national_number_stay() {
        let rome = number("+390612345678");
        assert_eq!((rome.calling_code(), rome.national_number().as_str()), (39, "0612345678"));
    }

    #[test]
    fn only_the_canonical_form_is_parsed() {
        let refused = [
            "",
            "+",
            "14155550123",
            " +14155550123",
            "+1 4155550123",
            "+0123456789",
            "+2105550123",
            "+123456",
            "++14155550123",
        ];
        for text in refused.into_iter().chain(["+12345678901234567890", "+１4155550123", "+1415555012x"]) {
            assert_eq!(text.parse::<E164>(), Err(NotE164), "{text}");
        }
    }

    #[test]
    fn a_masked_number_tells_callers_apart_but_shows_two_digits_only() {
        let (one, other) = (number("+14155550123").masked().to_string(), number("+14155559923").masked().to_string());
        assert_eq!(one, number("+14155550123").masked().to_string());
        assert_ne!(one, other);
        assert!(one.ends_with("…23") && !one.contains("0123"), "{one}");
    }

    #[test]
    fn an_integer_is_checked_like_a_text() {
        assert_eq!(E164::try_from(14_155_550_123), "+14155550123".parse());
        assert_eq!(E164::try_from(0), Err(NotE164));
        assert_eq!(E164::try_from(u64::MAX), Err(NotE164));
    }
}
