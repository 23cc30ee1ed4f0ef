//! The second level on the server: entries, the right to fill, and the stamps that decide whether an entry still counts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::clock::Micros;
use super::codec::{self, Written};
use super::keys::NumberKeys;
use super::{Inner, Shared};
use crate::cache::{Change, Claim, Known, Listener, Purpose, Remembered, Right, SecondLevel, Shown};
use crate::outcome::SharedOp;
use crate::phone::E164;

/// The right to refresh ends by itself after this: longer than work that nobody waits for may take.
const REFRESH: Duration = Duration::from_secs(45);

/// An answer that shows more than this many records is not worth the look at all of them.
const MOST_STAMPS: usize = 200;

/// The second level.
#[derive(Clone, Debug)]
pub struct Second(Shared);

impl Second {
    /// The second level in this store.
    #[must_use]
    pub fn new(shared: Shared) -> Arc<Self> {
        Arc::new(Self(shared))
    }
}

impl Inner {
    /// What is needed to use the second level: the server's time, and the changes that are known. Not while a change of ours has not
    /// reached the server, and not before the counter of epochs was looked at on this connection, behind which there may be a server that
    /// was restored from something old: it would still have what we know to be over.
    pub(super) fn ready(&self) -> Option<(Micros, u64)> {
        let has_looked = self.looked_on.load(Ordering::Acquire) == self.link.generation();
        if !has_looked || !self.link.is_up() || self.bus.has_untold() {
            return None;
        }
        self.clock.now().zip(self.epochs.known())
    }

    /// The counter of epochs was looked at on this connection, and brought forward if it was behind.
    pub(super) fn looked_on(&self, connection: u64) {
        self.looked_on.fetch_max(connection, Ordering::AcqRel);
    }

    async fn known(&self, key: E164) -> Known {
        let (Some((now, _)), keys) = (self.ready(), self.keys.number(key)) else { return Known::Away };
        let get = redis::cmd("GET").arg(&keys.entry).to_owned();
        match self.link.ask::<Option<Vec<u8>>>(SharedOp::Get, self.settings.soft, &get).await {
            Ok(Some(value)) => self.judged(&keys, &value, now).await,
            Ok(None) => Known::Nothing,
            Err(_) => Known::Away,
        }
    }

    /// What a value says, if it still counts.
    async fn judged(&self, keys: &NumberKeys, value: &[u8], now: Micros) -> Known {
        let Some(Written { epoch, remembered }) = codec::read(&self.keys, &keys.entry, value, now) else {
            return Known::Nothing;
        };
        if remembered.age >= remembered.usable {
            return Known::Nothing;
        }
        let mut get = redis::cmd("MGET");
        get.arg(self.stamps_of(&remembered));
        match self.link.ask::<Vec<Option<u64>>>(SharedOp::Get, self.settings.soft, &get).await {
            // Another server may have answered than the one that was looked at.
            Ok(_) if self.ready().is_none() => Known::Away,
            Ok(stamps) if stamps.iter().all(|stamp| stamp.is_some_and(|stamp| stamp <= epoch)) => {
                Known::Found(remembered)
            }
            Ok(_) => Known::Nothing,
            Err(_) => Known::Away,
        }
    }

    fn stamps_of(&self, remembered: &Remembered) -> Vec<String> {
        let cards = remembered.cards.iter().flat_map(|card| {
            let leads = card.leads.iter().map(|lead| Shown::Lead(lead.id));
            let shown = leads.chain(card.company.as_ref().map(|company| Shown::Company(company.id)));
            std::iter::once(self.keys.stamp(card.id)).chain(shown.map(|shown| self.keys.stamp_of_shown(shown)))
        });
        std::iter::once(self.keys.stamp_of_all()).chain(cards).collect()
    }

    async fn claimed(&self, key: E164, purpose: Purpose) -> Claim {
        let Some((now, epoch)) = self.ready() else { return Claim::Away };
        let (keys, token) = (self.keys.number(key), fastrand::u64(..));
        let mut call = self.scripts.claim.key(keys.lease(purpose));
        call.key(&keys.entry).arg(token).arg(millis(self.life_of(purpose)));
        let limit = self.settings.hard;
        match self.link.run::<(u8, Option<Vec<u8>>)>(SharedOp::Lease, limit, &call).await {
            Ok((0, _)) => Claim::Theirs,
            Ok((_, value)) => {
                let known = match value {
                    Some(value) => self.judged(&keys, &value, now).await,
                    None => Known::Nothing,
                };
                Claim::Ours(Right { key, purpose, token, epoch }, known)
            }
            Err(_) => Claim::Away,
        }
    }

    const fn life_of(&self, purpose: Purpose) -> Duration {
        match purpose {
            Purpose::Live => self.settings.lease,
            Purpose::Refresh => REFRESH,
        }
    }

    async fn settled(&self, right: Right, found: Option<Remembered>) {
        let (keys, limit) = (self.keys.number(right.key), self.settings.hard);
        let lease = keys.lease(right.purpose);
        let value = match found {
            Some(found) => self.to_write(&keys, &right, found).await,
            None => None,
        };
        match value {
            Some((value, life)) => {
                let mut call = self.scripts.write.key(lease);
                call.key(&keys.entry).arg(right.token).arg(value).arg(millis(life));
                // Refused or not heard: somebody else has found out since, or will.
                let _: Result<u8, _> = self.link.run(SharedOp::Put, limit, &call).await;
            }
            None => {
                let mut call = self.scripts.release.key(lease);
                call.arg(right.token);
                let _: Result<u8, _> = self.link.run(SharedOp::Lease, limit, &call).await;
            }
        }
    }

    /// The bytes of an entry and how long they are worth keeping; nothing if a change has overtaken it.
    async fn to_write(&self, keys: &NumberKeys, right: &Right, found: Remembered) -> Option<(Vec<u8>, Duration)> {
        let (now, _) = self.ready()?;
        let life = found.usable.checked_sub(found.age).filter(|life| life.as_millis() > 0)?;
        let stamps = self.stamps_of(&found);
        if stamps.len() > MOST_STAMPS {
            return None;
        }
        let mut call = self.scripts.stamp.key(self.keys.epoch());
        for stamp in stamps {
            call.key(stamp);
        }
        call.arg(millis(self.stamp_life()));
        let stamps: Vec<u64> = self.link.run(SharedOp::Put, self.settings.hard, &call).await.ok()?;
        if stamps.iter().any(|stamp| *stamp > right.epoch) {
            return None;
        }
        let written = Written { epoch: right.epoch, remembered: found };
        Some((codec::write(&self.keys, &keys.entry, &written, now)?, life))
    }

    /// A stamp outlives every entry that needs it.
    pub(super) fn stamp_life(&self) -> Duration {
        self.settings.longest_life.saturating_mul(2)
    }
}

impl NumberKeys {
    const fn lease(&self, purpose: Purpose) -> &String {
        match purpose {
            Purpose::Live => &self.fill,
            Purpose::Refresh => &self.renew,
        }
    }
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl SecondLevel for Second {
    fn read(&self, key: E164) -> BoxFuture<'_, Known> {
        Box::pin(self.0.0.known(key))
    }

    fn claim(&self, key: E164, purpose: Purpose) -> BoxFuture<'_, Claim> {
        Box::pin(self.0.0.claimed(key, purpose))
    }

    fn keep<'a>(&'a self, right: &'a Right) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let inner = &self.0.0;
            let (life, keys) = (inner.life_of(right.purpose), inner.keys.number(right.key));
            loop {
                sleep(life / 3).await;
                let mut call = inner.scripts.keep.key(keys.lease(right.purpose));
                call.arg(right.token).arg(millis(life));
                // If it was lost, what is found out will not be written down; the caller gets it all the same.
                let _: Result<u8, _> = inner.link.run(SharedOp::Lease, inner.settings.hard, &call).await;
            }
        })
    }

    fn settle(&self, right: Right, found: Option<Remembered>) -> BoxFuture<'_, ()> {
        Box::pin(self.0.0.settled(right, found))
    }

    fn tell(&self, change: Change) {
        self.0.0.bus.tell(change);
    }

    fn listen(&self, cache: Listener) {
        self.0.0.bus.listen(cache);
    }
}
