//! The lines that the server sends, except `OK` (see `reply`): each writes itself and reads itself
//! back. The server writes with these, and clients and tests read with them.
//!
//! A new row is one more entry in the list at `lines!`, with its columns in their order.

use std::borrow::Cow;

use super::columns::{Column, Columns, put};
pub use super::events::{EntryLine, ReceiptLine};
use super::refusal::Refusal;
use super::reply::Reply;
use crate::entry::{EntryId, Millis, SessionId};
use crate::name::{Handle, Target};

/// Columns that are one of a few words.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$word_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The one of this word.
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
        /// A member.
        Member = "member",
        /// A member who may change it.
        Admin = "admin",
    }

    /// Whether an account is online.
    Availability {
        /// It has a session that gets events.
        Online = "online",
        /// It has none.
        Offline = "offline",
    }

    /// How far an entry has come with one who could see it.
    Progress {
        /// It was sent.
        Sent = "sent",
        /// It was received.
        Delivered = "delivered",
        /// It was read.
        Read = "read",
        /// It had not been read when its reader left the group.
        Left = "left",
    }

    /// Why the server ends a session.
    Bye {
        /// It was asked to.
        Quit = "quit",
        /// The server stops.
        Shutdown = "shutdown",
        /// Nobody logged in for a while.
        LoginTimeout = "login-timeout",
        /// The secret that opened it was revoked, or an operator closed it.
        Kicked = "kicked",
        /// There are too many connections.
        TooMany = "too-many",
        /// The client speaks HTTP.
        NotHttp = "not-http",
        /// The client speaks TLS.
        NotTls = "not-tls",
        /// The client does not speak TLS, and only TLS is spoken.
        NeedTls = "need-tls",
        /// Nothing came for as long as `--idle` allows.
        Idle = "idle",
        /// The peer took no byte for too long.
        Stalled = "stalled",
    }
}

/// Lines that are a first word and columns, in this order; and one type for all lines.
macro_rules! lines {
    ($($(#[$doc:meta])* $word:literal $variant:ident $name:ident $(<$a:lifetime>)? {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name $(<$a>)? { $($(#[$field_doc])* pub $field: $kind,)* }

            impl $(<$a>)? $name $(<$a>)? {
                /// Writes it, with its line end.
                pub fn write(&self, out: &mut Vec<u8>) {
                    put(out, &[$word]);
                    $(
                        out.push(b' ');
                        self.$field.put(out);
                    )*
                    out.push(b'\n');
                }

                /// Reads it; `None` if it is another line.
                pub fn parse(line: & $($a)? str) -> Option<Self> {
                    let mut columns = Columns::after(line, $word)?;
                    Some($name { $($field: columns.read()?,)* })
                }
            }
        )*

        /// Any line that the server sends.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ServerLine<'a> {
            /// `MSG`, `GROUP`, `HIST`
            Entry(EntryLine<'a>),
            /// `ACK`, `READ`
            Receipt(ReceiptLine<'a>),
            /// `OK`
            Ok(Reply),
            $($(#[$doc])* $variant($name $(<$a>)?),)*
        }

        impl<'a> ServerLine<'a> {
            /// Reads a line; `None` where it is of no form that is known here.
            pub fn parse(line: &'a str) -> Option<ServerLine<'a>> {
                match Columns::of(line).word()? {
                    "MSG" | "GROUP" | "HIST" => EntryLine::parse(line).map(ServerLine::Entry),
                    "ACK" | "READ" => ReceiptLine::parse(line).map(ServerLine::Receipt),
                    "OK" => Reply::parse(line).map(ServerLine::Ok),
                    $($word => $name::parse(line).map(ServerLine::$variant),)*
                    _ => None,
                }
            }

            /// Writes it, with its line end.
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
        /// The name of the server, and what to type: words for people.
        text: Cow<'a, str>,
    }

    /// `ERR <VERB> <code> <text for a person>`
    "ERR" Err ErrLine<'a> {
        /// The command's first word, or `-`.
        verb: &'a str,
        /// The word that programs go by.
        code: &'a str,
        /// The sentence for people.
        text: Cow<'a, str>,
    }

    /// `LIVE <id>`
    "LIVE" Live LiveLine {
        /// The newest id of the service.
        newest: EntryId,
    }

    /// `BYE <reason>`. [`Bye`] has those that are known.
    "BYE" Bye ByeLine<'a> {
        /// Why.
        reason: &'a str,
    }

    /// `CHAT <to> <unread> <last id> <last time>`
    "CHAT" Chat ChatLine {
        /// With whom.
        to: Target,
        /// How many have not been read.
        unread: i64,
        /// The last entry.
        last: EntryId,
        /// Its time.
        time: Millis,
    }

    /// `INFO <id> <handle> <sent|delivered|read|left> <delivered time or -> <read time or ->`
    "INFO" Info InfoLine {
        /// The entry.
        id: EntryId,
        /// Who could see it.
        handle: Handle,
        /// How far it has come.
        state: Progress,
        /// When it was received.
        delivered: Option<Millis>,
        /// When it was read.
        read: Option<Millis>,
    }

    /// `USER <handle> <online|offline> <last seen or -> <display name>`
    "USER" User UserLine<'a> {
        /// The account.
        handle: Handle,
        /// Whether it has a session.
        state: Availability,
        /// When the last one ended, unless it is online.
        seen: Option<Millis>,
        /// Its display name.
        name: Cow<'a, str>,
    }

    /// `GROUPS #<name> <member|admin> <members> <topic or ->`
    "GROUPS" Groups GroupLine<'a> {
        /// The group.
        group: Target,
        /// The reader's role in it.
        role: Role,
        /// How many are in it.
        members: i64,
        /// What it is about.
        topic: Option<Cow<'a, str>>,
    }

    /// `MEMBER #<name> <handle> <member|admin>`
    "MEMBER" Member MemberLine {
        /// The group.
        group: Target,
        /// The account.
        handle: Handle,
        /// Its role in the group.
        role: Role,
    }

    /// `BLOCKED <handle>`
    "BLOCKED" Blocked BlockedLine {
        /// The account.
        handle: Handle,
    }

    /// `TOKEN <label> <created> <last used or ->`
    "TOKEN" Token TokenLine<'a> {
        /// The name that its owner gave it.
        label: &'a str,
        /// When it was made.
        created: Millis,
        /// When it was last used.
        used: Option<Millis>,
    }

    /// `UID <uid>`
    "UID" Uid UidLine {
        /// The system user.
        user: u32,
    }

    /// `STAT <name> <value>`
    "STAT" Stat StatLine<'a> {
        /// The name of the number.
        name: &'a str,
        /// The number.
        value: u64,
    }

    /// `SESSION <n> <handle or -> <address> <since>`
    "SESSION" Session SessionLine<'a> {
        /// Its number.
        id: SessionId,
        /// Its account.
        handle: Option<Handle>,
        /// Where it comes from.
        address: &'a str,
        /// When it began.
        since: Millis,
    }

    /// `PROBLEM <text>`
    "PROBLEM" Problem ProblemLine<'a> {
        /// What is wrong.
        text: Cow<'a, str>,
    }

    /// `HELP <text>`
    "HELP" Help HelpLine<'a> {
        /// A line of it.
        text: Cow<'a, str>,
    }
}

impl ErrLine<'_> {
    /// Writes the line that refuses a command.
    pub fn write_refusal(out: &mut Vec<u8>, verb: &str, refusal: &Refusal) {
        let text = refusal.to_string().into();
        ErrLine { verb, code: refusal.code(), text }.write(out);
    }

    /// In how many seconds to try again: the text of `too-fast` begins with them.
    pub fn seconds(&self) -> Option<u64> {
        if self.code != "too-fast" {
            return None;
        }
        self.text.split(' ').next()?.parse().ok()
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
    /// The protocol that is spoken here.
    pub const PROTOCOL: &'static str = "papo/1";
}

impl InfoLine {
    /// A row about one who could see an entry, by when it was received and read there, and whether
    /// its reader has left the group.
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
    /// Writes the line that says so.
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
