//! Receipts that an account has missed: others' cursors that moved over its entries since a given
//! move.

use rusqlite::{Connection, OptionalExtension, params};

use super::decode::{SqliteReader, member_at};
use super::writer::cursor_number;
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, MoveNumber, Receipt};
use crate::name::{Handle, Target};
use crate::store::{ConversationKind, Error, Member, Move, Moves, Position, Receipts};

/// SQL for the direct chats of account `?1` in which a move that concerns it happened since move
/// `?2`. Their rank lies above `?2`, except that of the chat that came first at that time: it kept
/// its rank while it went on.
macro_rules! moved_since {
    ($member: literal) => {
        concat!(
            $member,
            ".moved >= coalesce((SELECT max(moved) FROM member
                 WHERE account = ?1 AND moved <= ?2), 1)"
        )
    };
}

/// Other parties whose cursors moved since move `?2`, in direct chats where account `?1` has an
/// entry above the floor, `?3`. If one has blocked the other, neither sees receipts.
const OF_TWO: &str = concat!(
    "SELECT mine.last_own, NULL, theirs.* FROM member mine
     JOIN member theirs ON theirs.conversation = mine.conversation AND theirs.account <> ?1
     WHERE mine.account = ?1 AND mine.last_own > ?3
       AND (theirs.delivered_number > ?2 OR theirs.read_number > ?2)
       AND NOT EXISTS(SELECT 1 FROM block WHERE (account = ?1 AND blocked = theirs.account)
                                             OR (account = theirs.account AND blocked = ?1))
       AND ",
    moved_since!("mine")
);

/// The same in its groups.
const OF_GROUPS: &str = "SELECT mine.last_own, r.name, theirs.* FROM member mine
     JOIN conversation c ON c.id = mine.conversation
     JOIN group_info r ON r.conversation = c.id
     JOIN member theirs ON theirs.conversation = mine.conversation AND theirs.account <> ?1
     WHERE mine.account = ?1 AND mine.recent = 0 AND mine.last_own > ?3
       AND mine.until_seq IS NULL AND c.moved > ?2
       AND (theirs.delivered_number > ?2 OR theirs.read_number > ?2)";

pub(super) fn receipts(
    reader: &mut SqliteReader,
    me: AccountId,
    after: MoveNumber,
    own: MoveNumber,
) -> Result<Receipts, Error> {
    let read = &reader.connection;
    let (through, floor) = read
        .prepare_cached("SELECT moved, floor FROM newest")?
        .query_row([], |row| Ok((MoveNumber(row.get(0)?), row.get::<_, i64>(1)?)))?;
    // Whether it learns what the other parties of its direct chats have read.
    let learns = reader.learns_reads(me)?;
    // Decided row by row: of a member who is due nothing, nothing is kept.
    let mut due = Vec::new();
    for sql in [OF_TWO, OF_GROUPS] {
        let mut members = read.prepare_cached(sql)?;
        let mut rows = members.query(params![me.0, after.0, floor])?;
        while let Some(row) = rows.next()? {
            let (last_own, conversation) = (EntryId(row.get(0)?), ConversationId(row.get(2)?));
            let group = row.get::<_, Option<Box<str>>>(1)?;
            let mut them = member_at(row, 2)?.as_shown();
            if group.is_none() && !learns {
                them.read = Position::default();
            }
            // Due only if the move that reached the account's last entry is new to it: later ones
            // have passed nothing of its own.
            let is_due = |cursor| -> Result<bool, Error> {
                let now = them.cursor(cursor);
                if now.number <= after {
                    return Ok(false);
                }
                let passed = crossing(read, conversation, &them, cursor, last_own)?;
                Ok(passed.map_or(now.number, |passed| passed.number) > after)
            };
            let has_read = is_due(Cursor::Read)?;
            // A read receipt also says that everything up to there was received.
            let received = is_due(Cursor::Delivered)? && them.delivered.told > them.read.told;
            if has_read {
                due.push((Cursor::Read, them.read, them.account, group.clone()));
            }
            if received {
                due.push((Cursor::Delivered, them.delivered, them.account, group));
            }
        }
    }
    let mut found: Vec<(MoveNumber, Receipt)> = Vec::with_capacity(due.len());
    for (cursor, at, from, group) in due {
        let to = match group.as_deref().and_then(Handle::new) {
            Some(name) => Target::Group(name),
            None => Target::Person(reader.handle(me)?),
        };
        let (id, time) = (at.told, at.time);
        let receipt = Receipt { cursor, id, time, from: reader.handle(from)?, to };
        found.push((at.number, receipt));
    }
    if through > own {
        found.extend(own_reads(reader, me, own)?);
    }
    found.sort_by_key(|(number, _)| *number);
    let list = found;
    Ok(Receipts { list, through })
}

/// How far an account itself has read, in conversations where that changed since move `after`.
fn own_reads(
    reader: &mut SqliteReader,
    me: AccountId,
    after: MoveNumber,
) -> Result<Vec<(MoveNumber, Receipt)>, Error> {
    let moved: Vec<(ConversationId, Position)> = {
        let sql = concat!(
            "SELECT m.* FROM member m WHERE m.account = ?1 AND m.read_number > ?2 AND ",
            moved_since!("m"),
            " UNION ALL
             SELECT m.* FROM member m WHERE m.account = ?1 AND m.read_number > ?2 AND m.recent = 0"
        );
        let mut query = reader.connection.prepare_cached(sql)?;
        let rows = query.query_map([me.0, after.0], |row| {
            Ok((ConversationId(row.get(0)?), member_at(row, 0)?.read))
        })?;
        rows.collect::<Result<_, _>>()?
    };
    let mut found = Vec::with_capacity(moved.len());
    for (conversation, at) in moved {
        let to = match reader.whose(conversation)? {
            ConversationKind::Group(name) => Target::Group(name),
            ConversationKind::Direct(pair) => Target::Person(reader.handle(pair.other(me))?),
        };
        let (cursor, id, time) = (Cursor::Read, at.told, at.time);
        found.push((at.number, Receipt { cursor, id, time, from: reader.handle(me)?, to }));
    }
    Ok(found)
}

/// The move with which a cursor reached or passed `id`; `None` if that was its newest move. If `id`
/// is an author's last entry, the author was due the receipts up to this move and none after it.
pub(super) fn crossing(
    read: &Connection,
    conversation: ConversationId,
    who: &Member,
    cursor: Cursor,
    id: EntryId,
) -> Result<Option<Move>, Error> {
    let newer = who.history(cursor);
    // Full lists hold the moves before these.
    if newer.iter().next().is_none_or(|first| first.id >= id) {
        let sql = "SELECT moves FROM cursor_history WHERE conversation = ?1 AND account = ?2
                   AND cursor = ?3 AND upto >= ?4 ORDER BY upto LIMIT 1";
        let keys = params![conversation.0, who.account.0, cursor_number(cursor), id.0];
        let mut query = read.prepare_cached(sql)?;
        let row = query.query_row(keys, |row| Ok(Moves::new(row.get_ref(0)?.as_blob()?)));
        if let Some(older) = row.optional()? {
            return Ok(older.reaching(id));
        }
    }
    Ok(newer.reaching(id))
}
