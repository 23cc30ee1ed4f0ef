//! The real service around a source of one's own, with a cache in which a million contacts have room and a CRM that cannot be reached.

use std::sync::Arc;
use std::time::Duration;

use callcard::cache::{self, Cache, Source};
use callcard::crm::dictionary::Dictionaries;
use callcard::crm::gate::{self, Gate};
use callcard::crm::{self, CrmClient, CrmRequest, CrmResponse, TokenSource, Transport, TransportError, WebLinks};
use callcard::http::{self, Api};
use callcard::lookup::{self, Leads, LookupService, SearchMode, Upstream};
use callcard::metrics::Metrics;
use callcard::phone::{CallerReader, Region};
use futures_util::future::BoxFuture;

/// Twice what a million contacts take: none is evicted. An eighth is for hot cards.
const BOUND: u64 = 2 << 30;
/// Texts that the reader of numbers remembers; as many as the program itself.
const MEMO: u64 = 10_000;

/// The service and what it asks; what the source says is fresh for so long.
pub(crate) fn service(source: Arc<dyn Source>, fresh: Duration) -> (Api, LookupService) {
    let metrics = Arc::new(Metrics::new());
    let mut bounds = cache::Settings { max_bytes: BOUND, ..cache::Settings::default() };
    bounds.lifetimes.known_fresh = fresh;
    let cache = Cache::new(bounds, source, Arc::clone(&metrics));
    let links = WebLinks::new(&"https://acme.kommo.com".parse().unwrap());
    let client = nowhere(&metrics);
    let names = Dictionaries::new(client.clone(), <_>::default());
    let crm = Upstream { client, names, links: links.clone() };
    let lookup = lookup::Settings {
        region: region(),
        leads: Leads::Full,
        search: SearchMode::Digits,
        companies: false,
        soft_deadline: Duration::from_millis(300),
        deadline: Duration::from_millis(1_500),
    };
    let lookups = LookupService::around(cache, crm, &lookup, Arc::clone(&metrics));
    let api = Api::new(lookups.clone(), CallerReader::new(MEMO), metrics, http::Settings::new(region(), links));
    (api, lookups)
}

fn region() -> Region {
    "US".parse().unwrap()
}

/// With every contact at hand nobody asks it.
fn nowhere(metrics: &Arc<Metrics>) -> CrmClient {
    let gate = Arc::new(Gate::new(gate::Settings::default(), Arc::clone(metrics)));
    let token = TokenSource::long_lived("none".into(), metrics);
    CrmClient::new(crm::Settings::default(), token, Arc::new(Nowhere), gate, Arc::clone(metrics))
}

#[derive(Debug)]
struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        Box::pin(async { Err(TransportError::Connect) })
    }
}
