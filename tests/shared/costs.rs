//! What it costs: calls to the CRM for the same thousand lookups, by the number of replicas, with and without a store that they share.
//!
//! Not a test of the usual run; `scripts/replicas` runs it and prints the table of `docs/performance.md`.

use std::time::Duration;

use tokio::time::sleep;

use crate::harness::{Crm, Redis, Replica, World, until};

const LOOKUPS: u64 = 1_000;
/// People who call; the first of them much more often than the last.
const CALLERS: u64 = 200;

/// Replicas without anything in common.
async fn apart(replicas: usize, settings: &[(&str, &str)]) -> World {
    let (redis, crm) = (Redis::absent(), Crm::start());
    let replicas: Vec<_> = (0..replicas).map(|_| Replica::start(&crm, "", settings)).collect();
    for replica in &replicas {
        until("it is ready", Duration::from_secs(10), async || replica.check("crm").await.2).await;
    }
    crm.forget().await;
    World { redis, crm, replicas }
}

/// Who calls next: always the same thousand calls.
fn caller(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let uniform = (*seed >> 11) as f64 / (1_u64 << 53) as f64;
    // The n-th caller about as often as 1/n.
    ((CALLERS as f64 + 1.0).powf(uniform) - 1.0) as u64
}

/// Calls to the CRM for the thousand lookups.
async fn cost(world: &World) -> usize {
    for n in 0..CALLERS {
        if n % 4 > 0 {
            world.crm.add(&format!("Caller {n}"), &format!("+1415556{n:04}")).await;
        }
    }
    world.crm.forget().await;
    let mut seed = 7;
    for n in 0..LOOKUPS {
        let phone = format!("+1415556{:04}", caller(&mut seed));
        // As a load balancer spreads them.
        let replica = &world.replicas[(n * 7 % 11 % world.replicas.len() as u64) as usize];
        let got = replica.ask(&phone).await;
        assert_eq!(got.status, 200, "{got:?}");
        if n % 10 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    world.crm.count().await
}

#[tokio::test]
#[ignore = "takes minutes; scripts/replicas runs it"]
async fn calls_to_the_crm_for_a_thousand_lookups() {
    let settings = [("CALLCARD_UPSTREAM_RATE", "40"), ("CALLCARD_UNKNOWN_FRESH", "9m")];
    println!("| replicas | with a shared store | each alone |\n|---|---|---|");
    for replicas in [1, 3, 5] {
        let together = cost(&World::of(replicas, &settings).await).await;
        let alone = cost(&apart(replicas, &settings).await).await;
        println!("| {replicas} | {together} | {alone} |");
    }
}
