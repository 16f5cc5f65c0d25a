//! `OK`, the final line of a command that was carried out: how it is written and parsed.

pub use super::columns::verb;
use super::columns::{Column, Columns, More, cursor, put};
use super::request::{GroupChange, Setting};
use super::text;
use crate::chat_flags::ChatFlag;
use crate::entry::{Condition, Cursor, EntryId, FileRef, Millis};
use crate::name::{DeviceName, DisplayName, Handle, Target};
use crate::preferences::Preference;

/// The final line of a command that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `OK REG`
    Registered(Handle),
    /// `OK LOGIN`, with the number of waiting entries.
    LoggedIn { handle: Handle, device: Option<DeviceName>, pending: u64 },
    /// `OK QUIT`
    Quit,
    /// `OK HELP`
    Helped,
    /// `OK PING`
    Pong(String),
    /// `OK WHOAMI`
    You { handle: Handle, name: DisplayName },
    /// `OK NAME`
    Named,
    /// `OK PREF`
    Preferred(Preference),
    /// `OK FLAG`
    Flagged { to: Target, flag: ChatFlag },
    /// `OK PASSWD`
    PasswordChanged,
    /// `OK MSG`, `OK RE` and the like, of all verbs that make an entry. The id is that of the entry;
    /// for a mark that was there already, that of the one that made it so.
    Sent { verb: &'static str, id: EntryId, time: Millis },
    /// `OK PUT`, with the number of bytes put so far.
    Put { bytes: u64 },
    /// `OK FILE`, of a message with this file.
    FileSent { id: EntryId, time: Millis, file: FileRef },
    /// `OK GET`, of the whole file.
    FileShown { id: EntryId, file: FileRef },
    /// `OK TALK`; `None` when it ends.
    Talking(Option<Target>),
    /// `OK ACK` and `OK READ`; no id if nothing had been sent.
    Moved { cursor: Cursor, id: Option<EntryId> },
    /// `OK SET`
    Set(Setting),
    /// `OK HIST`
    Listed { count: usize, more: bool },
    /// `OK HIST`, of a search that has looked down (or up) to an entry, and may find more there.
    Searched { count: usize, upto: EntryId },
    /// `OK MARKS`
    Marked { count: usize, more: bool },
    /// `OK SYNC`
    Synced { last: EntryId, more: bool },
    /// `OK GROUP NEW` and the like
    Grouped { word: &'static str, name: Handle },
    /// `OK GROUP INVITE`: the only time that the token is shown; `None`: all are void
    Invited { name: Handle, token: Option<Box<str>> },
    /// `OK BLOCK`, `OK UNBLOCK`
    Blocked { whom: Handle, on: bool },
    /// `OK TOKEN NEW`: the only time that the token is shown
    TokenMade { label: Box<str>, token: Box<str> },
    /// `OK TOKEN DEL`
    TokenDropped(Box<str>),
    /// `OK DEVICES DEL`
    DeviceDropped(DeviceName),
    /// `OK UID LINK`, `OK UID UNLINK`
    Linked { user: u32, on: bool },
    /// `OK ADMIN USER NEW` and the like, with the second and third word
    Managed { words: &'static str, handle: Handle },
    /// `OK ADMIN BACKUP`
    BackedUp { bytes: u64 },
    /// `OK WAIT`
    Waited { id: EntryId, until: Condition },
    /// `OK AT`, `OK UNLESS`: the command's number, and when it is due
    Scheduled { verb: &'static str, number: u64, time: Millis },
    /// `OK AT DEL`
    Unscheduled { number: u64 },
    /// `OK ADMIN DEL`
    MessageDropped(EntryId),
    /// `OK ADMIN USERS`, `GROUPS`, `FILES`: a page of a list, and whether there is more
    AdminPage { list: AdminList, count: usize, more: bool },
    /// `OK ADMIN INVITE`: the only time that the invitation is shown; `None`: all are void
    AccountInvited(Option<Box<str>>),
    /// `OK ADMIN BAN`: how many connections it has ended; `OK ADMIN UNBAN` if there is no number
    Banned { net: Box<str>, ended: Option<usize> },
    /// `OK ADMIN READONLY`
    ReadOnly(bool),
    /// `OK ADMIN LOG`
    LogLevel(Box<str>),
    /// `OK ADMIN LIMIT`, of one that was set
    LimitSet { name: Box<str>, value: u64 },
    /// `OK ADMIN SAY`: how many sessions it was pushed to
    Said { sessions: usize },
    /// `OK ADMIN KICK`
    Kicked { sessions: usize },
    /// The end of a list, with the number of its rows
    Counted { list: List, count: usize },
}

/// A list, whose final line has the number of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Chats,
    Info,
    Later,
    Find,
    Groups,
    Members,
    Rules,
    Preferences,
    Blocks,
    Tokens,
    Devices,
    Links,
    Stats,
    Sessions,
    Account,
    GroupMembers,
    Invitations,
    Bans,
    Limits,
    Problems,
}

impl List {
    pub const ALL: [List; 20] = [
        List::Chats,
        List::Info,
        List::Later,
        List::Find,
        List::Groups,
        List::Members,
        List::Rules,
        List::Preferences,
        List::Blocks,
        List::Tokens,
        List::Devices,
        List::Links,
        List::Stats,
        List::Sessions,
        List::Account,
        List::GroupMembers,
        List::Invitations,
        List::Bans,
        List::Limits,
        List::Problems,
    ];

    /// The words after `OK`.
    pub fn verb(self) -> &'static str {
        match self {
            List::Chats => "CHATS",
            List::Info => "INFO",
            List::Later => "AT",
            List::Find => "FIND",
            List::Groups => "GROUP LIST",
            List::Members => "GROUP WHO",
            List::Rules => "GROUP RULE",
            List::Preferences => "PREF",
            List::Blocks => "BLOCK",
            List::Tokens => "TOKEN LIST",
            List::Devices => "DEVICES",
            List::Links => "UID LIST",
            List::Stats => "ADMIN STATS",
            List::Sessions => "ADMIN SESSIONS",
            List::Account => "ADMIN USER SHOW",
            List::GroupMembers => "ADMIN GROUP WHO",
            List::Invitations => "ADMIN INVITES",
            List::Bans => "ADMIN BANS",
            List::Limits => "ADMIN LIMIT",
            List::Problems => "ADMIN CHECK",
        }
    }
}

/// A list for operators that is shown a page at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminList {
    Users,
    Groups,
    Files,
}

impl AdminList {
    pub const ALL: [AdminList; 3] = [AdminList::Users, AdminList::Groups, AdminList::Files];

    /// The word after `ADMIN`.
    pub fn word(self) -> &'static str {
        match self {
            AdminList::Users => "USERS",
            AdminList::Groups => "GROUPS",
            AdminList::Files => "FILES",
        }
    }
}

/// The verbs that make an entry, as [`Reply::Sent`] names them.
pub(super) const SENDING: [&str; 7] = ["MSG", "RE", "FWD", "EDIT", "DEL", "REACT", "EXPIRE"];

/// The verbs that put a command off, as [`Reply::Scheduled`] names them.
pub(super) const SCHEDULING: [&str; 2] = ["AT", "UNLESS"];

/// The words of the commands of `ADMIN USER`.
pub(super) const MANAGED: [&str; 7] = [
    "USER NEW",
    "USER NAME",
    "USER PASSWD",
    "USER REVOKE",
    "USER DISABLE",
    "USER ENABLE",
    "USER DEL",
];

/// Writes `OK`, words, and columns after them.
macro_rules! ok {
    ($out:expr, $words:expr $(, $column:expr)*) => {{
        put($out, &["OK ", $words]);
        $(
            $out.push(b' ');
            $column.put($out);
        )*
    }};
}

impl Reply {
    /// Writes the line, LF included.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Reply::Registered(handle) => ok!(out, "REG", handle),
            Reply::LoggedIn { handle, device, pending } => {
                put(out, &["OK LOGIN ", handle.as_str()]);
                if let Some(device) = device {
                    put(out, &["/", device.as_str()]);
                }
                out.push(b' ');
                pending.put(out);
            }
            Reply::Quit => ok!(out, "QUIT"),
            Reply::Helped => ok!(out, "HELP"),
            Reply::Pong(said) if said.is_empty() => ok!(out, "PING"),
            Reply::Pong(said) => {
                ok!(out, "PING ");
                text::escape(said, out);
            }
            Reply::You { handle, name } => {
                ok!(out, "WHOAMI", handle);
                out.push(b' ');
                text::escape(name.as_str(), out);
            }
            Reply::Named => ok!(out, "NAME"),
            Reply::Preferred(preference) => ok!(out, "PREF", preference),
            Reply::Flagged { to, flag } => ok!(out, "FLAG", to, flag),
            Reply::PasswordChanged => ok!(out, "PASSWD"),
            Reply::Sent { verb, id, time } => ok!(out, verb, id, time),
            Reply::Put { bytes } => ok!(out, "PUT", bytes),
            Reply::FileSent { id, time, file } => ok!(out, "FILE", id, time, file),
            Reply::FileShown { id, file } => ok!(out, "GET", id, file),
            Reply::Talking(to) => ok!(out, "TALK", to),
            Reply::Moved { cursor, id } => ok!(out, verb(*cursor), id),
            Reply::Set(setting) => ok!(out, "SET", setting.words()),
            Reply::Listed { count, more } => ok!(out, "HIST", count, More(*more)),
            Reply::Searched { count, upto } => ok!(out, "HIST", count, More(true), upto),
            Reply::Marked { count, more } => ok!(out, "MARKS", count, More(*more)),
            Reply::Synced { last, more } => ok!(out, "SYNC", last, More(*more)),
            Reply::Grouped { word, name } => put(out, &["OK GROUP ", word, " #", name.as_str()]),
            Reply::Invited { name, token } => {
                put(out, &["OK GROUP INVITE #", name.as_str(), " "]);
                token.as_deref().put(out);
            }
            Reply::Blocked { whom, on: true } => ok!(out, "BLOCK", whom),
            Reply::Blocked { whom, on: false } => ok!(out, "UNBLOCK", whom),
            Reply::TokenMade { label, token } => ok!(out, "TOKEN NEW", &**label, &**token),
            Reply::TokenDropped(label) => ok!(out, "TOKEN DEL", &**label),
            Reply::DeviceDropped(device) => ok!(out, "DEVICES DEL", device),
            Reply::Linked { user, on: true } => ok!(out, "UID LINK", user),
            Reply::Linked { user, on: false } => ok!(out, "UID UNLINK", user),
            Reply::Managed { words, handle } => ok!(out, "ADMIN", *words, handle),
            Reply::BackedUp { bytes } => ok!(out, "ADMIN BACKUP", bytes),
            Reply::Waited { id, until } => ok!(out, "WAIT", id, until),
            Reply::Scheduled { verb, number, time } => ok!(out, verb, number, time),
            Reply::Unscheduled { number } => ok!(out, "AT DEL", number),
            Reply::MessageDropped(id) => ok!(out, "ADMIN DEL", id),
            Reply::AccountInvited(invitation) => ok!(out, "ADMIN INVITE", invitation.as_deref()),
            Reply::Banned { net, ended: Some(ended) } => ok!(out, "ADMIN BAN", &**net, ended),
            Reply::Banned { net, ended: None } => ok!(out, "ADMIN UNBAN", &**net),
            Reply::ReadOnly(on) => ok!(out, "ADMIN READONLY", if *on { "on" } else { "off" }),
            Reply::LogLevel(level) => ok!(out, "ADMIN LOG", &**level),
            Reply::LimitSet { name, value } => ok!(out, "ADMIN LIMIT", &**name, value),
            Reply::AdminPage { list, count, more } => {
                ok!(out, "ADMIN", list.word(), count, More(*more));
            }
            Reply::Said { sessions } => ok!(out, "ADMIN SAY", sessions),
            Reply::Kicked { sessions } => ok!(out, "ADMIN KICK", sessions),
            Reply::Counted { list, count } => ok!(out, list.verb(), count),
        }
        out.push(b'\n');
    }

    /// Parses a line; `None` if it is not an `OK`, or that of an unknown verb.
    pub fn parse(line: &str) -> Option<Reply> {
        let rest = Columns::after(line, "OK")?.rest()?;
        if let Some(scheduled) = scheduled(rest) {
            return Some(scheduled);
        }
        let counted = |list: &List| {
            let count = Columns::after(rest, list.verb())?.read()?;
            Some(Reply::Counted { list: *list, count })
        };
        if let Some(counted) = List::ALL.iter().find_map(counted) {
            return Some(counted);
        }
        let mut columns = Columns::of(rest);
        let verb = columns.word()?;
        Some(match verb {
            "REG" => Reply::Registered(columns.read()?),
            "LOGIN" => {
                let name = columns.word()?;
                let (handle, device) = match name.split_once('/') {
                    Some((handle, device)) => (handle, Some(DeviceName::new(device)?)),
                    None => (name, None),
                };
                let handle = Handle::new(handle)?;
                Reply::LoggedIn { handle, device, pending: columns.read()? }
            }
            "DEVICES" if columns.word()? == "DEL" => Reply::DeviceDropped(columns.read()?),
            "QUIT" => Reply::Quit,
            "HELP" => Reply::Helped,
            "PING" => Reply::Pong(text::unescape(columns.rest().unwrap_or("")).into_owned()),
            "WHOAMI" => {
                let handle = columns.read()?;
                let name = DisplayName::new(&text::unescape(columns.rest()?)).ok()?;
                Reply::You { handle, name }
            }
            "NAME" => Reply::Named,
            "PREF" => Reply::Preferred(columns.read()?),
            "FLAG" => Reply::Flagged { to: columns.read()?, flag: columns.read()? },
            "PASSWD" => Reply::PasswordChanged,
            "PUT" => Reply::Put { bytes: columns.read()? },
            "FILE" => {
                let (id, time) = (columns.read()?, columns.read()?);
                Reply::FileSent { id, time, file: columns.read()? }
            }
            "GET" => Reply::FileShown { id: columns.read()?, file: columns.read()? },
            "TALK" => Reply::Talking(columns.read()?),
            "ACK" | "READ" => Reply::Moved { cursor: cursor(verb)?, id: columns.read()? },
            "SET" => {
                let words = columns.rest()?;
                let is_it = |set: &&Setting| Columns::after(words, set.words()).is_some();
                Reply::Set(*Setting::ALL.iter().find(is_it)?)
            }
            "HIST" => {
                let (count, More(more)) = (columns.read()?, columns.read()?);
                match columns.read().filter(|_| more) {
                    Some(upto) => Reply::Searched { count, upto },
                    None => Reply::Listed { count, more },
                }
            }
            "MARKS" => {
                let (count, More(more)) = (columns.read()?, columns.read()?);
                Reply::Marked { count, more }
            }
            "SYNC" => {
                let (last, More(more)) = (columns.read()?, columns.read()?);
                Reply::Synced { last, more }
            }
            "GROUP" => {
                let said = columns.word()?;
                if said == GroupChange::INVITE {
                    let Target::Group(name) = columns.read()? else { return None };
                    let token = columns.read::<Option<&str>>()?.map(Into::into);
                    return Some(Reply::Invited { name, token });
                }
                let word = known(&GroupChange::WORDS, said)?;
                match columns.read()? {
                    Target::Group(name) => Reply::Grouped { word, name },
                    Target::Person(_) => return None,
                }
            }
            "BLOCK" => Reply::Blocked { whom: columns.read()?, on: true },
            "UNBLOCK" => Reply::Blocked { whom: columns.read()?, on: false },
            "TOKEN" => match columns.word()? {
                "NEW" => Reply::TokenMade {
                    label: columns.word()?.into(),
                    token: columns.word()?.into(),
                },
                "DEL" => Reply::TokenDropped(columns.word()?.into()),
                _ => return None,
            },
            "UID" => {
                let on = known(&["LINK", "UNLINK"], columns.word()?)? == "LINK";
                Reply::Linked { user: columns.read()?, on }
            }
            "WAIT" => Reply::Waited { id: columns.read()?, until: columns.read()? },
            "AT" if columns.word()? == "DEL" => Reply::Unscheduled { number: columns.read()? },
            "ADMIN" => match columns.word()? {
                "BACKUP" => Reply::BackedUp { bytes: columns.read()? },
                "DEL" => Reply::MessageDropped(columns.read()?),
                "INVITE" => Reply::AccountInvited(columns.read::<Option<&str>>()?.map(Box::from)),
                "BAN" => {
                    let net = columns.word()?.into();
                    Reply::Banned { net, ended: Some(columns.read()?) }
                }
                "UNBAN" => Reply::Banned { net: columns.word()?.into(), ended: None },
                "READONLY" => Reply::ReadOnly(known(&["on", "off"], columns.word()?)? == "on"),
                "LOG" => Reply::LogLevel(columns.word()?.into()),
                "LIMIT" => {
                    let name = columns.word()?.into();
                    Reply::LimitSet { name, value: columns.read()? }
                }
                "SAY" => Reply::Said { sessions: columns.read()? },
                "KICK" => Reply::Kicked { sessions: columns.read()? },
                "USER" => {
                    let word = columns.word()?;
                    let words = MANAGED.iter().find(|words| words["USER ".len()..] == *word)?;
                    Reply::Managed { words, handle: columns.read()? }
                }
                word => {
                    let list = *AdminList::ALL.iter().find(|list| list.word() == word)?;
                    let (count, More(more)) = (columns.read()?, columns.read()?);
                    Reply::AdminPage { list, count, more }
                }
            },
            _ => {
                let verb = known(&SENDING, verb)?;
                Reply::Sent { verb, id: columns.read()?, time: columns.read()? }
            }
        })
    }
}

/// `OK AT <n> <time>`, which begins as the end of a list does.
fn scheduled(rest: &str) -> Option<Reply> {
    let mut columns = Columns::of(rest);
    let verb = known(&SCHEDULING, columns.word()?)?;
    Some(Reply::Scheduled { verb, number: columns.read()?, time: columns.read()? })
}

/// The one of `words` that equals `word`.
fn known(words: &[&'static str], word: &str) -> Option<&'static str> {
    words.iter().copied().find(|known| *known == word)
}
