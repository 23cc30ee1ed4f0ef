//! Several replicas are one service: one quota, one question to the CRM for one number, one knowledge.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::harness::{Load, Replica, World, nobody, until};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_cold_number_asked_at_five_replicas_at_once_is_one_query() {
    let world = World::of(5, &[]).await;
    world.crm.add("Anna Ivanova", "+14155550111").await;
    let asked = world.replicas.iter().map(|replica| replica.ask("+14155550111"));
    for got in futures_util::future::join_all(asked).await {
        assert_eq!((got.status, got.name.as_deref()), (200, Some("Anna Ivanova")), "{got:?}");
    }
    assert_eq!(world.crm.searches_for("4155550111").await, 1);
    for replica in &world.replicas {
        assert_eq!(replica.ask("+14155550111").await.cache, "hit", "each has it in memory now");
    }
}

#[tokio::test]
async fn five_replicas_under_load_use_the_rate_and_no_more() {
    let world = World::of(5, &[]).await;
    let replicas: Arc<[Replica]> = world.replicas.into();
    let asked = Arc::clone(&replicas);
    let load = Load::start(20, move |caller| {
        let replicas = Arc::clone(&asked);
        async move { replicas[caller % replicas.len()].try_ask(&nobody()).await }
    });
    sleep(SECOND).await;
    world.crm.forget().await;
    sleep(6 * SECOND).await;
    let calls = world.crm.count().await;
    world.crm.assert_quota_kept().await;
    let seen = load.stop().await;
    // 36 where nobody else wants the machine.
    assert!((12..=37).contains(&calls), "{calls} calls in six seconds");
    assert_eq!(seen.lost, 0);
}

#[tokio::test]
async fn a_429_told_to_one_pauses_all_and_a_block_stops_all() {
    let world = World::of(3, &[("CALLCARD_DEADLINE", "1500ms")]).await;
    world.crm.fail("contacts_query:429=3s*1").await;
    until("one is refused", 5 * SECOND, async || world.replicas[0].ask(&nobody()).await.status == 503).await;
    sleep(Duration::from_millis(100)).await;
    world.crm.forget().await;
    let begin = Instant::now();
    let asked = world.replicas.iter().map(|replica| async move { replica.ask(&nobody()).await });
    for got in futures_util::future::join_all(asked).await {
        assert!(matches!(got.status, 503 | 504), "{got:?}");
    }
    assert!(begin.elapsed() < 2 * SECOND, "refused, not waited for");
    assert_eq!(world.crm.count().await, 0, "nobody called in the pause");
    until("the pause is over", 8 * SECOND, async || world.replicas[2].ask(&nobody()).await.status == 200).await;

    world.crm.fail("contacts_query:block*1").await;
    until("one is blocked", 5 * SECOND, async || world.replicas[1].ask(&nobody()).await.status != 200).await;
    for replica in &world.replicas {
        let said = until("all know of it", Duration::from_millis(800), async || {
            replica.check("crm").await.1.contains("blocked")
        });
        said.await;
        assert!(replica.check("crm").await.2, "nobody is unready for that");
    }
}

#[tokio::test]
async fn a_rolling_restart_under_load_fails_nobody_and_costs_the_crm_nothing() {
    // A load balancer notices within a second who leaves.
    let settings = [("CALLCARD_DRAIN_DELAY", "1s")];
    let world = World::of(3, &settings).await;
    let phones: Vec<String> = (0..20).map(|n| format!("+1415555{:04}", 2_000 + n)).collect();
    for (n, phone) in phones.iter().enumerate() {
        world.crm.add(&format!("Caller {n}"), phone).await;
    }
    for (n, phone) in phones.iter().enumerate() {
        world.replicas[0].ask_for(phone, &format!("Caller {n}")).await;
    }
    world.crm.forget().await;
    // Callers who know no better than to ask whoever is in the list, as a load balancer has it.
    let listed: Arc<Mutex<Vec<Arc<Replica>>>> =
        Arc::new(Mutex::new(world.replicas.into_iter().map(Arc::new).collect()));
    let (known, list) = (phones.clone(), Arc::clone(&listed));
    let load = Load::start(6, move |caller| {
        let replica = Arc::clone(&list.lock().unwrap()[caller % 3]);
        let phone = known[fastrand::usize(..known.len())].clone();
        async move { replica.try_ask(&phone).await }
    });
    for turn in 0..3 {
        let fresh = Arc::new(Replica::start(&world.crm, &world.redis.url(), &settings));
        until("it is ready", 10 * SECOND, async || fresh.check("shared").await.2).await;
        let old = std::mem::replace(&mut listed.lock().unwrap()[turn], Arc::clone(&fresh));
        old.terminate();
        for phone in &phones {
            let got = fresh.ask(phone).await;
            assert_eq!(got.status, 200, "{got:?} in turn {turn}");
        }
        until("no caller waits at the old one", 10 * SECOND, async || Arc::strong_count(&old) == 1).await;
        let old = Arc::into_inner(old).expect("the last one");
        assert!(old.stop().await, "every caller of the old one was answered");
    }
    let seen = load.stop().await;
    assert!(seen.lost == 0 && seen.failed.is_empty() && seen.answers > 60, "{seen:?}");
    // None where nobody else wants the machine; one for each answer of the store that took longer than it may.
    let searches = world.crm.searches_for("query").await;
    assert!(searches <= 6, "{searches} of 60 answers were not there");
    world.crm.assert_quota_kept().await;
    let replicas = std::mem::take(&mut *listed.lock().unwrap());
    let replicas =
        replicas.into_iter().map(|replica| Arc::into_inner(replica).expect("nobody asks any more")).collect();
    World { redis: world.redis, crm: world.crm, replicas }.are_together().await;
}
