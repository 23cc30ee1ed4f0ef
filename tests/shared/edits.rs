//! An edit in the CRM, told by its webhook to one replica: all give the new card, with the bus and without it, and never an older one after it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::harness::{Replica, World, until};

const SECRET: &str = "secret-of-the-webhooks";
const PHONE: &str = "+14155550181";
const OLD: &str = "Anna";
const NEW: &str = "Anna Ivanova";
/// How often a replica asks the store what it has missed.
const BEAT: Duration = Duration::from_secs(1);

/// Replicas that all give the same card from memory; and the contact's id.
async fn all_know(replicas: usize) -> (World, u64) {
    let world = World::of(replicas, &[("CALLCARD_WEBHOOK_SECRET", SECRET)]).await;
    let id = world.crm.add(OLD, PHONE).await;
    for replica in &world.replicas {
        replica.ask_for(PHONE, OLD).await;
        let got = replica.ask(PHONE).await;
        assert_eq!((got.cache.as_str(), got.name.as_deref()), ("hit", Some(OLD)));
    }
    world.crm.forget().await;
    (world, id)
}

async fn edit(world: &World, id: u64, told: &Replica) {
    world.crm.rename(id, NEW).await;
    told.hook(SECRET, &format!("contacts[update][0][id]={id}&contacts[update][0][name]=x")).await;
}

/// Asks for the new card; stops the test if the old one is given after it.
async fn sees_the_new_one(replica: &Replica, limit: Duration) {
    let (begin, mut seen) = (Instant::now(), 0);
    while seen < 10 {
        match replica.ask(PHONE).await.name.as_deref() {
            Some(NEW) => seen += 1,
            Some(OLD) => assert!(seen == 0 && begin.elapsed() < limit, "the old card after {:?}", begin.elapsed()),
            other => panic!("{other:?}"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_edit_told_by_webhook_to_one_of_five_is_known_to_all_within_200_ms_for_one_search() {
    let (world, id) = all_know(5).await;
    edit(&world, id, &world.replicas[2]).await;
    let knows = async |replica: &Replica| {
        let is_over = async || replica.explain(PHONE).await.as_deref() != Some("fresh");
        until("it knows of the edit", Duration::from_millis(200), is_over).await;
    };
    futures_util::future::join_all(world.replicas.iter().map(knows)).await;
    let asked = world.replicas.iter().map(|replica| sees_the_new_one(replica, Duration::from_secs(5)));
    futures_util::future::join_all(asked).await;
    assert_eq!(world.crm.searches_for(&PHONE[2..]).await, 1, "five replicas, one search");
}

#[tokio::test]
async fn with_the_bus_cut_an_edit_told_by_webhook_is_known_to_all_within_the_poll() {
    let (world, id) = all_know(3).await;
    world.redis.ask(&["ACL", "SETUSER", "default", "-subscribe"]);
    world.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    // What may have been missed when the bus was cut counts as stale; that must be over, or nothing would be shown.
    sleep(2 * BEAT).await;
    for replica in &world.replicas {
        replica.ask_for(PHONE, OLD).await;
        until("it is fresh again", 10 * BEAT, async || replica.ask(PHONE).await.cache == "hit").await;
    }
    edit(&world, id, &world.replicas[0]).await;
    // The beat, a search for whoever comes first, and what a busy machine adds. Without the poll the old card is fresh for minutes.
    let asked = world.replicas.iter().map(|replica| sees_the_new_one(replica, 5 * BEAT));
    futures_util::future::join_all(asked).await;
    world.crm.assert_quota_kept().await;
}
