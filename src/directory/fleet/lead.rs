//! Leading: the feed runs here, and what it writes goes to the log first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::super::batch::{Batch, Changes};
use super::super::feed::FeedError;
use super::super::identity::Identity;
use super::super::{Feed, StoreError};
use super::{Away, Entry, Fleet, Log, PACE, POSITION, Position, Right, Sight};

/// Rows are given no more often than this.
const GIVE_EVERY: Duration = Duration::from_secs(1);

/// One term.
#[derive(Debug)]
pub(in super::super) struct Leading {
    log: Arc<dyn Log>,
    identity: Identity,
    term: u64,
    tag: u64,
    /// The end of the log, as long as nobody else has written to it; and how much we have.
    end: Mutex<(Option<Position>, u64)>,
}

impl Leading {
    pub(super) fn new(log: Arc<dyn Log>, identity: Identity, term: u64, end: Option<Position>) -> Self {
        Self { log, identity, term, tag: fastrand::u64(..), end: Mutex::new((end, 0)) }
    }

    /// Appends what a batch has written, from within its transaction: it may be committed then. Nothing if this replica leads no longer.
    ///
    /// It waits for the log, so it belongs on a thread that may block.
    pub(in super::super) fn append(
        &self,
        batch: &mut Batch<'_>,
        changes: &Changes,
        told_at: i64,
        is_beginning: bool,
    ) -> Result<bool, StoreError> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let position = Position { term: self.term, n: end.1, tag: self.tag };
        let after = batch.meta(POSITION)?;
        let entry = Entry { after, is_beginning, ..Entry::new(self.identity.clone(), position, told_at) };
        let body = entry.with(changes, batch.take_rows()).to_bytes();
        let appended = tokio::runtime::Handle::current().block_on(self.log.append(end.0, position, body));
        if appended != Ok(true) {
            return Ok(false);
        }
        *end = (Some(position), position.n + 1);
        batch.put_meta(POSITION, &position)?;
        Ok(true)
    }
}

impl Fleet {
    /// Leads until the right is lost, another replica leads, or it is told to stop.
    pub(super) async fn lead(
        &mut self,
        right: &mut dyn Right,
        knows_all: bool,
        stop: &CancellationToken,
    ) -> Result<(), FeedError> {
        // Somebody may have written since we last looked.
        let end = match self.catch_up().await? {
            Ok(Sight::AtEnd(end)) => end,
            Ok(Sight::Apart) if !knows_all => match self.log.end().await {
                Ok(end) => end,
                Err(Away) => return Ok(()),
            },
            Ok(Sight::Apart) | Err(Away) => return Ok(()),
        };
        let own = self.directory.position()?;
        let term = 1 + end.map_or(0, |end| end.term).max(own.map_or(0, |own| own.term));
        tracing::info!(term, "this replica keeps the mirror up to date for all");
        let identity = Identity::of(&self.directory.0.settings);
        let leading = Leading::new(Arc::clone(&self.log), identity, term, end);
        self.directory.0.hints.lead();
        self.directory.set_leader(Some(true));
        let (crm, names) = (self.crm.clone(), self.names.clone());
        let feed = Feed::new(self.directory.clone(), crm, names, Arc::clone(&self.watcher)).leading(leading);
        tokio::select! {
            () = right.keep() => {}
            () = feed.run() => {}
            () = self.pass_hints() => {}
            () = self.give_rows() => {}
            () = stop.cancelled() => {}
        }
        self.directory.set_trouble(None);
        tracing::info!(term, "this replica no longer keeps the mirror up to date for all");
        Ok(())
    }

    /// Hears what other replicas were told.
    async fn pass_hints(&self) {
        loop {
            self.exchange().await;
            sleep(PACE).await;
        }
    }

    /// Gives our rows to who has missed some.
    async fn give_rows(&self) {
        loop {
            if self.log.are_rows_wanted().await == Ok(true) {
                if let Err(error) = self.put_rows().await {
                    tracing::warn!(%error, "the mirror's rows could not be given to another replica");
                }
                // Whoever wanted them meanwhile has them now, and asks again if not.
                let _ = self.log.are_rows_wanted().await;
            }
            sleep(GIVE_EVERY).await;
        }
    }
}
