//! What keeps the mirror up to date: one task, one request at a time, in the background class.
//!
//! In this order, at each step: what hints and earlier records want fetched; the transfer, until every contact has been read once; then an
//! increment whenever one is due, and between them a window of the sweep. Each step writes down what it brought together with how far it
//! is, so that a process that is killed goes on at the same place.
//!
//! It leaves to others: who may send when (the gate: its background class gives way to every live call), and what an answer looks like.

mod ask;
mod fetch;
mod increment;
mod pass;
mod settings;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

pub use self::settings::{FeedError, Settings, Watcher};
pub(crate) use self::walk::{Stretch, Walk};

use self::ask::Pace;
use super::batch::{Batch, Kind};
use super::fleet::{Leading, POSITION};
use super::state::State;
use super::{Damaged, Directory, STATE, Status, StoreError, open};
use crate::crm::CrmClient;
use crate::crm::dictionary::Dictionaries;

/// When the next step is due.
#[derive(Clone, Copy, Debug)]
enum Next {
    Now,
    At(Instant),
}

/// The task.
#[derive(Debug)]
pub struct Feed {
    directory: Directory,
    crm: CrmClient,
    names: Dictionaries,
    watcher: Arc<dyn Watcher>,
    settings: Settings,
    state: State,
    pace: Pace,
    /// The account has been asked for its id since the start.
    is_verified: bool,
    /// Entries of the journal that have been seen to.
    seen_events: std::collections::HashSet<String>,
    increment_at: Instant,
    companies_at: Instant,
    events_at: Instant,
    sweep_at: Instant,
    told_at: Instant,
    /// For whom else this is done.
    leading: Option<Arc<Leading>>,
}

impl Feed {
    /// The feed of a mirror that was opened to be written. It does nothing before it is run.
    #[must_use]
    pub fn new(directory: Directory, crm: CrmClient, names: Dictionaries, watcher: Arc<dyn Watcher>) -> Self {
        let settings = directory.0.settings.feed;
        let now = Instant::now();
        let mut state = directory.state();
        // A follower has corrected it by how far apart the clocks are.
        state.as_of = directory.standing().as_of;
        let gap = state.as_of.map(|at| directory.0.clock.since(at));
        if gap.is_some_and(|gap| gap > settings.longest_gap) {
            tracing::warn!("the mirror was last up to date too long ago: every contact is read anew");
            (state.complete, state.pass) = (false, None);
        }
        directory.stand(&state);
        Self {
            pace: Pace::new(settings.pace),
            is_verified: false,
            seen_events: <_>::default(),
            increment_at: now,
            companies_at: now,
            events_at: now,
            sweep_at: now + settings.increments,
            told_at: now,
            leading: None,
            directory,
            crm,
            names,
            watcher,
            settings,
            state,
        }
    }

    /// The same, with each commit written to the log of several replicas first.
    pub(super) fn leading(self, leading: Leading) -> Self {
        Self { leading: Some(Arc::new(leading)), ..self }
    }

    /// Runs for as long as it is polled; where there are several replicas, until this one leads no longer.
    pub async fn run(mut self) {
        let mut failures = 0;
        if self.leading.is_some() && self.commit(self.state.clone(), |_| Ok(())).await.is_err() {
            return;
        }
        loop {
            match self.step().await {
                Ok(next) => {
                    self.recovered(&mut failures);
                    self.wait(next).await;
                }
                Err(FeedError::Deposed) => return,
                Err(error) => sleep(self.failed(&error, &mut failures)).await,
            }
        }
    }

    /// Runs until the mirror is whole and up to date, telling how far it is after each step.
    ///
    /// # Errors
    /// The last failure, when several steps in a row have failed.
    pub async fn sync(mut self, mut tell: impl FnMut(&Status)) -> Result<Status, FeedError> {
        const PATIENCE: u32 = 5;
        let mut failures = 0;
        loop {
            match self.step().await {
                Ok(next) => {
                    failures = 0;
                    let status = self.directory.status()?;
                    tell(&status);
                    if let (true, Next::At(at)) = (self.directory.standing().answers(), next)
                        && self.increment_at > Instant::now()
                        && at > Instant::now()
                    {
                        return Ok(status);
                    }
                    self.wait(next).await;
                }
                Err(error) if failures + 1 >= PATIENCE => return Err(error),
                Err(error) => sleep(self.failed(&error, &mut failures)).await,
            }
        }
    }

    async fn wait(&self, next: Next) {
        if let Next::At(at) = next {
            tokio::select! {
                () = sleep_until(at) => {}
                () = self.directory.0.wake.notified() => {}
            }
        }
    }

    async fn step(&mut self) -> Result<Next, FeedError> {
        if self.directory.0.damaged.load(std::sync::atomic::Ordering::Acquire) {
            // Another replica has a sound one, and ours is not to become everybody's.
            if self.leading.is_some() {
                return Err(FeedError::Deposed);
            }
            self.begin_anew()?;
        }
        if !self.is_verified {
            self.verify_account().await?;
        }
        self.take_hints().await?;
        if self.fetch_some(Kind::Contact, 1).await? {
            return Ok(Next::Now);
        }
        if !self.state.complete {
            return self.transfer().await;
        }
        if self.directory.standing().expired_at.is_some() || self.increment_at <= Instant::now() {
            self.increment().await?;
            return Ok(Next::Now);
        }
        if self.sweep_at <= Instant::now() {
            self.sweep().await?;
            return Ok(Next::Now);
        }
        Ok(Next::At(self.increment_at.min(self.sweep_at)))
    }

    /// A snapshot that cannot be read is replaced by an empty one.
    fn begin_anew(&mut self) -> Result<(), FeedError> {
        let store = open::replace(&self.directory.0.settings)?;
        self.directory.put_store(store);
        self.state = State::default();
        self.is_verified = false;
        self.directory.stand(&self.state);
        self.watcher.all_changed();
        Ok(())
    }

    /// A snapshot of another account behind the same address is emptied before anything more is said from it.
    async fn verify_account(&mut self) -> Result<(), FeedError> {
        let account = self.ask(|crm, ask| async move { crm.account(ask).await }).await?.id;
        if self.state.account.is_some_and(|known| known != account) {
            tracing::error!("the mirror is of another account: it is set aside and built anew");
            self.begin_anew()?;
        }
        let state = State { account: Some(account), ..self.state.clone() };
        self.commit(state, |_| Ok(())).await?;
        self.is_verified = true;
        Ok(())
    }

    /// What hints say is to be fetched is written down, so that a restart does not forget it.
    async fn take_hints(&mut self) -> Result<(), FeedError> {
        let pending = self.directory.0.hints.take();
        if pending.is_empty() {
            return Ok(());
        }
        let (leads, written) = (self.directory.0.settings.leads, pending.clone());
        let noted = self
            .commit(self.state.clone(), move |batch| {
                let pending = written;
                pending.contacts.iter().try_for_each(|id| batch.want(Kind::Contact, id.0))?;
                let wanted = pending.leads.iter().filter(|_| leads);
                wanted.into_iter().try_for_each(|id| batch.want(Kind::Lead, id.0))
            })
            .await;
        if noted.is_err() {
            self.directory.0.hints.give_back(pending);
        }
        noted
    }

    /// Writes records and the state that they bring about, together; then everybody sees both.
    async fn commit<T: Send + 'static>(
        &mut self,
        state: State,
        write: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, FeedError> {
        let (store, written, leading) = (self.directory.store(), state.clone(), self.leading.clone());
        let now = self.directory.0.clock.now();
        let writing = tokio::task::spawn_blocking(move || {
            let mut appended = false;
            let outcome = store.write_if(|batch| {
                let is_fresh = batch.is_fresh()?;
                if leading.is_some() {
                    batch.record();
                }
                let value = write(batch)?;
                batch.put_meta(STATE, &written)?;
                let changes = batch.take_changes();
                match &leading {
                    Some(leading) if leading.append(batch, &changes, now, is_fresh)? => appended = true,
                    Some(_) => return Ok(None),
                    // What is written without the log is not in anybody's history but ours.
                    None => batch.forget_meta(POSITION)?,
                }
                Ok(Some((value, changes)))
            });
            (outcome, appended)
        });
        // A panic in the store means that it met something it did not write.
        let (outcome, appended) = writing.await.unwrap_or_else(|_panic| (Err(Damaged.into()), false));
        let outcome = outcome.inspect_err(|error| self.notice_damage(error));
        // In the log and not in the snapshot: it comes from there.
        let outcome = if appended && outcome.is_err() { Ok(None) } else { outcome };
        let Some((value, changes)) = outcome? else { return Err(FeedError::Deposed) };
        let was_complete = self.state.complete;
        self.state = state;
        self.directory.stand(&self.state);
        if !was_complete && self.state.complete {
            self.watcher.all_changed();
        } else if was_complete && !changes.is_empty() {
            self.watcher.changed(&changes);
        }
        Ok(value)
    }

    fn notice_damage(&self, error: &StoreError) {
        if error.is_damage() {
            self.directory.distrust_snapshot(error);
        }
    }

    /// Says once that there is trouble; gives the pause before the next try.
    fn failed(&self, error: &FeedError, failures: &mut u32) -> Duration {
        if let FeedError::Store(error) = error {
            self.notice_damage(error);
        }
        if *failures == 0 {
            tracing::warn!(%error, "the mirror cannot go on; it is tried again");
        }
        self.directory.set_trouble(Some(match error {
            FeedError::Crm(_) => "the CRM cannot be asked",
            FeedError::Store(_) | FeedError::Open(_) | FeedError::Deposed => "the snapshot cannot be used",
        }));
        let (first, most) = self.settings.pauses;
        let pause = first.saturating_mul(1 << (*failures).min(10)).min(most);
        *failures = failures.saturating_add(1);
        let asked_for = if let FeedError::Crm(error) = error { error.retry_after() } else { None };
        asked_for.map_or(pause, |asked_for| asked_for.min(most).max(pause))
    }

    fn recovered(&self, failures: &mut u32) {
        if *failures > 0 {
            tracing::info!(failures = *failures, "the mirror goes on");
            self.directory.set_trouble(None);
            *failures = 0;
        }
    }
}
