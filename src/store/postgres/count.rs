//! How many entries wait above a cursor, by arithmetic, even if some of them have expired; and
//! whether marks do, which are not counted.
//!
//! The number is that of all entries above the cursor, less those among them that are exempt (see
//! [`Member::exempt`](crate::store::Member::exempt)). If the cursor stands below the last expired
//! entry of its conversation, counting starts at that entry instead. How many entries up to there
//! are exempt follows from what is stored; nothing is written for each member when entries expire.

use super::PgReader;
use super::expire::floor;
use super::gather::EXEMPT_MARK;
use super::merge::windows;
use super::span::span;
use super::value::{Param, PgRow};
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::limits;
use crate::store::{Error, SpanQuery, WaitingCount};

/// The columns of [`waiting`], and more, of the conversations of an account where something waits.
macro_rules! lanes_where {
    ($which: literal) => {
        concat!(
            "SELECT c.id, c.head, m.delivered,
                c.low IS NULL, c.gone_seq, c.gone_author, c.gone_author_seq,
                coalesce(m.until_seq, c.seq), m.exempt, m.last_own, m.read_exempt,
                m.delivered_seq, m.delivered_exempt,
                CASE WHEN c.marked <= m.delivered THEN false
                     WHEN c.low IS NOT NULL THEN true
                     ELSE EXISTS(SELECT FROM stay s WHERE s.conversation = c.id
                         AND s.account = m.account AND EXISTS(
                             SELECT FROM entry e WHERE e.conversation = c.id AND e.kind > 1
                               AND e.id > greatest(m.delivered, s.since - 1)
                               AND (s.until IS NULL OR e.id <= s.until))) END
             FROM member m JOIN conversation c ON c.id = m.conversation
             WHERE m.account = $1
               AND (coalesce(m.until_seq, c.seq) > greatest(m.delivered_seq, c.gone_seq)
                    OR c.marked > m.delivered) AND ",
            $which
        )
    };
}

/// How many entries up to `upto` wait for an account, in its groups and in the direct chats where
/// some do. After [`limits::PENDING`] conversations the rest is not counted.
pub(super) fn all_waiting(
    reader: &mut PgReader,
    me: AccountId,
    upto: EntryId,
) -> Result<WaitingCount, Error> {
    let (mut waiting, mut marks, mut counted) = (0, false, 0);
    for sql in [lanes_where!("m.recent = 0 AND $2 > 0"), lanes_where!("m.waits <= $2")] {
        for row in reader.rows(sql, &[Param::Int(me.0), Param::Int(upto.0)])? {
            let (id, head) = (ConversationId(row.get(0)?), EntryId(row.get(1)?));
            let delivered = EntryId(row.get(2)?);
            let mut here = self::waiting(reader, me, id, &row, 3)?;
            if head > upto {
                // Entries above `upto`, a few at most, are not counted.
                let after = Some(upto.max(delivered));
                let query = SpanQuery { count: usize::MAX - 1, before: None, after, re: None };
                let windows = windows(reader, me, id, row.get(3)?)?;
                let newer = span(reader, id, &windows, &query)?.ids;
                let newer: Vec<i64> = newer.into_iter().map(|id| id.0).collect();
                // Notes wait for their author if they came late.
                let sql = "SELECT count(*) FROM entry e
                           JOIN conversation c ON c.id = e.conversation
                           WHERE e.id = ANY($1) AND (e.author <> $2 OR
                               (c.low = c.high AND coalesce(e.tags LIKE '%late=%', false)))";
                let others = reader.row(sql, &[Param::Ints(&newer), Param::Int(me.0)])?;
                here -= others.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or(0);
            }
            waiting += here;
            let has_marks: bool = row.get(13)?;
            marks |= has_marks;
            counted += usize::from(here > 0 || has_marks);
            if counted >= limits::PENDING {
                break;
            }
        }
    }
    Ok(WaitingCount { count: u64::try_from(waiting).unwrap_or(0), marks })
}

/// How many entries wait above a cursor. From column `first` on, `row` has these columns of
/// `conversation c` and `member m`: `c.low IS NULL`, `c.gone_seq`, `c.gone_author`,
/// `c.gone_author_seq`, the `seq` of the last entry that the member may see, `m.exempt`,
/// `m.last_own`, `m.read_exempt`; and then the `seq` and `exempt` of the cursor.
pub(super) fn waiting(
    reader: &mut PgReader,
    me: AccountId,
    conversation: ConversationId,
    row: &PgRow,
    first: usize,
) -> Result<i64, Error> {
    let number = |at: usize| row.get::<i64>(first + at);
    let (is_group, gone): (bool, i64) = (row.get(first)?, number(1)?);
    let (last, exempt) = (number(4)?, number(5)?);
    let (mut seq, mut upto) = (number(8)?, number(9)?);
    if seq < gone {
        let start = if is_group {
            let (last_own, least) = (EntryId(number(6)?), number(7)?);
            group_start(reader, me, conversation, gone, (exempt, last_own, least))?
        } else {
            // In a direct chat, entries that are not the author's are the other member's.
            let (author, author_seq) = (AccountId(number(2)?), number(3)?);
            Some((gone, if author == me { author_seq } else { gone - author_seq }))
        };
        match start {
            Some(start) if start.0 > seq => (seq, upto) = start,
            Some(_) => {}
            None => return Ok(0),
        }
    }
    Ok(last - seq - (exempt - upto))
}

/// Where counting starts for a member of a group if the `gone`-th entry is the last expired one: a
/// `seq`, and how many entries up to there do not wait for the member. `None` if it was not in
/// since. `exempt` and `last_own` are the member's; `least` is `exempt` at its read cursor, the
/// lower of the two.
fn group_start(
    reader: &mut PgReader,
    me: AccountId,
    conversation: ConversationId,
    gone: i64,
    (exempt, last_own, least): (i64, EntryId, i64),
) -> Result<Option<(i64, i64)>, Error> {
    let sql = "SELECT since_seq, (SELECT max(since_seq) FROM stay
                                  WHERE conversation = $1 AND account = $2)
               FROM stay WHERE conversation = $1 AND account = $2
                 AND (until_seq IS NULL OR until_seq > $3) ORDER BY since LIMIT 1";
    let stay = reader.row(sql, &[conversation.0, me.0, gone].map(Param::Int))?;
    let Some(stay) = stay else { return Ok(None) };
    let (since, joined): (i64, i64) = (stay.get(0)?, stay.get(1)?);
    // For a member who was out at that point, counting starts just before its next stay, where a
    // mark may have been written.
    let from = gone.max(since - 1);
    // No exempt entry lies above: none of its own, and none from before its latest stay.
    if from >= joined && last_own <= floor(reader)? {
        return Ok(Some((from, exempt)));
    }
    // Without a mark up to there, no exempt entry lies between the lower cursor and there: see
    // `Chat::exempt_upto`.
    let noted = reader.row(EXEMPT_MARK, &[conversation.0, me.0, from].map(Param::Int))?;
    let noted = noted.map(|row| row.get(0)).transpose()?;
    Ok(Some((from, noted.unwrap_or(least).max(least))))
}
