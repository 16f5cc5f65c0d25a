//! Whoever waits at a terminal for more than a second is told for what.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use smol::Timer;
use smol::future::{self, FutureExt};

/// After how long.
const SLOW: Duration = Duration::from_secs(1);

/// What most wait for.
pub const SERVER: &str = "waiting for the server";

/// Waits for something. What it is stands on standard error while it takes longer than a second, and
/// is taken away again; where standard error is no terminal, nothing is said.
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
        // Blanks, as a terminal that knows no escape sequences takes them, too.
        let _ = write!(io::stderr(), "\r{}\r", " ".repeat(text.chars().count()));
    }
    had
}
