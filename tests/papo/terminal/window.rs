//! A terminal of 80 by 24 with a shell in it, which tmux runs: keys are sent to it, and its screen is
//! read.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::PATIENCE;

/// Between two looks at a screen.
const PAUSE: Duration = Duration::from_millis(10);

/// A tmux of its own. It ends with the test, however that ends.
pub struct Window {
    socket: PathBuf,
    home: PathBuf,
    port: u16,
}

impl Window {
    /// Opens one in a home, which is made if it is not there. Nothing of the caller's environment is
    /// in it but the path; these variables are. papod's port is not the same twice, so screens say
    /// 12345 for it.
    pub fn open(home: &Path, port: u16, variables: &[(&str, &str)]) -> Window {
        fs::create_dir_all(home).unwrap();
        fs::write(home.join("shrc"), "PS1='$ '\n").unwrap();
        // The path of a socket has 107 bytes at most, and homes may lie deep.
        let name = format!("tmux-{}", fs::read_dir(home).unwrap().count());
        let window = Window { socket: home.join(name), home: home.to_owned(), port };
        let programs = Path::new(env!("CARGO_BIN_EXE_papo")).parent().unwrap().display();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        let mut command = window.command();
        command.args(["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-c"]);
        command.arg(home).arg("sh");
        command.env_clear().envs(variables.iter().copied());
        command.env("PATH", path).env("HOME", home).env("ENV", home.join("shrc"));
        command.env("TERM", "xterm").env("TZ", "UTC0").env("LC_ALL", "C.UTF-8");
        assert!(command.status().unwrap().success(), "tmux starts");
        window.shows("|$");
        window
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-u").arg("-S").arg(&self.socket).stdin(Stdio::null());
        command
    }

    /// A command to tmux, which must succeed; gives back what it prints.
    pub fn tmux(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command in the shell, whose prompt stands there. When it has ended, its status is
    /// shown.
    pub fn start(&self, command: &str) {
        self.line(&format!("clear; {command}; echo status $?"));
    }

    /// Types a text.
    pub fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses a key, called as tmux calls it.
    pub fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a text, and Enter.
    pub fn line(&self, text: &str) {
        self.text(text);
        self.key("Enter");
    }

    /// Sends a message that is one line on the screen, and waits until it is shown to be on the
    /// server: only then can a command be about it.
    pub fn sends(&self, message: &str) {
        self.line(message);
        let shown = format!("you: {message}");
        let is_sent = |line: &str| line.contains('✓') && line.ends_with(&shown);
        self.changes(|screen| screen.lines().any(is_sent));
    }

    /// Pastes a text, as terminals do: marked as pasted, where the program asked for that.
    pub fn paste(&self, text: &str) {
        self.paste_bytes(text.as_bytes());
    }

    /// The same, whatever bytes these are.
    pub fn paste_bytes(&self, bytes: &[u8]) {
        let mut load = self.command().args(["load-buffer", "-"]).stdin(Stdio::piped()).spawn();
        let load = load.as_mut().unwrap();
        load.stdin.take().unwrap().write_all(bytes).unwrap();
        assert!(load.wait().unwrap().success());
        self.tmux(&["paste-buffer", "-p", "-r"]);
    }

    /// The screen as it is, without blanks at the ends of lines.
    pub fn screen(&self) -> String {
        self.tidied(&self.tmux(&["capture-pane", "-p"]))
    }

    /// The same, where a line that the terminal has broken is one line.
    fn joined(&self) -> String {
        self.tidied(&self.tmux(&["capture-pane", "-p", "-J"]))
    }

    /// Takes out what differs from run to run.
    fn tidied(&self, screen: &str) -> String {
        let screen = screen.replace(&format!(":{}", self.port), ":12345");
        let screen = screen.replace(&self.home.display().to_string(), "~");
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let screen = screen.replace(&format!("token \"{host}\" "), "token \"HOST\" ");
        let lines: Vec<String> = screen.lines().map(|line| timeless(line.trim_end())).collect();
        lines.join("\n").trim_matches('\n').to_owned()
    }

    /// Waits until the whole screen is this, above and below which are empty lines only. Each line
    /// stands behind a `|`; all times are HH:MM.
    pub fn shows(&self, expected: &str) {
        let expected = behind_margin(expected);
        self.until(&expected, || self.screen(), |screen| screen == expected);
    }

    /// The same, where lines that the terminal has broken are whole.
    pub fn shows_joined(&self, expected: &str) {
        let expected = behind_margin(expected);
        self.until(&expected, || self.joined(), |screen| screen == expected);
    }

    /// Waits until this is somewhere on the screen.
    pub fn says(&self, text: &str) {
        self.until(text, || self.screen(), |screen| screen.contains(text));
    }

    /// The same, where lines that the terminal has broken are whole.
    pub fn says_joined(&self, text: &str) {
        self.until(text, || self.joined(), |screen| screen.contains(text));
    }

    /// Waits until tmux says this of the window.
    pub fn tells(&self, format: &str, expected: &str) {
        let told = || self.tmux(&["display-message", "-p", format]).trim().to_owned();
        self.until(expected, told, |told| told == expected);
    }

    /// Waits until the screen is such a one.
    pub fn changes(&self, mut is_so: impl FnMut(&str) -> bool) {
        self.until("another one", || self.screen(), |screen| is_so(screen));
    }

    /// Changes the size of the terminal, and waits until the programs in it are told, which tmux
    /// puts off for a while.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (x, y) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &x, "-y", &y]);
        let terminal = self.tmux(&["display-message", "-p", "#{pane_tty}"]);
        let terminal = fs::File::open(terminal.trim()).unwrap();
        let size = || {
            let size = rustix::termios::tcgetwinsize(&terminal).unwrap();
            format!("{} by {}", size.ws_col, size.ws_row)
        };
        let expected = format!("{x} by {y}");
        self.until(&expected, size, |size| size == expected);
    }

    fn until(&self, what: &str, look: impl Fn() -> String, mut is_so: impl FnMut(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = look();
            if is_so(&seen) {
                return;
            }
            assert!(Instant::now() < until, "EXPECTED\n{what}\n\nGOT\n{seen}\n");
            thread::sleep(PAUSE);
        }
    }

    /// The process that runs in the shell.
    pub fn process(&self) -> rustix::process::Pid {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        let child = children.trim().parse().expect("it runs one");
        rustix::process::Pid::from_raw(child).unwrap()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").stderr(Stdio::null()).status();
    }
}

/// The lines of a text that stand behind a `|`.
fn behind_margin(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix('|'));
    let lines: Vec<&str> = lines.map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// A line with YYYY-MM-DD for every day and HH:MM for every time of day.
fn timeless(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    // A form whose letters are digits begins here, and no number goes on before or behind it.
    let is_form = |at: usize, form: &str| {
        let alone = !is_digit(at + form.len()) && !at.checked_sub(1).is_some_and(is_digit);
        let fits = |(n, c): (usize, char)| match c {
            'A'..='Z' => is_digit(at + n),
            _ => chars.get(at + n) == Some(&c),
        };
        alone && form.chars().enumerate().all(fits)
    };
    let (mut out, mut at) = (String::new(), 0);
    while let Some(c) = chars.get(at) {
        match ["HH:MM", "YYYY-MM-DD"].into_iter().find(|form| is_form(at, form)) {
            Some(form) => out.push_str(form),
            None => out.push(*c),
        }
        at += out.chars().count() - at;
    }
    out
}
