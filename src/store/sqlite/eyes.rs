//! The eyes on SQLite: short reads, each over at most a page, each in one read transaction.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::pen::cursor_number;
use super::walk::{LogRow, Merge, Step, chunk, damaged, log_row, mark_above, step, walk};
use crate::entry::{
    AccountId, ConversationId, Cursor, Entry, EntryId, Millis, MoveNumber, Place, Receipt,
};
use crate::limits;
use crate::name::{DisplayName, Handle, Target};
use crate::store::{
    Account, Conversation, Error, Member, Newest, Page, PageQuery, Pair, Position, Recall,
    Receipts, Span, SpanQuery,
};

/// A read-only connection, and the handles it has met: a handle never changes.
pub struct Eyes {
    connection: Connection,
    handles: HashMap<AccountId, Handle>,
}

impl Eyes {
    pub(super) fn new(connection: Connection) -> Eyes {
        Eyes { connection, handles: HashMap::new() }
    }

    fn handle(&mut self, id: AccountId) -> Result<Handle, Error> {
        if let Some(handle) = self.handles.get(&id) {
            return Ok(handle.clone());
        }
        let found = self.account_by_id(id)?;
        let handle = found.ok_or_else(|| damaged(format!("account {} is gone", id.0)))?.handle;
        if self.handles.len() >= limits::DIRECTORY {
            self.handles.clear();
        }
        self.handles.insert(id, handle.clone());
        Ok(handle)
    }

    fn find_account(&self, sql: &str, key: impl rusqlite::ToSql) -> Result<Option<Account>, Error> {
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row([key], |row| {
            let (handle, name): (String, String) = (row.get(1)?, row.get(2)?);
            Ok((AccountId(row.get(0)?), handle, name, MoveNumber(row.get(3)?)))
        });
        let Some((id, handle, name, shown)) = row.optional()? else {
            return Ok(None);
        };
        let bad = || damaged(format!("account {} has a name that breaks the rules", id.0));
        Ok(Some(Account {
            id,
            handle: Handle::new(&handle).ok_or_else(bad)?,
            name: DisplayName::new(&name).map_err(|_| bad())?,
            shown,
        }))
    }

    fn find_conversation(
        &self,
        sql: &str,
        keys: impl rusqlite::Params,
    ) -> Result<Option<Conversation>, Error> {
        let row = self.connection.prepare_cached(sql)?.query_row(keys, |row| {
            Ok(Conversation {
                id: ConversationId(row.get(0)?),
                pair: Pair { low: AccountId(row.get(1)?), high: AccountId(row.get(2)?) },
                head: EntryId(row.get(3)?),
                seq: row.get(4)?,
                moved: MoveNumber(row.get(5)?),
                members: Vec::new(),
            })
        });
        let Some(mut found) = row.optional()? else {
            return Ok(None);
        };
        found.members = self
            .connection
            .prepare_cached("SELECT * FROM member WHERE conversation = ?1 ORDER BY account")?
            .query_map([found.id.0], member)?
            .collect::<Result<_, _>>()?;
        Ok(Some(found))
    }

    /// Gives rows of the log the names that readers know.
    fn named(&mut self, me: AccountId, rows: Vec<LogRow>) -> Result<Vec<Entry>, Error> {
        let mut pair: Option<(ConversationId, Pair)> = None;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let known = pair.filter(|(id, _)| *id == row.conversation);
            let of = match known {
                Some((_, of)) => of,
                None => pair_of(&self.connection, row.conversation)?,
            };
            pair = Some((row.conversation, of));
            if me != of.low && me != of.high {
                return Err(damaged(format!("entry {} is of other people", row.id.0)));
            }
            entries.push(Entry {
                id: row.id,
                time: row.time,
                from: self.handle(row.author)?,
                to: Target::Person(self.handle(of.other(row.author))?),
                body: row.body,
            });
        }
        Ok(entries)
    }
}

impl Recall for Eyes {
    fn newest(&mut self) -> Result<Newest, Error> {
        let sql = "SELECT entry, moved, account, conversation FROM newest";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| {
            Ok(Newest {
                entry: EntryId(row.get(0)?),
                moved: MoveNumber(row.get(1)?),
                account: row.get(2)?,
                conversation: row.get(3)?,
            })
        })?)
    }

    fn account(&mut self, handle: &Handle) -> Result<Option<Account>, Error> {
        let sql = "SELECT id, handle, name, shown FROM account WHERE handle = ?1";
        self.find_account(sql, handle.as_str())
    }

    fn account_by_id(&mut self, id: AccountId) -> Result<Option<Account>, Error> {
        let sql = "SELECT id, handle, name, shown FROM account WHERE id = ?1";
        self.find_account(sql, id.0)
    }

    fn secret(&mut self, id: AccountId) -> Result<Option<String>, Error> {
        let mut query =
            self.connection.prepare_cached("SELECT secret FROM account WHERE id = ?1")?;
        Ok(query.query_row([id.0], |row| row.get(0)).optional()?)
    }

    fn direct(&mut self, pair: Pair) -> Result<Option<Conversation>, Error> {
        let sql = "SELECT id, low, high, head, seq, moved FROM conversation
                   WHERE low = ?1 AND high = ?2";
        self.find_conversation(sql, params![pair.low.0, pair.high.0])
    }

    fn conversation(&mut self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        let sql = "SELECT id, low, high, head, seq, moved FROM conversation WHERE id = ?1";
        self.find_conversation(sql, [id.0])
    }

    fn place(&mut self, id: EntryId) -> Result<Option<Place>, Error> {
        let sql = "SELECT conversation, seq, author, nth FROM entry WHERE id = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row([id.0], |row| {
            Ok(Place {
                conversation: ConversationId(row.get(0)?),
                id,
                seq: row.get(1)?,
                author: AccountId(row.get(2)?),
                nth: row.get(3)?,
            })
        });
        Ok(row.optional()?)
    }

    fn waiting(&mut self, me: AccountId, upto: EntryId) -> Result<u64, Error> {
        let read = self.connection.transaction()?;
        let mut lanes = read.prepare_cached(
            "SELECT c.id, c.head, c.seq - m.delivered_seq - (m.own - m.delivered_own), m.delivered
             FROM member m JOIN conversation c ON c.id = m.conversation
             WHERE m.account = ?1 AND c.head > m.delivered",
        )?;
        let mut rows = lanes.query([me.0])?;
        let mut waiting = 0;
        while let Some(row) = rows.next()? {
            let (head, count, delivered) = (row.get(1)?, row.get::<_, i64>(2)?, row.get(3)?);
            // What came after the moment that is asked about is not counted: a few at most.
            let floor = EntryId(std::cmp::max(upto.0, delivered));
            let newer = walk(&read, EntryId(head), floor)?;
            let mine = |step: &&Step| step.author == me;
            waiting += count - count_of(newer.len()) + count_of(newer.iter().filter(mine).count());
        }
        Ok(u64::try_from(waiting).unwrap_or(0))
    }

    fn page(&mut self, me: AccountId, query: &PageQuery) -> Result<Page, Error> {
        let read = self.connection.transaction()?;
        let mut merge = Merge::open(&read, me, query)?;
        let mut rows: Vec<LogRow> = Vec::new();
        let mut bytes = 0;
        let mut through = query.from;
        let mut steps = 0;
        let done = loop {
            if steps >= limits::PAGE_ROWS || bytes >= limits::PAGE_BYTES {
                break false;
            }
            let Some(id) = merge.next_id(&read)? else {
                break true;
            };
            steps += 1;
            through = id;
            let row = log_row(&read, id)?;
            if !(query.waiting && row.author == me) {
                bytes += row.body.len();
                rows.push(row);
            }
        };
        drop(merge);
        drop(read);
        Ok(Page { entries: self.named(me, rows)?, through, done })
    }

    fn receipts(&mut self, me: AccountId, after: MoveNumber) -> Result<Receipts, Error> {
        let read = self.connection.transaction()?;
        let through = read
            .prepare_cached("SELECT moved FROM newest")?
            .query_row([], |row| Ok(MoveNumber(row.get(0)?)))?;
        let mut found: Vec<(MoveNumber, Cursor, EntryId, Millis, AccountId)> = Vec::new();
        {
            let mut members = read.prepare_cached(
                "SELECT mine.last_own, theirs.*
                 FROM member mine
                 JOIN conversation c ON c.id = mine.conversation
                 JOIN member theirs ON theirs.conversation = mine.conversation
                 WHERE mine.account = ?1 AND c.moved > ?2 AND theirs.account <> ?1
                   AND (theirs.delivered_number > ?2 OR theirs.read_number > ?2)",
            )?;
            let mut rows = members.query(params![me.0, after.0])?;
            while let Some(row) = rows.next()? {
                let last_own = EntryId(row.get(0)?);
                let conversation = ConversationId(row.get(1)?);
                let them = member_at(row, 1)?;
                let due = |cursor| -> Result<bool, Error> {
                    let now = them.cursor(cursor);
                    if now.number <= after || last_own == EntryId(0) {
                        return Ok(false);
                    }
                    let passed = crossing(&read, conversation, &them, cursor, last_own)?;
                    Ok(passed.unwrap_or(now.number) > after)
                };
                let (delivered, seen) = (&them.delivered, &them.read);
                if due(Cursor::Read)? {
                    found.push((seen.number, Cursor::Read, seen.told, seen.time, them.account));
                }
                if due(Cursor::Delivered)? && delivered.told > seen.told {
                    let (cursor, id) = (Cursor::Delivered, delivered.told);
                    found.push((delivered.number, cursor, id, delivered.time, them.account));
                }
            }
        }
        drop(read);
        found.sort_by_key(|(number, ..)| *number);
        let mut list = Vec::with_capacity(found.len());
        for (_, cursor, id, time, from) in found {
            let (from, to) = (self.handle(from)?, Target::Person(self.handle(me)?));
            list.push(Receipt { cursor, id, time, from, to });
        }
        Ok(Receipts { list, through })
    }

    fn span(&mut self, id: ConversationId, query: &SpanQuery) -> Result<Span, Error> {
        let read = self.connection.transaction()?;
        let head = "SELECT head FROM conversation WHERE id = ?1";
        let head = read.prepare_cached(head)?.query_row([id.0], |row| Ok(EntryId(row.get(0)?)))?;
        let floor = query.after.unwrap_or_default();
        // One more than asked for tells whether there are more.
        let wanted = query.count + 1;
        let mut ids = Vec::new();
        if let (Some(_), None) = (query.after, query.before) {
            let mut from = floor;
            while ids.len() < wanted {
                let chunk = chunk(&read, id, from, head)?;
                let Some(last) = chunk.first() else { break };
                from = last.id;
                ids.extend(chunk.iter().rev().map(|step| step.id));
            }
            let more = ids.len() > query.count;
            ids.truncate(query.count);
            return Ok(Span { ids, more });
        }
        let mut at = match query.before {
            None => head,
            Some(before) => {
                // From the first mark at or above the bound down to it: at most 64 steps.
                let above = EntryId((before.0 - 1).max(0));
                let top = mark_above(&read, id, above)?.unwrap_or(head);
                let over = walk(&read, top, above)?;
                over.last().map_or(top, |step| step.prev)
            }
        };
        while at > floor && ids.len() < wanted {
            ids.push(at);
            at = step(&read, at)?.prev;
        }
        let more = ids.len() > query.count;
        ids.truncate(query.count);
        ids.reverse();
        Ok(Span { ids, more })
    }

    fn entries(&mut self, me: AccountId, ids: &[EntryId]) -> Result<Vec<Entry>, Error> {
        let read = self.connection.transaction()?;
        let mut rows = Vec::new();
        let mut bytes = 0;
        for id in ids.iter().take(limits::PAGE_ROWS) {
            let row = log_row(&read, *id)?;
            bytes += row.body.len();
            rows.push(row);
            if bytes >= limits::PAGE_BYTES {
                break;
            }
        }
        drop(read);
        self.named(me, rows)
    }
}

/// The number of the move that took a cursor to `id` or over it, if that was not its newest move.
/// Who wrote `id` last was due the receipts up to this move and none after it.
fn crossing(
    read: &Transaction,
    conversation: ConversationId,
    who: &Member,
    cursor: Cursor,
    id: EntryId,
) -> Result<Option<MoveNumber>, Error> {
    let sql = "SELECT number FROM passed WHERE conversation = ?1 AND account = ?2 AND cursor = ?3
               AND id >= ?4 ORDER BY id LIMIT 1";
    let keys = params![conversation.0, who.account.0, cursor_number(cursor), id.0];
    let mut query = read.prepare_cached(sql)?;
    Ok(query.query_row(keys, |row| Ok(MoveNumber(row.get(0)?))).optional()?)
}

fn pair_of(connection: &Connection, id: ConversationId) -> Result<Pair, Error> {
    let sql = "SELECT low, high FROM conversation WHERE id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([id.0], |row| {
        Ok(Pair { low: AccountId(row.get(0)?), high: AccountId(row.get(1)?) })
    })?)
}

fn member(row: &Row) -> rusqlite::Result<Member> {
    member_at(row, 0)
}

/// A row of `member` whose first column is the `first` of `row`.
fn member_at(row: &Row, first: usize) -> rusqlite::Result<Member> {
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
    })
}

fn count_of(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
