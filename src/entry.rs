//! The vocabulary of the log: ids, cursors, entries, time.
//!
//! A conversation is an append-only log of entries; a member is two cursors in it. Everything here
//! is plain data that the rules, the store and the sessions share.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::name::{Handle, Target};

/// The number of an entry. Ids start at 1, grow across the whole service in the order in which
/// entries become visible, and are never reused. 0 stands before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct EntryId(pub i64);

impl EntryId {
    /// The number as unsigned; ids are never negative.
    pub fn number(self) -> u64 {
        self.0.unsigned_abs()
    }
}

/// The store's number of an account. Never sent to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct AccountId(pub i64);

/// The store's number of a conversation. Never sent to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId(pub i64);

/// The number of a cursor move, from one sequence for the whole service. It orders receipts, so
/// that those an author missed while away can be found again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct MoveNumber(pub i64);

/// The store's number of a token. Never sent to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct TokenId(pub i64);

/// The number of a device in its account, from 1; never given again there. Never sent to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct DeviceNumber(pub i64);

/// The credential that opened a session; revoking it disconnects the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Key {
    Password,
    Token(TokenId),
    /// The system user with this uid, over a Unix socket.
    User(u32),
}

/// What an entry is: something said, which is counted, or a mark, which is not. A mark is about an
/// earlier message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    Message,
    /// A change of a group; its text is the change.
    Group,
    /// How long what is said from then on is kept: its text is a number of seconds, or `-`.
    Expire,
    /// A mark: the new text of its message.
    Edit,
    /// A mark: the end of its message. Its text is `-`.
    Del,
    /// A mark: its author's one reaction to the message, or `-` if that is taken back.
    React,
    /// A mark that is about no message: what its author notes about a conversation. It is in the
    /// author's notes.
    Flag,
}

impl EntryKind {
    /// Whether such an entry is about an earlier message, and so not counted.
    pub fn is_mark(self) -> bool {
        matches!(self, EntryKind::Edit | EntryKind::Del | EntryKind::React | EntryKind::Flag)
    }
}

/// The number of a connection, counted from 1 since the server started; the log names sessions by
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The bits of the number that tell the connections of one node apart.
    const BITS: u32 = 40;

    /// A connection of another node of the same database.
    pub fn of_node(node: u64, number: u64) -> SessionId {
        SessionId(node << SessionId::BITS | number)
    }

    /// The node whose connection it is; 0: this one.
    pub fn node(self) -> u64 {
        self.0 >> SessionId::BITS
    }

    /// Its number in its own node.
    pub fn in_node(self) -> u64 {
        self.0 & ((1 << SessionId::BITS) - 1)
    }
}

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct Millis(pub i64);

impl Millis {
    /// Whether both lie in the same second: moves within one second may share a record.
    pub fn same_second(self, other: Millis) -> bool {
        self.0.div_euclid(1000) == other.0.div_euclid(1000)
    }

    /// Rounded down to a whole second.
    pub fn whole_second(self) -> Millis {
        Millis(self.0.div_euclid(1000).saturating_mul(1000))
    }
}

/// Where the time comes from; tests replace the system clock.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    System,
    Still(Millis),
    /// Set by a test, in milliseconds since 1970.
    Told(&'static AtomicI64),
}

impl Clock {
    /// The current time. A system clock before 1970 reads as 1970.
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
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Cursor {
    /// Everything up to here reached one of the member's devices.
    Delivered,
    /// Everything up to here was read.
    Read,
}

/// What a message can come to: `WAIT` waits for it, and `UNLESS` acts if it did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Condition {
    /// Everyone's cursor has reached the message.
    Reached(Cursor),
    /// Somebody else has answered it: with a `RE`, a reaction that holds, or, in a direct chat, with
    /// anything said since.
    Answered,
}

/// Where an entry stands in the log of its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPos {
    pub conversation: ConversationId,
    pub id: EntryId,
    /// It is the `seq`-th entry of its conversation, from 1. Marks are not counted: theirs is that
    /// of the counted entry before it.
    pub seq: i64,
    pub author: AccountId,
    /// The author's `exempt` count up to and including this entry: entries that are the author's
    /// own or, in a group, that the author may not see.
    pub author_seq: i64,
    /// Of a mark, the message that it is about; otherwise 0.
    pub about: EntryId,
    /// It, or the message that it is about, has expired in a conversation with `EXPIRE`. Nothing is
    /// left but this place, to which a cursor may still be moved.
    pub expired: bool,
}

/// An entry as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    /// When the server accepted it.
    pub time: Millis,
    pub from: Handle,
    /// The other party of a direct chat, or the group.
    pub to: Target,
    pub kind: EntryKind,
    /// Its further properties; `None` for the usual message, which has none.
    pub tags: Option<Box<EntryTags>>,
    /// The unescaped text: real line breaks, single backslashes.
    pub body: Box<str>,
}

impl Entry {
    /// Whether it was deleted. Then its text is `-`.
    pub fn is_gone(&self) -> bool {
        self.tags.as_ref().is_some_and(|tags| tags.gone.is_some())
    }
}

/// Properties that few entries have. On the wire they are tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryTags {
    /// The mark that deleted it.
    pub gone: Option<EntryId>,
    /// The message that it answers; of a mark, the message that it is about.
    pub re: Option<EntryId>,
    /// The latest mark that changed its text.
    pub edit: Option<EntryId>,
    /// Bytes of the file that it is; its text is the file's name.
    pub file: Option<u64>,
    /// How often its text was forwarded; 0 if it was written here.
    pub fwd: u32,
    /// Whom it calls, at most [`CALLS`](crate::limits::CALLS); of a mark, whom it concerns.
    pub calls: Vec<Call>,
    /// An operator deleted the message.
    pub by_operator: bool,
    /// The number of the `AT` or `UNLESS` that sent it.
    pub late: Option<u64>,
    /// It expires this many seconds after its time.
    pub exp: Option<u32>,
    /// The device of its author that made it. Never sent.
    pub device: Option<DeviceNumber>,
    /// The reactions that hold, with their counts, the most frequent first. In rows of `HIST` only.
    pub react: Vec<(u64, Box<str>)>,
    /// The reader's own reaction. In rows of `HIST` only.
    pub mine: Option<Box<str>>,
}

/// The SHA-256 of a file's content, by which the content is kept and found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash that is written as `text`: 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<ContentHash> {
        let text = text.as_bytes();
        let digit = |b: u8| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        };
        if text.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(ContentHash(hash))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct FileRef {
    pub hash: ContentHash,
    pub bytes: u64,
}

/// The file of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// The message is no file.
    None,
    /// It was one, and its bytes were deleted by age.
    Forgotten,
    Kept(FileRef),
}

/// Whom a message calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Everyone in the group.
    All,
    /// One member.
    Handle(Handle),
}

/// A cursor move, as reported to the authors of the entries it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub cursor: Cursor,
    /// Everything up to this entry of the conversation.
    pub id: EntryId,
    /// When the cursor moved there.
    pub time: Millis,
    /// The owner of the cursor.
    pub from: Handle,
    /// The other party of a direct chat, or the group.
    pub to: Target,
}
