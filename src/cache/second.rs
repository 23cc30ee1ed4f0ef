//! The second level: what another replica has already found out, and the agreement that only one of them finds it out at a time.
//!
//! It stands behind a miss and in front of the fill, so a hit never touches it. Nothing depends on it: when it is away, fills go to the CRM
//! as if it did not exist. What it returns is as old as it says, and takes its place here by that age: it never replaces something that was
//! fetched later.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::entry::Entry;
use super::fill::{self, land};
use super::source::{FillError, Filled, Search};
use super::{Epoch, Inner, Reach, Shown};
use crate::card::Card;
use crate::contact::{ContactId, PartyId};
use crate::outcome::{Class, SharedResult};
use crate::phone::E164;

/// How often a replica looks whether another has found out what it wants to know.
const LOOK: Duration = Duration::from_millis(20);

/// Two times of one fetch, told by two clocks, are no further apart.
const SAME: Duration = Duration::from_millis(100);

/// What all replicas know together.
pub trait SecondLevel: Send + Sync + std::fmt::Debug + 'static {
    /// What is known of a number. Answers soon or not at all.
    fn read(&self, key: E164) -> BoxFuture<'_, Known>;

    /// The right to find out about a number: nobody else has it while it is held.
    fn claim(&self, key: E164, purpose: Purpose) -> BoxFuture<'_, Claim>;

    /// Keeps a right while it is needed; does not end.
    fn keep<'a>(&'a self, right: &'a Right) -> BoxFuture<'a, ()>;

    /// Writes down what was found out, if the right to is still held, and gives it back; without anything found, only gives it back.
    fn settle(&self, right: Right, found: Option<Remembered>) -> BoxFuture<'_, ()>;

    /// Tells the other replicas that something is no longer true. Does not wait; is repeated until it has been heard.
    fn tell(&self, change: Change);

    /// Where to tell what other replicas say is no longer true.
    fn listen(&self, cache: Listener);
}

/// What the second level has for a number.
#[derive(Debug)]
pub enum Known {
    /// This.
    Found(Remembered),
    /// Nothing that can be used.
    Nothing,
    /// It cannot say.
    Away,
}

/// Whether somebody waits for what is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A caller.
    Live,
    /// Nobody: an answer is at hand and is to be renewed.
    Refresh,
}

/// What became of a wish to find out.
#[derive(Debug)]
pub enum Claim {
    /// It is ours to do. Something may have been found out since we last looked.
    Ours(Right, Known),
    /// Somebody else does.
    Theirs,
    /// It cannot say.
    Away,
}

/// The right to find out about a number.
#[derive(Debug)]
pub struct Right {
    /// The number.
    pub key: E164,
    /// Whether somebody waits.
    pub purpose: Purpose,
    /// Proves the right.
    pub token: u64,
    /// Every change up to this one was known when the right was given.
    pub epoch: u64,
}

/// An answer as it is remembered beyond the process. Its times count from the moment the CRM gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// The owners, best first; empty when nobody has the number.
    pub cards: Vec<Arc<Card>>,
    /// How long ago the CRM said so.
    pub age: Duration,
    /// How long ago the number itself was searched for.
    pub searched: Duration,
    /// It is fresh for this long.
    pub fresh: Duration,
    /// It is to be renewed after this long, if somebody asks.
    pub renew: Duration,
    /// It is usable for this long.
    pub usable: Duration,
}

/// Something that is no longer true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What is known about these numbers.
    Phones(Vec<E164>, Reach),
    /// What is known about a contact or company, and about the numbers it is known to have.
    Party(PartyId, Vec<E164>, Reach),
    /// A contact is said to have changed, and to have these numbers now; as [`Cache::contact_changed`](super::Cache::contact_changed).
    Said(ContactId, Vec<E164>),
    /// These numbers are said to be somebody's who is no contact; as [`Cache::phones_changed`](super::Cache::phones_changed).
    SaidOf(Vec<E164>),
    /// What shows this lead or company; as [`Cache::shown_changed`](super::Cache::shown_changed).
    Shown(Shown),
    /// Everything counts as stale.
    All,
}

/// A cache that hears of changes, for as long as it lives.
#[derive(Clone, Debug)]
pub struct Listener(pub(super) Weak<Inner>);

impl Listener {
    /// Somebody else says that something is no longer true.
    pub fn hear(&self, change: &Change) {
        if let Some(inner) = self.0.upgrade() {
            inner.hear(change);
        }
    }
}

impl Remembered {
    pub(super) fn is_fresh(&self) -> bool {
        self.age < self.fresh
    }
}

/// A live fill of a number, in agreement with the other replicas.
pub(super) async fn fill(
    inner: &Arc<Inner>,
    second: &Arc<dyn SecondLevel>,
    started: Epoch,
    search: Search,
) -> Result<Filled, FillError> {
    let (key, patience) = (search.key, search.patience);
    let mut has_waited = false;
    loop {
        let known = match second.read(key).await {
            Known::Nothing => second.claim(key, Purpose::Live).await,
            Known::Away => Claim::Away,
            Known::Found(found) if found.is_fresh() => return adopt(inner, key, started, &found, has_waited),
            Known::Found(found) => {
                if !has_waited {
                    inner.metrics.shared_lookup(SharedResult::Stale);
                }
                // It is no answer yet, but better than none if no other comes.
                let _ = inner.adopt(key, started, &found);
                second.claim(key, Purpose::Live).await
            }
        };
        match known {
            Claim::Ours(right, Known::Found(found)) if found.is_fresh() => {
                second.settle(right, None).await;
                return adopt(inner, key, started, &found, has_waited);
            }
            Claim::Ours(right, _) if Instant::now() >= patience.start_by => {
                second.settle(right, None).await;
                return Err(FillError::Overloaded { retry_after: Duration::ZERO }); // Nobody waits any more.
            }
            Claim::Ours(right, known) => {
                if matches!(known, Known::Nothing) && !has_waited {
                    inner.metrics.shared_lookup(SharedResult::Miss);
                }
                return with_right(inner, second, started, search, right).await;
            }
            Claim::Away => {
                inner.metrics.shared_lookup(SharedResult::Away);
                let brought = fill::run(inner, search).await;
                return land(inner, key, started, Class::Live, brought);
            }
            Claim::Theirs if Instant::now() + LOOK >= patience.done_by => return Err(FillError::TimedOut),
            Claim::Theirs => {
                has_waited = true;
                sleep(LOOK).await;
            }
        }
    }
}

/// Asks the CRM on behalf of all replicas.
async fn with_right(
    inner: &Arc<Inner>,
    second: &Arc<dyn SecondLevel>,
    started: Epoch,
    search: Search,
    right: Right,
) -> Result<Filled, FillError> {
    let key = search.key;
    let brought = tokio::select! {
        brought = fill::run(inner, search) => brought,
        () = second.keep(&right) => unreachable!("keeping does not end"),
    };
    let landed = land(inner, key, started, Class::Live, brought);
    let found = landed.is_ok().then(|| inner.remembered(key, started)).flatten();
    let second = Arc::clone(second);
    // Nobody's answer waits for it to be written down.
    tokio::spawn(async move { second.settle(right, found).await });
    landed
}

fn adopt(inner: &Inner, key: E164, started: Epoch, found: &Remembered, has_waited: bool) -> Result<Filled, FillError> {
    inner.metrics.shared_lookup(if has_waited { SharedResult::Awaited } else { SharedResult::Hit });
    inner.adopt(key, started, found)
}

impl Inner {
    /// Takes in what another replica found out, unless something newer is here or forbids it.
    pub(super) fn adopt(&self, key: E164, started: Epoch, found: &Remembered) -> Result<Filled, FillError> {
        let now = Instant::now();
        let fetched_at = now.checked_sub(found.age).unwrap_or(now);
        let mut table = self.table();
        let ids: Vec<_> = found.cards.iter().map(|card| card.id).collect();
        let storable = table.may_store(key, &ids, started);
        let kept: Vec<_> = found
            .cards
            .iter()
            .map(|card| match storable {
                true => self.store.put_older_card(Arc::clone(card), started, fetched_at),
                false => Arc::clone(card),
            })
            .filter(|card| fill::owns(card, key))
            .collect();
        if kept.is_empty() && !found.cards.is_empty() {
            return Err(FillError::Overtaken);
        }
        let entry = Entry::remembered(&kept, found, started, now);
        let ttl = if storable { entry.ttl(now) } else { 0 };
        if storable && self.store.entry(key).is_none_or(|old| self.is_replaced_by(&old, fetched_at)) {
            self.store.put(key, entry);
            table.succeeded(key);
        }
        Ok(Filled { cards: kept, fetched_at, ttl })
    }

    /// What was fetched later replaces what was fetched earlier; and the same answer one that only counts as stale since changes may have
    /// been missed: the second level has not.
    fn is_replaced_by(&self, old: &Entry, fetched_at: Instant) -> bool {
        let is_expired = old.started.0 < self.expired_before.load(Ordering::Acquire);
        old.fetched_at < fetched_at || (is_expired && old.fetched_at <= fetched_at + SAME)
    }

    /// What is to be written down of a number: its entry as the fill that began at `started` made it.
    pub(super) fn remembered(&self, key: E164, started: Epoch) -> Option<Remembered> {
        let now = Instant::now();
        let _ordered = self.table();
        let entry = self.store.entry(key).filter(|entry| entry.started == started)?;
        let cards = self.cards(&entry, &crate::phone::Number { e164: key, extension: None })?;
        Some(entry.as_remembered(cards, now))
    }

    /// What is due for a refresh and has been refreshed by another replica is taken from there; what another replica is refreshing is left
    /// to it. The rest is ours to do.
    pub(super) async fn agree(
        &self,
        second: &Arc<dyn SecondLevel>,
        due: std::collections::HashSet<E164>,
    ) -> (std::collections::HashSet<E164>, Vec<Right>) {
        let started = self.table().stamp();
        let asked = due.into_iter().map(|key| async move {
            match second.claim(key, Purpose::Refresh).await {
                Claim::Ours(right, Known::Found(found)) => {
                    if self.adopt(key, started, &found).is_ok() && self.still_due(key).is_none() {
                        second.settle(right, None).await;
                        return None;
                    }
                    Some((key, Some(right)))
                }
                Claim::Ours(right, _) => Some((key, Some(right))),
                Claim::Theirs => {
                    // Usually there when it is next asked for.
                    self.postpone(key);
                    None
                }
                Claim::Away => Some((key, None)),
            }
        });
        let mine: Vec<_> = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
        let keys = mine.iter().map(|(key, _)| *key).collect();
        (keys, mine.into_iter().filter_map(|(_, right)| right).collect())
    }

    /// Writes down what refreshes brought, and gives the rights back.
    pub(super) async fn settle(&self, second: &Arc<dyn SecondLevel>, rights: Vec<Right>, since: Epoch) {
        let settled = rights.into_iter().map(|right| {
            let found = self.store.entry(right.key).filter(|entry| entry.started >= since);
            let found = found.and_then(|entry| self.remembered(right.key, entry.started));
            second.settle(right, found)
        });
        futures_util::future::join_all(settled).await;
    }
}
