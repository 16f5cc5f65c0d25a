//! What holds about one message: for the rules, for `MARKS`, and whether it was answered.

use super::PgReader;
use super::decode::{kind, pos};
use super::files::file_at;
use super::log::{Shown, counted, entry_tags};
use super::value::{Param, PgRow};
use crate::entry::{AccountId, ConversationId, Entry, EntryId, EntryTags, FileState, Millis};
use crate::limits;
use crate::store::sqlite::decode::entry_kind;
use crate::store::{Error, ListPage, MessageState, Tallied, WordCount};

/// An entry with what became of its text. Its first columns are those of
/// [`POS`](super::gather::POS).
pub(super) const STATE: &str = "SELECT e.conversation, e.id, e.seq, e.author, e.author_seq,
        CASE WHEN e.kind > 1 THEN coalesce(e.re, 0) ELSE 0 END, e.time, e.kind, e.re, e.tags,
        g.id, g.time, t.id, t.time,
        CASE WHEN g.id IS NULL THEN coalesce(t.body, e.body) ELSE '' END, f.content, f.bytes,
        e.changed
     FROM entry e LEFT JOIN file f ON f.entry = e.id
     LEFT JOIN LATERAL (SELECT x.id, x.time FROM about a JOIN entry x ON x.id = a.mark
                        WHERE a.message = e.id AND a.kind = 3 LIMIT 1) AS g ON true
     LEFT JOIN LATERAL (SELECT x.id, x.time, x.body FROM about a JOIN entry x ON x.id = a.mark
                        WHERE a.message = e.id AND a.kind = 2 AND a.account = 0
                        ORDER BY a.mark DESC LIMIT 1) AS t ON true
     WHERE e.id = $1 AND e.kind <> -2 AND e.id > (SELECT floor FROM leader)";

/// The reaction of an account that holds.
pub(super) const REACTION: &str = "SELECT a.mark, e.time, e.body
     FROM about a JOIN entry e ON e.id = a.mark
     WHERE a.message = $1 AND a.kind = 4 AND a.account = $2";

/// A question about a message `e`, in `conversation c`, that the account `$2` may see, unless it was
/// deleted: the columns asked for, and the tables they need.
macro_rules! of_seen {
    ($columns: literal, $join: literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM entry e JOIN conversation c ON c.id = e.conversation ",
            $join,
            " WHERE e.id = $1 AND e.id > (SELECT floor FROM leader) AND e.kind = 0
                AND (c.low = $2 OR c.high = $2 OR c.low IS NULL AND EXISTS(
                    SELECT FROM stay s WHERE s.conversation = c.id AND s.account = $2
                      AND s.since <= e.id AND (s.until IS NULL OR s.until >= e.id)))
                AND NOT EXISTS(SELECT FROM about a WHERE a.message = e.id AND a.kind = 3)"
        )
    };
}

/// The text of a message that an account may see; and the last edit that it may see.
pub(super) const TEXT_FOR: &str = of_seen!(
    "coalesce(t.body, e.body), t.id, c.id, c.low, c.high,
         (SELECT name FROM group_info WHERE conversation = c.id)",
    "LEFT JOIN LATERAL (
         SELECT max((SELECT a.mark FROM about a
                     WHERE a.message = e.id AND a.kind = 2 AND a.account = 0
                       AND a.mark BETWEEN w.since AND w.until
                     ORDER BY a.mark DESC LIMIT 1)) AS mark
         FROM (SELECT 0 AS since, 9223372036854775807 AS until WHERE c.low IS NOT NULL
               UNION ALL
               SELECT s.since, coalesce(s.until, 9223372036854775807) FROM stay s
               WHERE c.low IS NULL AND s.conversation = c.id AND s.account = $2) AS w) AS m ON true
     LEFT JOIN entry t ON t.id = m.mark"
);

/// What says whether a message is a file: its `re`, its `tags` and the row of its file.
const FILE_STATE: &str =
    of_seen!("e.re, e.tags, f.content, f.bytes", "LEFT JOIN file f ON f.entry = e.id");

/// The edits and reactions above `$3` that hold, or once did, as far as an account may see them.
/// Of reactions there is one a member at most; of edits there may be any number.
const MARKS: &str = "WITH w AS (
         SELECT 0 AS since, 9223372036854775807 AS until
         FROM entry e JOIN conversation c ON c.id = e.conversation
         WHERE e.id = $1 AND c.low IS NOT NULL
         UNION ALL
         SELECT s.since, coalesce(s.until, 9223372036854775807)
         FROM entry e JOIN stay s ON s.conversation = e.conversation AND s.account = $2
         WHERE e.id = $1)
     SELECT mark FROM w CROSS JOIN LATERAL (
         (SELECT a.mark FROM about a
          WHERE a.message = $1 AND a.kind = 2 AND a.account = 0
            AND a.mark > $3 AND a.mark BETWEEN w.since AND w.until
          ORDER BY a.mark LIMIT $4)
         UNION ALL
         SELECT a.mark FROM about a
         WHERE a.message = $1 AND a.kind = 4
           AND a.mark > $3 AND a.mark BETWEEN w.since AND w.until) AS m
     ORDER BY mark LIMIT $4";

/// Whether anybody else has answered a message of an account. In a direct chat the other has said
/// something since if not all entries since are the account's.
const ANSWERED: &str = of_seen!(
    "coalesce(c.low < c.high AND c.seq - e.seq > m.exempt - e.author_seq, false)
         OR EXISTS(SELECT FROM reply r WHERE r.message = e.id AND r.author <> $2)
         OR EXISTS(SELECT FROM about a
                   WHERE a.message = e.id AND a.kind = 4 AND a.account <> $2)",
    "JOIN member m ON m.conversation = c.id AND m.account = $2 AND e.author = $2"
);

/// An entry with all that holds about it, from a row of [`STATE`] and those of
/// [`TALLY`](super::log::TALLY).
pub(super) fn state(row: &PgRow, tally: &[PgRow]) -> Result<MessageState, Error> {
    let dated = |at: usize| -> Result<Option<(EntryId, Millis)>, Error> {
        let (id, time): (Option<i64>, Option<i64>) = (row.get(at)?, row.get(at + 1)?);
        Ok(id.map(EntryId).zip(time.map(Millis)))
    };
    let gone = dated(10)?;
    let tallied = |row: &PgRow| -> Result<Tallied, Error> {
        let (count, word) = counted(row)?;
        Ok(Tallied { word, by: WordCount { keeper: EntryId(row.get(3)?), count } })
    };
    Ok(MessageState {
        pos: pos(row)?,
        time: Millis(row.get(6)?),
        kind: entry_kind(row.get(7)?)?,
        gone,
        edit: dated(12)?.filter(|_| gone.is_none()),
        body: row.get(14)?,
        tags: entry_tags(row, 8)?.filter(|_| gone.is_none()),
        file: file_at(row, 15)?,
        tally: tally.iter().map(tallied).collect::<Result<_, _>>()?,
        changed: row.get(17)?,
    })
}

/// Part of what holds about a message: see [`Reader::marks`](crate::store::Reader::marks).
pub(super) fn marks(
    reader: &mut PgReader,
    me: AccountId,
    id: EntryId,
    after: EntryId,
) -> Result<Option<ListPage<Entry, EntryId>>, Error> {
    let row = reader.row(TEXT_FOR, &[Param::Int(id.0), Param::Int(me.0)])?;
    let Some(row) = row else { return Ok(None) };
    let is_edited = row.get::<Option<i64>>(1)?.is_some();
    let of = kind(&row, 3, ConversationId(row.get(2)?))?;
    let most = limits::PAGE_ROWS as i64 + 1;
    let found = reader.rows(MARKS, &[id.0, me.0, after.0, most].map(Param::Int))?;
    let mut ids = found.iter().map(|row| row.get(0)).collect::<Result<Vec<i64>, _>>()?;
    if is_edited && after < id {
        ids.insert(0, id.0);
    }
    let page = &ids[..ids.len().min(limits::PAGE_ROWS)];
    let mut rows = reader.log_rows(me, page, &vec![of; page.len()], Shown::AsWritten)?;
    for row in rows.iter_mut().filter(|row| row.id == id) {
        row.tags = Some(Box::new(EntryTags { re: Some(id), ..EntryTags::default() }));
    }
    let next = rows.last().map(|row| row.id).filter(|_| rows.len() < ids.len());
    Ok(Some(ListPage { rows: reader.named(me, rows)?, next }))
}

/// See [`Reader::file`](crate::store::Reader::file).
pub(super) fn file_state(
    reader: &mut PgReader,
    me: AccountId,
    id: EntryId,
) -> Result<Option<FileState>, Error> {
    let Some(row) = reader.row(FILE_STATE, &[Param::Int(id.0), Param::Int(me.0)])? else {
        return Ok(None);
    };
    let is_file = entry_tags(&row, 0)?.is_some_and(|tags| tags.file.is_some());
    if !is_file {
        return Ok(Some(FileState::None));
    }
    Ok(Some(file_at(&row, 2)?.map_or(FileState::Forgotten, FileState::Kept)))
}

/// Whether anybody else has answered a message of `me`: see
/// [`Reader::answered`](crate::store::Reader::answered).
pub(super) fn answered(
    reader: &mut PgReader,
    me: AccountId,
    id: EntryId,
) -> Result<Option<bool>, Error> {
    let row = reader.row(ANSWERED, &[Param::Int(id.0), Param::Int(me.0)])?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}
