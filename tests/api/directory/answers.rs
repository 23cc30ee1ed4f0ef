//! What is said from the mirror, and for how long: nobody's number only while it is whole and current, a card as long as a cached one.

use std::time::Duration;

use callcard::contact::ContactId;
use callcard::lookup::hints::{Change, Hint, Subject};
use callcard::sandbox::fixtures::people::{ANNA, BEN, COMPANY_ONLY_NUMBER};
use callcard::shutdown::Health;
use serde_json::Value;
use tokio::time::sleep;

use super::Mirrored;
use crate::harness::service::{Got, Options, patient};

const ANNAS: &str = "+14155550123";
const NOBODYS: &str = "+14155559999";

fn small(options: &mut Options) {
    options.sandbox.contacts = 60;
}

/// Status code and `cache.status`.
fn way(got: &Got) -> (u16, Value) {
    (got.status.as_u16(), got.json()["cache"]["status"].clone())
}

fn said(status: u16, word: &str) -> (u16, Value) {
    (status, word.into())
}

#[tokio::test(start_paused = true)]
async fn before_everything_was_read_nothing_is_said_from_it() {
    let mirrored = Mirrored::still(small);
    assert_eq!(way(&mirrored.service.lookup(NOBODYS, &patient()).await), said(404, "miss"));
    assert_eq!(way(&mirrored.service.lookup(ANNAS, &patient()).await), said(200, "miss"));
}

#[tokio::test(start_paused = true)]
async fn nobodys_number_is_ours_to_say_for_a_minute_after_the_last_increment() {
    let mut mirrored = Mirrored::current(small).await;
    mirrored.stop();
    sleep(Duration::from_secs(50)).await;
    let got = mirrored.service.lookup(NOBODYS, "").await;
    assert_eq!(way(&got), said(404, "directory"));
    assert!(got.cache_status().starts_with("callcard; hit; ttl=") && got.cache_status().ends_with("detail=directory"));
    sleep(Duration::from_secs(30)).await;
    assert_eq!(way(&mirrored.service.lookup(NOBODYS, &patient()).await), said(404, "miss"));
    assert_eq!(way(&mirrored.service.lookup(ANNAS, "").await), said(200, "directory"));
}

#[tokio::test(start_paused = true)]
async fn a_card_is_as_old_as_the_last_increment_and_stale_after_its_fresh_time() {
    let mut mirrored = Mirrored::current(small).await;
    mirrored.stop();
    sleep(Duration::from_secs(300)).await;
    let got = mirrored.service.lookup(ANNAS, "").await;
    let age = got.json()["cache"]["age_s"].as_u64().unwrap();
    assert!((300..=302).contains(&age) && got.header("age") == age.to_string(), "{age}");
    assert_eq!(way(&mirrored.service.lookup(ANNAS, "&max_age=60").await), said(200, "miss"));
    sleep(Duration::from_secs(400)).await;
    assert_eq!(mirrored.service.lookup("+12125550161", "").await.json()["cache"]["status"], "miss");
}

#[tokio::test(start_paused = true)]
async fn while_the_crm_is_down_known_callers_are_shown_and_unknown_ones_not_guessed_at() {
    let mirrored = Mirrored::current(small).await;
    mirrored.sandbox().inject("all:stall".parse().unwrap());
    sleep(Duration::from_secs(30)).await;
    assert_eq!(way(&mirrored.service.lookup(NOBODYS, "").await), said(404, "directory"));
    sleep(Duration::from_secs(300)).await;
    assert_eq!(way(&mirrored.service.lookup(ANNAS, "").await), said(200, "directory"));
    let unknown = mirrored.service.lookup(NOBODYS, "").await;
    assert!([503, 504].contains(&unknown.status.as_u16()), "{}", unknown.body);
    sleep(Duration::from_secs(3_600)).await;
    let asked = tokio::time::Instant::now();
    let got = mirrored.service.lookup(ANNAS, "").await;
    assert_eq!((way(&got), got.json()["cache"]["stale"].clone()), (said(200, "stale"), true.into()));
    assert!(asked.elapsed() <= Duration::from_millis(301), "{:?}", asked.elapsed());
    assert_eq!(got.json()["contact"]["owner"]["name"], "Olivia Owner");
    mirrored.sandbox().clear_faults();
    sleep(Duration::from_secs(120)).await;
    assert_eq!(way(&mirrored.service.lookup(NOBODYS, "").await), said(404, "directory"));
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_shown_after_the_next_increment_and_at_once_after_a_hint() {
    let mirrored = Mirrored::current(small).await;
    mirrored.sandbox().update_contact(ANNA, |anna| anna.name = "Anna Petrova".to_owned()).unwrap();
    sleep(Duration::from_secs(25)).await;
    let shown = async |number: &str| mirrored.service.lookup(number, "").await.json()["contact"]["name"].clone();
    assert_eq!(shown(ANNAS).await, "Anna Petrova");
    mirrored.sandbox().update_contact(ANNA, |anna| anna.name = "Anna Smith".to_owned()).unwrap();
    mirrored.directory().hint(&[ContactId(ANNA)], &[]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(shown(ANNAS).await, "Anna Smith");
}

#[tokio::test(start_paused = true)]
async fn what_the_feed_has_seen_change_is_no_longer_fresh_in_the_cache() {
    let mirrored = Mirrored::current(small).await;
    sleep(Duration::from_secs(10)).await;
    mirrored.service.lookup(ANNAS, "&max_age=0").await;
    sleep(Duration::from_secs(1)).await;
    let state = async || mirrored.service.admin("GET", &format!("/cache/{ANNAS}")).await.json()["state"].clone();
    assert_eq!(state().await, "fresh");
    mirrored.sandbox().update_contact(ANNA, |anna| anna.name = "Anna Petrova".to_owned()).unwrap();
    sleep(Duration::from_secs(25)).await;
    assert_eq!(state().await, "stale");
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_drops_is_asked_for_anew_until_the_feed_has_looked() {
    let mut mirrored = Mirrored::current(small).await;
    mirrored.stop();
    assert_eq!(mirrored.service.admin("DELETE", &format!("/contacts/{ANNA}")).await.json()["dropped"], 1);
    assert_eq!(way(&mirrored.service.lookup(ANNAS, "").await), said(200, "miss"));
    assert_eq!(mirrored.service.admin("DELETE", &format!("/cache/{NOBODYS}")).await.json()["dropped"], 0);
    assert_eq!(way(&mirrored.service.lookup(NOBODYS, "").await), said(404, "miss"));
    mirrored.start();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(way(&mirrored.service.lookup(ANNAS, "").await), said(200, "directory"));
    assert_eq!(way(&mirrored.service.lookup(NOBODYS, "").await), said(404, "directory"));
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_is_said_to_be_gone_is_not_shown_even_while_the_crm_cannot_be_asked() {
    let mirrored = Mirrored::current(small).await;
    mirrored.sandbox().inject("all:503".parse().unwrap());
    mirrored.directory().drop_contacts(&[ContactId(BEN)]);
    assert!(mirrored.service.lookup("+14155550134", "").await.status.is_server_error());
}

#[tokio::test(start_paused = true)]
async fn after_a_flush_everything_is_stale_until_the_next_increment() {
    let mut mirrored = Mirrored::current(small).await;
    mirrored.stop();
    mirrored.service.admin("POST", "/cache/flush").await;
    assert_eq!(way(&mirrored.service.lookup(NOBODYS, "").await), said(404, "miss"));
    mirrored.start();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(way(&mirrored.service.lookup("+14155559998", "").await), said(404, "directory"));
}

#[tokio::test(start_paused = true)]
async fn where_events_are_hidden_a_card_is_as_old_as_its_record_and_the_sweep_finds_deletions() {
    let mirrored = Mirrored::current(|options| {
        small(options);
        options.sandbox.faults = vec!["events:403".parse().unwrap()];
    })
    .await;
    let Health::Degraded(why) = mirrored.directory().health() else { panic!("said to be well") };
    assert!(why.contains("may not read events"), "{why}");
    assert_eq!(way(&mirrored.service.lookup(NOBODYS, "").await), said(404, "directory"));
    mirrored.sandbox().delete_contact(ANNA).unwrap();
    mirrored.until("the deletion was found", |directory| directory.contact(ContactId(ANNA)).unwrap().is_none()).await;
    assert_eq!(way(&mirrored.service.lookup(ANNAS, "").await), said(404, "directory"));
}

#[tokio::test(start_paused = true)]
async fn how_it_stands_is_told_to_people_and_to_prometheus() {
    let mirrored = Mirrored::current(small).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(mirrored.service.metric("directory_complete").await, 1.0);
    assert_eq!(mirrored.service.metric("directory_contacts").await, super::truth(mirrored.sandbox()).len() as f64);
    assert!((4.0..9.0).contains(&mirrored.service.metric("directory_lag_seconds").await));
    let Health::Ok(text) = mirrored.directory().health() else { panic!("said to be unwell") };
    assert!(text.starts_with("complete, "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_webhook_is_a_hint_to_the_mirror_too() {
    let mirrored = Mirrored::current(small).await;
    mirrored.sandbox().update_contact(ANNA, |anna| anna.name = "Anna Petrova".to_owned()).unwrap();
    mirrored.sandbox().delete_contact(BEN).unwrap();
    for (change, id) in [(Change::Changed, ANNA), (Change::Deleted, BEN)] {
        let subject = Subject::Contact(ContactId(id));
        mirrored.service.lookups.hints().hear(Hint { subject, change, phones: Vec::new() });
    }
    sleep(Duration::from_secs(3)).await;
    let anna = mirrored.service.lookup(ANNAS, "").await;
    assert_eq!((way(&anna), anna.json()["contact"]["name"].clone()), (said(200, "directory"), "Anna Petrova".into()));
    assert_eq!(way(&mirrored.service.lookup("+14155550134", "").await), said(404, "directory"));
}

#[tokio::test(start_paused = true)]
async fn where_companies_are_looked_at_too_nobodys_number_is_not_ours_to_say() {
    let mirrored = Mirrored::current(|options| {
        small(options);
        options.lookup.companies = true;
    })
    .await;
    assert_eq!(way(&mirrored.service.lookup(ANNAS, "").await), said(200, "directory"));
    assert_eq!(way(&mirrored.service.lookup(COMPANY_ONLY_NUMBER, &patient()).await), said(200, "miss"));
}
