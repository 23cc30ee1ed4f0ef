//! A regular expression of a numbering plan, compiled when it is first needed.
//!
//! Only ASCII digits reach a plan, so the compiled form is a table with ten columns and as many rows as the expression has states, 260 bytes
//! on average, and a match is one look-up a digit. Beside the table stands what finds the groups, for those expressions that have any. Both are
//! made by `regex-automata`, the crate under `regex`, and a test in `plan` holds them against `regex` itself.
//!
//! [`warm`](super::warm) asks for everything, so that no caller waits for a compilation. Once compiled, matching takes no lock and keeps nothing.

use regex_automata::dfa::dense::DFA;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::NFA;
use regex_automata::nfa::thompson::backtrack::BoundedBacktracker;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, Input};
use rustc_hash::FxHashMap;
use std::array;
use std::sync::OnceLock;

/// An anchored pattern over ASCII digits.
#[derive(Debug)]
pub(super) struct Pattern {
    source: Box<str>,
    compiled: OnceLock<Box<Compiled>>,
}

#[derive(Debug)]
struct Compiled {
    table: Table,
    /// `None` if the pattern has no groups.
    groups: Option<BoundedBacktracker>,
}

impl Pattern {
    /// Matches at the start of a text.
    pub(super) fn at_start(source: &str) -> Self {
        Self { source: compact(source).into(), compiled: OnceLock::new() }
    }

    /// Matches a text as a whole.
    pub(super) fn whole(source: &str) -> Self {
        Self { source: format!("(?:{})$", compact(source)).into(), compiled: OnceLock::new() }
    }

    pub(super) fn is_match(&self, digits: &str) -> bool {
        self.matched_length(digits).is_some()
    }

    /// How many digits the match takes.
    pub(super) fn matched_length(&self, digits: &str) -> Option<usize> {
        self.compiled().table.matched_length(digits)
    }

    /// The whole match and the groups of the pattern, absent ones empty.
    pub(super) fn groups<'t>(&self, digits: &'t str) -> Option<Vec<&'t str>> {
        let length = self.matched_length(digits)?;
        let Some(groups) = &self.compiled().groups else { return Some(vec![&digits[..length]]) };
        let mut found = groups.create_captures();
        let matched = Input::new(digits).range(..length).anchored(Anchored::Yes);
        groups.try_search(&mut groups.create_cache(), &matched, &mut found).expect("no match is longer than a number");
        Some(found.iter().map(|group| group.map_or("", |span| &digits[span])).collect())
    }

    /// Compiles the pattern, unless that is done.
    pub(super) fn warm(&self) {
        self.compiled();
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| {
            Box::new(Compiled::new(&self.source).expect("a test compiles every pattern of the numbering plans"))
        })
    }
}

/// The plans' source breaks long patterns over several lines.
fn compact(source: &str) -> String {
    source.split_whitespace().collect()
}

impl Compiled {
    fn new(source: &str) -> Option<Self> {
        let bytes = syntax::Config::new().unicode(false).utf8(false);
        let nfa = NFA::compiler().syntax(bytes).configure(NFA::config().utf8(false)).build(source).ok()?;
        let anchored = DFA::config().start_kind(StartKind::Anchored).accelerate(false);
        let dfa = dense::Builder::new().configure(anchored).build_from_nfa(&nfa).ok()?;
        let has_groups = nfa.group_info().explicit_slot_len() > 0;
        let groups = if has_groups { Some(BoundedBacktracker::new_from_nfa(nfa).ok()?) } else { None };
        Some(Self { table: Table::new(&dfa)?, groups })
    }
}

/// What to do at each digit. The first row is that of texts that match nothing any more, the second that of the empty text.
#[derive(Debug)]
struct Table(Box<[Row]>);

#[derive(Debug)]
struct Row {
    /// The row after each digit.
    next: [u16; 10],
    /// There is a match so far, whatever follows.
    matches: bool,
    /// There is a match if nothing follows.
    matches_at_end: bool,
}

const NOWHERE: u16 = 0;
const START: u16 = 1;

impl Table {
    fn new(dfa: &impl Automaton) -> Option<Self> {
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        let mut states = vec![start];
        let mut rows = vec![Row { next: [NOWHERE; 10], matches: false, matches_at_end: false }];
        let mut row_of = FxHashMap::from_iter([(start, START)]);
        while let Some(&state) = states.get(rows.len() - 1) {
            let after = |digit: usize| dfa.next_state(state, b"0123456789"[digit]);
            let mut row = |state: StateID| {
                *row_of.entry(state).or_insert_with(|| {
                    states.push(state);
                    states.len() as u16
                })
            };
            let next = array::from_fn(|digit| {
                Some(after(digit)).filter(|&state| !dfa.is_dead_state(state)).map_or(NOWHERE, &mut row)
            });
            // The automaton tells of a match one step late.
            let matches = dfa.is_match_state(after(0));
            rows.push(Row { next, matches, matches_at_end: dfa.is_match_state(dfa.next_eoi_state(state)) });
        }
        u16::try_from(rows.len()).is_ok().then(|| Self(rows.into()))
    }

    fn row(&self, index: u16) -> &Row {
        &self.0[usize::from(index)]
    }

    /// Of the match at the start of `digits`.
    fn matched_length(&self, digits: &str) -> Option<usize> {
        let mut row = self.row(START);
        let mut found = None;
        for (length, digit) in digits.bytes().enumerate() {
            if row.matches {
                found = Some(length);
            }
            match row.next.get(usize::from(digit.wrapping_sub(b'0'))) {
                None | Some(&NOWHERE) => return found,
                Some(&next) => row = self.row(next),
            }
        }
        if row.matches_at_end { Some(digits.len()) } else { found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    impl Pattern {
        pub(in crate::phone) fn source(&self) -> &str {
            &self.source
        }

        /// Digits that no row of the table refuses.
        pub(in crate::phone) fn any_start(&self, rng: &mut Rng) -> String {
            let (table, mut row, mut text) = (&self.compiled().table, START, String::new());
            while text.len() < 20 {
                let next = table.row(row).next;
                let open: Vec<_> = (0..10).filter(|&digit| next[digit] != NOWHERE).collect();
                let Some(digit) = rng.choice(open) else { break };
                text.push(char::from(b"0123456789"[digit]));
                row = next[digit];
            }
            text
        }
    }

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

    #[test]
    fn the_first_alternative_that_matches_decides() {
        assert_eq!(Pattern::at_start("1|12").matched_length("123"), Some(1));
        assert_eq!(Pattern::at_start("12$|1").matched_length("123"), Some(1));
        assert_eq!(Pattern::at_start("12$|1").matched_length("12"), Some(2));
        assert_eq!(Pattern::at_start("(?:)").matched_length("x"), Some(0));
    }
}
