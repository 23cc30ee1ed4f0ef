//! The store dies, stands still, comes back empty, was never there: the quota holds, callers are answered in time, and all finds together
//! again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::harness::{Crm, Load, Redis, Replica, World, nobody, until};

const SECOND: Duration = Duration::from_secs(1);
pub(crate) const IMPATIENT: [(&str, &str); 2] = [("CALLCARD_DEADLINE", "1500ms"), ("CALLCARD_SHARED_TIMEOUT", "50ms")];
/// The deadline, and what a busy machine adds to it.
pub(crate) const IN_TIME: Duration = Duration::from_millis(4_000);

/// Callers with cold numbers at every replica.
pub(crate) fn press(replicas: &Arc<[Replica]>) -> Load {
    let asked = Arc::clone(replicas);
    Load::start(12, move |caller| {
        let replicas = Arc::clone(&asked);
        async move { replicas[caller % replicas.len()].try_ask(&nobody()).await }
    })
}

pub(crate) async fn is_everywhere(replicas: &[Replica], state: &str, limit: Duration) {
    for replica in replicas {
        until(state, limit, async || replica.check("shared").await.1.contains(state)).await;
    }
}

#[tokio::test]
async fn while_the_store_is_killed_and_comes_back_empty_the_quota_holds() {
    let World { mut redis, crm, replicas } = World::of(3, &IMPATIENT).await;
    let replicas: Arc<[Replica]> = replicas.into();
    let load = press(&replicas);
    sleep(2 * SECOND).await;
    redis.kill();
    is_everywhere(&replicas, "2 calls a second", 8 * SECOND).await;
    let before = crm.count().await;
    sleep(4 * SECOND).await;
    let alone = crm.count().await - before;
    assert!((16..=26).contains(&alone), "{alone} calls in four seconds on three shares of two");
    redis.revive();
    is_everywhere(&replicas, "3 replicas share the quota", 8 * SECOND).await;
    sleep(2 * SECOND).await;
    let seen = load.stop().await;
    crm.assert_quota_kept().await;
    assert!(seen.lost == 0 && seen.slowest < IN_TIME, "{seen:?}");
    for replica in replicas.iter() {
        assert!(replica.check("shared").await.2, "nobody was unready");
    }
}

#[tokio::test]
async fn while_the_store_stands_still_and_is_emptied_the_quota_holds() {
    let World { redis, crm, replicas } = World::of(3, &IMPATIENT).await;
    let replicas: Arc<[Replica]> = replicas.into();
    let load = press(&replicas);
    sleep(SECOND).await;
    for pause in [Duration::from_millis(300), Duration::from_millis(4_500)] {
        redis.stop();
        sleep(pause).await;
        redis.go_on();
        is_everywhere(&replicas, "3 replicas share the quota", 8 * SECOND).await;
        sleep(SECOND).await;
    }
    redis.ask(&["FLUSHALL"]);
    sleep(4 * SECOND).await;
    let seen = load.stop().await;
    crm.assert_quota_kept().await;
    assert!(seen.lost == 0 && seen.slowest < IN_TIME, "{seen:?}");
}

#[tokio::test]
async fn a_hit_takes_no_longer_while_the_store_stands_still() {
    let world = World::of(1, &IMPATIENT).await;
    let replica = &world.replicas[0];
    world.crm.add("Anna", "+14155550122").await;
    replica.ask_for("+14155550122", "Anna").await;
    let usual = async || {
        let mut took = Vec::new();
        for _ in 0..300 {
            let got = replica.ask("+14155550122").await;
            assert_eq!(got.cache, "hit");
            took.push(got.took);
        }
        took.sort_unstable();
        (took[took.len() / 2], took[took.len() * 99 / 100])
    };
    let with = usual().await;
    world.redis.stop();
    let without = usual().await;
    world.redis.go_on();
    println!("hits (median, p99): {with:?} with the store, {without:?} while it stands still");
    // A hit that touched the store would wait for the soft limit, 20 ms, each time; the slowest of a few hundred tell of the machine.
    assert!(without.0 < with.0.max(Duration::from_millis(2)) * 4, "{with:?} with, {without:?} without");
}

#[tokio::test]
async fn a_store_that_is_not_there_at_the_start_is_found_later() {
    let (mut redis, crm) = (Redis::absent(), Crm::start());
    let replicas: Arc<[Replica]> =
        (0..3).map(|_| Replica::start(&crm, &redis.url(), &IMPATIENT)).collect::<Vec<_>>().into();
    for replica in replicas.iter() {
        until("it is ready all the same", 8 * SECOND, async || replica.check("shared").await.2).await;
        until("it says so", 8 * SECOND, async || replica.check("shared").await.0 == "degraded").await;
    }
    let load = press(&replicas);
    sleep(5 * SECOND).await;
    let calls = crm.count().await;
    assert!(calls > 3, "{calls} calls without a store");
    redis.revive();
    is_everywhere(&replicas, "3 replicas share the quota", 8 * SECOND).await;
    sleep(2 * SECOND).await;
    load.stop().await;
    crm.assert_quota_kept().await;
}

#[tokio::test]
async fn a_store_whose_memory_is_full_keeps_the_quota_and_answers_stay_right() {
    let world = World::of(2, &IMPATIENT).await;
    world.crm.add("Anna", "+14155550133").await;
    world.replicas[0].ask_for("+14155550133", "Anna").await;
    for policy in ["noeviction", "allkeys-lru"] {
        world.redis.ask(&["CONFIG", "SET", "maxmemory-policy", policy]);
        world.redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
        for _ in 0..3 {
            let got = world.replicas[1].ask(&nobody()).await;
            assert!(matches!(got.status, 200 | 503 | 504), "{got:?}");
        }
        let got = world.replicas[1].ask("+14155550133").await;
        assert!(got.status != 200 || got.name.as_deref() == Some("Anna"), "{got:?}");
    }
    world.redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    until("all is well", 10 * SECOND, async || {
        let got = world.replicas[1].ask("+14155550133").await;
        got.status == 200 && got.name.as_deref() == Some("Anna")
    })
    .await;
    world.crm.assert_quota_kept().await;
}
