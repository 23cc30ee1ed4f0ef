//! One line that a telephone switch can put between double quotes anywhere: in a SIP header, a dialplan variable, a shell's argument.
//!
//! The line is safe by construction, whatever is in the CRM or in a caller's `default=`: [`clean`] keeps no character that ends, quotes or
//! expands anything in those places ([`danger`]), no line starts like a SIP address, an option or an error, and none is cut inside of what
//! a reader sees as one character. It has no trailing newline either: one such newline inside a `From` header cost the whole call, because
//! the called phone could not read the request any more (measured with Kamailio). A name without any of this stays as it was written.

mod danger;

use unicode_segmentation::UnicodeSegmentation;

use self::danger::{is_dangerous, is_invisible};
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
    let line = cut(plain_start(&kept), max).trim_end();
    (!says_nothing(line)).then(|| line.to_owned())
}

/// Without the characters that mean something to a switch, and with single spaces. What was an accent on one of them goes with it.
fn keep(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let is_lost = |first: char| is_dangerous(first) && !first.is_whitespace();
    for character in text.graphemes(true).filter(|whole| !whole.starts_with(is_lost)).flat_map(str::chars) {
        let is_space = character.is_whitespace();
        if is_space && !kept.is_empty() && !kept.ends_with(' ') {
            kept.push(' ');
        } else if !is_space && !is_dangerous(character) {
            kept.push(character);
        }
    }
    kept
}

/// The longest beginning of at most `max` code points that ends between two characters as a reader sees them: no letter loses its accent,
/// and no family its children.
fn cut(text: &str, max: usize) -> &str {
    let mut room = max;
    let fits = |whole: &&str| {
        let left = room.checked_sub(whole.chars().count());
        room = left.unwrap_or(room);
        left.is_some()
    };
    let bytes = text.graphemes(true).take_while(fits).map(str::len).sum();
    &text[..bytes]
}

/// `text` as a window's title can bear it: nothing that reorders what stands beside it.
pub(super) fn visible(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect()
}

/// Without a beginning that a reader would act on: `-ERR` is FreeSWITCH's word for a failure, `sip:` begins an address, and ASCII
/// punctuation begins an option, a pipe, a comment or a subshell. An apostrophe may stay: 't Hooft is a name. Accents without a letter go
/// too, or they would sit on whatever a header has in front of the name.
fn plain_start(text: &str) -> &str {
    const WORDS: [&str; 4] = ["-err", "sips:", "sip:", "tel:"];
    let mut rest = text;
    loop {
        let word = WORDS.into_iter().find(|word| starts_with(rest, word)).map(str::len);
        let mark = rest.starts_with(|c: char| c == ' ' || (c.is_ascii_punctuation() && c != '\'')).then_some(1);
        let Some(length) = word.or(mark).or_else(|| loose_accents(rest)) else { return rest };
        rest = &rest[length..];
    }
}

fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Bytes at the beginning that would join a letter in front of them.
fn loose_accents(text: &str) -> Option<usize> {
    if text.starts_with(|c: char| c.is_ascii()) {
        return None;
    }
    let behind_a_letter = format!("x{text}");
    behind_a_letter.graphemes(true).next().map(|first| first.len() - 1).filter(|length| *length > 0)
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
mod tests;
