//! The contents of files: who writes and reads them, how many bytes they have, and which may go. Where
//! they are is a [`ContentStore`]'s business: a folder beside a SQLite database, or tables of
//! PostgreSQL.
//!
//! A content is found by the SHA-256 of its bytes, so what was sent twice is kept once, and no name
//! from outside is ever part of a path. It is written as an *upload*, and is *placed* when it is
//! complete: on disk, under its hash. From then on it is held until an entry has it. What is not held
//! and has no entry is swept: contents that were placed and came to nothing, and what was deleted.
//!
//! Everything here that touches the disk may take as long as the disk does, and is called on threads
//! that may wait. What hub and sessions do with it, drop what is placed, takes no longer than a lock.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::Error;
use crate::entry::{ContentHash, FileRef};
use crate::limits;

/// Where contents are kept.
pub trait ContentStore: fmt::Debug + Send + Sync {
    /// Begins to write a content.
    ///
    /// # Errors
    /// The system's reason.
    fn begin(&self) -> Result<Box<dyn ContentWriter>, Error>;
    /// Opens a content; `None` if it is not there.
    ///
    /// # Errors
    /// The system's reason.
    fn open(&self, content: ContentHash) -> Result<Option<Box<dyn ContentReader>>, Error>;
    /// The hashes of all contents that are there.
    ///
    /// # Errors
    /// The system's reason.
    fn all(&self) -> Result<Vec<ContentHash>, Error>;
    /// Deletes a content. Returns how many bytes it had; 0 if it was not there.
    ///
    /// # Errors
    /// The system's reason.
    fn delete(&self, content: ContentHash) -> Result<u64, Error>;
    /// Has the names of what was placed on disk when it returns.
    ///
    /// # Errors
    /// The system's reason.
    fn sync(&self) -> Result<(), Error>;
}

/// A content that is being written. If it is dropped before it was placed, it is gone.
pub trait ContentWriter: Send + Sync {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// The system's reason. It is to be dropped then.
    fn add(&mut self, bytes: &[u8]) -> Result<(), Error>;
    /// All bytes were added. They are on disk when this returns.
    ///
    /// # Errors
    /// The system's reason.
    fn finish(&mut self) -> Result<(), Error>;
    /// Gives it its hash. If there is one already, one of the two goes; returns how many bytes that
    /// has, else 0. Only one content is placed at a time.
    ///
    /// # Errors
    /// The system's reason.
    fn place(&mut self, file: FileRef) -> Result<u64, Error>;
}

/// A content that is being read. Reads may fail once it is deleted.
pub trait ContentReader: Send + Sync {
    /// Reads the bytes from `at` on that fill `bytes`.
    ///
    /// # Errors
    /// The system's reason, or that it ends before that.
    fn read_at(&mut self, bytes: &mut [u8], at: u64) -> Result<(), Error>;
}

/// All contents of a store, which this process alone uses.
pub struct Contents {
    store: Box<dyn ContentStore>,
    /// Bytes that all contents and uploads together may have; 0: no limit.
    most: u64,
    /// Held while a content is placed, or looked at in order to be swept.
    placing: Mutex<()>,
    uses: Mutex<ContentUses>,
}

#[derive(Default)]
struct ContentUses {
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
    /// The store has as many bytes as it may have.
    Full,
    Failed(Error),
}

impl From<Error> for UploadError {
    fn from(e: Error) -> UploadError {
        UploadError::Failed(e)
    }
}

impl Contents {
    /// The contents in `store`, which have `bytes` bytes by now, and may have at most `most`; 0: no
    /// limit.
    pub fn new(store: Box<dyn ContentStore>, bytes: u64, most: u64) -> Contents {
        let uses = Mutex::new(ContentUses { bytes, ..ContentUses::default() });
        Contents { store, most, placing: Mutex::default(), uses }
    }

    fn placing(&self) -> MutexGuard<'_, ()> {
        self.placing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uses(&self) -> MutexGuard<'_, ContentUses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a content; `None` if it is not there.
    ///
    /// # Errors
    /// The system's reason.
    pub fn open(&self, content: ContentHash) -> Result<Option<Box<dyn ContentReader>>, Error> {
        self.store.open(content)
    }

    /// Bytes of all contents and uploads.
    pub fn bytes(&self) -> u64 {
        self.uses().bytes
    }

    /// The hashes of all contents that are there.
    ///
    /// # Errors
    /// The system's reason.
    pub fn all(&self) -> Result<Vec<ContentHash>, Error> {
        self.store.all()
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
        let bytes = self.store.delete(content)?;
        let mut uses = self.uses();
        uses.bytes = uses.bytes.saturating_sub(bytes);
        Ok(Swept::Deleted)
    }

    /// Keeps all contents where they are until the pin is dropped.
    pub fn pin(&self) -> ContentPin<'_> {
        // One that is being swept has been looked up before: what the caller reads from now on does
        // not name it.
        let _placing = self.placing();
        self.uses().pins += 1;
        ContentPin { contents: self }
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

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.store.fmt(f)
    }
}

/// While it is there, no content is swept.
pub struct ContentPin<'a> {
    contents: &'a Contents,
}

impl Drop for ContentPin<'_> {
    fn drop(&mut self) {
        self.contents.uses().pins -= 1;
    }
}

/// A content that is being sent. If it is dropped, it is gone.
pub struct Upload {
    contents: Arc<Contents>,
    writer: Box<dyn ContentWriter>,
    hash: Sha256,
    bytes: u64,
    /// The last of these bytes, which were not given to the writer yet.
    rest: Vec<u8>,
    is_placed: bool,
}

impl Upload {
    /// Begins one.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub fn begin(contents: &Arc<Contents>) -> Result<Upload, UploadError> {
        {
            let mut uses = contents.uses();
            if uses.uploads >= limits::UPLOADS {
                return Err(UploadError::TooMany);
            }
            uses.uploads += 1;
        }
        match contents.store.begin() {
            Ok(writer) => Ok(Upload {
                contents: contents.clone(),
                writer,
                hash: Sha256::new(),
                bytes: 0,
                rest: Vec::new(),
                is_placed: false,
            }),
            Err(e) => {
                contents.uses().uploads -= 1;
                Err(e.into())
            }
        }
    }

    /// Begins one with the content of a placed file.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub fn again(placed: &PlacedFile) -> Result<Upload, UploadError> {
        let mut upload = Upload::begin(&placed.contents)?;
        let FileRef { hash, bytes } = placed.file;
        let from = placed.contents.open(hash)?;
        let mut from = from.ok_or_else(|| Error::new("a file that was placed is gone"))?;
        let mut part = vec![0; limits::FILE_ROW];
        let mut at = 0;
        while at < bytes {
            let length = part.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
            from.read_at(&mut part[..length], at)?;
            upload.add(&part[..length])?;
            at += length as u64;
        }
        Ok(upload)
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
        self.contents.grow(more)?;
        self.bytes += more;
        if !self.has_room(bytes.len()) {
            self.write_rest()?;
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn write_rest(&mut self) -> Result<(), Error> {
        self.hash.update(&self.rest);
        let written = self.writer.add(&self.rest);
        self.rest.clear();
        written
    }

    /// Puts it in its place. It is on disk there when this returns.
    ///
    /// # Errors
    /// The system's reason; then it is gone.
    pub fn place(mut self) -> Result<Arc<PlacedFile>, Error> {
        self.write_rest()?;
        self.writer.finish()?;
        let hash = ContentHash(self.hash.clone().finalize().into());
        let file = FileRef { hash, bytes: self.bytes };
        let contents = self.contents.clone();
        {
            let _placing = contents.placing();
            let before = self.writer.place(file);
            let mut uses = contents.uses();
            // It may be there all the same.
            let before = before.inspect_err(|_| uses.untaken.push(hash))?;
            self.is_placed = true;
            uses.bytes = uses.bytes.saturating_sub(before);
            *uses.held.entry(hash).or_default() += 1;
        }
        let is_taken = AtomicBool::new(false);
        let placed = Arc::new(PlacedFile { contents: contents.clone(), file, is_taken });
        contents.store.sync()?;
        Ok(placed)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut uses = self.contents.uses();
        uses.uploads -= 1;
        if !self.is_placed {
            uses.bytes = uses.bytes.saturating_sub(self.bytes);
        }
    }
}

/// A content in its place. It stays there for as long as this is held, and then if an entry has it.
#[derive(Debug)]
pub struct PlacedFile {
    contents: Arc<Contents>,
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
        let mut uses = self.contents.uses();
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
