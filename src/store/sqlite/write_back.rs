//! Writing back (checkpoints): a thread copies the write-ahead log into the main file, so that no
//! batch waits until thousands of pages are on disk.
//!
//! SQLite begins the log anew once all of it is written back and nobody reads from it, and the
//! first transaction of each log has to renew the database's generation. So the log must not become
//! free for that between the writer's check whether its next transaction is a first one and the
//! beginning of that transaction. The thread therefore reads from the log for as long as it writes
//! back, and stops reading only while it holds the gate, which the writer holds from the check
//! until the transaction has begun.
//!
//! While the writer goes on, the thread never gets to the end of the log. The few pages that are
//! left then are written back by the writer itself.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use super::lock::Lock;
use super::{read_connection, run, write_connection};
use crate::limits;
use crate::store::{Cause, Error};

/// The size of the write-ahead log, in pages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backlog {
    pub(super) log: i64,
    /// How many of these are written back.
    pub(super) written: i64,
}

impl Backlog {
    /// Reads both numbers, and writes nothing back.
    pub(super) fn of(on: &Connection) -> Result<Backlog, Error> {
        // The pragma of the same name would be parsed anew each time, prepared or not.
        let (log, written) = on.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::NOOP)?;
        Ok(Backlog { log: log.into(), written: written.into() })
    }

    fn rest(self) -> i64 {
        self.log - self.written
    }
}

/// The thread, and what it shares with the writer.
pub(super) struct WriteBack {
    shared: Arc<Copier>,
    /// Dropped to end the thread.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Copier {
    lock: Arc<Lock>,
    gate: Mutex<()>,
    /// Held while writing back, by the thread or by the writer.
    copying: Mutex<()>,
}

fn held(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WriteBack {
    /// Starts the thread. If the system provides none, the writer does all of it.
    ///
    /// Its files are opened here, before anyone can connect: later there may be no descriptor left
    /// for them, and then the log would grow for as long as clients hold them all.
    pub(super) fn start(lock: Arc<Lock>) -> WriteBack {
        let shared = Arc::new(Copier { lock, gate: Mutex::default(), copying: Mutex::default() });
        let (wake, woken) = mpsc::sync_channel(1);
        let run = {
            let (shared, connections) = (shared.clone(), shared.connect());
            move || shared.serve(&woken, connections.ok())
        };
        let thread = thread::Builder::new().name("write-back".into()).spawn(run).ok();
        WriteBack { shared, wake: Some(wake), thread }
    }

    /// The gate, to be held from the check whether a transaction is the first in a log until it has
    /// begun.
    pub(super) fn gate(&self) -> MutexGuard<'_, ()> {
        held(&self.shared.gate)
    }

    /// Gets the log written back if it holds enough: by the thread, or right here if only a few
    /// pages are left of a long log, so that a batch waits for little, or if the thread cannot keep
    /// up. To be called outside of a transaction.
    pub(super) fn go_on(&self, on: &Connection, backlog: Backlog) -> Result<(), Error> {
        let is_long = backlog.log >= limits::LOG_PAGES;
        if !is_long && backlog.rest() < limits::WRITE_BACK {
            return Ok(());
        }
        let is_end = is_long && backlog.rest() < limits::WRITE_BACK_END;
        if (is_end || backlog.log >= 4 * limits::LOG_PAGES)
            && let Ok(_copying) = self.shared.copying.try_lock()
        {
            self.shared.lock.verify_main()?;
            on.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        } else if let Some(wake) = &self.wake {
            // If this fails, the thread is awake already, or there is none.
            let _ = wake.try_send(());
        }
        Ok(())
    }

    /// Keeps the thread from writing back while the guard is held; `None` if it is writing back
    /// now.
    pub(super) fn pause(&self) -> Option<MutexGuard<'_, ()>> {
        self.shared.copying.try_lock().ok()
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Copier {
    /// A connection that holds the log, and one that writes it back; their files are open.
    fn connect(&self) -> Result<(Connection, Connection), Error> {
        let (holder, copier) =
            (read_connection(self.lock.path())?, write_connection(self.lock.path())?);
        // SQLite opens the log with the first read.
        super::generation::current(&holder)?;
        super::generation::current(&copier)?;
        Ok((holder, copier))
    }

    fn serve(&self, woken: &Receiver<()>, mut connections: Option<(Connection, Connection)>) {
        let mut is_failing = false;
        while woken.recv().is_ok() {
            let done = self.copy(&mut connections);
            if let Err(e) = &done
                && !is_failing
            {
                log::warn!("the write-ahead log cannot be written back: {e}");
            }
            is_failing = done.is_err();
        }
        if let Some((_, copier)) = &connections {
            keep_log(&self.lock, copier);
        }
    }

    /// Writes back all that is in the log now.
    fn copy(&self, connections: &mut Option<(Connection, Connection)>) -> Result<(), Error> {
        let _copying = held(&self.copying);
        self.lock.verify_main()?;
        let (holder, copier) = match connections {
            Some(connections) => connections,
            none => none.insert(self.connect()?),
        };
        run(holder, "BEGIN")?;
        // With its first read, `holder` begins to hold the log.
        let copied = super::generation::current(holder).and_then(|_| {
            let sql = "PRAGMA wal_checkpoint(PASSIVE)";
            Ok(copier.prepare_cached(sql)?.query_row([], |_| Ok(()))?)
        });
        let _gate = held(&self.gate);
        run(holder, "ROLLBACK")?;
        copied
    }
}

/// Keeps a connection that is about to be closed from writing the log back into a file that is not
/// ours any more.
pub(super) fn keep_log(lock: &Lock, on: &Connection) {
    let is_foreign = lock.verify_main().is_err_and(|e| e.cause() == Cause::Gone);
    if is_foreign && let Err(e) = on.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
    {
        log::error!("the write-ahead log may be lost: {e}");
    }
}
