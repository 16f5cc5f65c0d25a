//! Uploads: contents that are being written, until they are placed.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::contents::{ContentWriter, Contents, UploadError};
use super::placed::PlacedFile;
use super::{Cause, Error};
use crate::entry::{ContentHash, FileRef};
use crate::limits;

/// A content that is being sent. If it is dropped, it is gone.
pub struct Upload {
    contents: Arc<Contents>,
    writer: Box<dyn ContentWriter>,
    hash: Sha256,
    bytes: u64,
    /// How many it may have, as the processes that share the store know.
    reserved: u64,
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
            Ok(writer) => {
                contents.uses().live.extend(writer.number());
                let is_counted = contents.store.shared_bytes().is_some() && contents.most > 0;
                Ok(Upload {
                    contents: contents.clone(),
                    writer,
                    hash: Sha256::new(),
                    bytes: 0,
                    reserved: if is_counted { 0 } else { u64::MAX },
                    rest: Vec::new(),
                    is_placed: false,
                })
            }
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
        let Some(contents) = placed.contents() else {
            return Err(Error::of(Cause::Bug, "another node has it").into());
        };
        let mut upload = Upload::begin(contents)?;
        let FileRef { hash, bytes } = placed.file();
        let from = contents.open(hash)?;
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
        self.fits(more) && self.bytes + more as u64 <= self.reserved
    }

    fn fits(&self, more: usize) -> bool {
        self.rest.len() + more <= limits::FILE_ROW
    }

    /// Counts `more` bytes, if the store may have them.
    fn grow(&mut self, more: u64) -> Result<(), UploadError> {
        let Contents { store, most, .. } = &*self.contents;
        if store.shared_bytes().is_none() {
            return self.contents.grow(more);
        }
        let bytes = self.bytes + more;
        if bytes <= self.reserved {
            return Ok(());
        }
        // More than is needed, so that few have to ask; but not of the last bytes that there are.
        let ahead = (bytes.saturating_add(limits::FILE_RESERVE), most - most / 16);
        for (reserved, most) in [ahead, (bytes, *most)] {
            if self.writer.reserve(reserved, most)? {
                self.reserved = reserved;
                return Ok(());
            }
        }
        Err(UploadError::Full)
    }

    /// Adds bytes at the end. Touches the disk unless there is [room](Upload::has_room) for them.
    ///
    /// # Errors
    /// See [`UploadError`]. It is to be dropped then.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        let more = bytes.len() as u64;
        self.grow(more)?;
        self.bytes += more;
        if !self.fits(bytes.len()) {
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
        let (contents, number) = (self.contents.clone(), self.writer.number());
        {
            let _placing = contents.placing();
            let before = self.writer.place(file);
            let mut uses = contents.uses();
            // It may be there all the same.
            let before = before.inspect_err(|_| uses.released.push(hash))?;
            self.is_placed = true;
            uses.bytes = uses.bytes.saturating_sub(before);
            *uses.held.entry(hash).or_default() += 1;
        }
        let placed = Arc::new(PlacedFile::here(contents.clone(), file, number));
        contents.store.sync()?;
        Ok(placed)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut uses = self.contents.uses();
        uses.uploads -= 1;
        if self.is_placed {
            return;
        }
        uses.bytes = uses.bytes.saturating_sub(self.bytes);
        if let Some(number) = self.writer.number() {
            uses.live.remove(&number);
            uses.ended.push(number);
        }
    }
}
