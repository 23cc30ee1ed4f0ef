//! What several replicas share through Redis or Valkey, so that together they are one service: the quota, what they know, and what
//! somebody has said is no longer true.
//!
//! | file | what it is | whose rules |
//! |---|---|---|
//! | `link` | the one connection for commands; every command bounded, none tried while it is down | ours |
//! | `clock` | the server's time as we know it: nobody's own clock counts | ours |
//! | `keys` | where things lie, and how they are hidden | ours |
//! | `ledger` | whose turn it is to call the CRM | [`crate::crm::gate::fleet`] |
//! | `second_level`, `codec` | answers that another replica has already paid for | [`crate::cache::SecondLevel`] |
//! | `bus`, `epochs` | what is no longer true | [`crate::cache::Change`] |
//! | `tokens` | the OAuth2 pair, renewed by one and used by all | [`crate::crm::auth::TokenStore`] |
//! | `mirror` | what the leader of the mirror has written, for the others to follow | [`crate::directory::fleet`] |
//! | `lease` | the right to do what only one replica should do | ours |
//!
//! # What holds
//!
//! - **It may always be away.** Nothing waits for it longer than [`Settings::soft`] (on a lookup's way) or [`Settings::hard`]; while it is
//!   known to be away nothing waits at all. A first connection that fails is no reason not to start. A hit never touches it.
//! - **An older version never comes after a newer one.** Every change gets an *epoch* from one counter. Each contact and each number that is
//!   written down has a *stamp*: the epoch of its last change. An entry names the epoch its fill began in, and counts only while the stamps
//!   of all it holds are there and not newer. So a stamp that was lost (evicted, flushed) makes an entry useless, not wrong; and so does a
//!   late write of a fill that a change has overtaken.
//! - **The right to fill ends with its lease.** A write names the token of its lease and is compared with it on the server.
//! - **No message has to arrive.** The bus only makes changes known sooner. Each beat of the quota tells the epoch; a replica that finds it
//!   has missed one lets its first level expire, which serves it as stale at most.
//!
//! # Personal data
//!
//! Numbers are never written: a key holds a keyed hash (HMAC-SHA-256) of the number. Values and messages are sealed (ChaCha20-Poly1305, the
//! key name as associated data, so that a value cannot be moved to another number). Both keys are derived (HKDF) from
//! [`Settings::secret`]. Ids of contacts and epochs are readable. Whoever can write to the server can make answers be forgotten and the
//! quota shrink, not make us say something wrong.
//!
//! Only commands of Redis 7.0 and Valkey 7.2 are used. The keys of one command or script share one hash tag, so they also work behind a
//! proxy that spreads keys over a cluster.

mod bus;
mod clock;
mod codec;
mod epochs;
mod keys;
mod lease;
mod ledger;
mod link;
mod mirror;
mod scripts;
mod second_level;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::lease::{Held, Lease};
pub use self::ledger::Ledger;
pub use self::link::InvalidUrl;
pub use self::mirror::MirrorLog;
pub use self::second_level::Second;
pub use self::tokens::Tokens;

use self::bus::Bus;
use self::clock::Clock;
use self::epochs::Epochs;
use self::keys::Keys;
use self::link::Link;
use self::scripts::Scripts;
use crate::metrics::Metrics;

/// How the shared store is reached and how long we wait for it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `redis://` or `rediss://`, with user and password if it wants them.
    pub url: SecretString,
    /// What the keys that hide personal data are derived from; the same for all replicas.
    pub secret: SecretString,
    /// The CRM account that the replicas serve: those of another account have nothing in common with them.
    pub account: String,
    /// On a lookup's way, an answer that takes longer is not waited for. Default 20 ms.
    pub soft: Duration,
    /// Nothing is waited for longer. Default 50 ms.
    pub hard: Duration,
    /// A connection is made within this. Default 1 s.
    pub connect: Duration,
    /// From one try to connect to the next. Default 500 ms.
    pub retry: Duration,
    /// The right to fill ends so long after its holder has died. Default 1 s.
    pub lease: Duration,
    /// No entry lives longer than this: stamps do.
    pub longest_life: Duration,
    /// What only one living process can have, and the next one in its place has again: a host's name and an address that is listened on.
    /// Whoever takes the seat of one that is not heard of any more proves it dead, and its share of the quota free. Default none.
    pub seat: Option<String>,
}

impl Settings {
    /// The defaults for this store and this account.
    #[must_use]
    pub fn new(url: SecretString, secret: SecretString, account: String) -> Self {
        Self {
            url,
            secret,
            account,
            soft: Duration::from_millis(20),
            hard: Duration::from_millis(50),
            connect: Duration::from_secs(1),
            retry: Duration::from_millis(500),
            lease: Duration::from_secs(1),
            longest_life: Duration::from_secs(24 * 60 * 60),
            seat: None,
        }
    }
}

/// The shared store. Clones are the same one.
#[derive(Clone)]
pub struct Shared(Arc<Inner>, #[expect(dead_code, reason = "dropping the last one ends the tasks")] Arc<DropGuard>);

struct Inner {
    settings: Settings,
    /// Tells this process from the others, and from those before it; begins with its seat.
    me: String,
    link: Link,
    clock: Clock,
    keys: Keys,
    scripts: Scripts,
    epochs: Epochs,
    /// The connection on which the counter of epochs was last looked at.
    looked_on: AtomicU64,
    bus: Bus,
    /// Another replica has told the ledger something.
    woken: Notify,
    metrics: Arc<Metrics>,
}

impl Shared {
    /// The store behind this address. Must be called inside a tokio runtime: it starts the tasks that keep the connections, which end with
    /// the last clone. Nothing is sent before that.
    ///
    /// # Errors
    /// When the address can be none.
    pub fn open(settings: Settings, metrics: Arc<Metrics>) -> Result<Self, InvalidUrl> {
        let link = Link::new(&settings, Arc::clone(&metrics))?;
        let keys = Keys::new(&settings.account, &settings.secret);
        let seat = settings.seat.as_deref().map_or_else(|| format!("{:016x}", fastrand::u64(..)), keys::seat);
        let me = format!("{seat}{:016x}", fastrand::u64(..));
        let inner = Inner {
            me,
            link,
            clock: Clock::default(),
            keys,
            scripts: Scripts::default(),
            epochs: Epochs::default(),
            looked_on: AtomicU64::new(0),
            bus: Bus::default(),
            woken: Notify::new(),
            metrics,
            settings,
        };
        let (inner, running) = (Arc::new(inner), CancellationToken::new());
        for task in [link::keep(Arc::clone(&inner)), bus::tell(Arc::clone(&inner)), bus::hear(Arc::clone(&inner))] {
            let running = running.clone();
            tokio::spawn(async move { running.run_until_cancelled(task).await });
        }
        Ok(Self(inner, Arc::new(running.drop_guard())))
    }

    /// Whether it can be reached now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.link.is_up()
    }

    /// Whether what other replicas know can be used now.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.0.ready().is_some()
    }

    /// Asks it a question, for people who want to know whether it works: the version it says it has.
    ///
    /// # Errors
    /// In words, without any secret.
    pub async fn probe(&self) -> Result<String, String> {
        link::probe(&self.0.settings).await
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("up", &self.is_up()).finish_non_exhaustive()
    }
}
