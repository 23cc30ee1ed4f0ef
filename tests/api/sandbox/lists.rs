//! Shapes, pages, filters.
use callcard::sandbox::fixtures::{deals, office, people};
use callcard::sandbox::{Endpoint, OverLimit};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Client;

fn client() -> Client {
    Client::new(|_| {})
}

#[tokio::test]
async fn a_contact_has_the_documented_members() {
    let answer = client().get(&format!("/api/v4/contacts/{}?with=leads,catalog_elements", people::ANNA)).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.content_type(), Some("application/hal+json"));
    assert!(answer.headers.contains_key("x-request-id"));
    let anna = answer.json();
    assert_eq!(anna["name"], "Anna Ivanova");
    assert_eq!(anna["custom_fields_values"][0]["field_code"], "PHONE");
    assert_eq!(anna["custom_fields_values"][0]["values"][0]["value"], "+14155550123");
    assert_eq!(anna["_embedded"]["tags"][0], json!({"id": 90_817, "name": "VIP", "color": "#ff0000"}));
    assert_eq!(anna["_embedded"]["companies"][0]["id"], office::ACME);
    assert!(anna["_embedded"]["companies"][0].get("name").is_none());
    let element = &anna["_embedded"]["catalog_elements"][0];
    assert_eq!(element["metadata"], json!({"quantity": 1, "catalog_id": 7712, "price_id": 771_950}));
}

#[tokio::test]
async fn leads_come_only_when_asked_for_and_only_as_references() {
    let client = client();
    let without = client.get("/api/v4/contacts/7").await.json();
    assert!(without["_embedded"].get("leads").is_none());

    let with = client.get("/api/v4/contacts/7?with=leads,nonsense").await.json();
    let leads = with["_embedded"]["leads"].as_array().unwrap();
    let members: Vec<&String> = leads[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["_links", "id"]);
    assert_eq!(leads.len(), 3);
}

#[tokio::test]
async fn a_contact_without_fields_has_null_for_them() {
    let rosa = client().get(&format!("/api/v4/contacts/{}", people::NO_FIELDS)).await.json();
    assert_eq!(rosa["custom_fields_values"], Value::Null);
}

#[tokio::test]
async fn nothing_is_204_without_body_or_content_type() {
    let client = client();
    let nothing = [
        "/api/v4/contacts?query=5558675309999",
        "/api/v4/contacts?page=999",
        "/api/v4/contacts/999999999",
        "/api/v4/contacts?filter[id][]=999999999",
        "/api/v4/leads?filter[id][]=999999999",
        "/api/v4/leads/999999999",
        "/api/v4/companies/999999999",
        "/api/v4/events",
        "/api/v4/webhooks",
    ];
    for path in nothing {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!((answer.content_type(), answer.body.len()), (None, 0), "{path}");
    }
}

#[tokio::test]
async fn pages_hold_50_unless_told_and_link_to_the_next_while_there_is_one() {
    let client = Client::new(|settings| settings.contacts = 121);
    let first = client.get("/api/v4/contacts?with=leads").await;
    assert_eq!((first.ids().len(), &first.json()["_page"]), (50, &json!(1)));
    assert!(first.json()["_links"].get("prev").is_none());
    assert!(first.json().get("_total_items").is_none());

    let mut all = first.ids();
    let mut next = first.json()["_links"]["next"]["href"].as_str().map(str::to_owned);
    while let Some(link) = next {
        let page = client.get(link.strip_prefix("https://acme.kommo.com").unwrap()).await;
        all.extend(page.ids());
        next = page.json()["_links"]["next"]["href"].as_str().map(str::to_owned);
    }
    // The contact in the recycle bin is on no page.
    assert_eq!(all.len(), 120);
    assert!(all.is_sorted_by(|left, right| left < right));
}

#[tokio::test]
async fn links_point_where_the_request_came_to() {
    let answer = client().send(Method::GET, "/api/v4/contacts", "", &[("host", "127.0.0.1:8089")]).await.json();
    assert_eq!(answer["_links"]["next"]["href"], "http://127.0.0.1:8089/api/v4/contacts?page=2");
}

#[tokio::test]
async fn a_limit_above_250_falls_back_to_50_or_is_refused() {
    let client = client();
    assert_eq!(client.ids("/api/v4/contacts?limit=250").await.len(), 250);
    assert_eq!(client.ids("/api/v4/contacts?limit=500").await.len(), 50);
    client.crm.adjust(|settings| settings.over_limit = OverLimit::Reject422);
    assert_eq!(client.get("/api/v4/contacts?limit=500").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn lists_are_ordered_by_id_or_by_change() {
    let client = Client::new(|settings| settings.contacts = 40);
    let by_id = client.ids("/api/v4/contacts?order[id]=desc").await;
    assert!(by_id.is_sorted_by(|left, right| left > right));

    let by_change = client.get("/api/v4/contacts?order[updated_at]=asc").await.json();
    let times = by_change["_embedded"]["contacts"].as_array().unwrap().iter();
    assert!(times.map(|contact| contact["updated_at"].as_i64().unwrap()).is_sorted());
}

#[tokio::test]
async fn known_filters_filter() {
    let client = client();
    let anna_changed = client.crm.contact(people::ANNA).unwrap().updated_at;
    assert_eq!(client.ids("/api/v4/contacts?filter[id][]=7&filter[id][]=1").await, [people::BEN, people::ANNA]);
    assert_eq!(client.ids("/api/v4/contacts?filter[name][]=Anna%20Ivanova").await, [people::ANNA]);
    let changed =
        format!("/api/v4/contacts?filter[updated_at][from]={anna_changed}&filter[updated_at][to]={anna_changed}");
    assert_eq!(client.ids(&changed).await, [people::ANNA]);
    assert!(client.ids("/api/v4/contacts?filter[closest_task_at][from]=1").await.contains(&people::GRACE));
    let marcos = client.ids(&format!("/api/v4/contacts?filter[responsible_user_id][]={}", office::MARCO)).await;
    assert!(marcos.contains(&people::CHLOE) && !marcos.contains(&people::ANNA));
}

#[tokio::test]
async fn an_unknown_filter_is_ignored_and_an_empty_query_is_none() {
    let client = client();
    let everything = client.ids("/api/v4/contacts").await;
    assert_eq!(client.ids("/api/v4/contacts?filter[phone]=4155550123").await, everything);
    assert_eq!(client.ids("/api/v4/contacts?query=").await, everything);
}

#[tokio::test]
async fn the_filter_on_custom_fields_is_a_400_unless_the_account_has_it() {
    let client = client();
    let path = "/api/v4/contacts?filter[custom_fields_values][640211][]=%2B14155550123";
    let refused = client.get(path).await;
    assert_eq!(
        (refused.status, refused.json()["detail"].as_str()),
        (StatusCode::BAD_REQUEST, Some("Invalid filter for current account"))
    );
    client.crm.adjust(|settings| settings.custom_filter_enabled = true);
    assert_eq!(client.ids(path).await, [people::ANNA]);
    let account = client.get("/api/v4/account?with=is_api_filter_enabled").await.json();
    assert_eq!(account["is_api_filter_enabled"], true);
}

#[tokio::test]
async fn leads_by_id_are_cut_by_the_limit_in_their_own_order_without_deleted_ones() {
    let client = client();
    let ids = client.crm.contact(people::LEADS_SIXTY).unwrap().leads;
    let filter: String = ids.iter().map(|id| format!("&filter[id][]={id}")).collect();
    assert_eq!(client.ids(&format!("/api/v4/leads?{filter}")).await.len(), 50);
    let all = client.ids(&format!("/api/v4/leads?limit=250{filter}")).await;
    assert_eq!(all.len(), 60);
    assert_ne!(all, ids);
    let mixed = format!("/api/v4/leads?filter[id][]=13&filter[id][]={}", deals::BINNED);
    assert_eq!(client.ids(&mixed).await, [13]);
}

#[tokio::test]
async fn a_lead_has_its_stage_and_its_contacts_when_asked() {
    let client = client();
    let roof = client.get("/api/v4/leads?filter[id][]=1&with=contacts").await.json();
    let roof = &roof["_embedded"]["leads"][0];
    assert_eq!((&roof["name"], &roof["price"], &roof["closed_at"]), (&json!("Roof"), &json!(18_400), &Value::Null));
    assert_eq!((&roof["pipeline_id"], &roof["status_id"]), (&json!(office::SALES), &json!(office::NEGOTIATION)));
    assert_eq!(roof["_embedded"]["contacts"], json!([{"id": 7, "is_main": true}]));
    assert!(client.get("/api/v4/leads/1").await.json()["_embedded"].get("contacts").is_none());
}

#[tokio::test]
async fn leads_are_found_by_the_phone_of_their_contact() {
    let mut found = client().ids("/api/v4/leads?query=4155550123").await;
    found.sort_unstable();
    assert_eq!(found, [deals::ROOF, deals::GUTTERS, deals::SKYLIGHT]);
}

#[tokio::test]
async fn leads_are_filtered_by_stage_and_change() {
    let client = client();
    let stage = format!(
        "/api/v4/leads?limit=250&filter[statuses][0][pipeline_id]={}&filter[statuses][0][status_id]={}",
        office::SERVICE,
        office::SCHEDULED
    );
    assert_eq!(client.ids(&stage).await, [18]);
    let changed = client.crm.lead(deals::ROOF).unwrap().updated_at;
    let recent =
        client.ids(&format!("/api/v4/leads?filter[updated_at][from]={changed}&filter[updated_at][to]={changed}")).await;
    assert!(recent.contains(&deals::ROOF));
}

#[tokio::test]
async fn every_pipeline_ends_in_142_and_143_and_one_stage_takes_the_incoming() {
    let answer = client().get("/api/v4/leads/pipelines").await.json();
    assert_eq!(answer["_total_items"], 3);
    for pipeline in answer["_embedded"]["pipelines"].as_array().unwrap() {
        let stages = pipeline["_embedded"]["statuses"].as_array().unwrap();
        let ids: Vec<u64> = stages.iter().map(|stage| stage["id"].as_u64().unwrap()).collect();
        assert!(ids.ends_with(&[142, 143]), "{ids:?}");
    }
    let incoming = &answer["_embedded"]["pipelines"][0]["_embedded"]["statuses"][0];
    assert_eq!((&incoming["type"], &incoming["is_editable"]), (&json!(1), &json!(false)));
}

#[tokio::test]
async fn users_have_totals_and_one_of_them_has_left() {
    let answer = client().get("/api/v4/users?limit=250").await.json();
    assert_eq!((&answer["_total_items"], &answer["_page_count"]), (&json!(4), &json!(1)));
    let users = answer["_embedded"]["users"].as_array().unwrap();
    let inactive: Vec<&Value> = users.iter().filter(|user| user["rights"]["is_active"] == false).collect();
    assert_eq!(inactive.len(), 1);
    assert_eq!(inactive[0]["id"], office::IGOR);
}

#[tokio::test]
async fn companies_have_names_and_phones_of_their_own() {
    let client = client();
    let acme = client.get("/api/v4/companies/5").await.json();
    assert_eq!(acme["name"], "Acme");
    assert_eq!(client.ids("/api/v4/companies?query=4155550160").await, [office::BAKERY]);
    assert!(client.ids("/api/v4/contacts?query=4155550160").await.is_empty());
    assert_eq!(client.ids("/api/v4/companies?filter[id][]=6&filter[id][]=5").await.len(), 2);
}

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405_as_problem_json() {
    let client = client();
    let answer = client.get("/api/v4/nonsense").await;
    assert_eq!((answer.status, answer.content_type()), (StatusCode::NOT_FOUND, Some("application/problem+json")));
    assert_eq!(answer.json()["detail"], "Cannot GET /api/v4/nonsense");
    let answer = client.send(Method::DELETE, "/api/v4/contacts/7", "", &[]).await;
    assert_eq!(
        (answer.status, answer.content_type()),
        (StatusCode::METHOD_NOT_ALLOWED, Some("application/problem+json"))
    );
    assert_eq!(client.get("/api/v4/contacts/abc").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_account_has_exactly_as_many_contacts_as_asked_for() {
    for contacts in [0, 1, 40, 2_000] {
        let client = Client::new(|settings| settings.contacts = contacts);
        assert_eq!(client.crm.truth().count() as u64, contacts);
    }
}

#[tokio::test]
async fn a_million_contacts_are_listed_without_being_made() {
    let client = Client::new(|settings| settings.contacts = 1_000_000);
    let last = client.get("/api/v4/contacts?limit=250&page=4000").await;
    assert_eq!(last.ids().len(), 249);
    assert!(last.json()["_links"].get("next").is_none());
    assert_eq!(client.crm.count(Endpoint::ContactsList), 1);
}
