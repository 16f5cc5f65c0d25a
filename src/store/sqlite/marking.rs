//! Writing what is done to a message. Its row, and those of earlier marks, keep their length: see
//! `entry` in `schema.sql`. So a deleted text is overwritten where it stands, and is nowhere else.

use rusqlite::{Connection, OptionalExtension, params};

use super::erasing::{self, erase};
use super::files;
use super::id_block::{self, ListKind};
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::store::change::Added;
use crate::store::{Error, Marks};

/// Kinds of rows in `about`: see `schema.sql`.
pub(super) const EDIT: i64 = 2;
pub(super) const DELETION: i64 = 3;
pub(super) const REACTION: i64 = 4;
pub(super) const TAKEN_BACK: i64 = 5;

/// A message has the text of `mark` from now on, and no longer that of `replaced`.
pub(super) fn edited(
    on: &Connection,
    message: EntryId,
    mark: EntryId,
    replaced: Option<EntryId>,
) -> Result<(), Error> {
    set_changed(on, message)?;
    replaced.map_or(Ok(()), |replaced| set_changed(on, replaced))?;
    add(on, message, EDIT, AccountId(0), mark)
}

/// A message is deleted.
pub(super) fn deleted(on: &Connection, message: EntryId, mark: EntryId) -> Result<(), Error> {
    erasing::forget(on, message)?;
    files::drop_of(on, message, message)?;
    erase(on, message)?;
    add(on, message, DELETION, AccountId(0), mark)
}

/// The reaction of `author` to a message is that of `mark` from now on: a word, or `None` if it is
/// taken back. `was`: the one that held before, and its word.
pub(super) fn reacted(
    on: &Connection,
    message: EntryId,
    author: AccountId,
    mark: EntryId,
    word: Option<&str>,
    was: Option<(EntryId, &str)>,
) -> Result<(), Error> {
    let kind = if was.is_some() { REACTION } else { TAKEN_BACK };
    let sql = "DELETE FROM about WHERE message = ?1 AND kind = ?2 AND account = ?3 RETURNING mark";
    let before = on
        .prepare_cached(sql)?
        .query_row([message.0, kind, author.0], |row| Ok(EntryId(row.get(0)?)))
        .optional()?;
    match (before, was) {
        (_, Some((before, was))) => {
            set_changed(on, before)?;
            uncount(on, message, before, was)?;
        }
        (Some(before), None) => erase(on, before)?,
        (None, None) => {}
    }
    let Some(word) = word else { return add(on, message, TAKEN_BACK, author, mark) };
    match kept(on, message, word)? {
        Some((kept, _)) => {
            on.prepare_cached(
                "UPDATE tally SET count = count + 1 WHERE message = ?1 AND word = ?2",
            )?
            .execute([message.0, kept.0])?;
        }
        None => {
            on.prepare_cached("INSERT INTO tally VALUES(?1, ?2, 1)")?
                .execute([message.0, mark.0])?;
        }
    }
    set_changed(on, message)?;
    add(on, message, REACTION, author, mark)
}

/// The entry `reply` answers a message.
pub(super) fn replied(on: &Connection, message: EntryId, reply: EntryId) -> Result<(), Error> {
    let sql = "INSERT INTO reply SELECT ?1, id, author FROM entry WHERE id = ?2";
    on.prepare_cached(sql)?.execute([message.0, reply.0])?;
    Ok(())
}

/// A conversation has further marks.
pub(super) fn marked(
    on: &Connection,
    conversation: ConversationId,
    marks: &Marks,
    added: &Added,
) -> Result<(), Error> {
    let sql = "SELECT count FROM marking WHERE conversation = ?1";
    let had = on.prepare_cached(sql)?.query_row([conversation.0], |row| row.get(0)).optional()?;
    let count = had.unwrap_or(0) + i64::try_from(added.ids.len()).unwrap_or(0);
    let (tail, instead) = id_block::append(on, ListKind::Marks, conversation, count, added)?;
    // SQLite makes two joined blobs a text of the same bytes, hence the CAST.
    on.prepare_cached(
        "INSERT INTO marking VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
         SET author = ?2, other = ?3, count = ?4,
             tail = iif(?6, ?5, CAST(tail || ?5 AS BLOB))",
    )?
    .execute(params![conversation.0, marks.author.0, marks.other.0, count, tail, instead])?;
    on.prepare_cached("UPDATE conversation SET marked = ?2 WHERE id = ?1")?
        .execute([conversation.0, marks.newest.0])?;
    Ok(())
}

/// Overwrites a message that expires by `EXPIRE`, and, if it has any, its marks. Drops all that is
/// known about it except which messages answer it.
pub(super) fn expired(on: &Connection, message: EntryId, has_marks: bool) -> Result<(), Error> {
    if has_marks {
        erasing::forget(on, message)?;
        let sql = "DELETE FROM about WHERE message = ?1 AND kind = 3 RETURNING mark";
        let mark = on.prepare_cached(sql)?.query_row([message.0], |row| Ok(EntryId(row.get(0)?)));
        mark.optional()?.map_or(Ok(()), |mark| erase(on, mark))?;
    }
    files::drop_of(on, message, message)?;
    erase(on, message)
}

/// Overwrites the marks of messages that expire, those above `after` up to `upto`, and drops all
/// that is known about these messages, except which answer them.
pub(super) fn expire(on: &Connection, after: EntryId, upto: EntryId) -> Result<(), Error> {
    // Of one message there may be very many rows, so the others are looked up past them.
    let sql = "SELECT message FROM about WHERE message > ?1 AND message <= ?2
               ORDER BY message LIMIT 1";
    let mut next = on.prepare_cached(sql)?;
    let mut deleted = on.prepare_cached("DELETE FROM about WHERE message = ?1 AND kind = 3")?;
    let mut at = after;
    while let Some(message) =
        next.query_row([at.0, upto.0], |row| Ok(EntryId(row.get(0)?))).optional()?
    {
        erasing::forget(on, message)?;
        deleted.execute([message.0])?;
        at = message;
    }
    files::drop_of(on, EntryId(after.0 + 1), upto)
}

/// Counts one less for the word of a reaction that does not hold any more.
fn uncount(on: &Connection, message: EntryId, before: EntryId, word: &str) -> Result<(), Error> {
    let Some((kept, count)) = kept(on, message, word)? else {
        return Err(Error::damaged(format!(
            "the reactions to entry {} are not counted",
            message.0
        )));
    };
    if count > 1 {
        on.prepare_cached("UPDATE tally SET count = count - 1 WHERE message = ?1 AND word = ?2")?
            .execute([message.0, kept.0])?;
    } else {
        on.prepare_cached("DELETE FROM tally WHERE message = ?1 AND word = ?2")?
            .execute([message.0, kept.0])?;
        erase(on, kept)?;
    }
    if before != kept { erase(on, before) } else { Ok(()) }
}

/// The reaction that keeps a word for the tally of a message, and how many react with it.
fn kept(on: &Connection, message: EntryId, word: &str) -> Result<Option<(EntryId, i64)>, Error> {
    let sql = "SELECT t.word, t.count FROM tally t JOIN entry e ON e.id = t.word
               WHERE t.message = ?1 AND e.body = ?2";
    let mut query = on.prepare_cached(sql)?;
    let row =
        query.query_row(params![message.0, word], |row| Ok((EntryId(row.get(0)?), row.get(1)?)));
    Ok(row.optional()?)
}

fn add(
    on: &Connection,
    message: EntryId,
    kind: i64,
    account: AccountId,
    mark: EntryId,
) -> Result<(), Error> {
    on.prepare_cached("INSERT INTO about VALUES(?1, ?2, ?3, ?4)")?
        .execute([message.0, kind, account.0, mark.0])?;
    Ok(())
}

/// Notes in the row of a message that `about` knows more, or in that of a mark that it may not
/// hold. The numbers 0 and 1 take no byte (sqlite.org, "Database File Format", 2.1).
pub(super) fn set_changed(on: &Connection, id: EntryId) -> Result<(), Error> {
    on.prepare_cached("UPDATE entry SET changed = 1 WHERE id = ?1 AND changed = 0")?
        .execute([id.0])?;
    Ok(())
}
