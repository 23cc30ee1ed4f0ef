//! The operators' listener.

use crate::shutdown::{Health, Readiness};

use super::*;

fn admin(keys: &str, readiness: &Readiness) -> Client {
    Client(api(keys).admin_router(readiness.clone()))
}

#[tokio::test]
async fn alive_whatever_else_is_wrong() {
    let readiness = Readiness::new();
    readiness.check("crm", || Health::Unready("credentials refused".to_owned()));
    let client = admin("", &readiness);
    for path in ["/livez", "/healthz"] {
        let got = client.get(path).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (200, r#"{"status":"live"}"#));
    }
}

#[tokio::test]
async fn readiness_says_why_not_and_lists_everything_when_asked() {
    let readiness = Readiness::new();
    let latch = readiness.latch("parser");
    readiness.check("crm", || Health::Degraded("suspended".to_owned()));
    let client = admin("", &readiness);

    let got = client.get("/readyz").await;
    assert_eq!(got.status, 503);
    insta::assert_snapshot!(got.body, @r#"{"checks":{"crm":{"detail":"suspended","status":"degraded"},"parser":{"detail":"not yet","status":"unready"}},"status":"unready"}"#);

    latch.open();
    let got = client.get("/readyz").await;
    assert_eq!(got.status, 200);
    insta::assert_snapshot!(got.body, @r#"{"checks":{"crm":{"detail":"suspended","status":"degraded"}},"status":"ready"}"#);
    insta::assert_snapshot!(client.get("/readyz?verbose").await.body, @r#"{"checks":{"crm":{"detail":"suspended","status":"degraded"},"parser":{"detail":"","status":"ok"}},"status":"ready"}"#);

    readiness.start_draining();
    assert_eq!(client.get("/readyz?verbose=1").await.status, 503);
}

#[tokio::test]
async fn metrics_are_in_the_text_format_and_count_the_requests_themselves() {
    let client = admin("", &Readiness::new());
    client.get("/livez").await;

    let got = client.get("/metrics").await;

    assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "text/plain; version=0.0.4"));
    let line = r#"callcard_http_requests_total{code="200",method="GET",route="/livez"} 1"#;
    assert!(got.body.contains(line), "{}", got.body);
}

#[tokio::test]
async fn an_entry_is_explained_and_dropped() {
    let api = api("");
    let (lookup, admin) = (Client::from(api.front()), Client(api.admin_router(Readiness::new())));
    let entry = format!("/cache/{}", KNOWN.replace('+', "%2B"));
    assert_eq!(admin.get(&entry).await.code(), "no-such-entry");
    lookup.get(&asking(KNOWN)).await;

    for path in [entry.as_str(), "/cache/+14155550123", "/cache/14155550123", "//cache/14155550123"] {
        let got = admin.get(path).await;
        assert_eq!((got.status.as_u16(), &got.json()["state"]), (200, &"fresh".into()), "{path}");
    }
    let dropped = admin.send(Request::delete(&entry), "").await;
    assert_eq!((dropped.status.as_u16(), dropped.body.as_str()), (200, r#"{"dropped":1}"#));
    assert_eq!(admin.get(&entry).await.status, 404);
    assert_eq!(admin.send(Request::delete(&entry), "").await.body, r#"{"dropped":0}"#);
}

#[tokio::test]
async fn a_contact_is_dropped_with_its_numbers_and_a_flush_only_expires() {
    let api = api("");
    let (lookup, admin) = (Client::from(api.front()), Client(api.admin_router(Readiness::new())));
    lookup.get(&asking(KNOWN)).await;

    assert_eq!(admin.post("/cache/flush", "").await.status, 204);
    assert_eq!(admin.get("/cache/14155550123").await.json()["state"], "stale");
    assert_eq!(admin.send(Request::delete("/contacts/7"), "").await.body, r#"{"dropped":1}"#);
    assert_eq!(admin.get("/cache/14155550123").await.status, 404);
}

#[tokio::test]
async fn names_that_are_none_are_refused_without_repeating_them() {
    let client = admin("", &Readiness::new());
    for path in ["/cache/anna", "/cache/%FF", "/cache/+", "/cache/0", "/cache/999999999999999999999"] {
        let got = client.get(path).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (400, "invalid-parameter"), "{path}");
        assert!(!got.body.contains("anna"));
    }
    for path in ["/contacts/anna", "/contacts/-1", "/contacts/99999999999999999999"] {
        assert_eq!(client.send(Request::delete(path), "").await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn administration_needs_an_admin_key_and_probes_need_none() {
    let client = admin("desk:lookup:llll,ops:admin:aaaa", &Readiness::new());
    for path in ["/metrics", "/livez", "/healthz", "/readyz"] {
        assert_eq!(client.get(path).await.status, 200, "{path}");
    }
    assert_eq!(client.get("/cache/14155550123").await.status, 401);
    assert_eq!(client.get_with("/cache/14155550123", "x-api-key", "llll").await.code(), "forbidden");
    assert_eq!(client.get_with("/cache/14155550123", "x-api-key", "aaaa").await.code(), "no-such-entry");
    assert_eq!(client.post("/cache/flush", "").await.status, 401);
    assert_eq!(client.send(Request::delete("/contacts/7"), "").await.status, 401);
}

#[tokio::test]
async fn the_two_listeners_share_no_path() {
    let api = api("");
    let (lookup, admin) = (Client::from(api.front()), Client(api.admin_router(Readiness::new())));
    assert_eq!(lookup.get("/metrics").await.code(), "no-such-route");
    assert_eq!(lookup.get("/cache/14155550123").await.code(), "no-such-route");
    assert_eq!(admin.get(&asking(KNOWN)).await.code(), "no-such-route");
}
