//! What is written: every write is one of these, so a feature adds a variant, not a method.

use super::{Member, Moves, Once, Pair, Stay, Token};
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryKind, EntryPos, Millis, MoveNumber, TokenId,
};
use crate::name::{DisplayName, Handle};

/// One thing to be written.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new account.
    Account { id: AccountId, handle: Handle, name: DisplayName, secret: String, time: Millis },
    /// Another display name of the account of this handle.
    Name { account: AccountId, handle: Handle, name: DisplayName },
    /// Another password hash.
    Secret { account: AccountId, secret: String },
    /// The account has been shown the receipts up to this move; `seen` is when a session of it
    /// ended, if one did.
    Shown { account: AccountId, upto: MoveNumber, seen: Option<Millis> },
    /// A new conversation of two, or of one. Its members are written by `Member`.
    Direct { id: ConversationId, pair: Pair },
    /// A new group. Its members are written by `Member` and `Stay`.
    Group { id: ConversationId, name: Handle },
    /// Another topic.
    Topic { id: ConversationId, topic: Box<str> },
    /// A stay in a group, begun or ended.
    Stay { conversation: ConversationId, account: AccountId, stay: Stay },
    /// Up to this entry so many do not wait for a member: see [`Member::exempt`].
    ExemptMark { conversation: ConversationId, account: AccountId, seq: i64, count: i64 },
    /// What was done under a key.
    Once { account: AccountId, key: Box<str>, once: Once },
    /// Someone is blocked, or not any more.
    Block { by: AccountId, whom: AccountId, on: bool },
    /// A new token.
    Token { account: AccountId, token: Token },
    /// A token is revoked.
    NoToken { id: TokenId },
    /// A system user needs no secret any more, or does again.
    Link { account: AccountId, user: u32, on: bool },
    /// An account is deleted: nothing opens it or finds it any more. While it is `leaving` it may
    /// still be in groups.
    Gone { account: AccountId, leaving: bool },
    /// A token was used.
    TokenUsed { id: TokenId, time: Millis },
    /// An entry of a conversation.
    Entry(NewEntry),
    /// A full list of the moves of a cursor before its newest, up to one that named this entry.
    CursorHistory {
        conversation: ConversationId,
        account: AccountId,
        cursor: Cursor,
        upto: EntryId,
        moves: Moves,
    },
    /// A member as it is now, but for its ranks if it was one before.
    /// Boxed, since it is by far the largest of them.
    Member { conversation: ConversationId, member: Box<Member> },
    /// Where a member's chat of two stands among all of the account.
    Rank { conversation: ConversationId, account: AccountId, rank: Rank },
    /// A conversation's newest entry and move, and the entries that the batch adds to it.
    Head { conversation: ConversationId, head: EntryId, seq: i64, moved: MoveNumber, added: Added },
    /// The newest numbers of the service.
    Newest(Newest),
    /// A step of forgetting.
    Expire(Expire),
}

/// By what an account's chats of two are found in order, whatever their number: see the fields of
/// these names of [`Member`].
///
/// `Recent` and `Moved` are written where a chat comes before all others, not where it already is
/// the first and goes on, which is nearly always. So the order by what is written is the order by
/// what was last, and a chat's last lies below what is written of the one before it in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Something waits there, from this entry on at the earliest; 0: nothing any more.
    Waits(EntryId),
    /// This entry brought it before all others.
    Recent(EntryId),
    /// This move did.
    Moved(MoveNumber),
}

/// A step of forgetting. Each is small, so that it can share a batch with what people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expire {
    /// Entries above the first and up to the second: their text is gone for everyone.
    Entries { after: EntryId, upto: EntryId },
    /// Some of the rows about entries that were forgotten, which nothing asks for any more.
    Rows,
    /// Some of the pages that were left empty.
    Pages,
}

/// An entry to be written.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Where it stands.
    pub pos: EntryPos,
    /// When the server took it.
    pub time: Millis,
    /// What it is.
    pub kind: EntryKind,
    /// The text.
    pub body: Box<str>,
}

/// Entries that follow each other in a conversation.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// The entry before them, 0 if there is none.
    pub after: EntryId,
    /// Their ids, growing.
    pub ids: Vec<EntryId>,
}

/// The newest numbers given. Nothing is given twice, whatever is deleted later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newest {
    /// Of an entry.
    pub entry: EntryId,
    /// Of a cursor's move.
    pub moved: MoveNumber,
    /// Of an account.
    pub account: i64,
    /// Of a conversation.
    pub conversation: i64,
    /// Of a token.
    pub token: i64,
    /// Everything up to this entry is forgotten.
    pub floor: EntryId,
}
