//! How an answer looks: the only place that writes lines for a client.
//!
//! Every function appends whole lines to `out`. Fields are separated by one space, none is empty.

use std::cell::Cell;

use super::refusal::Refusal;
use super::{request, text};
use crate::entry::{Cursor, Entry, EntryId, EntryKind, Millis, Receipt, SessionId};
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
    /// `OK SYNC`
    Synced { last: EntryId, more: bool },
    /// `OK GROUP NEW` and the like
    Grouped { word: &'static str, name: Handle },
    /// `OK BLOCK`, `OK UNBLOCK`
    Blocked { whom: Handle, on: bool },
    /// `OK TOKEN NEW`: the only time that the token is shown
    TokenMade { label: Box<str>, token: Box<str> },
    /// `OK TOKEN DEL`
    TokenDropped(Box<str>),
    /// `OK UID LINK`, `OK UID UNLINK`
    Linked { user: u32, on: bool },
    /// `OK ADMIN USER NEW` and the like, with the second and third word
    Managed { words: &'static str, handle: Handle },
    /// `OK ADMIN BACKUP`
    BackedUp { bytes: u64 },
    /// `OK WAIT`
    Waited { id: EntryId, cursor: Cursor },
    /// The end of a list: its verb, and how many rows it had
    Counted { verb: &'static str, count: usize },
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
    /// What opened it is void, or an operator ended it.
    Kicked,
    /// There are too many connections.
    TooMany,
    /// The client speaks HTTP.
    NotHttp,
    /// The client speaks TLS.
    NotTls,
    /// The client does not speak TLS, where TLS is spoken.
    NeedTls,
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
            Bye::TooMany => "too-many",
            Bye::NotHttp => "not-http",
            Bye::NotTls => "not-tls",
            Bye::NeedTls => "need-tls",
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
        Reply::Synced { last, more } => {
            put(out, &["OK SYNC "]);
            number(out, last.0);
            put(out, &[if *more { " more" } else { " end" }]);
        }
        Reply::Grouped { word, name } => put(out, &["OK GROUP ", word, " #", name.as_str()]),
        Reply::Blocked { whom, on } => {
            put(out, &[if *on { "OK BLOCK " } else { "OK UNBLOCK " }, whom.as_str()]);
        }
        Reply::TokenMade { label, token } => put(out, &["OK TOKEN NEW ", label, " ", token]),
        Reply::TokenDropped(label) => put(out, &["OK TOKEN DEL ", label]),
        Reply::Linked { user, on } => {
            put(out, &[if *on { "OK UID LINK " } else { "OK UID UNLINK " }]);
            number(out, i64::from(*user));
        }
        Reply::Managed { words, handle } => put(out, &["OK ADMIN ", words, " ", handle.as_str()]),
        Reply::BackedUp { bytes } => {
            put(out, &["OK ADMIN BACKUP ", itoa::Buffer::new().format(*bytes)]);
        }
        Reply::Waited { id, cursor } => {
            put(out, &["OK WAIT "]);
            number(out, id.0);
            put(out, &[" ", state(*cursor)]);
        }
        Reply::Counted { verb, count } => {
            put(out, &["OK ", verb, " "]);
            number(out, i64::try_from(*count).unwrap_or(i64::MAX));
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
pub fn help(out: &mut Vec<u8>, lines: &[String]) {
    for line in lines {
        put(out, &["HELP "]);
        text::escape(line, out);
        out.push(b'\n');
    }
    put(out, &["OK HELP\n"]);
}

/// `MSG <id> <time> <from> <to> <tags> <body>`, or `GROUP` with a change
pub fn entry(out: &mut Vec<u8>, entry: &Entry) {
    let word = match entry.kind {
        EntryKind::Message => "MSG ",
        EntryKind::Group => "GROUP ",
    };
    row(out, word, entry, " - ");
}

/// `HIST <id> <time> <from> <to> <tags> <body>`
pub fn hist(out: &mut Vec<u8>, entry: &Entry) {
    let tags = match entry.kind {
        EntryKind::Message => " - ",
        EntryKind::Group => " kind=group ",
    };
    row(out, "HIST ", entry, tags);
}

fn row(out: &mut Vec<u8>, word: &str, entry: &Entry, tags: &str) {
    put(out, &[word]);
    number(out, entry.id.0);
    out.push(b' ');
    stamp(out, entry.time);
    put(out, &[" ", entry.from.as_str(), " "]);
    target(out, &entry.to);
    put(out, &[tags]);
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

/// `CHAT <to> <unread> <last id> <last time>`
pub fn chat(out: &mut Vec<u8>, row: &ChatLine) {
    put(out, &["CHAT "]);
    target(out, row.to);
    out.push(b' ');
    number(out, row.unread);
    out.push(b' ');
    number(out, row.last.0);
    out.push(b' ');
    stamp(out, row.time);
    out.push(b'\n');
}

/// The columns of a `CHAT` row.
pub struct ChatLine<'a> {
    /// With whom.
    pub to: &'a Target,
    /// How many were not read.
    pub unread: i64,
    /// The last entry.
    pub last: EntryId,
    /// Its time.
    pub time: Millis,
}

/// `INFO <id> <handle> <sent|delivered|read|left> <delivered time or -> <read time or ->`
pub fn info(out: &mut Vec<u8>, id: EntryId, row: &InfoLine) {
    let state = match (row.delivered, row.read) {
        (_, Some(_)) => "read",
        _ if row.left => "left",
        (Some(_), None) => "delivered",
        (None, None) => "sent",
    };
    put(out, &["INFO "]);
    number(out, id.0);
    put(out, &[" ", row.handle.as_str(), " ", state, " "]);
    stamp_or_dash(out, row.delivered);
    out.push(b' ');
    stamp_or_dash(out, row.read);
    out.push(b'\n');
}

/// The columns of an `INFO` row.
pub struct InfoLine<'a> {
    /// Who could see it.
    pub handle: &'a Handle,
    /// When it was received.
    pub delivered: Option<Millis>,
    /// When it was read.
    pub read: Option<Millis>,
    /// Is in the group no more.
    pub left: bool,
}

/// `USER <handle> <online|offline> <last seen or -> <display name>`
pub fn user(
    out: &mut Vec<u8>,
    handle: &Handle,
    online: bool,
    seen: Option<Millis>,
    name: &DisplayName,
) {
    put(out, &["USER ", handle.as_str(), if online { " online " } else { " offline " }]);
    stamp_or_dash(out, seen.filter(|_| !online));
    out.push(b' ');
    text::escape(name.as_str(), out);
    out.push(b'\n');
}

/// `GROUPS #<name> <member|admin> <members> <topic or ->`
pub fn group(out: &mut Vec<u8>, name: &Handle, admin: bool, members: i64, topic: &str) {
    put(out, &["GROUPS #", name.as_str(), " ", role(admin), " "]);
    number(out, members);
    out.push(b' ');
    text::escape(if topic.is_empty() { "-" } else { topic }, out);
    out.push(b'\n');
}

/// `MEMBER #<name> <handle> <member|admin>`
pub fn member(out: &mut Vec<u8>, name: &Handle, handle: &Handle, admin: bool) {
    put(out, &["MEMBER #", name.as_str(), " ", handle.as_str(), " ", role(admin), "\n"]);
}

/// `BLOCKED <handle>`
pub fn blocked(out: &mut Vec<u8>, handle: &Handle) {
    put(out, &["BLOCKED ", handle.as_str(), "\n"]);
}

/// `TOKEN <label> <created> <last used or ->`
pub fn token(out: &mut Vec<u8>, label: &str, created: Millis, used: Option<Millis>) {
    put(out, &["TOKEN ", label, " "]);
    stamp(out, created);
    out.push(b' ');
    stamp_or_dash(out, used);
    out.push(b'\n');
}

/// `UID <uid>`
pub fn uid(out: &mut Vec<u8>, user: u32) {
    put(out, &["UID "]);
    number(out, i64::from(user));
    out.push(b'\n');
}

/// `STAT <name> <value>`
pub fn stat(out: &mut Vec<u8>, name: &str, value: u64) {
    put(out, &["STAT ", name, " ", itoa::Buffer::new().format(value), "\n"]);
}

/// `SESSION <n> <handle or -> <address> <since>`
pub fn session(
    out: &mut Vec<u8>,
    id: SessionId,
    handle: Option<&Handle>,
    address: impl std::fmt::Display,
    since: Millis,
) {
    put(out, &["SESSION ", itoa::Buffer::new().format(id.0), " "]);
    put(out, &[handle.map_or("-", Handle::as_str), " ", &address.to_string(), " "]);
    stamp(out, since);
    out.push(b'\n');
}

/// `PROBLEM <text>`
pub fn problem(out: &mut Vec<u8>, said: &str) {
    put(out, &["PROBLEM "]);
    text::escape(said, out);
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

/// What an entry is that a cursor has come to.
pub fn state(cursor: Cursor) -> &'static str {
    match cursor {
        Cursor::Delivered => "delivered",
        Cursor::Read => "read",
    }
}

fn role(admin: bool) -> &'static str {
    if admin { "admin" } else { "member" }
}

fn stamp_or_dash(out: &mut Vec<u8>, time: Option<Millis>) {
    match time {
        Some(time) => stamp(out, time),
        None => out.push(b'-'),
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
            kind: EntryKind::Message,
            body: "a\nb\\".into(),
        };
        let mut out = Vec::new();
        super::entry(&mut out, &entry);
        assert_eq!(out, b"MSG 17 1970-01-01T00:00:00.000Z ana ana - a\\nb\\\\\n");
    }
}
