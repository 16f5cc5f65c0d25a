//! Rows of lists, as the sessions show them.

use crate::chat_flags::ChatFlags;
use crate::entry::{AccountId, EntryId, Millis};
use crate::name::{DisplayName, Handle, Target};

/// A row of `CHATS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatRow {
    /// The other party or the group.
    pub to: Target,
    /// Number of entries above the read cursor that are not the account's own.
    pub unread: i64,
    /// The last entry that the account may see.
    pub last: EntryId,
    /// When that entry was written.
    pub time: Millis,
    /// What the account notes about it.
    pub flags: ChatFlags,
}

/// A row of `GROUP LIST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// Its name.
    pub name: Handle,
    /// Whether the account that asks may change it; `None` if it is not in it.
    pub admin: Option<bool>,
    /// Number of current members.
    pub members: i64,
    /// Its topic; may be empty.
    pub topic: Box<str>,
}

/// A row of `INFO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoRow {
    /// Whose row it is.
    pub handle: Handle,
    /// When it was received.
    pub delivered: Option<Millis>,
    /// When it was read.
    pub read: Option<Millis>,
    /// It has left the group.
    pub left: bool,
}

/// A part of a list that may be long, in the order of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage<T, N> {
    /// Some rows. There may be more even if there are none here.
    pub rows: Vec<T>,
    /// The number after which the next page begins; `None`: this is the last page.
    pub next: Option<N>,
}

/// A result of `FIND`.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its number.
    pub id: AccountId,
    /// Its handle.
    pub handle: Handle,
    /// Its display name.
    pub name: DisplayName,
}
