//! Entries in outboxes: encoded once, and shared by all sessions that are sent them.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::entry::EntryId;
use crate::name::{Handle, Target};
use crate::wire::withdrawal::withdrawn;

/// Entries that one session wrote into one conversation, as lines.
pub struct Block {
    /// The entries as events, with their line ends.
    pub lines: Vec<u8>,
    /// The id of the last entry.
    pub last: EntryId,
    pub from: Handle,
    pub to: Target,
}

impl Block {
    pub(super) fn with_lines(&self, lines: Vec<u8>) -> Arc<Block> {
        let (from, to) = (self.from.clone(), self.to.clone());
        Arc::new(Block { lines, last: self.last, from, to })
    }
}

/// A message that was deleted, and what is sent in place of blocks that have its text: each is made
/// once, however many sessions share it.
pub struct Withdrawal {
    pub(super) message: EntryId,
    /// What has deleted it.
    pub(super) mark: EntryId,
    /// Blocks by their address, at which there is no other as long as they are here.
    blocks: FxHashMap<*const Block, (Arc<Block>, Option<Arc<Block>>)>,
}

impl Withdrawal {
    pub fn new(message: EntryId, mark: EntryId) -> Withdrawal {
        Withdrawal { message, mark, blocks: FxHashMap::default() }
    }

    /// What is sent in place of a block; `None`: the block as it is.
    pub(super) fn instead_of(&mut self, block: &Arc<Block>) -> Option<Arc<Block>> {
        let (message, mark) = (self.message, self.mark);
        let known = self.blocks.entry(Arc::as_ptr(block)).or_insert_with(|| {
            let lines = withdrawn(&block.lines, 0, message, mark);
            (block.clone(), lines.map(|lines| block.with_lines(lines)))
        });
        known.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_block_is_made_anew_once() {
        let (from, to) = (Handle::new("ana").unwrap(), Target::new("bob").unwrap());
        let block = |lines: &str| {
            let (from, to) = (from.clone(), to.clone());
            Arc::new(Block { lines: lines.into(), last: EntryId(17), from, to })
        };
        let had = block("MSG 17 2026-01-01T00:00:00.000Z ana bob - x\n");
        let has_not = block("MSG 16 2026-01-01T00:00:00.000Z ana bob - 17\n");
        let mut withdrawal = Withdrawal::new(EntryId(17), EntryId(20));
        let [first, second] = [(), ()].map(|()| withdrawal.instead_of(&had).unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        assert!(first.lines.starts_with(b"GONE 17 "));
        assert!(withdrawal.instead_of(&has_not).is_none());
    }
}
