//! A file that is written under a temporary name, so that under its own name there is always a
//! complete one. Its writer holds a lock on it. A draft that is not locked was left by a process
//! that was killed, and is removed by the next one that writes a draft in that folder.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::files::files_beside;
use super::{folder, private};

/// Drafts in one folder at a time.
const DRAFTS: u32 = 100;

/// The beginning of their names; a number follows.
const NAME: &str = "papo-draft-";

/// A draft. It is removed if it is dropped before it got its name.
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    is_named: bool,
}

impl Draft {
    /// Creates an empty one in the folder of `path`, which only its owner may read.
    ///
    /// # Errors
    /// The system's reason.
    pub(super) fn beside(path: &Path) -> io::Result<Draft> {
        let mut open = private();
        open.read(true).write(true);
        for n in 1..=DRAFTS {
            let path = folder(path).join(format!("{NAME}{n}"));
            sweep(&path)?;
            let file = match open.create_new(true).open(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            match file.try_lock() {
                Ok(()) if is_at(&file, &path)? => {
                    return Ok(Draft { path, file, is_named: false });
                }
                // Another process found it without a lock, and removes it.
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "there are too many drafts: papo-draft-…"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where the contents of the files that it names are put until it has its name.
    pub(super) fn contents(&self) -> PathBuf {
        files_beside(&self.path)
    }

    /// Syncs it and gives it its name, which must be free. When this returns, the file is on disk
    /// under that name. Returns its size in bytes.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], or the system's reason.
    pub(super) fn name(mut self, path: &Path) -> io::Result<u64> {
        self.file.sync_all()?;
        match fs::hard_link(&self.path, path) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(e),
            // A file system without hard links. The name is reserved first, so nothing is
            // overwritten.
            Err(_) => {
                private().write(true).create_new(true).open(path)?;
                if let Err(e) = fs::rename(&self.path, path) {
                    fs::remove_file(path)?;
                    return Err(e);
                }
                self.is_named = true;
            }
        }
        let size = self.file.metadata()?.len();
        let folder = File::open(folder(path))?;
        // This removes its temporary name.
        drop(self);
        folder.sync_all()?;
        Ok(size)
    }

    /// Syncs it and gives it its name, in place of any file that has it.
    ///
    /// # Errors
    /// The system's reason.
    pub(super) fn replace(&mut self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.is_named = true;
        File::open(folder(path))?.sync_all()
    }
}

/// Whether a file has a draft's name.
pub(super) fn is_draft(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(NAME))
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.is_named {
            return;
        }
        if let Err(e) = fs::remove_file(&self.path) {
            log::warn!("{}: cannot remove this draft: {e}", self.path.display());
        }
    }
}

/// Whether a file still has this name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let id = |meta: &Metadata| (meta.dev(), meta.ino());
    match path.symlink_metadata() {
        Ok(named) => Ok(id(&named) == id(&file.metadata()?)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes a draft of ours that nobody writes any more, and its contents. It follows no link, and
/// leaves files of other users alone.
fn sweep(path: &Path) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let Ok(file) = fs::OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return Ok(());
    };
    let is_ours = |meta: &Metadata| meta.uid() == rustix::process::geteuid().as_raw();
    let meta = file.metadata()?;
    // It may have been removed since it was opened, and another have its name.
    if is_ours(&meta) && meta.is_file() && file.try_lock().is_ok() && is_at(&file, path)? {
        let contents = files_beside(path);
        if contents.symlink_metadata().is_ok_and(|meta| is_ours(&meta) && meta.is_dir()) {
            fs::remove_dir_all(contents)?;
        }
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use super::*;

    /// Whoever begins one while others end theirs, or are about to lock them.
    #[test]
    fn drafts_of_many_at_once_are_each_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        thread::scope(|scope| {
            for who in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..300 {
                        let draft = Draft::beside(path).unwrap();
                        let said = format!("{who} {n}");
                        draft.file().write_all(said.as_bytes()).unwrap();
                        thread::yield_now();
                        assert_eq!(fs::read_to_string(draft.path()).unwrap(), said);
                    }
                });
            }
        });
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
