//! Desktop notifications, by `notify-send`.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use smol::channel::Sender;

use super::jobs::News;

const PROGRAM: &str = "notify-send";

/// The warning if the program is missing.
pub fn missing() -> Option<String> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let is_there =
        env::split_paths(&folders).any(|folder| Path::new(&folder).join(PROGRAM).is_file());
    (!is_there).then(|| format!("--notify: {PROGRAM} is not installed"))
}

/// Shows that `from` has written, perhaps in a group. Failures go to `tell`.
pub fn show(from: &str, group: Option<&str>, tell: Sender<News>) {
    let place = group.map(|group| format!(" in {group}")).unwrap_or_default();
    // Arguments can be read by all users of the machine, so the text is not among them.
    let mut notice = Command::new(PROGRAM);
    notice.args(["--app-name=papo", "papo"]).arg(format!("a message from {from}{place}"));
    notice.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // On a thread, as it may be slow.
    thread::spawn(move || {
        let why = match notice.status() {
            Ok(status) if status.success() => return,
            Ok(status) => status.to_string(),
            Err(e) => e.to_string(),
        };
        let _ = tell.try_send(News::Unnoticed(format!("--notify: {PROGRAM} failed: {why}")));
    });
}
