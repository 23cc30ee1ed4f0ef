//! From the digits of a number to the number they mean.
//!
//! libphonenumber's rules first: an international prefix or plus makes a calling code follow; otherwise the region's code applies, unless the
//! digits only make sense with the code in front; the national prefix is dropped, *but never from digits that are a number as they stand*.
//!
//! Then two repairs for what phone systems really send. They apply only where libphonenumber's reading is no valid number, and only if the
//! repaired one is: the plus was lost, so the digits begin with a calling code; or a prefix of another country (`00` in the US) was dialled.
//! Mexico's mobile 1, which libphonenumber has forgotten since 2019 and networks have not, counts as possible.
//!
//! Last, what is read is read once more in its canonical form, until that means itself: libphonenumber drops another national prefix from some
//! numbers that nobody has, and one caller would have two names.

use super::e164::Parts;
use super::plan::{self, Fit, Plan};
use super::writing::Written;
use super::{E164, InvalidPhone, Number, Region, calling_code, digits, equivalents};
use std::borrow::Cow;

/// International prefixes of large countries, for numbers that were stored or sent from there. Longest first.
const FOREIGN_PREFIXES: [&str; 4] = ["0011", "011", "810", "00"];

/// The longest national number that is looked at.
const MAX_NATIONAL: usize = 17;

/// As many digits as a number with a calling code has at least, in a text that could also be a national number.
const MIN_INTERNATIONAL: usize = 11;

/// The possible number that `text` means in `region`. The text is that of a number: no URI around it.
pub(super) fn read(text: &str, region: Region) -> Result<Number, InvalidPhone> {
    let written = Written::take(&digits::to_ascii(text))?;
    let home = plan::of_region(region);
    let e164 = settled(meaning(&written, home)?, home)?;
    Ok(Number { e164, extension: written.extension })
}

/// Whether `number` is one that its country has handed out.
pub(super) fn is_assigned(number: E164) -> bool {
    let Parts { code, national } = number.parts();
    plan::owner(code, &national).is_some_and(|plan| plan.is_assigned(&national))
}

/// The number whose canonical form means itself. An assigned one always does.
fn settled(mut number: E164, home: &Plan) -> Result<E164, InvalidPhone> {
    for _ in 0..MAX_NATIONAL {
        if is_assigned(number) {
            return Ok(number);
        }
        let canonical = Written { has_plus: true, digits: number.digits(), extension: None };
        let again = Reading::take(&canonical, home)?.possible()?;
        if again == number {
            return Ok(number);
        }
        number = again;
    }
    Err(InvalidPhone::InvalidLength)
}

fn meaning(written: &Written, home: &Plan) -> Result<E164, InvalidPhone> {
    let reading = Reading::take(written, home);
    let judged = reading.as_ref().map_err(|&reason| reason).and_then(Reading::possible);
    if written.has_plus || judged.is_ok_and(is_assigned) {
        return judged;
    }
    let lost_plus = match (&reading, judged) {
        // Digits that are a possible national number as they stand need a reason to be anything else.
        (Ok(reading), Ok(_)) => reading.national == written.digits && written.digits.len() >= MIN_INTERNATIONAL,
        _ => true,
    };
    let candidates =
        lost_plus.then_some(written.digits.as_str()).into_iter().chain(after_foreign_prefix(&written.digits));
    candidates.filter_map(assigned_abroad).next().map_or(judged, Ok)
}

fn after_foreign_prefix(digits: &str) -> impl Iterator<Item = &str> {
    FOREIGN_PREFIXES.iter().filter_map(|prefix| digits.strip_prefix(prefix))
}

/// The number that `digits` are with a plus in front, if somebody in some country can have it.
fn assigned_abroad(digits: &str) -> Option<E164> {
    let (code, national) = calling_code::split(digits)?;
    let plan = plan::main_of_code(code).filter(|plan| plan.region.is_some())?;
    let national = without_trunk(national, plan).into_owned();
    let number = Reading { code, national }.possible().ok()?;
    is_assigned(number).then_some(number)
}

/// A calling code and what follows it, national prefix dropped.
#[derive(Debug)]
struct Reading {
    code: u16,
    national: String,
}

impl Reading {
    fn take(written: &Written, home: &Plan) -> Result<Self, InvalidPhone> {
        let found = match international(&written.digits, written.has_plus, home) {
            // `+011 44 …`: a plus in front of a dialled prefix.
            Err(InvalidPhone::InvalidCountryCode) if written.has_plus => {
                Some(international(&written.digits, false, home)?.ok_or(InvalidPhone::InvalidCountryCode)?)
            }
            found => found?,
        };
        let plan = found.as_ref().map_or(Some(home), |(code, _)| plan::main_of_code(*code));
        let (code, national) = found.unwrap_or((home.code, Cow::Borrowed(&written.digits)));
        if national.len() < 2 {
            return Err(InvalidPhone::TooShort);
        }
        let national = plan.map_or_else(|| national.clone(), |plan| without_trunk(&national, plan));
        match national.len() {
            0..2 => Err(InvalidPhone::TooShort),
            2..=MAX_NATIONAL => Ok(Self { code, national: national.into_owned() }),
            _ => Err(InvalidPhone::TooLong),
        }
    }

    /// The number, if one of this length is possible.
    fn possible(&self) -> Result<E164, InvalidPhone> {
        let plan = plan::main_of_code(self.code).ok_or(InvalidPhone::InvalidCountryCode)?;
        match plan.fit(&self.national) {
            Fit::TooLong if equivalents::is_mexican_mobile(self.code, &self.national) => {}
            Fit::Possible | Fit::LocalOnly => {}
            Fit::TooShort => return Err(InvalidPhone::TooShort),
            Fit::TooLong => return Err(InvalidPhone::TooLong),
            Fit::InvalidLength => return Err(InvalidPhone::InvalidLength),
        }
        // A possible number with fewer than seven digits in all is a short code.
        E164::from_digits(&format!("{}{}", self.code, self.national)).map_err(|_| InvalidPhone::TooShort)
    }
}

/// The calling code at the front of `digits`, and the rest; nothing if they are a national number.
fn international<'d>(
    digits: &'d str,
    has_plus: bool,
    home: &Plan,
) -> Result<Option<(u16, Cow<'d, str>)>, InvalidPhone> {
    if digits.is_empty() {
        return Ok(None);
    }
    let full = if has_plus { Some(digits) } else { after_international_prefix(digits, home) };
    let Some(full) = full else { return Ok(after_own_code(digits, home)) };
    if full.len() <= 2 {
        return Err(InvalidPhone::TooShort);
    }
    let (code, national) = calling_code::split(full).ok_or(InvalidPhone::InvalidCountryCode)?;
    Ok(Some((code, Cow::Borrowed(national))))
}

fn after_international_prefix<'d>(digits: &'d str, home: &Plan) -> Option<&'d str> {
    let length = home.international_prefix.as_ref()?.matched_length(digits)?;
    // No calling code begins with 0: then it was not a prefix.
    Some(&digits[length..]).filter(|rest| !rest.starts_with('0'))
}

/// The home country's code without a plus is taken for one if the digits are a number without it and not with it, or too long with it.
fn after_own_code<'d>(digits: &'d str, home: &Plan) -> Option<(u16, Cow<'d, str>)> {
    let rest = digits.strip_prefix(&home.code.to_string())?;
    let national = strip_trunk(rest, home).unwrap_or(Cow::Borrowed(rest));
    let pattern = &home.general.pattern;
    let is_better = !pattern.is_match(digits) && pattern.is_match(&national);
    (is_better || home.fit(digits) == Fit::TooLong).then_some((home.code, national))
}

/// `national` without national prefix, unless that leaves too little.
fn without_trunk<'d>(national: &'d str, plan: &Plan) -> Cow<'d, str> {
    match strip_trunk(national, plan) {
        Some(rest) if !matches!(plan.fit(&rest), Fit::TooShort | Fit::LocalOnly | Fit::InvalidLength) => rest,
        _ => Cow::Borrowed(national),
    }
}

/// `national` with its national prefix dropped or transformed; nothing if it has none, or if it is a number as it stands and would not be
/// one afterwards.
fn strip_trunk<'d>(national: &'d str, plan: &Plan) -> Option<Cow<'d, str>> {
    let trunk = plan.trunk_pattern.as_ref()?;
    let rest = &national[trunk.matched_length(national)?..];
    let transformed = plan.trunk_transform.as_ref().and_then(|rule| transform(rule, &trunk.groups(national)?));
    let stripped = transformed.map_or(Cow::Borrowed(rest), |start| Cow::Owned(start + rest));
    let pattern = &plan.general.pattern;
    (!pattern.is_match(national) || pattern.is_match(&stripped)).then_some(stripped)
}

/// What a matched trunk pattern becomes; nothing if its last group is absent.
fn transform(rule: &str, groups: &[&str]) -> Option<String> {
    let (_whole, groups_alone) = groups.split_first()?;
    (!groups_alone.last()?.is_empty()).then(|| plan::expand(rule, groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str, region: &str) -> Result<String, InvalidPhone> {
        read(text, region.parse().unwrap()).map(|number| number.e164.to_string())
    }

    fn ok(e164: &str) -> Result<String, InvalidPhone> {
        Ok(e164.to_owned())
    }

    #[test]
    fn valid_numbers_keep_digits_that_look_like_a_national_prefix() {
        assert_eq!(number("+78121234567", "RU"), ok("+78121234567"));
        assert_eq!(number("8 (812) 123-45-67", "RU"), ok("+78121234567"));
        assert_eq!(number("8 800 555 35 35", "RU"), ok("+78005553535"));
        assert_eq!(number("+375801000000", "US"), ok("+375801000000"));
    }

    #[test]
    fn prefixes_of_the_region_are_understood() {
        assert_eq!(number("011 44 20 7946 0958", "US"), ok("+442079460958"));
        assert_eq!(number("8~10 44 20 7946 0958", "RU"), ok("+442079460958"));
        assert_eq!(number("020 7946 0958", "GB"), ok("+442079460958"));
        assert_eq!(number("+011 44 20 7946 0958", "US"), ok("+442079460958"));
        assert_eq!(number("011 15 2345-6789", "AR"), ok("+5491123456789"));
    }

    #[test]
    fn prefixes_of_other_regions_are_understood_where_nothing_else_makes_sense() {
        assert_eq!(number("0044 20 7946 0958", "US"), ok("+442079460958"));
        assert_eq!(number("011 44 20 7946 0958", "DE"), ok("+442079460958"));
    }

    #[test]
    fn a_lost_plus_is_put_back_where_nothing_else_makes_sense() {
        assert_eq!(number("79161234567", "US"), ok("+79161234567"));
        assert_eq!(number("14155550123", "RU"), ok("+14155550123"));
        assert_eq!(number("14155550123", "DE"), ok("+14155550123"));
        assert_eq!(number("14155550123", "US"), ok("+14155550123"));
        assert_eq!(number("4915112345678", "US"), ok("+4915112345678"));
    }

    #[test]
    fn an_unassigned_national_number_stays_in_its_country() {
        assert_eq!(number("8 200 123 45 67", "RU"), ok("+72001234567"));
        assert_eq!(number("1 515 000 0123", "US"), ok("+15150000123"));
    }

    #[test]
    fn mexican_mobile_numbers_may_have_their_former_one() {
        assert_eq!(number("+52 1 55 1234 5678", "US"), ok("+5215512345678"));
        assert_eq!(number("+52 55 1234 5678", "US"), ok("+525512345678"));
    }

    #[test]
    fn what_is_read_means_itself_in_its_canonical_form() {
        assert_eq!(number("01000000", "IM"), ok("+441000000"));
        assert_eq!(number("+4401000000", "IM"), ok("+441000000"));
    }

    #[test]
    fn other_scripts_digits_are_digits() {
        assert_eq!(number("＋１４１５５５５０１２３", "RU"), ok("+14155550123"));
        assert_eq!(number("٠٢ ٢٧٩٦ ١٢٣٤", "EG"), ok("+20227961234"));
    }

    #[test]
    fn each_reason_is_told() {
        assert_eq!(number("hello", "US"), Err(InvalidPhone::NotANumber));
        assert_eq!(number("+1 415", "US"), Err(InvalidPhone::TooShort));
        assert_eq!(number("+1 415 555 0123 4", "US"), Err(InvalidPhone::TooLong));
        assert_eq!(number("+210 4155550123", "US"), Err(InvalidPhone::InvalidCountryCode));
        assert_eq!(number("+7 99912345678", "US"), Err(InvalidPhone::InvalidLength));
    }
}
