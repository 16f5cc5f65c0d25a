//! The words of the log: ids, cursors, entries, time.
//!
//! A conversation is an append-only log of entries; a member is two cursors in it. Everything here
//! is plain data that the rules, the store and the sessions share.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::name::{Handle, Target};

/// The number of an entry. Ids grow over the whole service in the order in which entries become
/// visible, start at 1, and none is ever given twice. 0 stands before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub i64);

impl EntryId {
    /// The number; none is negative.
    pub fn number(self) -> u64 {
        self.0.unsigned_abs()
    }
}

/// The store's number of an account. Never shown to anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// The store's number of a conversation. Never shown to anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId(pub i64);

/// The number of a cursor's move, from one sequence for the whole service. It gives receipts an
/// order of their own, so that what moved while an author was away can be found again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MoveNumber(pub i64);

/// The store's number of a token. Never shown to anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub i64);

/// What a session was opened with: what ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The password of the account.
    Password,
    /// A token.
    Token(TokenId),
    /// Being this system user, over a Unix socket.
    User(u32),
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A message.
    Message,
    /// A change of a group; its text is the change.
    Group,
}

/// The number of a connection, from 1 since the server started; it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

impl Millis {
    /// Whether both lie in the same second: moves within one second may share a record.
    pub fn same_second(self, other: Millis) -> bool {
        self.0.div_euclid(1000) == other.0.div_euclid(1000)
    }

    /// The second in which it lies.
    pub fn whole_second(self) -> Millis {
        Millis(self.0.div_euclid(1000).saturating_mul(1000))
    }
}

/// Where the time comes from: a server under test has a clock that stands still.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// Always this moment.
    Still(Millis),
    /// The moment that a test says, in milliseconds.
    Told(&'static AtomicI64),
}

impl Clock {
    /// The moment it is. A system clock before 1970 reads as 1970.
    pub fn now(self) -> Millis {
        match self {
            Clock::Still(at) => at,
            Clock::Told(at) => Millis(at.load(Ordering::SeqCst)),
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}

/// Which of a member's two cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cursor {
    /// Everything up to here reached one of the member's devices.
    Delivered,
    /// Everything up to here was read.
    Read,
}

/// Where an entry stands in the log of its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPos {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its id.
    pub id: EntryId,
    /// It is the `seq`-th entry of its conversation, from 1.
    pub seq: i64,
    /// Who wrote it.
    pub author: AccountId,
    /// What `exempt` of its author is up to here, itself included: the ordinal among the author's own
    /// entries, and in a group those that it may not see count too.
    pub author_seq: i64,
}

/// An entry as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// When the server took it.
    pub time: Millis,
    /// Its author.
    pub from: Handle,
    /// The other party of a direct chat, or the group.
    pub to: Target,
    /// What it is.
    pub kind: EntryKind,
    /// The text, with real line breaks and single backslashes.
    pub body: Box<str>,
}

/// A cursor that moved, as it is shown to the authors it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which cursor.
    pub cursor: Cursor,
    /// Everything up to this entry of the conversation.
    pub id: EntryId,
    /// When the cursor moved there.
    pub time: Millis,
    /// Whose cursor.
    pub from: Handle,
    /// The other party of a direct chat, or the group.
    pub to: Target,
}
