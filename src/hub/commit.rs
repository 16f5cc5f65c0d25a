//! Recording a batch: on disk whole, or as if it had never been decided.

use std::time::Instant;

use super::{HubState, unkept};
use crate::chat::Batch;
use crate::store::Cause;

impl HubState {
    /// Records a batch. Returns whether it is on disk.
    pub(super) fn commit(&mut self, batch: &Batch) -> bool {
        let start = Instant::now();
        let done = self.writer.record(&batch.changes);
        if batch.changes.is_empty() {
            // It only ended what was looked up, and says nothing of what can be written.
            if let Err(e) = done {
                log::debug!("could not end a read transaction: {e}");
            }
            return true;
        }
        match done {
            Ok(()) => {
                self.tally.kept(start.elapsed());
                if std::mem::take(&mut self.failing) {
                    log::info!("the database can be written to again");
                }
                true
            }
            Err(e) => {
                self.tally.lost();
                self.lost = unkept(&e);
                if e.cause() == Cause::Bug {
                    log::error!("a bug: a batch cannot be written: {e}");
                } else if !std::mem::replace(&mut self.failing, true) {
                    log::error!("cannot write to the database; refusing writes: {e}");
                }
                self.chat.rollback();
                false
            }
        }
    }
}
