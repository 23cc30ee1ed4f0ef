//! What an OAuth2 source knows between two renewals, and what a caller is told: no I/O, no waiting.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::time::Instant;

use super::renewal::Unsaved;
use super::{Pair, Token};
use crate::crm::CrmError;
use crate::crm::gate::Backoff;
use crate::outcome::Class;

/// Between our clock and the CRM's, and for the way.
const SLACK: Duration = Duration::from_secs(10);
/// After a failure that may pass.
const FAILED: Backoff = Backoff::seconds(1, 60);
/// After a refusal, which will hardly pass without a person.
const REFUSED: Backoff = Backoff::seconds(60, 600);

/// When tokens are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// So long before the expiry, but never before three quarters of the life. Default 30 min, as much earlier again by chance.
    pub early: Duration,
    /// A token that took the place of a refused one and is refused itself at this age is not replaced: the one after it would be refused,
    /// too. Default 1 min.
    pub least_age: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { early: Duration::from_secs(1_800), least_age: Duration::from_secs(60) }
    }
}

/// Closed when the renewal has ended, in whatever way.
pub(super) type Running = watch::Receiver<()>;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) held: Option<Held>,
    /// How many pairs there have been.
    pairs: u64,
    pub(super) running: Option<Running>,
    pub(super) unsaved: Option<Unsaved>,
    pub(super) failing: Option<Failing>,
    /// No renewal begins any more.
    pub(super) closed: bool,
}

/// The pair in use.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) pair: Pair,
    pub(super) token: Token,
    /// The CRM did not take it, whatever its expiry says.
    refused: bool,
    /// So was the one before it.
    follows_refused: bool,
    since: Instant,
    urgent_from: Instant,
    renew_at: Instant,
    good_until: Instant,
}

/// Renewals fail at present.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// What the last one ended with.
    pub(super) error: CrmError,
    /// In words, for people.
    pub(super) words: String,
    /// How many in a row, of this kind.
    times: u32,
    /// The CRM refuses, which is another matter than being away.
    pub(super) refused: bool,
    /// No renewal begins before.
    pub(super) until: Instant,
    /// The breaker has been told.
    pub(super) tripped: bool,
}

/// What a caller who needs a token is told.
#[derive(Debug)]
pub(super) enum Plan {
    /// Here it is; begin a renewal beside it if a class is given.
    Take(Token, Option<Class>),
    /// There is none.
    Refuse(CrmError),
    /// Wait for the renewal that runs.
    Wait(Running),
    /// Begin a renewal, and wait for it.
    Begin,
}

impl State {
    /// A token for a caller, who may come back with one that the CRM refused.
    pub(super) fn plan(&mut self, refused: Option<&Token>, now: Instant) -> Plan {
        if let (Some(held), Some(refused)) = (&mut self.held, refused) {
            held.refused |= held.token.number == refused.number;
        }
        match (&self.held, &self.running) {
            (Some(held), _) if held.is_usable(now) => Plan::Take(held.token.clone(), self.due(now)),
            (_, Some(running)) => Plan::Wait(running.clone()),
            (_, None) => match self.rest(now) {
                Some(error) => Plan::Refuse(error),
                None => Plan::Begin,
            },
        }
    }

    /// Whether a renewal should begin though nobody waits for it, and how urgently.
    pub(super) fn due(&self, now: Instant) -> Option<Class> {
        let may = self.running.is_none() && self.rest(now).is_none();
        match &self.held {
            _ if !may => None,
            None => Some(Class::Background),
            Some(held) if now < held.renew_at && !held.refused => None,
            Some(held) if now < held.urgent_from && !held.refused => Some(Class::Background),
            Some(_) => Some(Class::Live),
        }
    }

    /// When it is worth looking whether a renewal is due.
    pub(super) fn next_look(&self, now: Instant) -> Instant {
        let due = self.held.as_ref().map_or(now, |held| held.renew_at);
        self.failing.as_ref().map_or(due, |failing| failing.until.max(due))
    }

    /// Why no renewal may begin now.
    fn rest(&self, now: Instant) -> Option<CrmError> {
        match &self.failing {
            Some(failing) if now < failing.until => Some(match failing.refused {
                true => CrmError::Unauthorized,
                false => CrmError::Suspended { retry_after: failing.until - now },
            }),
            _ if self.closed => Some(CrmError::Suspended { retry_after: SLACK }),
            _ => None,
        }
    }

    /// What those get who waited for a renewal when they had seen so many pairs. A new token is given however short its life.
    pub(super) fn after(&self, seen: u64, now: Instant) -> Result<Token, CrmError> {
        match &self.held {
            Some(held) if held.token.number > seen || held.is_usable(now) => Ok(held.token.clone()),
            _ => Err(self.failing.as_ref().map_or(CrmError::Connect, |failing| failing.error)),
        }
    }

    /// How many pairs have been in use.
    pub(super) const fn pairs(&self) -> u64 {
        self.pairs
    }

    /// From now on this pair is used.
    pub(super) fn hold(&mut self, pair: Pair, times: &Times, now: Instant) {
        self.pairs += 1;
        let today = Timestamp::now();
        let early = times.early.min(pair.life() / 8);
        let chance = early.mul_f64(fastrand::f64());
        let before = |time: Duration| now + pair.left(today).saturating_sub(time);
        let follows_refused = self.held.as_ref().is_some_and(|held| held.refused);
        self.held = Some(Held {
            follows_refused,
            token: Token { secret: pair.access.expose_secret().into(), number: self.pairs },
            refused: false,
            since: now.checked_sub(pair.age(today)).unwrap_or(now),
            renew_at: before(early + chance),
            urgent_from: before(early / 4),
            good_until: before(SLACK.min(pair.life() / 8)),
            pair,
        });
        self.failing = None;
    }

    /// A renewal has failed; tells whether that is news.
    pub(super) fn fail(&mut self, error: CrmError, words: String, refused: bool, now: Instant) -> bool {
        let before = self.failing.take().filter(|failing| failing.refused == refused);
        let times = before.as_ref().map_or(0, |failing| failing.times);
        let backoff = if refused { REFUSED } else { FAILED };
        let tripped = before.as_ref().is_some_and(|failing| failing.tripped);
        self.failing = Some(Failing {
            error,
            words,
            times: times.saturating_add(1),
            refused,
            until: now + backoff.nth(times),
            tripped,
        });
        before.is_none()
    }
}

impl Held {
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        !self.refused && now < self.good_until
    }

    /// Whether a refusal of this token is a reason to renew; otherwise it is the answer. The CRM may take back any token at any time, so
    /// one renewal is tried; no second one right after it.
    pub(super) fn may_be_replaced(&self, times: &Times, now: Instant) -> bool {
        !self.follows_refused || now - self.since >= times.least_age
    }
}
