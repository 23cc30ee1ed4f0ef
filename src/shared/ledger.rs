//! The quota's ledger on the server.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::clock::{Micros, micros};
use super::epochs::Seen;
use super::link::Lost;
use super::second_level::millis;
use super::{Inner, Shared};
use crate::crm::gate::Reason;
use crate::crm::gate::Settings as GateSettings;
use crate::crm::gate::fleet::{Beat, Blocked, Booking, FORGOTTEN, Fleet, MISSED, News, Unheard, WINDOW, Word};
use crate::outcome::{Class, SharedOp};

/// The ledger of all replicas, with one replica's gate settings.
#[derive(Clone, Debug)]
pub struct Ledger {
    shared: Shared,
    rate: u32,
    /// Between two background calls.
    slower: Duration,
}

/// The script's answer.
type Answer = (u64, String, u64, u64, u32, u32, u32, u64, u64, i64, String, u64);

impl Ledger {
    /// A ledger for a gate with these settings.
    #[must_use]
    pub fn new(shared: Shared, gate: &GateSettings) -> Arc<Self> {
        let slower = Duration::from_secs(1).div_f64(f64::from(gate.rate) * gate.background_share);
        Arc::new(Self { shared, rate: gate.rate, slower })
    }

    fn inner(&self) -> &Inner {
        &self.shared.0
    }

    async fn look(&self) -> Result<(), Unheard> {
        let (inner, sent) = (self.inner(), Instant::now());
        let time = inner.link.ask(SharedOp::Quota, inner.settings.hard, &redis::cmd("TIME")).await;
        let (seconds, rest): (u64, u64) = time.map_err(|_| Unheard::Lost)?;
        inner.clock.forget();
        inner.clock.learn(Micros(seconds * 1_000_000 + rest), sent, Instant::now());
        Ok(())
    }

    async fn say(&self, beat: Beat) -> Result<Word, Unheard> {
        let inner = self.inner();
        if inner.clock.now().is_none() {
            self.look().await?;
        }
        let sent = Instant::now();
        // At most a round trip too late, which the patience of those who believe to be unheard allows for.
        let valid_until = inner.clock.at_most(sent).ok_or(Unheard::Lost)?.after(inner.settings.hard);
        let (class, within) = match beat.wants {
            None => ("", Duration::ZERO),
            Some(want) => (want.class.as_str(), want.within),
        };
        let mut call = inner.scripts.beat.key(inner.keys.ledger());
        call.key(inner.keys.epoch())
            .key(inner.keys.stamp_of_all())
            .arg(&inner.me)
            .arg(valid_until.0)
            .arg(class)
            .arg(micros(within));
        call.arg(u8::from(beat.live_waiting)).arg(self.rate).arg(micros(self.slower)).arg(beat.replicas);
        call.arg(beat.share.map_or(-1, i64::from));
        call.arg(micros(MISSED)).arg(micros(FORGOTTEN)).arg(micros(WINDOW));
        call.arg(inner.epochs.known().unwrap_or_default()).arg(millis(inner.stamp_life()));
        let connection = inner.link.generation();
        let answer: Result<Answer, Lost> = inner.link.run(SharedOp::Quota, inner.settings.hard, &call).await;
        let answer = answer.map_err(|_| Unheard::Lost)?;
        if !inner.clock.learn(Micros(answer.0), sent, Instant::now()) {
            tracing::warn!("the shared store's clock has jumped; no calls to the CRM for a moment");
            return Err(Unheard::Jumped);
        }
        if answer.1 == "expired" {
            return Err(Unheard::Lost);
        }
        inner.counted(answer.11, connection);
        inner.metrics.shared_replicas(answer.5);
        Ok(told(&answer))
    }

    async fn spread(&self, news: News) -> Result<(), Unheard> {
        let inner = self.inner();
        let (kind, length, reason) = match news {
            News::Paused(length) => ("paused", length, ""),
            News::Blocked(Blocked { reason, left }) => ("blocked", left, reason.as_str()),
            News::Resumed => ("resumed", Duration::ZERO, ""),
        };
        let mut call = inner.scripts.news.key(inner.keys.ledger());
        call.arg(kind).arg(micros(length)).arg(reason).arg(inner.keys.wake());
        let told: Result<u8, _> = inner.link.run(SharedOp::Quota, inner.settings.hard, &call).await;
        told.map(drop).map_err(|_| Unheard::Lost)
    }
}

fn told(answer: &Answer) -> Word {
    let (_, result, time, next_in, share, replicas, others_waiting, horizon, paused, open, reason, _) = answer;
    let after = Duration::from_micros(*time);
    Word {
        booking: match result.as_str() {
            "slot" => Booking::Slot { after },
            "later" => Booking::Later { after },
            _ => Booking::None,
        },
        next_in: Duration::from_micros(*next_in),
        share: *share,
        replicas: *replicas,
        others_waiting: *others_waiting,
        horizon: Duration::from_micros(*horizon),
        paused_for: Duration::from_micros(*paused),
        blocked: u64::try_from(*open).ok().map(|left| Blocked {
            // A reason of a later version is one that concerns everybody, too.
            reason: if reason == Reason::Payment.as_str() { Reason::Payment } else { Reason::Blocked },
            left: Duration::from_micros(left),
        }),
    }
}

impl Fleet for Ledger {
    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<Word, Unheard>> {
        Box::pin(self.say(beat))
    }

    fn reach(&self) -> BoxFuture<'_, Result<(), Unheard>> {
        Box::pin(self.look())
    }

    fn tell(&self, news: News) -> BoxFuture<'_, Result<(), Unheard>> {
        Box::pin(self.spread(news))
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let inner = self.inner();
            let mut call = inner.scripts.leave.key(inner.keys.ledger());
            call.arg(&inner.me);
            // If it is not heard, the others find out by themselves.
            let _: Result<u8, _> = inner.link.run(SharedOp::Quota, inner.settings.hard, &call).await;
        })
    }

    fn nudged(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.inner().woken.notified())
    }

    fn patience(&self) -> Duration {
        self.inner().settings.hard
    }
}

impl Inner {
    /// The counter of epochs was seen on this connection.
    fn counted(&self, epoch: u64, connection: u64) {
        match self.epochs.counted(epoch) {
            Seen::Fine => {}
            Seen::Missed => self.bus.missed(&self.metrics),
            // The script brings a counter forward that is behind, so a change was heard of since.
            Seen::Behind => return,
        }
        self.looked_on(connection);
    }
}

const _: () = assert!(Class::ALL.len() == 2, "the script knows two classes");
