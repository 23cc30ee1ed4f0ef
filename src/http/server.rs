//! The accept loop: connections in, requests to a router, and an end that loses no request.
//!
//! Every wait and every size has a bound: the head of a request in time and bytes, an idle connection, a peer that does not read, the
//! number of connections, the drain at the end. What a request then does is the router's business.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::patience::{Patient, Phase};

/// After the process has run out of descriptors, accepting at once again would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Bounds of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// From the first byte of a request's head to its last. Default 10 s.
    pub head_timeout: Duration,
    /// A kept-alive connection without a next request. Default 75 s, longer than the pools of the usual proxies.
    pub idle_timeout: Duration,
    /// A write that the peer does not take. Default 20 s.
    pub write_timeout: Duration,
    /// Request line and headers together; more is answered with 431. Default 16 KiB, at least 8 KiB.
    pub max_head_bytes: usize,
    /// Open connections; further ones wait in the kernel's queue. Default 4096.
    pub max_connections: usize,
    /// At the end, how long requests in flight may take. Default 10 s.
    pub drain_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(20),
            max_head_bytes: 16 * 1024,
            max_connections: 4096,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request in flight was answered.
    Complete,
    /// The deadline passed first.
    Cut {
        /// Connections that were closed with a request in flight.
        connections: usize,
    },
}

/// Serves `router` on `listener` until `shutdown` is ready, then stops accepting and lets the requests in flight finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &ServerSettings,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let mut connections = Connections::new(router, settings);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = connections.accept(&listener) => match accepted {
                Ok((stream, permit)) => connections.spawn(stream, permit),
                Err(error) => pause_after(&error).await,
            },
        }
    }
    drop(listener);
    connections.drain(settings.drain_timeout).await
}

/// A refused or broken handshake concerns one peer; anything else (descriptors, memory) concerns us and needs a breath.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(error.kind = ?error.kind(), "connections cannot be accepted");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// The open connections of one listener.
struct Connections {
    router: Router,
    http: http1::Builder,
    settings: ServerSettings,
    slots: Arc<Semaphore>,
    graceful: GracefulShutdown,
    tasks: JoinSet<()>,
}

impl Connections {
    fn new(router: Router, settings: &ServerSettings) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.idle_timeout.max(settings.head_timeout))
            .max_buf_size(settings.max_head_bytes)
            .half_close(true);
        Self {
            router,
            http,
            settings: settings.clone(),
            slots: Arc::new(Semaphore::new(settings.max_connections)),
            graceful: GracefulShutdown::new(),
            tasks: JoinSet::new(),
        }
    }

    /// The next connection, once there is a slot for it.
    async fn accept(&mut self, listener: &TcpListener) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed");
        let (stream, _) = listener.accept().await?;
        while self.tasks.try_join_next().is_some() {}
        Ok((stream, permit))
    }

    fn spawn(&mut self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        // Answers are small and written whole; waiting to fill a segment would only add latency. A refusal costs no correctness.
        let _ = stream.set_nodelay(true);
        let phase = Phase::default();
        let io = Patient::new(stream, phase.clone(), self.settings.head_timeout, self.settings.write_timeout);
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            answer(router.clone(), request, phase.clone())
        });
        let connection = self.graceful.watch(self.http.serve_connection(TokioIo::new(io), service));
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(timed_out = error.is_timeout(), parse = error.is_parse(), "a connection ended early");
            }
            drop(permit);
        });
    }

    async fn drain(mut self, limit: Duration) -> Drained {
        if tokio::time::timeout(limit, self.graceful.shutdown()).await.is_ok() {
            return Drained::Complete;
        }
        while self.tasks.try_join_next().is_some() {}
        let connections = self.tasks.len();
        self.tasks.shutdown().await;
        Drained::Cut { connections }
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    phase: Phase,
) -> Result<Response, std::convert::Infallible> {
    let _busy = phase.busy();
    router.oneshot(request.map(Body::new)).await
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    /// A server on a free port, and the means to stop it.
    struct Running {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        served: JoinHandle<Drained>,
        /// Lets `/slow` answer.
        release: Arc<Notify>,
        /// `/slow` has been reached.
        reached: Arc<Notify>,
    }

    impl Running {
        async fn start(settings: ServerSettings) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (release, reached) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let (inside, arrived) = (Arc::clone(&release), Arc::clone(&reached));
            let slow = get(move || async move {
                arrived.notify_one();
                inside.notified().await;
                "late"
            });
            let router = Router::new().route("/", get(|| async { "ok" })).route("/slow", slow);
            let (stop, stopped) = oneshot::channel();
            let served =
                tokio::spawn(async move { serve(listener, router, &settings, async { drop(stopped.await) }).await });
            Self { address, stop, served, release, reached }
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
}
