//! What is known of a verb: how it is typed, what it does, where it is served, and the rule that
//! parses it. `verb_table` has them all.

use super::fields::ParseResult;
use super::request::Command;

/// To whom a verb is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// To everyone, on every listener.
    Everyone,
    /// To everyone, but not on the operators' listener.
    Strangers,
    /// To sessions that are logged in.
    Accounts,
    /// To sessions that are logged in over a Unix socket.
    UnixAccounts,
    /// On the operators' listener only.
    Operators,
}

/// Which listener a session came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// A TCP socket, with TLS or without.
    Network,
    /// A Unix socket, where the peer's uid is known.
    Unix,
    /// The operators' socket, `--admin`.
    Admin,
}

impl Served {
    /// Whether such a verb is served on this listener at all.
    pub fn at(self, listener: ListenerKind) -> bool {
        match self {
            Served::Everyone => true,
            Served::Strangers | Served::Accounts => listener != ListenerKind::Admin,
            Served::UnixAccounts => listener == ListenerKind::Unix,
            Served::Operators => listener == ListenerKind::Admin,
        }
    }

    /// Where such a verb is served, if it is not on this listener, as a sentence for `ERR`.
    pub fn elsewhere(self, listener: ListenerKind) -> Option<&'static str> {
        (!self.at(listener)).then_some(match (listener, self) {
            (ListenerKind::Admin, _) => "this socket serves only ADMIN, HELP, PING and QUIT",
            (_, Served::Operators) => "ADMIN works on the socket of --admin",
            _ => "UID works on the socket of --unix",
        })
    }

    pub fn needs_login(self) -> bool {
        matches!(self, Served::Accounts | Served::UnixAccounts)
    }
}

pub struct Verb {
    /// Its heading in `HELP`; verbs of one subject are adjacent.
    pub subject: &'static str,
    /// The word, in capitals.
    pub word: &'static str,
    /// Its syntax as `HELP` shows it.
    pub form: &'static str,
    /// What it does, in lines of a terminal's width.
    pub does: &'static [&'static str],
    /// An example that can be typed as it stands.
    pub example: &'static str,
    /// The `ERR` codes it may get, except those that any command may.
    pub errors: &'static str,
    pub served: Served,
    pub(super) rule: fn(&str) -> ParseResult<'_, Command>,
}

impl Verb {
    /// What it does, briefly: its explanation up to the first semicolon.
    pub fn brief(&self) -> &'static str {
        self.does.first().and_then(|line| line.split(';').next()).unwrap_or_default()
    }
}

impl PartialEq for Verb {
    fn eq(&self, other: &Verb) -> bool {
        self.word == other.word
    }
}
impl Eq for Verb {}

impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self.word)
    }
}
