//! Shows at a terminal what is being waited for, after a second.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use smol::Timer;
use smol::future::{self, FutureExt};

const SLOW: Duration = Duration::from_secs(1);

pub const SERVER: &str = "waiting for the server";

/// Awaits `wanted`. If that takes more than a second and standard error is a terminal, `what` is
/// shown there until it is done.
pub async fn shown<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return wanted.await;
    }
    let text = format!("papo: {what} …");
    let mut is_shown = false;
    let slow = async {
        Timer::after(SLOW).await;
        let _ = write!(io::stderr(), "{text}");
        is_shown = true;
        future::pending().await
    };
    let had = wanted.or(slow).await;
    if is_shown {
        // Blanks also work without escape sequences.
        let _ = write!(io::stderr(), "\r{}\r", " ".repeat(text.chars().count()));
    }
    had
}
