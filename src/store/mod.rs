//! Words to disk and back. Two small traits: [`Writer`] and [`Reader`].
//!
//! The log is append-only: an entry, once written, is never changed. It may be forgotten, together
//! with all before it: see [`Expire`]. Every write is a [`Change`]; a batch of them is written
//! whole and synced, or not at all. Every read is bounded by a page and holds no transaction when
//! it returns. Nothing here knows the wire or the rules of who may what; uniqueness (of a handle,
//! of a chat between two) is also held by the store's own constraints.

mod change;
mod ids;
mod maintenance;
mod moves;
mod need;
mod rows;
pub mod sqlite;
mod walk;

use std::fmt;

pub use change::{Added, Change, Expire, NewEntry, Newest, Rank};
pub use maintenance::{BackupError, Maintenance, Survey};
pub use moves::{Move, Moves};
pub use need::{Fact, Need};
pub use rows::{
    Account, ChatRow, Conversation, ConversationKind, Found, Fronts, GroupRow, InfoRow, ListPage,
    Member, Once, Pair, Position, Receipts, Span, SpanQuery, Stay, Token,
};
pub use walk::{Listing, Walk};

use crate::entry::{AccountId, ConversationId, Entry, EntryId, Millis, MoveNumber};
use crate::name::Handle;

/// What writes. One exists for each store.
pub trait Writer: Send {
    /// Writes all of `changes` in their order, or none of them; they are on disk when it returns.
    /// Ends what [`Writer::reader`] began, also where there is nothing to write.
    ///
    /// # Errors
    /// [`Error`] says why nothing was kept. The next call may succeed.
    fn record(&mut self, changes: &[Change]) -> Result<(), Error>;
    /// Empties what a store keeps beside the log and what is forgotten still stands in. Returns
    /// whether it is done; where someone reads, it is not waited for. Not within a batch.
    ///
    /// # Errors
    /// The store's reason.
    fn wipe(&mut self) -> Result<bool, Error> {
        Ok(true)
    }
    /// The writer's own reader, for single rows: with the first look the batch that
    /// `record` will end begins, so each further one is cheap.
    ///
    /// # Errors
    /// The store's reason.
    fn reader(&mut self) -> Result<&mut dyn Reader, Error>;
}

/// What reads. Each sees what was recorded before it was asked, and no part of a batch.
pub trait Reader: Send {
    /// Begins a question: up to [`Reader::end`] the log looks the same to all that is asked.
    ///
    /// # Errors
    /// The store's reason.
    fn begin(&mut self) -> Result<(), Error>;
    /// Ends a question. None may stay open while something else is waited for.
    fn end(&mut self);
    /// Where the log stands.
    fn newest(&mut self) -> Result<Newest, Error>;
    /// Looks up what the rules need, with one question to the store. Returns a fact for each need,
    /// in their order: for the first `must` in any case, and for as many of the others as fit in
    /// about [`LOOKED_UP`](crate::limits::LOOKED_UP) bytes.
    ///
    /// # Errors
    /// The store's reason; a row that others point to may be missing.
    fn gather(&mut self, needs: &[Need], must: usize) -> Result<Vec<Fact>, Error>;
    /// An account by its handle.
    fn account(&mut self, handle: &Handle) -> Result<Option<Account>, Error>;
    /// An account by its number.
    fn account_by_id(&mut self, id: AccountId) -> Result<Option<Account>, Error>;
    /// The password hash of an account, in PHC string form.
    fn secret(&mut self, id: AccountId) -> Result<Option<String>, Error>;
    /// The conversation of two accounts, or of one with itself.
    fn direct(&mut self, pair: Pair) -> Result<Option<Conversation>, Error>;
    /// The next conversations of an account after one, at most `count`, in the order of their
    /// numbers; and whether each is a group that it is in now.
    fn memberships(
        &mut self,
        me: AccountId,
        after: ConversationId,
        count: usize,
    ) -> Result<Vec<(ConversationId, bool)>, Error>;
    /// Whether `by` has blocked `whom`.
    fn blocked(&mut self, by: AccountId, whom: AccountId) -> Result<bool, Error>;
    /// Whom an account has blocked.
    fn blocks(
        &mut self,
        by: AccountId,
        after: AccountId,
    ) -> Result<ListPage<Handle, AccountId>, Error>;
    /// A token by its hash.
    fn token(&mut self, hash: &[u8; 32]) -> Result<Option<Token>, Error>;
    /// The tokens of an account, by their labels.
    fn tokens(&mut self, account: AccountId) -> Result<Vec<Token>, Error>;
    /// The system users who need no secret for an account.
    fn links(&mut self, account: AccountId) -> Result<Vec<u32>, Error>;
    /// How many entries up to `upto` wait for an account: arithmetic over the conversations in which
    /// some do. Where they are more than [`PENDING`](crate::limits::PENDING), at least this many.
    fn waiting(&mut self, me: AccountId, upto: EntryId) -> Result<u64, Error>;
    /// The next page of a walk over what an account may see, of so many rows at most. It may be
    /// empty where much has to be looked up first; the walk is at its end where it says so.
    fn page(&mut self, me: AccountId, walk: Walk, rows: usize)
    -> Result<(Vec<Entry>, Walk), Error>;
    /// The cursors that moved over entries of an account since `after`, each once, at its newest;
    /// and how far the account itself has read, where that moved since `own`.
    fn receipts(
        &mut self,
        me: AccountId,
        after: MoveNumber,
        own: MoveNumber,
    ) -> Result<Receipts, Error>;
    /// The ids of a part of a conversation, as far as `me` may see it.
    fn span(&mut self, me: AccountId, id: ConversationId, query: &SpanQuery)
    -> Result<Span, Error>;
    /// The next page of the conversations of an account, the newest first, by the last entry it may
    /// see; nothing of which all is forgotten.
    fn chats(&mut self, me: AccountId, list: Listing) -> Result<(Vec<ChatRow>, Listing), Error>;
    /// The groups that an account is in, without what stands in a row, by their numbers.
    fn group_names(
        &mut self,
        me: AccountId,
        after: ConversationId,
    ) -> Result<ListPage<(Handle, ConversationId), ConversationId>, Error>;
    /// Rows for some of them, in their order, but for those that `me` is not in any more. The next
    /// page begins at an index.
    fn group_rows(
        &mut self,
        me: AccountId,
        which: &[ConversationId],
    ) -> Result<ListPage<GroupRow, usize>, Error>;
    /// The group of a name, if `me` is or was in it, and whether it is. That costs the same however
    /// large the group is, and the same where there is none.
    fn membership(
        &mut self,
        me: AccountId,
        name: &Handle,
    ) -> Result<Option<(ConversationId, bool)>, Error>;
    /// Who is in a group: handles, and whether they are admins.
    fn who(
        &mut self,
        id: ConversationId,
        after: AccountId,
    ) -> Result<ListPage<(Handle, bool), AccountId>, Error>;
    /// What became of an entry, if `me` may see it: everyone but its author who may.
    fn info(
        &mut self,
        me: AccountId,
        id: EntryId,
        after: AccountId,
    ) -> Result<Option<ListPage<InfoRow, AccountId>>, Error>;
    /// Accounts of whose words one begins with each of these, which are folded; at most `count`.
    /// The best come first: exact handles, then exact words, and each of these by their handles.
    /// Bounded: where very many match, it is some of them.
    fn find(&mut self, words: &[String], count: usize) -> Result<Vec<Found>, Error>;
    /// Entries of a conversation by their ids, in their order, as `me` sees them: as many as fit
    /// in a page, but one. Those that are forgotten are passed over.
    fn entries(
        &mut self,
        me: AccountId,
        conversation: ConversationId,
        ids: &[EntryId],
    ) -> Result<Vec<Entry>, Error>;
    /// What is to be done next so that entries from before `before` are forgotten, if anything is.
    /// Entries from after `now`, when the clock was wrong, are as old as what follows them.
    fn next_expiry(&mut self, before: Millis, now: Millis) -> Result<Option<Expire>, Error>;
}

/// The store's own failure. It is logged at the top; a client learns what its cause says.
#[derive(Clone, Debug)]
pub struct Error {
    cause: Cause,
    text: Box<str>,
}

/// Whose fault a failure is, and so what a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The disk is full, or cannot be read or written.
    Disk,
    /// Somebody else holds the store.
    Busy,
    /// The store holds what it never should.
    Damaged,
    /// The files of the store were removed or replaced while it was in use.
    Gone,
    /// Our own: it was asked for what its constraints forbid, or in a way that cannot be.
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

    /// The error that the database holds what it never should.
    fn damaged(what: impl fmt::Display) -> Error {
        Error::of(Cause::Damaged, format_args!("the database is damaged: {what}"))
    }

    /// Whose fault it is.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The same with more said about it.
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
