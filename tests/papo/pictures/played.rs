//! A terminal of 80 by 24 cells of 10 by 20 pixels that is played: papo runs at it, it answers as
//! terminals of its kind do, and all that it is sent can be looked at.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{read, write};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::drawn::{self, Drawn};
use crate::process::{Home, PASSWORD, PATIENCE, Papod, die_with_this_thread};

/// What a terminal answers to each of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalKind {
    pub name: &'static str,
    answers: &'static [(&'static str, &'static str)],
}

const KITTY: &str = "\x1b_Gi=4294967295,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\";
const VERSION: &str = "\x1b[>0q";
const ATTRIBUTES: &str = "\x1b[c";

impl TerminalKind {
    pub const KITTY: TerminalKind = TerminalKind {
        name: "kitty",
        answers: &[
            (VERSION, "\x1bP>|kitty(0.35.2)\x1b\\"),
            (KITTY, "\x1b_Gi=4294967295;OK\x1b\\"),
            (ATTRIBUTES, "\x1b[?62;c"),
        ],
    };
    pub const ITERM: TerminalKind = TerminalKind {
        name: "iTerm2",
        answers: &[
            (VERSION, "\x1bP>|iTerm2 3.5.4\x1b\\"),
            (ATTRIBUTES, "\x1b[?64;1;2;4;6;17;18;21;22c"),
        ],
    };
    pub const SIXEL: TerminalKind = TerminalKind {
        name: "sixel",
        answers: &[(VERSION, "\x1bP>|foot(1.16.2)\x1b\\"), (ATTRIBUTES, "\x1b[?62;4;22c")],
    };
    /// It is not asked for kitty's, which it would take for a title.
    pub const TMUX: TerminalKind = TerminalKind {
        name: "tmux",
        answers: &[(VERSION, "\x1bP>|tmux 3.5a\x1b\\"), (ATTRIBUTES, "\x1b[?1;2;4c")],
    };
    pub const PLAIN: TerminalKind =
        TerminalKind { name: "plain", answers: &[(ATTRIBUTES, "\x1b[?1;2c")] };
    pub const SILENT: TerminalKind = TerminalKind { name: "silent", answers: &[] };
}

pub struct PlayedTerminal {
    master: OwnedFd,
    child: Child,
    kind: TerminalKind,
    /// All that was sent to it.
    sent: Vec<u8>,
    screen: vt100::Parser,
}

impl PlayedTerminal {
    /// Runs papo as ana, with these variables on top.
    pub fn open(
        home: &Home,
        papod: &Papod,
        kind: TerminalKind,
        more: &[(&str, &str)],
    ) -> PlayedTerminal {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = open(name, flags, Mode::empty()).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 800, ws_ypixel: 480 };
        tcsetwinsize(&master, size).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_papo"));
        let end = || Stdio::from(slave.try_clone().unwrap());
        command.stdin(end()).stdout(end()).stderr(end()).env_clear().current_dir(home.path());
        command.env("HOME", home.path()).env("TERM", "xterm").env("TZ", "UTC0");
        if kind == TerminalKind::TMUX {
            command.env("TMUX", "/tmp/tmux-0/default,1,0");
        }
        command.env("PAPO_SERVER", papod.address.to_string()).env("PAPO_AS", "ana");
        command.env("PAPO_SECRET", PASSWORD).envs(more.iter().copied());
        die_with_this_thread(&mut command);
        let child = command.spawn().unwrap();
        let cells = |n| std::num::NonZero::new(n).unwrap();
        let screen = vt100::Parser::new(cells(24), cells(80), 0);
        PlayedTerminal { master, child, kind, sent: Vec::new(), screen }
    }

    pub fn types(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let n = write(&self.master, rest).unwrap();
            rest = &rest[n..];
        }
    }

    /// Answers, in the order of the questions.
    pub fn answers(&mut self) {
        let answers = self.kind.answers.iter().filter(|(question, _)| self.has_said(question));
        let answers: String = answers.map(|(_, answer)| *answer).collect();
        let has_all = self.kind.answers.iter().all(|(question, _)| self.has_said(question));
        assert!(has_all, "{:?}", String::from_utf8_lossy(&self.sent));
        assert_eq!(self.has_said(KITTY), self.kind != TerminalKind::TMUX);
        self.types(&answers);
    }

    pub fn is_asked(&self) -> bool {
        self.has_said(ATTRIBUTES)
    }

    pub fn until_asked(&mut self) {
        self.until("a question", PlayedTerminal::is_asked);
    }

    /// Waits until it was sent this.
    pub fn says(&mut self, text: &str) {
        self.until(text, |it| it.has_said(text));
    }

    /// Waits until a row of the screen has this text.
    pub fn shows(&mut self, text: &str) {
        self.until(text, |it| it.rows().iter().any(|row| row.contains(text)));
    }

    /// Waits until a row has this text, and the one below it that.
    pub fn shows_below(&mut self, text: &str, next: &str) {
        let is_so = |two: &[String]| two[0].contains(text) && two[1].contains(next);
        self.until(next, |it| it.rows().windows(2).any(is_so));
    }

    /// Waits until so many pictures were drawn, and returns all of them.
    pub fn draws(&mut self, count: usize) -> Vec<Drawn> {
        self.until("a picture", |it| it.drawn().len() >= count);
        self.drawn()
    }

    /// The pictures drawn so far.
    pub fn drawn(&self) -> Vec<Drawn> {
        drawn::all(&self.sent)
    }

    /// Whether it was sent this.
    pub fn has_said(&self, text: &str) -> bool {
        self.sent.windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// The rows of the screen.
    pub fn rows(&self) -> Vec<String> {
        self.screen.screen().rows(0, 80).map(|row| row.trim_end().to_owned()).collect()
    }

    /// The most memory that papo had, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        most.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The user leaves.
    pub fn leaves(&mut self) {
        self.types("\x04");
        while self.reads() {}
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{:#?}", self.rows());
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&PlayedTerminal) -> bool) {
        while !is_so(self) {
            assert!(self.reads(), "it has ended; expected {what}; {:#?}", self.rows());
        }
    }

    /// Reads what comes next. Returns whether there is more to come.
    fn reads(&mut self) -> bool {
        let began = Instant::now();
        let mut wanted = [PollFd::new(&self.master, PollFlags::IN)];
        let time = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        let ready = poll(&mut wanted, Some(&time)).unwrap();
        assert!(ready > 0, "nothing for {:?}; {:#?}", began.elapsed(), self.rows());
        let mut bytes = [0; 65_536];
        // An error is the end of the last program at it.
        let Ok(n) = read(&self.master, &mut bytes) else { return false };
        self.sent.extend_from_slice(&bytes[..n]);
        self.screen.process(&bytes[..n]);
        n > 0
    }
}

impl Drop for PlayedTerminal {
    fn drop(&mut self) {
        // It may have ended already; its id is not given away before it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
