//! Webhook subscriptions: `GET`, `POST` and `DELETE /webhooks`. What they are told is [`Notice`], how it gets there is
//! [`delivery`](super::delivery).

use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Sandbox;
use super::ask::Ask;
pub(super) use super::notice::Notice;
use super::office::ACCOUNT_ID;
use super::problem::{self, Refusal};

/// Subscriptions an account can have.
const MOST: usize = 100;

/// One subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) id: u64,
    pub(super) destination: String,
    pub(super) events: Vec<String>,
    pub(super) sort: u64,
    pub(super) created_at: i64,
    /// Switched off because its answers were not good enough; only a person turns it on again.
    pub(super) disabled: bool,
    /// When its recent invalid answers came.
    pub(super) failures: VecDeque<Instant>,
}

/// A body that is held instead of delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where it would go.
    pub destination: String,
    /// `application/x-www-form-urlencoded`.
    pub body: String,
}

/// The account's subscriptions.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) held: Vec<Webhook>,
    pub(super) sent: u64,
    last_id: u64,
}

/// The body of `POST` and `DELETE`.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    destination: String,
    #[serde(default)]
    settings: Vec<String>,
    #[serde(default)]
    sort: u64,
}

pub(super) async fn list(State(sandbox): State<Sandbox>, ask: Ask) -> Result<Response, Refusal> {
    // This one refuses with 401 where its siblings say 403.
    ask.require_admin().map_err(|_| Refusal::Unauthorized)?;
    let only = ask.params.get("filter[destination]");
    let hooks = sandbox.hooks();
    let wanted = hooks.subscriptions.iter().filter(|hook| only.is_none_or(|only| only == hook.destination));
    let wanted: Vec<Value> = wanted.map(wire).collect();
    if wanted.is_empty() {
        return Ok(problem::no_content());
    }
    Ok(problem::hal(&json!({"_total_items": wanted.len(), "_embedded": {"webhooks": wanted}})))
}

pub(super) async fn add(
    State(sandbox): State<Sandbox>,
    ask: Ask,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Response, Refusal> {
    ask.require_admin()?;
    let Json(wanted) = body.map_err(|_| Refusal::BadBody)?;
    let (unix, mut hooks) = (sandbox.unix(), sandbox.hooks());
    let replaced = hooks.subscriptions.iter().position(|hook| hook.destination == wanted.destination);
    if wanted.settings.is_empty() || (replaced.is_none() && hooks.subscriptions.len() >= MOST) {
        return Err(Refusal::BadBody);
    }
    replaced.map(|place| hooks.subscriptions.remove(place));
    hooks.last_id += 1;
    let subscription = Subscription {
        id: hooks.last_id,
        destination: wanted.destination,
        events: wanted.settings,
        sort: wanted.sort,
        created_at: unix,
        disabled: false,
        failures: VecDeque::new(),
    };
    let answer = wire(&subscription);
    hooks.subscriptions.push(subscription);
    Ok(problem::hal(&answer))
}

pub(super) async fn remove(
    State(sandbox): State<Sandbox>,
    ask: Ask,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let wanted = match (ask.require_admin(), body) {
        (Err(refusal), _) => return refusal.into_response(),
        (_, Err(_)) => return Refusal::BadBody.into_response(),
        (Ok(()), Ok(Json(wanted))) => wanted,
    };
    sandbox.hooks().subscriptions.retain(|hook| hook.destination != wanted.destination);
    problem::no_content()
}

fn wire(hook: &Subscription) -> Value {
    json!({
        "id": hook.id,
        "destination": hook.destination,
        "created_at": hook.created_at,
        "updated_at": hook.created_at,
        "account_id": ACCOUNT_ID,
        "created_by": super::fixtures::office::OLIVIA,
        "sort": hook.sort,
        "disabled": hook.disabled,
        "settings": hook.events,
    })
}
