//! The thread that fills the index for searching, behind the log. It reads what was written and has
//! a connection of its own to the index, so nobody ever waits for it.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};

use crate::counters::Counters;
use crate::limits;
use crate::store::Indexer;

/// Starts the thread. It makes passes as long as there is something to do, then one every
/// [`limits::SEARCH_PAUSE`], and ends when the sender is dropped. A panic ends only the pass it
/// happens in, and is counted.
///
/// # Errors
/// The system provides no thread.
pub fn start(
    mut indexer: Box<dyn Indexer>,
    counters: Arc<Counters>,
) -> std::io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
    let (stop, stopped): (_, Receiver<()>) = mpsc::channel();
    // Before anybody is connected. If it fails, the first pass says so.
    let _ = indexer.open();
    counters.search_lag.set(indexer.lag());
    let run = move || {
        // On Linux this affects only the calling thread. If it fails, others are only slower.
        let _ = rustix::process::nice(limits::INDEXER_NICE);
        let mut is_failing = false;
        loop {
            let done = counters.caught("the index for searching", || indexer.pass());
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
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    Ok((stop, thread::Builder::new().name("indexer".into()).spawn(run)?))
}
