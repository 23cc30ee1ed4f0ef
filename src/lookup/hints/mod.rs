//! What the CRM tells by itself, and what that does to the cache.
//!
//! The CRM waits two seconds for an answer and gives up on a receiver that fails too often. So a body is only taken in
//! ([`Hints::deliver`]), and one worker reads the bodies in their order and acts on each hint:
//!
//! | told of | effect |
//! |---|---|
//! | a contact, changed | it expires, with its old numbers and those it is said to have; what was asked for lately is fetched anew |
//! | a contact, deleted | it is removed, with its numbers: nobody is shown who is gone |
//! | a company | the contacts that show it expire, and what is known about its numbers; its name is asked for anew |
//! | a lead, changed or deleted | the contacts that show it expire: the caller is still who they are |
//!
//! Nothing of a body is shown to a caller. When more bodies wait than may, those that do not fit are dropped and *everything* counts as
//! stale, once: refusing them would only bring them again in five minutes, and make the CRM end the subscription in the middle of a bulk edit.
//!
//! Whoever else wants to know [subscribes](Hints::subscribe); the cache has acted on a hint when it is passed on.

mod queue;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::broadcast;
use tokio::time::Instant;

pub use crate::crm::webhook::{Change, Hint, Subject};

use self::queue::Queue;
use crate::cache::{Cache, Reach, Shown};
use crate::crm::dictionary::Dictionaries;
use crate::crm::webhook;
use crate::metrics::Metrics;
use crate::outcome::{DeliveryOutcome, HintEffect, HintKind};
use crate::phone::Region;

/// Bytes of bodies that may wait: some thousand ordinary ones.
const MOST_WAITING: usize = 8 << 20;
/// Hints that a subscriber may be behind; beyond it, it is told that it has missed some.
const MOST_BEHIND: usize = 1_024;

/// What a subscriber is told.
#[derive(Clone, Debug)]
pub enum News {
    /// A record has changed.
    Heard(Arc<Hint>, Origin),
    /// Some hints were lost: anything may have changed.
    Missed,
}

/// Where a hint came from: what came from others need not be told to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A webhook that was delivered here.
    Webhook,
    /// Somebody here who heard of it in another way.
    Elsewhere,
}

/// Takes in what the CRM tells. Clones share everything.
#[derive(Clone)]
pub struct Hints {
    ear: Arc<Ear>,
    mind: Arc<Mind>,
}

/// Where bodies wait. The worker ends when the last one who could bring some is gone.
struct Ear {
    waiting: Arc<Queue>,
}

/// What acts on hints.
struct Mind {
    cache: Cache,
    names: Dictionaries,
    region: Region,
    metrics: Arc<Metrics>,
    news: broadcast::Sender<News>,
    last_delivery: Mutex<Instant>,
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints").finish_non_exhaustive()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.waiting.wake();
    }
}

impl Hints {
    /// Hints for this cache. Must be called inside a tokio runtime: it starts the worker.
    pub(super) fn new(cache: Cache, names: Dictionaries, region: Region, metrics: Arc<Metrics>) -> Self {
        let (news, _) = broadcast::channel(MOST_BEHIND);
        let ear = Arc::new(Ear { waiting: Arc::new(Queue::new(MOST_WAITING)) });
        let last_delivery = Mutex::new(Instant::now());
        let mind = Arc::new(Mind { cache, names, region, metrics, news, last_delivery });
        tokio::spawn(work(Arc::downgrade(&ear), Arc::clone(&ear.waiting), Arc::clone(&mind)));
        Self { ear, mind }
    }

    /// Takes in a webhook's body, to be acted on in a moment.
    pub fn deliver(&self, body: Bytes) {
        *self.mind.last_delivery.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if !self.ear.waiting.push(body) {
            self.mind.metrics.delivery(DeliveryOutcome::Overflowed);
        }
    }

    /// Acts on a hint that came another way, and passes it on to the subscribers.
    pub fn hear(&self, hint: Hint) {
        self.mind.hear(hint, Origin::Elsewhere);
    }

    /// Every hint from now on, after the cache has acted on it. A subscriber that falls behind gets
    /// [`Lagged`](broadcast::error::RecvError::Lagged), which means the same as [`News::Missed`].
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.mind.news.subscribe()
    }

    /// Copies what is countable into the metrics; called when they are scraped.
    pub(super) fn observe(&self) {
        let last = *self.mind.last_delivery.lock().unwrap_or_else(PoisonError::into_inner);
        self.mind.metrics.last_delivery(last.elapsed());
    }
}

/// Works the queue off, body by body.
async fn work(ear: Weak<Ear>, waiting: Arc<Queue>, mind: Arc<Mind>) {
    loop {
        while let Some(next) = waiting.pop() {
            mind.take(next);
            // A burst must not keep a thread from the callers.
            tokio::task::yield_now().await;
        }
        if ear.strong_count() == 0 {
            break;
        }
        waiting.pushed().await;
    }
}

impl Mind {
    fn take(&self, next: queue::Next) {
        let queue::Next::Body(body) = next else {
            tracing::warn!("more webhooks came than could wait: everything cached counts as stale");
            self.cache.expire_all();
            return self.tell(News::Missed);
        };
        let outcome = match webhook::read(&body, self.region) {
            Ok(hints) if hints.is_empty() => DeliveryOutcome::Ignored,
            Ok(hints) => {
                hints.into_iter().for_each(|hint| self.hear(hint, Origin::Webhook));
                DeliveryOutcome::Heard
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "a webhook was not read");
                DeliveryOutcome::Refused
            }
        };
        self.metrics.delivery(outcome);
    }

    fn hear(&self, hint: Hint, origin: Origin) {
        self.metrics.hint(kind(hint.subject), self.act_on(&hint));
        self.tell(News::Heard(Arc::new(hint), origin));
    }

    fn act_on(&self, Hint { subject, change, phones }: &Hint) -> HintEffect {
        let (expired, removed) = match (*subject, *change) {
            (Subject::Contact(id), Change::Changed) => (self.cache.contact_changed(id, phones), 0),
            (Subject::Contact(id), Change::Deleted) => (0, self.cache.invalidate_contact(id, Reach::Remove)),
            (Subject::Lead(id), _) => (self.cache.shown_changed(Shown::Lead(id)), 0),
            (Subject::Company(id), change) => {
                self.names.forget_company(id);
                let shown = self.cache.shown_changed(Shown::Company(id));
                let own = |reach| self.cache.invalidate_company(id, reach);
                let (expired, removed) = match change {
                    Change::Changed => (own(Reach::Expire), 0),
                    Change::Deleted => (0, own(Reach::Remove)),
                };
                (shown + expired + self.cache.phones_changed(phones), removed)
            }
        };
        match (removed, expired) {
            (1.., _) => HintEffect::Removed,
            (0, 1..) => HintEffect::Expired,
            (0, 0) => HintEffect::None,
        }
    }

    /// Nobody may have subscribed.
    fn tell(&self, news: News) {
        let _ = self.news.send(news);
    }
}

const fn kind(subject: Subject) -> HintKind {
    match subject {
        Subject::Contact(_) => HintKind::Contact,
        Subject::Company(_) => HintKind::Company,
        Subject::Lead(_) => HintKind::Lead,
    }
}
