//! OAuth2 from a caller's side: tokens come and go, and callers get their cards.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callcard::crm::gate::{BreakerState, Reason};
use callcard::sandbox::Endpoint;
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::harness::service::{Options, Service, patient};

const ANNA: &str = "+14155550123";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// A service with OAuth2, whose tokens live as long as the folder.
async fn service(change: impl FnOnce(&mut Options)) -> (Service, TempDir) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("token.json");
    let service = Service::warmed(|options| {
        options.token_file = Some(path);
        options.sandbox.rate = None;
        change(options);
    })
    .await;
    (service, folder)
}

fn kept(folder: &TempDir, member: &str) -> String {
    let text = std::fs::read_to_string(folder.path().join("token.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()[member].as_str().unwrap().to_owned()
}

fn renewals(service: &Service) -> usize {
    service.sandbox.count(Endpoint::Oauth)
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_crm_refuses_is_renewed_once_and_the_caller_gets_the_card() {
    let (service, folder) = service(|_| {}).await;
    sleep(HOUR).await;
    service.sandbox.revoke_token(&kept(&folder, "access_token"));

    let got = service.lookup(ANNA, "").await;

    assert_eq!((got.status.as_u16(), got.cache_status()), (200, "callcard; fwd=miss"), "{}", got.body);
    assert_eq!((renewals(&service), service.searches()), (1, 2));
    assert_eq!(service.gate.state().breaker, BreakerState::Closed);
    assert_eq!(service.metric(r#"token_refreshes_total{outcome="renewed"}"#).await, 2.0, "the first one at the start");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_crm_takes_back_at_once_is_renewed_once_too() {
    let (service, folder) = service(|_| {}).await;
    assert_eq!(service.lookup(ANNA, "").await.status, 200);
    service.sandbox.revoke_token(&kept(&folder, "access_token"));

    let got = service.lookup("+14155550167", "&notfound=200").await;

    assert_eq!((got.status.as_u16(), renewals(&service)), (200, 1), "{}", got.body);
    assert_eq!(service.gate.state().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn many_callers_with_a_refused_token_make_one_renewal_and_all_get_an_answer() {
    let (service, folder) = service(|options| options.gate.rate = 100).await;
    sleep(HOUR).await;
    service.sandbox.revoke_token(&kept(&folder, "access_token"));

    let others: Vec<_> = (30..50).map(|line| format!("+14155550{line:03}")).collect();
    let (same, others) = tokio::join!(
        join_all((0..500).map(|_| service.lookup(ANNA, "&deadline_ms=8000"))),
        join_all(others.iter().map(|phone| service.lookup(phone, "&deadline_ms=8000"))),
    );

    assert!(same.iter().all(|got| got.status == 200));
    assert!(others.iter().all(|got| matches!(got.status.as_u16(), 200 | 404)), "{:?}", others.first());
    assert_eq!(renewals(&service), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_costs_the_caller_one_request_more_and_nothing_else() {
    let (service, _folder) = service(|_| {}).await;
    sleep(25 * HOUR).await;
    service.sandbox.reset_calls();
    let got = service.lookup(ANNA, "").await;
    assert_eq!((got.status.as_u16(), renewals(&service), service.searches()), (200, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn for_a_week_no_caller_meets_a_renewal() {
    let (service, folder) = service(|_| {}).await;
    let keeper = tokio::spawn({
        let tokens = service.tokens.clone();
        async move { tokens.keep_fresh().await }
    });
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..7 * 24 {
        sleep(HOUR).await;
        service.sandbox.reset_calls();
        assert_eq!(service.lookup(ANNA, "&max_age=0").await.status, 200);
        assert_eq!(renewals(&service), 0, "the keeper was there before");
        tokens.insert(kept(&folder, "access_token"));
    }
    assert!((7..=9).contains(&tokens.len()), "{}", tokens.len());
    keeper.abort();
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_a_renewal_is_survived_while_the_crm_has_its_grace() {
    for lost in ["oauth:reset*1", "oauth:truncated*1", "oauth:empty*1", "oauth:html*1", "oauth:stall*1"] {
        let (service, folder) = service(|options| options.sandbox.oauth.grace = true).await;
        let before = kept(&folder, "refresh_token");
        sleep(25 * HOUR).await;
        service.sandbox.inject(lost.parse().unwrap());

        let mut got = service.lookup(ANNA, &patient()).await;
        if lost.contains("stall") {
            assert_eq!(got.status, 504, "the answer was waited for longer than a caller would");
            sleep(30 * SECOND).await;
            got = service.lookup(ANNA, &patient()).await;
        }

        assert_eq!(got.status, 200, "{lost}: {}", got.body);
        assert_ne!(kept(&folder, "refresh_token"), before, "{lost}");
        assert_eq!(renewals(&service), 2, "{lost}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_services_on_one_file_renew_once_between_them() {
    let (one, folder) = service(|_| {}).await;
    let path = folder.path().join("token.json");
    let other = Service::beside(&one, |options| options.token_file = Some(path));
    // As `serve` does at its start. Later, it would take the pair for a new one: its age is told by the wall's clock, which does not jump.
    other.tokens.open().await.unwrap();
    sleep(HOUR).await;
    one.sandbox.revoke_token(&kept(&folder, "access_token"));

    let patient = patient();
    let (first, second) = tokio::join!(one.lookup(ANNA, &patient), other.lookup(ANNA, &patient));

    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    assert_eq!(renewals(&one), 1);
    assert_eq!(other.metric(r#"token_refreshes_total{outcome="refused"}"#).await, 0.0);
}

#[tokio::test(start_paused = true)]
async fn refused_from_the_start_it_is_unready_by_the_gates_rule_and_says_so_once() {
    let log = Log::default();
    let _subscribed = tracing::subscriber::set_default(log.clone());
    let folder = TempDir::new().unwrap();
    let service = Service::new(|options| options.token_file = Some(folder.path().join("token.json")));
    service.sandbox.adjust(|settings| settings.oauth.client_secret = "another".to_owned());

    assert_eq!(service.lookup(ANNA, "").await.status, 502);
    assert!(service.gate.credentials_refused());
    for _ in 0..60 {
        sleep(60 * SECOND).await;
        assert!(service.lookup(ANNA, "").await.status.is_server_error());
    }

    assert_eq!(log.count(Level::ERROR, "refuses to renew"), 1);
    assert_eq!(log.count(Level::ERROR, "suspended"), 1, "the breaker's own line");
    let asked = renewals(&service);
    assert!((5..=20).contains(&asked), "once a minute at first, then ever less: {asked}");
}

#[tokio::test(start_paused = true)]
async fn when_renewals_are_refused_stale_cards_are_served_and_no_secret_is_logged() {
    let log = Log::default();
    let _subscribed = tracing::subscriber::set_default(log.clone());
    let (service, folder) = service(|_| {}).await;
    sleep(2 * HOUR).await;
    assert_eq!(service.lookup(ANNA, "").await.status, 200);
    let secrets = [kept(&folder, "access_token"), kept(&folder, "refresh_token")];
    service.sandbox.revoke_token(&secrets[0]);
    service.sandbox.revoke_token(&secrets[1]);
    sleep(HOUR).await;

    let got = service.lookup(ANNA, "").await;

    assert_eq!(got.status, 200, "{}", got.body);
    assert!(got.cache_status().contains("ttl=-3000; detail=error"), "{}", got.cache_status());
    assert_ne!(service.gate.state().breaker, BreakerState::Closed);
    assert!(!service.gate.credentials_refused(), "they worked before: other instances would fare no better");
    assert_eq!(service.lookup("+14155550199", "").await.problem().0 / 100, 5);
    assert_eq!(log.count(Level::ERROR, "refuses to renew"), 1);
    let shown = format!("{} {:?} {:?}", log.text(), service.tokens, service.tokens.report());
    for secret in secrets.iter().map(String::as_str).chain(["sandbox-secret", "sandbox-refresh-token"]) {
        assert!(!shown.contains(secret), "a secret was shown");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_that_is_refused_is_an_answer_and_not_a_reason_to_renew_for_ever() {
    let (service, _folder) = service(|_| {}).await;
    sleep(HOUR).await;
    service.sandbox.inject("contacts_query:401".parse().unwrap());
    assert_eq!(service.lookup(ANNA, "").await.status, 502);
    assert!(matches!(service.gate.state().breaker, BreakerState::Open { reason: Reason::Credentials, .. }));
    for n in 0..20 {
        let _ = service.lookup(&format!("+141555501{n:02}"), "").await;
    }
    assert_eq!((renewals(&service), service.searches()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_is_replaced_only_if_the_configured_token_still_works() {
    let (service, folder) = service(|_| {}).await;
    let path = folder.path().join("token.json");
    std::fs::write(&path, "{\"version\": 1, \"acc").unwrap();

    // The configured refresh token was spent at the start: nothing can be done, and nothing is touched.
    let late = Service::beside(&service, |options| options.token_file = Some(path.clone()));
    assert_eq!(late.lookup(ANNA, "").await.status, 502);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"version\": 1, \"acc");

    let anew = Service::new(|options| options.token_file = Some(path.clone()));
    assert_eq!(anew.lookup(ANNA, "").await.status, 200);
    assert_eq!(kept(&folder, "client_id"), "sandbox-client");
    assert_eq!(
        anew.tokens.current(callcard::crm::Ask::live(SECOND)).await.unwrap().secret().expose_secret(),
        kept(&folder, "access_token")
    );
}

/// Everything that is logged in this thread.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

impl Log {
    fn count(&self, level: Level, words: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|(l, text)| *l == level && text.contains(words)).count()
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().iter().map(|(level, text)| format!("{level} {text}\n")).collect()
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
