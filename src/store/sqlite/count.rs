//! How many entries wait above a cursor, by arithmetic, even if some of them have expired; and
//! whether marks do, which are not counted.
//!
//! The number is that of all entries above the cursor, less those among them that are exempt (see
//! [`Member::exempt`](crate::store::Member::exempt)). If the cursor stands below the last expired
//! entry of its conversation, counting starts at that entry instead. How many entries up to there
//! are exempt follows from what is stored; nothing is written for each member when entries expire.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::expire::floor;
use super::merge::has_marks;
use super::span::span;
use super::visible::windows;
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::limits;
use crate::store::{Error, SpanQuery, WaitingCount};

/// How many entries up to `upto` wait for an account, in its groups and in the direct chats where
/// some do. After [`limits::PENDING`] conversations the rest is not counted.
pub(super) fn all_waiting(
    read: &Connection,
    me: AccountId,
    upto: EntryId,
) -> Result<WaitingCount, Error> {
    let columns = "SELECT c.id, c.head, m.delivered,
                c.low IS NULL, c.gone_seq, c.gone_author, c.gone_author_seq,
                coalesce(m.until_seq, c.seq), m.exempt, m.last_own, m.read_exempt,
                m.delivered_seq, m.delivered_exempt, c.marked > m.delivered
         FROM member m JOIN conversation c ON c.id = m.conversation
         WHERE m.account = ?1
           AND (coalesce(m.until_seq, c.seq) > max(m.delivered_seq, c.gone_seq)
                OR c.marked > m.delivered)";
    // Notes wait for their author if they came late.
    let mut waits = read.prepare_cached(
        "SELECT e.author <> ?2 OR (c.low = c.high AND coalesce(e.tags LIKE '%late=%', 0))
         FROM entry e JOIN conversation c ON c.id = e.conversation WHERE e.id = ?1",
    )?;
    let (mut waiting, mut marks, mut counted) = (0, false, 0);
    for which in ["m.recent = 0 AND ?2 > 0", "m.waits <= ?2"] {
        let mut lanes = read.prepare_cached(&format!("{columns} AND {which}"))?;
        let mut rows = lanes.query([me.0, upto.0])?;
        while let Some(row) = rows.next()? {
            let (id, head) = (ConversationId(row.get(0)?), EntryId(row.get(1)?));
            let delivered = EntryId(row.get(2)?);
            let mut here = self::waiting(read, me, id, row, 3)?;
            if head > upto {
                // Entries above `upto`, a few at most, are not counted.
                let after = Some(upto.max(delivered));
                let query = SpanQuery { count: usize::MAX - 1, before: None, after, re: None };
                let windows = windows(read, me, id, row.get(3)?)?;
                for newer in span(read, id, &windows, &query)?.ids {
                    here -= waits.query_row([newer.0, me.0], |row| row.get::<_, i64>(0))?;
                }
            }
            waiting += here;
            let has_marks =
                row.get(13)? && (marks || has_marks(read, me, id, row.get(3)?, delivered)?);
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
    read: &Connection,
    me: AccountId,
    conversation: ConversationId,
    row: &Row,
    first: usize,
) -> Result<i64, Error> {
    let number = |at: usize| row.get::<_, i64>(first + at);
    let (is_group, gone): (bool, i64) = (row.get(first)?, number(1)?);
    let (last, exempt) = (number(4)?, number(5)?);
    let (mut seq, mut upto) = (number(8)?, number(9)?);
    if seq < gone {
        let start = if is_group {
            let (last_own, least) = (EntryId(number(6)?), number(7)?);
            group_start(read, me, conversation, gone, (exempt, last_own, least))?
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
    read: &Connection,
    me: AccountId,
    conversation: ConversationId,
    gone: i64,
    (exempt, last_own, least): (i64, EntryId, i64),
) -> Result<Option<(i64, i64)>, Error> {
    let mut stays = read.prepare_cached(
        "SELECT since_seq, (SELECT max(since_seq) FROM stay
                            WHERE conversation = ?1 AND account = ?2)
         FROM stay WHERE conversation = ?1 AND account = ?2
           AND (until_seq IS NULL OR until_seq > ?3) ORDER BY since LIMIT 1",
    )?;
    let stay = stays.query_row(params![conversation.0, me.0, gone], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    });
    let Some((since, joined)) = stay.optional()? else { return Ok(None) };
    // For a member who was out at that point, counting starts just before its next stay, where a
    // mark may have been written.
    let from = gone.max(since - 1);
    // No exempt entry lies above: none of its own, and none from before its latest stay.
    if from >= joined && last_own <= floor(read)? {
        return Ok(Some((from, exempt)));
    }
    // Without a mark up to there, no exempt entry lies between the lower cursor and there: see
    // `Chat::exempt_upto`.
    let noted = exempt_mark(read, conversation, me, from)?;
    Ok(Some((from, noted.unwrap_or(least).max(least))))
}

/// The count of a member's newest exempt mark up to `seq`, if there is one.
pub(super) fn exempt_mark(
    read: &Connection,
    conversation: ConversationId,
    account: AccountId,
    seq: i64,
) -> Result<Option<i64>, Error> {
    let sql = "SELECT count FROM exempt_mark WHERE conversation = ?1 AND account = ?2
               AND seq <= ?3 ORDER BY seq DESC LIMIT 1";
    let mut query = read.prepare_cached(sql)?;
    let keys = params![conversation.0, account.0, seq];
    Ok(query.query_row(keys, |row| row.get(0)).optional()?)
}
