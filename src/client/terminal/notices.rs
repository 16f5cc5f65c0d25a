//! Desktop notifications, by `notify-send`.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use jiff::Timestamp;
use smol::channel::Sender;

use super::jobs::News;

const PROGRAM: &str = "notify-send";

/// A notice on the desktop.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noticed {
    /// Its number, once that is known.
    pub number: Option<u32>,
    /// When its message vanishes.
    pub due: Option<Timestamp>,
}

/// The warning if the program is missing.
pub fn missing() -> Option<String> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let is_there =
        env::split_paths(&folders).any(|folder| Path::new(&folder).join(PROGRAM).is_file());
    (!is_there).then(|| format!("--notify: {PROGRAM} is not installed"))
}

/// Shows a notice about the message `id`. Its number goes to `tell`, and so do failures.
pub fn show(id: u64, what: String, tell: Sender<News>) {
    // On a thread, as it may be slow.
    thread::spawn(move || {
        // `what` has no text of a message: arguments can be read by all users of the machine.
        // notify-send before 0.8 cannot print the number.
        let shown = run(&["--print-id", "papo", &what]).or_else(|_| run(&["papo", &what]));
        let told = match shown {
            Ok(number) => number.trim().parse().ok().map(|number| News::Noticed(id, number)),
            Err(why) => Some(News::Unnoticed(format!("--notify: {PROGRAM} failed: {why}"))),
        };
        told.into_iter().for_each(|told| drop(tell.try_send(told)));
    });
}

/// Withdraws the notice of this number. The program can only replace it, by one that expires at
/// once; desktops that keep that one show that the message is gone.
pub fn withdraw(notice: u32) {
    thread::spawn(move || {
        let replaced = format!("--replace-id={notice}");
        let _ = run(&[&replaced, "--expire-time=1", "papo", "a message was deleted"]);
    });
}

/// Runs the program. Returns what it prints, or why it failed.
fn run(arguments: &[&str]) -> Result<String, String> {
    let mut notice = Command::new(PROGRAM);
    notice.arg("--app-name=papo").args(arguments);
    notice.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    match notice.output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(output.status.to_string()),
        Err(e) => Err(e.to_string()),
    }
}
