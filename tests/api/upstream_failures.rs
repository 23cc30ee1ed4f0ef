//! A CRM that says "nobody" for a while, and one that is gone for an hour. Each fault by itself is in [`crate::faults`].

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

async fn timed(service: &Service, phone: &str, more: &str) -> (Got, Duration) {
    let began = Instant::now();
    (service.lookup(phone, more).await, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_crm_that_takes_five_seconds_delays_nobody_and_the_next_ring_has_the_name() {
    let service = Service::warmed(|_| {}).await;
    service.sandbox.inject("contacts_query:slow=5s".parse().unwrap());
    let (first, took) = timed(&service, ANNA_PHONE, "").await;
    assert_eq!(first.problem(), (504, "upstream-timeout".to_owned()));
    assert!(took <= HARD, "{took:?}");

    sleep(5 * SECOND).await;
    let (next, took) = timed(&service, ANNA_PHONE, "").await;

    assert_eq!((next.json()["contact"]["id"].as_u64(), service.searches()), (Some(ANNA), 1));
    assert!(took <= SOFT_AND_A_BIT, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_204_is_believed_for_a_minute_only() {
    let service = Service::warmed(|_| {}).await;
    service.sandbox.inject("contacts_query:204".parse().unwrap());
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
