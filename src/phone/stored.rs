//! What people have typed into a contact's PHONE field: often one number, sometimes several, sometimes with words around them.
//!
//! Two mistakes would cost more than an unread value: gluing two numbers (or a number and the digits of a remark) into a third one, and
//! cutting one number in two. So a text is cut where nothing but a separator can stand, and anywhere else only if the parts are numbers that
//! their countries have handed out.

use super::{Extension, Number, Region, digits, envelope, reading};

/// Longer values are read up to here: no CRM field holds more.
const MAX_BYTES: usize = 1024;

/// A remark cannot begin, and a second number cannot end, before as many digits.
const MIN_DIGITS: usize = 7;

/// More digits after a comma are a number, not an extension.
const MAX_EXTENSION: usize = 6;

/// Words in front of an extension, lower case.
const EXTENSION_WORDS: [&str; 14] = [
    "x",
    "ext",
    "extn",
    "xtn",
    "extension",
    "extensión",
    "int",
    "доб",
    "добавочный",
    "вн",
    "внутр",
    "внутренний",
    "anexo",
    "ramal",
];

/// The numbers in a PHONE value, in order, each once; numbers without country code are read as in `region`. Empty if there is none to read.
#[must_use]
pub fn read_stored(raw: &str, region: Region) -> Vec<Number> {
    let raw = &raw[..raw.floor_char_boundary(MAX_BYTES)];
    let text = digits::to_ascii(raw);
    let mut numbers: Vec<Number> = Vec::new();
    for piece in pieces(&text) {
        match (numbers.last_mut(), lone_extension(piece)) {
            (Some(last), Some(extension)) if last.extension.is_none() => last.extension = Some(extension),
            _ => {
                for number in read_piece(piece, region) {
                    if !numbers.contains(&number) {
                        numbers.push(number);
                    }
                }
            }
        }
    }
    numbers
}

/// `text` cut at the characters that no number contains, and in front of every plus but the first sign of a number.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let is_cut = match c {
            '\n' | '\r' | '|' | '\\' | ',' => true,
            ';' => !begins_parameter(&text[at + 1..]),
            '+' => digits::count(&text[start..at]) > 0,
            _ => false,
        };
        if is_cut {
            pieces.push(&text[start..at]);
            start = if c == '+' { at } else { at + c.len_utf8() };
        }
    }
    pieces.push(&text[start..]);
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

/// `ext=12` and the like, which belong to the number before them.
fn begins_parameter(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
    rest.len() < text.len() && rest.starts_with('=')
}

/// `12`, `доб. 12`: a piece that is nothing but an extension.
fn lone_extension(piece: &str) -> Option<Extension> {
    let word: String = piece.chars().filter(|c| c.is_alphabetic()).collect();
    let is_label = word.is_empty() || EXTENSION_WORDS.contains(&word.to_lowercase().as_str());
    let digits = digits::only(piece);
    let is_lone = is_label && digits.len() <= MAX_EXTENSION && !piece.contains('+');
    is_lone.then(|| digits.parse().ok()).flatten()
}

fn read_piece(piece: &str, region: Region) -> Vec<Number> {
    if piece.contains(['@', '<', '%', ';']) || piece.trim_start().starts_with("tel:") {
        return envelope::open(piece.trim())
            .ok()
            .and_then(|text| reading::read(&text, region).ok())
            .into_iter()
            .collect();
    }
    if let Some((number, rest)) = before_remark(piece, region) {
        return [number].into_iter().chain(read_piece(rest, region)).collect();
    }
    let assigned = |text: &str| assigned(text, region);
    slashed(piece, assigned).or_else(|| whole_or_spaced(piece, region)).unwrap_or_else(|| after_label(piece, region))
}

/// The number that `text` is, if its country has handed it out.
fn assigned(text: &str, region: Region) -> Option<Number> {
    let number = reading::read(text, region).ok()?;
    reading::is_assigned(number.e164).then_some(number)
}

/// `8 999 123-45-67 Anna …`: the number before a word, and what comes after the word. Words for an extension do not count.
fn before_remark(piece: &str, region: Region) -> Option<(Number, &str)> {
    let mut from = 0;
    loop {
        let start = from + piece[from..].find(char::is_alphabetic)?;
        let length = piece[start..].find(|c: char| !c.is_alphabetic()).unwrap_or(piece.len() - start);
        let (word, rest) = piece[start..].split_at(length);
        let is_label = EXTENSION_WORDS.contains(&word.to_lowercase().as_str()) && digits::count(rest) > 0;
        if !is_label && digits::count(&piece[..start]) >= MIN_DIGITS {
            return assigned(&piece[..start], region).map(|number| (number, rest));
        }
        from = start + length;
    }
}

/// `A / B`: both, if both are numbers. `A/79`, another line of the same switchboard: A. A slash at either end is left over from a cut.
fn slashed(piece: &str, assigned: impl Fn(&str) -> Option<Number>) -> Option<Vec<Number>> {
    let piece = piece.trim_matches([' ', '/']);
    let (before, last) = piece.rsplit_once('/')?;
    let all: Option<Vec<_>> = piece.split('/').map(&assigned).collect();
    let is_line = (1..=3).contains(&digits::count(last));
    all.or_else(|| if is_line { assigned(before).map(|number| vec![number]) } else { None })
}

/// The piece as one number; or, if that is none that anybody has, as numbers between which only a space stands.
fn whole_or_spaced(piece: &str, region: Region) -> Option<Vec<Number>> {
    let whole = reading::read(piece, region).ok();
    let is_settled = whole.as_ref().is_some_and(|number| reading::is_assigned(number.e164));
    let spaced = if is_settled { None } else { spaced(piece, region, 3) };
    spaced.or_else(|| whole.map(|number| vec![number]))
}

/// Numbers with spaces between them, if there is exactly one way to cut them apart. At most `count` of them.
fn spaced(piece: &str, region: Region, count: usize) -> Option<Vec<Number>> {
    if count < 2 || !(2 * MIN_DIGITS..=60).contains(&digits::count(piece)) {
        return None;
    }
    let mut ways = piece.match_indices(' ').filter_map(|(at, _)| {
        let (left, right) = piece.split_at(at);
        let first = if digits::count(left) < MIN_DIGITS { None } else { assigned(left, region) }?;
        let others = assigned(right, region).map(|number| vec![number]).or_else(|| spaced(right, region, count - 1))?;
        Some([vec![first], others].concat())
    });
    let way = ways.next()?;
    ways.all(|other| other == way).then_some(way)
}

/// `line 2: 415 555 0123`: what stands after the last colon.
fn after_label(piece: &str, region: Region) -> Vec<Number> {
    let Some((_, text)) = piece.rsplit_once(':') else { return Vec::new() };
    reading::read(text, region).ok().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(raw: &str, region: &str) -> Vec<String> {
        let shown = |Number { e164, extension }| match extension {
            Some(extension) => format!("{e164}x{extension}"),
            None => e164.to_string(),
        };
        read_stored(raw, region.parse().unwrap()).into_iter().map(shown).collect()
    }

    #[test]
    fn one_number_is_read_in_any_dress() {
        for raw in [
            "+7 (999) 123-45-67",
            "8 999 1234567",
            "79991234567",
            " 9991234567 ",
            "моб. 8-999-123-45-67",
            "8 999 123-45-67 Анна",
            "8(999)1234567 (work)",
            "line 2: 8 999 123 45 67",
            "tel:+7-999-123-45-67",
            "8 999 123 45 67 / ",
        ] {
            assert_eq!(stored(raw, "RU"), ["+79991234567"], "{raw}");
        }
    }

    #[test]
    fn several_numbers_are_each_read() {
        for separator in
            [", ", "; ", ";", " / ", "/", "\n", "\r\n", " | ", " or ", " и ", " ", "  ", " - ", ",", ", раб. "]
        {
            let raw = format!("+7 (999) 123-45-67{separator}8 495 111 22 33");
            assert_eq!(stored(&raw, "RU"), ["+79991234567", "+74951112233"], "{separator:?}");
        }
        assert_eq!(stored("+79991234567+74951112233", "US"), ["+79991234567", "+74951112233"]);
        let mixed = "+493012345678 / 01511 2345678 / +14155550123";
        assert_eq!(stored(mixed, "DE"), ["+493012345678", "+4915112345678", "+14155550123"]);
        assert_eq!(stored("9991234567 4951112233 8121234567", "RU"), ["+79991234567", "+74951112233", "+78121234567"]);
    }

    #[test]
    fn extensions_stay_with_their_number() {
        for extension in
            [" x12", " ext. 12", ", 12", ",12", ",,12#", " доб. 12", ", доб. 12", ";ext=12", "; 12", " #12"]
        {
            let raw = format!("415-555-0123{extension}, 415-555-0199");
            assert_eq!(stored(&raw, "US"), ["+14155550123x12", "+14155550199"], "{extension}");
        }
    }

    #[test]
    fn one_number_is_not_cut_in_two() {
        assert_eq!(stored("030/12345678", "DE"), ["+493012345678"]);
        assert_eq!(stored("+49 (0) 30 / 1234 5678", "US"), ["+493012345678"]);
        assert_eq!(stored("1-800-FLOWERS", "US"), ["+18003569377"]);
    }

    #[test]
    fn digits_of_remarks_and_of_other_lines_are_not_glued_on() {
        assert_eq!(stored("030 12345678/79", "DE"), ["+493012345678"]);
        assert_eq!(stored("030 12345678 Anna", "DE"), ["+493012345678"]);
        assert_eq!(stored("030 12345678 room 12", "DE"), ["+493012345678"]);
    }

    #[test]
    fn a_number_written_twice_is_one() {
        assert_eq!(stored("+7 999 1234567, 8 999 1234567", "RU"), ["+79991234567"]);
    }

    #[test]
    fn nothing_readable_is_nothing() {
        for raw in ["", " ", "Anna", "12", "anna1234567@example.com", "n/a", ",;/|", "+", "++"] {
            assert_eq!(stored(raw, "US"), [""; 0], "{raw}");
        }
    }
}
