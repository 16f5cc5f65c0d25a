//! Recording a batch: on disk whole, or as if it had never been decided.

use std::time::Instant;

use super::Desk;
use crate::chat::Batch;

impl Desk {
    /// Records a batch. Returns whether it is on disk.
    pub(super) fn keep(&mut self, batch: &Batch) -> bool {
        let start = Instant::now();
        let done = self.record.record(&batch.changes);
        if batch.changes.is_empty() {
            // It only ended what was looked up, and says nothing of what can be written.
            if let Err(e) = done {
                log::debug!("a look at the database could not be ended: {e}");
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
                if !std::mem::replace(&mut self.failing, true) {
                    log::error!("cannot write to the database, nothing is accepted: {e}");
                }
                self.chat.forget();
                false
            }
        }
    }
}
