//! Reading along the log: several conversations merged in the order of their ids. Every function
//! reads at most a page.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use smallvec::SmallVec;

use super::about::View;
use super::decode::{LogRow, kind, log_row, log_rows};
use super::expire;
use super::id_block::{ListKind, above};
use super::visible::windows;
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::limits;
use crate::store::ids::Ids;
use crate::store::walk::{Lane, Merge, Unopened, Walk, Window, is_made_by};
use crate::store::{ConversationKind, Error};

/// The next page of a walk.
pub(super) fn page(
    read: &Connection,
    me: AccountId,
    walk: &mut Walk,
    rows: usize,
) -> Result<Vec<LogRow>, Error> {
    let floor = expire::floor(read)?;
    if walk.at < floor {
        // What is known of the entries ahead may have expired.
        (walk.at, walk.merge) = (floor, None);
    }
    let mut log = log_rows(read)?;
    let mut found: Vec<LogRow> = Vec::new();
    let (mut bytes, mut steps, mut opened) = (0, 0, 0);
    loop {
        let merge = walk.merge.get_or_insert_with(Merge::new);
        let next = merge.peek();
        // If some conversations were dropped for lack of room, they are looked up again after the
        // others.
        let is_sure = match next {
            Some(id) => merge.unopened.is_above(id),
            None => merge.is_cut() || matches!(merge.unopened, Unopened::Nothing),
        };
        if !is_sure {
            if opened >= limits::OPENED {
                break;
            }
            opened += open_more(read, me, (walk.at, walk.upto, walk.waiting), merge)?;
            continue;
        }
        if next.is_none() && merge.is_cut() {
            walk.merge = None;
            continue;
        }
        if next.is_none() {
            walk.done = true;
            break;
        }
        if steps >= rows || bytes >= limits::PAGE_BYTES {
            break;
        }
        let Some((id, (conversation, is_of_marks), lane)) = merge.pop() else { break };
        if id <= walk.at {
            continue;
        }
        steps += 1;
        let mut lane = match lane {
            Some(lane) => lane,
            None => {
                let lanes = open(read, me, conversation, EntryId(id.0 - 1), walk.waiting)?;
                match lanes.into_iter().find(|(_, lane)| lane.is_of_marks == is_of_marks) {
                    Some((there, lane)) if there == id => lane,
                    // The entry was acknowledged meanwhile.
                    Some((later, lane)) if later <= walk.upto => {
                        merge.push(later, lane);
                        continue;
                    }
                    _ => continue,
                }
            }
        };
        walk.at = id;
        let row = log_row(&mut log, id, lane.kind.clone())?;
        let is_late =
            row.of.is_notes() && row.tags.as_ref().is_some_and(|tags| tags.late.is_some());
        let is_left_out = is_made_by(walk.without, row.author == me, row.tags.as_deref());
        if !is_left_out && (!walk.waiting || row.author != me || is_late) {
            let view = View { read, windows: &lane.windows, floor };
            if let Some(row) = view.shown(row)? {
                bytes += row.body.len();
                found.push(row);
            }
        }
        if let Some(next) = follow(read, &mut lane, id)?.filter(|next| *next <= walk.upto) {
            merge.push(next, lane);
        }
    }
    Ok(found)
}

/// Opens some more conversations, that is, looks up their next ids. Returns how much work that was,
/// in opened conversations.
fn open_more(
    read: &Connection,
    me: AccountId,
    (from, upto, waiting): (EntryId, EntryId, bool),
    merge: &mut Merge,
) -> Result<usize, Error> {
    let page = limits::PAGE_ROWS as i64;
    let list = |sql: &str, keys: &[i64]| -> Result<Vec<(i64, ConversationId)>, Error> {
        let mut query = read.prepare_cached(sql)?;
        let rows = query.query_map(rusqlite::params_from_iter(keys), |row| {
            Ok((row.get(0)?, ConversationId(row.get(1)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let next;
    let found = match std::mem::replace(&mut merge.unopened, Unopened::Nothing) {
        Unopened::Nothing => return Ok(1),
        Unopened::Groups(above) => {
            let found = list(
                "SELECT conversation, conversation FROM member
                 WHERE account = ?1 AND recent = 0 AND conversation > ?2
                 ORDER BY conversation LIMIT ?3",
                &[me.0, above.0, page],
            )?;
            next = match found.last().filter(|_| found.len() == limits::PAGE_ROWS) {
                Some((_, last)) => Unopened::Groups(*last),
                None if waiting => Unopened::Waiting(EntryId(0)),
                None => marked(read, me, from, recent(read, me, from)?)?,
            };
            found
        }
        Unopened::Marked { above, before, then } => {
            let mut found = list(
                "SELECT marked, conversation FROM member
                 WHERE account = ?1 AND marked > ?2 ORDER BY marked LIMIT ?3",
                &[me.0, above.0, page],
            )?;
            next = match found.last().filter(|_| found.len() == limits::PAGE_ROWS) {
                Some((last, _)) => Unopened::Marked { above: EntryId(*last), before, then },
                None => *then,
            };
            found.retain(|(_, id)| before.is_none_or(|before| *id < before));
            found
        }
        Unopened::Waiting(above) => {
            let found = list(
                "SELECT waits, conversation FROM member
                 WHERE account = ?1 AND waits > ?2 AND waits <= ?3
                 ORDER BY waits LIMIT ?4",
                &[me.0, above.0, upto.0, page],
            )?;
            next = match found.last().filter(|_| found.len() == limits::PAGE_ROWS) {
                Some((last, _)) => Unopened::Waiting(EntryId(*last)),
                None => Unopened::Nothing,
            };
            found
        }
        Unopened::Recent { above, before } => {
            let mut found = list(
                "SELECT recent, conversation FROM member
                 WHERE account = ?1 AND recent > ?2 ORDER BY recent LIMIT ?3",
                &[me.0, above.0, page],
            )?;
            next = match (found.last().filter(|_| found.len() == limits::PAGE_ROWS), before) {
                (Some((last, _)), _) => Unopened::Recent { above: EntryId(*last), before },
                (None, Some(from)) => Unopened::Later { from, reached: EntryId(0) },
                (None, None) => Unopened::Nothing,
            };
            found.retain(|(_, id)| before.is_none_or(|before| *id < before));
            found
        }
        Unopened::Later { from: first, .. } => {
            let found = list(
                "SELECT c.begun, c.id FROM member m JOIN conversation c ON c.id = m.conversation
                 WHERE m.account = ?1 AND m.conversation >= ?2 AND m.direct
                 ORDER BY m.conversation LIMIT ?3",
                &[me.0, first.0, page],
            )?;
            // The conversations that follow were begun after the last of these.
            next = match found.last().filter(|_| found.len() == limits::PAGE_ROWS) {
                Some((begun, last)) if *begun < upto.0 => {
                    Unopened::Later { from: ConversationId(last.0 + 1), reached: EntryId(*begun) }
                }
                _ => Unopened::Nothing,
            };
            found
        }
    };
    // Reading a page of an index costs as much as opening some conversations.
    let mut work = limits::PAGE_ROWS / 16;
    for (_, conversation) in found {
        work += 1;
        for (id, lane) in open(read, me, conversation, from, waiting)? {
            if id <= upto {
                merge.push(id, lane);
            }
        }
    }
    merge.unopened = next;
    Ok(work)
}

/// The direct chats with entries above `from`: those whose rank lies above it, and the one that
/// came first at that time, which kept its rank. If they are many, those begun after `from` are
/// opened only when the walk gets to them.
fn recent(read: &Connection, me: AccountId, from: EntryId) -> Result<Unopened, Error> {
    let first = read
        .prepare_cached(
            "SELECT max(recent) FROM member WHERE account = ?1 AND recent > 0 AND recent <= ?2",
        )?
        .query_row([me.0, from.0], |row| row.get::<_, Option<i64>>(0))?;
    let above = EntryId(first.map_or(from.0, |first| first - 1));
    let many = read
        .prepare_cached(
            "SELECT 1 FROM member WHERE account = ?1 AND recent > ?2
             ORDER BY recent LIMIT 1 OFFSET ?3",
        )?
        .exists(params![me.0, above.0, limits::PAGE_ROWS as i64])?;
    if !many {
        return Ok(Unopened::Recent { above, before: None });
    }
    let later = begun_after(read, me, from)?;
    let is_older = read
        .prepare_cached(
            "SELECT 1 FROM member WHERE account = ?1 AND conversation < ?2 AND direct LIMIT 1",
        )?
        .exists([me.0, later.0])?;
    Ok(if is_older {
        Unopened::Recent { above, before: Some(later) }
    } else {
        Unopened::Later { from: later, reached: EntryId(0) }
    })
}

/// The direct chats with marks above `from`, before those in `then`: found by their rank, as in
/// [`recent`]. Those that are opened when the walk gets to them are opened with their marks.
fn marked(
    read: &Connection,
    me: AccountId,
    from: EntryId,
    then: Unopened,
) -> Result<Unopened, Error> {
    // All chats were begun after `from`.
    let Unopened::Recent { before, .. } = then else { return Ok(then) };
    let first = read
        .prepare_cached("SELECT max(marked) FROM member WHERE account = ?1 AND marked <= ?2")?
        .query_row([me.0, from.0], |row| row.get::<_, Option<i64>>(0))?;
    let above = EntryId(first.map_or(from.0, |first| first - 1));
    Ok(Unopened::Marked { above, before, then: Box::new(then) })
}

/// The lowest number of a direct chat of the account that was begun at entry `at` or later; any
/// number above its last chat if there is none. Conversations are numbered in the order in which
/// they were begun, so this is a binary search.
fn begun_after(read: &Connection, me: AccountId, at: EntryId) -> Result<ConversationId, Error> {
    let mut from = read.prepare_cached(
        "SELECT c.id, c.begun FROM member m JOIN conversation c ON c.id = m.conversation
         WHERE m.account = ?1 AND m.conversation >= ?2 AND m.direct
         ORDER BY m.conversation LIMIT 1",
    )?;
    let newest = "SELECT conversation FROM newest";
    let (mut low, mut high): (i64, i64) =
        (0, read.prepare_cached(newest)?.query_row([], |row| row.get::<_, i64>(0))? + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let next = from.query_row([me.0, middle], |row| Ok((row.get(0)?, EntryId(row.get(1)?))));
        match next.optional()? {
            Some((id, begun)) if begun < at => low = id,
            _ => high = middle,
        }
    }
    Ok(ConversationId(high))
}

/// Opens a conversation at the next id of its entries, and at that of its marks, above `from` and,
/// if only waiting ones are wanted, above the delivered cursor. Returns those that have such an id.
fn open(
    read: &Connection,
    me: AccountId,
    conversation: ConversationId,
    from: EntryId,
    waiting: bool,
) -> Result<SmallVec<[(EntryId, Lane); 1]>, Error> {
    let mut found = SmallVec::new();
    let mut query = read.prepare_cached(
        "SELECT c.low, c.high, r.name, m.delivered, c.tail,
                (SELECT s.ids FROM id_block s WHERE s.conversation = c.id
                     AND s.upto > CASE WHEN ?4 THEN max(?3, m.delivered) ELSE ?3 END
                 ORDER BY s.upto LIMIT 1), c.marked
         FROM conversation c JOIN member m ON m.conversation = c.id AND m.account = ?2
         LEFT JOIN group_info r ON r.conversation = c.id
         WHERE c.id = ?1 AND max(c.head, c.marked) > CASE WHEN ?4 THEN max(?3, m.delivered) ELSE ?3 END",
    )?;
    let mut rows = query.query(params![conversation.0, me.0, from.0, waiting])?;
    let Some(row) = rows.next()? else { return Ok(found) };
    let kind = kind(row, 0, conversation)?;
    let delivered = EntryId(row.get(3)?);
    let floor = if waiting { from.max(delivered) } else { from };
    let id_block = row.get_ref(5)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let (ids, whole) = match id_block {
        Some(ids) => (Ids::new(ids), false),
        None => (Ids::new(row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?), true),
    };
    let is_group = matches!(kind, ConversationKind::Group(_));
    let windows: Arc<[Window]> = windows(read, me, conversation, is_group)?.into();
    let (is_of_marks, passed) = (false, 0);
    let mut lane = Lane { conversation, kind, is_of_marks, windows, passed, ids, whole };
    let marks = (EntryId(row.get(6)?) > floor).then(|| (lane.kind.clone(), lane.windows.clone()));
    found.extend(follow(read, &mut lane, floor)?.map(|id| (id, lane)));
    if let Some((kind, windows)) = marks {
        let (ids, whole) = above(read, ListKind::Marks, conversation, floor)?;
        let mut lane = Lane { conversation, kind, is_of_marks: true, windows, passed, ids, whole };
        found.extend(follow(read, &mut lane, floor)?.map(|id| (id, lane)));
    }
    Ok(found)
}

/// The first id above `floor` in a lane, reading further lists of ids if necessary.
fn follow(read: &Connection, lane: &mut Lane, floor: EntryId) -> Result<Option<EntryId>, Error> {
    while let Some((above_this, upto)) = lane.windows.get(lane.passed).copied() {
        let floor = floor.max(above_this);
        match lane.ids.seek(floor) {
            Some(id) if id <= upto => return Ok(Some(id)),
            None if lane.whole => return Ok(None),
            None if floor < upto => {
                let of = if lane.is_of_marks { ListKind::Marks } else { ListKind::Entries };
                (lane.ids, lane.whole) = above(read, of, lane.conversation, floor)?;
            }
            _ => lane.passed += 1,
        }
    }
    Ok(None)
}

/// Whether a conversation has marks above `floor` that an account may see.
pub(super) fn has_marks(
    read: &Connection,
    me: AccountId,
    conversation: ConversationId,
    is_group: bool,
    floor: EntryId,
) -> Result<bool, Error> {
    for (above_this, upto) in windows(read, me, conversation, is_group)? {
        let floor = floor.max(above_this);
        let next = above(read, ListKind::Marks, conversation, floor)?.0.seek(floor);
        if next.is_some_and(|next| next <= upto) {
            return Ok(true);
        }
    }
    Ok(false)
}
