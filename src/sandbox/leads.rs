//! `GET /leads` and `GET /leads/{id}`.

use axum::extract::State;
use axum::response::Response;
use tokio::time::Instant;

use super::Sandbox;
use super::ask::{Ask, Id};
use super::list::{self, Cut, Keep};
use super::params::Params;
use super::problem::{self, Refusal};
use super::record::Lead;
use super::search::Query;
use super::settings::Settings;
use super::shelf::Shelf;
use super::wire;
use super::world::World;

pub(super) async fn list(State(sandbox): State<Sandbox>, ask: Ask) -> Result<Response, Refusal> {
    let settings = sandbox.settings();
    let cut = Cut::of(&ask.params, settings.over_limit)?;
    let keep: Vec<Keep<Lead>> = conditions(&ask).into_iter().flatten().collect();
    let page = {
        let world = &mut *sandbox.world();
        let ids = candidates(world, &ask.params, &settings);
        cut.page(&ids, |id| world.lead(id), &keep)
    };
    Ok(page.answer(&ask, "leads", wire::lead))
}

pub(super) async fn single(State(sandbox): State<Sandbox>, Id(id): Id, ask: Ask) -> Response {
    let lead = sandbox.world().lead(id);
    match lead.filter(|lead| !lead.is_deleted && (ask.viewer.is_admin || lead.owner == ask.viewer.user)) {
        Some(lead) => problem::hal(&wire::lead(&lead, &ask)),
        None => problem::no_content(),
    }
}

/// The ids in the list's own order, which is not the one they were asked in: the latest lead first.
fn candidates(world: &mut World, params: &Params, settings: &Settings) -> Vec<u64> {
    let chosen = params.ids("filter[id]").or_else(|| leads_of_found_contacts(world, params, settings));
    let mut shelf = if let Some(ids) = &chosen { small_shelf(world, ids) } else { std::mem::take(world.live_leads()) };
    let mut ids = list::candidates(params, &mut shelf, chosen.clone(), |id| world.lead(id), times);
    if chosen.is_none() {
        world.live_leads = Some(shelf);
    }
    if params.order().is_none() {
        ids.reverse();
    }
    ids
}

/// The live ones among `ids`, so that a look at ten leads does not need a list of all.
fn small_shelf(world: &World, ids: &[u64]) -> Shelf {
    let mut live: Vec<u64> =
        ids.iter().copied().filter(|id| world.lead(*id).is_some_and(|lead| !lead.is_deleted)).collect();
    live.sort_unstable();
    live.dedup();
    Shelf::new(live)
}

/// `query=` on leads looks at the linked contacts too.
fn leads_of_found_contacts(world: &mut World, params: &Params, settings: &Settings) -> Option<Vec<u64>> {
    let query = Query::parse(params.get("query")?, settings.search, settings.plus_literal)?;
    let contacts = world.search(&query, Instant::now());
    Some(contacts.into_iter().filter_map(|id| world.contact(id)).flat_map(|contact| contact.leads.clone()).collect())
}

fn times(lead: &Lead) -> (i64, i64) {
    (lead.created_at, lead.updated_at)
}

fn conditions(ask: &Ask) -> [Option<Keep<Lead>>; 8] {
    let params = &ask.params;
    let viewer = ask.viewer;
    [
        list::named(params, "filter[name]", |lead: &Lead| &lead.name),
        list::one_of(params, "filter[responsible_user_id]", |lead| lead.owner),
        list::one_of(params, "filter[pipeline_id]", |lead| lead.pipeline),
        list::within(params, "filter[price]", |lead| i64::try_from(lead.price).ok()),
        list::within(params, "filter[created_at]", |lead| Some(lead.created_at)),
        list::within(params, "filter[closed_at]", |lead| lead.closed_at),
        stage_condition(params),
        (!viewer.is_admin).then(|| -> Keep<Lead> { Box::new(move |lead| lead.owner == viewer.user) }),
    ]
}

/// `filter[statuses][n][pipeline_id]` with `filter[statuses][n][status_id]`.
fn stage_condition(params: &Params) -> Option<Keep<Lead>> {
    let stage = |n: &str| {
        let part = |name| params.get(&format!("filter[statuses][{n}][{name}]")).and_then(|value| value.parse().ok());
        Some((part("pipeline_id")?, part("status_id")?))
    };
    let mut stages: Vec<(u64, u64)> = params.under("filter[statuses]").filter_map(|(n, _)| stage(n)).collect();
    stages.dedup();
    (!stages.is_empty()).then(|| -> Keep<Lead> { Box::new(move |lead| stages.contains(&(lead.pipeline, lead.status))) })
}
