//! The names behind ids go wrong: the card is there, with ids only, or with the names known before.

use callcard::sandbox::Endpoint;
use callcard::sandbox::fixtures::people::ANNA;
use http::StatusCode;
use serde_json::Value;

use super::{HARD, Struck, assert_named, service_that_knows_anna, small, timed};
use crate::harness::service::Service;

/// The name on a card that comes from this list.
fn name(card: &Value, endpoint: Endpoint) -> &Value {
    match endpoint {
        Endpoint::Pipelines => &card["leads"][0]["stage"],
        Endpoint::Users => &card["contact"]["owner"]["name"],
        Endpoint::Companies => &card["contact"]["company"]["name"],
        other => panic!("{other:?} has no names"),
    }
}

/// Nothing is loaded yet, and this list will not be.
pub(super) async fn nobody_knows_the_caller(fault: &Struck, endpoint: Endpoint) {
    let (service, rule) = (Service::new(small), &fault.rule);
    fault.strike(&service, endpoint);

    let (got, took) = timed(&service, "").await;

    assert!(took <= HARD, "{rule} at {endpoint:?}: {took:?}");
    let card = got.json();
    assert_eq!((got.status, card["contact"]["id"].as_u64()), (StatusCode::OK, Some(ANNA)), "{rule} at {endpoint:?}");
    let is_named = fault.meaning.as_answer == super::meaning::AsAnswer::Whole;
    assert_eq!(name(&card, endpoint).is_string(), is_named, "{rule} at {endpoint:?}: {card}");
    assert_named(&service, rule).await;
    let calls = service.sandbox.count(endpoint);
    assert_eq!(calls, fault.meaning.calls, "{rule} at {endpoint:?}");
    fault.counted(&service, endpoint, fault.meaning.outcome, calls).await;
}

/// The names of before are good enough, and nobody is asked.
pub(super) async fn the_cache_knows_the_caller(fault: &Struck, endpoint: Endpoint) {
    let (service, rule) = (service_that_knows_anna().await, &fault.rule);
    fault.strike(&service, endpoint);

    let (got, _) = timed(&service, "").await;

    let card = got.json();
    assert_eq!((got.status, card["cache"]["stale"].as_bool()), (StatusCode::OK, Some(false)), "{rule} at {endpoint:?}");
    assert!(name(&card, endpoint).is_string(), "{rule} at {endpoint:?}: {card}");
    assert_eq!(service.sandbox.count(endpoint), 0, "{rule} at {endpoint:?}");
}
