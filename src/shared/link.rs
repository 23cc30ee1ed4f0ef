//! The connection for commands. One is enough: commands of many tasks travel on it together.
//!
//! A command is bounded by the limit it is given and fails at once while there is no connection. A connection is given up when it breaks
//! or when three answers in a row do not come; a task makes the next one. No address, user or password gets into a log or an error.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ScriptInvocation};
use secrecy::ExposeSecret;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::{Inner, Settings};
use crate::metrics::Metrics;
use crate::outcome::SharedOp;

/// So many answers in a row that do not come are a connection that is dead or a server that stands still.
const GIVEN_UP_AFTER: u32 = 3;
/// A server that refuses one command refuses many: that is said no more often than this.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// What everybody expects of a server that was lost, and need not be told.
const UNREACHED: &str = "no connection";

/// Not the address of a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the address of a Redis or Valkey: redis:// or rediss://, a host, perhaps a port, a user and a database number"
)]
pub struct InvalidUrl;

/// Why a command brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    /// There is no connection.
    #[error("no connection to the shared store")]
    Down,
    /// The answer did not come in time, or the connection broke.
    #[error("the shared store did not answer")]
    Silent,
    /// It answered that it will not.
    #[error("the shared store refused")]
    Refused,
}

/// The connection.
pub(super) struct Link {
    client: Client,
    current: RwLock<Option<MultiplexedConnection>>,
    silent: AtomicU32,
    /// How many connections there have been.
    generation: AtomicU64,
    /// When it was last said that commands are refused.
    said: Mutex<Option<Instant>>,
    /// The connection was given up.
    broken: Notify,
    /// A connection was made.
    pub(super) made: Notify,
    metrics: Arc<Metrics>,
}

impl Link {
    pub(super) fn new(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, InvalidUrl> {
        let client = client(settings)?;
        let (broken, made) = (Notify::new(), Notify::new());
        let (current, silent, generation) = (RwLock::default(), AtomicU32::new(0), AtomicU64::new(0));
        Ok(Self { client, current, silent, generation, said: Mutex::default(), broken, made, metrics })
    }

    pub(super) fn is_up(&self) -> bool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Which connection this is: behind the next one there may be another server.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// For a connection of another kind.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// One command.
    pub(super) async fn ask<T: FromRedisValue>(&self, op: SharedOp, limit: Duration, cmd: &Cmd) -> Result<T, Lost> {
        let mut connection = self.connection(op)?;
        self.bounded(op, limit, cmd.query_async(&mut connection)).await
    }

    /// Several commands on one way.
    pub(super) async fn ask_all<T: FromRedisValue>(
        &self,
        op: SharedOp,
        limit: Duration,
        cmds: &Pipeline,
    ) -> Result<T, Lost> {
        let mut connection = self.connection(op)?;
        self.bounded(op, limit, cmds.query_async(&mut connection)).await
    }

    /// One script.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        op: SharedOp,
        limit: Duration,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Lost> {
        let mut connection = self.connection(op)?;
        self.bounded(op, limit, script.invoke_async(&mut connection)).await
    }

    fn connection(&self, op: SharedOp) -> Result<MultiplexedConnection, Lost> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone().ok_or(Lost::Down).inspect_err(|_| self.metrics.shared_error(op))
    }

    async fn bounded<T>(
        &self,
        op: SharedOp,
        limit: Duration,
        answer: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, Lost> {
        let asked = Instant::now();
        let answer = timeout(limit, answer).await;
        self.metrics.shared_took(op, asked.elapsed());
        let lost = match answer {
            Ok(Ok(answer)) => {
                self.silent.store(0, Ordering::Relaxed);
                return Ok(answer);
            }
            Ok(Err(error)) => self.judge(op, &error),
            Err(_) => {
                if self.silent.fetch_add(1, Ordering::Relaxed) + 1 >= GIVEN_UP_AFTER {
                    self.give_up("it does not answer");
                }
                Lost::Silent
            }
        };
        self.metrics.shared_error(op);
        Err(lost)
    }

    fn judge(&self, op: SharedOp, error: &RedisError) -> Lost {
        // A server that was made a replica of another keeps its connections, but is of no use any more.
        let is_demoted = error.code() == Some("READONLY");
        if is_demoted || error.is_connection_dropped() || error.is_unrecoverable_error() {
            self.give_up("the connection broke");
            return Lost::Silent;
        }
        self.note_refusal(op, error);
        Lost::Refused
    }

    /// Says now and then that the server answers, and will not: it lacks memory, the user lacks a right, it still reads its disk.
    pub(super) fn note_refusal(&self, op: SharedOp, error: &RedisError) {
        let Some(code) = error.code() else { return };
        tracing::debug!(op = op.as_str(), code, "the shared store refused a command");
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(
                op = op.as_str(),
                code,
                "the shared store refuses commands; what needs them goes on without it"
            );
        }
    }

    fn give_up(&self, why: &'static str) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.take().is_some() {
            self.metrics.shared_up(false);
            tracing::warn!(why, "the shared store is out of reach; this replica goes on by itself");
            self.broken.notify_one();
        }
    }

    fn set(&self, connection: MultiplexedConnection) {
        self.silent.store(0, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::AcqRel);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        self.metrics.shared_up(true);
        tracing::info!("connected to the shared store");
        self.made.notify_waiters();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("up", &self.is_up()).finish_non_exhaustive()
    }
}

/// Makes connections, one after the other. Does not end.
pub(super) fn keep(inner: Arc<Inner>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let Settings { connect: limit, hard, retry, .. } = inner.settings;
        let (mut is_first, mut said) = (true, String::new());
        loop {
            match connect(&inner.link.client, limit, hard).await {
                Ok(connection) => {
                    (is_first, said) = (false, UNREACHED.to_owned());
                    inner.link.set(connection);
                    inner.link.broken.notified().await;
                }
                Err(why) => {
                    if std::mem::take(&mut is_first) {
                        tracing::warn!(why, "the shared store cannot be reached; this replica starts by itself");
                    } else if why != said {
                        tracing::warn!(why, "the shared store cannot be reached for another reason than before");
                    }
                    said = why;
                    sleep(retry.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
                }
            }
        }
    })
}

pub(super) async fn connect(client: &Client, limit: Duration, hard: Duration) -> Result<MultiplexedConnection, String> {
    // The library's own limit is only a backstop: each command brings its own.
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(limit)).set_response_timeout(Some(hard * 20));
    let made = timeout(limit, client.get_multiplexed_async_connection_with_config(&config)).await;
    made.map_err(|_| "it does not answer".to_owned())?.map_err(|error| in_words(&error))
}

fn client(settings: &Settings) -> Result<Client, InvalidUrl> {
    // Refused if the process has a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::open(settings.url.expose_secret()).map_err(|_| InvalidUrl)
}

/// Connects anew and asks for the server's version.
pub(super) async fn probe(settings: &Settings) -> Result<String, String> {
    let client = client(settings).map_err(|error| error.to_string())?;
    let mut connection = connect(&client, settings.connect.max(Duration::from_secs(3)), settings.hard).await?;
    let asked: Result<String, _> = redis::cmd("INFO").arg("server").query_async(&mut connection).await;
    let told = match asked {
        Ok(told) => told,
        Err(error) if error.code() == Some("NOPERM") => String::new(),
        Err(error) => return Err(in_words(&error)),
    };
    let value = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let version = value("valkey_version").map(|version| format!("Valkey {version}"));
    let version = version.or_else(|| value("redis_version").map(|version| format!("Redis {version}")));
    Ok(version.unwrap_or_else(|| "a server that does not say its version".to_owned()))
}

/// What went wrong, without what the server or the library says in free text.
fn in_words(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::AuthenticationFailed => "it refuses the user or the password".to_owned(),
        ErrorKind::Io => UNREACHED.to_owned(),
        ErrorKind::InvalidClientConfig => "the address or the certificate store is not usable".to_owned(),
        _ => match error.code() {
            Some("WRONGPASS" | "NOAUTH") => "it refuses the user or the password".to_owned(),
            Some(code) => format!("it answers {code}"),
            None => "it does not answer as a Redis or Valkey does".to_owned(),
        },
    }
}
