//! Along the log: from an entry to the one before it, from mark to mark, and several conversations
//! merged into one order. Every function reads at most a page.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::entry::{AccountId, ConversationId, EntryId, Millis};
use crate::store::{Error, PageQuery};

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
            "SELECT c.id, c.head, m.delivered
             FROM member m JOIN conversation c ON c.id = m.conversation
             WHERE m.account = ?1 AND c.head > ?2",
        )?;
        let mut rows = lanes.query(params![me.0, query.from.0])?;
        while let Some(row) = rows.next()? {
            let (conversation, head) = (ConversationId(row.get(0)?), EntryId(row.get(1)?));
            let delivered = EntryId(row.get(2)?);
            let floor = if query.waiting { query.from.max(delivered) } else { query.from };
            merge.lanes.push(Lane { conversation, head, chunk: Vec::new() });
            merge.refill(read, merge.lanes.len() - 1, floor)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, read: &Transaction, at: usize, floor: EntryId) -> Result<(), Error> {
        let lane = &mut self.lanes[at];
        let chunk = chunk(read, lane.conversation, floor, lane.head)?;
        lane.chunk.extend(chunk.iter().map(|step| step.id));
        if let Some(id) = lane.chunk.last() {
            self.next.push(Reverse((*id, at)));
        }
        Ok(())
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

/// A row of the log, before its authors have names.
pub(super) struct LogRow {
    pub(super) id: EntryId,
    pub(super) conversation: ConversationId,
    pub(super) author: AccountId,
    pub(super) time: Millis,
    pub(super) body: Box<str>,
}

pub(super) fn log_row(read: &Transaction, id: EntryId) -> Result<LogRow, Error> {
    let sql = "SELECT conversation, author, time, body FROM entry WHERE id = ?1";
    let row = read.prepare_cached(sql)?.query_row([id.0], |row| {
        Ok(LogRow {
            id,
            conversation: ConversationId(row.get(0)?),
            author: AccountId(row.get(1)?),
            time: Millis(row.get(2)?),
            body: row.get(3)?,
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

pub(super) fn step(read: &Transaction, id: EntryId) -> Result<Step, Error> {
    let sql = "SELECT prev, author FROM entry WHERE id = ?1";
    let row = read.prepare_cached(sql)?.query_row([id.0], |row| {
        Ok(Step { id, prev: EntryId(row.get(0)?), author: AccountId(row.get(1)?) })
    });
    row.optional()?.ok_or_else(|| damaged(format!("entry {} is missing", id.0)))
}

/// The steps from `top` down to the last above `floor`.
pub(super) fn walk(read: &Transaction, top: EntryId, floor: EntryId) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    let mut at = top;
    while at > floor {
        let step = step(read, at)?;
        if step.prev >= at {
            return Err(damaged(format!("entry {} leads to itself or above", at.0)));
        }
        at = step.prev;
        steps.push(step);
    }
    Ok(steps)
}

/// The steps above `floor` up to the next mark, or to the head: at most 64, the newest first.
pub(super) fn chunk(
    read: &Transaction,
    conversation: ConversationId,
    floor: EntryId,
    head: EntryId,
) -> Result<Vec<Step>, Error> {
    let top = mark_above(read, conversation, floor)?.unwrap_or(head);
    walk(read, top, floor)
}

pub(super) fn mark_above(
    read: &Transaction,
    conversation: ConversationId,
    floor: EntryId,
) -> Result<Option<EntryId>, Error> {
    let sql = "SELECT id FROM mark WHERE conversation = ?1 AND id > ?2 ORDER BY id LIMIT 1";
    let mut query = read.prepare_cached(sql)?;
    let row = query.query_row(params![conversation.0, floor.0], |row| Ok(EntryId(row.get(0)?)));
    Ok(row.optional()?)
}

pub(super) fn damaged(what: String) -> Error {
    Error::new(format!("the database is damaged: {what}"))
}
