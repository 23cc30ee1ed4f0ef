//! Many numbers at once.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn results_come_in_the_order_of_the_questions_and_failures_stay_in_their_places() {
    let body = json!({"phones": [UNKNOWN, KNOWN, "+1415555", FAILING, "anonymous", KNOWN]}).to_string();

    let got = Client::open().post("/lookup", body).await;

    assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "application/json"));
    assert_eq!((got.header("cache-control"), got.header("x-content-type-options")), ("no-store", "nosniff"));
    let results = got.json()["results"].clone();
    assert_eq!(results.as_array().unwrap().len(), 6);
    assert_eq!((&results[0]["found"], &results[0]["reason"]), (&json!(false), &json!("not_found")));
    assert_eq!(results[1]["contact"]["name"], "Anna Ivanova");
    assert_eq!(
        (&results[2]["error"]["code"], &results[2]["error"]["reason"]),
        (&json!("invalid-phone"), &json!("TOO_SHORT"))
    );
    assert_eq!(results[2]["phone"], json!({"input": "+1415555", "e164": null}));
    assert_eq!(
        (&results[3]["error"]["code"], &results[3]["phone"]["e164"]),
        (&json!("upstream-failed"), &json!(FAILING))
    );
    assert_eq!(results[4]["reason"], "withheld");
    assert_eq!(results[5]["contact"], results[1]["contact"]);
}

#[tokio::test]
async fn an_empty_batch_has_no_results_and_a_hundred_numbers_are_taken() {
    let client = Client::open();
    assert_eq!(client.post("/lookup", r#"{"phones": []}"#).await.json(), json!({"results": []}));
    let hundred = json!({"phones": vec!["anonymous"; 100]}).to_string();
    assert_eq!(client.post("/lookup", hundred).await.json()["results"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_body_that_is_no_batch_is_refused() {
    let client = Client::open();
    let too_many = json!({"phones": vec![KNOWN; 101]}).to_string();
    for body in
        [&too_many, "", "[]", "{}", r#"{"phones": "1"}"#, r#"{"phones": [1]}"#, r#"{"phones": [], "region": "Narnia"}"#]
    {
        let got = client.post("/lookup", body.to_owned()).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (400, "invalid-parameter"), "{body}");
    }
    assert_eq!(client.post("/lookup?phone=1", r#"{"phones": []}"#).await.status, 400);
    assert_eq!(client.post("/lookup?max_age=x", r#"{"phones": []}"#).await.status, 400);
}

#[tokio::test]
async fn a_body_without_end_is_413() {
    let pieces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 1024])));
    let got = Client::open().post("/lookup", Body::from_stream(pieces)).await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (413, "body-too-large"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_dribbles_is_408() {
    let pieces = stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    });
    let started = Instant::now();

    let got = Client::open().post("/lookup", Body::from_stream(pieces.boxed())).await;

    assert_eq!((got.status.as_u16(), got.code().as_str()), (408, "body-timeout"));
    assert_eq!(started.elapsed().as_secs(), 5);
}
