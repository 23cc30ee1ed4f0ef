//! Words that many cards share: the names of stages, pipelines, users and groups, and what the addresses of the CRM's pages begin with.
//!
//! Each is kept once and called by its place. There is room for a bounded number of them, far more than an account has; a text that finds
//! none is written out on its card.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// Words at most.
const MOST: usize = 16_384;
/// A longer text is hardly shared.
const LONGEST: usize = 256;

/// The words. Never taken back: a place, once given, stays.
#[derive(Debug)]
pub struct Words {
    book: RwLock<Book>,
    most: usize,
}

impl Default for Words {
    fn default() -> Self {
        Self { book: RwLock::default(), most: MOST }
    }
}

/// The words by place, and the places by word.
#[derive(Default)]
pub(super) struct Book {
    words: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book").field("words", &self.words.len()).finish_non_exhaustive()
    }
}

impl Words {
    /// No words at all, and no room for any: every text is written out.
    #[must_use]
    pub fn none() -> Self {
        Self { book: RwLock::default(), most: 0 }
    }

    /// The place of a word, which is given one now if it has none; nothing if there is no room.
    pub(super) fn place(&self, word: &str) -> Option<u32> {
        if word.len() > LONGEST {
            return None;
        }
        if let Some(place) = self.book().places.get(word) {
            return Some(*place);
        }
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = book.places.get(word) {
            return Some(*place); // Another card brought it meanwhile.
        }
        let place = u32::try_from(book.words.len()).ok().filter(|_| book.words.len() < self.most)?;
        let word: Arc<str> = word.into();
        book.words.push(Arc::clone(&word));
        book.places.insert(word, place);
        Some(place)
    }

    /// The words, to be looked up by their places.
    pub(super) fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The word at a place that was given by these same words.
    pub(super) fn at(&self, place: u32) -> Option<&Arc<str>> {
        self.words.get(place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once() {
        let words = Words::default();
        let place = words.place("Sales").unwrap();
        assert_eq!((words.place("Won"), words.place("Sales")), (Some(place + 1), Some(place)));
        assert_eq!(words.book().at(place).map(|word| &**word), Some("Sales"));
        assert_eq!(words.book().at(place + 2), None);
    }

    #[test]
    fn room_for_words_is_bounded() {
        let words = Words::default();
        let places = (0..MOST + 10).filter_map(|n| words.place(&n.to_string())).count();
        assert_eq!((places, words.place("7")), (MOST, Some(7)));
        assert_eq!(Words::default().place(&"x".repeat(LONGEST + 1)), None);
        assert_eq!(Words::none().place("Sales"), None);
    }
}
