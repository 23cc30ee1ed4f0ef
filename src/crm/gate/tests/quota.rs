//! The quota by itself: callers that come, wait, wake late, give up and are paused in any order.

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::line::Ticket;
use super::super::pace::GRAIN;
use super::super::quota::{Quota, Turn};
use super::super::settings::Settings;
use super::{Duration, ms, s, worst_second};
use crate::outcome::Class;

#[derive(Clone, Copy, Debug)]
enum Op {
    Pass {
        millis: u64,
    },
    Join {
        class: Class,
        patience: u64,
    },
    GiveUp {
        nth: usize,
    },
    Pause {
        seconds: u64,
    },
    /// Everybody in line looks at the clock, starting anywhere: timers do not fire in order.
    Wake {
        first: usize,
        room: bool,
    },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let class = prop_oneof![3 => Just(Class::Live), 1 => Just(Class::Background)];
    let op = prop_oneof![
        5 => prop_oneof![0_u64..5, 100_u64..180, 0_u64..1_500].prop_map(|millis| Op::Pass { millis }),
        4 => (class, prop_oneof![0_u64..400, 0_u64..10_000]).prop_map(|(class, patience)| Op::Join { class, patience }),
        1 => any::<usize>().prop_map(|nth| Op::GiveUp { nth }),
        1 => (1_u64..4).prop_map(|seconds| Op::Pause { seconds }),
        6 => (any::<usize>(), prop::bool::weighted(0.9)).prop_map(|(first, room)| Op::Wake { first, room }),
    ];
    prop::collection::vec(op, 1..300)
}

/// Callers in line and what has become of them, with the laws that hold at each step.
struct Callers {
    quota: Quota,
    now: Instant,
    paused_until: Instant,
    waiting: Vec<(Class, Ticket, Instant)>,
    admitted: Vec<(Instant, Class, Ticket)>,
}

impl Callers {
    fn new(settings: &Settings) -> Self {
        let now = Instant::now();
        Self { quota: Quota::new(settings, now), now, paused_until: now, waiting: vec![], admitted: vec![] }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Pass { millis } => self.now += ms(millis),
            Op::Join { class, patience } => self.join(class, self.now + ms(patience)),
            Op::GiveUp { nth } => {
                if !self.waiting.is_empty() {
                    let (class, ticket, _) = self.waiting.remove(nth % self.waiting.len());
                    self.quota.leave(class, ticket);
                }
            }
            Op::Pause { seconds } => {
                self.quota.pause().rate_limited(self.now, Some(s(seconds)), self.now);
                self.paused_until = self.paused_until.max(self.now + s(seconds));
                assert_eq!(self.quota.paused_until(self.now), Some(self.paused_until));
            }
            Op::Wake { first, room } => self.wake(first, room),
        }
    }

    fn join(&mut self, class: Class, until: Instant) {
        // Those whose time is past are gone whether or not somebody comes.
        let _ = self.quota.join(class, self.now - ms(1), self.now).expect_err("too late for anything");
        let before = self.quota.clone();
        match self.quota.join(class, until, self.now) {
            Ok(ticket) => self.waiting.push((class, ticket, until)),
            Err(_) => assert_eq!(self.quota, before, "a refusal leaves no trace"),
        }
    }

    fn wake(&mut self, first: usize, room: bool) {
        let mut order = std::mem::take(&mut self.waiting);
        let count = order.len().max(1);
        order.rotate_left(first % count);
        for (class, ticket, until) in order {
            match self.quota.turn(class, ticket, room, self.now) {
                Turn::At(at) => {
                    assert!(at > self.now, "or the caller would spin");
                    self.waiting.push((class, ticket, until));
                }
                Turn::Now => self.admit(class, ticket, until),
                Turn::Refused { wait } => assert!(self.now + wait > until),
            }
        }
        self.waiting.sort_by_key(|&(_, ticket, _)| ticket);
    }

    fn admit(&mut self, class: Class, ticket: Ticket, until: Instant) {
        assert!(self.now <= until, "never after the caller's time");
        assert!(self.now >= self.paused_until, "never in a pause");
        let before = self.admitted.iter().rev().find(|&&(_, other, _)| other == class);
        assert!(before.is_none_or(|&(_, _, earlier)| earlier < ticket), "in the order they came");
        self.admitted.push((self.now, class, ticket));
    }
}

proptest! {
    #[test]
    fn no_sliding_second_sees_more_than_the_rate_and_one(rate in 1_u32..=20, ops in ops()) {
        let settings = Settings { rate, ..Settings::default() };
        let mut callers = Callers::new(&settings);
        ops.into_iter().for_each(|op| callers.apply(op));
        let all: Vec<_> = callers.admitted.iter().map(|&(at, ..)| at).collect();
        prop_assert!(worst_second(&all) <= rate as usize + 1);
        let own = |(at, class, _): &(Instant, Class, Ticket)| (*class == Class::Background).then_some(*at);
        let background: Vec<_> = callers.admitted.iter().filter_map(own).collect();
        let share = (f64::from(rate) * settings.background_share).ceil() as usize;
        prop_assert!(worst_second(&background) <= share + 1);
    }

    #[test]
    fn background_work_costs_a_live_call_at_most_one_slot(gaps in prop::collection::vec(0_u64..900, 1..60)) {
        let alone = punctual(&gaps, false);
        let beside = punctual(&gaps, true);
        let slot = Settings::default().interval() + GRAIN;
        for (alone, beside) in alone.into_iter().zip(beside) {
            prop_assert!(beside <= alone + slot, "waited {beside:?}, alone {alone:?}");
        }
    }

    #[test]
    fn whoever_is_given_a_place_is_served_when_all_are_punctual(gaps in prop::collection::vec(0_u64..200, 1..60)) {
        // `punctual` panics if a booked call is refused.
        prop_assert_eq!(punctual(&gaps, true).len(), gaps.len());
    }
}

/// Live calls come after these gaps, and everybody looks at the clock exactly when told to; background calls, if any, never run out.
/// Returns how long each live call waited.
fn punctual(gaps: &[u64], background: bool) -> Vec<Duration> {
    let start = Instant::now();
    let mut quota = Quota::new(&Settings::default(), start);
    let far = start + s(3_600);
    let arrivals = gaps.iter().scan(start, |at, &gap| {
        *at += ms(gap);
        Some(*at)
    });
    let mut coming = arrivals.collect::<std::collections::VecDeque<_>>();
    let mut line: Vec<(Class, Ticket, Instant)> = vec![];
    let (mut now, mut waits) = (start, vec![]);
    while waits.len() < gaps.len() {
        while coming.front().is_some_and(|&at| at <= now) {
            let came = coming.pop_front().expect("just seen");
            line.push((Class::Live, quota.join(Class::Live, far, now).expect("patient"), came));
        }
        if background && !line.iter().any(|&(class, ..)| class == Class::Background) {
            line.push((Class::Background, quota.join(Class::Background, far, now).expect("patient"), now));
        }
        let mut next = coming.front().copied().unwrap_or(far);
        line.retain(|&(class, ticket, came)| match quota.turn(class, ticket, true, now) {
            Turn::Now => {
                if class == Class::Live {
                    waits.push(now - came);
                } else {
                    next = now;
                }
                false
            }
            Turn::At(at) => {
                next = next.min(at);
                true
            }
            Turn::Refused { .. } => panic!("a patient call was refused"),
        });
        now = next;
    }
    waits
}

fn quota() -> (Quota, Instant) {
    let now = Instant::now();
    (Quota::new(&Settings::default(), now), now)
}

#[test]
fn idle_time_is_not_saved_up_for_a_burst() {
    let (mut quota, start) = quota();
    let mut now = start + s(3_600);
    let tickets: Vec<_> =
        (0..60).map(|_| quota.join(Class::Live, now + s(60), now).expect("within a minute")).collect();
    let mut admitted = vec![];
    for ticket in tickets {
        loop {
            match quota.turn(Class::Live, ticket, true, now) {
                Turn::Now => break admitted.push(now),
                Turn::At(at) => now = at,
                Turn::Refused { .. } => panic!("a patient call was refused"),
            }
        }
    }
    assert!(worst_second(&admitted) <= 7);
    let took = admitted[59] - admitted[0];
    assert!(took >= ms(9_800) && took <= ms(9_840), "{took:?}");
}

#[test]
fn a_sleeper_that_wakes_late_does_not_pull_the_next_ones_together() {
    let (mut quota, start) = quota();
    let tickets: Vec<_> = (0..3).map(|_| quota.join(Class::Live, start + s(60), start).expect("room")).collect();
    let late = start + ms(500);
    assert_eq!(quota.turn(Class::Live, tickets[0], true, late), Turn::Now);
    let Turn::At(next) = quota.turn(Class::Live, tickets[1], true, late) else { panic!("it was due long ago") };
    assert!(next >= late + ms(164), "{:?}", next - late);
    assert_eq!(quota.turn(Class::Live, tickets[1], true, next), Turn::Now);
}

#[test]
fn a_place_given_up_moves_the_others_up() {
    let (mut quota, now) = quota();
    let tickets: Vec<_> = (0..4).map(|_| quota.join(Class::Live, now + s(9), now).expect("room")).collect();
    let before = quota.turn(Class::Live, tickets[3], true, now);
    quota.leave(Class::Live, tickets[1]);
    let after = quota.turn(Class::Live, tickets[3], true, now);
    let (Turn::At(before), Turn::At(after)) = (before, after) else { panic!("both wait") };
    assert_eq!(before - after, Settings::default().interval());
}

#[test]
fn a_caller_that_stopped_looking_holds_the_others_up_only_until_its_own_time() {
    let (mut quota, now) = quota();
    let _forgotten = quota.join(Class::Live, now + s(1), now).expect("room");
    let second = quota.join(Class::Live, now + s(9), now).expect("room");
    assert!(matches!(quota.turn(Class::Live, second, true, now + s(1)), Turn::At(_)));
    assert_eq!(quota.turn(Class::Live, second, true, now + ms(1_001)), Turn::Now);
}

#[test]
fn a_full_line_refuses_the_next() {
    let now = Instant::now();
    let mut quota = Quota::new(&Settings { max_waiting: 2, ..Settings::default() }, now);
    let mut join = || quota.join(Class::Live, now + s(60), now);
    assert!(join().is_ok() && join().is_ok());
    assert_eq!(join(), Err(Settings::default().interval() * 2));
}
