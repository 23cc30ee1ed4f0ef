//! The accept loop: connections in, requests to a router, and an end that loses no request.
//!
//! Every wait and every size has a bound: the head of a request in time and bytes, an idle connection, a peer that does not read, the
//! number of connections, the drain at the end. What a request then does is the router's business.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::ServiceExt;
use tower::util::Oneshot;

use super::patience::{Busy, Patient, Phase};

/// After the process has run out of descriptors, accepting at once again would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// At the end, how long requests that are on their way have to come in before idle connections are closed.
const LAST_LOOK: Duration = Duration::from_millis(50);

/// Callers who wait to be let in; the system may allow fewer (`somaxconn`). One who finds the queue full hears nothing and tries again after a
/// second, which is too late for a call.
const QUEUE: u32 = 4096;

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

/// What answers the requests: the lookup listener's [`Front`](super::Front), or a router.
pub trait Answers: Clone + Send + 'static {
    /// A response on its way.
    type Responding: Future<Output = Result<Response, Infallible>> + Send + 'static;

    /// Begins to answer one request; whatever needs no waiting is done at once.
    fn answer(&self, request: Request<Incoming>) -> Self::Responding;
}

impl Answers for Router {
    type Responding = Oneshot<Self, Request<Body>>;

    fn answer(&self, request: Request<Incoming>) -> Self::Responding {
        self.clone().oneshot(request.map(Body::new))
    }
}

/// Listens on `address`, for [`serve`].
///
/// Answers are small and written whole; waiting to fill a segment would only add latency. Connections inherit that from the listener.
///
/// # Errors
/// What the system says.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart need not wait for the last connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Serves on `listener` until `shutdown` is ready, then stops accepting and lets the requests in flight finish.
///
/// From the moment that `leaving` is ready each answer is the last of its connection, so that callers who keep theirs have moved away by then.
pub async fn serve(
    listener: TcpListener,
    answers: impl Answers,
    settings: &ServerSettings,
    leaving: impl Future<Output = ()>,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let mut connections = Connections::new(answers, settings);
    tokio::pin!(leaving, shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = &mut leaving, if !connections.are_ending() => connections.end_with_the_next_answer(),
            accepted = connections.accept(&listener) => match accepted {
                Ok((stream, permit)) => connections.spawn(stream, permit),
                Err(error) => pause_after(&error).await,
            },
        }
    }
    connections.take_the_last(&listener);
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
struct Connections<S> {
    answers: S,
    http: http1::Builder,
    settings: ServerSettings,
    slots: Arc<Semaphore>,
    /// From now on each answer is the last of its connection.
    ending: Arc<AtomicBool>,
    graceful: GracefulShutdown,
    tasks: JoinSet<()>,
}

impl<S: Answers> Connections<S> {
    fn new(answers: S, settings: &ServerSettings) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.idle_timeout.max(settings.head_timeout))
            .max_buf_size(settings.max_head_bytes)
            .half_close(true);
        Self {
            answers,
            http,
            settings: settings.clone(),
            slots: Arc::new(Semaphore::new(settings.max_connections)),
            ending: Arc::default(),
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
        let phase = Phase::default();
        let io = Patient::new(stream, phase.clone(), self.settings.head_timeout, self.settings.write_timeout);
        let (answers, ending) = (self.answers.clone(), Arc::clone(&self.ending));
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let busy = phase.busy();
            last_if(Arc::clone(&ending), busy_until(busy, answers.answer(request)))
        });
        let connection = self.graceful.watch(self.http.serve_connection(TokioIo::new(io), service));
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(timed_out = error.is_timeout(), parse = error.is_parse(), "a connection ended early");
            }
            drop(permit);
        });
    }

    /// Those who have connected already, while there is a slot: closing the listener would break their connections, and what they have
    /// sent would be lost.
    fn take_the_last(&mut self, listener: &TcpListener) {
        while let Some(Ok((stream, permit))) = self.accept(listener).now_or_never() {
            self.spawn(stream, permit);
        }
    }

    fn are_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    fn end_with_the_next_answer(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// An idle connection is closed only after a moment, in which a request that was on its way is read and answered; the answer says
    /// that no other will follow.
    async fn drain(mut self, limit: Duration) -> Drained {
        self.end_with_the_next_answer();
        tokio::time::sleep(LAST_LOOK.min(limit)).await;
        if tokio::time::timeout(limit, self.graceful.shutdown()).await.is_ok() {
            return Drained::Complete;
        }
        while self.tasks.try_join_next().is_some() {}
        let connections = self.tasks.len();
        self.tasks.shutdown().await;
        Drained::Cut { connections }
    }
}

async fn last_if(
    ending: Arc<AtomicBool>,
    response: impl Future<Output = Result<Response, Infallible>>,
) -> Result<Response, Infallible> {
    let mut response = response.await?;
    if ending.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

async fn busy_until<T>(busy: Busy, response: impl Future<Output = T>) -> T {
    let _busy = busy;
    response.await
}

#[cfg(test)]
mod tests;
