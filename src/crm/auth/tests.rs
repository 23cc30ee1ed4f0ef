//! Renewals against a scripted token endpoint and a store in memory: how often the CRM is asked, and what callers get.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::{advance, sleep};

use super::*;
use crate::crm::gate;
use crate::crm::{CrmRequest, CrmResponse, TransportError};
use crate::outcome::RefreshOutcome;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// What the token endpoint does next.
#[derive(Clone, Copy)]
enum Step {
    /// The pair with this number, for a day.
    Grant(u32),
    /// This status, in the API's words.
    Problem(u16),
    /// No answer, though there was one.
    Lost,
    /// The same after a while.
    Slow(u32),
}

#[derive(Default)]
struct Endpoint {
    steps: Mutex<VecDeque<Step>>,
    /// The bodies that came.
    asked: Mutex<Vec<Value>>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint")
    }
}

impl Transport for Endpoint {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        assert_eq!((request.method, request.path_and_query.as_str()), (http::Method::POST, "/oauth2/access_token"));
        assert!(request.bearer.is_none());
        self.asked.lock().unwrap().push(serde_json::from_slice(&request.json.unwrap()).unwrap());
        let step = self.steps.lock().unwrap().pop_front().expect("no request beyond the script");
        answer(step).boxed()
    }
}

async fn answer(step: Step) -> Result<CrmResponse, TransportError> {
    let (status, body) = match step {
        Step::Grant(number) => (200, granted(number)),
        Step::Problem(status) => (status, json!({"hint": "Token has been revoked", "status": status})),
        Step::Lost => return Err(TransportError::Connect),
        Step::Slow(number) => {
            sleep(2 * SECOND).await;
            (200, granted(number))
        }
    };
    Ok(CrmResponse {
        status: StatusCode::from_u16(status).unwrap(),
        content_type: Some("application/json".to_owned()),
        retry_after: None,
        date: None,
        body: Bytes::from(body.to_string()),
    })
}

fn granted(number: u32) -> Value {
    json!({"token_type": "Bearer", "expires_in": 86_400, "access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}")})
}

/// A store that lasts as long as the test.
#[derive(Clone, Debug, Default)]
struct Memory {
    kept: Arc<Mutex<Option<Pair>>>,
    /// Saving fails so many times.
    failures: Arc<Mutex<u32>>,
    /// Another process puts this there while the CRM is asked.
    meanwhile: Arc<Mutex<Option<Pair>>>,
}

impl TokenStore for Memory {
    fn load(&self) -> BoxFuture<'_, Result<Option<Pair>, StoreError>> {
        async { Ok(self.kept.lock().unwrap().clone()) }.boxed()
    }

    fn lease(&self, _: Duration) -> BoxFuture<'_, Result<Box<dyn Lease>, StoreError>> {
        let lease: Box<dyn Lease> = Box::new(MemoryLease { store: self.clone(), loads: 0 });
        async { Ok(lease) }.boxed()
    }
}

struct MemoryLease {
    store: Memory,
    loads: u32,
}

impl Lease for MemoryLease {
    fn load(&mut self) -> BoxFuture<'_, Result<Option<Pair>, StoreError>> {
        self.loads += 1;
        if self.loads == 2
            && let Some(pair) = self.store.meanwhile.lock().unwrap().take()
        {
            *self.store.kept.lock().unwrap() = Some(pair);
        }
        async { Ok(self.store.kept.lock().unwrap().clone()) }.boxed()
    }

    fn save<'a>(&'a mut self, pair: &'a Pair) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut failures = self.store.failures.lock().unwrap();
        let failed = *failures > 0;
        *failures = failures.saturating_sub(1);
        if !failed {
            *self.store.kept.lock().unwrap() = Some(pair.clone());
        }
        let full = StoreError::Io { path: "t".into(), done: "written", kind: std::io::ErrorKind::StorageFull };
        async move { if failed { Err(full) } else { Ok(()) } }.boxed()
    }
}

/// A pair that was issued so long ago, for a day.
fn pair(number: u32, age: Duration) -> Pair {
    let issued_at = Timestamp::now() - SignedDuration::try_from(age).unwrap();
    Pair {
        access: format!("access-{number}").into(),
        refresh: format!("refresh-{number}").into(),
        issued_at,
        expires_at: issued_at + SignedDuration::from_hours(24),
    }
}

struct Bench {
    tokens: TokenSource,
    endpoint: Arc<Endpoint>,
    store: Memory,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

impl Bench {
    fn new(kept: Option<Pair>, steps: &[Step]) -> Self {
        let (endpoint, metrics) = (Arc::new(Endpoint::default()), Arc::new(Metrics::new()));
        endpoint.steps.lock().unwrap().extend(steps);
        let store = Memory::default();
        *store.kept.lock().unwrap() = kept;
        let gate = Arc::new(Gate::new(gate::Settings::default(), Arc::clone(&metrics)));
        let integration = Integration {
            client_id: "8c1f".to_owned(),
            client_secret: "s3cret".into(),
            redirect_uri: "https://calls.example.net/oauth".to_owned(),
            refresh_token: "refresh-0".into(),
        };
        let (wire, keep) = (Arc::clone(&endpoint), Arc::new(store.clone()));
        let tokens =
            TokenSource::oauth(integration, keep, Times::default(), wire, Arc::clone(&gate), Arc::clone(&metrics));
        Self { tokens, endpoint, store, gate, metrics }
    }

    async fn current(&self) -> Result<String, CrmError> {
        let token = self.tokens.current(Ask::live(8 * SECOND)).await;
        token.map(|token| token.secret().expose_secret().to_owned())
    }

    /// The refresh tokens the CRM was asked with.
    fn asked(&self) -> Vec<String> {
        let asked = self.endpoint.asked.lock().unwrap();
        asked.iter().map(|grant| grant["refresh_token"].as_str().unwrap().to_owned()).collect()
    }

    fn kept(&self) -> String {
        self.store.kept.lock().unwrap().as_ref().map_or("none", |pair| pair.refresh.expose_secret()).to_owned()
    }

    fn counted(&self, outcome: RefreshOutcome) -> u64 {
        let line = format!("callcard_token_refreshes_total{{outcome=\"{outcome}\"}} ");
        let text = self.metrics.encode().unwrap();
        text.lines().find_map(|l| l.strip_prefix(&line)).unwrap().parse().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_refresh_token_is_exchanged_as_the_crm_wants_it_and_the_pair_is_kept() {
    let bench = Bench::new(None, &[Step::Grant(1)]);
    assert_eq!(bench.current().await.as_deref(), Ok("access-1"));
    assert_eq!(bench.current().await.as_deref(), Ok("access-1"));
    assert_eq!(
        *bench.endpoint.asked.lock().unwrap(),
        [json!({
            "client_id": "8c1f", "client_secret": "s3cret", "grant_type": "refresh_token",
            "refresh_token": "refresh-0", "redirect_uri": "https://calls.example.net/oauth",
        })]
    );
    assert_eq!((bench.kept(), bench.counted(RefreshOutcome::Renewed)), ("refresh-1".to_owned(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_kept_pair_is_used_without_asking() {
    let bench = Bench::new(Some(pair(5, HOUR)), &[]);
    bench.tokens.open().await.unwrap();
    assert_eq!(bench.current().await.as_deref(), Ok("access-5"));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_with_an_expired_token_make_one_renewal() {
    let bench = Bench::new(Some(pair(5, 25 * HOUR)), &[Step::Slow(6)]);
    bench.tokens.open().await.unwrap();
    let all = join_all((0..1_000).map(|_| bench.current())).await;
    assert!(all.iter().all(|token| token.as_deref() == Ok("access-6")));
    assert_eq!(bench.asked(), ["refresh-5"]);
}

#[tokio::test(start_paused = true)]
async fn callers_who_leave_do_not_stop_a_renewal() {
    let bench = Bench::new(Some(pair(5, 25 * HOUR)), &[Step::Slow(6)]);
    let impatient = bench.tokens.current(Ask::live(SECOND)).await;
    assert_eq!(impatient.unwrap_err(), CrmError::Timeout);
    sleep(2 * SECOND).await;
    assert_eq!((bench.kept(), bench.current().await), ("refresh-6".to_owned(), Ok("access-6".to_owned())));
    assert_eq!(bench.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_keeper_renews_before_the_end_and_nobody_waits() {
    let bench = Bench::new(Some(pair(5, HOUR)), &[Step::Slow(6), Step::Grant(7)]);
    bench.tokens.open().await.unwrap();
    let keeper = tokio::spawn({
        let tokens = bench.tokens.clone();
        async move { tokens.keep_fresh().await }
    });
    sleep(21 * HOUR).await;
    assert!(bench.asked().is_empty(), "two hours are left");
    for _ in 0..7_200 {
        let token = bench.tokens.current(Ask::live(Duration::from_millis(1))).await;
        assert!(token.is_ok(), "nobody waits longer than a millisecond");
        sleep(SECOND).await;
    }
    assert_eq!(bench.current().await.as_deref(), Ok("access-6"));
    sleep(24 * HOUR).await;
    assert_eq!(bench.asked(), ["refresh-5", "refresh-6"]);
    keeper.abort();
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_for_all_who_had_it() {
    let bench = Bench::new(Some(pair(5, HOUR)), &[Step::Slow(6)]);
    bench.tokens.open().await.unwrap();
    let old = bench.tokens.current(Ask::live(SECOND)).await.unwrap();
    assert!(bench.tokens.may_replace(&old));
    let ask = || Ask::live(8 * SECOND);
    let all = join_all((0..1_000).map(|_| bench.tokens.instead_of(&old, ask()))).await;
    assert!(all.iter().all(|token| token.as_ref().unwrap().secret().expose_secret() == "access-6"));
    let late = bench.tokens.instead_of(&old, ask()).await.unwrap();
    assert_eq!(late.secret().expose_secret(), "access-6");
    assert!(!bench.tokens.may_replace(&late), "a token that has only just come would not be bettered");
    advance(61 * SECOND).await;
    assert!(bench.tokens.may_replace(&late));
    assert_eq!(bench.asked(), ["refresh-5"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_just_come_is_replaced_unless_the_one_before_it_was_refused_too() {
    let bench = Bench::new(Some(pair(5, SECOND)), &[Step::Grant(6)]);
    bench.tokens.open().await.unwrap();
    let young = bench.tokens.current(Ask::live(SECOND)).await.unwrap();
    assert!(bench.tokens.may_replace(&young));
    let next = bench.tokens.instead_of(&young, Ask::live(8 * SECOND)).await.unwrap();
    assert!(!bench.tokens.may_replace(&next), "no third one right after the second");
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_another_process_renewed_is_taken_from_the_store() {
    let bench = Bench::new(Some(pair(5, HOUR)), &[]);
    bench.tokens.open().await.unwrap();
    let old = bench.tokens.current(Ask::live(SECOND)).await.unwrap();
    *bench.store.kept.lock().unwrap() = Some(pair(6, SECOND));
    let new = bench.tokens.instead_of(&old, Ask::live(SECOND)).await.unwrap();
    assert_eq!((new.secret().expose_secret(), bench.counted(RefreshOutcome::Found)), ("access-6", 1));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_believed_only_after_the_store_was_read_again() {
    let bench = Bench::new(Some(pair(5, 25 * HOUR)), &[Step::Problem(401)]);
    *bench.store.meanwhile.lock().unwrap() = Some(pair(6, SECOND));
    assert_eq!(bench.current().await.as_deref(), Ok("access-6"));
    assert_eq!(bench.asked(), ["refresh-5"]);
    assert!(!bench.gate.credentials_refused());
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_configured_refresh_token_is_tried() {
    for refusal in [400, 401] {
        let bench = Bench::new(Some(pair(5, 25 * HOUR)), &[Step::Problem(refusal), Step::Grant(1)]);
        assert_eq!(bench.current().await.as_deref(), Ok("access-1"));
        assert_eq!(
            (bench.asked(), bench.kept()),
            (vec!["refresh-5".to_owned(), "refresh-0".into()], "refresh-1".into())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_with_the_same_refresh_token() {
    let bench = Bench::new(Some(pair(5, 25 * HOUR)), &[Step::Lost, Step::Grant(6)]);
    assert_eq!(bench.current().await.as_deref(), Ok("access-6"));
    assert_eq!(bench.asked(), ["refresh-5", "refresh-5"]);
}

#[tokio::test(start_paused = true)]
async fn while_renewals_fail_the_token_in_hand_is_used_and_the_crm_is_asked_ever_less() {
    let bench = Bench::new(Some(pair(5, 24 * HOUR - 10 * 60 * SECOND)), &[Step::Problem(500); 20]);
    bench.tokens.open().await.unwrap();
    for _ in 0..500 {
        assert_eq!(bench.current().await.as_deref(), Ok("access-5"));
        sleep(SECOND).await;
    }
    let asked = bench.asked().len();
    assert!((8..=14).contains(&asked), "{asked}");
    sleep(200 * SECOND).await;
    assert!(matches!(bench.current().await, Err(CrmError::Server { status: 500 })));
    assert!(matches!(bench.current().await, Err(CrmError::Suspended { .. })), "nobody is kept waiting meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_refused_renewal_of_a_good_token_stops_no_call() {
    let bench = Bench::new(Some(pair(5, 24 * HOUR - 600 * SECOND)), &[Step::Problem(401); 8]);
    bench.tokens.open().await.unwrap();
    assert_eq!(bench.current().await.as_deref(), Ok("access-5"));
    sleep(SECOND).await;
    assert_eq!(bench.current().await.as_deref(), Ok("access-5"));
    assert_eq!(bench.gate.state().breaker, gate::BreakerState::Closed);
    assert_eq!(bench.tokens.report().outlook(Timestamp::now()), Outlook::Soon);

    sleep(700 * SECOND).await;
    assert_eq!(bench.current().await, Err(CrmError::Unauthorized));
    assert!(matches!(bench.gate.state().breaker, gate::BreakerState::Open { reason: gate::Reason::Credentials, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_is_not_kept_is_not_used_until_it_is() {
    let bench = Bench::new(Some(pair(5, 25 * HOUR)), &[Step::Grant(6)]);
    *bench.store.failures.lock().unwrap() = 2;
    assert!(matches!(bench.current().await, Err(CrmError::Suspended { .. })));
    assert_eq!(bench.kept(), "refresh-5");
    sleep(2 * SECOND).await;
    assert!(bench.current().await.is_err());
    sleep(4 * SECOND).await;
    assert_eq!(bench.current().await.as_deref(), Ok("access-6"));
    assert_eq!((bench.asked().len(), bench.kept()), (1, "refresh-6".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_renewal_that_runs_and_begins_no_other() {
    let bench = Bench::new(Some(pair(5, 25 * HOUR)), &[Step::Slow(6)]);
    let _ = bench.tokens.current(Ask::live(SECOND)).await;
    bench.tokens.close().await;
    assert_eq!(bench.kept(), "refresh-6");
    advance(25 * HOUR).await;
    assert!(bench.current().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn no_token_is_shown() {
    let bench = Bench::new(Some(pair(5, 25 * HOUR)), &[Step::Grant(6)]);
    bench.current().await.unwrap();
    let token = bench.tokens.current(Ask::live(SECOND)).await.unwrap();
    let long_lived = TokenSource::long_lived("s3cret".into(), &bench.metrics);
    let shown = format!("{:?} {token:?} {long_lived:?} {:?}", bench.tokens, bench.tokens.report());
    assert!(!shown.contains("s3cret") && !shown.contains("refresh-") && !shown.contains("access-"), "{shown}");
}

#[test]
fn a_long_lived_token_says_when_it_expires_and_is_never_replaced() {
    // {"exp":1767341100}
    let metrics = Metrics::new();
    let tokens = TokenSource::long_lived("e30.eyJleHAiOjE3NjczNDExMDB9.c".into(), &metrics);
    assert_eq!(tokens.report().expires_at.unwrap().as_second(), 1_767_341_100);
    assert_eq!(tokens.report().outlook(Timestamp::now()), Outlook::Over);
    let sample = "callcard_token_expiry_timestamp_seconds{kind=\"long_lived\"} 1767341100";
    assert!(metrics.encode().unwrap().contains(sample));
}
