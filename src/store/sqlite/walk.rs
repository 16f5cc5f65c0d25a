//! Along the log: the ids of a part of one conversation, and several conversations merged into one
//! order. Every function reads at most a page.

use rusqlite::{Connection, params};

use super::forget;
use super::rows::kind;
use super::stretch::{above, below};
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::store::ids::Ids;
use crate::store::walk::{Lane, Merge, Window};
use crate::store::{Error, Kind, Span, SpanQuery};

/// What an account may see of a conversation, the oldest first: all of a direct chat, its stays in
/// a group.
pub(super) fn windows(
    read: &Connection,
    me: AccountId,
    conversation: ConversationId,
    is_room: bool,
) -> Result<Vec<Window>, Error> {
    let newest = EntryId(i64::MAX);
    if !is_room {
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

/// Looks up what is ahead in each conversation of an account.
pub(super) fn merge(
    read: &Connection,
    me: AccountId,
    from: EntryId,
    upto: EntryId,
    waiting: bool,
) -> Result<Merge, Error> {
    let mut lanes = read.prepare_cached(
        "SELECT c.id, c.low, c.high, r.name, m.delivered, c.tail,
                (SELECT s.ids FROM stretch s WHERE s.conversation = c.id
                     AND s.upto > CASE WHEN ?3 THEN max(?2, m.delivered) ELSE ?2 END
                 ORDER BY s.upto LIMIT 1)
         FROM member m JOIN conversation c ON c.id = m.conversation
         LEFT JOIN room r ON r.conversation = c.id
         WHERE m.account = ?1 AND c.head > CASE WHEN ?3 THEN max(?2, m.delivered) ELSE ?2 END",
    )?;
    let mut rows = lanes.query(params![me.0, from.0, waiting])?;
    Merge::new(std::iter::from_fn(|| {
        let mut next = || -> Result<Option<(EntryId, Lane)>, Error> {
            while let Some(row) = rows.next()? {
                let conversation = ConversationId(row.get(0)?);
                let kind = kind(row, 1, conversation)?;
                let delivered = EntryId(row.get(4)?);
                let floor = if waiting { from.max(delivered) } else { from };
                let stretch = row.get_ref(6)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
                let (ids, whole) = match stretch {
                    Some(ids) => (Ids::new(ids), false),
                    None => {
                        (Ids::new(row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?), true)
                    }
                };
                let is_room = matches!(kind, Kind::Room(_));
                let mut windows = windows(read, me, conversation, is_room)?;
                windows.reverse();
                let mut lane = Lane { conversation, kind, windows, ids, whole };
                if let Some(id) = follow(read, &mut lane, floor)?.filter(|id| *id <= upto) {
                    return Ok(Some((id, lane)));
                }
            }
            Ok(None)
        };
        next().transpose()
    }))
}

/// The first id above `floor` in a lane.
pub(super) fn follow(
    read: &Connection,
    lane: &mut Lane,
    floor: EntryId,
) -> Result<Option<EntryId>, Error> {
    while let Some((above_this, upto)) = lane.windows.last().copied() {
        let floor = floor.max(above_this);
        match lane.ids.seek(floor) {
            Some(id) if id <= upto => return Ok(Some(id)),
            None if lane.whole => return Ok(None),
            None if floor < upto => {
                (lane.ids, lane.whole) = above(read, lane.conversation, floor)?;
            }
            _ => {
                lane.windows.pop();
            }
        }
    }
    Ok(None)
}

/// The ids of a conversation within the windows and the bounds of a query, above what is forgotten.
pub(super) fn span(
    read: &Connection,
    conversation: ConversationId,
    windows: &[Window],
    query: &SpanQuery,
) -> Result<Span, Error> {
    // One more than asked for tells whether there are more.
    let wanted = query.count + 1;
    let forgotten = forget::floor(read)?;
    let mut ids = Vec::new();
    let from_the_first = query.after.is_some() && query.before.is_none();
    let mut windows = windows.to_vec();
    if !from_the_first {
        windows.reverse();
    }
    for (above_this, upto) in windows {
        let floor = query.after.unwrap_or_default().max(above_this).max(forgotten);
        let top = query.before.map_or(upto, |before| upto.min(EntryId((before.0 - 1).max(0))));
        if floor < top && from_the_first {
            upwards(read, conversation, (floor, top), wanted, &mut ids)?;
        } else if floor < top {
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

/// Adds the ids within a window, the lowest first, until there are as many as wanted.
fn upwards(
    read: &Connection,
    conversation: ConversationId,
    (mut floor, top): Window,
    wanted: usize,
    into: &mut Vec<EntryId>,
) -> Result<(), Error> {
    loop {
        let (mut ids, whole) = above(read, conversation, floor)?;
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
    let mut list = Some(above(read, conversation, EntryId(top.0 - 1))?.0);
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
