//! The search goes wrong: nobody can be found.

use callcard::sandbox::Endpoint;
use callcard::sandbox::fixtures::people::ANNA;
use http::StatusCode;
use tokio::time::sleep;

use super::meaning::{AsAnswer, Then};
use super::{HARD, MINUTE, SECOND, SOFT_AND_A_BIT, Struck, assert_named, service, service_that_knows_anna, timed};
use crate::harness::service::patient;

/// A typed error in time, an empty line in text form, and no further call for it.
pub(super) async fn nobody_knows_the_caller(fault: &Struck) {
    let (service, rule) = (service().await, &fault.rule);
    fault.strike(&service, Endpoint::ContactsQuery);

    let (got, took) = timed(&service, "").await;

    assert!(took <= HARD, "{rule}: {took:?}");
    let Some((status, code, retry_after)) = fault.meaning.refusal() else {
        let nobody = fault.meaning.as_answer == AsAnswer::Nothing;
        assert_eq!(got.status, if nobody { StatusCode::NOT_FOUND } else { StatusCode::OK }, "{rule}");
        assert!(got.cache_status().starts_with("callcard; fwd=miss"), "{rule}: {}", got.cache_status());
        let calls = service.searches();
        return fault.counted(&service, Endpoint::ContactsQuery, fault.meaning.outcome, calls).await;
    };
    assert_eq!(got.problem(), (status, code.to_owned()), "{rule}");
    assert_eq!(got.header("retry-after"), retry_after, "{rule}");
    assert_eq!(got.cache_status(), format!("callcard; fwd=miss; detail={code}"), "{rule}");
    assert!(!got.body.contains("5550123"), "{rule}: no number in an error");

    let (text, took) = timed(&service, "&format=text").await;
    assert_eq!((text.status, text.body.as_str()), (StatusCode::OK, ""), "{rule}");
    // A pause that the second caller would have to wait through is a quota that cannot be met.
    let is_told = ["; detail=upstream-", "; detail=overloaded"].iter().any(|told| text.cache_status().contains(told));
    assert!(is_told, "{rule}: {}", text.cache_status());
    assert!(took <= HARD, "{rule}: {took:?}");
    let again = if fault.meaning.outlasts_patience() { 0 } else { 1 };
    let calls = fault.meaning.calls + again;
    assert_eq!(service.searches(), calls, "{rule}: the second caller costs nothing");
    fault.counted(&service, Endpoint::ContactsQuery, fault.meaning.outcome, calls).await;
}

/// The card that is known, marked as stale, again and again without asking each time; and it recovers by itself.
pub(super) async fn the_cache_knows_the_caller(fault: &Struck) {
    if fault.meaning.is_answered() {
        return; // Then the answer is a new one, and `nobody_knows_the_caller` has seen it.
    }
    let (service, rule) = (service_that_knows_anna().await, &fault.rule);
    fault.strike(&service, Endpoint::ContactsQuery);

    for round in 0..3 {
        let (got, took) = timed(&service, "").await;
        let json = got.json();
        assert_eq!(got.status, StatusCode::OK, "{rule} round {round}");
        assert_eq!((json["contact"]["id"].as_u64(), json["cache"]["stale"].as_bool()), (Some(ANNA), Some(true)));
        assert!(got.cache_status().starts_with("callcard; hit; ttl=-"), "{rule}: {}", got.cache_status());
        assert!(got.cache_status().contains("; detail="), "{rule}: {}", got.cache_status());
        assert!(took <= SOFT_AND_A_BIT, "{rule} round {round}: {took:?}");
        assert_named(&service, rule).await;
        sleep(SECOND).await;
    }
    // What the CRM asked us to wait for is kept for everybody, not for this number: it is asked once after each pause.
    let most = if matches!(fault.meaning.then, Then::Pause { .. }) { 3 } else { fault.meaning.calls };
    let calls = service.searches();
    assert!((fault.meaning.calls..=most).contains(&calls), "{rule}: {calls} calls for six callers");

    service.sandbox.clear_faults();
    sleep(2 * MINUTE).await;
    let (got, _) = timed(&service, &patient()).await;
    assert_eq!(got.json()["cache"]["stale"], false, "{rule}: it recovers by itself");
}
