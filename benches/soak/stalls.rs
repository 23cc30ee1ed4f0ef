//! When the machine itself held the run up.
//!
//! A thread of its own looks every few milliseconds at two things: how late it was woken, and how long the process's threads stood ready
//! without a core (the kernel counts that). What other programs took is no fault of the service: it is taken off a call's lateness, and
//! shown in the table. Nothing is taken off while the process itself uses more than half of the machine, so a service that eats
//! the processor, or blocks its own threads, is still found out.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{Instant, sleep_until};

const STEP: Duration = Duration::from_millis(10);
/// Timers have a grain of a millisecond or two, and threads of one process get into each other's way now and then.
const ORDINARY: Duration = Duration::from_millis(3);
/// No call takes as long.
const REMEMBERED: Duration = Duration::from_secs(60);

/// One look: from when to when, and for how much of that the machine held us up.
type Look = (Instant, Instant, Duration);

/// The stalls of the last minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls(Arc<Mutex<VecDeque<Look>>>);

impl Stalls {
    /// Starts the thread; it ends when the last clone is dropped. The service is in this process, or in another one.
    pub(crate) fn watch(service: Option<u32>) -> Self {
        let stalls = Self::default();
        let watched = Arc::downgrade(&stalls.0);
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_time().build().expect("a timer can be made");
            let (mut threads, mut from) = (Threads { service, ..Threads::default() }, Instant::now());
            while let Some(stalls) = watched.upgrade() {
                let due = from + STEP;
                runtime.block_on(async { sleep_until(due).await });
                let woken = Instant::now();
                let held_up = (woken - due).max(threads.held_up(woken - from)).min(woken - from);
                Self(stalls).note((from, woken, held_up));
                from = woken;
            }
        });
        stalls
    }

    fn note(&self, look: Look) {
        let (_, now, held_up) = look;
        if held_up > ORDINARY {
            let mut looks = self.0.lock().expect("nobody panics with it");
            looks.push_back(look);
            while looks.front().is_some_and(|(_, end, _)| now - *end > REMEMBERED) {
                looks.pop_front();
            }
        }
    }

    /// For how much of this time the machine held us up.
    pub(crate) fn within(&self, from: Instant, to: Instant) -> Duration {
        let looks = self.0.lock().expect("nobody panics with it");
        let recent = looks.iter().rev().take_while(|(_, end, _)| *end > from).filter(|(start, ..)| *start < to);
        recent.map(|(_, _, held_up)| *held_up).sum::<Duration>().min(to - from)
    }

    /// For how much of the time since then the machine held us up, in hundredths.
    pub(crate) fn percent_since(&self, since: Instant) -> f64 {
        let now = Instant::now();
        100.0 * self.within(since, now).as_secs_f64() / (now - since).as_secs_f64()
    }
}

/// What the kernel has counted for each thread of the process: nanoseconds on a core, and ready without one.
#[derive(Debug, Default)]
struct Threads {
    /// The service's process, if it is not this one.
    service: Option<u32>,
    counted: HashMap<u64, [u64; 2]>,
}

impl Threads {
    /// How long a call may have stood still since the last look because a thread had no core: one of the callers', then one of the
    /// service's. Nothing if the process itself took more than half of the cores.
    fn held_up(&mut self, length: Duration) -> Duration {
        let (mut ran, mut callers, mut service) = (0, 0, 0);
        let other = self.service.map(|process| format!("/proc/{process}/task"));
        let tasks = |of: &str| fs::read_dir(of).into_iter().flatten().flatten();
        let ours = tasks("/proc/self/task").map(|task| (false, task));
        let theirs = other.iter().flat_map(|folder| tasks(folder)).map(|task| (true, task));
        for (is_service, task) in ours.chain(theirs) {
            let Some((name, [more_ran, waited])) = self.look(&task.path()) else {
                continue; // It has just ended, or the kernel does not count.
            };
            ran += more_ran;
            match name.trim() {
                "callers" => callers = waited.max(callers),
                _ if is_service => service = waited.max(service),
                "service" => service = waited.max(service),
                _ => {}
            }
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let half = length * u32::try_from(cores).unwrap_or(u32::MAX) / 2;
        if Duration::from_nanos(ran) > half { Duration::ZERO } else { Duration::from_nanos(callers + service) }
    }

    /// A thread's name, and what has been added since the last look.
    fn look(&mut self, task: &Path) -> Option<(String, [u64; 2])> {
        let id = task.file_name()?.to_str()?.parse().ok()?;
        let counted = parse(&fs::read_to_string(task.join("schedstat")).ok()?)?;
        let before = self.counted.insert(id, counted).unwrap_or(counted);
        let name = fs::read_to_string(task.join("comm")).ok()?;
        Some((name, [0, 1].map(|n| counted[n].saturating_sub(before[n]))))
    }
}

fn parse(schedstat: &str) -> Option<[u64; 2]> {
    let mut numbers = schedstat.split_whitespace().map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
}
