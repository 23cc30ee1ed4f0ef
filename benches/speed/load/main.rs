//! The load generator: HTTP/1.1 requests over loopback, in one thread that never sleeps, so that its own wake-ups are not measured.
//!
//! Two ways to ask. *Closed loop*: each connection asks again as soon as it has its answer; that shows what the server can do. *Open loop*
//! (`--rate`): requests fall due at a fixed rate whatever the server does, and a latency is counted from the moment the request was
//! due, so a stall is charged to everybody it kept waiting. With `--close` every request has a connection of its own, as some phone
//! systems do it.
//!
//! `load --target ADDRESS --paths FILE [--connections N] [--seconds S | --requests N] [--rate R] [--close] [--skip N]`; the result is one line of
//! JSON on stdout. Paths are taken in turn, after those to be skipped. An answer that is not a 200 counts as an error. Run by `scripts/bench`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a script")]
#![expect(clippy::disallowed_types, reason = "no runtime here: the clock is the machine's")]

mod client;
mod histogram;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use client::{Client, Progress};
use histogram::Histogram;
use mio::{Events, Poll};

const USAGE: &str =
    "load --target ADDRESS --paths FILE [--connections N] [--seconds S | --requests N] [--rate R] [--close] [--skip N]";

/// What to ask, how often, and for how long.
struct Settings {
    target: SocketAddr,
    paths: Vec<String>,
    connections: usize,
    length: Duration,
    most: u64,
    rate: Option<f64>,
    close: bool,
    skip: u64,
}

fn main() -> ExitCode {
    match read(std::env::args().skip(1)) {
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            ExitCode::from(64)
        }
        Ok(settings) => match run(&settings) {
            Ok(result) => {
                println!("{result}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// `--bench` is what cargo adds.
fn read(mut arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
    let (mut target, mut paths) = (None, Vec::new());
    let (mut connections, mut length, mut most, mut rate, mut close, mut skip) =
        (32, Duration::from_secs(2), u64::MAX, None, false, 0);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => continue,
            "--close" => {
                close = true;
                continue;
            }
            _ => {}
        }
        let value = arguments.next().ok_or(format!("{argument} needs a value"))?;
        let bad = |_| format!("{argument} cannot be {value:?}");
        match argument.as_str() {
            "--target" => target = Some(value.parse().map_err(|_| bad(()))?),
            "--paths" => {
                paths = std::fs::read_to_string(&value).map_err(|_| bad(()))?.lines().map(str::to_owned).collect()
            }
            "--connections" => connections = value.parse().map_err(|_| bad(()))?,
            "--seconds" => length = Duration::from_secs_f64(value.parse().map_err(|_| bad(()))?),
            "--requests" => (most, length) = (value.parse().map_err(|_| bad(()))?, Duration::from_secs(600)),
            "--skip" => skip = value.parse().map_err(|_| bad(()))?,
            "--rate" => rate = Some(value.parse().map_err(|_| bad(()))?),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let target = target.ok_or("--target is missing")?;
    if paths.is_empty() || connections == 0 {
        return Err("there must be a path and a connection".to_owned());
    }
    Ok(Settings { target, paths, connections, length, most, rate, close, skip })
}

/// Asks until the time or the number is up, and tells what came of it as JSON.
fn run(settings: &Settings) -> std::io::Result<String> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let requests: Vec<Vec<u8>> = settings.paths.iter().map(|path| request(path, settings)).collect();
    let mut clients =
        (0..settings.connections).map(|token| Client::new(settings.target, token, settings.close)).collect::<Vec<_>>();
    let mut idle: Vec<usize> = (0..clients.len()).rev().collect();
    let (mut latencies, mut sent, mut done, mut errors, mut bytes) = (Histogram::default(), 0_u64, 0_u64, 0_u64, 0_u64);
    let began = Instant::now();
    loop {
        let now = Instant::now();
        let over = now - began >= settings.length || sent >= settings.most;
        if over && (idle.len() == clients.len() || now - began > settings.length + Duration::from_secs(5)) {
            break;
        }
        while !over && sent < settings.most {
            let due = due(settings, began, sent);
            if due > now {
                break;
            }
            let Some(token) = idle.pop() else { break };
            let since = if settings.rate.is_some() { due } else { Instant::now() };
            let text = &requests[usize::try_from(settings.skip + sent).unwrap_or(0) % requests.len()];
            clients[token].ask(poll.registry(), text, since)?;
            sent += 1;
        }
        poll.poll(&mut events, Some(Duration::ZERO))?;
        for event in &events {
            let token = event.token().0;
            match clients[token].advance(poll.registry())? {
                Progress::Waiting => {}
                Progress::Answered { since, ok, length } => {
                    latencies.add(since.elapsed());
                    (done, errors, bytes) = (done + 1, errors + u64::from(!ok), bytes + length);
                    idle.push(token);
                }
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let unanswered = sent - done;
    Ok(format!(
        r#"{{"requests": {done}, "errors": {errors}, "unanswered": {unanswered}, "seconds": {seconds:.4}, "bytes": {bytes}, {latencies}}}"#
    ))
}

/// When the request number `n` falls due: at once in the closed loop.
fn due(settings: &Settings, began: Instant, n: u64) -> Instant {
    #[expect(clippy::cast_precision_loss, reason = "runs have far fewer than 2^52 requests")]
    settings.rate.map_or(began, |rate| began + Duration::from_secs_f64(n as f64 / rate))
}

fn request(path: &str, settings: &Settings) -> Vec<u8> {
    let connection = if settings.close { "Connection: close\r\n" } else { "" };
    format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n{connection}\r\n", settings.target).into_bytes()
}
