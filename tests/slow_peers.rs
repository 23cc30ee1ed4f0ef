//! Peers that take their time, send too much, or leave in the middle: each costs a bounded time and a bounded memory, and nobody else waits
//! for it. The whole service over real sockets, with short limits.
#![expect(clippy::unwrap_used, reason = "a test, helpers included, may stop at what it did not expect")]

use std::net::SocketAddr;
use std::time::Duration;

use callcard::app::App;
use callcard::config::{Config, Strings};
use callcard::http::Drained;
use callcard::sandbox::{Sandbox, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

const SECRET: &str = "secret-of-the-webhooks";
const CONNECTIONS: usize = 8;
const HEAD: Duration = Duration::from_millis(400);
const BODY: Duration = Duration::from_millis(500);
const WRITE: Duration = Duration::from_millis(600);
/// What a busy machine adds.
const GRACE: Duration = Duration::from_secs(4);
/// More than the buffers of both systems hold between two sockets of one machine.
const BUFFERS: usize = 8 << 20;

struct Service {
    lookup: SocketAddr,
    admin: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Drained>,
}

impl Service {
    async fn start() -> Self {
        let sandbox = Sandbox::new(Settings { contacts: 200, ..Settings::default() });
        let token = sandbox.settings().token.clone();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let crm = format!("http://{}", socket.local_addr().unwrap());
        tokio::spawn(async move { sandbox.serve(socket, std::future::pending()).await });
        let strings = Strings::of(|variable| match variable {
            "CALLCARD_LISTEN" | "CALLCARD_ADMIN_LISTEN" => Some("127.0.0.1:0".to_owned()),
            "CALLCARD_KOMMO_URL" => Some(crm.clone()),
            "CALLCARD_KOMMO_TOKEN" => Some(token.clone()),
            "CALLCARD_SEARCH" => Some("digits".to_owned()),
            "CALLCARD_WEBHOOK_SECRET" => Some(SECRET.to_owned()),
            "CALLCARD_DRAIN_DELAY" => Some("0s".to_owned()),
            _ => None,
        });
        let mut config = Config::check(&strings).unwrap();
        config.server.head_timeout = HEAD;
        config.server.write_timeout = WRITE;
        config.server.max_connections = CONNECTIONS;
        config.http.body_timeout = BODY;
        let app = App::build(config).await.unwrap();
        let (lookup, admin) = (app.lookup_address(), app.admin_address());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(app.run(async { drop(stopped.await) }));
        let service = Self { lookup, admin, stop, served };
        while service.probe("readyz").await != "200" {
            sleep(Duration::from_millis(20)).await;
        }
        service
    }

    /// What the admin listener says.
    async fn probe(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).await.unwrap();
        let head = format!("GET /{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        status(&ended(&mut stream).await)
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.lookup).await.unwrap()
    }

    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// An ordinary caller's status, within the time that any caller may take.
    async fn ask(&self) -> String {
        let mut stream = self.send(withheld("connection: close\r\n").as_bytes()).await;
        status(&ended(&mut stream).await)
    }

    /// The service ends, and nothing was left to wait for.
    async fn ends_well(self) {
        self.stop.send(()).unwrap();
        assert_eq!(self.served.await.unwrap(), Drained::Complete);
    }
}

/// A question that needs no CRM.
fn withheld(headers: &str) -> String {
    format!("GET /lookup?phone=anonymous&notfound=200 HTTP/1.1\r\nhost: a\r\n{headers}\r\n")
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
}

/// Everything until the service closes; a reset counts as a close.
async fn ended(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(Duration::from_secs(15), stream.read_to_end(&mut bytes)).await.expect("it closes");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn status(answer: &str) -> String {
    answer.split(' ').nth(1).unwrap_or("none").to_owned()
}

/// Writes the same bytes for ever; how many were taken until the service had enough.
async fn pour(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> usize {
    let mut taken = 0;
    while taken < 4 * BUFFERS && stream.write_all(bytes).await.is_ok() {
        taken += bytes.len();
        sleep(pause).await;
    }
    taken
}

#[tokio::test]
async fn heads_sent_byte_by_byte_on_every_connection_are_cut_and_the_next_caller_is_answered() {
    let service = Service::start().await;
    let started = Instant::now();
    let slow = (0..CONNECTIONS).map(|_| async {
        let mut stream = service.connect().await;
        pour(&mut stream, b"G", Duration::from_millis(20)).await
    });
    let (dribbled, caller) = tokio::join!(futures_util::future::join_all(slow), async {
        sleep(HEAD / 4).await;
        service.ask().await
    });
    assert_eq!(caller, "200");
    assert!(started.elapsed() < HEAD + GRACE, "{:?}", started.elapsed());
    assert!(dribbled.iter().all(|bytes| *bytes < 1_000), "{dribbled:?}");
    service.ends_well().await;
}

#[tokio::test]
async fn header_lines_without_end_are_refused_before_they_cost_memory() {
    let service = Service::start().await;
    let mut stream = service.send(b"GET / HTTP/1.1\r\nhost: a\r\n").await;
    let taken = pour(&mut stream, format!("x-a: {}\r\n", "a".repeat(500)).as_bytes(), Duration::ZERO).await;
    assert!(taken < BUFFERS, "{taken} bytes were taken");
    let mut stream = service.send(b"GET / HTTP/1.1\r\nhost: a\r\n").await;
    stream.write_all("x: y\r\n".repeat(2_000).as_bytes()).await.unwrap();
    assert_eq!(status(&ended(&mut stream).await), "431", "small ones, but thousands");
    service.ends_well().await;
}

#[tokio::test]
async fn a_request_line_or_a_header_of_100_kib_is_refused_and_the_next_caller_answered() {
    let service = Service::start().await;
    let huge = "a".repeat(100 << 10);
    for head in [
        format!("GET /lookup?phone={huge} HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("GET /lookup?phone=anonymous HTTP/1.1\r\nhost: a\r\nx: {huge}\r\n\r\n"),
        format!("{huge} / HTTP/1.1\r\n\r\n"),
    ] {
        let mut stream = service.connect().await;
        // It is refused before it has been read: writing on may fail, and the reset that follows may overtake the 431.
        let _ = stream.write_all(head.as_bytes()).await;
        let answer = ended(&mut stream).await;
        assert!(["431", "none"].contains(&status(&answer).as_str()), "{answer}");
        assert_eq!(service.ask().await, "200", "and the next one is answered");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn with_every_connection_taken_probes_still_answer_and_the_next_caller_is_served_when_one_leaves() {
    let service = Service::start().await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = service.send(withheld("").as_bytes()).await;
        assert!(stream.read(&mut [0; 2_048]).await.unwrap() > 0);
        idle.push(stream);
    }
    let mut waiting = Vec::new();
    for _ in 0..50 {
        waiting.push(service.send(withheld("connection: close\r\n").as_bytes()).await);
    }
    assert!(timeout(Duration::from_millis(100), waiting[0].read(&mut [0])).await.is_err(), "it waits its turn");
    for path in ["livez", "readyz", "metrics"] {
        assert_eq!(service.probe(path).await, "200", "{path}");
    }
    drop(idle.pop());
    for mut stream in waiting {
        assert_eq!(status(&ended(&mut stream).await), "200", "one after the other through the one place");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn whoever_does_not_read_a_large_answer_is_cut_and_nobody_waits_for_it() {
    let service = Service::start().await;
    let body = serde_json::json!({ "phones": vec!["anonymous"; 100] }).to_string();
    let request = post("/lookup", body.len()) + &body;
    let started = Instant::now();
    let slow = (0..CONNECTIONS).map(|_| async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(service.lookup).await.unwrap();
        // Many questions, and not one answer is read, until the service has had enough.
        let asking = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
        timeout(Duration::from_secs(30), asking).await.expect("it is cut");
    });
    let (_, caller) = tokio::join!(futures_util::future::join_all(slow), async {
        sleep(WRITE / 4).await;
        service.ask().await
    });
    assert_eq!(caller, "200");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    service.ends_well().await;
}

#[tokio::test]
async fn a_body_that_dribbles_is_408_on_both_routes_that_take_one() {
    let service = Service::start().await;
    for path in ["/lookup".to_owned(), format!("/hooks/kommo/{SECRET}")] {
        let started = Instant::now();
        let mut stream = service.send(post(&path, 1_000).as_bytes()).await;
        let (mut reading, mut writing) = stream.split();
        let dribble = async {
            while writing.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let mut answer = [0; 2_048];
        let count = tokio::select! {
            count = reading.read(&mut answer) => count.unwrap(),
            () = dribble => 0,
        };
        assert_eq!(status(&String::from_utf8_lossy(&answer[..count])), "408", "{path}");
        assert!(started.elapsed() < BODY + GRACE, "{:?}", started.elapsed());
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_costs_memory() {
    let service = Service::start().await;
    for path in ["/lookup".to_owned(), format!("/hooks/kommo/{SECRET}")] {
        let mut stream = service.send(post(&path, 1 << 30).as_bytes()).await;
        let taken = pour(&mut stream, &[b' '; 16_384], Duration::ZERO).await;
        assert!(taken < BUFFERS, "{taken} bytes were taken by {path}");
    }
    let chunked = "POST /lookup HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = service.send(chunked.as_bytes()).await;
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    assert!(pour(&mut stream, chunk.as_bytes(), Duration::ZERO).await < BUFFERS, "nor one without a length");
    assert_eq!(service.ask().await, "200");
    service.ends_well().await;
}

#[tokio::test]
async fn a_peer_that_leaves_in_the_middle_of_a_body_or_a_head_leaves_nothing_behind() {
    let service = Service::start().await;
    for _ in 0..3 {
        for begun in [post("/lookup", 1_000) + "{", "GET /lookup?ph".to_owned(), String::new()] {
            for _ in 0..CONNECTIONS {
                drop(service.send(begun.as_bytes()).await);
            }
        }
    }
    assert_eq!(service.ask().await, "200", "its places are free again");
    service.ends_well().await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_400_for_whoever_still_listens() {
    let service = Service::start().await;
    let mut stream = service.send((post("/lookup", 1_000) + "{").as_bytes()).await;
    stream.shutdown().await.unwrap();
    let answer = ended(&mut stream).await;
    assert_eq!(status(&answer), "400", "{answer}");
    service.ends_well().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let service = Service::start().await;
    let ask = |id: u8, close: &str| withheld(&format!("x-request-id: number-{id}\r\n{close}"));
    let all = ask(1, "") + &ask(2, "") + &ask(3, "connection: close\r\n");
    let answer = ended(&mut service.send(all.as_bytes()).await).await.to_ascii_lowercase();
    let places: Vec<_> = (1..=3).map(|id| answer.find(&format!("x-request-id: number-{id}")).unwrap()).collect();
    assert!(places.is_sorted() && answer.matches("http/1.1 200").count() == 3, "{answer}");
    service.ends_well().await;
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed_and_kept_if_asked() {
    let service = Service::start().await;
    let answer = ended(&mut service.send(b"GET /lookup?phone=anonymous&notfound=200 HTTP/1.0\r\n\r\n").await).await;
    assert!(
        answer.starts_with("HTTP/1.0 200 ") && answer.to_ascii_lowercase().contains("content-length: "),
        "{answer}"
    );
    let kept = b"GET /lookup?phone=anonymous&notfound=200 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
    let mut stream = service.send(kept).await;
    for _ in 0..2 {
        let mut answer = [0; 4_096];
        let count = timeout(GRACE, stream.read(&mut answer)).await.unwrap().unwrap();
        assert_eq!(status(&String::from_utf8_lossy(&answer[..count])), "200");
        stream.write_all(kept).await.unwrap();
    }
    drop(stream);
    service.ends_well().await;
}

#[tokio::test]
async fn requests_that_are_none_are_400_and_closed() {
    let service = Service::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET /lookup?phone=anonymous\r\n\r\n",
        b"GET /lookup HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nbroken header\r\n\r\n",
        b"POST /lookup HTTP/1.1\r\nhost: a\r\ncontent-length: many\r\n\r\n",
        b"POST /lookup HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n{}  ",
        b"GET /lookup\0 HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let answer = ended(&mut service.send(bytes).await).await;
        assert_eq!(status(&answer), "400", "{:?}: {answer}", String::from_utf8_lossy(bytes));
    }
    let http_2 = ended(&mut service.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await).await;
    assert_eq!(http_2, "", "whoever speaks HTTP/2 could not read an answer");
    assert_eq!(service.ask().await, "200");
    service.ends_well().await;
}
