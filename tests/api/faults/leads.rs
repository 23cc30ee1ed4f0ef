//! The leads go wrong: the card is there, with ids where details would stand.

use callcard::sandbox::Endpoint;
use callcard::sandbox::fixtures::people::ANNA;
use http::StatusCode;

use super::meaning::AsAnswer;
use super::{HARD, Struck, assert_named, service, service_that_knows_anna, timed};
use crate::harness::service::{Got, Service};

/// The card without the leads' details, as soon as it is clear that they will not come.
pub(super) async fn nobody_knows_the_caller(fault: &Struck) {
    let service = service().await;
    card(fault, &service, "callcard; fwd=miss").await;
}

/// The same, if that is clear within the soft deadline; otherwise the old card, which has its leads. A retry takes too long.
pub(super) async fn the_cache_knows_the_caller(fault: &Struck) {
    let service = service_that_knows_anna().await;
    let late = fault.meaning.as_answer == AsAnswer::Late || fault.meaning.calls > 1;
    card(fault, &service, if late { "callcard; hit; ttl=-" } else { "callcard; fwd=stale" }).await;
}

async fn card(fault: &Struck, service: &Service, cache_status: &str) {
    fault.strike(service, Endpoint::Leads);
    let before = service.outcomes("leads").await;

    let (got, took) = timed(service, "").await;

    let rule = &fault.rule;
    assert!(took <= HARD, "{rule}: {took:?}");
    assert_eq!((got.status, got.json()["contact"]["id"].as_u64()), (StatusCode::OK, Some(ANNA)), "{rule}");
    assert!(got.cache_status().starts_with(cache_status), "{rule}: {}", got.cache_status());
    let is_stale = cache_status.contains("ttl=-");
    assert_leads(&got, if is_stale { AsAnswer::Whole } else { fault.meaning.as_answer }, rule);
    assert_named(service, rule).await;
    if before.is_empty() {
        let calls = service.sandbox.count(Endpoint::Leads);
        assert_eq!(calls, fault.meaning.calls, "{rule}");
        fault.counted(service, Endpoint::Leads, fault.meaning.outcome, calls).await;
    }
}

fn assert_leads(got: &Got, as_answer: AsAnswer, rule: &str) {
    let json = got.json();
    let leads = json["leads"].as_array().unwrap();
    match as_answer {
        AsAnswer::Whole => {
            assert!(leads.len() == 3 && leads.iter().all(|lead| lead["stage"].is_string()), "{rule}: {json}")
        }
        // Asked for and not there: deleted.
        AsAnswer::Nothing => assert!(leads.is_empty(), "{rule}: {json}"),
        AsAnswer::Failed | AsAnswer::Late => {
            assert!(
                leads.len() == 3 && leads.iter().all(|lead| lead["id"].is_u64() && lead["stage"].is_null()),
                "{rule}: {json}"
            );
        }
    }
    let is_partial = matches!(as_answer, AsAnswer::Failed | AsAnswer::Late);
    // The company's name, which is asked for at the same time, may lack too.
    assert_eq!(json["partial"][0] == "leads", is_partial, "{rule}: {json}");
}
