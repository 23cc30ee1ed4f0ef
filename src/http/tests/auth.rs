//! Keys, as they meet the endpoints.

use super::*;

const KEYS: &str = "pbx:text:tttt,desk:lookup:llll,ops:admin:aaaa";

#[tokio::test]
async fn without_a_key_there_is_a_challenge_in_every_form() {
    let client = Client::with_keys(KEYS);
    for format in ["json", "text", "hash", "xml", "html", "flat", "vcard"] {
        let got = client.get(&format!("{}&format={format}", asking(KNOWN))).await;
        assert_eq!(got.status, 401, "{format}");
        assert!(got.header("www-authenticate").starts_with("Basic "), "{format}");
        assert!(!got.body.contains("Anna"));
    }
    let got = client.get(&(asking(KNOWN) + "&format=text")).await;
    assert_eq!(got.body, "", "a switch would show whatever stands here");
}

#[tokio::test]
async fn the_challenge_comes_before_the_question_is_read() {
    let got = Client::with_keys(KEYS).get("/lookup?phone=%2B1415555").await;
    assert_eq!(got.code(), "unauthorized");
}

#[tokio::test]
async fn a_text_key_in_the_url_gives_a_line_and_nothing_else() {
    let client = Client::with_keys(KEYS);
    let line = client.get(&(asking(KNOWN) + "&format=text&key=tttt")).await;
    assert_eq!((line.status.as_u16(), line.body.as_str()), (200, "Anna Ivanova"));
    for rest in ["&key=tttt", "&format=hash&key=tttt", "&format=text&key=llll"] {
        let got = client.get(&(asking(KNOWN) + rest)).await;
        assert_eq!(got.status, 403, "{rest}");
        assert!(!got.body.contains("Anna"), "{rest}");
    }
}

#[tokio::test]
async fn a_lookup_key_gives_every_form() {
    let client = Client::with_keys(KEYS);
    for format in ["json", "text", "html"] {
        let got = client.get_with(&format!("{}&format={format}", asking(KNOWN)), "x-api-key", "llll").await;
        assert_eq!(got.status, 200, "{format}");
    }
}

#[tokio::test]
async fn the_description_of_the_interface_is_open_to_everybody() {
    let client = Client::with_keys(KEYS);
    assert_eq!(client.get("/openapi.json").await.status, 200);
    assert_eq!(client.get("/docs").await.status, 200);
}

#[tokio::test]
async fn a_batch_needs_a_lookup_key() {
    let client = Client::with_keys(KEYS);
    let body = r#"{"phones": []}"#;
    assert_eq!(client.post("/lookup?key=tttt&format=text", body).await.code(), "unauthorized");
    let got = client.send(Request::post("/lookup").header("authorization", "Bearer tttt"), body).await;
    assert_eq!(got.code(), "forbidden");
    let got = client.send(Request::post("/lookup").header("authorization", "Bearer llll"), body).await;
    assert_eq!(got.status, 200);
}
