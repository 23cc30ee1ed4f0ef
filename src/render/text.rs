//! One line that a telephone switch can put anywhere: into a SIP header, a dialplan variable, a shell's argument.
//!
//! The line is safe by construction, whatever is in the CRM: [`clean`] keeps no character that ends, quotes or expands anything in those
//! places, and no line starts like a SIP address, an option or an error. It has no trailing newline either: one such newline inside a
//! `From` header made the called phone drop the call (telephony notes, measured with Kamailio).

use super::Options;
use crate::card::Card;
use crate::lookup::{Answer, Finding};

/// The name to show, or the caller's default, or nothing.
pub(super) fn line(answer: &Answer, options: &Options) -> String {
    match &answer.finding {
        Finding::Found(found) => name(&found.best, options.max, options.ascii),
        Finding::NotFound(_) | Finding::Withheld | Finding::Extension(_) => None,
    }
    .unwrap_or_else(|| fallback(options))
}

/// What stands there when there is no name, for whatever reason. The caller's own text is cleaned as ours is.
pub(super) fn fallback(options: &Options) -> String {
    options.default.as_deref().and_then(|text| clean(text, options.max, options.ascii)).unwrap_or_default()
}

/// The first of the contact's name, its parts and its company that has something to show: a company's switchboard is often stored as a
/// contact without a name, and a PBX likes to name a contact after its number.
fn name(card: &Card, max: usize, ascii: bool) -> Option<String> {
    let parts = [card.first_name.as_deref(), card.last_name.as_deref()].map(Option::unwrap_or_default).join(" ");
    let company = card.company.as_ref().and_then(|company| company.name.as_deref()).unwrap_or_default();
    [card.name.as_str(), parts.as_str(), company].into_iter().find_map(|text| clean(text, max, ascii))
}

/// Makes `text` harmless, at most `max` characters long; `None` if nothing worth showing is left.
pub(super) fn clean(text: &str, max: usize, ascii: bool) -> Option<String> {
    let latin = ascii.then(|| deunicode::deunicode_with_tofu(text, ""));
    let kept = keep(latin.as_deref().unwrap_or(text));
    let cut: String = plain_start(&kept).chars().take(max).collect();
    let line = cut.trim_end();
    (!says_nothing(line)).then(|| line.to_owned())
}

/// Without the characters that mean something to a switch, and with single spaces.
fn keep(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        let is_space = character.is_whitespace();
        if is_space && !kept.is_empty() && !kept.ends_with(' ') {
            kept.push(' ');
        } else if !is_space && !is_dangerous(character) {
            kept.push(character);
        }
    }
    kept
}

/// `text` as a window's title can bear it: nothing that reorders what stands beside it.
pub(super) fn visible(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect()
}

/// Characters that end, quote or expand something in a header, a dialplan or a shell; their canonical twins, which a reader that
/// normalises text turns into them; and invisible ones, with which one name could pass for another.
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character, '"' | '\\' | '<' | '>' | ';' | '$' | '%' | '`')
        || matches!(character, '\u{37e}' | '\u{1fef}' | '\u{226e}' | '\u{226f}')
        || is_invisible(character)
}

/// Direction marks, overrides and isolates (they reorder what stands around the name), zero-width and soft breaks, fillers, tag characters. The
/// joiners U+200C and U+200D stay: Persian and Indian names are spelled with them.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Without a beginning that a reader would act on: `-ERR` is FreeSWITCH's word for a failure, `sip:` begins an address, and ASCII
/// punctuation begins an option, a pipe, a comment or a subshell. An apostrophe may stay: 't Hooft is a name.
fn plain_start(text: &str) -> &str {
    const WORDS: [&str; 4] = ["-err", "sips:", "sip:", "tel:"];
    let mut rest = text;
    loop {
        let word = WORDS.into_iter().find(|word| starts_with(rest, word)).map(str::len);
        let mark = rest.starts_with(|c: char| c == ' ' || (c.is_ascii_punctuation() && c != '\'')).then_some(1);
        let Some(length) = word.or(mark) else { return rest };
        rest = &rest[length..];
    }
}

fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Digits in any script with a number's punctuation: the switch knows them already. Joiners and variation selectors alone show nothing.
fn says_nothing(line: &str) -> bool {
    line.chars().all(|c| {
        c.is_numeric()
            || matches!(c, ' ' | '+' | '-' | '.' | '/' | '(' | ')' | '#' | '*')
            || matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        clean(text, 60, false).unwrap_or_default()
    }

    #[test]
    fn names_people_really_have_stay_as_they_are() {
        for name in [
            "Anna Ivanova",
            "Иван Петров",
            "Miles O'Neil",
            "'t Hooft",
            "Müller & Söhne (Bonn)",
            "7-Eleven",
            "李雷",
            "می\u{200c}خواهم",
        ] {
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn hostile_names_lose_their_teeth() {
        assert_eq!(shown("Ann \"Boss\" O'Neil"), "Ann Boss O'Neil");
        assert_eq!(shown("Eve\r\nVia: SIP/2.0"), "Eve Via: SIP/2.0");
        assert_eq!(shown("<sip:eve@example.com>"), "eve@example.com");
        assert_eq!(shown("SIP: tel:-ERR eve"), "eve");
        assert_eq!(shown("${SHELL(reboot)} `id` $(id) %n"), "SHELL(reboot)} id (id) n");
        assert_eq!(shown("--help; | rm"), "help | rm");
        assert_eq!(shown("a\u{202e}b\u{2028}c\u{37e}d\u{0}e"), "ab cde");
    }

    #[test]
    fn numbers_errors_and_blanks_are_no_names() {
        for text in ["+1 (415) 555-0123", "٠١٢٣", "-ERR", "", " \t ", "\u{200d}", "\u{3164}", "\"\""] {
            assert_eq!(clean(text, 60, false), None, "{text:?}");
        }
    }

    #[test]
    fn transliteration_comes_before_the_removal() {
        assert_eq!(clean("Иван «Ваня»", 60, true).as_deref(), Some("Ivan Vania"));
        assert_eq!(clean("Schäfer", 3, true).as_deref(), Some("Sch"));
    }

    #[test]
    fn the_cut_counts_characters_and_leaves_no_space_behind() {
        assert_eq!(clean("Жанна Ы", 6, false).as_deref(), Some("Жанна"));
        assert_eq!(clean("Жанна", 0, false), None);
    }

    proptest! {
        #[test]
        fn no_name_leaves_a_dangerous_line(text in any::<String>(), max in 0_usize..80, ascii: bool) {
            if let Some(line) = clean(&text, max, ascii) {
                prop_assert!(line.chars().count() <= max);
                let dangerous = ['"', '\\', '<', '>', ';', '$', '%', '`', '\u{2028}', '\u{2029}', '\u{202e}', '\u{37e}'];
                prop_assert!(!line.chars().any(|c| c.is_control() || dangerous.contains(&c)));
                prop_assert_eq!(line.split(' ').collect::<Vec<_>>().join(" "), line.split_whitespace().collect::<Vec<_>>().join(" "));
                let lower = line.to_ascii_lowercase();
                prop_assert!(!["-err", "sip:", "sips:", "tel:"].iter().any(|word| lower.starts_with(word)));
                prop_assert!(!line.starts_with(|c: char| c.is_ascii_punctuation() && c != '\''));
                prop_assert!(line.chars().any(|c| !c.is_numeric()));
                prop_assert!(!ascii || line.is_ascii());
                prop_assert_eq!(clean(&line, max, ascii), Some(line));
            }
        }

        #[test]
        fn words_that_readers_act_on_never_come_first(prefix in "(-ERR|sips?:|TEL:|[-|&!#~ ]){1,6}", rest in "[a-z]{1,9}") {
            let line = shown(&format!("{prefix}{rest}"));
            prop_assert!(line.is_empty() || line == rest || rest.ends_with(&line), "{line:?}");
        }
    }
}
