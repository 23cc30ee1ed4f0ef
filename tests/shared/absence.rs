//! The store stays away: for some seconds in the usual run, for as many as `CALLCARD_TEST_ABSENCE` says otherwise. Shares are kept to, known
//! callers are known all the while, and what was changed meanwhile is missed by nobody.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::harness::{Replica, World};
use crate::outages::{IN_TIME, is_everywhere, press};

const SECOND: Duration = Duration::from_secs(1);
const PHONE: &str = "+14155550261";

#[tokio::test]
async fn a_long_absence_costs_nobody_a_card_a_change_or_the_quota() {
    let away: u64 = std::env::var("CALLCARD_TEST_ABSENCE").map_or(5, |away| away.parse().unwrap());
    let World { mut redis, crm, replicas } = World::of(3, &[("CALLCARD_DEADLINE", "1500ms")]).await;
    let replicas: Arc<[Replica]> = replicas.into();
    let id = crm.add("Anna", PHONE).await;
    for replica in replicas.iter() {
        replica.ask_for(PHONE, "Anna").await;
    }
    let load = press(&replicas);
    redis.kill();
    is_everywhere(&replicas, "2 calls a second", 8 * SECOND).await;
    let (begin, before) = (Instant::now(), crm.count().await);
    for second in 0..away {
        for replica in replicas.iter() {
            assert_eq!(replica.ask(PHONE).await.name.as_deref(), Some("Anna"), "after {second} s");
        }
        sleep(SECOND).await;
    }
    let (calls, took) = (crm.count().await - before, begin.elapsed().as_secs_f64());
    assert!(
        (took * 3.5..=took * 6.0 + 2.0).contains(&(calls as f64)),
        "{calls} calls in {took} s on three shares of two"
    );

    crm.rename(id, "Anna Ivanova").await;
    replicas[0].forget_contact(id).await;
    redis.revive();
    is_everywhere(&replicas, "3 replicas share the quota", 15 * SECOND).await;
    for replica in replicas.iter() {
        replica.ask_for(PHONE, "Anna Ivanova").await;
        assert_eq!(replica.ask(PHONE).await.name.as_deref(), Some("Anna Ivanova"), "and never again the old one");
    }
    let seen = load.stop().await;

    crm.assert_quota_kept().await;
    assert!(seen.lost == 0 && seen.slowest < IN_TIME, "{seen:?}");
    for replica in replicas.iter() {
        let said = replica.said();
        let times = |event: &str| said.matches(event).count();
        let lost = times("the shared store is out of reach");
        // Twice only on a machine that keeps an answer waiting for a second.
        assert!((1..=2).contains(&lost), "{said}");
        assert_eq!(times("connected to the shared store"), lost + 1, "at the start, and once after it: {said}");
    }
}
