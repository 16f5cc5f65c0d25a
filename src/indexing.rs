//! The thread that fills the index for searching, behind the log. It reads what was written and has
//! a connection of its own to the index, so nobody ever waits for it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::counters::Counters;
use crate::limits;
use crate::store::{Haste, Indexer};

/// Starts the thread. It makes passes as long as there is something to do, then one every
/// [`limits::SEARCH_PAUSE`], and ends when the sender is dropped: what it has begun it leaves, so
/// that nobody waits for a thread that the system gives little time. A panic ends only the pass it
/// happens in, and is counted.
///
/// # Errors
/// The system provides no thread.
pub fn start(
    mut indexer: Box<dyn Indexer>,
    counters: Arc<Counters>,
) -> std::io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
    let (end, ended) = mpsc::channel();
    // Before anybody is connected. If it fails, the first pass says so.
    let _ = indexer.open();
    counters.search_lag.set(indexer.lag());
    let run = move || {
        // On Linux this affects only the calling thread. If it fails, others are only slower.
        let _ = rustix::process::nice(limits::INDEXER_NICE);
        let pace = Pace::new(&counters, &ended);
        let mut is_failing = false;
        loop {
            // A pause was no work.
            pace.since.set(Instant::now());
            let pass = || indexer.pass(&|haste| pace.go_on(haste));
            let done = counters.caught("the index for searching", pass);
            if let Some(Err(e)) = &done
                && !is_failing
            {
                log::warn!("the index for searching cannot be written, searching is slower: {e}");
            }
            counters.search_lag.set(indexer.lag());
            is_failing = matches!(done, Some(Err(_)));
            let pause = match done {
                Some(Ok(true)) => Duration::ZERO,
                _ => limits::SEARCH_PAUSE,
            };
            if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    Ok((end, thread::Builder::new().name("indexer".into()).spawn(run)?))
}

/// Has the thread rest while others write or read. A lower weight does not do that: the system lets a
/// thread that has a core keep it for a while, and each that waits for the disk gives its core away,
/// as a reader does every [`limits::READ_TURN`].
struct Pace<'a> {
    counters: &'a Counters,
    ended: &'a Receiver<()>,
    /// Since when the thread has worked.
    since: Cell<Instant>,
    /// How many commits there have been, and when the last was noticed.
    commits: Cell<(u64, Option<Instant>)>,
}

impl Pace<'_> {
    fn new<'a>(counters: &'a Counters, ended: &'a Receiver<()>) -> Pace<'a> {
        let commits = Cell::new((counters.commits.count(), None));
        Pace { counters, ended, since: Cell::new(Instant::now()), commits }
    }

    /// Rests if it is time to. Returns whether the thread is to go on.
    fn go_on(&self, haste: Haste) -> bool {
        let worked = self.since.get().elapsed();
        if worked < limits::INDEXER_STEP {
            return true;
        }
        let rests = self.is_busy() && haste == Haste::None;
        let rest = if rests { worked * limits::INDEXER_REST } else { Duration::ZERO };
        let ended = self.ended.recv_timeout(rest.min(limits::INDEXER_REST_MAX));
        self.since.set(Instant::now());
        ended == Err(RecvTimeoutError::Timeout)
    }

    /// Whether others write or read.
    fn is_busy(&self) -> bool {
        let count = self.counters.commits.count();
        let (before, mut last) = self.commits.get();
        if count != before {
            last = Some(Instant::now());
        }
        self.commits.set((count, last));
        self.counters.answering.get() > 0
            || last.is_some_and(|at| at.elapsed() < limits::INDEXER_QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_while_others_write_or_read() {
        let counters = Counters::default();
        let (_end, ended) = mpsc::channel();
        let pace = Pace::new(&counters, &ended);
        assert!(!pace.is_busy());
        counters.answering.add(1);
        assert!(pace.is_busy());
        counters.answering.dec();
        assert!(!pace.is_busy());
        counters.commits.observe(Duration::ZERO);
        assert!(pace.is_busy());
    }

    #[test]
    fn it_ends_whatever_it_is_doing() {
        let counters = Counters::default();
        for haste in [Haste::None, Haste::Erasing] {
            let (end, ended) = mpsc::channel();
            let pace = Pace::new(&counters, &ended);
            counters.commits.observe(Duration::ZERO);
            assert!(pace.go_on(haste) && pace.go_on(haste));
            drop(end);
            while pace.go_on(haste) {}
        }
    }
}
