//! `CALLCARD_SEARCH=auto`: the account's search is measured, and what is believed of it spares calls but never costs an answer.

use callcard::lookup::{Measurement, Reason};
use callcard::outcome::SearchVerdict;
use callcard::sandbox::{Endpoint, SearchMode};
use tokio::time::{Duration, sleep};

use crate::harness::service::{Service, patient};
use crate::whose_number::ask_everybody_of;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn verdict_of(mode: SearchMode) -> SearchVerdict {
    match mode {
        SearchMode::Digits => SearchVerdict::Digits,
        SearchMode::Raw => SearchVerdict::Raw,
        SearchMode::Last7 => SearchVerdict::Last7,
    }
}

/// An account whose search works like this.
fn account(mode: SearchMode) -> Service {
    Service::new(|options| options.sandbox.search = mode)
}

/// An account without contacts but those with these numbers.
fn with_numbers(mode: SearchMode, numbers: &[&str]) -> Service {
    let service = Service::new(|options| {
        options.sandbox.search = mode;
        options.sandbox.contacts = 0;
        options.sandbox.clock_behind = 365 * DAY;
    });
    for number in numbers {
        service.sandbox.add_contact("Somebody", &[number]);
    }
    service.sandbox.reset_calls();
    service
}

/// Runs the schedule in the background.
fn keep(service: &Service) {
    tokio::spawn(service.calibration.clone().keep());
}

async fn measured(service: &Service) -> Measurement {
    service.calibration.measure().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_search_is_recognised_with_a_handful_of_calls() {
    for (mode, calls) in [(SearchMode::Digits, 5), (SearchMode::Last7, 6), (SearchMode::Raw, 7)] {
        let service = account(mode);
        assert_eq!(measured(&service).await.verdict, verdict_of(mode));
        assert_eq!((service.sandbox.count(Endpoint::ContactsList), service.sandbox.count_all()), (1, calls), "{mode}");
        assert_eq!(service.metric(&format!(r#"search_mode{{mode="{mode}"}}"#)).await, 1.0);
        assert_eq!(service.metric(r#"search_mode{mode="unproven"}"#).await, 0.0);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_missed_or_mistaken_once_the_search_is_known_and_strangers_cost_fewer_calls() {
    for (mode, most_missed, searches_for_a_stranger) in
        [(SearchMode::Digits, 0, 1), (SearchMode::Last7, 0, 1), (SearchMode::Raw, 4, 4)]
    {
        let service = account(mode);
        measured(&service).await;
        let (found, missed) = ask_everybody_of(&service, mode).await;
        println!("{mode}: {found} found, {missed} missed with {} searches", service.searches());
        assert!(found > 140 && missed <= most_missed, "{mode}: {found} found, {missed} missed");

        let before = service.searches();
        let got = service.lookup("+16465550999", &patient()).await;
        assert_eq!(got.json()["reason"], "not_found");
        assert_eq!(service.searches() - before, searches_for_a_stranger, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_keeps_every_form() {
    let service = account(SearchMode::Digits);
    service.lookup("+16465550999", &patient()).await;
    assert_eq!(service.searches(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_formatted_numbers_proves_nothing() {
    for numbers in [&[][..], &["4155550123", "+14155550124", "call after six", "+33 1"], &["(415) 555-0123"]] {
        let service = with_numbers(SearchMode::Digits, numbers);
        let nothing = Measurement { verdict: SearchVerdict::Unproven, reason: Reason::NothingToAsk, numbers: 0 };
        assert_eq!(measured(&service).await, nothing, "{numbers:?}");
        assert!(service.sandbox.count_all() <= 3, "{numbers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn further_pages_are_looked_at_only_while_there_is_nothing_to_ask() {
    let mut numbers: Vec<String> = (0..300).map(|n| format!("415555{n:04}")).collect();
    numbers.extend(["(415) 555-7001", "415.555.7002", "415-555-7003"].map(str::to_owned));
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let service = with_numbers(SearchMode::Raw, &numbers);
    assert_eq!(measured(&service).await.verdict, SearchVerdict::Raw);
    assert_eq!(service.sandbox.count(Endpoint::ContactsList), 2);
}

#[tokio::test(start_paused = true)]
async fn digits_elsewhere_in_the_record_do_not_pass_for_an_ignored_format() {
    let service = with_numbers(SearchMode::Raw, &["(415) 555-0101", "415.555.0102", "+1 415-555-0103"]);
    for (id, digits) in
        service.sandbox.truth().map(|contact| contact.id).zip(["4155550101", "4155550102", "4155550103"])
    {
        // What integrations do that keep a copy of their own.
        service.sandbox.update_contact(id, |contact| contact.name = format!("Order {digits}")).unwrap();
    }
    assert_eq!(measured(&service).await.verdict, SearchVerdict::Unproven);
}

#[tokio::test(start_paused = true)]
async fn an_index_that_lags_is_never_taken_for_a_search_that_ignores_formatting() {
    for mode in SearchMode::ALL {
        let service = Service::new(|options| {
            options.sandbox.search = mode;
            options.sandbox.contacts = 0;
        });
        for number in ["4155550101", "4155550102", "4155550103"] {
            service.sandbox.add_contact("Somebody", &[number]);
        }
        service.sandbox.adjust(|settings| settings.index_delay = 5 * MINUTE);
        let ids: Vec<u64> = service.sandbox.truth().map(|contact| contact.id).collect();
        for (id, number) in ids.into_iter().zip(["(415) 555-0101", "415.555.0102", "415-555-0103"]) {
            service.sandbox.update_contact(id, |contact| contact.set_phones(&[number])).unwrap();
        }
        assert_eq!(measured(&service).await.reason, Reason::NothingToAsk, "{mode}: they changed a moment ago");
    }
}

#[tokio::test(start_paused = true)]
async fn new_contacts_that_the_index_does_not_show_prove_nothing() {
    let service = Service::new(|options| {
        options.sandbox.contacts = 0;
        options.sandbox.index_delay = 5 * MINUTE;
        options.sandbox.clock_behind = 365 * DAY;
    });
    for number in ["(415) 555-0101", "415.555.0102", "415-555-0103"] {
        service.sandbox.add_contact("New", &[number]);
    }
    assert_eq!(measured(&service).await.reason, Reason::NotShown);
    sleep(6 * MINUTE).await;
    assert_eq!(measured(&service).await.verdict, SearchVerdict::Digits);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_sees_one_contact_proves_nothing() {
    let service = Service::new(|options| {
        options.sandbox.contacts = 100;
        options.token = options.sandbox.narrow_token.clone();
    });
    assert_eq!(measured(&service).await.reason, Reason::NothingToAsk);
}

#[tokio::test(start_paused = true)]
async fn a_crm_that_is_down_or_refuses_the_list_is_asked_again_later_and_later() {
    for fault in ["contacts_list:500", "contacts_list:403", "contacts_list:stall"] {
        let service = account(SearchMode::Digits);
        service.sandbox.inject(fault.parse().unwrap());
        keep(&service);
        sleep(DAY / 4).await;
        let lists = service.sandbox.count(Endpoint::ContactsList);
        // After 1, 2, 4, 8 … minutes: eight or nine tries in six hours.
        assert!((7..=10).contains(&lists), "{fault}: {lists} tries");
        assert_eq!(service.calibration.verdict(), SearchVerdict::Unproven);
        service.sandbox.clear_faults();
        sleep(DAY / 2).await;
        assert_eq!(service.calibration.verdict(), SearchVerdict::Digits, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_daily_measurement_costs_a_handful_of_calls_and_notices_a_change() {
    let service = account(SearchMode::Digits);
    keep(&service);
    sleep(MINUTE).await;
    assert_eq!((service.calibration.verdict(), service.sandbox.count_all()), (SearchVerdict::Digits, 5));

    service.sandbox.adjust(|settings| settings.search = SearchMode::Raw);
    sleep(DAY + DAY / 5).await;
    assert_eq!((service.calibration.verdict(), service.sandbox.count_all()), (SearchVerdict::Raw, 5 + 7));
    assert_eq!(service.metric(r#"search_mode{mode="digits"}"#).await, 0.0);
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_take_back_what_is_known() {
    let service = account(SearchMode::Last7);
    keep(&service);
    sleep(MINUTE).await;
    service.sandbox.inject("contacts_query:502".parse().unwrap());
    sleep(DAY + DAY / 5).await;
    assert_eq!(service.calibration.verdict(), SearchVerdict::Last7);
    assert!(service.calibration.describe().starts_with("last7: 3 stored numbers say so"));
}

#[tokio::test(start_paused = true)]
async fn what_the_operator_has_set_is_neither_measured_nor_changed() {
    let service = Service::new(|options| {
        options.sandbox.search = SearchMode::Raw;
        options.lookup.search = callcard::lookup::SearchMode::Digits;
    });
    keep(&service);
    sleep(2 * DAY).await;
    assert_eq!((service.calibration.verdict(), service.sandbox.count_all()), (SearchVerdict::Digits, 0));
    assert_eq!(service.calibration.describe(), "digits: as set");
}

#[tokio::test(start_paused = true)]
async fn callers_do_not_wait_behind_a_measurement() {
    let service = Service::warmed(|options| options.sandbox.latency = Duration::from_millis(100)).await;
    let calibration = service.calibration.clone();
    let measuring = tokio::spawn(async move { calibration.measure().await });
    sleep(Duration::from_millis(150)).await;
    let begun = tokio::time::Instant::now();
    service.lookup("+14155550123", "").await;
    assert!(begun.elapsed() < Duration::from_millis(1_000), "{:?}", begun.elapsed());
    assert!(measuring.await.unwrap().is_ok());
}
