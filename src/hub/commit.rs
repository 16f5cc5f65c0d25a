//! Recording a batch: as a whole, or as if it had never been decided.

use std::time::Instant;

use super::{HubState, unkept};
use crate::chat::Batch;
use crate::store::Cause;
use crate::wire::refusal::Refusal;

impl HubState {
    /// Records a batch. Returns whether it is on disk; `None`: nothing may be answered any more,
    /// and the hub ends.
    pub(super) fn commit(&mut self, batch: &Batch) -> Option<bool> {
        if !batch.changes.is_empty() && self.tally.is_read_only() {
            return self.forgo();
        }
        let start = Instant::now();
        let done = self.writer.record(&batch.changes);
        if let Some(e) = done.as_ref().err().filter(|e| e.cause() == Cause::Over) {
            log::error!("the database is out of reach for good: {e}");
            return None;
        }
        if batch.changes.is_empty() {
            // This only ended the transaction of the lookups; it does not show whether writing
            // works.
            if let Err(e) = done {
                log::debug!("could not end a read transaction: {e}");
            }
            return Some(true);
        }
        Some(match done {
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
                    log::error!("bug: the store rejects a decided batch: {e}");
                } else if !std::mem::replace(&mut self.failing, true) {
                    log::error!("cannot write to the database; refusing writes: {e}");
                }
                self.chat.rollback();
                false
            }
        })
    }

    /// Drops a batch, as if the disk were full, since an operator has asked for that. What no
    /// command waits for is written with a later batch.
    fn forgo(&mut self) -> Option<bool> {
        // Only ends the transaction of the lookups.
        if let Err(e) = self.writer.record(&[]) {
            if e.cause() == Cause::Over {
                log::error!("the database is out of reach for good: {e}");
                return None;
            }
            log::debug!("could not end a read transaction: {e}");
        }
        self.lost = Refusal::ReadOnly;
        self.chat.rollback();
        Some(false)
    }
}
