//! The real service, from the socket to the cache, stocked with as many contacts as are asked for: what a hit costs then, and what a
//! contact takes in memory. Instead of a CRM there is a source that makes contacts up, so a million of them are there in seconds.
//!
//! `stocked --contacts N [--listen ADDRESS] [--threads N] [--ask ADDRESS]`. It prints one line of JSON when it is ready (its address, how long stocking
//! took, resident bytes before and after), then serves until it is killed. Contact `n` has the number `+4930` and eight digits,
//! 10,000,000 + n. With `--ask`, the owner of contact 80,000,000's number has to be asked for there. `stocked cost …` is
//! described in `costs.rs`. Run by `scripts/bench`.

#![expect(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, reason = "a program for a script")]

#[path = "asked.rs"]
mod asked;
#[path = "costs.rs"]
mod costs;
#[path = "people.rs"]
mod people;
#[path = "reading.rs"]
mod reading;
#[path = "replayed.rs"]
mod replayed;
#[path = "service.rs"]
mod service;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use callcard::http::{self, ServerSettings};
use callcard::lookup::Wants;
use callcard::phone::{Caller, Number};
use tokio::runtime::Builder;
use tokio::time::Instant;

use asked::Asked;
use people::phone;
use service::service;

const USAGE: &str = "stocked --contacts N [--listen ADDRESS] [--threads N] [--ask ADDRESS]\nstocked cost miss|coalesced|refused|reading N";
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Longer than any run.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// More than the program's own bound: a crowd larger than that is let in.
const CONNECTIONS: usize = 12_000;

struct Settings {
    contacts: u64,
    listen: SocketAddr,
    threads: usize,
    ask: Option<SocketAddr>,
}

fn main() -> ExitCode {
    // `--bench` is what cargo adds.
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(("cost", cost)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let report = costs::run(cost, resident);
        report.iter().for_each(|report| println!("{report}"));
        return if report.is_some() { ExitCode::SUCCESS } else { ExitCode::from(64) };
    }
    let settings = match read(arguments.into_iter()) {
        Ok(settings) => settings,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let runtime = Builder::new_multi_thread().worker_threads(settings.threads).enable_all().build().unwrap();
    runtime.block_on(run(&settings));
    ExitCode::SUCCESS
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
    let mut settings = Settings { contacts: 0, listen: LOOPBACK, threads: 1, ask: None };
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or(format!("{argument} needs a value"))?;
        let bad = |_| format!("{argument} cannot be {value:?}");
        match argument.as_str() {
            "--contacts" => settings.contacts = value.parse().map_err(bad)?,
            "--threads" => settings.threads = value.parse().map_err(bad)?,
            "--listen" => settings.listen = value.parse().map_err(|_| format!("--listen cannot be {value:?}"))?,
            "--ask" => settings.ask = Some(value.parse().map_err(|_| format!("--ask cannot be {value:?}"))?),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    if settings.contacts == 0 { Err("--contacts is missing".to_owned()) } else { Ok(settings) }
}

async fn run(settings: &Settings) {
    let (api, lookups) = service(Arc::new(Asked::at(settings.ask)), FRESH);
    let bounds = ServerSettings { max_connections: CONNECTIONS, ..ServerSettings::default() };
    let listener = http::listen(settings.listen).unwrap();
    let address = listener.local_addr().unwrap();

    let (before, began) = (resident(), Instant::now());
    for n in 0..settings.contacts {
        let caller = Caller::Number(Number { e164: phone(n), extension: None });
        lookups.lookup(&caller, &Wants::default()).await.unwrap();
    }
    lookups.observe();
    let (seconds, after) = (began.elapsed().as_secs_f64(), resident());
    println!(r#"{{"address": "{address}", "seconds": {seconds:.2}, "before": {before}, "after": {after}}}"#);

    // On a worker, beside the connections, as in the program itself.
    let (leaving, stopping) = (std::future::pending(), std::future::pending());
    let serving = tokio::spawn(async move { http::serve(listener, api.front(), &bounds, leaving, stopping).await });
    serving.await.unwrap();
}

/// Resident bytes of this process (proc(5), statm, second field, in pages).
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
