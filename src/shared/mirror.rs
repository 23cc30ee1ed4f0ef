//! The mirror's log on the server: a stream that only the end of it can be added to, hints for everybody, and a leader's rows on demand.
//!
//! Entries are large and nobody on a lookup's way waits for them, so they have a connection of their own and more time than other commands
//! ([`LIMIT`]). A connection on which an answer did not come is not used again: what became of the question is not known then, and
//! whoever asked must not go on as if it were. Everything is sealed. The log is bounded in entries and in bytes; rows live for some minutes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, ScriptInvocation};
use tokio::time::{Instant, timeout};

use super::lease::{Held, Lease};
use super::link::connect;
use super::{Inner, Shared};
use crate::directory::fleet::{Away, Log, Logged, Position, Right};
use crate::outcome::SharedOp;

/// One command.
const LIMIT: Duration = Duration::from_secs(2);
/// The log's bound in entries …
const MOST_ENTRIES: u64 = 512;
/// … and in bytes: half an hour of ordinary edits, or a minute of a transfer.
const MOST_BYTES: u64 = 16 << 20;
/// Entries read at once.
const AT_ONCE: usize = 8;
/// Hints kept, and read at once.
const MOST_TOLD: usize = 5_000;
/// Rows that were asked for live so long.
const ROWS_LIVE: Duration = Duration::from_secs(180);
/// A wish for rows lives so long.
const WISH_LIVES: Duration = Duration::from_secs(15);

/// The log of this account's mirror.
pub struct MirrorLog {
    shared: Shared,
    lease: Lease,
    connection: tokio::sync::Mutex<Option<MultiplexedConnection>>,
    /// The last hint that was read.
    heard: Mutex<Option<String>>,
}

/// An entry of a stream.
type Element = (String, HashMap<String, Vec<u8>>);

impl MirrorLog {
    /// The log in this store.
    #[must_use]
    pub fn new(shared: &Shared) -> Arc<Self> {
        let lease = Lease::new(shared, "mirror");
        Arc::new(Self { shared: shared.clone(), lease, connection: <_>::default(), heard: Mutex::default() })
    }

    fn inner(&self) -> &Inner {
        &self.shared.0
    }

    fn key(&self, what: &str) -> String {
        self.inner().keys.mirror(what)
    }

    async fn ask<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, Away> {
        self.bounded(async |connection| cmd.query_async(connection).await).await
    }

    async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, Away> {
        self.bounded(async |connection| call.invoke_async(connection).await).await
    }

    async fn bounded<T>(
        &self,
        question: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, Away> {
        let (inner, asked) = (self.inner(), Instant::now());
        let answer = timeout(LIMIT, async {
            let mut connection = self.connected().await?;
            question(&mut connection).await.map_err(|error| inner.link.note_refusal(SharedOp::Mirror, &error))
        });
        let answer = answer.await;
        inner.metrics.shared_took(SharedOp::Mirror, asked.elapsed());
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(())) | Err(_) => {
                inner.metrics.shared_error(SharedOp::Mirror);
                *self.connection.lock().await = None;
                Err(Away)
            }
        }
    }

    async fn connected(&self) -> Result<MultiplexedConnection, ()> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = &*current {
            return Ok(connection.clone());
        }
        let inner = self.inner();
        // Its own limit on an answer is twenty times this; ours comes first.
        let made = connect(inner.link.client(), inner.settings.connect, LIMIT / 10).await.map_err(drop)?;
        Ok(current.insert(made).clone())
    }

    fn logged(&self, (id, fields): Element, now: u64) -> Option<Logged> {
        let key = self.key("log");
        let (text, body) = (|name| std::str::from_utf8(fields.get(name)?).ok(), fields.get("body")?);
        let position = position(&id, text("tag")?)?;
        let at: u64 = text("at")?.parse().ok()?;
        // What does not open is of another secret, or damaged: an entry that nobody can apply.
        let body = self.inner().keys.open(&key, 0, body).unwrap_or_default();
        Some(Logged { position, body, since: Duration::from_micros(now.saturating_sub(at)) })
    }
}

fn position(id: &str, tag: &str) -> Option<Position> {
    let (term, n) = id.split_once('-')?;
    Some(Position { term: term.parse().ok()?, n: n.parse().ok()?, tag: u64::from_str_radix(tag, 16).ok()? })
}

fn id(position: Position) -> String {
    format!("{}-{}", position.term, position.n)
}

fn tag(position: Position) -> String {
    format!("{:016x}", position.tag)
}

fn micros((seconds, micros): (u64, u64)) -> u64 {
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}

impl Log for MirrorLog {
    fn end(&self) -> BoxFuture<'_, Result<Option<Position>, Away>> {
        Box::pin(async {
            let key = self.key("log");
            let end: Vec<String> = self.run(&self.inner().scripts.end.key(&key)).await?;
            match &end[..] {
                [] => Ok(None),
                [id, tag] => position(id, tag).map(Some).ok_or(Away),
                _ => Err(Away),
            }
        })
    }

    fn read(&self, after: Option<Position>) -> BoxFuture<'_, Result<Vec<Logged>, Away>> {
        Box::pin(async move {
            let from = after.map_or_else(|| "-".to_owned(), |after| format!("({}", id(after)));
            let mut range = redis::cmd("XRANGE");
            range.arg(self.key("log")).arg(from).arg("+").arg("COUNT").arg(AT_ONCE);
            let read: Vec<Element> = self.ask(&range).await?;
            let now = micros(self.ask(&redis::cmd("TIME")).await?);
            Ok(read.into_iter().filter_map(|element| self.logged(element, now)).collect())
        })
    }

    fn append(&self, end: Option<Position>, at: Position, body: Vec<u8>) -> BoxFuture<'_, Result<bool, Away>> {
        Box::pin(async move {
            let (inner, key) = (self.inner(), self.key("log"));
            let mut call = inner.scripts.append.key(&key);
            call.arg(end.map(id).unwrap_or_default()).arg(end.map(tag).unwrap_or_default());
            call.arg(id(at)).arg(tag(at)).arg(inner.keys.seal(&key, b"", body)).arg(MOST_ENTRIES).arg(MOST_BYTES);
            Ok(self.run::<u8>(&call).await? == 1)
        })
    }

    fn lead(&self) -> BoxFuture<'_, Option<Box<dyn Right>>> {
        Box::pin(async { self.lease.try_hold().await.map(|held| Box::new(held) as Box<dyn Right>) })
    }

    fn is_led(&self) -> BoxFuture<'_, Result<bool, Away>> {
        Box::pin(async { Ok(self.ask::<u8>(redis::cmd("EXISTS").arg(self.lease.key())).await? == 1) })
    }

    fn tell(&self, what: Vec<u8>) -> BoxFuture<'_, Result<(), Away>> {
        Box::pin(async move {
            let key = self.key("told");
            let sealed = self.inner().keys.seal(&key, b"", what);
            let mut add = redis::cmd("XADD");
            add.arg(&key).arg("MAXLEN").arg(MOST_TOLD).arg("*").arg("body").arg(sealed);
            self.ask::<String>(&add).await.map(drop)
        })
    }

    fn told(&self) -> BoxFuture<'_, Result<Vec<Vec<u8>>, Away>> {
        Box::pin(async {
            let key = self.key("told");
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut range = redis::cmd("XRANGE");
            match &heard {
                // What was told before we were there is in the records that we are about to get.
                None => redis::cmd("XREVRANGE").arg(&key).arg("+").arg("-").arg("COUNT").arg(1).clone_into(&mut range),
                Some(last) => {
                    range.arg(&key).arg(format!("({last}")).arg("+").arg("COUNT").arg(MOST_TOLD);
                }
            }
            let told: Vec<Element> = self.ask(&range).await?;
            let last = told.last().map(|(id, _)| id.clone()).or(heard.clone()).or(Some("0-0".to_owned()));
            *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = last;
            if heard.is_none() {
                return Ok(Vec::new());
            }
            let opened = |fields: &HashMap<String, Vec<u8>>| self.inner().keys.open(&key, 0, fields.get("body")?).ok();
            Ok(told.iter().map(|(_, fields)| opened(fields).unwrap_or_default()).collect())
        })
    }

    fn want_rows(&self) -> BoxFuture<'_, Result<(), Away>> {
        Box::pin(async {
            let mut set = redis::cmd("SET");
            set.arg(self.key("rows:wanted")).arg(1).arg("PX").arg(WISH_LIVES.as_millis() as u64);
            self.ask::<String>(&set).await.map(drop)
        })
    }

    fn are_rows_wanted(&self) -> BoxFuture<'_, Result<bool, Away>> {
        Box::pin(async { Ok(self.ask::<u8>(redis::cmd("DEL").arg(self.key("rows:wanted"))).await? == 1) })
    }

    fn put_piece<'a>(&'a self, name: &'a str, piece: Vec<u8>) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            let key = self.key(&format!("rows:{name}"));
            let mut set = redis::cmd("SET");
            set.arg(&key).arg(self.inner().keys.seal(&key, b"", piece)).arg("PX").arg(ROWS_LIVE.as_millis() as u64);
            self.ask::<String>(&set).await.map(drop)
        })
    }

    fn piece<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Away>> {
        Box::pin(async move {
            let key = self.key(&format!("rows:{name}"));
            let piece: Option<Vec<u8>> = self.ask(redis::cmd("GET").arg(&key)).await?;
            Ok(piece.and_then(|piece| self.inner().keys.open(&key, 0, &piece).ok()))
        })
    }
}

impl Right for Held {
    fn keep(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(Self::keep(self))
    }

    fn hand_over(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(Self::hand_over(*self))
    }
}

impl fmt::Debug for MirrorLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MirrorLog").finish_non_exhaustive()
    }
}
