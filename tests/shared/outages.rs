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
async fn while_the_store_evicts_what_it_has_the_quota_holds() {
    let World { redis, crm, replicas } = World::of(3, &IMPATIENT).await;
    crm.add("Anna", "+14155550123").await;
    replicas[0].ask_for("+14155550123", "Anna").await;
    let replicas: Arc<[Replica]> = replicas.into();
    let used = redis.ask(&["INFO", "memory"]);
    let used = used.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse::<u64>().unwrap();
    redis.ask(&["CONFIG", "SET", "maxmemory", &(used + (256 << 10)).to_string()]);
    let load = press(&replicas);
    let fill = "for i = 1, 2000 do redis.call('SET', ARGV[1] .. i, string.rep('x', 400)) end";
    for round in 0..16 {
        // The least used are others' first; by chance it is also the ledger, the epoch and every stamp.
        let policy = if round < 8 { "allkeys-lru" } else { "allkeys-random" };
        redis.ask(&["CONFIG", "SET", "maxmemory-policy", policy]);
        redis.ask(&["EVAL", fill, "0", &format!("others:{round}:")]);
        sleep(SECOND / 4).await;
        let got = replicas[round % 3].ask("+14155550123").await;
        assert!(got.status != 200 || got.name.as_deref() == Some("Anna"), "{got:?}");
    }
    let evicted = redis.ask(&["INFO", "stats"]);
    assert!(!evicted.contains("evicted_keys:0"), "{evicted}");
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
    until("it is in memory", 5 * SECOND, async || replica.ask("+14155550122").await.cache == "hit").await;
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
    world.redis.ask(&["CONFIG", "RESETSTAT"]);
    let with = usual().await;
    let asked = world.redis.ask(&["INFO", "commandstats"]);
    // Beats are scripts; whatever reads or claims an entry is one of these.
    for command in ["cmdstat_get:", "cmdstat_mget:", "cmdstat_set:", "cmdstat_del:"] {
        let calls =
            asked.lines().find_map(|line| line.strip_prefix(command)?.strip_prefix("calls=")?.split(',').next());
        let calls: usize = calls.map_or(0, |calls| calls.parse().unwrap());
        assert!(calls < 100, "{calls} of {command} for 300 hits");
    }
    world.redis.stop();
    let without = usual().await;
    world.redis.go_on();
    println!("hits (median, p99): {with:?} with the store, {without:?} while it stands still");
    // A hit that touched the store would wait for the soft limit, 20 ms, each time; the slowest of a few hundred tell of the machine.
    assert!(without.0 < with.0.max(Duration::from_millis(2)) * 4, "{with:?} with, {without:?} without");
    assert!(without.1 < with.1.max(Duration::from_millis(20)) * 4, "{with:?} with, {without:?} without");
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
