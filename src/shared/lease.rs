//! The right to do what only one replica should do at a time: the mirror's transfers, for one.
//!
//! A lease lives on the server for a while and is renewed long before that. Its holder counts from when it *asked*, so it stops believing in
//! its lease before the server lets anybody else have it, whatever happened to the server or to the way there. Giving it back is a
//! hand-over: the next replica that asks has it at once.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Shared;
use super::second_level::millis;
use crate::outcome::SharedOp;

/// How long a lease lives that is not renewed.
const LIFE: Duration = Duration::from_secs(15);
/// How often its holder renews it, and how often others ask for it.
const PACE: Duration = Duration::from_secs(3);

/// A right that one replica can hold.
#[derive(Clone, Debug)]
pub struct Lease {
    shared: Shared,
    key: String,
    life: Duration,
    pace: Duration,
}

/// The right, held.
#[derive(Debug)]
pub struct Held {
    lease: Lease,
    token: u64,
    until: Instant,
}

impl Lease {
    /// The right of this name.
    #[must_use]
    pub fn new(shared: &Shared, name: &str) -> Self {
        Self { shared: shared.clone(), key: shared.0.keys.lease(name), life: LIFE, pace: PACE }
    }

    /// The same with other times: how long it lives without being renewed, and how often it is asked for and renewed.
    #[must_use]
    pub fn timed(self, life: Duration, pace: Duration) -> Self {
        Self { life, pace, ..self }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Waits until the right is ours.
    pub async fn hold(&self) -> Held {
        loop {
            if let Some(held) = self.try_hold().await {
                return held;
            }
            sleep(self.pace.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
        }
    }

    /// Takes the right, if nobody has it and the store can be reached.
    pub async fn try_hold(&self) -> Option<Held> {
        let (token, asked) = (fastrand::u64(..), Instant::now());
        let mut set = redis::cmd("SET");
        set.arg(&self.key).arg(token).arg("NX").arg("PX").arg(millis(self.life));
        let inner = &self.shared.0;
        let set: Option<String> = inner.link.ask(SharedOp::Lease, inner.settings.hard, &set).await.ok()?;
        set.map(|_| Held { lease: self.clone(), token, until: asked + self.life })
    }
}

impl Held {
    /// Whether the right is still ours: nobody else can have it before this is false.
    #[must_use]
    pub fn is_held(&self) -> bool {
        Instant::now() < self.until
    }

    pub(super) fn key(&self) -> &str {
        &self.lease.key
    }

    pub(super) const fn token(&self) -> u64 {
        self.token
    }

    /// Ends when the right is lost; renews it until then. What is done under the right belongs beside this in a `select!`.
    pub async fn keep(&mut self) {
        while self.is_held() {
            sleep(self.lease.pace.min(self.until - Instant::now())).await;
            let asked = Instant::now();
            match self.renew().await {
                Some(true) => self.until = asked + self.lease.life,
                Some(false) => self.until = asked,
                None => {} // Not heard. What was renewed last still holds.
            }
        }
    }

    async fn renew(&self) -> Option<bool> {
        let inner = &self.lease.shared.0;
        let mut call = inner.scripts.keep.key(&self.lease.key);
        call.arg(self.token).arg(millis(self.lease.life));
        inner.link.run::<u8>(SharedOp::Lease, inner.settings.hard, &call).await.ok().map(|kept| kept == 1)
    }

    /// Gives the right back, so that another replica has it at once.
    pub async fn hand_over(self) {
        let inner = &self.lease.shared.0;
        let mut call = inner.scripts.release.key(&self.lease.key);
        call.arg(self.token);
        // If it is not heard, the right ends by itself.
        let _: Result<u8, _> = inner.link.run(SharedOp::Lease, inner.settings.hard, &call).await;
    }
}
