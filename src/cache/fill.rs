//! One fill: ask the source, store what it brought if that is still allowed, tell everybody who waits.
//!
//! A fill runs in a task of its own. It ends within the fill timeout, whatever the source does, and leaves the table on every way out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::entry::{Entry, State};
use super::second;
use super::source::{Early, FillError, Filled, Patience, Progress, Search};
use super::{Epoch, Inner};
use crate::card::Card;
use crate::matching;
use crate::outcome::Class;
use crate::phone::{E164, Number};
use crate::traces::Step;

/// A fill in flight. Dropping it takes it out of the table, so that a number can never be blocked by a fill that is gone.
struct Flight {
    inner: Arc<Inner>,
    key: E164,
    started: Epoch,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.inner.table().leave(self.key, self.started);
    }
}

/// Starts a live fill. If its first call cannot be sent by `start_by`, it is refused.
pub(super) fn start(
    inner: &Arc<Inner>,
    key: E164,
    started: Epoch,
    (progress, step): (watch::Sender<Progress>, Step),
    start_by: Instant,
) {
    let flight = Flight { inner: Arc::clone(inner), key, started };
    let fill = async move {
        let patience = Patience { start_by, done_by: Instant::now() + flight.inner.settings.fill_timeout };
        let early = Early(Some(progress.clone()));
        let search = Search { key, class: Class::Live, patience, early, expected: flight.inner.expected_of(key) };
        let landed = match &flight.inner.second {
            Some(second) => second::fill(&flight.inner, second, started, search).await,
            None => {
                let brought = run(&flight.inner, search).await;
                land(&flight.inner, key, started, Class::Live, brought)
            }
        };
        let landed = landed.map(Arc::new);
        drop(flight); // Whoever comes now must look at the store again, not at this fill.
        let outcome = word(&landed);
        progress.send_replace(Progress::Landed(landed));
        outcome
    };
    tokio::spawn(step.around(fill, |outcome| outcome));
}

/// How a fill ended, for its trace.
fn word(landed: &Result<Arc<Filled>, FillError>) -> &'static str {
    match landed {
        Ok(filled) if filled.cards.is_empty() => "empty",
        Ok(_) => "ok",
        Err(FillError::Overloaded { .. }) => "overloaded",
        Err(FillError::Suspended { .. }) => "suspended",
        Err(FillError::Failed) => "failed",
        Err(FillError::Incomplete) => "incomplete",
        Err(FillError::TimedOut) => "timeout",
        Err(FillError::Panicked) => "panicked",
        Err(FillError::Overtaken) => "overtaken",
    }
}

/// Asks the source, bounded in time and safe from its panics.
pub(super) async fn run(inner: &Inner, search: Search) -> Result<Vec<Card>, FillError> {
    let _running = inner.metrics.fill();
    let done_by = search.patience.done_by;
    // The source is not looked at again after a panic: all that outlives the call is behind locks of its own.
    let asking = AssertUnwindSafe(async { timeout_at(done_by, inner.source.find(search)).await });
    match asking.catch_unwind().await {
        Ok(Ok(brought)) => brought,
        Ok(Err(_elapsed)) => Err(FillError::TimedOut),
        Err(_panic) => Err(FillError::Panicked),
    }
}

/// Stores what a fill brought, in order with every invalidation, and says what its waiters get.
pub(super) fn land(
    inner: &Inner,
    key: E164,
    started: Epoch,
    class: Class,
    brought: Result<Vec<Card>, FillError>,
) -> Result<Filled, FillError> {
    match brought {
        Ok(cards) => store(inner, key, started, class, cards),
        Err(error) => {
            if !error.is_refusal() {
                remember_failure(inner, key);
            }
            Err(error)
        }
    }
}

/// Stores an outcome unless something newer forbids it. The waiters who came before get it either way.
fn store(inner: &Inner, key: E164, started: Epoch, class: Class, cards: Vec<Card>) -> Result<Filled, FillError> {
    let now = Instant::now();
    let mut table = inner.table();
    let ids: Vec<_> = cards.iter().map(|card| card.id).collect();
    let storable = table.may_store(key, &ids, started);
    let somebody = !cards.is_empty();
    let cards: Vec<_> = cards
        .into_iter()
        .map(Arc::new)
        .map(|card| if storable { inner.store.put_card(card, started, now) } else { card })
        .filter(|card| owns(card, key))
        .collect();
    if somebody && cards.is_empty() {
        return Err(FillError::Overtaken); // Every card it brought has meanwhile been replaced by one without the number.
    }
    let (old, lifetimes) = (inner.store.entry(key), &inner.settings.lifetimes);
    let mut entry = Entry::new(&cards, started, lifetimes, now);
    if inner.expected.of(key, now).is_some() {
        entry = entry.doubted(lifetimes, now);
    }
    if let (Class::Background, Some(old)) = (class, &old) {
        entry.asked_at = old.asked_at; // Nobody has asked now.
    }
    let ttl = if storable { entry.ttl(now) } else { 0 };
    if storable && old.is_none_or(|old| old.started <= started) {
        inner.store.put(key, entry);
        table.succeeded(key);
    }
    Ok(Filled { cards, fetched_at: now, ttl })
}

/// A failure never replaces a usable answer; it only keeps the next try away for a while.
fn remember_failure(inner: &Inner, key: E164) {
    let now = Instant::now();
    let mut table = inner.table();
    match inner.store.entry(key) {
        Some(entry) if entry.state(now, false, None) != State::Gone => {
            inner.store.put(key, entry.held(inner.hold(entry.failures), now));
        }
        _ => table.failed(key, now),
    }
}

pub(super) fn owns(card: &Card, key: E164) -> bool {
    matching::ownership(&card.numbers, &Number { e164: key, extension: None }).is_some()
}
