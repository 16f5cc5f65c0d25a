//! Deleting entries older than the retention period (`--keep`), and messages whose time has come
//! (`EXPIRE`): a thread that looks for them and asks the hub to delete them, one small step after the
//! other. It also sees to it that text that was deleted, in this way or with `DEL`, leaves the
//! write-ahead log, and that contents of files leave the disk when no entry has them.
//!
//! It waits for each step before it looks for the next one, so that the hub can do other work in
//! between. It decides nothing itself: the store says what comes next, and the hub writes it.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};

use smol::channel::{self, Sender};

use super::{Hub, Work};
use crate::counters::Counters;
use crate::entry::{Clock, ContentHash, Millis};
use crate::limits;
use crate::store::contents::{Contents, Swept};
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
    /// That of the contents of files.
    file_time: i64,
    files: Option<Arc<Contents>>,
    /// Contents to look at, since all were looked through when papod started.
    doubtful: Vec<ContentHash>,
    /// All were looked through.
    has_looked: bool,
}

fn millis(days: u64) -> i64 {
    i64::try_from(days.min(limits::KEEP_MAX)).unwrap_or(0) * DAY
}

impl Retention {
    /// Keeps entries for `days` days, from 1 to [`limits::KEEP_MAX`]; 0: always.
    pub fn new(hub: Hub, reader: Box<dyn Reader>, clock: Clock, days: u64) -> Retention {
        let (files, doubtful, has_looked) = Default::default();
        let time = millis(days);
        Retention { hub, reader, clock, time, file_time: 0, files, doubtful, has_looked }
    }

    /// Also sweeps these contents, and keeps those for `days` days; 0: as long as their
    /// entries.
    pub fn with_files(mut self, files: Option<Arc<Contents>>, days: u64) -> Retention {
        self.files = files;
        self.file_time = millis(days);
        self
    }

    /// Starts the thread. It makes a pass every [`limits::EXPIRE_PAUSE`], or after
    /// [`limits::EXPIRE_RETRY`] if one could not be finished, and ends when the sender is dropped. A
    /// panic ends only the pass it happens in, and is counted.
    ///
    /// # Errors
    /// The system provides no thread.
    pub fn start(
        mut self,
        counters: Arc<Counters>,
    ) -> std::io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
        let (stop, stopped): (_, Receiver<()>) = mpsc::channel();
        // As long as nobody is connected there are descriptors for that. If it fails, each pass
        // tries it again.
        if let Some(contents) = self.files.clone().filter(|_| !self.hub.is_door()) {
            let _ = self.look_through(&contents);
        }
        let run = move || {
            loop {
                let mut pause = limits::EXPIRE_PAUSE;
                match counters.caught("deleting old entries", || self.pass()) {
                    Some(Ok(true)) | None => {}
                    Some(Ok(false)) => {
                        log::debug!("deleting old entries continues later");
                        pause = limits::EXPIRE_RETRY;
                    }
                    Some(Err(e)) => log::error!("cannot look for entries to delete: {e}"),
                }
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        Ok((stop, thread::Builder::new().name("keeper".into()).spawn(run)?))
    }

    /// Deletes all entries that are old enough now, and has deleted text leave the write-ahead log.
    /// Returns whether that is done: `false` if the hub could not write or has ended, or if a reader
    /// keeps the write-ahead log from being emptied.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn pass(&mut self) -> Result<bool, Error> {
        while let Some(step) = self.next()? {
            if !self.ask(|answer| Work::Expire { step, answer: answer.into() }) {
                return Ok(false);
            }
        }
        let is_wiped = self.ask(|answer| Work::Wipe { answer: answer.into() });
        Ok(self.sweep()? && is_wiped)
    }

    fn next(&mut self) -> Result<Option<Expire>, Error> {
        let now = self.clock.now();
        let step = self.ask_store(|reader| reader.next_expired(now))?;
        if step.is_some() {
            return Ok(step);
        }
        let before = |time| Millis(now.0.saturating_sub(time));
        if self.time > 0 {
            let before = before(self.time);
            let step = self.ask_store(|reader| reader.next_expiry(before, now))?;
            if step.is_some() {
                return Ok(step);
            }
        }
        if self.file_time == 0 {
            return Ok(None);
        }
        let before = before(self.file_time);
        let upto = self.ask_store(|reader| reader.next_old_file(before, now))?;
        Ok(upto.map(|upto| Expire::Files { upto }))
    }

    /// Looks through the contents, once: what was placed before papod was killed may have no entry.
    fn look_through(&mut self, contents: &Contents) -> Result<(), Error> {
        if !self.has_looked {
            self.doubtful = contents.all()?;
            self.has_looked = true;
        }
        Ok(())
    }

    /// Deletes contents of files that no entry has: of several nodes each those that it placed
    /// itself, and the leader all others. Returns whether that is done: `false` during a backup, or if
    /// the hub could not write.
    fn sweep(&mut self) -> Result<bool, Error> {
        let Some(contents) = self.files.clone() else { return Ok(true) };
        let leads = !self.hub.is_door();
        contents.renew(leads)?;
        if leads {
            self.look_through(&contents)?;
        }
        self.doubtful.extend(contents.take_released());
        let mut deleted = 0;
        while let Some(content) = self.doubtful.last().copied() {
            match self.sweep_one(&contents, content)? {
                Swept::Later => return Ok(false),
                Swept::Kept => {}
                Swept::Deleted => deleted += 1,
            }
            self.doubtful.pop();
        }
        if deleted > 0 {
            log::info!("files that no message has: {deleted} deleted");
        }
        if !leads {
            return Ok(true);
        }
        loop {
            let dropped = self.ask_store(|reader| reader.dropped())?;
            let Some((upto, _)) = dropped.last().copied() else { return Ok(true) };
            for (_, content) in dropped {
                if self.sweep_one(&contents, content)? == Swept::Later {
                    return Ok(false);
                }
            }
            let step = Expire::Swept { upto };
            if !self.ask(|answer| Work::Expire { step, answer: answer.into() }) {
                return Ok(false);
            }
        }
    }

    fn sweep_one(&mut self, contents: &Contents, content: ContentHash) -> Result<Swept, Error> {
        contents.sweep(content, || self.ask_store(|reader| reader.is_used(content)))
    }

    fn ask_store<T>(
        &mut self,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.reader.begin(Effort::Full)?;
        let answer = question(&mut *self.reader);
        self.reader.end();
        answer
    }

    fn ask(&self, work: impl FnOnce(Sender<bool>) -> Work) -> bool {
        let (answer, answered) = channel::bounded(1);
        self.hub.ask(work(answer));
        // No answer: the hub has ended.
        answered.recv_blocking().unwrap_or(false)
    }
}
