//! What is counted, and the table.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::judge::{Promise, State, Verdict};

/// Breaches that are described; all are counted.
const DESCRIBED: usize = 5;

/// One phase, or all of them.
#[derive(Debug, Default)]
pub(crate) struct Row {
    name: &'static str,
    length: Duration,
    asked: u64,
    states: [u64; 5],
    left: u64,
    late: Duration,
    known_late: Duration,
    /// For how much of the time the machine held us up, in hundredths.
    stalled: f64,
    crm_calls: usize,
    worst_second: usize,
    recovered: Option<Duration>,
    memory_mib: f64,
    broken: BTreeMap<Promise, (u64, Vec<String>)>,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// A caller hung up.
    pub(crate) const fn left(&mut self) {
        self.asked += 1;
        self.left += 1;
    }

    /// A caller was answered, or should have been.
    pub(crate) fn add(&mut self, verdict: Verdict) {
        self.asked += 1;
        if let Some(state) = verdict.state {
            self.states[state as usize] += 1;
        }
        self.late = self.late.max(verdict.late);
        self.known_late = self.known_late.max(verdict.known_late);
        verdict.broken.into_iter().for_each(|(promise, how)| self.broke(promise, how));
    }

    /// A promise was broken.
    pub(crate) fn broke(&mut self, promise: Promise, how: String) {
        let (count, described) = self.broken.entry(promise).or_default();
        *count += 1;
        if described.len() < DESCRIBED {
            described.push(how);
        }
    }

    /// The phase is over.
    pub(crate) fn took(&mut self, length: Duration, stalled: f64) {
        self.took_with(length, stalled, memory_mib());
    }

    /// The phase is over, and the service is a process that holds so much.
    pub(crate) const fn took_with(&mut self, length: Duration, stalled: f64, memory_mib: f64) {
        (self.length, self.stalled, self.memory_mib) = (length, stalled, memory_mib);
    }

    /// What the CRM saw.
    pub(crate) const fn crm(&mut self, calls: usize, worst_second: usize, recovered: Option<Duration>) {
        (self.crm_calls, self.worst_second, self.recovered) = (calls, worst_second, recovered);
    }

    /// Whether at least half of the callers got an answer.
    pub(crate) const fn was_useful(&self) -> bool {
        self.states[State::Refused as usize] * 2 <= self.asked
    }

    fn include(&mut self, phase: &Self) {
        self.length += phase.length;
        self.asked += phase.asked;
        self.left += phase.left;
        self.states.iter_mut().zip(phase.states).for_each(|(sum, count)| *sum += count);
        self.late = self.late.max(phase.late);
        self.known_late = self.known_late.max(phase.known_late);
        self.stalled = self.stalled.max(phase.stalled);
        self.crm_calls += phase.crm_calls;
        self.worst_second = self.worst_second.max(phase.worst_second);
        self.recovered = self.recovered.max(phase.recovered);
        self.memory_mib = phase.memory_mib;
        for (promise, (count, _)) in &phase.broken {
            self.broken.entry(*promise).or_default().0 += count;
        }
    }

    fn breaches(&self) -> u64 {
        self.broken.values().map(|(count, _)| count).sum()
    }

    fn line(&self) -> String {
        let count = |state: State| self.states[state as usize];
        let recovered = self.recovered.map_or_else(|| "-".to_owned(), |after| format!("{:.1} s", after.as_secs_f64()));
        format!(
            "{:9} {:4.0} {:6} {:6} {:6} {:6} {:6} {:7} {:5} {:8} {:8} {:7.0} {:6} {:6} {:>9} {:5.0} {:6}",
            self.name,
            self.length.as_secs_f64(),
            self.asked,
            count(State::Hit),
            count(State::Filled),
            count(State::Joined),
            count(State::Stale),
            count(State::Refused),
            self.left,
            self.late.as_millis(),
            self.known_late.as_millis(),
            self.stalled,
            self.crm_calls,
            self.worst_second,
            recovered,
            self.memory_mib,
            self.breaches(),
        )
    }

    fn describe(&self) {
        for (promise, (count, described)) in &self.broken {
            println!("  broken: {promise:?}, {count} times");
            described.iter().for_each(|how| println!("    {how}"));
        }
    }
}

/// The table, printed as it grows. Calls at the end of a phase are answered in the next one, so a phase's row is final only at the end.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Arc<Mutex<Row>>>,
}

impl Table {
    pub(crate) fn new() -> Self {
        println!("{HEAD}");
        Self { rows: Vec::new() }
    }

    /// Prints the row before this one, whose last caller has been answered meanwhile.
    pub(crate) fn print(&mut self, row: &Arc<Mutex<Row>>) {
        if let Some(before) = self.rows.last() {
            print(before);
        }
        self.rows.push(Arc::clone(row));
    }

    /// Prints what is left and the sum.
    pub(crate) fn finish(self, most_growth_mib: f64) -> ExitCode {
        self.rows.last().into_iter().for_each(print);
        let mut all = Row::new("all");
        let mut first_mib = None;
        for row in &self.rows {
            let row = row.lock().expect("no caller panics");
            first_mib.get_or_insert(row.memory_mib);
            all.include(&row);
        }
        let growth = all.memory_mib - first_mib.unwrap_or_default();
        if growth > most_growth_mib {
            all.broke(Promise::Memory, format!("{growth:.0} MiB more than after the first phase"));
        }
        println!("{}\n", all.line());
        all.describe();
        match all.breaches() {
            0 => println!("every promise was kept; memory grew by {growth:.0} MiB after the first phase"),
            breaches => println!("promises were broken {breaches} times"),
        }
        if all.breaches() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn print(row: &Arc<Mutex<Row>>) {
    let row = row.lock().expect("no caller panics");
    println!("{}", row.line());
    row.describe();
}

const HEAD: &str = "\
late: ms after the deadline, worst; known: ms after the soft deadline for a caller once known, worst (100 are allowed, and what the machine took);
stalled: % of the time that the machine was busy with others; second: calls to the CRM in its worst second (7 are allowed)

phase        s  asked    hit filled joined  stale refused  left     late    known stalled    CRM second recovered   MiB broken";

/// What the process holds in memory: callers, service and CRM together.
fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
