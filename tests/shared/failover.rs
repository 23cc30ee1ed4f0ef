//! The store's master dies and its replica takes over behind the same address, as a Kubernetes Service or a proxy that knows Sentinel
//! has it: the quota holds, no card is wrong, and all find together again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::harness::{Crm, Redis, Replica, World, until};
use crate::outages::{IMPATIENT, IN_TIME, is_everywhere, press};

const SECOND: Duration = Duration::from_secs(1);

/// One address for whichever server is the master. Connections end when that changes.
struct Address {
    port: u16,
    master: Arc<AtomicU16>,
    changed: watch::Sender<()>,
}

impl Address {
    async fn of(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (master, changed) = (Arc::new(AtomicU16::new(redis.port())), watch::Sender::new(()));
        let (target, watched) = (Arc::clone(&master), changed.clone());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (mut change, port) = (watched.subscribe(), target.load(Ordering::SeqCst));
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = change.changed() => {}
                    }
                });
            }
        });
        Self { port, master, changed }
    }

    fn moves_to(&self, redis: &Redis) {
        self.master.store(redis.port(), Ordering::SeqCst);
        self.changed.send_replace(());
    }
}

#[tokio::test]
async fn a_replica_of_the_store_that_takes_over_keeps_the_quota_and_the_cards() {
    let master = Redis::start();
    let standby = Redis::with(&["--replicaof", "127.0.0.1", &master.port().to_string()]);
    let is_copied = async || standby.ask(&["INFO", "replication"]).contains("master_link_status:up");
    until("the standby follows", 20 * SECOND, is_copied).await;
    let address = Address::of(&master).await;
    let (crm, url) = (Crm::start(), format!("redis://127.0.0.1:{}/0", address.port));
    let replicas = (0..3).map(|_| Replica::start(&crm, &url, &IMPATIENT)).collect();
    let world = World { redis: master, crm, replicas };
    world.are_together().await;
    let known = "+14155550191";
    world.crm.add("Anna", known).await;
    world.replicas[0].ask_for(known, "Anna").await;
    world.crm.forget().await;
    let World { redis: mut master, crm, replicas } = world;
    let replicas: Arc<[Replica]> = replicas.into();

    let load = press(&replicas);
    sleep(2 * SECOND).await;
    master.kill();
    sleep(2 * SECOND).await;
    standby.ask(&["REPLICAOF", "NO", "ONE"]);
    address.moves_to(&standby);
    is_everywhere(&replicas, "3 replicas share the quota", 15 * SECOND).await;
    sleep(2 * SECOND).await;
    let seen = load.stop().await;

    crm.assert_quota_kept().await;
    assert!(seen.lost == 0 && seen.slowest < IN_TIME, "{seen:?}");
    for replica in replicas.iter() {
        assert_eq!(replica.ask_for(known, "Anna").await.name.as_deref(), Some("Anna"));
        assert!(replica.check("shared").await.2, "nobody is unready");
    }
    let searched = crm.count().await;
    assert!(searched > 0, "the CRM was asked all the while");
}

#[tokio::test]
async fn a_standby_that_cannot_be_written_is_treated_as_away() {
    let master = Redis::start();
    let standby = Redis::with(&["--replicaof", "127.0.0.1", &master.port().to_string()]);
    let (address, crm) = (Address::of(&master).await, Crm::start());
    let url = format!("redis://127.0.0.1:{}/0", address.port);
    let replicas: Arc<[Replica]> = (0..2).map(|_| Replica::start(&crm, &url, &IMPATIENT)).collect::<Vec<_>>().into();
    is_everywhere(&replicas, "2 replicas share the quota", 15 * SECOND).await;
    let load = press(&replicas);
    sleep(SECOND).await;

    address.moves_to(&standby);
    is_everywhere(&replicas, "3 calls a second", 15 * SECOND).await;
    standby.ask(&["REPLICAOF", "NO", "ONE"]);
    is_everywhere(&replicas, "2 replicas share the quota", 15 * SECOND).await;
    let seen = load.stop().await;

    crm.assert_quota_kept().await;
    assert!(seen.lost == 0 && seen.slowest < IN_TIME, "{seen:?}");
}
