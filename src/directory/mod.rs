//! The mirror of the whole contact base: who has which number is known here, for everybody and for nobody.
//!
//! Think of a DNS secondary zone: one full transfer, then increments, and answers of its own for as long as both can be trusted.
//!
//! | part | is |
//! |---|---|
//! | [`store`], [`batch`], [`record`] | the snapshot: tables, transactions, compact records with checksums |
//! | [`open`], [`identity`] | a snapshot that is damaged, of another account or of another version is set aside, never served |
//! | [`feed`] | transfer, increments and sweeps, written down with the records they brought |
//! | [`find`] | a number → its owners, or nobody, or no answer from here |
//! | [`hints`] | what webhooks and operators say has changed |
//! | [`fleet`] | several replicas, one mirror: who runs the feed, and how the others follow |
//!
//! # What was decided, and why
//!
//! - **One file, one writer, no index in memory.** Records, the numbers pointing at them and the feed's place stand in one redb file, and
//!   one transaction changes them together: after a crash none is ahead of the others, and there is nothing to load at a start. A lookup
//!   reads one moment of the file, in a few microseconds whether there are a thousand contacts or a million; memory is the store's page
//!   cache, bounded by [`Settings::cache_bytes`], however many contacts there are. Figures, also of what was not chosen: docs/performance.md.
//! - **A list is read by overlap, not by page number**, so that a deletion during the transfer cannot hide a contact: see `feed::walk`.
//! - **Nobody's number is only ours to say** ([`Knowledge::owners`] empty) once every contact has been read, and while the last increment is
//!   younger than [`Settings::nobody_for`]. Otherwise the question goes the ordinary way.
//! - **Somebody's card is as old as the last increment**: that is when the CRM last said that nothing has changed. It is current for as long
//!   as a cached one would be, and after that still better than none. Where the token's user may not read the journal, deletions and links
//!   are seen by the sweep only, and a card is as old as its own record.
//! - **Absence is never inferred.** A contact that is not where it was is fetched by its id; only if that does not bring it, it is gone.
//! - **A lookup never waits for the feed and never asks the CRM**: names of owners, stages and companies are kept here too.

mod batch;
mod clock;
mod error;
pub mod feed;
mod find;
pub mod fleet;
mod hints;
mod identity;
mod names;
mod open;
mod record;
mod state;
mod status;
mod store;
pub mod verify;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

pub use self::batch::{Changes, Fate};
pub use self::error::{Damaged, OpenError, StoreError};
pub use self::feed::{Feed, Watcher};
pub use self::find::{Knowledge, Owner};
pub use self::fleet::Fleet;
pub use self::names::Names;
pub use self::record::Held;
pub use self::status::Status;

use self::clock::Clock;
use self::find::owner;
use self::hints::Hints;
use self::names::{Missing, Written};
use self::state::State;
use self::status::Standing;
use self::store::{Policy, Store};
use crate::contact::{ContactId, PipelineId, StageId, UserId};
use crate::phone::Region;

/// Under which the feed's state and the names are written down.
const STATE: &str = "state";
const NAMES: &str = "names";

/// The mirror's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The snapshot.
    pub path: PathBuf,
    /// Which account is mirrored: a snapshot that says otherwise is not used.
    pub account: String,
    /// How phones without a country code are read.
    pub region: Region,
    /// Whether the details of leads are kept.
    pub leads: bool,
    /// For how long after the last increment a number may be said to be nobody's. Default 60 s.
    pub nobody_for: Duration,
    /// For how long a known contact is current. Default 10 min.
    pub known_fresh: Duration,
    /// For how long it is better than none. Default 24 h.
    pub known_stale: Duration,
    /// Memory for pages of the snapshot. Default 64 MiB.
    pub cache_bytes: usize,
    /// How the CRM is asked.
    pub feed: feed::Settings,
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new(path: PathBuf, account: String, region: Region) -> Self {
        Self {
            path,
            account,
            region,
            leads: true,
            nobody_for: Duration::from_secs(60),
            known_fresh: Duration::from_secs(10 * 60),
            known_stale: Duration::from_secs(24 * 60 * 60),
            cache_bytes: 64 * 1024 * 1024,
            feed: feed::Settings::default(),
        }
    }

    const fn policy(&self) -> Policy {
        Policy { region: self.region, leads: self.leads }
    }
}

/// The mirror. Clones share everything.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    settings: Settings,
    clock: Clock,
    /// Replaced when it turns out to be damaged.
    store: RwLock<Arc<Store>>,
    damaged: AtomicBool,
    standing: RwLock<Standing>,
    names: RwLock<Names>,
    missing: Mutex<Missing>,
    hints: Hints,
    /// What other replicas have to hear.
    outbox: fleet::Outbox,
    /// Tells this process from the others.
    me: u64,
    /// Wakes the feed.
    wake: Notify,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Directory {
    /// Opens the snapshot, or begins one. Nobody else may write it from now on.
    ///
    /// # Errors
    /// [`OpenError`] when somebody else has it, or the system refuses.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        open::writer(&settings).map(|store| Self::over(store, settings))
    }

    /// Opens a snapshot to look at it, also while a service writes it.
    ///
    /// # Errors
    /// [`OpenError`] when there is none, or none that can be used with these settings.
    pub fn look_at(settings: Settings) -> Result<Self, OpenError> {
        open::reader(&settings).map(|store| Self::over(store, settings))
    }

    fn over(store: Store, settings: Settings) -> Self {
        let clock = Clock::new();
        let directory = Self(Arc::new(Inner {
            store: RwLock::new(Arc::new(store)),
            settings,
            clock,
            damaged: AtomicBool::new(false),
            standing: RwLock::default(),
            names: RwLock::default(),
            missing: Mutex::default(),
            hints: Hints::default(),
            outbox: fleet::Outbox::default(),
            me: fastrand::u64(..),
            wake: Notify::new(),
        }));
        let state = directory.state();
        directory.stand(&state);
        directory.take_names();
        directory
    }

    /// The contact, as the snapshot has it.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn contact(&self, id: ContactId) -> Result<Option<Owner>, StoreError> {
        let view = self.store().view()?;
        view.contact(id)?.map(|held| owner(&view, held)).transpose()
    }

    /// Contacts from this id on, ascending, at most so many.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn contacts_from(&self, from: ContactId, most: usize) -> Result<Vec<Owner>, StoreError> {
        let view = self.store().view()?;
        view.contacts_from(from, most)?.into_iter().map(|held| owner(&view, held)).collect()
    }

    /// The names it knows.
    #[must_use]
    pub fn names(&self) -> Names {
        self.0.names.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn store(&self) -> Arc<Store> {
        Arc::clone(&self.0.store.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The feed's state as it is written down; that of a new snapshot where there is none to be read.
    fn state(&self) -> State {
        self.store().view().and_then(|view| view.meta(STATE)).ok().flatten().unwrap_or_default()
    }

    fn put_store(&self, store: Store) {
        *self.0.store.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(store);
        self.0.damaged.store(false, Ordering::Release);
    }

    fn put_names(&self, names: Names) {
        *self.0.names.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    fn take_missing_names(&self) -> (Vec<UserId>, Vec<(PipelineId, StageId)>) {
        let missing = std::mem::take(&mut *self.0.missing.lock().unwrap_or_else(PoisonError::into_inner));
        (missing.owners.into_iter().collect(), missing.stages.into_iter().collect())
    }

    fn take_names(&self) {
        if let Ok(Some(written)) = self.store().view().and_then(|view| view.meta::<Written>(NAMES)) {
            self.put_names(written.into());
        }
    }

    /// What was read is not what was written: nothing more is said from this snapshot, and the feed makes another.
    fn distrust_snapshot(&self, error: &StoreError) {
        if !self.0.damaged.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "the mirror is not used until its snapshot is built anew");
            self.0.wake.notify_one();
        }
    }
}
