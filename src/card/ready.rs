//! A place on a card for the form it was last shown in.
//!
//! A card never changes once it is made, so what a renderer makes of it stays right as long as the card is held, and goes with it: what is
//! forgotten leaves no text behind. Only a card that is kept as a whole has a place, for on one that is made anew for each question the text
//! would be written and thrown away. The text is for one number of the card, the first that was asked about; the others are rendered each
//! time.

use std::fmt;
use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_64;

use crate::phone::E164;

/// Text made of a card for one of its numbers. Personal data: `Debug` shows none of it.
pub struct Ready {
    /// The number it is for.
    pub number: E164,
    /// The text.
    pub text: Box<[u8]>,
    /// The validator of the text.
    pub tag: Tag,
}

/// The validator of a text: a weak one (RFC 9110 §8.8.1), made of 64 bits, which tell the versions of one card apart. The hash has no key,
/// so that all replicas agree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag([u8; Self::LEN]);

/// Holds a [`Ready`] once there is one, if it has room. Two cards are equal whatever their slots hold, and a clone has no room.
#[derive(Default)]
pub struct Slot(Option<OnceLock<Ready>>);

impl Slot {
    /// With room.
    #[must_use]
    pub const fn open() -> Self {
        Self(Some(OnceLock::new()))
    }

    /// What is ready for `number`.
    #[must_use]
    pub fn get(&self, number: E164) -> Option<&Ready> {
        self.0.as_ref()?.get().filter(|ready| ready.number == number)
    }

    /// Keeps what `make` makes, if there is room and nothing is kept yet.
    pub fn keep(&self, make: impl FnOnce() -> Ready) {
        if let Some(place) = &self.0 {
            place.get_or_init(make);
        }
    }
}

impl Tag {
    const LEN: usize = r#"W/"0123456789A""#.len();

    /// The validator of `text`.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let mut tag = *br#"W/"0123456789A""#;
        BASE64_URL_SAFE_NO_PAD
            .encode_slice(xxh3_64(text).to_be_bytes(), &mut tag[3..Self::LEN - 1])
            .expect("eight bytes are eleven characters");
        Self(tag)
    }

    /// The value of `ETag`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base64 is ASCII")
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Clone for Slot {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Slot {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(number: E164) -> Ready {
        Ready { number, text: (*b"{}").into(), tag: Tag::of(b"{}") }
    }

    #[test]
    fn a_text_is_kept_once_and_for_one_number() {
        let (first, second): (E164, E164) = ("+14155550123".parse().unwrap(), "+14155550124".parse().unwrap());
        let slot = Slot::open();

        slot.keep(|| make(first));
        slot.keep(|| unreachable!("the place is taken"));
        assert_eq!(slot.get(first).unwrap().number, first);
        assert!(slot.get(second).is_none() && slot.clone().get(first).is_none());
    }

    #[test]
    fn a_card_that_is_not_kept_has_no_room() {
        let (number, slot) = ("+14155550123".parse().unwrap(), Slot::default());
        slot.keep(|| unreachable!("there is no room"));
        assert!(slot.get(number).is_none());
    }

    #[test]
    fn a_validator_is_weak_quoted_and_follows_the_text() {
        assert_eq!(Tag::of(b"").as_str(), r#"W/"LQaABTjTlMI""#);
        assert_ne!(Tag::of(b"a"), Tag::of(b"b"));
    }
}
