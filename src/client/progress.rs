//! Shows at a terminal what is being waited for, after a second.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use smol::Timer;
use smol::future::FutureExt;

const SLOW: Duration = Duration::from_secs(1);

/// Time between two looks at what is to be shown.
const LOOK: Duration = Duration::from_millis(250);

pub const SERVER: &str = "waiting for the server";

/// Awaits `wanted`. If that takes more than a second and standard error is a terminal, `what` is
/// shown there until it is done.
pub async fn shown<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    shown_as(|| format!("{what} …"), wanted).await
}

/// The same for a text that changes meanwhile.
pub async fn shown_as<T>(what: impl Fn() -> String, wanted: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return wanted.await;
    }
    let mut on_screen = String::new();
    let slow = async {
        Timer::after(SLOW).await;
        loop {
            let text = format!("papo: {}", what());
            if text != on_screen {
                // Blanks also work without escape sequences.
                let _ = write!(io::stderr(), "\r{}\r{text}", blanks(&on_screen));
                on_screen = text;
            }
            Timer::after(LOOK).await;
        }
    };
    let had = wanted.or(slow).await;
    if !on_screen.is_empty() {
        let _ = write!(io::stderr(), "\r{}\r", blanks(&on_screen));
    }
    had
}

fn blanks(text: &str) -> String {
    " ".repeat(text.chars().count())
}
