//! What is read: the rows of the store as the rules and the sessions know them.

use smallvec::SmallVec;

use super::moves::Moves;
use crate::entry::{
    AccountId, ConversationId, Cursor, EntryId, Millis, MoveNumber, Receipt, TokenId,
};
use crate::name::{DisplayName, Handle, Target};

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
    /// When its last session ended.
    pub seen: Option<Millis>,
    /// It was ended by an operator: nobody can open it or write to it.
    pub gone: bool,
    /// It is gone, and may still be in groups that it is to leave.
    pub leaving: bool,
    /// Which of its chats of two come first.
    pub fronts: Fronts,
}

/// Of an account's chats of two, those that come first in their orders: see [`Rank`](super::Rank).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fronts {
    /// The one with the newest entry.
    pub recent: Option<ConversationId>,
    /// The one with the newest move that concerns the account.
    pub moved: Option<ConversationId>,
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
    pub kind: ConversationKind,
    /// Its newest entry, 0 if there is none.
    pub head: EntryId,
    /// How many entries it has had.
    pub seq: i64,
    /// The newest move of a cursor in it.
    pub moved: MoveNumber,
    /// Its members, past ones of a group included, in the order of their numbers.
    pub members: Vec<Member>,
}

/// Whose a conversation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationKind {
    /// Of two, or of one with itself.
    Direct(Pair),
    /// Of a group.
    Group(Handle),
}

impl Conversation {
    /// One of its members, past ones included.
    pub fn member(&self, account: AccountId) -> Option<&Member> {
        let at = self.members.binary_search_by_key(&account, |m| m.account).ok()?;
        self.members.get(at)
    }

    /// One of its members, to be changed.
    pub fn member_mut(&mut self, account: AccountId) -> Option<&mut Member> {
        let at = self.members.binary_search_by_key(&account, |m| m.account).ok()?;
        self.members.get_mut(at)
    }

    /// Adds members who were never in it.
    pub fn add_members(&mut self, new: Vec<Member>) {
        if let [_] = *new {
            for member in new {
                let at = self.members.partition_point(|m| m.account < member.account);
                self.members.insert(at, member);
            }
        } else {
            // One by one, thousands would each move thousands.
            self.members.reserve_exact(new.len());
            self.members.extend(new);
            self.members.sort_by_key(|m| m.account);
        }
    }

    /// Bytes that it takes in memory, about: its members and their stays are what grows.
    pub fn bytes(&self) -> usize {
        let stays = self.members.iter().map(Member::stays_bytes).sum::<usize>();
        size_of::<Conversation>() + self.members.capacity() * size_of::<Member>() + stays
    }

    /// The members that are in it now.
    pub fn present(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.is_in())
    }
}

/// A stay in a group: from the entry that added the member to the one that removed it, both
/// included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The entry that added it, and its place in the conversation.
    pub since: (EntryId, i64),
    /// The entry that ended it, and its place.
    pub until: Option<(EntryId, i64)>,
}

/// A member: two cursors, and what makes counting arithmetic.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub account: AccountId,
    /// What has reached one of its devices.
    pub delivered: Position,
    /// What was read.
    pub read: Position,
    /// How many entries of this conversation do not wait for it: its own, and in a group those it
    /// may not see.
    pub exempt: i64,
    /// The last of its own, 0 if there is none.
    pub last_own: EntryId,
    /// Whether it may change the group.
    pub admin: bool,
    /// Its stays in a group, the last one last; none in a direct chat, which nobody leaves. Most
    /// have one, which costs no memory of its own.
    pub stays: SmallVec<[Stay; 1]>,
    /// In a chat of two, for as long as something waits for it: not above the first entry that does.
    /// Else 0; likewise the next two.
    pub waits: EntryId,
    /// In a chat of two: the entry with which it came before all others of the account.
    pub recent: EntryId,
    /// The same of the moves that concern the account: the other's over its entries, its own reading.
    pub moved: MoveNumber,
    /// The moves of its delivered and its read cursor that are in no full list yet.
    pub history: [Moves; 2],
}

impl Member {
    /// A member whom nothing has reached yet.
    pub fn new(account: AccountId) -> Member {
        let start = Position::default();
        Member {
            account,
            delivered: start,
            read: start,
            exempt: 0,
            last_own: EntryId(0),
            admin: false,
            stays: SmallVec::new(),
            waits: EntryId(0),
            recent: EntryId(0),
            moved: MoveNumber(0),
            history: Default::default(),
        }
    }

    /// Bytes that its stays take beside it; the first stands in it.
    pub fn stays_bytes(&self) -> usize {
        if self.stays.capacity() > 1 { self.stays.capacity() * size_of::<Stay>() } else { 0 }
    }

    /// Whether it is a member now.
    pub fn is_in(&self) -> bool {
        self.stays.last().is_none_or(|stay| stay.until.is_none())
    }

    /// Whether it may see the `seq`-th entry.
    pub fn sees(&self, seq: i64) -> bool {
        let within = |stay: &Stay| stay.since.1 <= seq && stay.until.is_none_or(|(_, u)| seq <= u);
        self.stays.is_empty() || self.stays.iter().any(within)
    }

    /// Where both its cursors stand: delivered, and read.
    pub fn cursors(&self) -> [EntryId; 2] {
        [self.delivered.id, self.read.id]
    }

    /// One of its cursors.
    pub fn cursor(&self, cursor: Cursor) -> &Position {
        match cursor {
            Cursor::Delivered => &self.delivered,
            Cursor::Read => &self.read,
        }
    }

    /// The moves of one of its cursors that are in no full list yet.
    pub fn history(&self, cursor: Cursor) -> &Moves {
        let [delivered, read] = &self.history;
        match cursor {
            Cursor::Delivered => delivered,
            Cursor::Read => read,
        }
    }

    /// The same, to be added to.
    pub fn history_mut(&mut self, cursor: Cursor) -> &mut Moves {
        let [delivered, read] = &mut self.history;
        match cursor {
            Cursor::Delivered => delivered,
            Cursor::Read => read,
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
    /// How many entries up to here do not wait for the member: see [`Member::exempt`].
    pub exempt: i64,
    /// The entry that its newest move named. Entries of the member's own may have taken the cursor
    /// further without a move, where nothing else waited.
    pub told: EntryId,
    /// When that move was.
    pub time: Millis,
    /// The number of that move.
    pub number: MoveNumber,
}

/// Receipts that were missed.
#[derive(Clone, Debug, Default)]
pub struct Receipts {
    /// In the order of their moves, with their numbers.
    pub list: Vec<(MoveNumber, Receipt)>,
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

/// What was done under a `ONCE` key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// SHA-256 of whom and what was written.
    pub digest: [u8; 32],
    /// The entry.
    pub id: EntryId,
    /// When it was written.
    pub time: Millis,
}

/// A token that opens an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number.
    pub id: TokenId,
    /// Whose.
    pub account: AccountId,
    /// What its owner calls it.
    pub label: Box<str>,
    /// SHA-256 of it. The token itself is kept nowhere.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Millis,
    /// When it was last used, to the minute.
    pub used: Option<Millis>,
}

/// A row of `CHATS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatRow {
    /// With whom.
    pub to: Target,
    /// Entries above the read cursor that are not one's own.
    pub unread: i64,
    /// The last entry.
    pub last: EntryId,
    /// Its time.
    pub time: Millis,
}

/// A row of `GROUP LIST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// Its name.
    pub name: Handle,
    /// Whether the asker may change it.
    pub admin: bool,
    /// How many are in it.
    pub members: i64,
    /// What it is about; may be empty.
    pub topic: Box<str>,
}

/// A row of `INFO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoRow {
    /// Who.
    pub handle: Handle,
    /// When it was received.
    pub delivered: Option<Millis>,
    /// When it was read.
    pub read: Option<Millis>,
    /// It is no member any more.
    pub left: bool,
}

/// A part of a list that may be long. Its rows are in the order of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage<T, N> {
    /// Some rows; there may be more even where these are none.
    pub rows: Vec<T>,
    /// The number after which the next page begins; nothing where this is the last.
    pub next: Option<N>,
}

/// An account that was looked for.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its number.
    pub id: AccountId,
    /// Its handle.
    pub handle: Handle,
    /// Its display name.
    pub name: DisplayName,
}
