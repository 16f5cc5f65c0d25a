//! Words to disk and back, behind two traits: [`Writer`] and [`Reader`].
//!
//! The log is append-only: what is done to a message later is another entry, a mark. A written row
//! changes only if its text is deleted, which overwrites it and leaves its place. Entries may
//! expire, together with all before them: see [`Expire`]. Every write is a [`Change`]; a batch of
//! them is written as a whole and synced, or not at all. Every read is bounded by a page and holds
//! no transaction when it returns. Nothing here knows the wire, or the rules of who may do what.
//! Uniqueness (of a handle, of a chat between two) is also enforced by the store's own constraints.

#[cfg(feature = "postgres")]
mod candidate;
mod change;
pub mod contents;
mod device;
mod find;
pub mod folder;
mod ids;
mod inventory;
mod list_rows;
mod maintenance;
mod message_state;
mod moves;
mod need;
pub mod placed;
#[cfg(feature = "postgres")]
pub mod postgres;
mod rows;
mod search;
pub mod sqlite;
pub mod upload;
mod walk;

use std::fmt;

#[cfg(feature = "postgres")]
pub use candidate::{Announced, BatchId, Candidate, LeaderSeen, OpenedBy};
pub use change::{Added, Change, Expire, NewEntry, NewReaction, Newest, Rank};
pub use device::{Device, DeviceChange};
pub use inventory::{AccountInvitation, AccountRow, AccountState, FileRow};
pub use list_rows::{ChatRow, Found, GroupRow, InfoRow, ListPage};
pub use maintenance::{BackupError, Maintenance, Survey};
pub use message_state::{MessageState, Tallied, WordCount};
pub use moves::{Move, Moves};
pub use need::{Fact, Need};
pub use rows::{
    Account, Conversation, ConversationKind, Fronts, Invitation, Later, Marks, Member, Once, Pair,
    Position, Receipts, Span, SpanQuery, Stay, Token, WaitingCount,
};
pub use search::{SearchPage, SearchQuery};
pub use walk::{Listing, Walk};

use crate::entry::{
    AccountId, ContentHash, ConversationId, Entry, EntryId, FileState, Millis, MoveNumber,
};
use crate::group_rules::GroupRules;
use crate::name::Handle;

/// The writer; each store has one.
pub trait Writer: Send {
    /// Writes all of `changes` in their order, or none of them; they are on disk when it returns.
    /// Also ends the transaction that [`Writer::reader`] began, even if there is nothing to write.
    /// A store that another process could take over makes sure that none has, even then.
    ///
    /// # Errors
    /// Why nothing was written. The next call may succeed, unless the cause is [`Cause::Over`] or
    /// [`Cause::Superseded`].
    fn record(&mut self, changes: &[Change]) -> Result<(), Error>;
    /// Removes expired text from where a store still holds it outside its tables, such as a
    /// write-ahead log. Returns whether that is done: `false` if a reader is in the way, which is
    /// not waited for. Must not be called within a batch.
    ///
    /// # Errors
    /// The store's reason.
    fn wipe(&mut self) -> Result<bool, Error> {
        Ok(true)
    }
    /// The last batch recorded.
    #[cfg(feature = "postgres")]
    fn last(&mut self) -> BatchId {
        BatchId::default()
    }
    /// No entry is newer than this: where several processes write in turns, their clocks may differ.
    ///
    /// # Errors
    /// The store's reason.
    #[cfg(feature = "postgres")]
    fn latest(&mut self) -> Result<Millis, Error> {
        Ok(Millis(0))
    }
    /// Which of these sessions would still be let in: their accounts are there and not disabled, and
    /// have their devices and what has opened them.
    ///
    /// # Errors
    /// The store's reason.
    #[cfg(feature = "postgres")]
    fn let_in(&mut self, sessions: &[OpenedBy]) -> Result<Vec<bool>, Error> {
        // Where only one process writes, nobody comes from another.
        Ok(vec![false; sessions.len()])
    }
    /// The writer's own reader, for single rows. The first call begins the transaction that
    /// `record` will end, so each further lookup is cheap.
    ///
    /// # Errors
    /// The store's reason.
    fn reader(&mut self) -> Result<&mut dyn Reader, Error>;
}

/// How urgent a step of an [`Indexer`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// It may rest while others write: searches read in the log what is not in the index.
    None,
    /// It erases deleted texts, which are to be gone within a minute.
    Erasing,
}

/// The writer of an index for searching, if a store has one.
pub trait Indexer: Send {
    /// Opens the index, or makes it, so that filling it takes no further descriptors.
    ///
    /// # Errors
    /// The store's reason. The next pass tries it again.
    fn open(&mut self) -> Result<(), Error>;

    /// Does a part of what is to be done. Returns whether there is more. It asks `go_on` between
    /// any two small steps, which may take its time to answer; if the answer is no, it returns
    /// soon, and leaves the part that it has begun.
    ///
    /// # Errors
    /// The store's reason. The next pass goes on, with a new index if this one was damaged.
    fn pass(&mut self, go_on: &dyn Fn(Haste) -> bool) -> Result<bool, Error>;

    /// How many of the newest entries are not in the index, as of the last pass; where a few ids were
    /// given to no entry, they count. A search reads these in the log.
    fn lag(&self) -> u64;
}

/// How much work a question may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// [`SMALL_STEPS`](crate::limits::SMALL_STEPS): sockets wait meanwhile.
    Small,
    /// [`READ_STEPS`](crate::limits::READ_STEPS).
    Full,
}

/// A reader. It sees everything recorded before it was asked, and no part of a batch.
pub trait Reader: Send {
    /// Gets ready, before there is any question: what the first one of a kind would have to wait
    /// for is done. If that fails, the questions say why.
    fn prepare(&mut self) {}
    /// Begins a question: until [`Reader::end`], all reads see the same state of the log. A read
    /// that takes more than `effort` allows fails.
    ///
    /// # Errors
    /// The store's reason.
    fn begin(&mut self, effort: Effort) -> Result<(), Error>;
    /// Ends a question. The caller must not wait for anything else before this.
    fn end(&mut self);
    /// The newest numbers given.
    fn newest(&mut self) -> Result<Newest, Error>;
    /// Looks up what the rules need, all of it in one state of the log. Returns a fact for each
    /// need, in their order: for the first `must` in any case, and for as many of the others as fit
    /// in about [`LOOKED_UP`](crate::limits::LOOKED_UP) bytes.
    ///
    /// # Errors
    /// The store's reason, or that a row is missing which others refer to.
    fn gather(&mut self, needs: &[Need], must: usize) -> Result<Vec<Fact>, Error>;
    /// An account by its handle, also if it was deleted: see [`Account::gone`].
    fn account(&mut self, handle: &Handle) -> Result<Option<Account>, Error>;
    /// An account by its number.
    fn account_by_id(&mut self, id: AccountId) -> Result<Option<Account>, Error>;
    /// The password hash of an account, in PHC string form.
    fn secret(&mut self, id: AccountId) -> Result<Option<String>, Error>;
    /// The conversation of two accounts, or of one with itself.
    fn direct(&mut self, pair: Pair) -> Result<Option<Conversation>, Error>;
    /// The conversations of an account with numbers above `after`, at most `count`, in the order of
    /// their numbers, each with whether it is a group that the account is in now. Direct chats may
    /// be left out.
    fn memberships(
        &mut self,
        me: AccountId,
        after: ConversationId,
        count: usize,
    ) -> Result<Vec<(ConversationId, bool)>, Error>;
    /// Whether `by` has blocked `whom`.
    fn blocked(&mut self, by: AccountId, whom: AccountId) -> Result<bool, Error>;
    /// The handles that an account has blocked, by their account numbers, above `after`.
    fn blocks(
        &mut self,
        by: AccountId,
        after: AccountId,
    ) -> Result<ListPage<Handle, AccountId>, Error>;
    /// A token by its hash.
    fn token(&mut self, hash: &[u8; 32]) -> Result<Option<Token>, Error>;
    /// The tokens of an account, by their labels.
    fn tokens(&mut self, account: AccountId) -> Result<Vec<Token>, Error>;
    /// The system users who may log in to an account without a secret.
    fn links(&mut self, account: AccountId) -> Result<Vec<u32>, Error>;
    /// The devices of an account, by their names.
    fn devices(&mut self, account: AccountId) -> Result<Vec<Device>, Error>;
    /// How many entries up to `upto` wait for an account: arithmetic over the conversations in
    /// which some do. If those are more than [`PENDING`](crate::limits::PENDING), a lower bound.
    fn waiting(&mut self, me: AccountId, upto: EntryId) -> Result<WaitingCount, Error>;
    /// The next page of a walk over everything an account may see, of at most `rows` rows: entries
    /// and the marks that hold, merged. Messages have the text that holds, deleted ones none and
    /// the tag `gone`. It may be empty if much has to be looked up first; the walk is over when
    /// [`Walk::done`] says so.
    fn page(&mut self, me: AccountId, walk: Walk, rows: usize)
    -> Result<(Vec<Entry>, Walk), Error>;
    /// The receipts an account has missed: others' cursors that moved over its entries since
    /// `after`, each once, at its newest place; and how far the account itself has read, where that
    /// moved since `own`.
    fn receipts(
        &mut self,
        me: AccountId,
        after: MoveNumber,
        own: MoveNumber,
    ) -> Result<Receipts, Error>;
    /// The ids of a part of a conversation, as far as `me` may see it.
    fn span(&mut self, me: AccountId, id: ConversationId, query: &SpanQuery)
    -> Result<Span, Error>;
    /// Messages that an account may see, by the words of their texts: one look, of bounded work.
    fn search(&mut self, me: AccountId, query: &SearchQuery) -> Result<SearchPage, Error>;
    /// The next page of the conversations of an account, by the last entry it may see, the newest
    /// first. Conversations whose entries have all expired are left out.
    fn chats(&mut self, me: AccountId, list: Listing) -> Result<(Vec<ChatRow>, Listing), Error>;
    /// Names and numbers of the groups that an account is in, by their numbers, above `after`.
    fn group_names(
        &mut self,
        me: AccountId,
        after: ConversationId,
    ) -> Result<ListPage<(Handle, ConversationId), ConversationId>, Error>;
    /// Rows for some groups, in the given order, without those that `me` is not in and cannot join.
    /// The next page begins at an index of `which`.
    fn group_rows(
        &mut self,
        me: AccountId,
        which: &[ConversationId],
    ) -> Result<ListPage<GroupRow, usize>, Error>;
    /// The groups that anybody may join, by name, at most
    /// [`OPEN_GROUPS`](crate::limits::OPEN_GROUPS).
    fn open_groups(&mut self) -> Result<Vec<ConversationId>, Error>;
    /// The rules of a group.
    fn group_rules(&mut self, id: ConversationId) -> Result<GroupRules, Error>;
    /// The group of a name, if `me` is or was in it, and whether it is now. The cost does not
    /// depend on whether there is such a group or how large it is.
    fn membership(
        &mut self,
        me: AccountId,
        name: &Handle,
    ) -> Result<Option<(ConversationId, bool)>, Error>;
    /// The members of a group, by their account numbers, above `after`: handles, and whether they
    /// are admins.
    fn who(
        &mut self,
        id: ConversationId,
        after: AccountId,
    ) -> Result<ListPage<(Handle, bool), AccountId>, Error>;
    /// Who has received and read an entry, if `me` may see it: one row for everyone who may, except
    /// its author, above the account number `after`.
    fn info(
        &mut self,
        me: AccountId,
        id: EntryId,
        after: AccountId,
    ) -> Result<Option<ListPage<InfoRow, AccountId>>, Error>;
    /// Accounts that have, for each of `words` (which are folded), a word beginning with it; at
    /// most `count`. The best come first: exact handles, then exact words, each sorted by handle.
    /// The work is bounded, so if very many match, not all are considered.
    fn find(&mut self, words: &[String], count: usize) -> Result<Vec<Found>, Error>;
    /// Entries of a conversation by their ids, in the given order, as `me` sees them, with their
    /// reactions: as many as fit in a page, at least one. Expired entries are left out.
    fn entries(
        &mut self,
        me: AccountId,
        conversation: ConversationId,
        ids: &[EntryId],
    ) -> Result<Vec<Entry>, Error>;
    /// The same for entries of several conversations, in the order of their ids.
    fn entries_of(
        &mut self,
        me: AccountId,
        of: &[(ConversationId, EntryId)],
    ) -> Result<Vec<Entry>, Error>;
    /// An account for operators, by its handle, also if it was deleted.
    fn account_row(&mut self, handle: &Handle) -> Result<Option<AccountRow>, Error>;
    /// The next accounts in the order of their handles, deleted ones included; at most `count`.
    fn account_rows(
        &mut self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<Vec<AccountRow>, Error>;
    /// The group of a name, for operators: whoever is in it.
    fn group_named(&mut self, name: &Handle) -> Result<Option<ConversationId>, Error>;
    /// The next of all groups in the order of their names: `count`, or fewer if they are large.
    /// [`GroupRow::admin`] says nothing here.
    fn all_groups(
        &mut self,
        after: Option<&Handle>,
        count: usize,
    ) -> Result<ListPage<GroupRow, Handle>, Error>;
    /// The first invitations by the time at which they end, those that have ended included; at
    /// most `count`.
    fn invitations(&mut self, count: usize) -> Result<Vec<AccountInvitation>, Error>;
    /// The next messages with files in the order of ids, whoever may see them; at most `count`.
    fn file_rows(&mut self, after: EntryId, count: usize) -> Result<Vec<FileRow>, Error>;
    /// Part of all that holds about a message, above the id `after`: its first text, if it was
    /// edited, as a message with itself as `re`; its later texts; and the reactions. `None` if `me`
    /// may not see the message, or if it was deleted.
    fn marks(
        &mut self,
        me: AccountId,
        id: EntryId,
        after: EntryId,
    ) -> Result<Option<ListPage<Entry, EntryId>>, Error>;
    /// Whether anybody else has answered a message of `me`: with a reply, with a reaction that
    /// holds or, in a direct chat, with anything said since. `None` if it is no message of `me`.
    fn answered(&mut self, me: AccountId, id: EntryId) -> Result<Option<bool>, Error>;
    /// The file of a message; `None` if `me` may not see it, or if it was deleted.
    fn file(&mut self, me: AccountId, id: EntryId) -> Result<Option<FileState>, Error>;
    /// Whether an entry has a file of this content.
    fn is_used(&mut self, content: ContentHash) -> Result<bool, Error>;
    /// Contents that entries no longer have, with growing numbers: at most
    /// [`SWEEP`](crate::limits::SWEEP). An entry may have one of them again by now.
    fn dropped(&mut self) -> Result<Vec<(i64, ContentHash)>, Error>;
    /// The last of the next entries whose files are from before `before`, as far as one step of
    /// expiry may go, if there are any. Times after `now` are treated as in `next_expiry`.
    fn next_old_file(&mut self, before: Millis, now: Millis) -> Result<Option<EntryId>, Error>;
    /// The commands that an account has carried out later, the soonest first.
    fn later(&mut self, account: AccountId) -> Result<Vec<Later>, Error>;
    /// The commands of all accounts that are due next, in the order in which they are: at most
    /// `count`, and as many as fit in a page, at least one.
    fn next_due(&mut self, count: usize) -> Result<Vec<(AccountId, Later)>, Error>;
    /// The next step of erasing marks of messages that were deleted; then the next one of deleting
    /// messages that `EXPIRE` has given until `now`, if there are any: the first ones that were due.
    fn next_expired(&mut self, now: Millis) -> Result<Option<Expire>, Error>;
    /// The next step of deleting entries from before `before`, if there is anything to do. Entries
    /// with times after `now`, from when the clock was wrong, count as old as the entries after
    /// them.
    fn next_expiry(&mut self, before: Millis, now: Millis) -> Result<Option<Expire>, Error>;
}

/// A failure of the store. Its text is for the operator and goes to the log; clients get a refusal
/// by its cause.
#[derive(Clone, Debug)]
pub struct Error {
    cause: Cause,
    text: Box<str>,
}

/// The kind of a failure, which decides what clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The disk is full, or cannot be read or written.
    Disk,
    /// Another process holds the store.
    Busy,
    /// The store's contents are inconsistent.
    Damaged,
    /// The files of the store were removed or replaced while it was in use.
    Gone,
    /// This process can not write to the store any more, or papod ends and it is not known whether
    /// a batch was written. Papod ends without another answer, as if it had crashed.
    Over,
    /// Another process writes to the store now; nothing more was written by this one.
    Superseded,
    /// A bug of ours: a violated constraint, or an impossible request.
    Bug,
}

impl Error {
    /// A failure of the disk, with a sentence for the operator.
    pub fn new(text: impl fmt::Display) -> Error {
        Error::of(Cause::Disk, text)
    }

    /// A failure with a sentence for the operator.
    pub fn of(cause: Cause, text: impl fmt::Display) -> Error {
        Error { cause, text: text.to_string().into() }
    }

    /// The database is damaged in this way.
    fn damaged(what: impl fmt::Display) -> Error {
        Error::of(Cause::Damaged, format_args!("the database is damaged: {what}"))
    }

    /// The kind of failure.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The same failure with context in front of its text.
    pub fn about(self, what: impl fmt::Display) -> Error {
        Error { text: format!("{what}: {}", self.text).into(), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
