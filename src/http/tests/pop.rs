//! The page's own path: always a page, whoever asks and whatever comes of it.

use super::*;

fn popping(number: &str) -> String {
    asking(number).replace("/lookup", "/pop")
}

#[tokio::test]
async fn it_is_a_page_whatever_accept_says() {
    let client = Client::open();
    for accept in ["*/*", "application/json", "image/png", "text/plain"] {
        let got = client.get_with(&popping(KNOWN), "accept", accept).await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "text/html; charset=utf-8"), "{accept}");
        assert!(
            got.body.contains("Anna Ivanova") && got.header("content-security-policy").contains("default-src 'none'")
        );
        assert_eq!((got.header("cache-control"), got.header("referrer-policy")), ("no-store", "no-referrer"));
    }
    assert_eq!(client.get(&(popping(KNOWN) + "&format=html")).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_page_too() {
    let client = Client::open();
    for (path, status, text) in [
        (popping(UNKNOWN), 200, "New contact"),
        ("/pop?phone=anonymous".to_owned(), 200, "Number withheld"),
        ("/pop?phone=204".to_owned(), 200, "Extension 204"),
        ("/pop?phone=%2B1415555".to_owned(), 400, "value=\"+1415555\""),
        ("/pop".to_owned(), 400, "Look up"),
        (popping(KNOWN) + "&format=json", 400, "Look up"),
        (popping(FAILING), 502, "Try again"),
    ] {
        let got = client.get(&path).await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (status, "text/html; charset=utf-8"), "{path}");
        assert!(got.body.contains(text), "{path}: {}", got.body);
    }
}

#[tokio::test]
async fn a_corrected_number_is_read_as_the_first_one_would_have_been() {
    let got = Client::open().get("/pop?phone=030&region=de&format=html").await;
    assert!(!got.body.contains("name=\"region\""), "an extension needs no correction");
    let got = Client::open().get("/pop?phone=12345678901234567890&region=de").await;
    assert!(got.body.contains("name=\"region\" value=\"DE\""), "{}", got.body);
}

#[tokio::test]
async fn a_key_opens_it_from_a_header_and_never_from_the_url() {
    let client = Client::with_keys("pbx:text:tttt,desk:lookup:llll");
    let challenged = client.get(&popping(KNOWN)).await;
    assert_eq!((challenged.status.as_u16(), challenged.header("content-type")), (401, "text/html; charset=utf-8"));
    assert!(challenged.header("www-authenticate").starts_with("Basic "), "a browser answers the first challenge");
    assert!(challenged.body.contains("Sign in") && !challenged.body.contains("Anna"));

    let basic = format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, "agent:llll"));
    assert_eq!(client.get_with(&popping(KNOWN), "authorization", &basic).await.status, 200);
    for key in ["tttt", "llll"] {
        assert_eq!(client.get(&(popping(KNOWN) + "&key=" + key)).await.status, 403, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_asks_the_crm_again_and_pressing_twice_does_not() {
    let client = Client::open();
    let refresh = popping(KNOWN) + "&refresh=1";
    client.get(&popping(KNOWN)).await;
    let status = async |path: &str| client.get(path).await.header("cache-status").to_owned();

    assert!(
        status(&refresh).await.starts_with("callcard; hit"),
        "a second after the first answer there is nothing new"
    );
    tokio::time::advance(std::time::Duration::from_secs(6)).await;
    assert!(status(&popping(KNOWN)).await.starts_with("callcard; hit"));
    assert_eq!(status(&refresh).await, "callcard; fwd=stale");
    assert!(status(&refresh).await.starts_with("callcard; hit"), "pressed again");
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_loads_ahead_refreshes_nothing() {
    let client = Client::open();
    client.get(&popping(KNOWN)).await;
    tokio::time::advance(std::time::Duration::from_secs(6)).await;
    for (name, value) in [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")] {
        for question in ["&refresh=1", "&max_age=0"] {
            let got = client.get_with(&(popping(KNOWN) + question), name, value).await;
            assert!(got.header("cache-status").starts_with("callcard; hit"), "{name} {question}");
        }
    }
    assert_eq!(client.get(&(popping(KNOWN) + "&refresh=1")).await.header("cache-status"), "callcard; fwd=stale");
}

#[tokio::test]
async fn the_button_keeps_the_number_with_its_extension_and_the_deadline() {
    let got = Client::open().get(&(popping(KNOWN) + "%3Bext=12&deadline_ms=900")).await;
    let link = "href=\"?phone=%2B14155550123%3Bext%3D12&#38;format=html&#38;refresh=1&#38;deadline_ms=900\"";
    assert!(got.body.contains(link), "{}", got.body);
}
