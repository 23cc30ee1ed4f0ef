//! Which texts to search the CRM for, and in which order.
//!
//! The CRM does not document how `query=` treats phone numbers. Searching for the national number's digits finds every spelling where
//! stored formatting is ignored; where it is not, the same number has to be asked for in the forms people type. What has found somebody
//! before is tried earlier next time.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::phone::{E164, SearchForm, SearchText};

/// Searches for one number at most: each costs a slot of the quota and of the caller's time.
const MOST: usize = 6;
/// Scores are halved here, so that a change of the account's habits shows.
const HALVE_AT: u32 = 1_000;

/// How the account's search finds phone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchMode {
    /// A run of digits is found wherever it stands in a number, stored formatting ignored.
    Digits,
    /// The text is found as it was typed.
    Raw,
    /// The last seven digits decide.
    Last7,
    /// Not known: every form is tried.
    Auto,
}

/// Orders the forms by what has found somebody so far.
#[derive(Debug)]
pub(super) struct Plan {
    mode: SearchMode,
    scores: Vec<AtomicU32>,
}

impl Plan {
    pub(super) fn new(mode: SearchMode) -> Self {
        Self { mode, scores: SearchForm::ALL.iter().map(|_| AtomicU32::new(0)).collect() }
    }

    /// The texts to search for, in order.
    pub(super) fn texts(&self, number: E164) -> Vec<SearchText> {
        let mut texts = number.search_texts();
        match self.mode {
            SearchMode::Digits | SearchMode::Last7 => texts.retain(|text| is_enough(text.form)),
            SearchMode::Raw | SearchMode::Auto => texts.sort_by_key(|text| std::cmp::Reverse(self.score(text.form))),
        }
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

/// Whether a form can find what others cannot when the search ignores formatting: only other digits can.
const fn is_enough(form: SearchForm) -> bool {
    matches!(form, SearchForm::NationalDigits | SearchForm::Equivalent)
}
