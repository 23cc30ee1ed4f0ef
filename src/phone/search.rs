//! What to type into the search of a CRM whose contacts have this number in some form.
//!
//! Nobody knows how a given account's search treats formatting, so the forms come in the order in which they are worth a call. Each is one
//! that people store numbers in, or a part of several such forms, since a search finds parts. None is under seven digits: those find strangers.

use super::{E164, digits, plan};

/// The form of a search text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SearchForm {
    /// The national number's digits: `4155550123`.
    NationalDigits,
    /// The national number in the country's groups, without national prefix: `(415) 555-0123`.
    Grouped,
    /// The groups joined by spaces: `415 555 0123`.
    Spaces,
    /// The groups joined by dashes: `415-555-0123`.
    Dashes,
    /// The groups joined by dots: `415.555.0123`.
    Dots,
    /// All digits, calling code included: `14155550123`.
    E164Digits,
    /// The digits with the national prefix: `88121234567`.
    Trunk,
    /// The digits of the number that the same phone has by another numbering.
    Equivalent,
    /// The last groups as the country writes them: `555-0123`.
    Tail,
    /// The last groups' digits: `5550123`.
    TailDigits,
    /// The last groups joined by dashes.
    TailDashes,
    /// The last groups joined by spaces: `555 0123`.
    TailSpaces,
    /// The last groups joined by dots: `555.0123`.
    TailDots,
}

impl SearchForm {
    /// Every form, in the order in which they are tried.
    pub const ALL: &'static [Self] = &[
        Self::NationalDigits,
        Self::Equivalent,
        Self::Grouped,
        Self::Spaces,
        Self::Dashes,
        Self::Dots,
        Self::E164Digits,
        Self::Trunk,
        Self::Tail,
        Self::TailDigits,
        Self::TailDashes,
        Self::TailSpaces,
        Self::TailDots,
    ];

    /// The form as a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NationalDigits => "national_digits",
            Self::Grouped => "grouped",
            Self::Spaces => "spaces",
            Self::Dashes => "dashes",
            Self::Dots => "dots",
            Self::E164Digits => "e164_digits",
            Self::Trunk => "trunk",
            Self::Equivalent => "equivalent",
            Self::Tail => "tail",
            Self::TailDigits => "tail_digits",
            Self::TailDashes => "tail_dashes",
            Self::TailSpaces => "tail_spaces",
            Self::TailDots => "tail_dots",
        }
    }
}

/// One text to search for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SearchText {
    /// Its form.
    pub form: SearchForm,
    /// The text: a phone number, so not for logs.
    pub text: String,
}

impl std::fmt::Debug for SearchText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchText").field("form", &self.form).finish_non_exhaustive()
    }
}

/// Shorter texts find too many strangers.
const MIN_DIGITS: usize = 7;

impl E164 {
    /// The texts under which a CRM may find the number, best first, each once; never empty, never under seven digits.
    #[must_use]
    pub fn search_texts(self) -> Vec<SearchText> {
        let mut texts: Vec<SearchText> = Vec::new();
        for &form in SearchForm::ALL {
            if form < SearchForm::Tail
                && let Some(text) = self.search_text(form)
                && digits::count(&text) >= MIN_DIGITS
                && texts.iter().all(|known| known.text != text)
            {
                texts.push(SearchText { form, text });
            }
        }
        texts
    }

    /// The end of the number in every grouping, as far as it is the same in all numbers that the phone has; never under seven digits.
    /// Where a search finds text as it was typed, they find the number behind whatever prefix or bracket it was stored.
    #[must_use]
    pub fn tail_texts(self) -> Vec<SearchText> {
        const FORMS: [SearchForm; 5] = [
            SearchForm::Tail,
            SearchForm::TailDigits,
            SearchForm::TailDashes,
            SearchForm::TailSpaces,
            SearchForm::TailDots,
        ];
        let common = self.common_tail();
        let mut texts: Vec<SearchText> = Vec::new();
        // Of two numbers of one phone, the one that is no longer handed out has no groups.
        for number in std::iter::once(self).chain(self.equivalents()) {
            for form in FORMS {
                if let Some(text) = number.search_text(form).map(|text| last_digits(&text, common).to_owned())
                    && texts.iter().all(|known| known.text != text)
                {
                    texts.push(SearchText { form, text });
                }
            }
        }
        // A number too short for a tail has its whole digits, code included.
        if texts.is_empty() { self.search_texts() } else { texts }
    }

    fn search_text(self, form: SearchForm) -> Option<String> {
        Some(match form {
            SearchForm::NationalDigits => self.national_number(),
            SearchForm::Grouped => self.national_groups(),
            SearchForm::Spaces => self.groups_joined_by(" "),
            SearchForm::Dashes => self.groups_joined_by("-"),
            SearchForm::Dots => self.groups_joined_by("."),
            SearchForm::E164Digits => self.digits(),
            SearchForm::Trunk => {
                format!("{}{}", plan::main_of_code(self.calling_code())?.trunk.as_ref()?, self.national_number())
            }
            SearchForm::Equivalent => self.equivalents().into_iter().next()?.national_number(),
            SearchForm::Tail => tail(&self.national_groups())?.to_owned(),
            SearchForm::TailDigits => digits::only(&self.tail_joined_by("")?),
            SearchForm::TailDashes => self.tail_joined_by("-")?,
            SearchForm::TailSpaces => self.tail_joined_by(" ")?,
            SearchForm::TailDots => self.tail_joined_by(".")?,
        })
    }

    /// How many digits at its end all numbers of the phone have in common.
    fn common_tail(self) -> usize {
        let own = self.national_number();
        let common = |other: Self| {
            let other = other.national_number();
            own.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count()
        };
        self.equivalents().into_iter().map(common).min().unwrap_or(usize::MAX)
    }

    fn tail_joined_by(self, separator: &str) -> Option<String> {
        let groups = self.groups_joined_by(" ");
        tail(&groups).map(|tail| tail.replace(' ', separator))
    }

    fn groups_joined_by(self, separator: &str) -> String {
        let groups = self.international_groups();
        let groups: Vec<_> = groups.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
        groups.join(separator)
    }
}

/// The shortest end of `groups` that begins with a group and has enough digits.
fn tail(groups: &str) -> Option<&str> {
    let bytes = groups.as_bytes();
    let begins = |at: &usize| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[*at - 1].is_ascii_digit());
    let starts = (0..bytes.len()).rev().filter(begins);
    starts.map(|at| &groups[at..]).find(|tail| digits::count(tail) >= MIN_DIGITS)
}

/// The end of `text` with so many digits, though never fewer than a search needs.
fn last_digits(text: &str, count: usize) -> &str {
    let spare = digits::count(text).saturating_sub(count.max(MIN_DIGITS));
    let mut digit_starts = text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at);
    digit_starts.nth(spare).map_or(text, |at| if spare == 0 { text } else { &text[at..] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use SearchForm::{Dashes, Dots, E164Digits, Equivalent, Grouped, NationalDigits, Spaces, Trunk};

    fn texts(number: &str) -> Vec<(SearchForm, String)> {
        number.parse::<E164>().unwrap().search_texts().into_iter().map(|text| (text.form, text.text)).collect()
    }

    fn listed(texts: &[(SearchForm, &str)]) -> Vec<(SearchForm, String)> {
        texts.iter().map(|&(form, text)| (form, text.to_owned())).collect()
    }

    #[test]
    fn digits_come_first_and_no_text_twice() {
        let expected = [
            (NationalDigits, "4155550123"),
            (Grouped, "(415) 555-0123"),
            (Spaces, "415 555 0123"),
            (Dashes, "415-555-0123"),
            (Dots, "415.555.0123"),
            (E164Digits, "14155550123"),
        ];
        assert_eq!(texts("+14155550123"), listed(&expected));
    }

    #[test]
    fn the_national_prefix_is_a_form_of_its_own() {
        let expected = [
            (NationalDigits, "8121234567"),
            (Grouped, "(812) 123-45-67"),
            (Spaces, "812 123 45 67"),
            (Dashes, "812-123-45-67"),
            (Dots, "812.123.45.67"),
            (E164Digits, "78121234567"),
            (Trunk, "88121234567"),
        ];
        assert_eq!(texts("+78121234567"), listed(&expected));
    }

    #[test]
    fn the_other_number_of_the_same_phone_comes_second() {
        assert_eq!(texts("+5511987654321").get(1), Some(&(Equivalent, "1187654321".to_owned())));
    }

    #[test]
    fn short_national_numbers_are_searched_with_their_code() {
        assert_eq!(texts("+376712345"), listed(&[(E164Digits, "376712345")]));
    }

    #[test]
    fn a_tail_begins_with_a_group_and_has_seven_digits() {
        let tails = |number: &str| {
            number.parse::<E164>().unwrap().tail_texts().into_iter().map(|text| text.text).collect::<Vec<_>>()
        };
        assert_eq!(tails("+14155550123"), ["555-0123", "5550123", "555 0123", "555.0123"]);
        assert_eq!(tails("+33199001234"), ["99 00 12 34", "99001234", "99-00-12-34", "99.00.12.34"]);
        assert_eq!(tails("+376712345"), ["376712345"], "too short without its code");
        assert_eq!(tails("+5511987654321")[0], "8765-4321", "common to both numberings");
    }
}
