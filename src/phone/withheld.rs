//! What phone systems send in place of a number that its owner did not want to show, or that the network lost.

use super::{E164, digits};

/// Words for it, lower case, single spaces for everything between letters. From SIP privacy (RFC 3323), the caller-id services of
/// telephone networks, and what PBXs make of them.
#[rustfmt::skip]
const WORDS: [&str; 54] = [
    "anonymous", "anonymous caller", "anon", "unknown", "unknown caller", "unknown number", "unavailable", "not available", "number unavailable",
    "name unavailable", "restricted", "restricted number", "private", "private caller", "private number", "withheld", "number withheld",
    "id withheld", "caller id withheld", "blocked", "blocked number", "caller id blocked", "hidden", "hidden number", "no number", "no caller id", "no callerid",
    "nocallerid", "no caller id available", "out of area", "suppressed", "secret", "asterisk", "freeswitch", "none", "null", "nil", "undefined",
    "n a", "na", "p", "o", "u", "payphone", "anonym", "anonyme", "anonimo", "anónimo", "desconocido", "privado", "unbekannt", "inconnu", "аноним",
    "неизвестный",
];

/// International numbers that spell such words on a keypad: `ANONYMOUS`, `RESTRICTED`, `BLOCKED`, `UNKNOWN`, `UNAVAILABLE` (Twilio, "Caller ID").
/// None is anybody's; without the plus, some are.
const SPELLED: [&str; 5] = ["266696687", "7378742833", "2562533", "8656696", "86282452253"];

/// The host of an anonymous SIP URI (RFC 3323).
const HOST: &str = "anonymous.invalid";

/// Whether `text`, taken out of `raw`, stands for a withheld number. Nothing at all does, too.
pub(super) fn is_withheld(text: &str, raw: &str) -> bool {
    let is_empty = text.chars().all(|c| c.is_whitespace() || c.is_control() || "+\"'<>".contains(c));
    if digits::count(text) > 0 {
        // A leading space was a plus.
        return text.trim_end().strip_prefix(['+', ' ']).is_some_and(|digits| SPELLED.contains(&digits));
    }
    let is_of_host = |text: &str| text.to_ascii_lowercase().contains(HOST);
    (is_empty && !names_a_host(raw)) || is_of_host(raw) || WORDS.contains(&words(text).as_str())
}

/// Whether `number`, however written, is one that spells a word.
pub(super) fn is_spelled(number: E164) -> bool {
    SPELLED.contains(&itoa::Buffer::new().format(number.get()))
}

/// `sip:192.0.2.1`, `sip:@pbx.example`: an address, but no caller in it.
fn names_a_host(raw: &str) -> bool {
    raw.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("sip"))
}

fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<_> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_dress_are_withheld() {
        for text in [
            "anonymous",
            "Anonymous",
            "PRIVATE",
            "<Unknown>",
            "\"Restricted\"",
            "no-caller-id",
            "Number Unavailable",
            "N/A",
            "Аноним",
            "P",
        ] {
            assert!(is_withheld(text, text), "{text}");
        }
    }

    #[test]
    fn nothing_is_withheld() {
        for text in ["", "  ", "+", "\"\"", "<>", "\0"] {
            assert!(is_withheld(text, text), "{text:?}");
        }
    }

    #[test]
    fn spelled_words_and_anonymous_hosts_are_withheld() {
        assert!(is_withheld("+266696687", "+266696687"));
        assert!(is_withheld(" 266696687", " 266696687"));
        assert!(is_spelled("+86282452253".parse().unwrap()));
        assert!(is_withheld("thisIsPrivate", "sip:thisIsPrivate@anonymous.invalid"));
    }

    #[test]
    fn names_and_numbers_are_not() {
        for text in ["Anna", "unknown 14155550123", "+14155550123", "***", "private eye"] {
            assert!(!is_withheld(text, text), "{text}");
        }
    }
}
