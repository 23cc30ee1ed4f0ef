//! Other numbers that one phone goes by since a country changed its numbering.
//!
//! Three countries put a digit in front of mobile numbers, and neither networks nor people have settled on one form. Nothing else is equal:
//! area code splits and the like gave numbers to other people.

use super::E164;
use super::e164::Parts;

const BRAZIL: u16 = 55;
const MEXICO: u16 = 52;
const ARGENTINA: u16 = 54;

impl E164 {
    /// The other numbers under which a call from this phone may arrive, or its owner may have been stored.
    #[must_use]
    pub fn equivalents(self) -> impl IntoIterator<Item = Self> + use<> {
        let Parts { code, national } = self.parts();
        let other = match code {
            BRAZIL => brazil(&national),
            MEXICO => mexico(&national),
            ARGENTINA => argentina(&national),
            _ => None,
        };
        other.and_then(|national| Self::from_digits(&format!("{code}{national}")).ok())
    }
}

/// Whether this is a mobile number with the 1 that Mexico gave up in 2019: still sent by networks and messengers.
pub(super) fn is_mexican_mobile(code: u16, national: &str) -> bool {
    code == MEXICO && national.len() == 11 && national.starts_with('1') && mexico(national).is_some()
}

/// Two digits of area, then eight or, since 2012–2016, a 9 and eight. Those eight began with 6 to 9 before; other numbers are landlines or
/// came after the change.
fn brazil(national: &str) -> Option<String> {
    let (area, line) = national.split_at_checked(2)?;
    match line.as_bytes() {
        [b'6'..=b'9', ..] if line.len() == 8 => Some(format!("{area}9{line}")),
        [b'9', b'6'..=b'9', ..] if line.len() == 9 => Some(format!("{area}{}", &line[1..])),
        _ => None,
    }
}

/// Ten digits, which from abroad were dialled with a 1 in front when mobile.
fn mexico(national: &str) -> Option<String> {
    match national.as_bytes() {
        [b'2'..=b'9', ..] if national.len() == 10 => Some(format!("1{national}")),
        [b'1', b'2'..=b'9', ..] if national.len() == 11 => Some(national[1..].to_owned()),
        _ => None,
    }
}

/// Ten digits, which from abroad are dialled with a 9 in front when mobile.
fn argentina(national: &str) -> Option<String> {
    match national.as_bytes() {
        [b'1'..=b'3', ..] if national.len() == 10 => Some(format!("9{national}")),
        [b'9', b'1'..=b'3', ..] if national.len() == 11 => Some(national[1..].to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equivalents(text: &str) -> Vec<String> {
        text.parse::<E164>().unwrap().equivalents().into_iter().map(|number| number.to_string()).collect()
    }

    #[test]
    fn equivalence_goes_both_ways() {
        let pairs = [
            ("+5511987654321", "+551187654321"),
            ("+5215512345678", "+525512345678"),
            ("+5491123456789", "+541123456789"),
        ];
        for (one, other) in pairs {
            assert_eq!(equivalents(one), [other]);
            assert_eq!(equivalents(other), [one]);
        }
    }

    #[test]
    fn landlines_and_new_numbers_of_brazil_have_no_other_form() {
        assert_eq!(equivalents("+551133334444"), [""; 0]);
        assert_eq!(equivalents("+5511912345678"), [""; 0]);
    }

    #[test]
    fn other_countries_have_none() {
        for text in ["+14155550123", "+79161234567", "+390612345678"] {
            assert_eq!(equivalents(text), [""; 0], "{text}");
        }
    }
}
