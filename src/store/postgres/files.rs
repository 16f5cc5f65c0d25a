//! Which content each file has. The contents themselves are in other tables: see `contents`.

use super::PgReader;
use super::value::{Param, PgRow};
use crate::entry::{ContentHash, EntryId, FileRef, Millis};
use crate::limits;
use crate::name::Target;
use crate::store::rows::known_handle;
use crate::store::{Error, FileRow};

/// A content, from its hash and its bytes, which are in `row` from column `first` on.
pub(super) fn file_at(row: &PgRow, first: usize) -> Result<Option<FileRef>, Error> {
    let hash: Option<[u8; 32]> = row.get(first)?;
    let bytes: Option<i64> = row.get(first + 1)?;
    let file =
        |(hash, bytes): (_, i64)| FileRef { hash: ContentHash(hash), bytes: bytes.cast_unsigned() };
    Ok(hash.zip(bytes).map(file))
}

/// Messages with files, with the texts that hold, and the group or the other member of their
/// conversations.
const ROWS: &str = "SELECT f.entry, e.time, a.handle, g.name, o.handle, f.bytes,
         coalesce((SELECT x.body FROM about b JOIN entry x ON x.id = b.mark
                   WHERE b.message = e.id AND b.kind = 2 AND b.account = 0
                   ORDER BY b.mark DESC LIMIT 1), e.body)
     FROM file f JOIN entry e ON e.id = f.entry JOIN account a ON a.id = e.author
     JOIN conversation c ON c.id = e.conversation
     LEFT JOIN group_info g ON g.conversation = c.id
     LEFT JOIN account o ON o.id = CASE WHEN c.low = e.author THEN c.high ELSE c.low END
     WHERE f.entry > $1 AND f.entry > (SELECT floor FROM leader) ORDER BY f.entry LIMIT $2";

/// See [`Reader::file_rows`](crate::store::Reader::file_rows).
pub(super) fn rows(
    reader: &mut PgReader,
    after: EntryId,
    count: usize,
) -> Result<Vec<FileRow>, Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let row = |row: &PgRow| {
        let handle = |at: usize| known_handle(&row.get::<String>(at)?);
        let is_group = row.get::<Option<String>>(3)?.is_some();
        Ok(FileRow {
            id: EntryId(row.get(0)?),
            time: Millis(row.get(1)?),
            from: handle(2)?,
            to: if is_group { Target::Group(handle(3)?) } else { Target::Person(handle(4)?) },
            bytes: row.get::<i64>(5)?.cast_unsigned(),
            name: row.get(6)?,
        })
    };
    reader.rows(ROWS, &[Param::Int(after.0), Param::Int(count)])?.iter().map(row).collect()
}

/// See [`Reader::dropped`](crate::store::Reader::dropped).
pub(super) fn dropped(reader: &mut PgReader) -> Result<Vec<(i64, ContentHash)>, Error> {
    let sql = "SELECT id, content FROM dropped_file ORDER BY id LIMIT $1";
    let rows = reader.rows(sql, &[Param::Int(limits::SWEEP as i64)])?;
    rows.iter().map(|row| Ok((row.get(0)?, ContentHash(row.get(1)?)))).collect()
}

/// See [`Reader::next_old_file`](crate::store::Reader::next_old_file). As in `expire`, an entry with
/// a time in the future counts as old if an old one follows.
pub(super) fn next_old(
    reader: &mut PgReader,
    before: Millis,
    now: Millis,
) -> Result<Option<EntryId>, Error> {
    let sql = "SELECT f.entry, e.time FROM file f JOIN entry e ON e.id = f.entry
               ORDER BY f.entry LIMIT $1";
    let mut old = None;
    for row in reader.rows(sql, &[Param::Int(limits::EXPIRE as i64)])? {
        let time: i64 = row.get(1)?;
        if time < before.0 {
            old = Some(EntryId(row.get(0)?));
        } else if time <= now.0 {
            break;
        }
    }
    Ok(old)
}
