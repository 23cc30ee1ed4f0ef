//! What the operator reads of a CRM that is gone: that it is, why, and when it is back. Not one line for each caller.

use std::time::Duration;

use tokio::time::sleep;

use crate::harness::log::Log;
use crate::harness::service::Service;

const MINUTE: Duration = Duration::from_secs(60);
const GONE: &str = "WARN the CRM fails: callers who are not in the cache get no card";
const STILL_GONE: &str = "WARN the CRM still fails";
const BACK: &str = "INFO the CRM answers again";
const SUSPENDED: &str = "calls to the CRM are suspended";

/// A service that has answered once, and a log from then on.
async fn begun() -> (Service, Log) {
    let service = Service::warmed(|_| {}).await;
    assert_eq!(service.lookup("+14155550123", "").await.status, 200);
    (service, Log::listen())
}

/// Somebody nobody knows calls.
async fn stranger(service: &Service, number: usize) {
    service.lookup(&format!("+1646555{number:04}"), "").await;
}

#[tokio::test(start_paused = true)]
async fn three_calls_in_a_quiet_hour_are_enough_to_tell_that_the_crm_is_gone() {
    for (fault, outcome) in [
        ("all:reset", "connect"),
        ("all:stall", "timeout"),
        ("all:500", "server_error"),
        ("all:hollow", "malformed"),
        ("contacts_query:403", "forbidden"),
    ] {
        let (service, log) = begun().await;
        service.sandbox.inject(fault.parse().unwrap());
        for number in 0..3 {
            stranger(&service, number).await;
            sleep(MINUTE).await;
        }
        service.sandbox.clear_faults();
        stranger(&service, 3).await;
        sleep(MINUTE).await;

        let events = log.events();
        let ours: Vec<_> =
            events.iter().filter(|(said, _)| said.contains("the CRM ") && !said.contains("look into")).collect();
        assert_eq!(ours.len(), 2, "{fault}: {events:?}");
        assert_eq!((ours[0].0.as_str(), &ours[0].1["upstream.outcome"]), (GONE, &outcome.into()), "{fault}");
        assert_eq!(ours[1].0, BACK, "{fault}");
        let seconds = ours[1].1["seconds"].as_u64().unwrap();
        assert!((170..=185).contains(&seconds), "{fault}: {seconds}");
        assert!(!log.text().contains("646555"), "no number in the log");
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_the_crm_is_told_twelve_times_whoever_calls() {
    for (fault, suspended) in [("all:reset", format!("WARN {SUSPENDED}")), ("all:401", format!("ERROR {SUSPENDED}"))] {
        let (service, log) = begun().await;
        service.sandbox.inject(fault.parse().unwrap());
        for number in 0..720 {
            stranger(&service, number).await;
            sleep(Duration::from_secs(5)).await;
        }
        service.sandbox.clear_faults();
        sleep(2 * MINUTE).await;
        stranger(&service, 9_999).await;

        assert_eq!((log.count(GONE), log.count(BACK)), (1, 1), "{fault}: {}", log.text());
        assert!((10..=12).contains(&log.count(STILL_GONE)), "{fault}: {}", log.count(STILL_GONE));
        assert_eq!(log.count(&suspended), 1, "{fault}: {}", log.text());
        assert!(log.events().len() <= 16, "{fault}: {}", log.text());
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_pauses_is_told_as_one() {
    let (service, log) = begun().await;
    service.sandbox.inject("all:429".parse().unwrap());
    for number in 0..720 {
        stranger(&service, number).await;
        sleep(Duration::from_secs(5)).await;
    }
    assert_eq!((log.count(GONE), log.count("WARN the CRM asked for a pause")), (1, 1), "{}", log.text());
    assert!(log.events().len() <= 14, "{}", log.text());
}
