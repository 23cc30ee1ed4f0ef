//! Opening a snapshot: made if there is none, set aside if it cannot be trusted.
//!
//! Every page is checked against its checksum before anything of it is used, and what it says of itself against our settings. A snapshot
//! that fails is renamed to `….set-aside`, where it does no harm, and an empty one takes its place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, ConcurrencyMode, Database, DatabaseError, ReadableDatabase, StorageError};

use super::Settings;
use super::error::{OpenError, StoreError};
use super::identity::{IDENTITY, Identity, Kinship};
use super::store::Store;

/// Why a snapshot is not used.
type Why = &'static str;

const DAMAGED: Why = "is damaged";
const UNCLEAN: Why = "was not closed in order; `callcard serve` and `callcard directory sync` mend that";
const FOREIGN: Why = "is of another CRM account, or of another version";

/// Opens the snapshot to write it, or makes one.
pub(super) fn writer(settings: &Settings) -> Result<Store, OpenError> {
    let path = &settings.path;
    match open(settings)? {
        Ok(store) => Ok(store),
        Err(why) => {
            set_aside(path, why)?;
            open(settings)?.map_err(|why| OpenError::Unusable { path: path.clone(), why })
        }
    }
}

/// Opens the snapshot beside whoever writes it, and changes nothing.
pub(super) fn reader(settings: &Settings) -> Result<Store, OpenError> {
    let path = &settings.path;
    if !path.exists() {
        return Err(OpenError::Absent { path: path.clone() });
    }
    let unusable = |why| OpenError::Unusable { path: path.clone(), why };
    let opened = catch_unwind(AssertUnwindSafe(|| builder(settings).open_read_only(path)));
    let database = opened.map_err(|_panic| unusable(DAMAGED))?.map_err(|error| match error {
        DatabaseError::RepairAborted => unusable(UNCLEAN),
        error => broken_or_refused(path, error).map_or_else(|refused| refused, unusable),
    })?;
    let store = Store::reader(database, path.clone(), settings.policy());
    match kinship(&store, settings) {
        Ok(Some(Kinship::Own | Kinship::ReadOtherwise)) => Ok(store),
        Ok(_) => Err(unusable(FOREIGN)),
        Err(_) => Err(unusable(DAMAGED)),
    }
}

/// Puts an empty snapshot in the place of one that turned out to be damaged while it was in use.
pub(super) fn replace(settings: &Settings) -> Result<Store, OpenError> {
    set_aside(&settings.path, DAMAGED)?;
    writer(settings)
}

/// An empty snapshot beside the one that is in use.
pub(super) fn beside(settings: &Settings) -> Result<Store, OpenError> {
    let path = with_ending(&settings.path, ".incoming");
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(OpenError::File { path, source }),
        _ => {}
    }
    writer(&Settings { path, ..settings.clone() })
}

/// Puts the snapshot that was made [`beside`], and is closed, in the place of the one in use.
pub(super) fn take_place(settings: &Settings) -> Result<Store, OpenError> {
    let path = &settings.path;
    fs::rename(with_ending(path, ".incoming"), path)
        .map_err(|source| OpenError::File { path: path.clone(), source })?;
    writer(settings)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The snapshot, or why it must not be used.
fn open(settings: &Settings) -> Result<Result<Store, Why>, OpenError> {
    let path = &settings.path;
    let file = owned_file(path).map_err(|source| OpenError::File { path: path.clone(), source })?;
    let begin = || Ok(builder(settings).set_check_integrity_on_open(true).create_with_backend(FileBackend::new(file)?));
    let database = match catch_unwind(AssertUnwindSafe(begin)) {
        Ok(Ok(Ok(database))) => database,
        Ok(Ok(Err(error)) | Err(error)) => return broken_or_refused(path, error).map(Err),
        Err(_panic) => return Ok(Err(DAMAGED)),
    };
    Ok(claim(database, settings))
}

/// Takes a snapshot over if it is ours or new.
fn claim(database: Database, settings: &Settings) -> Result<Store, Why> {
    let is_empty = {
        let tables = database.begin_read().map_err(|_| DAMAGED)?;
        tables.list_tables().map_err(|_| DAMAGED)?.next().is_none()
    };
    let store = Store::writer(database, settings.path.clone(), settings.policy());
    let own = Identity::of(settings);
    let claimed = match (is_empty, kinship(&store, settings)) {
        (true, _) => store.write(|batch| batch.put_meta(IDENTITY, &own)),
        (false, Ok(Some(Kinship::Own))) => Ok(()),
        (false, Ok(Some(Kinship::ReadOtherwise))) => {
            tracing::info!("the mirror's phones are read anew: the version or the region has changed");
            store.write(|batch| {
                batch.read_anew()?;
                batch.put_meta(IDENTITY, &own)
            })
        }
        (false, Ok(_)) => return Err(FOREIGN),
        (false, Err(_)) => return Err(DAMAGED),
    };
    claimed.map(|()| store).map_err(|_| DAMAGED)
}

fn kinship(store: &Store, settings: &Settings) -> Result<Option<Kinship>, StoreError> {
    let identity: Option<Identity> = match store.view()?.meta(IDENTITY) {
        Err(StoreError::Failed(error)) if matches!(*error, redb::Error::TableDoesNotExist(_)) => None,
        other => other?,
    };
    Ok(identity.map(|identity| Identity::of(settings).kinship(&identity)))
}

fn builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(settings.cache_bytes).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// The file, which nobody but us may read: it holds everybody's name and number.
fn owned_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// What the store said: that the file is no good, or something that has nothing to do with the file.
fn broken_or_refused(path: &Path, error: DatabaseError) -> Result<Why, OpenError> {
    match error {
        DatabaseError::UpgradeRequired(_) => Ok(FOREIGN),
        DatabaseError::Storage(StorageError::Corrupted(_)) | DatabaseError::RepairAborted => Ok(DAMAGED),
        DatabaseError::Storage(StorageError::Io(error)) if is_about_content(&error) => Ok(DAMAGED),
        error => Err(refused(path, error)),
    }
}

fn is_about_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput)
}

fn refused(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => OpenError::InUse { path },
        error => OpenError::Store { path, source: Box::new(error.into()) },
    }
}

fn set_aside(path: &Path, why: Why) -> Result<(), OpenError> {
    let aside = with_ending(path, ".set-aside");
    fs::rename(path, &aside).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
    tracing::error!(aside = %aside.display(), "the mirror's snapshot {why}: it is set aside and built anew");
    Ok(())
}
