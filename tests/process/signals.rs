//! Signals to processes, whoever has started them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// For how long a process is waited for that is to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a process a signal. If it is to stop, it has when this returns, with all its threads: those
/// that run go on until one of them has taken the signal.
///
/// # Errors
/// It has ended, or may not be signalled.
pub fn send(process: Pid, signal: Signal) -> rustix::io::Result<()> {
    kill_process(process, signal)?;
    let begun = Instant::now();
    while signal == Signal::STOP && runs(process) {
        assert!(begun.elapsed() < PATIENCE, "{process:?} does not stop");
        thread::yield_now();
    }
    Ok(())
}

/// Whether a thread of it has neither stopped nor ended: proc_pid_stat(5).
fn runs(process: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", process.as_raw_nonzero()));
    threads.into_iter().flatten().flatten().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_some_and(|state| !"TtZX".contains(state))
    })
}
