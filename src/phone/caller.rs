//! Who a phone system says is calling.

use super::memo::{Memo, Outcome};
use super::{E164, Extension, InvalidPhone, Number, Region, digits, envelope, reading, withheld};
use std::fmt;

/// Who is calling, as far as the text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A line of the telephone network.
    Number(Number),
    /// Somebody who does not show a number.
    Withheld,
    /// A colleague: up to six digits.
    Extension(Extension),
}

/// Reads callers, and remembers what it read. Cheap to clone; clones share the memory.
#[derive(Clone)]
pub struct CallerReader {
    memo: Memo,
}

/// Longer texts are nobody's number.
const MAX_BYTES: usize = 256;

/// More digits are not an internal extension.
const MAX_EXTENSION: usize = 6;

impl CallerReader {
    /// A reader that remembers the outcomes of the last `memo_capacity` texts.
    #[must_use]
    pub fn new(memo_capacity: u64) -> Self {
        Self { memo: Memo::new(memo_capacity) }
    }

    /// Who `raw` says is calling; numbers without country code are read as in `region`.
    ///
    /// # Errors
    ///
    /// Why it is not a possible number, where it is neither withheld nor an extension.
    pub fn read(&self, raw: &str, region: Region) -> Result<Caller, InvalidPhone> {
        if raw.len() > MAX_BYTES {
            return Err(InvalidPhone::TooLong);
        }
        match assigned(raw) {
            // Seeing that costs less than remembering it does.
            Some(number) => Ok(Caller::Number(number.into())),
            None => self.memo.get_or(raw, region, || read(raw, region)),
        }
    }
}

/// The number that the text is as E.164 writes it, if somebody has it: then it means itself, whoever reads it (`properties.rs`).
fn assigned(raw: &str) -> Option<E164> {
    raw.parse().ok().filter(|number| !withheld::is_spelled(*number) && reading::is_assigned(*number))
}

impl fmt::Debug for CallerReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerReader").finish_non_exhaustive()
    }
}

fn read(raw: &str, region: Region) -> Outcome {
    let text = envelope::open(raw)?;
    let text = digits::to_ascii(&text);
    if withheld::is_withheld(&text, raw) {
        return Ok(Caller::Withheld);
    }
    if let Some(extension) = extension(&text) {
        return Ok(Caller::Extension(extension));
    }
    let number = number(&text, region)?;
    Ok(if withheld::is_spelled(number.e164) { Caller::Withheld } else { Caller::Number(number) })
}

/// A query string turns a plus into a space, so a leading space is one. But people type spaces, too: where there is punctuation among the
/// digits, the reading that somebody can have goes first.
fn number(text: &str, region: Region) -> Result<Number, InvalidPhone> {
    let plain = reading::read(text, region);
    let Some(rest) =
        text.strip_prefix(' ').map(str::trim).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    else {
        return plain;
    };
    let Ok(plus) = reading::read(&format!("+{rest}"), region) else { return plain };
    let is_assigned = |number: &Number| reading::is_assigned(number.e164);
    let is_typed = digits::count(rest) < rest.len();
    match plain {
        Ok(plain) if is_typed && is_assigned(&plain) && !is_assigned(&plus) => Ok(plain),
        _ => Ok(plus),
    }
}

/// One to six digits, and nothing but punctuation around them.
fn extension(text: &str) -> Option<Extension> {
    let is_bare = text.chars().all(|c| c.is_ascii_digit() || " +-().*#".contains(c));
    let digits = if is_bare { digits::only(text) } else { String::new() };
    if digits.len() <= MAX_EXTENSION { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(raw: &str, region: &str) -> Result<Caller, InvalidPhone> {
        CallerReader::new(10).read(raw, region.parse().unwrap())
    }

    fn number(raw: &str, region: &str) -> String {
        match caller(raw, region) {
            Ok(Caller::Number(Number { e164, extension: None })) => e164.to_string(),
            Ok(Caller::Number(Number { e164, extension: Some(extension) })) => format!("{e164}x{extension}"),
            other => panic!("{raw}: {other:?}"),
        }
    }

    #[test]
    fn every_way_to_send_a_number_means_the_number() {
        let forms = [
            "+14155550123",
            " 14155550123",
            "%2B14155550123",
            "+1 (415) 555-0123",
            "(415) 555-0123",
            "415.555.0123",
            "4155550123",
            "14155550123",
            "1-415-555-0123",
            "01114155550123",
            "0014155550123",
            "sip:+14155550123@pbx.example;user=phone",
            "sip: 14155550123@pbx.example",
            "sip:4155550123@10.0.0.1",
            "\"Anonymous\" <sip:+14155550123@pbx.example>",
            "tel:+1-415-555-0123",
            "tel:555-0123;phone-context=+1-415",
            "＋１ ４１５ ５５５ ０１２３",
            "+١٤١٥٥٥٥٠١٢٣",
        ];
        for raw in forms {
            assert_eq!(number(raw, "US"), "+14155550123", "{raw}");
        }
    }

    #[test]
    fn an_extension_behind_a_number_is_kept_apart() {
        for raw in [
            "+14155550123x12",
            "415-555-0123 ext. 12",
            "4155550123#12",
            "tel:+1-415-555-0123;ext=12",
            "sip:+14155550123;ext=12@pbx.example",
        ] {
            assert_eq!(number(raw, "US"), "+14155550123x12", "{raw}");
        }
    }

    #[test]
    fn a_leading_space_is_a_plus_only_where_that_makes_a_number() {
        assert_eq!(number(" 79161234567", "US"), "+79161234567");
        assert_eq!(number(" (415) 555-0123", "US"), "+14155550123");
        assert_eq!(number(" 0161 496 0000", "GB"), "+441614960000");
        assert_eq!(number("  91 492 71 92", "UZ"), "+998914927192");
        assert_eq!(number(" 7 (916) 123-45-67", "US"), "+79161234567");
    }

    #[test]
    fn withheld_numbers_are_not_read_as_vanity_numbers() {
        for raw in [
            "anonymous",
            "Restricted",
            "",
            " ",
            "sip:anonymous@anonymous.invalid",
            "\"+14155550123\" <sip:anonymous@x>",
            "+266696687",
        ] {
            assert_eq!(caller(raw, "US"), Ok(Caller::Withheld), "{raw}");
        }
    }

    #[test]
    fn a_number_that_spells_a_word_elsewhere_is_a_number() {
        assert_eq!(number("8656696", "IS"), "+3548656696");
        assert_eq!(caller("0282452253", "CN"), caller("+86282452253", "US"));
    }

    #[test]
    fn up_to_six_digits_are_an_extension() {
        for (raw, digits) in
            [("12", "12"), ("sip:101@pbx.example", "101"), ("*123456", "123456"), ("٤٢", "42"), ("0007", "0007")]
        {
            assert_eq!(caller(raw, "US"), Ok(Caller::Extension(digits.parse().unwrap())), "{raw}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let refused = [
            ("Anna", InvalidPhone::NotANumber),
            ("***", InvalidPhone::NotANumber),
            ("sip:192.168.100.200", InvalidPhone::NotANumber),
            ("someletters1110@gmail.com", InvalidPhone::NotANumber),
            ("+1415555", InvalidPhone::TooShort),
            ("+1415555012345", InvalidPhone::TooLong),
            ("+2104155550123", InvalidPhone::InvalidCountryCode),
            ("+799912345678", InvalidPhone::InvalidLength),
        ];
        for (raw, reason) in refused {
            assert_eq!(caller(raw, "US"), Err(reason), "{raw}");
        }
        assert_eq!(caller(&"1".repeat(MAX_BYTES + 1), "US"), Err(InvalidPhone::TooLong));
    }

    #[test]
    fn debug_shows_no_number() {
        let shown = format!("{:?} {:?}", caller("+14155550123", "US"), CallerReader::new(1));
        assert!(!shown.contains("0123"), "{shown}");
    }
}
