//! The reading of phone numbers against libphonenumber's Python port, on numbers of every region.
//!
//! `scripts/phone-corpus` writes the corpus and describes its lines. No valid number may become another one. Where the two differ otherwise, it is
//! on purpose, and the count of each kind of difference is pinned below with its reason.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, helpers included; its table is for reading")]

use callcard::phone::{Caller, CallerReader, E164, InvalidPhone, Number, Region};
use std::collections::{BTreeMap, HashSet};
use std::io::Read;

const CORPUS: &[u8] = include_bytes!("corpus/phones.tsv.gz");

/// A plus and six digits.
const SHORT_CODE: usize = 7;

/// What libphonenumber says about a text.
#[derive(Clone, Copy, Debug)]
enum Oracle<'c> {
    Number { is_valid: bool, e164: &'c str, extension: &'c str },
    Malformed(&'c str),
}

/// How our answer compares with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// The same number, or the same reason.
    None,
    /// A valid number became another one. Never.
    WrongNumber,
    /// A valid number was refused. Never.
    Refused,
    /// The same number with another extension. Never.
    Extension,
    /// Another reason for refusing. Never.
    Reason,
    /// Up to six digits are an internal extension to us, and a number or a reason to libphonenumber: contract.md.
    ShortIsInternal,
    /// A word or a number that stands for a withheld one.
    Withheld,
    /// No valid number to libphonenumber, one to us: a plus was lost, or another region's prefix was dialled.
    Repaired,
    /// No valid number, and one whose E.164 form means another number to libphonenumber itself: that one to us.
    Settled,
    /// Fewer than seven digits with the calling code: possible by length in a few countries, a short code in fact.
    ShortCode,
}

fn compare(text: &str, region: &str, oracle: &Oracle<'_>, reader: &CallerReader) -> Difference {
    let region = region.parse::<Region>().unwrap();
    match (oracle, reader.read(text, region)) {
        (_, Ok(Caller::Extension(_))) => Difference::ShortIsInternal,
        (_, Ok(Caller::Withheld)) => Difference::Withheld,
        (Oracle::Number { e164, extension, .. }, Ok(Caller::Number(ours))) if ours.e164.to_string() == *e164 => {
            let same = ours.extension.as_ref().map_or("", |own| own.as_str()) == *extension;
            if same { Difference::None } else { Difference::Extension }
        }
        (Oracle::Number { is_valid: true, .. }, Ok(Caller::Number(_))) => Difference::WrongNumber,
        (Oracle::Number { e164, .. }, Ok(Caller::Number(ours))) if reader.read(e164, region) == bare(&ours) => {
            Difference::Settled
        }
        (_, Ok(Caller::Number(Number { e164, .. }))) if e164.region().is_some() => Difference::Repaired,
        (_, Ok(Caller::Number(_))) => Difference::WrongNumber,
        (Oracle::Number { e164, .. }, Err(InvalidPhone::TooShort)) if e164.len() <= SHORT_CODE => Difference::ShortCode,
        (Oracle::Number { .. }, Err(_)) => Difference::Refused,
        (Oracle::Malformed(reason), Err(ours)) if ours.as_str() == *reason => Difference::None,
        (Oracle::Malformed(_), Err(_)) => Difference::Reason,
    }
}

/// The line alone.
fn bare(number: &Number) -> Result<Caller, InvalidPhone> {
    Ok(Caller::Number(number.e164.into()))
}

/// Counts of differences by kind of text.
#[derive(Default)]
struct Table {
    rows: BTreeMap<&'static str, BTreeMap<Difference, usize>>,
    examples: BTreeMap<Difference, Vec<String>>,
}

impl Table {
    fn count(&mut self, kind: &'static str, difference: Difference, example: impl FnOnce() -> String) {
        *self.rows.entry(kind).or_default().entry(difference).or_default() += 1;
        let examples = self.examples.entry(difference).or_default();
        if difference != Difference::None && examples.len() < 8 {
            examples.push(example());
        }
    }

    fn total(&self, difference: Difference) -> usize {
        self.rows.values().filter_map(|row| row.get(&difference)).sum()
    }

    fn print(&self) {
        for (kind, row) in &self.rows {
            println!("{kind:<16} {:>7} cases  {row:?}", row.values().sum::<usize>());
        }
        for (difference, examples) in &self.examples {
            println!("{difference:?}:\n    {}", examples.join("\n    "));
        }
    }
}

fn corpus() -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(CORPUS).read_to_string(&mut text).unwrap();
    text
}

fn fields(line: &str) -> Vec<&str> {
    line.split('\t').collect()
}

/// The forms of a number that each mean it by themselves, unless a line of their own says otherwise.
fn forms<'c>(e164: &'c str, written: &[&'c str], is_of_region: bool) -> Vec<(&'static str, String)> {
    let national = e164.parse().map_or_else(|_| String::new(), |number: E164| number.national_number());
    let mut forms =
        vec![("e164", e164.to_owned()), ("international", written[1].to_owned()), ("rfc3966", written[2].to_owned())];
    if is_of_region {
        forms.push(("national", written[0].to_owned()));
        forms.extend((!national.is_empty()).then_some(("national digits", national)));
        forms.push(("without plus", e164[1..].to_owned()));
    }
    forms
}

/// Texts with a line of their own: what they mean is not what the number's line would make one think.
fn told<'c>(corpus: &'c str) -> HashSet<(&'c str, &'c str)> {
    let of_line = |line: Vec<&'c str>| match line[..] {
        ["text", _, region, text, ..] | ["malformed", region, text, _] => Some((region, text)),
        _ => None,
    };
    corpus.lines().map(fields).filter_map(of_line).collect()
}

/// What a line says about texts: kind, region, text, and libphonenumber's word on it.
fn claims<'c>(line: &'c str, told: &HashSet<(&str, &str)>) -> Vec<(&'static str, &'c str, String, Oracle<'c>)> {
    match fields(line)[..] {
        ["number", region, e164, national, international, rfc3966, _] => {
            let home = if region.is_empty() { "US" } else { region };
            let oracle = Oracle::Number { is_valid: true, e164, extension: "" };
            forms(e164, &[national, international, rfc3966], !region.is_empty())
                .into_iter()
                .filter(|(_, text)| !told.contains(&(home, text.as_str())))
                .map(|(kind, text)| (kind, home, text, oracle))
                .collect()
        }
        ["text", "valid", region, text, e164, extension] => {
            vec![("typed, valid", region, text.to_owned(), Oracle::Number { is_valid: true, e164, extension })]
        }
        ["text", "possible", region, text, e164, extension] => {
            vec![("typed, possible", region, text.to_owned(), Oracle::Number { is_valid: false, e164, extension })]
        }
        ["malformed", region, text, reason] => {
            vec![("malformed", region, text.to_owned(), Oracle::Malformed(reason))]
        }
        ["equal", ..] => Vec::new(),
        ref other => panic!("a line of no known kind: {other:?}"),
    }
}

#[test]
fn reading_agrees_with_libphonenumber() {
    let (corpus, reader) = (corpus(), CallerReader::new(1));
    let told = told(&corpus);
    let mut table = Table::default();
    for (kind, region, text, oracle) in corpus.lines().flat_map(|line| claims(line, &told)) {
        let difference = compare(&text, region, &oracle, &reader);
        table.count(kind, difference, || format!("{region} {text}: {oracle:?}"));
    }
    table.print();
    let pinned = [
        (Difference::WrongNumber, 0),
        (Difference::Refused, 0),
        (Difference::Extension, 0),
        (Difference::Reason, 0),
        (Difference::ShortIsInternal, 4190),
        (Difference::Withheld, 3),
        (Difference::Repaired, 651),
        (Difference::Settled, 5),
        (Difference::ShortCode, 4),
    ];
    for (difference, count) in pinned {
        assert_eq!(table.total(difference), count, "{difference:?}");
    }
}

#[test]
fn numbers_are_written_as_libphonenumber_writes_them() {
    for line in corpus().lines() {
        if let ["number", _, e164, national, international, _, region] = fields(line)[..] {
            let Ok(number) = e164.parse::<E164>() else {
                assert!(e164.len() <= SHORT_CODE, "{e164}");
                continue;
            };
            assert_eq!(number.to_string(), e164);
            assert_eq!(number.national(), national, "{e164}");
            assert_eq!(number.international(), international, "{e164}");
            assert_eq!(number.region().map_or("", Region::as_str), region, "{e164}");
        }
    }
}

#[test]
fn one_phone_under_two_numberings_is_one_phone() {
    let reader = CallerReader::new(1);
    let read = |text: &str| match reader.read(text, "US".parse().unwrap()) {
        Ok(Caller::Number(number)) => number.e164,
        other => panic!("{text}: {other:?}"),
    };
    let mut pairs = 0;
    for line in corpus().lines() {
        if let ["equal", one, other] = fields(line)[..] {
            let (one, other) = (read(one), read(other));
            assert_ne!(one, other);
            assert!(one.equivalents().into_iter().eq([other]), "{one}");
            assert!(other.equivalents().into_iter().eq([one]), "{other}");
            pairs += 1;
        }
    }
    assert!(pairs > 100, "{pairs}");
}
