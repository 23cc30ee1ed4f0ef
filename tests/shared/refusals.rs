//! A store that answers, and will not: the log says once what it says, callers are answered, and all is as before when it will again.

use std::time::Duration;

use crate::harness::{Crm, Redis, Replica, World, nobody, until};
use crate::outages::IMPATIENT;

const SECOND: Duration = Duration::from_secs(1);
const REFUSES: &str = "the shared store refuses commands";

/// How often it has said that commands are refused with this code.
fn times_refused(world: &World, code: &str) -> usize {
    let said = world.replicas[0].said();
    said.lines().filter(|line| line.contains(REFUSES) && line.contains(&format!("\"code\":\"{code}\""))).count()
}

/// Known callers are known, and the replica is ready.
async fn serves(world: &World, phone: &str) {
    let replica = &world.replicas[0];
    for _ in 0..3 {
        assert_eq!(replica.ask(phone).await.name.as_deref(), Some("Anna"));
        let got = replica.ask(&nobody()).await;
        assert!(matches!(got.status, 200 | 503 | 504), "{got:?}");
    }
    assert!(replica.check("shared").await.2, "it is ready");
}

async fn knows(world: &World, phone: &str) {
    world.crm.add("Anna", phone).await;
    let replica = &world.replicas[0];
    replica.ask_for(phone, "Anna").await;
    until("it is ready", 15 * SECOND, async || replica.check("shared").await.2).await;
}

async fn is_well_again(world: &World) {
    let replica = &world.replicas[0];
    until("all is well", 20 * SECOND, async || replica.check("shared").await.0 == "ok").await;
    until("it calls again", 20 * SECOND, async || replica.ask(&nobody()).await.status == 200).await;
    world.crm.assert_quota_kept().await;
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_said_once_and_harms_nobody() {
    let world = World::of(1, &IMPATIENT).await;
    let phone = "+14155550271";
    knows(&world, phone).await;
    world.redis.ask(&["ACL", "SETUSER", "default", "-evalsha", "-eval", "-subscribe"]);
    world.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    until("it is said", 5 * SECOND, async || times_refused(&world, "NOPERM") == 1).await;
    until("it is seen", 5 * SECOND, async || world.replicas[0].check("shared").await.0 == "degraded").await;
    serves(&world, phone).await;
    assert_eq!(times_refused(&world, "NOPERM"), 1, "not each time");
    world.redis.ask(&["ACL", "SETUSER", "default", "+@all"]);
    is_well_again(&world).await;
}

#[tokio::test]
async fn a_store_that_still_reads_its_disk_is_waited_for() {
    let mut world = World::of(1, &[("CALLCARD_DEADLINE", "1500ms")]).await;
    let phone = "+14155550272";
    knows(&world, phone).await;
    let filler = "for i = 1, 120 do redis.call('SET', 'filler:' .. i, string.rep('x', 2048)) end return 'filled'";
    world.redis.ask(&["CONFIG", "SET", "rdbcompression", "no"]);
    assert!(world.redis.ask(&["EVAL", filler, "0"]).contains("filled"));
    world.redis.save();
    world.redis.kill();
    // Each key takes a fortieth of a second to read.
    world.redis.also_with(&["--key-load-delay", "25000", "--loading-process-events-interval-bytes", "1024"]);
    world.redis.revive();
    until("it is said", 10 * SECOND, async || times_refused(&world, "LOADING") == 1).await;
    serves(&world, phone).await;
    is_well_again(&world).await;
}

#[tokio::test]
async fn a_user_that_is_no_longer_known_is_said_and_harms_nobody() {
    let (mut redis, crm) = (Redis::start(), Crm::start());
    let admit = |redis: &Redis| redis.ask(&["ACL", "SETUSER", "callcard", "on", ">s3cr3t", "~*", "&*", "+@all"]);
    admit(&redis);
    let url = format!("redis://callcard:s3cr3t@127.0.0.1:{}", redis.port());
    let replicas = vec![Replica::start(&crm, &url, &IMPATIENT)];
    let replica = &replicas[0];
    until("it is let in", 10 * SECOND, async || replica.check("shared").await.0 == "ok").await;
    redis.kill();
    redis.revive();
    let is_said = async || replica.said().contains("refuses the user or the password");
    until("it is said", 10 * SECOND, is_said).await;
    let world = World { redis, crm, replicas };
    let phone = "+14155550273";
    knows(&world, phone).await;
    serves(&world, phone).await;
    admit(&world.redis);
    is_well_again(&world).await;
    assert!(!world.replicas[0].said().contains("s3cr3t"));
}
