//! Recording a batch: as a whole, or as if it had never been decided.

use std::time::Instant;

use super::{HubState, unkept};
use crate::chat::Batch;
use crate::store::{Cause, Error};
use crate::wire::refusal::Refusal;

impl HubState {
    /// Records a batch. Returns whether it is on disk.
    ///
    /// # Errors
    /// The database is out of reach for good, or another node leads it now: nothing may be answered
    /// any more.
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<bool, Cause> {
        if !batch.changes.is_empty() && self.tally.is_read_only() {
            return self.forgo();
        }
        let start = Instant::now();
        let done = self.writer.record(&batch.changes);
        if let Err(e) = &done {
            is_reachable(e)?;
        }
        if batch.changes.is_empty() {
            // This only ended the transaction of the lookups; it does not show whether writing
            // works.
            if let Err(e) = done {
                log::debug!("could not end a read transaction: {e}");
            }
            return Ok(true);
        }
        Ok(match done {
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
    fn forgo(&mut self) -> Result<bool, Cause> {
        // Only ends the transaction of the lookups.
        if let Err(e) = self.writer.record(&[]) {
            is_reachable(&e)?;
            log::debug!("could not end a read transaction: {e}");
        }
        self.lost = Refusal::ReadOnly;
        self.chat.rollback();
        Ok(false)
    }
    /// After a while in which nothing was recorded, since this process was frozen for example, looks
    /// whether another node leads the database by now: before anything is decided, so that the next
    /// leader can still be asked for it.
    pub(super) fn is_superseded(&mut self) -> Option<Cause> {
        #[cfg(feature = "postgres")]
        if self.doors.as_ref().is_some_and(super::link::Doors::are_stale) {
            return self.writer.record(&[]).err().and_then(|e| is_reachable(&e).err());
        }
        None
    }
}

/// # Errors
/// This process can never write to the database again.
fn is_reachable(e: &Error) -> Result<(), Cause> {
    match e.cause() {
        Cause::Over => log::error!("the database is out of reach for good: {e}"),
        Cause::Superseded => log::warn!("the database: {e}"),
        _ => return Ok(()),
    }
    Err(e.cause())
}
