//! The ids of a part of one conversation, within what an account may see of it.

use rusqlite::{Connection, params};

use super::expire;
use super::id_block::{ListKind, above, below};
use crate::entry::{ConversationId, EntryId};
use crate::store::walk::Window;
use crate::store::{Error, Span, SpanQuery};

/// The ids of a conversation within the windows and the bounds of a query, without expired ones.
pub(super) fn span(
    read: &Connection,
    conversation: ConversationId,
    windows: &[Window],
    query: &SpanQuery,
) -> Result<Span, Error> {
    // One more than asked for tells whether there are more.
    let wanted = query.count + 1;
    let forgotten = expire::floor(read)?;
    let mut ids = Vec::new();
    let from_the_first = query.after.is_some() && query.before.is_none();
    let mut windows = windows.to_vec();
    if !from_the_first {
        windows.reverse();
    }
    for (above_this, upto) in windows {
        let floor = query.after.unwrap_or_default().max(above_this).max(forgotten);
        let top = query.before.map_or(upto, |before| upto.min(EntryId((before.0 - 1).max(0))));
        if floor >= top {
            continue;
        }
        if let Some(message) = query.re {
            // Which answer it may still have to be deleted.
            if message <= forgotten {
                continue;
            }
            replies(read, conversation, message, (floor, top), (from_the_first, wanted), &mut ids)?;
        } else if from_the_first {
            upwards(read, conversation, (floor, top), wanted, &mut ids)?;
        } else {
            downwards(read, conversation, (floor, top), wanted, &mut ids)?;
        }
    }
    let more = ids.len() > query.count;
    ids.truncate(query.count);
    if !from_the_first {
        ids.reverse();
    }
    Ok(Span { ids, more })
}

/// Adds the replies to a message of the conversation within a window, the lowest or the highest
/// first, until there are as many as wanted.
fn replies(
    read: &Connection,
    conversation: ConversationId,
    message: EntryId,
    (floor, top): Window,
    (from_the_first, wanted): (bool, usize),
    into: &mut Vec<EntryId>,
) -> Result<(), Error> {
    let mut query = read.prepare_cached(if from_the_first {
        "SELECT r.reply FROM entry m JOIN reply r ON r.message = m.id
         WHERE m.id = ?1 AND m.conversation = ?2 AND NOT (m.kind = 1 AND m.changed) AND r.reply > ?3 AND r.reply <= ?4
         ORDER BY r.reply LIMIT ?5"
    } else {
        "SELECT r.reply FROM entry m JOIN reply r ON r.message = m.id
         WHERE m.id = ?1 AND m.conversation = ?2 AND NOT (m.kind = 1 AND m.changed) AND r.reply > ?3 AND r.reply <= ?4
         ORDER BY r.reply DESC LIMIT ?5"
    })?;
    let count = i64::try_from(wanted - into.len()).unwrap_or(i64::MAX);
    let keys = params![message.0, conversation.0, floor.0, top.0, count];
    let rows = query.query_map(keys, |row| Ok(EntryId(row.get(0)?)))?;
    for id in rows {
        into.push(id?);
    }
    Ok(())
}

/// Adds the ids within a window, the lowest first, until there are as many as wanted.
fn upwards(
    read: &Connection,
    conversation: ConversationId,
    (mut floor, top): Window,
    wanted: usize,
    into: &mut Vec<EntryId>,
) -> Result<(), Error> {
    loop {
        let (mut ids, whole) = above(read, ListKind::Entries, conversation, floor)?;
        while let Some(id) = ids.seek(floor) {
            if id > top || into.len() >= wanted {
                return Ok(());
            }
            into.push(id);
            floor = id;
        }
        if whole {
            return Ok(());
        }
    }
}

/// Adds the ids within a window, the highest first, until there are as many as wanted.
fn downwards(
    read: &Connection,
    conversation: ConversationId,
    (floor, mut top): Window,
    wanted: usize,
    into: &mut Vec<EntryId>,
) -> Result<(), Error> {
    let mut list = Some(above(read, ListKind::Entries, conversation, EntryId(top.0 - 1))?.0);
    while let Some(ids) = list {
        let ids: Vec<EntryId> = ids.take_while(|id| *id <= top).collect();
        for id in ids.into_iter().rev() {
            if id <= floor || into.len() >= wanted {
                return Ok(());
            }
            into.push(id);
            top = EntryId(id.0 - 1);
        }
        list = below(read, conversation, top)?;
    }
    Ok(())
}
