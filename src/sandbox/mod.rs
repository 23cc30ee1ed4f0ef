//! A stand-in for the Kommo CRM API, faithful where it is documented and adjustable where it is not.
//!
//! One [`Sandbox`] is one account: people at fixed ids with known quirks ([`fixtures`]), any number of generated ones, the API of version 4
//! over them, its quota and its blocks, its search as three kinds of accounts have it, OAuth2 with rotation, events and webhooks, and
//! [faults](fault) to order. It runs on a socket ([`Sandbox::serve`]) or in the process ([`Sandbox::router`]), and takes all its time from
//! tokio's clock, so a test that pauses the clock pauses the CRM.
//!
//! Three sides:
//!
//! * to a client it is the CRM, with `Authorization: Bearer` and [`Settings::token`];
//! * to a test it is the truth ([`Sandbox::truth`]), the person who edits ([`Sandbox::update_contact`] and its siblings), and the witness of
//!   every request ([`Sandbox::calls`]);
//! * to a person with `curl` it has [control paths](control) of its own.
//!
//! It imports nothing of the service: a mistake that both made alike would prove nothing.

// The account and its records.
mod base;
mod changes;
mod edit;
pub mod fixtures;
mod generate;
pub mod record;
mod search;
mod shelf;
mod world;

// What the API answers.
mod ask;
mod contacts;
mod events;
mod leads;
mod list;
mod oauth;
mod office;
mod params;
mod problem;
mod routes;
mod webhooks;
mod wire;

// Who may ask, how often, and what goes wrong.
mod calls;
mod endpoint;
pub mod fault;
mod gate;
mod limit;
mod tokens;
mod trouble;

// How it runs.
mod clock;
pub mod control;
mod delivery;
mod notice;
mod serve;
mod settings;

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

pub use calls::Call;
pub use changes::NoSuchRecord;
pub use endpoint::{Endpoint, UnknownEndpoint};
pub use fault::{Fault, FaultRule};
pub use record::{Company, Contact, Element, Field, FieldDef, FieldValue, LOST, Lead, Tag, WON};
pub use settings::{LimitAnswer, OauthSettings, OverLimit, SearchMode, Settings, UnknownChoice, WebhookSettings};
pub use webhooks::Webhook;

use calls::CallLog;
use clock::Clock;
use fault::Faults;
use limit::{Admission, Limiter};
use tokens::Tokens;
use webhooks::Hooks;
use world::World;

/// One account of the stand-in CRM; clones are the same account.
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

/// Each part has a lock of its own, held for one step and never across an await.
#[derive(Debug)]
struct Inner {
    clock: Clock,
    settings: Mutex<Arc<Settings>>,
    world: Mutex<World>,
    tokens: Mutex<Tokens>,
    limiter: Mutex<Limiter>,
    faults: Mutex<Faults>,
    log: Mutex<CallLog>,
    hooks: Mutex<Hooks>,
}

/// A lock whose holder panicked holds a record of the test that failed; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Sandbox {
    /// An account as `settings` describe it.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let inner = Inner {
            clock: Clock::new(settings.clock_behind),
            world: Mutex::new(World::new(&settings)),
            tokens: Mutex::new(Tokens::new(&settings, Instant::now())),
            limiter: Mutex::default(),
            faults: Mutex::new(Faults::new(settings.faults.clone())),
            log: Mutex::default(),
            hooks: Mutex::default(),
            settings: Mutex::new(Arc::new(settings)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The API, for a server of the caller's choice or for calls within the process.
    pub fn router(&self) -> axum::Router {
        routes::router(self.clone())
    }

    /// Serves the API until `shutdown`; then every connection is dropped at once.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        serve::serve(self.router(), listener, shutdown).await;
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&lock(&self.inner.settings))
    }

    /// Changes settings while the sandbox runs.
    pub fn adjust(&self, change: impl FnOnce(&mut Settings)) {
        change(Arc::make_mut(&mut lock(&self.inner.settings)));
    }
}

/// The witness.
impl Sandbox {
    /// Every request since the start or the last reset, in the order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.log().iter().cloned().collect()
    }

    /// Requests to one part of the API.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.log().iter().filter(|call| call.endpoint == endpoint).count()
    }

    /// All requests.
    #[must_use]
    pub fn count_all(&self) -> usize {
        self.log().iter().count()
    }

    /// Forgets the requests so far.
    pub fn reset_calls(&self) {
        self.log().reset();
    }

    /// The most arrivals within any second, both ends included, refused ones too.
    #[must_use]
    pub fn worst_second(&self) -> usize {
        self.log().worst_second()
    }
}

/// Trouble.
impl Sandbox {
    /// Adds a fault; earlier ones go first.
    pub fn inject(&self, rule: FaultRule) {
        self.faults().add(rule);
    }

    /// No more faults.
    pub fn clear_faults(&self) {
        self.faults().clear();
    }

    /// Blocks an address, as after too many breaches of the quota.
    pub fn block(&self, address: IpAddr) {
        lock(&self.inner.limiter).block(address);
    }

    /// Lifts every block and forgets the breaches.
    pub fn unblock(&self) {
        lock(&self.inner.limiter).forgive();
    }

    /// A new long-lived token for a [user](fixtures::office).
    #[must_use]
    pub fn issue_token(&self, user: u64, ttl: Option<Duration>) -> String {
        self.tokens().issue(user, ttl, Instant::now(), self.unix())
    }

    /// Makes an access or refresh token useless.
    pub fn revoke_token(&self, token: &str) {
        self.tokens().revoke(token);
    }

    /// A new authorization code, as a user's consent gives it.
    #[must_use]
    pub fn authorization_code(&self) -> String {
        let code = format!("def50200{:032x}", fastrand::u128(..));
        let expires_at = Instant::now() + self.settings().oauth.code_ttl;
        self.tokens().add_code(code.clone(), expires_at);
        code
    }
}

/// For the parts of the sandbox.
impl Sandbox {
    fn unix(&self) -> i64 {
        self.inner.clock.unix()
    }

    fn since_start(&self, at: Instant) -> Duration {
        self.inner.clock.since_start(at)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.inner.world)
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.inner.tokens)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.inner.faults)
    }

    fn log(&self) -> MutexGuard<'_, CallLog> {
        lock(&self.inner.log)
    }

    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        lock(&self.inner.hooks)
    }

    fn admit(&self, from: IpAddr, now: Instant) -> Admission {
        let settings = self.settings();
        lock(&self.inner.limiter).admit(from, now, settings.rate, settings.block_after)
    }
}
