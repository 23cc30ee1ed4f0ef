//! The main job from outside: one question, one answer, one search at the CRM.

use callcard::sandbox::Endpoint;
use callcard::sandbox::fixtures::people::{ANNA, FALSE_FRIEND};
use http::StatusCode;
use tokio::time::{Duration, sleep};

use crate::harness::service::{Service, patient};

const SPELLINGS: [&str; 10] = [
    "+14155550123",
    " 14155550123",
    "(415) 555-0123",
    "4155550123",
    "14155550123",
    "0014155550123",
    "sip:+14155550123@203.0.113.7;user=phone",
    "\"Anna\" <sip:+14155550123@203.0.113.7>",
    "tel:+1-415-555-0123",
    "+１４１５５５５０１２３",
];
const FORMATS: [&str; 7] = ["json", "text", "html", "vcard", "xml", "flat", "hash"];

#[tokio::test(start_paused = true)]
async fn a_thousand_lookups_in_mixed_spellings_and_formats_are_one_search() {
    let service = std::sync::Arc::new(
        Service::warmed(|options| {
            options.sandbox.latency = Duration::from_millis(200);
        })
        .await,
    );

    let lookups: Vec<_> = (0..1_000)
        .map(|n| {
            let service = std::sync::Arc::clone(&service);
            let (phone, format) = (SPELLINGS[n % SPELLINGS.len()], FORMATS[n % FORMATS.len()]);
            tokio::spawn(async move {
                sleep(Duration::from_micros(n as u64 * 150)).await;
                // 0011 is how one dials out of Australia, 00 is how one does in Europe: the region says which.
                let region = if phone.starts_with("00") { "&region=DE" } else { "" };
                service.lookup(phone, &format!("{region}&format={format}")).await
            })
        })
        .collect();
    for lookup in lookups {
        let got = lookup.await.unwrap();
        assert_eq!(got.status, StatusCode::OK, "{}", got.body);
        assert!(got.body.contains("Anna"), "{}", got.body);
    }

    assert_eq!(service.searches(), 1);
    assert_eq!(service.sandbox.count(Endpoint::Leads), 1);
    assert_eq!(service.metric(r#"lookups_total{answer="found",status="miss"}"#).await, 1.0);
    assert_eq!(service.metric(r#"lookups_total{answer="found",status="coalesced"}"#).await, 999.0);
}

#[tokio::test(start_paused = true)]
async fn the_card_holds_what_the_contract_shows() {
    let service = Service::warmed(|_| {}).await;

    let got = service.lookup("(415) 555-0123", "").await;
    let json = got.json();

    assert_eq!(json["found"], true);
    assert_eq!(json["phone"]["input"], "(415) 555-0123");
    assert_eq!(json["phone"]["e164"], "+14155550123");
    assert_eq!(json["contact"]["id"], ANNA);
    assert_eq!(json["contact"]["name"], "Anna Ivanova");
    assert_eq!(json["contact"]["url"], "https://acme.kommo.com/contacts/detail/7");
    assert_eq!(json["contact"]["company"]["name"], "Acme");
    assert_eq!(json["contact"]["owner"]["name"], "Olivia Owner");
    assert_eq!(json["contact"]["tags"][0]["name"], "VIP");
    let states: Vec<_> = json["leads"].as_array().unwrap().iter().map(|lead| lead["state"].as_str().unwrap()).collect();
    assert_eq!(states[0], "open");
    assert!(states.contains(&"won") && states.contains(&"lost"), "{states:?}");
    assert_eq!(json["matches"]["count"], 1);
    assert_eq!((json["cache"]["status"].as_str(), got.cache_status()), (Some("miss"), "callcard; fwd=miss"));

    sleep(Duration::from_secs(12)).await;
    let again = service.lookup("+14155550123", "").await;
    assert_eq!((again.cache_status(), again.header("age")), ("callcard; hit; ttl=588", "12"));
    assert_eq!(again.header("etag"), got.header("etag"), "the card is the same, whatever its age");
    assert_eq!(service.searches(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_looked_up_costs_no_call() {
    let service = Service::warmed(|_| {}).await;
    for (phone, reason) in
        [("anonymous", "withheld"), ("", "withheld"), ("sip:restricted@x", "withheld"), ("204", "extension")]
    {
        let got = service.lookup(phone, "").await;
        assert_eq!((got.status, got.json()["reason"].as_str()), (StatusCode::NOT_FOUND, Some(reason)), "{phone}");
        let text = service.lookup(phone, "&format=text").await;
        assert_eq!((text.status, text.body.as_str()), (StatusCode::OK, ""), "{phone}");
    }
    let invalid = service.lookup("+1 415 555", "").await;
    assert_eq!(invalid.problem(), (400, "invalid-phone".to_owned()));
    assert_eq!(service.sandbox.count_all(), 0);
    assert_eq!(service.metric(r#"lookups_total{answer="invalid",status="skipped"}"#).await, 1.0);
}

#[tokio::test(start_paused = true)]
async fn digits_in_names_and_order_numbers_are_nobodys_number() {
    let service = Service::warmed(|_| {}).await;
    let got = service.lookup(FALSE_FRIEND, &patient()).await;
    assert_eq!((got.status, got.json()["reason"].as_str()), (StatusCode::NOT_FOUND, Some("not_found")));
    assert!(service.searches() >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_there_at_the_deadline_even_if_the_leads_are_not() {
    let service = Service::warmed(|_| {}).await;
    service.sandbox.inject("leads:slow=3s".parse().unwrap());

    let got = service.lookup("+14155550123", "").await;
    let json = got.json();

    assert_eq!((json["found"].as_bool(), json["contact"]["name"].as_str()), (Some(true), Some("Anna Ivanova")));
    assert_eq!(json["partial"], serde_json::json!(["leads", "company"]), "the owner's name was known before");
    assert!(json["leads"][0]["url"].is_string() && json["leads"][0]["name"].is_null());

    sleep(Duration::from_secs(3)).await;
    let later = service.lookup("+14155550123", "").await.json();
    assert!(later["partial"].is_null() && later["leads"][0]["name"].is_string(), "the fill went on");
    assert_eq!(service.searches(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_operators_can_look_at_an_entry_and_drop_it() {
    let service = Service::warmed(|_| {}).await;
    service.lookup("+14155550123", "").await;

    let explained = service.admin("GET", "/cache/+14155550123").await.json();
    assert_eq!((explained["state"].as_str(), explained["contacts"][0].as_u64()), (Some("fresh"), Some(ANNA)));

    assert!(service.admin("DELETE", &format!("/contacts/{ANNA}")).await.status.is_success());
    assert_eq!(service.admin("GET", "/cache/+14155550123").await.status, StatusCode::NOT_FOUND);
    service.lookup("+14155550123", "").await;
    assert_eq!(service.searches(), 2);

    assert!(service.admin("DELETE", "/cache/+14155550123").await.status.is_success());
    assert!(service.admin("POST", "/cache/flush").await.status.is_success());
    service.lookup("+14155550123", "").await;
    assert_eq!(service.searches(), 3);
}
