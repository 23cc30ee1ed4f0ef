//! Never the wrong card, never a false "not found", whichever way the account's search works.

use std::collections::{BTreeMap, BTreeSet};

use callcard::phone::{E164, read_stored};
use callcard::sandbox::SearchMode;
use http::StatusCode;

use crate::harness::service::{Service, patient, region};

/// Who owns each readable number of the account, and the texts it is stored in.
fn truth(service: &Service) -> BTreeMap<E164, (BTreeSet<u64>, Vec<String>)> {
    let mut owners = BTreeMap::<E164, (BTreeSet<u64>, Vec<String>)>::new();
    for contact in service.sandbox.truth().filter(|contact| !contact.is_deleted) {
        for value in contact.phones() {
            for number in read_stored(&value, region()) {
                let (ids, texts) = owners.entry(number.e164).or_default();
                ids.insert(contact.id);
                texts.push(value.clone());
            }
        }
    }
    owners
}

/// Everybody who may be shown for a number: its owners, and those of the numbers the same phone goes by.
fn acceptable(truth: &BTreeMap<E164, (BTreeSet<u64>, Vec<String>)>, number: E164) -> BTreeSet<u64> {
    let all = std::iter::once(number).chain(number.equivalents());
    all.filter_map(|number| truth.get(&number)).flat_map(|(ids, _)| ids.iter().copied()).collect()
}

/// Whether a search for plain text can find the number: one of its stored texts holds one of the forms that are searched for.
fn is_stored_in_a_searched_form(number: E164, texts: &[String]) -> bool {
    let forms = number.search_texts();
    texts.iter().any(|text| forms.iter().any(|form| text.contains(&form.text)))
}

/// Asks for every number of the account; returns how many were found and how many not.
async fn ask_for_everybody(mode: SearchMode) -> (usize, usize) {
    let service = Service::new(|options| {
        options.sandbox.search = mode;
    });
    ask_everybody_of(&service, mode).await
}

/// The same in a service that is there already.
pub(crate) async fn ask_everybody_of(service: &Service, mode: SearchMode) -> (usize, usize) {
    let truth = truth(service);
    let (mut found, mut missed) = (0, 0);
    for (number, (owners, texts)) in &truth {
        let got = service.lookup(&number.to_string(), &patient()).await;
        let json = got.json();
        if json["found"] == true {
            found += 1;
            let shown = json["contact"]["id"].as_u64().unwrap();
            let expected =
                if json["matches"]["kind"] == "exact" { owners.clone() } else { acceptable(&truth, *number) };
            assert!(expected.contains(&shown), "{mode:?}: {number} is not {shown}'s");
            for other in json["matches"]["others"].as_array().unwrap() {
                assert!(acceptable(&truth, *number).contains(&other["id"].as_u64().unwrap()), "{mode:?}: {number}");
            }
        } else {
            missed += 1;
            assert_eq!(got.status, StatusCode::NOT_FOUND, "{mode:?}: {number}: {}", got.body);
            let excused = mode == SearchMode::Raw && !is_stored_in_a_searched_form(*number, texts);
            assert!(excused, "{mode:?}: {number} is said to be nobody's, but it is {owners:?}'s, stored as {texts:?}");
        }
    }
    let worst = service.sandbox.worst_second();
    assert!(worst <= 7, "{mode:?}: {worst} requests in one second");
    assert_eq!(found + missed, truth.len());
    (found, missed)
}

#[tokio::test(start_paused = true)]
async fn nobody_is_missed_or_mistaken_where_formatting_is_ignored() {
    let (found, missed) = ask_for_everybody(SearchMode::Digits).await;
    assert!(found > 140 && missed == 0, "{found} found, {missed} missed");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_missed_or_mistaken_where_seven_digits_decide() {
    let (found, missed) = ask_for_everybody(SearchMode::Last7).await;
    assert!(found > 140 && missed == 0, "{found} found, {missed} missed");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_mistaken_where_the_text_is_found_as_typed_and_missed_only_in_unusual_forms() {
    let (found, missed) = ask_for_everybody(SearchMode::Raw).await;
    assert!(found > 130 && missed < found / 10, "{found} found, {missed} missed");
}

#[tokio::test(start_paused = true)]
async fn numbers_of_nobody_are_not_found_although_their_digits_stand_in_other_fields() {
    for mode in SearchMode::ALL {
        let service = Service::new(|options| options.sandbox.search = mode);
        let truth = truth(&service);
        for tail in 0..40 {
            let number: E164 = format!("+1646555{:04}", 100 + tail).parse().unwrap();
            if !acceptable(&truth, number).is_empty() {
                continue;
            }
            let got = service.lookup(&number.to_string(), &patient()).await;
            assert_eq!((got.status, got.json()["reason"].as_str()), (StatusCode::NOT_FOUND, Some("not_found")));
        }
    }
}
