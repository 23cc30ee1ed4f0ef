//! The composition root: the one place that knows every component and puts them together.
//!
//! [`App::build`] takes both addresses before it starts anything, so that a port in use is an error and not a half-started service;
//! [`App::run`] serves until a future says stop, and drains. Production, demo and tests take this same path: tests listen on port 0 and
//! ask [`App::lookup_address`].

mod backend;
mod build;
mod first_contact;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use backend::{Backend, BackendError, Keeper};
pub use build::{REVISION, VERSION, version};

use crate::config::Config;
use crate::crm::auth::{Outlook, StoreError};
use crate::crm::dictionary::Dictionaries;
use crate::crm::gate::{BreakerState, Gate, Standing};
use crate::crm::{CrmClient, HookState, HookWatch, Hooks, TokenSource};
use crate::directory::OpenError;
use crate::http::{self, Answers, Api, Drained, ServerSettings, serve};
use crate::lookup::Calibration;
use crate::phone::{self, CallerReader, Region};
use crate::shared::Shared;
use crate::shutdown::{Health, Latch, Readiness, drain};
use crate::traces::{Export, SetupError};

/// How many raw spellings of numbers are remembered: a busy switchboard's callers of a day, in a few megabytes.
const REMEMBERED_TEXTS: u64 = 20_000;

/// The last traces have this long to get out, if the drain leaves as much.
const FLUSHED_WITHIN: Duration = Duration::from_secs(5);

/// For this long we say "not yet ready" for the sake of what the other replicas know.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

/// The right to keep the mirror up to date is given back within this, or ends by itself.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(1);

/// Why the service cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An address is in use, or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The mirror's snapshot cannot be opened.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// The CRM, or the shared store, cannot be reached even in principle.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The tokens cannot be kept, or are somebody else's.
    #[error(transparent)]
    Tokens(#[from] StoreError),
    /// The variables for traces do not fit together.
    #[error(transparent)]
    Traces(#[from] SetupError),
}

/// The whole service, listening but not yet answering.
#[derive(Debug)]
pub struct App {
    lookup: Listener,
    admin: Listener,
    api: Api,
    tokens: TokenSource,
    crm: CrmClient,
    names: Dictionaries,
    hook_watch: Option<HookWatch>,
    calibration: Calibration,
    keeper: Option<Keeper>,
    gate: Arc<Gate>,
    shared: Option<Shared>,
    region: Region,
    readiness: Readiness,
    server: ServerSettings,
    drain_delay: Duration,
    traces: Option<Export>,
}

#[derive(Debug)]
struct Listener {
    name: &'static str,
    socket: TcpListener,
    address: SocketAddr,
}

impl App {
    /// Takes the addresses and puts the components together. Connections wait in the kernel until [`App::run`].
    ///
    /// # Errors
    /// [`BuildError`]; nothing is left running then.
    pub async fn build(mut config: Config) -> Result<Self, BuildError> {
        let (lookup, admin) = (Listener::bind("lookup", config.listen)?, Listener::bind("admin", config.admin_listen)?);
        let region = config.backend.lookup.region;
        let mirror = config.backend.directory.clone();
        if let Some(shared) = &mut config.backend.shared {
            shared.seat = seat(lookup.address);
        }
        let mut backend = Backend::new(config.backend)?;
        backend.tokens.open().await?;
        let keeper = match mirror {
            Some(settings) => Some(backend.mirror_for_all(settings).await?),
            None => None,
        };
        backend.metrics.describe_process(VERSION, REVISION.unwrap_or("unknown"));
        let watch = |secret| HookWatch::new(Hooks::new(backend.crm.clone()), secret);
        let hook_watch = config.http.webhook_secret.clone().map(watch);
        let reader = CallerReader::new(REMEMBERED_TEXTS);
        let traces = config.traces.map(Export::start).transpose()?;
        let http = http::Settings { tracer: traces.as_ref().map(Export::tracer), ..config.http };
        let api = Api::new(backend.lookups.clone(), reader, Arc::clone(&backend.metrics), http);
        let readiness = Readiness::new();
        describe(&backend, hook_watch.clone(), &readiness);
        let calibration = backend.lookups.calibration().clone();
        Ok(Self {
            lookup,
            admin,
            api,
            tokens: backend.tokens,
            crm: backend.crm,
            names: backend.names,
            hook_watch,
            calibration,
            keeper,
            gate: backend.gate,
            shared: backend.shared,
            region,
            readiness,
            server: config.server,
            drain_delay: config.drain_delay,
            traces,
        })
    }

    /// Where lookups are answered.
    #[must_use]
    pub const fn lookup_address(&self) -> SocketAddr {
        self.lookup.address
    }

    /// Where probes, metrics and cache administration are.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// Serves until `shutdown` is over, then answers who is still waiting.
    ///
    /// # Panics
    /// If a listener's task did.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let (leaving, stop, stop_admin) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let (parser, listeners) = (self.readiness.latch("parser"), self.readiness.latch("listeners"));
        let credentials = self.readiness.latch("credentials");
        if let Some(shared) = self.shared {
            tokio::spawn(find_the_others(shared, self.readiness.latch("others")));
        }
        let (readiness, delay, gate) = (self.readiness, self.drain_delay, self.gate);
        let mut lookup = start(self.lookup, self.api.front(), &self.server, &leaving, &stop);
        let mut admin =
            start(self.admin, self.api.admin_router(readiness.clone()), &self.server, &stop_admin, &stop_admin);
        listeners.open();
        tokio::task::spawn_blocking(|| warm(parser));
        let tokens = self.tokens.clone();
        tokio::spawn(async move { tokens.keep_fresh().await });
        self.hook_watch.map(|watch| tokio::spawn(watch.run()));
        tokio::spawn(first_contact::make(self.crm, self.names, self.region, credentials));
        tokio::spawn(stop.clone().run_until_cancelled_owned(self.calibration.keep()));
        // It ends with us: what it has written down is whole at any moment.
        let stop_keeper = CancellationToken::new();
        let keeper = self.keeper.map(|keeper| AbortOnDropHandle::new(tokio::spawn(keeper.run(stop_keeper.clone()))));
        tokio::select! {
            () = shutdown => {}
            ended = &mut lookup => return finished(ended),
            ended = &mut admin => return finished(ended),
        }
        let stopped_by = Instant::now() + delay + self.server.drain_timeout;
        // Kept connections move to others while the door is still open; whoever comes back to us meanwhile is served.
        leaving.cancel();
        let drained = finished(drain(&readiness, delay, &stop, lookup).await);
        match drained {
            Drained::Complete => tracing::info!("every request in flight was answered"),
            Drained::Cut { connections } => {
                tracing::warn!(connections, "the drain deadline passed with requests in flight")
            }
        }
        // Another replica may keep the mirror up to date from now on.
        stop_keeper.cancel();
        if let Some(keeper) = keeper {
            let _ = timeout(HANDED_OVER_WITHIN, keeper).await;
        }
        // Nobody waits for the CRM any more; the other replicas may have what we had of its quota.
        gate.leave().await;
        // Probes and the last scrape are answered until the callers have been.
        stop_admin.cancel();
        finished(admin.await);
        self.tokens.close().await;
        if let Some(traces) = self.traces {
            traces.close(stopped_by.saturating_duration_since(Instant::now()).min(FLUSHED_WITHIN)).await;
        }
        drained
    }
}

/// Adds what `/readyz?verbose` tells of the parts; none of it makes the service unready.
fn describe(backend: &Backend, hook_watch: Option<HookWatch>, readiness: &Readiness) {
    let gate = Arc::clone(&backend.gate);
    readiness.check("crm", move || crm_health(&gate));
    let tokens = backend.tokens.clone();
    readiness.check("token", move || token_health(&tokens));
    if let Some(watch) = hook_watch {
        readiness.check("webhooks", move || webhook_health(&watch));
    }
    let search = backend.lookups.calibration().clone();
    readiness.check("search", move || Health::Ok(search.describe()));
    if let Some(directory) = backend.directory.clone() {
        readiness.check("directory", move || directory.health());
    }
    if backend.shared.is_some() {
        let gate = Arc::clone(&backend.gate);
        readiness.check("shared", move || shared_health(gate.state().standing));
    }
}

impl Listener {
    fn bind(name: &'static str, address: SocketAddr) -> Result<Self, BuildError> {
        let listening = || {
            let socket = http::listen(address)?;
            Ok(Self { name, address: socket.local_addr()?, socket })
        };
        listening().map_err(|source| BuildError::Listen { address, source })
    }
}

/// Serves in a task of its own, until the token is cancelled and the last request is answered.
fn start(
    listener: Listener,
    answers: impl Answers,
    settings: &ServerSettings,
    leaving: &CancellationToken,
    stop: &CancellationToken,
) -> JoinHandle<Drained> {
    tracing::info!(listener = listener.name, address = %listener.address, "listening");
    let (settings, leaving, stop) = (settings.clone(), leaving.clone(), stop.clone());
    tokio::spawn(async move { serve(listener.socket, answers, &settings, leaving.cancelled(), stop.cancelled()).await })
}

/// A listener's task ends by itself only when it panics, and then there is no service left.
fn finished(ended: Result<Drained, JoinError>) -> Drained {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// The first number costs a hundred times what the others do; no caller should pay for it.
fn warm(parser: Latch) {
    phone::warm();
    parser.open();
}

/// An address is listened on by one process of a host; nothing where the host's name is not known.
fn seat(address: SocketAddr) -> Option<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(format!("{} {address}", host.trim()))
}

/// What other replicas know spares the first callers of a new one the wait for the CRM. A store that is away must not keep us away.
async fn find_the_others(shared: Shared, found: Latch) {
    let usable = async {
        while !shared.is_usable() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = timeout(FOUND_WITHIN, usable).await;
    found.open();
}

/// A CRM that is down makes nobody unready: we serve what we have. Credentials it refused from the start do, so that a rollout stops.
fn crm_health(gate: &Gate) -> Health {
    if gate.credentials_refused() {
        return Health::Unready("the CRM refused the credentials".to_owned());
    }
    match gate.state().breaker {
        BreakerState::Closed => Health::Ok(String::new()),
        BreakerState::Open { reason, retry_after } => Health::Degraded(format!(
            "calls to the CRM are suspended for {} s: {}",
            retry_after.as_secs_f64().ceil(),
            reason.as_str()
        )),
        BreakerState::HalfOpen { reason } => {
            Health::Degraded(format!("calls to the CRM are about to be tried again after: {}", reason.as_str()))
        }
    }
}

/// A token that nears its end, or cannot be renewed, is no reason to send callers elsewhere; `crm_health` knows when it is.
fn token_health(tokens: &TokenSource) -> Health {
    let report = tokens.report();
    match report.outlook(jiff::Timestamp::now()) {
        Outlook::Fine => Health::Ok(report.to_string()),
        Outlook::Soon | Outlook::Over => Health::Degraded(format!("{report}; {}", report.advice())),
    }
}

/// Without webhooks answers are only as old as their lifetimes allow, so nobody is unready for want of them.
fn webhook_health(watch: &HookWatch) -> Health {
    match watch.seen() {
        None => Health::Ok("not looked at yet".to_owned()),
        Some(Ok(state @ HookState::Installed)) => Health::Ok(state.as_str().to_owned()),
        Some(Ok(state)) => Health::Degraded(format!("the subscription is {}", state.as_str())),
        Some(Err(error)) => Health::Degraded(format!("the subscription could not be looked at: {error}")),
    }
}

/// Without the shared store we go on by ourselves: that makes nobody unready.
fn shared_health(standing: Option<Standing>) -> Health {
    match standing {
        Some(Standing::Together { replicas: 1 }) => Health::Ok("one replica".to_owned()),
        Some(Standing::Together { replicas }) => Health::Ok(format!("{replicas} replicas share the quota")),
        Some(Standing::Waiting) => Health::Degraded("out of reach; no calls to the CRM for a moment".to_owned()),
        Some(Standing::Alone { share: 0 }) => {
            Health::Degraded("out of reach; hardly any call to the CRM is made without it".to_owned())
        }
        Some(Standing::Alone { share }) => {
            Health::Degraded(format!("out of reach; {share} calls a second to the CRM are made without it"))
        }
        None => Health::Ok(String::new()),
    }
}
