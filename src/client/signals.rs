//! Signals that end a command that runs until it is stopped.
//!
//! By default the system terminates it, except as the first process of a container, which receives
//! only signals that it handles.

use std::process;

use async_signal::{Signal, Signals};
use smol::future;
use smol::stream::StreamExt;

use super::failure::Failure;

/// Returns `Signal` on SIGTERM, and with `all`, or as the first process of a container, also on
/// SIGINT and SIGHUP.
pub async fn ended<T>(all: bool) -> Result<T, Failure> {
    let mut wanted = vec![Signal::Term];
    if all || is_first_process() {
        wanted.extend([Signal::Int, Signal::Hup]);
    }
    if let Ok(mut signals) = Signals::new(wanted)
        && let Some(Ok(signal)) = signals.next().await
    {
        return Err(Failure::Signal(signal as u8));
    }
    future::pending().await
}

/// The same for a command that needs no cleanup: outside a container the system terminates it.
pub async fn ended_as_first<T>() -> Result<T, Failure> {
    if is_first_process() { ended(true).await } else { future::pending().await }
}

fn is_first_process() -> bool {
    process::id() == 1
}
