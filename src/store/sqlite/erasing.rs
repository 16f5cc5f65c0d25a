//! Erasing the marks of a message that is deleted. There may be very many: a line of status that is
//! edited every minute has half a million after a year. The first ones are erased in the transaction
//! that deletes the message, the rest in small steps: `erasing` says of which messages. Until then none
//! of them is shown.

use rusqlite::Connection;

use super::statements::Statements;
use crate::entry::EntryId;
use crate::limits;
use crate::store::{Error, Expire};

/// Overwrites the marks of a message and drops all that is known about it, except its files, its
/// replies, and that it was deleted: what is too much for now in later steps.
pub(super) fn forget(on: &Statements, message: EntryId) -> Result<(), Error> {
    let tallied = "DELETE FROM tally WHERE message = ?1 RETURNING word";
    let words = on.rows(tallied, [message.0], |row| Ok(EntryId(row.get(0)?)))?;
    words.iter().try_for_each(|word| erase(on, *word))?;
    if !some(on, message, limits::ERASED)? {
        on.run("INSERT OR IGNORE INTO erasing VALUES(?1)", [message.0])?;
    }
    Ok(())
}

/// The next step, if there is one.
pub(super) fn next(read: &Connection) -> Result<Option<Expire>, Error> {
    let is_any = read.prepare_cached("SELECT 1 FROM erasing")?.exists([])?;
    Ok(is_any.then_some(Expire::Marks))
}

/// Erases some more. Returns whether that were all.
pub(super) fn step(on: &Statements) -> Result<bool, Error> {
    let sql = "SELECT message FROM erasing ORDER BY message LIMIT 1";
    let message = on.row(sql, [], |row| Ok(EntryId(row.get(0)?)))?;
    let Some(message) = message else { return Ok(true) };
    if some(on, message, limits::EXPIRE)? {
        on.run("DELETE FROM erasing WHERE message = ?1", [message.0])?;
    }
    Ok(false)
}

/// Erases all that is left of them, in a copy that nobody else uses, unless that is to end.
pub(super) fn all(copy: &Connection, has_ended: impl Fn() -> bool) -> Result<(), Error> {
    let on = Statements::of(copy);
    while !has_ended() && !step(&on)? {}
    Ok(())
}

/// Whether the marks of a message are being erased, so that none of them is shown.
pub(super) fn has(read: &Connection, message: EntryId) -> Result<bool, Error> {
    let mut query = read.prepare_cached("SELECT 1 FROM erasing WHERE message = ?1")?;
    Ok(query.exists([message.0])?)
}

/// Erases so many marks of a message, except its deletion. Returns whether those were all.
fn some(on: &Statements, message: EntryId, most: usize) -> Result<bool, Error> {
    let sql = "SELECT kind, account, mark FROM about WHERE message = ?1 AND kind <> 3 LIMIT ?2";
    let marks: Vec<(i64, i64, i64)> = on.rows(sql, [message.0, most as i64 + 1], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let sql = "DELETE FROM about WHERE message = ?1 AND kind = ?2 AND account = ?3 AND mark = ?4";
    for (kind, account, mark) in marks.iter().take(most) {
        erase(on, EntryId(*mark))?;
        on.run(sql, [message.0, *kind, *account, *mark])?;
    }
    Ok(marks.len() <= most)
}

/// Overwrites the texts of an entry with as many zeros. That a note came late stays: it waits for
/// its author, deleted or not. So does the device that made it, which is not sent it.
pub(super) fn erase(on: &Statements, id: EntryId) -> Result<(), Error> {
    // SQLite makes two joined blobs a text of the same bytes.
    on.run(
        "UPDATE entry SET changed = 1, body = CAST(zeroblob(octet_length(body)) AS TEXT),
             tags = CASE
                 WHEN tags IS NULL OR tags LIKE 'late=%' OR tags LIKE 'fwd=% late=%'
                     OR instr(tags, char(0)) > 0 THEN tags
                 WHEN tags LIKE 'dev=%' THEN
                     CAST(CAST(substr(tags, 1, instr(tags || ' ', ' ') - 1) AS BLOB)
                          || zeroblob(octet_length(tags) - instr(tags || ' ', ' ') + 1) AS TEXT)
                 ELSE CAST(zeroblob(octet_length(tags)) AS TEXT)
             END
         WHERE id = ?1",
        [id.0],
    )?;
    Ok(())
}
