//! Several gates over one ledger: whatever befalls the ledger, no closed second sees more than `rate + 1` calls of all of them together.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::{Gate, Settings, Standing};
use super::ledger::{Server, Wire};
use super::{ms, s, worst_second};
use crate::crm::CrmError;
use crate::metrics::Metrics;
use crate::outcome::Class;

const RATE: u32 = 6;

/// Replicas under test, and when any of them called.
struct World {
    server: Arc<Server>,
    gates: Vec<Arc<Gate>>,
    calls: Arc<Mutex<Vec<Instant>>>,
}

impl World {
    fn new(replicas: usize) -> Self {
        let server = Server::new(RATE);
        let mut world = Self { server, gates: Vec::new(), calls: Arc::default() };
        (0..replicas).for_each(|_| world.start());
        world
    }

    /// One replica more.
    fn start(&mut self) {
        let me = self.gates.len();
        let wire = Wire::new(&self.server, me, ms(1 + 2 * me as u64));
        let settings = Settings { rate: RATE, ..Settings::default() };
        self.gates.push(Arc::new(Gate::in_fleet(settings, Arc::new(Metrics::new()), wire)));
    }

    /// Each replica has as many callers as it can bear until then.
    fn load(&self, class: Class, until: Instant) {
        for gate in &self.gates {
            Self::press(gate, &self.calls, class, until);
        }
    }

    fn press(gate: &Arc<Gate>, calls: &Arc<Mutex<Vec<Instant>>>, class: Class, until: Instant) {
        for _ in 0..3 {
            let (gate, calls) = (Arc::clone(gate), Arc::clone(calls));
            tokio::spawn(async move {
                while Instant::now() < until {
                    match gate.admit(class, Instant::now() + s(2)).await {
                        Ok(pass) => {
                            calls.lock().unwrap().push(Instant::now());
                            sleep(ms(30)).await;
                            pass.settle(Ok(()));
                        }
                        Err(_) => sleep(ms(50)).await,
                    }
                }
            });
        }
    }

    fn calls(&self) -> Vec<Instant> {
        self.calls.lock().unwrap().clone()
    }

    fn calls_between(&self, from: Instant, to: Instant) -> usize {
        self.calls().iter().filter(|at| from <= **at && **at < to).count()
    }

    fn assert_quota_kept(&self) {
        let worst = worst_second(&self.calls());
        assert!(worst <= RATE as usize + 1, "{worst} calls in one second");
    }
}

#[tokio::test(start_paused = true)]
async fn five_replicas_share_one_rate_and_use_all_of_it() {
    let world = World::new(5);
    let begin = Instant::now() + s(4);
    world.load(Class::Live, begin + s(10));
    sleep_until(begin + s(10)).await;
    world.assert_quota_kept();
    let calls = world.calls_between(begin, begin + s(10));
    assert!((57..=61).contains(&calls), "{calls} calls in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_a_turn() {
    let world = World::new(5);
    let counts: Vec<Arc<Mutex<Vec<Instant>>>> = (0..5).map(|_| Arc::default()).collect();
    let end = Instant::now() + s(24);
    for (gate, calls) in world.gates.iter().zip(&counts) {
        World::press(gate, calls, Class::Live, end);
    }
    sleep_until(end).await;
    let counts: Vec<usize> = counts.iter().map(|calls| calls.lock().unwrap().len()).collect();
    assert!(counts.iter().all(|count| (20..=30).contains(count)), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn without_the_ledger_each_goes_on_with_its_share_and_never_more() {
    let world = World::new(3);
    let begin = Instant::now() + s(4);
    world.load(Class::Live, begin + s(60));
    sleep_until(begin + s(10)).await;
    world.server.kill();
    sleep_until(begin + s(40)).await;
    let alone = world.calls_between(begin + s(15), begin + s(40));
    assert!((120..=140).contains(&alone), "{alone} calls in 25 s on three shares of two");
    assert!(world.gates.iter().all(|gate| gate.state().standing == Some(Standing::Alone { share: 2 })));
    world.server.revive(true);
    sleep_until(begin + s(60)).await;
    world.assert_quota_kept();
    let together = world.calls_between(begin + s(46), begin + s(60));
    assert!((80..=86).contains(&together), "{together} calls in 14 s together again");
}

#[tokio::test(start_paused = true)]
async fn an_absence_of_ten_minutes_is_as_one_of_seconds() {
    for empty in [true, false] {
        let world = World::new(3);
        let begin = Instant::now() + s(4);
        world.load(Class::Live, begin + s(670));
        sleep_until(begin + s(10)).await;
        world.server.kill();
        sleep_until(begin + s(610)).await;
        let alone = world.calls_between(begin + s(300), begin + s(600));
        assert!((1_600..=1_640).contains(&alone), "{alone} calls in five minutes on three shares of two");
        world.server.revive(empty);
        sleep_until(begin + s(670)).await;
        world.assert_quota_kept();
        let together = world.calls_between(begin + s(640), begin + s(670));
        assert!((175..=181).contains(&together), "{together} calls in half a minute together again");
        assert!(world.gates.iter().all(|gate| gate.state().standing == Some(Standing::Together { replicas: 3 })));
    }
}

/// What cannot be had for a replica that is not known to be alive: the others would have to do without its share for ever.
#[tokio::test(start_paused = true)]
async fn a_replica_cut_off_for_longer_than_it_is_remembered_adds_its_share_and_no_more() {
    let world = World::new(3);
    let begin = Instant::now() + s(4);
    world.load(Class::Live, begin + s(200));
    sleep_until(begin + s(5)).await;
    world.server.cut_off(2);
    sleep_until(begin + s(64)).await;
    world.assert_quota_kept();
    sleep_until(begin + s(130)).await;
    let worst = worst_second(&world.calls());
    assert!(worst <= RATE as usize + 2 + 1, "{worst} calls in one second");
    world.server.rejoin(2);
    sleep_until(begin + s(140)).await;
    world.calls.lock().unwrap().clear();
    sleep_until(begin + s(200)).await;
    world.assert_quota_kept();
}

/// The larger share changes hands after the ledger was saved, and its new holder is alone when the ledger is set back.
#[tokio::test(start_paused = true)]
async fn a_ledger_that_was_set_back_does_not_know_what_those_hold_who_are_cut_off() {
    for alone in 0..5 {
        let world = World::new(5);
        let begin = Instant::now() + s(4);
        world.load(Class::Live, begin + s(60));
        sleep_until(begin).await;
        world.server.save();
        world.server.cut_off(0);
        world.server.flush();
        sleep(s(5)).await;
        world.server.rejoin(0);
        sleep(s(10)).await;
        world.server.cut_off(alone);
        sleep(s(3)).await;
        world.server.set_back();
        sleep(s(6)).await;
        world.server.kill();
        sleep_until(begin + s(60)).await;
        world.assert_quota_kept();
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_starts_while_the_ledger_is_gone_makes_less_than_one_call_a_second() {
    let server_down = World::new(0);
    let mut world = server_down;
    world.server.kill();
    (0..3).for_each(|_| world.start());
    let begin = Instant::now();
    world.load(Class::Live, begin + s(12));
    sleep_until(begin + s(12)).await;
    world.assert_quota_kept();
    let calls = world.calls().len();
    assert!((24..=30).contains(&calls), "{calls} calls in ten seconds of three");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_cut_off_has_its_share_kept_free_by_the_others() {
    let world = World::new(3);
    let begin = Instant::now() + s(4);
    world.load(Class::Live, begin + s(50));
    sleep_until(begin + s(5)).await;
    world.server.cut_off(2);
    sleep_until(begin + s(30)).await;
    let calls = world.calls_between(begin + s(10), begin + s(30));
    assert!((112..=122).contains(&calls), "{calls} calls in 20 s, four a second together and two alone");
    world.server.rejoin(2);
    sleep_until(begin + s(50)).await;
    world.assert_quota_kept();
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_leaves_gives_its_share_up_at_once() {
    let world = World::new(2);
    sleep(s(2)).await;
    world.gates[1].leave().await;
    let begin = Instant::now() + s(3);
    World::press(&world.gates[0], &world.calls, Class::Live, begin + s(10));
    sleep_until(begin + s(10)).await;
    world.assert_quota_kept();
    assert!(world.calls_between(begin, begin + s(10)) >= 55);
    assert_eq!(world.gates[0].state().standing, Some(Standing::Together { replicas: 1 }));
    let refused = world.gates[1].admit(Class::Live, Instant::now() + s(1)).await;
    assert!(matches!(refused, Err(CrmError::QuotaExhausted { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_pause_told_to_one_pauses_all() {
    let world = World::new(3);
    sleep(s(4)).await;
    let pass = world.gates[0].admit(Class::Live, Instant::now() + s(2)).await.unwrap();
    pass.settle(Err(&CrmError::RateLimited { retry_after: Some(s(5)) }));
    sleep(ms(50)).await;
    let paused = Instant::now();
    world.load(Class::Live, paused + s(10));
    sleep_until(paused + s(10)).await;
    assert_eq!(world.calls_between(paused, paused + ms(4_800)), 0, "nobody called in the pause");
    assert!(world.calls_between(paused, paused + s(10)) >= 25);
}

#[tokio::test(start_paused = true)]
async fn a_block_of_one_stops_all_and_one_probe_frees_them() {
    let world = World::new(3);
    sleep(s(4)).await;
    let pass = world.gates[0].admit(Class::Live, Instant::now() + s(2)).await.unwrap();
    pass.settle(Err(&CrmError::Blocked));
    sleep(ms(50)).await;
    let blocked = Instant::now();
    for gate in &world.gates {
        let refused = gate.admit(Class::Live, blocked + s(2)).await;
        assert!(matches!(refused, Err(CrmError::Suspended { .. })), "{refused:?}");
    }
    sleep_until(blocked + s(60)).await;
    let probe = world.gates[1].admit(Class::Live, Instant::now() + s(2)).await.unwrap();
    let other = world.gates[2].admit(Class::Live, Instant::now() + s(2)).await;
    assert!(other.is_err(), "one probe for all: {other:?}");
    probe.settle(Ok(()));
    sleep(ms(50)).await;
    drop(world.gates[2].admit(Class::Live, Instant::now() + s(2)).await.expect("open for everybody"));
}

#[tokio::test(start_paused = true)]
async fn live_calls_hardly_wait_for_greedy_background_of_the_others() {
    let world = World::new(3);
    let begin = Instant::now() + s(4);
    world.load(Class::Background, begin + s(30));
    sleep_until(begin).await;
    let mut waits = Vec::new();
    for _ in 0..30 {
        let asked = Instant::now();
        drop(world.gates[0].admit(Class::Live, asked + s(2)).await.unwrap());
        waits.push(asked.elapsed());
        sleep(ms(531)).await;
    }
    waits.sort_unstable();
    assert!(waits[28] <= ms(2 * 167 + 20), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_fleet_only_beats() {
    let world = World::new(2);
    sleep(s(5)).await;
    let before = world.server.beats();
    sleep(s(10)).await;
    let beats = world.server.beats() - before;
    assert!((70..=82).contains(&beats), "{beats} beats of two replicas in ten seconds");
}

/// What can befall the ledger.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Kill,
    Revive { empty: bool },
    Flush,
    Save,
    SetBack,
    StandStill(u64),
    Step(u64),
    CutOff(usize),
    Rejoin(usize),
    Idle,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        Just(Trouble::Kill),
        any::<bool>().prop_map(|empty| Trouble::Revive { empty }),
        Just(Trouble::Flush),
        (20_u64..6_000).prop_map(Trouble::StandStill),
        (0_usize..5).prop_map(Trouble::CutOff),
        (0_usize..5).prop_map(Trouble::Rejoin),
        Just(Trouble::Idle),
    ]
}

fn set_back() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        4 => Just(Trouble::Save),
        4 => Just(Trouble::SetBack),
        1 => Just(Trouble::Kill),
        2 => Just(Trouble::Revive { empty: false }),
        1 => (0_usize..5).prop_map(Trouble::CutOff),
        1 => (0_usize..5).prop_map(Trouble::Rejoin),
    ]
}

/// Lets trouble come over some replicas under full load.
fn suffer(replicas: usize, background: bool, troubles: &[(Trouble, u64)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(replicas);
        let span: u64 = troubles.iter().map(|(_, after)| after).sum();
        let end = Instant::now() + s(5) + ms(span);
        world.load(Class::Live, end);
        if background {
            world.load(Class::Background, end);
        }
        sleep(s(4)).await;
        for (trouble, after) in troubles {
            match *trouble {
                Trouble::Kill => world.server.kill(),
                Trouble::Revive { empty } => world.server.revive(empty),
                Trouble::Flush => world.server.flush(),
                Trouble::Save => world.server.save(),
                Trouble::SetBack => world.server.set_back(),
                Trouble::StandStill(span) => world.server.stand_still(ms(span)),
                Trouble::Step(by) => world.server.step_clock(ms(by)),
                Trouble::CutOff(replica) => world.server.cut_off(replica),
                Trouble::Rejoin(replica) => world.server.rejoin(replica),
                Trouble::Idle => {}
            }
            sleep(ms(*after)).await;
        }
        sleep(s(1)).await;
        world.assert_quota_kept();
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_trouble_lets_a_second_see_more_than_rate_and_one(
        replicas in 1_usize..=5,
        background in any::<bool>(),
        troubles in prop::collection::vec((trouble(), 10_u64..5_000), 1..12),
    ) {
        suffer(replicas, background, &troubles);
    }

    #[test]
    fn nor_does_a_ledger_that_is_set_back_to_what_it_was(
        replicas in 1_usize..=5,
        background in any::<bool>(),
        troubles in prop::collection::vec((set_back(), 10_u64..1_500), 4..20),
    ) {
        suffer(replicas, background, &troubles);
    }

    #[test]
    fn no_step_of_the_servers_clock_does_either(
        replicas in 1_usize..=5,
        background in any::<bool>(),
        steps in prop::collection::vec((70_u64..9_000, 10_u64..5_000), 1..8),
    ) {
        let troubles: Vec<_> = steps.into_iter().map(|(by, after)| (Trouble::Step(by), after)).collect();
        suffer(replicas, background, &troubles);
    }
}
