//! What a caller is told when there is no answer, in every form.

use super::*;

#[tokio::test]
async fn programs_get_a_problem_document() {
    let client = Client::open();
    for (path, status, code) in [
        ("/lookup?phone=not-a-number-1234567890123456789012345", 400, "invalid-phone"),
        ("/lookup", 400, "invalid-parameter"),
        ("/lookup?phone=1&phone=2", 400, "invalid-parameter"),
        ("/lookup?phone=%FF", 400, "invalid-parameter"),
        ("/lookup?phone=1&format=yaml", 400, "invalid-parameter"),
        ("/lookup?phone=1&max=many&region=Narnia", 400, "invalid-parameter"),
        ("/lookup?phone=%2B14155550100", 502, "upstream-failed"),
        ("/nothing", 404, "no-such-route"),
        ("/lookup/", 404, "no-such-route"),
        ("/", 404, "no-such-route"),
    ] {
        let got = client.get(path).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (status, code), "{path}");
        assert_eq!(got.json()["status"], status);
        assert_eq!(got.json()["type"], format!("urn:callcard:problem:{code}"));
        assert_eq!(got.json()["request_id"], got.header("x-request-id"));
        assert_eq!(got.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn every_fault_is_named_at_once_and_no_value_is_repeated() {
    let got = Client::open().get("/lookup?phone=415-555-0123&max=many&region=Narnia&ascii=2&key=s3cret").await;

    let detail = got.json()["detail"].as_str().unwrap().to_owned();
    for parameter in ["max", "region", "ascii"] {
        assert!(detail.contains(parameter), "{detail}");
    }
    for value in ["555", "many", "Narnia", "s3cret"] {
        assert!(!got.body.contains(value), "{}", got.body);
    }
}

#[tokio::test]
async fn an_invalid_phone_has_its_reason_and_is_not_repeated() {
    let got = Client::open().get("/lookup?phone=%2B1415555").await;

    assert_eq!(got.code(), "invalid-phone");
    assert_eq!(got.json()["reason"], "TOO_SHORT");
    assert!(!got.body.contains("1415555"), "{}", got.body);
}

#[tokio::test]
async fn text_is_200_and_empty_for_whatever_reason() {
    let client = Client::open();
    for query in [
        "phone=hello-1234567890123456789012345",
        "phone=%FF",
        "phone=1&phone=2",
        "max=many&phone=1",
        "number=anonymous",
        "phone=%2B14155550199",
        "phone=%2B14155550100",
        "",
    ] {
        let got = client.get(&format!("/lookup?format=text&{query}")).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (200, ""), "{query}");
        assert_eq!((got.header("content-type"), got.header("content-length")), ("text/plain; charset=utf-8", "0"));
        let got = client.get(&format!("/lookup?format=text&default=Caller&{query}")).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "Caller"), "{query}");
    }
}

#[tokio::test]
async fn a_line_of_text_tells_why_it_is_empty_in_its_headers() {
    let client = Client::open();
    let told =
        async |query: &str| client.get(&format!("/lookup?format=text&{query}")).await.header("cache-status").to_owned();

    assert_eq!(told("phone=%FF").await, "callcard; detail=invalid-parameter");
    assert_eq!(told("phone=%2B1415555").await, "callcard; detail=invalid-phone");
    assert_eq!(told("phone=anonymous").await, "callcard; detail=skipped");
    assert_eq!(told("phone=%2B14155550100").await, "callcard; fwd=miss; detail=upstream-failed");
}

#[tokio::test]
async fn hash_xml_and_html_keep_their_own_forms() {
    for (format, status, content_type) in [
        ("hash", 200, "application/x-www-form-urlencoded"),
        ("xml", 200, "text/xml; charset=utf-8"),
        ("html", 502, "text/html; charset=utf-8"),
    ] {
        let got = Client::open().get(&format!("{}&format={format}", asking(FAILING))).await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (status, content_type));
    }
    let client = Client::open();
    for (format, status) in [("hash", 200), ("xml", 200), ("html", 400), ("flat", 400), ("vcard", 400)] {
        let got = client.get(&format!("/lookup?phone=%2B1415555&format={format}")).await;
        assert_eq!(got.status.as_u16(), status, "{format}");
    }
}

#[tokio::test]
async fn a_page_about_a_failure_is_as_locked_down_as_a_card() {
    let got = Client::open().get(&(asking(FAILING) + "&format=html")).await;

    assert!(got.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!((got.header("referrer-policy"), got.header("cache-control")), ("no-referrer", "no-store"));
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let client = Client::open();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let got = client.send(Request::builder().method(method).uri(asking(KNOWN)), "").await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (405, "method-not-allowed"), "{method}");
        assert_eq!(got.header("allow"), "GET,HEAD,POST");
    }
    let got = client.post("/openapi.json", "").await;
    assert_eq!((got.status.as_u16(), got.header("allow")), (405, "GET,HEAD"));
}

#[tokio::test]
async fn an_accept_header_that_takes_nothing_of_ours_is_406() {
    let got = Client::open().get_with(&asking(KNOWN), "accept", "image/png").await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (406, "not-acceptable"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn no_query_string_is_a_defect(query in "(phone|number|format|region|max|default|key|deadline_ms)=[!-\"$-~]{0,40}(&[!-\"$-~]{0,40})?") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let Ok(uri) = format!("/lookup?{query}").parse::<http::Uri>() else { return Ok(()) };
        let got = runtime.block_on(async { Client::open().send(Request::get(uri), "").await });
        assert!(got.status.as_u16() < 500, "{} for {query}", got.status);
    }
}
