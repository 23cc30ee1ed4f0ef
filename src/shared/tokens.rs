//! The OAuth2 pair of all replicas: one renews, all use it.
//!
//! It is sealed like everything else. A refresh token works once, so a new pair is worth some patience: it is tried to be kept for as long as
//! the right to renew is held. A server that forgets it (a flush, a restart without a disk) gets it back with the next renewal of a replica
//! that lives; if none does, the integration has to be authorised anew. So let the server keep its data on disk where OAuth2 is used. One that was
//! restored with a pair from before, whose refresh token is spent, is found out by the number that each pair has: the later one is used.
//!
//! A server that cannot be reached at the start is no reason not to start: there is no pair yet then, and the renewal that finds one comes later.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::lease::{Held, Lease};
use super::link::Lost;
use super::{Inner, Shared};
use crate::crm::auth::{self, Owner, Pair, StoreError, TokenStore};
use crate::outcome::SharedOp;

/// The right to renew lives this long: longer than a renewal takes.
const LIFE: Duration = Duration::from_secs(45);
/// How often somebody who waits for the right asks again.
const PACE: Duration = Duration::from_millis(200);
/// One call: nobody on a lookup's way waits for it.
const LIMIT: Duration = Duration::from_secs(1);
/// A server that is being connected to is waited for this long.
const CONNECTING: Duration = Duration::from_secs(2);

/// Keeps the pair in the shared store.
#[derive(Clone, Debug)]
pub struct Tokens {
    shared: Shared,
    owner: Owner,
    lease: Lease,
    /// The last that this process has seen there, for a server that forgets.
    seen: Arc<Mutex<Option<Kept>>>,
}

/// A pair, and how many there have been; not known of one that an earlier version has kept.
#[derive(Clone, Debug)]
struct Kept {
    pair: Pair,
    number: Option<u64>,
}

/// The right to renew.
struct Renewing {
    tokens: Tokens,
    /// Until it is given back.
    held: Option<Held>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    account: String,
    client_id: String,
    issued_at: i64,
    expires_at: i64,
    access: String,
    refresh: String,
}

impl Tokens {
    /// The pair of this owner.
    #[must_use]
    pub fn new(shared: Shared, owner: Owner) -> Self {
        let lease = Lease::new(&shared, "tokens").timed(LIFE, PACE);
        Self { shared, owner, lease, seen: Arc::default() }
    }

    fn inner(&self) -> &Inner {
        &self.shared.0
    }

    /// Waits for a connection that is being made.
    async fn is_reached(&self) -> bool {
        let begin = Instant::now();
        while !self.shared.is_up() && begin.elapsed() < CONNECTING {
            sleep(Duration::from_millis(20)).await;
        }
        self.shared.is_up()
    }

    async fn read(&self) -> Result<Option<Pair>, StoreError> {
        let (inner, key) = (self.inner(), self.inner().keys.tokens());
        let get = redis::cmd("GET").arg(&key).to_owned();
        let value: Option<Vec<u8>> =
            inner.link.ask(SharedOp::Token, LIMIT, &get).await.map_err(|lost| failed("read", lost))?;
        let Some(value) = value else { return Ok(None) };
        let opened = inner.keys.open(&key, 0, &value).map_err(|_| damaged("it was sealed with another key"))?;
        let (wire, rest): (Wire, _) =
            postcard::take_from_bytes(&opened).map_err(|_| damaged("it is not a pair of tokens"))?;
        if (wire.account.as_str(), wire.client_id.as_str()) != (&self.owner.account, &self.owner.client_id) {
            return Err(StoreError::Foreign { path: place(), whose: "the tokens of another integration".to_owned() });
        }
        let pair = wire.pair().ok_or_else(|| damaged("its times are none"))?;
        Ok(Some(self.later(Kept { pair, number: postcard::from_bytes(rest).ok() })))
    }

    fn seen(&self) -> MutexGuard<'_, Option<Kept>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This pair, unless a later one was seen.
    fn later(&self, kept: Kept) -> Pair {
        let mut seen = self.seen();
        match seen.as_ref().filter(|seen| kept.number.is_some() && seen.number > kept.number) {
            Some(seen) => seen.pair.clone(),
            None => seen.insert(kept).pair.clone(),
        }
    }

    async fn write(&self, held: &Held, pair: &Pair) -> Result<(), StoreError> {
        let (inner, key) = (self.inner(), self.inner().keys.tokens());
        let next = self.seen().as_ref().and_then(|seen| seen.number).map_or(0, |number| number + 1);
        // Not less than the time, so that those who forgot the number go on from above all that were given.
        let number = next.max(u64::try_from(pair.issued_at.as_second()).unwrap_or_default());
        // The number stands behind the pair, where an earlier version does not look.
        let secret = postcard::to_stdvec(&(Wire::new(&self.owner, pair), number));
        let secret = secret.expect("numbers and texts can be written");
        let mut call = inner.scripts.save.key(held.key());
        call.key(&key).arg(held.token()).arg(inner.keys.seal(&key, b"", secret));
        let mut failure = failed("written", Lost::Down);
        while held.is_held() {
            match inner.link.run::<u8>(SharedOp::Token, LIMIT, &call).await {
                Ok(1) => {
                    *self.seen() = Some(Kept { pair: pair.clone(), number: Some(number) });
                    return Ok(());
                }
                Ok(_) => return Err(StoreError::Busy { path: place() }),
                Err(lost) => failure = failed("written", lost),
            }
            sleep(PACE).await;
        }
        Err(failure)
    }
}

impl TokenStore for Tokens {
    fn load(&self) -> BoxFuture<'_, Result<Option<Pair>, StoreError>> {
        Box::pin(async {
            if self.is_reached().await {
                return self.read().await;
            }
            tracing::warn!("the shared store, which keeps the tokens, is out of reach; calls to the CRM wait for it");
            Ok(None)
        })
    }

    fn lease(&self, patience: Duration) -> BoxFuture<'_, Result<Box<dyn auth::Lease>, StoreError>> {
        Box::pin(async move {
            let end = Instant::now() + patience;
            loop {
                if let Some(held) = self.lease.try_hold().await {
                    return Ok(Box::new(Renewing { tokens: self.clone(), held: Some(held) }) as Box<dyn auth::Lease>);
                }
                if Instant::now() + PACE > end {
                    // Whoever has no patience only wants to know whether the store is usable, which it will be.
                    let is_usable = self.shared.is_up() || patience.is_zero();
                    return Err(if is_usable {
                        StoreError::Busy { path: place() }
                    } else {
                        failed("read", Lost::Down)
                    });
                }
                sleep(PACE).await;
            }
        })
    }
}

impl auth::Lease for Renewing {
    fn load(&mut self) -> BoxFuture<'_, Result<Option<Pair>, StoreError>> {
        Box::pin(async {
            let kept = self.tokens.read().await?;
            Ok(kept.or_else(|| self.tokens.seen().as_ref().map(|seen| seen.pair.clone())))
        })
    }

    fn save<'a>(&'a mut self, pair: &'a Pair) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            match &self.held {
                Some(held) => self.tokens.write(held, pair).await,
                None => Err(StoreError::Busy { path: place() }),
            }
        })
    }
}

impl Drop for Renewing {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and so does the right, by itself.
        if let (Some(held), Ok(runtime)) = (self.held.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(held.hand_over());
        }
    }
}

impl Wire {
    fn new(owner: &Owner, pair: &Pair) -> Self {
        Self {
            account: owner.account.clone(),
            client_id: owner.client_id.clone(),
            issued_at: pair.issued_at.as_second(),
            expires_at: pair.expires_at.as_second(),
            access: pair.access.expose_secret().to_owned(),
            refresh: pair.refresh.expose_secret().to_owned(),
        }
    }

    fn pair(self) -> Option<Pair> {
        Some(Pair {
            access: SecretString::from(self.access),
            refresh: SecretString::from(self.refresh),
            issued_at: Timestamp::from_second(self.issued_at).ok()?,
            expires_at: Timestamp::from_second(self.expires_at).ok()?,
        })
    }
}

/// What stands in messages where a file would have its path.
fn place() -> PathBuf {
    PathBuf::from("the shared store")
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Damaged { path: place(), what }
}

fn failed(done: &'static str, lost: Lost) -> StoreError {
    let kind = match lost {
        Lost::Down => ErrorKind::NotConnected,
        Lost::Silent => ErrorKind::TimedOut,
        Lost::Refused => ErrorKind::PermissionDenied,
    };
    StoreError::Io { path: place(), done, kind }
}
