//! The gate without its clock and its lock: what a call is told when it comes, while it waits and when it has ended.
//!
//! The order is fixed here: breaker, then the bound on calls in flight, then the quota. A slot is the last thing to be taken, so that a
//! call that goes is sent at once, and a call that is refused has used nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::breaker::{Breaker, BreakerState, Clearance};
use super::budget::Budget;
use super::fleet::{Blocked, News, Unheard, Word};
use super::line::Ticket;
use super::notice::{Complaints, Notice, Told};
use super::quota::{Quota, Turn};
use super::settings::Settings;
use super::shared_pace::{Standing, Todo};
use crate::crm::CrmError;
use crate::outcome::Class;

/// Everything the gate knows.
#[derive(Debug)]
pub(super) struct State {
    breaker: Breaker,
    budget: Budget,
    quota: Quota,
    in_flight: InFlight,
    told: Told,
    complaints: Complaints,
    credentials: Credentials,
    company: Option<Company>,
}

/// What is to be passed on between us and the other replicas, if there can be any.
#[derive(Debug, Default)]
struct Company {
    news: Vec<News>,
    /// The block that the others know of; when they know of none any more, ours is over too.
    known_block: bool,
    left: bool,
}

/// A call's place before it is admitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    class: Class,
    ticket: Ticket,
    clearance: Clearance,
}

/// A call that was admitted and has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    class: Class,
    clearance: Clearance,
    at: Instant,
}

/// What a call in line is told.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Go(Admitted),
    Wait(Instant),
    Refused(CrmError),
}

/// Calls under way, and how many there may be.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    live: usize,
    background: usize,
    most: usize,
    most_background: usize,
}

/// Whether the credentials are known to be good, or bad.
#[derive(Clone, Copy, Debug, Default)]
struct Credentials {
    refused: bool,
    worked: bool,
}

/// A snapshot of the gate, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateState {
    /// Where the breaker stands, and why.
    pub breaker: BreakerState,
    /// How long the pause after a 429 still lasts, if there is one.
    pub paused_for: Option<Duration>,
    /// How long a live call that came now would wait for its slot.
    pub live_wait: Duration,
    /// Calls under way.
    pub in_flight: usize,
    /// How we stand to the other replicas, if there can be any.
    pub standing: Option<Standing>,
}

impl State {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        Self {
            breaker: Breaker::new(settings.breaker),
            budget: Budget::new(settings.retry_percent),
            quota: Quota::new(settings, now),
            in_flight: InFlight {
                live: 0,
                background: 0,
                most: settings.max_in_flight,
                most_background: settings.max_background_in_flight,
            },
            told: Told::default(),
            complaints: Complaints::default(),
            credentials: Credentials::default(),
            company: None,
        }
    }

    /// The same, for one of several replicas. A beat takes them at most `patience`.
    pub(super) fn shared(settings: &Settings, patience: Duration, now: Instant) -> Self {
        let quota = Quota::shared(settings, patience, now);
        Self { quota, company: Some(Company::default()), ..Self::new(settings, now) }
    }

    /// Gives a call a place in line, or refuses it and changes nothing.
    pub(super) fn join(&mut self, class: Class, until: Instant, now: Instant) -> Result<Place, CrmError> {
        if self.company.as_ref().is_some_and(|company| company.left) {
            return Err(CrmError::QuotaExhausted { wait: Duration::ZERO });
        }
        let clearance = self.enter(class, now)?;
        match self.quota.join(class, until, now) {
            Ok(ticket) => Ok(Place { class, ticket, clearance }),
            Err(wait) => {
                self.breaker.abandon(clearance);
                Err(CrmError::QuotaExhausted { wait })
            }
        }
    }

    /// May it go now? The breaker is asked again if it has changed since.
    pub(super) fn step(&mut self, place: &mut Place, now: Instant) -> Step {
        if !self.breaker.is_current(place.clearance) {
            match self.enter(place.class, now) {
                Ok(clearance) => place.clearance = clearance,
                Err(suspended) => return self.refuse(*place, suspended),
            }
        }
        let room = self.in_flight.has_room(place.class);
        match self.quota.turn(place.class, place.ticket, room, now) {
            Turn::At(at) => Step::Wait(at),
            Turn::Refused { wait } => self.refuse(*place, CrmError::QuotaExhausted { wait }),
            Turn::Now => {
                self.budget.deposit();
                *self.in_flight.of(place.class) += 1;
                Step::Go(Admitted { class: place.class, clearance: place.clearance, at: now })
            }
        }
    }

    /// The call does not want to wait any more.
    pub(super) fn leave(&mut self, place: Place) {
        self.quota.leave(place.class, place.ticket);
        self.breaker.abandon(place.clearance);
    }

    /// The call has ended with this result.
    pub(super) fn settle(&mut self, call: Admitted, result: Result<(), &CrmError>, now: Instant) -> Vec<Notice> {
        *self.in_flight.of(call.class) -= 1;
        self.credentials.learn(result);
        let change = self.breaker.settle(call.clearance, result, now).map(|change| self.told.change(change));
        let pause = match result {
            Ok(()) => self.quota.pause().succeeded(call.at).then(|| self.told.pause_over()),
            Err(CrmError::RateLimited { retry_after }) => {
                let length = self.quota.pause().rate_limited(call.at, *retry_after, now);
                length.map(|length| self.told.pause(length))
            }
            Err(_) => None,
        };
        let complaint = result.err().and_then(|error| self.complaints.about(error, now));
        let notices: Vec<_> = [change, pause, complaint].into_iter().flatten().collect();
        if let Some(company) = &mut self.company {
            company.news.extend(notices.iter().filter_map(news));
        }
        notices
    }

    /// The call was given up; how it ended is not known.
    pub(super) fn abandon(&mut self, call: Admitted) {
        *self.in_flight.of(call.class) -= 1;
        self.breaker.abandon(call.clearance);
    }

    /// Takes a retry from the budget, if calls are possible at all.
    pub(super) fn may_retry(&mut self, now: Instant) -> bool {
        self.breaker.report(now) == BreakerState::Closed && self.budget.withdraw()
    }

    /// Whether the CRM refused the credentials and no call ever succeeded.
    pub(super) const fn credentials_refused(&self) -> bool {
        self.credentials.refused && !self.credentials.worked
    }

    pub(super) fn report(&self, now: Instant) -> GateState {
        GateState {
            breaker: self.breaker.report(now),
            paused_for: self.quota.paused_until(now).map(|until| until - now),
            live_wait: self.quota.predicted_wait(Class::Live, now),
            in_flight: self.in_flight.total(),
            standing: self.quota.standing(),
        }
    }

    fn enter(&mut self, class: Class, now: Instant) -> Result<Clearance, CrmError> {
        self.breaker.enter(class, now).map_err(|retry_after| CrmError::Suspended { retry_after })
    }

    fn refuse(&mut self, place: Place, error: CrmError) -> Step {
        self.leave(place);
        Step::Refused(error)
    }
}

/// With the other replicas.
impl State {
    /// What the driver is to do next; nothing any more once we have left.
    pub(super) fn todo(&mut self, is_nudged: bool, now: Instant) -> Option<Todo> {
        if self.company.as_ref().is_none_or(|company| company.left) {
            return None;
        }
        let in_flight = self.in_flight;
        self.quota.todo(is_nudged, |class| in_flight.has_room(class), now)
    }

    /// What the CRM has said since the last time that concerns the others.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        self.company.as_mut().map(|company| std::mem::take(&mut company.news)).unwrap_or_default()
    }

    /// Whether there is something to tell the others.
    pub(super) fn has_news(&self) -> bool {
        self.company.as_ref().is_some_and(|company| !company.news.is_empty())
    }

    /// A beat is being sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.quota.sent(now);
    }

    /// A beat sent at `sent` was answered, or not. What the others know of the CRM holds for us too.
    pub(super) fn answered(&mut self, answer: Result<Word, Unheard>, sent: Instant, now: Instant) -> Vec<Notice> {
        self.quota.answered(answer, sent, now);
        let Ok(told) = answer else { return Vec::new() };
        let paused = self.quota.pause().adopt(told.paused_for, now);
        let pause = paused.then(|| self.told.pause(told.paused_for));
        [self.adopt_block(told.blocked, now), pause].into_iter().flatten().collect()
    }

    fn adopt_block(&mut self, blocked: Option<Blocked>, now: Instant) -> Option<Notice> {
        let company = self.company.as_mut()?;
        let was_known = std::mem::replace(&mut company.known_block, blocked.is_some());
        let change = match blocked {
            Some(Blocked { reason, left }) if !left.is_zero() => self.breaker.adopt(reason, left, now),
            Some(_) => None,
            None if was_known => self.breaker.adopt_end(),
            None => None,
        };
        change.map(|change| self.told.change(change))
    }

    /// The others were looked for.
    pub(super) fn looked(&mut self, found: Result<(), Unheard>, now: Instant) {
        self.quota.looked(found, now);
    }

    /// No call is made any more: the others may have our share.
    pub(super) fn retire(&mut self) {
        if let Some(company) = &mut self.company {
            company.left = true;
        }
    }
}

/// What the others should know.
fn news(notice: &Notice) -> Option<News> {
    match notice {
        Notice::Paused { length } | Notice::PausedAgain { length } => Some(News::Paused(*length)),
        Notice::Suspended { reason, length } | Notice::StillSuspended { reason, length } if reason.concerns_all() => {
            Some(News::Blocked(Blocked { reason: *reason, left: *length }))
        }
        Notice::Resumed { reason } if reason.concerns_all() => Some(News::Resumed),
        Notice::Suspended { .. }
        | Notice::StillSuspended { .. }
        | Notice::Resumed { .. }
        | Notice::Probing
        | Notice::PauseOver
        | Notice::Complaint(_) => None,
    }
}

impl Admitted {
    /// Whether this call decides if the breaker closes.
    pub(super) const fn is_probe(&self) -> bool {
        self.clearance.probe
    }
}

impl InFlight {
    const fn total(&self) -> usize {
        self.live + self.background
    }

    fn has_room(&self, class: Class) -> bool {
        self.total() < self.most && (class == Class::Live || self.background < self.most_background)
    }

    const fn of(&mut self, class: Class) -> &mut usize {
        match class {
            Class::Live => &mut self.live,
            Class::Background => &mut self.background,
        }
    }
}

impl Credentials {
    fn learn(&mut self, result: Result<(), &CrmError>) {
        match result {
            Ok(()) => self.worked = true,
            Err(error) => self.refused |= *error == CrmError::Unauthorized,
        }
    }
}
