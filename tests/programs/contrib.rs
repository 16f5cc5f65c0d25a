//! The shell pieces of contrib/ against a real papod, with the shells and netcats that people have.
//!
//! What needs something installed does not run unasked: `cargo test -- --ignored` does, and
//! `.ci/run` installs what is missing first. Each script gets a folder of its own for what it keeps
//! meanwhile, which has to be empty again at the end.

mod answered;
mod auth;
mod backups;
mod bots;
mod container;
#[path = "contrib/fail2ban.rs"]
mod fail2ban;
mod files;
mod jobs;
mod marks;
mod mirror;
mod papo_sh;
mod phones;
mod picture;
mod proxies;
mod ssh;
mod watched;

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{self, Client, Home, PASSWORD, PATIENCE, Papod, run};

/// A file of contrib/.
fn contrib(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(path)
}

/// The lines that the head of a script shows, each as one, without their indentation.
fn printed(path: &str) -> Vec<String> {
    let text = fs::read_to_string(contrib(path)).unwrap();
    let head: Vec<&str> = text.lines().map_while(|line| line.strip_prefix('#')).collect();
    let head = head.join("\n").replace("\\\n ", "");
    head.lines().filter_map(|line| line.strip_prefix("   ")).map(str::to_owned).collect()
}

/// A papod with alice and bob, and a folder for scripts.
struct Place {
    home: Home,
    papod: Papod,
    /// Where programs are looked for, if not where this test finds its own.
    path: Option<PathBuf>,
}

impl Place {
    fn new() -> Place {
        Place::with(|_| Vec::new())
    }

    /// With more flags, which may name files of its folder.
    fn with(flags: impl FnOnce(&Path) -> Vec<String>) -> Place {
        let home = Home::new();
        fs::create_dir(home.path().join("tmp")).unwrap();
        let papod = Papod::start_with(&home.db(), flags(home.path()));
        drop((papod.register("alice"), papod.register("bob")));
        Place { home, papod, path: None }
    }

    /// From now on scripts find no program but those of busybox.
    fn with_busybox_alone(&mut self) {
        let bin = self.path("busybox");
        if !bin.exists() {
            fs::create_dir(&bin).unwrap();
            ended(Command::new("busybox").args(["--install", "-s"]).arg(&bin), 0);
        }
        self.path = Some(bin);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A program that scripts of `who` start from, in the folder.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, who: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .env("TMPDIR", self.path("tmp"))
            .env("PAPO_SERVER", self.papod.address.to_string())
            .env("PAPO_AS", who)
            .env("PAPO_SECRET", PASSWORD)
            .env("PAPO_NC", "nc.openbsd")
            // Long enough for a machine that is busy.
            .env("PAPO_PING", "4")
            .envs(self.path.iter().map(|path| ("PATH", path)));
        command
    }

    /// A script of contrib/.
    fn script(&self, path: &str, who: &str) -> Command {
        self.command(contrib(path), who)
    }

    /// Lines of shell that use contrib/papo.sh. The shell is one or two words.
    fn shell(&self, shell: &str, who: &str, lines: &str) -> Command {
        let mut words = shell.split(' ');
        let mut command = self.command(words.next().unwrap(), who);
        command.args(words).arg("-c").arg(format!(". {}; {lines}", contrib("papo.sh").display()));
        command
    }

    /// The bodies of what two people have said to each other.
    fn said(&self, who: &str, to: &str) -> Vec<String> {
        let history = self.papod.login_quietly(who).history(to, 0);
        history.into_iter().map(|entry| entry.body).collect()
    }

    /// Nothing is left of what a script kept meanwhile.
    fn is_tidy(&self) {
        let left: Vec<_> = fs::read_dir(self.path("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Reads up to a message that starts so.
fn hears(client: &mut Client, body: &str) -> u64 {
    loop {
        let read = client.until("MSG ");
        let entry = process::Entry::parse(read.last().unwrap());
        if entry.body.starts_with(body) {
            return entry.id;
        }
    }
}

/// It ended with this status; gives back what it printed, and what it complained of.
fn ended(command: &mut Command, status: i32) -> (String, String) {
    let Output { status: ended, stdout, stderr } = run(command);
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(ended.code(), Some(status), "{out}\n{err}");
    (out, err)
}

/// A script that has not ended this long after it was asked to is asked again.
const AGAIN: Duration = Duration::from_secs(3);

/// A script that runs, and the lines that it prints. Standard error is not looked at.
struct Running {
    child: Child,
    lines: Receiver<String>,
    /// It was asked to end, then.
    asked: Cell<Option<Instant>>,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (say, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        Running { child, lines, asked: Cell::new(None) }
    }

    /// The next line. There must be one.
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line is printed")
    }

    /// It ends, and prints nothing more, since all that it started has ended, too; its status.
    fn ends(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                // What it started sees that it is gone only when it has been waited for.
                Err(mpsc::RecvTimeoutError::Timeout) if Instant::now() < end => {
                    let is_over = self.child.try_wait().unwrap().is_some();
                    // A shell cannot wait for a line and a signal at once: one that comes just before
                    // its `read` begins is looked at after the next line.
                    let asked = self.asked.get().is_some_and(|at| at.elapsed() > AGAIN);
                    if asked && !is_over {
                        self.terminate();
                    }
                }
                other => panic!("it goes on: {other:?}"),
            }
        }
        self.child.wait().unwrap().code()
    }

    /// Asks it to end.
    fn terminate(&self) {
        let id = i32::try_from(self.child.id()).expect("ids are small");
        let id = rustix::process::Pid::from_raw(id).expect("ids are not zero");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.asked.set(Some(Instant::now()));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so, where there is no line and no end to wait for.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not so: {what}");
        thread::yield_now();
    }
}

/// Each piece says in its header how it is used, is short, and can be run where it is a program.
#[test]
fn every_piece_says_how_to_use_it() {
    use std::os::unix::fs::PermissionsExt;
    let scripts = [
        "bots/echo.sh",
        "bots/forward.sh",
        "bots/logtail.sh",
        "bots/poll.sh",
        "bots/remind.sh",
        "cron/escalate.sh",
        "cron/status.sh",
        "cron/tell.sh",
        "demo.sh",
        "mirror.sh",
        "picture/picture.sh",
        "ssh/papo-ssh.sh",
    ];
    for path in scripts {
        let text = fs::read_to_string(contrib(path)).unwrap();
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        assert!(text.starts_with(&format!("#!/bin/sh\n# {name}: ")), "{path}");
        let header: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(header.contains("contrib/") || header.contains("papo/"), "{path} has no example");
        assert!(!path.starts_with("bots/") || text.lines().count() < 60, "{path} is long");
        let mode = fs::metadata(contrib(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{path} cannot be run");
        assert!(include_str!("../../README.md").contains(&format!("contrib/{path}")), "{path}");
    }
}
