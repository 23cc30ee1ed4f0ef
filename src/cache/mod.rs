//! Who has which number, for how long that may be said, and who may ask the CRM about it now.
//!
//! | on arrival the entry is | answer | CRM |
//! |---|---|---|
//! | fresh | at once | none; late in its life a refresh in the background, batched by contact id |
//! | stale | join or start the fill, wait until the soft deadline, then the stale answer | one live fill |
//! | stale, and the last fill failed a moment ago | the stale answer at once (`detail=hold`) | none |
//! | absent, and the last fill failed a moment ago | [`Unserved::Failing`] | none |
//! | absent | join or start the fill, wait until the hard deadline | one live fill |
//!
//! Guarantees:
//! - One fill per number at a time, whoever asks and however they spell it. A fill belongs to nobody: it runs in its own task and goes on
//!   when every caller has left.
//! - A number is answered only with cards that own it *now*: ownership is checked again at every read, so an edit that reaches one of a
//!   contact's numbers reaches all of them.
//! - What was invalidated is not served again from a fill that started before ([`Table`]).
//! - A failure never replaces a usable answer.
//! - With a second level ([`SecondLevel`]) one replica asks the CRM about a number at a time, and what one was told is over is over for all.
//! - Memory is bounded, and numbers nobody has cannot push out those somebody has.

mod entry;
mod epoch;
mod expected;
mod fill;
mod flights;
mod freshness;
mod hearsay;
mod hot;
mod invalidate;
mod links;
mod numbers;
mod parties;
mod record;
mod refresh;
mod second;
mod source;
mod store;
mod wait;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub use self::entry::Lifetimes;
pub use self::epoch::Epoch;
pub use self::flights::{Place, Table};
pub use self::freshness::{Forwarded, Freshness};
pub use self::invalidate::{Explained, Reach};
pub use self::links::Shown;
pub use self::second::{Change, Claim, Known, Listener, Purpose, Remembered, Right, SecondLevel};
pub use self::source::{Early, FillError, Patience, Search, Source};

use self::entry::{Entry, Outcome, State};
use self::expected::Expectations;
use self::refresh::Queue;
use self::store::Store;
use crate::card::Card;
use crate::contact::ContactId;
use crate::matching;
use crate::metrics::Metrics;
use crate::outcome::EntryKind;
use crate::phone::{E164, Number};

/// The cache's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long answers may be used.
    pub lifetimes: Lifetimes,
    /// The bound on memory.
    pub max_bytes: u64,
    /// The whole of one fill.
    pub fill_timeout: Duration,
    /// After a failed fill of a usable entry: pause at first.
    pub hold_first: Duration,
    /// After failed fills in a row: pause at most.
    pub hold_most: Duration,
    /// How long refreshes are gathered before they are sent as one batch.
    pub refresh_gather: Duration,
    /// Numbers waiting for a refresh at most; more are refreshed when they are next asked for.
    pub refresh_queue: usize,
    /// Invalidations and failures remembered at most.
    pub table_bound: usize,
    /// How long the CRM's search may not know what has been written.
    pub search_lag: Duration,
    /// A number that was asked for within this time is fetched anew when it is said to have changed; others wait to be asked for.
    pub asked_lately: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetimes: Lifetimes::default(),
            max_bytes: 256 * 1024 * 1024,
            fill_timeout: Duration::from_secs(8),
            hold_first: Duration::from_secs(5),
            hold_most: Duration::from_secs(30),
            refresh_gather: Duration::from_secs(1),
            refresh_queue: 10_000,
            table_bound: 100_000,
            search_lag: Duration::from_secs(60),
            asked_lately: Duration::from_secs(30 * 60),
        }
    }
}

/// What one caller will put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// After this a stale answer, if there is one, is given.
    pub soft: Instant,
    /// After this some answer is given.
    pub hard: Instant,
    /// Older answers count as stale.
    pub max_age: Option<Duration>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Served {
    /// The owners of the number, best first; empty when nobody has it.
    pub cards: Vec<Arc<Card>>,
    /// How that came to be known.
    pub freshness: Freshness,
}

/// No answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// The last fill failed a moment ago; the CRM was not asked again.
    Failing {
        /// When it may be asked again.
        retry_after: Duration,
    },
    /// The fill this caller waited for brought nothing.
    Fill(FillError, Freshness),
    /// The hard deadline passed; the fill goes on.
    Deadline(Freshness),
}

/// The cache. Clones share everything.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    store: Store,
    /// Held for moments only, never across an await, and not at all on a hit.
    table: Mutex<Table<wait::Waiting>>,
    /// Entries of fills that started before this count as stale.
    expired_before: AtomicU64,
    /// Numbers whose entries are late in their fresh life.
    due: Arc<Queue>,
    /// Those among them that have to be searched for.
    due_searches: Arc<Queue>,
    /// Numbers that are said to be a contact's, which the CRM's search may not know yet.
    expected: Expectations,
    source: Arc<dyn Source>,
    /// What several replicas know together, if there can be several.
    second: Option<Arc<dyn SecondLevel>>,
    metrics: Arc<Metrics>,
}

impl Cache {
    /// An empty cache in front of `source`. Must be called inside a tokio runtime: it starts the task that refreshes in the background,
    /// which ends when the last clone is dropped.
    #[must_use]
    pub fn new(settings: Settings, source: Arc<dyn Source>, metrics: Arc<Metrics>) -> Self {
        Self::over(None, settings, source, metrics)
    }

    /// The same over a second level that other replicas share.
    #[must_use]
    pub fn over(
        second: Option<Arc<dyn SecondLevel>>,
        settings: Settings,
        source: Arc<dyn Source>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let inner = Arc::new(Inner {
            store: Store::new(settings.max_bytes, &settings.lifetimes, &metrics),
            table: Mutex::new(Table::new(settings.fill_timeout.saturating_mul(2), settings.table_bound)),
            expired_before: AtomicU64::new(0),
            due: Arc::new(Queue::new(settings.refresh_queue)),
            due_searches: Arc::new(Queue::new(settings.refresh_queue)),
            expected: Expectations::new(settings.search_lag, settings.table_bound),
            settings,
            source,
            second,
            metrics,
        });
        refresh::start(&inner);
        if let Some(second) = &inner.second {
            second.listen(Listener(Arc::downgrade(&inner)));
        }
        Self(inner)
    }

    /// Who has `asked`? Answers by `ask.hard` at the latest.
    ///
    /// # Errors
    /// [`Unserved`] when nothing usable is there and the fill brought nothing in time.
    pub async fn get(&self, asked: &Number, ask: &Ask) -> Result<Served, Unserved> {
        match self.at_hand(asked, ask.max_age) {
            Some(served) => Ok(served),
            None => wait::for_fill(&self.0, asked, ask).await,
        }
    }

    /// The answer that needs no waiting, if there is one.
    #[must_use]
    pub fn at_hand(&self, asked: &Number, max_age: Option<Duration>) -> Option<Served> {
        let now = Instant::now();
        let view = self.0.view(asked, now, max_age)?;
        view.is_final().then(|| self.0.give(view, now))
    }

    /// Copies what is countable into the metrics; called when they are scraped.
    pub fn observe(&self) {
        let inner = &self.0;
        for kind in [EntryKind::Known, EntryKind::Unknown, EntryKind::Card] {
            inner.metrics.cache_entries(kind, inner.store.count(kind));
        }
        let failing = inner.table().failing(Instant::now());
        inner.metrics.cache_entries(EntryKind::Failed, failing as u64);
        inner.metrics.cache_bytes(inner.store.bytes());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.due.wake();
        self.due_searches.wake();
    }
}

/// An entry with the cards that answer the question.
#[derive(Debug)]
struct View {
    entry: Entry,
    cards: Vec<Arc<Card>>,
    state: State,
    key: E164,
}

impl View {
    /// Whether it is the answer without asking the CRM.
    const fn is_final(&self) -> bool {
        matches!(self.state, State::Fresh { .. } | State::Hold)
    }
}

impl Inner {
    /// The table. A panic while it was held cannot have left it half-changed in a way that matters: every method leaves it whole.
    fn table(&self) -> MutexGuard<'_, Table<wait::Waiting>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there for `asked`, if it is usable: past its last moment, without its cards, or with a card that no longer owns the
    /// number, it is not.
    fn view(&self, asked: &Number, now: Instant, max_age: Option<Duration>) -> Option<View> {
        let entry = self.store.entry(asked.e164)?;
        let expired = entry.started.0 < self.expired_before.load(Ordering::Acquire);
        let state = entry.state(now, expired, max_age);
        if state == State::Gone {
            return None;
        }
        let cards = self.cards(&entry, asked)?;
        Some(View { entry, cards, state, key: asked.e164 })
    }

    /// The cards of an entry, best first for `asked`; none if one is missing or owns the number no longer.
    fn cards(&self, entry: &Entry, asked: &Number) -> Option<Vec<Arc<Card>>> {
        let Outcome::Known(parties) = &entry.outcome else {
            return Some(Vec::new());
        };
        let cards: Option<Vec<_>> = parties.iter().map(|id| self.store.shown(id)).collect();
        let cards = cards?;
        let owned = cards.iter().all(|card| matching::ownership(&card.numbers, asked).is_some());
        owned.then(|| matching::best_first(cards, asked))
    }

    /// Gives what is there without asking the CRM.
    fn give(&self, view: View, now: Instant) -> Served {
        let freshness = match view.state {
            State::Fresh { due } => {
                if due && self.due.push(view.key) {
                    self.was_asked(&view, now);
                }
                Freshness::hit(&view.entry, now)
            }
            State::Hold | State::Stale | State::Gone => Freshness::stale(&view.entry, now, "hold"),
        };
        Served { cards: view.cards, freshness }
    }

    /// Notes that somebody still asks for an entry.
    fn was_asked(&self, view: &View, now: Instant) {
        let _ordered = self.table();
        if let Some(entry) = self.store.entry(view.key).filter(|entry| entry.started == view.entry.started) {
            self.store.put(view.key, Entry { asked_at: now, ..entry });
        }
    }

    /// The contacts that are said to have a number.
    fn expected_of(&self, key: E164) -> Vec<ContactId> {
        self.expected.of(key, Instant::now()).unwrap_or_default()
    }

    /// How long a usable entry is left alone after its `failures`-th failed fill.
    fn hold(&self, failures: u32) -> Duration {
        entry::backoff(self.settings.hold_first, self.settings.hold_most, failures)
    }
}
