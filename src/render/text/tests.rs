//! What no line holds, claimed for every code point alone, for every text, and for every `default=`.
//!
//! [`dangers`] says it in words of its own, not in those of the code that it judges.

use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;

use super::*;

fn shown(text: &str) -> String {
    clean(text, 60, false).unwrap_or_default()
}

// === What is wrong with a line ===

/// What a line may not hold: ends of lines and control characters, what reorders or hides, what is no character, what quotes, ends or
/// expands and the twins of these, spaces but the plain one.
static NOWHERE: LazyLock<Regex> = LazyLock::new(|| {
    let hiding = r"\p{Cf}--[\x{200c}\x{200d}\x{600}-\x{605}\x{6dd}\x{70f}\x{890}\x{891}\x{8e2}\x{110bd}\x{110cd}]";
    let no_character = r"\x{fdd0}-\x{fdef}\x{fffe}\x{ffff}\x{1fffe}\x{1ffff}\x{10fffe}\x{10ffff}";
    let acting = "\"\\\\<>;$%`\\x{37e}\\x{1fef}\\x{226e}\\x{226f}";
    Regex::new(&format!(r"[\p{{Cc}}[{hiding}]{no_character}{acting}[\s--\x20]]")).unwrap()
});

/// How a line may not begin: as an address, an error, an option or a pipe, or with an accent for whatever stands in front.
static FIRST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:(?i:sips?:|tel:|-err)|[[:punct:]--']|[\p{Mn}\p{Me}\x{200c}\x{200d}])").unwrap());

/// Everything that is wrong with a line, by name; nothing for a safe one.
fn dangers(line: &str, max: usize, ascii: bool) -> Vec<&'static str> {
    let checks = [
        ("a character that may stand nowhere", NOWHERE.is_match(line)),
        ("a beginning that a reader acts on", FIRST.is_match(line)),
        ("a space at an end, or two together", line.trim() != line || line.contains("  ")),
        ("nothing but a number", !line.is_empty() && line.bytes().all(|b| b"+-(). 0123456789".contains(&b))),
        ("more characters than asked for", line.chars().count() > max),
        ("letters beyond ASCII", ascii && !line.is_ascii()),
    ];
    checks.into_iter().filter(|(_, is_wrong)| *is_wrong).map(|(name, _)| name).collect()
}

// === Names ===

#[test]
fn names_people_really_have_stay_as_they_are() {
    for name in [
        "Anna Ivanova",
        "Иван Петров",
        "Miles O'Neil",
        "'t Hooft",
        "Müller & Söhne (Bonn)",
        "ООО «Ромашка», отдел продаж",
        "7-Eleven",
        "李雷",
        "می\u{200c}خواهم",
        "👩\u{200d}👩\u{200d}👧 Smith",
        "Nguye\u{302}\u{303}n Thi\u{323}",
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
    assert_eq!(shown("@eve"), "eve");
    assert_eq!(shown("a\u{202e}b\u{2028}c\u{37e}d\u{0}e\u{ffff}"), "ab cde");
    assert_eq!(shown("\u{301}\u{200d}sip:eve"), "eve", "accents without a letter hide nothing");
    assert_eq!(shown("a<\u{338}b"), "ab", "the accent of what was removed sits on nobody else");
}

#[test]
fn numbers_errors_and_blanks_are_no_names() {
    for text in ["+1 (415) 555-0123", "٠١٢٣", "-ERR", "", " \t ", "\u{200d}", "\u{3164}", "\"\"", "\u{301}"] {
        assert_eq!(clean(text, 60, false), None, "{text:?}");
    }
}

#[test]
fn transliteration_comes_before_the_removal() {
    assert_eq!(clean("Иван «Ваня»", 60, true).as_deref(), Some("Ivan Vania"));
    assert_eq!(clean("Schäfer", 3, true).as_deref(), Some("Sch"));
    assert_eq!(clean("\u{ff1c}ｓｉｐ：eve\u{ff1e}", 60, true).as_deref(), Some("eve"));
}

#[test]
fn the_cut_leaves_no_space_behind_and_no_letter_without_its_accent() {
    assert_eq!(clean("Жанна Ы", 6, false).as_deref(), Some("Жанна"));
    assert_eq!(clean("Жанна", 0, false), None);
    assert_eq!(clean("Nguye\u{302}\u{303}n", 6, false).as_deref(), Some("Nguy"));
    assert_eq!(clean("An 👩\u{200d}👩\u{200d}👧 Smith", 6, false).as_deref(), Some("An"));
}

// === Every code point ===

/// Fillers that Unicode counts as marks, letters, symbols or unassigned, and every plane's last two code points.
fn shows_nothing(character: char) -> bool {
    let fillers = "\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{2065}\u{2800}\u{3164}\u{ffa0}";
    fillers.contains(character)
        || ('\u{e0000}'..='\u{e007f}').contains(&character)
        || u32::from(character) & 0xfffe == 0xfffe
}

#[test]
fn no_code_point_is_dangerous_alone_or_inside_a_name_and_every_harmless_one_stays() {
    every_code_point(|character| {
        let inside = format!("Anna{character}Bell");
        without_danger(&character.to_string(), false);
        if deunicode::deunicode_char(character).is_some() {
            without_danger(&inside, true);
        }
        let line = without_danger(&inside, false);
        let may_go = NOWHERE.is_match(&inside) || shows_nothing(character);
        assert!(may_go || line == inside, "U+{:04X} is lost", u32::from(character));
    });
}

/// The line of a text, found to be safe.
fn without_danger(text: &str, ascii: bool) -> String {
    let line = clean(text, 60, ascii).unwrap_or_default();
    let found = dangers(&line, 60, ascii);
    assert!(found.is_empty(), "{text:?} leaves {line:?}: {found:?}");
    line
}

fn every_code_point(check: impl Fn(char) + Sync) {
    const THREADS: u32 = 4;
    std::thread::scope(|scope| {
        for first in 0..THREADS {
            let codes = (first..=char::MAX.into()).step_by(THREADS as usize);
            let check = &check;
            scope.spawn(move || codes.filter_map(char::from_u32).for_each(check));
        }
    });
}

// === Every text ===

/// What makes trouble, and so comes far more often than chance would have it.
#[rustfmt::skip]
const TROUBLE: &[&str] = &[
    "sip:", "SIPS:", "tel:", "-ERR ", "${", "$(", "`", "\"", "'", "\\", "<", ">", ";", "%n", "@", "-", "--", "|", "&", "#", "!", "\r\n", "\n", "\0",
    "\u{7f}", "\u{85}", "\u{2028}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{200d}", "\u{200c}", "\u{fe0f}", "\u{301}", "\u{338}", "\u{600}",
    "\u{a0}", "\u{3000}", " ", "  ", "\u{feff}", "\u{e0041}", "\u{ffff}", "\u{37e}", "\u{ff1c}", "\u{ff04}", "🇺", "👩", "\u{1100}", "\u{1161}",
    "٣", "7", "+", "Ж", "Anna", "ａ",
];

/// Any code points, with trouble among them.
fn texts() -> impl Strategy<Value = String> {
    let trouble = select(TROUBLE).prop_map(str::to_owned);
    let piece = prop_oneof![any::<char>().prop_map(String::from), trouble, "[ -~]{1,3}"];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Names as people write them: words of one script with its accents, and the punctuation that belongs to names.
fn harmless_names() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]{0,8}",
        "[А-ЯЁ][а-яё]{1,8}",
        "[Α-Ω][α-ω]{1,8}",
        "[א-ת]{2,8}",
        "[ا-غ]{2,8}",
        "[一-龥]{1,4}",
        "[가-힣]{2,4}",
        "[ぁ-ん]{2,5}",
        "[क-ह][क-ह]{1,5}",
        "(Mc|O'|D')[A-Z][a-z]{1,6}",
        "[A-Z][a-z]{1,5}-[A-Z][a-z]{1,5}",
        "[A-Z]\\.",
        "[A-Z][a-z]{1,5} (&|und|\\+) [A-Z][a-z]{1,5}",
        "[A-Z][a-z]{1,5} \\([A-Z][a-z]{1,5}\\)",
        "[A-Z][a-z]{1,5}, (Jr|MD|2nd)",
    ];
    vec(word, 1..4).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_name_leaves_a_dangerous_line(text in texts(), max in 0_usize..80, ascii: bool) {
        if let Some(line) = clean(&text, max, ascii) {
            prop_assert_eq!(dangers(&line, max, ascii), Vec::<&str>::new(), "{:?} became {:?}", text, line);
            prop_assert_eq!(clean(&line, max, ascii), Some(line), "what is clean stays");
        }
    }

    #[test]
    fn no_default_leaves_a_dangerous_line(text in texts(), max in 1_usize..80, ascii: bool) {
        let options = Options { max, ascii, default: Some(text), ..Options::new(Timestamp::UNIX_EPOCH) };
        prop_assert_eq!(dangers(&fallback(&options), max, ascii), Vec::<&str>::new());
    }

    #[test]
    fn a_cut_line_ends_between_two_characters(text in texts(), max in 0_usize..20, ascii: bool) {
        let whole = clean(&text, usize::MAX, ascii).unwrap_or_default();
        let line = clean(&text, max, ascii).unwrap_or_default();
        let Some(rest) = whole.strip_prefix(&line) else {
            return Err(TestCaseError::fail(format!("{line:?} does not begin {whole:?}")));
        };
        let mut ends = whole.grapheme_indices(true).map(|(at, _)| at);
        let is_whole = rest.is_empty() || rest.starts_with(' ') || ends.any(|at| at == line.len());
        prop_assert!(is_whole, "{line:?} ends inside of a character of {whole:?}");
    }

    #[test]
    fn a_harmless_name_stays_as_it_was_written(name in harmless_names()) {
        prop_assert_eq!(clean(&name, 255, false), Some(name.clone()));
        let latin = clean(&name, 255, true).unwrap_or_default();
        prop_assert!(!name.is_ascii() || latin == name, "ASCII needs no transliteration");
        prop_assert!(latin.is_ascii());
    }

    #[test]
    fn words_that_readers_act_on_never_come_first(prefix in "(-ERR|sips?:|TEL:|[-|&!#~@\u{301} ]){1,6}", rest in "[a-z]{1,9}") {
        let line = shown(&format!("{prefix}{rest}"));
        prop_assert!(line.is_empty() || line == rest || rest.ends_with(&line), "{line:?}");
    }
}
