//! What one replica is told is over is over for all, with the bus and without it.

use std::time::Duration;

use tokio::time::sleep;

use crate::harness::{World, until};

const SECOND: Duration = Duration::from_secs(1);

/// A number that all replicas have in memory.
async fn known_everywhere(world: &World, name: &str, phone: &str) -> u64 {
    let id = world.crm.add(name, phone).await;
    for replica in &world.replicas {
        replica.ask_for(phone, name).await;
    }
    id
}

#[tokio::test]
async fn a_change_told_to_one_is_seen_by_all_within_200_ms() {
    let world = World::of(5, &[]).await;
    let phone = "+14155550144";
    let id = known_everywhere(&world, "Anna", phone).await;
    world.crm.rename(id, "Anna Ivanova").await;
    world.replicas[3].forget_contact(id).await;
    let gone = async |replica: &crate::harness::Replica| {
        until("it is over", Duration::from_millis(200), async || replica.explain(phone).await.is_none()).await;
    };
    futures_util::future::join_all(world.replicas.iter().map(gone)).await;
    for replica in &world.replicas {
        let got = replica.ask(phone).await;
        assert!(got.status != 200 || got.name.as_deref() == Some("Anna Ivanova"), "never the older one: {got:?}");
        replica.ask_for(phone, "Anna Ivanova").await;
    }
    world.replicas[1].forget_number(phone).await;
    futures_util::future::join_all(world.replicas.iter().map(gone)).await;
}

#[tokio::test]
async fn a_webhook_at_one_reaches_all() {
    let secret = "secret-of-the-webhooks";
    let world = World::of(3, &[("CALLCARD_WEBHOOK_SECRET", secret)]).await;
    let phone = "+14155550145";
    let id = known_everywhere(&world, "Anna", phone).await;
    world.crm.rename(id, "Anna Ivanova").await;
    world.replicas[0].hook(secret, &format!("contacts[update][0][id]={id}&contacts[update][0][name]=x")).await;
    for replica in &world.replicas {
        replica.ask_for(phone, "Anna Ivanova").await;
    }
    assert_eq!(world.replicas[2].ask(phone).await.name.as_deref(), Some("Anna Ivanova"), "and never the old one again");
}

#[tokio::test]
async fn with_the_bus_cut_the_poll_finds_it_and_nothing_is_emptied() {
    let world = World::of(3, &[]).await;
    let phone = "+14155550155";
    let (id, other) = (known_everywhere(&world, "Anna", phone).await, "+14155550156");
    known_everywhere(&world, "Boris", other).await;
    world.redis.ask(&["ACL", "SETUSER", "default", "-subscribe"]);
    world.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    sleep(SECOND).await;
    world.crm.rename(id, "Anna Ivanova").await;
    world.replicas[0].forget_contact(id).await;
    for replica in &world.replicas[1..] {
        let found =
            until("the poll finds it", SECOND, async || replica.explain(phone).await.as_deref() == Some("stale"));
        found.await;
        assert_eq!(replica.explain(other).await.as_deref(), Some("stale"), "expired, not emptied");
        replica.ask_for(phone, "Anna Ivanova").await;
        assert_eq!(replica.ask(phone).await.name.as_deref(), Some("Anna Ivanova"), "and never again");
    }
    let searches = world.crm.searches_for("4155550156").await;
    world.replicas[1].ask(other).await;
    assert_eq!(
        world.crm.searches_for("4155550156").await,
        searches,
        "what did not change is still in the second level"
    );
}

#[tokio::test]
async fn a_change_during_an_outage_is_told_when_the_store_is_back() {
    let World { redis, crm, replicas } = World::of(2, &[]).await;
    let world = World { redis, crm, replicas };
    let phone = "+14155550166";
    let id = known_everywhere(&world, "Anna", phone).await;
    world.redis.stop();
    sleep(Duration::from_millis(400)).await;
    world.crm.rename(id, "Anna Ivanova").await;
    world.replicas[0].forget_contact(id).await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(world.replicas[1].ask(phone).await.name.as_deref(), Some("Anna"), "it cannot know yet");
    world.redis.go_on();
    until("the other hears of it", 5 * SECOND, async || {
        world.replicas[1].ask(phone).await.name.as_deref() == Some("Anna Ivanova")
    })
    .await;
}
