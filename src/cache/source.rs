//! Where the cache gets what it does not know: it knows neither the CRM nor what a search costs.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::card::Card;
use crate::contact::{ContactId, PartyId};
use crate::outcome::Class;
use crate::phone::E164;

/// Finds out who has a number.
pub trait Source: Send + Sync + std::fmt::Debug + 'static {
    /// Searches for the owners of a number, best first. Nobody is an empty list, and only if the search was complete.
    fn find(&self, search: Search) -> BoxFuture<'_, Result<Vec<Card>, FillError>>;

    /// Fetches contacts and companies anew by their ids, in the background class. Ids that came back with nothing are simply absent.
    fn refetch(&self, ids: Vec<PartyId>, patience: Patience) -> BoxFuture<'_, Result<Vec<Card>, FillError>>;
}

/// One search for a number's owners.
#[derive(Debug)]
pub struct Search {
    /// The number.
    pub key: E164,
    /// Who it is for.
    pub class: Class,
    /// How long it may take.
    pub patience: Patience,
    /// Where to show cards that are verified while their leads are still on the way.
    pub early: Early,
    /// Contacts that are said to have the number, and that a search may not find under it yet.
    pub expected: Vec<ContactId>,
}

/// How long a fill may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// If the first call cannot be sent by then, nothing is to be sent at all: nobody would wait for it.
    pub start_by: Instant,
    /// The fill is cut off then.
    pub done_by: Instant,
}

/// Takes verified cards before their fill is complete: what a caller is given whose deadline passes in between.
#[derive(Debug)]
pub struct Early(pub(super) Option<watch::Sender<Progress>>);

impl Early {
    /// Shows verified cards, best first, whose leads have only ids so far.
    pub fn offer(&self, cards: &[Card]) {
        if let Some(progress) = &self.0 {
            let cards = cards.iter().cloned().map(Arc::new).collect();
            progress.send_replace(Progress::Early(cards));
        }
    }

    /// Nobody looks.
    #[must_use]
    pub const fn ignored() -> Self {
        Self(None)
    }
}

/// How far a fill is.
#[derive(Clone, Debug)]
pub(super) enum Progress {
    /// Asking.
    Running,
    /// Verified, leads still on the way.
    Early(Arc<[Arc<Card>]>),
    /// Over.
    Landed(Result<Arc<Filled>, FillError>),
}

/// What a fill brought.
#[derive(Debug)]
pub(super) struct Filled {
    /// The owners, best first; empty when nobody has the number.
    pub(super) cards: Vec<Arc<Card>>,
    /// When the CRM said so.
    pub(super) fetched_at: Instant,
    /// Seconds it stays fresh.
    pub(super) ttl: i64,
}

/// Why a fill brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// No quota slot in time; the CRM was not asked.
    #[error("no quota slot in time")]
    Overloaded {
        /// When a slot would be free.
        retry_after: Duration,
    },
    /// Calls are suspended; the CRM was not asked.
    #[error("calls to the CRM are suspended")]
    Suspended {
        /// When the next probe is due.
        retry_after: Duration,
    },
    /// The CRM failed, refused us or answered nonsense.
    #[error("the CRM failed")]
    Failed,
    /// The CRM had more candidates than could be looked at, and none of those seen owns the number.
    #[error("the CRM's result was incomplete")]
    Incomplete,
    /// The fill took longer than a fill may.
    #[error("the fill timed out")]
    TimedOut,
    /// The fill panicked.
    #[error("the fill panicked")]
    Panicked,
    /// Newer knowledge arrived while the fill ran.
    #[error("the fill was overtaken")]
    Overtaken,
}

impl FillError {
    /// The CRM was not asked: no reason to think worse of it, and no reason to wait before the next try.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Overloaded { .. } | Self::Suspended { .. } | Self::Overtaken)
    }
}
