//! Questions whose answer is a list, read a page at a time: groups, members, who has received an
//! entry.

use super::PgReader;
use super::decode::{member_at, place};
use super::expire;
use super::gather::{BLOCKED, POS};
use super::merge::windows;
use super::receipts::{READ_OFF, crossings};
use super::value::{Param, PgRow};
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, EntryPos};
use crate::limits;
use crate::name::Handle;
use crate::store::rows::known_handle;
use crate::store::{ConversationKind, Error, InfoRow, ListPage, Member, Pair};

/// Reads a page of a list: at most [`limits::LIST_ROWS`] rows, which is the last parameter. `one`
/// returns the number of a row, by which the rows are sorted, and what it adds to the list, if
/// anything.
fn list<T, N>(
    reader: &mut PgReader,
    sql: &'static str,
    keys: [i64; 2],
    mut one: impl FnMut(&PgRow) -> Result<(N, Option<T>), Error>,
) -> Result<ListPage<T, N>, Error> {
    let [first, second] = keys.map(Param::Int);
    let rows = reader.rows(sql, &[first, second, Param::Int(limits::LIST_ROWS)])?;
    let (mut found, mut last) = (Vec::new(), None);
    for row in &rows {
        let (number, said) = one(row)?;
        found.extend(said);
        last = Some(number);
    }
    let is_full = i64::try_from(rows.len()) == Ok(limits::LIST_ROWS);
    Ok(ListPage { rows: found, next: last.filter(|_| is_full) })
}

pub(super) fn blocks(
    reader: &mut PgReader,
    by: AccountId,
    after: AccountId,
) -> Result<ListPage<Handle, AccountId>, Error> {
    let sql = "SELECT b.blocked, a.handle FROM block b JOIN account a ON a.id = b.blocked
               WHERE b.account = $1 AND b.blocked > $2 ORDER BY b.blocked LIMIT $3";
    list(reader, sql, [by.0, after.0], |row| {
        Ok((AccountId(row.get(0)?), Some(known_handle(&row.get::<String>(1)?)?)))
    })
}

pub(super) fn group_names(
    reader: &mut PgReader,
    me: AccountId,
    after: ConversationId,
) -> Result<ListPage<(Handle, ConversationId), ConversationId>, Error> {
    // Groups that the account has left are read as well, but add nothing.
    let sql = "SELECT m.conversation, r.name FROM member m
               LEFT JOIN group_info r ON r.conversation = m.conversation AND m.until_seq IS NULL
               WHERE m.account = $1 AND m.recent = 0 AND m.conversation > $2
               ORDER BY m.conversation LIMIT $3";
    list(reader, sql, [me.0, after.0], |row| {
        let id = ConversationId(row.get(0)?);
        let name = row.get::<Option<String>>(1)?.map(|name| known_handle(&name));
        Ok((id, name.transpose()?.map(|name| (name, id))))
    })
}

pub(super) fn who(
    reader: &mut PgReader,
    conversation: ConversationId,
    after: AccountId,
) -> Result<ListPage<(Handle, bool), AccountId>, Error> {
    // Past members are read as well, but add nothing.
    let sql = "SELECT m.account, a.handle, m.admin FROM member m
               LEFT JOIN account a ON a.id = m.account AND m.until_seq IS NULL
               WHERE m.conversation = $1 AND m.account > $2 ORDER BY m.account LIMIT $3";
    list(reader, sql, [conversation.0, after.0], |row| {
        let handle = row.get::<Option<String>>(1)?.map(|handle| known_handle(&handle));
        let admin = row.get(2)?;
        let said = handle.transpose()?.map(|handle| (handle, admin));
        Ok((AccountId(row.get(0)?), said))
    })
}

pub(super) fn info(
    reader: &mut PgReader,
    me: AccountId,
    id: EntryId,
    after: AccountId,
) -> Result<Option<ListPage<InfoRow, AccountId>>, Error> {
    let row = reader.row(POS, &[Param::Int(id.0)])?;
    // A mark expires with its message.
    let floor = expire::floor(reader)?;
    let is_left = |pos: &EntryPos| !pos.expired && (pos.about == EntryId(0) || pos.about > floor);
    let pos = row.map(|row| place(&row)).transpose()?.filter(is_left);
    let Some(pos) = pos else { return Ok(None) };
    let conversation = pos.conversation;
    let (is_group, is_mine, hidden) = match reader.whose(conversation)? {
        ConversationKind::Group(_) => {
            let windows = windows(reader, me, conversation, true)?;
            let has = |id| windows.iter().any(|(above, upto)| *above < id && id <= *upto);
            (true, has(id) && (pos.about == EntryId(0) || has(pos.about)), false)
        }
        ConversationKind::Direct(Pair { low, high }) => {
            let [low, high] = [low, high].map(|id| id.0);
            let hidden = reader.exists(BLOCKED, &[Param::Int(low), Param::Int(high)])?
                || reader.exists(BLOCKED, &[Param::Int(high), Param::Int(low)])?;
            (false, low == me.0 || high == me.0, hidden)
        }
    };
    if !is_mine {
        return Ok(None);
    }
    let sql = if is_group {
        "SELECT m.*, m.until_seq IS NOT NULL,
                EXISTS(SELECT FROM stay s WHERE s.conversation = m.conversation
                       AND s.account = m.account AND s.since <= $4
                       AND (s.until IS NULL OR s.until >= $4))
                AND ($5 = 0 OR EXISTS(SELECT FROM stay s WHERE s.conversation = m.conversation
                                      AND s.account = m.account AND s.since <= $5
                                      AND (s.until IS NULL OR s.until >= $5)))
         FROM member m WHERE m.conversation = $1 AND m.account > $2
         ORDER BY m.account LIMIT $3"
    } else {
        "SELECT m.*, false, true FROM member m
         WHERE m.conversation = $1 AND m.account > $2 AND $4 > 0 AND $5 >= 0 ORDER BY m.account LIMIT $3"
    };
    let params = [conversation.0, after.0, limits::LIST_ROWS, id.0, pos.about.0].map(Param::Int);
    let rows = reader.rows(sql, &params)?;
    let is_full = i64::try_from(rows.len()) == Ok(limits::LIST_ROWS);
    let mut people: Vec<(Member, bool)> = Vec::with_capacity(rows.len());
    let mut next = None;
    for row in &rows {
        let member = member_at(row, 0)?;
        let member = if member.account == me { member } else { member.as_shown() };
        next = Some(member.account).filter(|_| is_full);
        if member.account != pos.author && row.get(30)? {
            people.push((member, row.get(29)?));
        }
    }
    let learns = is_group || !reader.exists(READ_OFF, &[Param::Int(me.0)])?;
    let mut asked = Vec::new();
    for (them, _) in &people {
        for cursor in [Cursor::Delivered, Cursor::Read] {
            if cursor == Cursor::Read && !learns && them.account != me {
                continue;
            }
            // A cursor that goes along with its member's own entries never passes one that waits,
            // so some move reached `id`.
            if them.cursor(cursor).id >= id && !(hidden && them.account != me) {
                asked.push((conversation, them, cursor, id));
            }
        }
    }
    let passed = crossings(reader, &asked)?;
    let mut times = asked.iter().zip(passed).map(|((_, them, cursor, _), passed)| {
        let time = passed.map_or(them.cursor(*cursor).time, |passed| passed.time).whole_second();
        (them.account, *cursor, time)
    });
    let mut known = times.next();
    let mut found = Vec::new();
    for (them, left) in &people {
        let mut time = |which| match known {
            Some((account, cursor, time)) if account == them.account && cursor == which => {
                known = times.next();
                Some(time)
            }
            _ => None,
        };
        let (delivered, read) = (time(Cursor::Delivered), time(Cursor::Read));
        found.push(InfoRow { handle: reader.handle(them.account)?, delivered, read, left: *left });
    }
    Ok(Some(ListPage { rows: found, next }))
}
