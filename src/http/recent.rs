//! Questions that were read a moment ago: query string → what it asks for.
//!
//! One call rings at ten phones, and each of them asks in the same words. Reading them again (decoding, parameters, the number) costs
//! more than the answer. A table like a processor's cache is enough: the place of a text is its hash, and a newer one takes the place
//! over. Each thread has its own, so that nothing is locked and no thread writes where another reads.
//!
//! A text is remembered when it comes again before another one for the same place: what is asked once is read once, and pushes nothing out.
//! Only what every reader of the same text must come to is kept: no faults, no keys, nothing that headers have a say in. The texts hold
//! phone numbers; they stay in memory, in at most [`PLACES`] places a thread, and are shown to nobody.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHasher;

use super::lookup::Question;

/// How many questions a thread remembers; a power of two.
const PLACES: usize = 2048;
/// A longer text is read anew each time.
const MAX_BYTES: usize = 256;

thread_local! {
    static PLACES_HERE: RefCell<Box<[Place]>> = RefCell::new((0..PLACES).map(|_| Place::default()).collect());
}

#[derive(Default)]
struct Place {
    kept: Option<Kept>,
    /// The hash of the text that came last and was not here.
    missed: u64,
}

struct Kept {
    reader: u64,
    text: Box<str>,
    question: Box<Question>,
}

/// The questions that one service has read. Another one in the same process may read the same text otherwise.
#[derive(Debug)]
pub(super) struct Recent {
    reader: u64,
}

impl Recent {
    pub(super) fn new() -> Self {
        static READERS: AtomicU64 = AtomicU64::new(0);
        Self { reader: READERS.fetch_add(1, Ordering::Relaxed) }
    }

    /// Does something with the question that this text is, if it is remembered.
    pub(super) fn with<T>(&self, text: &str, act: impl FnOnce(&Question) -> T) -> Option<T> {
        PLACES_HERE.with_borrow(|places| {
            let kept = places[place(hash(text))].kept.as_ref()?;
            (kept.reader == self.reader && *kept.text == *text).then(|| act(&kept.question))
        })
    }

    /// Remembers what this text asks for, if it has been asked a moment ago.
    pub(super) fn keep(&self, text: &str, question: &Question) {
        if text.len() > MAX_BYTES {
            return;
        }
        let hash = hash(text);
        PLACES_HERE.with_borrow_mut(|places| {
            let place = &mut places[place(hash)];
            if place.missed == hash {
                let question = Box::new(question.clone());
                place.kept = Some(Kept { reader: self.reader, text: text.into(), question });
            }
            place.missed = hash;
        });
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

fn place(hash: u64) -> usize {
    usize::try_from(hash % PLACES as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::params::Params;
    use crate::http::query::LookupQuery;
    use crate::phone::Caller;
    use crate::render::Format;

    fn question(phone: &str) -> Question {
        let (query, _) = LookupQuery::read(Params::decode(phone));
        Question { query, format: Format::Json, caller: Caller::Withheld }
    }

    fn phone_of(recent: &Recent, text: &str) -> Option<String> {
        recent.with(text, |question| question.query.phone.clone())
    }

    #[test]
    fn a_text_means_what_it_meant_to_the_same_reader_only() {
        let (one, other) = (Recent::new(), Recent::new());
        one.keep("phone=1", &question("phone=1"));
        assert_eq!(phone_of(&one, "phone=1"), None, "it may not come again");
        one.keep("phone=1", &question("phone=1"));

        assert_eq!(phone_of(&one, "phone=1").as_deref(), Some("1"));
        assert_eq!(phone_of(&one, "phone=2"), None);
        assert_eq!(phone_of(&other, "phone=1"), None);
    }

    #[test]
    fn a_place_is_taken_over_and_never_answers_for_another_text() {
        let recent = Recent::new();
        let texts: Vec<String> = (0..3 * PLACES).map(|n| format!("phone={n}")).collect();
        for text in texts.iter().flat_map(|text| [text; 2]) {
            recent.keep(text, &question(text));
        }

        let kept = texts.iter().filter(|text| recent.with(text, |_| ()).is_some()).count();
        assert!((1..=PLACES).contains(&kept), "{kept}");
        for text in &texts {
            if let Some(phone) = phone_of(&recent, text) {
                assert_eq!(format!("phone={phone}"), *text);
            }
        }
    }

    #[test]
    fn a_text_without_end_is_not_kept() {
        let (recent, text) = (Recent::new(), format!("phone={}", "1".repeat(MAX_BYTES)));
        for _ in 0..2 {
            recent.keep(&text, &question("phone=1"));
        }
        assert_eq!(phone_of(&recent, &text), None);
    }
}
