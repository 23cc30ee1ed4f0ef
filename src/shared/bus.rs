//! Changes: ours go out to the other replicas, theirs come in.
//!
//! A change of ours is told as soon as the server can be reached, in the order in which it happened, and again until it was heard; the second
//! level is not read before that. One of theirs is acted on whenever it comes, once or twice, early or late. Whether one did not come is
//! found by its epoch: by the next message, by the next beat of the quota, or by a look at the counter after a new subscription.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use redis::RedisError;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Inner;
use super::epochs::Seen;
use super::link::Lost;
use super::second_level::millis;
use crate::cache::{Change, Listener, Reach, Shown};
use crate::contact::{CompanyId, ContactId, LeadId};
use crate::metrics::Metrics;
use crate::outcome::SharedOp;
use crate::phone::E164;

/// More changes than this that could not be told become one: everything.
const MOST_UNTOLD: usize = 10_000;
/// Trying again to tell what was not heard.
const AGAIN: Duration = Duration::from_millis(100);

/// Both directions.
#[derive(Debug, Default)]
pub(super) struct Bus {
    untold: Mutex<VecDeque<Change>>,
    to_tell: Notify,
    listener: Mutex<Option<Listener>>,
    /// The subscription has missed something, or the counter went back: begin anew.
    doubted: Notify,
}

/// A change as it travels, sealed.
#[derive(Serialize, Deserialize)]
struct Wire {
    from: String,
    change: WireChange,
}

#[derive(Serialize, Deserialize)]
enum WireChange {
    Phones(Vec<u64>, bool),
    Party(bool, u64, Vec<u64>, bool),
    All,
    Said(u64, Vec<u64>),
    SaidOf(Vec<u64>),
    Lead(u64),
    Company(u64),
}

impl Bus {
    fn untold(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a change when it can be told.
    pub(super) fn tell(&self, change: Change) {
        let mut untold = self.untold();
        if untold.len() >= MOST_UNTOLD {
            untold.clear();
            untold.push_back(Change::All);
        }
        untold.push_back(change);
        self.to_tell.notify_one();
    }

    /// Whether there is a change that the server does not know of yet.
    pub(super) fn has_untold(&self) -> bool {
        !self.untold().is_empty()
    }

    pub(super) fn listen(&self, listener: Listener) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    fn hear(&self, change: &Change) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(listener) = listener {
            listener.hear(change);
        }
    }

    /// Changes were missed: what is in memory may be out of date, and counts as stale.
    pub(super) fn missed(&self, metrics: &Metrics) {
        metrics.shared_missed();
        tracing::info!("changes told by other replicas may have been missed; everything in memory counts as stale");
        self.hear(&Change::All);
        self.look_again();
    }

    /// Begins the subscription anew.
    pub(super) fn look_again(&self) {
        self.doubted.notify_one();
    }
}

/// Tells changes of ours. Does not end.
pub(super) fn tell(inner: Arc<Inner>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        loop {
            if inner.tell_next().await.is_err() {
                sleep(AGAIN).await;
            }
        }
    })
}

/// Hears changes of others. Does not end.
pub(super) fn hear(inner: Arc<Inner>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        loop {
            if let Err(broken) = inner.hear_all().await {
                inner.link.note_refusal(SharedOp::Bus, &broken);
                inner.metrics.shared_error(SharedOp::Bus);
            }
            sleep(inner.settings.retry.mul_f64(0.25 + 0.5 * fastrand::f64())).await;
        }
    })
}

impl Inner {
    /// Tells the oldest change that was not told; waits for one if there is none.
    async fn tell_next(&self) -> Result<(), Lost> {
        let next = self.bus.untold().front().cloned();
        let Some(change) = next else {
            self.bus.to_tell.notified().await;
            return Ok(());
        };
        self.forget_entries(change_phones(&change)).await?;
        let stamp = match &change {
            Change::Phones(..) | Change::SaidOf(..) => None,
            Change::Party(id, ..) => Some(self.keys.stamp(*id)),
            Change::Said(id, ..) => Some(self.keys.stamp((*id).into())),
            Change::Shown(shown) => Some(self.keys.stamp_of_shown(*shown)),
            Change::All => Some(self.keys.stamp_of_all()),
        };
        let channel = self.keys.changes();
        let wire = Wire { from: self.me.clone(), change: WireChange::from(&change) };
        let secret = postcard::to_stdvec(&wire).expect("numbers and texts can be written");
        let mut call = self.scripts.change.key(self.keys.epoch());
        call.key(self.keys.stamp_of_all());
        if let Some(stamp) = stamp {
            call.key(stamp);
        }
        call.arg(millis(self.stamp_life())).arg(&channel).arg(self.keys.seal(&channel, b"", secret));
        call.arg(self.epochs.known().unwrap_or_default());
        let _epoch: u64 = self.link.run(SharedOp::Bus, self.settings.hard, &call).await?;
        // Nobody else takes changes away; one that was added meanwhile stands behind it, unless all were made one.
        let mut untold = self.bus.untold();
        if untold.front() == Some(&change) {
            untold.pop_front();
        }
        Ok(())
    }

    /// Removes what is written down of these numbers, and the rights to write: a fill that runs now has begun too early.
    async fn forget_entries(&self, phones: &[E164]) -> Result<(), Lost> {
        if phones.is_empty() {
            return Ok(());
        }
        let mut all = redis::pipe();
        for phone in phones {
            let keys = self.keys.number(*phone);
            all.cmd("DEL").arg(keys.entry).arg(keys.fill).arg(keys.renew).ignore();
        }
        self.link.ask_all(SharedOp::Bus, self.settings.hard, &all).await
    }

    /// Subscribes, sees what happened before, and hears until something breaks.
    async fn hear_all(&self) -> Result<(), RedisError> {
        let limit = self.settings.connect;
        let broken = || RedisError::from((redis::ErrorKind::Io, "no answer in time"));
        let (changes, wake) = (self.keys.changes(), self.keys.wake());
        let mut subscription = timeout(limit, self.link.client().get_async_pubsub()).await.map_err(|_| broken())??;
        timeout(limit, subscription.subscribe(&[&changes, &wake])).await.map_err(|_| broken())??;
        if self.look_at_counter().await.is_err() {
            return Ok(()); // Counted there; a subscription is of no use without the rest.
        }
        let mut messages = subscription.on_message();
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                () = self.bus.doubted.notified() => return Ok(()),
                () = self.link.made.notified() => return Ok(()),
            };
            let Some(message) = message else { return Err(broken()) };
            if message.get_channel_name() == wake {
                self.woken.notify_one();
            } else {
                self.heard(message.get_payload_bytes());
            }
        }
    }

    /// What was changed while we did not listen.
    async fn look_at_counter(&self) -> Result<(), Lost> {
        let mut call = self.scripts.forward.key(self.keys.epoch());
        call.key(self.keys.stamp_of_all());
        call.arg(self.epochs.known().unwrap_or_default()).arg(millis(self.stamp_life()));
        let connection = self.link.generation();
        let epoch: u64 = self.link.run(SharedOp::Bus, self.settings.hard, &call).await?;
        if self.epochs.counted_after_silence(epoch) == Seen::Missed {
            self.metrics.shared_missed();
            tracing::info!("changes were told while this replica could not hear; everything in memory counts as stale");
            self.bus.hear(&Change::All);
        }
        self.looked_on(connection);
        Ok(())
    }

    fn heard(&self, message: &[u8]) {
        let split = message.iter().position(|byte| *byte == b' ');
        let epoch = split.and_then(|at| std::str::from_utf8(&message[..at]).ok()?.parse().ok());
        let (Some(at), Some(epoch)) = (split, epoch) else {
            return; // Not one of ours; if it took the place of one, the epoch tells.
        };
        match self.opened(&message[at + 1..]) {
            Some(wire) if wire.from == self.me => {}
            Some(wire) => match Change::try_from(wire.change) {
                Ok(change) => self.bus.hear(&change),
                Err(NotAChange) => self.bus.hear(&Change::All),
            },
            // Of a replica with another secret or version: what it is about cannot be known.
            None => self.bus.hear(&Change::All),
        }
        // Only now: a fill that begins with this epoch begins after what follows from it.
        if self.epochs.told(epoch) == Seen::Missed {
            self.bus.missed(&self.metrics);
        }
    }

    fn opened(&self, sealed: &[u8]) -> Option<Wire> {
        let opened = self.keys.open(&self.keys.changes(), 0, sealed).ok()?;
        postcard::from_bytes(&opened).ok()
    }
}

/// Of a later version.
struct NotAChange;

fn change_phones(change: &Change) -> &[E164] {
    match change {
        Change::Phones(phones, _) | Change::Party(_, phones, _) | Change::Said(_, phones) | Change::SaidOf(phones) => {
            phones
        }
        Change::Shown(_) | Change::All => &[],
    }
}

impl From<&Change> for WireChange {
    fn from(change: &Change) -> Self {
        let digits = |phones: &[E164]| phones.iter().map(|phone| phone.get()).collect();
        match change {
            Change::Phones(phones, reach) => Self::Phones(digits(phones), *reach == Reach::Remove),
            Change::Party(id, phones, reach) => {
                let is_company = id.company().is_some();
                Self::Party(is_company, id.number(), digits(phones), *reach == Reach::Remove)
            }
            Change::Said(id, phones) => Self::Said(id.0, digits(phones)),
            Change::SaidOf(phones) => Self::SaidOf(digits(phones)),
            Change::Shown(Shown::Lead(id)) => Self::Lead(id.0),
            Change::Shown(Shown::Company(id)) => Self::Company(id.0),
            Change::All => Self::All,
        }
    }
}

impl TryFrom<WireChange> for Change {
    type Error = NotAChange;

    fn try_from(wire: WireChange) -> Result<Self, NotAChange> {
        let phones = |digits: Vec<u64>| -> Result<Vec<E164>, NotAChange> {
            digits.into_iter().map(|digits| E164::try_from(digits).map_err(|_| NotAChange)).collect()
        };
        let reach = |removes| if removes { Reach::Remove } else { Reach::Expire };
        Ok(match wire {
            WireChange::Phones(digits, removes) => Self::Phones(phones(digits)?, reach(removes)),
            WireChange::Party(is_company, id, digits, removes) => {
                let id = if is_company { CompanyId(id).into() } else { ContactId(id).into() };
                Self::Party(id, phones(digits)?, reach(removes))
            }
            WireChange::Said(id, digits) => Self::Said(ContactId(id), phones(digits)?),
            WireChange::SaidOf(digits) => Self::SaidOf(phones(digits)?),
            WireChange::Lead(id) => Self::Shown(Shown::Lead(LeadId(id))),
            WireChange::Company(id) => Self::Shown(Shown::Company(CompanyId(id))),
            WireChange::All => Self::All,
        })
    }
}
