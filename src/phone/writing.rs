//! From written text to the digits of a number: what to skip, what is an extension, what letters stand for.
//!
//! libphonenumber's rules, as its documentation and behaviour show them: a number begins at the first digit or plus, ends before trailing
//! punctuation, must hold three digits among accepted punctuation, may end in an extension, and is a vanity number from three letters on.

use super::{Extension, InvalidPhone, digits};
use regex::Regex;
use std::sync::LazyLock;

/// A number as written, apart from its form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// It began with a plus: a calling code follows.
    pub(super) has_plus: bool,
    /// ASCII digits only.
    pub(super) digits: String,
    pub(super) extension: Option<Extension>,
}

/// What may stand between a number's digits (inside a character class).
const PUNCTUATION: &str = r"\-x\u{2010}-\u{2015}\u{2212}\u{30FC}\u{FF0D}-\u{FF0F} \u{A0}\u{AD}\u{200B}\u{2060}\u{3000}()\u{FF08}\u{FF09}\u{FF3B}\u{FF3D}.\[\]/~\u{2053}\u{223C}\u{FF5E}";

/// What may stand after a word for "extension".
const AFTER_LABEL: &str = r"[:.\u{FF0E}]?[ \u{A0}\t,\-]*";
/// Words that mean nothing but "extension".
const EXPLICIT_LABEL: &str =
    r"(?:e?xt(?:ensi(?:o\u{301}?|\u{F3}))?n?|\u{FF45}?\u{FF58}\u{FF54}\u{FF4E}?|\u{434}\u{43E}\u{431}|anexo)";
/// Signs that can mean "extension", therefore only before fewer digits.
const AMBIGUOUS_LABEL: &str = r"(?:[x\u{FF58}#\u{FF03}~\u{FF5E}]|int|\u{FF49}\u{FF4E}\u{FF54})";

/// The six ways to write an extension, each with one group: its digits.
fn extension_source() -> String {
    let (spaced, after) = (r"[ \u{A0}\t]*", AFTER_LABEL);
    [
        r";ext=(\d{1,20})".to_owned(),
        format!(r"[ \u{{A0}}\t,]*{EXPLICIT_LABEL}{after}(\d{{1,20}})#?"),
        format!(r"[ \u{{A0}}\t,]*{AMBIGUOUS_LABEL}{after}(\d{{1,9}})#?"),
        r"[\- ]+(\d{1,6})#".to_owned(),
        format!(r"{spaced}(?:,{{2}}|;){after}(\d{{1,15}})#?"),
        format!(r"{spaced},+{after}(\d{{1,9}})#?"),
    ]
    .join("|")
}

fn compile(source: &str) -> Regex {
    Regex::new(&source.replace(r"\d", "[0-9]")).expect("the sources are constants, and tests compile them")
}

static EXTENSION: LazyLock<Regex> = LazyLock::new(|| compile(&format!("(?i)(?:{})$", extension_source())));

static VIABLE: LazyLock<Regex> = LazyLock::new(|| {
    let extension = extension_source();
    compile(&format!(r"(?i)^(?:\d{{2}}|\+*(?:[{PUNCTUATION}*]*\d){{3,}}[{PUNCTUATION}*a-z\d]*(?:{extension})?)$"))
});

/// A second number after a slash: `… / x …`.
static SECOND_NUMBER: LazyLock<Regex> = LazyLock::new(|| compile(r"[\\/] *x"));

/// Compiles what [`Written::take`] uses.
pub(super) fn warm() {
    LazyLock::force(&EXTENSION);
    LazyLock::force(&VIABLE);
    LazyLock::force(&SECOND_NUMBER);
}

impl Written {
    /// The number that `text` holds, whose digits are ASCII already.
    pub(super) fn take(text: &str) -> Result<Self, InvalidPhone> {
        let text = candidate(text);
        if is_plain(text) {
            return Self::from_plain(text);
        }
        if !VIABLE.is_match(text) {
            return Err(InvalidPhone::NotANumber);
        }
        let (text, extension) = split_extension(text);
        Ok(Self { has_plus: text.starts_with('+'), digits: spell(text), extension })
    }

    fn from_plain(text: &str) -> Result<Self, InvalidPhone> {
        let digits = digits::only(text);
        let is_viable = digits.len() >= 3 || (digits.len() == 2 && text.len() == 2);
        is_viable
            .then(|| Self { has_plus: text.starts_with('+'), digits, extension: None })
            .ok_or(InvalidPhone::NotANumber)
    }
}

/// `text` from its first digit or plus to its last letter, digit or `#`.
fn candidate(text: &str) -> &str {
    let Some(start) = text.find(|c: char| c == '+' || c.is_ascii_digit()) else { return "" };
    let text = text[start..].trim_end_matches(|c: char| !c.is_alphanumeric() && c != '#');
    let is_doubtful = text.contains(['/', '\\']) && text.contains('x');
    let second = if is_doubtful { SECOND_NUMBER.find(text) } else { None };
    second.map_or(text, |found| &text[..found.start()])
}

/// Nearly all numbers: nothing but digits and everyday punctuation, for which no expression is needed.
fn is_plain(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    text.bytes().all(|byte| byte.is_ascii_digit() || b" -().".contains(&byte))
}

/// Cuts the extension off, if what is left is a number.
fn split_extension(text: &str) -> (&str, Option<Extension>) {
    let Some(found) = EXTENSION.captures(text) else { return (text, None) };
    let start = found.get(0).map_or(text.len(), |whole| whole.start());
    if !VIABLE.is_match(&text[..start]) {
        return (text, None);
    }
    let digits = found.iter().skip(1).flatten().next();
    (&text[..start], digits.and_then(|digits| digits.as_str().parse().ok()))
}

/// The digits of a number; with three letters or more, also those that the letters stand for on a keypad.
fn spell(text: &str) -> String {
    let is_vanity = text.bytes().filter(u8::is_ascii_alphabetic).count() >= 3;
    text.chars().filter_map(|c| if is_vanity { key(c) } else { Some(c) }).filter(char::is_ascii_digit).collect()
}

/// The keypad's key for a letter.
fn key(c: char) -> Option<char> {
    Some(match c.to_ascii_lowercase() {
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        'w'..='z' => '9',
        digit @ '0'..='9' => digit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (bool, String, Option<String>) {
        let Written { has_plus, digits, extension } = Written::take(text).unwrap();
        (has_plus, digits, extension.map(|extension| extension.to_string()))
    }

    fn plain(digits: &str) -> (bool, String, Option<String>) {
        (false, digits.to_owned(), None)
    }

    #[test]
    fn punctuation_is_dropped() {
        assert_eq!(taken("Tel: (415) 555-0123."), plain("4155550123"));
        assert_eq!(taken("+1 [415] 555‐0123"), (true, "14155550123".into(), None));
        assert_eq!(taken("030/123 45 67"), plain("0301234567"));
    }

    #[test]
    fn extensions_are_kept_apart() {
        let forms = [
            "x12",
            " x12",
            " ext. 12",
            " Ext 12",
            "#12",
            ",12",
            ",,12#",
            ";12",
            ";ext=12",
            " доб. 12",
            " extensión 12",
            " - 12#",
            "~12",
        ];
        for form in forms {
            assert_eq!(
                taken(&format!("415 555-0123{form}")),
                (false, "4155550123".into(), Some("12".into())),
                "{form}"
            );
        }
    }

    #[test]
    fn letters_spell_digits_from_three_on() {
        assert_eq!(taken("1-800-FLOWERS"), plain("18003569377"));
        assert_eq!(taken("1800 35693 a7"), plain("1800356937"));
    }

    #[test]
    fn what_holds_no_number_is_refused() {
        for text in ["", "abc", "+", "1", "a1b2", "1-2", "12 Анна 34567", "+1+4155550123"] {
            assert_eq!(Written::take(text), Err(InvalidPhone::NotANumber), "{text}");
        }
    }
}
