//! A folder beside a SQLite database, in which the contents of files are: each is a file under its
//! hash. One that is being written is there as an `upload-`, which becomes the content by being
//! renamed.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::contents::{ContentReader, ContentStore, ContentWriter, Contents};
use super::{Cause, Error};
use crate::entry::{ContentHash, FileRef};

/// How the names of uploads begin.
const UPLOAD: &str = "upload-";

/// The folder.
struct ContentFolder {
    path: PathBuf,
    /// The folder itself, open and locked. It is created with the first upload.
    handle: Mutex<Option<File>>,
    /// The number of the next upload.
    next: AtomicU64,
}

/// The contents in the folder at `path`, at most `most` bytes; 0: no limit. If it is there, uploads
/// that were cut off are removed from it.
///
/// # Errors
/// One line that names the folder: it cannot be read, or another process has it.
pub fn open(path: &Path, most: u64) -> Result<Contents, Error> {
    let path = std::path::absolute(path).map_err(Error::new)?;
    let folder = ContentFolder { path, handle: Mutex::default(), next: AtomicU64::new(1) };
    let bytes = folder.look().map_err(|e| e.about(folder.path.display()))?;
    Ok(Contents::new(Box::new(folder), bytes, most))
}

impl ContentFolder {
    /// Locks the folder, if it is there. Returns the bytes of all contents.
    fn look(&self) -> Result<u64, Error> {
        if self.path.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            return Ok(0);
        }
        *self.handle() = Some(lock(&self.path)?);
        let mut bytes = 0;
        for entry in fs::read_dir(&self.path).map_err(Error::new)? {
            let entry = entry.map_err(Error::new)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(UPLOAD) {
                fs::remove_file(entry.path()).map_err(Error::new)?;
            } else if ContentHash::parse(&name).is_some() {
                bytes += entry.metadata().map_err(Error::new)?.len();
            }
        }
        Ok(bytes)
    }

    fn handle(&self) -> MutexGuard<'_, Option<File>> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates the folder if it is not there, for its owner alone.
    fn create(&self) -> Result<(), Error> {
        let mut handle = self.handle();
        if handle.is_some() {
            return Ok(());
        }
        let here = |e: io::Error| Error::new(e).about(self.path.display());
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(here(e)),
            _ => {}
        }
        if let Some(above) = self.path.parent() {
            File::open(above).and_then(|above| above.sync_all()).map_err(here)?;
        }
        *handle = Some(lock(&self.path).map_err(|e| e.about(self.path.display()))?);
        Ok(())
    }

    fn path_of(&self, content: ContentHash) -> PathBuf {
        self.path.join(content.to_string())
    }
}

/// Locks the folder, for as long as what is returned is open.
///
/// # Errors
/// It cannot be opened, or a papod has it.
pub(super) fn lock(path: &Path) -> Result<File, Error> {
    let handle = File::open(path).map_err(Error::new)?;
    if !handle.metadata().map_err(Error::new)?.is_dir() {
        return Err(Error::new("not a folder"));
    }
    match handle.try_lock() {
        Ok(()) => Ok(handle),
        Err(fs::TryLockError::WouldBlock) => Err(Error::of(Cause::Busy, "in use by another papod")),
        Err(fs::TryLockError::Error(e)) => Err(Error::new(e)),
    }
}

impl ContentStore for ContentFolder {
    fn begin(&self) -> Result<Box<dyn ContentWriter>, Error> {
        self.create()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{UPLOAD}{number}"));
        let mut open = OpenOptions::new();
        match open.write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => Ok(Box::new(NewContent { file, path, is_placed: false })),
            Err(e) => Err(Error::new(e).about(path.display())),
        }
    }

    fn open(&self, content: ContentHash) -> Result<Option<Box<dyn ContentReader>>, Error> {
        match File::open(self.path_of(content)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::new(e)),
        }
    }

    fn all(&self) -> Result<Vec<ContentHash>, Error> {
        let entries = match fs::read_dir(&self.path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::new)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::new)?.file_name();
            found.extend(ContentHash::parse(&name.to_string_lossy()));
        }
        Ok(found)
    }

    fn delete(&self, content: ContentHash) -> Result<Option<u64>, Error> {
        let path = self.path_of(content);
        let bytes = match path.symlink_metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            meta => meta.map_err(Error::new)?.len(),
        };
        fs::remove_file(&path).map_err(|e| Error::new(e).about(path.display()))?;
        Ok(Some(bytes))
    }

    fn sync(&self) -> Result<(), Error> {
        let handle = self.handle().as_ref().map(File::try_clone);
        let synced = handle.map_or(Ok(()), |handle| handle.and_then(|handle| handle.sync_all()));
        synced.map_err(|e| Error::new(e).about(self.path.display()))
    }
}

impl fmt::Debug for ContentFolder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// A file that becomes a content.
struct NewContent {
    file: File,
    path: PathBuf,
    is_placed: bool,
}

impl NewContent {
    fn here(&self, e: io::Error) -> Error {
        Error::new(e).about(self.path.display())
    }
}

impl ContentWriter for NewContent {
    fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|e| self.here(e))
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(|e| self.here(e))
    }

    fn place(&mut self, file: FileRef) -> Result<u64, Error> {
        let path = self.path.with_file_name(file.hash.to_string());
        // If it is there already, it is replaced by itself.
        let before = path.symlink_metadata().map_or(0, |meta| meta.len());
        fs::rename(&self.path, &path).map_err(|e| self.here(e))?;
        self.is_placed = true;
        Ok(before)
    }
}

impl Drop for NewContent {
    fn drop(&mut self) {
        if !self.is_placed
            && let Err(e) = fs::remove_file(&self.path)
        {
            log::warn!("{}: cannot remove this upload: {e}", self.path.display());
        }
    }
}

impl ContentReader for File {
    fn read_at(&mut self, bytes: &mut [u8], at: u64) -> Result<(), Error> {
        self.read_exact_at(bytes, at).map_err(Error::new)
    }
}
