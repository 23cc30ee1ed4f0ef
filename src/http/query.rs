//! What a caller of `/lookup` asks for, read from the parameters.
//!
//! Reading never fails as a whole: what could be read is there beside the faults, because an answer in the caller's own form (a line of
//! text, a page) needs the options even when the question is refused.

use std::time::Duration;

use super::params::{Fault, Params};
use crate::lookup::Wants;
use crate::phone::Region;
use crate::render::Profile;

/// With `refresh=1` an answer younger than this is new enough: a person who presses the button again and again costs the CRM no more
/// than one fill in this time.
const REFRESHED: Duration = Duration::from_secs(5);

/// One question. No `Debug`: it holds the phone.
#[derive(Clone)]
pub(super) struct LookupQuery {
    /// The number as it was sent, decoded once.
    pub(super) phone: String,
    /// How to read it without a country code; the deployment's region if absent.
    pub(super) region: Option<Region>,
    /// Deadline and age that the caller accepts, and what more it wants to see.
    pub(super) wants: Wants,
    /// "Not found" is a 200.
    pub(super) not_found_ok: bool,
    /// text: at most so many characters.
    pub(super) max: usize,
    /// text: Latin letters only.
    pub(super) ascii: bool,
    /// text: instead of nothing.
    pub(super) default: Option<String>,
}

impl LookupQuery {
    /// The question, as far as it can be read, and every fault.
    pub(super) fn read(mut params: Params) -> (Self, Vec<Fault>) {
        if !params.mentions("phone") {
            params.fault("phone", "is missing");
        }
        let query = Self::options(&mut params);
        (query, params.faults().to_vec())
    }

    /// The same for a batch, whose numbers are in its body.
    pub(super) fn read_batch(mut params: Params) -> (Self, Vec<Fault>) {
        if params.mentions("phone") {
            params.fault("phone", "belongs into the body of a batch");
        }
        let query = Self::options(&mut params);
        (query, params.faults().to_vec())
    }

    /// Whether what is at hand may not do.
    pub(super) const fn asks_anew(&self) -> bool {
        self.wants.max_age.is_some() || self.wants.patient
    }

    /// The same question, asked by a browser that loads ahead of its user: nobody has pressed the button yet, so what is at hand will do.
    pub(super) fn without_refresh(mut self) -> Self {
        self.wants = Wants { max_age: None, patient: false, ..self.wants };
        self
    }

    fn options(params: &mut Params) -> Self {
        let deadline = params.read("deadline_ms", "must be a whole number of milliseconds", whole);
        let max_age = params.read("max_age", "must be a whole number of seconds", whole).map(Duration::from_secs);
        let refresh = params.read("refresh", "must be 0 or 1", switch).unwrap_or(false);
        let max_age = if refresh { Some(max_age.map_or(REFRESHED, |age| age.max(REFRESHED))) } else { max_age };
        let elements = params.read("include", "must be catalog_elements", includes_elements).unwrap_or(false);
        let deadline = deadline.map(Duration::from_millis);
        let profile = profile(params).unwrap_or(Profile::DEFAULT);
        Self {
            phone: params.take("phone").unwrap_or_default(),
            region: params.read("region", "must be an ISO 3166 code of two letters", region),
            wants: Wants { deadline, max_age, patient: refresh, elements },
            not_found_ok: params.read("notfound", "must be 200 or 404", not_found).unwrap_or(profile.not_found_ok),
            max: params.read("max", "must be a number from 1 to 255", line_length).unwrap_or(profile.max),
            ascii: params.read("ascii", "must be 0 or 1", switch).unwrap_or(profile.ascii),
            default: params.read("default", "", |text| Some(text.to_owned())),
        }
    }
}

/// The kind of phone system that asks, if it says so.
pub(super) fn profile(params: &mut Params) -> Option<&'static Profile> {
    params.read("profile", PROFILES, Profile::named)
}

const PROFILES: &str = "must be one of asterisk, freepbx, cidlookup, kamailio, 3cx, connect, studio";

/// Digits only, where the standard parser would take a sign too; and no more than every client can write as an integer.
fn whole(text: &str) -> Option<u64> {
    let number = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
    number.filter(|number| *number <= i32::MAX.unsigned_abs().into())
}

/// A list of parts, separated by commas; there is one so far.
fn includes_elements(text: &str) -> Option<bool> {
    text.split(',').all(|part| part.trim() == "catalog_elements").then_some(true)
}

fn region(text: &str) -> Option<Region> {
    text.to_ascii_uppercase().parse().ok()
}

fn line_length(text: &str) -> Option<usize> {
    whole(text).filter(|max| (1..=255).contains(max)).and_then(|max| max.try_into().ok())
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn not_found(text: &str) -> Option<bool> {
    match text {
        "200" => Some(true),
        "404" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> (LookupQuery, Vec<String>) {
        let (query, faults) = LookupQuery::read(Params::decode(query));
        (query, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_phone_alone_is_a_question() {
        let (query, faults) = read("phone=+14155550123");

        assert_eq!(faults, [""; 0]);
        assert_eq!(query.phone, " 14155550123");
        assert_eq!((query.max, query.ascii, query.not_found_ok), (60, false, false));
        assert_eq!((query.wants.deadline, query.wants.max_age), (None, None));
    }

    #[test]
    fn an_empty_phone_is_a_withheld_one_but_none_at_all_is_a_fault() {
        assert_eq!(read("phone=").1, [""; 0]);
        assert_eq!(read("format=json").1, ["phone is missing"]);
        assert_eq!(read("phone=%FF").1, ["phone is not UTF-8"], "it is there, and wrong");
    }

    #[test]
    fn deadline_and_age_are_read_in_their_units() {
        assert_eq!(read("phone=1&deadline_ms=250").0.wants.deadline, Some(Duration::from_millis(250)));
        assert_eq!(read("phone=1&max_age=0").0.wants.max_age, Some(Duration::ZERO));
    }

    #[test]
    fn a_refresh_waits_for_what_is_new_and_counts_a_few_seconds_as_new() {
        let wants = read("phone=1&refresh=1").0.wants;
        assert_eq!((wants.max_age, wants.patient), (Some(Duration::from_secs(5)), true));
        assert_eq!(read("phone=1&refresh=1&max_age=0").0.wants.max_age, Some(Duration::from_secs(5)));
        assert_eq!(read("phone=1&refresh=1&max_age=60").0.wants.max_age, Some(Duration::from_secs(60)));

        let calm = read("phone=1&refresh=0&max_age=0").0.wants;
        assert_eq!((calm.max_age, calm.patient), (Some(Duration::ZERO), false));
        assert_eq!(read("phone=1&refresh=yes").1, ["refresh must be 0 or 1"]);

        let (ahead, _) = read("phone=1&refresh=1&max_age=0&deadline_ms=9");
        let wants = ahead.without_refresh().wants;
        assert_eq!(wants, Wants { deadline: Some(Duration::from_millis(9)), ..Wants::default() });
    }

    #[test]
    fn what_can_be_included_is_a_closed_list() {
        assert!(!read("phone=1").0.wants.elements && !read("phone=1&include=").0.wants.elements);
        assert!(read("phone=1&include=catalog_elements").0.wants.elements);
        for query in ["phone=1&include=notes", "phone=1&include=catalog_elements,notes", "phone=1&include=,"] {
            assert_eq!(read(query).1, ["include must be catalog_elements"], "{query}");
        }
    }

    #[test]
    fn all_faults_are_found_and_the_rest_is_still_read() {
        let (query, faults) =
            read("region=USA&deadline_ms=-1&max_age=1m&notfound=300&max=0&ascii=maybe&default=Unknown");

        assert_eq!(query.default.as_deref(), Some("Unknown"));
        insta::assert_snapshot!(faults.join("\n"), @r#"
        phone is missing
        deadline_ms must be a whole number of milliseconds
        max_age must be a whole number of seconds
        region must be an ISO 3166 code of two letters
        notfound must be 200 or 404
        max must be a number from 1 to 255
        ascii must be 0 or 1
        "#);
    }

    #[test]
    fn a_number_without_end_is_a_fault_not_an_overflow() {
        assert_eq!(read("phone=1&max_age=2147483647").1, [""; 0]);
        assert_eq!(read("phone=1&max_age=2147483648").1, ["max_age must be a whole number of seconds"]);
        assert_eq!(read("phone=1&max_age=99999999999999999").1, ["max_age is too long"]);
        assert_eq!(read("phone=1&max=256").1, ["max must be a number from 1 to 255"]);
    }

    #[test]
    fn a_profile_fills_in_what_is_not_said() {
        for profile in Profile::ALL {
            let (query, faults) = read(&format!("phone=1&profile={}", profile.word));
            assert_eq!(faults, [""; 0]);
            assert_eq!(
                (query.max, query.ascii, query.not_found_ok),
                (profile.max, profile.ascii, profile.not_found_ok)
            );

            let (query, faults) = read(&format!(
                "phone=1&profile={}&max=15&ascii={}&notfound=404",
                profile.word,
                u8::from(!profile.ascii)
            ));
            assert_eq!(faults, [""; 0]);
            assert_eq!(
                (query.max, query.ascii, query.not_found_ok),
                (15, !profile.ascii, false),
                "what is said beats it"
            );
        }
    }

    #[test]
    fn an_unknown_profile_is_told_which_ones_there_are() {
        let (_, faults) = read("phone=1&profile=pbx");
        assert_eq!(faults, [format!("profile {PROFILES}")]);
        for profile in Profile::ALL {
            assert!(PROFILES.contains(profile.word), "{}", profile.word);
        }
    }

    #[test]
    fn a_batch_has_its_phones_in_the_body() {
        let (_, faults) = LookupQuery::read_batch(Params::decode("phone=1&max_age=5"));
        assert_eq!(faults.len(), 1);
    }
}
