//! A store that was restored from something old, as after a power cut or when a standby takes over without the last writes; and replicas
//! that stood still, or died and were started again in their place.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::harness::{Replica, World, until};
use crate::outages::{IMPATIENT, is_everywhere, press};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn an_old_card_in_a_restored_store_never_comes_after_a_newer_one() {
    let mut world = World::of(3, &[]).await;
    let phone = "+14155550281";
    let id = world.crm.add("Anna", phone).await;
    for replica in &world.replicas {
        replica.ask_for(phone, "Anna").await;
    }
    until("it is written down", 2 * SECOND, async || !world.redis.keys("*:entry").is_empty()).await;
    world.redis.save();
    world.crm.rename(id, "Anna Ivanova").await;
    world.replicas[0].forget_contact(id).await;
    for replica in &world.replicas {
        replica.ask_for(phone, "Anna Ivanova").await;
    }

    world.redis.kill();
    world.redis.revive();
    assert!(!world.redis.keys("*:entry").is_empty(), "the old card lies there again");
    let end = Instant::now() + 3 * SECOND;
    while Instant::now() < end {
        for replica in &world.replicas {
            assert_eq!(replica.ask(phone).await.name.as_deref(), Some("Anna Ivanova"), "{}", replica.said());
        }
        sleep(SECOND / 50).await;
    }
    let new = Replica::start(&world.crm, &world.redis.url(), &[]);
    // It has seen nothing newer itself, and reads what lies there.
    until("it can read it", 10 * SECOND, async || new.check("shared").await.0 == "ok").await;
    assert_ne!(new.ask(phone).await.name.as_deref(), Some("Anna"), "nobody is told of it anew");
    new.ask_for(phone, "Anna Ivanova").await;
}

#[tokio::test]
async fn a_ledger_restored_from_a_moment_ago_keeps_the_quota() {
    let World { mut redis, crm, replicas } = World::of(3, &IMPATIENT).await;
    let replicas: Arc<[Replica]> = replicas.into();
    let load = press(&replicas);
    sleep(2 * SECOND).await;
    for age in [900, 150].map(Duration::from_millis) {
        redis.save();
        sleep(age).await;
        redis.kill();
        redis.revive();
        is_everywhere(&replicas, "3 replicas share the quota", 8 * SECOND).await;
        sleep(SECOND).await;
    }
    let seen = load.stop().await;
    crm.assert_quota_kept().await;
    assert_eq!(seen.lost, 0);
}

#[tokio::test]
async fn a_replica_that_stood_still_in_a_fill_brings_nothing_old_back() {
    let world = World::of(3, &[("CALLCARD_DEADLINE", "8s")]).await;
    let phone = "+14155550282";
    let id = world.crm.add("Anna", phone).await;
    world.crm.fail("contacts_query:slow=900ms*1").await;
    let [sleeper, awake, third] = &world.replicas[..] else { unreachable!("three were started") };
    let (asked, ()) = tokio::join!(sleeper.try_ask(phone), async {
        until("it searches", 5 * SECOND, async || world.crm.searches_for(&phone[2..]).await == 1).await;
        sleep(SECOND / 5).await;
        sleeper.freeze();
        // Its right to fill ends, what it is about to find is over, and another finds the new.
        sleep(2 * SECOND).await;
        world.crm.rename(id, "Anna Ivanova").await;
        awake.forget_contact(id).await;
        awake.ask_for(phone, "Anna Ivanova").await;
        sleeper.thaw();
    });
    assert!(asked.is_some(), "its caller is answered");
    sleeper.ask_for(phone, "Anna Ivanova").await;
    let end = Instant::now() + SECOND;
    while Instant::now() < end {
        for replica in [sleeper, awake, third] {
            assert_eq!(replica.ask(phone).await.name.as_deref(), Some("Anna Ivanova"));
        }
        sleep(SECOND / 20).await;
    }
}

#[tokio::test]
async fn replicas_that_stand_still_and_go_on_keep_the_quota() {
    let World { redis, crm, replicas } = World::of(3, &IMPATIENT).await;
    let replicas: Arc<[Replica]> = replicas.into();
    let load = press(&replicas);
    sleep(SECOND).await;
    for (pause, sleeps) in [(2_500, 2), (3_000, 1)] {
        replicas[..sleeps].iter().for_each(Replica::freeze);
        sleep(Duration::from_millis(pause)).await;
        replicas[..sleeps].iter().for_each(Replica::thaw);
        sleep(SECOND).await;
    }
    is_everywhere(&replicas, "3 replicas share the quota", 8 * SECOND).await;
    let seen = load.stop().await;
    crm.assert_quota_kept().await;
    assert_eq!(seen.lost, 0, "those who slept answer when they wake");
    drop(redis);
}

#[tokio::test]
async fn one_that_was_killed_and_is_started_again_in_its_place_calls_at_once() {
    let mut world = World::of(1, &[]).await;
    world.crm.add("Anna", "+14155550283").await;
    let place = world.replicas[0].lookup.trim_start_matches("http://").to_owned();
    world.replicas.clear();
    let begin = Instant::now();
    let again = Replica::start(&world.crm, &world.redis.url(), &[("CALLCARD_LISTEN", place.as_str())]);
    again.ask_for("+14155550283", "Anna").await;
    // Without its place its share would be kept for a dead one, for a minute.
    assert!(begin.elapsed() < 30 * SECOND, "{:?}", begin.elapsed());
    world.crm.assert_quota_kept().await;
}
