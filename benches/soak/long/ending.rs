//! SIGTERM while everybody calls on kept connections: each request is answered whole, or its connection was closed before it was sent.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callcard::phone::E164;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::super::judge::Promise;
use super::super::people::People;
use super::child::{Child, DRAIN_DELAY, DRAIN_TIMEOUT};
use super::eventually;
use super::visits::measure;

const CALLERS: u32 = 40;
/// A close that comes so soon after the request was on its way has crossed it: nobody has read the request.
const CROSSING: Duration = Duration::from_millis(5);

/// What became of the requests that were sent from a second before the signal to the end.
#[derive(Debug, Default)]
pub(super) struct End {
    answered: u64,
    failed: u64,
    said_goodbye: u64,
    crossed: u64,
    lost: u64,
    unready: bool,
    took: Duration,
    code: Option<i32>,
}

/// Ends the process while callers ask.
pub(super) async fn end(mut child: Child, people: &People, broke: &impl Fn(Promise, String)) -> End {
    let all = Arc::new(Mutex::new(End::default()));
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        callers.spawn(call(child.lookup, people.crowd().to_vec(), n, Arc::clone(&all)));
    }
    sleep(Duration::from_secs(1)).await;
    child.terminate();
    let signalled = Instant::now();
    let unready = eventually(DRAIN_DELAY / 2, async || child.status("/readyz").await == Some(503)).await;
    let mut code = None;
    let ended = eventually(DRAIN_DELAY + DRAIN_TIMEOUT + Duration::from_secs(2), async || {
        code = child.ended();
        code.is_some()
    });
    ended.await;
    let took = signalled.elapsed();
    let _ = timeout(Duration::from_secs(5), callers.join_all()).await;
    let end = End { unready, took, code: code.flatten(), ..std::mem::take(&mut *all.lock().await) };
    if end.lost > 0 || end.answered == 0 {
        broke(Promise::Ending, format!("{} of {} requests were lost", end.lost, end.answered + end.lost));
    }
    if end.code != Some(0) || !end.unready || took > DRAIN_DELAY + DRAIN_TIMEOUT {
        broke(Promise::Ending, format!("{end:?}"));
    }
    end
}

/// How one request ended.
enum Outcome {
    Answered { status: u16, last: bool },
    Crossed,
    Lost,
}

/// Asks on one connection after the other, as long as somebody listens. Every third caller asks for somebody new, who takes the service a while.
async fn call(address: SocketAddr, crowd: Vec<E164>, n: u32, all: Arc<Mutex<End>>) {
    let mut asked = 0;
    while let Ok(mut stream) = TcpStream::connect(address).await {
        loop {
            asked += 1;
            let phone = match n % 3 {
                0 => format!("1628{:07}", 900_0000 + n * 1_000 + asked % 1_000),
                _ => crowd[(n + asked) as usize % crowd.len()].to_string().trim_start_matches('+').to_owned(),
            };
            if is_closed(&stream) {
                break;
            }
            let outcome = ask(&mut stream, &phone).await;
            let mut all = all.lock().await;
            match outcome {
                Outcome::Answered { status, last } => {
                    all.answered += 1;
                    all.failed += u64::from(status >= 500);
                    all.said_goodbye += u64::from(last);
                    drop(all);
                    if last {
                        break;
                    }
                    sleep(Duration::from_millis(u64::from(n) % 20)).await;
                }
                Outcome::Crossed => {
                    all.crossed += 1;
                    break;
                }
                Outcome::Lost => {
                    all.lost += 1;
                    break;
                }
            }
        }
    }
}

fn is_closed(stream: &TcpStream) -> bool {
    !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

async fn ask(stream: &mut TcpStream, phone: &str) -> Outcome {
    let sent = Instant::now();
    let head = format!("GET /lookup?phone=%2B{phone}&notfound=200 HTTP/1.1\r\nhost: a\r\n\r\n");
    let (mut got, mut part) = (Vec::new(), vec![0; 16_384]);
    let mut broken = stream.write_all(head.as_bytes()).await.is_err();
    while !broken {
        match timeout(Duration::from_secs(15), stream.read(&mut part)).await {
            Ok(Ok(count @ 1..)) => got.extend(&part[..count]),
            _ => broken = true,
        }
        if let Some((status, length)) = measure(&got) {
            let head = String::from_utf8_lossy(&got[..length]).to_ascii_lowercase();
            return Outcome::Answered { status, last: head.contains("connection: close") };
        }
    }
    if got.is_empty() && sent.elapsed() < CROSSING { Outcome::Crossed } else { Outcome::Lost }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, failed, said_goodbye, crossed, lost, unready, took, code } = self;
        writeln!(
            f,
            "SIGTERM under {CALLERS} callers: {answered} requests answered whole ({failed} with a typed failure, {said_goodbye} with \"connection: close\"), {lost} lost, \
             {crossed} crossed by the close; unready at once: {unready}; ended after {:.1} s with {code:?}",
            took.as_secs_f64()
        )
    }
}
