//! A regular expression of a numbering plan, compiled when it is first needed.
//!
//! Most processes see the numbers of a few countries only, so nothing is compiled before it is asked for; [`warm`](super::warm) asks for
//! everything. Once compiled, matching takes no lock that threads share. Only ASCII digits reach a plan, hence byte patterns without Unicode
//! classes: they are a tenth of the size.

use regex::bytes::{Captures, Regex, RegexBuilder};
use std::sync::OnceLock;

/// An anchored pattern over ASCII digits.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    regex: OnceLock<Regex>,
}

impl Pattern {
    /// Matches at the start of a text.
    pub(super) fn at_start(source: &str) -> Self {
        Self { source: format!("^(?:{})", compact(source)), regex: OnceLock::new() }
    }

    /// Matches a text as a whole.
    pub(super) fn whole(source: &str) -> Self {
        Self { source: format!("^(?:{})$", compact(source)), regex: OnceLock::new() }
    }

    pub(super) fn is_match(&self, digits: &str) -> bool {
        self.regex().is_match(digits.as_bytes())
    }

    /// How many digits the match takes.
    pub(super) fn matched_length(&self, digits: &str) -> Option<usize> {
        self.regex().find(digits.as_bytes()).map(|found| found.len())
    }

    /// The whole match and the groups of the pattern, absent ones empty.
    pub(super) fn groups<'t>(&self, digits: &'t str) -> Option<Vec<&'t str>> {
        let captures = self.regex().captures(digits.as_bytes())?;
        Some((0..captures.len()).map(|index| group(digits, &captures, index)).collect())
    }

    fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| {
            let mut builder = RegexBuilder::new(&self.source);
            builder.unicode(false).build().expect("a test compiles every pattern of the numbering plans")
        })
    }
}

fn group<'t>(digits: &'t str, captures: &Captures<'_>, index: usize) -> &'t str {
    captures.get(index).map_or("", |found| &digits[found.range()])
}

/// The plans' source breaks long patterns over several lines.
fn compact(source: &str) -> String {
    source.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_tried_until_the_whole_text_fits() {
        assert!(Pattern::whole("1|12").is_match("12"));
        assert!(!Pattern::whole("1|12").is_match("123"));
    }

    #[test]
    fn a_start_may_leave_digits_and_names_its_groups() {
        let prefix = Pattern::at_start("0 (1)?\n (2)?");
        assert_eq!(prefix.matched_length("0234"), Some(2));
        assert_eq!(prefix.groups("0234"), Some(vec!["02", "", "2"]));
        assert_eq!(prefix.groups("1"), None);
    }
}
