//! A place on a card for the form it was last shown in.
//!
//! A card never changes once it is made, so what a renderer makes of it stays right as long as the card is held, and goes with it: what is
//! forgotten leaves no text behind. The text is for one number of the card, the first that was asked about; the others are rendered each time.

use std::fmt;
use std::sync::OnceLock;

use crate::phone::E164;

/// Text made of a card for one of its numbers. Personal data: `Debug` shows none of it.
pub struct Ready {
    /// The number it is for.
    pub number: E164,
    /// The text.
    pub text: Box<str>,
    /// The validator of the text.
    pub tag: Box<str>,
}

/// Holds a [`Ready`] once there is one. Two cards are equal whatever their slots hold, and a clone starts empty.
#[derive(Default)]
pub struct Slot(OnceLock<Ready>);

impl Slot {
    /// What is ready for `number`; made now if nothing was ready for any number.
    pub fn get_or(&self, number: E164, make: impl FnOnce() -> Ready) -> Option<&Ready> {
        Some(self.0.get_or_init(make)).filter(|ready| ready.number == number)
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

    #[test]
    fn the_text_is_made_once_and_for_one_number() {
        let (first, second): (E164, E164) = ("+14155550123".parse().unwrap(), "+14155550124".parse().unwrap());
        let make = |number| move || Ready { number, text: "{}".into(), tag: "\"1\"".into() };
        let slot = Slot::default();

        assert_eq!(slot.get_or(first, make(first)).unwrap().number, first);
        assert!(slot.get_or(second, make(second)).is_none(), "the place is taken");
        assert!(slot.get_or(first, || unreachable!("made already")).is_some());
        assert!(slot.clone().get_or(second, make(second)).is_some(), "a clone starts empty");
    }
}
