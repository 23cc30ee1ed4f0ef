//! One mirror for several replicas: one of them, the leader, runs the feed against the CRM; the others do what it did.
//!
//! The mirror is a replicated log. What a commit of the feed writes becomes one [`Entry`] with a [`Position`] and the position it comes
//! after. The leader appends it to the [`Log`] *first* and then commits; the position is part of the same transaction.
//!
//! # What holds
//!
//! - **The log decides, not the lease.** An append names the end of the log as its writer knows it, and is refused if that is not the end.
//!   A leader that was overtaken while it slept can neither append nor commit; the lease only keeps two from trying.
//! - **What may not be in the log is not in the snapshot.** An append that fails, or whose fate is not known, is not committed; the replica
//!   leads no longer, and catches up first: if the entry did get in, that is where it comes from.
//! - **An entry is applied only to what it was made from**: if the own position is the one it comes after. Whoever has another history (a
//!   gap, an emptied log, a snapshot of its own) loads the leader's rows, or begins with nothing where the leader did.
//! - **A follower that hears nothing grows old.** When the CRM was last asked is part of the log, and lookups judge by it.
//! - **Who knows most leads.** A replica that is at the end of the log, or complete where there is no log, may ask for the lease at once; one
//!   that is not lets others go first for a while.
//!
//! It leaves to others: where the log lies (`shared`), and what is written (`feed`).

mod entry;
mod follow;
mod hand_on;
mod lead;
mod snapshot;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub use self::entry::Position;
pub(super) use self::entry::{Entry, Row};
pub(super) use self::hand_on::{Outbox, Told};
pub(super) use self::lead::Leading;

use super::{Directory, Watcher};
use crate::crm::CrmClient;
use crate::crm::dictionary::Dictionaries;

/// Under which the position is written down.
pub(super) const POSITION: &str = "position";
/// From one look at the log to the next.
const PACE: Duration = Duration::from_millis(250);
/// From one try to become leader to the next.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// For so long those who know more go first.
const GIVE_WAY: Duration = Duration::from_secs(5);

/// The log cannot be reached, or did not say what became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mirror's log cannot be reached")]
pub struct Away;

/// An entry as it lies in the log.
pub struct Logged {
    /// Where.
    pub position: Position,
    /// Its bytes.
    pub body: Vec<u8>,
    /// For how long, by the log's own clock.
    pub since: Duration,
}

impl fmt::Debug for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logged").field("position", &self.position).finish_non_exhaustive()
    }
}

/// The right to lead. It ends by itself if it is not kept.
pub trait Right: Send {
    /// Ends when the right is lost.
    fn keep(&mut self) -> BoxFuture<'_, ()>;

    /// Gives it back.
    fn hand_over(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Where replicas of one mirror meet. What is given to it is personal data and must be hidden at rest.
pub trait Log: Send + Sync + fmt::Debug + 'static {
    /// The position of the last entry.
    fn end(&self) -> BoxFuture<'_, Result<Option<Position>, Away>>;

    /// Some of the entries behind this place, the oldest first.
    fn read(&self, after: Option<Position>) -> BoxFuture<'_, Result<Vec<Logged>, Away>>;

    /// Adds an entry if `end` is the position of the last one; tells whether it was.
    fn append(&self, end: Option<Position>, at: Position, body: Vec<u8>) -> BoxFuture<'_, Result<bool, Away>>;

    /// Takes the right to lead, if nobody has it.
    fn lead(&self) -> BoxFuture<'_, Option<Box<dyn Right>>>;

    /// Whether anybody has it.
    fn is_led(&self) -> BoxFuture<'_, Result<bool, Away>>;

    /// Tells every replica something, this one included.
    fn tell(&self, what: Vec<u8>) -> BoxFuture<'_, Result<(), Away>>;

    /// What was told since the last time this was asked; from the first time on.
    fn told(&self) -> BoxFuture<'_, Result<Vec<Vec<u8>>, Away>>;

    /// Asks the leader for its rows.
    fn want_rows(&self) -> BoxFuture<'_, Result<(), Away>>;

    /// Whether somebody has asked for them since the last time this was asked.
    fn are_rows_wanted(&self) -> BoxFuture<'_, Result<bool, Away>>;

    /// Puts a piece of the rows down for some minutes.
    fn put_piece<'a>(&'a self, name: &'a str, piece: Vec<u8>) -> BoxFuture<'a, Result<(), Away>>;

    /// A piece that was put down.
    fn piece<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Away>>;
}

/// Keeps a mirror together with those of other replicas.
#[derive(Debug)]
pub struct Fleet {
    directory: Directory,
    log: Arc<dyn Log>,
    crm: CrmClient,
    names: Dictionaries,
    watcher: Arc<dyn Watcher>,
    /// Which rows were loaded last, or tried to be.
    loaded: Option<String>,
}

/// The right to lead, and how it was come by.
struct Led {
    right: Box<dyn Right>,
    /// As one who has everything that is in the log; not because nobody else wanted to.
    knows_all: bool,
}

/// What one look at the log has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// Everything that is in it is in the snapshot.
    AtEnd(Option<Position>),
    /// It has another history than we.
    Apart,
}

impl Fleet {
    /// One of several replicas with this mirror, which was opened to be written. It does nothing before it is run.
    #[must_use]
    pub fn new(
        directory: Directory,
        log: Arc<dyn Log>,
        crm: CrmClient,
        names: Dictionaries,
        watcher: Arc<dyn Watcher>,
    ) -> Self {
        directory.0.outbox.open();
        Self { directory, log, crm, names, watcher, loaded: None }
    }

    /// Follows and leads until it is told to stop; then gives the right to lead back.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut stalled = false;
        while !stop.is_cancelled() {
            let led = tokio::select! {
                led = self.follow() => led,
                () = stop.cancelled() => return,
            };
            let outcome = match led {
                Ok(Led { mut right, knows_all }) => {
                    let led = self.lead(&mut *right, knows_all, &stop).await;
                    right.hand_over().await;
                    led
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => stalled = false,
                Err(error) => {
                    if !std::mem::replace(&mut stalled, true) {
                        tracing::warn!(%error, "this replica's mirror cannot follow; it is tried again");
                    }
                    sleep(TRY_EVERY).await;
                }
            }
        }
    }

    /// Waits until this replica may lead.
    async fn follow(&mut self) -> Result<Led, super::feed::FeedError> {
        self.directory.set_leader(Some(false));
        self.directory.0.hints.follow(self.directory.0.clock.now());
        let (mut free_since, mut try_at) = (None::<Instant>, Instant::now());
        loop {
            let (sight, _) = (self.catch_up().await?, self.exchange().await);
            let now = Instant::now();
            match sight {
                Ok(Sight::AtEnd(end)) if end.is_some() || self.directory.standing().complete => {
                    free_since = None;
                    if now >= try_at {
                        try_at = now + TRY_EVERY.mul_f64(0.75 + 0.5 * fastrand::f64());
                        if let Some(right) = self.log.lead().await {
                            return Ok(Led { right, knows_all: true });
                        }
                    }
                }
                Ok(sight) => {
                    if sight == Sight::Apart && self.load().await?.unwrap_or(false) {
                        free_since = None;
                        continue;
                    }
                    free_since = match self.log.is_led().await {
                        Ok(false) => free_since.or(Some(now)),
                        Ok(true) | Err(Away) => None,
                    };
                    if free_since.is_some_and(|since| now - since >= GIVE_WAY)
                        && let Some(right) = self.log.lead().await
                    {
                        return Ok(Led { right, knows_all: false });
                    }
                }
                Err(Away) => free_since = None,
            }
            sleep(PACE).await;
        }
    }
}
