//! The soak: the real service in front of the sandbox CRM, both on loopback, under many callers while the CRM fails in every way it can.
//!
//! Nothing is scripted about the answers. Each one is held against the sandbox's own truth and against what the contract promises: the
//! card belongs to the number, "not found" means nobody, an answer comes by its deadline, a caller once known is known while the CRM
//! is down, and no second sees more calls to the CRM than the quota allows. One row a phase, and the exit status says whether every
//! promise was kept. `scripts/soak --help` tells how to run it.
//!
//! Service, CRM and callers have a runtime each, so that none of them waits for another's work.
//!
//! | file | holds |
//! |---|---|
//! | `schedule` | the phases: what is wrong with the CRM, and for how long |
//! | `crm` | the CRM on its socket, and its trouble |
//! | `stand` | the service in this process, put up and taken down |
//! | `people` | who is asked about, how often, in which spelling; who owns which number in truth |
//! | `caller` | one call over a socket |
//! | `judge` | the promises, held against one answer |
//! | `stalls` | when the machine itself held the run up |
//! | `tally` | what is counted, and the table |
//! | `long` | the same for an hour's work, with the built program as a process of its own, and its end under load |

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program whose product is a table")]

mod caller;
mod crm;
mod judge;
mod long;
mod people;
mod schedule;
mod stalls;
mod stand;
mod tally;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval};

use caller::{Event, Line};
use judge::{Judge, Promise};
use people::People;
use schedule::{Phase, Times};
use stalls::Stalls;
use stand::Stand;
use tally::{Row, Table};

/// Calls a second: moderate, because callers, service and CRM share the machine.
const CALLS_A_SECOND: u32 = 200;
/// Numbers that somebody has, among the callers.
const KNOWN: usize = 80;
/// Calls under way at once; more would mean that the service no longer answers.
const MOST_UNDER_WAY: usize = 2_000;
/// The process may grow by this much from the end of the first phase to the end of the last.
const MOST_GROWTH_MIB: f64 = 48.0;

const USAGE: &str = "\
soak [--short | --seconds N]        two minutes unless told otherwise; --short takes 30 s, N is 20 to 3600
soak --long [--minutes N] [--leak]  ten minutes unless told otherwise; N is 1 to 60";

/// What is to be run.
enum Wish {
    Soak(Duration),
    Long(long::Wish),
}

fn main() -> ExitCode {
    match wish(std::env::args().skip(1)) {
        Ok(Wish::Soak(length)) => soak(&Times::of(length)),
        Ok(Wish::Long(wish)) => long::run(&wish),
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            ExitCode::from(64)
        }
    }
}

/// What the words mean. `--bench` is what cargo adds.
fn wish(mut arguments: impl Iterator<Item = String>) -> Result<Wish, String> {
    let (mut seconds, mut is_long, mut long) = (120, false, long::Wish { minutes: 10, leak: false });
    while let Some(argument) = arguments.next() {
        let mut number = |least, most| {
            let given = arguments.next().and_then(|text| text.parse().ok()).filter(|n| (least..=most).contains(n));
            given.ok_or(format!("{argument} needs a number from {least} to {most}"))
        };
        match argument.as_str() {
            "--bench" | "--dev" => {}
            "--short" => seconds = 30,
            "--seconds" => seconds = number(20, 3600)?,
            "--long" => is_long = true,
            "--minutes" => long.minutes = number(1, 60)?,
            "--leak" => long.leak = true,
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(if is_long { Wish::Long(long) } else { Wish::Soak(Duration::from_secs(seconds.into())) })
}

fn soak(times: &Times) -> ExitCode {
    let (service, crm, callers) = (runtime("service", 2), runtime("crm", 1), runtime("callers", 1));
    let mut stand = Stand::put_up(&service, &crm, times);
    let soak = Arc::new(Soak {
        judge: Judge::new(&stand.crm.sandbox),
        line: Line::to(stand.lookup, stand.admin),
        stalls: Stalls::watch(None),
        under_way: Arc::new(Semaphore::new(MOST_UNDER_WAY)),
    });
    let mut people = People::of(soak.judge.truth(), KNOWN);
    let mut table = Table::new();
    for phase in schedule::phases(times) {
        stand.crm.suffer(phase.trouble);
        let row = callers.block_on(soak.run(&phase, &mut people));
        table.print(&stand.crm.account_for(row, &phase));
    }
    callers.block_on(soak.wait_for_the_last());
    stand.take_down();
    table.finish(MOST_GROWTH_MIB)
}

fn runtime(name: &str, workers: usize) -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(workers).thread_name(name).enable_all().build();
    runtime.expect("threads can be started")
}

/// What all calls share.
struct Soak {
    judge: Judge,
    line: Line,
    stalls: Stalls,
    under_way: Arc<Semaphore>,
}

impl Soak {
    /// Sends callers at a steady pace, whether or not the earlier ones have been answered, until the phase is over.
    async fn run(self: &Arc<Self>, phase: &Phase, people: &mut People) -> Arc<Mutex<Row>> {
        let row = Arc::new(Mutex::new(Row::new(phase.name)));
        let mut pace = interval(Duration::from_secs(1) / CALLS_A_SECOND);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (started, end) = (Instant::now(), Instant::now() + phase.length);
        while pace.tick().await < end {
            self.send(people, &row);
        }
        let ready = self.line.is_ready().await;
        let mut tally = row.lock().expect("no caller panics");
        if !ready {
            tally.broke(Promise::Ready, "the service said that it was not ready".to_owned());
        }
        tally.took(started.elapsed(), self.stalls.percent_since(started));
        drop(tally);
        row
    }

    fn send(self: &Arc<Self>, people: &mut People, row: &Arc<Mutex<Row>>) {
        let Ok(place) = Arc::clone(&self.under_way).try_acquire_owned() else {
            let many = format!("{MOST_UNDER_WAY} callers had no answer yet");
            return row.lock().expect("no caller panics").broke(Promise::Answered, many);
        };
        let (soak, row, call) = (Arc::clone(self), Arc::clone(row), people.next());
        tokio::spawn(async move {
            let known = soak.judge.has_been_known(&call);
            let began = Instant::now();
            let event = soak.line.make(&call).await;
            let stalled = soak.stalls.within(began, Instant::now());
            match event {
                Event::Left => row.lock().expect("no caller panics").left(),
                event => {
                    let verdict = soak.judge.judge(&call, known, &event, stalled);
                    row.lock().expect("no caller panics").add(verdict);
                }
            }
            drop(place);
        });
    }

    async fn wait_for_the_last(&self) {
        let all = u32::try_from(MOST_UNDER_WAY).expect("a small number");
        drop(self.under_way.acquire_many(all).await);
    }
}
