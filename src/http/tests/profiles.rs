//! One word for what a kind of phone system can bear, and what it may put into a URL.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::render::{Format, Profile};

#[tokio::test]
async fn no_profile_sees_a_failure_in_nobody() {
    let client = Client::open();
    for profile in Profile::ALL {
        for path in [asking(KNOWN), asking(UNKNOWN), "/lookup?phone=anonymous".to_owned(), "/lookup?phone=".to_owned()]
        {
            let got = client.get(&format!("{path}&profile={}", profile.word)).await;
            let answer = (got.status.as_u16(), got.header("content-type"));
            assert_eq!(answer, (200, profile.format.content_type()), "{path} {}", profile.word);
        }
    }
}

#[tokio::test]
async fn a_profile_that_shows_the_body_is_never_shown_an_error() {
    let client = Client::open();
    let lines = Profile::ALL.iter().filter(|profile| profile.format == Format::Text);
    for profile in lines {
        for path in
            [asking(FAILING), "/lookup?phone=%2B1415555".to_owned(), "/lookup?phone=words&region=nowhere".to_owned()]
        {
            let got = client.get(&format!("{path}&profile={}", profile.word)).await;
            assert_eq!((got.status.as_u16(), got.body.as_str()), (200, ""), "{path} {}", profile.word);
            assert_ne!(got.header("cache-status"), "", "the header says why");
        }
    }
}

#[tokio::test]
async fn what_the_request_says_beats_the_profile() {
    let client = Client::open();
    for (more, status, body) in [
        ("&profile=asterisk", 200, ""),
        ("&profile=freepbx&default=Zoë", 200, "Zoe"),
        ("&profile=freepbx&default=Zoë&ascii=0", 200, "Zoë"),
        ("&profile=cidlookup&default=Somebody&max=4", 200, "Some"),
        ("&profile=3cx&notfound=404&format=text", 200, ""),
    ] {
        let got = client.get(&(asking(UNKNOWN) + &more.replace('ë', "%C3%AB"))).await;
        assert_eq!((got.status.as_u16(), got.body.as_str()), (status, body), "{more}");
    }
    assert_eq!(client.get(&(asking(UNKNOWN) + "&profile=3cx&notfound=404")).await.status, 404);
    assert_eq!(
        client.get_with(&(asking(KNOWN) + "&profile=asterisk"), "accept", "text/html").await.body,
        "Anna Ivanova"
    );
}

#[tokio::test]
async fn an_unknown_profile_is_refused_by_name() {
    let got = Client::open().get(&(asking(KNOWN) + "&profile=pbx")).await;

    assert_eq!((got.status.as_u16(), got.code().as_str()), (400, "invalid-parameter"));
    assert!(got.json()["detail"].as_str().unwrap().starts_with("profile must be one of asterisk, freepbx,"));
    let batch = Client::open().post("/lookup?profile=pbx", r#"{"phones": []}"#).await;
    assert_eq!((batch.status.as_u16(), batch.code().as_str()), (400, "invalid-parameter"));
}

#[tokio::test]
async fn a_key_for_text_is_enough_for_the_profiles_that_are_text() {
    let client = Client::with_keys("pbx:text:k3y");
    for profile in Profile::ALL {
        let got = client.get(&format!("{}&profile={}&key=k3y", asking(KNOWN), profile.word)).await;
        assert_eq!(got.status.as_u16(), if profile.format == Format::Text { 200 } else { 403 }, "{}", profile.word);
    }
}

#[test]
fn no_default_in_a_url_makes_a_dangerous_line() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async { Client::open() });
    let piece =
        prop_oneof![any::<char>().prop_map(String::from), "[\"\\\\<>;$%`'@|&#\r\n\t -]{1,4}", "(sip:|tel:|-ERR|Anna)"];
    let defaults = vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    let ask = |default: String, profile: &'static str| {
        let default = utf8_percent_encode(&default, NON_ALPHANUMERIC);
        let got = runtime.block_on(client.get(&format!("{}&profile={profile}&default={default}", asking(UNKNOWN))));
        prop_assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "text/plain; charset=utf-8"));
        prop_assert_eq!(got.header("content-length"), got.body.len().to_string());
        prop_assert!(
            !got.body.chars().any(|c| c.is_control() || "\"\\<>;$%`\u{2028}\u{2029}\u{202e}".contains(c)),
            "{:?}",
            got.body
        );
        prop_assert!(!got.body.starts_with(|c: char| c.is_ascii_punctuation() && c != '\''), "{:?}", got.body);
        prop_assert!(
            !["sip:", "tel:"].iter().any(|word| got.body.to_ascii_lowercase().starts_with(word)),
            "{:?}",
            got.body
        );
        prop_assert_eq!(got.body.trim(), &got.body);
        Ok(())
    };
    let profiles = proptest::sample::select(vec!["asterisk", "freepbx", "cidlookup", "kamailio"]);
    TestRunner::default().run(&(defaults, profiles), |(default, profile)| ask(default, profile)).unwrap();
}
