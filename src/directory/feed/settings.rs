//! How often the feed asks, who has to know of what it sees, and why it may fail.

use std::time::Duration;

use super::super::batch::Changes;
use super::super::error::{OpenError, StoreError};
use crate::crm::CrmError;

/// How the CRM is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From one request to the next. Default 500 ms.
    pub pace: Duration,
    /// From one increment to the next. Default 20 s.
    pub increments: Duration,
    /// One sweep over all contacts takes this long. Default 24 h.
    pub sweep: Duration,
    /// The same where the journal may not be read. Default 2 h.
    pub sweep_without_events: Duration,
    /// From one look at the companies' names to the next. Default 5 min.
    pub companies: Duration,
    /// After a longer time without an increment everything is read anew: the journal may not reach back so far. Default 7 days.
    pub longest_gap: Duration,
    /// The first pause after a failure, and the longest. Default 2 s and 60 s.
    pub pauses: (Duration, Duration),
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3_600);
        Self {
            pace: Duration::from_millis(500),
            increments: Duration::from_secs(20),
            sweep: 24 * HOUR,
            sweep_without_events: 2 * HOUR,
            companies: Duration::from_secs(300),
            longest_gap: 7 * 24 * HOUR,
            pauses: (Duration::from_secs(2), Duration::from_secs(60)),
        }
    }
}

/// Who has to know of changes: whoever keeps answers that were made before them.
pub trait Watcher: Send + Sync + std::fmt::Debug + 'static {
    /// These have changed.
    fn changed(&self, changes: &Changes);

    /// Anything may have.
    fn all_changed(&self);
}

/// Nobody has to know.
impl Watcher for () {
    fn changed(&self, _: &Changes) {}

    fn all_changed(&self) {}
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The CRM could not be asked.
    #[error(transparent)]
    Crm(#[from] CrmError),
    /// The snapshot could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This replica no longer keeps the mirror up to date for all.
    #[error("another replica may lead now")]
    Deposed,
    /// No new snapshot could be begun.
    #[error(transparent)]
    Open(#[from] OpenError),
}
