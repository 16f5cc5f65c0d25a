//! Messages that expire by `EXPIRE`: finding those that are due, and deleting them.
//!
//! What is left of such a message is its row, without its text: the place in the conversation that all
//! counting rests on. Its id leaves the lists of ids, so that whoever reads along passes over it
//! without a look.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::statements::Statements;
use super::{id_block, marking};
use crate::entry::{ConversationId, EntryId, Millis};
use crate::limits;
use crate::store::{Error, Expire};

/// A message expires then.
pub(super) fn add(
    on: &Connection,
    entry: EntryId,
    time: Millis,
    seconds: u32,
) -> Result<(), Error> {
    let due = time.0.saturating_add(i64::from(seconds) * 1000);
    on.prepare_cached("INSERT INTO expiring VALUES(?1, ?2)")?.execute([due, entry.0])?;
    Ok(())
}

/// What is said in a conversation from now on is deleted after this many seconds.
pub(super) fn set_ttl(
    on: &Connection,
    conversation: ConversationId,
    seconds: Option<u32>,
) -> Result<(), Error> {
    on.prepare_cached("UPDATE conversation SET ttl = ?2 WHERE id = ?1")?
        .execute(params![conversation.0, seconds.unwrap_or(0)])?;
    Ok(())
}

/// The messages that were due first.
pub(super) fn next(read: &Connection, now: Millis) -> Result<Option<Expire>, Error> {
    let sql = "SELECT due, entry FROM expiring WHERE due <= ?1 ORDER BY due, entry LIMIT ?2";
    let mut query = read.prepare_cached(sql)?;
    let rows = query.query_map(params![now.0, limits::EXPIRED as i64], |row| {
        Ok((Millis(row.get(0)?), EntryId(row.get(1)?)))
    })?;
    let due = rows.collect::<Result<Vec<_>, _>>()?;
    Ok((!due.is_empty()).then(|| Expire::Messages(due.into())))
}

/// Deletes messages that were due.
pub(super) fn step(on: &Statements, due: &[(Millis, EntryId)]) -> Result<(), Error> {
    let mut listed: BTreeMap<ConversationId, Vec<EntryId>> = BTreeMap::new();
    let mut done = on.prepare_cached("DELETE FROM expiring WHERE due = ?1 AND entry = ?2")?;
    let mut find = on.prepare_cached(
        "SELECT conversation, changed, re FROM entry
         WHERE id = ?1 AND kind = 0 AND id > (SELECT floor FROM newest)",
    )?;
    let mut unlist = on.prepare_cached("DELETE FROM reply WHERE message = ?1 AND reply = ?2")?;
    let mut place = on.prepare_cached("UPDATE entry SET kind = 1 WHERE id = ?1")?;
    for (due, id) in due {
        done.execute([due.0, id.0])?;
        let row = find.query_row([id.0], |row| {
            Ok((ConversationId(row.get(0)?), row.get::<_, bool>(1)?, row.get::<_, Option<i64>>(2)?))
        });
        // If there is none, it was deleted by age before.
        let Some((conversation, is_changed, re)) = row.optional()? else { continue };
        marking::expired(on, *id, is_changed)?;
        if let Some(message) = re {
            unlist.execute([message, id.0])?;
        }
        place.execute([id.0])?;
        listed.entry(conversation).or_default().push(*id);
    }
    for (conversation, mut ids) in listed {
        ids.sort_unstable();
        id_block::remove(on, conversation, &ids)?;
    }
    Ok(())
}
