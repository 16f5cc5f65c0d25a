//! Rows of the tables as the store's types: accounts, conversations with their members.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::PgReader;
use super::value::{Param, PgRow};
use crate::chat_flags::ChatFlags;
use crate::entry::{AccountId, ConversationId, EntryId, EntryPos, Millis, MoveNumber, TokenId};
use crate::group_rules::{GroupRules, Permitted};
use crate::limits;
use crate::name::{DisplayName, Handle, Target};
use crate::preferences::Preferences;
use crate::store::sqlite::decode::circle;
use crate::store::{
    Account, Conversation, ConversationKind, Error, Fronts, Marks, Member, Move, Moves, Pair,
    Position, Stay, Token,
};

/// The query for an account by `$column`, with the direct chats that come first.
macro_rules! account_by {
    ($column: literal) => {
        concat!(
            "SELECT id, handle, name, shown, seen, gone, disabled,
                (SELECT conversation FROM member
                 WHERE account = a.id AND recent > 0 ORDER BY recent DESC LIMIT 1),
                (SELECT conversation FROM member
                 WHERE account = a.id AND moved IS NOT NULL ORDER BY moved DESC LIMIT 1),
                (SELECT conversation FROM member
                 WHERE account = a.id AND marked IS NOT NULL ORDER BY marked DESC LIMIT 1),
                read_off, seen_by, added_by
             FROM account a WHERE ",
            $column,
            " = $1"
        )
    };
}
pub(super) const BY_ID: &str = account_by!("id");
pub(super) const BY_HANDLE: &str = account_by!("handle");

/// The value of `account.gone` for a deleted account that may still be in groups.
const STILL_LEAVING: i64 = 2;

impl PgReader {
    /// The handles of some accounts are in the cache after this.
    pub(super) fn learn_handles(
        &mut self,
        of: impl Iterator<Item = AccountId>,
    ) -> Result<(), Error> {
        let mut unknown: Vec<i64> =
            of.filter(|id| !self.handles.contains_key(id)).map(|id| id.0).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        if self.handles.len() >= limits::DIRECTORY {
            self.handles.clear();
        }
        let sql = "SELECT id, handle FROM account WHERE id = ANY($1)";
        for row in self.rows(sql, &[Param::Ints(&unknown)])? {
            let (id, handle): (i64, String) = (row.get(0)?, row.get(1)?);
            let handle = Handle::new(&handle).ok_or_else(|| bad_name(id))?;
            self.handles.insert(AccountId(id), handle);
        }
        Ok(())
    }

    pub(super) fn handle(&mut self, id: AccountId) -> Result<Handle, Error> {
        if !self.handles.contains_key(&id) {
            self.learn_handles(std::iter::once(id))?;
        }
        let found = self.handles.get(&id).cloned();
        found.ok_or_else(|| Error::damaged(format!("account {} is gone", id.0)))
    }

    pub(super) fn find_account(
        &mut self,
        sql: &'static str,
        key: Param,
    ) -> Result<Option<Account>, Error> {
        self.row(sql, &[key])?.map(|row| account(&row)).transpose()
    }

    /// Whose a conversation is, without its members.
    pub(super) fn whose(&mut self, id: ConversationId) -> Result<ConversationKind, Error> {
        self.whose_all(&[id])?.remove(&id).ok_or_else(|| is_gone(id))
    }

    /// Whose each of these conversations is.
    pub(super) fn whose_all(
        &mut self,
        ids: &[ConversationId],
    ) -> Result<FxHashMap<ConversationId, ConversationKind>, Error> {
        let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let rows = self.rows(WHOSE, &[Param::Ints(&numbers)])?;
        whose(&rows, ids)
    }
}

/// The question for [`whose`].
pub(super) const WHOSE: &str = "SELECT c.low, c.high, r.name, c.id FROM conversation c
    LEFT JOIN group_info r ON r.conversation = c.id WHERE c.id = ANY($1)";

/// Whose each of these conversations is, from the answer to [`WHOSE`].
pub(super) fn whose(
    rows: &[PgRow],
    ids: &[ConversationId],
) -> Result<FxHashMap<ConversationId, ConversationKind>, Error> {
    let mut all = FxHashMap::default();
    for row in rows {
        let id = ConversationId(row.get(3)?);
        all.insert(id, kind(row, 0, id)?);
    }
    match ids.iter().find(|id| !all.contains_key(id)) {
        Some(missing) => Err(is_gone(*missing)),
        None => Ok(all),
    }
}

fn is_gone(id: ConversationId) -> Error {
    Error::damaged(format!("conversation {} is gone", id.0))
}

fn bad_name(id: i64) -> Error {
    Error::damaged(format!("account {id} has a name that breaks the rules"))
}

/// A row of [`BY_ID`] or [`BY_HANDLE`].
pub(super) fn account(row: &PgRow) -> Result<Account, Error> {
    let (id, handle, name): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let gone: i64 = row.get(5)?;
    let front = |at| row.get::<Option<i64>>(at).map(|id| id.map(ConversationId));
    Ok(Account {
        id: AccountId(id),
        handle: Handle::new(&handle).ok_or_else(|| bad_name(id))?,
        name: DisplayName::new(&name).map_err(|_| bad_name(id))?,
        shown: MoveNumber(row.get(3)?),
        seen: row.get::<Option<i64>>(4)?.map(Millis),
        gone: gone != 0,
        leaving: gone == STILL_LEAVING,
        disabled: row.get(6)?,
        fronts: Fronts { recent: front(7)?, moved: front(8)?, marked: front(9)? },
        preferences: Preferences {
            read: !row.get::<bool>(10)?,
            seen: circle(row.get(11)?)?,
            add: circle(row.get(12)?)?,
        },
    })
}

/// A conversation from the rows of it, of its members and of their stays.
pub(super) fn conversation(
    row: &PgRow,
    members: &[PgRow],
    stays: &[PgRow],
) -> Result<Conversation, Error> {
    let id = ConversationId(row.get(0)?);
    let kind = kind(row, 1, id)?;
    let (head, seq, moved) = (EntryId(row.get(4)?), row.get(5)?, MoveNumber(row.get(6)?));
    let marks = Marks {
        newest: EntryId(row.get(7)?),
        author: AccountId(row.get::<Option<i64>>(8)?.unwrap_or(0)),
        other: EntryId(row.get::<Option<i64>>(9)?.unwrap_or(0)),
    };
    let rules = rules_at(row, 10)?;
    let ttl = row.get::<Option<i64>>(13)?.and_then(|seconds| u32::try_from(seconds).ok());
    let ttl = ttl.filter(|seconds| *seconds > 0);
    let members = members.iter().map(|row| member_at(row, 0));
    let mut members = members.collect::<Result<Vec<Member>, _>>()?;
    for row in stays {
        let account = AccountId(row.get(0)?);
        let until: Option<i64> = row.get(3)?;
        let until = until.map(|id| Ok::<_, Error>((EntryId(id), row.get(4)?))).transpose()?;
        let removed = row.get(5)?;
        let stay = Stay { since: (EntryId(row.get(1)?), row.get(2)?), until, removed };
        if let Ok(at) = members.binary_search_by_key(&account, |m| m.account) {
            members[at].stays.push(stay);
        }
    }
    Ok(Conversation { id, kind, head, seq, moved, marks, rules, ttl, members })
}

/// Rules from three columns of a row, from `first` on, which are NULL in a direct chat.
pub(super) fn rules_at(row: &PgRow, first: usize) -> Result<GroupRules, Error> {
    let is = |at| row.get::<Option<bool>>(first + at).map(|is| is == Some(true));
    Ok(GroupRules {
        write: if is(0)? { Permitted::Admins } else { Permitted::All },
        add: if is(1)? { Permitted::All } else { Permitted::Admins },
        open: is(2)?,
    })
}

/// Whose conversation `id` is, from its `low`, its `high` and its name as a group, which are in
/// `row` from column `first` on.
pub(super) fn kind(
    row: &PgRow,
    first: usize,
    id: ConversationId,
) -> Result<ConversationKind, Error> {
    let name: Option<Box<str>> = row.get(first + 2)?;
    Ok(match name {
        None => ConversationKind::Direct(Pair {
            low: AccountId(row.get(first)?),
            high: AccountId(row.get(first + 1)?),
        }),
        Some(name) => ConversationKind::Group(Handle::new(&name).ok_or_else(|| {
            Error::damaged(format!("group {} has a name that breaks the rules", id.0))
        })?),
    })
}

/// A row of [`POS`](super::gather::POS).
pub(super) fn place(row: &PgRow) -> Result<EntryPos, Error> {
    Ok(EntryPos { expired: row.get(6)?, ..pos(row)? })
}

/// A row whose first columns are those of [`POS`](super::gather::POS), of an entry that has not
/// expired.
pub(super) fn pos(row: &PgRow) -> Result<EntryPos, Error> {
    Ok(EntryPos {
        conversation: ConversationId(row.get(0)?),
        id: EntryId(row.get(1)?),
        seq: row.get(2)?,
        author: AccountId(row.get(3)?),
        author_seq: row.get(4)?,
        about: EntryId(row.get(5)?),
        expired: false,
    })
}

pub(super) fn token(row: &PgRow) -> Result<Token, Error> {
    Ok(Token {
        id: TokenId(row.get(0)?),
        account: AccountId(row.get(1)?),
        label: row.get(2)?,
        hash: row.get(3)?,
        created: Millis(row.get(4)?),
        used: row.get::<Option<i64>>(5)?.map(Millis),
        to: match row.get::<Option<Box<str>>>(6)? {
            None => None,
            Some(to) => Some(
                Target::new(&to)
                    .ok_or_else(|| Error::damaged("a token is for a name that breaks the rules"))?,
            ),
        },
    })
}

/// The flags in column `at`.
pub(super) fn flags(row: &PgRow, at: usize) -> Result<ChatFlags, Error> {
    let Some(stored) = row.get::<Option<String>>(at)? else { return Ok(ChatFlags::default()) };
    ChatFlags::decode(&stored).ok_or_else(|| Error::damaged(format!("no flags: {stored:?}")))
}

/// A row of `member` whose columns begin at `first` in `row`.
pub(super) fn member_at(row: &PgRow, first: usize) -> Result<Member, Error> {
    let position = |at: usize| -> Result<Position, Error> {
        Ok(Position {
            id: EntryId(row.get(at)?),
            seq: row.get(at + 1)?,
            exempt: row.get(at + 2)?,
            told: EntryId(row.get(at + 3)?),
            time: Millis(row.get(at + 4)?),
            number: MoveNumber(row.get(at + 5)?),
        })
    };
    let moves = |at: usize| -> Result<Moves, Error> { Ok(Moves::new(row.get::<Vec<u8>>(at)?)) };
    Ok(Member {
        account: AccountId(row.get(first + 1)?),
        exempt: row.get(first + 2)?,
        last_own: EntryId(row.get(first + 3)?),
        delivered: position(first + 4)?,
        read: position(first + 10)?,
        admin: row.get(first + 16)?,
        stays: SmallVec::new(),
        waits: EntryId(row.get::<Option<i64>>(first + 18)?.unwrap_or(0)),
        recent: EntryId(row.get(first + 19)?),
        moved: MoveNumber(row.get::<Option<i64>>(first + 20)?.unwrap_or(0)),
        marked: EntryId(row.get::<Option<i64>>(first + 21)?.unwrap_or(0)),
        history: [moves(first + 22)?, moves(first + 23)?],
        shown_read: match row.get::<Option<i64>>(first + 25)? {
            None => None,
            Some(id) => Some(Move {
                id: EntryId(id),
                time: Millis(row.get(first + 26)?),
                number: MoveNumber(row.get(first + 27)?),
            }),
        },
        flags: flags(row, first + 28)?,
    })
}
