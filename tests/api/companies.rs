//! `CALLCARD_COMPANIES=on`: a number that no contact has may be a company's, which is verified and cached like a contact's.

use callcard::sandbox::Endpoint;
use callcard::sandbox::fixtures::office::{BAKERY, SEVEN};
use callcard::sandbox::fixtures::people::{ANNA, COMPANY_ONLY_NUMBER, SWITCHBOARD_NUMBER};
use http::StatusCode;
use tokio::time::{Duration, sleep};

use crate::harness::service::{Options, Service, patient};

const SEVENS_NUMBER: &str = "+14155550163";
const NOBODYS: &str = "+16465550999";

fn on(options: &mut Options) {
    options.lookup.companies = true;
    options.lookup.search = callcard::lookup::SearchMode::Digits;
}

/// Calls so far: searches of contacts, and anything asked of companies.
fn calls(service: &Service) -> (usize, usize) {
    (service.searches(), service.sandbox.count(Endpoint::Companies))
}

#[tokio::test(start_paused = true)]
async fn a_number_that_only_a_company_has_gives_the_company_for_one_call_more() {
    let service = Service::warmed(on).await;

    let json = service.lookup(COMPANY_ONLY_NUMBER, "").await.json();

    let company = &json["contact"];
    assert_eq!((company["kind"].as_str(), company["id"].as_u64()), (Some("company"), Some(BAKERY)));
    assert_eq!(company["name"], "Northwind Bakery");
    assert_eq!(company["url"], format!("https://acme.kommo.com/companies/detail/{BAKERY}"));
    assert_eq!(company["owner"]["name"], "Olivia Owner");
    assert!(company["company"].is_null() && company["first_name"].is_null());
    assert_eq!((json["leads"][0]["name"].as_str(), json["leads"][0]["state"].as_str()), (Some("Oven"), Some("open")));
    assert_eq!(json["matches"]["count"], 1);
    assert_eq!(calls(&service), (1, 1));
    assert_eq!(service.lookup(COMPANY_ONLY_NUMBER, "").await.json()["cache"]["status"], "hit");
    assert_eq!((calls(&service), service.sandbox.count(Endpoint::Leads)), ((1, 1), 1));
}

#[tokio::test(start_paused = true)]
async fn companies_are_not_asked_where_a_contact_has_the_number_or_they_are_off() {
    let service = Service::warmed(on).await;
    let json = service.lookup(SWITCHBOARD_NUMBER, &patient()).await.json();
    assert_eq!(json["contact"]["kind"], "contact", "the hotel has this number too");
    let names = service.sandbox.calls().iter().filter(|call| call.endpoint == Endpoint::Companies).count();
    assert_eq!(names, 1, "its name only");

    let off = Service::warmed(|options| options.lookup.search = callcard::lookup::SearchMode::Digits).await;
    assert_eq!(off.lookup(COMPANY_ONLY_NUMBER, "").await.json()["reason"], "not_found");
    assert_eq!(calls(&off), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn every_form_shows_a_company() {
    let service = Service::warmed(on).await;
    for (format, expected) in [
        ("text", "Northwind Bakery"),
        ("html", "A company; no contact has this number"),
        ("vcard", "KIND:org\r\nORG:Northwind Bakery"),
        ("xml", "<Name>Northwind Bakery</Name>"),
        ("flat", r#""kind":"company","name":"Northwind Bakery""#),
        ("hash", "kind=company&name=Northwind%20Bakery"),
    ] {
        let got = service.lookup(COMPANY_ONLY_NUMBER, &format!("&format={format}")).await;
        assert!(got.status == StatusCode::OK && got.body.contains(expected), "{format}: {}", got.body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_whose_digits_a_company_has_elsewhere_is_nobodys() {
    let service = Service::warmed(on).await;
    service.sandbox.update_company(BAKERY, |company| company.name = "Bakery 6465550999".to_owned()).unwrap();
    assert_eq!(service.lookup(NOBODYS, "").await.json()["reason"], "not_found");
    assert_eq!(calls(&service), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_contact_and_a_company_with_one_id_are_two() {
    assert_eq!(SEVEN, ANNA);
    let service = Service::warmed(on).await;
    let name = async |phone: &str| service.lookup(phone, "").await.json()["contact"]["name"].clone();
    for _ in 0..2 {
        assert_eq!(
            (name("+14155550123").await, name(SEVENS_NUMBER).await),
            ("Anna Ivanova".into(), "Seven Seas Shipping".into())
        );
    }
    let explained = service.admin("GET", &format!("/cache/{SEVENS_NUMBER}")).await.json();
    assert_eq!(
        (explained["companies"].clone(), explained["contacts"].clone()),
        (serde_json::json!([7]), serde_json::json!([]))
    );

    assert_eq!(service.admin("DELETE", "/contacts/7").await.json()["dropped"], 1);
    assert!(service.lookup(SEVENS_NUMBER, "").await.cache_status().contains("hit"), "the company stays");
    assert_eq!(service.admin("DELETE", "/companies/7").await.json()["dropped"], 1);
    assert!(service.lookup(SEVENS_NUMBER, "").await.cache_status().contains("fwd=miss"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_among_companies_is_never_not_found() {
    for (fault, problem) in [
        ("companies:500", (502, "upstream-failed")),
        ("companies:403", (502, "upstream-failed")),
        ("companies:empty", (502, "upstream-failed")),
        ("companies:stall", (504, "upstream-timeout")),
    ] {
        let service = Service::warmed(on).await;
        service.sandbox.inject(fault.parse().unwrap());
        let got = service.lookup(NOBODYS, "").await;
        assert_eq!(got.problem(), (problem.0, problem.1.to_owned()), "{fault}");
        let text = service.lookup(NOBODYS, "&format=text").await;
        assert_eq!((text.status, text.body.as_str()), (StatusCode::OK, ""), "{fault}");
        let known = service.lookup("+14155550134", "").await;
        assert_eq!(known.json()["contact"]["name"], "Ben Carter", "{fault}: a contact needs no company");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_right_to_see_companies_is_not_asked_for_again_at_once_and_comes_back() {
    let service = Service::warmed(on).await;
    service.sandbox.inject("companies:403".parse().unwrap());
    for n in 0..5 {
        let got = service.lookup(&format!("+1646555090{n}"), &patient()).await;
        assert_eq!(got.problem(), (502, "upstream-failed".to_owned()));
    }
    assert_eq!(calls(&service), (5, 1));
    assert_eq!(service.metric("upstream_breaker_open").await, 0.0);
    service.sandbox.clear_faults();
    sleep(Duration::from_secs(601)).await;
    assert_eq!(service.lookup("+16465550900", "").await.json()["reason"], "not_found");
    assert_eq!(service.lookup(COMPANY_ONLY_NUMBER, "").await.json()["contact"]["id"], BAKERY);
}

#[tokio::test(start_paused = true)]
async fn companies_and_contacts_are_refreshed_by_their_ids_in_one_call_each() {
    let service = Service::warmed(on).await;
    let phones = [COMPANY_ONLY_NUMBER, SEVENS_NUMBER, "+14155550134", "+14155550123"];
    for phone in phones {
        service.lookup(phone, "").await;
    }
    service.sandbox.update_company(BAKERY, |company| company.name = "Southwind Bakery".to_owned()).unwrap();
    sleep(Duration::from_secs(9 * 60)).await;
    service.sandbox.reset_calls();
    for phone in phones {
        assert!(service.lookup(phone, "").await.cache_status().contains("hit"));
    }
    sleep(Duration::from_secs(10)).await;
    let json = service.lookup(COMPANY_ONLY_NUMBER, "").await.json();
    assert_eq!(
        (json["contact"]["name"].as_str(), json["cache"]["status"].as_str()),
        (Some("Southwind Bakery"), Some("hit"))
    );
    let by_id = service.sandbox.count(Endpoint::ContactsById);
    assert_eq!((by_id, calls(&service)), (1, (0, 1)), "no search; Acme's name is still known");
}

#[tokio::test(start_paused = true)]
async fn a_company_that_gave_its_number_away_is_not_shown_for_it() {
    let service = Service::warmed(on).await;
    service.lookup(SEVENS_NUMBER, "").await;
    service.sandbox.update_company(SEVEN, |company| company.set_phones(&["+1 415 555 0164"])).unwrap();
    service.sandbox.add_contact("New Owner", &[SEVENS_NUMBER]);
    assert_eq!(service.admin("DELETE", "/companies/7").await.json()["dropped"], 1);
    let json = service.lookup(SEVENS_NUMBER, "").await.json();
    assert_eq!(
        (json["contact"]["kind"].as_str(), json["contact"]["name"].as_str()),
        (Some("contact"), Some("New Owner"))
    );
    assert_eq!(service.lookup("+14155550164", "").await.json()["contact"]["id"], SEVEN);
}

#[tokio::test(start_paused = true)]
async fn a_company_is_found_whichever_way_the_search_works() {
    for mode in callcard::sandbox::SearchMode::ALL {
        let service = Service::new(|options| {
            on(options);
            options.lookup.search = callcard::lookup::SearchMode::Auto;
            options.sandbox.search = mode;
        });
        for measured in [false, true] {
            if measured {
                service.calibration.measure().await.unwrap();
                service.admin("DELETE", "/companies/7").await;
            }
            let json = service.lookup(SEVENS_NUMBER, &patient()).await.json();
            assert_eq!(json["contact"]["name"], "Seven Seas Shipping", "{mode}");
        }
    }
}
