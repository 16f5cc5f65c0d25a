//! Filling the index from the database, each through a connection of its own.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::super::decode::entry_tags;
use super::super::maintenance::SqliteMaintenance;
use super::super::marking::{DELETION, EDIT};
use super::super::{read_connection, run};
use super::file::{SearchFile, belongs, seen, segments};
use crate::entry::{ConversationId, EntryId};
use crate::limits;
use crate::store::ids::encode;
use crate::store::search::{
    Filled, Filler, Segment, SegmentDraft, SegmentWord, Stretch, key, size,
};
use crate::store::{Cause, Error, Haste, Indexer};

/// Rows of the log that are read at once, in one read transaction, and their size. Meanwhile the log
/// cannot be begun anew.
const ROWS: usize = 128;
const SIZE: usize = 512;
/// Words that are written by one statement, for which each then takes two fifths less work.
const TOGETHER: usize = 16;
/// Entries of the log whose changes are noted in one pass.
const NOTED: usize = 16_384;

/// The writer of the index.
pub struct SqliteIndexer {
    filler: Filler,
    index: IndexWriter,
}

/// The index, with the database that it is of.
struct IndexWriter {
    file: Arc<SearchFile>,
    /// The database.
    read: Connection,
    /// The index, and its number on the disk.
    open: Option<(Connection, Option<(u64, u64)>)>,
    /// Up to where changes are known, in memory: what is in the file may be older.
    seen: EntryId,
}

impl SqliteMaintenance {
    /// The writer of the index. To be called once.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn indexer(&self) -> Result<SqliteIndexer, Error> {
        let read = read_connection(self.lock.path())?;
        let index = IndexWriter { file: self.search.clone(), read, open: None, seen: EntryId(0) };
        Ok(SqliteIndexer { filler: Filler::new(), index })
    }
}

impl Indexer for SqliteIndexer {
    fn open(&mut self) -> Result<(), Error> {
        let (newest, floor): (i64, i64) = self
            .index
            .read
            .prepare_cached("SELECT entry, floor FROM newest")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let read = &self.index.read;
        let stretch = |above, upto| stretch(read, above, upto);
        self.filler.saw(EntryId(newest), EntryId(floor), stretch)?;
        if self.index.is_gone() {
            self.filler.opened();
            log::warn!("the index for searching is damaged or gone, and is made anew");
            self.index.open = None;
            let on = self.index.file.make()?;
            return self.index.start(on);
        }
        if self.index.open.is_none() {
            self.filler.opened();
            self.index.open()?;
        }
        Ok(())
    }

    fn pass(&mut self, go_on: &dyn Fn(Haste) -> bool) -> Result<bool, Error> {
        self.open()?;
        let filled = self.filler.fill(&mut self.index, go_on);
        if let Err(e) = &filled
            && e.cause() == Cause::Damaged
        {
            self.index.file.note_damage();
        }
        filled
    }

    fn lag(&self) -> u64 {
        self.filler.lag()
    }
}

impl SqliteIndexer {
    /// The same, but it makes a segment of so few new entries, and deleted texts leave the index with
    /// the next pass.
    pub fn eager(self, tail: usize) -> SqliteIndexer {
        SqliteIndexer { filler: self.filler.eager(tail), ..self }
    }
}

impl IndexWriter {
    /// Whether what is open is damaged, or is not the file any more.
    fn is_gone(&self) -> bool {
        self.file.take_damage()
            || self.open.as_ref().is_some_and(|(_, number)| *number != self.file.inode())
    }

    /// Opens the index if it is of this database, or makes it.
    fn open(&mut self) -> Result<(), Error> {
        let there = self.file.writer().and_then(|on| Ok((belongs(&on, &self.read)?, on)));
        let on = match there {
            Ok((true, on)) => on,
            Err(e) if !matches!(e.cause(), Cause::Damaged | Cause::Disk) => return Err(e),
            Ok(_) | Err(_) => self.file.make()?,
        };
        self.start(on)
    }

    fn start(&mut self, on: Connection) -> Result<(), Error> {
        self.seen = seen(&on)?;
        self.open = Some((on, self.file.inode()));
        self.file.is_good();
        Ok(())
    }

    fn on(&self) -> Result<&Connection, Error> {
        let on = self.open.as_ref().map(|(on, _)| on);
        on.ok_or_else(|| Error::of(Cause::Bug, "the index is not open"))
    }

    /// Adds the next entries above `after` to a segment, as many as are read at once. `due` is when
    /// the first message of the segment expires. Returns the last of them, and their size.
    fn add(
        &self,
        after: EntryId,
        upto: EntryId,
        draft: &mut SegmentDraft,
        due: &mut Option<i64>,
    ) -> Result<Option<(EntryId, usize)>, Error> {
        let sql = "SELECT id, conversation, kind, body, changed, re, tags, time FROM entry
                   WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
        let mut query = self.read.prepare_cached(sql)?;
        let mut rows = query.query(params![after.0, upto.0, ROWS as i64])?;
        let (mut last, mut all) = (None, 0);
        while all < SIZE
            && let Some(row) = rows.next()?
        {
            let (id, conversation) = (EntryId(row.get(0)?), ConversationId(row.get(1)?));
            let body = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
            last = Some(id);
            all += size(body.len());
            if row.get::<_, i64>(2)? != 0 {
                continue;
            }
            let exp = entry_tags(row, 5)?.and_then(|tags| tags.exp);
            if let Some(seconds) = exp {
                let expires = row.get::<_, i64>(7)?.saturating_add(i64::from(seconds) * 1000);
                *due = (*due).into_iter().chain([expires]).min();
            }
            draft.add(conversation, id, body);
            if row.get(4)? {
                for text in self.later_texts(id)? {
                    draft.add(conversation, id, &text);
                }
            }
        }
        Ok(last.map(|last| (last, all)))
    }

    /// The texts that a message was given by edits.
    fn later_texts(&self, message: EntryId) -> Result<Vec<String>, Error> {
        let sql = "SELECT e.body FROM about a JOIN entry e ON e.id = a.mark
                   WHERE a.message = ?1 AND a.kind = ?2
                     AND NOT EXISTS(SELECT 1 FROM erasing WHERE message = ?1)";
        let mut query = self.read.prepare_cached(sql)?;
        let rows = query.query_map([message.0, EDIT], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Filled for IndexWriter {
    fn forget(&mut self, floor: EntryId) -> Result<bool, Error> {
        note_expired(self.on()?, &self.read)?;
        forget(self.on()?, floor)
    }

    fn segments(&mut self) -> Result<Vec<Segment>, Error> {
        segments(self.on()?)
    }

    fn note(&mut self, end: EntryId) -> Result<bool, Error> {
        let noted = note(self.on()?, &self.read, self.seen, end)?;
        self.seen = noted.upto;
        Ok(noted.more)
    }

    fn stale(&mut self) -> Result<Option<Segment>, Error> {
        stale(self.on()?)
    }

    fn stretch(&mut self, above: EntryId, upto: EntryId) -> Result<Stretch, Error> {
        stretch(&self.read, above, upto)
    }

    fn ahead(&mut self, end: EntryId, most: usize) -> Result<(EntryId, usize), Error> {
        let sql = "SELECT id, octet_length(body) FROM entry WHERE id > ?1 AND id <= ?2 ORDER BY id";
        let mut query = self.read.prepare_cached(sql)?;
        let mut rows = query.query([end.0, self.seen.0])?;
        let (mut upto, mut all) = (end, 0);
        while all < most
            && let Some(row) = rows.next()?
        {
            upto = EntryId(row.get(0)?);
            all += size(usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0));
        }
        Ok((upto, all))
    }

    fn make(
        &mut self,
        floor: EntryId,
        (after, upto): (EntryId, EntryId),
        old: &[Segment],
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        let on = self.on()?;
        let mut draft = SegmentDraft::new(after);
        let (mut size, mut at) = (0, after.max(floor));
        let mut due = None;
        while let Some((last, read)) = self.add(at, upto, &mut draft, &mut due)? {
            if !go_on() {
                return Ok(());
            }
            at = last;
            size += read;
        }
        let stamp = self
            .read
            .prepare_cached("SELECT time, conversation FROM entry WHERE id = ?1")?
            .query_row([upto.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .optional()?
            .unwrap_or_default();
        run(on, "BEGIN IMMEDIATE")?;
        let facts = (size, stamp, floor, self.seen, due);
        let written = write(on, draft, (after, upto), facts, old, go_on);
        run(on, if matches!(written, Ok(true)) { "COMMIT" } else { "ROLLBACK" })?;
        written.map(drop)
    }

    fn often_edited(&mut self, all: &[Segment]) -> Result<Option<Segment>, Error> {
        let on = self.on()?;
        let mut many = on.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM edited LIMIT ?1)")?;
        let most = limits::SEARCH_EDITED as i64;
        if many.query_row([most], |row| row.get::<_, i64>(0))? < most {
            return Ok(None);
        }
        let mut query =
            on.prepare_cached("SELECT count(*) FROM edited WHERE message > ?1 AND message <= ?2")?;
        for segment in all {
            let count: i64 =
                query.query_row([segment.after.0, segment.upto.0], |row| row.get(0))?;
            if count >= most {
                return Ok(Some(*segment));
            }
        }
        Ok(None)
    }

    /// SQLite overwrites pages that become free, and its log is emptied here.
    fn clean(&mut self) -> Result<bool, Error> {
        let on = self.on()?;
        let number = |sql: &str| on.query_row(sql, [], |row| row.get::<_, i64>(0));
        let (free, pages) = (number("PRAGMA freelist_count")?, number("PRAGMA page_count")?);
        if free > pages / 2 {
            let mut vacuum = on.prepare(&format!("PRAGMA incremental_vacuum({})", free / 2))?;
            let mut rows = vacuum.query([])?;
            while rows.next()?.is_some() {}
        }
        Ok(number("PRAGMA wal_checkpoint(TRUNCATE)")? == 0)
    }
}

/// See [`Filled::stretch`].
fn stretch(read: &Connection, above: EntryId, upto: EntryId) -> Result<Stretch, Error> {
    let sql = "SELECT (SELECT max(id) FROM entry WHERE id > ?1 AND id <= ?2),
                      (SELECT min(id) FROM entry WHERE id > ?2)";
    let id = |id: Option<i64>| id.map(EntryId);
    let mut query = read.prepare_cached(sql)?;
    Ok(query.query_row([above.0, upto.0], |row| Ok((id(row.get(0)?), id(row.get(1)?))))?)
}

/// Notes which segments have words of messages that have expired by `EXPIRE`: those that were due
/// before the first one that is still to expire.
fn note_expired(on: &Connection, read: &Connection) -> Result<(), Error> {
    let first = read
        .prepare_cached("SELECT min(due) FROM expiring")?
        .query_row([], |row| row.get::<_, Option<i64>>(0))?;
    let before = first.unwrap_or(i64::MAX);
    let sql = "SELECT 1 FROM segment WHERE due < ?1 AND stale = 0";
    if on.prepare_cached(sql)?.exists([before])? {
        on.prepare_cached("UPDATE segment SET stale = 1 WHERE due < ?1")?.execute([before])?;
    }
    Ok(())
}

/// Drops segments of expired entries. One that has some gets stale. Returns whether there were any.
fn forget(on: &Connection, floor: EntryId) -> Result<bool, Error> {
    let mut query = on.prepare_cached(
        "SELECT id, upto <= ?1 FROM segment WHERE floor < ?1 AND after < ?1 AND stale = 0 OR upto <= ?1",
    )?;
    let rows = query.query_map([floor.0], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, bool)> = rows.collect::<Result<_, _>>()?;
    drop(query);
    if rows.is_empty() {
        return Ok(false);
    }
    run(on, "BEGIN IMMEDIATE")?;
    let done = rows.iter().try_for_each(|(id, is_expired)| match is_expired {
        true => drop_segment(on, *id),
        false => {
            on.prepare_cached("UPDATE segment SET stale = 1 WHERE id = ?1")?.execute([*id])?;
            Ok(())
        }
    });
    let done = done.and_then(|()| {
        on.prepare_cached("DELETE FROM edited WHERE message <= ?1")?.execute([floor.0])?;
        Ok(())
    });
    run(on, if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done.map(|()| true)
}

fn drop_segment(on: &Connection, id: i64) -> Result<(), Error> {
    on.execute_batch(&format!("DROP TABLE words_{id}"))?;
    on.prepare_cached("DELETE FROM segment WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// What [`note`] has looked at.
struct Noted {
    upto: EntryId,
    more: bool,
}

/// Notes which messages of segments, which end at `end`, have changed by entries above `seen`.
fn note(on: &Connection, read: &Connection, seen: EntryId, end: EntryId) -> Result<Noted, Error> {
    let sql = "SELECT id, kind, conversation, re FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut query = read.prepare_cached(sql)?;
    let mut rows = query.query(params![seen.0, NOTED as i64])?;
    let (mut edited, mut deleted, mut upto, mut count) = (Vec::new(), Vec::new(), seen, 0);
    while let Some(row) = rows.next()? {
        upto = EntryId(row.get(0)?);
        count += 1;
        match row.get::<_, i64>(1)? {
            EDIT => edited.push((row.get::<_, i64>(3)?, row.get::<_, i64>(2)?)),
            DELETION => deleted.push(row.get::<_, i64>(3)?),
            _ => {}
        }
    }
    drop(rows);
    edited.retain(|(message, _)| *message <= end.0);
    deleted.retain(|message| *message <= end.0);
    if !edited.is_empty() || !deleted.is_empty() {
        run(on, "BEGIN IMMEDIATE")?;
        let written = (|| -> Result<(), Error> {
            for (message, conversation) in edited {
                on.prepare_cached("INSERT OR IGNORE INTO edited VALUES(?1, ?2)")?
                    .execute([message, conversation])?;
            }
            for message in deleted {
                on.prepare_cached("UPDATE segment SET stale = 1 WHERE after < ?1 AND upto >= ?1")?
                    .execute([message])?;
            }
            set_seen(on, upto)
        })();
        run(on, if written.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        written?;
    }
    Ok(Noted { upto, more: count == NOTED })
}

fn set_seen(on: &Connection, seen: EntryId) -> Result<(), Error> {
    on.prepare_cached("UPDATE progress SET seen = ?1")?.execute([seen.0])?;
    Ok(())
}

/// A segment with words of deleted texts.
fn stale(on: &Connection) -> Result<Option<Segment>, Error> {
    let mut query = on.prepare_cached("SELECT id FROM segment WHERE stale LIMIT 1")?;
    let id = query.query_row([], |row| row.get::<_, i64>(0)).optional()?;
    Ok(segments(on)?.into_iter().find(|one| Some(one.id.0) == id))
}

/// Of a segment: its size, the time and the conversation of its last entry, and what had expired and
/// was noted when it was made; and when the first of its messages expires.
type Facts = (usize, (i64, i64), EntryId, EntryId, Option<i64>);

/// Writes a segment, as long as it is to `go_on`; returns whether it has.
fn write(
    on: &Connection,
    draft: SegmentDraft,
    (after, upto): (EntryId, EntryId),
    (size, (time, conversation), floor, seen, due): Facts,
    old: &[Segment],
    go_on: &dyn Fn() -> bool,
) -> Result<bool, Error> {
    for segment in old {
        drop_segment(on, segment.id.0)?;
    }
    on.prepare_cached("DELETE FROM edited WHERE message > ?1 AND message <= ?2")?
        .execute([after.0, upto.0])?;
    let mut words = draft.sorted();
    let numbers: Vec<EntryId> = words.conversations().iter().map(|id| EntryId(id.0)).collect();
    on.prepare_cached(
        "INSERT INTO segment(after, upto, size, time, conversation, floor, conversations, due)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        after.0,
        upto.0,
        i64::try_from(size).unwrap_or(i64::MAX),
        time,
        conversation,
        floor.0,
        encode(EntryId(0), &numbers),
        due
    ])?;
    let id = on.last_insert_rowid();
    on.execute_batch(&format!(
        "CREATE TABLE words_{id}(key BLOB PRIMARY KEY, ids BLOB NOT NULL) STRICT, WITHOUT ROWID"
    ))?;
    let insert = |rows: usize| {
        let values = vec!["(?, ?)"; rows].join(", ");
        on.prepare(&format!("INSERT INTO words_{id} VALUES {values}"))
    };
    let (mut several, mut values) = (insert(TOGETHER)?, Vec::with_capacity(2 * TOGETHER));
    while let Some(SegmentWord { conversation, word, list }) = words.next_word() {
        if !go_on() {
            return Ok(false);
        }
        values.push(key(conversation, word));
        values.push(list.to_vec());
        if values.len() == 2 * TOGETHER {
            several.execute(params_from_iter(&values))?;
            values.clear();
        }
    }
    if !values.is_empty() {
        insert(values.len() / 2)?.execute(params_from_iter(&values))?;
    }
    set_seen(on, seen)?;
    Ok(true)
}
