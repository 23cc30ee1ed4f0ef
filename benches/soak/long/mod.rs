//! An hour's work in some minutes: the built program as a process of its own, everybody who talks to it, and its end while they do.
//!
//! What is compressed: the lifetimes of answers are divided, and the calls a second multiplied, by 60 over the minutes, so that each number is
//! asked for, expires and is refreshed as often as in an hour. What cannot be: deadlines, the CRM's quota, the pauses after failures,
//! kept connections.
//!
//! Promises here, beside those that [`judge`](super::judge) holds against each answer: the process is at the end as it was after its
//! first phase (memory, descriptors, threads, nothing in flight), every request of every kind was answered, and SIGTERM loses none.

mod child;
mod ending;
mod ledger;
mod visits;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::caller::Line;
use super::crm::Crm;
use super::judge::{Judge, Promise};
use super::people::People;
use super::schedule::{Phase, Trouble};
use super::stalls::Stalls;
use super::tally::{Row, Table};
use super::{MOST_UNDER_WAY, Soak, runtime};
use child::{Child, Vitals};
use visits::Visits;

/// An hour of a busy day: ten callers a second.
const CALLS_IN_AN_HOUR: u32 = 36_000;
/// More a second is not what callers, service and CRM on one machine can bear.
const MOST_A_SECOND: u32 = 100;
/// Numbers that somebody has, among the callers.
const KNOWN: usize = 120;
/// Somebody else comes after so many callers: a batch, a page, a webhook, a slow reader …
const VISIT_EVERY: u32 = 6;
/// From the end of the first phase to the end of the last, the process may grow by this much.
const MOST_GROWTH_MIB: f64 = 16.0;
/// At rest, the process may have so many descriptors and threads more than after its start: idle connections to the CRM, idle workers.
const MOST_MORE: usize = 8;

/// What was asked for.
pub(crate) struct Wish {
    pub(crate) minutes: u32,
    /// Lose a descriptor a second, to see the run fail.
    pub(crate) leak: bool,
}

impl Wish {
    const fn length(&self) -> Duration {
        Duration::from_secs(60 * self.minutes as u64)
    }

    const fn factor(&self) -> u32 {
        60 / self.minutes
    }

    fn calls_a_second(&self) -> u32 {
        (CALLS_IN_AN_HOUR / 3600 * self.factor()).min(MOST_A_SECOND)
    }

    fn explain(&self) {
        let (factor, pace) = (self.factor(), self.calls_a_second());
        println!(
            "an hour in {} min: answers live 1/{factor} as long (known callers fresh for {} s, unknown numbers for {:.1} s), {pace} calls a \
             second where an hour of {CALLS_IN_AN_HOUR} calls has {}.\nnot compressed: deadlines, the CRM's quota, pauses after failures, kept connections.\n",
            self.minutes,
            600 / factor,
            60.0 / f64::from(factor),
            CALLS_IN_AN_HOUR / 3600,
        );
    }
}

/// Everything, in order; whether all promises were kept.
pub(crate) fn run(wish: &Wish) -> ExitCode {
    wish.explain();
    // The choice that the service makes when it is built; here it is another process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (crm_runtime, callers) = (runtime("crm", 1), runtime("callers", 1));
    let mut crm = Crm::open(crm_runtime.handle().clone());
    let child = callers.block_on(Child::start(&crm, wish.factor()));
    let line = Line::to(child.lookup, child.admin);
    let (judge, stalls) = (Judge::new(&crm.sandbox), Stalls::watch(Some(child.id())));
    let mut people = People::of(judge.truth(), KNOWN);
    let visits = Arc::new(Visits::new(&child, judge.truth(), people.crowd()));
    let soak = Arc::new(Soak { judge, line, stalls, under_way: Arc::new(tokio::sync::Semaphore::new(MOST_UNDER_WAY)) });
    let fresh = callers.block_on(child.at_rest());
    let (mut table, mut last) = (Table::new(), None);
    for phase in phases(wish.length()) {
        crm.suffer(phase.trouble);
        let row = callers.block_on(act(&soak, &visits, &child, &phase, &mut people, wish));
        table.print(&crm.account_for(Arc::clone(&row), &phase));
        last = Some(row);
    }
    callers.block_on(async {
        soak.wait_for_the_last().await;
        visits.wait_for_the_last().await;
    });
    let row = last.expect("there are phases");
    let broke = |promise, how: String| row.lock().expect("no caller panics").broke(promise, how);
    let counted = callers.block_on(child.work_done());
    visits.ledger().check(&broke);
    let tired = callers.block_on(async {
        visits.leave();
        soak.line.hang_up();
        child.at_rest().await
    });
    compare(&fresh, &tired, &broke);
    let end = callers.block_on(ending::end(child, &people, &broke));
    let code = table.finish(MOST_GROWTH_MIB);
    print!("\n{}\n{counted}\n{}\n{end}", visits.ledger(), Vitals::table(&fresh, &tired));
    crm.go();
    code
}

/// What is wrong with the CRM, and for how many hundredths of the run. A block is not among it: its pause of up to ten minutes cannot be
/// compressed from outside; the two-minute run has it.
fn phases(length: Duration) -> Vec<Phase> {
    const LONG: &[(&str, Trouble, u32)] = &[
        ("healthy", Trouble::None, 20),
        ("slow", Trouble::Slow, 5),
        ("hung", Trouble::Hung, 5),
        ("healthy", Trouble::None, 15),
        ("errors", Trouble::Errors, 4),
        ("429", Trouble::TooMany, 4),
        ("healthy", Trouble::None, 15),
        ("cut off", Trouble::Cut, 4),
        ("nonsense", Trouble::Nonsense, 4),
        ("gone", Trouble::Gone, 4),
        ("healthy", Trouble::None, 20),
    ];
    const SHORT: &[(&str, Trouble, u32)] =
        &[("healthy", Trouble::None, 40), ("errors", Trouble::Errors, 10), ("healthy", Trouble::None, 50)];
    let parts = if length < Duration::from_secs(180) { SHORT } else { LONG };
    let phase = |(n, &(name, trouble, hundredths)): (usize, &(_, _, u32))| {
        let length = length * hundredths / 100;
        Phase { name, trouble, length, recovery: (n > 0 && trouble == Trouble::None).then_some(length) }
    };
    parts.iter().enumerate().map(phase).collect()
}

/// One phase: callers at a steady pace, others among them, and what the process looks like at its end.
async fn act(
    soak: &Arc<Soak>,
    visits: &Arc<Visits>,
    child: &Child,
    phase: &Phase,
    people: &mut People,
    wish: &Wish,
) -> Arc<Mutex<Row>> {
    let row = Arc::new(Mutex::new(Row::new(phase.name)));
    let mut pace = interval(Duration::from_secs(1) / wish.calls_a_second());
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (started, mut sent) = (Instant::now(), 0_u32);
    while pace.tick().await < started + phase.length {
        soak.send(people, &row);
        sent += 1;
        if sent.is_multiple_of(VISIT_EVERY) {
            visits.send();
        }
        if wish.leak && sent.is_multiple_of(wish.calls_a_second()) {
            visits.keep(TcpStream::connect(child.lookup).await.ok());
        }
    }
    let ready = soak.line.is_ready().await;
    let mut tally = row.lock().expect("no caller panics");
    if !ready {
        tally.broke(Promise::Ready, "the service said that it was not ready".to_owned());
    }
    tally.took_with(started.elapsed(), soak.stalls.percent_since(started), child.vitals().memory_mib);
    drop(tally);
    row
}

fn compare(fresh: &Vitals, tired: &Vitals, broke: &impl Fn(Promise, String)) {
    for (what, before, after) in
        [("descriptors", fresh.descriptors, tired.descriptors), ("threads", fresh.threads, tired.threads)]
    {
        if after > before + MOST_MORE {
            broke(Promise::Leak, format!("{after} {what} at rest, {before} after the start"));
        }
    }
    if tired.in_flight > 0 {
        broke(Promise::Leak, format!("{} fills are in flight although nobody asks", tired.in_flight));
    }
}

/// Asks again and again until it is so, or the time is over.
async fn eventually(limit: Duration, mut is_so: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !is_so().await {
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(100)).await;
    }
    true
}
