//! The whole gate on a paused clock: many callers at once, each with its own patience.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use proptest::prelude::*;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep, sleep_until, timeout};

use super::super::{BreakerState, Gate, Reason, Settings};
use super::{Duration, ms, s, worst_second};
use crate::crm::CrmError;
use crate::metrics::Metrics;
use crate::outcome::Class::{self, Background, Live};

const BLOCKED: CrmError = CrmError::Blocked;
const DOWN: CrmError = CrmError::Server { status: 503 };
const SLOW_DOWN: CrmError = CrmError::RateLimited { retry_after: None };

fn gate() -> Arc<Gate> {
    Arc::new(Gate::new(Settings::default(), Arc::new(Metrics::new())))
}

fn within(patience: Duration) -> Instant {
    Instant::now() + patience
}

/// A call that ends at once. Returns when it was admitted.
async fn call(
    gate: &Gate,
    class: Class,
    patience: Duration,
    result: Result<(), &CrmError>,
) -> Result<Instant, CrmError> {
    let pass = gate.admit(class, within(patience)).await?;
    pass.settle(result);
    Ok(Instant::now())
}

fn spawn_call(gate: &Arc<Gate>, class: Class, patience: Duration) -> JoinHandle<Result<Instant, CrmError>> {
    let gate = Arc::clone(gate);
    tokio::spawn(async move { call(&gate, class, patience, Ok(())).await })
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    join_all(tasks).await.into_iter().map(|task| task.expect("no task panics")).collect()
}

// === 11: the quota holds under any schedule ===

#[derive(Clone, Debug)]
struct Caller {
    comes_after: u64,
    class: Class,
    patience: u64,
    gives_up_after: Option<u64>,
    holds: u64,
    result: Result<(), CrmError>,
}

fn caller() -> impl Strategy<Value = Caller> {
    let result = prop_oneof![
        8 => Just(Ok(())), 1 => Just(Err(SLOW_DOWN)), 1 => Just(Err(DOWN)),
        1 => Just(Err(CrmError::RateLimited { retry_after: Some(s(2)) })),
    ];
    let class = prop_oneof![3 => Just(Live), 1 => Just(Background)];
    (0_u64..20_000, class, 0_u64..12_000, prop::option::weighted(0.2, 0_u64..3_000), 0_u64..3_000, result).prop_map(
        |(comes_after, class, patience, gives_up_after, holds, result)| Caller {
            // Every second one comes with the crowd.
            comes_after: if comes_after % 2 == 0 { 3_000 } else { comes_after },
            class,
            patience,
            gives_up_after,
            holds,
            result,
        },
    )
}

async fn act(gate: Arc<Gate>, caller: Caller, log: Arc<Mutex<Vec<Instant>>>) {
    sleep(ms(caller.comes_after)).await;
    let until = within(ms(caller.patience));
    let given_up = caller.gives_up_after.map_or(s(3_600), ms);
    if let Ok(Ok(pass)) = timeout(given_up, gate.admit(caller.class, until)).await {
        assert!(Instant::now() <= until, "admitted in time");
        log.lock().expect("no panics").push(Instant::now());
        sleep(ms(caller.holds)).await;
        match caller.result {
            Err(DOWN) => drop(pass),
            result => pass.settle(result.as_ref().copied()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_sliding_second_keeps_the_quota_and_nothing_leaks(
        callers in prop::collection::vec(caller(), 1..150), stalls in prop::collection::vec(0_u64..2_000, 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let (gate, log) = (gate(), Arc::new(Mutex::new(vec![])));
            let tasks = callers.into_iter().map(|caller| tokio::spawn(act(Arc::clone(&gate), caller, Arc::clone(&log))));
            let tasks: Vec<_> = tasks.collect();
            for stall in stalls {
                sleep(ms(700)).await;
                // The machine stands still: every sleeper that was due wakes late, and all at once.
                advance(ms(stall)).await;
            }
            all(tasks).await;
            let admitted = std::mem::take(&mut *log.lock().expect("no panics"));
            assert!(worst_second(&admitted) <= 7, "{}", worst_second(&admitted));
            assert_eq!(gate.state().in_flight, 0);
            sleep(s(60)).await;
            assert_eq!(gate.state().live_wait, Duration::ZERO, "nobody is left in line");
            assert!(call(&gate, Live, Duration::ZERO, Ok(())).await.is_ok());
        });
    }
}

#[tokio::test(start_paused = true)]
async fn sixty_callers_after_an_idle_hour_are_served_in_order_or_told_at_once() {
    let gate = gate();
    sleep(s(3_600)).await;
    let began = Instant::now();
    let tasks = (0..60).map(|_| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { (call(&gate, Live, s(8), Ok(())).await, began.elapsed()) })
    });
    let ended = all(tasks.collect()).await;

    let admitted: Vec<_> = ended.iter().filter_map(|(admitted, _)| admitted.as_ref().ok().copied()).collect();
    assert_eq!(admitted.len(), 48, "as many as fit in eight seconds");
    assert!(admitted.is_sorted(), "first come, first served");
    assert!(worst_second(&admitted) <= 7);
    for (refused, after) in &ended[48..] {
        assert!(matches!(refused, Err(CrmError::QuotaExhausted { wait }) if *wait > ms(7_990)));
        assert_eq!(*after, Duration::ZERO, "told at once");
    }
}

#[tokio::test(start_paused = true)]
async fn many_cancelled_waiters_leave_no_gap() {
    let gate = gate();
    let patient = |gate: &Arc<Gate>| spawn_call(gate, Live, s(60));
    let first = patient(&gate);
    let impatient: Vec<_> = (0..200).map(|_| patient(&gate)).collect();
    let last = patient(&gate);
    sleep(ms(50)).await;
    impatient.iter().for_each(JoinHandle::abort);

    let first = first.await.expect("not aborted").expect("admitted");
    let last = last.await.expect("not aborted").expect("admitted");
    assert!(last - first <= ms(167), "{:?}", last - first);
}

// === 12: background work does not get in the way ===

#[tokio::test(start_paused = true)]
async fn greedy_background_work_adds_at_most_one_slot_to_the_live_wait() {
    let alone = live_p95(false).await;
    let beside = live_p95(true).await;
    assert!(beside <= alone + ms(168), "p95 {beside:?} beside background work, {alone:?} alone");
}

/// The 95th percentile of the quota wait of 400 live calls, three a second at random.
async fn live_p95(greedy: bool) -> Duration {
    let gate = gate();
    let background = greedy.then(|| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            loop {
                let ends = call(&gate, Background, s(30), Ok(())).await;
                ends.expect("it is served sometime");
            }
        })
    });
    let mut random = fastrand::Rng::with_seed(7);
    let mut live = vec![];
    for _ in 0..400 {
        sleep(ms(random.u64(0..667))).await;
        let gate = Arc::clone(&gate);
        live.push(tokio::spawn(async move {
            let came = Instant::now();
            call(&gate, Live, s(30), Ok(())).await.expect("patient") - came
        }));
    }
    let mut waits = all(live).await;
    if let Some(background) = background {
        assert!(!background.is_finished(), "background work went on");
        background.abort();
    }
    waits.sort();
    waits[380]
}

#[tokio::test(start_paused = true)]
async fn background_work_goes_at_its_own_pace_and_starves_first() {
    let gate = gate();
    let began = Instant::now();
    for _ in 0..26 {
        call(&gate, Background, s(5), Ok(())).await.expect("nobody else is there");
    }
    assert!(began.elapsed() >= s(10), "2.5 a second, not 6: {:?}", began.elapsed());

    let live: Vec<_> = (0..30).map(|_| spawn_call(&gate, Live, s(10))).collect();
    sleep(ms(1)).await;
    let refused = call(&gate, Background, s(2), Ok(())).await;
    assert!(matches!(refused, Err(CrmError::QuotaExhausted { .. })), "five seconds of live calls are ahead");
    let waited = call(&gate, Background, s(10), Ok(())).await.expect("after the live calls");
    assert!(all(live).await.into_iter().all(|live| live.expect("admitted") < waited));
}

// === 13: a wait that is too long is refused at once, and costs nothing ===

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_is_refused_at_once_and_uses_no_slot() {
    let gate = gate();
    let booked: Vec<_> = (0..7).map(|_| spawn_call(&gate, Live, s(8))).collect();
    sleep(ms(1)).await;
    let (now, before) = (Instant::now(), gate.state());
    for _ in 0..100 {
        let refused = gate.admit(Live, within(ms(900))).await;
        assert!(matches!(refused, Err(CrmError::QuotaExhausted { wait }) if wait > ms(900)));
    }
    assert_eq!(Instant::now(), now, "at once");
    assert_eq!(gate.state(), before, "no slot used");
    assert!(all(booked).await.into_iter().all(|booked| booked.is_ok()), "the booked ones keep theirs");
}

// === 14: what the CRM says to one call holds for all ===

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

// === half-open, in flight, retries ===

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

// === what is told ===

/// A subscriber's output, kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_in_two_lines_and_one_gauge_however_many_calls_it_hits() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let metrics = Arc::new(Metrics::new());
    let gate = Gate::new(Settings::default(), Arc::clone(&metrics));
    let exposed = |line: &str| metrics.encode().expect("encodes").lines().any(|exposed| exposed == line);

    for _ in 0..10 {
        call(&gate, Live, s(1), Err(&DOWN)).await.expect("room");
    }
    for _ in 0..500 {
        call(&gate, Live, s(1), Ok(())).await.expect_err("suspended");
    }
    assert!(exposed("callcard_upstream_breaker_open 1"));
    sleep(s(5)).await;
    call(&gate, Live, s(1), Ok(())).await.expect("the probe");
    call(&gate, Live, ms(1), Ok(())).await.expect_err("no slot in a millisecond");

    assert!(exposed("callcard_upstream_breaker_open 0"));
    assert!(exposed("callcard_upstream_quota_refusals_total{class=\"live\"} 1"));
    assert!(exposed("callcard_upstream_quota_wait_seconds_count{class=\"live\"} 11"));
    let told = String::from_utf8(lines.0.lock().expect("no panics").clone()).expect("text");
    let told: Vec<_> = told.lines().map(|line| line.split_once(": ").expect("a target").1).collect();
    assert_eq!(
        told,
        [
            "calls to the CRM are suspended reason=\"failures\" seconds=5.0",
            "calls to the CRM are resumed reason=\"failures\"",
        ]
    );
}
