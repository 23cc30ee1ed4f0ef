//! Records in the API's JSON.

use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::fixtures::office::USERS;
use super::office::ACCOUNT_ID;
use super::record::{Company, Contact, Element, Field, Lead, Tag};

/// The links of one page: to itself, to its neighbours, to the first.
pub(super) fn links(ask: &Ask, page: usize, more: bool) -> Value {
    let mut links = Map::new();
    links.insert("self".to_owned(), json!({"href": ask.page_link(page)}));
    if more {
        links.insert("next".to_owned(), json!({"href": ask.page_link(page + 1)}));
    }
    if page > 1 {
        links.insert("first".to_owned(), json!({"href": ask.page_link(1)}));
        links.insert("prev".to_owned(), json!({"href": ask.page_link(page - 1)}));
    }
    Value::Object(links)
}

fn self_link(origin: &str, kind: &str, id: u64) -> Value {
    json!({"self": {"href": format!("{origin}/api/v4/{kind}/{id}")}})
}

fn reference(origin: &str, kind: &str, id: u64) -> Value {
    json!({"id": id, "_links": self_link(origin, kind, id)})
}

pub(super) fn contact(contact: &Contact, ask: &Ask) -> Value {
    json!({
        "id": contact.id,
        "name": contact.name,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "responsible_user_id": contact.owner,
        "group_id": group_of(contact.owner),
        "created_by": contact.created_by,
        "updated_by": contact.updated_by,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "closest_task_at": contact.closest_task_at,
        "is_deleted": contact.is_deleted,
        "is_unsorted": contact.is_unsorted,
        "custom_fields_values": fields(&contact.fields),
        "account_id": ACCOUNT_ID,
        "_links": self_link(&ask.origin, "contacts", contact.id),
        "_embedded": embedded(contact, ask),
    })
}

/// The group of a responsible user; 0 is the first.
fn group_of(user: u64) -> u64 {
    USERS.iter().find(|known| known.id == user).and_then(|known| known.group).unwrap_or_default()
}

fn embedded(contact: &Contact, ask: &Ask) -> Value {
    let origin = &ask.origin;
    let companies: Vec<Value> = contact.company.iter().map(|id| reference(origin, "companies", *id)).collect();
    let mut embedded = json!({"tags": contact.tags.iter().map(tag).collect::<Value>(), "companies": companies});
    if ask.params.with("leads") {
        embedded["leads"] = contact.leads.iter().map(|id| reference(origin, "leads", *id)).collect();
    }
    if ask.params.with("catalog_elements") {
        embedded["catalog_elements"] = contact.elements.iter().map(|linked| element(linked, origin)).collect();
    }
    if ask.params.with("customers") {
        embedded["customers"] = json!([]);
    }
    embedded
}

fn tag(tag: &Tag) -> Value {
    json!({"id": tag.id, "name": tag.name, "color": tag.color})
}

fn element(element: &Element, origin: &str) -> Value {
    let whole = element.quantity as i64;
    let is_whole = (element.quantity - whole as f64).abs() < f64::EPSILON;
    let quantity = if is_whole { json!(whole) } else { json!(element.quantity) };
    json!({
        "id": element.id,
        "metadata": {"quantity": quantity, "catalog_id": element.catalog_id, "price_id": element.price_id},
        "_links": self_link(origin, &format!("catalogs/{}/elements", element.catalog_id), element.id),
    })
}

/// Null for a record that has none.
fn fields(fields: &[Field]) -> Value {
    if fields.is_empty() { Value::Null } else { fields.iter().map(field).collect() }
}

fn field(field: &Field) -> Value {
    let values = field.values.iter();
    let values: Value = values
        .map(|entry| json!({"value": entry.value, "enum_id": entry.enum_id, "enum_code": entry.enum_code}))
        .collect();
    json!({
        "field_id": field.def.id,
        "field_name": field.def.name,
        "field_code": field.def.code,
        "field_type": field.def.kind,
        "values": values,
    })
}

pub(super) fn lead(lead: &Lead, ask: &Ask) -> Value {
    let companies: Vec<Value> = lead.company.iter().map(|id| reference(&ask.origin, "companies", *id)).collect();
    let mut embedded = json!({"tags": [], "companies": companies});
    if ask.params.with("contacts") {
        let contacts = lead.contacts.iter().enumerate();
        embedded["contacts"] = contacts.map(|(place, id)| json!({"id": id, "is_main": place == 0})).collect();
    }
    if ask.params.with("catalog_elements") {
        embedded["catalog_elements"] = lead.elements.iter().map(|linked| element(linked, &ask.origin)).collect();
    }
    json!({
        "id": lead.id,
        "name": lead.name,
        "price": lead.price,
        "responsible_user_id": lead.owner,
        "group_id": 0,
        "status_id": lead.status,
        "pipeline_id": lead.pipeline,
        "loss_reason_id": null,
        "created_by": lead.owner,
        "updated_by": lead.owner,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
        "closed_at": lead.closed_at,
        "closest_task_at": null,
        "is_deleted": lead.is_deleted,
        "custom_fields_values": null,
        "score": null,
        "account_id": ACCOUNT_ID,
        "labor_cost": null,
        "is_price_computed": false,
        "_links": self_link(&ask.origin, "leads", lead.id),
        "_embedded": embedded,
    })
}

pub(super) fn company(company: &Company, ask: &Ask) -> Value {
    let mut embedded = json!({"tags": []});
    if ask.params.with("leads") {
        embedded["leads"] = company.leads.iter().map(|id| reference(&ask.origin, "leads", *id)).collect();
    }
    json!({
        "id": company.id,
        "name": company.name,
        "responsible_user_id": company.owner,
        "group_id": group_of(company.owner),
        "created_by": company.owner,
        "updated_by": company.owner,
        "created_at": company.updated_at,
        "updated_at": company.updated_at,
        "closest_task_at": null,
        "is_deleted": false,
        "custom_fields_values": fields(&company.fields),
        "account_id": ACCOUNT_ID,
        "_links": self_link(&ask.origin, "companies", company.id),
        "_embedded": embedded,
    })
}
