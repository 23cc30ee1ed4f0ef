//! `GET /contacts` and `GET /contacts/{id}`.

use axum::extract::State;
use axum::response::Response;
use tokio::time::Instant;

use super::Sandbox;
use super::ask::{Ask, Id};
use super::list::{self, Cut, Keep};
use super::params::Params;
use super::problem::{self, Refusal};
use super::record::Contact;
use super::search::Query;
use super::settings::Settings;
use super::tokens::Viewer;
use super::wire;
use super::world::World;

pub(super) async fn list(State(sandbox): State<Sandbox>, ask: Ask) -> Result<Response, Refusal> {
    let settings = sandbox.settings();
    let cut = Cut::of(&ask.params, settings.over_limit)?;
    let keep = conditions(&ask.params, ask.viewer, &settings)?;
    let page = {
        let world = &mut *sandbox.world();
        let ids = candidates(world, &ask.params, &settings);
        cut.page(&ids, |id| world.contact(id), &keep)
    };
    Ok(page.answer(&ask, "contacts", wire::contact))
}

pub(super) async fn single(State(sandbox): State<Sandbox>, Id(id): Id, ask: Ask) -> Response {
    let contact = sandbox.world().contact(id);
    match contact.filter(|contact| !contact.is_deleted && sees(ask.viewer, contact)) {
        Some(contact) => problem::hal(&wire::contact(&contact, &ask)),
        None => problem::no_content(),
    }
}

/// A user without administrator's rights sees only what they own, and is not told that there is more.
fn sees(viewer: Viewer, contact: &Contact) -> bool {
    viewer.is_admin || contact.owner == viewer.user
}

fn candidates(world: &mut World, params: &Params, settings: &Settings) -> Vec<u64> {
    if params.with("only_deleted") {
        return world.bin.iter().copied().collect();
    }
    // A blank query is no query: the whole account comes back.
    let query = params.get("query").and_then(|raw| Query::parse(raw, settings.search, settings.plus_literal));
    let found = query.map(|query| world.search(&query, Instant::now()));
    let chosen = match (params.ids("filter[id]"), found) {
        (Some(ids), Some(found)) => Some(ids.into_iter().filter(|id| found.contains(id)).collect()),
        (ids, found) => ids.or(found),
    };
    let mut shelf = std::mem::take(&mut world.live_contacts);
    let ids = list::candidates(params, &mut shelf, chosen, |id| world.contact(id), times);
    world.live_contacts = shelf;
    ids
}

fn times(contact: &Contact) -> (i64, i64) {
    (contact.created_at, contact.updated_at)
}

/// The filters the API knows; any other is ignored, as it does.
fn conditions(params: &Params, viewer: Viewer, settings: &Settings) -> Result<Vec<Keep<Contact>>, Refusal> {
    let known = [
        list::named(params, "filter[name]", |contact: &Contact| &contact.name),
        list::one_of(params, "filter[created_by]", |contact| contact.created_by),
        list::one_of(params, "filter[updated_by]", |contact| contact.updated_by),
        list::one_of(params, "filter[responsible_user_id]", |contact| contact.owner),
        list::within(params, "filter[created_at]", |contact| Some(contact.created_at)),
        list::within(params, "filter[closest_task_at]", |contact| contact.closest_task_at),
        field_condition(params, settings)?,
        (!viewer.is_admin).then(|| -> Keep<Contact> { Box::new(move |contact| sees(viewer, contact)) }),
    ];
    Ok(known.into_iter().flatten().collect())
}

/// The exact filter on custom fields, which most accounts do not have.
fn field_condition(params: &Params, settings: &Settings) -> Result<Option<Keep<Contact>>, Refusal> {
    let pairs = params.under("filter[custom_fields_values]");
    let wanted: Vec<(u64, String)> =
        pairs.filter_map(|(field, value)| Some((field.parse().ok()?, value.to_owned()))).collect();
    match () {
        () if params.under("filter[custom_fields_values]").next().is_none() => Ok(None),
        () if !settings.custom_filter_enabled => Err(Refusal::InvalidFilter),
        () => Ok(Some(Box::new(move |contact| wanted.iter().any(|(field, value)| contact.has_value(*field, value))))),
    }
}
