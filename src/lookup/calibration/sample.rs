//! Stored numbers that can prove something about a search.
//!
//! A number proves that formatting is ignored only if its digits stand nowhere in the contact's record as one run: neither in the value
//! itself nor in a name, a tag or another field, where a search for plain text would find them too. And it proves anything only if the
//! search's index has certainly caught up with the contact.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use crate::contact::{ContactId, UnixSeconds};
use crate::crm::Specimen;
use crate::phone::{self, Region};

/// A search index lags behind by seconds; who changed within this time is left out.
const SETTLED: i64 = 10 * 60;
/// Digits at the end that decide in a `last7` account.
const TAIL: usize = 7;

/// A stored number to ask for. Personal data: the `Debug` form shows the contact's id only.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Whose it is.
    pub(super) id: ContactId,
    /// Its national digits.
    pub(super) national: String,
    /// As stored, without a plus sign in front, which some accounts' search takes literally.
    pub(super) typed: String,
    /// A number that nobody here has, with the same last seven digits.
    pub(super) stranger: Option<String>,
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Up to `most` numbers of different contacts, in as many different shapes as there are.
pub(super) fn choose(specimens: &[Specimen], region: Region, most: usize) -> Vec<Sample> {
    let settled_before = Timestamp::now().as_second() - SETTLED;
    let settled = specimens.iter().filter(|specimen| is_settled(specimen, settled_before));
    let usable: Vec<(Shape, Sample)> = settled
        .filter_map(|specimen| specimen.phones.iter().find_map(|value| sample(specimen, value, region)))
        .collect();
    let mut shapes = BTreeSet::new();
    let (new, known): (Vec<_>, Vec<_>) = usable.into_iter().partition(|(shape, _)| shapes.insert(shape.clone()));
    let by_shape = new.into_iter().chain(known).map(|(_, sample)| sample);
    // A number that several contacts share may fill more pages than are looked at.
    by_shape.filter(|sample| is_only_ones(sample, specimens)).take(most).collect()
}

fn is_settled(specimen: &Specimen, before: i64) -> bool {
    specimen.updated_at.is_none_or(|UnixSeconds(at)| at < before)
}

/// The characters that stand between the digits.
type Shape = BTreeSet<char>;

fn sample(specimen: &Specimen, value: &str, region: Region) -> Option<(Shape, Sample)> {
    let value = value.trim();
    let is_plain = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-().".contains(c);
    let [number] = &phone::read_stored(value, region)[..] else { return None };
    let national = number.e164.national_number();
    let is_proof = value.chars().all(is_plain)
        && national.len() >= TAIL
        && digits(value).contains(&national)
        && !specimen.texts.iter().any(|text| text.contains(&national));
    is_proof.then(|| {
        let shape = value.chars().filter(|c| !c.is_ascii_digit() && *c != '+').collect();
        let typed = value.trim_start_matches('+').to_owned();
        (shape, Sample { id: specimen.id, stranger: stranger(specimen, &national), national, typed })
    })
}

/// The number with other digits before its last seven.
fn stranger(specimen: &Specimen, national: &str) -> Option<String> {
    let (head, tail) = national.split_at(national.len() - TAIL);
    let other = |digit: u8| char::from(b'0' + (digit - b'0' + 5) % 10);
    let stranger = format!("{}{tail}", head.bytes().map(other).collect::<String>());
    let is_strange = !head.is_empty() && !specimen.texts.iter().any(|text| digits(text).contains(&stranger));
    is_strange.then_some(stranger)
}

fn is_only_ones(sample: &Sample, specimens: &[Specimen]) -> bool {
    let has = |specimen: &Specimen| specimen.phones.iter().any(|value| digits(value).contains(&sample.national));
    specimens.iter().filter(|specimen| has(specimen)).take(2).count() == 1
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specimen(id: u64, phones: &[&str], others: &[&str]) -> Specimen {
        let phones: Vec<String> = phones.iter().map(|&phone| phone.to_owned()).collect();
        let texts = phones.iter().cloned().chain(others.iter().map(|&text| text.to_owned())).collect();
        Specimen { id: ContactId(id), updated_at: Some(UnixSeconds(1_700_000_000)), phones, texts }
    }

    fn chosen(specimens: &[Specimen]) -> Vec<(u64, String)> {
        let samples = choose(specimens, "US".parse().unwrap(), 3);
        samples.into_iter().map(|sample| (sample.id.0, sample.typed)).collect()
    }

    #[test]
    fn a_number_whose_digits_stand_in_one_run_proves_nothing() {
        for value in ["4155550123", "+14155550123", "+1 4155550123", "call after six", "", "1-800-FLOWERS"] {
            assert_eq!(chosen(&[specimen(7, &[value], &[])]), [], "{value}");
        }
        let elsewhere = specimen(7, &["(415) 555-0123"], &["Order 4155550123"]);
        assert_eq!(chosen(&[elsewhere]), [], "its digits are the name of an order");
        let twice = specimen(7, &["(415) 555-0123", "+14155550123"], &[]);
        assert_eq!(chosen(&[twice]), [], "stored as digits too");
    }

    #[test]
    fn different_shapes_come_first_and_each_contact_once() {
        let people = [
            specimen(1, &["(415) 555-0101", "(415) 555-0109"], &[]),
            specimen(2, &["(415) 555-0102"], &[]),
            specimen(3, &["+1 415 555 0103"], &[]),
            specimen(4, &["415.555.0104"], &[]),
        ];
        let expected = [(1, "(415) 555-0101"), (3, "1 415 555 0103"), (4, "415.555.0104")];
        assert_eq!(chosen(&people), expected.map(|(id, typed)| (id, typed.to_owned())));
        assert_eq!(chosen(&people[..2]).len(), 2, "the same shape is better than nothing");
    }

    #[test]
    fn a_shared_number_is_left_out() {
        let people = [specimen(1, &["(415) 555-0101"], &[]), specimen(2, &["+1 415 555 0101"], &[])];
        assert_eq!(chosen(&people), []);
    }

    #[test]
    fn somebody_who_changed_a_moment_ago_is_left_out() {
        let mut anna = specimen(7, &["(415) 555-0123"], &[]);
        anna.updated_at = Some(UnixSeconds(Timestamp::now().as_second() - 60));
        assert_eq!(chosen(&[anna]), []);
    }

    #[test]
    fn a_stranger_has_the_same_end_and_another_beginning() {
        let sample = choose(&[specimen(7, &["(415) 555-0123"], &[])], "US".parse().unwrap(), 1).remove(0);
        assert_eq!((sample.national.as_str(), sample.stranger.as_deref()), ("4155550123", Some("9605550123")));
    }
}
