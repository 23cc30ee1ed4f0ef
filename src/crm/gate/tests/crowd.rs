//! Many callers at once: whatever they do, the quota holds, and whoever waits has the order of the line.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep, timeout};

use super::super::Gate;
use super::{DOWN, Duration, SLOW_DOWN, all, call, gate, ms, s, spawn_call, within, worst_second};
use crate::crm::CrmError;
use crate::outcome::Class::{self, Background, Live};

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

// === background work does not get in the way ===

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

// === a wait that is too long is refused at once, and costs nothing ===

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
