//! What operators can do with a store while it is in use.

use std::fmt;
use std::path::Path;
#[cfg(feature = "postgres")]
use std::time::Instant;

#[cfg(feature = "postgres")]
use super::BatchId;
use super::Error;
use crate::counters::Replication;

/// Copying and checking. Either may take as long as reading the whole store, without holding up
/// sessions; call it from a thread that may block.
pub trait Maintenance: Send + Sync {
    /// Copies the store to `path`, a new file. The copy holds everything that was confirmed before
    /// the call, and is on disk under its name when this returns. Returns its size in bytes.
    ///
    /// # Errors
    /// See [`BackupError`]. An unfinished copy is removed.
    fn backup(&self, path: &Path) -> Result<u64, BackupError>;
    /// Checks the store for damage. Returns what is wrong, a line each, for the operator.
    ///
    /// # Errors
    /// The store cannot be read.
    fn check(&self) -> Result<Vec<String>, Error>;
    /// Bytes of the store's main file, and of its write-ahead log.
    fn sizes(&self) -> (u64, u64);
    /// How the standbys of its server do; `None`: it has no server, or that does not answer.
    fn replication(&self) -> Option<Replication> {
        None
    }
    /// The newest batch that is known to be on disk, where another process may record them, each a
    /// moment after the one before; `None`: no other process writes.
    #[cfg(feature = "postgres")]
    fn confirmed(&self) -> Option<BatchId> {
        None
    }
    /// Since when a question of a session has had no answer, if one has none and was asked again.
    #[cfg(feature = "postgres")]
    fn unanswered_since(&self) -> Option<Instant> {
        None
    }
    /// Breaks off what is under way, and waits until that has stopped. From then on copying and
    /// checking fail.
    fn end(&self);
}

/// The findings about something that an operator has set up, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Reasons why papod cannot use it.
    pub problems: Vec<String>,
    /// Good to know: what it is, and what should be fixed at some point.
    pub remarks: Vec<String>,
}

/// Why there is no backup. No unfinished copy is left.
#[derive(Clone, Debug)]
pub enum BackupError {
    /// The name is taken: by a file, a folder, or a link, wherever it leads.
    Exists,
    /// It could not be created, written or synced. The reason is for the operator.
    Failed(Error),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            BackupError::Exists => f.write_str("a file of this name already exists"),
            BackupError::Failed(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {}

impl From<Error> for BackupError {
    fn from(e: Error) -> BackupError {
        BackupError::Failed(e)
    }
}

impl From<std::io::Error> for BackupError {
    fn from(e: std::io::Error) -> BackupError {
        BackupError::Failed(Error::new(e))
    }
}
