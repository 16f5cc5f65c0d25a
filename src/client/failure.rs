//! Why a command of papo failed: its message and its exit status. Only [`report`] prints anything.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use super::harmless::harmless;
use crate::wire::rows::ErrLine;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// The server refused; its `ERR` line. Status 1.
    Refused(String),
    /// It cannot be done, for a reason on this side. Status 1.
    Unfit(String),
    /// The command line, the environment or the settings are wrong. Status 2.
    Usage(String),
    /// The server could not be reached, or the connection was lost. Status 3.
    Lost(String),
    /// The server is not what was expected: its certificate is not trusted, or it does not speak
    /// TLS. Retrying is useless until somebody fixes that. Status 3.
    Wrong(String),
    /// The server is there and lets nobody in for now. Status 3.
    Busy(String),
    /// The user left before a conversation began: not a failure, status 0.
    Left,
    /// Terminated by the signal of this number. Status 128 plus that number, as in a shell.
    Signal(u8),
    /// The secret was refused; the `ERR` line. Status 4.
    Secret(String),
    /// It took longer than allowed. Status 5.
    TimedOut(String),
    /// Writing to standard output failed. Status 0 if its reader has gone, which is an ordinary
    /// end, else 1.
    Output(io::Error),
}

impl Failure {
    /// A timeout after `seconds`; `what` begins the message, as in `no answer within 5 seconds`.
    pub fn not_within(seconds: u64, what: &str) -> Failure {
        let s = if seconds == 1 { "" } else { "s" };
        Failure::TimedOut(format!("{what} within {seconds} second{s}"))
    }

    /// The exit status: 0 to 5, or 128 and the number of a signal.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => 0,
            Failure::Left => 0,
            Failure::Refused(_) | Failure::Unfit(_) | Failure::Output(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Lost(_) | Failure::Wrong(_) | Failure::Busy(_) => 3,
            Failure::Signal(number) => 128 + number,
            Failure::Secret(_) => 4,
            Failure::TimedOut(_) => 5,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            // The server's line, unchanged for scripts, except that its advice is for a shell.
            Failure::Refused(line) => f.write_str(&in_shell(line)),
            Failure::Secret(line) => f.write_str(line),
            Failure::Unfit(why)
            | Failure::Usage(why)
            | Failure::Lost(why)
            | Failure::Wrong(why)
            | Failure::Busy(why)
            | Failure::TimedOut(why) => write!(f, "papo: {why}"),
            Failure::Left => f.write_str("papo: left"),
            Failure::Signal(number) => write!(f, "papo: ended by signal {number}"),
            Failure::Output(e) => write!(f, "papo: standard output: {e}"),
        }
    }
}

/// Prints a line on standard error, made harmless for a terminal. If it is closed, nobody wants to
/// know.
pub fn report(what: impl fmt::Display) {
    let what = what.to_string();
    let is_terminal = io::stderr().is_terminal();
    let what = if is_terminal { harmless(&what) } else { what.into() };
    let _ = writeln!(io::stderr(), "{what}");
}

/// An `ERR` line with its advice rewritten for a shell.
pub fn in_shell(line: &str) -> String {
    let refused = ErrLine::parse(line);
    let has_lossy = |verb| matches!(verb, "MSG" | "ONCE" | "RE" | "EDIT" | "AT" | "UNLESS");
    if refused.is_some_and(|it| it.code == "bad-text" && has_lossy(it.verb)) {
        let what = line.split("; ").next().unwrap_or(line);
        return format!("{what}; --lossy replaces what cannot be sent");
    }
    let verbs = ["FIND", "HIST", "TOKEN DEL", "TOKEN LIST", "GROUP WHO", "RE"];
    let line = verbs.iter().fold(line.to_owned(), |line, verb| {
        line.replace(&format!("; {verb} "), &format!("; papo {} ", verb.to_lowercase()))
    });
    line.replace("; AT shows ", "; papo later shows ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_for_whoever_reads_it() {
        for (line, expected) in [
            (
                "ERR ONCE no-such-user bbo: none; FIND bbo looks for one",
                "ERR ONCE no-such-user bbo: none; papo find bbo looks for one",
            ),
            (
                "ERR TOKEN taken ci: taken; TOKEN DEL ci revokes it",
                "ERR TOKEN taken ci: taken; papo token del ci revokes it",
            ),
            (
                "ERR ONCE bad-text byte 3: colours; use rlwrap nc",
                "ERR ONCE bad-text byte 3: colours; --lossy replaces what cannot be sent",
            ),
            (
                "ERR EDIT not-yours 1: only ana may change this; RE 1 <text> answers it",
                "ERR EDIT not-yours 1: only ana may change this; papo re 1 <text> answers it",
            ),
            (
                "ERR AT no-such-message 2: nothing waits; AT shows what does",
                "ERR AT no-such-message 2: nothing waits; papo later shows what does",
            ),
        ] {
            assert_eq!(in_shell(line), expected);
        }
    }
}
