//! Decimal digits of every script, brought to ASCII.
//!
//! Phone systems send full-width and Arabic-Indic digits, people paste them into CRMs. Everything behind this file sees `0`–`9` and `+` only.

use std::borrow::Cow;

/// The code points of the digit zero in every script; each begins a run of ten (Unicode's general category `Nd`).
const ZEROS: [u32; 66] = [
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
    0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0,
    0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50,
    0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950,
    0x1FBF0,
];

/// The ASCII digit that `c` stands for.
fn ascii(c: char) -> Option<char> {
    let point = u32::from(c);
    let zero = ZEROS[ZEROS.partition_point(|&zero| zero <= point).checked_sub(1)?];
    char::from_digit(point - zero, 10)
}

/// `text` with every decimal digit as `0`–`9` and the full-width plus as `+`.
pub(super) fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let plain = |c| match c {
        '\u{FF0B}' => '+',
        c => ascii(c).unwrap_or(c),
    };
    Cow::Owned(text.chars().map(plain).collect())
}

/// How many ASCII digits `text` has.
pub(super) fn count(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// The ASCII digits of `text`, all else dropped.
pub(super) fn only(text: &str) -> String {
    let mut digits = String::with_capacity(text.len());
    digits.extend(text.bytes().filter(u8::is_ascii_digit).map(char::from));
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_other_scripts_become_ascii() {
        assert_eq!(to_ascii("＋１２３"), "+123");
        assert_eq!(to_ascii("٠١٢٣٤٥٦٧٨٩"), "0123456789");
        assert_eq!(to_ascii("۰۱۲"), "012");
        assert_eq!(to_ascii("𝟘𝟙𝟗"), "019");
    }

    #[test]
    fn neighbours_of_digits_stay_what_they_are() {
        assert_eq!(to_ascii("/0:"), "/0:");
        assert_eq!(to_ascii("\u{065F}\u{066A}Ж"), "\u{065F}\u{066A}Ж");
    }

    #[test]
    fn zeros_are_in_order() {
        assert!(ZEROS.is_sorted());
    }
}
