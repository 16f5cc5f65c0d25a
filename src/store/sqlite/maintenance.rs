//! Backups and checks: what reads a whole database while it is in use.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;

use super::lock::Lock;
use super::search::{SearchFile, SearchReader};
use super::spare::Spare;
use super::{SqliteReader, check, ended, files, length, read_connection};
use crate::entry::ContentHash;
use crate::store::contents::Contents;
use crate::store::{BackupError, Error, Maintenance};

/// Operations that read a whole database, on any thread, while the writer goes on.
#[derive(Clone)]
pub struct SqliteMaintenance {
    pub(super) lock: Arc<Lock>,
    pub(super) ending: Arc<Ending>,
    pub(super) spare: Arc<Spare>,
    /// Where the contents of files are.
    pub(super) files: Option<ContentsBeside>,
    pub(super) search: Arc<SearchFile>,
}

/// The contents of files, and the folder in which they are.
#[derive(Clone)]
pub(super) struct ContentsBeside {
    pub(super) folder: PathBuf,
    pub(super) contents: Arc<Contents>,
}

impl ContentsBeside {
    pub(super) fn path_of(&self, content: ContentHash) -> PathBuf {
        self.folder.join(content.to_string())
    }
}

/// How maintenance is broken off.
#[derive(Default)]
pub(super) struct Ending {
    has_begun: AtomicBool,
    /// Locked for reading while an operation is under way.
    under_way: RwLock<()>,
}

impl Maintenance for SqliteMaintenance {
    fn backup(&self, path: &Path) -> Result<u64, BackupError> {
        self.copy(path)
    }

    fn check(&self) -> Result<Vec<String>, Error> {
        if let Err(e) = self.lock.verify(None) {
            return Ok(vec![e.to_string()]);
        }
        let pin = self.files.as_ref().map(|files| (files, files.contents.pin()));
        let found = self.until_ended(|on| {
            let mut found = check::findings(on)?;
            if let Some((beside, _)) = &pin {
                found.extend(files::missing(
                    on,
                    |content| beside.path_of(content),
                    || self.has_ended(),
                )?);
            }
            Ok(found)
        });
        if self.has_ended() { Err(ended()) } else { found }
    }

    fn sizes(&self) -> (u64, u64) {
        // The open file, even if another one has its name by now.
        let size = self.lock.file().metadata().map_or(0, |meta| meta.len());
        (size, length(self.lock.log()))
    }

    fn end(&self) {
        self.ending.has_begun.store(true, Ordering::SeqCst);
        drop(self.ending.under_way.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl SqliteMaintenance {
    /// Does `work` on a new read-only connection, whose statements are interrupted when maintenance
    /// is ended.
    pub(super) fn until_ended<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let ending = &self.ending.under_way;
        let _under_way = ending.read().unwrap_or_else(PoisonError::into_inner);
        let mut connection = read_connection(self.lock.path())?;
        self.breaks_off(&mut connection)?;
        work(&connection)
    }

    /// The same on the connection that was opened while the file was there. If there is none, fails
    /// with `otherwise`.
    pub(super) fn with_spare<T, E: From<Error>>(
        &self,
        otherwise: E,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let ending = &self.ending.under_way;
        let _under_way = ending.read().unwrap_or_else(PoisonError::into_inner);
        let mut spare = self.spare.get();
        let Some(connection) = spare.as_mut() else { return Err(otherwise) };
        self.breaks_off(connection)?;
        work(connection)
    }

    fn breaks_off(&self, connection: &mut Connection) -> Result<(), Error> {
        let ending = self.ending.clone();
        let has_ended = move || ending.has_begun.load(Ordering::SeqCst);
        // Steps of SQLite's virtual machine: some milliseconds.
        Ok(connection.progress_handler(10_000, Some(has_ended))?)
    }

    /// A reader, with a read-only connection of its own.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn reader(&self) -> Result<SqliteReader, Error> {
        let mut reader = SqliteReader::bounded(read_connection(self.lock.path())?)?;
        reader.search = Some(SearchReader::new(self.search.clone()));
        Ok(reader)
    }

    /// Whether what is under way has to be broken off.
    pub(super) fn has_ended(&self) -> bool {
        self.ending.has_begun.load(Ordering::SeqCst)
    }
}
