//! How an answer is written down: thirteen readable digits that the server compares, and sealed behind them the rest in a compact binary form.
//!
//! ```text
//! "2" · time of the fetch, thirteen digits of milliseconds · nonce · sealed(epoch, times, cards)
//! ```
//!
//! The first byte is the version. What another version wrote, and what does not open, is nothing that can be used.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Micros;
use super::keys::Keys;
use crate::cache::Remembered;
use crate::card::{Card, Words};

const VERSION: &[u8] = b"2";
/// Version and time.
const HEAD: usize = 14;

/// An entry as it lies on the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    /// Every change up to this one was known when its fill began.
    pub(super) epoch: u64,
    pub(super) remembered: Remembered,
}

/// Times in milliseconds, counted from the fetch.
#[derive(Serialize, Deserialize)]
struct WireEntry {
    epoch: u64,
    searched_before: u64,
    fresh: u64,
    renew: u64,
    usable: u64,
    /// Each packed, with nothing left to words that only one process knows.
    cards: Vec<Vec<u8>>,
}

/// The bytes of an entry that will lie at `place`.
pub(super) fn write(keys: &Keys, place: &str, written: &Written, now: Micros) -> Option<Vec<u8>> {
    let Remembered { cards, age, searched, fresh, renew, usable } = &written.remembered;
    let entry = WireEntry {
        epoch: written.epoch,
        searched_before: millis(searched.saturating_sub(*age)),
        fresh: millis(*fresh),
        renew: millis(*renew),
        usable: millis(*usable),
        cards: cards.iter().map(|card| card.pack(&Words::none())).collect(),
    };
    let fetched = Micros(now.0.saturating_sub(super::clock::micros(*age))).0 / 1_000;
    let head = [VERSION, format!("{fetched:013}").as_bytes()].concat();
    let secret = postcard::to_stdvec(&entry).ok().filter(|_| head.len() == HEAD)?;
    Some(keys.seal(place, &head, secret))
}

/// What the bytes at `place` say; nothing if they say nothing that we understand.
pub(super) fn read(keys: &Keys, place: &str, value: &[u8], now: Micros) -> Option<Written> {
    let head = value.get(..HEAD).filter(|head| head.starts_with(VERSION))?;
    let fetched: u64 = std::str::from_utf8(&head[VERSION.len()..]).ok()?.parse().ok()?;
    let opened = keys.open(place, HEAD, value).ok()?;
    let entry: WireEntry = postcard::from_bytes(&opened).ok()?;
    let age = now.since(Micros(fetched.checked_mul(1_000)?));
    let words = Words::none();
    let cards: Option<Vec<_>> = entry.cards.iter().map(|card| Card::unpack(card, &words).map(Arc::new)).collect();
    Some(Written {
        epoch: entry.epoch,
        remembered: Remembered {
            cards: cards?,
            age,
            searched: age + Duration::from_millis(entry.searched_before),
            fresh: Duration::from_millis(entry.fresh),
            renew: Duration::from_millis(entry.renew),
            usable: Duration::from_millis(entry.usable),
        },
    })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;
    use crate::card::samples::full;
    use crate::contact::{CompanyId, ContactId};

    const NOW: Micros = Micros(1_760_000_000_000_000);
    const PLACE: &str = "callcard:a:{b}:entry";

    fn keys() -> Keys {
        Keys::new("acme.kommo.com", &SecretString::from("a secret".to_owned()))
    }

    fn written(cards: Vec<Card>) -> Written {
        let seconds = Duration::from_secs;
        let remembered = Remembered {
            cards: cards.into_iter().map(Arc::new).collect(),
            age: seconds(30),
            searched: seconds(90),
            fresh: seconds(600),
            renew: seconds(480),
            usable: seconds(86_400),
        };
        Written { epoch: 1_760_000_000_000_007, remembered }
    }

    #[test]
    fn what_was_written_is_read_and_has_aged() {
        for cards in
            [vec![], vec![full(ContactId(7).into(), "Anna Ivanova"), full(CompanyId(8).into(), "Ἄννα \u{1f600} \"x\"")]]
        {
            let written = written(cards);
            let value = write(&keys(), PLACE, &written, NOW).unwrap();
            assert_eq!(read(&keys(), PLACE, &value, NOW).as_ref(), Some(&written));
            let later = read(&keys(), PLACE, &value, NOW.after(Duration::from_secs(60))).unwrap().remembered;
            assert_eq!((later.age, later.searched), (Duration::from_secs(90), Duration::from_secs(150)));
            assert_eq!(later.fresh, written.remembered.fresh);
        }
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_younger_than_now() {
        let value = write(&keys(), PLACE, &written(vec![]), NOW).unwrap();
        assert_eq!(read(&keys(), PLACE, &value, Micros(5)).unwrap().remembered.age, Duration::ZERO);
    }

    #[test]
    fn nothing_personal_is_readable_and_the_time_is() {
        let value = write(&keys(), PLACE, &written(vec![full(ContactId(7).into(), "Anna Ivanova")]), NOW).unwrap();
        assert!(value.starts_with(b"21759999970000"), "{:?}", &value[..14]);
        for text in ["Anna", "4155550123", "example.com", "VIP"] {
            assert!(!value.windows(text.len()).any(|bytes| bytes == text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn another_version_is_nothing() {
        let mut value = write(&keys(), PLACE, &written(vec![]), NOW).unwrap();
        value[0] = b'1';
        assert_eq!(read(&keys(), PLACE, &value, NOW), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            assert_eq!(read(&keys(), PLACE, &bytes, NOW), None);
            assert_eq!(read(&keys(), PLACE, &[b"21759999970000".as_slice(), &bytes].concat(), NOW), None);
        }
    }
}
