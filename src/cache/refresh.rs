//! Refreshes before anybody waits: entries that are asked for late in their fresh life, and those that a change has expired and that were
//! asked for lately, are fetched anew in the background.
//!
//! Due numbers are gathered for a moment and fetched by contact id, up to 250 contacts in one call, so that keeping a busy cache fresh
//! costs next to nothing of the quota. A number nobody has, one whose contacts changed, and one that was last searched for long ago are
//! searched for one by one. Nobody waits for any of this, and a failure shortens no entry's life.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::entry::Entry;
use super::fill;
use super::second::Right;
use super::source::{Early, FillError, Patience, Search};
use super::{Epoch, Inner};
use crate::card::Card;
use crate::contact::PartyId;
use crate::matching;
use crate::outcome::Class;
use crate::phone::{E164, Number};

/// Contacts in one batch: the CRM's page limit.
const BATCH: usize = 250;
/// A refresh by id finds no *new* owner of a number, so after this many fresh lives the number itself is searched for again.
const SEARCH_EVERY: u32 = 6;
/// How long background work may wait for the quota: nobody is in a hurry.
const PATIENCE: Duration = Duration::from_secs(30);

/// Numbers due for a refresh, each once, in no order.
#[derive(Debug)]
pub(super) struct Queue {
    due: Mutex<HashSet<E164>>,
    bound: usize,
    pushed: Notify,
}

impl Queue {
    pub(super) fn new(bound: usize) -> Self {
        Self { due: Mutex::default(), bound, pushed: Notify::new() }
    }

    /// Adds a number unless the queue is full; then it is simply asked for again later. Tells whether it was not there before.
    pub(super) fn push(&self, key: E164) -> bool {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = due.len() < self.bound && due.insert(key);
        if is_new {
            self.pushed.notify_one();
        }
        is_new
    }

    /// Wakes the task that works the queue off.
    pub(super) fn wake(&self) {
        self.pushed.notify_one();
    }

    fn take(&self) -> HashSet<E164> {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts the tasks that work the queues off. They end with the cache, which wakes them once more when it is dropped.
pub(super) fn start(inner: &Arc<Inner>) {
    let gather = inner.settings.refresh_gather;
    tokio::spawn(work(Arc::downgrade(inner), Arc::clone(&inner.due), gather, async |inner: &Inner, due| {
        inner.refresh(due).await
    }));
    // Searches go one by one and may each wait long for the quota: the batches must not stand behind them.
    tokio::spawn(work(
        Arc::downgrade(inner),
        Arc::clone(&inner.due_searches),
        Duration::ZERO,
        async |inner: &Inner, due| {
            for key in due {
                inner.refresh_by_search(key).await;
            }
        },
    ));
}

/// Works one queue off until the cache is gone.
async fn work(cache: Weak<Inner>, queue: Arc<Queue>, gather: Duration, refresh: impl AsyncFn(&Inner, HashSet<E164>)) {
    loop {
        queue.pushed.notified().await;
        sleep(gather).await;
        let Some(inner) = cache.upgrade() else { break };
        refresh(&inner, queue.take()).await;
    }
}

/// A number to refresh, and its entry as it stands.
#[derive(Debug)]
pub(super) struct Due {
    key: E164,
    entry: Entry,
    /// The contacts of the entry, and those that are said to have the number too.
    ids: Vec<PartyId>,
    search: bool,
}

/// Splits due numbers so that no batch names more than [`BATCH`] different contacts (but for one number with more by itself).
fn batches(due: Vec<Due>) -> Vec<Vec<Due>> {
    let mut batches: Vec<Vec<Due>> = Vec::new();
    let mut ids: HashSet<PartyId> = HashSet::new();
    for due in due {
        let new = due.ids.iter().filter(|id| !ids.contains(id)).count();
        if batches.is_empty() || ids.len() + new > BATCH {
            batches.push(Vec::new());
            ids.clear();
        }
        ids.extend(&due.ids);
        batches.last_mut().expect("one was pushed above").push(due);
    }
    batches
}

impl Inner {
    /// Refreshes what can be refreshed by id, and hands on what has to be searched for.
    async fn refresh(&self, due: HashSet<E164>) {
        let (searches, known): (Vec<_>, Vec<_>) =
            due.into_iter().filter_map(|key| self.still_due(key)).partition(|due| due.search);
        for due in searches {
            self.due_searches.push(due.key);
        }
        let (known, rights) = self.agreed(known.into_iter().map(|due| due.key).collect()).await;
        let since = self.table().stamp();
        for batch in batches(known.into_iter().filter_map(|key| self.still_due(key)).collect()) {
            self.refresh_by_id(batch).await;
        }
        self.settled(rights, since).await;
    }

    /// Those of the due numbers that no other replica refreshes.
    async fn agreed(&self, due: HashSet<E164>) -> (HashSet<E164>, Vec<Right>) {
        match &self.second {
            Some(second) => self.agree(second, due).await,
            None => (due, Vec::new()),
        }
    }

    async fn settled(&self, rights: Vec<Right>, since: Epoch) {
        if let Some(second) = &self.second {
            self.settle(second, rights, since).await;
        }
    }

    /// The entry of a queued number, if it still wants a refresh.
    pub(super) fn still_due(&self, key: E164) -> Option<Due> {
        let now = Instant::now();
        let entry = self.store.entry(key).filter(|entry| now >= entry.refresh_at)?;
        let searched = self.settings.lifetimes.known_fresh.saturating_mul(SEARCH_EVERY);
        let mut ids: Vec<_> = entry.parties().collect();
        let expected = self.expected_of(key).into_iter().map(PartyId::from);
        ids.extend(expected.filter(|id| !entry.parties().any(|party| party == *id)));
        let search = ids.is_empty() || now >= entry.searched_at + searched;
        Some(Due { key, entry, ids, search })
    }

    /// Fetches the contacts of a batch of numbers by their ids.
    async fn refresh_by_id(&self, batch: Vec<Due>) {
        let started = self.table().stamp();
        let ids: HashSet<_> = batch.iter().flat_map(|due| &due.ids).copied().collect();
        let asking = self.source.refetch(ids.into_iter().collect(), self.background_patience());
        match asking.await {
            Ok(cards) => {
                let unclear = self.confirm(batch, cards, started);
                for key in unclear {
                    self.due_searches.push(key);
                }
            }
            Err(_) => batch.iter().for_each(|due| self.postpone(due.key)),
        }
    }

    /// Renews the entries whose contacts are all there and still own their number; returns the numbers of the others.
    fn confirm(&self, batch: Vec<Due>, cards: Vec<Card>, started: Epoch) -> Vec<E164> {
        let now = Instant::now();
        let table = self.table();
        let mut fetched = std::collections::HashMap::new();
        for card in cards {
            let id = card.id;
            if table.may_store_card(id, started) {
                fetched.insert(id, self.store.put_card(Arc::new(card), started, now));
            }
        }
        let mut unclear = Vec::new();
        for due in batch {
            if !table.may_store(due.key, &due.ids, started) {
                continue; // Invalidated meanwhile: the next caller asks.
            }
            let Some(entry) = self.store.entry(due.key).filter(|entry| entry.started < started) else {
                continue; // Filled anew meanwhile.
            };
            let asked = Number { e164: due.key, extension: None };
            let owners: Vec<_> = due
                .ids
                .iter()
                .filter_map(|id| fetched.get(id))
                .filter(|card| matching::ownership(&card.numbers, &asked).is_some())
                .collect();
            let all_are_still = entry.parties().all(|id| owners.iter().any(|card| card.id == id));
            if all_are_still && !owners.is_empty() && entry.outcome == due.entry.outcome {
                self.store.put(due.key, entry.confirmed(&owners, started, &self.settings.lifetimes, now));
            } else {
                unclear.push(due.key);
            }
        }
        unclear
    }

    /// Searches for a number anew, outside the table: live callers have an answer and must not wait behind background work.
    async fn refresh_by_search(&self, key: E164) {
        let (due, rights) = self.agreed(HashSet::from([key])).await;
        if due.is_empty() {
            return;
        }
        let started = self.table().stamp();
        let patience = self.background_patience();
        let expected = self.expected_of(key);
        let search = Search { key, class: Class::Background, patience, early: Early::ignored(), expected };
        let brought = fill::run(self, search).await;
        match brought {
            Err(FillError::Overloaded { .. } | FillError::Suspended { .. } | FillError::Overtaken) => {
                self.postpone(key)
            }
            brought => drop(fill::land(self, key, started, Class::Background, brought)),
        }
        self.settled(rights, started).await;
    }

    /// Leaves an entry as it is, but asks for no refresh for a while.
    pub(super) fn postpone(&self, key: E164) {
        let now = Instant::now();
        let _ordered = self.table();
        if let Some(entry) = self.store.entry(key) {
            let refresh_at = now + self.hold(entry.failures);
            self.store.put(key, Entry { refresh_at, failures: entry.failures.saturating_add(1), ..entry });
        }
    }

    fn background_patience(&self) -> Patience {
        let now = Instant::now();
        Patience { start_by: now + PATIENCE, done_by: now + PATIENCE + self.settings.fill_timeout }
    }
}
