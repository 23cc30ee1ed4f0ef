//! What can be wrong with a snapshot.

use std::io;
use std::path::PathBuf;

/// A record cannot be read: its bytes are not those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of the snapshot is damaged")]
pub struct Damaged;

/// The snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What it holds is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The disk, or the store on it, failed.
    #[error("the snapshot cannot be used")]
    Failed(#[source] Box<redb::Error>),
}

/// No snapshot could be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it.
    #[error("another process has the snapshot {} open", path.display())]
    InUse {
        /// Where it is.
        path: PathBuf,
    },
    /// There is none to read.
    #[error("there is no snapshot at {}; `callcard directory sync` makes one", path.display())]
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// It cannot be read as one, and was only to be read.
    #[error("{} {why}", path.display())]
    Unusable {
        /// Where it is.
        path: PathBuf,
        /// In which way.
        why: &'static str,
    },
    /// The system refused.
    #[error("the snapshot {} cannot be opened", path.display())]
    File {
        /// Where it is, or should be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The store refused.
    #[error("the snapshot {} cannot be opened", path.display())]
    Store {
        /// Where it is.
        path: PathBuf,
        /// What the store says.
        #[source]
        source: Box<redb::Error>,
    },
}

impl StoreError {
    /// Whether it says that the snapshot is not what was written, and not merely that the disk is full.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Failed(error) => matches!(
                **error,
                redb::Error::Corrupted(_)
                    | redb::Error::LockPoisoned(_)
                    | redb::Error::TableDoesNotExist(_)
                    | redb::Error::TableTypeMismatch { .. }
            ),
        }
    }
}

/// Each way in which the store can refuse becomes the same error here.
macro_rules! failed {
    ($($error:ty),+) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Failed(Box::new(error.into()))
            }
        }
    )+};
}

failed!(redb::StorageError, redb::TableError, redb::TransactionError, redb::CommitError);
