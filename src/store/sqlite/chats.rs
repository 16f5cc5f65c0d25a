//! The conversations of an account, the newest first, a page at a time: its direct chats by their
//! rank, merged with its groups, which have none.

use rusqlite::{Connection, OptionalExtension, params};

use super::decode::{SqliteReader, flags_at};
use super::span::span;
use super::visible::windows;
use super::{count, expire};
use crate::entry::{AccountId, ConversationId, EntryId, Millis};
use crate::limits;
use crate::name::Target;
use crate::store::walk::Bookmark;
use crate::store::{ChatRow, ConversationKind, Error, Listing, Reader, SpanQuery};

/// A conversation, and the last entry of it that is listed.
type ChatKey = (EntryId, ConversationId);

pub(super) fn page(
    reader: &mut SqliteReader,
    me: AccountId,
    mut list: Listing,
) -> Result<(Vec<ChatRow>, Listing), Error> {
    let newest = reader.newest()?.entry;
    let page = next(&reader.connection, me, newest, &mut list)?;
    Ok((rows(reader, me, &page)?, list))
}

/// The conversations of the next page.
fn next(
    read: &Connection,
    me: AccountId,
    newest: EntryId,
    list: &mut Listing,
) -> Result<Vec<ChatKey>, Error> {
    let floor = expire::floor(read)?;
    let top = EntryId(i64::MAX);
    let mut at = Bookmark { down_to: top, rank: top, newest };
    match list.at {
        None => list.aside = groups(read, me)?,
        Some(before) => {
            at = Bookmark { newest, ..before };
            list.aside.extend(overtaken(read, me, before)?);
        }
    }
    list.aside.sort_unstable();
    list.aside.dedup();
    let mut page = Vec::new();
    list.done = true;
    let mut chats = read.prepare_cached(
        "SELECT c.head, c.id, m.recent, c.ttl IS NOT NULL FROM member m JOIN conversation c ON c.id = m.conversation
         WHERE m.account = ?1 AND m.recent > 0 AND m.recent < ?2 ORDER BY m.recent DESC",
    )?;
    let mut chats = chats.query([me.0, at.rank.0])?;
    let mut next: Option<(ChatKey, EntryId)> = None;
    let mut moved = 0;
    loop {
        while next.is_none() {
            let Some(row) = chats.next()? else { break };
            let (chat, rank) =
                ((EntryId(row.get(0)?), ConversationId(row.get(1)?)), EntryId(row.get(2)?));
            if !row.get::<_, bool>(3)? || !has_expired(read, chat.0)? {
                next = Some((chat, rank));
                continue;
            }
            // Its last entry lies further back, and so does its place here.
            at.rank = rank;
            if let Some(last) = last_shown(read, me, chat.1, false)? {
                let place = list.aside.partition_point(|other| *other < (last, chat.1));
                list.aside.insert(place, (last, chat.1));
            }
            moved += 1;
            if moved == limits::PAGE_ROWS {
                (list.at, list.done) = (Some(at), false);
                return Ok(page);
            }
        }
        let first = list.aside.last().copied().max(next.map(|(chat, _)| chat));
        let Some((last, conversation)) = first.filter(|(last, _)| *last > floor) else { break };
        if page.len() == limits::PAGE_ROWS {
            list.done = false;
            break;
        }
        match next.take_if(|(chat, _)| *chat == (last, conversation)) {
            Some((_, rank)) => at.rank = rank,
            None => drop(list.aside.pop()),
        }
        at.down_to = last;
        page.push((last, conversation));
    }
    list.at = Some(at);
    Ok(page)
}

/// The groups of an account, each with the last entry that the account may see.
fn groups(read: &Connection, me: AccountId) -> Result<Vec<ChatKey>, Error> {
    let sql = "SELECT coalesce((SELECT max(until) FROM stay s WHERE m.until_seq IS NOT NULL
                                AND s.conversation = m.conversation AND s.account = m.account),
                               c.head), c.id, m.until_seq IS NULL AND c.ttl IS NOT NULL
               FROM member m JOIN conversation c ON c.id = m.conversation
               WHERE m.account = ?1 AND m.recent = 0";
    let mut query = read.prepare_cached(sql)?;
    let mut rows = query.query([me.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (last, id) = (EntryId(row.get(0)?), ConversationId(row.get(1)?));
        let last = match row.get::<_, bool>(2)? && has_expired(read, last)? {
            true => last_shown(read, me, id, true)?,
            false => Some(last),
        };
        found.extend(last.map(|last| (last, id)));
    }
    Ok(found)
}

/// Whether an entry was deleted by `EXPIRE`.
fn has_expired(read: &Connection, id: EntryId) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM entry WHERE id = ?1 AND kind = 1 AND changed";
    Ok(read.prepare_cached(sql)?.exists([id.0])?)
}

/// The last entry of a conversation that an account may see and that has not expired.
fn last_shown(
    read: &Connection,
    me: AccountId,
    id: ConversationId,
    is_group: bool,
) -> Result<Option<EntryId>, Error> {
    let query = SpanQuery { count: 1, before: None, after: None, re: None };
    Ok(span(read, id, &windows(read, me, id, is_group)?, &query)?.ids.first().copied())
}

/// Direct chats that have come first since the last page and were not listed by then, at the places
/// they had before. A chat that already came first keeps its rank when it goes on, but it was on
/// the first page.
fn overtaken(read: &Connection, me: AccountId, before: Bookmark) -> Result<Vec<ChatKey>, Error> {
    let sql = "SELECT conversation FROM member WHERE account = ?1 AND recent > ?2";
    let mut query = read.prepare_cached(sql)?;
    let mut rows = query.query([me.0, before.newest.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = ConversationId(row.get(0)?);
        let below = Some(EntryId(before.newest.0 + 1));
        let query = SpanQuery { count: 1, before: below, after: None, re: None };
        let was = span(read, id, &windows(read, me, id, false)?, &query)?.ids;
        found.extend(was.first().filter(|was| **was < before.down_to).map(|was| (*was, id)));
    }
    Ok(found)
}

fn rows(
    reader: &mut SqliteReader,
    me: AccountId,
    which: &[ChatKey],
) -> Result<Vec<ChatRow>, Error> {
    let mut found = Vec::with_capacity(which.len());
    for (last, id) in which {
        let sql = "SELECT e.time, c.low IS NULL, c.gone_seq, c.gone_author, c.gone_author_seq,
                          coalesce(m.until_seq, c.seq), m.exempt, m.last_own, m.read_exempt,
                          m.read_seq, m.read_exempt, m.flags
                   FROM member m JOIN conversation c ON c.id = m.conversation
                   JOIN entry e ON e.id = ?3
                   WHERE m.conversation = ?1 AND m.account = ?2";
        let read = &reader.connection;
        let row = read.prepare_cached(sql)?.query_row(params![id.0, me.0, last.0], |row| {
            Ok((Millis(row.get(0)?), count::waiting(read, me, *id, row, 1), flags_at(row, 11)?))
        });
        let Some((time, unread, flags)) = row.optional()? else {
            return Err(Error::damaged(format!("entry {} is missing", last.0)));
        };
        let unread = unread?;
        let to = match reader.whose(*id)? {
            ConversationKind::Group(name) => Target::Group(name),
            ConversationKind::Direct(pair) => Target::Person(reader.handle(pair.other(me))?),
        };
        found.push(ChatRow { to, unread, last: *last, time, flags });
    }
    Ok(found)
}
