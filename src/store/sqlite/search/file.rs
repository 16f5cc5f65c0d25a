//! The file of the index, `<database>-search`: made, opened, and made anew when it is not what it
//! should be. Nothing in it is needed: all of it comes from the log.
//!
//! It is a SQLite database of its own, so that its writer and that of the log never wait for each
//! other. What this file may be trusted with is checked before anyone reads it, in [`Stamp`].

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::super::{beside, configure, give, private};
use crate::entry::{ConversationId, EntryId, Millis};
use crate::store::Error;
use crate::store::search::{Segment, SegmentId};

/// `PRAGMA application_id` of the file: "papS" in ASCII.
const APPLICATION_ID: i32 = 0x7061_7053;
/// The version of its tables, and of what words are. With another one it is made anew.
const VERSION: i32 = 1;
/// The endings of its files.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// Statements kept prepared: one for each segment, as a rule.
const STATEMENTS: usize = 256;

/// The tables, besides those of the segments.
const TABLES: &str = "
    -- A segment of the index. Its words are in the table words_<id>.
    CREATE TABLE segment(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        after INTEGER NOT NULL,             -- it is of the entries above this one
        upto INTEGER NOT NULL,              -- up to this one
        size INTEGER NOT NULL,              -- how many these were, a long text counting as several
        time INTEGER NOT NULL,              -- of the entry upto
        conversation INTEGER NOT NULL,      -- of the entry upto
        floor INTEGER NOT NULL,             -- what had expired when it was made
        stale INTEGER NOT NULL DEFAULT 0,   -- 1: it has words of a deleted text
        due INTEGER,                        -- when the first of its messages expires by `EXPIRE`
        conversations BLOB NOT NULL         -- which it has, as in store/ids.rs
    ) STRICT;
    -- Messages whose text was changed after their segment was made.
    CREATE TABLE edited(
        message INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX edited_in ON edited(conversation, message);
    -- One row: up to which entry of the log changes are known here.
    CREATE TABLE progress(id INTEGER PRIMARY KEY CHECK(id = 1), seen INTEGER NOT NULL) STRICT;
    INSERT INTO progress VALUES(1, 0);";

/// What is known of a segment's last entry, by which the index is known to be of this database.
pub(super) struct Stamp {
    pub(super) upto: EntryId,
    pub(super) time: Millis,
    pub(super) conversation: ConversationId,
}

/// The file, as its readers and its writer share it.
pub(in crate::store::sqlite) struct SearchFile {
    path: PathBuf,
    /// The database beside which it is.
    database: PathBuf,
    /// Counts how often it was found to be good, or made: 0 until it may be read, and readers open
    /// it again with each number.
    made: AtomicU64,
    /// A reader has found it damaged.
    is_damaged: AtomicBool,
}

impl SearchFile {
    /// That of the database at this path, whether there is one or not.
    pub(in crate::store::sqlite) fn of(database: &Path) -> SearchFile {
        let path = beside(database, "-search");
        let (made, is_damaged) = Default::default();
        SearchFile { path, database: database.into(), made, is_damaged }
    }

    /// Removes it. Those who have it open go on reading what they have.
    pub(in crate::store::sqlite) fn remove(&self) -> Result<(), Error> {
        for ending in FILES {
            match fs::remove_file(beside(&self.path, ending)) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(Error::new(e).about(self.path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Which of its lives it is in; `None`: it may not be read yet.
    pub(super) fn life(&self) -> Option<u64> {
        Some(self.made.load(Ordering::Acquire)).filter(|made| *made > 0)
    }

    /// From now on it may be read.
    pub(super) fn is_good(&self) {
        self.made.fetch_add(1, Ordering::AcqRel);
    }

    /// It is not what it should be, and has to be made anew.
    pub(super) fn note_damage(&self) {
        self.is_damaged.store(true, Ordering::Release);
    }

    pub(super) fn take_damage(&self) -> bool {
        self.is_damaged.swap(false, Ordering::AcqRel)
    }

    /// Its number on the disk, if it is there.
    pub(super) fn inode(&self) -> Option<(u64, u64)> {
        fs::metadata(&self.path).ok().map(|meta| (meta.dev(), meta.ino()))
    }

    /// A connection that reads it.
    pub(super) fn reader(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        configure(&connection, -1024)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    /// A connection that writes to the file there is.
    ///
    /// # Errors
    /// There is none, or it is not one of ours.
    pub(super) fn writer(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        configure(&connection, -4096)?;
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
        let is_ours = number("PRAGMA application_id")? == APPLICATION_ID;
        if !is_ours || number("PRAGMA user_version")? != VERSION {
            return Err(Error::damaged("the index is of another version"));
        }
        log_ahead(&connection)?;
        Ok(connection)
    }

    /// Makes a new, empty file in place of what is there, with the mode and the owner of the
    /// database.
    pub(super) fn make(&self) -> Result<Connection, Error> {
        self.remove()?;
        let file = private().write(true).create_new(true).open(&self.path).map_err(Error::new)?;
        let mode = fs::metadata(&self.database).map_err(Error::new)?.mode() & 0o777;
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(Error::new)?;
        give(&file, &self.database).map_err(Error::new)?;
        // Closed before SQLite opens it, whose locks would end with this descriptor.
        drop(file);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        configure(&connection, -4096)?;
        connection.execute_batch(&format!(
            "PRAGMA page_size = 4096;
             PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {VERSION};
             {TABLES}"
        ))?;
        log_ahead(&connection)?;
        Ok(connection)
    }

    /// Writes its log back and removes that, if nobody uses the file any more.
    pub(in crate::store::sqlite) fn settle(&self) {
        if self.life().is_some()
            && let Err(e) = self.writer().map(drop)
        {
            log::debug!("the index was not written back: {e}");
        }
    }
}

/// After a power cut it may lack its last transactions, and is still whole.
fn log_ahead(connection: &Connection) -> Result<(), Error> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection
        .execute_batch("PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216;")?;
    Ok(())
}

/// Its segments, in the order of the log.
pub(super) fn segments(on: &Connection) -> Result<Vec<Segment>, Error> {
    let mut query = on.prepare_cached("SELECT id, after, upto, size FROM segment ORDER BY upto")?;
    let rows = query.query_map([], |row| {
        Ok(Segment {
            id: SegmentId(row.get(0)?),
            after: EntryId(row.get(1)?),
            upto: EntryId(row.get(2)?),
            size: usize::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Up to which entry of the log it knows which texts have changed.
pub(super) fn seen(on: &Connection) -> Result<EntryId, Error> {
    let mut query = on.prepare_cached("SELECT seen FROM progress")?;
    Ok(query.query_row([], |row| Ok(EntryId(row.get(0)?)))?)
}

/// Whether all of this index, if it was ever good, is of the database that `read` reads.
pub(super) fn belongs(on: &Connection, read: &Connection) -> Result<bool, Error> {
    let (newest, floor): (i64, i64) =
        read.query_row("SELECT entry, floor FROM newest", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if seen(on)?.0 > newest {
        return Ok(false);
    }
    let mut query =
        on.prepare("SELECT upto, time, conversation, after, id FROM segment ORDER BY upto")?;
    let mut rows = query.query([])?;
    let mut end = None;
    while let Some(row) = rows.next()? {
        let stamp = Stamp {
            upto: EntryId(row.get(0)?),
            time: Millis(row.get(1)?),
            conversation: ConversationId(row.get(2)?),
        };
        let after: i64 = row.get(3)?;
        if end.is_some_and(|end| end != after) || !has_table(on, row.get(4)?)? {
            return Ok(false);
        }
        end = Some(stamp.upto.0);
        let sql = "SELECT time = ?2 AND conversation = ?3 FROM entry WHERE id = ?1";
        let keys = params![stamp.upto.0, stamp.time.0, stamp.conversation.0];
        let is_it = read.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
        if !is_it.unwrap_or(stamp.upto.0 <= floor) {
            return Ok(false);
        }
    }
    Ok(end.is_none_or(|end| end <= newest))
}

fn has_table(on: &Connection, segment: i64) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = ?1";
    Ok(on.prepare_cached(sql)?.exists([format!("words_{segment}")])?)
}
