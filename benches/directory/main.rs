//! The mirror at 1,000 to 1,000,000 contacts: what it costs to make, to hold, to open and to ask. Run it with `scripts/bench-directory`.
//!
//! Everything goes the real way: the feed reads the sandbox CRM through gate, client and wire, on a clock that runs ahead whenever nobody
//! computes, so that a transfer that takes an hour of quota takes a minute. The snapshot is then opened by a process of its own, whose
//! memory holds nothing but the mirror.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops at what it did not expect, and prints what it found"
)]

mod fill;
mod measure;
mod wire;

use std::path::Path;
use std::process::Command;

/// What one size came to.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Filled {
    contacts: u64,
    lists: usize,
    leads: usize,
    others: usize,
    worst_second: usize,
    transfer_s: f64,
    real_s: f64,
    disk_bytes: u64,
    lookups: usize,
    calls: usize,
    wrong: usize,
    waits: Option<Waits>,
}

/// How long live lookups waited for their slot, 95 of 100 of them, in milliseconds.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Waits {
    alone_ms: f64,
    beside_ms: f64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["fill", contacts, path] => {
            println!("{}", serde_json::to_string(&fill::run(contacts.parse().unwrap(), Path::new(path))).unwrap())
        }
        ["measure", path] => println!("{}", serde_json::to_string(&measure::run(Path::new(path))).unwrap()),
        sizes => table(sizes),
    }
}

/// Each size in processes of its own, one after the other.
fn table(sizes: &[&str]) {
    let sizes = if sizes.is_empty() { &["1000", "10000", "100000", "1000000"] } else { sizes };
    let folder = tempfile::tempdir().unwrap();
    println!(
        "| contacts | list requests | leads requests | transfer, by quota | most in a second | on disk, bytes a contact | open, checked | memory at rest | after 200,000 lookups | bytes a contact | known p50 / p99 | unknown p50 / p99 |"
    );
    println!("{}", "|---".repeat(12) + "|");
    let mut remarks = Vec::new();
    for size in sizes {
        let path = folder.path().join(size);
        let filled: Filled = child(&["fill", size, path.to_str().unwrap()]);
        let measured: measure::Measured = child(&["measure", path.to_str().unwrap()]);
        println!("{}", row(&filled, &measured));
        remarks.push(remark(&filled));
        std::fs::remove_file(&path).unwrap();
    }
    println!("\n{}", remarks.join("\n"));
}

fn row(filled: &Filled, measured: &measure::Measured) -> String {
    let n = filled.contacts as f64;
    let grown = measured.rss_after.saturating_sub(measured.rss_before) as f64;
    format!(
        "| {} | {} | {} | {:.0} s | {} | {:.0} | {:.0} ms | {:.1} MiB | {:.1} MiB | {:.0} | {:.1} / {:.1} µs | {:.1} / {:.1} µs |",
        filled.contacts,
        filled.lists,
        filled.leads,
        filled.transfer_s,
        filled.worst_second,
        filled.disk_bytes as f64 / n,
        measured.open_ms,
        mib(measured.rss_open),
        mib(measured.rss_after),
        grown / n,
        measured.known.0,
        measured.known.1,
        measured.unknown.0,
        measured.unknown.1,
    )
}

fn remark(filled: &Filled) -> String {
    let waits = filled.waits.map_or_else(String::new, |waits| {
        format!(
            "; a live lookup's p95 wait {:.0} ms alone, {:.0} ms beside the transfer",
            waits.alone_ms, waits.beside_ms
        )
    });
    format!(
        "{} contacts: {} lookups of known and unknown callers, {} CRM calls, {} wrong{waits}; {} other requests; {:.0} s of real time",
        filled.contacts, filled.lookups, filled.calls, filled.wrong, filled.others, filled.real_s
    )
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

fn child<T: serde::de::DeserializeOwned>(words: &[&str]) -> T {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(words)
        .stderr(std::process::Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
