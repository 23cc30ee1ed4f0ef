//! How an answer came to be known, and how old it is: what `Cache-Status`, `Age` and the metrics tell.

use std::time::Duration;

use tokio::time::Instant;

use super::entry::Entry;
use crate::outcome::CacheStatus;

/// How an answer came to be known, and how old it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Hit, miss, stale …
    pub status: CacheStatus,
    /// Why the CRM was asked, if this answer was waited for (RFC 9211 `fwd`).
    pub forwarded: Option<Forwarded>,
    /// Time since the CRM said so.
    pub age: Duration,
    /// Seconds until the entry stops being fresh; negative since it has.
    pub ttl: i64,
    /// Why a stale answer was given, or another remark for `Cache-Status: …; detail=`.
    pub detail: Option<&'static str>,
}

/// Why the CRM was asked (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Nothing was there.
    Miss,
    /// What was there was past its fresh time.
    Stale,
}

impl Freshness {
    /// The answer needed no lookup.
    #[must_use]
    pub const fn skipped() -> Self {
        Self::without_entry(CacheStatus::Skipped, None)
    }

    /// An answer, or a failure, behind which no entry stands.
    #[must_use]
    pub const fn without_entry(status: CacheStatus, forwarded: Option<Forwarded>) -> Self {
        Self { status, forwarded, age: Duration::ZERO, ttl: 0, detail: None }
    }

    /// Whether the answer is past its fresh time.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.status == CacheStatus::Stale
    }

    pub(super) fn hit(entry: &Entry, now: Instant) -> Self {
        Self { age: entry.age(now), ttl: entry.ttl(now), ..Self::without_entry(CacheStatus::Hit, None) }
    }

    pub(super) fn stale(entry: &Entry, now: Instant, detail: &'static str) -> Self {
        Self { status: CacheStatus::Stale, detail: Some(detail), ..Self::hit(entry, now) }
    }
}
