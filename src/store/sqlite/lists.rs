//! Questions whose answer is a list, read a page at a time: groups, members, who has received an
//! entry.

use rusqlite::{CachedStatement, OptionalExtension, Params, Row, params};

use super::decode::{SqliteReader, member_at};
use super::expire;
use super::receipts::crossing;
use super::visible::windows;
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, EntryPos};
use crate::limits;
use crate::name::Handle;
use crate::store::rows::known_handle;
use crate::store::{ConversationKind, Error, InfoRow, ListPage, Pair};

/// Reads a page of a list: at most [`limits::LIST_ROWS`] rows. `one` returns the number of a row,
/// by which the rows are sorted, and what it adds to the list, if anything.
fn list<T, N>(
    query: &mut CachedStatement,
    keys: impl Params,
    mut one: impl FnMut(&Row) -> Result<(N, Option<T>), Error>,
) -> Result<ListPage<T, N>, Error> {
    let mut rows = query.query(keys)?;
    let (mut found, mut last, mut looked_at) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        let (number, said) = one(row)?;
        found.extend(said);
        last = Some(number);
        looked_at += 1;
    }
    Ok(ListPage { rows: found, next: last.filter(|_| looked_at == limits::LIST_ROWS) })
}

pub(super) fn blocks(
    reader: &SqliteReader,
    by: AccountId,
    after: AccountId,
) -> Result<ListPage<Handle, AccountId>, Error> {
    let sql = "SELECT b.blocked, a.handle FROM block b JOIN account a ON a.id = b.blocked
               WHERE b.account = ?1 AND b.blocked > ?2 ORDER BY b.blocked LIMIT ?3";
    let mut query = reader.connection.prepare_cached(sql)?;
    list(&mut query, params![by.0, after.0, limits::LIST_ROWS], |row| {
        Ok((AccountId(row.get(0)?), Some(known_handle(&row.get::<_, String>(1)?)?)))
    })
}

pub(super) fn group_names(
    reader: &SqliteReader,
    me: AccountId,
    after: ConversationId,
) -> Result<ListPage<(Handle, ConversationId), ConversationId>, Error> {
    // Groups that the account has left are read as well, but add nothing.
    let sql = "SELECT m.conversation, r.name FROM member m
               LEFT JOIN group_info r ON r.conversation = m.conversation AND m.until_seq IS NULL
               WHERE m.account = ?1 AND m.recent = 0 AND m.conversation > ?2
               ORDER BY m.conversation LIMIT ?3";
    let mut query = reader.connection.prepare_cached(sql)?;
    list(&mut query, params![me.0, after.0, limits::LIST_ROWS], |row| {
        let id = ConversationId(row.get(0)?);
        let name = row.get::<_, Option<String>>(1)?.map(|name| known_handle(&name));
        Ok((id, name.transpose()?.map(|name| (name, id))))
    })
}

pub(super) fn membership(
    reader: &SqliteReader,
    me: AccountId,
    name: &Handle,
) -> Result<Option<(ConversationId, bool)>, Error> {
    let read = &reader.connection;
    let group = read
        .prepare_cached("SELECT conversation FROM group_info WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get::<_, i64>(0))
        .optional()?;
    // Looked up even if there is no such group, so that both cases take the same time.
    let id = group.unwrap_or(0);
    let sql = "SELECT until_seq IS NULL FROM member WHERE conversation = ?1 AND account = ?2";
    let is_in = read.prepare_cached(sql)?.query_row([id, me.0], |row| row.get(0)).optional()?;
    Ok(is_in.map(|is_in| (ConversationId(id), is_in)))
}

pub(super) fn who(
    reader: &SqliteReader,
    conversation: ConversationId,
    after: AccountId,
) -> Result<ListPage<(Handle, bool), AccountId>, Error> {
    // Past members are read as well, but add nothing.
    let sql = "SELECT m.account, a.handle, m.admin FROM member m
               LEFT JOIN account a ON a.id = m.account AND m.until_seq IS NULL
               WHERE m.conversation = ?1 AND m.account > ?2 ORDER BY m.account LIMIT ?3";
    let mut query = reader.connection.prepare_cached(sql)?;
    list(&mut query, params![conversation.0, after.0, limits::LIST_ROWS], |row| {
        let handle = row.get::<_, Option<String>>(1)?.map(|handle| known_handle(&handle));
        let admin = row.get(2)?;
        let said = handle.transpose()?.map(|handle| (handle, admin));
        Ok((AccountId(row.get(0)?), said))
    })
}

pub(super) fn info(
    reader: &mut SqliteReader,
    me: AccountId,
    id: EntryId,
    after: AccountId,
) -> Result<Option<ListPage<InfoRow, AccountId>>, Error> {
    // A mark expires with its message.
    let floor = expire::floor(&reader.connection)?;
    let is_left = |pos: &EntryPos| pos.about == EntryId(0) || pos.about > floor;
    let Some(pos) = reader.pos(id)?.filter(is_left) else {
        return Ok(None);
    };
    let conversation = pos.conversation;
    let of = reader.whose(conversation)?;
    let is_group = matches!(of, ConversationKind::Group(_));
    let sees = |reader: &SqliteReader, account| -> Result<bool, Error> {
        let windows = windows(&reader.connection, account, conversation, is_group)?;
        let has = |id| windows.iter().any(|(above, upto)| *above < id && id <= *upto);
        Ok(has(id) && (pos.about == EntryId(0) || has(pos.about)))
    };
    let (is_mine, hidden) = match of {
        ConversationKind::Group(_) => (sees(reader, me)?, false),
        ConversationKind::Direct(Pair { low, high }) => {
            let hidden = reader.has_blocked(low, high)? || reader.has_blocked(high, low)?;
            (low == me || high == me, hidden)
        }
    };
    if !is_mine {
        return Ok(None);
    }
    let page = {
        let sql = "SELECT *, until_seq IS NOT NULL FROM member
                   WHERE conversation = ?1 AND account > ?2 ORDER BY account LIMIT ?3";
        let mut query = reader.connection.prepare_cached(sql)?;
        list(&mut query, params![conversation.0, after.0, limits::LIST_ROWS], |row| {
            let member = member_at(row, 0)?;
            let member = if member.account == me { member } else { member.as_shown() };
            Ok((member.account, Some((member, row.get::<_, bool>(29)?))))
        })?
    };
    let learns = is_group || reader.learns_reads(me)?;
    let mut found = Vec::new();
    for (them, left) in page.rows.iter().filter(|(m, _)| m.account != pos.author) {
        if is_group && !sees(reader, them.account)? {
            continue;
        }
        let mut times = [None, None];
        for (cursor, time) in [Cursor::Delivered, Cursor::Read].into_iter().zip(&mut times) {
            if cursor == Cursor::Read && !learns && them.account != me {
                continue;
            }
            let now = them.cursor(cursor);
            // A cursor that goes along with its member's own entries never passes one that waits,
            // so some move reached `id`.
            if now.id >= id && !(hidden && them.account != me) {
                let passed = crossing(&reader.connection, conversation, them, cursor, id)?;
                *time = Some(passed.map_or(now.time, |passed| passed.time).whole_second());
            }
        }
        let [delivered, read] = times;
        found.push(InfoRow { handle: reader.handle(them.account)?, delivered, read, left: *left });
    }
    Ok(Some(ListPage { rows: found, next: page.next }))
}
