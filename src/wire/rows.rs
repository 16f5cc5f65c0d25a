//! The lines that the server sends, except `OK` (see `reply`). The server writes them with these
//! types, and clients and tests parse them.
//!
//! A new row is one more entry in the list at `lines!`, with its columns in order.

use std::borrow::Cow;

pub use super::columns::{Base64, TypedCommand, condition, condition_word};
use super::columns::{Column, Columns, put};
pub use super::events::{EntryLine, ReceiptLine, flag_text, parse_flag_text};
use super::refusal::Refusal;
use super::reply::Reply;
pub use super::tags::EntryForm;
use crate::chat_flags::ChatFlag;
use crate::entry::{Condition, EntryId, Millis, SessionId};
use crate::group_rules::GroupRule;
use crate::name::{DeviceName, Handle, Target};
use crate::preferences::Preference;

/// Columns that are one of a few fixed words.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$word_doc])* $variant,)* }

        impl $name {
            /// All variants.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The variant with this word.
            pub fn new(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }

        impl<'a> Column<'a> for $name {
            fn put(&self, out: &mut Vec<u8>) {
                put(out, &[self.as_str()]);
            }

            fn take(columns: &mut Columns<'a>) -> Option<$name> {
                $name::new(columns.word()?)
            }
        }
    )*};
}

words! {
    /// The role of an account in a group.
    Role {
        Member = "member",
        /// May also change the group.
        Admin = "admin",
    }

    /// Whether an account is online.
    Availability {
        /// It has a session that gets events.
        Online = "online",
        /// It has none.
        Offline = "offline",
    }

    /// How far an entry has got with one of its readers.
    Progress {
        Sent = "sent",
        Delivered = "delivered",
        Read = "read",
        /// It had not been read when its reader left the group.
        Left = "left",
    }

    /// Whether an account may be used.
    AccountState {
        /// Whoever has its password, a token or a linked user gets in.
        Enabled = "enabled",
        /// An operator has shut it: nobody gets in.
        Disabled = "disabled",
        /// It is gone for good.
        Deleted = "deleted",
    }

    /// Why the server closes a session.
    Bye {
        /// The client sent `QUIT`.
        Quit = "quit",
        /// The server is stopping.
        Shutdown = "shutdown",
        /// No login in time.
        LoginTimeout = "login-timeout",
        /// The secret that opened it was revoked, or an operator closed it.
        Kicked = "kicked",
        /// There are too many connections.
        TooMany = "too-many",
        /// The server does not reach its database, and lets nobody in.
        Unavailable = "unavailable",
        /// The client speaks HTTP.
        NotHttp = "not-http",
        /// The client speaks TLS on a port without it.
        NotTls = "not-tls",
        /// The client speaks plain text on a TLS port.
        NeedTls = "need-tls",
        /// No input for the time that `--idle` allows.
        Idle = "idle",
        /// The client accepted no bytes for too long.
        Stalled = "stalled",
    }
}

/// Types for lines of a first word and columns, in this order; and one type for all lines.
macro_rules! lines {
    ($($(#[$doc:meta])* $word:literal $variant:ident $name:ident $(<$a:lifetime>)? {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name $(<$a>)? { $($(#[$field_doc])* pub $field: $kind,)* }

            impl $(<$a>)? $name $(<$a>)? {
                /// Writes the line, LF included.
                pub fn write(&self, out: &mut Vec<u8>) {
                    put(out, &[$word]);
                    $(
                        out.push(b' ');
                        self.$field.put(out);
                    )*
                    out.push(b'\n');
                }

                /// Parses a line; `None` if it is of another form.
                pub fn parse(line: & $($a)? str) -> Option<Self> {
                    let mut columns = Columns::after(line, $word)?;
                    Some($name { $($field: columns.read()?,)* })
                }
            }
        )*

        /// Any line that the server sends.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ServerLine<'a> {
            /// `MSG`, `GROUP`, `EXPIRE`, `EDIT`, `DEL`, `REACT`, `FLAG`, `GONE`, `HIST`, `MARK`
            Entry(EntryLine<'a>),
            /// `ACK`, `READ`
            Receipt(ReceiptLine<'a>),
            /// `OK`
            Ok(Reply),
            $($(#[$doc])* $variant($name $(<$a>)?),)*
        }

        impl<'a> ServerLine<'a> {
            /// Parses a line; `None` if its form is unknown.
            pub fn parse(line: &'a str) -> Option<ServerLine<'a>> {
                match Columns::of(line).word()? {
                    "MSG" | "GROUP" | "EXPIRE" | "EDIT" | "DEL" | "REACT" | "FLAG" | "GONE" | "HIST"
                    | "MARK" => {
                        EntryLine::parse(line).map(ServerLine::Entry)
                    }
                    "ACK" | "READ" => ReceiptLine::parse(line).map(ServerLine::Receipt),
                    "OK" => Reply::parse(line).map(ServerLine::Ok),
                    $($word => $name::parse(line).map(ServerLine::$variant),)*
                    _ => None,
                }
            }

            /// Writes the line, LF included.
            pub fn write(&self, out: &mut Vec<u8>) {
                match self {
                    ServerLine::Entry(line) => line.write(out),
                    ServerLine::Receipt(line) => line.write(out),
                    ServerLine::Ok(reply) => reply.write(out),
                    $(ServerLine::$variant(line) => line.write(out),)*
                }
            }
        }
    };
}

lines! {
    /// `HELLO papo/1 <server> type HELP`
    "HELLO" Hello HelloLine<'a> {
        /// The protocol and its version.
        protocol: &'a str,
        /// The server's name and what to type; for people.
        text: Cow<'a, str>,
    }

    /// `ERR <VERB> <code> <text for a person>`
    "ERR" Err ErrLine<'a> {
        /// The command's first word, or `-`.
        verb: &'a str,
        /// The code for programs.
        code: &'a str,
        /// The sentence for people.
        text: Cow<'a, str>,
    }

    /// `LIVE <id>`
    "LIVE" Live LiveLine {
        /// The newest id at the login: higher ones are new.
        newest: EntryId,
    }

    /// `BYE <reason>`; [`Bye`] has the known reasons.
    "BYE" Bye ByeLine<'a> {
        reason: &'a str,
    }

    /// `NOTICE <time> <text>`
    "NOTICE" Notice NoticeLine<'a> {
        /// When the operator said it.
        time: Millis,
        text: Cow<'a, str>,
    }

    /// `CHAT <to> <unread> <last id> <last time>`
    "CHAT" Chat ChatLine {
        to: Target,
        unread: i64,
        last: EntryId,
        /// The time of the last entry.
        time: Millis,
    }

    /// `FLAGS <to> <flag> <until or ->`
    "FLAGS" Flags FlagsLine {
        to: Target,
        flag: ChatFlag,
        /// When it ends; `None`: when it is taken away.
        until: Option<Millis>,
    }

    /// `INFO <id> <handle> <sent|delivered|read|left> <delivered time or -> <read time or ->`
    "INFO" Info InfoLine {
        id: EntryId,
        /// A reader of the entry.
        handle: Handle,
        state: Progress,
        delivered: Option<Millis>,
        read: Option<Millis>,
    }

    /// `DATA <base64>`, a part of a file
    "DATA" Data DataLine<'a> {
        bytes: Base64<'a>,
    }

    /// `AT <n> <time> <id or -> <delivered|read|answered or -> <command>`
    "AT" At AtLine<'a> {
        /// Its number in the account.
        number: u64,
        /// When it is due.
        time: Millis,
        /// The message that an `UNLESS` is about.
        about: Option<EntryId>,
        /// What must not have come about by then.
        unless: Option<Condition>,
        command: TypedCommand<'a>,
    }

    /// `USER <handle> <online|offline> <last seen or -> <display name>`
    "USER" User UserLine<'a> {
        handle: Handle,
        state: Availability,
        /// When its last session ended; `None` if it is online.
        seen: Option<Millis>,
        /// The display name.
        name: Cow<'a, str>,
    }

    /// `GROUPS #<name> <member|admin|-> <members> <topic or ->`
    "GROUPS" Groups GroupLine<'a> {
        group: Target,
        /// The role of the account that asked; `None` if it is not in the group, or an operator asks.
        role: Option<Role>,
        /// The number of members.
        members: i64,
        topic: Option<Cow<'a, str>>,
    }

    /// `MEMBER #<name> <handle> <member|admin>`
    "MEMBER" Member MemberLine {
        group: Target,
        handle: Handle,
        role: Role,
    }

    /// `RULE #<name> <rule> <value>`
    "RULE" Rule RuleLine {
        group: Target,
        rule: GroupRule,
    }

    /// `PREF <name> <value>`
    "PREF" Pref PrefLine {
        preference: Preference,
    }

    /// `BLOCKED <handle>`
    "BLOCKED" Blocked BlockedLine {
        handle: Handle,
    }

    /// `TOKEN <label> <created> <last used or -> <target or ->`
    "TOKEN" Token TokenLine<'a> {
        label: &'a str,
        created: Millis,
        used: Option<Millis>,
        /// The only conversation that it may write to.
        to: Option<Target>,
    }

    /// `DEVICE <device> <id> <last seen or ->`
    "DEVICE" Device DeviceLine {
        device: DeviceName,
        /// It has received everything up to this entry.
        place: EntryId,
        /// When its last session ended; `None` if none has.
        seen: Option<Millis>,
    }

    /// `UID <uid>`
    "UID" Uid UidLine {
        /// The system user's uid.
        user: u32,
    }

    /// `STAT <name> <value>`
    "STAT" Stat StatLine<'a> {
        name: &'a str,
        value: u64,
    }

    /// `SESSION <n> <handle or -> <address> <since>`
    "SESSION" Session SessionLine<'a> {
        id: SessionId,
        /// The account, if logged in.
        handle: Option<Handle>,
        /// The peer: address and port, or `uid:` and a number.
        address: &'a str,
        since: Millis,
    }

    /// `ACCOUNT <handle> <created> <last seen or -> <sessions> <enabled|disabled|deleted> <name>`
    "ACCOUNT" Account AccountLine<'a> {
        handle: Handle,
        created: Millis,
        /// When its last session ended, if one has, however many it has now.
        seen: Option<Millis>,
        /// How many it has now.
        sessions: usize,
        standing: AccountState,
        /// The display name.
        name: Cow<'a, str>,
    }

    /// `FILES <id> <time> <from> <to> <bytes> <name>`
    "FILES" File FileLine<'a> {
        /// The message.
        id: EntryId,
        time: Millis,
        from: Handle,
        to: Target,
        bytes: u64,
        name: Cow<'a, str>,
    }

    /// `INVITATION <id> <created> <uses> <until>`
    "INVITATION" Invitation InvitationLine<'a> {
        /// The beginning of the SHA-256 of the invitation, in hexadecimal.
        id: &'a str,
        created: Millis,
        /// How many accounts it can still create.
        uses: u32,
        until: Millis,
    }

    /// `BAN <address> <until>`
    "BAN" Ban BanLine<'a> {
        /// An address, or a network with its bits.
        net: &'a str,
        until: Millis,
    }

    /// `LIMIT <name> <value>`
    "LIMIT" Limit LimitLine<'a> {
        /// Its flag without `--limit-`.
        name: &'a str,
        value: u64,
    }

    /// `PROBLEM <text>`
    "PROBLEM" Problem ProblemLine<'a> {
        text: Cow<'a, str>,
    }

    /// `HELP <text>`
    "HELP" Help HelpLine<'a> {
        text: Cow<'a, str>,
    }
}

impl ErrLine<'_> {
    /// Writes the line that refuses a command.
    pub fn write_refusal(out: &mut Vec<u8>, verb: &str, refusal: &Refusal) {
        let text = refusal.to_string().into();
        ErrLine { verb, code: refusal.code(), text }.write(out);
    }

    /// The seconds before a retry, with which the text of `too-fast` begins.
    pub fn seconds(&self) -> Option<u64> {
        if self.code != "too-fast" {
            return None;
        }
        self.text.split(' ').next()?.parse().ok()
    }

    /// The message that was sent under a key, with which the text of `key-reused` begins.
    pub fn first_sent(&self) -> Option<EntryId> {
        if self.code != "key-reused" {
            return None;
        }
        let id = self.text.strip_prefix("message ")?.split(' ').next()?;
        id.parse().ok().map(EntryId)
    }
}

impl HelloLine<'static> {
    /// The greeting of this server.
    pub const OURS: HelloLine<'static> = HelloLine {
        protocol: HelloLine::PROTOCOL,
        text: Cow::Borrowed(concat!("papod/", env!("CARGO_PKG_VERSION"), " type HELP")),
    };
}

impl HelloLine<'_> {
    /// The protocol and its version.
    pub const PROTOCOL: &'static str = "papo/1";
}

impl InfoLine {
    /// The row of one reader: when the entry was received and read, and whether the reader has left
    /// the group.
    pub fn new(
        id: EntryId,
        handle: Handle,
        [delivered, read]: [Option<Millis>; 2],
        left: bool,
    ) -> InfoLine {
        let state = match (delivered, read) {
            (_, Some(_)) => Progress::Read,
            _ if left => Progress::Left,
            (Some(_), None) => Progress::Delivered,
            (None, None) => Progress::Sent,
        };
        InfoLine { id, handle, state, delivered, read }
    }
}

impl From<bool> for Role {
    fn from(is_admin: bool) -> Role {
        if is_admin { Role::Admin } else { Role::Member }
    }
}

impl Bye {
    /// Writes the `BYE` line.
    pub fn write(self, out: &mut Vec<u8>) {
        ByeLine { reason: self.as_str() }.write(out);
    }
}

impl<'a> Column<'a> for SessionId {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(columns: &mut Columns<'a>) -> Option<SessionId> {
        columns.read().map(SessionId)
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
