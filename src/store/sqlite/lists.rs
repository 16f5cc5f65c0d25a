//! Questions whose answer is a list: groups, members, what became of an entry, people.

use rusqlite::{OptionalExtension, params};

use super::receipts::crossing;
use super::rows::{Eyes, member_at};
use super::walk::windows;
use crate::entry::{AccountId, Cursor, EntryId};
use crate::limits;
use crate::name::{DisplayName, Handle};
use crate::store::{Error, Found, GroupRow, InfoRow, Kind, Member, Recall};

pub(super) fn blocks(eyes: &mut Eyes, by: AccountId) -> Result<Vec<Handle>, Error> {
    let sql = "SELECT a.handle FROM block b JOIN account a ON a.id = b.blocked
               WHERE b.account = ?1 ORDER BY a.handle";
    let mut query = eyes.connection.prepare_cached(sql)?;
    let rows = query.query_map([by.0], |row| row.get::<_, String>(0))?;
    rows.map(|handle| known_handle(&handle?)).collect()
}

pub(super) fn groups(eyes: &mut Eyes, me: AccountId) -> Result<Vec<GroupRow>, Error> {
    let sql = "SELECT r.name, m.admin, r.topic,
                      (SELECT count(*) FROM member o
                       WHERE o.conversation = m.conversation AND o.until_seq IS NULL)
               FROM member m JOIN room r ON r.conversation = m.conversation
               WHERE m.account = ?1 AND m.recent = 0 AND m.until_seq IS NULL
               ORDER BY r.name";
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
                *time = Some(passed.map_or(now.time, |passed| passed.time).whole_second());
            }
        }
        let [delivered, read] = times;
        found.push(InfoRow { handle: eyes.handle(them.account)?, delivered, read });
    }
    found.sort_by(|a, b| a.handle.cmp(&b.handle));
    Ok(Some(found))
}

pub(super) fn find(eyes: &mut Eyes, words: &[String], count: usize) -> Result<Vec<Found>, Error> {
    // The longest word leaves the fewest to look at; the others are looked up for each of those.
    let Some(longest) = words.iter().max_by_key(|word| word.len()) else {
        return Ok(Vec::new());
    };
    let beyond = |word: &str| format!("{word}{}", char::MAX);
    let candidates: Vec<i64> = {
        let sql = "SELECT account FROM word WHERE word >= ?1 AND word < ?2 LIMIT ?3";
        let mut query = eyes.connection.prepare_cached(sql)?;
        let rows = query
            .query_map(params![longest, beyond(longest), limits::FIND_CANDIDATES], |row| {
                row.get(0)
            })?;
        rows.collect::<Result<_, _>>()?
    };
    let mut found: Vec<Found> = Vec::new();
    for account in candidates {
        if found.len() == count || found.iter().any(|f| f.id.0 == account) {
            continue;
        }
        let sql = "SELECT 1 FROM word WHERE account = ?1 AND word >= ?2 AND word < ?3";
        let mut begins = eyes.connection.prepare_cached(sql)?;
        let mut all = true;
        for word in words {
            all = all && begins.exists(params![account, word, beyond(word)])?;
        }
        drop(begins);
        if !all {
            continue;
        }
        let sql = "SELECT handle, name FROM account WHERE id = ?1";
        let row = eyes
            .connection
            .prepare_cached(sql)?
            .query_row([account], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .optional()?;
        let Some((handle, name)) = row else {
            return Err(Error::damaged(format!("account {account} is gone")));
        };
        let name = DisplayName::new(&name).map_err(|_| {
            Error::damaged(format!("account {account} has a name that breaks the rules"))
        })?;
        let (id, handle) = (AccountId(account), known_handle(&handle)?);
        found.push(Found { id, handle, name });
    }
    found.sort_by(|a, b| a.handle.cmp(&b.handle));
    Ok(found)
}

fn known_handle(text: &str) -> Result<Handle, Error> {
    Handle::new(text).ok_or_else(|| Error::damaged(format!("{text:?} breaks the rule of names")))
}
