//! The pair in a file, for one machine.
//!
//! The text is written beside the file, synced, renamed over it, and the folder synced: at any moment the file is the old one or the
//! new one, whole. The right to renew is a lock of the operating system on a file beside it, which the system takes back when a
//! process dies. The lock file stays for ever: a lock on a file that is removed guards nothing.

mod disk;
mod format;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

pub use disk::{Disk, SystemDisk};
pub(super) use format::is_token;

use super::store::{Lease, StoreError, TokenStore};
use super::{Owner, Pair};
use format::Refused;

/// A token file has two kilobytes.
const MOST: u64 = 64 * 1024;
/// The lock is looked at this often while another process renews.
const LOOK: Duration = Duration::from_millis(20);

/// A [`TokenStore`] in one file. Clones are the same file.
#[derive(Clone, Debug)]
pub struct FileStore {
    place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    folder: PathBuf,
    owner: Owner,
    disk: Box<dyn Disk>,
}

/// The lock, and the empty file that the next pair will be written to.
struct FileLease {
    place: Arc<Place>,
    /// Unlocked when it is closed.
    _lock: File,
    /// Until it has been renamed.
    next: Option<File>,
}

impl FileStore {
    /// The file at this path, for this owner. Nothing is touched yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, owner: Owner) -> Self {
        Self::on(SystemDisk, path, owner)
    }

    /// The same on another file system.
    #[must_use]
    pub fn on(disk: impl Disk, path: impl Into<PathBuf>, owner: Owner) -> Self {
        let path = path.into();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.to_owned();
        Self { place: Arc::new(Place { path, folder, owner, disk: Box::new(disk) }) }
    }
}

impl TokenStore for FileStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<Pair>, StoreError>> {
        let place = Arc::clone(&self.place);
        off_the_workers(move || place.load()).boxed()
    }

    fn lease(&self, patience: Duration) -> BoxFuture<'_, Result<Box<dyn Lease>, StoreError>> {
        let until = Instant::now() + patience;
        async move {
            loop {
                let place = Arc::clone(&self.place);
                match off_the_workers(move || place.lease()).await? {
                    Some(lease) => return Ok(Box::new(lease) as Box<dyn Lease>),
                    None if Instant::now() >= until => return Err(StoreError::Busy { path: self.place.path.clone() }),
                    None => sleep(LOOK).await,
                }
            }
        }
        .boxed()
    }
}

impl Lease for FileLease {
    fn load(&mut self) -> BoxFuture<'_, Result<Option<Pair>, StoreError>> {
        let place = Arc::clone(&self.place);
        off_the_workers(move || place.load()).boxed()
    }

    fn save<'a>(&'a mut self, pair: &'a Pair) -> BoxFuture<'a, Result<(), StoreError>> {
        let (place, next, text) = (Arc::clone(&self.place), self.next.take(), format::write(&self.place.owner, pair));
        off_the_workers(move || place.save(next, &text)).boxed()
    }
}

impl Place {
    fn load(&self) -> Result<Option<Pair>, StoreError> {
        let Some(text) = self.disk.read(&self.path, MOST).map_err(|error| self.failed("read", &error))? else {
            return Ok(None);
        };
        match format::read(&text, &self.owner) {
            Ok(pair) => Ok(Some(pair)),
            Err(Refused::Damaged(what)) => Err(StoreError::Damaged { path: self.path.clone(), what }),
            Err(Refused::Foreign(whose)) => Err(StoreError::Foreign { path: self.path.clone(), whose }),
        }
    }

    /// `None` while another process has it.
    fn lease(self: &Arc<Self>) -> Result<Option<FileLease>, StoreError> {
        let lock = self.disk.open_lock(&self.beside("lock")).map_err(|error| self.failed("locked", &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(self.failed("locked", &error)),
        }
        let next = self.create()?;
        Ok(Some(FileLease { place: Arc::clone(self), _lock: lock, next: Some(next) }))
    }

    fn create(&self) -> Result<File, StoreError> {
        self.disk.create(&self.beside("new")).map_err(|error| self.failed("written", &error))
    }

    fn save(&self, next: Option<File>, text: &[u8]) -> Result<(), StoreError> {
        let mut next = next.map_or_else(|| self.create(), Ok)?;
        let written = self.disk.write(&mut next, text).and_then(|()| self.disk.sync(&next));
        let renamed = written.and_then(|()| self.disk.rename(&self.beside("new"), &self.path));
        renamed.and_then(|()| self.disk.sync_folder(&self.folder)).map_err(|error| self.failed("written", &error))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(suffix);
        name.into()
    }

    fn failed(&self, done: &'static str, error: &std::io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), done, kind: error.kind() }
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        if self.next.is_some() {
            // Nothing was written to it; if it stays, the next lease replaces it.
            let _ = std::fs::remove_file(self.place.beside("new"));
        }
    }
}

/// Runs what may wait for a disk where that holds nobody up.
async fn off_the_workers<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

#[cfg(test)]
mod tests;
