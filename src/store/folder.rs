//! The contents of files, in a folder beside the database: each once, under its SHA-256. No name
//! that somebody typed is ever part of a path here. Which message has which content, the store
//! knows.
//!
//! An [`Upload`] is written under a temporary name. When it is complete it is synced and *placed*:
//! renamed to its hash, and the folder synced. Only then may an entry name it, so that no entry is
//! ever without its content, whenever papod is killed. A [`PlacedFile`] is held until that entry is
//! on disk. A content that nobody holds and no entry has is swept: see [`ContentFolder::sweep`]. That is
//! how uploads leave that were placed and came to nothing, and what was deleted.
//!
//! Everything here that touches the disk may take as long as the disk does, and is called on
//! threads that may wait. What hub and sessions do with it, drop what is placed, takes no longer
//! than a lock.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::{Cause, Error};
use crate::entry::{ContentHash, FileRef};
use crate::limits;

/// How the names of uploads begin.
const UPLOAD: &str = "upload-";

/// A folder of contents, which this process alone uses.
pub struct ContentFolder {
    path: PathBuf,
    /// Bytes that all contents and uploads together may have; 0: no limit.
    most: u64,
    /// Held while a content is placed, or looked at in order to be swept.
    placing: Mutex<Option<OpenFolder>>,
    uses: Mutex<FolderUses>,
    /// The number of the next upload.
    next: AtomicU64,
}

/// The folder itself, open and locked. It is created with the first upload.
struct OpenFolder {
    handle: File,
}

#[derive(Default)]
struct FolderUses {
    /// Of all contents and uploads.
    bytes: u64,
    uploads: usize,
    /// How often each content is held.
    held: HashMap<ContentHash, u32>,
    /// Contents that were held and that no entry took.
    untaken: Vec<ContentHash>,
    /// Backups and checks under way, during which nothing is swept.
    pins: usize,
}

/// What became of a content that was to be swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    Deleted,
    /// It is in use.
    Kept,
    /// It has to be looked at again: a backup is under way.
    Later,
}

/// Why an upload cannot go on. What was written of it is gone.
#[derive(Debug)]
pub enum UploadError {
    /// There are [`UPLOADS`](limits::UPLOADS) already.
    TooMany,
    /// The folder has as many bytes as it may have.
    Full,
    Failed(Error),
}

impl From<Error> for UploadError {
    fn from(e: Error) -> UploadError {
        UploadError::Failed(e)
    }
}

impl ContentFolder {
    /// The folder at `path`, for at most `most` bytes; 0: no limit. If it is there, uploads that
    /// were cut off are removed from it.
    ///
    /// # Errors
    /// One line that names the folder: it cannot be read, or another process has it.
    pub fn open(path: &Path, most: u64) -> Result<ContentFolder, Error> {
        let path = std::path::absolute(path).map_err(Error::new)?;
        let folder = ContentFolder {
            path,
            most,
            placing: Mutex::default(),
            uses: Mutex::default(),
            next: AtomicU64::new(1),
        };
        folder.look().map_err(|e| e.about(folder.path.display()))?;
        Ok(folder)
    }

    fn look(&self) -> Result<(), Error> {
        if self.path.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            return Ok(());
        }
        *self.placing() = Some(OpenFolder::lock(&self.path)?);
        for entry in fs::read_dir(&self.path).map_err(Error::new)? {
            let entry = entry.map_err(Error::new)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(UPLOAD) {
                fs::remove_file(entry.path()).map_err(Error::new)?;
            } else if ContentHash::parse(&name).is_some() {
                self.uses().bytes += entry.metadata().map_err(Error::new)?.len();
            }
        }
        Ok(())
    }

    fn placing(&self) -> MutexGuard<'_, Option<OpenFolder>> {
        self.placing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uses(&self) -> MutexGuard<'_, FolderUses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates the folder if it is not there, for its owner alone.
    fn create(&self) -> Result<(), Error> {
        let mut open = self.placing();
        if open.is_some() {
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
        let locked = OpenFolder::lock(&self.path).map_err(|e| e.about(self.path.display()))?;
        *open = Some(locked);
        Ok(())
    }

    /// Where a content is, if it is there.
    pub fn path_of(&self, content: ContentHash) -> PathBuf {
        self.path.join(content.to_string())
    }

    /// Opens a content; `None` if it is not there.
    ///
    /// # Errors
    /// The system's reason.
    pub fn read(&self, content: ContentHash) -> io::Result<Option<File>> {
        match File::open(self.path_of(content)) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Bytes of all contents and uploads.
    pub fn bytes(&self) -> u64 {
        self.uses().bytes
    }

    /// The hashes of all contents that are there.
    ///
    /// # Errors
    /// The system's reason.
    pub fn contents(&self) -> io::Result<Vec<ContentHash>> {
        let entries = match fs::read_dir(&self.path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            found.extend(ContentHash::parse(&entry?.file_name().to_string_lossy()));
        }
        Ok(found)
    }

    /// Takes the contents that were held and that no entry took.
    pub fn take_untaken(&self) -> Vec<ContentHash> {
        std::mem::take(&mut self.uses().untaken)
    }

    /// Deletes a content if nobody holds it and, as `is_used` finds out, no entry has it.
    ///
    /// # Errors
    /// Those of `is_used`, or the system's reason.
    pub fn sweep(
        &self,
        content: ContentHash,
        is_used: impl FnOnce() -> Result<bool, Error>,
    ) -> Result<Swept, Error> {
        // What is placed from here on waits, so a content that is not held now gets no entry before
        // this is done.
        let _placing = self.placing();
        {
            let uses = self.uses();
            if uses.pins > 0 {
                return Ok(Swept::Later);
            }
            // It is noted again if no entry takes it.
            if uses.held.contains_key(&content) {
                return Ok(Swept::Kept);
            }
        }
        if is_used()? {
            return Ok(Swept::Kept);
        }
        let path = self.path_of(content);
        let bytes = match path.symlink_metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Swept::Deleted),
            meta => meta.map_err(Error::new)?.len(),
        };
        fs::remove_file(&path).map_err(|e| Error::new(e).about(path.display()))?;
        let mut uses = self.uses();
        uses.bytes = uses.bytes.saturating_sub(bytes);
        Ok(Swept::Deleted)
    }

    /// Keeps all contents where they are until the pin is dropped.
    pub fn pin(&self) -> FolderPin<'_> {
        // One that is being swept has been looked up before: what the caller reads from now on does
        // not name it.
        let _placing = self.placing();
        self.uses().pins += 1;
        FolderPin { folder: self }
    }

    /// Counts `more` bytes, if there is room for them.
    fn grow(&self, more: u64) -> Result<(), UploadError> {
        let mut uses = self.uses();
        let bytes = uses.bytes.saturating_add(more);
        if self.most > 0 && bytes > self.most {
            return Err(UploadError::Full);
        }
        uses.bytes = bytes;
        Ok(())
    }
}

impl fmt::Debug for ContentFolder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

impl OpenFolder {
    fn lock(path: &Path) -> Result<OpenFolder, Error> {
        let handle = File::open(path).map_err(Error::new)?;
        if !handle.metadata().map_err(Error::new)?.is_dir() {
            return Err(Error::new("not a folder"));
        }
        match handle.try_lock() {
            Ok(()) => Ok(OpenFolder { handle }),
            Err(fs::TryLockError::WouldBlock) => {
                Err(Error::of(Cause::Busy, "in use by another papod"))
            }
            Err(fs::TryLockError::Error(e)) => Err(Error::new(e)),
        }
    }
}

/// While it is there, no content is swept.
pub struct FolderPin<'a> {
    folder: &'a ContentFolder,
}

impl Drop for FolderPin<'_> {
    fn drop(&mut self) {
        self.folder.uses().pins -= 1;
    }
}

/// A content that is being written. If it is dropped, it is gone.
pub struct Upload {
    folder: Arc<ContentFolder>,
    file: File,
    path: PathBuf,
    hash: Sha256,
    bytes: u64,
    /// The last of these bytes, which are not in the file yet.
    rest: Vec<u8>,
    is_placed: bool,
}

impl Upload {
    /// Begins one.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub fn begin(folder: &Arc<ContentFolder>) -> Result<Upload, UploadError> {
        folder.create()?;
        {
            let mut uses = folder.uses();
            if uses.uploads >= limits::UPLOADS {
                return Err(UploadError::TooMany);
            }
            uses.uploads += 1;
        }
        let number = folder.next.fetch_add(1, Ordering::Relaxed);
        let path = folder.path.join(format!("{UPLOAD}{number}"));
        let mut open = OpenOptions::new();
        match open.write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => Ok(Upload {
                folder: folder.clone(),
                file,
                path,
                hash: Sha256::new(),
                bytes: 0,
                rest: Vec::new(),
                is_placed: false,
            }),
            Err(e) => {
                folder.uses().uploads -= 1;
                Err(Error::new(e).about(path.display()).into())
            }
        }
    }

    /// Begins one with the content of a placed file.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub fn again(placed: &PlacedFile) -> Result<Upload, UploadError> {
        let mut upload = Upload::begin(&placed.folder)?;
        let path = placed.folder.path_of(placed.file.hash);
        let io = |e: io::Error| Error::new(e).about(path.display());
        let mut from = File::open(&path).map_err(io)?;
        let mut part = vec![0; limits::FILE_ROW];
        loop {
            match from.read(&mut part).map_err(io)? {
                0 => return Ok(upload),
                n => upload.add(&part[..n])?,
            }
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether so many bytes can be added without the disk: short parts are written together.
    pub fn has_room(&self, more: usize) -> bool {
        self.rest.len() + more <= limits::FILE_ROW
    }

    /// Adds bytes at the end. Touches the disk unless there is [room](Upload::has_room) for them.
    ///
    /// # Errors
    /// See [`UploadError`]. It is to be dropped then.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        let more = bytes.len() as u64;
        self.folder.grow(more)?;
        self.bytes += more;
        if !self.has_room(bytes.len()) {
            self.write_rest()?;
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn write_rest(&mut self) -> Result<(), Error> {
        self.hash.update(&self.rest);
        let written = self.file.write_all(&self.rest);
        self.rest.clear();
        written.map_err(|e| Error::new(e).about(self.path.display()))
    }

    /// Puts it in its place. It is on disk there when this returns.
    ///
    /// # Errors
    /// The system's reason; then it is gone.
    pub fn place(mut self) -> Result<Arc<PlacedFile>, Error> {
        self.write_rest()?;
        let here = |e: io::Error| Error::new(e).about(self.path.display());
        self.file.sync_all().map_err(here)?;
        let hash = ContentHash(self.hash.clone().finalize().into());
        let path = self.folder.path_of(hash);
        let placing = self.folder.placing();
        // If it is there already, it is replaced by itself.
        let before = path.symlink_metadata().map_or(0, |meta| meta.len());
        fs::rename(&self.path, &path).map_err(here)?;
        self.is_placed = true;
        {
            let mut uses = self.folder.uses();
            uses.bytes = uses.bytes.saturating_sub(before);
            *uses.held.entry(hash).or_default() += 1;
        }
        let file = FileRef { hash, bytes: self.bytes };
        let (folder, is_taken) = (self.folder.clone(), AtomicBool::new(false));
        let placed = Arc::new(PlacedFile { folder, file, is_taken });
        let handle = placing.as_ref().map(|open| open.handle.try_clone());
        drop(placing);
        let synced = handle.map_or(Ok(()), |handle| handle.and_then(|handle| handle.sync_all()));
        synced.map_err(|e| Error::new(e).about(self.folder.path.display()))?;
        Ok(placed)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let gone = if self.is_placed { Ok(()) } else { fs::remove_file(&self.path) };
        let mut uses = self.folder.uses();
        uses.uploads -= 1;
        match gone {
            Ok(()) if self.is_placed => {}
            Ok(()) => uses.bytes = uses.bytes.saturating_sub(self.bytes),
            Err(e) => {
                drop(uses);
                log::warn!("{}: cannot remove this upload: {e}", self.path.display());
            }
        }
    }
}

/// A content in its place. It stays there for as long as this is held, and then if an entry has it.
#[derive(Debug)]
pub struct PlacedFile {
    folder: Arc<ContentFolder>,
    file: FileRef,
    is_taken: AtomicBool,
}

impl PlacedFile {
    pub fn file(&self) -> FileRef {
        self.file
    }

    /// Notes that what it was placed for is done: an entry has it, or one had it before.
    pub fn take(&self) {
        self.is_taken.store(true, Ordering::Release);
    }

    pub fn is_taken(&self) -> bool {
        self.is_taken.load(Ordering::Acquire)
    }
}

impl Drop for PlacedFile {
    fn drop(&mut self) {
        let hash = self.file.hash;
        let mut uses = self.folder.uses();
        if let Some(count) = uses.held.get_mut(&hash) {
            *count -= 1;
            if *count == 0 {
                uses.held.remove(&hash);
            }
        }
        if !self.is_taken() {
            uses.untaken.push(hash);
        }
    }
}
