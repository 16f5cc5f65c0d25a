//! Keeping entries for so many days: a thread that looks for what is old enough to be forgotten, and
//! asks the hub for one small step after the other.
//!
//! It waits for each step before it looks for the next one, so that between two of them the hub
//! does what people asked for meanwhile. It decides nothing on its own: the store says what comes
//! next, and the hub writes it.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};

use smol::channel::{self, Sender};

use super::{Hub, Work};
use crate::counters::Counters;
use crate::entry::{Clock, Millis};
use crate::limits;
use crate::store::{Error, Expire, Reader};

/// Milliseconds in a day.
const DAY: i64 = 86_400_000;

/// What forgets.
pub struct Retention {
    hub: Hub,
    reader: Box<dyn Reader>,
    clock: Clock,
    /// Entries are kept for so many milliseconds.
    time: i64,
    /// What was forgotten may still stand beside the log, be it of an earlier papod that was killed.
    needs_wipe: bool,
}

impl Retention {
    /// Keeps entries for `days`, 1 to [`limits::KEEP_MAX`].
    pub fn new(hub: Hub, reader: Box<dyn Reader>, clock: Clock, days: u64) -> Retention {
        let days = i64::try_from(days.min(limits::KEEP_MAX)).unwrap_or(0);
        Retention { hub, reader, clock, time: days * DAY, needs_wipe: true }
    }

    /// Starts a thread that forgets, looks again after a while, and ends when the sender is gone.
    /// A bug ends one look, which is counted.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(
        mut self,
        counters: Arc<Counters>,
    ) -> std::io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
        let (stop, stopped): (_, Receiver<()>) = mpsc::channel();
        let run = move || {
            loop {
                match counters.caught("looking for what is to be forgotten", || self.pass()) {
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

    /// Forgets all that is old enough now. Returns whether that is done: not where the hub
    /// could not write, has ended, or somebody reads what is to be wiped.
    ///
    /// # Errors
    /// The store's, if it cannot be read.
    pub fn pass(&mut self) -> Result<bool, Error> {
        while let Some(step) = self.next()? {
            self.needs_wipe = true;
            if !self.ask(|answer| Work::Expire { step, answer }) {
                return Ok(false);
            }
        }
        self.needs_wipe = self.needs_wipe && !self.ask(|answer| Work::Wipe { answer });
        Ok(!self.needs_wipe)
    }

    fn next(&mut self) -> Result<Option<Expire>, Error> {
        let now = self.clock.now();
        let before = Millis(now.0.saturating_sub(self.time));
        self.reader.begin()?;
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
