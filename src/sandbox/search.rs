//! What `query=` finds.
//!
//! The real search is undocumented and reports of it disagree, hence [`SearchMode`]. Whatever the mode, it looks at *everything*: names,
//! tags, order numbers and e-mail addresses, not only phones. That is why a hit proves nothing.

use std::collections::HashMap;

use tokio::time::Instant;

use super::base::Base;
use super::record::Contact;
use super::settings::SearchMode;

/// Digits in a gram of the index: the shortest tail that any mode compares.
const GRAM: usize = 7;

/// One `query=`, ready to be compared.
#[derive(Debug)]
pub(super) struct Query {
    mode: SearchMode,
    /// Lower case; without its `+` unless that is literal.
    text: String,
    digits: String,
    /// A query with letters is a text in every mode.
    is_number: bool,
    /// `+` and digits, when the plus is literal and there is one.
    with_plus: Option<String>,
}

impl Query {
    /// Reads a query; `None` if it is blank, which the API takes for no query at all.
    pub(super) fn parse(raw: &str, mode: SearchMode, plus_literal: bool) -> Option<Self> {
        let kept = if plus_literal { raw.to_owned() } else { raw.replace('+', "") };
        let text = kept.trim().to_lowercase();
        let digits = digits_of(&text);
        let is_number = !digits.is_empty() && !text.chars().any(char::is_alphabetic);
        let with_plus = (plus_literal && text.starts_with('+')).then(|| format!("+{digits}"));
        (!text.is_empty()).then_some(Self { mode, text, digits, is_number, with_plus })
    }

    /// Whether any of `values` is a hit.
    pub(super) fn finds(&self, values: &[String]) -> bool {
        values.iter().any(|value| self.hits(value))
    }

    fn hits(&self, value: &str) -> bool {
        match self.mode {
            _ if !self.is_number => value.to_lowercase().contains(&self.text),
            SearchMode::Raw => value.to_lowercase().contains(&self.text),
            SearchMode::Digits => match &self.with_plus {
                Some(number) => squeezed(value).contains(number.as_str()),
                None => digits_of(value).contains(&self.digits),
            },
            SearchMode::Last7 => {
                let tail = &self.digits[self.digits.len().saturating_sub(GRAM)..];
                numbers_in(value).any(|number| number.ends_with(tail))
            }
        }
    }

    /// Digit runs of which every hit has at least one whole, if there are any to look up.
    fn grams(&self) -> Option<impl Iterator<Item = u32>> {
        let tail = if self.mode == SearchMode::Last7 { self.digits.len().saturating_sub(GRAM) } else { 0 };
        (self.is_number && self.digits.len() >= GRAM).then(|| grams_of(&self.digits[tail..]))
    }
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|mark| mark.is_ascii_digit() || *mark == '+').collect()
}

/// The numbers in a text: digits apart from each other only by what people write inside a number.
fn numbers_in(text: &str) -> impl Iterator<Item = String> {
    let inside = |mark: char| mark.is_ascii_digit() || matches!(mark, '+' | ' ' | '-' | '.' | '(' | ')' | '\u{a0}');
    text.split(move |mark| !inside(mark)).map(digits_of).filter(|digits| !digits.is_empty())
}

fn grams_of(digits: &str) -> impl Iterator<Item = u32> {
    let value = |gram: &[u8]| gram.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    digits.as_bytes().windows(GRAM).map(value)
}

/// The search index: what `query=` believes the contacts are, which after a change is the past for a while.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Sorted (gram, id) pairs of the contacts as they were at first; made at the first search.
    grams: Option<Vec<(u32, u32)>>,
    /// What the index shows of contacts that have changed since; `None` shows nothing.
    changed: HashMap<u64, Option<Vec<String>>>,
    /// Changes it does not show yet, in the order they were made.
    pending: Vec<(Instant, u64, Option<Vec<String>>)>,
}

impl Index {
    /// Notes that a contact turned from `old` to `new`, to be shown from `visible_at`.
    pub(super) fn change(&mut self, id: u64, old: Option<&Contact>, new: Option<&Contact>, visible_at: Instant) {
        self.changed.entry(id).or_insert_with(|| old.map(Contact::searchable));
        self.pending.push((visible_at, id, new.map(Contact::searchable)));
    }

    /// Shows every change that is due.
    fn catch_up(&mut self, now: Instant) {
        let due = self.pending.extract_if(.., |(visible_at, ..)| *visible_at <= now);
        self.changed.extend(due.map(|(_, id, values)| (id, values)));
    }

    /// The ids that `query` finds now, ascending. `first` has the contacts as they were when the index was empty.
    pub(super) fn search(&mut self, query: &Query, now: Instant, first: &Base) -> Vec<u64> {
        self.catch_up(now);
        let candidates = self.candidates(query, first);
        let unchanged = candidates.into_iter().filter(|id| !self.changed.contains_key(id));
        let hits = unchanged.filter(|&id| query.finds(&first.searchable(id))).collect();
        self.with_changed(query, hits)
    }

    /// Contacts that may be hits: those that share the query's rarest gram, or simply all.
    fn candidates(&mut self, query: &Query, first: &Base) -> Vec<u64> {
        let Some(grams) = query.grams() else { return first.contact_ids().collect() };
        let index = self.grams.get_or_insert_with(|| build(first));
        let rarest = grams.map(|gram| bucket(index, gram)).min_by_key(|bucket| bucket.len()).unwrap_or_default();
        rarest.iter().map(|&(_, id)| u64::from(id)).collect()
    }

    fn with_changed(&self, query: &Query, mut ids: Vec<u64>) -> Vec<u64> {
        let shown = self.changed.iter().filter_map(|(id, values)| values.as_ref().map(|values| (*id, values)));
        ids.extend(shown.filter(|(_, values)| query.finds(values)).map(|(id, _)| id));
        ids.sort_unstable();
        ids
    }
}

fn build(first: &Base) -> Vec<(u32, u32)> {
    let mut grams = Vec::new();
    for id in first.contact_ids() {
        let short = u32::try_from(id).expect("the first contacts have small ids");
        for value in first.searchable(id) {
            grams.extend(grams_of(&digits_of(&value)).map(|gram| (gram, short)));
        }
    }
    grams.sort_unstable();
    grams.dedup();
    grams
}

fn bucket(index: &[(u32, u32)], gram: u32) -> &[(u32, u32)] {
    let start = index.partition_point(|entry| entry.0 < gram);
    let end = index.partition_point(|entry| entry.0 <= gram);
    &index[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(mode: SearchMode, query: &str, value: &str) -> bool {
        Query::parse(query, mode, false).unwrap().finds(&[value.to_owned()])
    }

    #[test]
    fn digits_ignore_stored_formatting_but_want_the_prefix() {
        for stored in ["+7 (999) 123-45-67", "89991234567", "79991234567", "9991234567"] {
            assert!(finds(SearchMode::Digits, "9991234567", stored), "{stored}");
        }
        assert!(finds(SearchMode::Digits, "79991234567", "+7 (999) 123-45-67"));
        assert!(!finds(SearchMode::Digits, "79991234567", "8 999 123-45-67"));
    }

    #[test]
    fn raw_finds_only_what_is_written_the_same_way() {
        assert!(finds(SearchMode::Raw, "4155550123", "+14155550123"));
        assert!(!finds(SearchMode::Raw, "4155550123", "(415) 555-0123"));
        assert!(finds(SearchMode::Raw, "(415) 555-0123", "(415) 555-0123"));
    }

    #[test]
    fn last7_ignores_everything_before_the_tail() {
        assert!(finds(SearchMode::Last7, "2125550140", "+1 415 555 0140"));
        assert!(finds(SearchMode::Last7, "5550124", "+1 415-555-0124 ext. 12"));
        assert!(finds(SearchMode::Last7, "4155550121", "(415) 555-0121 / (415) 555-0122"));
        assert!(!finds(SearchMode::Last7, "4155550123", "+1 415 555 0124"));
    }

    #[test]
    fn a_plus_is_dropped_unless_it_is_literal() {
        let query = |plus_literal| Query::parse("+14155550123", SearchMode::Digits, plus_literal).unwrap();
        assert!(query(false).finds(&["14155550123".to_owned()]));
        assert!(!query(true).finds(&["14155550123".to_owned()]));
        assert!(query(true).finds(&["+1 (415) 555-0123".to_owned()]));
    }

    #[test]
    fn letters_make_a_query_a_text_in_every_mode() {
        for mode in SearchMode::ALL {
            assert!(finds(mode, "IVANOVA", "Anna Ivanova"));
            assert!(!finds(mode, "x4155550123", "+14155550123"));
        }
    }

    #[test]
    fn a_blank_query_is_no_query() {
        assert!(Query::parse(" + ", SearchMode::Digits, false).is_none());
    }
}
