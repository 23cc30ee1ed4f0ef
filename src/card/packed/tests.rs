use proptest::prelude::*;

use super::*;
use crate::card::samples::full;

fn card(id: PartyId, name: &str, first: Option<&str>, last: Option<&str>) -> Card {
    Card { first_name: first.map(str::to_owned), last_name: last.map(str::to_owned), ..full(id, name) }
}

fn there_and_back(card: &Card, words: &Words) -> Card {
    Card::unpack(&card.pack(words), words).unwrap()
}

#[test]
fn a_card_comes_back_as_it_was() {
    let words = Words::default();
    for id in [ContactId(7).into(), CompanyId(7).into(), ContactId(u64::MAX).into()] {
        let card = card(id, "Anna Ivanova", Some("Anna"), Some("Ivanova"));
        assert!(there_and_back(&card, &words) == card);
    }
}

#[test]
fn what_could_not_be_had_stays_missing() {
    for bits in 0..16 {
        assert_eq!(super::bits(partial(bits)), bits);
    }
}

#[test]
fn what_cards_share_and_what_repeats_is_not_written_out() {
    let words = Words::default();
    let bytes = card(ContactId(7).into(), "Anna Ivanova", Some("Anna"), Some("Ivanova")).pack(&words);
    for (text, times) in [("Anna", 1), ("Ivanova", 1), ("Sales", 0), ("https", 0), ("4155550123", 0)] {
        let found = bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
        assert_eq!(found, times, "{text}");
    }
}

proptest! {
    #[test]
    fn names_of_any_kind_come_back(name in ".{0,9}", first in prop::option::of(".{0,3}"), last in prop::option::of(".{0,3}")) {
        let card = card(ContactId(7).into(), &name, first.as_deref(), last.as_deref());
        prop_assert!(there_and_back(&card, &Words::default()) == card);
    }

    #[test]
    fn parts_of_a_name_come_back(name in ".{1,9}", at in any::<prop::sample::Index>()) {
        let at = at.index(name.chars().count());
        let at = name.char_indices().nth(at).map_or(0, |(at, _)| at);
        let card = card(ContactId(7).into(), &name, Some(&name[..at]), Some(&name[at..]));
        prop_assert!(there_and_back(&card, &Words::default()) == card);
    }
}

#[test]
fn without_words_the_bytes_are_whole_in_themselves() {
    let card = card(ContactId(7).into(), "Anna Ivanova", Some("Anna"), Some("Ivanova"));
    assert!(Card::unpack(&card.pack(&Words::none()), &Words::none()).unwrap() == card);
    assert!(Card::unpack(&card.pack(&Words::none()), &Words::default()).unwrap() == card);
}

#[test]
fn places_among_words_that_are_not_there_are_nothing() {
    let bytes = card(ContactId(7).into(), "Anna Ivanova", Some("Anna"), Some("Ivanova")).pack(&Words::default());
    assert!(Card::unpack(&bytes, &Words::none()).is_none());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let words = Words::default();
        let _ = Card::unpack(&bytes, &words);
        let mut bytes = card(ContactId(7).into(), "Anna Ivanova", Some("Anna"), Some("Ivanova")).pack(&words);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Card::unpack(&bytes, &words);
    }
}
