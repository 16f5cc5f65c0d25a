//! What was put and is in its place, on its way to the entry that will have it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;
use super::contents::{Contents, UploadNumber};
use crate::entry::FileRef;

/// A content in its place. It stays there until what it was placed for is done, or this is dropped,
/// and then if an entry has it.
#[derive(Debug)]
pub struct PlacedFile {
    /// Where it was placed; `None`: in another process, which holds it until it hears what became of
    /// it.
    contents: Option<Arc<Contents>>,
    file: FileRef,
    upload: Option<UploadNumber>,
    is_taken: AtomicBool,
}

impl PlacedFile {
    /// What this process has placed, and holds from now on.
    pub(super) fn here(
        contents: Arc<Contents>,
        file: FileRef,
        upload: Option<UploadNumber>,
    ) -> PlacedFile {
        PlacedFile { contents: Some(contents), file, upload, is_taken: AtomicBool::new(false) }
    }

    pub fn file(&self) -> FileRef {
        self.file
    }

    pub(super) fn contents(&self) -> Option<&Arc<Contents>> {
        self.contents.as_ref()
    }

    /// Whether it is still there: another process removes it if this one has stood still for an hour.
    ///
    /// # Errors
    /// The system's reason.
    pub fn is_there(&self) -> Result<bool, Error> {
        match (&self.contents, self.upload) {
            (Some(contents), Some(upload)) => contents.store.hold(upload, self.file.hash),
            _ => Ok(true),
        }
    }

    /// Ends the hold on it: what it was placed for is done, and an entry has it, or one had it before;
    /// or nothing comes of it. Which it is is looked up once.
    pub fn take(&self) {
        if self.is_taken.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(contents) = &self.contents else { return };
        let hash = self.file.hash;
        let mut uses = contents.uses();
        if let Some(count) = uses.held.get_mut(&hash) {
            *count -= 1;
            if *count == 0 {
                uses.held.remove(&hash);
            }
        }
        uses.released.push(hash);
        if let Some(upload) = self.upload {
            uses.live.remove(&upload);
            uses.ended.push(upload);
        }
    }

    pub fn is_taken(&self) -> bool {
        self.is_taken.load(Ordering::Acquire)
    }
}

impl Drop for PlacedFile {
    fn drop(&mut self) {
        self.take();
    }
}

/// How another node is told of one: by its content. The node that placed it holds it.
#[cfg(feature = "postgres")]
pub mod reference {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::PlacedFile;
    use crate::entry::FileRef;

    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        put: &Option<Arc<PlacedFile>>,
        into: S,
    ) -> Result<S::Ok, S::Error> {
        put.as_ref().map(|put| put.file()).serialize(into)
    }

    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Arc<PlacedFile>>, D::Error> {
        let there = |file| {
            let is_taken = AtomicBool::new(false);
            Arc::new(PlacedFile { contents: None, file, upload: None, is_taken })
        };
        Ok(Option::<FileRef>::deserialize(from)?.map(there))
    }
}
