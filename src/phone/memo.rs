//! What was read before: raw text and region → caller.
//!
//! The same few texts come again and again: a call rings at ten phones, each of which asks. Bounded in entries and in bytes an entry. It
//! remembers refusals too, since a misconfigured phone system repeats itself as much as any other. The raw texts stay in it and are shown to nobody.

use super::{Caller, InvalidPhone, Region};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

/// Longer texts are read anew each time: rare, and they would make the bound on entries say little about memory.
const MAX_TEXT: usize = 128;

/// Two letters of the region, then the text.
const MAX_KEY: usize = 2 + MAX_TEXT;

pub(super) type Outcome = Result<Caller, InvalidPhone>;

/// The last outcomes. Clones share them.
#[derive(Clone)]
pub(super) struct Memo(Cache<Box<[u8]>, Outcome>);

impl Memo {
    /// Remembers up to `capacity` outcomes, the least recently asked for going first.
    pub(super) fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build())
    }

    /// The outcome for `raw`, from `read` if it is not remembered.
    pub(super) fn get_or(&self, raw: &str, region: Region, read: impl FnOnce() -> Outcome) -> Outcome {
        let mut buffer = [0; MAX_KEY];
        let Some(key) = key(&mut buffer, raw, region) else { return read() };
        if let Some(outcome) = self.0.get(key) {
            return outcome;
        }
        let outcome = read();
        self.0.insert(key.into(), outcome.clone());
        outcome
    }
}

fn key<'b>(buffer: &'b mut [u8; MAX_KEY], raw: &str, region: Region) -> Option<&'b [u8]> {
    let key = buffer.get_mut(..2 + raw.len())?;
    let (front, text) = key.split_at_mut(2);
    front.copy_from_slice(region.as_str().as_bytes());
    text.copy_from_slice(raw.as_bytes());
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_second_time_nothing_is_read() {
        let (memo, reads) = (Memo::new(10), Cell::new(0));
        let read = || {
            reads.set(reads.get() + 1);
            Ok(Caller::Withheld)
        };
        let us = "US".parse().unwrap();
        for (text, expected) in [("a", 1), ("a", 1), ("b", 2)] {
            assert_eq!(memo.get_or(text, us, read), Ok(Caller::Withheld));
            assert_eq!(reads.get(), expected);
        }
    }

    #[test]
    fn regions_are_kept_apart() {
        let memo = Memo::new(10);
        let (us, gb) = ("US".parse().unwrap(), "GB".parse().unwrap());
        assert_eq!(memo.get_or("a", us, || Ok(Caller::Withheld)), Ok(Caller::Withheld));
        assert_eq!(memo.get_or("a", gb, || Err(InvalidPhone::TooLong)), Err(InvalidPhone::TooLong));
    }

    #[test]
    fn long_texts_are_not_kept() {
        let (memo, us) = (Memo::new(10), "US".parse().unwrap());
        let text = "1".repeat(MAX_TEXT + 1);
        assert_eq!(memo.get_or(&text, us, || Ok(Caller::Withheld)), Ok(Caller::Withheld));
        assert_eq!(memo.get_or(&text, us, || Err(InvalidPhone::TooLong)), Err(InvalidPhone::TooLong));
    }
}
