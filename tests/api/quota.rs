//! Never over the quota, whatever comes; and whoever cannot be served in time is told at once.

use std::sync::Arc;
use std::time::Duration;

use callcard::sandbox::Endpoint;
use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::harness::service::{Got, Service};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HARD: Duration = Duration::from_millis(1_500);
/// The rate, and one.
const MOST: usize = 7;

/// The n-th of many numbers that nobody has.
fn nobody(n: usize) -> String {
    format!("+1646555{n:04}")
}

/// Everybody at once; the answers with the time each took.
async fn at_once(service: &Arc<Service>, phones: impl IntoIterator<Item = String>, more: &str) -> Vec<(Got, Duration)> {
    let asking: Vec<_> = phones
        .into_iter()
        .map(|phone| {
            let (service, more) = (Arc::clone(service), more.to_owned());
            tokio::spawn(async move {
                let began = Instant::now();
                (service.lookup(&phone, &more).await, began.elapsed())
            })
        })
        .collect();
    futures_util::future::join_all(asking).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(start_paused = true)]
async fn sixty_new_callers_at_once_after_an_idle_hour_stay_within_every_sliding_second() {
    let service = Arc::new(Service::warmed(|_| {}).await);
    sleep(60 * MINUTE).await;

    let answers = at_once(&service, (0..60).map(nobody), "").await;

    let mut counted = std::collections::BTreeMap::<String, usize>::new();
    for (got, took) in &answers {
        assert!(*took <= HARD, "{took:?}");
        let code = if got.status == StatusCode::NOT_FOUND { "not found".to_owned() } else { got.problem().1 };
        if code == "overloaded" {
            assert!(got.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
            assert!(*took < 10 * MS, "who is refused is told at once, not after {took:?}");
        }
        *counted.entry(code).or_default() += 1;
    }
    assert!(counted.get("overloaded").is_some_and(|refused| *refused >= 45), "{counted:?}");
    let begun = 60 - counted["overloaded"];
    sleep(MINUTE).await;
    assert!(service.sandbox.worst_second() <= MOST, "{} in one second", service.sandbox.worst_second());
    let of_nobody: std::collections::BTreeSet<_> = service
        .sandbox
        .calls()
        .into_iter()
        .filter(|call| call.endpoint == Endpoint::ContactsQuery)
        .map(|call| call.query)
        .collect();
    assert!(of_nobody.len() <= begun * 6, "a refused caller's number was not searched for");

    // Who waited in vain has started a fill that the next ring profits from.
    let again = at_once(&service, (0..60).map(nobody), "").await;
    assert!(again.iter().filter(|(got, _)| got.status == StatusCode::NOT_FOUND).count() >= begun.min(8));
}

#[tokio::test(start_paused = true)]
async fn text_is_200_and_empty_also_for_those_who_are_refused() {
    let service = Arc::new(Service::warmed(|_| {}).await);
    for (got, took) in at_once(&service, (0..60).map(nobody), "&format=text").await {
        assert_eq!((got.status, got.body.as_str()), (StatusCode::OK, ""));
        assert!(took <= HARD);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_patience_ends_before_the_next_slot_is_refused_at_once_and_uses_none() {
    let service =
        Arc::new(Service::warmed(|options| options.lookup.search = callcard::lookup::SearchMode::Digits).await);
    let first = at_once(&service, (0..6).map(nobody), "&deadline_ms=8000");
    let late = async {
        sleep(MS).await;
        let began = Instant::now();
        let got = service.lookup(&nobody(99), "&deadline_ms=500").await;
        (got, began.elapsed())
    };

    let (first, (refused, took)) = tokio::join!(first, late);

    assert_eq!(refused.problem(), (503, "overloaded".to_owned()));
    assert!(took < MS, "{took:?}");
    assert!(first.iter().all(|(got, _)| got.status == StatusCode::NOT_FOUND));
    assert_eq!(service.searches(), 6);
    assert_eq!(service.metric(r#"upstream_quota_refusals_total{class="live"}"#).await, 1.0);
    // The next ring is served.
    assert_eq!(service.lookup(&nobody(99), "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn refreshes_in_the_background_give_way_to_new_callers_and_keep_the_quota() {
    let service = Arc::new(
        Service::warmed(|options| {
            options.sandbox.contacts = 1_000;
            options.lookup.search = callcard::lookup::SearchMode::Digits;
        })
        .await,
    );
    let numbers: Vec<String> = (0..40).map(nobody).collect();
    for number in &numbers {
        service.lookup(number, "&deadline_ms=8000").await;
    }
    sleep(50 * SECOND).await;
    service.sandbox.reset_calls();
    // Late in their minute: forty searches are due in the background, one by one.
    for number in &numbers {
        assert!(service.lookup(number, "").await.cache_status().starts_with("callcard; hit"));
    }
    sleep(2 * SECOND).await;

    let answers = at_once(&service, (1_000..1_006).map(nobody), "").await;

    assert!(answers.iter().all(|(got, _)| got.status == StatusCode::NOT_FOUND));
    let slowest = answers.iter().map(|(_, took)| *took).max().unwrap();
    // Six slots, and one more for the background call that was just under way.
    assert!(slowest <= 7 * Duration::from_nanos(166_666_667) + 5 * MS, "{slowest:?}");
    sleep(MINUTE).await;
    assert!(service.sandbox.worst_second() <= MOST);
}

#[tokio::test(start_paused = true)]
async fn a_429_pauses_everybody_for_as_long_as_the_crm_says() {
    for fault in ["429=7s", "429-header=7s"] {
        let service = Arc::new(Service::warmed(|_| {}).await);
        service.sandbox.inject(format!("contacts_query:{fault}*1").parse().unwrap());
        service.lookup(&nobody(1), "").await;
        let paused_at = service.sandbox.calls().last().unwrap().at;

        let refused = service.lookup(&nobody(2), "").await;
        assert_eq!(refused.problem().0, 503, "{fault}");
        for _ in 0..20 {
            sleep(500 * MS).await;
            service.lookup(&nobody(3), "").await;
        }

        let next = service.sandbox.calls()[1].at;
        assert!(next - paused_at >= 7 * SECOND, "{fault}: asked again after {:?}", next - paused_at);
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_address_leaves_the_crm_alone_for_a_minute() {
    let service = Service::warmed(|_| {}).await;
    service.sandbox.inject("all:block".parse().unwrap());
    let began = Instant::now();
    for n in 0..110 {
        let got = service.lookup(&nobody(n), "").await;
        assert!(got.status.is_server_error());
        sleep(500 * MS).await;
    }
    assert_eq!(service.sandbox.count_all(), 1, "{:?}", began.elapsed());
    assert_eq!(service.metric("upstream_breaker_open").await, 1.0);
}
