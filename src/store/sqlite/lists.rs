//! Questions whose answer is a list: conversations, groups, members, what became of an entry.

use rusqlite::{OptionalExtension, params};

use super::receipts::crossing;
use super::rows::{Eyes, member_at};
use super::walk::windows;
use super::{count, forget};
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, Millis};
use crate::name::{Handle, Target};
use crate::store::{ChatRow, Error, GroupRow, InfoRow, Kind, Member, Recall};

pub(super) fn blocks(eyes: &mut Eyes, by: AccountId) -> Result<Vec<Handle>, Error> {
    let sql = "SELECT a.handle FROM block b JOIN account a ON a.id = b.blocked
               WHERE b.account = ?1 ORDER BY a.handle";
    let mut query = eyes.connection.prepare_cached(sql)?;
    let rows = query.query_map([by.0], |row| row.get::<_, String>(0))?;
    rows.map(|handle| known_handle(&handle?)).collect()
}

pub(super) fn chats(
    eyes: &mut Eyes,
    me: AccountId,
) -> Result<Vec<(EntryId, ConversationId)>, Error> {
    let sql = "SELECT coalesce((SELECT max(until) FROM stay s WHERE m.until_seq IS NOT NULL
                                AND s.conversation = m.conversation AND s.account = m.account),
                               c.head), c.id
               FROM member m JOIN conversation c ON c.id = m.conversation
               WHERE m.account = ?1 ORDER BY 1 DESC";
    let mut query = eyes.connection.prepare_cached(sql)?;
    let rows =
        query.query_map([me.0], |row| Ok((EntryId(row.get(0)?), ConversationId(row.get(1)?))))?;
    let floor = forget::floor(&eyes.connection)?;
    let mut found = rows.collect::<Result<Vec<_>, _>>()?;
    found.retain(|(last, _)| *last > floor);
    Ok(found)
}

pub(super) fn chat_rows(
    eyes: &mut Eyes,
    me: AccountId,
    which: &[(EntryId, ConversationId)],
) -> Result<Vec<ChatRow>, Error> {
    let mut found = Vec::with_capacity(which.len());
    for (last, id) in which {
        let sql = "SELECT e.time, c.low IS NULL, c.gone_seq, c.gone_author, c.gone_nth,
                          coalesce(m.until_seq, c.seq), m.own, m.last_own, m.read_own,
                          m.read_seq, m.read_own
                   FROM member m JOIN conversation c ON c.id = m.conversation
                   JOIN entry e ON e.id = ?3 AND e.id > (SELECT floor FROM newest)
                   WHERE m.conversation = ?1 AND m.account = ?2";
        let read = &eyes.connection;
        let row = read.prepare_cached(sql)?.query_row(params![id.0, me.0, last.0], |row| {
            Ok((Millis(row.get(0)?), count::waiting(read, me, *id, row, 1)))
        });
        // It may have been forgotten since it was listed.
        let Some((time, unread)) = row.optional()? else { continue };
        let unread = unread?;
        let to = match eyes.whose(*id)? {
            Kind::Room(name) => Target::Group(name),
            Kind::Direct(pair) => Target::Person(eyes.handle(pair.other(me))?),
        };
        found.push(ChatRow { to, unread, last: *last, time });
    }
    Ok(found)
}

pub(super) fn groups(eyes: &mut Eyes, me: AccountId) -> Result<Vec<GroupRow>, Error> {
    let sql = "SELECT r.name, m.admin, r.topic,
                      (SELECT count(*) FROM member o
                       WHERE o.conversation = m.conversation AND o.until_seq IS NULL)
               FROM member m JOIN room r ON r.conversation = m.conversation
               WHERE m.account = ?1 AND m.until_seq IS NULL ORDER BY r.name";
    let mut query = eyes.connection.prepare_cached(sql)?;
    let rows = query.query_map([me.0], |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.map(|row| {
        let (name, admin, topic, members) = row?;
        Ok(GroupRow { name: known_handle(&name)?, admin, members, topic })
    })
    .collect()
}

pub(super) fn who(
    eyes: &mut Eyes,
    me: AccountId,
    name: &Handle,
) -> Result<Option<Vec<(Handle, bool)>>, Error> {
    let sql = "SELECT a.handle, m.admin, m.account FROM room r
               JOIN member m ON m.conversation = r.conversation
               JOIN account a ON a.id = m.account
               WHERE r.name = ?1 AND m.until_seq IS NULL ORDER BY a.handle";
    let mut query = eyes.connection.prepare_cached(sql)?;
    let mut rows = query.query([name.as_str()])?;
    let (mut found, mut is_in) = (Vec::new(), false);
    while let Some(row) = rows.next()? {
        is_in |= row.get::<_, i64>(2)? == me.0;
        found.push((known_handle(&row.get::<_, String>(0)?)?, row.get(1)?));
    }
    Ok(is_in.then_some(found))
}

pub(super) fn info(
    eyes: &mut Eyes,
    me: AccountId,
    id: EntryId,
) -> Result<Option<Vec<InfoRow>>, Error> {
    let Some(place) = eyes.place(id)? else {
        return Ok(None);
    };
    let whose = eyes.whose(place.conversation)?;
    let is_room = matches!(whose, Kind::Room(_));
    let sees = |eyes: &mut Eyes, account| -> Result<bool, Error> {
        let windows = windows(&eyes.connection, account, place.conversation, is_room)?;
        Ok(windows.iter().any(|(above, upto)| *above < id && id <= *upto))
    };
    let members: Vec<Member> = {
        let sql = "SELECT * FROM member WHERE conversation = ?1";
        let mut query = eyes.connection.prepare_cached(sql)?;
        let rows = query.query_map([place.conversation.0], |row| member_at(row, 0))?;
        rows.collect::<Result<_, _>>()?
    };
    if !members.iter().any(|m| m.account == me) || !sees(eyes, me)? {
        return Ok(None);
    }
    let hidden = match whose {
        Kind::Room(_) => false,
        Kind::Direct(pair) => {
            eyes.blocked(pair.low, pair.high)? || eyes.blocked(pair.high, pair.low)?
        }
    };
    let mut found = Vec::new();
    for them in members.iter().filter(|m| m.account != place.author) {
        if is_room && !sees(eyes, them.account)? {
            continue;
        }
        let mut times = [None, None];
        for (cursor, time) in [Cursor::Delivered, Cursor::Read].into_iter().zip(&mut times) {
            let now = them.cursor(cursor);
            // A cursor that a member's own entries took along never passes one that waits.
            if now.id >= id && !(hidden && them.account != me) {
                let passed = crossing(&eyes.connection, place.conversation, them, cursor, id)?;
                *time = Some(passed.map_or(now.time, |passed| passed.1));
            }
        }
        let [delivered, read] = times;
        found.push(InfoRow { handle: eyes.handle(them.account)?, delivered, read });
    }
    found.sort_by(|a, b| a.handle.cmp(&b.handle));
    Ok(Some(found))
}

pub(super) fn known_handle(text: &str) -> Result<Handle, Error> {
    Handle::new(text).ok_or_else(|| Error::damaged(format!("{text:?} breaks the rule of names")))
}
