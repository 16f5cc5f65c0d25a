//! A copy of the database while it is in use: whole, on disk, and never over something that is
//! there. SQLite's `VACUUM INTO` makes it, on a connection of its own: it sees what was confirmed
//! before it began, and holds nobody up. While it reads, the write-ahead log cannot be written back
//! past that moment, so it grows by what is said meanwhile.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use super::{Upkeep, beside, folder, private};
use crate::store::{BackupError, Error};

impl Upkeep {
    /// Copies the database to `path`, a new file that only its owner may read. It holds everything
    /// that was confirmed before, and is on disk with its name when this returns. Gives back its
    /// size in bytes. It may be called from any thread, and takes as long as reading and writing
    /// the whole database does.
    ///
    /// # Errors
    /// See [`BackupError`]. A file that was begun is removed again.
    pub(super) fn copy(&self, path: &Path) -> Result<u64, BackupError> {
        // SQLite takes a name that begins with `file:` for a URI; an absolute one never does.
        let path = std::path::absolute(path)?;
        let Some(name) = path.to_str() else {
            return Err(BackupError::Failed(Error::new("the name is not UTF-8")));
        };
        // SQLite would take what stands under these names for a part of the new file, and undo it.
        if ["-journal", "-wal"]
            .iter()
            .any(|ending| beside(&path, ending).symlink_metadata().is_ok())
        {
            return Err(BackupError::Exists);
        }
        // The name is taken before anything is written, so nothing is ever written over, and no
        // link is followed. SQLite fills an empty file that is there.
        let file = match private().create_new(true).write(true).open(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(BackupError::Exists),
            opened => opened?,
        };
        self.copy_into(name, &path, &file).inspect_err(|_| {
            for half in [path.clone(), beside(&path, "-journal")] {
                match fs::remove_file(&half) {
                    Err(e) if e.kind() != ErrorKind::NotFound => {
                        log::warn!("half a backup stays, {}: {e}", half.display());
                    }
                    _ => {}
                }
            }
        })
    }

    fn copy_into(&self, name: &str, path: &Path, file: &File) -> Result<u64, BackupError> {
        let failed = |e: rusqlite::Error| BackupError::Failed(e.into());
        let connection = self.reader().map_err(BackupError::Failed)?;
        // What counts is synced below, once, when all of it is written.
        connection.execute_batch("PRAGMA synchronous = OFF").map_err(failed)?;
        connection.execute("VACUUM INTO ?1", [name]).map_err(failed)?;
        file.sync_all()?;
        File::open(folder(path))?.sync_all()?;
        Ok(file.metadata()?.len())
    }
}
