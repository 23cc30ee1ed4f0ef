//! The script that keeps the quota, on a real server, with the gates of several replicas in this process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callcard::crm::gate::{Gate, Settings as GateSettings};
use callcard::metrics::Metrics;
use callcard::outcome::Class;
use callcard::shared::{Ledger, Settings, Shared};
use secrecy::SecretString;
use tokio::time::{Instant, sleep};

use crate::harness::Redis;

/// One replica's gate.
fn gate(redis: &Redis) -> Arc<Gate> {
    let secret = |text: &str| SecretString::from(text.to_owned());
    let metrics = Arc::new(Metrics::new());
    let settings = Settings::new(secret(&redis.url()), secret("a secret of sixteen"), "acme.kommo.com".to_owned());
    let shared = Shared::open(settings, Arc::clone(&metrics)).unwrap();
    let gate = GateSettings::default();
    Arc::new(Gate::in_fleet(gate, metrics, Ledger::new(shared, &gate)))
}

#[tokio::test]
async fn live_calls_hardly_wait_for_greedy_background_work_elsewhere() {
    let redis = Redis::start();
    let (live, greedy) = (gate(&redis), gate(&redis));
    sleep(Duration::from_millis(3_000)).await;
    let end = Instant::now() + Duration::from_secs(6);
    let background = tokio::spawn(async move {
        let mut calls = 0;
        while Instant::now() < end {
            if let Ok(pass) = greedy.admit(Class::Background, Instant::now() + Duration::from_secs(2)).await {
                calls += 1;
                pass.settle(Ok(()));
            }
        }
        calls
    });
    let mut waits = Vec::new();
    while Instant::now() + Duration::from_millis(500) < end {
        let asked = Instant::now();
        live.admit(Class::Live, asked + Duration::from_secs(8)).await.unwrap().settle(Ok(()));
        waits.push(asked.elapsed());
        sleep(Duration::from_millis(341)).await;
    }
    waits.sort_unstable();
    let usual = waits[waits.len() / 2];
    // The interval that a background call has just begun, and the way to the server.
    assert!(usual <= Duration::from_millis(167 + 30), "{waits:?}");
    let calls = background.await.unwrap();
    assert!((3..=17).contains(&calls), "{calls} background calls in six seconds");
}

#[tokio::test]
async fn a_call_that_cannot_be_in_time_is_refused_and_takes_no_slot() {
    let redis = Redis::start();
    let (one, other) = (gate(&redis), gate(&redis));
    sleep(Duration::from_millis(3_000)).await;
    let calls = Arc::new(Mutex::new(0_usize));
    let begin = Instant::now();
    let callers: Vec<_> = (0..12)
        .map(|n| {
            let (gate, calls) = (Arc::clone(if n % 2 == 0 { &one } else { &other }), Arc::clone(&calls));
            tokio::spawn(async move {
                if let Ok(pass) = gate.admit(Class::Live, begin + Duration::from_millis(700)).await {
                    *calls.lock().unwrap() += 1;
                    pass.settle(Ok(()));
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let admitted = *calls.lock().unwrap();
    assert!((1..=5).contains(&admitted), "{admitted} of twelve within 0.7 s");
    let asked = Instant::now();
    let next = one.admit(Class::Live, asked + Duration::from_secs(2)).await.unwrap();
    assert!(
        asked.elapsed() <= Duration::from_millis(2 * 167 + 60),
        "the refused left nothing behind: {:?}",
        asked.elapsed()
    );
    next.settle(Ok(()));
}
