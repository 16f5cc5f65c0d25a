//! Signals that end a command that goes on for ever.
//!
//! Without this the system ends it, but for the first process of a container, to which it passes
//! only signals that are listened for.

use std::process;

use async_signal::{Signal, Signals};
use smol::future;
use smol::stream::StreamExt;

use super::failure::Failure;

/// Ends with a `Signal` when SIGTERM comes, and in the first process of a container, or where `all`
/// is set, when SIGINT or SIGHUP comes.
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

/// The same for what leaves nothing to be done: all others are ended by the system.
pub async fn ended_as_first<T>() -> Result<T, Failure> {
    if is_first_process() { ended(true).await } else { future::pending().await }
}

fn is_first_process() -> bool {
    process::id() == 1
}
