//! How an answer looks: the only place that writes lines for a client.
//!
//! Every function appends whole lines to `out`. Fields are separated by one space, none is empty.

use std::cell::Cell;

use super::help::Verb;
use super::refusal::Refusal;
use super::{help, request, text};
use crate::entry::{Cursor, Entry, EntryId, Millis, Receipt};
use crate::name::{DisplayName, Handle, Target};

/// The name of the server in its greeting.
pub const SERVER: &str = concat!("papod/", env!("CARGO_PKG_VERSION"));

/// The final line of a command that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `OK REG`
    Registered(Handle),
    /// `OK LOGIN`, with how many entries wait.
    LoggedIn { handle: Handle, pending: u64 },
    /// `OK QUIT`
    Quit,
    /// `OK PING`
    Pong(String),
    /// `OK WHOAMI`
    You { handle: Handle, name: DisplayName },
    /// `OK NAME`
    Named,
    /// `OK PASSWD`
    PasswordChanged,
    /// `OK MSG`
    Sent { id: EntryId, time: Millis },
    /// `OK TALK`; nobody where it ended.
    Talking(Option<Target>),
    /// `OK ACK` and `OK READ`; no id where nothing had been sent.
    Moved { cursor: Cursor, id: Option<EntryId> },
    /// `OK SET`
    Set(request::Setting),
    /// `OK HIST`
    Listed { count: usize, more: bool },
}

/// Why the server ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bye {
    /// It was asked to.
    Quit,
    /// The server ends.
    Shutdown,
    /// Nobody logged in for a while.
    LoginTimeout,
    /// The password was changed elsewhere.
    Kicked,
    /// The client speaks HTTP.
    NotHttp,
    /// The client speaks TLS.
    NotTls,
    /// Nothing came for as long as `--idle` allows.
    Idle,
    /// The peer took no byte for too long.
    Stalled,
}

impl Bye {
    /// The word after `BYE`.
    pub fn reason(self) -> &'static str {
        match self {
            Bye::Quit => "quit",
            Bye::Shutdown => "shutdown",
            Bye::LoginTimeout => "login-timeout",
            Bye::Kicked => "kicked",
            Bye::NotHttp => "not-http",
            Bye::NotTls => "not-tls",
            Bye::Idle => "idle",
            Bye::Stalled => "stalled",
        }
    }
}

/// `HELLO papo/1 <server> type HELP`
pub fn hello(out: &mut Vec<u8>) {
    put(out, &["HELLO papo/1 ", SERVER, " type HELP\n"]);
}

/// `OK …`
pub fn ok(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Registered(handle) => put(out, &["OK REG ", handle.as_str()]),
        Reply::LoggedIn { handle, pending } => {
            put(out, &["OK LOGIN ", handle.as_str(), " "]);
            number(out, i64::try_from(*pending).unwrap_or(i64::MAX));
        }
        Reply::Quit => put(out, &["OK QUIT"]),
        Reply::Pong(said) if said.is_empty() => put(out, &["OK PING"]),
        Reply::Pong(said) => {
            put(out, &["OK PING "]);
            text::escape(said, out);
        }
        Reply::You { handle, name } => {
            put(out, &["OK WHOAMI ", handle.as_str(), " "]);
            text::escape(name.as_str(), out);
        }
        Reply::Named => put(out, &["OK NAME"]),
        Reply::PasswordChanged => put(out, &["OK PASSWD"]),
        Reply::Sent { id, time } => {
            put(out, &["OK MSG "]);
            number(out, id.0);
            out.push(b' ');
            stamp(out, *time);
        }
        Reply::Talking(to) => {
            put(out, &["OK TALK "]);
            match to {
                Some(to) => target(out, to),
                None => put(out, &["-"]),
            }
        }
        Reply::Moved { cursor, id } => {
            put(out, &["OK ", verb(*cursor), " "]);
            match id {
                Some(id) => number(out, id.0),
                None => put(out, &["-"]),
            }
        }
        Reply::Set(setting) => {
            let said = match setting {
                request::Setting::AckAuto(true) => "ack auto",
                request::Setting::AckAuto(false) => "ack manual",
                request::Setting::Receipts(true) => "receipts on",
                request::Setting::Receipts(false) => "receipts off",
            };
            put(out, &["OK SET ", said]);
        }
        Reply::Listed { count, more } => {
            put(out, &["OK HIST "]);
            number(out, i64::try_from(*count).unwrap_or(i64::MAX));
            put(out, &[if *more { " more" } else { " end" }]);
        }
    }
    out.push(b'\n');
}

/// `ERR <VERB> <code> <text>`
pub fn err(out: &mut Vec<u8>, verb: &str, refusal: &Refusal) {
    put(out, &["ERR ", verb, " ", refusal.code(), " "]);
    text::escape(&refusal.to_string(), out);
    out.push(b'\n');
}

/// The rows of `HELP` and its `OK`.
pub fn help(out: &mut Vec<u8>, verb: Option<&Verb>) {
    for line in verb.map_or_else(help::overview, help::of) {
        put(out, &["HELP "]);
        text::escape(&line, out);
        out.push(b'\n');
    }
    put(out, &["OK HELP\n"]);
}

/// `MSG <id> <time> <from> <to> <tags> <body>`
pub fn entry(out: &mut Vec<u8>, entry: &Entry) {
    row(out, "MSG ", entry);
}

/// `HIST <id> <time> <from> <to> <tags> <body>`
pub fn hist(out: &mut Vec<u8>, entry: &Entry) {
    row(out, "HIST ", entry);
}

fn row(out: &mut Vec<u8>, word: &str, entry: &Entry) {
    put(out, &[word]);
    number(out, entry.id.0);
    out.push(b' ');
    stamp(out, entry.time);
    put(out, &[" ", entry.from.as_str(), " "]);
    target(out, &entry.to);
    put(out, &[" - "]);
    text::escape(&entry.body, out);
    out.push(b'\n');
}

/// `ACK <id> <time> <from> <to>`, likewise `READ`
pub fn receipt(out: &mut Vec<u8>, receipt: &Receipt) {
    put(out, &[verb(receipt.cursor), " "]);
    number(out, receipt.id.0);
    out.push(b' ');
    stamp(out, receipt.time);
    put(out, &[" ", receipt.from.as_str(), " "]);
    target(out, &receipt.to);
    out.push(b'\n');
}

/// `LIVE <id>`
pub fn live(out: &mut Vec<u8>, newest: EntryId) {
    put(out, &["LIVE "]);
    number(out, newest.0);
    out.push(b'\n');
}

/// `BYE <reason>`
pub fn bye(out: &mut Vec<u8>, bye: Bye) {
    put(out, &["BYE ", bye.reason(), "\n"]);
}

/// The verb that moves a cursor and that tells of it.
pub fn verb(cursor: Cursor) -> &'static str {
    match cursor {
        Cursor::Delivered => "ACK",
        Cursor::Read => "READ",
    }
}

fn put(out: &mut Vec<u8>, words: &[&str]) {
    for word in words {
        out.extend_from_slice(word.as_bytes());
    }
}

fn target(out: &mut Vec<u8>, to: &Target) {
    match to {
        Target::Person(handle) => put(out, &[handle.as_str()]),
        Target::Group(name) => put(out, &["#", name.as_str()]),
    }
}

fn number(out: &mut Vec<u8>, n: i64) {
    put(out, &[itoa::Buffer::new().format(n)]);
}

/// UTC, RFC 3339, always with milliseconds: 24 characters.
fn stamp(out: &mut Vec<u8>, time: Millis) {
    // All entries of a batch have one time, so the last one written is nearly always the next.
    thread_local! {
        static LAST: Cell<(i64, [u8; 24])> = const { Cell::new((0, *b"1970-01-01T00:00:00.000Z")) };
    }
    let (mut at, mut said) = LAST.get();
    if at != time.0 {
        let stamp = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
        let printed = format!("{stamp:.3}");
        at = time.0;
        // A year before 0 or after 9999 is longer; no clock that gives one is believed.
        said = printed.as_bytes().try_into().unwrap_or(*b"1970-01-01T00:00:00.000Z");
        LAST.set((at, said));
    }
    out.extend_from_slice(&said);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_utc_with_milliseconds() {
        let said = |ms| {
            let mut out = Vec::new();
            stamp(&mut out, Millis(ms));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(said(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(said(1_795_327_451_123), "2026-11-22T06:04:11.123Z");
        assert_eq!(said(1_795_327_451_120), "2026-11-22T06:04:11.120Z");
        assert_eq!(said(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(said(i64::MAX), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn an_entry_is_one_line() {
        let ana = Handle::new("ana").unwrap();
        let entry = Entry {
            id: EntryId(17),
            time: Millis(0),
            from: ana.clone(),
            to: Target::Person(ana),
            body: "a\nb\\".into(),
        };
        let mut out = Vec::new();
        super::entry(&mut out, &entry);
        assert_eq!(out, b"MSG 17 1970-01-01T00:00:00.000Z ana ana - a\\nb\\\\\n");
    }
}
