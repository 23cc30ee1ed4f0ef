//! What holds for every text and every number.

use super::{Caller, CallerReader, E164, InvalidPhone, Number, Region, SearchForm, digits, read_stored};
use proptest::prelude::*;
use std::collections::HashSet;

/// Numbers that somebody can have, in plans as different as they come.
const ASSIGNED: [&str; 24] = [
    "+14155550123",
    "+16135550123",
    "+79991234567",
    "+78121234567",
    "+77012345678",
    "+442079460958",
    "+493012345678",
    "+4915112345678",
    "+33631966543",
    "+390612345678",
    "+393331234567",
    "+5511987654321",
    "+551133334444",
    "+525512345678",
    "+5491123456789",
    "+541123456789",
    "+380671234567",
    "+48512345678",
    "+8613812345678",
    "+819012345678",
    "+919812345678",
    "+61412345678",
    "+27821234567",
    "+905321234567",
];

fn region() -> impl Strategy<Value = Region> {
    (0..Region::all().count()).prop_map(|index| Region::all().nth(index).unwrap())
}

fn assigned() -> impl Strategy<Value = E164> {
    prop::sample::select(&ASSIGNED[..]).prop_map(|text| text.parse().unwrap())
}

/// Texts made of what phone systems and people send.
fn phonelike() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[0-9]{1,5}",
        2 => prop::sample::select(&["+", " ", "-", "(", ")", ".", "/", ",", ";", "#", "*", "x", "@", "<", ">", "\"", "%", "=", ":", "\n", "|"][..])
            .prop_map(str::to_owned),
        1 => prop::sample::select(&["sip:", "tel:", ";ext=", ";phone-context=", "%2B", " or ", "доб", "anonymous", "00", "٤", "２", "ext"][..])
            .prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => phonelike(), 1 => any::<String>(), 1 => prop::collection::vec(phonelike(), 0..12).prop_map(|parts| parts.concat())]
}

fn read(text: &str, region: Region) -> Result<Caller, InvalidPhone> {
    CallerReader::new(0).read(text, region)
}

/// The forms in which a number is written, each of which means it in its region.
fn written(number: E164, form: usize) -> String {
    match form {
        0 => number.to_string(),
        1 => number.international(),
        2 => number.national(),
        3 => number.national().replace([' ', '-'], ""),
        _ => number.international().replace([' ', '-'], "."),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in text(), region in region()) {
        if let Ok(Caller::Number(Number { e164, .. })) = read(&text, region) {
            prop_assert_eq!(e164.to_string().parse(), Ok(e164));
            prop_assert_eq!(read(&e164.to_string(), region), Ok(Caller::Number(e164.into())), "{:?}", text);
        }
        for Number { e164, .. } in read_stored(&text, region) {
            prop_assert_eq!(e164.to_string().parse(), Ok(e164));
        }
    }

    #[test]
    fn what_is_displayed_parses_to_the_same(digits in any::<u64>()) {
        if let Ok(number) = E164::try_from(digits) {
            prop_assert_eq!(number.to_string().parse(), Ok(number));
            prop_assert_eq!(number.get(), digits);
            prop_assert_eq!(format!("{}{}", number.calling_code(), number.national_number()), number.digits());
        }
    }

    #[test]
    fn a_number_in_canonical_form_is_read_as_itself(number in assigned(), region in region()) {
        // A blank behind it is enough not to be taken at its word.
        prop_assert_eq!(read(&format!("{number} "), region), Ok(Caller::Number(number.into())));
        prop_assert_eq!(read(&number.to_string(), region), Ok(Caller::Number(number.into())));
        prop_assert_eq!(read_stored(&number.to_string(), region), vec![Number::from(number)]);
    }

    #[test]
    fn formatting_does_not_change_the_number(
        number in prop_oneof![assigned().prop_map(|number| number.to_string()), "\\+[1-9][0-9]{7,14}"],
        noise in prop::collection::vec("[ .()\u{a0}\u{2011}-]{0,2}", 20),
        region in region(),
    ) {
        let noisy: String = number.chars().zip(&noise).flat_map(|(c, noise)| [c.to_string(), noise.clone()]).collect();
        prop_assert_eq!(read(&noisy, region), read(&number, region), "{}", noisy);
    }

    #[test]
    fn a_sip_or_tel_uri_means_its_number(number in assigned(), region in region()) {
        for uri in [format!("sip:{number}@pbx.example;user=phone"), format!("\"A\" <sip:{number}@10.0.0.1>"), format!("tel:{number};isub=1")] {
            prop_assert_eq!(read(&uri, region), Ok(Caller::Number(number.into())), "{}", uri);
        }
    }

    #[test]
    fn stored_numbers_are_found_and_no_others(
        numbers in prop::collection::vec((assigned(), 0..5_usize), 1..5),
        separator in prop::sample::select(&[", ", "; ", "\n", " | ", " or ", " / ", ",", ";", "\r\n"][..]),
        label in prop::sample::select(&["", "mob. ", "Tel: ", "раб. "][..]),
        remark in prop::sample::select(&["", " (Anna)", " work", " Иван"][..]),
    ) {
        // Only the first number's region makes its national form mean it.
        let region = numbers[0].0.region().unwrap();
        let form = |number: E164, form| if number.region() == Some(region) { form } else { form % 2 };
        let texts: Vec<_> = numbers.iter().map(|&(number, own)| format!("{label}{}{remark}", written(number, form(number, own)))).collect();
        let mut seen = HashSet::new();
        let expected: Vec<_> = numbers.iter().map(|&(number, _)| Number::from(number)).filter(|number| seen.insert(number.clone())).collect();
        let joined = texts.join(separator);
        prop_assert_eq!(read_stored(&joined, region), expected, "{:?}", joined);
    }

    #[test]
    fn searches_are_unique_and_never_short(digits in 1_000_000..10_u64.pow(19)) {
        if let Ok(number) = E164::try_from(digits) {
            let texts = number.search_texts();
            prop_assert!(!texts.is_empty());
            prop_assert!(texts.is_sorted_by(|one, next| one.form < next.form));
            prop_assert!(texts.iter().all(|text| digits::count(&text.text) >= 7));
            prop_assert!(texts.iter().any(|text| matches!(text.form, SearchForm::NationalDigits | SearchForm::E164Digits)));
            prop_assert_eq!(texts.iter().map(|text| &text.text).collect::<HashSet<_>>().len(), texts.len());
        }
    }

    #[test]
    fn equivalence_is_mutual(number in prop_oneof![assigned(), "\\+5[245][0-9]{10,11}".prop_filter_map("", |text| text.parse().ok())]) {
        for other in number.equivalents() {
            prop_assert_ne!(other, number);
            prop_assert!(other.equivalents().into_iter().eq([number]));
        }
    }
}
