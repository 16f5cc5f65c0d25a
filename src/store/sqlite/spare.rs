//! A read-only connection that is kept open beside the writer, for the day on which the file is
//! removed or replaced under a running papod: what was confirmed is still there, as long as
//! somebody has it open. A backup can be made of it then, when no new connection could be.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::{generation, read_connection};
use crate::store::Error;

/// Where that connection is kept.
#[derive(Default)]
pub(super) struct Spare(Mutex<Option<Connection>>);

impl Spare {
    /// Opens it.
    ///
    /// # Errors
    /// SQLite's reason.
    pub(super) fn open(&self, path: &Path) -> Result<(), Error> {
        let connection = read_connection(path)?;
        // With its first look it opens the log, too.
        generation::current(&connection)?;
        *self.get() = Some(connection);
        Ok(())
    }

    /// The connection, if there is one. Only one at a time has it.
    pub(super) fn get(&self) -> MutexGuard<'_, Option<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes it. The last connection to a database has to be one that may write.
    pub(super) fn close(&self) {
        *self.get() = None;
    }
}
