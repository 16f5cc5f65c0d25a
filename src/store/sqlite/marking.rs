//! Writing what is done to a message. Its row, and those of earlier marks, keep their length: see
//! `entry` in `schema.sql`. So a deleted text is overwritten where it stands, and is nowhere else.

use rusqlite::params;

use super::erasing::{self, erase};
use super::files;
use super::id_block::{self, ListKind};
use super::statements::Statements;
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::store::change::{Added, NewReaction};
use crate::store::{Error, Marks, WordCount};

/// Kinds of rows in `about`: see `schema.sql`.
pub(super) const EDIT: i64 = 2;
pub(super) const DELETION: i64 = 3;
pub(super) const REACTION: i64 = 4;
pub(super) const TAKEN_BACK: i64 = 5;

/// A message has the text of `mark` from now on. The edit before it is left as it is: whether an edit
/// holds says `about`.
pub(super) fn edited(
    on: &Statements,
    message: EntryId,
    mark: EntryId,
    is_first: bool,
) -> Result<(), Error> {
    if is_first {
        set_changed(on, message)?;
    }
    add(on, message, EDIT, AccountId(0), mark)
}

/// A message is deleted.
pub(super) fn deleted(
    on: &Statements,
    message: EntryId,
    mark: EntryId,
    is_first: bool,
    has_file: bool,
) -> Result<(), Error> {
    if !is_first {
        erasing::forget(on, message)?;
    }
    if has_file {
        files::drop_of(on, message, message)?;
    }
    erase(on, message)?;
    add(on, message, DELETION, AccountId(0), mark)
}

/// Somebody reacts to a message, or does no longer.
pub(super) fn reacted(on: &Statements, new: &NewReaction) -> Result<(), Error> {
    let NewReaction { message, author, mark, .. } = *new;
    let is_new_word = new.counted.is_some_and(|by| by.keeper == mark);
    let mut is_counted = false;
    let before = match (new.replaced, new.uncounted) {
        (Some(before), Some(by)) => {
            if by.count > 0 {
                set_count(on, message, by)?;
            } else {
                if is_new_word {
                    // One for one.
                    let sql = "UPDATE tally SET word = ?3 WHERE message = ?1 AND word = ?2";
                    if on.run(sql, [message.0, by.keeper.0, mark.0])? == 0 {
                        return Err(uncounted(message));
                    }
                    is_counted = true;
                } else {
                    let sql = "DELETE FROM tally WHERE message = ?1 AND word = ?2";
                    on.run(sql, [message.0, by.keeper.0])?;
                }
                erase(on, by.keeper)?;
            }
            if before != by.keeper {
                erase(on, before)?;
            } else if by.count > 0 {
                set_changed(on, before)?;
            }
            Some((REACTION, before))
        }
        (Some(_), None) => return Err(uncounted(message)),
        (None, _) if new.first => None,
        (None, _) => {
            let sql = "SELECT mark FROM about WHERE message = ?1 AND kind = ?2 AND account = ?3";
            let keys = [message.0, TAKEN_BACK, author.0];
            let before = on.row(sql, keys, |row| Ok(EntryId(row.get(0)?)))?;
            before.map_or(Ok(()), |before| erase(on, before))?;
            before.map(|before| (TAKEN_BACK, before))
        }
    };
    let kind = if new.word.is_some() { REACTION } else { TAKEN_BACK };
    match before {
        None => add(on, message, kind, author, mark)?,
        Some((was, before)) => {
            let sql = "UPDATE about SET kind = ?5, mark = ?6
                       WHERE message = ?1 AND kind = ?2 AND account = ?3 AND mark = ?4";
            on.run(sql, [message.0, was, author.0, before.0, kind, mark.0])?;
        }
    }
    if new.first {
        set_changed(on, message)?;
    }
    match new.counted {
        Some(_) if is_counted => Ok(()),
        Some(_) if is_new_word => {
            on.run("INSERT INTO tally VALUES(?1, ?2, 1)", [message.0, mark.0])?;
            Ok(())
        }
        Some(by) => set_count(on, message, by),
        None => Ok(()),
    }
}

/// So many react to a message with a word from now on.
fn set_count(on: &Statements, message: EntryId, by: WordCount) -> Result<(), Error> {
    let sql = "UPDATE tally SET count = ?3 WHERE message = ?1 AND word = ?2";
    let keys = [message.0, by.keeper.0, by.count.cast_signed()];
    match on.run(sql, keys)? {
        0 => Err(uncounted(message)),
        _ => Ok(()),
    }
}

fn uncounted(message: EntryId) -> Error {
    Error::damaged(format!("the reactions to entry {} are not counted", message.0))
}

/// A conversation has further marks.
pub(super) fn marked(
    on: &Statements,
    conversation: ConversationId,
    marks: &Marks,
    added: &Added,
) -> Result<(), Error> {
    let sql = "SELECT count FROM marking WHERE conversation = ?1";
    let had = on.row(sql, [conversation.0], |row| Ok(row.get(0)?))?;
    let count = had.unwrap_or(0) + i64::try_from(added.ids.len()).unwrap_or(0);
    let (tail, instead) = id_block::append(on, ListKind::Marks, conversation, count, added)?;
    // SQLite makes two joined blobs a text of the same bytes, hence the CAST.
    on.run(
        "INSERT INTO marking VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
         SET author = ?2, other = ?3, count = ?4,
             tail = iif(?6, ?5, CAST(tail || ?5 AS BLOB))",
        params![conversation.0, marks.author.0, marks.other.0, count, tail, instead],
    )?;
    let sql = "UPDATE conversation SET marked = ?2 WHERE id = ?1";
    on.run(sql, [conversation.0, marks.newest.0])?;
    Ok(())
}

/// Overwrites a message that expires by `EXPIRE`, and, if it has any, its marks. Drops all that is
/// known about it except which messages answer it.
pub(super) fn expired(on: &Statements, message: EntryId, has_marks: bool) -> Result<(), Error> {
    if has_marks {
        erasing::forget(on, message)?;
        let sql = "DELETE FROM about WHERE message = ?1 AND kind = 3 RETURNING mark";
        let mark = on.row(sql, [message.0], |row| Ok(EntryId(row.get(0)?)))?;
        mark.map_or(Ok(()), |mark| erase(on, mark))?;
    }
    files::drop_of(on, message, message)?;
    erase(on, message)
}

/// Overwrites the marks of messages that expire, those above `after` up to `upto`, and drops all
/// that is known about these messages, except which answer them.
pub(super) fn expire(on: &Statements, after: EntryId, upto: EntryId) -> Result<(), Error> {
    // Of one message there may be very many rows, so the others are looked up past them.
    let sql = "SELECT message FROM about WHERE message > ?1 AND message <= ?2
               ORDER BY message LIMIT 1";
    let mut at = after;
    while let Some(message) = on.row(sql, [at.0, upto.0], |row| Ok(EntryId(row.get(0)?)))? {
        erasing::forget(on, message)?;
        on.run("DELETE FROM about WHERE message = ?1 AND kind = 3", [message.0])?;
        at = message;
    }
    files::drop_of(on, EntryId(after.0 + 1), upto)
}

fn add(
    on: &Statements,
    message: EntryId,
    kind: i64,
    account: AccountId,
    mark: EntryId,
) -> Result<(), Error> {
    let sql = "INSERT INTO about VALUES(?1, ?2, ?3, ?4)";
    on.run(sql, [message.0, kind, account.0, mark.0])?;
    Ok(())
}

/// Notes in the row of a message that `about` knows more, or in that of a mark that it may not
/// hold. The numbers 0 and 1 take no byte (sqlite.org, "Database File Format", 2.1).
pub(super) fn set_changed(on: &Statements, id: EntryId) -> Result<(), Error> {
    on.run("UPDATE entry SET changed = 1 WHERE id = ?1 AND changed = 0", [id.0])?;
    Ok(())
}
