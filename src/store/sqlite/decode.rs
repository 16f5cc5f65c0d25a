//! Rows of the tables as the store's types: accounts, conversations with their members, entries.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::search::SearchReader;
use super::tags;
use crate::chat_flags::ChatFlags;
use crate::entry::{
    AccountId, ConversationId, Entry, EntryId, EntryKind, EntryTags, Millis, MoveNumber, TokenId,
};
use crate::group_rules::{GroupRules, Permitted};
use crate::limits;
use crate::name::{DisplayName, Handle, Target};
use crate::preferences::{Circle, Preferences};
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
            " = ?1"
        )
    };
}
pub(super) const BY_ID: &str = account_by!("id");
pub(super) const BY_HANDLE: &str = account_by!("handle");

/// The number of a circle in the table `account`.
pub(in crate::store) fn circle_number(circle: Circle) -> i64 {
    match circle {
        Circle::All => 0,
        Circle::Chats => 1,
        Circle::None => 2,
    }
}

/// The circle of this number.
pub(in crate::store) fn circle(number: i64) -> Result<Circle, Error> {
    let found = Circle::ALL.into_iter().find(|circle| circle_number(*circle) == number);
    found.ok_or_else(|| Error::damaged(format!("an account has the preference {number}")))
}

/// The value of `account.gone` for a deleted account that may still be in groups.
pub(super) const LEAVING: i64 = 2;

/// A connection to read from, and a cache of handles, which never change.
pub struct SqliteReader {
    pub(super) connection: Connection,
    handles: FxHashMap<AccountId, Handle>,
    /// What is left of the current question's steps, in units of [`limits::STEPS`]; `i64::MAX`
    /// between questions.
    pub(super) steps: Arc<AtomicI64>,
    /// The index for searching, if it may use one.
    pub(super) search: Option<SearchReader>,
}

impl SqliteReader {
    pub(super) fn new(connection: Connection) -> SqliteReader {
        let steps = Arc::new(AtomicI64::new(i64::MAX));
        SqliteReader { connection, handles: FxHashMap::default(), steps, search: None }
    }

    /// A reader whose questions, from [`Reader::begin`](crate::store::Reader::begin) to `end`, fail
    /// if they take more than their [`Effort`](crate::store::Effort) allows.
    pub(super) fn bounded(connection: Connection) -> Result<SqliteReader, Error> {
        let mut reader = SqliteReader::new(connection);
        let steps = reader.steps.clone();
        let is_spent = move || {
            let left = steps.fetch_sub(1, Ordering::Relaxed);
            // Late in each turn: most questions are short, and who yields may wait long.
            if left > limits::SMALL_STEPS && left % limits::READ_TURN == 1 {
                thread::yield_now();
            }
            left <= 0
        };
        reader.connection.progress_handler(limits::STEPS, Some(is_spent))?;
        Ok(reader)
    }

    pub(super) fn handle(&mut self, id: AccountId) -> Result<Handle, Error> {
        if let Some(handle) = self.handles.get(&id) {
            return Ok(handle.clone());
        }
        let found: Option<String> = self
            .connection
            .prepare_cached("SELECT handle FROM account WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        let found = found.ok_or_else(|| Error::damaged(format!("account {} is gone", id.0)))?;
        let handle = Handle::new(&found).ok_or_else(|| {
            Error::damaged(format!("account {} has a name that breaks the rules", id.0))
        })?;
        if self.handles.len() >= limits::DIRECTORY {
            self.handles.clear();
        }
        self.handles.insert(id, handle.clone());
        Ok(handle)
    }

    pub(super) fn find_account(
        &self,
        sql: &str,
        key: impl rusqlite::ToSql,
    ) -> Result<Option<Account>, Error> {
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row([key], |row| {
            let (handle, name): (String, String) = (row.get(1)?, row.get(2)?);
            let seen: Option<i64> = row.get(4)?;
            let front = |at| row.get::<_, Option<i64>>(at).map(|id| id.map(ConversationId));
            let fronts = Fronts { recent: front(7)?, moved: front(8)?, marked: front(9)? };
            let shown = MoveNumber(row.get(3)?);
            Ok((
                AccountId(row.get(0)?),
                handle,
                name,
                shown,
                seen.map(Millis),
                (row.get::<_, i64>(5)?, row.get(6)?),
                fronts,
                (row.get::<_, bool>(10)?, row.get(11)?, row.get(12)?),
            ))
        });
        let Some((id, handle, name, shown, seen, (gone, disabled), fronts, own)) =
            row.optional()?
        else {
            return Ok(None);
        };
        let bad = || Error::damaged(format!("account {} has a name that breaks the rules", id.0));
        Ok(Some(Account {
            id,
            handle: Handle::new(&handle).ok_or_else(bad)?,
            name: DisplayName::new(&name).map_err(|_| bad())?,
            shown,
            seen,
            gone: gone != 0,
            leaving: gone == LEAVING,
            disabled,
            fronts,
            preferences: Preferences { read: !own.0, seen: circle(own.1)?, add: circle(own.2)? },
        }))
    }

    pub(super) fn find_conversation(
        &self,
        sql: &str,
        keys: impl rusqlite::Params,
    ) -> Result<Option<Conversation>, Error> {
        let row = self.connection.prepare_cached(sql)?.query_row(keys, |row| {
            let id: i64 = row.get(0)?;
            let kind = kind(row, 1, ConversationId(id));
            let (head, newest) = (EntryId(row.get(4)?), EntryId(row.get(7)?));
            let (rules, ttl) = (rules_at(row, 8)?, row.get::<_, Option<u32>>(11)?);
            Ok((kind, id, head, row.get(5)?, row.get(6)?, newest, rules, ttl))
        });
        let Some((kind, id, head, seq, moved, newest, rules, ttl)) = row.optional()? else {
            return Ok(None);
        };
        let mut marks = Marks { newest, ..Marks::default() };
        if newest != EntryId(0) {
            let sql = "SELECT author, other FROM marking WHERE conversation = ?1";
            (marks.author, marks.other) = self
                .connection
                .prepare_cached(sql)?
                .query_row([id], |row| Ok((AccountId(row.get(0)?), EntryId(row.get(1)?))))?;
        }
        let kind = kind?;
        let is_group = matches!(kind, ConversationKind::Group(_));
        let mut members = self
            .connection
            .prepare_cached("SELECT * FROM member WHERE conversation = ?1 ORDER BY account")?
            .query_map([id], |row| member_at(row, 0))?
            .collect::<Result<Vec<Member>, _>>()?;
        if is_group {
            let sql = "SELECT account, since, since_seq, until, until_seq, removed FROM stay
                       WHERE conversation = ?1 ORDER BY account, since";
            let mut stays = self.connection.prepare_cached(sql)?;
            let mut rows = stays.query([id])?;
            while let Some(row) = rows.next()? {
                let account = AccountId(row.get(0)?);
                let until: Option<i64> = row.get(3)?;
                let until = until.map(|id| Ok((EntryId(id), row.get(4)?)));
                let stay = Stay {
                    since: (EntryId(row.get(1)?), row.get(2)?),
                    until: until.transpose().map_err(|e: rusqlite::Error| e)?,
                    removed: row.get(5)?,
                };
                if let Ok(at) = members.binary_search_by_key(&account, |m| m.account) {
                    members[at].stays.push(stay);
                }
            }
        }
        let (id, moved) = (ConversationId(id), MoveNumber(moved));
        let ttl = ttl.filter(|seconds| *seconds > 0);
        Ok(Some(Conversation { id, kind, head, seq, moved, marks, rules, ttl, members }))
    }

    /// A row of the log as an entry for `me`, with handles in place of numbers.
    pub(super) fn named(&mut self, me: AccountId, row: LogRow) -> Result<Entry, Error> {
        let to = match row.of {
            ConversationKind::Group(name) => Target::Group(name),
            ConversationKind::Direct(pair) if pair.low == me || pair.high == me => {
                Target::Person(self.handle(pair.other(row.author))?)
            }
            ConversationKind::Direct(_) => {
                return Err(Error::damaged(format!("entry {} belongs to others", row.id.0)));
            }
        };
        let from = self.handle(row.author)?;
        let LogRow { id, time, kind, tags, body, .. } = row;
        Ok(Entry { id, time, from, to, kind, tags, body })
    }

    /// Whether an account learns what the other parties of its direct chats have read.
    pub(super) fn learns_reads(&self, me: AccountId) -> Result<bool, Error> {
        let sql = "SELECT read_off FROM account WHERE id = ?1";
        let is_off = self.connection.prepare_cached(sql)?.query_row([me.0], |row| row.get(0));
        Ok(!is_off.optional()?.unwrap_or(false))
    }

    /// Whose a conversation is, without its members.
    pub(super) fn whose(&self, id: ConversationId) -> Result<ConversationKind, Error> {
        let sql = "SELECT c.low, c.high, r.name FROM conversation c
                   LEFT JOIN group_info r ON r.conversation = c.id WHERE c.id = ?1";
        self.connection.prepare_cached(sql)?.query_row([id.0], |row| Ok(kind(row, 0, id)))?
    }
}

/// Rules from three columns of a row, from `first` on, which are NULL in a direct chat.
pub(super) fn rules_at(row: &Row, first: usize) -> rusqlite::Result<GroupRules> {
    let is = |at| row.get::<_, Option<bool>>(first + at).map(|is| is == Some(true));
    Ok(GroupRules {
        write: if is(0)? { Permitted::Admins } else { Permitted::All },
        add: if is(1)? { Permitted::All } else { Permitted::Admins },
        open: is(2)?,
    })
}

/// Whose conversation `id` is, from its `low`, its `high` and its name as a group, which are in
/// `row` from column `first` on.
pub(super) fn kind(row: &Row, first: usize, id: ConversationId) -> Result<ConversationKind, Error> {
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

/// A row of the log, with its author as a number.
pub(super) struct LogRow {
    pub(super) id: EntryId,
    /// Whose the conversation is.
    pub(super) of: ConversationKind,
    pub(super) author: AccountId,
    pub(super) time: Millis,
    pub(super) kind: EntryKind,
    pub(super) body: Box<str>,
    pub(super) tags: Option<Box<EntryTags>>,
    /// `about` knows more of a message; a mark may not hold.
    pub(super) is_changed: bool,
}

impl LogRow {
    /// It is a message that has expired.
    pub(super) fn is_expired(&self) -> bool {
        self.kind == EntryKind::Group && self.is_changed
    }
}

/// The statement that reads a row of the log, prepared once for a page and run for each id.
pub(super) fn log_rows<'a>(read: &'a Connection) -> Result<CachedStatement<'a>, Error> {
    Ok(read.prepare_cached(
        "SELECT author, time, kind, body, re, tags, changed FROM entry WHERE id = ?1",
    )?)
}

pub(super) fn log_row(
    rows: &mut CachedStatement,
    id: EntryId,
    of: ConversationKind,
) -> Result<LogRow, Error> {
    let mut rows = rows.query([id.0])?;
    let row = rows.next()?;
    let row = row.ok_or_else(|| Error::damaged(format!("entry {} is missing", id.0)))?;
    Ok(LogRow {
        id,
        of,
        author: AccountId(row.get(0)?),
        time: Millis(row.get(1)?),
        kind: entry_kind(row.get(2)?)?,
        body: row.get(3)?,
        tags: entry_tags(row, 4)?,
        is_changed: row.get(6)?,
    })
}

/// The tags of an entry, from its `re` and `tags`, which are in `row` from column `first` on.
pub(super) fn entry_tags(row: &Row, first: usize) -> Result<Option<Box<EntryTags>>, Error> {
    let re: Option<i64> = row.get(first)?;
    let stored = row.get_ref(first + 1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    if re.is_none() && stored.is_none() {
        return Ok(None);
    }
    let mut found = Box::new(EntryTags { re: re.map(EntryId), ..EntryTags::default() });
    // Of a deleted message little but zeros is left.
    let left = stored.map(|stored| stored.trim_end_matches('\0'));
    if let Some(stored) = left.filter(|stored| !stored.is_empty()) {
        tags::decode(stored, &mut found)?;
    }
    Ok(Some(found))
}

/// The kinds of entries, in the order of their numbers in `entry` and `about`, from `-1` on.
const KINDS: [EntryKind; 7] = [
    EntryKind::Expire,
    EntryKind::Message,
    EntryKind::Group,
    EntryKind::Edit,
    EntryKind::Del,
    EntryKind::React,
    EntryKind::Flag,
];

/// The number of a kind of entry.
pub(in crate::store) fn kind_number(kind: EntryKind) -> i64 {
    KINDS.iter().zip(-1..).find(|(one, _)| **one == kind).map_or(0, |(_, number)| number)
}

pub(in crate::store) fn entry_kind(number: i64) -> Result<EntryKind, Error> {
    let kind = usize::try_from(number + 1).ok().and_then(|at| KINDS.get(at));
    kind.copied().ok_or_else(|| Error::damaged(format!("an entry is of the kind {number}")))
}

/// The target spelled in column `at`.
fn target(row: &Row, at: usize) -> rusqlite::Result<Option<Target>> {
    let Some(text) = row.get::<_, Option<String>>(at)? else { return Ok(None) };
    let invalid = || rusqlite::Error::InvalidColumnType(at, text.clone(), Type::Text);
    Target::new(&text).map(Some).ok_or_else(invalid)
}

pub(super) fn token(row: &Row) -> rusqlite::Result<Token> {
    let used: Option<i64> = row.get(5)?;
    Ok(Token {
        id: TokenId(row.get(0)?),
        account: AccountId(row.get(1)?),
        label: row.get(2)?,
        hash: row.get(3)?,
        created: Millis(row.get(4)?),
        used: used.map(Millis),
        to: target(row, 6)?,
    })
}

/// The flags in column `at`.
pub(super) fn flags_at(row: &Row, at: usize) -> rusqlite::Result<ChatFlags> {
    let Some(stored) = row.get::<_, Option<String>>(at)? else { return Ok(ChatFlags::default()) };
    let damaged = || rusqlite::Error::InvalidColumnType(at, stored.clone(), Type::Text);
    ChatFlags::decode(&stored).ok_or_else(damaged)
}

/// A row of `member` whose columns begin at `first` in `row`.
pub(super) fn member_at(row: &Row, first: usize) -> rusqlite::Result<Member> {
    let position = |at: usize| -> rusqlite::Result<Position> {
        Ok(Position {
            id: EntryId(row.get(at)?),
            seq: row.get(at + 1)?,
            exempt: row.get(at + 2)?,
            told: EntryId(row.get(at + 3)?),
            time: Millis(row.get(at + 4)?),
            number: MoveNumber(row.get(at + 5)?),
        })
    };
    let moves =
        |at: usize| -> rusqlite::Result<Moves> { Ok(Moves::new(row.get_ref(at)?.as_blob()?)) };
    Ok(Member {
        account: AccountId(row.get(first + 1)?),
        exempt: row.get(first + 2)?,
        last_own: EntryId(row.get(first + 3)?),
        delivered: position(first + 4)?,
        read: position(first + 10)?,
        admin: row.get(first + 16)?,
        stays: SmallVec::new(),
        waits: EntryId(row.get::<_, Option<i64>>(first + 18)?.unwrap_or(0)),
        recent: EntryId(row.get(first + 19)?),
        moved: MoveNumber(row.get::<_, Option<i64>>(first + 20)?.unwrap_or(0)),
        marked: EntryId(row.get::<_, Option<i64>>(first + 21)?.unwrap_or(0)),
        history: [moves(first + 22)?, moves(first + 23)?],
        shown_read: match row.get::<_, Option<i64>>(first + 25)? {
            None => None,
            Some(id) => Some(Move {
                id: EntryId(id),
                time: Millis(row.get(first + 26)?),
                number: MoveNumber(row.get(first + 27)?),
            }),
        },
        flags: flags_at(row, first + 28)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Effort, Reader};

    #[test]
    fn a_question_without_end_is_ended() {
        let mut reader = SqliteReader::bounded(Connection::open_in_memory().unwrap()).unwrap();
        let endless = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)
                       SELECT count(*) FROM n";
        for _ in 0..2 {
            reader.begin(Effort::Small).unwrap();
            let count = reader.connection.query_row(endless, [], |row| row.get::<_, i64>(0));
            let e = Error::from(count.unwrap_err()).to_string();
            assert!(e.contains("took too long"), "{e}");
            reader.end();
            assert!(reader.connection.is_autocommit());
        }
    }
}
