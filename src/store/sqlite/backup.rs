//! A copy of the database while it is in use: whole, on disk, and never over something that is
//! there. SQLite's `VACUUM INTO` makes it, on a connection of its own: it sees what was confirmed
//! before it began, and holds nobody up. While it reads, the write-ahead log cannot be written back
//! past that moment, so it grows by what is said meanwhile.
//!
//! It is written as a draft in the same folder and gets its name at the end. Its generation is one
//! that no other file has: put in the place of the database, it is known for a copy.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::Connection;

use super::draft::Draft;
use super::{SqliteMaintenance, beside, ended, folder};
use crate::owner;
use crate::store::{BackupError, Cause, Error};

impl SqliteMaintenance {
    /// Copies the database to `path`, a new file that only its owner may read. It holds everything
    /// that was confirmed before, and is on disk with its name when this returns. Returns its size
    /// in bytes. It may be called from any thread, and takes as long as reading and writing the
    /// whole database does, or until [`Maintenance::end`](crate::store::Maintenance::end).
    ///
    /// # Errors
    /// See [`BackupError`]. Nothing is left of a copy that was begun.
    pub(super) fn copy(&self, path: &Path) -> Result<u64, BackupError> {
        let path = std::path::absolute(path)?;
        // SQLite would take what stands under these names for a part of the new file, and undo it.
        for ending in ["", "-journal", "-wal"] {
            if beside(&path, ending).symlink_metadata().is_ok() {
                return Err(BackupError::Exists);
            }
        }
        let found = self.lock.verify(None);
        // What was written over the file is none of this database, and what the log adds to it is neither.
        self.lock.look_at_main()?;
        match found {
            Err(e) if e.cause() == Cause::Gone => {
                let copied = self.with_spare(e.into(), |on| self.write_copy(on, &path));
                if copied.is_ok() {
                    log::warn!("{} is of a database whose file is gone", path.display());
                }
                copied
            }
            verified => {
                verified?;
                self.until_ended(|on| self.write_copy(on, &path))
            }
        }
    }

    fn write_copy(&self, connection: &Connection, path: &Path) -> Result<u64, BackupError> {
        let draft = Draft::beside(path).map_err(|e| self.no_room_for(path, &e))?;
        copy_into(connection, &draft).map_err(BackupError::Failed)?;
        draft.file().sync_all()?;
        if self.has_ended() {
            return Err(ended().into());
        }
        draft.name(path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => BackupError::Exists,
            _ => e.into(),
        })
    }

    /// The folder of `path` takes no file. A service manager may let papod see and write much less
    /// than the operator who asks: the folder is on a disk that is read-only for papod alone, or nobody
    /// at all may look into what it sees in its place.
    fn no_room_for(&self, path: &Path, e: &io::Error) -> BackupError {
        let folder = folder(path);
        let is_hidden = fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o777 == 0);
        let hint = match e.kind() {
            ErrorKind::ReadOnlyFilesystem => self.writable(),
            ErrorKind::PermissionDenied if is_hidden => self.writable(),
            ErrorKind::PermissionDenied => format!("; {}", owner::denied(folder)),
            ErrorKind::NotFound => "; create that folder first".to_owned(),
            _ => String::new(),
        };
        Error::new(format_args!("cannot write to {}: {e}{hint}", folder.display())).into()
    }

    /// A place that always works.
    fn writable(&self) -> String {
        format!("; papod may write below {}", folder(self.lock.path()).display())
    }
}

/// Copies what a connection sees to `path`, in place of an older copy there.
///
/// # Errors
/// SQLite's or the system's reason. Nothing is left of a copy that was begun.
pub(super) fn keep_copy(connection: &Connection, path: &Path) -> Result<(), Error> {
    let mut draft = Draft::beside(path).map_err(Error::new)?;
    copy_into(connection, &draft)?;
    draft.replace(path).map_err(Error::new)
}

fn copy_into(connection: &Connection, draft: &Draft) -> Result<(), Error> {
    let Some(name) = draft.path().to_str() else {
        return Err(Error::new("the name of the folder is not UTF-8"));
    };
    // SQLite fills an empty file that is there; what counts is synced once, when all of it is
    // written. It takes a name that begins with `file:` for a URI; an absolute one never does.
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    connection.execute_batch("PRAGMA synchronous = OFF")?;
    let copied = connection.execute("VACUUM INTO ?1", [name]);
    connection.execute_batch(&format!("PRAGMA synchronous = {synchronous}"))?;
    copied?;
    let copy = Connection::open(draft.path())?;
    copy.execute_batch(
        "PRAGMA journal_mode = MEMORY;
         PRAGMA synchronous = OFF;
         UPDATE generation SET current = randomblob(16), before = randomblob(16);",
    )?;
    copy.close().map_err(|(_, e)| e)?;
    Ok(())
}
