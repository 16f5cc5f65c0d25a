//! The files that were fetched for their pictures, and what is kept of them: each is asked for once,
//! as long as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol::channel::Sender;

use super::picture::{Picture, Raster};

/// Bytes of pixels kept: the pictures of several screens. What is sent to the terminal comes on
/// top, and is less.
const KEPT: usize = 32 << 20;

/// What is known of the file of a message.
#[derive(Debug)]
enum KnownFile {
    /// It is on its way.
    Asked,
    /// It cannot be shown.
    Plain,
    Shown(Arc<Picture>),
}

/// The files that were fetched.
#[derive(Default)]
pub struct Gallery {
    known: BTreeMap<u64, KnownFile>,
    to_fetch: Option<Sender<u64>>,
    /// The number of the last picture. Other programs number theirs at the same terminal.
    last: u32,
}

impl Gallery {
    /// Messages whose files are wanted go to `to_fetch`.
    pub fn new(to_fetch: Sender<u64>) -> Gallery {
        let last = getrandom::u32().unwrap_or_default();
        Gallery { known: BTreeMap::new(), to_fetch: Some(to_fetch), last }
    }

    /// Asks for the file of a message, if that was not done.
    pub(super) fn ask(&mut self, id: u64) {
        if self.known.contains_key(&id) {
            return;
        }
        if let Some(to_fetch) = &self.to_fetch {
            // Unbounded, and closed only at the end.
            let _ = to_fetch.try_send(id);
            self.known.insert(id, KnownFile::Asked);
        }
    }

    /// The picture of a message that was asked for, or none. What was forgotten meanwhile stays so.
    pub fn fetched(&mut self, id: u64, raster: Option<Raster>) {
        let Some(known) = self.known.get_mut(&id) else { return };
        *known = match raster {
            Some(raster) => {
                // 0 is none, and the highest is asked about at the start.
                self.last = self.last % (u32::MAX - 1) + 1;
                KnownFile::Shown(Arc::new(Picture::new(self.last, raster)))
            }
            None => KnownFile::Plain,
        };
    }

    /// A message is gone.
    pub fn forget(&mut self, id: u64) {
        self.known.remove(&id);
    }

    /// The same for all messages but these.
    pub fn retain(&mut self, is_kept: impl Fn(u64) -> bool) {
        self.known.retain(|id, _| is_kept(*id));
    }

    pub(super) fn picture(&self, id: u64) -> Option<&Arc<Picture>> {
        match self.known.get(&id)? {
            KnownFile::Shown(picture) => Some(picture),
            KnownFile::Asked | KnownFile::Plain => None,
        }
    }

    /// The oldest pictures that are too many, but for those that are shown.
    pub(super) fn too_many(&self, shown: &[u64]) -> Vec<u64> {
        let pictures =
            || self.known.keys().filter_map(|id| Some((*id, self.picture(*id)?.bytes())));
        let mut bytes: usize = pictures().map(|(_, bytes)| bytes).sum();
        let others = pictures().filter(|(id, _)| !shown.contains(id));
        let too_many = others.take_while(|(_, own)| {
            let is_too_much = bytes > KEPT;
            bytes -= own;
            is_too_much
        });
        too_many.map(|(id, _)| id).collect()
    }
}
