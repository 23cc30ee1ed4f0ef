//! Thousands of callers with one question, each on a connection of its own, who all wait for one answer: how long from the moment it is
//! given until the last of them is served.
//!
//! `crowd --target ADDRESS --path PATH --callers N (--answer ADDRESS | --release PATH)`. With `--answer` it listens there for the one
//! question of the service (a source that asks at an address, see `stocked`), and answers when every caller has asked; with `--release` it asks
//! the target for that path instead. A while passes before, so that everybody really waits. The result is one line of JSON. Run by
//! `scripts/bench`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a script")]
#![expect(clippy::disallowed_types, reason = "the clock is the machine's")]

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const USAGE: &str = "crowd --target ADDRESS --path PATH --callers N (--answer ADDRESS | --release PATH)";
/// Everybody has long begun to wait.
const SETTLE: Duration = Duration::from_millis(1_500);
/// So many connect, then there is a pause: the kernel's queue of connections that nobody has accepted yet does not overflow.
const BATCH: usize = 100;
const PAUSE: Duration = Duration::from_millis(15);
/// Then something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

struct Settings {
    target: SocketAddr,
    path: String,
    callers: usize,
    way: Way,
}

/// How the answer is given.
enum Way {
    /// To the service's question, which comes here.
    Answer(SocketAddr),
    /// By asking for this path.
    Release(String),
}

/// One caller's answer.
struct Served {
    at: Instant,
    /// Says that it came with another caller's fill.
    collapsed: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match read(std::env::args().skip(1)) {
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            ExitCode::from(64)
        }
        Ok(settings) => match timeout(PATIENCE, run(&settings)).await {
            Ok(Ok(result)) => {
                println!("{result}");
                ExitCode::SUCCESS
            }
            Ok(Err(error)) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
            Err(_) => {
                eprintln!("not everybody was served within {PATIENCE:?}");
                ExitCode::FAILURE
            }
        },
    }
}

/// `--bench` is what cargo adds.
fn read(mut arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
    let (mut target, mut path, mut callers, mut way) = (None, None, 0, None);
    while let Some(argument) = arguments.next() {
        if argument == "--bench" {
            continue;
        }
        let value = arguments.next().ok_or(format!("{argument} needs a value"))?;
        let address = || value.parse::<SocketAddr>().map_err(|_| format!("{argument} cannot be {value:?}"));
        match argument.as_str() {
            "--target" => target = Some(address()?),
            "--answer" => way = Some(Way::Answer(address()?)),
            "--release" => way = Some(Way::Release(value)),
            "--path" => path = Some(value),
            "--callers" => callers = value.parse().map_err(|_| format!("--callers cannot be {value:?}"))?,
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    let (Some(target), Some(path), Some(way)) = (target, path, way) else {
        return Err("an argument is missing".to_owned());
    };
    if callers == 0 { Err("--callers is missing".to_owned()) } else { Ok(Settings { target, path, callers, way }) }
}

async fn run(settings: &Settings) -> io::Result<String> {
    let listener = match settings.way {
        Way::Answer(address) => Some(TcpListener::bind(address).await?),
        Way::Release(_) => None,
    };
    let mut streams = Vec::with_capacity(settings.callers);
    for caller in 1..=settings.callers {
        streams.push(TcpStream::connect(settings.target).await?);
        if caller % BATCH == 0 {
            sleep(PAUSE).await;
        }
    }
    let (asked, asking) = watch::channel(0);
    let mut callers = JoinSet::new();
    for stream in streams {
        callers.spawn(call(stream, request(&settings.path, settings.target), asked.clone()));
    }
    wait_for(asking, settings.callers).await;
    sleep(SETTLE).await;
    // Who hangs up at once may not be heard.
    let (answered, _kept) = match (&settings.way, listener) {
        (Way::Answer(_), Some(listener)) => {
            let (question, _) = listener.accept().await?;
            let now = Instant::now();
            send(&question, b"!").await?;
            (now, question)
        }
        (Way::Release(path), _) => {
            let stream = TcpStream::connect(settings.target).await?;
            let now = Instant::now();
            send(&stream, &request(path, settings.target)).await?;
            (now, stream)
        }
        (Way::Answer(_), None) => unreachable!("who is to answer listens"),
    };
    let served = callers.join_all().await.into_iter().collect::<io::Result<Vec<_>>>()?;
    Ok(report(&served, answered))
}

/// Returns when so many have asked.
async fn wait_for(mut asking: watch::Receiver<usize>, callers: usize) {
    // The sender is held by the caller.
    let _ = asking.wait_for(|asked| *asked == callers).await;
}

/// One caller: asks, and waits for a whole 200.
async fn call(stream: TcpStream, request: Vec<u8>, asked: watch::Sender<usize>) -> io::Result<Served> {
    send(&stream, &request).await?;
    asked.send_modify(|asked| *asked += 1);
    let (mut received, mut part) = (Vec::new(), [0; 4096]);
    loop {
        stream.readable().await?;
        match stream.try_read(&mut part) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => received.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if let Some(served) = whole(&received)? {
            return Ok(served);
        }
    }
}

/// What an answer says, once it is here to its last byte.
fn whole(received: &[u8]) -> io::Result<Option<Served>> {
    let at = Instant::now();
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(io::Error::other(head));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|text| text.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let is_whole = received.len() >= end + 4 + length;
    Ok(is_whole.then(|| Served { at, collapsed: head.contains("collapsed") }))
}

async fn send(stream: &TcpStream, text: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    while sent < text.len() {
        stream.writable().await?;
        match stream.try_write(&text[sent..]) {
            Ok(length) => sent += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn request(path: &str, target: SocketAddr) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// Milliseconds from the answer to the first, the middle and the last caller.
fn report(served: &[Served], answered: Instant) -> String {
    let mut after: Vec<f64> = served.iter().map(|one| (one.at - answered).as_secs_f64() * 1e3).collect();
    after.sort_by(f64::total_cmp);
    let (first, middle, last) = (after[0], after[after.len() / 2], after[after.len() - 1]);
    let (callers, collapsed) = (served.len(), served.iter().filter(|one| one.collapsed).count());
    format!(
        r#"{{"callers": {callers}, "collapsed": {collapsed}, "first_ms": {first:.2}, "middle_ms": {middle:.2}, "last_ms": {last:.2}}}"#
    )
}
