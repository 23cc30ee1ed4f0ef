//! The quota, the block, and faults on demand.
use std::time::Duration;

use axum::body::Body;
use callcard::sandbox::fixtures::people;
use callcard::sandbox::{Endpoint, Fault, FaultRule, LimitAnswer};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::{Instant, advance, timeout};

use super::{Answer, Client};

const ANNA: &str = "/api/v4/contacts?query=4155550123&with=leads";

fn with_fault(rule: &str) -> Client {
    let rule = rule.parse().unwrap();
    Client::new(|settings| settings.faults = vec![rule])
}

async fn answer_with(fault: &str) -> Answer {
    with_fault(&format!("contacts_query:{fault}")).get(ANNA).await
}

#[tokio::test(start_paused = true)]
async fn the_eighth_request_in_a_second_is_a_429_that_says_how_long_to_wait() {
    let client = Client::new(|settings| settings.rate = Some(7));
    for _ in 0..7 {
        assert_eq!(client.get("/api/v4/account").await.status, StatusCode::OK);
    }
    let refused = client.get("/api/v4/account").await;
    assert_eq!((refused.status, &refused.json()["retry_after"]), (StatusCode::TOO_MANY_REQUESTS, &json!(1)));
    assert!(!refused.headers.contains_key("retry-after"));
    advance(Duration::from_secs(1)).await;
    assert_eq!(client.get("/api/v4/account").await.status, StatusCode::OK);
    assert_eq!(client.crm.worst_second(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_429_comes_as_html_or_with_a_header_when_told_to() {
    let client = Client::new(|settings| (settings.rate, settings.limit_answer) = (Some(0), LimitAnswer::Html));
    assert_eq!(client.get("/api/v4/account").await.content_type(), Some("text/html"));
    client.crm.adjust(|settings| settings.limit_answer = LimitAnswer::JsonWithHeader);
    assert!(client.get("/api/v4/account").await.headers.contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn repeated_breaches_block_everything_even_the_token_endpoint_until_it_is_lifted() {
    let client = Client::new(|settings| (settings.rate, settings.block_after) = (Some(7), Some(3)));
    for _ in 0..12 {
        client.get("/api/v4/account").await;
    }
    advance(Duration::from_hours(1)).await;
    for path in ["/api/v4/account", "/api/v4/nonsense", "/oauth2/access_token"] {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.content_type()), (StatusCode::FORBIDDEN, Some("text/html")), "{path}");
    }
    client.crm.unblock();
    assert_eq!(client.get("/api/v4/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn errors_of_the_api_are_problem_json() {
    for (fault, status) in
        [("400", 400), ("401", 401), ("402", 402), ("403", 403), ("404", 404), ("422", 422), ("429", 429), ("500", 500)]
    {
        let answer = answer_with(fault).await;
        assert_eq!(
            (answer.status.as_u16(), answer.content_type()),
            (status, Some("application/problem+json")),
            "{fault}"
        );
        assert_eq!(answer.json()["status"], status, "{fault}");
    }
    assert!(answer_with("400").await.json()["validation-errors"].is_array());
    assert!(answer_with("500").await.json()["trace_id"].is_string());
    assert_eq!(answer_with("429=5m").await.json()["retry_after"], 300);
    assert_eq!(answer_with("429-header=5m").await.headers["retry-after"], "300");
}

#[tokio::test]
async fn errors_of_the_web_server_are_html() {
    for (fault, status) in [("block", 403), ("429-html", 429), ("502", 502), ("503", 503), ("504", 504), ("html", 200)]
    {
        let answer = answer_with(fault).await;
        assert_eq!((answer.status.as_u16(), answer.content_type()), (status, Some("text/html")), "{fault}");
        assert!(answer.body.starts_with(b"<html>"), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_holds_what_was_true_when_the_question_came() {
    let client = with_fault("contacts_query:slow=5s");
    let begun = Instant::now();
    let asking = client.clone();
    let answer = tokio::spawn(async move { asking.get(ANNA).await });
    tokio::task::yield_now().await;
    client.crm.update_contact(people::ANNA, |anna| "Anna Petrova".clone_into(&mut anna.name)).unwrap();
    let answer = answer.await.unwrap().json();
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert_eq!(answer["_embedded"]["contacts"][0]["name"], "Anna Ivanova");
}

#[tokio::test(start_paused = true)]
async fn a_dripping_body_is_whole_in_the_end() {
    let client = with_fault("contacts_query:drip=10s");
    let begun = Instant::now();
    let response = client.begin(Method::GET, ANNA, Body::empty(), &[]).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    assert!(serde_json::from_slice::<Value>(&body).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_request_is_never_answered_and_counted_all_the_same() {
    let client = with_fault("contacts_query:stall");
    assert!(timeout(Duration::from_hours(24), client.get(ANNA)).await.is_err());
    assert_eq!(client.crm.calls()[0].status, 0);

    let client = with_fault("contacts_query:stall-body");
    let response = client.begin(Method::GET, ANNA, Body::empty(), &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(timeout(Duration::from_hours(24), response.into_body().collect()).await.is_err());
}

#[tokio::test]
async fn a_broken_connection_breaks_the_body() {
    for (fault, some) in [("reset", false), ("cut", true)] {
        let client = with_fault(&format!("contacts_query:{fault}"));
        let mut body = client.begin(Method::GET, ANNA, Body::empty(), &[]).await.into_body();
        let first = body.frame().await.unwrap();
        assert_eq!(first.is_ok(), some, "{fault}");
        assert!(!some || body.frame().await.unwrap().is_err(), "{fault}");
    }
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be() {
    let truncated = answer_with("truncated").await;
    assert!(truncated.status == StatusCode::OK && serde_json::from_slice::<Value>(&truncated.body).is_err());
    let empty = answer_with("empty").await;
    assert_eq!((empty.status, empty.body.len()), (StatusCode::OK, 0));
    assert_eq!(answer_with("hollow").await.json(), json!({}));
    let nothing = answer_with("204").await;
    assert_eq!((nothing.status, nothing.content_type()), (StatusCode::NO_CONTENT, None));
    let huge = answer_with("huge=8MiB").await;
    assert!(huge.body.len() > 8 * 1024 * 1024);
    assert!(huge.json()["_embedded"].is_object());
}

#[tokio::test]
async fn a_compressed_body_says_so_and_is_the_same_inside() {
    let answer = answer_with("gzip").await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
    let inside: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&answer.body[..])).unwrap();
    assert_eq!(inside["_embedded"]["contacts"][0]["id"], people::ANNA);
}

#[tokio::test]
async fn a_clock_that_is_behind_shows_in_the_date() {
    let answer = answer_with("skew=1h").await;
    let date = httpdate::parse_http_date(answer.headers["date"].to_str().unwrap()).unwrap();
    let behind = std::time::SystemTime::now().duration_since(date).unwrap();
    assert!((3_600..3_610).contains(&behind.as_secs()), "{behind:?}");
}

#[tokio::test]
async fn a_redirect_leads_to_another_host() {
    let answer = answer_with("redirect=https://renamed.example/api").await;
    assert_eq!(
        (answer.status, &answer.headers["location"]),
        (StatusCode::FOUND, &"https://renamed.example/api".parse().unwrap())
    );
}

#[tokio::test]
async fn faults_strike_where_and_as_often_as_told() {
    let client = with_fault("contacts_query?4155550123:500*2");
    let statuses = async |path: &str| client.get(path).await.status.as_u16();
    assert_eq!(statuses("/api/v4/contacts?query=4155550134").await, 200);
    assert_eq!(statuses("/api/v4/account").await, 200);
    assert_eq!(statuses(ANNA).await, 500);
    assert_eq!(statuses(ANNA).await, 500);
    assert_eq!(statuses(ANNA).await, 200);
    client.crm.inject(FaultRule::new(&[], Fault::Edge(502)));
    assert_eq!(statuses("/api/v4/account").await, 502);
    client.crm.clear_faults();
    assert_eq!(statuses("/api/v4/account").await, 200);
}

#[tokio::test]
async fn a_request_can_bring_its_own_fault() {
    let answer = Client::new(|_| {}).send(Method::GET, ANNA, "", &[("x-sandbox-fault", "504")]).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    let answer = Client::new(|_| {}).send(Method::GET, ANNA, "", &[("x-sandbox-fault", "slow")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_request_is_counted_with_its_endpoint_query_and_status() {
    let client = Client::new(|_| {});
    client.get(ANNA).await;
    client.with_token("wrong").get("/api/v4/leads?filter[id][]=1").await;
    let calls = client.crm.calls();
    assert_eq!((calls[0].endpoint, calls[0].status), (Endpoint::ContactsQuery, 200));
    assert_eq!(calls[0].query, "query=4155550123&with=leads");
    assert_eq!((calls[1].endpoint, calls[1].status), (Endpoint::Leads, 401));
    assert_eq!(client.crm.count(Endpoint::ContactsQuery), 1);
    client.crm.reset_calls();
    assert_eq!(client.crm.count_all(), 0);
}

#[tokio::test]
async fn faults_calls_and_records_can_be_reached_over_http() {
    let client = Client::new(|_| {});
    let added = client.send(Method::POST, "/_sandbox/faults", "account:402*1\nleads:500\n", &[]).await;
    assert_eq!(added.status, StatusCode::NO_CONTENT);
    assert_eq!(client.get("/api/v4/account").await.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(client.get("/_sandbox/faults").await.body, "leads:500\n");
    let wrong = client.send(Method::POST, "/_sandbox/faults", "leads:boom", &[]).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.body.starts_with(b"there is no fault \"boom\""));
    client.send(Method::DELETE, "/_sandbox/faults", "", &[]).await;
    assert_eq!(client.get("/api/v4/leads/1").await.status, StatusCode::OK);

    let json = [("content-type", "application/json")];
    let edited = client.send(Method::PATCH, "/_sandbox/contacts/7", r#"{"name": "Anna Petrova"}"#, &json).await;
    assert_eq!(edited.status, StatusCode::NO_CONTENT);
    assert_eq!(client.crm.contact(people::ANNA).unwrap().name, "Anna Petrova");

    let calls = client.get("/_sandbox/calls").await.json();
    assert_eq!((&calls["count"], &calls["counts"]), (&json!(2), &json!({"account": 1, "leads": 1})));
}
