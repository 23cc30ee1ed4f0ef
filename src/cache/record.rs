//! A stored card: its bytes, and what else the store has to know of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::epoch::Epoch;
use super::invalidate::with_equivalents;
use super::links::PAIR_BYTES;
use super::numbers::{Clock, NUMBER_BYTES};
use crate::card::{Card, Words};
use crate::phone::E164;

/// What the allocator adds to one record: its counters, and the rounding up of its size.
const ROUNDING: usize = 32;

/// A card and the fill it came from.
#[derive(Debug)]
pub(super) struct Stored<C = Card> {
    pub(super) card: C,
    pub(super) started: Epoch,
    pub(super) fetched_at: Instant,
    /// Numbers that are not the card's any more, and whose entries still name its party.
    pub(super) former: Vec<E164>,
}

/// The same as bytes. Personal data: `Debug` shows none of it.
#[derive(Clone)]
pub(super) struct Record(Arc<[u8]>);

/// In front of the card's bytes.
#[derive(Serialize, Deserialize)]
struct Head {
    /// Bytes that lie elsewhere and leave with the card.
    beside: usize,
    started: u64,
    fetched_at: i64,
    former: Vec<u64>,
}

impl Record {
    pub(super) fn of(stored: &Stored<&Card>, words: &Words, clock: Clock) -> Self {
        let Stored { card, started, fetched_at, former } = stored;
        let pairs = card.leads.len() + usize::from(card.company.is_some());
        let head = Head {
            beside: (card.numbers.len() + former.len()) * NUMBER_BYTES + pairs * PAIR_BYTES,
            started: started.0,
            fetched_at: clock.nanos(*fetched_at),
            former: former.iter().map(|number| number.get()).collect(),
        };
        let head = postcard::to_stdvec(&head).expect("a vector takes everything");
        Self([head, card.pack(words)].concat().into())
    }

    pub(super) fn read(&self, words: &Words, clock: Clock) -> Stored {
        let (head, card) = postcard::take_from_bytes::<Head>(&self.0).expect("the bytes were written by this process");
        let former = head.former.into_iter().map(|number| E164::try_from(number).expect("it was written as one"));
        Stored {
            card: Card::unpack(card, words).expect("the bytes were packed by this process"),
            started: Epoch(head.started),
            fetched_at: clock.at(head.fetched_at),
            former: former.collect(),
        }
    }

    /// Bytes that it takes, with those that leave with it.
    pub(super) fn weight(&self) -> usize {
        let (beside, _) = postcard::take_from_bytes::<usize>(&self.0).expect("the bytes were written by this process");
        beside + self.0.len() + ROUNDING
    }

    /// Whether both are the same record, not only equal ones.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Stored {
    /// The numbers whose entries can name the card's party.
    pub(super) fn reach(&self) -> impl Iterator<Item = E164> + '_ {
        with_equivalents(self.card.numbers.iter().map(|number| number.e164))
            .into_iter()
            .chain(self.former.iter().copied())
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("bytes", &self.0.len()).finish_non_exhaustive()
    }
}
