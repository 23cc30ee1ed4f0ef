//! Who may call the CRM next, and when: two lines in front of one pace.
//!
//! A *live* call takes the last place in its line and knows its wait, or is refused without a trace if that is longer than it can wait.
//! A *background* call goes only while no live call waits and its own slower clock allows; so it costs a live call at most the
//! interval it has just begun (and a timer's grain). Nobody goes during a pause: those who wait already look again and are refused if it is too long for them.
//!
//! Nothing here sleeps or locks: the caller asks again at the time it is told, or when something has changed.

use std::time::Duration;

use tokio::time::Instant;

use super::fleet::{Unheard, Want, Word};
use super::line::{Line, Ticket};
use super::pace::{GRAIN, Pace};
use super::pause::Pause;
use super::settings::Settings;
use super::shared_pace::{SharedPace, Standing, Todo};
use crate::outcome::Class;

/// What a waiting call is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Go; the slot is taken and the place is left.
    Now,
    /// Ask again then (it is later than now), or when something has changed.
    At(Instant),
    /// It will not be in time; the place is left and no slot was used.
    Refused {
        /// How long a slot would have taken.
        wait: Duration,
    },
}

/// The two lines, the pace and the pause.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quota {
    live: Line,
    background: Line,
    pace: Pacing,
    pause: Pause,
}

/// Whose pace it is.
#[derive(Clone, Debug, PartialEq)]
enum Pacing {
    /// This process's.
    Own(Pace),
    /// All replicas'.
    Shared(Box<SharedPace>),
}

impl Quota {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        Self {
            live: Line::new(settings.max_waiting),
            background: Line::new(settings.max_waiting),
            pace: Pacing::Own(Pace::new(settings, now)),
            pause: Pause::new(settings.pause, settings.longest_pause),
        }
    }

    /// The same, with a pace that all replicas share.
    pub(super) fn shared(settings: &Settings, patience: Duration, now: Instant) -> Self {
        let pace = Pacing::Shared(Box::new(SharedPace::new(settings, patience, now)));
        Self { pace, ..Self::new(settings, now) }
    }

    /// The pause after a 429.
    pub(super) const fn pause(&mut self) -> &mut Pause {
        &mut self.pause
    }

    /// When a pause ends, if there is one.
    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.pause.until(now)
    }

    /// How long a call of this class that came now would wait.
    pub(super) fn predicted_wait(&self, class: Class, now: Instant) -> Duration {
        self.slot(class, self.line(class).len(), now) - now
    }

    /// Takes the last place in line; or, refused, changes nothing and tells the wait that was too long.
    pub(super) fn join(&mut self, class: Class, until: Instant, now: Instant) -> Result<Ticket, Duration> {
        self.expire(now);
        let wait = self.predicted_wait(class, now);
        // Whoever has to sleep wakes a little late; who cannot spare that is told now, not after the wait.
        let slack = if wait.is_zero() { Duration::ZERO } else { GRAIN };
        if now + wait + slack > until || self.line(class).is_full() {
            return Err(wait);
        }
        Ok(self.line_mut(class).join(until))
    }

    /// May this call go now? `room` says whether one more may be in flight.
    pub(super) fn turn(&mut self, class: Class, ticket: Ticket, room: bool, now: Instant) -> Turn {
        self.expire(now);
        let Some((ahead, until)) = self.line(class).place(ticket) else {
            return Turn::Refused { wait: self.predicted_wait(class, now).max(self.pace.interval()) };
        };
        let slot = self.slot(class, ahead, now);
        match (slot > now, room) {
            (true, _) if slot <= until => Turn::At(slot),
            (false, false) if now < until => Turn::At(until),
            (false, true) => {
                self.leave(class, ticket);
                self.pace.take(class, now);
                Turn::Now
            }
            _ => {
                self.leave(class, ticket);
                Turn::Refused { wait: (slot - now).max(self.pace.interval()) }
            }
        }
    }

    /// Gives a place in line up; those behind move up.
    pub(super) fn leave(&mut self, class: Class, ticket: Ticket) {
        self.line_mut(class).leave(ticket);
    }

    /// The slot for a place with this many ahead in its line; later than `now` unless it is the first and nothing holds it up.
    fn slot(&self, class: Class, ahead: usize, now: Instant) -> Instant {
        let from = self.pause.until(now).unwrap_or(now);
        match class {
            Class::Live => self.pace.live_slot(ahead, from),
            Class::Background => self.pace.background_slot(ahead, self.live.len(), from),
        }
    }

    fn expire(&mut self, now: Instant) {
        self.live.expire(now);
        self.background.expire(now);
        if let Pacing::Shared(pace) = &mut self.pace {
            pace.pass(now);
        }
    }

    const fn line(&self, class: Class) -> &Line {
        match class {
            Class::Live => &self.live,
            Class::Background => &self.background,
        }
    }

    const fn line_mut(&mut self, class: Class) -> &mut Line {
        match class {
            Class::Live => &mut self.live,
            Class::Background => &mut self.background,
        }
    }
}

/// With the other replicas.
impl Quota {
    /// What is to be done about the others; `room` says whether one more call of a class may be in flight.
    pub(super) fn todo(&mut self, is_nudged: bool, room: impl Fn(Class) -> bool, now: Instant) -> Option<Todo> {
        self.expire(now);
        let is_paused = self.pause.until(now).is_some();
        let first = |class: Class| {
            let until = self.line(class).first().filter(|_| room(class) && !is_paused)?;
            Some(Want { class, within: until.saturating_duration_since(now) })
        };
        let (wants, live_waiting) = (first(Class::Live).or_else(|| first(Class::Background)), self.live.len() > 0);
        let pace = self.shared_pace()?;
        if is_nudged {
            pace.nudge(now);
        }
        Some(pace.todo(wants, live_waiting, now))
    }

    /// A beat is being sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.shared_pace().into_iter().for_each(|pace| pace.sent(now));
    }

    /// A beat sent at `sent` was heard or not.
    pub(super) fn answered(&mut self, answer: Result<Word, Unheard>, sent: Instant, now: Instant) {
        let Some(pace) = self.shared_pace() else { return };
        match answer {
            Ok(told) => pace.heard(told, sent, now),
            Err(why) => pace.unheard(why, now),
        }
    }

    /// The others were looked for.
    pub(super) fn looked(&mut self, found: Result<(), Unheard>, now: Instant) {
        let Some(pace) = self.shared_pace() else { return };
        match found {
            Ok(()) => pace.reached(now),
            Err(why) => pace.unheard(why, now),
        }
    }

    /// How we stand to the others, if there can be any.
    pub(super) fn standing(&self) -> Option<Standing> {
        match &self.pace {
            Pacing::Own(_) => None,
            Pacing::Shared(pace) => Some(pace.standing()),
        }
    }

    fn shared_pace(&mut self) -> Option<&mut SharedPace> {
        match &mut self.pace {
            Pacing::Own(_) => None,
            Pacing::Shared(pace) => Some(pace),
        }
    }
}

impl Pacing {
    fn interval(&self) -> Duration {
        match self {
            Self::Own(pace) => pace.interval(),
            Self::Shared(pace) => pace.interval(),
        }
    }

    fn live_slot(&self, ahead: usize, from: Instant) -> Instant {
        match self {
            Self::Own(pace) => pace.live_slot(ahead, from),
            Self::Shared(pace) => pace.live_slot(ahead, from),
        }
    }

    fn background_slot(&self, ahead: usize, live: usize, from: Instant) -> Instant {
        match self {
            Self::Own(pace) => pace.background_slot(ahead, live, from),
            Self::Shared(pace) => pace.background_slot(ahead, live, from),
        }
    }

    fn take(&mut self, class: Class, now: Instant) {
        match self {
            Self::Own(pace) => pace.take(class, now),
            Self::Shared(pace) => pace.take(class, now),
        }
    }
}
