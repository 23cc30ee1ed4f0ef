//! What lies on the server: who may write it, when it counts, and who can read it.

use std::sync::Arc;
use std::time::Duration;

use callcard::cache::{Claim, Known, Purpose, Remembered, SecondLevel};
use callcard::metrics::Metrics;
use callcard::phone::E164;
use callcard::shared::{Lease, Second, Settings, Shared};
use secrecy::SecretString;
use tokio::time::sleep;

use crate::harness::{Redis, Replica, World, until};

const SECOND: Duration = Duration::from_secs(1);

/// One replica's way to the second level, in this process.
pub(crate) struct Side {
    pub(crate) shared: Shared,
    second: Arc<Second>,
    _ledger: callcard::crm::gate::Gate,
}

pub(crate) async fn side(redis: &Redis) -> Side {
    let secret = |text: &str| SecretString::from(text.to_owned());
    let metrics = Arc::new(Metrics::new());
    // A busy machine keeps everybody waiting.
    let (soft, hard) = (Duration::from_millis(300), Duration::from_millis(300));
    let account = "acme.kommo.com".to_owned();
    let settings =
        Settings { soft, hard, ..Settings::new(secret(&redis.url()), secret("a secret of sixteen"), account) };
    let shared = Shared::open(settings, Arc::clone(&metrics)).unwrap();
    let gate = callcard::crm::gate::Settings::default();
    let ledger = callcard::shared::Ledger::new(shared.clone(), &gate);
    // The gate's beats bring the time and the epoch.
    let gate = callcard::crm::gate::Gate::in_fleet(gate, metrics, ledger);
    let second = Second::new(shared.clone());
    until("it can be used", 5 * SECOND, async || !matches!(second.read(phone("+14155550000")).await, Known::Away))
        .await;
    Side { shared, second, _ledger: gate }
}

fn phone(text: &str) -> E164 {
    text.parse().unwrap()
}

/// "Nobody", fetched so long ago.
fn nobody(age: Duration) -> Remembered {
    Remembered { cards: vec![], age, searched: age, fresh: 600 * SECOND, renew: 480 * SECOND, usable: 3_600 * SECOND }
}

async fn claim(side: &Side, key: E164) -> callcard::cache::Right {
    match side.second.claim(key, Purpose::Live).await {
        Claim::Ours(right, _) => right,
        other => panic!("{other:?}"),
    }
}

async fn age(side: &Side, key: E164) -> Option<u64> {
    match side.second.read(key).await {
        Known::Found(found) => Some(found.age.as_secs()),
        Known::Nothing => None,
        Known::Away => panic!("away"),
    }
}

#[tokio::test]
async fn a_fill_that_lost_its_lease_cannot_write_and_the_next_one_can() {
    let redis = Redis::start();
    let (one, other) = (side(&redis).await, side(&redis).await);
    let key = phone("+14155550177");
    let late = claim(&one, key).await;
    assert!(matches!(other.second.claim(key, Purpose::Live).await, Claim::Theirs));
    // Its holder stands still for longer than a lease lives.
    let next = until("the lease has ended", 3 * SECOND, async || {
        matches!(other.second.claim(key, Purpose::Live).await, Claim::Ours(..))
    });
    next.await;
    one.second.settle(late, Some(nobody(5 * SECOND))).await;
    assert_eq!(age(&one, key).await, None, "the late write was refused");
    sleep(Duration::from_millis(1_100)).await;
    let right = claim(&other, key).await;
    other.second.settle(right, Some(nobody(2 * SECOND))).await;
    // It ages while a busy machine gets here.
    assert!(matches!(age(&one, key).await, Some(2..=9)));
    let right = claim(&one, key).await;
    one.second.settle(right, Some(nobody(30 * SECOND))).await;
    assert!(
        matches!(age(&other, key).await, Some(2..=9)),
        "what was fetched earlier never replaces what was fetched later"
    );
}

#[tokio::test]
async fn a_lease_that_is_kept_lives_on_and_ends_with_its_holder() {
    let redis = Redis::start();
    let (one, other) = (side(&redis).await, side(&redis).await);
    let key = phone("+14155550178");
    let right = claim(&one, key).await;
    let _ = tokio::time::timeout(Duration::from_millis(2_500), one.second.keep(&right)).await;
    assert!(matches!(other.second.claim(key, Purpose::Live).await, Claim::Theirs), "kept");
    let took = until("it has ended", 3 * SECOND, async || {
        matches!(other.second.claim(key, Purpose::Live).await, Claim::Ours(..))
    });
    assert!(took.await <= Duration::from_millis(1_500));
}

#[tokio::test]
async fn an_entry_whose_stamp_is_gone_or_newer_does_not_count() {
    let redis = Redis::start();
    let one = side(&redis).await;
    let key = phone("+14155550179");
    let right = claim(&one, key).await;
    one.second.settle(right, Some(nobody(SECOND))).await;
    assert_eq!(age(&one, key).await, Some(1));
    for stamp in redis.keys("*stamp:all") {
        redis.ask(&["DEL", &stamp]);
    }
    assert_eq!(age(&one, key).await, None, "evicted: useless, not wrong");
    let right = claim(&one, key).await;
    one.second.tell(callcard::cache::Change::All);
    until("it was told", 2 * SECOND, async || !matches!(one.second.read(key).await, Known::Away)).await;
    one.second.settle(right, Some(nobody(Duration::ZERO))).await;
    assert_eq!(age(&one, key).await, None, "a change has overtaken the fill");
}

#[tokio::test]
async fn nothing_on_the_server_names_a_number_or_a_person() {
    let world = World::of(1, &[]).await;
    world.crm.add("Anna Ivanova", "+14155550188").await;
    world.replicas[0].ask_for("+14155550188", "Anna Ivanova").await;
    until("it is written down", 2 * SECOND, async || !world.redis.keys("*:entry").is_empty()).await;
    let keys = world.redis.keys("*");
    for key in &keys {
        let value = ["GET", "HGETALL"].map(|command| world.redis.ask(&[command, key])).concat();
        for personal in ["4155550188", "Anna", "Ivanova"] {
            assert!(!key.contains(personal) && !value.contains(personal), "{personal} in {key}");
        }
    }
    assert!(keys.len() >= 5, "{keys:?}");
}

#[tokio::test]
async fn a_user_with_a_password_is_let_in_and_a_wrong_one_is_never_told() {
    let user =
        "--user callcard on >s3cr3t-of-the-store ~callcard:* &callcard:* +@all -@admin -@dangerous --user default off";
    let redis = Redis::with(&user.split(' ').collect::<Vec<_>>());
    let crm = crate::harness::Crm::start();
    let url = |password: &str| format!("redis://callcard:{password}@127.0.0.1:{}/0", redis.port());
    let right = Replica::start(&crm, &url("s3cr3t-of-the-store"), &[]);
    until("it is let in", 8 * SECOND, async || right.check("shared").await.0 == "ok").await;
    let wrong = Replica::start(&crm, &url("wr0ng-password"), &[]);
    until("it says that it is alone", 8 * SECOND, async || wrong.check("shared").await.0 == "degraded").await;
    until("it is ready all the same", 8 * SECOND, async || wrong.check("shared").await.2).await;
    assert!(wrong.said().contains("refuses the user or the password"), "{}", wrong.said());
    assert!(!right.said().contains("refuses commands"), "it needs no more rights: {}", right.said());
    for said in [right.said(), wrong.said()] {
        assert!(!said.contains("s3cr3t") && !said.contains("wr0ng"), "{said}");
    }
}

#[tokio::test]
async fn over_tls_a_known_authority_is_trusted_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let openssl = |words: &str| {
        let done = std::process::Command::new("openssl").args(words.split(' ')).current_dir(folder.path()).output();
        let done = done.expect("openssl is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    std::fs::write(at("leaf.ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1").unwrap();
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=authority");
    openssl("req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=localhost");
    openssl("x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out leaf.crt -days 2 -extfile leaf.ext");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (authority, leaf, key) = (at("ca.crt"), at("leaf.crt"), at("leaf.key"));
    let _redis = Redis::with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &leaf,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ]);
    let crm = crate::harness::Crm::start();
    let url = format!("rediss://localhost:{port}");
    let trusting = Replica::start(&crm, &url, &[("SSL_CERT_FILE", &authority)]);
    until("it is let in", 10 * SECOND, async || trusting.check("shared").await.0 == "ok").await;
    let strict = Replica::start(&crm, &url, &[]);
    until("it says that it is alone", 10 * SECOND, async || strict.check("shared").await.0 == "degraded").await;
}

#[tokio::test]
async fn a_leader_leads_alone_hands_over_and_is_replaced_when_it_dies() {
    let redis = Redis::start();
    let (one, other) = (side(&redis).await, side(&redis).await);
    let lease =
        |side: &Side| Lease::new(&side.shared, "mirror").timed(Duration::from_millis(900), Duration::from_millis(150));
    let mut held = lease(&one).hold().await;
    assert!(lease(&other).try_hold().await.is_none(), "one leads");
    let _ = tokio::time::timeout(Duration::from_millis(1_500), held.keep()).await;
    assert!(held.is_held() && lease(&other).try_hold().await.is_none(), "and goes on");
    held.hand_over().await;
    let held = lease(&other).try_hold().await.expect("handed over, at once");
    // It dies without a word.
    let took = until("it is replaced", 3 * SECOND, async || lease(&one).try_hold().await.is_some()).await;
    assert!(took >= Duration::from_millis(500) && !held.is_held(), "it had stopped to believe in it: {took:?}");
    redis.stop();
    let mut held_no_more = held;
    held_no_more.keep().await;
    assert!(!held_no_more.is_held());
}
