//! A file that is being written and has not got its name yet, so that under that name there is
//! always a whole one. Whoever writes it holds its lock; one that nobody holds was left by a
//! process that was killed, and is removed by the next one that writes into that folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{folder, private};

/// Drafts in one folder at a time.
const DRAFTS: u32 = 100;

/// A draft. It is removed when it is dropped without having got a name.
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    is_named: bool,
}

impl Draft {
    /// Makes an empty one in the folder of `path`, which only its owner may read.
    ///
    /// # Errors
    /// The system's reason.
    pub(super) fn beside(path: &Path) -> io::Result<Draft> {
        let mut open = private();
        open.read(true).write(true);
        for n in 1..=DRAFTS {
            let path = folder(path).join(format!("papo-draft-{n}"));
            sweep(&path)?;
            match open.create_new(true).open(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                file => {
                    let draft = Draft { path, file: file?, is_named: false };
                    draft.file.try_lock()?;
                    return Ok(draft);
                }
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "too many drafts are there: papo-draft-…"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Syncs it and gives it its name, which nothing has yet; returns its size in bytes. It is on
    /// disk with its name then.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], or the system's reason.
    pub(super) fn name(mut self, path: &Path) -> io::Result<u64> {
        self.file.sync_all()?;
        match fs::hard_link(&self.path, path) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(e),
            // A file system without links. The name is taken first, so nothing is written over.
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
        // Its name as a draft goes.
        drop(self);
        folder.sync_all()?;
        Ok(size)
    }

    /// Syncs it and gives it a name in place of the file that has it, if there is one.
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

/// Removes a draft of ours that nobody writes any more. No link is followed, and what belongs to
/// somebody else is left alone.
fn sweep(path: &Path) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let Ok(file) = fs::OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return Ok(());
    };
    let meta = file.metadata()?;
    let is_ours = meta.uid() == rustix::process::geteuid().as_raw() && meta.is_file();
    if is_ours && file.try_lock().is_ok() {
        fs::remove_file(path)?;
    }
    Ok(())
}
