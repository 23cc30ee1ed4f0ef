//! Where the pair outlives the process: what every store has to promise.
//!
//! A refresh token works once, so two rules hold whatever the store is: only one process at a time asks for a new pair, and nobody uses a
//! pair that is not kept yet. The first is the [`Lease`]: without it nothing can be saved. The second is the caller's, who gets
//! `Ok` from [`Lease::save`] only when the pair would survive a power cut.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use url::Url;

use super::Pair;

/// Keeps the pair of one account and integration.
pub trait TokenStore: Send + Sync + fmt::Debug + 'static {
    /// The pair as it was saved last, by whomever. `None`: there has never been one.
    fn load(&self) -> BoxFuture<'_, Result<Option<Pair>, StoreError>>;

    /// The right to renew, waited for no longer than this. It comes only if a new pair could be saved, as far as can be foreseen: a
    /// refresh token is not spent on a store that cannot keep its successor. It ends when the lease is dropped or its process dies.
    fn lease(&self, patience: Duration) -> BoxFuture<'_, Result<Box<dyn Lease>, StoreError>>;
}

/// The right to renew.
pub trait Lease: Send {
    /// As [`TokenStore::load`].
    fn load(&mut self) -> BoxFuture<'_, Result<Option<Pair>, StoreError>>;

    /// Keeps a pair in place of the one before. When this is `Ok` the pair is safe; when it is not, the one before is still there.
    fn save<'a>(&'a mut self, pair: &'a Pair) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Why the store does not give or keep a pair. Messages hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It holds something, but not what was saved.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It holds the tokens of somebody else, or of a later version of this program; they are not touched.
    #[error("{} holds {whose}; move it away, or set CALLCARD_TOKEN_STORE to another path", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// Whose tokens these are.
        whose: String,
    },
    /// Another process renews, and does not come to an end.
    #[error("{} has been locked by another process for too long", path.display())]
    Busy {
        /// What is locked.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("{} cannot be {done}: {kind}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What was tried: `read`, `written`.
        done: &'static str,
        /// What the system says.
        kind: std::io::ErrorKind,
    },
}

/// Whose tokens these are: a refresh token is of one account and one integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account's address.
    pub account: String,
    /// The integration's id.
    pub client_id: String,
}

impl Owner {
    /// The owner of what the integration gets from the account at this address.
    #[must_use]
    pub fn new(account: &Url, client_id: &str) -> Self {
        Self { account: account.as_str().trim_end_matches('/').to_owned(), client_id: client_id.to_owned() }
    }
}
