//! Expiry, in small steps: finding the next step, and carrying it out.
//!
//! SQLite overwrites what it deletes (`secure_delete`). But when it deletes rows it moves their
//! neighbours from page to page, and leaves copies where they were. So a text is first overwritten
//! in place, which moves nothing; its row is deleted later, when all rows that may be moved are
//! blank.
//!
//! Nothing is written for each member: counting starts at the last expired entry of a conversation,
//! see `count`.

use rusqlite::{Connection, OptionalExtension, params};

use super::statements::Statements;
use super::{erasing, expired, files, marking};
use crate::entry::{EntryId, Millis};
use crate::limits;
use crate::store::{Error, Expire};

/// Everything up to this entry has expired.
pub(super) fn floor(read: &Connection) -> Result<EntryId, Error> {
    let mut query = read.prepare_cached("SELECT floor FROM newest")?;
    Ok(query.query_row([], |row| Ok(EntryId(row.get(0)?)))?)
}

/// The next step, if there is one. Rows about expired entries go before further entries, so that
/// they never pile up.
pub(super) fn next(
    read: &Connection,
    before: Millis,
    now: Millis,
) -> Result<Option<Expire>, Error> {
    let after = floor(read)?;
    let answered = "SELECT 1 FROM reply WHERE message <= ?1";
    if read.prepare_cached("SELECT 1 FROM stale")?.exists([])?
        || read.prepare_cached(answered)?.exists([after.0])?
    {
        return Ok(Some(Expire::Rows));
    }
    if let Some(upto) = old_enough(read, after, before, now)? {
        return Ok(Some(Expire::Entries { after, upto }));
    }
    let number = |pragma| -> Result<i64, Error> {
        Ok(read.prepare_cached(pragma)?.query_row([], |row| row.get(0))?)
    };
    let (empty, all) = (number("PRAGMA freelist_count")?, number("PRAGMA page_count")?);
    // A database that was rebuilt by another tool may have lost `auto_vacuum`, without which pages
    // cannot be returned.
    let can = number("PRAGMA auto_vacuum")? == 2;
    Ok((can && empty > all / limits::EMPTY_PART).then_some(Expire::Pages))
}

/// The last of the next entries that are old enough, as far as one step may go.
///
/// Ids grow with time, so entries before an old one are older. But the clock may have been wrong.
/// An entry with a time in the future says nothing, and counts as old only if an old one follows. A
/// recent entry ends the search: one after it that seems old was written while the clock was
/// behind, and must not take the recent one along.
fn old_enough(
    read: &Connection,
    floor: EntryId,
    before: Millis,
    now: Millis,
) -> Result<Option<EntryId>, Error> {
    let mut query = read.prepare_cached(
        "SELECT id, time, octet_length(body),
                iif(changed, (SELECT count(*) FROM
                              (SELECT 1 FROM about WHERE message = entry.id LIMIT ?3)), 0)
         FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let most = limits::ERASED as i64;
    let mut rows = query.query(params![floor.0, limits::EXPIRE as i64, most])?;
    let (mut old, mut last, mut bytes, mut marks) = (None, floor.0, 0_usize, 0_i64);
    while let Some(row) = rows.next()? {
        let (id, time): (i64, i64) = (row.get(0)?, row.get(1)?);
        if time < before.0 {
            old = Some(id);
        } else if time <= now.0 {
            return Ok(old.map(EntryId));
        }
        last = id;
        bytes += usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        marks += row.get::<_, i64>(3)?;
        if bytes >= limits::BATCH_BYTES || marks >= limits::EXPIRE as i64 {
            break;
        }
    }
    if old.is_some() || last == floor.0 {
        return Ok(old.map(EntryId));
    }
    // All of them have times in the future. Looks for an old one after them, in growing strides.
    let mut further =
        read.prepare_cached("SELECT id, time FROM entry WHERE id >= ?1 ORDER BY id LIMIT 1")?;
    let (mut at, mut stride) = (last, 1);
    while let Some((id, time)) = further
        .query_row([at.saturating_add(stride)], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
        .optional()?
    {
        if time < before.0 {
            return Ok(Some(EntryId(last)));
        }
        (at, stride) = (id, stride * 2);
    }
    Ok(None)
}

/// Carries out a step.
pub(super) fn step(on: &Statements, step: &Expire) -> Result<(), Error> {
    match step {
        Expire::Entries { after, upto } => entries(on, *after, *upto),
        Expire::Messages(due) => expired::step(on, due),
        Expire::Marks => erasing::step(on).map(|_| ()),
        Expire::Files { upto } => files::drop_of(on, EntryId(0), *upto),
        Expire::Swept { upto } => files::swept(on, *upto),
        Expire::Rows => rows(on),
        Expire::Pages => pages(on),
    }
}

fn entries(on: &Statements, after: EntryId, upto: EntryId) -> Result<(), Error> {
    // The last expiring entry of each conversation: with max(id), SQLite takes the other columns
    // from that row.
    let mut last = on.prepare_cached(
        "SELECT conversation, max(id), seq, author, author_seq FROM entry
         WHERE id > ?1 AND id <= ?2 GROUP BY conversation",
    )?;
    let mut gone = on.prepare_cached(
        "UPDATE conversation SET gone_seq = ?2, gone_author = ?3, gone_author_seq = ?4 WHERE id = ?1",
    )?;
    let mut id_block =
        on.prepare_cached("DELETE FROM id_block WHERE conversation = ?1 AND upto <= ?2")?;
    let mut mark_block =
        on.prepare_cached("DELETE FROM mark_block WHERE conversation = ?1 AND upto <= ?2")?;
    // Nothing waits in a conversation that has no entries left.
    let mut waits = on.prepare_cached(
        "UPDATE member SET waits = NULL WHERE conversation = ?1 AND waits IS NOT NULL
             AND (SELECT max(head, marked) FROM conversation WHERE id = ?1) <= ?2",
    )?;
    let mut stale = on.prepare_cached("INSERT OR REPLACE INTO stale VALUES(?1, 0)")?;
    let mut rows = last.query([after.0, upto.0])?;
    while let Some(row) = rows.next()? {
        let conversation: i64 = row.get(0)?;
        let (seq, author, author_seq): (i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        gone.execute(params![conversation, seq, author, author_seq])?;
        waits.execute([conversation, upto.0])?;
        // A block of ids is gone: often enough to look for rows about expired entries, and not for
        // each entry.
        mark_block.execute([conversation, upto.0])?;
        if id_block.execute([conversation, upto.0])? > 0 {
            stale.execute([conversation])?;
        }
    }
    marking::expire(on, after, upto)?;
    // As long as the text was, so that the row stays where it is.
    on.prepare_cached(
        "UPDATE entry SET body = CAST(zeroblob(octet_length(body)) AS TEXT),
             tags = iif(tags IS NULL, NULL, CAST(zeroblob(octet_length(tags)) AS TEXT))
         WHERE id > ?1 AND id <= ?2",
    )?
    .execute([after.0, upto.0])?;
    // Ids may have gaps, so the rows are counted.
    on.prepare_cached(
        "DELETE FROM entry WHERE id <=
             (SELECT id FROM entry WHERE id <= ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute([upto.0, limits::BLANK])?;
    Ok(())
}

/// Deletes which messages answer those up to the floor, of which one may have very many answers.
/// Returns how many rows that were, at most as many as a step deletes.
fn replies(on: &Connection, floor: EntryId) -> Result<usize, Error> {
    let last = "SELECT message, reply FROM reply WHERE message <= ?1
                ORDER BY message, reply LIMIT 1 OFFSET ?2";
    let skipped = limits::EXPIRE_ROWS as i64 - 1;
    let last = on
        .prepare_cached(last)?
        .query_row([floor.0, skipped], |row| Ok([row.get::<_, i64>(0)?, row.get(1)?]))
        .optional()?;
    let mut delete = on.prepare_cached("DELETE FROM reply WHERE (message, reply) <= (?1, ?2)")?;
    Ok(delete.execute(last.unwrap_or([floor.0, i64::MAX]))?)
}

/// Deletes moves of cursors up to the floor: all that is ever asked for is the first move that
/// reached an entry. Also deletes exempt marks, except the newest one up to there, where counting
/// starts; and before that, what `replies` deletes.
fn rows(on: &Connection) -> Result<(), Error> {
    let floor = floor(on)?;
    let mut stale = on.prepare_cached(
        "SELECT s.conversation, s.account, c.gone_seq
         FROM stale s JOIN conversation c ON c.id = s.conversation LIMIT 1",
    )?;
    let mut members = on.prepare_cached(
        "SELECT account FROM member WHERE conversation = ?1 AND account >= ?2 ORDER BY account",
    )?;
    let mut history = on.prepare_cached(
        "DELETE FROM cursor_history
         WHERE conversation = ?1 AND account = ?2 AND cursor IN (0, 1) AND upto <= ?3",
    )?;
    let mut exempt_mark = on.prepare_cached(
        "DELETE FROM exempt_mark WHERE conversation = ?1 AND account = ?2 AND seq <
             (SELECT max(seq) FROM exempt_mark WHERE conversation = ?1 AND account = ?2 AND seq <= ?3)",
    )?;
    let mut looked_at = replies(on, floor)?;
    while let Some((conversation, from, gone_seq)) = stale
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?)))
        .optional()?
    {
        let mut rows = members.query([conversation, from])?;
        while let Some(row) = rows.next()? {
            let account: i64 = row.get(0)?;
            if looked_at >= limits::EXPIRE_ROWS {
                on.prepare_cached("UPDATE stale SET account = ?2 WHERE conversation = ?1")?
                    .execute([conversation, account])?;
                return Ok(());
            }
            let gone_seq: i64 = gone_seq;
            looked_at += 1;
            looked_at += history.execute([conversation, account, floor.0])?;
            looked_at += exempt_mark.execute([conversation, account, gone_seq])?;
        }
        on.prepare_cached("DELETE FROM stale WHERE conversation = ?1")?.execute([conversation])?;
    }
    Ok(())
}

fn pages(on: &Connection) -> Result<(), Error> {
    let sql = format!("PRAGMA incremental_vacuum({})", limits::EXPIRE_PAGES);
    let mut vacuum = on.prepare_cached(&sql)?;
    // A row for each page.
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
