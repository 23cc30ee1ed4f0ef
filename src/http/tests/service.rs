//! The service behind the routers, whole but for the wire: a CRM that knows one person, fails for one number, and has nobody else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::json;

use crate::cache;
use crate::crm::dictionary::Dictionaries;
use crate::crm::gate::{self, Gate};
use crate::crm::{self, CrmClient, CrmRequest, CrmResponse, TokenSource, Transport, TransportError, WebLinks};
use crate::lookup::{Leads, LookupService, SearchMode, Settings, Upstream};
use crate::metrics::Metrics;
use crate::phone::Region;

/// Anna's number.
pub(super) const KNOWN: &str = "+14155550123";
/// Nobody's number.
pub(super) const UNKNOWN: &str = "+14155550199";
/// The CRM fails for it.
pub(super) const FAILING: &str = "+14155550100";

/// Must be called inside a runtime.
pub(super) fn lookups(metrics: &Arc<Metrics>) -> LookupService {
    let settings = Settings {
        region: region(),
        leads: Leads::Ids,
        search: SearchMode::Digits,
        companies: false,
        soft_deadline: Duration::from_millis(300),
        deadline: Duration::from_millis(1500),
    };
    let gate = Arc::new(Gate::new(gate::Settings::default(), Arc::clone(metrics)));
    let tokens = TokenSource::long_lived("token".into(), metrics);
    let crm = CrmClient::new(crm::Settings::default(), tokens, Arc::new(SmallCrm), gate, Arc::clone(metrics));
    let upstream = Upstream { names: Dictionaries::new(crm.clone(), <_>::default()), client: crm, links: links() };
    LookupService::new(settings, cache::Settings::default(), upstream, Arc::clone(metrics))
}

pub(super) fn region() -> Region {
    "US".parse().unwrap()
}

pub(super) fn links() -> WebLinks {
    WebLinks::new(&"https://acme.kommo.com/".parse().unwrap())
}

/// Answers by what is asked.
#[derive(Debug)]
struct SmallCrm;

impl Transport for SmallCrm {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        let path = request.path_and_query;
        let asks_for = |number: &str| path.contains(&number[2..]);
        let answer = if path.starts_with("/api/v4/contacts?") && asks_for(KNOWN) {
            response(StatusCode::OK, json!({"_embedded": {"contacts": [anna()]}}).to_string())
        } else if asks_for(FAILING) {
            response(StatusCode::NOT_IMPLEMENTED, String::new())
        } else {
            response(StatusCode::NO_CONTENT, String::new())
        };
        async { Ok(answer) }.boxed()
    }
}

fn anna() -> serde_json::Value {
    json!({
        "id": 7, "name": "Anna Ivanova", "updated_at": 1_700_000_000,
        "custom_fields_values": [{"field_code": "PHONE", "values": [{"value": KNOWN}]}],
        "_embedded": {"leads": [{"id": 1}], "tags": [{"id": 1, "name": "VIP", "color": "ff0000"}]},
    })
}

fn response(status: StatusCode, body: String) -> CrmResponse {
    let content_type = Some("application/hal+json".to_owned());
    CrmResponse { status, content_type, retry_after: None, date: None, body: Bytes::from(body) }
}
