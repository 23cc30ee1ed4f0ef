//! What the service's own part of a lookup costs when it is no hit: a miss, a caller who waits at another's fill, a call that is refused; and
//! what reading a number costs (`reading.rs`).
//! In one thread, without HTTP, on a clock that runs ahead whenever nobody computes, so that neither quota nor CRM takes time.
//!
//! `stocked cost miss|coalesced|refused|reading N`. *miss*: search, verification, leads, names and card from answers of the sandbox CRM, the entry forgotten
//! before each. *coalesced*: N callers wait at one fill. *refused*: N numbers nobody knows while calls to the CRM are suspended. The
//! result is one line of JSON: microseconds a call; of coalesced callers, also milliseconds from the answer to the last of them.
//! Run by `scripts/bench`, also under callgrind.

#![expect(clippy::disallowed_types, reason = "the runtime's clock does not run; the machine's does")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use callcard::cache::{self, Cache, FillError, Patience, Search, Source};
use callcard::card::Card;
use callcard::contact::PartyId;
use callcard::crm::dictionary::Dictionaries;
use callcard::crm::gate::{self, Gate};
use callcard::crm::{self, CrmClient, CrmRequest, CrmResponse, TokenSource, Transport, TransportError, WebLinks};
use callcard::lookup::{self, Finding, Leads, LookupService, SearchMode, Upstream, Wants};
use callcard::metrics::Metrics;
use callcard::phone::{Caller, E164, Number, Region};
use futures_util::future::BoxFuture;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::people::{Everybody, phone};
use super::reading;
use super::replayed::Replayed;

/// One of the sandbox's contacts, who has leads.
const ANNA: &str = "+14155550123";
const HOUR: Duration = Duration::from_secs(3600);

/// `miss|coalesced|refused|reading N`: the report, or `None` if that is not what was asked for.
pub(crate) fn run(arguments: &[String], resident: fn() -> u64) -> Option<String> {
    let [what, calls] = arguments else { return None };
    let calls = calls.parse().ok().filter(|calls| *calls > 0)?;
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    match what.as_str() {
        "miss" => Some(runtime.block_on(miss(calls))),
        "coalesced" => Some(runtime.block_on(coalesced(calls))),
        "refused" => Some(runtime.block_on(refused(calls))),
        "reading" => Some(reading::run(usize::try_from(calls).ok()?, resident)),
        _ => None,
    }
}

async fn miss(calls: u32) -> String {
    let (wire, token) = Replayed::new();
    let service = service(Arc::new(wire), token, gate::Settings { rate: 500, ..gate::Settings::default() });
    let number: E164 = ANNA.parse().unwrap();
    look_up(&service, number).await.unwrap();
    let began = Instant::now();
    for _ in 0..calls {
        assert!(service.forget_number(number), "the last lookup has filled the entry");
        let answer = look_up(&service, number).await.unwrap();
        assert!(matches!(answer.finding, Finding::Found(found) if !found.best.leads.is_empty()));
    }
    each(began.elapsed(), calls)
}

async fn refused(calls: u32) -> String {
    let mut settings = gate::Settings { rate: 500, ..gate::Settings::default() };
    settings.breaker.failures_for = gate::Backoff { first: HOUR, most: HOUR };
    let service = service(Arc::new(Nowhere), "none".to_owned(), settings);
    for n in 0..50 {
        look_up(&service, phone(n)).await.unwrap_err();
    }
    let began = Instant::now();
    for n in 100..100 + u64::from(calls) {
        let failure = look_up(&service, phone(n)).await.unwrap_err();
        assert!(matches!(failure.error, lookup::LookupError::UpstreamUnavailable { .. }), "{:?}", failure.error);
    }
    each(began.elapsed(), calls)
}

async fn coalesced(callers: u32) -> String {
    let metrics = Arc::new(Metrics::new());
    let (open, opened) = watch::channel(false);
    let source = Held { everybody: Everybody::default(), opened };
    let cache = Cache::new(cache::Settings::default(), Arc::new(source), Arc::clone(&metrics));
    let crm = upstream(Arc::new(Nowhere), "none".to_owned(), gate::Settings::default(), &metrics);
    let service = LookupService::around(cache, crm, &settings(), metrics);
    let began = Instant::now();
    let mut waiting = JoinSet::new();
    for _ in 0..callers {
        let service = service.clone();
        waiting.spawn(async move { look_up(&service, phone(1)).await.unwrap().freshness.status });
    }
    // Everybody has had a turn, and the fill too.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let answered = Instant::now();
    open.send_replace(true);
    let statuses = waiting.join_all().await;
    let (whole, last) = (began.elapsed(), answered.elapsed());
    let with_others = statuses.iter().filter(|status| **status == callcard::outcome::CacheStatus::Coalesced).count();
    assert_eq!(with_others + 1, callers as usize, "everybody waited at one fill");
    let (each, last) = (each(whole, callers), last.as_secs_f64() * 1e3);
    format!(r#"{}, "last_ms": {last:.3}}}"#, each.trim_end_matches('}'))
}

fn each(took: Duration, calls: u32) -> String {
    format!(r#"{{"calls": {calls}, "us": {:.3}}}"#, took.as_secs_f64() * 1e6 / f64::from(calls))
}

async fn look_up(service: &LookupService, number: E164) -> Result<lookup::Answer, lookup::LookupFailure> {
    let caller = Caller::Number(Number { e164: number, extension: None });
    service.lookup(&caller, &Wants { deadline: Some(lookup::LONGEST_DEADLINE), ..Wants::default() }).await
}

fn service(wire: Arc<dyn Transport>, token: String, gate: gate::Settings) -> LookupService {
    let metrics = Arc::new(Metrics::new());
    let crm = upstream(wire, token, gate, &metrics);
    LookupService::new(settings(), cache::Settings::default(), crm, metrics)
}

fn upstream(wire: Arc<dyn Transport>, token: String, gate: gate::Settings, metrics: &Arc<Metrics>) -> Upstream {
    let gate = Arc::new(Gate::new(gate, Arc::clone(metrics)));
    let token = TokenSource::long_lived(token.into(), metrics);
    let client = CrmClient::new(crm::Settings::default(), token, wire, gate, Arc::clone(metrics));
    let names = Dictionaries::new(client.clone(), <_>::default());
    Upstream { client, names, links: WebLinks::new(&"https://acme.kommo.com".parse().unwrap()) }
}

fn settings() -> lookup::Settings {
    lookup::Settings {
        region: "US".parse::<Region>().unwrap(),
        leads: Leads::Full,
        search: SearchMode::Digits,
        companies: false,
        soft_deadline: Duration::from_millis(300),
        deadline: Duration::from_millis(1_500),
    }
}

/// A source that answers once it is opened.
#[derive(Debug)]
struct Held {
    everybody: Everybody,
    opened: watch::Receiver<bool>,
}

impl Source for Held {
    fn find(&self, search: Search) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        let mut opened = self.opened.clone();
        Box::pin(async move {
            opened.wait_for(|opened| *opened).await.map_err(|_| FillError::Failed)?;
            self.everybody.find(search).await
        })
    }

    fn refetch(&self, ids: Vec<PartyId>, patience: Patience) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        self.everybody.refetch(ids, patience)
    }
}

/// A CRM that cannot be reached.
#[derive(Debug)]
struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        Box::pin(async { Err(TransportError::Connect) })
    }
}
