//! A read-only connection that is kept open in case the file is removed or replaced under a running
//! papod. What was confirmed is still there as long as somebody has the file open, and a backup can
//! be made through this connection when a new one could not be opened any more.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::{generation, read_connection};
use crate::store::Error;

/// The connection, if it is open.
#[derive(Default)]
pub(super) struct Spare(Mutex<Option<Connection>>);

impl Spare {
    /// Opens it.
    ///
    /// # Errors
    /// SQLite's reason.
    pub(super) fn open(&self, path: &Path) -> Result<(), Error> {
        let connection = read_connection(path)?;
        // The first read also opens the write-ahead log.
        generation::current(&connection)?;
        *self.get() = Some(connection);
        Ok(())
    }

    /// The connection, if it is open. Held by one caller at a time.
    pub(super) fn get(&self) -> MutexGuard<'_, Option<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes it: the last connection to a database that is closed has to be one that may write.
    pub(super) fn close(&self) {
        *self.get() = None;
    }
}
