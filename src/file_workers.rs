//! A few threads that write and read files for sessions, so that no disk holds up a socket, a
//! question to the log or the hub.
//!
//! Addresses take turns, and within an address its accounts, as with the readers. A job is a part
//! of a file, and a session has one at a time. Only a sync at the end of an upload may take longer,
//! for which there are more threads than readers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use smol::channel;

use crate::counters::Counters;
use crate::entry::AccountId;
use crate::limits;
use crate::origin::Origin;
use crate::turns::NestedTurns;

type Job = Box<dyn FnOnce() + Send>;

/// The queue of the threads. They end when the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub struct FileWorkers {
    shared: Arc<FileJobs>,
    _open: Arc<OpenJobs>,
}

/// The job panicked, which is counted and logged, or papod ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDone;

struct FileJobs {
    waiting: Mutex<WaitingJobs>,
    bell: Condvar,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct WaitingJobs {
    jobs: NestedTurns<Origin, Option<AccountId>, Job>,
    /// The last clone of [`FileWorkers`] was dropped.
    ended: bool,
}

impl FileJobs {
    fn lock(&self) -> MutexGuard<'_, WaitingJobs> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        // On Linux this affects only the calling thread. If it fails, things are only slower.
        let _ = rustix::process::nice(limits::FILE_WORKERS_NICE);
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop() {
                drop(waiting);
                self.counters.caught("a job with a file", job);
                waiting = self.lock();
            } else if waiting.ended {
                return;
            } else {
                waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Held by every clone of [`FileWorkers`] and by no thread.
struct OpenJobs(Arc<FileJobs>);

impl Drop for OpenJobs {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.bell.notify_all();
    }
}

impl FileWorkers {
    /// Starts [`limits::FILE_WORKERS`] threads.
    ///
    /// # Errors
    /// The system provides no thread.
    pub fn start(counters: Arc<Counters>) -> std::io::Result<(FileWorkers, Vec<JoinHandle<()>>)> {
        let (waiting, bell) = Default::default();
        let shared = Arc::new(FileJobs { waiting, bell, counters });
        let workers = FileWorkers { shared: shared.clone(), _open: Arc::new(OpenJobs(shared)) };
        let threads = (0..limits::FILE_WORKERS).map(|_| {
            let shared = workers.shared.clone();
            thread::Builder::new().name("files".into()).spawn(move || shared.run())
        });
        let threads = threads.collect::<Result<_, _>>()?;
        Ok((workers, threads))
    }

    /// Has a job done. If the future is dropped, the job is done all the same, and what it returns
    /// is dropped on its thread.
    ///
    /// # Errors
    /// See [`NotDone`].
    pub async fn work<T: Send + 'static>(
        &self,
        origin: Origin,
        account: Option<AccountId>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotDone> {
        let (answer, answered) = channel::bounded(1);
        self.push(origin, account, move || {
            // Fails if the session has ended.
            let _ = answer.try_send(job());
        });
        answered.recv().await.map_err(|_| NotDone)
    }

    /// Has something dropped, which may take time.
    pub fn discard(&self, origin: Origin, account: Option<AccountId>, what: impl Send + 'static) {
        self.push(origin, account, move || drop(what));
    }

    fn push(
        &self,
        origin: Origin,
        account: Option<AccountId>,
        job: impl FnOnce() + Send + 'static,
    ) {
        self.shared.lock().jobs.push(origin.rate_key(), account, Box::new(job));
        self.shared.bell.notify_one();
    }
}
