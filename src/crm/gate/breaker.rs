//! Whether the CRM may be called at all.
//!
//! *Closed*: everybody may. *Open*, for some time: nobody may. *Half-open*, after that time: one call probes and all others are refused
//! until it has ended; its success closes the breaker. Some answers open it at once (blocked, credentials, account), the others by
//! their share among the last calls. The open time doubles with each trip for the same reason until the breaker closes.
//!
//! Every call carries the [`Clearance`] it was given. A result from before the last change of state is late news: it neither closes the
//! breaker nor counts twice for one outage.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::{Backoff, BreakerSettings};
use super::window::Window;
use crate::crm::CrmError;
use crate::outcome::Class;

/// What those are told who come during a probe: its end is not known, but near.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// What we told the others comes back this much longer or shorter.
const ECHO: Duration = Duration::from_millis(200);

/// Why calls are suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too many calls failed.
    Failures,
    /// The CRM has blocked this address.
    Blocked,
    /// The CRM refused the credentials.
    Credentials,
    /// The account is not paid for.
    Payment,
    /// There is no such account or path.
    WrongHost,
}

/// Where the breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// No call goes through.
    Open {
        /// Why.
        reason: Reason,
        /// How long until the next probe.
        retry_after: Duration,
    },
    /// One call probes, or the next live call will.
    HalfOpen {
        /// Why it was opened.
        reason: Reason,
    },
}

/// The permission to make one call, as far as the breaker is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clearance {
    generation: u64,
    /// The call decides whether the breaker closes.
    pub(super) probe: bool,
}

/// The breaker has changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened { reason: Reason, length: Duration },
    Closed { reason: Reason },
}

/// What one result says about the CRM as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// It is there and knows us.
    Healthy,
    /// It is in trouble, or unreachable.
    Failed,
    /// More calls are pointless or harmful.
    Fatal(Reason),
    /// Nothing.
    Neutral,
}

/// The breaker.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    state: State,
    /// Grows with each change of state, so that results can be told from late ones.
    generation: u64,
    /// Trips since the breaker was last closed, by reason.
    trips: [u32; 5],
    window: Window,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Tripped { reason: Reason, until: Instant, probing: bool },
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::Closed, generation: 0, trips: [0; 5], window: Window::default() }
    }

    /// Lets a call pass, or says when to ask again.
    pub(super) fn enter(&mut self, class: Class, now: Instant) -> Result<Clearance, Duration> {
        let generation = self.generation;
        let State::Tripped { until, probing, .. } = &mut self.state else {
            return Ok(Clearance { generation, probe: false });
        };
        let opens = match class {
            Class::Live => *until,
            // A probe is a risk that a person's call takes at once, and a refresh only if nobody calls.
            Class::Background => *until + self.settings.background_probe_after,
        };
        match (*probing, now < opens) {
            (_, true) => Err(opens - now),
            (true, false) => Err(PROBE_PATIENCE),
            (false, false) => {
                *probing = true;
                Ok(Clearance { generation, probe: true })
            }
        }
    }

    /// Whether nothing has changed since the clearance was given.
    pub(super) const fn is_current(&self, clearance: Clearance) -> bool {
        clearance.generation == self.generation
    }

    /// The call was not made, or its end will never be known: it says nothing, and another may probe.
    pub(super) fn abandon(&mut self, clearance: Clearance) {
        if let State::Tripped { probing, .. } = &mut self.state
            && clearance.probe
            && clearance.generation == self.generation
        {
            *probing = false;
        }
    }

    /// A call has ended.
    pub(super) fn settle(
        &mut self,
        clearance: Clearance,
        result: Result<(), &CrmError>,
        now: Instant,
    ) -> Option<Change> {
        match (Signal::of(result), self.state, self.is_current(clearance)) {
            (Signal::Neutral, _, _) => {
                self.abandon(clearance);
                None
            }
            (Signal::Fatal(reason), State::Tripped { reason: known, until, .. }, false) => {
                (reason != known && now + self.length(reason) > until).then(|| self.trip(reason, now))
            }
            (_, _, false) => None,
            (Signal::Fatal(reason), _, true) => Some(self.trip(reason, now)),
            (Signal::Healthy, State::Tripped { reason, .. }, true) => Some(self.close(reason)),
            (Signal::Failed, State::Tripped { .. }, true) => Some(self.trip(Reason::Failures, now)),
            (signal, State::Closed, true) => {
                let too_many = self.window.record(signal == Signal::Failed, &self.settings, now);
                (too_many && signal == Signal::Failed).then(|| self.trip(Reason::Failures, now))
            }
        }
    }

    /// Another replica was shut out, for this much longer.
    pub(super) fn adopt(&mut self, reason: Reason, left: Duration, now: Instant) -> Option<Change> {
        if matches!(self.state, State::Tripped { until, .. } if now + left <= until + ECHO) {
            return None;
        }
        self.trips[reason as usize] = self.trips[reason as usize].saturating_add(1);
        self.state = State::Tripped { reason, until: now + left, probing: false };
        self.turn_over();
        Some(Change::Opened { reason, length: left })
    }

    /// Another replica was let in again.
    pub(super) fn adopt_end(&mut self) -> Option<Change> {
        match self.state {
            State::Tripped { reason, .. } if reason.concerns_all() => Some(self.close(reason)),
            State::Tripped { .. } | State::Closed => None,
        }
    }

    /// Where it stands now.
    pub(super) fn report(&self, now: Instant) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Tripped { reason, until, .. } if now < until => {
                BreakerState::Open { reason, retry_after: until - now }
            }
            State::Tripped { reason, .. } => BreakerState::HalfOpen { reason },
        }
    }

    fn trip(&mut self, reason: Reason, now: Instant) -> Change {
        let length = self.length(reason);
        self.trips[reason as usize] = self.trips[reason as usize].saturating_add(1);
        self.state = State::Tripped { reason, until: now + length, probing: false };
        self.turn_over();
        Change::Opened { reason, length }
    }

    fn close(&mut self, reason: Reason) -> Change {
        self.state = State::Closed;
        self.trips = [0; 5];
        self.turn_over();
        Change::Closed { reason }
    }

    fn turn_over(&mut self) {
        self.generation += 1;
        self.window.clear();
    }

    /// How long the next trip for this reason opens the breaker.
    const fn backoff(&self, reason: Reason) -> Backoff {
        match reason {
            Reason::Failures => self.settings.failures_for,
            Reason::Blocked => self.settings.blocked_for,
            Reason::Credentials => self.settings.credentials_for,
            Reason::Payment | Reason::WrongHost => self.settings.account_for,
        }
    }

    fn length(&self, reason: Reason) -> Duration {
        self.backoff(reason).nth(self.trips[reason as usize])
    }
}

// === impl Signal ===

impl Signal {
    const fn of(result: Result<(), &CrmError>) -> Self {
        match result {
            // A refused right or request is an answer like any other: the CRM is up and knows us.
            Ok(()) | Err(CrmError::Forbidden | CrmError::Rejected { .. }) => Self::Healthy,
            Err(CrmError::Server { .. } | CrmError::Timeout | CrmError::Connect | CrmError::Malformed { .. }) => {
                Self::Failed
            }
            Err(CrmError::Blocked) => Self::Fatal(Reason::Blocked),
            Err(CrmError::Unauthorized) => Self::Fatal(Reason::Credentials),
            Err(CrmError::PaymentRequired) => Self::Fatal(Reason::Payment),
            Err(CrmError::WrongHost) => Self::Fatal(Reason::WrongHost),
            Err(CrmError::RateLimited { .. } | CrmError::QuotaExhausted { .. } | CrmError::Suspended { .. }) => {
                Self::Neutral
            }
        }
    }
}

// === impl Reason ===

impl Reason {
    /// The word as it stands in logs and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Blocked => "blocked",
            Self::Credentials => "credentials",
            Self::Payment => "payment",
            Self::WrongHost => "wrong_host",
        }
    }

    /// Whether waiting will not help, but a person can.
    pub(super) const fn needs_a_person(self) -> bool {
        !matches!(self, Self::Failures)
    }
}
