//! The sandbox's own paths, outside of the API, its quota, its log and its faults:
//!
//! | | |
//! |---|---|
//! | `GET /_sandbox` | what the account is like, in words |
//! | `GET /_sandbox/calls` | every request so far, counts by endpoint, the worst second |
//! | `DELETE /_sandbox/calls` | forget them |
//! | `GET /_sandbox/faults` | the rules in force, one a line |
//! | `POST /_sandbox/faults` | adds rules, one a line, as [`fault`](super::fault) describes |
//! | `DELETE /_sandbox/faults` | no more faults |
//! | `DELETE /_sandbox/block` | lifts every block |
//! | `PATCH /_sandbox/contacts/{id}` | edits: `{"name": …, "phones": […], "emails": […], "owner": …}`, each optional |
//! | `DELETE /_sandbox/contacts/{id}` | moves to the recycle bin |
//! | `POST /_sandbox/contacts` | adds: `{"name": …, "phones": […]}`, answers with the id |
//! | `PATCH /_sandbox/leads/{id}` | edits: `{"pipeline": …, "status": …, "price": …}`, each optional |

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::changes::NoSuchRecord;
use super::fault::{FaultRule, ParseFaultError};
use super::{Call, Contact, Lead, Sandbox};

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/_sandbox", get(about))
        .route("/_sandbox/calls", get(calls).delete(reset_calls))
        .route("/_sandbox/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/_sandbox/block", delete(unblock))
        .route("/_sandbox/contacts", post(add_contact))
        .route("/_sandbox/contacts/{id}", patch(edit_contact).delete(delete_contact))
        .route("/_sandbox/leads/{id}", patch(edit_lead))
}

async fn about(State(sandbox): State<Sandbox>) -> String {
    let settings = sandbox.settings();
    let oauth = &settings.oauth;
    format!(
        "A stand-in for the Kommo CRM API with {} contacts.\nToken: {}\nToken of a user with narrow rights: {}\nOAuth2: client id {}, secret {}, redirect {}, first refresh token {}\nSearch: {}\nRequests per second: {}\n",
        settings.contacts,
        settings.token,
        settings.narrow_token,
        oauth.client_id,
        oauth.client_secret,
        oauth.redirect_uri,
        oauth.refresh_token,
        settings.search,
        settings.rate.map_or_else(|| "no limit".to_owned(), |rate| rate.to_string()),
    )
}

async fn calls(State(sandbox): State<Sandbox>) -> Json<Value> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let calls = sandbox.calls();
    calls.iter().for_each(|call| *counts.entry(call.endpoint.as_str()).or_default() += 1);
    let listed: Vec<Value> = calls.iter().map(|call| wire(call, &sandbox)).collect();
    Json(json!({"count": calls.len(), "counts": counts, "worst_second": sandbox.worst_second(), "calls": listed}))
}

fn wire(call: &Call, sandbox: &Sandbox) -> Value {
    json!({
        "at_ms": u64::try_from(sandbox.since_start(call.at).as_millis()).unwrap_or(u64::MAX),
        "endpoint": call.endpoint.as_str(),
        "method": call.method.as_str(),
        "path": call.path,
        "query": call.query,
        "status": call.status,
        "traceparent": call.traceparent,
    })
}

async fn reset_calls(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.reset_calls();
    StatusCode::NO_CONTENT
}

async fn faults(State(sandbox): State<Sandbox>) -> String {
    sandbox.faults().rules().iter().map(|rule| format!("{rule}\n")).collect()
}

async fn add_faults(State(sandbox): State<Sandbox>, body: String) -> Response {
    let lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
    let rules: Result<Vec<FaultRule>, ParseFaultError> = lines.map(str::parse).collect();
    match rules {
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
        Ok(rules) => {
            rules.into_iter().for_each(|rule| sandbox.inject(rule));
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

async fn clear_faults(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.clear_faults();
    StatusCode::NO_CONTENT
}

async fn unblock(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.unblock();
    StatusCode::NO_CONTENT
}

/// What to change about a contact.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContactEdit {
    name: Option<String>,
    phones: Option<Vec<String>>,
    emails: Option<Vec<String>>,
    owner: Option<u64>,
}

impl ContactEdit {
    fn apply(&self, contact: &mut Contact) {
        self.name.iter().for_each(|name| contact.name.clone_from(name));
        self.phones.iter().for_each(|values| contact.set_phones(&borrowed(values)));
        self.emails.iter().for_each(|values| contact.set_emails(&borrowed(values)));
        contact.owner = self.owner.unwrap_or(contact.owner);
    }
}

fn borrowed(values: &[String]) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

/// What to change about a lead.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeadEdit {
    pipeline: Option<u64>,
    status: Option<u64>,
    price: Option<u64>,
}

impl LeadEdit {
    fn apply(&self, lead: &mut Lead) {
        lead.pipeline = self.pipeline.unwrap_or(lead.pipeline);
        lead.status = self.status.unwrap_or(lead.status);
        lead.price = self.price.unwrap_or(lead.price);
    }
}

async fn add_contact(State(sandbox): State<Sandbox>, Json(edit): Json<ContactEdit>) -> Response {
    let id = sandbox
        .add_contact(edit.name.as_deref().unwrap_or_default(), &borrowed(edit.phones.as_deref().unwrap_or_default()));
    (StatusCode::CREATED, Json(json!({"id": id}))).into_response()
}

async fn edit_contact(State(sandbox): State<Sandbox>, Path(id): Path<u64>, Json(edit): Json<ContactEdit>) -> Response {
    done(sandbox.update_contact(id, |contact| edit.apply(contact)))
}

async fn delete_contact(State(sandbox): State<Sandbox>, Path(id): Path<u64>) -> Response {
    done(sandbox.delete_contact(id))
}

async fn edit_lead(State(sandbox): State<Sandbox>, Path(id): Path<u64>, Json(edit): Json<LeadEdit>) -> Response {
    done(sandbox.update_lead(id, |lead| edit.apply(lead)))
}

fn done(change: Result<(), NoSuchRecord>) -> Response {
    match change {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::NOT_FOUND, format!("{error}\n")).into_response(),
    }
}
