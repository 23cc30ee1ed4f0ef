//! A connection that does not wait for ever: a peer that dribbles its request head, or does not take its answer, is cut.
//!
//! hyper has one clock for "no request head yet", which must be long, because phone systems keep idle connections open for minutes. The
//! two waits that cost something while nothing useful happens get clocks of their own here: from the first byte of a head to its end,
//! and for a write that the peer does not read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Between requests: no byte of the next head has come.
const IDLE: u8 = 0;
/// A head has begun and is not whole.
const HEAD: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;

/// Where the connection is between two requests; shared by its I/O and its service.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// A request is being answered until the guard is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.0.store(BUSY, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Bytes came in; true when they are the first of a head.
    fn bytes_arrived(&self) -> bool {
        self.0.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn is_reading_head(&self) -> bool {
        self.0.load(Ordering::Relaxed) == HEAD
    }
}

/// Marks the connection as busy while it lives.
#[derive(Debug)]
pub(super) struct Busy(Phase);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.store(IDLE, Ordering::Relaxed);
    }
}

/// A stream whose slow heads and stuck writes end in [`io::ErrorKind::TimedOut`].
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    phase: Phase,
    head: Clock,
    write: Clock,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, phase: Phase, head: Duration, write: Duration) -> Self {
        Self { stream, phase, head: Clock::new(head), write: Clock::new(write) }
    }
}

impl<S: Unpin> Patient<S> {
    /// Passes a write's outcome on, and ends a wait that has lasted too long.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(done) => {
                self.write.stop();
                Poll::Ready(done)
            }
            Poll::Pending => {
                self.write.start();
                self.write.poll_over(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before && this.phase.bytes_arrived() {
            this.head.stop();
        }
        // A head that is read at once needs no clock: it starts when there is something to wait for.
        if outcome.is_pending() && this.phase.is_reading_head() {
            this.head.start();
            return this.head.poll_over(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.bounded(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.bounded(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Only flushes: hyper shuts a connection down to drop it at once, which says the same to the peer.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// A limit on one wait. The timer is made once, at the first wait, and then moved.
#[derive(Debug)]
struct Clock {
    limit: Duration,
    running: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn new(limit: Duration) -> Self {
        Self { limit, running: false, timer: None }
    }

    fn start(&mut self) {
        if self.running {
            return;
        }
        let deadline = Instant::now() + self.limit;
        self.running = true;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(deadline),
            None => self.timer = Some(Box::pin(sleep_until(deadline))),
        }
    }

    fn stop(&mut self) {
        self.running = false;
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.timer {
            Some(timer) if self.running => timer.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const HEAD_LIMIT: Duration = Duration::from_secs(5);
    const WRITE_LIMIT: Duration = Duration::from_secs(7);

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_not_cut_here() {
        let (_peer, stream) = duplex(64);
        let mut stream = Patient::new(stream, Phase::default(), HEAD_LIMIT, WRITE_LIMIT);

        let read = tokio::time::timeout(Duration::from_secs(600), stream.read_u8()).await;

        assert!(read.is_err(), "it still waits");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_dribbles_is_cut_counted_from_its_first_byte() {
        let (mut peer, stream) = duplex(64);
        let mut stream = Patient::new(stream, Phase::default(), HEAD_LIMIT, WRITE_LIMIT);
        tokio::spawn(async move {
            while peer.write_all(b"G").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let started = Instant::now();

        let mut head = Vec::new();
        let cut = stream.read_to_end(&mut head).await.unwrap_err();

        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), HEAD_LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_being_answered_may_take_longer_than_a_head() {
        let (mut peer, stream) = duplex(64);
        let phase = Phase::default();
        let mut stream = Patient::new(stream, phase.clone(), HEAD_LIMIT, WRITE_LIMIT);
        peer.write_all(b"G").await.unwrap();
        stream.read_u8().await.unwrap();

        let busy = phase.busy();
        let read = tokio::time::timeout(HEAD_LIMIT * 10, stream.read_u8()).await;

        assert!(read.is_err(), "it still waits");
        drop(busy);
        peer.write_all(b"G").await.unwrap();
        stream.read_u8().await.unwrap();
        assert_eq!(
            stream.read_u8().await.unwrap_err().kind(),
            io::ErrorKind::TimedOut,
            "the next head has its own clock"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_cut() {
        let (_peer, stream) = duplex(8);
        let mut stream = Patient::new(stream, Phase::default(), HEAD_LIMIT, WRITE_LIMIT);
        let started = Instant::now();

        let cut = stream.write_all(&[0; 9]).await.unwrap_err();

        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), WRITE_LIMIT.as_secs());
    }
}
