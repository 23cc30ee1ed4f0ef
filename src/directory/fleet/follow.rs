//! Doing what the leader did.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::batch::{Batch, Changes};
use super::super::feed::FeedError;
use super::super::identity::Identity;
use super::super::state::State;
use super::super::store::Store;
use super::super::{Damaged, Directory, STATE, StoreError, open};
use super::{Away, Entry, Fleet, Logged, POSITION, Position, Sight};

/// The CRM shows a change in its lists after this at the latest: an increment that began later has seen it.
const SETTLES_AFTER: i64 = 120_000;

/// What became of an entry.
pub(super) enum Applied {
    /// It is in the snapshot.
    Yes(Box<State>, Changes),
    /// It belongs to another history.
    Apart,
}

impl Fleet {
    /// Applies what is new in the log.
    pub(super) async fn catch_up(&mut self) -> Result<Result<Sight, Away>, FeedError> {
        if self.directory.0.damaged.load(Ordering::Acquire) {
            self.begin_with_nothing().await?;
        }
        loop {
            let (own, end) = (self.directory.position()?, self.log.end().await);
            let end = match end {
                Ok(end) if end.is_none() || own == end => return Ok(Ok(Sight::AtEnd(end))),
                Ok(end) => end,
                Err(away) => return Ok(Err(away)),
            };
            let logged = match self.log.read(own).await {
                // The end lies before us, in a history that is not ours: everything in it is news.
                Ok(logged) if logged.is_empty() => self.log.read(None).await,
                logged => logged,
            };
            let Ok(logged) = logged else { return Ok(Err(Away)) };
            if logged.is_empty() || !self.apply_all(logged).await? {
                return Ok(Ok(if self.directory.position()? == end { Sight::AtEnd(end) } else { Sight::Apart }));
            }
        }
    }

    /// Whether all of them belong to our history; those before the first that does not are in.
    async fn apply_all(&self, logged: Vec<Logged>) -> Result<bool, FeedError> {
        for Logged { position, body, since } in logged {
            let entry = Entry::from_bytes(&body).filter(|entry| entry.position == position);
            let Some(entry) = entry.filter(|entry| entry.identity == Identity::of(&self.directory.0.settings)) else {
                return Ok(false);
            };
            // One that lies before us is our own, in a log that was set back.
            if entry.is_beginning && self.directory.position()?.is_none_or(|own| own.place() < position.place()) {
                self.begin_with_nothing().await?;
            }
            if !self.apply(entry, since).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn apply(&self, entry: Entry, since: Duration) -> Result<bool, FeedError> {
        let told_at = entry.told_at;
        let store = self.directory.store();
        let writing = tokio::task::spawn_blocking(move || store.write(|batch| apply(batch, entry)));
        let applied = writing.await.unwrap_or_else(|_panic| Err(Damaged.into()));
        let applied = applied.inspect_err(|error| {
            if error.is_damage() {
                self.directory.distrust_snapshot(error);
            }
        })?;
        let Applied::Yes(state, changes) = applied else { return Ok(false) };
        let was_complete = self.directory.standing().complete;
        let clock = self.directory.0.clock;
        // Only spans are taken from other clocks: how old it was when it was written, and how long ago that is by the log's.
        let ago = told_at.saturating_sub(state.as_of.unwrap_or(told_at)).max(0);
        let span = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let as_of = state.as_of.map(|_| clock.now().saturating_sub(ago).saturating_sub(span));
        self.directory.stand(&State { as_of, ..(*state).clone() });
        self.directory.take_names();
        if let Some(as_of) = as_of {
            self.directory.0.hints.settle_before(as_of.saturating_sub(SETTLES_AFTER));
        }
        if !was_complete && state.complete {
            self.watcher.all_changed();
        } else if was_complete && !changes.is_empty() {
            self.watcher.changed(&changes);
        }
        Ok(true)
    }

    /// Puts an empty snapshot in place of ours.
    async fn begin_with_nothing(&self) -> Result<(), FeedError> {
        let directory = self.directory.clone();
        self.swap(move || open::beside(&directory.0.settings)).await
    }

    /// Puts a new snapshot in place of ours, and has everybody look anew.
    pub(super) async fn swap(
        &self,
        make: impl FnOnce() -> Result<Store, super::super::OpenError> + Send + 'static,
    ) -> Result<(), FeedError> {
        let directory = self.directory.clone();
        let swapping = tokio::task::spawn_blocking(move || -> Result<(), FeedError> {
            drop(make()?);
            directory.put_store(open::take_place(&directory.0.settings)?);
            Ok(())
        });
        swapping.await.unwrap_or_else(|_panic| Err(StoreError::from(Damaged).into()))?;
        self.directory.stand(&self.directory.state());
        self.directory.take_names();
        self.watcher.all_changed();
        Ok(())
    }

    /// Whether the log goes on from there.
    pub(super) async fn leads_on_from(&self, position: Position) -> Result<bool, Away> {
        if self.log.end().await? == Some(position) {
            return Ok(true);
        }
        let next = self.log.read(Some(position)).await?.into_iter().next();
        Ok(next.and_then(|next| Entry::from_bytes(&next.body)).is_some_and(|next| next.after == Some(position)))
    }
}

/// Writes what the leader wrote, if we stand where it stood.
pub(super) fn apply(batch: &mut Batch<'_>, entry: Entry) -> Result<Applied, StoreError> {
    let own: Option<Position> = batch.meta(POSITION)?;
    let follows = match (own, entry.after) {
        (Some(own), Some(after)) => own == after,
        (None, None) => entry.is_beginning && batch.is_fresh()?,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !follows {
        return Ok(if own == Some(entry.position) {
            Applied::Yes(batch.meta::<Box<State>>(STATE)?.unwrap_or_default(), Changes::default())
        } else {
            Applied::Apart
        });
    }
    let changes = entry.changes();
    let position = entry.position;
    entry.rows.into_iter().try_for_each(|row| batch.write(row))?;
    batch.put_meta(POSITION, &position)?;
    Ok(Applied::Yes(batch.meta::<Box<State>>(STATE)?.unwrap_or_default(), changes))
}

impl Directory {
    /// Where in the log this snapshot is.
    pub(super) fn position(&self) -> Result<Option<Position>, StoreError> {
        self.store().view()?.meta(POSITION)
    }

    /// Which part this replica has among several.
    pub(super) fn set_leader(&self, is_leader: Option<bool>) {
        self.0.standing.write().unwrap_or_else(std::sync::PoisonError::into_inner).is_leader = is_leader;
    }
}
