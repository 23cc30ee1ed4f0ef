//! What the CRM says to one call holds for all: pauses, blocks, refusals, and the one probe that ends them.

use std::sync::Arc;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::{BreakerState, Reason};
use super::{BLOCKED, SLOW_DOWN, all, call, gate, ms, s, spawn_call, within, worst_second};
use crate::crm::CrmError;
use crate::outcome::Class::{Background, Live};

#[tokio::test(start_paused = true)]
async fn a_429_pauses_everybody_also_those_who_wait_already() {
    let gate = gate();
    let began = Instant::now();
    let refused = gate.admit(Live, within(s(8))).await.expect("first");
    let patient: Vec<_> = (0..3).map(|_| spawn_call(&gate, Live, s(20))).collect();
    let impatient = {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { (call(&gate, Live, s(2), Ok(())).await, Instant::now()) })
    };
    let background = spawn_call(&gate, Background, s(20));
    sleep(ms(100)).await;
    refused.settle(Err(&CrmError::RateLimited { retry_after: Some(s(5)) }));

    let (ended, at) = impatient.await.expect("no panic");
    assert!(matches!(ended, Err(CrmError::QuotaExhausted { wait }) if wait >= s(5)));
    assert_eq!(at - began, ms(100), "told when the pause began, not when its patience ended");
    assert_eq!(gate.state().paused_for, Some(s(5)));
    let mut admitted: Vec<_> =
        all(patient).await.into_iter().map(|patient| patient.expect("after the pause")).collect();
    admitted.push(background.await.expect("no panic").expect("after the pause"));
    assert!(admitted.iter().all(|&at| at - began >= ms(5_100)), "nobody in the pause");
    assert!(admitted.is_sorted() && worst_second(&admitted) <= 7 && admitted[1] - admitted[0] >= ms(164));
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_wait_out_a_pause_makes_room_for_those_behind() {
    let gate = gate();
    let refused = gate.admit(Live, within(s(8))).await.expect("first");
    let mut impatient = Box::pin(gate.admit(Live, within(s(2))));
    let mut patient = Box::pin(gate.admit(Live, within(s(20))));
    let mut look = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(impatient.as_mut().poll(&mut look).is_pending() && patient.as_mut().poll(&mut look).is_pending());
    let ends = within(s(5));
    refused.settle(Err(&CrmError::RateLimited { retry_after: Some(s(5)) }));

    // The one behind looks first, and still sees the other ahead.
    assert!(patient.as_mut().poll(&mut look).is_pending());
    assert!(impatient.as_mut().poll(&mut look).is_ready());
    patient.await.expect("after the pause").settle(Ok(()));
    assert_eq!(Instant::now(), ends, "in the first slot, not the second");
}

#[tokio::test(start_paused = true)]
async fn repeated_429s_double_the_pause_until_a_call_succeeds() {
    let gate = gate();
    let mut pauses = vec![];
    for _ in 0..6 {
        call(&gate, Live, s(60), Err(&SLOW_DOWN)).await.expect("after the pause");
        pauses.push(gate.state().paused_for.expect("paused").as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30]);
    call(&gate, Live, s(60), Ok(())).await.expect("after the pause");
    call(&gate, Live, s(60), Err(&SLOW_DOWN)).await.expect("no pause any more");
    assert_eq!(gate.state().paused_for, Some(s(1)));
    assert_eq!(gate.state().breaker, BreakerState::Closed, "it is a pause, not an outage");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_address_suspends_all_calls_also_those_who_wait_already() {
    let gate = gate();
    let pass = gate.admit(Live, within(s(8))).await.expect("first");
    let waiting: Vec<_> = [Live, Live, Background].map(|class| spawn_call(&gate, class, s(8))).into();
    sleep(ms(10)).await;
    pass.settle(Err(&BLOCKED));
    let suspended = Err(CrmError::Suspended { retry_after: s(60) });
    let ended = all(waiting).await;
    assert_eq!(ended[..2], [suspended, suspended]);
    assert_eq!(ended[2], Err(CrmError::Suspended { retry_after: s(90) }), "a live call probes first");
    assert_eq!(call(&gate, Live, s(8), Ok(())).await, suspended);
    assert!(!gate.may_retry());
    assert_eq!(gate.state().breaker, BreakerState::Open { reason: Reason::Blocked, retry_after: s(60) });

    sleep(s(60)).await;
    call(&gate, Live, s(1), Ok(())).await.expect("the probe");
    assert_eq!(gate.state().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_told_until_a_call_succeeds() {
    let gate = gate();
    assert!(!gate.credentials_refused());
    call(&gate, Live, s(1), Err(&CrmError::Unauthorized)).await.expect("first");
    assert!(gate.credentials_refused());
    let state = BreakerState::Open { reason: Reason::Credentials, retry_after: s(30) };
    assert_eq!(gate.state().breaker, state);
    sleep(s(30)).await;
    call(&gate, Live, s(1), Ok(())).await.expect("the probe");
    assert!(!gate.credentials_refused());
    call(&gate, Live, s(1), Err(&CrmError::Unauthorized)).await.expect("closed");
    assert!(!gate.credentials_refused(), "they have worked: a rollout did not bring them");
}

// === probes, calls in flight, retries ===

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time_and_a_cancelled_one_makes_room_for_the_next() {
    let gate = gate();
    call(&gate, Live, s(1), Err(&BLOCKED)).await.expect("first");
    sleep(s(60)).await;
    let probe = gate.admit(Live, within(s(1))).await.expect("the probe");
    assert_eq!(gate.state().breaker, BreakerState::HalfOpen { reason: Reason::Blocked });
    let other = gate.admit(Live, within(s(1))).await;
    assert!(matches!(other, Err(CrmError::Suspended { .. })));
    drop(probe);

    // A probe that is cancelled while it waits for its slot.
    assert!(timeout(ms(10), gate.admit(Live, within(s(1)))).await.is_err());
    let probe = gate.admit(Live, within(s(1))).await.expect("the next probe");
    probe.settle(Ok(()));
    assert_eq!(gate.state().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_the_quota_refuses_leaves_the_probe_to_the_next() {
    let gate = gate();
    let paused = gate.admit(Live, within(s(1))).await.expect("first");
    let blocked = gate.admit(Live, within(s(1))).await.expect("second");
    paused.settle(Err(&CrmError::RateLimited { retry_after: Some(s(90)) }));
    blocked.settle(Err(&BLOCKED));
    sleep(s(60)).await;
    for _ in 0..2 {
        let refused = gate.admit(Live, within(s(1))).await;
        assert!(matches!(refused, Err(CrmError::QuotaExhausted { .. })), "the pause is in the way, no probe");
    }
    gate.admit(Live, within(s(60))).await.expect("the probe").settle(Ok(()));
    assert_eq!(gate.state().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_hung_crm_holds_eight_calls_and_two_of_them_in_the_background() {
    let gate = gate();
    let mut held = vec![];
    for class in [Background, Background, Live, Live, Live, Live, Live] {
        held.push(gate.admit(class, within(s(8))).await.expect("room"));
    }
    let third = gate.admit(Background, within(s(1))).await;
    assert!(matches!(third, Err(CrmError::QuotaExhausted { .. })), "the rest is for live calls");
    held.push(gate.admit(Live, within(s(8))).await.expect("room"));
    assert_eq!(gate.state().in_flight, 8);

    let ninth = spawn_call(&gate, Live, s(3));
    let frees = within(s(2));
    sleep_until(frees).await;
    held.pop();
    assert_eq!(ninth.await.expect("no panic"), Ok(frees), "as soon as one has ended");
    held.push(gate.admit(Live, within(s(1))).await.expect("room"));
    let came = Instant::now();
    let tenth = gate.admit(Live, within(s(3))).await;
    assert!(matches!(tenth, Err(CrmError::QuotaExhausted { .. })));
    assert!(came.elapsed() >= s(3) && came.elapsed() <= ms(3_002), "{:?}", came.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_call_in_ten_may_be_retried() {
    let gate = gate();
    while gate.may_retry() {}
    let mut retries = 0;
    for _ in 0..100 {
        call(&gate, Live, s(1), Ok(())).await.expect("room");
        retries += u32::from(gate.may_retry());
    }
    assert!((9..=10).contains(&retries), "{retries}");
}
