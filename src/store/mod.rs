//! Words to disk and back. Two small traits: [`Record`], the pen, and [`Recall`], the eyes.
//!
//! The log is append-only: an entry, once written, is never changed. Every write is a [`Change`];
//! a batch of them is written whole and synced, or not at all. Every read is bounded by a page and
//! holds no transaction when it returns. Nothing here knows the wire or the rules of who may what;
//! uniqueness (of a handle, of a chat between two) is also held by the store's own constraints.

pub mod sqlite;

use std::fmt;

use crate::entry::{
    AccountId, ConversationId, Cursor, Entry, EntryId, Millis, MoveNumber, Place, Receipt,
};
use crate::name::{DisplayName, Handle};

/// The pen. One exists for each store.
pub trait Record: Send {
    /// Writes all of `changes` in their order, or none of them; they are on disk when it returns.
    ///
    /// # Errors
    /// [`Error`] says why nothing was kept. The next call may succeed.
    fn record(&mut self, changes: &[Change]) -> Result<(), Error>;
}

/// The eyes. Each sees what was recorded before it was asked, and no part of a batch.
pub trait Recall: Send {
    /// Where the log stands.
    fn newest(&mut self) -> Result<Newest, Error>;
    /// An account by its handle.
    fn account(&mut self, handle: &Handle) -> Result<Option<Account>, Error>;
    /// An account by its number.
    fn account_by_id(&mut self, id: AccountId) -> Result<Option<Account>, Error>;
    /// The password hash of an account, in PHC string form.
    fn secret(&mut self, id: AccountId) -> Result<Option<String>, Error>;
    /// The conversation of two accounts, or of one with itself.
    fn direct(&mut self, pair: Pair) -> Result<Option<Conversation>, Error>;
    /// A conversation by its number.
    fn conversation(&mut self, id: ConversationId) -> Result<Option<Conversation>, Error>;
    /// Where an entry stands.
    fn place(&mut self, id: EntryId) -> Result<Option<Place>, Error>;
    /// How many entries up to `upto` wait for an account. Arithmetic over its conversations, so
    /// its cost does not grow with how many wait.
    fn waiting(&mut self, me: AccountId, upto: EntryId) -> Result<u64, Error>;
    /// The next page of what an account is to be shown, in the order of ids.
    fn page(&mut self, me: AccountId, query: &PageQuery) -> Result<Page, Error>;
    /// The cursors that moved over entries of an account since `after`, each once, at its newest.
    fn receipts(&mut self, me: AccountId, after: MoveNumber) -> Result<Receipts, Error>;
    /// The ids of a part of a conversation.
    fn span(&mut self, id: ConversationId, query: &SpanQuery) -> Result<Span, Error>;
    /// Entries by their ids, in their order, as `me` sees them: as many as fit in a page, but one.
    fn entries(&mut self, me: AccountId, ids: &[EntryId]) -> Result<Vec<Entry>, Error>;
}

/// One thing to be written.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new account.
    Account { id: AccountId, handle: Handle, name: DisplayName, secret: String, time: Millis },
    /// Another display name.
    Name { account: AccountId, name: DisplayName },
    /// Another password hash.
    Secret { account: AccountId, secret: String },
    /// The account has been shown the receipts up to this move.
    Shown { account: AccountId, upto: MoveNumber },
    /// A new conversation of two, or of one. Its members are written by `Member`.
    Direct { id: ConversationId, pair: Pair },
    /// An entry of a conversation.
    Entry(NewEntry),
    /// What a cursor was before it moved in a later second.
    Passed { conversation: ConversationId, account: AccountId, cursor: Cursor, was: Position },
    /// A member as it is now.
    Member { conversation: ConversationId, member: Member },
    /// A conversation's newest entry and move.
    Head { conversation: ConversationId, head: EntryId, seq: i64, moved: MoveNumber },
    /// The newest numbers of the service.
    Newest(Newest),
}

/// An entry to be written.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Where it stands.
    pub place: Place,
    /// The entry before it in its conversation, 0 if it is the first.
    pub prev: EntryId,
    /// When the server took it.
    pub time: Millis,
    /// The text.
    pub body: Box<str>,
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
}

/// An account as the rules know it.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its handle, which never changes.
    pub handle: Handle,
    /// Its display name.
    pub name: DisplayName,
    /// It was shown the receipts up to this move.
    pub shown: MoveNumber,
}

/// Two accounts, the lower number first; twice the same for notes to oneself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The lower number.
    pub low: AccountId,
    /// The higher number.
    pub high: AccountId,
}

impl Pair {
    /// The pair, whichever is named first.
    pub fn of(a: AccountId, b: AccountId) -> Pair {
        Pair { low: a.min(b), high: a.max(b) }
    }

    /// The other one of the two.
    pub fn other(self, me: AccountId) -> AccountId {
        if self.low == me { self.high } else { self.low }
    }
}

/// A conversation as the rules know it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its number.
    pub id: ConversationId,
    /// Whose it is.
    pub pair: Pair,
    /// Its newest entry, 0 if there is none.
    pub head: EntryId,
    /// How many entries it has had.
    pub seq: i64,
    /// The newest move of a cursor in it.
    pub moved: MoveNumber,
    /// Its members, one or two.
    pub members: Vec<Member>,
}

/// A member: two cursors, and what makes counting arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Who.
    pub account: AccountId,
    /// What has reached one of its devices.
    pub delivered: Position,
    /// What was read.
    pub read: Position,
    /// How many entries of this conversation are its own.
    pub own: i64,
    /// The last of them, 0 if there is none.
    pub last_own: EntryId,
}

impl Member {
    /// A member whom nothing has reached yet.
    pub fn new(account: AccountId) -> Member {
        let start = Position::default();
        Member { account, delivered: start, read: start, own: 0, last_own: EntryId(0) }
    }

    /// One of its cursors.
    pub fn cursor(&self, cursor: Cursor) -> &Position {
        match cursor {
            Cursor::Delivered => &self.delivered,
            Cursor::Read => &self.read,
        }
    }

    /// One of its cursors, to be moved.
    pub fn cursor_mut(&mut self, cursor: Cursor) -> &mut Position {
        match cursor {
            Cursor::Delivered => &mut self.delivered,
            Cursor::Read => &mut self.read,
        }
    }
}

/// Where a cursor stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Up to this entry.
    pub id: EntryId,
    /// Which is the `seq`-th of its conversation.
    pub seq: i64,
    /// How many entries up to here are the member's own.
    pub own: i64,
    /// The entry that its newest move named. Entries of the member's own may have taken the cursor
    /// further without a move, where nothing else waited.
    pub told: EntryId,
    /// When that move was.
    pub time: Millis,
    /// The number of that move.
    pub number: MoveNumber,
}

/// Which page.
#[derive(Clone, Copy, Debug)]
pub struct PageQuery {
    /// Only entries above this.
    pub from: EntryId,
    /// Only entries up to this.
    pub upto: EntryId,
    /// Only what waits: above the delivered cursor and not the account's own.
    pub waiting: bool,
}

/// A page of entries, in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The next page is above this.
    pub through: EntryId,
    /// Nothing is left up to the bound that was asked for.
    pub done: bool,
}

/// Receipts that were missed.
#[derive(Clone, Debug, Default)]
pub struct Receipts {
    /// In the order of their moves.
    pub list: Vec<Receipt>,
    /// All moves up to this are in it.
    pub through: MoveNumber,
}

/// Which part of one conversation.
#[derive(Clone, Copy, Debug)]
pub struct SpanQuery {
    /// Rows at most.
    pub count: usize,
    /// Only below this.
    pub before: Option<EntryId>,
    /// Only above this.
    pub after: Option<EntryId>,
}

/// A part of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its ids, growing.
    pub ids: Vec<EntryId>,
    /// The same bounds hold further entries.
    pub more: bool,
}

/// The store's own failure. It is logged at the top; a client learns `storage`.
#[derive(Debug)]
pub struct Error(Box<str>);

impl Error {
    /// An error with a sentence for the operator.
    pub fn new(text: impl fmt::Display) -> Error {
        Error(text.to_string().into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
