//! A process that does nothing but open a snapshot and answer from it.

use std::path::Path;

use callcard::contact::ContactId;
use callcard::directory::Directory;
use callcard::phone::{E164, Number};
use tokio::time::Instant;

use super::wire::settings;

/// Lookups of each kind; the first tenth is not timed.
const LOOKUPS: usize = 100_000;

/// Times in milliseconds and microseconds, memory in bytes.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Measured {
    pub(crate) open_ms: f64,
    pub(crate) rss_before: u64,
    pub(crate) rss_open: u64,
    pub(crate) rss_after: u64,
    /// p50 and p99.
    pub(crate) known: (f64, f64),
    pub(crate) unknown: (f64, f64),
}

pub(crate) fn run(path: &Path) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let rss_before = rss();
    let began = Instant::now();
    let directory = Directory::open(settings(path)).unwrap();
    let open_ms = began.elapsed().as_secs_f64() * 1e3;
    let rss_open = rss();
    let known = numbers(&directory);
    let known = times(&directory, |rng| known[rng.usize(..known.len())]);
    let unknown = times(&directory, |rng| format!("+1415{:07}", rng.u32(2_000_000..9_000_000)).parse().unwrap());
    Measured { open_ms, rss_before, rss_open, rss_after: rss(), known, unknown }
}

/// Numbers of contacts from all over the base.
fn numbers(directory: &Directory) -> Vec<E164> {
    let (first, mut last) = (1_000_u64, 1_000_u64);
    while !directory.contacts_from(ContactId(last * 2), 1).unwrap().is_empty() {
        last *= 2;
    }
    let mut rng = fastrand::Rng::with_seed(7);
    let mut numbers = Vec::new();
    while numbers.len() < LOOKUPS.min(50_000) {
        let owners = directory.contacts_from(ContactId(rng.u64(first..last * 2)), 20).unwrap();
        numbers.extend(owners.iter().flat_map(|owner| owner.numbers.iter().map(|number| number.e164)));
    }
    numbers
}

fn times(directory: &Directory, mut next: impl FnMut(&mut fastrand::Rng) -> E164) -> (f64, f64) {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut times: Vec<u128> = Vec::with_capacity(LOOKUPS);
    for n in 0..LOOKUPS {
        let number: Number = next(&mut rng).into();
        let asked = Instant::now();
        std::hint::black_box(directory.find(&number, None));
        if n >= LOOKUPS / 10 {
            times.push(asked.elapsed().as_nanos());
        }
    }
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100] as f64 / 1e3;
    (at(50), at(99))
}

fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}
