//! Which texts to search the CRM for, and in which order.
//!
//! The CRM does not document how `query=` treats phone numbers, so what is worth a call depends on what is known of the account's search
//! ([`SearchVerdict`]):
//!
//! | verdict | searched for | finds |
//! |---|---|---|
//! | `digits` | the national digits, and those of the same phone's other numbering | every stored form |
//! | `last7` | one text for each different tail of seven digits | every stored form |
//! | `raw` | the shortest tail with seven digits in each grouping | what is stored as digits, or in the country's groups with dashes, spaces or dots |
//! | `unproven` | every form, what has found somebody before first, six at most | as in `raw`, but for numbers typed with a prefix of their own; in `digits` and `last7` accounts everything |
//!
//! A text that can find only what another one finds too is never sent.

use std::sync::atomic::{AtomicU32, Ordering};

use super::calibration::Calibration;
use crate::outcome::SearchVerdict;
use crate::phone::{E164, SearchForm, SearchText};

/// Searches for one number at most: each costs a slot of the quota and of the caller's time.
const MOST: usize = 6;
/// Scores are halved here, so that a change of the account's habits shows.
const HALVE_AT: u32 = 1_000;
/// Digits that decide in a `last7` account.
const TAIL: usize = 7;

/// Orders the forms by what has found somebody so far.
#[derive(Debug)]
pub(super) struct Plan {
    calibration: Calibration,
    scores: Box<[AtomicU32]>,
}

impl Plan {
    pub(super) fn new(calibration: Calibration) -> Self {
        Self { calibration, scores: SearchForm::ALL.iter().map(|_| AtomicU32::new(0)).collect() }
    }

    /// The texts to search for, in order.
    pub(super) fn texts(&self, number: E164) -> Vec<SearchText> {
        let mut texts = match self.calibration.verdict() {
            SearchVerdict::Digits => {
                without_more_of(&number.search_texts(), |text, other| digits(text).contains(&digits(other)))
            }
            SearchVerdict::Last7 => without_more_of(&number.search_texts(), |text, other| tail(text) == tail(other)),
            SearchVerdict::Raw => without_more_of(&number.tail_texts(), |text, other| text.contains(other)),
            SearchVerdict::Unproven => number.search_texts(),
        };
        texts.sort_by_key(|text| std::cmp::Reverse(self.score(text.form)));
        texts.truncate(MOST);
        texts
    }

    /// A text of this form has found somebody.
    pub(super) fn found(&self, form: SearchForm) {
        if self.cell(form).fetch_add(1, Ordering::Relaxed) >= HALVE_AT {
            for score in &self.scores {
                score.store(score.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
            }
        }
    }

    fn score(&self, form: SearchForm) -> u32 {
        self.cell(form).load(Ordering::Relaxed)
    }

    fn cell(&self, form: SearchForm) -> &AtomicU32 {
        let at = SearchForm::ALL.iter().position(|other| *other == form);
        &self.scores[at.expect("ALL holds every form")]
    }
}

/// Leaves out each text that finds nothing beyond what another one finds: `finds_less(text, other)`. Of two that find the same, the
/// earlier stays.
fn without_more_of(texts: &[SearchText], finds_less: impl Fn(&str, &str) -> bool) -> Vec<SearchText> {
    let is_spared = |(at, text): &(usize, &SearchText)| {
        texts.iter().enumerate().any(|(other_at, other)| {
            let same = finds_less(&other.text, &text.text);
            other_at != *at && finds_less(&text.text, &other.text) && (!same || other_at < *at)
        })
    };
    texts.iter().enumerate().filter(|entry| !is_spared(entry)).map(|(_, text)| text.clone()).collect()
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn tail(text: &str) -> String {
    let digits = digits(text);
    digits[digits.len().saturating_sub(TAIL)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(verdict: SearchVerdict, number: &str) -> Vec<String> {
        let plan = Plan::new(Calibration::fixed(verdict));
        plan.texts(number.parse().unwrap()).into_iter().map(|text| text.text).collect()
    }

    #[test]
    fn where_formatting_is_ignored_one_search_is_enough() {
        assert_eq!(texts(SearchVerdict::Digits, "+14155550123"), ["4155550123"]);
        assert_eq!(texts(SearchVerdict::Last7, "+14155550123"), ["4155550123"]);
    }

    #[test]
    fn another_numbering_is_another_search_unless_its_tail_is_the_same() {
        assert_eq!(texts(SearchVerdict::Digits, "+5511987654321"), ["11987654321", "1187654321"]);
        assert_eq!(texts(SearchVerdict::Last7, "+5511987654321"), ["11987654321"]);
    }

    #[test]
    fn a_short_national_number_is_searched_with_its_code_in_every_account() {
        for verdict in SearchVerdict::ALL {
            assert!(!texts(*verdict, "+376712345").is_empty(), "{verdict}");
        }
        assert_eq!(texts(SearchVerdict::Digits, "+376712345"), ["376712345"]);
    }

    #[test]
    fn where_text_is_found_as_typed_tails_find_what_whole_numbers_do_and_more() {
        assert_eq!(texts(SearchVerdict::Raw, "+14155550123"), ["555-0123", "5550123", "555 0123", "555.0123"]);
        assert_eq!(texts(SearchVerdict::Raw, "+79991234567"), ["123-45-67", "1234567", "123 45 67", "123.45.67"]);
    }

    #[test]
    fn what_has_found_somebody_is_tried_first() {
        let plan = Plan::new(Calibration::fixed(SearchVerdict::Unproven));
        plan.found(SearchForm::Dots);
        assert_eq!(plan.texts("+14155550123".parse().unwrap())[0].text, "415.555.0123");
    }
}
