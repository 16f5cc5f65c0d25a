//! Along the log: from an entry to the one before it, from mark to mark, and several conversations
//! merged into one order. Every function reads at most a page.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rusqlite::{CachedStatement, OptionalExtension, Transaction, params};

use crate::entry::{AccountId, ConversationId, EntryId, EntryKind, Millis};
use crate::store::{Error, PageQuery, Span, SpanQuery};

/// A part of a conversation that someone may see: above the first, up to the second.
pub(super) type Window = (EntryId, EntryId);

/// What an account may see of a conversation, the oldest first: all of a direct chat, its stays in
/// a group.
pub(super) fn windows(
    read: &Transaction,
    me: AccountId,
    conversation: ConversationId,
    head: EntryId,
    is_room: bool,
) -> Result<Vec<Window>, Error> {
    if !is_room {
        return Ok(vec![(EntryId(0), head)]);
    }
    let sql = "SELECT since, until FROM stay WHERE conversation = ?1 AND account = ?2
               ORDER BY since";
    let mut query = read.prepare_cached(sql)?;
    let rows = query.query_map(params![conversation.0, me.0], |row| {
        let until: Option<i64> = row.get(1)?;
        Ok((EntryId(row.get::<_, i64>(0)? - 1), until.map_or(head, EntryId)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The conversations of an account, merged by the ids of their entries.
pub(super) struct Merge {
    upto: EntryId,
    lanes: Vec<Lane>,
    /// The next id of each lane that has one.
    next: BinaryHeap<Reverse<(EntryId, usize)>>,
}

/// What is left of one conversation.
struct Lane {
    conversation: ConversationId,
    head: EntryId,
    /// What may be seen of it, the oldest last.
    windows: Vec<Window>,
    /// The ids from the next to the next mark, the next one last.
    chunk: Vec<EntryId>,
}

impl Merge {
    pub(super) fn open(
        read: &Transaction,
        me: AccountId,
        query: &PageQuery,
    ) -> Result<Merge, Error> {
        let mut merge = Merge { upto: query.upto, lanes: Vec::new(), next: BinaryHeap::new() };
        let mut lanes = read.prepare_cached(
            "SELECT c.id, c.head, m.delivered, c.low IS NULL
             FROM member m JOIN conversation c ON c.id = m.conversation
             WHERE m.account = ?1 AND c.head > ?2",
        )?;
        let mut rows = lanes.query(params![me.0, query.from.0])?;
        while let Some(row) = rows.next()? {
            let (conversation, head) = (ConversationId(row.get(0)?), EntryId(row.get(1)?));
            let delivered = EntryId(row.get(2)?);
            let floor = if query.waiting { query.from.max(delivered) } else { query.from };
            if floor >= head {
                continue;
            }
            let mut windows = windows(read, me, conversation, head, row.get(3)?)?;
            windows.reverse();
            merge.lanes.push(Lane { conversation, head, windows, chunk: Vec::new() });
            merge.refill(read, merge.lanes.len() - 1, floor)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, read: &Transaction, at: usize, floor: EntryId) -> Result<(), Error> {
        let lane = &mut self.lanes[at];
        while let Some((above, upto)) = lane.windows.last().copied() {
            let floor = floor.max(above);
            if floor < upto {
                let steps = chunk(read, lane.conversation, floor, lane.head)?;
                lane.chunk.extend(steps.iter().map(|step| step.id).filter(|id| *id <= upto));
                if let Some(id) = lane.chunk.last() {
                    self.next.push(Reverse((*id, at)));
                    return Ok(());
                }
            }
            lane.windows.pop();
        }
        Ok(())
    }

    /// Whether nothing is left up to the bound.
    pub(super) fn is_done(&self) -> bool {
        self.next.peek().is_none_or(|Reverse((id, _))| *id > self.upto)
    }

    pub(super) fn next_id(&mut self, read: &Transaction) -> Result<Option<EntryId>, Error> {
        let Some(Reverse((id, at))) = self.next.pop() else {
            return Ok(None);
        };
        if id > self.upto {
            return Ok(None);
        }
        let lane = &mut self.lanes[at];
        lane.chunk.pop();
        match lane.chunk.last() {
            Some(next) => self.next.push(Reverse((*next, at))),
            None => self.refill(read, at, id)?,
        }
        Ok(Some(id))
    }
}

/// The ids of a conversation within the windows and the bounds of a query.
pub(super) fn span(
    read: &Transaction,
    conversation: ConversationId,
    head: EntryId,
    windows: &[Window],
    query: &SpanQuery,
) -> Result<Span, Error> {
    let floor = query.after.unwrap_or_default();
    // One more than asked for tells whether there are more.
    let wanted = query.count + 1;
    let mut ids = Vec::new();
    if let (Some(_), None) = (query.after, query.before) {
        for (above, upto) in windows {
            let mut from = floor.max(*above);
            while from < *upto && ids.len() < wanted {
                let steps = chunk(read, conversation, from, head)?;
                let Some(last) = steps.first() else { break };
                from = last.id;
                ids.extend(steps.iter().rev().map(|step| step.id).filter(|id| id <= upto));
            }
        }
    } else {
        for (above, upto) in windows.iter().rev() {
            // The last entry that is within all bounds, or one below it.
            let top = match query.before {
                Some(before) => (*upto).min(EntryId((before.0 - 1).max(0))),
                None => *upto,
            };
            let floor = floor.max(*above);
            if floor >= top || ids.len() >= wanted {
                continue;
            }
            // From the first mark at or above it down to it: at most 64 steps.
            let from = match mark_above(read, conversation, EntryId(top.0 - 1))? {
                Some(mark) => mark,
                None => head,
            };
            let mut at = walk(read, from, top)?.last().map_or(from, |step| step.prev);
            let mut steps = steps(read)?;
            while at > floor && ids.len() < wanted {
                ids.push(at);
                at = step(&mut steps, at)?.prev;
            }
        }
    }
    let more = ids.len() > query.count;
    ids.truncate(query.count);
    if !matches!((query.after, query.before), (Some(_), None)) {
        ids.reverse();
    }
    Ok(Span { ids, more })
}

/// A row of the log, before its authors have names.
pub(super) struct LogRow {
    pub(super) id: EntryId,
    pub(super) conversation: ConversationId,
    pub(super) author: AccountId,
    pub(super) time: Millis,
    pub(super) kind: EntryKind,
    pub(super) body: Box<str>,
}

/// The question for rows of the log, asked once for a page and answered for each of its ids.
pub(super) fn log_rows<'a>(read: &'a Transaction) -> Result<CachedStatement<'a>, Error> {
    let sql = "SELECT conversation, author, time, kind, body FROM entry WHERE id = ?1";
    Ok(read.prepare_cached(sql)?)
}

pub(super) fn log_row(rows: &mut CachedStatement, id: EntryId) -> Result<LogRow, Error> {
    let row = rows.query_row([id.0], |row| {
        let is_group: bool = row.get(3)?;
        Ok(LogRow {
            id,
            conversation: ConversationId(row.get(0)?),
            author: AccountId(row.get(1)?),
            time: Millis(row.get(2)?),
            kind: if is_group { EntryKind::Group } else { EntryKind::Message },
            body: row.get(4)?,
        })
    });
    row.optional()?.ok_or_else(|| damaged(format!("entry {} is missing", id.0)))
}

/// One step along a conversation.
pub(super) struct Step {
    pub(super) id: EntryId,
    pub(super) prev: EntryId,
    pub(super) author: AccountId,
}

/// The question for steps, asked once for a walk.
fn steps<'a>(read: &'a Transaction) -> Result<CachedStatement<'a>, Error> {
    Ok(read.prepare_cached("SELECT prev, author FROM entry WHERE id = ?1")?)
}

fn step(steps: &mut CachedStatement, id: EntryId) -> Result<Step, Error> {
    let row = steps.query_row([id.0], |row| {
        Ok(Step { id, prev: EntryId(row.get(0)?), author: AccountId(row.get(1)?) })
    });
    row.optional()?.ok_or_else(|| damaged(format!("entry {} is missing", id.0)))
}

/// The steps from `top` down to the last above `floor`.
pub(super) fn walk(read: &Transaction, top: EntryId, floor: EntryId) -> Result<Vec<Step>, Error> {
    let mut walked = Vec::new();
    let mut at = top;
    let mut steps = steps(read)?;
    while at > floor {
        let step = step(&mut steps, at)?;
        if step.prev >= at {
            return Err(damaged(format!("entry {} leads to itself or above", at.0)));
        }
        at = step.prev;
        walked.push(step);
    }
    Ok(walked)
}

/// The steps above `floor` up to the next mark, or to the head: at most 64, the newest first.
fn chunk(
    read: &Transaction,
    conversation: ConversationId,
    floor: EntryId,
    head: EntryId,
) -> Result<Vec<Step>, Error> {
    let top = mark_above(read, conversation, floor)?.unwrap_or(head);
    walk(read, top, floor)
}

fn mark_above(
    read: &Transaction,
    conversation: ConversationId,
    floor: EntryId,
) -> Result<Option<EntryId>, Error> {
    let sql = "SELECT id FROM mark WHERE conversation = ?1 AND id > ?2 ORDER BY id LIMIT 1";
    let mut query = read.prepare_cached(sql)?;
    let row = query.query_row(params![conversation.0, floor.0], |row| Ok(EntryId(row.get(0)?)));
    Ok(row.optional()?)
}

/// A sentence for the operator.
pub(super) fn damaged(what: String) -> Error {
    Error::new(format!("the database is damaged: {what}"))
}
