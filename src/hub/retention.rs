//! Deleting entries older than the retention period (`--keep`): a thread that looks for them and
//! asks the hub to delete them, one small step after the other. It also sees to it that text that
//! was deleted, in this way or with `DEL`, leaves the write-ahead log.
//!
//! It waits for each step before it looks for the next one, so that the hub can do other work in
//! between. It decides nothing itself: the store says what comes next, and the hub writes it.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};

use smol::channel::{self, Sender};

use super::{Hub, Work};
use crate::counters::Counters;
use crate::entry::{Clock, Millis};
use crate::limits;
use crate::store::{Effort, Error, Expire, Reader};

/// Milliseconds in a day.
const DAY: i64 = 86_400_000;

/// See the module documentation.
pub struct Retention {
    hub: Hub,
    reader: Box<dyn Reader>,
    clock: Clock,
    /// The retention period, in milliseconds; 0: no entry gets too old.
    time: i64,
}

impl Retention {
    /// Keeps entries for `days` days, from 1 to [`limits::KEEP_MAX`]; 0: always.
    pub fn new(hub: Hub, reader: Box<dyn Reader>, clock: Clock, days: u64) -> Retention {
        let days = i64::try_from(days.min(limits::KEEP_MAX)).unwrap_or(0);
        Retention { hub, reader, clock, time: days * DAY }
    }

    /// Starts the thread. It makes a pass every [`limits::EXPIRE_PAUSE`], and ends when the sender
    /// is dropped. A panic ends only the pass it happens in, and is counted.
    ///
    /// # Errors
    /// The system provides no thread.
    pub fn start(
        mut self,
        counters: Arc<Counters>,
    ) -> std::io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
        let (stop, stopped): (_, Receiver<()>) = mpsc::channel();
        let run = move || {
            loop {
                match counters.caught("deleting old entries", || self.pass()) {
                    Some(Ok(true)) | None => {}
                    Some(Ok(false)) => log::debug!("deleting old entries continues later"),
                    Some(Err(e)) => log::error!("cannot look for entries to delete: {e}"),
                }
                if stopped.recv_timeout(limits::EXPIRE_PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        Ok((stop, thread::Builder::new().name("keeper".into()).spawn(run)?))
    }

    /// Deletes all entries that are old enough now, and has deleted text leave the write-ahead log.
    /// Returns whether that is done: `false` if the
    /// hub could not write or has ended, or if a reader keeps the write-ahead log from being
    /// emptied.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn pass(&mut self) -> Result<bool, Error> {
        while let Some(step) = self.next()? {
            if !self.ask(|answer| Work::Expire { step, answer }) {
                return Ok(false);
            }
        }
        Ok(self.ask(|answer| Work::Wipe { answer }))
    }

    fn next(&mut self) -> Result<Option<Expire>, Error> {
        if self.time == 0 {
            return Ok(None);
        }
        let now = self.clock.now();
        let before = Millis(now.0.saturating_sub(self.time));
        self.reader.begin(Effort::Full)?;
        let step = self.reader.next_expiry(before, now);
        self.reader.end();
        step
    }

    fn ask(&self, work: impl FnOnce(Sender<bool>) -> Work) -> bool {
        let (answer, answered) = channel::bounded(1);
        self.hub.ask(work(answer));
        // No answer: the hub has ended.
        answered.recv_blocking().unwrap_or(false)
    }
}
