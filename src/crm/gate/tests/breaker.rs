//! The breaker against its description: what may pass, what opens and closes it, and for how long.

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::breaker::{Breaker, BreakerState, Change, Clearance, Reason};
use super::super::settings::BreakerSettings;
use super::{Duration, ms, s};
use crate::crm::CrmError;
use crate::outcome::Class;

const DOWN: CrmError = CrmError::Server { status: 503 };

#[derive(Clone, Debug)]
enum Op {
    Pass(u64),
    Enter(Class),
    Settle(usize, Option<CrmError>),
    Abandon(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let error = prop_oneof![
        6 => Just(DOWN), 3 => Just(CrmError::Timeout), 1 => Just(CrmError::Malformed { what: "test" }),
        1 => Just(CrmError::Blocked), 1 => Just(CrmError::Unauthorized), 1 => Just(CrmError::WrongHost),
        1 => Just(CrmError::Forbidden), 1 => Just(CrmError::RateLimited { retry_after: None }),
    ];
    let op = prop_oneof![
        4 => prop_oneof![5 => 0_u64..500, 1 => 0_u64..70_000].prop_map(Op::Pass),
        6 => prop_oneof![5 => Just(Class::Live), 1 => Just(Class::Background)].prop_map(Op::Enter),
        6 => (any::<usize>(), prop::option::of(error)).prop_map(|(nth, error)| Op::Settle(nth, error)),
        1 => any::<usize>().prop_map(Op::Abandon),
    ];
    prop::collection::vec(op, 1..400)
}

/// The breaker told as a history: nothing is counted ahead, everything is looked up when asked.
struct Model {
    /// Results that counted since the last change of state.
    counted: Vec<(Instant, bool)>,
    open: Option<(Reason, Instant)>,
    probe: Option<Clearance>,
    trips_since_closed: Vec<Reason>,
}

impl Model {
    fn length(&self, reason: Reason) -> Duration {
        let before = self.trips_since_closed.iter().filter(|&&trip| trip == reason).count();
        let (first, most) = match reason {
            Reason::Failures => (5, 60),
            Reason::Blocked => (60, 600),
            Reason::Credentials => (30, 30),
            Reason::Payment | Reason::WrongHost => (60, 60),
        };
        s((0..before).fold(first, |length, _| (length * 2).min(most)))
    }

    fn open(&mut self, reason: Reason, now: Instant) -> Option<Change> {
        let length = self.length(reason);
        self.trips_since_closed.push(reason);
        (self.open, self.probe) = (Some((reason, now + length)), None);
        self.counted.clear();
        Some(Change::Opened { reason, length })
    }

    /// `current`: the call was let in since the last change of state.
    fn settle(&mut self, call: Clearance, current: bool, error: Option<&CrmError>, now: Instant) -> Option<Change> {
        let fatal = match error {
            Some(CrmError::Blocked) => Some(Reason::Blocked),
            Some(CrmError::Unauthorized) => Some(Reason::Credentials),
            Some(CrmError::WrongHost) => Some(Reason::WrongHost),
            _ => None,
        };
        let failed = matches!(error, Some(CrmError::Server { .. } | CrmError::Timeout | CrmError::Malformed { .. }));
        let is_probe = self.probe == Some(call);
        if is_probe {
            self.probe = None;
        }
        match (self.open, fatal) {
            _ if matches!(error, Some(CrmError::RateLimited { .. })) => None,
            (Some((known, until)), Some(fatal)) if !is_probe => {
                let graver = fatal != known && now + self.length(fatal) > until;
                if graver { self.open(fatal, now) } else { None }
            }
            (_, Some(fatal)) if current => self.open(fatal, now),
            (Some(_), None) if is_probe && failed => self.open(Reason::Failures, now),
            (Some((reason, _)), None) if is_probe => {
                (self.open, self.trips_since_closed) = (None, vec![]);
                self.counted.clear();
                Some(Change::Closed { reason })
            }
            (None, None) if current => {
                self.counted.push((now, failed));
                let lately: Vec<_> = self.counted.iter().filter(|(at, _)| now - *at <= s(30)).collect();
                let failures = lately.iter().filter(|(_, failed)| *failed).count();
                let too_many = failed && lately.len() >= 10 && failures * 2 >= lately.len();
                if too_many { self.open(Reason::Failures, now) } else { None }
            }
            _ => None,
        }
    }
}

/// How long after the open time a call of this class may probe.
fn patience(class: Class) -> Duration {
    if class == Class::Live { s(0) } else { s(30) }
}

proptest! {
    #[test]
    fn the_breaker_does_what_its_description_says(ops in ops()) {
        let mut breaker = Breaker::new(BreakerSettings::default());
        let mut model = Model { counted: vec![], open: None, probe: None, trips_since_closed: vec![] };
        let mut now = Instant::now();
        let mut calls: Vec<(Clearance, u32)> = vec![];
        let mut changes = 0;
        for op in ops {
            match op {
                Op::Pass(millis) => now += ms(millis),
                Op::Enter(class) => match (breaker.enter(class, now), model.open) {
                    (Ok(call), None) => {
                        prop_assert!(!call.probe);
                        calls.push((call, changes));
                    }
                    (Ok(call), Some((_, until))) => {
                        prop_assert!(call.probe && model.probe.is_none(), "one probe at a time");
                        prop_assert!(now >= until + patience(class));
                        model.probe = Some(call);
                        calls.push((call, changes));
                    }
                    (Err(retry_after), open) => {
                        let (_, until) = open.expect("nobody is refused while it is closed");
                        let opens = until + patience(class);
                        let expected = if now < opens { opens - now } else { s(1) };
                        prop_assert_eq!(retry_after, expected);
                        prop_assert!(now < opens || model.probe.is_some());
                    }
                },
                Op::Settle(nth, error) if !calls.is_empty() => {
                    let (call, then) = calls.swap_remove(nth % calls.len());
                    let expected = model.settle(call, then == changes, error.as_ref(), now);
                    let change = breaker.settle(call, error.as_ref().map_or(Ok(()), Err), now);
                    prop_assert_eq!(change, expected);
                    changes += u32::from(change.is_some());
                }
                Op::Abandon(nth) if !calls.is_empty() => {
                    let (call, _) = calls.swap_remove(nth % calls.len());
                    model.probe = model.probe.filter(|&probe| probe != call);
                    breaker.abandon(call);
                }
                Op::Settle(..) | Op::Abandon(_) => {}
            }
            let expected = match model.open {
                None => BreakerState::Closed,
                Some((reason, until)) if now < until => BreakerState::Open { reason, retry_after: until - now },
                Some((reason, _)) => BreakerState::HalfOpen { reason },
            };
            prop_assert_eq!(breaker.report(now), expected);
        }
    }
}

fn breaker() -> (Breaker, Instant) {
    (Breaker::new(BreakerSettings::default()), Instant::now())
}

fn call(breaker: &mut Breaker, result: Result<(), &CrmError>, now: Instant) -> Option<Change> {
    let clearance = breaker.enter(Class::Live, now).expect("let in");
    breaker.settle(clearance, result, now)
}

#[test]
fn half_of_ten_calls_failing_opens_it_and_nine_calls_say_nothing() {
    let (mut breaker, now) = breaker();
    (0..5).for_each(|_| assert_eq!(call(&mut breaker, Ok(()), now), None));
    (0..4).for_each(|_| assert_eq!(call(&mut breaker, Err(&DOWN), now), None));
    let opened = call(&mut breaker, Err(&DOWN), now);
    assert_eq!(opened, Some(Change::Opened { reason: Reason::Failures, length: s(5) }));
}

#[test]
fn failures_of_half_a_minute_ago_do_not_count() {
    let (mut breaker, now) = breaker();
    (0..9).for_each(|_| assert_eq!(call(&mut breaker, Err(&DOWN), now), None));
    assert_eq!(call(&mut breaker, Err(&DOWN), now + ms(30_001)), None);
}

#[test]
fn eight_blocked_calls_are_one_block() {
    let (mut breaker, now) = breaker();
    let calls: Vec<_> = (0..8).map(|_| breaker.enter(Class::Live, now).expect("closed")).collect();
    let opened = calls.into_iter().filter_map(|call| breaker.settle(call, Err(&CrmError::Blocked), now));
    assert_eq!(opened.collect::<Vec<_>>(), [Change::Opened { reason: Reason::Blocked, length: s(60) }]);
}

#[test]
fn a_failed_probe_doubles_the_time_and_a_good_one_resets_it() {
    let (mut breaker, mut now) = breaker();
    for expected in [60, 120, 240, 480, 600, 600] {
        let opened = call(&mut breaker, Err(&CrmError::Blocked), now);
        assert_eq!(opened, Some(Change::Opened { reason: Reason::Blocked, length: s(expected) }));
        now += s(expected);
    }
    assert_eq!(call(&mut breaker, Ok(()), now), Some(Change::Closed { reason: Reason::Blocked }));
    let opened = call(&mut breaker, Err(&CrmError::Blocked), now);
    assert_eq!(opened, Some(Change::Opened { reason: Reason::Blocked, length: s(60) }));
}

#[test]
fn a_late_success_does_not_close_it() {
    let (mut breaker, now) = breaker();
    let early = breaker.enter(Class::Live, now).expect("closed");
    assert!(call(&mut breaker, Err(&CrmError::Blocked), now).is_some());
    assert_eq!(breaker.settle(early, Ok(()), now), None);
    assert_eq!(breaker.enter(Class::Live, now), Err(s(60)));
}

#[test]
fn without_live_calls_a_background_call_probes_in_the_end() {
    let (mut breaker, now) = breaker();
    assert!(call(&mut breaker, Err(&CrmError::Unauthorized), now).is_some());
    assert_eq!(breaker.enter(Class::Background, now + s(30)), Err(s(30)));
    assert!(breaker.enter(Class::Background, now + s(60)).is_ok_and(|clearance| clearance.probe));
}

#[test]
fn a_refused_right_or_request_does_not_open_it() {
    let (mut breaker, now) = breaker();
    for error in [CrmError::Forbidden, CrmError::Rejected { status: 422 }] {
        (0..50).for_each(|_| assert_eq!(call(&mut breaker, Err(&error), now), None));
    }
}
