//! The contents of files: who writes and reads them, how many bytes they have, and which may go. Where
//! they are is a [`ContentStore`]'s business: a folder beside a SQLite database, or tables of
//! PostgreSQL.
//!
//! A content is found by the SHA-256 of its bytes, so what was sent twice is kept once, and no name
//! from outside is ever part of a path. It is written as an *upload*, and is *placed* when it is
//! complete: on disk, under its hash. From then on it is held until an entry has it. What is not held
//! and has no entry is swept: contents that were placed and came to nothing, and what was deleted.
//!
//! Where several processes share the store, each upload has a number there, which holds what was
//! placed for all of them, and the bytes of all are counted in the store.
//!
//! Everything here that touches the disk may take as long as the disk does, and is called on threads
//! that may wait. What hub and sessions do with it, drop what is placed, takes no longer than a lock.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Error;
use crate::entry::{ContentHash, FileRef};

/// Names an upload, and then what holds its content, in a store that several processes share.
pub type UploadNumber = i64;

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
    /// Deletes a content. Returns how many bytes it had; `None` if it was not there, or if another
    /// process holds it.
    ///
    /// # Errors
    /// The system's reason.
    fn delete(&self, content: ContentHash) -> Result<Option<u64>, Error>;
    /// Has the names of what was placed on disk when it returns.
    ///
    /// # Errors
    /// The system's reason.
    fn sync(&self) -> Result<(), Error>;
    /// The bytes of all contents and uploads, as this process last heard. `None`: no other process
    /// uses the store.
    fn shared_bytes(&self) -> Option<u64> {
        None
    }
    /// Holds a content once more. Returns whether it is still there.
    ///
    /// # Errors
    /// The system's reason.
    fn hold(&self, _upload: UploadNumber, _content: ContentHash) -> Result<bool, Error> {
        Ok(true)
    }
    /// Ends these uploads. Returns contents that they held, and that neither another upload nor an
    /// entry has.
    ///
    /// # Errors
    /// The system's reason.
    fn release(&self, _uploads: &[UploadNumber]) -> Result<Vec<ContentHash>, Error> {
        Ok(Vec::new())
    }
    /// Says that these uploads go on: what is not said to for an hour has ended. Returns contents as
    /// [`ContentStore::release`] does, of uploads that have ended like that, if `others` of other
    /// processes are looked for as well.
    ///
    /// # Errors
    /// The system's reason.
    fn renew(&self, _uploads: &[UploadNumber], _others: bool) -> Result<Vec<ContentHash>, Error> {
        Ok(Vec::new())
    }
}

/// A content that is being written. If it is dropped before it was placed, it is gone.
pub trait ContentWriter: Send + Sync {
    /// Its number, in a store that several processes share.
    fn number(&self) -> Option<UploadNumber> {
        None
    }
    /// Takes `bytes` bytes in all from what all contents and uploads of a shared store may have.
    /// `false` if they would have more than `most`.
    ///
    /// # Errors
    /// The system's reason.
    fn reserve(&mut self, _bytes: u64, _most: u64) -> Result<bool, Error> {
        Ok(true)
    }
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

/// All contents of a store.
pub struct Contents {
    pub(super) store: Box<dyn ContentStore>,
    /// Bytes that all contents and uploads together may have; 0: no limit.
    pub(super) most: u64,
    /// Held while a content is placed, or looked at in order to be swept.
    placing: Mutex<()>,
    uses: Mutex<ContentUses>,
}

#[derive(Default)]
pub(super) struct ContentUses {
    /// Of all contents and uploads, if no other process uses the store.
    pub(super) bytes: u64,
    pub(super) uploads: usize,
    /// How often each content is held.
    pub(super) held: HashMap<ContentHash, u32>,
    /// Contents that were held and are not any more, each to be looked at once: an entry has most.
    pub(super) released: Vec<ContentHash>,
    /// Uploads in a shared store that go on, or hold something.
    pub(super) live: HashSet<UploadNumber>,
    /// Those that have ended since the store was told.
    pub(super) ended: Vec<UploadNumber>,
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
    /// There are [`UPLOADS`](crate::limits::UPLOADS) already.
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

    pub(super) fn placing(&self) -> MutexGuard<'_, ()> {
        self.placing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn uses(&self) -> MutexGuard<'_, ContentUses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a content; `None` if it is not there.
    ///
    /// # Errors
    /// The system's reason.
    pub fn open(&self, content: ContentHash) -> Result<Option<Box<dyn ContentReader>>, Error> {
        self.store.open(content)
    }

    /// Bytes of all contents and uploads; where several processes share the store, as of a moment
    /// ago.
    pub fn bytes(&self) -> u64 {
        self.store.shared_bytes().unwrap_or_else(|| self.uses().bytes)
    }

    /// Tells the processes that share the store, if there are any, which uploads of this one go on
    /// and which have ended. With `others`, what ended processes have left is removed.
    ///
    /// # Errors
    /// The system's reason.
    pub fn renew(&self, others: bool) -> Result<(), Error> {
        let (live, ended) = {
            let mut uses = self.uses();
            (uses.live.iter().copied().collect::<Vec<_>>(), std::mem::take(&mut uses.ended))
        };
        let released = match self.store.release(&ended) {
            Ok(released) => released,
            Err(e) => {
                self.uses().ended.extend(ended);
                return Err(e);
            }
        };
        self.doubt(released);
        self.doubt(self.store.renew(&live, others)?);
        Ok(())
    }

    fn doubt(&self, contents: Vec<ContentHash>) {
        let released = &mut self.uses().released;
        for content in contents {
            if !released.contains(&content) {
                released.push(content);
            }
        }
    }

    /// The hashes of all contents that are there.
    ///
    /// # Errors
    /// The system's reason.
    pub fn all(&self) -> Result<Vec<ContentHash>, Error> {
        self.store.all()
    }

    /// Takes the contents that were held and are not any more.
    pub fn take_released(&self) -> Vec<ContentHash> {
        std::mem::take(&mut self.uses().released)
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
            // It is noted again when it is not held any more.
            if uses.held.contains_key(&content) {
                return Ok(Swept::Kept);
            }
        }
        if is_used()? {
            return Ok(Swept::Kept);
        }
        let Some(bytes) = self.store.delete(content)? else { return Ok(Swept::Kept) };
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
    pub(super) fn grow(&self, more: u64) -> Result<(), UploadError> {
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
