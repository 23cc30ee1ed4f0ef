//! Subscriptions and what they are told.
use std::collections::BTreeMap;
use std::time::Duration;

use callcard::sandbox::fixtures::{deals, office, people};
use callcard::sandbox::{Sandbox, WON, Webhook};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Client;

const HOOKS: &str = "/api/v4/webhooks";

/// A client of an account that holds its webhooks back, with one subscription to everything.
async fn subscribed() -> Client {
    let client = Client::new(|settings| settings.webhooks.deliver = false);
    subscribe(
        &client,
        "http://callcard.example/hooks",
        &["update_contact", "delete_contact", "update_company", "status_lead", "add_contact"],
    )
    .await;
    client
}

async fn subscribe(client: &Client, destination: &str, events: &[&str]) {
    let answer = client.post_json(HOOKS, json!({"destination": destination, "settings": events, "sort": 10})).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["disabled"], false);
}

fn form(webhook: &Webhook) -> BTreeMap<String, String> {
    form_urlencoded::parse(webhook.body.as_bytes()).into_owned().collect()
}

fn only(crm: &Sandbox) -> BTreeMap<String, String> {
    let held = crm.take_webhooks();
    assert_eq!(held.len(), 1);
    form(&held[0])
}

#[tokio::test]
async fn subscriptions_are_added_listed_and_removed() {
    let client = Client::new(|_| {});
    subscribe(&client, "http://one.example/", &["update_contact"]).await;
    subscribe(&client, "http://two.example/", &["update_contact"]).await;
    let listed = client.get("/api/v4/webhooks?filter[destination]=http://two.example/").await.json();
    assert_eq!(listed["_embedded"]["webhooks"][0]["settings"], json!(["update_contact"]));
    let body = json!({"destination": "http://two.example/"}).to_string();
    let removed = client.send(Method::DELETE, HOOKS, body, &[("content-type", "application/json")]).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(client.ids(HOOKS).await.len(), 1);
}

#[tokio::test]
async fn an_edit_is_told_as_a_form_of_api_v2() {
    let client = subscribed().await;
    client.crm.set_phones(people::ANNA, &["+1 (415) 555-0109"]).unwrap();
    let form = only(&client.crm);
    for (key, value) in [
        ("contacts[update][0][id]", "7"),
        ("contacts[update][0][name]", "Anna Ivanova"),
        ("contacts[update][0][type]", "contact"),
        ("contacts[update][0][linked_leads_id][1][ID]", "1"),
        ("contacts[update][0][custom_fields][0][code]", "PHONE"),
        ("contacts[update][0][custom_fields][0][values][0][value]", "+1 (415) 555-0109"),
        ("account[subdomain]", "acme"),
    ] {
        assert_eq!(form.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert_eq!(form["contacts[update][0][date_create]"], form["contacts[update][0][created_at]"]);
}

#[tokio::test]
async fn a_deletion_is_told_by_id_and_type_alone() {
    let client = subscribed().await;
    client.crm.delete_contact(people::ANNA).unwrap();
    let form = only(&client.crm);
    let keys: Vec<&str> = form.keys().map(String::as_str).filter(|key| key.starts_with("contacts")).collect();
    assert_eq!(keys, ["contacts[delete][0][id]", "contacts[delete][0][type]"]);
}

#[tokio::test]
async fn a_company_comes_under_contacts_with_its_own_type() {
    let client = subscribed().await;
    client.crm.update_company(office::ACME, |acme| acme.set_phones(&["+1 415 555 0198"])).unwrap();
    let form = only(&client.crm);
    assert_eq!(form["contacts[update][0][type]"], "company");
    assert_eq!(form["contacts[update][0][id]"], "5");
}

#[tokio::test]
async fn a_moved_lead_tells_its_old_stage_and_no_contact() {
    let client = subscribed().await;
    client.crm.move_lead(deals::ROOF, office::SALES, WON).unwrap();
    let form = only(&client.crm);
    assert_eq!(form["leads[status][0][status_id]"], "142");
    assert_eq!(form["leads[status][0][old_status_id]"], office::NEGOTIATION.to_string());
    assert!(!form.keys().any(|key| key.contains("contact")));
}

#[tokio::test]
async fn a_new_owner_comes_with_the_old_one() {
    let client = subscribed().await;
    client.crm.update_contact(people::ANNA, |anna| anna.owner = office::MARCO).unwrap();
    let form = only(&client.crm);
    assert_eq!(form["contacts[update][0][old_responsible_user_id]"], office::OLIVIA.to_string());
}

#[tokio::test]
async fn a_merge_tells_an_update_and_a_deletion() {
    let client = subscribed().await;
    client.crm.merge(people::ANNA, people::BEN).unwrap();
    let forms: Vec<_> = client.crm.take_webhooks().iter().map(form).collect();
    assert_eq!(forms[0]["contacts[update][0][id]"], "7");
    assert_eq!(forms[1]["contacts[delete][0][id]"], "1");
}

#[tokio::test]
async fn an_accepted_lead_is_told_as_the_end_of_something_unsorted() {
    let client = Client::new(|settings| settings.webhooks.deliver = false);
    subscribe(&client, "http://callcard.example/hooks", &["update_lead"]).await;
    let incoming = client.crm.contact(people::LEADS_INCOMING).unwrap().leads[0];
    client.crm.accept_lead(incoming).unwrap();
    let form = only(&client.crm);
    assert_eq!(form["unsorted[delete][0][action]"], "accept");
    assert_eq!(form["unsorted[delete][0][accept_result][leads][0]"], incoming.to_string());
    assert_eq!(client.crm.lead(incoming).unwrap().status, office::FIRST_CONTACT);
    assert!(client.crm.accept_lead(incoming).is_err());
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let client = Client::new(|settings| settings.webhooks.deliver = false);
    subscribe(&client, "http://callcard.example/hooks", &["delete_contact"]).await;
    client.crm.set_phones(people::ANNA, &[]).unwrap();
    assert!(client.crm.take_webhooks().is_empty());
}

/// A listener that answers each request with the next status (the last one for good) and passes on the bodies.
async fn destination(statuses: &'static [u16]) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for n in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let body = read_body(&mut stream).await;
            let status = statuses[n.min(statuses.len() - 1)];
            stream.write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
            drop(sender.send(body));
        }
    });
    (address, receiver)
}

async fn read_body(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.unwrap();
        request.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let wanted = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= wanted.parse().unwrap() {
            return body.to_owned();
        }
    }
}

async fn next(bodies: &mut mpsc::UnboundedReceiver<String>) -> Option<String> {
    timeout(Duration::from_secs(5), bodies.recv()).await.ok().flatten()
}

#[tokio::test]
async fn a_failed_delivery_is_tried_five_times_on_a_scaled_clock() {
    let (address, mut bodies) = destination(&[500]).await;
    let client = Client::new(|settings| settings.webhooks.time_scale = 1e-5);
    subscribe(&client, &address, &["update_contact"]).await;
    client.crm.set_phones(people::ANNA, &["+1 415 555 0109"]).unwrap();
    for _ in 0..5 {
        assert!(next(&mut bodies).await.unwrap().contains("contacts%5Bupdate%5D"));
    }
    assert!(timeout(Duration::from_millis(200), bodies.recv()).await.is_err());
}

#[tokio::test]
async fn a_client_error_is_tried_three_times_and_a_success_once() {
    for (statuses, tries) in [(&[404_u16][..], 3), (&[204][..], 1)] {
        let (address, mut bodies) = destination(statuses).await;
        let client = Client::new(|settings| settings.webhooks.time_scale = 1e-5);
        subscribe(&client, &address, &["update_contact"]).await;
        client.crm.set_phones(people::ANNA, &["+1 415 555 0109"]).unwrap();
        for _ in 0..tries {
            assert!(next(&mut bodies).await.is_some());
        }
        assert!(timeout(Duration::from_millis(200), bodies.recv()).await.is_err(), "{statuses:?}");
    }
}

#[tokio::test]
async fn too_many_failures_disable_a_subscription() {
    let (address, mut bodies) = destination(&[404]).await;
    let client =
        Client::new(|settings| (settings.webhooks.time_scale, settings.webhooks.failures_to_disable) = (1e-3, 3));
    subscribe(&client, &address, &["update_contact"]).await;
    for _ in 0..4 {
        client.crm.set_phones(people::ANNA, &["+1 415 555 0109"]).unwrap();
        next(&mut bodies).await.unwrap();
    }
    for _ in 0..50 {
        if client.get(HOOKS).await.json()["_embedded"]["webhooks"][0]["disabled"] == true {
            while bodies.try_recv().is_ok() {}
            client.crm.set_phones(people::ANNA, &["+1 415 555 0110"]).unwrap();
            assert!(timeout(Duration::from_millis(500), bodies.recv()).await.is_err());
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the subscription is still enabled");
}

#[tokio::test]
async fn webhooks_come_twice_and_out_of_order_when_told_to() {
    let (address, mut bodies) = destination(&[200]).await;
    let client = Client::new(|settings| {
        (settings.webhooks.duplicate, settings.webhooks.reorder) = (true, Some(Duration::from_millis(100)));
    });
    subscribe(&client, &address, &["update_contact"]).await;
    client.crm.update_contact(people::ANNA, |anna| "First".clone_into(&mut anna.name)).unwrap();
    client.crm.update_contact(people::ANNA, |anna| "Second".clone_into(&mut anna.name)).unwrap();
    let mut names = Vec::new();
    for _ in 0..4 {
        let body = next(&mut bodies).await.unwrap();
        names.push(if body.contains("Second") { "Second" } else { "First" });
    }
    assert_eq!(names.iter().filter(|name| **name == "First").count(), 2);
    assert!(names[..2].contains(&"Second") && names[2..].contains(&"First"), "{names:?}");
}
