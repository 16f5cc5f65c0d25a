//! Rows of the tables to the store's words: accounts, conversations with their members, entries.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::walk::{LogRow, damaged};
use crate::entry::{AccountId, ConversationId, Entry, EntryId, Millis, MoveNumber, TokenId};
use crate::limits;
use crate::name::{DisplayName, Handle, Target};
use crate::store::{Account, Conversation, Error, Kind, Member, Pair, Position, Stay, Token};

/// The query for an account by its number.
pub(super) const BY_ID: &str = "SELECT id, handle, name, shown, seen FROM account WHERE id = ?1";

/// A read-only connection, and the handles it has met: a handle never changes.
pub struct Eyes {
    pub(super) connection: Connection,
    handles: HashMap<AccountId, Handle>,
}

impl Eyes {
    pub(super) fn new(connection: Connection) -> Eyes {
        Eyes { connection, handles: HashMap::new() }
    }

    pub(super) fn handle(&mut self, id: AccountId) -> Result<Handle, Error> {
        if let Some(handle) = self.handles.get(&id) {
            return Ok(handle.clone());
        }
        let found = self.find_account(BY_ID, id.0)?;
        let handle = found.ok_or_else(|| damaged(format!("account {} is gone", id.0)))?.handle;
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
            Ok((AccountId(row.get(0)?), handle, name, MoveNumber(row.get(3)?), seen.map(Millis)))
        });
        let Some((id, handle, name, shown, seen)) = row.optional()? else {
            return Ok(None);
        };
        let bad = || damaged(format!("account {} has a name that breaks the rules", id.0));
        Ok(Some(Account {
            id,
            handle: Handle::new(&handle).ok_or_else(bad)?,
            name: DisplayName::new(&name).map_err(|_| bad())?,
            shown,
            seen,
        }))
    }

    pub(super) fn find_conversation(
        &self,
        sql: &str,
        keys: impl rusqlite::Params,
    ) -> Result<Option<Conversation>, Error> {
        let row = self.connection.prepare_cached(sql)?.query_row(keys, |row| {
            let name: Option<String> = row.get(6)?;
            let pair = match name {
                Some(_) => None,
                None => Some(Pair { low: AccountId(row.get(1)?), high: AccountId(row.get(2)?) }),
            };
            Ok(((pair, name), row.get(0)?, EntryId(row.get(3)?), row.get(4)?, row.get(5)?))
        });
        let Some((whose, id, head, seq, moved)) = row.optional()? else {
            return Ok(None);
        };
        let kind = match whose {
            (Some(pair), _) => Kind::Direct(pair),
            (None, name) => {
                Kind::Room(name.as_deref().and_then(Handle::new).ok_or_else(|| {
                    damaged(format!("group {id} has a name that breaks the rules"))
                })?)
            }
        };
        let is_room = matches!(kind, Kind::Room(_));
        let mut members = self
            .connection
            .prepare_cached("SELECT * FROM member WHERE conversation = ?1 ORDER BY account")?
            .query_map([id], |row| member_at(row, 0))?
            .collect::<Result<Vec<Member>, _>>()?;
        if is_room {
            let sql = "SELECT account, since, since_seq, until, until_seq FROM stay
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
                };
                if let Ok(at) = members.binary_search_by_key(&account, |m| m.account) {
                    members[at].stays.push(stay);
                }
            }
        }
        let (id, moved) = (ConversationId(id), MoveNumber(moved));
        Ok(Some(Conversation { id, kind, head, seq, moved, members }))
    }

    /// Gives rows of the log the names that readers know.
    pub(super) fn named(&mut self, me: AccountId, rows: Vec<LogRow>) -> Result<Vec<Entry>, Error> {
        let mut last: Option<(ConversationId, Whose)> = None;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let whose = match last.take().filter(|(id, _)| *id == row.conversation) {
                Some((_, whose)) => whose,
                None => self.whose(row.conversation)?,
            };
            let to = match &whose {
                Whose::Room(name) => Target::Group(name.clone()),
                Whose::Pair(pair) if pair.low == me || pair.high == me => {
                    Target::Person(self.handle(pair.other(row.author))?)
                }
                Whose::Pair(_) => {
                    return Err(damaged(format!("entry {} is of other people", row.id.0)));
                }
            };
            last = Some((row.conversation, whose));
            entries.push(Entry {
                id: row.id,
                time: row.time,
                from: self.handle(row.author)?,
                to,
                kind: row.kind,
                body: row.body,
            });
        }
        Ok(entries)
    }

    /// Whose a conversation is, without its members.
    pub(super) fn whose(&self, id: ConversationId) -> Result<Whose, Error> {
        let sql = "SELECT c.low, c.high, r.name FROM conversation c
                   LEFT JOIN room r ON r.conversation = c.id WHERE c.id = ?1";
        let (pair, name) = self.connection.prepare_cached(sql)?.query_row([id.0], |row| {
            let name: Option<String> = row.get(2)?;
            Ok(match name {
                Some(name) => (None, name),
                None => {
                    let pair = Pair { low: AccountId(row.get(0)?), high: AccountId(row.get(1)?) };
                    (Some(pair), String::new())
                }
            })
        })?;
        match pair {
            Some(pair) => Ok(Whose::Pair(pair)),
            None => Handle::new(&name)
                .map(Whose::Room)
                .ok_or_else(|| damaged(format!("group {} has a name that breaks the rules", id.0))),
        }
    }
}

/// Whose a conversation is.
pub(super) enum Whose {
    Pair(Pair),
    Room(Handle),
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
    })
}

/// A row of `member` whose first column is the `first` of `row`.
pub(super) fn member_at(row: &Row, first: usize) -> rusqlite::Result<Member> {
    let position = |at: usize| -> rusqlite::Result<Position> {
        Ok(Position {
            id: EntryId(row.get(at)?),
            seq: row.get(at + 1)?,
            own: row.get(at + 2)?,
            told: EntryId(row.get(at + 3)?),
            time: Millis(row.get(at + 4)?),
            number: MoveNumber(row.get(at + 5)?),
        })
    };
    Ok(Member {
        account: AccountId(row.get(first + 1)?),
        own: row.get(first + 2)?,
        last_own: EntryId(row.get(first + 3)?),
        delivered: position(first + 4)?,
        read: position(first + 10)?,
        admin: row.get(first + 16)?,
        stays: Vec::new(),
    })
}
