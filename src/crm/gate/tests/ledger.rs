//! The ledger's rules in Rust, as `src/shared/scripts/beat.lua` has them, with everything that can befall it: it can die, come back empty,
//! stand still, be out of reach for one replica, be set back to what it once was, and have its clock turned. `tests/shared` holds the script against the same laws.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::Reason;
use super::super::fleet::{Beat, Blocked, Booking, FORGOTTEN, Fleet, MISSED, News, Unheard, WINDOW, Word};
use crate::outcome::Class;

/// As long as the real one may take.
const PATIENCE: Duration = Duration::from_millis(50);

/// The server: one ledger, and what goes wrong with it.
#[derive(Debug)]
pub(super) struct Server {
    state: Mutex<State>,
    nudge: Notify,
    rate: u32,
    started: Instant,
}

#[derive(Debug, Default)]
struct State {
    ledger: Ledger,
    /// How often it was started.
    run: u32,
    /// What is on its disk.
    saved: Ledger,
    up: bool,
    /// Nothing is answered before.
    still_until: Option<Instant>,
    /// Added to the clock.
    step: Duration,
    cut_off: Vec<usize>,
    beats: usize,
}

/// Everything in microseconds of the server's clock.
#[derive(Clone, Debug, Default)]
struct Ledger {
    /// Which start of the server wrote it.
    run: u32,
    free: Option<u64>,
    background: u64,
    last: u64,
    born: u64,
    expected: u32,
    paused: u64,
    open: Option<(Reason, u64)>,
    probe: u64,
    members: BTreeMap<usize, Member>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    joined: u64,
    seen: u64,
    share: u32,
    waiting: bool,
}

impl Server {
    pub(super) fn new(rate: u32) -> Arc<Self> {
        let state = Mutex::new(State { up: true, ..State::default() });
        Arc::new(Self { state, nudge: Notify::new(), rate, started: Instant::now() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn kill(&self) {
        self.state().up = false;
    }

    pub(super) fn revive(&self, empty: bool) {
        let mut state = self.state();
        state.up = true;
        if empty {
            state.ledger = Ledger::default();
        }
    }

    pub(super) fn flush(&self) {
        self.state().ledger = Ledger::default();
    }

    pub(super) fn save(&self) {
        let mut state = self.state();
        state.saved = state.ledger.clone();
    }

    /// It is started anew, as it was when it was last saved.
    pub(super) fn set_back(&self) {
        let mut state = self.state();
        (state.ledger, state.run) = (state.saved.clone(), state.run + 1);
    }

    pub(super) fn stand_still(&self, span: Duration) {
        self.state().still_until = Some(Instant::now() + span);
    }

    pub(super) fn step_clock(&self, by: Duration) {
        self.state().step += by;
    }

    pub(super) fn cut_off(&self, replica: usize) {
        self.state().cut_off.push(replica);
    }

    pub(super) fn rejoin(&self, replica: usize) {
        self.state().cut_off.retain(|other| *other != replica);
    }

    pub(super) fn beats(&self) -> usize {
        self.state().beats
    }
}

/// One replica's way to the server.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) server: Arc<Server>,
    pub(super) me: usize,
    pub(super) latency: Duration,
    /// Server time minus our time when we last heard.
    offset: Mutex<Option<i128>>,
}

impl Wire {
    pub(super) fn new(server: &Arc<Server>, me: usize, latency: Duration) -> Arc<Self> {
        Arc::new(Self { server: Arc::clone(server), me, latency, offset: Mutex::new(None) })
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from((at - self.server.started).as_micros()).unwrap()
    }

    fn clock(&self, state: &State, at: Instant) -> u64 {
        1_000_000_000 + self.micros(at) + u64::try_from(state.step.as_micros()).unwrap()
    }

    /// Goes there and back; what is done there is done when the server gets to it, even if nobody waits for the answer any more.
    async fn exchange<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut State, u64) -> T + Send + 'static,
    ) -> Result<(u64, T), Unheard> {
        let (server, me, latency) = (Arc::clone(&self.server), self.me, self.latency);
        let wire = Self::new(&self.server, me, latency);
        let work = tokio::spawn(async move {
            sleep(latency / 2).await;
            let still = server.state().still_until;
            if let Some(until) = still {
                sleep_until(until).await;
            }
            let answer = {
                let mut state = server.state();
                if !state.up || state.cut_off.contains(&me) {
                    None
                } else {
                    let now = wire.clock(&state, Instant::now());
                    Some((now, act(&mut state, now)))
                }
            };
            sleep(latency / 2).await;
            answer
        });
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(answer) => answer.unwrap().ok_or(Unheard::Lost),
            Err(_) => Err(Unheard::Lost),
        }
    }

    fn learn(&self, now: u64, at: Instant) {
        *self.offset.lock().unwrap() = Some(i128::from(now) - i128::from(self.micros(at)));
    }
}

impl Fleet for Wire {
    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<Word, Unheard>> {
        Box::pin(async move {
            if self.offset.lock().unwrap().is_none() {
                self.reach().await?;
            }
            let offset = self.offset.lock().unwrap().unwrap();
            let sent = Instant::now();
            let valid_until = i128::from(self.micros(sent)) + offset + 50_000;
            let (me, rate) = (self.me, self.server.rate);
            let answer = self
                .exchange(move |state, now| {
                    state.beats += 1;
                    (i128::from(now) <= valid_until).then(|| state.ledger.beat(me, rate, (beat, state.run), now))
                })
                .await;
            let (now, told) = answer?;
            let heard = Instant::now();
            let slack = 40_000;
            let possible =
                i128::from(self.micros(sent)) + offset - slack..=i128::from(self.micros(heard)) + offset + slack;
            if !possible.contains(&i128::from(now)) {
                self.learn(now, heard);
                return Err(Unheard::Jumped);
            }
            told.ok_or(Unheard::Lost)
        })
    }

    fn reach(&self) -> BoxFuture<'_, Result<(), Unheard>> {
        Box::pin(async move {
            let (now, ()) = self.exchange(|_, _| ()).await?;
            self.learn(now, Instant::now());
            Ok(())
        })
    }

    fn tell(&self, news: News) -> BoxFuture<'_, Result<(), Unheard>> {
        Box::pin(async move {
            self.exchange(move |state, now| state.ledger.tell(news, now)).await?;
            self.server.nudge.notify_waiters();
            Ok(())
        })
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let me = self.me;
            let _ = self.exchange(move |state, _| state.ledger.leave(me)).await;
        })
    }

    fn nudged(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.server.nudge.notified())
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

impl Ledger {
    fn leave(&mut self, me: usize) {
        if self.members.remove(&me).is_some() {
            self.expected = self.expected.saturating_sub(1);
        }
    }

    fn tell(&mut self, news: News, now: u64) {
        match news {
            News::Paused(length) => self.paused = self.paused.max(now + us(length)),
            News::Blocked(Blocked { reason, left }) => (self.open, self.probe) = (Some((reason, now + us(left))), 0),
            News::Resumed => (self.open, self.probe) = (None, 0),
        }
    }

    fn beat(&mut self, me: usize, rate: u32, (beat, run): (Beat, u32), now: u64) -> Word {
        let interval = 1_000_000_u64.div_ceil(rate.into());
        let slower = interval * 12 / 5;
        self.members.retain(|_, member| now.saturating_sub(member.seen) <= us(FORGOTTEN));
        self.notice_a_jump(beat.replicas, run, interval, now);
        let is_new = !self.members.contains_key(&me);
        let joined = self.members.get(&me).map_or(now, |member| member.joined);
        let own = Member { joined, seen: now, share: 0, waiting: beat.live_waiting };
        self.members.insert(me, own);
        let known = u32::try_from(self.members.len()).unwrap();
        self.expected = match (now - self.born < us(FORGOTTEN), is_new) {
            (false, _) => 0,
            (true, true) => self.expected.max(beat.replicas),
            (true, false) => self.expected,
        };
        let fair = self.share(me, rate, known.max(self.expected));
        let share = if known < self.expected { fair.min(beat.share.unwrap_or(0)) } else { fair };
        self.members.get_mut(&me).unwrap().share = beat.share.map_or(share, |held| held.max(share));
        let missing = |member: &&Member| now.saturating_sub(member.seen) > us(MISSED);
        let others = || self.members.iter().filter(|(name, _)| **name != me).map(|(_, member)| member);
        let mut lent: u32 = others().filter(missing).map(|member| member.share).sum();
        if known < self.expected {
            lent += rate.saturating_sub(self.members.values().map(|member| member.share).sum());
        }
        let waiting = others().filter(|member| !missing(member) && member.waiting).count();
        let spacing = if lent == 0 {
            interval
        } else {
            rate.checked_sub(lent).filter(|rest| *rest > 0).map_or(0, |rest| 1_000_000_u64.div_ceil(rest.into()))
        };
        let horizon = (u64::from(known) + 1) * interval.max(spacing);
        let booking = self.book(beat, (spacing, slower, horizon), waiting > 0, now);
        self.last = now;
        let micros = Duration::from_micros;
        Word {
            booking,
            next_in: micros(self.free.unwrap().saturating_sub(now)),
            share,
            replicas: known.max(self.expected),
            others_waiting: u32::try_from(waiting).unwrap(),
            horizon: micros(horizon),
            paused_for: micros(self.paused.saturating_sub(now)),
            blocked: self.open.map(|(reason, until)| Blocked { reason, left: micros(until.saturating_sub(now)) }),
        }
    }

    fn notice_a_jump(&mut self, knew: u32, run: u32, interval: u64, now: u64) {
        let is_restored = std::mem::replace(&mut self.run, run) != run;
        if is_restored {
            self.expected = self.expected.max(u32::try_from(self.members.len()).unwrap());
            self.members.clear();
        }
        if self.free.is_none() || is_restored || now < self.last || now - self.last > 5 * us(MISSED) {
            let known = u32::try_from(self.members.len()).unwrap();
            self.expected = self.expected.max(knew);
            self.free = Some(now + u64::from(self.expected.max(known)) * interval + us(WINDOW) + us(MISSED) / 2);
            (self.background, self.born) = (0, now);
        }
    }

    fn share(&self, me: usize, rate: u32, count: u32) -> u32 {
        let mine = self.members[&me];
        let others = || self.members.iter().filter(|(name, _)| **name != me);
        let rank = others().filter(|(name, other)| (other.joined, **name) < (mine.joined, me)).count();
        let fair = rate / count + u32::from(u32::try_from(rank).unwrap() < rate % count);
        fair.min(rate.saturating_sub(others().map(|(_, other)| other.share).sum()))
    }

    fn book(
        &mut self,
        beat: Beat,
        (spacing, slower, horizon): (u64, u64, u64),
        others_wait: bool,
        now: u64,
    ) -> Booking {
        let Some(want) = beat.wants else { return Booking::None };
        let slot = self.free.unwrap().max(now);
        let later = |us: u64| Booking::Later { after: Duration::from_micros(us.max(1_000)) };
        let (background, missed) = (want.class == Class::Background, us(MISSED));
        match self.open {
            _ if spacing == 0 => return later(missed / 4),
            _ if self.paused > now => return later(self.paused - now),
            Some((_, until)) if until > now => return later(until - now),
            Some(_) if self.probe > now => return later(missed / 2),
            Some(_) | None => {}
        }
        if !background && slot - now > us(want.within) {
            return later(slot - now);
        }
        if slot - now > horizon {
            return later(slot - now - horizon);
        }
        if background && others_wait {
            return later(spacing);
        }
        if background && (slot > now || self.background > now) {
            return later(slot.max(self.background) - now);
        }
        self.free = Some(slot + spacing);
        if background {
            self.background = now + slower;
        }
        if self.open.is_some() {
            self.probe = now + 10 * missed;
        }
        Booking::Slot { after: Duration::from_micros(slot - now) }
    }
}
