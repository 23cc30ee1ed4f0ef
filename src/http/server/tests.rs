//! The server from outside, over real sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server on a free port, and the means to stop it.
struct Running {
    address: SocketAddr,
    leave: oneshot::Sender<()>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Drained>,
    /// Lets `/slow` answer.
    release: Arc<Notify>,
    /// `/slow` has been reached.
    reached: Arc<Notify>,
}

impl Running {
    async fn start(settings: ServerSettings) -> Self {
        let listener = listen(LOOPBACK).unwrap();
        let address = listener.local_addr().unwrap();
        let (release, reached) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (inside, arrived) = (Arc::clone(&release), Arc::clone(&reached));
        let slow = get(move || async move {
            arrived.notify_one();
            inside.notified().await;
            "late"
        });
        let router = Router::new().route("/", get(|| async { "ok" })).route("/slow", slow);
        let ((leave, leaving), (stop, stopped)) = (oneshot::channel(), oneshot::channel());
        let (leaving, stopped) = (async { drop(leaving.await) }, async { drop(stopped.await) });
        let served = tokio::spawn(async move { serve(listener, router, &settings, leaving, stopped).await });
        Self { address, leave, stop, served, release, reached }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_all(&mut stream).await
    }
}

/// Until the server closes; a reset counts as a close.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 1024];
    let count = stream.read(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

fn impatient() -> ServerSettings {
    ServerSettings {
        head_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(400),
        drain_timeout: Duration::from_millis(300),
        max_head_bytes: 8192,
        ..ServerSettings::default()
    }
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let server = Running::start(ServerSettings::default()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(read_some(&mut stream).await.ends_with("ok"));
    }
}

#[tokio::test]
async fn a_client_that_closes_its_side_early_is_still_answered() {
    let server = Running::start(ServerSettings::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(read_all(&mut stream).await.ends_with("ok"));
}

#[tokio::test]
async fn a_head_that_dribbles_is_cut() {
    let server = Running::start(impatient()).await;
    let mut stream = server.connect().await;
    let started = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nx-").await.unwrap();

    let answer = read_all(&mut stream).await;

    assert_eq!(answer, "");
    assert!(started.elapsed() < impatient().idle_timeout, "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_idle_connection_outlives_a_head_but_not_for_ever() {
    let server = Running::start(impatient()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_some(&mut stream).await;
    let started = Instant::now();

    assert_eq!(read_all(&mut stream).await, "");

    assert!(started.elapsed() > impatient().head_timeout * 2, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_head_too_large_is_431_and_garbage_is_400() {
    let server = Running::start(impatient()).await;
    let huge = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(9000));
    assert!(server.exchange(huge.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(9000));
    assert!(server.exchange(long.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    assert!(server.exchange(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    assert!(server.exchange(b"what is this\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_their_turn() {
    let server = Running::start(ServerSettings { max_connections: 1, ..ServerSettings::default() }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_some(&mut first).await;
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();

    let waited = tokio::time::timeout(Duration::from_millis(100), read_some(&mut second)).await;
    assert!(waited.is_err(), "the only slot is taken");
    drop(first);

    assert!(read_all(&mut second).await.ends_with("ok"));
}

#[tokio::test]
async fn a_drain_finishes_the_request_in_flight_and_takes_no_new_connection() {
    let server = Running::start(ServerSettings::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    server.reached.notified().await;
    server.stop.send(()).unwrap();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.served.is_finished());

    server.release.notify_one();

    let answer = read_all(&mut stream).await;
    assert!(answer.contains("connection: close") && answer.ends_with("late"), "{answer}");
    assert_eq!(server.served.await.unwrap(), Drained::Complete);
}

#[tokio::test]
async fn a_request_on_its_way_when_the_drain_begins_is_answered_on_kept_new_and_waiting_connections() {
    let server = Running::start(ServerSettings::default()).await;
    let mut kept = server.connect().await;
    kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_some(&mut kept).await;
    let mut quiet = server.connect().await;
    quiet.writable().await.unwrap();

    // Nothing awaits between these steps, so the server has not yet seen any of it when it is told to stop.
    server.stop.send(()).unwrap();
    let question = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    for stream in [&kept, &quiet] {
        assert_eq!(stream.try_write(question).unwrap(), question.len());
    }
    let mut late = std::net::TcpStream::connect(server.address).unwrap();
    io::Write::write_all(&mut late, question).unwrap();
    late.set_nonblocking(true).unwrap();
    let mut late = TcpStream::from_std(late).unwrap();

    for stream in [&mut kept, &mut quiet, &mut late] {
        let answer = read_all(stream).await;
        assert!(answer.contains("connection: close") && answer.ends_with("ok"), "{answer:?}");
    }
    assert_eq!(server.served.await.unwrap(), Drained::Complete);
}

#[tokio::test]
async fn before_the_drain_whoever_asks_is_answered_and_told_to_go_and_may_come_again() {
    let server = Running::start(ServerSettings::default()).await;
    let mut kept = server.connect().await;
    kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(!read_some(&mut kept).await.contains("connection: close"));
    let (mut new, mut next) = (server.connect().await, server.connect().await);
    server.leave.send(()).unwrap();
    tokio::task::yield_now().await;

    for stream in [&mut kept, &mut new, &mut next] {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let answer = read_all(stream).await;
        assert!(answer.contains("connection: close") && answer.ends_with("ok"), "{answer:?}");
    }
    assert!(!server.served.is_finished(), "it serves until it is told to stop");
    server.stop.send(()).unwrap();
    assert_eq!(server.served.await.unwrap(), Drained::Complete);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_idle_connections() {
    let server = Running::start(ServerSettings::default()).await;
    let (mut used, mut unused) = (server.connect().await, server.connect().await);
    used.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_some(&mut used).await;

    server.stop.send(()).unwrap();

    assert_eq!(server.served.await.unwrap(), Drained::Complete);
    assert_eq!(read_all(&mut used).await + &read_all(&mut unused).await, "");
}

#[tokio::test]
async fn a_drain_has_a_deadline() {
    let server = Running::start(impatient()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    server.reached.notified().await;

    server.stop.send(()).unwrap();

    assert_eq!(server.served.await.unwrap(), Drained::Cut { connections: 1 });
    assert_eq!(read_all(&mut stream).await, "");
}

#[tokio::test]
async fn callers_who_come_all_at_once_are_let_in_before_anybody_has_looked() {
    let listener = listen(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    let callers = (0..400).map(|_| TcpStream::connect(address));
    // One who finds the queue full is not refused, but waits for longer than this.
    let all = tokio::time::timeout(Duration::from_secs(20), futures_util::future::try_join_all(callers)).await;
    assert_eq!(all.unwrap().unwrap().len(), 400);
}

#[tokio::test]
async fn a_connection_sends_what_it_has_at_once() {
    let listener = listen(LOOPBACK).unwrap();
    let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (connection, _) = listener.accept().await.unwrap();
    assert!(connection.nodelay().unwrap(), "it has inherited that");
}
