//! The OAuth2 pair of all replicas.

use std::time::Duration;

use callcard::crm::auth::{Owner, Pair, StoreError, TokenStore};
use callcard::shared::Tokens;
use secrecy::{ExposeSecret, SecretString};

use crate::entries::{Side, side};
use crate::harness::{Redis, until};

const SECOND: Duration = Duration::from_secs(1);

fn tokens(side: &Side) -> Tokens {
    Tokens::new(side.shared.clone(), Owner::new(&"https://acme.kommo.com".parse().unwrap(), "an-integration"))
}

fn pair(refresh: &str) -> Pair {
    let at = |seconds: i64| jiff_time(1_800_000_000 + seconds);
    Pair {
        access: SecretString::from("an-access-token".to_owned()),
        refresh: SecretString::from(refresh.to_owned()),
        issued_at: at(0),
        expires_at: at(86_400),
    }
}

fn jiff_time(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn refresh_of(pair: Option<Pair>) -> Option<String> {
    pair.map(|pair| pair.refresh.expose_secret().to_owned())
}

#[tokio::test]
async fn one_renews_all_have_it_and_a_server_that_forgets_gets_it_back() {
    let redis = Redis::start();
    let (one, other) = (side(&redis).await, side(&redis).await);
    let (ours, theirs) = (tokens(&one), tokens(&other));
    assert!(ours.load().await.unwrap().is_none());
    let mut lease = ours.lease(SECOND).await.unwrap();
    let refused = theirs.lease(SECOND / 2).await;
    assert!(matches!(refused, Err(StoreError::Busy { .. })), "one at a time");
    lease.save(&pair("the-second")).await.unwrap();
    drop(lease);
    assert_eq!(refresh_of(theirs.load().await.unwrap()).as_deref(), Some("the-second"));
    let mut lease = theirs.lease(2 * SECOND).await.expect("given back");
    redis.ask(&["DEL", &redis.keys("*}:tokens")[0]]);
    assert_eq!(refresh_of(lease.load().await.unwrap()).as_deref(), Some("the-second"), "remembered");
    lease.save(&pair("the-third")).await.unwrap();
    let value = redis.ask(&["GET", &redis.keys("*}:tokens")[0]]);
    assert!(!value.contains("the-third") && !value.contains("access"), "sealed");
    assert_eq!(refresh_of(ours.load().await.unwrap()).as_deref(), Some("the-third"));
    redis.ask(&["DEL", &redis.keys("*lease:tokens")[0]]);
    let late = lease.save(&pair("the-late")).await;
    assert!(matches!(late, Err(StoreError::Busy { .. })), "who lost the right keeps nothing");
}

#[tokio::test]
async fn a_pair_from_before_in_a_restored_server_is_not_used() {
    let redis = Redis::start();
    let (one, other) = (side(&redis).await, side(&redis).await);
    let (ours, theirs) = (tokens(&one), tokens(&other));
    ours.lease(SECOND).await.unwrap().save(&pair("the-second")).await.unwrap();
    let key = redis.keys("*}:tokens")[0].clone();
    redis.ask(&["COPY", &key, "callcard:before"]);
    let mut lease = ours.lease(2 * SECOND).await.unwrap();
    lease.save(&pair("the-third")).await.unwrap();
    drop(lease);
    assert_eq!(refresh_of(theirs.load().await.unwrap()).as_deref(), Some("the-third"));

    redis.ask(&["COPY", "callcard:before", &key, "REPLACE"]);
    for tokens in [&ours, &theirs] {
        assert_eq!(refresh_of(tokens.load().await.unwrap()).as_deref(), Some("the-third"), "the second is spent");
    }
    let mut lease = theirs.lease(2 * SECOND).await.unwrap();
    assert_eq!(refresh_of(lease.load().await.unwrap()).as_deref(), Some("the-third"));
    lease.save(&pair("the-fourth")).await.unwrap();
    assert_eq!(refresh_of(ours.load().await.unwrap()).as_deref(), Some("the-fourth"));
}

#[tokio::test]
async fn without_the_server_there_is_no_right_to_renew_and_no_reason_not_to_start() {
    let mut redis = Redis::start();
    let one = side(&redis).await;
    let ours = tokens(&one);
    redis.kill();
    until("it is noticed", 3 * SECOND, async || !one.shared.is_up()).await;
    assert!(ours.load().await.unwrap().is_none());
    assert!(matches!(ours.lease(Duration::ZERO).await, Err(StoreError::Busy { .. })));
    assert!(matches!(ours.lease(SECOND).await, Err(StoreError::Io { .. })));
}
