//! `GET /companies`, `/users`, `/leads/pipelines`, `/catalogs/{id}/elements` and `/account`.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::Sandbox;
use super::ask::{Ask, Id};
use super::fixtures::office::{ELEMENTS, GROUPS, OLIVIA, PIPELINES, PRODUCTS, Pipeline, Stage, USERS, User};
use super::list::{self, Cut, Keep};
use super::problem::{self, Refusal};
use super::record::{Company, LOST, WON};
use super::search::Query;
use super::wire;

/// The account's id.
pub(super) const ACCOUNT_ID: u64 = 31_402_211;

pub(super) async fn companies(State(sandbox): State<Sandbox>, ask: Ask) -> Result<Response, Refusal> {
    let settings = sandbox.settings();
    let cut = Cut::of(&ask.params, settings.over_limit)?;
    let query = ask.params.get("query").and_then(|raw| Query::parse(raw, settings.search, settings.plus_literal));
    let found = query.map(|query| -> Keep<Company> { Box::new(move |company| query.finds(&company.searchable())) });
    let named = list::named(&ask.params, "filter[name]", |company: &Company| &company.name);
    let viewer = ask.viewer;
    let own = (!viewer.is_admin).then(|| -> Keep<Company> { Box::new(move |company| company.owner == viewer.user) });
    let keep: Vec<Keep<Company>> = [found, named, own].into_iter().flatten().collect();
    let world = sandbox.world();
    let ids = ask.params.ids("filter[id]").unwrap_or_else(|| world.company_ids());
    let page = cut.page(&ids, |id| world.company(id), &keep);
    drop(world);
    Ok(page.answer(&ask, "companies", wire::company))
}

pub(super) async fn company(State(sandbox): State<Sandbox>, Id(id): Id, ask: Ask) -> Response {
    let company = sandbox.world().company(id);
    match company.filter(|company| ask.viewer.is_admin || company.owner == ask.viewer.user) {
        Some(company) => problem::hal(&wire::company(&company, &ask)),
        None => problem::no_content(),
    }
}

pub(super) async fn users(ask: Ask) -> Result<Response, Refusal> {
    ask.require_admin()?;
    let users: Vec<Value> = USERS.iter().map(user).collect();
    let links = wire::links(&ask, 1, false);
    Ok(problem::hal(&json!({
        "_page": 1,
        "_page_count": 1,
        "_total_items": users.len(),
        "_links": links,
        "_embedded": {"users": users},
    })))
}

fn user(user: &User) -> Value {
    let access = if user.is_admin { "A" } else { "M" };
    let rights = json!({"view": access, "edit": access, "add": access, "delete": access, "export": access});
    json!({
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "lang": "en",
        "rights": {
            "contacts": rights, "leads": rights, "companies": rights,
            "is_admin": user.is_admin, "is_free": false, "is_active": user.is_active,
            "group_id": user.group, "role_id": null,
        },
    })
}

pub(super) async fn pipelines(ask: Ask) -> Response {
    let pipelines: Vec<Value> = PIPELINES.iter().enumerate().map(|(place, found)| pipeline(found, place)).collect();
    let (total, links) = (pipelines.len(), wire::links(&ask, 1, false));
    problem::hal(&json!({"_total_items": total, "_links": links, "_embedded": {"pipelines": pipelines}}))
}

fn pipeline(pipeline: &Pipeline, place: usize) -> Value {
    let stages = pipeline.stages.iter().enumerate();
    let stages: Vec<Value> = stages.map(|(place, found)| stage(found, place, pipeline.id)).collect();
    json!({
        "id": pipeline.id,
        "name": pipeline.name,
        "sort": place + 1,
        "is_main": place == 0,
        "is_unsorted_on": !pipeline.is_archive,
        "is_archive": pipeline.is_archive,
        "account_id": ACCOUNT_ID,
        "_embedded": {"statuses": stages},
    })
}

fn stage(stage: &Stage, place: usize, pipeline: u64) -> Value {
    json!({
        "id": stage.id,
        "name": stage.name,
        "sort": (place + 1) * 10,
        "is_editable": !matches!(stage.id, WON | LOST) && stage.kind == 0,
        "pipeline_id": pipeline,
        "color": stage.color,
        "type": stage.kind,
        "account_id": ACCOUNT_ID,
    })
}

pub(super) async fn elements(Id(catalog): Id, ask: Ask) -> Response {
    let wanted = ask.params.ids("filter[id]");
    let is_wanted = |id: u64| catalog == PRODUCTS && wanted.as_ref().is_none_or(|wanted| wanted.contains(&id));
    let elements: Vec<Value> = ELEMENTS.iter().filter(|(id, _)| is_wanted(*id)).map(element).collect();
    if elements.is_empty() {
        return problem::no_content();
    }
    let links = wire::links(&ask, 1, false);
    problem::hal(&json!({"_page": 1, "_links": links, "_embedded": {"elements": elements}}))
}

fn element((id, name): &(u64, &str)) -> Value {
    json!({
        "id": id,
        "name": name,
        "catalog_id": PRODUCTS,
        "is_deleted": false,
        "custom_fields_values": null,
        "account_id": ACCOUNT_ID,
    })
}

pub(super) async fn account(State(sandbox): State<Sandbox>, ask: Ask) -> Response {
    let settings = sandbox.settings();
    let mut account = json!({
        "id": ACCOUNT_ID,
        "name": "Acme Roofing",
        "subdomain": settings.subdomain,
        "created_at": 1_600_000_000,
        "created_by": 0,
        "updated_at": 1_735_689_600,
        "updated_by": OLIVIA,
        "current_user_id": ask.viewer.user,
        "country": settings.country,
        "currency": "USD",
        "currency_symbol": "$",
        "customers_mode": "disabled",
        "is_unsorted_on": true,
        "is_loss_reason_enabled": true,
        "is_helpbot_enabled": false,
        "is_technical_account": false,
        "contact_name_display_order": 1,
        "mobile_feature_version": 0,
        "_links": {"self": {"href": format!("{}/api/v4/account", ask.origin)}},
    });
    if ask.params.with("is_api_filter_enabled") {
        account["is_api_filter_enabled"] = json!(settings.custom_filter_enabled);
    }
    if ask.params.with("users_groups") {
        let groups = GROUPS.iter().map(|(id, name)| json!({"id": id, "name": name, "uuid": null}));
        account["_embedded"] = json!({"users_groups": groups.collect::<Value>()});
    }
    if ask.params.with("version") {
        account["version"] = json!(12);
    }
    problem::hal(&account)
}
