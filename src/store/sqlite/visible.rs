//! What of a conversation an account may see.

use rusqlite::{Connection, params};

use crate::entry::{AccountId, ConversationId, EntryId};
use crate::store::Error;
use crate::store::walk::Window;

/// The parts of a conversation that an account may see, the oldest first: all of a direct chat, its
/// stays in a group.
pub(super) fn windows(
    read: &Connection,
    me: AccountId,
    conversation: ConversationId,
    is_group: bool,
) -> Result<Vec<Window>, Error> {
    let newest = EntryId(i64::MAX);
    if !is_group {
        return Ok(vec![(EntryId(0), newest)]);
    }
    let sql = "SELECT since, until FROM stay WHERE conversation = ?1 AND account = ?2
               ORDER BY since";
    let mut query = read.prepare_cached(sql)?;
    let rows = query.query_map(params![conversation.0, me.0], |row| {
        let until: Option<i64> = row.get(1)?;
        Ok((EntryId(row.get::<_, i64>(0)? - 1), until.map_or(newest, EntryId)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
