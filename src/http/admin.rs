//! The admin listener: what operators, probes and Prometheus ask. It is meant for an internal network.
//!
//! | path | answers |
//! |---|---|
//! | `GET /metrics` | Prometheus text |
//! | `GET /livez`, `/healthz` | the process runs; never depends on anything else |
//! | `GET /readyz` | whether traffic is wanted, and if not, why; `?verbose` lists every check |
//! | `GET /cache/{e164}` | one entry, explained |
//! | `DELETE /cache/{e164}` | drops what is known about a number |
//! | `DELETE /contacts/{id}`, `/companies/{id}` | drops what is known about a contact or company and its numbers |
//! | `POST /cache/flush` | lets everything count as stale; it stays usable while the CRM is away |
//!
//! When keys are set, the last four need one of scope `admin`.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Extension, Json};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::Api;
use super::auth::authorize;
use super::error::ApiError;
use super::keys::Scope;
use super::params::Fault;
use super::request_id::RequestId;
use crate::contact::{CompanyId, ContactId};
use crate::phone::E164;
use crate::shutdown::{Health, Readiness};

/// Paths that anybody on the admin network may ask.
pub(super) fn open_routes() -> Vec<(&'static str, MethodRouter<Admin>)> {
    vec![("/metrics", get(metrics)), ("/livez", get(live)), ("/healthz", get(live)), ("/readyz", get(ready))]
}

/// Paths that need a key of scope `admin`.
pub(super) fn keyed_routes() -> Vec<(&'static str, MethodRouter<Admin>)> {
    vec![
        ("/cache/{e164}", get(explain).delete(forget_number)),
        ("/cache/flush", post(flush)),
        ("/contacts/{id}", delete(forget_contact)),
        ("/companies/{id}", delete(forget_company)),
    ]
}

/// What the admin endpoints work on.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    pub(super) api: Api,
    pub(super) readiness: Readiness,
}

/// Lets through whoever has a key of scope `admin`.
pub(super) async fn require_admin(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    match authorize(admin.api.keys(), Scope::Admin, request.headers(), None) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let id = request.extensions().get::<RequestId>().expect("observe runs around this");
            error.respond(id)
        }
    }
}

async fn metrics(State(admin): State<Admin>, Extension(id): Extension<RequestId>) -> Response {
    admin.api.lookups().observe();
    match admin.api.metrics().encode() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "the metrics cannot be encoded");
            ApiError::Internal.respond(&id)
        }
    }
}

async fn live() -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(json!({"status": "live"}))).into_response()
}

async fn ready(State(admin): State<Admin>, uri: Uri) -> Response {
    let report = admin.readiness.report();
    let is_verbose =
        uri.query().is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("verbose")));
    let shown = report.checks.iter().filter(|(_, health)| is_verbose || !matches!(health, Health::Ok(_)));
    let checks: Map<String, Value> = shown.map(|(name, health)| ((*name).to_owned(), described(health))).collect();
    let (code, word) = match report.ready {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
    };
    (code, [(CACHE_CONTROL, "no-store")], Json(json!({"status": word, "checks": checks}))).into_response()
}

fn described(health: &Health) -> Value {
    json!({"status": health.as_str(), "detail": health.detail()})
}

async fn explain(State(admin): State<Admin>, Extension(id): Extension<RequestId>, uri: Uri) -> Response {
    match read_number(&uri).map(|number| admin.api.lookups().explain(number)) {
        Ok(Some(explained)) => Json(explained).into_response(),
        Ok(None) => ApiError::NoSuchEntry.respond(&id),
        Err(error) => error.respond(&id),
    }
}

async fn forget_number(State(admin): State<Admin>, Extension(id): Extension<RequestId>, uri: Uri) -> Response {
    match read_number(&uri) {
        Ok(number) => Json(json!({"dropped": usize::from(admin.api.lookups().forget_number(number))})).into_response(),
        Err(error) => error.respond(&id),
    }
}

async fn forget_contact(State(admin): State<Admin>, Extension(id): Extension<RequestId>, uri: Uri) -> Response {
    match last_segment(&uri).parse().map(ContactId) {
        Ok(contact) => Json(json!({"dropped": admin.api.lookups().forget_contact(contact)})).into_response(),
        Err(_) => refused("id", "must be a contact's number").respond(&id),
    }
}

async fn forget_company(State(admin): State<Admin>, Extension(id): Extension<RequestId>, uri: Uri) -> Response {
    match last_segment(&uri).parse().map(CompanyId) {
        Ok(company) => Json(json!({"dropped": admin.api.lookups().forget_company(company)})).into_response(),
        Err(_) => refused("id", "must be a company's number").respond(&id),
    }
}

async fn flush(State(admin): State<Admin>) -> StatusCode {
    admin.api.lookups().expire_all();
    StatusCode::NO_CONTENT
}

/// `+14155550123`, with the plus sign as it is, encoded, or left out.
fn read_number(uri: &Uri) -> Result<E164, ApiError> {
    let text = last_segment(uri);
    let digits = text.trim_start_matches(['+', ' ']);
    format!("+{digits}").parse().map_err(|_| refused("e164", "must be a number like +14155550123"))
}

/// By hand, since the framework's own extractor answers broken UTF-8 with a text of its own.
fn last_segment(uri: &Uri) -> Cow<'_, str> {
    percent_decode_str(uri.path().rsplit('/').next().unwrap_or_default()).decode_utf8_lossy()
}

fn refused(parameter: &'static str, why: &'static str) -> ApiError {
    ApiError::InvalidParameter(vec![Fault { parameter, why }])
}
