//! What operators can have done with a store while it is in use.

use std::fmt;
use std::path::Path;

use super::Error;

/// Copying and checking. Either may take as long as reading the whole store does, and holds nobody
/// up meanwhile; it is called from a thread that may wait.
pub trait Maintenance: Send + Sync {
    /// Copies the store to `path`, a new file. It holds everything that was confirmed before, and
    /// is on disk with its name when this returns. Returns its size in bytes.
    ///
    /// # Errors
    /// See [`BackupError`]. Nothing is left of a copy that was begun.
    fn backup(&self, path: &Path) -> Result<u64, BackupError>;
    /// Holds the store against its own rules. Returns what is wrong, a line for an operator each.
    ///
    /// # Errors
    /// It cannot be read.
    fn check(&self) -> Result<Vec<String>, Error>;
    /// The bytes of the store, and of what is written down and not yet part of it.
    fn sizes(&self) -> (u64, u64);
    /// Ends what is under way, and waits until nothing is left of it. From then on the others
    /// fail.
    fn end(&self);
}

/// What was found by looking at something that an operator has set up, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// What keeps papod from using it.
    pub problems: Vec<String>,
    /// What is good to know: what it is, and what should be mended some time.
    pub remarks: Vec<String>,
}

/// Why there is no backup. Nothing was left behind.
#[derive(Clone, Debug)]
pub enum BackupError {
    /// Something of this name is there: a file, a folder, a link, whatever it leads to.
    Exists,
    /// It could not be made, written or synced: the reason, for the operator.
    Failed(Error),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            BackupError::Exists => f.write_str("there is something of this name already"),
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
