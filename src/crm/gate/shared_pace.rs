//! When the next call may go if the pace is shared: in the slots that the [ledger](super::fleet) gives, and without it on a share of one's own.
//!
//! | mode | calls go | ends |
//! |---|---|---|
//! | *joining* | none | at its time, with a first beat that is heard |
//! | *together* | one in each slot that was booked | with a beat that is not heard |
//! | *quiet* | none | when the ledger is heard again, or when nobody can hold a slot any more and ours is kept free |
//! | *alone* | on the share last told, evenly, nothing saved up | when the ledger can be reached; then *joining*, for one window |
//!
//! The waits between the modes are what keeps the sum within the rate: see [`quiet_for`](SharedPace::quiet_for). A replica that has never
//! heard the ledger has no share; it makes less than one call a second, the one by which `rate + 1` exceeds the rate.
//!
//! A slot is good for half an interval. Whoever wakes later than that lets it lapse: two slots are an interval apart, so calls are at least
//! half of one apart, and `rate + 2` of them never share a second.

use std::time::Duration;

use tokio::time::Instant;

use super::fleet::{BEAT, Beat, Booking, MISSED, Unheard, WINDOW, Want, Word};
use super::pace::Pace;
use super::settings::Settings;
use crate::outcome::Class;

/// How often a lost ledger is looked for.
const LOOK: Duration = Duration::from_millis(250);
/// A ledger that can be reached but does not take our beats is tried less and less often, down to this.
const LOOK_AT_LEAST: Duration = Duration::from_secs(10);
/// A slot that was asked for is hoped for within this.
const ASKING: Duration = Duration::from_millis(5);
/// Asking for a slot again for the same caller.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// What callers are told who would wait for a share that is nothing.
const NO_SHARE: Duration = Duration::from_secs(10);
/// A replica that has just started looks for the ledger this long before it believes to be alone.
const PATIENT: Duration = Duration::from_secs(2);
/// A slot is never used later than this, however long the interval.
const LATEST: Duration = Duration::from_millis(100);

/// The pace of one replica among several.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SharedPace {
    interval: Duration,
    background_share: f64,
    /// How long a beat may take.
    patience: Duration,
    mode: Mode,
    /// The last thing the ledger told us.
    told: Option<Word>,
    grant: Option<Grant>,
    /// When the ledger's next slot would be, as far as we know.
    next: Instant,
    /// Not to be asked for a slot before.
    ask_at: Instant,
    /// When the last beat was sent, and when the next is due.
    beaten: Option<Instant>,
    beat_at: Instant,
    /// When a lost ledger is looked for next, and how long after that again.
    look_at: Instant,
    look_every: Duration,
}

#[derive(Clone, Debug, PartialEq)]
enum Mode {
    Joining { at: Instant },
    Together,
    Quiet { until: Instant },
    Alone(Option<Pace>),
}

/// A slot of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grant {
    from: Instant,
    until: Instant,
}

/// What is to be done about the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Todo {
    Beat(Beat),
    Reach,
    Rest(Instant),
}

/// How a replica stands to the others, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It shares the pace with this many, itself included.
    Together {
        /// Replicas that are known.
        replicas: u32,
    },
    /// It has lost the ledger, or not found it yet, and makes no calls for a moment.
    Waiting,
    /// It makes so many calls a second on its own.
    Alone {
        /// Its share; zero also if it never heard of one.
        share: u32,
    },
}

impl SharedPace {
    pub(super) fn new(settings: &Settings, patience: Duration, now: Instant) -> Self {
        Self {
            interval: settings.interval(),
            background_share: settings.background_share,
            patience,
            mode: Mode::Joining { at: now },
            told: None,
            grant: None,
            next: now,
            ask_at: now,
            beaten: None,
            beat_at: now,
            look_at: now,
            look_every: LOOK,
        }
    }

    pub(super) const fn interval(&self) -> Duration {
        self.interval
    }

    /// The slot of a live call with this many live calls ahead of it; later than `from` unless it may go at once.
    pub(super) fn live_slot(&self, ahead: usize, from: Instant) -> Instant {
        if let Mode::Alone(Some(pace)) = &self.mode {
            return pace.live_slot(ahead, from);
        }
        self.first_slot(from) + self.round() * u32::try_from(ahead).expect("a line is bounded by its settings")
    }

    /// The earliest slot of a background call, behind every live call that waits here, and behind its own kind.
    pub(super) fn background_slot(&self, ahead: usize, live: usize, from: Instant) -> Instant {
        match &self.mode {
            Mode::Alone(Some(pace)) => pace.background_slot(ahead, live, from),
            // The ledger keeps the slower clock.
            _ => self.live_slot(ahead + live, from),
        }
    }

    fn first_slot(&self, from: Instant) -> Instant {
        match (&self.mode, self.grant) {
            (Mode::Together, Some(grant)) => grant.from.max(from),
            (Mode::Together, None) => self.next.max(from) + ASKING,
            (Mode::Joining { at }, _) => (*at).max(from) + ASKING,
            (Mode::Quiet { until }, _) => (*until).max(from) + ASKING,
            (Mode::Alone(_), _) => from + NO_SHARE,
        }
    }

    /// From one of our slots to the next, if everybody who waits has one in between.
    fn round(&self) -> Duration {
        let others = self.told.map_or(0, |told| told.others_waiting);
        self.interval * others.saturating_add(1)
    }

    /// A call goes now.
    pub(super) fn take(&mut self, class: Class, now: Instant) {
        match &mut self.mode {
            Mode::Alone(Some(pace)) => pace.take(class, now),
            _ => self.grant = None,
        }
    }

    /// Lets a slot lapse that was not used, and begins to call alone when it is time.
    pub(super) fn pass(&mut self, now: Instant) {
        if self.grant.is_some_and(|grant| now > grant.until) {
            self.grant = None;
        }
        if let Mode::Quiet { until } = self.mode
            && now >= until
        {
            self.mode = Mode::Alone(self.own_pace(now));
        }
    }

    /// Evenly, so that no closed window sees more calls than the share; less than one call a window if no share was ever told.
    fn own_pace(&self, now: Instant) -> Option<Pace> {
        let share = self.told.map_or(1, |told| told.share);
        (share > 0).then(|| Pace::of(WINDOW / share, self.background_share, now))
    }

    /// What is to be done now for a call that waits first in line.
    pub(super) fn todo(&mut self, wants: Option<Want>, live_waiting: bool, now: Instant) -> Todo {
        self.pass(now);
        let wants = wants.filter(|_| self.mode == Mode::Together && self.grant.is_none() && now >= self.ask_at);
        let due = match self.mode {
            Mode::Joining { at } => at.max(self.look_at),
            Mode::Together if wants.is_some() => now,
            Mode::Together => self.beat_at,
            Mode::Quiet { .. } | Mode::Alone(_) => self.look_at,
        };
        match (now >= due, &self.mode) {
            (true, Mode::Quiet { .. } | Mode::Alone(_)) => Todo::Reach,
            (true, _) => Todo::Beat(self.beat(wants, live_waiting)),
            (false, _) => Todo::Rest(self.rest(due, now)),
        }
    }

    fn rest(&self, due: Instant, now: Instant) -> Instant {
        let lapse = self.grant.map(|grant| grant.until + Duration::from_millis(1));
        let alone = if let Mode::Quiet { until } = self.mode { Some(until) } else { None };
        let ask = (self.ask_at > now).then_some(self.ask_at);
        [lapse, alone, ask].into_iter().flatten().fold(due, Instant::min)
    }

    fn beat(&self, wants: Option<Want>, live_waiting: bool) -> Beat {
        let (share, replicas) = self.told.map_or((None, 1), |told| (Some(told.share), told.replicas));
        Beat { wants, live_waiting, share, replicas }
    }

    /// Somebody has told the others something: the next beat is due now.
    pub(super) fn nudge(&mut self, now: Instant) {
        self.ask_at = self.ask_at.min(now);
        self.beat_at = self.beat_at.min(now);
    }

    /// A beat is being sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.beaten = Some(now);
        self.beat_at = now + BEAT;
    }

    /// A beat sent at `sent` was heard.
    pub(super) fn heard(&mut self, told: Word, sent: Instant, now: Instant) {
        self.mode = Mode::Together;
        self.told = Some(told);
        self.next = now + told.next_in;
        self.look_every = LOOK;
        match told.booking {
            Booking::None => {}
            Booking::Slot { after } => {
                // The ledger spoke at some moment between the two.
                let grant = Grant { from: now + after, until: sent + after + LATEST.min(self.interval / 2) };
                self.grant = (grant.from < grant.until).then_some(grant);
                self.ask_at = now;
            }
            Booking::Later { after } => {
                self.next = self.next.max(now + after);
                self.ask_at = now + after.clamp(ASKING, ASK_AGAIN);
            }
        }
    }

    /// The ledger was not heard.
    pub(super) fn unheard(&mut self, why: Unheard, now: Instant) {
        self.grant = None;
        self.look_at = now + LOOK;
        let beaten = self.beaten.unwrap_or(now);
        match (&self.mode, why) {
            // Slots given before the jump may still be used by others.
            (Mode::Together | Mode::Joining { .. }, Unheard::Jumped) => {
                self.mode = Mode::Joining { at: now + self.horizon() + WINDOW };
            }
            (Mode::Together, Unheard::Lost) => {
                // One answer that does not come is no outage: it is looked for at once, and found if it is there.
                self.look_at = now;
                self.mode = Mode::Quiet { until: beaten + self.quiet_for() };
            }
            (Mode::Joining { .. }, Unheard::Lost) => {
                (self.look_at, self.look_every) = (now + self.look_every, (self.look_every * 2).min(LOOK_AT_LEAST));
                self.mode = Mode::Quiet { until: beaten + self.quiet_for() };
            }
            (Mode::Quiet { .. } | Mode::Alone(_), _) => {}
        }
    }

    /// The ledger can be reached again.
    pub(super) fn reached(&mut self, now: Instant) {
        let at = match self.mode {
            // Calls made alone must be out of the window before our share is given to others.
            Mode::Alone(_) => now + WINDOW,
            _ => now,
        };
        self.look_at = at;
        self.mode = Mode::Joining { at };
    }

    /// From the last beat that the ledger may have heard until we may call alone: it must have missed us, the slots given until then must
    /// be past, and so must the window they lie in.
    fn quiet_for(&self) -> Duration {
        match self.told {
            Some(_) => self.patience * 2 + MISSED + self.horizon() + WINDOW,
            None => PATIENT,
        }
    }

    fn horizon(&self) -> Duration {
        self.told.map_or(self.interval, |told| told.horizon)
    }

    pub(super) fn standing(&self) -> Standing {
        match &self.mode {
            Mode::Together => Standing::Together { replicas: self.told.map_or(1, |told| told.replicas) },
            Mode::Joining { .. } | Mode::Quiet { .. } => Standing::Waiting,
            Mode::Alone(_) => Standing::Alone { share: self.told.map_or(0, |told| told.share) },
        }
    }
}
