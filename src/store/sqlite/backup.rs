//! Copying the database while it is in use: the copy is complete, on disk, and overwrites nothing.
//! SQLite's `VACUUM INTO` makes it, on a connection of its own, which sees everything confirmed
//! before it began and holds nobody up. While it reads, the write-ahead log cannot be written back
//! past that point, so it grows by what is written meanwhile.
//!
//! The copy is written as a draft in the same folder and gets its name at the end. It gets a new
//! generation, so it is recognised as a copy if it is put in the place of the database.
//!
//! Links to the contents of the files that the copy names, or copies of them, go into a folder beside
//! the draft, which gets its name just before the copy does.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::Connection;

use super::contents::{NewContents, linked};
use super::draft::{Draft, is_draft};
use super::files::files_beside;
use super::generation::alone;
use super::{SqliteMaintenance, beside, ended, erasing, folder};
use crate::owner;
use crate::store::{BackupError, Cause, Error};

/// Endings of the files that papod and SQLite have beside a database, or may have one day.
const OWN: [&str; 9] = [
    "-wal",
    "-shm",
    "-journal",
    "-files",
    "-search",
    "-search-wal",
    "-search-shm",
    ".generation",
    ".new",
];

/// Checks that there is no file of a backup's name, and none that SQLite would take for its log, and
/// that the next backup would not take it for a draft.
///
/// # Errors
/// See [`BackupError`].
pub(super) fn check_free(path: &Path) -> Result<(), BackupError> {
    for ending in ["", "-journal", "-wal", "-files"] {
        if beside(path, ending).symlink_metadata().is_ok() {
            return Err(BackupError::Exists);
        }
    }
    if is_draft(path) { Err(reserved(path)) } else { Ok(()) }
}

fn reserved(path: &Path) -> BackupError {
    let path = path.display();
    Error::new(format_args!("{path}: papod itself uses that name; choose another")).into()
}

impl SqliteMaintenance {
    /// Copies the database to `path`, a new file that only its owner may read. It holds everything
    /// that was confirmed before, and is on disk with its name when this returns. Returns its size
    /// in bytes. It may be called from any thread, and takes as long as reading and writing the
    /// whole database does, or until [`Maintenance::end`](crate::store::Maintenance::end).
    ///
    /// # Errors
    /// See [`BackupError`]. An unfinished copy is removed.
    pub(super) fn copy(&self, path: &Path) -> Result<u64, BackupError> {
        let path = std::path::absolute(path)?;
        check_free(&path)?;
        if self.is_own(&path) {
            return Err(reserved(&path));
        }
        // The contents of files that the copy names stay where they are until it has them.
        let _pin = self.files.as_ref().map(|files| files.contents.pin());
        let found = self.lock.verify(None);
        // If the file was overwritten, neither it nor what the log adds to it is this database.
        self.lock.look_at_main()?;
        match found {
            Err(e) if e.cause() == Cause::Gone => {
                let copied = self.with_spare(e.into(), |on| self.write_copy(on, &path));
                if copied.is_ok() {
                    log::warn!("{} is a copy of a database whose file is gone", path.display());
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
        self.erase_in(&draft).map_err(BackupError::Failed)?;
        draft.file().sync_all()?;
        let files = match &self.files {
            Some(files) => {
                let copy = alone(draft.path())?;
                Some(linked(
                    &copy,
                    |content| files.path_of(content),
                    draft.contents(),
                    || self.has_ended(),
                )?)
            }
            None => None,
        };
        if self.has_ended() {
            return Err(ended().into());
        }
        name(draft, files, path)
    }

    /// Whether a file of this name would be one of the database's own, which are emptied, replaced or
    /// removed when it is opened.
    fn is_own(&self, path: &Path) -> bool {
        let db = self.lock.path();
        let real = |path| fs::canonicalize(folder(path)).ok();
        let is_own = |own: &&str| beside(db, own).file_name() == path.file_name();
        let bytes = |path: &Path| path.file_name().map(|name| name.as_encoded_bytes().to_owned());
        let migrated = bytes(&beside(db, ".schema-")).zip(bytes(path));
        let is_migrated = migrated.is_some_and(|(copy, name)| name.starts_with(&copy));
        (OWN.iter().any(is_own) || is_migrated) && real(path) == real(db)
    }

    /// Erases in a copy what is still to be erased, so that no deleted text is in it.
    fn erase_in(&self, draft: &Draft) -> Result<(), Error> {
        let copy = Connection::open(draft.path())?;
        copy.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN")?;
        erasing::all(&copy, || self.has_ended())?;
        copy.execute_batch("COMMIT")?;
        Ok(copy.close().map_err(|(_, e)| e)?)
    }

    /// The error that no file can be created in the folder of `path`. A service manager may let
    /// papod see and write much less than the operator who asks: to papod the folder may be
    /// read-only, or be replaced by an empty one that nobody may look into.
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

    /// A hint at a folder that always works.
    fn writable(&self) -> String {
        format!("; papod may write below {}", folder(self.lock.path()).display())
    }
}

/// Gives a draft its name, and the folder of its contents, if it has any, the name beside it. The
/// folder is first, so under its name there is always a database with all of its files.
///
/// # Errors
/// See [`BackupError`].
pub(super) fn name(
    draft: Draft,
    mut contents: Option<NewContents>,
    path: &Path,
) -> Result<u64, BackupError> {
    if let Some(contents) = &mut contents {
        contents.rename(files_beside(path))?;
    }
    let bytes = draft.name(path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists,
        _ => e.into(),
    })?;
    if let Some(contents) = contents {
        contents.keep();
    }
    Ok(bytes)
}

/// Copies what a connection sees to `path`, replacing an older copy there.
///
/// # Errors
/// SQLite's or the system's reason. An unfinished copy is removed.
pub(super) fn keep_copy(connection: &Connection, path: &Path) -> Result<(), Error> {
    let mut draft = Draft::beside(path).map_err(Error::new)?;
    copy_into(connection, &draft)?;
    draft.replace(path).map_err(Error::new)
}

fn copy_into(connection: &Connection, draft: &Draft) -> Result<(), Error> {
    let Some(name) = draft.path().to_str() else {
        return Err(Error::new("the name of the folder is not UTF-8"));
    };
    // SQLite fills an existing file if it is empty. Syncing is off, since the caller syncs the
    // whole file once. A name that begins with `file:` would be taken for a URI, but an absolute
    // one never does.
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
