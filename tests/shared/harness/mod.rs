//! The processes under test, and what can be done to them.

mod crm;
mod load;
mod process;
mod redis;
mod replica;

pub(crate) use crm::{Crm, TOKEN};
pub(crate) use load::{Load, nobody};
pub(crate) use redis::Redis;
pub(crate) use replica::{Got, Replica};

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Asks again and again until it is so; stops the test if it is not in time. Returns how long it took.
pub(crate) async fn until(what: &str, limit: Duration, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(5)).await;
    }
    begin.elapsed()
}

/// A client for the tests' own requests.
fn http_client() -> reqwest::Client {
    // The service's own choice; refused if it has been made already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap()
}

/// Replicas over one store and one CRM.
pub(crate) struct World {
    pub(crate) redis: Redis,
    pub(crate) crm: Crm,
    pub(crate) replicas: Vec<Replica>,
}

impl World {
    /// So many replicas, all of them together.
    pub(crate) async fn of(replicas: usize, settings: &[(&str, &str)]) -> Self {
        let (redis, crm) = (Redis::start(), Crm::start());
        let mut world = Self { redis, crm, replicas: Vec::new() };
        for _ in 0..replicas {
            world.replicas.push(Replica::start(&world.crm, &world.redis.url(), settings));
        }
        world.are_together().await;
        world.crm.forget().await;
        world
    }

    /// Until every replica knows of all the others.
    pub(crate) async fn are_together(&self) {
        for replica in &self.replicas {
            until("every replica knows the others", Duration::from_secs(15), async || {
                replica.metric("callcard_shared_replicas").await == Some(self.replicas.len() as f64)
                    && replica.check("shared").await.0 == "ok"
            })
            .await;
        }
    }
}
