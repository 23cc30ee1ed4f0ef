//! What a lookup says: who it is (or why nobody), and how that came to be known.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::Freshness;
use crate::card::Card;
use crate::crm::dictionary::{ElementNames, Names};
use crate::matching::MatchKind;
use crate::outcome::AnswerKind;
use crate::phone::{Extension, Number};

/// The answer to one question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who it is.
    pub finding: Finding,
    /// How that came to be known.
    pub freshness: Freshness,
}

/// Who it is, or why nobody. "Not found" is a value, never an error.
#[derive(Clone, Debug)]
pub enum Finding {
    /// Somebody.
    Found(Found),
    /// Nobody has this number, and the CRM's answer was complete.
    NotFound(Number),
    /// The caller withheld the number.
    Withheld,
    /// An internal extension.
    Extension(Extension),
}

impl Finding {
    /// The word under which it is counted.
    #[must_use]
    pub const fn kind(&self) -> AnswerKind {
        match self {
            Self::Found(_) => AnswerKind::Found,
            Self::NotFound(_) => AnswerKind::NotFound,
            Self::Withheld => AnswerKind::Withheld,
            Self::Extension(_) => AnswerKind::Extension,
        }
    }

    /// The number that was asked about, where there was one.
    #[must_use]
    pub const fn number(&self) -> Option<&Number> {
        match self {
            Self::Found(found) => Some(&found.number),
            Self::NotFound(number) => Some(number),
            Self::Withheld | Self::Extension(_) => None,
        }
    }
}

/// The contacts that own a number.
#[derive(Clone, Debug)]
pub struct Found {
    /// The number that was asked about.
    pub number: Number,
    /// The contact to show.
    pub best: Arc<Card>,
    /// The other contacts that own the number too, best first.
    pub others: Vec<Arc<Card>>,
    /// How the shown contact's number equals the one asked about.
    pub kind: MatchKind,
    /// The names of the shown contact's list elements, if the caller wants to see these.
    pub elements: Option<Names<ElementNames>>,
}

/// The question could not be answered. Each variant is one status code above.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The CRM answered nonsense, refused us or failed, and nothing is cached.
    #[error("the CRM failed and nothing is cached")]
    UpstreamFailed,
    /// Calls to the CRM are suspended, or the last try failed a moment ago, and nothing is cached.
    #[error("the CRM is unavailable and nothing is cached")]
    UpstreamUnavailable {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The quota cannot be met within the caller's deadline.
    #[error("the request quota cannot be met in time")]
    Overloaded {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The caller's deadline passed; the fill goes on.
    #[error("the CRM did not answer before the deadline")]
    UpstreamTimeout,
}

/// A question that could not be answered, and what is known about how that came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct LookupFailure {
    /// Why.
    #[source]
    pub error: LookupError,
    /// How far the lookup came.
    pub freshness: Freshness,
    /// The number that was asked about.
    pub number: Number,
}
