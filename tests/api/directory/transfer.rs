//! The first reading of everything: how many requests it takes, how fast, at whose cost, and what can be said afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use callcard::sandbox::Endpoint;
use tokio::time::{Instant, sleep};

use super::{Mirrored, assert_same, truth};

const CONTACTS: u64 = 1_500;

#[tokio::test(start_paused = true)]
async fn everything_is_read_in_few_requests_and_at_two_a_second() {
    let mirrored = Mirrored::running(|options| options.sandbox.contacts = CONTACTS);
    let began = Instant::now();
    mirrored.until_current().await;
    assert_same(mirrored.directory(), mirrored.sandbox());
    let calls = mirrored.sandbox().calls();
    let worst = calls.windows(4).map(|calls| calls[3].at - calls[0].at).min().unwrap();
    // Within a second and a half no more than the first and three more.
    assert!(worst >= Duration::from_millis(1_490), "{worst:?}");
    let lists = mirrored.sandbox().count(Endpoint::ContactsList);
    assert!(lists <= 6 + 1 + 3 + 2, "{lists} requests for {CONTACTS} contacts");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn afterwards_known_and_unknown_callers_cost_no_call_and_none_is_wrong() {
    let mirrored = Mirrored::current(|options| options.sandbox.contacts = CONTACTS).await;
    let facts = truth(mirrored.sandbox());
    let numbers: BTreeSet<_> = facts.values().flat_map(|fact| fact.numbers.iter().copied()).collect();
    for number in numbers.iter().step_by(11) {
        let owners: Vec<u64> =
            facts.iter().filter(|(_, fact)| fact.numbers.contains(number)).map(|(id, _)| *id).collect();
        let got = mirrored.service.lookup(&number.to_string(), "").await;
        assert_eq!((got.status.as_u16(), &got.json()["cache"]["status"]), (200, &"directory".into()));
        let shown = got.json()["contact"]["id"].as_u64().unwrap();
        assert!(owners.contains(&shown), "{shown} does not own the number");
        assert_eq!(got.json()["matches"]["count"], owners.len());
        assert_eq!(got.json()["contact"]["name"], facts[&shown].name);
        assert_eq!(got.json()["leads"].as_array().unwrap().len(), facts[&shown].leads.len());
    }
    for n in 0..100 {
        let stranger = format!("+1415{:07}", 2_000_000 + n * 7);
        if numbers.iter().any(|number| number.to_string() == stranger) {
            continue;
        }
        let got = mirrored.service.lookup(&stranger, "").await;
        assert_eq!((got.status.as_u16(), &got.json()["cache"]["status"]), (404, &"directory".into()));
    }
    assert_eq!(mirrored.sandbox().count_all(), 0);
}

/// Waits of live lookups for their slot while nothing, or the transfer, goes on besides.
async fn waits(mirrored: &Mirrored) -> Vec<Duration> {
    let mut waits = Vec::new();
    for n in 0..20 {
        // Two searches a second, each of a number that is in no cache.
        sleep(Duration::from_millis(480)).await;
        let asked = Instant::now();
        mirrored.service.lookup(&format!("+1415777{n:04}"), "").await;
        waits.push(asked.elapsed());
    }
    waits.sort_unstable();
    waits
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_at_most_one_slot_longer_while_everything_is_read() {
    let alone = waits(&Mirrored::still(|options| options.sandbox.contacts = 2_500)).await;
    let beside = waits(&Mirrored::running(|options| options.sandbox.contacts = 2_500)).await;
    let (slot, p95) = (Duration::from_secs(1) / 6, 18);
    assert!(beside[p95] <= alone[p95] + slot + Duration::from_millis(2), "{:?} against {:?}", beside[p95], alone[p95]);
}
