//! Edits, deletions, merges: what polling, single records and events show of them.
use std::time::Duration;

use callcard::sandbox::fixtures::{deals, office, people};
use callcard::sandbox::{LOST, WON};
use http::StatusCode;
use serde_json::Value;
use tokio::time::advance;

use super::Client;

fn client() -> Client {
    Client::new(|_| {})
}

async fn events(client: &Client, filter: &str) -> Vec<(String, u64)> {
    let answer = client.get(&format!("/api/v4/events?{filter}")).await;
    if answer.status == StatusCode::NO_CONTENT {
        return Vec::new();
    }
    let answer = answer.json();
    let events = answer["_embedded"]["events"].as_array().unwrap().iter();
    events.map(|event| (event["type"].as_str().unwrap().to_owned(), event["entity_id"].as_u64().unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn an_edit_moves_updated_at_and_shows_in_lists_by_change() {
    let client = client();
    let before = client.crm.contact(people::ANNA).unwrap().updated_at;
    client.ids("/api/v4/contacts?order[updated_at]=desc&limit=1").await;
    advance(Duration::from_secs(10)).await;
    client.crm.set_phones(people::ANNA, &["+1 415 555 0109"]).unwrap();
    let after = client.crm.contact(people::ANNA).unwrap().updated_at;
    assert!(after > before);
    assert_eq!(client.ids(&format!("/api/v4/contacts?filter[updated_at][from]={after}")).await, [people::ANNA]);
    assert_eq!(client.ids("/api/v4/contacts?order[updated_at]=desc&limit=1").await, [people::ANNA]);
}

#[tokio::test]
async fn a_deletion_shows_in_events_but_in_no_list() {
    let client = client();
    client.crm.delete_contact(people::ANNA).unwrap();
    assert!(client.ids("/api/v4/contacts?filter[updated_at][from]=1790000000").await.is_empty());
    assert_eq!(client.get("/api/v4/contacts/7").await.status, StatusCode::NO_CONTENT);
    assert!(client.ids("/api/v4/contacts?with=only_deleted").await.contains(&people::ANNA));
    assert_eq!(events(&client, "filter[type]=contact_deleted").await, [("contact_deleted".to_owned(), people::ANNA)]);
    assert!(client.crm.delete_contact(people::ANNA).is_err());

    client.crm.restore_contact(people::ANNA).unwrap();
    assert_eq!(client.get("/api/v4/contacts/7").await.status, StatusCode::OK);
    assert_eq!(events(&client, "filter[type][]=contact_restored").await.len(), 1);
}

#[tokio::test]
async fn a_merge_keeps_the_winner_and_its_loser_is_gone() {
    let client = client();
    client.crm.merge(people::DUPLICATE_PLAIN, people::DUPLICATE_OPEN).unwrap();
    assert!(client.crm.contact(people::DUPLICATE_OPEN).is_none());
    assert_eq!(
        client.get(&format!("/api/v4/contacts/{}", people::DUPLICATE_OPEN)).await.status,
        StatusCode::NO_CONTENT
    );
    let winner = client.crm.contact(people::DUPLICATE_PLAIN).unwrap();
    assert_eq!(
        (winner.leads.as_slice(), winner.phones()),
        ([10].as_slice(), vec!["(415) 555-0150".to_owned(), "+1 415 555 0150".to_owned()])
    );
    assert_eq!(client.crm.lead(10).unwrap().contacts, [people::DUPLICATE_PLAIN]);
    assert_eq!(
        events(&client, "filter[type]=entity_merged").await,
        [("entity_merged".to_owned(), people::DUPLICATE_PLAIN)]
    );
    assert!(client.crm.merge(people::ANNA, people::ANNA).is_err());
}

#[tokio::test]
async fn each_kind_of_edit_has_its_event() {
    let client = client();
    client.crm.update_contact(people::ANNA, |anna| "Anna Petrova".clone_into(&mut anna.name)).unwrap();
    client.crm.set_phones(people::ANNA, &["+1 415 555 0109"]).unwrap();
    client.crm.update_contact(people::ANNA, |anna| anna.owner = office::MARCO).unwrap();
    client.crm.move_lead(deals::ROOF, office::SALES, WON).unwrap();
    client.crm.add_lead(people::ANNA, "Attic", 700).unwrap();
    let kinds: Vec<String> = events(&client, "").await.into_iter().map(|(kind, _)| kind).collect();
    let latest_first = [
        "entity_linked",
        "lead_added",
        "lead_status_changed",
        "entity_responsible_changed",
        "custom_field_640211_value_changed",
        "name_field_changed",
    ];
    assert_eq!(kinds, latest_first);
    assert_eq!(events(&client, "filter[type]=custom_field_value_changed").await.len(), 1);
    assert_eq!(events(&client, "filter[entity]=lead&filter[entity_id]=1").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_are_filtered_by_time_and_have_text_ids() {
    let client = client();
    client.crm.delete_contact(people::BEN).unwrap();
    advance(Duration::from_secs(60)).await;
    client.crm.delete_contact(people::CHLOE).unwrap();
    let answer = client.get("/api/v4/events").await.json();
    let latest = &answer["_embedded"]["events"][0];
    assert!(latest["id"].is_string());
    let since = latest["created_at"].as_i64().unwrap();
    assert_eq!(events(&client, &format!("filter[created_at][from]={since}")).await.len(), 1);
    assert_eq!(events(&client, &format!("filter[created_at][to]={}", since - 1)).await.len(), 1);
}

#[tokio::test]
async fn a_moved_lead_closes_and_reopens_and_leaves_its_contact_untouched() {
    let client = client();
    let contact = client.crm.contact(people::ANNA).unwrap();
    client.crm.move_lead(deals::ROOF, office::SALES, LOST).unwrap();
    assert_ne!(client.get("/api/v4/leads/1").await.json()["closed_at"], Value::Null);
    client.crm.move_lead(deals::ROOF, office::SALES, office::OFFER_SENT).unwrap();
    assert_eq!(client.get("/api/v4/leads/1").await.json()["closed_at"], Value::Null);
    assert_eq!(client.crm.contact(people::ANNA).unwrap(), contact);
}

#[tokio::test]
async fn a_deleted_lead_stays_among_the_ids_of_its_contact() {
    let client = client();
    client.ids("/api/v4/leads").await;
    client.crm.delete_lead(deals::ROOF).unwrap();
    assert!(client.crm.contact(people::ANNA).unwrap().leads.contains(&deals::ROOF));
    assert_eq!(client.get("/api/v4/leads/1").await.status, StatusCode::NO_CONTENT);
    assert!(!client.ids("/api/v4/leads?limit=250").await.contains(&deals::ROOF));
    assert_eq!(events(&client, "filter[type]=lead_deleted").await, [("lead_deleted".to_owned(), deals::ROOF)]);
}

#[tokio::test]
async fn the_truth_follows_every_change() {
    let client = client();
    let id = client.crm.add_contact("Zed New", &["+1 415 555 0107"]);
    client.crm.delete_contact(people::BEN).unwrap();
    client.crm.merge(people::ANNA, people::CHLOE).unwrap();
    let truth: Vec<_> = client.crm.truth().collect();
    let find = |id| truth.iter().find(|contact| contact.id == id);
    assert_eq!(find(id).unwrap().phones(), ["+1 415 555 0107"]);
    assert!(find(people::BEN).unwrap().is_deleted);
    assert!(find(people::CHLOE).is_none());
    assert_eq!(truth.len(), 400);
}
