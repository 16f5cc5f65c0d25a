//! Receipts that an account has missed: others' cursors that moved over its entries since a given
//! move.

use super::PgReader;
use super::decode::{kind, member_at};
use super::value::Param;
use crate::entry::{AccountId, ConversationId, Cursor, EntryId, Millis, MoveNumber, Receipt};
use crate::name::{Handle, Target};
use crate::store::{ConversationKind, Error, Member, Move, Moves, Position, Receipts};

/// SQL for the direct chats of account `$1` in which a move that concerns it happened since move
/// `$2`. Their rank lies above `$2`, except that of the chat that came first at that time: it kept
/// its rank while it went on.
macro_rules! moved_since {
    ($member: literal) => {
        concat!(
            $member,
            ".moved >= coalesce((SELECT moved FROM member
                 WHERE account = $1 AND moved <= $2 ORDER BY moved DESC LIMIT 1), 1)"
        )
    };
}

/// Other parties whose cursors moved since move `$2`, in direct chats where account `$1` has an
/// entry above the floor. If one has blocked the other, neither sees receipts.
const OF_TWO: &str = concat!(
    "SELECT mine.last_own, NULL::text, theirs.* FROM member mine
     JOIN member theirs ON theirs.conversation = mine.conversation AND theirs.account <> $1
     WHERE mine.account = $1 AND mine.last_own > (SELECT floor FROM leader)
       AND (theirs.delivered_number > $2 OR theirs.read_number > $2)
       AND NOT EXISTS(SELECT FROM block WHERE account = $1 AND blocked = theirs.account)
       AND NOT EXISTS(SELECT FROM block WHERE account = theirs.account AND blocked = $1)
       AND ",
    moved_since!("mine")
);

/// The same in its groups.
const OF_GROUPS: &str = "SELECT mine.last_own, r.name, theirs.* FROM member mine
     JOIN conversation c ON c.id = mine.conversation
     JOIN group_info r ON r.conversation = c.id
     JOIN member theirs ON theirs.conversation = mine.conversation AND theirs.account <> $1
     WHERE mine.account = $1 AND mine.recent = 0 AND mine.last_own > (SELECT floor FROM leader)
       AND mine.until_seq IS NULL AND c.moved > $2
       AND (theirs.delivered_number > $2 OR theirs.read_number > $2)";

/// How far an account itself has read, in conversations where that changed since move `$2`.
const OWN: &str = concat!(
    "SELECT m.read_number, m.read_told, m.read_time, c.id, c.low, c.high, r.name
     FROM member m JOIN conversation c ON c.id = m.conversation
     LEFT JOIN group_info r ON r.conversation = c.id
     WHERE m.account = $1 AND m.read_number > $2 AND (m.recent = 0 OR ",
    moved_since!("m"),
    ")"
);

/// A row if an account does not learn what the other parties of its direct chats have read.
pub(super) const READ_OFF: &str = "SELECT FROM account WHERE id = $1 AND read_off";

/// The list of a cursor's moves in which it reached or passed an entry.
const HISTORY: &str = "SELECT moves FROM cursor_history WHERE conversation = $1 AND account = $2
     AND cursor = $3 AND upto >= $4 ORDER BY upto LIMIT 1";

pub(super) fn receipts(
    reader: &mut PgReader,
    me: AccountId,
    after: MoveNumber,
    own: MoveNumber,
) -> Result<Receipts, Error> {
    let since = vec![Param::Int(me.0), Param::Int(after.0)];
    let of_own = vec![Param::Int(me.0), Param::Int(own.0)];
    let moved = ("SELECT moved FROM leader", Vec::new());
    let read_off = (READ_OFF, vec![Param::Int(me.0)]);
    let all = [moved, (OF_TWO, since.clone()), (OF_GROUPS, since), (OWN, of_own), read_off];
    let rows = reader.many(&all)?;
    let [moved, of_two, of_groups, own, off] = rows.as_slice() else {
        return Ok(Receipts::default());
    };
    let moved = moved.first().ok_or_else(|| Error::damaged("there is no row of leader"))?;
    let through = MoveNumber(moved.get(0)?);
    let mut missed: Vec<(EntryId, ConversationId, Option<String>, Member)> = Vec::new();
    for row in of_two.iter().chain(of_groups) {
        let (conversation, group) = (ConversationId(row.get(2)?), row.get::<Option<String>>(1)?);
        let mut them = member_at(row, 2)?.as_shown();
        if group.is_none() && !off.is_empty() {
            them.read = Position::default();
        }
        missed.push((EntryId(row.get(0)?), conversation, group, them));
    }
    // Due only if the move that reached the account's last entry is new to it: later ones have
    // passed nothing of its own.
    let mut asked: Vec<Crossing> = Vec::new();
    for (last_own, conversation, _, them) in &missed {
        for cursor in [Cursor::Read, Cursor::Delivered] {
            if them.cursor(cursor).number > after {
                asked.push((*conversation, them, cursor, *last_own));
            }
        }
    }
    let passed = crossings(reader, &asked)?;
    let mut passed = asked.iter().zip(passed).map(|((conversation, them, cursor, _), passed)| {
        let number = passed.map_or(them.cursor(*cursor).number, |passed| passed.number);
        (*conversation, them.account, *cursor, number > after)
    });
    let mut known = passed.next();
    let mut due = Vec::new();
    for (_, conversation, group, them) in &missed {
        let mut is_due = |which| match known {
            Some((of, account, cursor, is_due))
                if (of, account, cursor) == (*conversation, them.account, which) =>
            {
                known = passed.next();
                is_due
            }
            _ => false,
        };
        // A read receipt also says that everything up to there was received.
        let seen = them.read.told;
        if is_due(Cursor::Read) {
            due.push((Cursor::Read, them.read, them.account, group));
        }
        if is_due(Cursor::Delivered) && them.delivered.told > seen {
            due.push((Cursor::Delivered, them.delivered, them.account, group));
        }
    }
    let mut list: Vec<(MoveNumber, Receipt)> = Vec::new();
    for (cursor, at, from, group) in due {
        let to = match group.as_deref().and_then(Handle::new) {
            Some(name) => Target::Group(name),
            None => Target::Person(reader.handle(me)?),
        };
        let (id, time) = (at.told, at.time);
        let receipt = Receipt { cursor, id, time, from: reader.handle(from)?, to };
        list.push((at.number, receipt));
    }
    for row in own {
        let to = match kind(row, 4, ConversationId(row.get(3)?))? {
            ConversationKind::Group(name) => Target::Group(name),
            ConversationKind::Direct(pair) => Target::Person(reader.handle(pair.other(me))?),
        };
        let (id, time) = (EntryId(row.get(1)?), Millis(row.get(2)?));
        let receipt = Receipt { cursor: Cursor::Read, id, time, from: reader.handle(me)?, to };
        list.push((MoveNumber(row.get(0)?), receipt));
    }
    list.sort_by_key(|(number, _)| *number);
    Ok(Receipts { list, through })
}

/// A member's cursor in a conversation, and an entry that it has reached.
pub(super) type Crossing<'a> = (ConversationId, &'a Member, Cursor, EntryId);

/// The moves with which these cursors reached or passed those entries; `None` for one where that was
/// its newest move. If the entry is an author's last one, the author was due the receipts up to
/// this move and none after it.
pub(super) fn crossings(
    reader: &mut PgReader,
    all: &[Crossing],
) -> Result<Vec<Option<Move>>, Error> {
    let newer = |(_, who, cursor, id): &Crossing| who.history(*cursor).reaching(*id);
    // Full lists hold the moves before the member's own.
    let is_older = |(_, who, cursor, id): &Crossing| {
        who.history(*cursor).iter().next().is_none_or(|first| first.id >= *id)
    };
    let mut asked = Vec::new();
    for (conversation, who, cursor, id) in all.iter().filter(|one| is_older(one)) {
        let cursor = i64::from(*cursor == Cursor::Read);
        asked.push((
            HISTORY,
            [conversation.0, who.account.0, cursor, id.0].map(Param::Int).to_vec(),
        ));
    }
    let mut answers = reader.many(&asked)?.into_iter();
    let mut found = Vec::with_capacity(all.len());
    for one in all {
        let full = if is_older(one) { answers.next().unwrap_or_default() } else { Vec::new() };
        found.push(match full.first() {
            Some(row) => Moves::new(row.get::<Vec<u8>>(0)?).reaching(one.3),
            None => newer(one),
        });
    }
    Ok(found)
}
