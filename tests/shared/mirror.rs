//! One mirror for several replicas: one of them reads the CRM, all answer; whoever dies, sleeps or is emptied, it is read once.

use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use crate::harness::{Crm, Redis, Replica, until};

const SECOND: Duration = Duration::from_secs(1);
/// What a busy machine may take for what takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// A lease that nobody renews ends after 15 s: what is quicker was a hand-over.
const BEFORE_THE_LEASE_ENDS: Duration = Duration::from_secs(11);

/// Replicas of one mirror, each with a file of its own.
struct Mirrored {
    redis: Redis,
    crm: Crm,
    folder: TempDir,
    replicas: Vec<Option<Replica>>,
}

impl Mirrored {
    async fn of(replicas: usize) -> Self {
        let (redis, crm, folder) = (Redis::start(), Crm::start(), TempDir::new().unwrap());
        let mut mirrored = Self { redis, crm, folder, replicas: Vec::new() };
        mirrored.crm.add("Anna Ivanova", "+14155550111").await;
        mirrored.crm.forget().await;
        for place in 0..replicas {
            mirrored.replicas.push(None);
            mirrored.begin(place);
        }
        mirrored.are_current().await;
        mirrored
    }

    fn path(&self, place: usize) -> String {
        self.folder.path().join(format!("mirror-{place}")).display().to_string()
    }

    fn begin(&mut self, place: usize) {
        let path = self.path(place);
        let settings = [("CALLCARD_DIRECTORY", "mirror"), ("CALLCARD_DIRECTORY_PATH", path.as_str())];
        self.replicas[place] = Some(Replica::start(&self.crm, &self.redis.url(), &settings));
    }

    /// Ends it as a power cut does.
    fn kill(&mut self, place: usize) {
        self.replicas[place] = None;
    }

    fn alive(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().flatten()
    }

    fn at(&self, place: usize) -> &Replica {
        self.replicas[place].as_ref().unwrap()
    }

    async fn are_current(&self) {
        for replica in self.alive() {
            until("every mirror is whole and current", PATIENCE, async || replica.check("directory").await.0 == "ok")
                .await;
        }
    }

    /// Where the one leader is, among these.
    async fn leader_of(&self, places: &[usize], limit: Duration) -> usize {
        let mut leader = None;
        until("there is one leader", limit, async || {
            let mut leaders = Vec::new();
            for place in places {
                if self.at(*place).metric("callcard_directory_leader").await == Some(1.0) {
                    leaders.push(*place);
                }
            }
            leader = if let [one] = leaders[..] { Some(one) } else { None };
            leader.is_some()
        })
        .await;
        leader.unwrap()
    }

    /// How often somebody began to read every contact.
    fn transfers(&self) -> usize {
        self.alive().map(|replica| replica.said().matches("the mirror begins to read every contact").count()).sum()
    }

    /// A new caller is known everywhere without a search.
    async fn a_new_caller_reaches_all(&self, name: &str, phone: &str) {
        self.crm.add(name, phone).await;
        for replica in self.alive() {
            until(&format!("{name} is in every mirror"), PATIENCE, async || {
                let got = replica.ask(phone).await;
                got.name.as_deref() == Some(name) && got.cache == "directory"
            })
            .await;
        }
    }

    /// Every file says what the CRM says.
    async fn agree_with_the_crm(&self) {
        for place in (0..self.replicas.len()).filter(|place| self.replicas[*place].is_some()) {
            let mut said = String::new();
            until("every mirror agrees with the CRM", PATIENCE, async || {
                let Output { stdout, stderr, status } = self.verify(place);
                said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
                status.success() && said.contains("agree")
            })
            .await;
        }
    }

    fn verify(&self, place: usize) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callcard"));
        command.args(["directory", "verify", "--sample", "400"]).env_clear();
        command.env("CALLCARD_KOMMO_URL", &self.crm.url).env("CALLCARD_KOMMO_TOKEN", crate::harness::TOKEN);
        command.env("CALLCARD_LEADS", "ids").env("CALLCARD_DIRECTORY_PATH", self.path(place));
        command.output().unwrap()
    }
}

#[tokio::test]
async fn three_replicas_read_the_crm_once_and_answer_for_everybody_and_for_nobody() {
    let world = Mirrored::of(3).await;
    let windows = world.crm.windows().await;
    assert_eq!((world.transfers(), windows.len()), (1, 1), "{windows:?}");
    world.leader_of(&[0, 1, 2], PATIENCE).await;
    for replica in world.alive() {
        for (phone, name) in [("+14155550111", Some("Anna Ivanova")), ("+14155550999", None)] {
            let got = replica.ask(phone).await;
            assert_eq!((got.status, got.name.as_deref(), &*got.cache), (200, name, "directory"), "{got:?}");
        }
    }
    assert_eq!(world.crm.searches_for("query").await, 0);
    world.agree_with_the_crm().await;
    let at_rest = world.redis.ask(&["XRANGE", &world.redis.keys("*mirror:log")[0], "-", "+"]);
    assert!(at_rest.contains("body") && !at_rest.contains("Anna"), "what lies there is sealed");
}

#[tokio::test]
async fn a_leader_that_is_killed_or_stopped_is_followed_by_another_without_a_new_transfer() {
    let mut world = Mirrored::of(3).await;
    let first = world.leader_of(&[0, 1, 2], PATIENCE).await;
    world.kill(first);
    let rest: Vec<usize> = (0..3).filter(|place| *place != first).collect();
    let second = world.leader_of(&rest, PATIENCE).await;
    world.a_new_caller_reaches_all("Boris Second", "+14155550222").await;

    assert!(world.replicas[second].take().unwrap().stop().await);
    let third = *rest.iter().find(|place| **place != second).unwrap();
    world.leader_of(&[third], BEFORE_THE_LEASE_ENDS).await;
    world.a_new_caller_reaches_all("Clara Third", "+14155550333").await;
    assert_eq!(world.transfers(), 0, "those who live have never read everything");
    world.agree_with_the_crm().await;
}

#[tokio::test]
async fn an_emptied_restored_or_paused_store_costs_no_new_transfer() {
    let mut world = Mirrored::of(3).await;
    world.redis.ask(&["FLUSHALL"]);
    world.a_new_caller_reaches_all("Boris Flushed", "+14155550222").await;
    world.redis.save();
    world.a_new_caller_reaches_all("Bella Unsaved", "+14155550223").await;
    world.redis.kill();
    sleep(SECOND).await;
    world.redis.revive();
    world.a_new_caller_reaches_all("Clara Restarted", "+14155550333").await;
    for replica in world.alive() {
        assert_eq!(
            replica.ask("+14155550223").await.name.as_deref(),
            Some("Bella Unsaved"),
            "the old log takes nothing back"
        );
    }
    world.redis.stop();
    sleep(4 * SECOND).await;
    world.redis.go_on();
    world.a_new_caller_reaches_all("Dora Paused", "+14155550444").await;
    assert_eq!(world.transfers(), 1);
    world.leader_of(&[0, 1, 2], PATIENCE).await;
    world.agree_with_the_crm().await;
}

#[tokio::test]
async fn a_replica_that_missed_the_log_loads_the_leaders_rows() {
    let mut world = Mirrored::of(2).await;
    let leader = world.leader_of(&[0, 1], PATIENCE).await;
    let other = 1 - leader;
    world.kill(other);
    world.a_new_caller_reaches_all("Boris Meanwhile", "+14155550222").await;
    std::fs::remove_file(world.path(other)).unwrap();
    // What the leader has written up to now is no longer to be had.
    world.redis.ask(&["XTRIM", &world.redis.keys("*mirror:log")[0], "MAXLEN", "1"]);
    world.begin(other);
    world.are_current().await;
    assert!(world.at(other).said().contains("the mirror was taken over"), "{}", world.at(other).said());
    assert_eq!(world.transfers(), 1);
    world.a_new_caller_reaches_all("Clara Afterwards", "+14155550333").await;
    world.agree_with_the_crm().await;
}

#[tokio::test]
async fn a_leader_that_slept_and_wakes_follows() {
    let world = Mirrored::of(3).await;
    let old = world.leader_of(&[0, 1, 2], PATIENCE).await;
    world.at(old).freeze();
    let rest: Vec<usize> = (0..3).filter(|place| *place != old).collect();
    let new = world.leader_of(&rest, PATIENCE).await;
    world.crm.add("Boris Meanwhile", "+14155550222").await;
    let known = async || world.at(new).ask("+14155550222").await.name.is_some();
    until("the new leader goes on", PATIENCE, known).await;
    world.at(old).thaw();
    world.a_new_caller_reaches_all("Clara Awake", "+14155550333").await;
    world.leader_of(&[0, 1, 2], PATIENCE).await;
    assert_eq!(world.transfers(), 1);
    world.agree_with_the_crm().await;
}

#[tokio::test]
async fn a_deletion_told_to_any_replica_is_believed_by_all() {
    let world = Mirrored::of(3).await;
    let id = world.crm.add("Emil Gone", "+14155550555").await;
    for replica in world.alive() {
        until("he is known", PATIENCE, async || replica.ask("+14155550555").await.cache == "directory").await;
    }
    world.crm.delete(id).await;
    let leader = world.leader_of(&[0, 1, 2], PATIENCE).await;
    world.at((leader + 1) % 3).forget_contact(id).await;
    assert_eq!(world.at((leader + 1) % 3).ask("+14155550555").await.name, None, "at once where it was told");
    for replica in world.alive() {
        until("nobody shows him", 5 * SECOND, async || replica.ask("+14155550555").await.name.is_none()).await;
    }
}

#[tokio::test]
async fn killed_at_random_moments_the_mirrors_agree_in_the_end() {
    let kills: usize = std::env::var("CALLCARD_TEST_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let mut world = Mirrored::of(3).await;
    let mut rng = fastrand::Rng::with_seed(kills as u64);
    for kill in 0..kills {
        world.crm.add("Some Body", &format!("+1415556{kill:04}")).await;
        sleep(Duration::from_millis(rng.u64(50..2_500))).await;
        let place = rng.usize(0..3);
        world.kill(place);
        world.begin(place);
    }
    world.leader_of(&[0, 1, 2], PATIENCE).await;
    world.a_new_caller_reaches_all("Zoe Last", "+14155550777").await;
    world.agree_with_the_crm().await;
    assert!(world.transfers() <= 1, "nobody read everything again");
}
