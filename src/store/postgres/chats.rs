//! The conversations of an account, the newest first, a page at a time: its direct chats by their
//! rank, merged with its groups, which have none.

use super::PgReader;
use super::decode::{flags, kind};
use super::merge::windows;
use super::span::span;
use super::value::Param;
use super::{count, expire};
use crate::entry::{AccountId, ConversationId, EntryId, Millis};
use crate::limits;
use crate::name::Target;
use crate::store::walk::Bookmark;
use crate::store::{ChatRow, ConversationKind, Error, Listing, Reader, SpanQuery};

/// A conversation, and the last entry of it that is listed.
type Listed = (EntryId, ConversationId);

pub(super) fn page(
    reader: &mut PgReader,
    me: AccountId,
    mut list: Listing,
) -> Result<(Vec<ChatRow>, Listing), Error> {
    let newest = reader.newest()?.entry;
    let page = next(reader, me, newest, &mut list)?;
    Ok((rows(reader, me, &page)?, list))
}

/// The conversations of the next page.
fn next(
    reader: &mut PgReader,
    me: AccountId,
    newest: EntryId,
    list: &mut Listing,
) -> Result<Vec<Listed>, Error> {
    let floor = expire::floor(reader)?;
    let top = EntryId(i64::MAX);
    let mut at = Bookmark { down_to: top, rank: top, newest };
    match list.at {
        None => list.aside = groups(reader, me)?,
        Some(before) => {
            at = Bookmark { newest, ..before };
            list.aside.extend(overtaken(reader, me, before)?);
        }
    }
    list.aside.sort_unstable();
    list.aside.dedup();
    let mut page = Vec::new();
    list.done = true;
    // One more than fits tells whether there are more.
    let rows = reader.rows(
        "SELECT c.head, c.id, m.recent, CASE WHEN c.ttl IS NULL THEN c.head ELSE
                coalesce((SELECT e.id FROM entry e WHERE e.conversation = c.id
                          AND e.kind BETWEEN -1 AND 1 ORDER BY e.id DESC LIMIT 1), 0) END
         FROM member m JOIN conversation c ON c.id = m.conversation
         WHERE m.account = $1 AND m.recent > 0 AND m.recent < $2 ORDER BY m.recent DESC LIMIT $3",
        &[me.0, at.rank.0, limits::PAGE_ROWS as i64 + 1].map(Param::Int),
    )?;
    let mut chats = rows.iter();
    let mut next: Option<(Listed, EntryId)> = None;
    loop {
        while next.is_none() {
            let Some(row) = chats.next() else { break };
            let (id, rank) = (ConversationId(row.get(1)?), EntryId(row.get(2)?));
            let (head, last) = (EntryId(row.get(0)?), EntryId(row.get(3)?));
            if last == head {
                next = Some(((head, id), rank));
            } else {
                // Its newest entries have expired: its last one lies further back, and so does its
                // place here.
                at.rank = rank;
                let place = list.aside.partition_point(|other| *other < (last, id));
                list.aside.insert(place, (last, id));
            }
        }
        if next.is_none() && rows.len() > limits::PAGE_ROWS && page.len() < limits::PAGE_ROWS {
            // The chats that follow may come before those that were put aside.
            list.done = false;
            break;
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
fn groups(reader: &mut PgReader, me: AccountId) -> Result<Vec<Listed>, Error> {
    let sql = "SELECT coalesce((SELECT max(until) FROM stay s WHERE m.until_seq IS NOT NULL
                                AND s.conversation = m.conversation AND s.account = m.account),
                               CASE WHEN c.ttl IS NULL THEN c.head ELSE
                                   (SELECT e.id FROM entry e WHERE e.conversation = c.id
                                    AND e.kind BETWEEN -1 AND 1 ORDER BY e.id DESC LIMIT 1) END,
                               0), c.id
               FROM member m JOIN conversation c ON c.id = m.conversation
               WHERE m.account = $1 AND m.recent = 0";
    let rows = reader.rows(sql, &[Param::Int(me.0)])?;
    rows.iter().map(|row| Ok((EntryId(row.get(0)?), ConversationId(row.get(1)?)))).collect()
}

/// Direct chats that have come first since the last page and were not listed by then, at the places
/// they had before. A chat that already came first keeps its rank when it goes on, but it was on
/// the first page.
fn overtaken(reader: &mut PgReader, me: AccountId, before: Bookmark) -> Result<Vec<Listed>, Error> {
    let sql = "SELECT conversation FROM member WHERE account = $1 AND recent > $2";
    let mut found = Vec::new();
    for row in reader.rows(sql, &[Param::Int(me.0), Param::Int(before.newest.0)])? {
        let id = ConversationId(row.get(0)?);
        let below = Some(EntryId(before.newest.0 + 1));
        let query = SpanQuery { count: 1, before: below, after: None, re: None };
        let windows = windows(reader, me, id, false)?;
        let was = span(reader, id, &windows, &query)?.ids;
        found.extend(was.first().filter(|was| **was < before.down_to).map(|was| (*was, id)));
    }
    Ok(found)
}

fn rows(reader: &mut PgReader, me: AccountId, which: &[Listed]) -> Result<Vec<ChatRow>, Error> {
    let sql = "SELECT e.time, c.low IS NULL, c.gone_seq, c.gone_author, c.gone_author_seq,
                      coalesce(m.until_seq, c.seq), m.exempt, m.last_own, m.read_exempt,
                      m.read_seq, m.read_exempt, c.low, c.high, r.name, m.flags
               FROM member m JOIN conversation c ON c.id = m.conversation
               LEFT JOIN group_info r ON r.conversation = c.id
               JOIN entry e ON e.id = $3
               WHERE m.conversation = $1 AND m.account = $2";
    let asked: Vec<_> = which
        .iter()
        .map(|(last, id)| (sql, [id.0, me.0, last.0].map(Param::Int).to_vec()))
        .collect();
    let mut found = Vec::with_capacity(which.len());
    for (rows, (last, id)) in reader.many(&asked)?.iter().zip(which) {
        let row = rows.first();
        let row = row.ok_or_else(|| Error::damaged(format!("entry {} is missing", last.0)))?;
        let unread = count::waiting(reader, me, *id, row, 1)?;
        let to = match kind(row, 11, *id)? {
            ConversationKind::Group(name) => Target::Group(name),
            ConversationKind::Direct(pair) => Target::Person(reader.handle(pair.other(me))?),
        };
        let (time, flags) = (Millis(row.get(0)?), flags(row, 14)?);
        found.push(ChatRow { to, unread, last: *last, time, flags });
    }
    Ok(found)
}
