//! Answers in the form that was asked for, and what their headers say.

use super::*;

#[tokio::test]
async fn a_known_number_is_answered_with_its_card() {
    let got = Client::open().get(&asking(KNOWN)).await;

    assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "application/json"));
    assert_eq!((&got.json()["found"], &got.json()["phone"]["input"]), (&true.into(), &KNOWN.into()));
    assert_eq!(got.json()["contact"]["name"], "Anna Ivanova");
}

#[tokio::test]
async fn nobody_is_404_unless_the_caller_cannot_bear_it() {
    let client = Client::open();
    for (path, status) in [
        (asking(UNKNOWN), 404),
        (asking(UNKNOWN) + "&notfound=200", 200),
        (asking(UNKNOWN) + "&notfound=404", 404),
        ("/lookup?phone=anonymous".to_owned(), 404),
        ("/lookup?phone=".to_owned(), 404),
        (asking(UNKNOWN) + "&format=html", 200),
        (asking(UNKNOWN) + "&format=hash", 200),
        (asking(UNKNOWN) + "&format=xml", 200),
        (asking(UNKNOWN) + "&format=text", 200),
    ] {
        assert_eq!(client.get(&path).await.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn any_number_of_leading_slashes_is_one_and_never_a_redirect() {
    let client = Client::open();
    let plain = client.get(&asking(KNOWN)).await;
    for slashes in ["/", "//", "////"] {
        let got = client.get(&format!("{slashes}{}", asking(KNOWN))).await;
        assert_eq!((got.status, got.json()["contact"].clone()), (plain.status, plain.json()["contact"].clone()));
    }
    assert_eq!(client.get("//nothing").await.status, 404);
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let client = Client::open();
    client.get(&asking(KNOWN)).await;
    let get = client.get(&asking(KNOWN)).await;

    let head = client.send(Request::head(asking(KNOWN)), "").await;

    assert_eq!((head.status, head.body.as_str()), (get.status, ""));
    for name in ["content-type", "content-length", "cache-status", "etag", "vary"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
        assert_ne!(head.header(name), "", "{name}");
    }
}

#[tokio::test]
async fn the_headers_say_where_an_answer_comes_from_and_how_long_it_lasts() {
    let client = Client::open();
    let miss = client.get(&asking(KNOWN)).await;
    assert_eq!(miss.header("cache-status"), "callcard; fwd=miss");

    let hit = client.get(&asking(KNOWN)).await;

    assert!(hit.header("cache-status").starts_with("callcard; hit; ttl="), "{}", hit.header("cache-status"));
    assert!(hit.header("cache-control").starts_with("private, max-age="), "{}", hit.header("cache-control"));
    assert_ne!(hit.header("cache-control"), "private, max-age=0");
    assert_eq!((hit.header("age"), hit.header("vary")), ("0", "Accept"));
    assert_eq!(hit.header("x-content-type-options"), "nosniff");
    assert_eq!(hit.header("x-request-id").len(), 32);
}

#[tokio::test]
async fn a_request_id_is_echoed() {
    let got = Client::open().get_with(&asking(KNOWN), "x-request-id", "call-17").await;
    assert_eq!(got.header("x-request-id"), "call-17");
}

#[tokio::test]
async fn a_card_the_caller_has_is_not_sent_again() {
    let client = Client::open();
    let etag = client.get(&asking(KNOWN)).await.header("etag").to_owned();

    let got = client.get_with(&asking(KNOWN), "if-none-match", &etag).await;

    assert_eq!((got.status.as_u16(), got.body.as_str()), (304, ""));
    assert_eq!((got.header("etag"), got.header("content-type")), (etag.as_str(), ""));
    assert!(got.header("cache-status").starts_with("callcard; hit"));
    assert_eq!(client.get_with(&asking(KNOWN), "if-none-match", "\"other\"").await.status, 200);
    assert_eq!(client.get_with(&asking(UNKNOWN), "if-none-match", "*").await.status, 404, "there is no card to have");
    let text = client.get_with(&(asking(KNOWN) + "&format=text"), "if-none-match", "*").await;
    assert_eq!(text.status, 200, "a phone system must get its line");
}

#[tokio::test]
async fn a_page_is_locked_down_and_never_stored() {
    let got = Client::open().get_with(&asking(UNKNOWN), "accept", "text/html").await;

    assert_eq!((got.header("content-type"), got.header("cache-control")), ("text/html; charset=utf-8", "no-store"));
    assert!(got.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(got.header("referrer-policy"), "no-referrer");
    assert!(got.body.contains("https://acme.kommo.com/contacts/add?phone=%2B14155550199"), "{}", got.body);
}

#[tokio::test]
async fn a_bare_plus_and_every_alias_mean_the_same_number() {
    let client = Client::open();
    for path in ["/lookup?phone=+14155550123", "/lookup?caller=%2b14155550123", "/lookup?from=+14155550123&x=1"] {
        let got = client.get(path).await;
        assert_eq!((got.status.as_u16(), &got.json()["phone"]["e164"]), (200, &KNOWN.into()), "{path}");
        assert_eq!(got.json()["phone"]["input"], KNOWN, "some phone systems compare it with what they sent");
    }
}
