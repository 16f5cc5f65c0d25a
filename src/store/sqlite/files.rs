//! The files of messages: which content each has. The contents themselves are in a folder of their
//! own; see [`folder`](crate::store::folder).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use sha2::{Digest, Sha256};

use super::decode::SqliteReader;
use super::statements::Statements;
use super::{beside, ended};
use crate::entry::{AccountId, ContentHash, EntryId, FileRef, FileState, Millis};
use crate::limits;
use crate::store::Error;

impl ToSql for ContentHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.as_slice().to_sql()
    }
}

/// An entry has this file.
pub(super) fn add(on: &Connection, entry: EntryId, file: FileRef) -> Result<(), Error> {
    on.prepare_cached("INSERT INTO file VALUES(?1, ?2, ?3)")?.execute(params![
        entry.0,
        file.hash,
        file.bytes.cast_signed()
    ])?;
    Ok(())
}

/// The entries from `first` to `last` have no files any more.
pub(super) fn drop_of(on: &Statements, first: EntryId, last: EntryId) -> Result<(), Error> {
    for sql in [
        "INSERT INTO dropped_file(content) SELECT content FROM file WHERE entry BETWEEN ?1 AND ?2",
        "DELETE FROM file WHERE entry BETWEEN ?1 AND ?2",
    ] {
        on.run(sql, [first.0, last.0])?;
    }
    Ok(())
}

/// What was dropped up to this number is dealt with.
pub(super) fn swept(on: &Connection, upto: i64) -> Result<(), Error> {
    on.prepare_cached("DELETE FROM dropped_file WHERE id <= ?1")?.execute([upto])?;
    Ok(())
}

/// A content, from its hash and its bytes, which are in `row` from column `first` on.
pub(super) fn file_at(row: &Row, first: usize) -> rusqlite::Result<Option<FileRef>> {
    let hash: Option<[u8; 32]> = row.get(first)?;
    let bytes: Option<i64> = row.get(first + 1)?;
    let file =
        |(hash, bytes): (_, i64)| FileRef { hash: ContentHash(hash), bytes: bytes.cast_unsigned() };
    Ok(hash.zip(bytes).map(file))
}

/// All contents that entries have, each once with one of these entries.
pub(super) fn all(
    read: &Connection,
    mut each: impl FnMut(EntryId, FileRef) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut query = read.prepare("SELECT content, bytes, min(entry) FROM file GROUP BY content")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(file) = file_at(row, 0)? {
            each(EntryId(row.get(2)?), file)?;
        }
    }
    Ok(())
}

impl SqliteReader {
    /// The content that an entry has.
    pub(super) fn file_of(&self, entry: EntryId) -> Result<Option<FileRef>, Error> {
        let mut query =
            self.connection.prepare_cached("SELECT content, bytes FROM file WHERE entry = ?1")?;
        let row = query.query_row([entry.0], |row| file_at(row, 0)).optional()?;
        Ok(row.flatten())
    }

    /// See [`Reader::file`](crate::store::Reader::file).
    pub(super) fn file_state(
        &self,
        me: AccountId,
        id: EntryId,
    ) -> Result<Option<FileState>, Error> {
        let Some((row, _)) = self.seen_message(me, id)? else { return Ok(None) };
        if row.tags.is_none_or(|tags| tags.file.is_none()) {
            return Ok(Some(FileState::None));
        }
        Ok(Some(self.file_of(id)?.map_or(FileState::Forgotten, FileState::Kept)))
    }

    pub(super) fn is_content_used(&self, content: ContentHash) -> Result<bool, Error> {
        let mut query = self.connection.prepare_cached("SELECT 1 FROM file WHERE content = ?1")?;
        Ok(query.exists([content])?)
    }

    pub(super) fn dropped_contents(&self) -> Result<Vec<(i64, ContentHash)>, Error> {
        let sql = "SELECT id, content FROM dropped_file ORDER BY id LIMIT ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query
            .query_map([limits::SWEEP as i64], |row| Ok((row.get(0)?, ContentHash(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// See [`Reader::next_old_file`](crate::store::Reader::next_old_file). As in `expire`, an entry
    /// with a time in the future counts as old if an old one follows.
    pub(super) fn old_file(&self, before: Millis, now: Millis) -> Result<Option<EntryId>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT f.entry, e.time FROM file f JOIN entry e ON e.id = f.entry
             ORDER BY f.entry LIMIT ?1",
        )?;
        let mut rows = query.query([limits::EXPIRE as i64])?;
        let mut old = None;
        while let Some(row) = rows.next()? {
            let time: i64 = row.get(1)?;
            if time < before.0 {
                old = Some(EntryId(row.get(0)?));
            } else if time <= now.0 {
                break;
            }
        }
        Ok(old)
    }
}

/// The folder of the contents of the files of the database at `path`.
pub fn files_beside(path: &Path) -> PathBuf {
    beside(path, "-files")
}

/// Reads a content. Says what is wrong with it.
pub(super) fn verify(path: &Path, expected: FileRef) -> Result<(), String> {
    let why = |e: io::Error| e.to_string();
    let meta = fs::metadata(path).map_err(why)?;
    if !meta.is_file() || meta.len() != expected.bytes {
        return Err(format!("has {} bytes instead of {}", meta.len(), expected.bytes));
    }
    let (mut file, mut hash) = (File::open(path).map_err(why)?, Sha256::new());
    let mut part = vec![0; limits::FILE_ROW];
    loop {
        match file.read(&mut part).map_err(why)? {
            0 => break,
            length => hash.update(&part[..length]),
        }
    }
    let is_it = ContentHash(hash.finalize().into()) == expected.hash;
    if is_it { Ok(()) } else { Err("has other bytes than were sent".to_owned()) }
}

/// What is missing of the contents that entries have, or is not what was sent: a line each, at most
/// [`FINDINGS`](limits::FINDINGS). `path_of` says where each should be. Reads all of them.
///
/// # Errors
/// The database cannot be read, or papod ends.
pub(super) fn missing(
    read: &Connection,
    path_of: impl Fn(ContentHash) -> PathBuf,
    has_ended: impl Fn() -> bool,
) -> Result<Vec<String>, Error> {
    // First, since what is being read keeps the write-ahead log from being emptied.
    let mut contents = Vec::new();
    all(read, |entry, file| {
        contents.push((entry, file));
        Ok(())
    })?;
    let mut found: Vec<(ContentHash, String)> = Vec::new();
    for (entry, file) in contents {
        if has_ended() {
            return Err(ended());
        }
        let path = path_of(file.hash);
        let Err(why) = verify(&path, file) else { continue };
        if found.len() < limits::FINDINGS {
            let line = format!("the file of entry {}, {}: {why}", entry.0, path.display());
            found.push((file.hash, line));
        }
    }
    // Of a database in use, an entry may have been deleted since, and its content with it.
    let mut query = read.prepare("SELECT 1 FROM file WHERE content = ?1")?;
    let mut lines = Vec::new();
    for (hash, line) in found {
        if query.exists([hash])? {
            lines.push(line);
        }
    }
    Ok(lines)
}
