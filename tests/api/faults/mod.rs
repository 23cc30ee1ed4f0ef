//! The sandbox's whole list of faults, each wherever it can strike: how the call is counted, what a caller is told whom nobody knows and one
//! whom the cache knows, and how many calls reach the CRM.
//!
//! One test a fault, for all endpoints. What each fault means is written once, in [`meaning`]; a fault without a meaning does not
//! compile, and one without a test fails [`every_fault_has_a_test`].

mod account;
mod leads;
mod meaning;
mod names;
mod search;

use std::time::Duration;

use callcard::sandbox::{Endpoint, FaultRule};
use http::StatusCode;
use tokio::time::{Instant, sleep};

use self::meaning::{Meaning, meaning};
use crate::harness::service::{Got, Options, Service};

const ANNA_PHONE: &str = "+14155550123";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// A stale card comes within the soft deadline and this.
const SOFT_AND_A_BIT: Duration = Duration::from_millis(350);
const HARD: Duration = Duration::from_millis(1_500);

/// A test for each fault, and the list of them.
macro_rules! each_fault {
    ($($name:ident: $rule:literal;)+) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                everywhere($rule).await;
            }
        )+

        const RULES: &[&str] = &[$($rule),+];
    };
}

each_fault! {
    bad_request: "400";
    refused_credentials: "401";
    not_paid: "402";
    missing_right: "403";
    blocked_address: "block";
    not_found: "404";
    unprocessable: "422";
    rate_limited_in_the_body: "429=3s";
    rate_limited_in_the_header: "429-header=3s";
    rate_limited_in_html: "429-html";
    server_error: "500";
    bad_gateway: "502";
    service_unavailable: "503";
    gateway_timeout: "504";
    redirect: "redirect=https://elsewhere.example/";
    no_content: "204";
    slow: "slow=8s";
    drip: "drip=20s";
    stall: "stall";
    stall_in_the_body: "stall-body";
    reset: "reset";
    cut: "cut";
    truncated: "truncated";
    empty_body: "empty";
    html: "html";
    hollow: "hollow";
    huge: "huge=5MiB";
    gzip: "gzip";
    skewed_clock: "skew=1h";
}

async fn everywhere(rule: &str) {
    let fault = Struck::by(rule);
    search::nobody_knows_the_caller(&fault).await;
    search::the_cache_knows_the_caller(&fault).await;
    leads::nobody_knows_the_caller(&fault).await;
    leads::the_cache_knows_the_caller(&fault).await;
    for endpoint in [Endpoint::Pipelines, Endpoint::Users, Endpoint::Companies] {
        names::nobody_knows_the_caller(&fault, endpoint).await;
        names::the_cache_knows_the_caller(&fault, endpoint).await;
    }
    account::is_asked(&fault).await;
}

#[test]
fn every_fault_has_a_test() {
    let word = |rule: &'static str| rule.split('=').next().unwrap();
    let tested: Vec<_> = RULES.iter().map(|rule| word(rule)).collect();
    let listed: Vec<_> = callcard::sandbox::fault::FAULTS.iter().map(|fault| fault.word).collect();
    assert_eq!(tested, listed);
}

/// A fault and what it means.
struct Struck {
    rule: String,
    meaning: Meaning,
}

impl Struck {
    fn by(rule: &str) -> Self {
        let parsed: FaultRule = format!("all:{rule}").parse().unwrap();
        Self { rule: rule.to_owned(), meaning: meaning(&parsed.fault) }
    }

    /// From now on every request to this endpoint meets it.
    fn strike(&self, service: &Service, endpoint: Endpoint) {
        service.sandbox.inject(format!("{}:{}", endpoint.as_str(), self.rule).parse().unwrap());
    }

    /// The calls to the endpoint were counted under this word, and under no other but `short_circuited`.
    async fn counted(&self, service: &Service, endpoint: Endpoint, outcome: &str, calls: usize) {
        sleep(11 * SECOND).await; // Until a call that nobody waits for any more has ended, too.
        let mut counted = service.outcomes(endpoint.as_str()).await;
        if endpoint == Endpoint::Account {
            // The groups of users, which came with the account before the fault struck.
            counted.iter_mut().filter(|(outcome, _)| outcome == "ok").for_each(|(_, calls)| *calls -= 1);
            counted.retain(|(_, calls)| *calls > 0);
        }
        assert_eq!(counted, [(outcome.to_owned(), calls)], "{} at {endpoint}", self.rule);
    }
}

/// The service with a small account, its names loaded, and nothing counted yet.
async fn service() -> Service {
    Service::warmed(small).await
}

fn small(options: &mut Options) {
    options.sandbox.contacts = 60;
}

async fn timed(service: &Service, more: &str) -> (Got, Duration) {
    let began = Instant::now();
    (service.lookup(ANNA_PHONE, more).await, began.elapsed())
}

/// A service that has answered once and whose answer is stale by now.
async fn service_that_knows_anna() -> Service {
    let service = service().await;
    assert_eq!(service.lookup(ANNA_PHONE, "").await.status, StatusCode::OK);
    sleep(11 * MINUTE).await;
    service.sandbox.reset_calls();
    service
}

/// Her name on a telephone's display.
async fn assert_named(service: &Service, rule: &str) {
    let (text, took) = timed(service, "&format=text").await;
    assert_eq!((text.status, text.body.as_str()), (StatusCode::OK, "Anna Ivanova"), "{rule}");
    assert!(took <= HARD, "{rule}: {took:?}");
}
