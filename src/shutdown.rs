//! From "may I send you traffic?" to "all callers have been answered": readiness, signals, and the drain between them.
//!
//! [`Readiness`] is what `/readyz` shows: it is ready when every latch is open, every check agrees and nobody has started a drain. A drain
//! is never taken back. [`drain`] is the order of a shutdown: unready, wait until the load balancer has noticed, stop accepting, let the
//! callers finish. Nothing here knows what is being served; the servers give a future that ends when they have.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// What one check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well; the text says more, or is empty.
    Ok(String),
    /// Worse than it should be, but callers still get what we promise.
    Degraded(String),
    /// Traffic should go elsewhere; the text says why.
    Unready(String),
}

impl Health {
    /// The word for it: `ok`, `degraded` or `unready`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Degraded(_) => "degraded",
            Self::Unready(_) => "unready",
        }
    }

    /// The text that came with it.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Ok(detail) | Self::Degraded(detail) | Self::Unready(detail) => detail,
        }
    }
}

/// What every check says, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// No check is unready and nothing drains.
    pub ready: bool,
    /// Each check under its name, in the order of registration; `draining` is last and only there during a drain.
    pub checks: Vec<(&'static str, Health)>,
}

/// Whether this instance wants traffic. A cheap handle: clones share the state.
#[derive(Clone, Default)]
pub struct Readiness(Arc<State>);

#[derive(Default)]
struct State {
    draining: AtomicBool,
    checks: RwLock<Vec<Check>>,
}

struct Check {
    name: &'static str,
    ask: Box<dyn Fn() -> Health + Send + Sync>,
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("report", &self.report()).finish()
    }
}

impl Readiness {
    /// Ready at once; latches and checks take that back.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Something that must have happened once before we are ready.
    #[must_use]
    pub fn latch(&self, name: &'static str) -> Latch {
        let open = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&open);
        self.check(name, move || match seen.load(Ordering::Acquire) {
            true => Health::Ok(String::new()),
            false => Health::Unready("not yet".to_owned()),
        });
        Latch { open }
    }

    /// Something that is asked anew for every report. `ask` must be quick: it runs inside the probe's request.
    pub fn check(&self, name: &'static str, ask: impl Fn() -> Health + Send + Sync + 'static) {
        let check = Check { name, ask: Box::new(ask) };
        self.0.checks.write().unwrap_or_else(PoisonError::into_inner).push(check);
    }

    /// From now on unready, whatever the checks say.
    pub fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether a shutdown has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Asks every check.
    #[must_use]
    pub fn report(&self) -> Report {
        let checks = self.0.checks.read().unwrap_or_else(PoisonError::into_inner);
        let mut checks: Vec<_> = checks.iter().map(|check| (check.name, (check.ask)())).collect();
        if self.is_draining() {
            checks.push(("draining", Health::Unready("shutting down".to_owned())));
        }
        let ready = !checks.iter().any(|(_, health)| matches!(health, Health::Unready(_)));
        Report { ready, checks }
    }
}

/// Keeps a [`Readiness`] unready until it is opened. Dropped unopened, it keeps it unready for good: what was waited for never happened.
#[derive(Debug)]
pub struct Latch {
    open: Arc<AtomicBool>,
}

impl Latch {
    /// It has happened.
    pub fn open(self) {
        self.open.store(true, Ordering::Release);
    }
}

/// The order of a shutdown: unready, wait, stop accepting, let the callers finish.
///
/// `stop` is cancelled when the servers shall stop accepting; `served` ends when they have answered their last caller or given up, which
/// is for them to bound.
pub async fn drain<T>(
    readiness: &Readiness,
    delay: Duration,
    stop: &CancellationToken,
    served: impl Future<Output = T>,
) -> T {
    readiness.start_draining();
    tracing::info!(delay_ms = delay.as_millis(), "unready, still serving");
    tokio::time::sleep(delay).await;
    stop.cancel();
    served.await
}

/// The signals that ask us to stop: SIGTERM from a supervisor, SIGINT from a terminal.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes the signals over; from now on they no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system refuses the handlers.
    #[cfg(unix)]
    pub fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Takes the signal over where there is only Ctrl-C.
    ///
    /// # Errors
    /// Never here.
    #[cfg(not(unix))]
    pub const fn install() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next signal.
    #[cfg(unix)]
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends with the first signal. A second one ends the process at once: whoever sends it does not want to wait for a drain.
    pub async fn first(mut self) {
        let signal = self.next().await;
        tracing::info!(signal, "asked to stop");
        tokio::spawn(async move {
            let signal = self.next().await;
            tracing::warn!(signal, "asked again: stopping without a drain");
            std::process::exit(1);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_latch_is_open() {
        let readiness = Readiness::new();
        let (parser, listeners) = (readiness.latch("parser"), readiness.latch("listeners"));
        assert!(!readiness.report().ready);
        parser.open();
        assert!(!readiness.report().ready);
        listeners.open();
        assert!(readiness.report().ready);
    }

    #[test]
    fn a_latch_dropped_unopened_never_makes_ready() {
        let readiness = Readiness::new();
        drop(readiness.latch("parser"));
        assert_eq!(readiness.report().checks, [("parser", Health::Unready("not yet".to_owned()))]);
    }

    #[test]
    fn a_check_is_asked_anew_and_degraded_is_still_ready() {
        let refused = Arc::new(AtomicBool::new(false));
        let readiness = Readiness::new();
        let seen = Arc::clone(&refused);
        readiness.check("crm", move || match seen.load(Ordering::Relaxed) {
            true => Health::Unready("credentials refused".to_owned()),
            false => Health::Degraded("breaker open".to_owned()),
        });
        assert!(readiness.report().ready);
        refused.store(true, Ordering::Relaxed);
        let report = readiness.report();
        assert!(!report.ready);
        assert_eq!((report.checks[0].1.as_str(), report.checks[0].1.detail()), ("unready", "credentials refused"));
    }

    #[tokio::test(start_paused = true)]
    async fn unready_comes_a_probe_period_before_the_listeners_close() {
        let (readiness, stop) = (Readiness::new(), CancellationToken::new());
        let started = tokio::time::Instant::now();
        let watch = async {
            tokio::time::sleep(Duration::from_millis(999)).await;
            assert!(!readiness.report().ready && !stop.is_cancelled());
            stop.cancelled().await;
            assert_eq!(started.elapsed(), Duration::from_secs(1));
        };
        tokio::join!(drain(&readiness, Duration::from_secs(1), &stop, stop.cancelled()), watch);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_with_the_last_caller() {
        let (readiness, stop) = (Readiness::new(), CancellationToken::new());
        let started = tokio::time::Instant::now();
        let served = async {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            "answered"
        };
        assert_eq!(drain(&readiness, Duration::from_secs(1), &stop, served).await, "answered");
        assert_eq!(started.elapsed(), Duration::from_secs(4));
    }
}
