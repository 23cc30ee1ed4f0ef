//! All that the CRM tells about a contact: elements of lists, groups, tags, tasks; and what a token that may not see some of it shows.

use callcard::sandbox::Endpoint;
use callcard::sandbox::fixtures::office::{CREW, RIDGE_VENT, SLATE};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use crate::harness::service::{Service, patient};

const ANNA: &str = "+14155550123";
const CHLOE: &str = "+33199001234";
const GRACE: &str = "+12125550161";
const RITA: &str = "+14155550190";
const INCLUDE: &str = "&include=catalog_elements";

async fn asked(service: &Service, phone: &str, more: &str) -> Value {
    service.lookup(phone, more).await.json()
}

#[tokio::test(start_paused = true)]
async fn elements_are_shown_to_those_who_ask_with_quantity_list_and_name() {
    let service = Service::warmed(|_| {}).await;
    let json = asked(&service, RITA, INCLUDE).await;
    let expected = json!([
        {"id": SLATE, "name": "Slate tile", "catalog_id": 7712, "quantity": 2, "price_id": 771_950},
        {"id": RIDGE_VENT, "name": "Ridge vent", "catalog_id": 7712, "quantity": 0.5, "price_id": 771_950},
    ]);
    assert_eq!(json["contact"]["catalog_elements"], expected);
    assert!(json["partial"].is_null());

    let json = asked(&service, ANNA, INCLUDE).await;
    let roof = json["leads"].as_array().unwrap().iter().find(|lead| lead["name"] == "Roof").unwrap();
    assert_eq!((roof["catalog_elements"][0]["quantity"].as_f64(), roof["state"].as_str()), (Some(120.0), Some("open")));
    assert_eq!(json["leads"][1]["catalog_elements"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn elements_cost_nothing_until_somebody_asks_and_a_cached_card_has_them() {
    let service = Service::warmed(|_| {}).await;
    let plain = service.lookup(RITA, "").await;
    assert!(plain.json()["contact"].get("catalog_elements").is_none());
    let before = service.sandbox.count_all();
    assert_eq!(service.sandbox.count(Endpoint::Catalogs), 0);

    let included = service.lookup(RITA, INCLUDE).await;
    assert_eq!(included.json()["contact"]["catalog_elements"][0]["name"], "Slate tile");
    assert!(included.cache_status().contains("hit"), "the card was made for somebody who did not ask");
    assert_ne!(included.header("etag"), plain.header("etag"));
    assert_eq!(service.sandbox.count_all(), before + 1, "the names, in one call");
    asked(&service, RITA, INCLUDE).await;
    assert_eq!(service.sandbox.count_all(), before + 1);
    asked(&service, ANNA, INCLUDE).await;
    assert_eq!(service.sandbox.count(Endpoint::Catalogs), 1, "another contact's elements of the same name");
    assert_eq!(service.lookup(RITA, "").await.header("etag"), plain.header("etag"));
}

#[tokio::test(start_paused = true)]
async fn names_of_elements_that_cannot_be_had_are_said_to_lack_and_keep_nobody_beyond_the_deadline() {
    for (fault, waits) in [("catalogs:403", false), ("catalogs:500", false), ("catalogs:stall", true)] {
        let service = Service::warmed(|_| {}).await;
        service.sandbox.inject(fault.parse().unwrap());
        service.lookup(RITA, "").await;
        let begun = tokio::time::Instant::now();
        let json = asked(&service, RITA, INCLUDE).await;
        assert_eq!(begun.elapsed() > Duration::from_secs(1), waits, "{fault}");
        assert!(begun.elapsed() <= Duration::from_millis(1_500), "{fault}");
        assert_eq!(json["partial"], json!(["catalog_elements"]), "{fault}");
        let first = &json["contact"]["catalog_elements"][0];
        assert_eq!((first["name"].is_null(), first["quantity"].as_u64()), (true, Some(2)), "{fault}");
        assert!(asked(&service, RITA, "").await["partial"].is_null(), "{fault}: who did not ask lacks nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_part_to_include_is_refused_in_both_kinds_of_lookup() {
    let service = Service::warmed(|_| {}).await;
    let got = service.lookup(ANNA, "&include=notes").await;
    assert_eq!(got.problem(), (400, "invalid-parameter".to_owned()));
    assert!(got.json()["detail"].as_str().unwrap().contains("include must be catalog_elements"));
    assert_eq!(service.sandbox.count_all(), 0);
}

#[tokio::test(start_paused = true)]
async fn owners_have_their_group_tags_their_colour_and_contacts_their_next_task() {
    let service = Service::warmed(|_| {}).await;
    let anna = asked(&service, ANNA, "").await["contact"].clone();
    assert_eq!(anna["owner"], json!({"id": 71, "name": "Olivia Owner", "group": {"id": 0, "name": "Sales"}}));
    assert_eq!(anna["tags"], json!([{"name": "VIP", "color": "#ff0000"}]));
    let chloe = asked(&service, CHLOE, "").await["contact"].clone();
    assert_eq!(chloe["owner"]["group"], json!({"id": CREW, "name": "Roofing crew"}));
    assert_eq!(asked(&service, GRACE, "").await["contact"]["next_task_at"], "2025-10-28T00:00:00Z");
    assert_eq!(service.sandbox.count(Endpoint::Account) + service.sandbox.count(Endpoint::Users), 0, "known before");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_not_list_users_shows_the_owner_by_id_and_group_and_recovers() {
    let service = Service::new(|_| {});
    service.sandbox.inject("users:403".parse().unwrap());
    for phone in [CHLOE, ANNA, GRACE] {
        let json = asked(&service, phone, &patient()).await;
        assert_eq!(json["partial"], json!(["owner"]));
        assert!(json["contact"]["owner"]["id"].is_u64() && json["contact"]["owner"]["name"].is_null());
    }
    let group = asked(&service, CHLOE, "").await["contact"]["owner"]["group"].clone();
    assert_eq!(group, json!({"id": CREW, "name": "Roofing crew"}), "the contact itself says it");
    assert_eq!(service.sandbox.count(Endpoint::Users), 1, "remembered");
    assert_eq!(service.metric("upstream_breaker_open").await, 0.0);

    service.sandbox.clear_faults();
    sleep(Duration::from_secs(11 * 60)).await;
    asked(&service, CHLOE, "").await; // Stale by now: the fill goes on behind the answer.
    sleep(Duration::from_secs(5)).await;
    let json = asked(&service, CHLOE, "").await;
    assert!(json["partial"].is_null());
    assert_eq!(json["contact"]["owner"]["name"], "Marco Rossi");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_not_see_leads_shows_their_ids_and_does_not_ask_for_each_card() {
    let service = Service::warmed(|_| {}).await;
    service.sandbox.inject("leads:403".parse().unwrap());
    for phone in [ANNA, CHLOE, "+14155550134"] {
        let json = asked(&service, phone, &patient()).await;
        assert_eq!(json["partial"], json!(["leads"]));
        assert!(json["leads"][0]["id"].is_u64() && json["leads"][0]["name"].is_null());
    }
    assert_eq!(service.sandbox.count(Endpoint::Leads), 1);
    assert_eq!(service.metric("upstream_breaker_open").await, 0.0);

    // What is refused will not come soon: the card lives as long as any other.
    sleep(Duration::from_secs(5 * 60)).await;
    assert!(service.lookup(ANNA, "").await.cache_status().contains("hit"));
    sleep(Duration::from_secs(5)).await;
    assert_eq!((service.sandbox.count(Endpoint::ContactsById), service.sandbox.count(Endpoint::Leads)), (0, 1));

    service.sandbox.clear_faults();
    sleep(Duration::from_secs(6 * 60)).await;
    asked(&service, ANNA, "").await;
    sleep(Duration::from_secs(5)).await;
    let json = asked(&service, ANNA, "").await;
    assert!(json["partial"].is_null() && json["leads"][0]["name"].is_string(), "{json}");
}

#[tokio::test(start_paused = true)]
async fn a_user_with_narrow_rights_is_answered_with_what_he_may_see() {
    let service = Service::new(|options| options.token = options.sandbox.narrow_token.clone());
    let json = asked(&service, "+14155550195", &patient()).await;
    assert_eq!((json["contact"]["name"].as_str(), &json["partial"]), (Some("Viktor Visible"), &json!(["owner"])));
    assert_eq!(service.sandbox.count(Endpoint::Users), 1);
}
