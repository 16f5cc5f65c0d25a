//! What groups have besides their members: a name, a topic, rules, invitations.

use rusqlite::{Connection, OptionalExtension, params};

use super::decode::{SqliteReader, rules_at};
use crate::entry::{AccountId, ConversationId, EntryId, Millis};
use crate::group_rules::{GroupRules, Permitted};
use crate::limits;
use crate::name::Handle;
use crate::store::rows::known_handle;
use crate::store::{Error, GroupRow, Invitation, ListPage, Stay};

/// Creates a group, with the rules of a new one.
pub(super) fn add(on: &Connection, id: ConversationId, name: &Handle) -> Result<(), Error> {
    on.prepare_cached("INSERT INTO conversation(id, head, seq, moved) VALUES(?1, 0, 0, 0)")?
        .execute([id.0])?;
    on.prepare_cached("INSERT INTO group_info(conversation, name, topic) VALUES(?1, ?2, '')")?
        .execute(params![id.0, name.as_str()])?;
    Ok(())
}

pub(super) fn set_topic(on: &Connection, id: ConversationId, topic: &str) -> Result<(), Error> {
    on.prepare_cached("UPDATE group_info SET topic = ?2 WHERE conversation = ?1")?
        .execute(params![id.0, topic])?;
    Ok(())
}

pub(super) fn set_rules(
    on: &Connection,
    id: ConversationId,
    rules: GroupRules,
) -> Result<(), Error> {
    let sql = "UPDATE group_info SET admins_write = ?2, all_add = ?3, open = ?4
               WHERE conversation = ?1";
    let (admins_write, all_add) = (rules.write == Permitted::Admins, rules.add == Permitted::All);
    on.prepare_cached(sql)?.execute(params![id.0, admins_write, all_add, rules.open])?;
    Ok(())
}

/// Writes new members, each with its first stay. They are sorted, so all of them are appended to
/// their tables.
pub(super) fn joined(
    on: &Connection,
    conversation: ConversationId,
    accounts: &[AccountId],
    since: (EntryId, i64),
) -> Result<(), Error> {
    let mut member = on.prepare_cached(
        "INSERT INTO member(conversation, account, exempt, last_own,
             delivered, delivered_seq, delivered_exempt, delivered_told, delivered_time,
             delivered_number, read, read_seq, read_exempt, read_told, read_time, read_number,
             recent, direct)
         VALUES(?1, ?2, ?4, 0, ?3, ?4, ?4, 0, 0, 0, ?3, ?4, ?4, 0, 0, 0, 0, 0)",
    )?;
    let (before, hidden) = (since.0.0 - 1, since.1 - 1);
    for account in accounts {
        member.execute([conversation.0, account.0, before, hidden])?;
    }
    let mut stay = on.prepare_cached(
        "INSERT INTO stay(conversation, account, since, since_seq) VALUES(?1, ?2, ?3, ?4)",
    )?;
    for account in accounts {
        stay.execute([conversation.0, account.0, since.0.0, since.1])?;
    }
    Ok(())
}

/// Writes a stay, which has begun or ended.
pub(super) fn stay(
    on: &Connection,
    conversation: ConversationId,
    account: AccountId,
    stay: &Stay,
) -> Result<(), Error> {
    let (until, until_seq) = stay.until.map(|(id, seq)| (id.0, seq)).unzip();
    on.prepare_cached(
        "INSERT INTO stay VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET until = ?5, until_seq = ?6, removed = ?7",
    )?
    .execute(params![
        conversation.0,
        account.0,
        stay.since.0.0,
        stay.since.1,
        until,
        until_seq,
        stay.removed,
    ])?;
    Ok(())
}

/// The rules of a group.
pub(super) fn rules(reader: &SqliteReader, id: ConversationId) -> Result<GroupRules, Error> {
    let sql = "SELECT admins_write, all_add, open FROM group_info WHERE conversation = ?1";
    Ok(reader.connection.prepare_cached(sql)?.query_row([id.0], |row| rules_at(row, 0))?)
}

/// Writes an invitation, or deletes it if it has no more uses.
pub(super) fn invitation(
    on: &Connection,
    id: ConversationId,
    invitation: &Invitation,
) -> Result<(), Error> {
    let Invitation { hash, uses, expires } = invitation;
    match uses {
        0 => on.prepare_cached("DELETE FROM invitation WHERE hash = ?1")?.execute([hash])?,
        _ => on
            .prepare_cached("INSERT OR REPLACE INTO invitation VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![hash, id.0, uses, expires.0])?,
    };
    Ok(())
}

/// The invitations to a group.
pub(super) fn invitations(
    reader: &SqliteReader,
    id: ConversationId,
) -> Result<Vec<Invitation>, Error> {
    let sql = "SELECT hash, uses, expires FROM invitation WHERE conversation = ?1";
    let mut query = reader.connection.prepare_cached(sql)?;
    let rows = query.query_map([id.0], |row| {
        Ok(Invitation { hash: row.get(0)?, uses: row.get(1)?, expires: Millis(row.get(2)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The group of a name that is open, that `me` is or was in, or that has an invitation of this hash.
pub(super) fn entrance(
    reader: &SqliteReader,
    me: AccountId,
    name: &Handle,
    hash: Option<&[u8; 32]>,
) -> Result<Option<ConversationId>, Error> {
    let sql = "SELECT g.conversation FROM group_info g
               WHERE g.name = ?1
                 AND (g.open
                      OR EXISTS(SELECT 1 FROM member m
                                WHERE m.conversation = g.conversation AND m.account = ?2)
                      OR EXISTS(SELECT 1 FROM invitation i
                                WHERE i.hash = ?3 AND i.conversation = g.conversation))";
    let mut query = reader.connection.prepare_cached(sql)?;
    let row = query.query_row(params![name.as_str(), me.0, hash], |row| row.get(0));
    Ok(row.optional()?.map(ConversationId))
}

/// The open groups, by name.
pub(super) fn open_groups(reader: &SqliteReader) -> Result<Vec<ConversationId>, Error> {
    let sql = "SELECT conversation FROM group_info WHERE open = 1 ORDER BY name LIMIT ?1";
    let mut query = reader.connection.prepare_cached(sql)?;
    let rows = query.query_map([limits::OPEN_GROUPS], |row| row.get(0).map(ConversationId))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn group_rows(
    reader: &SqliteReader,
    me: AccountId,
    which: &[ConversationId],
) -> Result<ListPage<GroupRow, usize>, Error> {
    let sql = "SELECT r.name, m.admin, r.topic FROM group_info r
               LEFT JOIN member m ON m.conversation = r.conversation AND m.account = ?2
                   AND m.until_seq IS NULL
               WHERE r.conversation = ?1 AND (r.open OR m.account IS NOT NULL)";
    let mut query = reader.connection.prepare_cached(sql)?;
    let sql = "SELECT count(*), coalesce(sum(until_seq IS NULL), 0)
               FROM member WHERE conversation = ?1";
    let mut count = reader.connection.prepare_cached(sql)?;
    let mut page = ListPage { rows: Vec::new(), next: None };
    let (mut counted, mut bytes) = (0, 0);
    for (at, id) in which.iter().enumerate() {
        if counted >= limits::LIST_COUNTED || bytes >= limits::PAGE_BYTES {
            page.next = Some(at);
            break;
        }
        let row = query.query_row([id.0, me.0], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, Box<str>>(2)?))
        });
        // It may have been left, or closed, since it was listed.
        let Some((name, admin, topic)) = row.optional()? else { continue };
        let (all, members) =
            count.query_row([id.0], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
        counted += all + 1;
        bytes += topic.len();
        page.rows.push(GroupRow { name: known_handle(&name)?, admin, members, topic });
    }
    Ok(page)
}
