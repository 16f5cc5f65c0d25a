//! Everything that can be written: each write is a [`Change`], so a feature adds a variant, not a
//! method.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    AccountInvitation, DeviceChange, Invitation, Later, Marks, Member, Moves, Once, Pair, Position,
    Stay, Token, WordCount,
};
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryKind, EntryPos, EntryTags, FileRef, Millis,
    MoveNumber, TokenId,
};
use crate::group_rules::GroupRules;
use crate::name::{DisplayName, Handle};
use crate::preferences::Preferences;

/// One thing to write.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new account.
    Account { id: AccountId, handle: Handle, name: DisplayName, secret: String, time: Millis },
    /// Another display name. The handle is needed to rewrite the words that `FIND` uses.
    Name { account: AccountId, handle: Handle, name: DisplayName },
    /// Other preferences of an account.
    Preferences { account: AccountId, preferences: Preferences },
    /// Another password hash.
    Secret { account: AccountId, secret: String },
    /// The account has been shown the receipts up to this move. `seen` is when a session of it
    /// ended, if one did.
    Shown { account: AccountId, upto: MoveNumber, seen: Option<Millis> },
    /// A new conversation of two accounts, or of one with itself. Its members are written by
    /// `Member`. All its entries and marks are newer than `begun`.
    Direct { id: ConversationId, pair: Pair, begun: EntryId },
    /// A new group. Its members are written by `Member` and `Stay`.
    Group { id: ConversationId, name: Handle },
    /// Another topic.
    Topic { id: ConversationId, topic: Box<str> },
    /// Other rules of a group.
    Rules { id: ConversationId, rules: GroupRules },
    /// An invitation to a group is made or used. It is deleted with its last use.
    Invitation { id: ConversationId, invitation: Invitation },
    /// Accounts that were never in a group are members from the entry `since` on, its id and its
    /// `seq`: see [`Member::joining`](super::Member::joining). Sorted, and each once.
    Joined { conversation: ConversationId, accounts: Vec<AccountId>, since: (EntryId, i64) },
    /// A stay in a group, which has begun or ended.
    Stay { conversation: ConversationId, account: AccountId, stay: Stay },
    /// Up to the entry whose place is `seq`, `count` entries do not wait for a member: see
    /// [`Member::exempt`]. Written in groups, when `exempt` grows while something waits above one
    /// of the member's cursors: a cursor that is moved to `seq` or above later needs the value from
    /// here.
    ExemptMark { conversation: ConversationId, account: AccountId, seq: i64, count: i64 },
    /// A message sent under a `ONCE` key.
    Once { account: AccountId, key: Box<str>, once: Once },
    /// Someone is blocked (`on`) or unblocked.
    Block { by: AccountId, whom: AccountId, on: bool },
    /// A new token.
    Token { account: AccountId, token: Token },
    /// A token is revoked.
    NoToken { id: TokenId },
    /// A system user may log in without a secret (`on`), or no longer.
    Link { account: AccountId, user: u32, on: bool },
    /// An account is deleted: nobody can log in to it or find it any more. While it is `leaving`,
    /// it may still be in groups.
    Gone { account: AccountId, leaving: bool },
    /// An operator has disabled an account, or enabled it again.
    Disabled { account: AccountId, on: bool },
    /// A new invitation to create accounts. Those that have ended by then are deleted.
    AccountInvitation(AccountInvitation),
    /// The invitation with this hash has created an account.
    AccountInvitationUsed { hash: [u8; 32] },
    /// All invitations are void.
    NoAccountInvitations,
    /// A device of an account.
    Device { account: AccountId, change: DeviceChange },
    /// A token was used.
    TokenUsed { id: TokenId, time: Millis },
    /// An entry of a conversation.
    Entry(NewEntry),
    /// A message has the text of the entry `mark` from now on. Like the three after it, this comes
    /// after the entry that it names. `first`: the message has had no mark before.
    Edited { message: EntryId, mark: EntryId, first: bool },
    /// A message is deleted: its texts and its reactions are overwritten. `first`: it has had no
    /// mark before. `file`: it has a file.
    Deleted { message: EntryId, mark: EntryId, first: bool, file: bool },
    /// Somebody reacts to a message.
    Reacted(NewReaction),
    /// A mark does not hold any more.
    Voided { mark: EntryId },
    /// The entry `reply`, of this author, answers a message.
    Replied { message: EntryId, reply: EntryId, author: AccountId },
    /// A command to carry out later. Its number is the highest given in its account.
    Later { account: AccountId, later: Later },
    /// A command was carried out, or is struck: its text is overwritten.
    LaterDone { account: AccountId, number: u64 },
    /// An entry has this file.
    File { entry: EntryId, file: FileRef },
    /// A conversation's newest marks, and those that the batch adds to it.
    Marked { conversation: ConversationId, marks: Marks, added: Added },
    /// A full list of a cursor's earlier moves, the last of which named the entry `upto`.
    CursorHistory {
        conversation: ConversationId,
        account: AccountId,
        cursor: Cursor,
        upto: EntryId,
        moves: Moves,
    },
    /// A member as it is now; its ranks only if it is new. Boxed, since it is by far the largest
    /// variant.
    Member { conversation: ConversationId, member: Box<Member> },
    /// The place of a member's direct chat among those of its account.
    Rank { conversation: ConversationId, account: AccountId, rank: Rank },
    /// A conversation's newest entry and move, and the entries that the batch adds to it.
    Head { conversation: ConversationId, head: EntryId, seq: i64, moved: MoveNumber, added: Added },
    /// The newest numbers of the service.
    Newest(Newest),
    /// What is said in a conversation from now on is deleted after this many seconds; `None`: never.
    Ttl { conversation: ConversationId, seconds: Option<u32> },
    /// A step of expiry.
    Expire(Expire),
}

/// What an account's direct chats are ordered by, so that the first ones are found without reading
/// the others: see the fields of these names in [`Member`].
///
/// `Recent`, `Moved` and `Marked` are written when a chat comes before all others of the account,
/// not each time one that already comes first goes on, which is the usual case. So a chat's written
/// rank may be older than its newest entry (or move, or mark), but that newest one is still older
/// than the written rank of the chat before it. The order by rank is therefore the order by newest
/// entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A lower bound of the first entry or mark that waits; 0: nothing waits.
    Waits(EntryId),
    /// The entry with which the chat came first.
    Recent(EntryId),
    /// The move with which it came first.
    Moved(MoveNumber),
    /// The mark with which it came first.
    Marked(EntryId),
}

/// A step of expiry. Each is small, so that it can share a batch with other work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expire {
    /// Entries above `after` and up to `upto` expire: nobody can read their text any more.
    Entries { after: EntryId, upto: EntryId },
    /// These messages have expired by `EXPIRE`, each with when it was due, in that order.
    Messages(Arc<[(Millis, EntryId)]>),
    /// The files of entries up to `upto` are forgotten. The entries stay.
    Files { upto: EntryId },
    /// The contents that the store listed as dropped, up to this number of its list, have been
    /// deleted, or are used again.
    Swept { upto: i64 },
    /// Erases some of the marks of a message that was deleted, or has expired.
    Marks,
    /// Deletes some of the rows about expired entries that are no longer needed: which messages answer
    /// them, moves of cursors, exempt marks.
    Rows,
    /// Returns some of the empty pages to the file system.
    Pages,
}

impl Expire {
    /// Whether text is deleted by it, which may still be in the write-ahead log then.
    pub fn deletes_text(&self) -> bool {
        !matches!(self, Expire::Files { .. } | Expire::Swept { .. })
    }
}

/// An entry to write.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Where it stands.
    pub pos: EntryPos,
    /// When the server took it.
    pub time: Millis,
    /// What kind of entry it is.
    pub kind: EntryKind,
    /// The text.
    pub body: Box<str>,
    /// What it says besides. For a mark, `re` is the message that it is about.
    pub tags: Option<Box<EntryTags>>,
}

/// New entries of one conversation, or new marks.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// The conversation's entry (or mark) before them, 0 if there is none.
    pub after: EntryId,
    /// Their ids, ascending.
    pub ids: Vec<EntryId>,
}

/// The newest numbers given. No number is given twice, whatever is deleted later.
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
    /// Everything up to this entry has expired.
    pub floor: EntryId,
}

impl Member {
    /// A member of a group who was never in it before, from the entry `since` on: its id and its
    /// `seq`. What was written before that does not wait for it.
    pub fn joining(account: AccountId, since: (EntryId, i64)) -> Member {
        let (id, hidden) = (EntryId(since.0.0 - 1), since.1 - 1);
        let at = Position { id, seq: hidden, exempt: hidden, ..Position::default() };
        let stay = Stay { since, until: None, removed: false };
        let stays = SmallVec::from([stay]);
        Member { delivered: at, read: at, exempt: hidden, stays, ..Member::new(account) }
    }
}

/// An author's reaction to a message, or that it is taken back.
#[derive(Clone, Debug)]
pub struct NewReaction {
    pub message: EntryId,
    pub author: AccountId,
    pub mark: EntryId,
    /// The message has had no mark before.
    pub first: bool,
    /// `None`: it is taken back.
    pub word: Option<Box<str>>,
    /// The reaction that held before.
    pub replaced: Option<EntryId>,
    /// How many react with the word of that from now on.
    pub uncounted: Option<WordCount>,
    /// How many react with the new word from now on.
    pub counted: Option<WordCount>,
}
