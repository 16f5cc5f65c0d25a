//! The rows of the store as the rules and the sessions know them.

use smallvec::SmallVec;

use super::Error;
use super::moves::{Move, Moves};
use crate::chat_flags::ChatFlags;
use crate::entry::{
    AccountId, Condition, ConversationId, Cursor, EntryId, EntryPos, FileRef, Millis, MoveNumber,
    Receipt, TokenId,
};
use crate::group_rules::{GroupRules, Permitted};
use crate::name::{DisplayName, Handle, Target};
use crate::preferences::Preferences;

/// An account as the rules know it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The store's number for it, never shown to anyone.
    pub id: AccountId,
    /// Its handle, which never changes.
    pub handle: Handle,
    /// Its display name.
    pub name: DisplayName,
    /// It has been shown the receipts up to this move.
    pub shown: MoveNumber,
    /// When a session of it last ended that had been sent `LIVE`, so not a quiet one. It is not
    /// renewed while a session goes on: whether the account is online only the hub knows.
    pub seen: Option<Millis>,
    /// It was deleted by an operator: nobody can log in to it or write to it.
    pub gone: bool,
    /// It is gone, but may still be in groups, which it has to leave.
    pub leaving: bool,
    /// An operator has disabled it: nobody can log in to it until it is enabled again.
    pub disabled: bool,
    /// Which of its direct chats come first.
    pub fronts: Fronts,
    /// What it has decided about itself.
    pub preferences: Preferences,
}

/// The direct chats of an account that come first in the orders by newest entry, newest move and
/// newest mark: see [`Rank`](super::Rank).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fronts {
    /// The one with the newest entry.
    pub recent: Option<ConversationId>,
    /// The one with the newest move that concerns the account.
    pub moved: Option<ConversationId>,
    /// The one with the newest mark.
    pub marked: Option<ConversationId>,
}

/// Two accounts, the lower number first; the same one twice for notes to oneself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The lower number.
    pub low: AccountId,
    /// The higher number.
    pub high: AccountId,
}

impl Pair {
    /// The pair of two accounts, in either order.
    pub fn of(a: AccountId, b: AccountId) -> Pair {
        Pair { low: a.min(b), high: a.max(b) }
    }

    /// The other party; `me` itself for notes to oneself.
    pub fn other(self, me: AccountId) -> AccountId {
        if self.low == me { self.high } else { self.low }
    }
}

/// A conversation as the rules know it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its number.
    pub id: ConversationId,
    /// Whose conversation it is.
    pub kind: ConversationKind,
    /// Its newest entry, 0 if there is none.
    pub head: EntryId,
    /// How many entries it has had, expired ones included.
    pub seq: i64,
    /// The newest move of a cursor in it.
    pub moved: MoveNumber,
    /// Its newest marks.
    pub marks: Marks,
    /// The rules of a group; of no meaning in a direct chat.
    pub rules: GroupRules,
    /// What is said in it is deleted after this many seconds.
    pub ttl: Option<u32>,
    /// Its members, including past members of a group, sorted by account.
    pub members: Vec<Member>,
}

/// The newest marks of a conversation: entries that say something about a message and are not
/// counted. From these follows the newest mark by anybody but a given member, which the cursors of
/// that member must not skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The newest one, 0 if there is none.
    pub newest: EntryId,
    /// Its author; 0 if there is none.
    pub author: AccountId,
    /// The newest one by anybody else, 0 if there is none.
    pub other: EntryId,
}

impl Default for Marks {
    /// No marks.
    fn default() -> Marks {
        Marks { newest: EntryId(0), author: AccountId(0), other: EntryId(0) }
    }
}

impl Marks {
    /// The newest mark by anybody but this member, 0 if there is none.
    pub fn by_others(&self, member: AccountId) -> EntryId {
        if self.author == member { self.other } else { self.newest }
    }

    /// Adds a mark, which is the newest one now.
    pub fn add(&mut self, mark: EntryId, author: AccountId) {
        if self.author != author {
            (self.other, self.author) = (self.newest, author);
        }
        self.newest = mark;
    }
}

/// Whose a conversation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationKind {
    /// A direct chat: of two accounts, or of one with itself.
    Direct(Pair),
    /// The conversation of the group of this name.
    Group(Handle),
}

impl ConversationKind {
    /// Whether it is the direct chat of an account with itself.
    pub fn is_notes(&self) -> bool {
        matches!(self, ConversationKind::Direct(pair) if pair.low == pair.high)
    }
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

    /// Whether a member may write. In a direct chat everybody may.
    pub fn may_write(&self, account: AccountId) -> bool {
        self.rules.write == Permitted::All || self.member(account).is_some_and(|m| m.admin)
    }

    /// Adds members who were never in it.
    pub fn add_members(&mut self, new: Vec<Member>) {
        if let [_] = *new {
            for member in new {
                let at = self.members.partition_point(|m| m.account < member.account);
                self.members.insert(at, member);
            }
        } else {
            // Inserting them one by one would move thousands each time. If they are sorted, so are
            // two halves, which are merged.
            self.members.reserve_exact(new.len());
            self.members.extend(new);
            self.members.sort_by_key(|m| m.account);
        }
    }

    /// Approximate bytes it takes in memory. Only its members and their stays grow.
    pub fn bytes(&self) -> usize {
        let stays = self.members.iter().map(Member::stays_bytes).sum::<usize>();
        size_of::<Conversation>() + self.members.capacity() * size_of::<Member>() + stays
    }

    /// The current members.
    pub fn present(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.is_in())
    }
}

/// A stay in a group: from the entry that added the member to the one that removed it, both
/// included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The entry that added the member: its id and its `seq`.
    pub since: (EntryId, i64),
    /// The entry that ended the stay, likewise; `None` while it lasts.
    pub until: Option<(EntryId, i64)>,
    /// Whether an admin ended it.
    pub removed: bool,
}

/// A member: its two cursors, and the counts from which the number of waiting entries follows by
/// arithmetic.
#[derive(Clone, Debug)]
pub struct Member {
    /// The member's account.
    pub account: AccountId,
    /// Up to where entries have reached one of its devices.
    pub delivered: Position,
    /// Up to where it has read.
    pub read: Position,
    /// How many entries of this conversation do not wait for it: its own and, in a group, those it
    /// may not see. The counting is explained in `chat/messages.rs`.
    pub exempt: i64,
    /// The last entry it wrote, 0 if there is none.
    pub last_own: EntryId,
    /// Whether it may change the group.
    pub admin: bool,
    /// Its stays in a group, in order; empty in a direct chat, which nobody leaves. Most members
    /// have one stay, which needs no allocation.
    pub stays: SmallVec<[Stay; 1]>,
    /// In a direct chat: a lower bound of the first entry or mark that waits for it, 0 if nothing
    /// does. This and the next three are 0 in a group: see [`Rank`](super::Rank).
    pub waits: EntryId,
    /// In a direct chat: the entry with which the chat came before all others of the account.
    pub recent: EntryId,
    /// The same for moves that concern the account: the other party's over its entries, and its own
    /// reading.
    pub moved: MoveNumber,
    /// The same for marks.
    pub marked: EntryId,
    /// Earlier moves of its delivered and its read cursor that are not yet in a full list. Private
    /// moves of the read cursor are in none.
    pub history: [Moves; 2],
    /// In a direct chat, if the newest move of its read cursor is private: the newest one that is
    /// not, all that the other party may ever learn. Its `number` is 0 if there was none.
    pub shown_read: Option<Move>,
    /// What it notes about the conversation.
    pub flags: ChatFlags,
}

impl Member {
    /// A member that nothing has reached yet.
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
            marked: EntryId(0),
            history: Default::default(),
            shown_read: None,
            flags: ChatFlags::default(),
        }
    }

    /// Bytes that its stays take outside of it, beyond the first, which is stored inline.
    pub fn stays_bytes(&self) -> usize {
        if self.stays.capacity() > 1 { self.stays.capacity() * size_of::<Stay>() } else { 0 }
    }

    /// Whether it is a member now.
    pub fn is_in(&self) -> bool {
        self.stays.last().is_none_or(|stay| stay.until.is_none())
    }

    /// Whether an admin has removed it, and nobody has added it since.
    pub fn is_removed(&self) -> bool {
        self.stays.last().is_some_and(|stay| stay.until.is_some() && stay.removed)
    }

    /// Whether it may see an entry: it was in by then and, if the entry is a mark, also when the
    /// message was written.
    pub fn sees(&self, pos: &EntryPos) -> bool {
        self.was_in(pos.id) && (pos.about == EntryId(0) || self.was_in(pos.about))
    }

    /// Whether an entry of this id falls into one of its stays.
    pub fn was_in(&self, id: EntryId) -> bool {
        let within = |stay: &Stay| stay.since.0 <= id && stay.until.is_none_or(|(u, _)| id <= u);
        self.stays.is_empty() || self.stays.iter().any(within)
    }

    /// The entries at which its delivered and its read cursor stand.
    pub fn cursors(&self) -> [EntryId; 2] {
        [self.delivered.id, self.read.id]
    }

    /// The member as the other party of a direct chat may know it: without private moves.
    pub fn as_shown(mut self) -> Member {
        if let Some(Move { id, time, number }) = self.shown_read {
            let (told, at) = (id, self.read);
            self.read = Position { id, told, time, number, ..at };
        }
        self
    }

    /// The entry up to which others may know that a cursor has come.
    pub fn shown_upto(&self, cursor: Cursor) -> EntryId {
        match (cursor, self.shown_read) {
            (Cursor::Read, Some(shown)) => shown.id,
            _ => self.cursor(cursor).id,
        }
    }

    /// One of its cursors.
    pub fn cursor(&self, cursor: Cursor) -> &Position {
        match cursor {
            Cursor::Delivered => &self.delivered,
            Cursor::Read => &self.read,
        }
    }

    /// Earlier moves of one of its cursors that are not yet in a full list.
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
    /// The entry at which it stands; everything up to it counts.
    pub id: EntryId,
    /// The `seq` of that entry.
    pub seq: i64,
    /// How many entries up to that one do not wait for the member: see [`Member::exempt`].
    pub exempt: i64,
    /// The entry that the cursor's newest move named. The cursor may stand above it: it goes along
    /// with the member's own entries, without a move, if nothing else waits.
    pub told: EntryId,
    /// When that move was.
    pub time: Millis,
    /// The number of that move.
    pub number: MoveNumber,
}

/// Receipts that were missed.
#[derive(Clone, Debug, Default)]
pub struct Receipts {
    /// In the order of their moves, each with the move's number.
    pub list: Vec<(MoveNumber, Receipt)>,
    /// Covers all moves up to this one.
    pub through: MoveNumber,
}

/// What waits for an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitingCount {
    /// How many entries.
    pub count: u64,
    /// Marks may wait as well. If not, and nothing is counted, there is nothing to send.
    pub marks: bool,
}

/// Which part of a conversation to read.
#[derive(Clone, Copy, Debug)]
pub struct SpanQuery {
    /// Rows at most.
    pub count: usize,
    /// Only below this.
    pub before: Option<EntryId>,
    /// Only above this.
    pub after: Option<EntryId>,
    /// Only replies to this message.
    pub re: Option<EntryId>,
}

/// A part of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its ids, ascending.
    pub ids: Vec<EntryId>,
    /// There are further entries within the same bounds.
    pub more: bool,
}

/// A command to carry out later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// Its number in its account, from 1.
    pub number: u64,
    /// When it is due.
    pub due: Millis,
    /// It is carried out unless this has come about for this message by then.
    pub unless: Option<(EntryId, Condition)>,
    /// The command as it was typed.
    pub command: Box<str>,
}

/// What was sent under a `ONCE` key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// SHA-256 of what was asked for without its text, a zero byte and the text.
    pub digest: [u8; 32],
    /// The file that it was.
    pub file: Option<FileRef>,
    /// The entry it became; 0 if it struck a command for later.
    pub id: EntryId,
    /// The time of that.
    pub time: Millis,
}

/// An invitation to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// SHA-256 of its token, which is stored nowhere.
    pub hash: [u8; 32],
    /// How many may still join with it; 0: it is void.
    pub uses: u32,
    /// When it expires.
    pub expires: Millis,
}

impl Invitation {
    /// Whether it can be used.
    pub fn is_good(&self, now: Millis) -> bool {
        self.uses > 0 && self.expires > now
    }
}

/// A token that opens an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number.
    pub id: TokenId,
    /// The account that it opens.
    pub account: AccountId,
    /// What its owner calls it.
    pub label: Box<str>,
    /// Its SHA-256. The token itself is stored nowhere.
    pub hash: [u8; 32],
    /// When it was created.
    pub created: Millis,
    /// When it was last used, to the minute.
    pub used: Option<Millis>,
    /// The only target that it may write to, and then it may do nothing else.
    pub to: Option<Target>,
}

/// A name that is stored, so it kept the rules when it was written.
pub(super) fn known_handle(text: &str) -> Result<Handle, Error> {
    Handle::new(text).ok_or_else(|| Error::damaged(format!("{text:?} breaks the rule of names")))
}
