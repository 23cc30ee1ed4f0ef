//! Each fault of the CRM, as a caller sees it: somebody known gets the card, somebody unknown a typed error, and both in time.

use std::sync::Arc;
use std::time::Duration;

use callcard::sandbox::fixtures::people::ANNA;
use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::harness::service::{Got, Service, patient};

const ANNA_PHONE: &str = "+14155550123";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// A stale card comes within the soft deadline and this.
const SOFT_AND_A_BIT: Duration = Duration::from_millis(350);
const HARD: Duration = Duration::from_millis(1_500);

/// What one fault of the search means for a caller the cache does not know.
struct Case {
    fault: &'static str,
    status: u16,
    code: &'static str,
    /// How the call is counted.
    outcome: &'static str,
    /// Searches that reach the CRM: two where a retry is worth it.
    searches: usize,
}

const fn case(fault: &'static str, status: u16, code: &'static str, outcome: &'static str, searches: usize) -> Case {
    Case { fault, status, code, outcome, searches }
}

const CASES: &[Case] = &[
    case("400", 502, "upstream-failed", "malformed", 1),
    case("401", 502, "upstream-failed", "unauthorized", 1),
    case("402", 502, "upstream-failed", "forbidden", 1),
    case("403", 502, "upstream-failed", "forbidden", 1),
    case("block", 502, "upstream-failed", "forbidden", 1),
    case("404", 502, "upstream-failed", "malformed", 1),
    case("422", 502, "upstream-failed", "malformed", 1),
    case("429=3s", 503, "upstream-unavailable", "rate_limited", 1),
    case("429-header=3s", 503, "upstream-unavailable", "rate_limited", 1),
    case("429-html", 503, "upstream-unavailable", "rate_limited", 1),
    case("500", 502, "upstream-failed", "server_error", 1),
    case("502", 502, "upstream-failed", "server_error", 2),
    case("503", 502, "upstream-failed", "server_error", 2),
    case("504", 502, "upstream-failed", "server_error", 2),
    case("reset", 502, "upstream-failed", "connect", 2),
    case("cut", 502, "upstream-failed", "connect", 2),
    case("truncated", 502, "upstream-failed", "malformed", 1),
    case("empty", 502, "upstream-failed", "empty", 1),
    case("hollow", 502, "upstream-failed", "empty", 1),
    case("html", 502, "upstream-failed", "malformed", 1),
    case("huge=5MiB", 502, "upstream-failed", "malformed", 1),
    case("redirect=https://elsewhere.example/", 502, "upstream-failed", "malformed", 1),
    case("stall", 504, "upstream-timeout", "timeout", 1),
    case("stall-body", 504, "upstream-timeout", "timeout", 1),
    case("slow=6s", 504, "upstream-timeout", "timeout", 1),
    case("drip=20s", 504, "upstream-timeout", "timeout", 1),
];

fn inject(service: &Service, fault: &str) {
    let rule = format!("contacts_query:{fault}");
    service.sandbox.inject(rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}")));
}

async fn timed(service: &Service, phone: &str, more: &str) -> (Got, Duration) {
    let began = Instant::now();
    (service.lookup(phone, more).await, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_a_typed_error_in_time_to_a_caller_the_cache_does_not_know() {
    for case in CASES {
        let service = Service::warmed(|_| {}).await;
        inject(&service, case.fault);

        let (got, took) = timed(&service, ANNA_PHONE, "").await;

        assert_eq!(got.problem(), (case.status, case.code.to_owned()), "{}", case.fault);
        assert!(took <= HARD, "{}: {took:?}", case.fault);
        assert!(!got.body.contains("5550123"), "{}: no number in an error", case.fault);
        assert_eq!(service.searches(), case.searches, "{}", case.fault);
        sleep(10 * SECOND).await; // Until the call that nobody waits for any more has ended, too.
        let sample = format!(r#"upstream_requests_total{{endpoint="contacts_query",outcome="{}"}}"#, case.outcome);
        assert!(service.metric(&sample).await >= 1.0, "{}: {sample}", case.fault);

        let (text, took) = timed(&service, ANNA_PHONE, "&format=text").await;
        assert_eq!((text.status, text.body.as_str()), (StatusCode::OK, ""), "{}", case.fault);
        assert!(took <= HARD, "{}: {took:?}", case.fault);
    }
}

#[tokio::test(start_paused = true)]
async fn a_204_is_believed_for_a_minute_only() {
    let service = Service::warmed(|_| {}).await;
    inject(&service, "204");
    let (got, _) = timed(&service, ANNA_PHONE, &patient()).await;
    assert_eq!((got.status, got.json()["reason"].as_str()), (StatusCode::NOT_FOUND, Some("not_found")));

    service.sandbox.clear_faults();
    sleep(61 * SECOND).await;
    let (got, took) = timed(&service, ANNA_PHONE, "").await;

    assert_eq!(
        (got.json()["contact"]["id"].as_u64(), got.json()["cache"]["stale"].as_bool()),
        (Some(ANNA), Some(false))
    );
    assert!(took <= SOFT_AND_A_BIT, "a name from now is given before \"nobody\" from then: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn each_fault_leaves_a_known_caller_the_card() {
    for case in CASES {
        let service = Service::warmed(|_| {}).await;
        service.lookup(ANNA_PHONE, "").await;
        sleep(11 * MINUTE).await;
        inject(&service, case.fault);

        for round in 0..3 {
            let (got, took) = timed(&service, ANNA_PHONE, "").await;
            assert_eq!(got.status, StatusCode::OK, "{} round {round}", case.fault);
            let json = got.json();
            assert_eq!((json["contact"]["id"].as_u64(), json["cache"]["stale"].as_bool()), (Some(ANNA), Some(true)));
            assert!(got.cache_status().starts_with("callcard; hit; ttl=-"), "{}: {}", case.fault, got.cache_status());
            assert!(took <= SOFT_AND_A_BIT, "{} round {round}: {took:?}", case.fault);
            sleep(SECOND).await;
        }
        let (text, _) = timed(&service, ANNA_PHONE, "&format=text").await;
        assert_eq!(text.body, "Anna Ivanova", "{}", case.fault);

        service.sandbox.clear_faults();
        sleep(2 * MINUTE).await;
        let (got, _) = timed(&service, ANNA_PHONE, &patient()).await;
        assert_eq!(got.json()["cache"]["stale"], false, "{}: it recovers by itself", case.fault);
    }
}

/// Numbers of the account that are read and found, each of one contact.
fn some_numbers(service: &Service, count: usize) -> Vec<String> {
    let phones = service.sandbox.truth().filter(|contact| !contact.is_deleted).flat_map(|contact| contact.phones());
    let canonical =
        phones.filter(|phone| phone.starts_with("+1") && phone[1..].bytes().all(|byte| byte.is_ascii_digit()));
    let numbers: std::collections::BTreeSet<_> = canonical.collect();
    assert!(numbers.len() >= count, "only {}", numbers.len());
    numbers.into_iter().take(count).collect()
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_the_crm_is_survived_and_its_end_is_no_storm() {
    let service = Arc::new(Service::warmed(|options| options.sandbox.contacts = 2_000).await);
    let numbers = some_numbers(&service, 30);
    for number in &numbers {
        assert_eq!(service.lookup(number, &patient()).await.status, StatusCode::OK, "{number}");
    }
    sleep(11 * MINUTE).await;
    service.sandbox.inject("all:reset".parse().unwrap());

    for _ in 0..60 {
        for number in &numbers {
            let (got, took) = timed(&service, number, "").await;
            assert_eq!((got.status, got.json()["cache"]["stale"].as_bool()), (StatusCode::OK, Some(true)));
            assert!(took <= SOFT_AND_A_BIT, "{took:?}");
        }
        let (unknown, took) = timed(&service, "+16465550142", "").await;
        assert!(unknown.status.is_server_error() && took <= HARD, "{} after {took:?}", unknown.status);
        sleep(MINUTE - SECOND).await;
    }
    let calls_while_down = service.sandbox.count_all();
    assert!(calls_while_down < 60 * 10, "{calls_while_down} calls in an hour: the breaker keeps them few");

    service.sandbox.clear_faults();
    service.sandbox.reset_calls();
    sleep(2 * MINUTE).await;
    let asking = numbers.iter().cloned().map(|number| {
        let service = Arc::clone(&service);
        tokio::spawn(async move { service.lookup(&number, "").await })
    });
    for got in futures_util::future::join_all(asking).await {
        assert_eq!(got.unwrap().status, StatusCode::OK);
    }
    sleep(MINUTE).await;
    for number in &numbers {
        service.lookup(number, "").await;
        sleep(SECOND).await;
    }
    let (got, _) = timed(&service, &numbers[0], "").await;
    assert_eq!(got.json()["cache"]["stale"], false);
    assert!(service.sandbox.worst_second() <= 7, "{} in one second", service.sandbox.worst_second());
}
