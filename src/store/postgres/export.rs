//! The whole database, in one state, as a SQLite database of papo's: a backup that any papod can
//! open, and the form in which it is checked, by the same rules.

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::types::Value;
use rusqlite::{Connection, Statement};

use super::PgError;
use super::contents::{self, ContentRow};
use super::protocol::PgConnection;
use super::source::{PgPurpose, Source};
use super::tables::{TABLES, Table};
use super::value::PgRow;
use crate::entry::{ContentHash, EntryId};
use crate::fold;
use crate::limits;
use crate::store::ids::{encode, encode_upto};
use crate::store::sqlite::exchange::NewContents;
use crate::store::{BatchId, Error};

/// What is done with the contents of files.
pub(super) enum Files<'a> {
    /// They are copied as well. What is missing is left out, and logged.
    Copied(&'a mut NewContents),
    /// What is missing of them is listed here.
    Checked(&'a mut Vec<String>),
}

/// Copies everything that is confirmed into an empty database.
///
/// # Errors
/// The reason of either, or that `broken_off` is set.
pub(super) fn fill(
    source: &Source,
    broken_off: &AtomicBool,
    into: &Connection,
    files: Files,
) -> Result<(), Error> {
    let mut from = source.connect_soon(PgPurpose::Maintain)?;
    // From the first moment on, so that these are not written anew with rows that are deleted and
    // still seen here: see `erasure`.
    from.execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
         LOCK TABLE later, content IN ACCESS SHARE MODE",
    )?;
    let sql = "SELECT term, batch, entry, moved, account, conversation, token, floor FROM leader";
    let rows = from.query(sql, &[])?;
    let row = rows.first().ok_or_else(|| Error::damaged("there is no row of leader"))?;
    let batch = BatchId { term: row.get(0)?, number: row.get(1)? };
    if !source.is_confirmed(batch) {
        return Err(Error::new("no standby confirms what was written"));
    }
    let mut newest = into.prepare(
        "UPDATE newest SET entry = ?1, moved = ?2, account = ?3, conversation = ?4, token = ?5,
             floor = ?6",
    )?;
    let numbers = (2..8).map(|at| row.get::<i64>(at)).collect::<Result<Vec<_>, _>>()?;
    newest.execute(rusqlite::params_from_iter(&numbers))?;
    // A row of `marking` is made with its list of ids.
    for table in TABLES.iter().filter(|table| table.name != "marking") {
        copy(&mut from, table, broken_off, into)?;
    }
    words(into)?;
    for list in &LISTS {
        lists(&mut from, list, numbers[5], broken_off, into)?;
    }
    let missing = contents::missing(&mut from)?;
    match files {
        Files::Copied(into) => {
            missing.iter().for_each(|line| log::error!("{line}; the backup is made without it"));
            copy_contents(&mut from, broken_off, into)
        }
        Files::Checked(found) => {
            *found = missing;
            Ok(())
        }
    }
}

/// Copies the contents that entries have.
fn copy_contents(
    from: &mut PgConnection,
    broken_off: &AtomicBool,
    into: &mut NewContents,
) -> Result<(), Error> {
    from.execute(
        "DECLARE papo_contents NO SCROLL CURSOR FOR SELECT upload, bytes, key, hash FROM content
         WHERE EXISTS(SELECT FROM file WHERE file.content = content.hash)",
    )?;
    loop {
        let rows = from.query("FETCH 8192 FROM papo_contents", &[])?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let (content, hash) = (ContentRow::parse(row)?, ContentHash(row.get(3)?));
            let (mut n, mut is_whole) = (0, true);
            into.add(hash, || {
                go_on(broken_off)?;
                if n == content.pieces() {
                    return Ok(None);
                }
                let piece = content.piece(from, n);
                n += 1;
                match piece {
                    Err(PgError::Odd(why)) => {
                        log::error!("the content {hash}: {why}; the backup is made without it");
                        is_whole = false;
                        Ok(None)
                    }
                    piece => Ok(Some(piece?)),
                }
            })?;
            if !is_whole {
                into.drop_last(hash);
            }
        }
    }
}

fn copy(
    from: &mut PgConnection,
    table: &Table,
    broken_off: &AtomicBool,
    into: &Connection,
) -> Result<(), Error> {
    let mut insert = into.prepare(table.insert)?;
    from.execute(table.declare)?;
    loop {
        let rows = from.query(table.fetch, &[])?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let values = values(row, table.kinds)?;
            insert
                .execute(rusqlite::params_from_iter(values))
                .map_err(|e| Error::from(e).about(table.name))?;
        }
        go_on(broken_off)?;
    }
}

fn go_on(broken_off: &AtomicBool) -> Result<(), Error> {
    let is_over = broken_off.load(Ordering::SeqCst);
    if is_over { Err(Error::new("papod is shutting down")) } else { Ok(()) }
}

fn values(row: &PgRow, kinds: &str) -> Result<Vec<Value>, PgError> {
    let value = |(at, kind)| {
        Ok(match kind {
            // A text that was overwritten: SQLite has zeros there, at least one.
            'e' => row.get::<Option<String>>(at)?.map_or(Value::Null, |text| {
                Value::Text(if text.is_empty() { "\0".to_owned() } else { text })
            }),
            't' => row.get::<Option<String>>(at)?.map_or(Value::Null, Value::Text),
            'b' => row.get::<Option<Vec<u8>>>(at)?.map_or(Value::Null, Value::Blob),
            'f' => Value::Integer(row.get::<bool>(at)?.into()),
            _ => row.get::<Option<i64>>(at)?.map_or(Value::Null, Value::Integer),
        })
    };
    kinds.chars().enumerate().map(value).collect()
}

/// The words by which accounts are found follow from their names.
fn words(into: &Connection) -> Result<(), Error> {
    let mut accounts = into.prepare("SELECT id, handle, name FROM account WHERE gone = 0")?;
    let mut insert = into.prepare("INSERT INTO word VALUES(?1, ?2)")?;
    let mut rows = accounts.query([])?;
    while let Some(row) = rows.next()? {
        let (id, handle, name): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        for word in fold::words(&handle, &name) {
            insert.execute((word, id))?;
        }
    }
    Ok(())
}

const ID_BLOCK: i64 = limits::ID_BLOCK as i64;

/// The lists of ids of all conversations: of their entries, or of their marks.
struct IdLists {
    /// Declares a cursor for them: conversations, how many ids of each are gone, its last one, each id
    /// that is there, and which one that is, from 1.
    declare: &'static str,
    fetch: &'static str,
    /// Adds a block.
    block: &'static str,
    /// Sets what is left over.
    tail: &'static str,
}

const LISTS: [IdLists; 2] = [
    IdLists {
        declare: "DECLARE papo_entries NO SCROLL CURSOR FOR
            SELECT c.id, c.gone_seq, c.head, e.id, e.seq, c.seq FROM conversation c
            LEFT JOIN entry e ON e.conversation = c.id AND e.kind BETWEEN -1 AND 1
            ORDER BY c.id, e.id",
        fetch: "FETCH 8192 FROM papo_entries",
        block: "INSERT INTO id_block VALUES(?1, ?2, ?3)",
        tail: "UPDATE conversation SET tail = ?2 WHERE id = ?1",
    },
    IdLists {
        declare: "DECLARE papo_marks NO SCROLL CURSOR FOR
            SELECT k.conversation, k.count - count(e.id) OVER (PARTITION BY k.conversation),
                   c.marked, e.id,
                   k.count - count(e.id) OVER (PARTITION BY k.conversation)
                       + row_number() OVER (PARTITION BY k.conversation ORDER BY e.id),
                   k.count, k.author, k.other
            FROM marking k JOIN conversation c ON c.id = k.conversation
            LEFT JOIN entry e ON e.conversation = k.conversation AND e.kind > 1
            ORDER BY k.conversation, e.id",
        fetch: "FETCH 8192 FROM papo_marks",
        block: "INSERT INTO mark_block VALUES(?1, ?2, ?3)",
        tail: "INSERT INTO marking(conversation, tail, count, author, other)
            VALUES(?1, ?2, ?3, ?4, ?5)",
    },
];

/// A conversation whose ids are being listed.
struct IdList {
    conversation: i64,
    ids: Vec<EntryId>,
    /// The block that they are for: see store/sqlite/id_block.rs.
    block: i64,
    /// How many there have been, and the last of them.
    count: i64,
    last: EntryId,
    /// The further columns of its rows.
    further: Vec<i64>,
}

impl IdList {
    /// The conversation of a row of `declare`, whose ids up to `floor` are gone.
    fn begin(row: &PgRow, floor: i64, further: usize) -> Result<IdList, PgError> {
        let (gone, last): (i64, i64) = (row.get(1)?, row.get(2)?);
        let ids = expired(gone, floor.min(last));
        let further = (6..6 + further).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        let (conversation, count) = (row.get(0)?, row.get(5)?);
        let (block, last) = (gone / ID_BLOCK, EntryId(last));
        Ok(IdList { conversation, ids, block, count, last, further })
    }

    /// Adds the ids of a block, unless all of them have expired.
    fn end_block(&mut self, add: &mut Statement) -> Result<(), Error> {
        if let Some(upto) = self.ids.last() {
            add.execute((self.conversation, upto.0, encode(EntryId(0), &self.ids)))?;
        }
        self.ids.clear();
        Ok(())
    }
}

fn lists(
    from: &mut PgConnection,
    which: &'static IdLists,
    floor: i64,
    broken_off: &AtomicBool,
    into: &Connection,
) -> Result<(), Error> {
    from.execute(which.declare)?;
    let mut block = into.prepare(which.block)?;
    let mut tail = into.prepare(which.tail)?;
    // The marks' count is a further column, that of entries is in their conversation.
    let with_count = tail.parameter_count() > 2;
    let further = tail.parameter_count().saturating_sub(3);
    let mut end = |list: Option<IdList>, block: &mut Statement| -> Result<(), Error> {
        let Some(mut list) = list else { return Ok(()) };
        if list.block < list.count / ID_BLOCK {
            list.end_block(block)?;
        }
        let further = with_count.then_some(list.count).into_iter().chain(list.further);
        let further = further.map(Value::Integer);
        let ids =
            if list.count % ID_BLOCK == 0 { Vec::new() } else { encode_upto(&list.ids, list.last) };
        let both = [Value::Integer(list.conversation), Value::Blob(ids)];
        tail.execute(rusqlite::params_from_iter(both.into_iter().chain(further)))?;
        Ok(())
    };
    let mut list: Option<IdList> = None;
    loop {
        let rows = from.query(which.fetch, &[])?;
        if rows.is_empty() {
            return end(list, &mut block);
        }
        for row in &rows {
            let conversation: i64 = row.get(0)?;
            if list.as_ref().is_none_or(|list| list.conversation != conversation) {
                end(list.replace(IdList::begin(row, floor, further)?), &mut block)?;
            }
            let Some(list) = &mut list else { continue };
            let Some(id) = row.get::<Option<i64>>(3)? else { continue };
            let its_block = (row.get::<i64>(4)? - 1) / ID_BLOCK;
            if its_block > list.block {
                list.end_block(&mut block)?;
                list.block = its_block;
            }
            list.ids.push(EntryId(id));
        }
        go_on(broken_off)?;
    }
}

/// Ids for the expired entries that share a block with others. Which they had is not known any more,
/// and nobody asks: they only have to be as many, and not above `last`.
fn expired(gone: i64, last: i64) -> Vec<EntryId> {
    let shared = gone % ID_BLOCK;
    (last - shared + 1..=last).map(EntryId).collect()
}
