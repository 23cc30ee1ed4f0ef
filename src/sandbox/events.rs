//! The account's journal: what `GET /events` tells.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::Sandbox;
use super::ask::Ask;
use super::fixtures::office::OLIVIA;
use super::office::ACCOUNT_ID;
use super::params::Params;
use super::problem::{self, Refusal};
use super::wire;

/// One entry of the journal.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Its kind, in the API's words.
    pub(super) kind: String,
    /// `contact` or `lead`.
    pub(super) entity: &'static str,
    pub(super) entity_id: u64,
    /// When, Unix seconds.
    pub(super) created_at: i64,
    pub(super) before: Value,
    pub(super) after: Value,
}

impl Event {
    /// An entry without values.
    pub(super) fn new(kind: impl Into<String>, entity: &'static str, entity_id: u64, created_at: i64) -> Self {
        Self { kind: kind.into(), entity, entity_id, created_at, before: json!([]), after: json!([]) }
    }

    /// Whether the kind is one of `kinds`; a value change of any field answers to the general name too.
    pub(super) fn is_one_of<'a>(&self, mut kinds: impl Iterator<Item = &'a str>) -> bool {
        let is_field_change = self.kind.starts_with("custom_field_") && self.kind.ends_with("_value_changed");
        kinds.any(|kind| kind == self.kind || (is_field_change && kind == "custom_field_value_changed"))
    }
}

/// The most entries a page holds.
const MOST: usize = 100;

pub(super) async fn list(State(sandbox): State<Sandbox>, ask: Ask) -> Result<Response, Refusal> {
    ask.require_admin()?;
    let params = &ask.params;
    let limit = params.limit(sandbox.settings().over_limit).map_or(MOST, |limit| limit.min(MOST));
    let before = (params.page() - 1).saturating_mul(limit);
    let world = sandbox.world();
    let mut latest_first = world.events.iter().enumerate().rev().filter(|(_, event)| fits(event, params)).skip(before);
    let page: Vec<Value> = latest_first.by_ref().take(limit).map(|(place, event)| entry(event, place, &ask)).collect();
    if page.is_empty() {
        return Ok(problem::no_content());
    }
    let links = wire::links(&ask, params.page(), latest_first.next().is_some());
    Ok(problem::hal(&json!({"_page": params.page(), "_links": links, "_embedded": {"events": page}})))
}

fn fits(event: &Event, params: &Params) -> bool {
    let words = |key| -> Vec<&str> { params.list(key).flat_map(|list| list.split(',')).map(str::trim).collect() };
    let (kinds, entities) = (words("filter[type]"), words("filter[entity]"));
    let kind_fits = kinds.is_empty() || event.is_one_of(kinds.into_iter());
    let entity_fits = entities.is_empty() || entities.contains(&event.entity);
    let id_fits = params.ids("filter[entity_id]").is_none_or(|ids| ids.contains(&event.entity_id));
    let time_fits = params.range("filter[created_at]").is_none_or(|range| range.contains(&event.created_at));
    kind_fits && entity_fits && id_fits && time_fits
}

fn entry(event: &Event, place: usize, ask: &Ask) -> Value {
    // Ids are strings here, unlike everywhere else.
    let id = format!("01sandbox{place:017}");
    json!({
        "id": id,
        "type": event.kind,
        "entity_id": event.entity_id,
        "entity_type": event.entity,
        "created_by": OLIVIA,
        "created_at": event.created_at,
        "value_after": event.after,
        "value_before": event.before,
        "account_id": ACCOUNT_ID,
        "_links": {"self": {"href": format!("{}/api/v4/events/{id}", ask.origin)}},
    })
}
