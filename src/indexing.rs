//! The thread that fills the index for searching, behind the log. It reads what was written and has
//! a connection of its own to the index, so nobody ever waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};

use crate::counters::Counters;
use crate::limits;
use crate::store::Indexer;

/// Ends the thread when dropped. What it has begun it leaves, so that the end does not wait for a
/// thread that the system gives little time.
pub struct IndexingEnd {
    ends: Arc<AtomicBool>,
    _wake: mpsc::Sender<()>,
}

impl Drop for IndexingEnd {
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
    }
}

/// Starts the thread. It makes passes as long as there is something to do, then one every
/// [`limits::SEARCH_PAUSE`], and ends when [`IndexingEnd`] is dropped. A panic ends only the pass it
/// happens in, and is counted.
///
/// # Errors
/// The system provides no thread.
pub fn start(
    mut indexer: Box<dyn Indexer>,
    counters: Arc<Counters>,
) -> std::io::Result<(IndexingEnd, JoinHandle<()>)> {
    let (wake, ended): (_, Receiver<()>) = mpsc::channel();
    let end = IndexingEnd { ends: Arc::default(), _wake: wake };
    let ends = end.ends.clone();
    // Before anybody is connected. If it fails, the first pass says so.
    let _ = indexer.open();
    counters.search_lag.set(indexer.lag());
    let run = move || {
        // On Linux this affects only the calling thread. If it fails, others are only slower.
        let _ = rustix::process::nice(limits::INDEXER_NICE);
        let mut is_failing = false;
        loop {
            let done = counters.caught("the index for searching", || indexer.pass(&ends));
            if let Some(Err(e)) = &done
                && !is_failing
            {
                log::warn!("the index for searching cannot be written, searching is slower: {e}");
            }
            counters.search_lag.set(indexer.lag());
            is_failing = matches!(done, Some(Err(_)));
            let pause = match done {
                Some(Ok(true)) => std::time::Duration::ZERO,
                _ => limits::SEARCH_PAUSE,
            };
            if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    Ok((end, thread::Builder::new().name("indexer".into()).spawn(run)?))
}
