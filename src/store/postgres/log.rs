//! Rows of the log as a reader sees them: messages with the text that holds, and marks that hold.
//! The rules are those of store/sqlite/about.rs; here they are part of the query for the rows, so
//! that a page is one round trip.

use super::PgReader;
use super::expired::EXPIRED;
use super::value::{Param, PgRow};
use crate::entry::{AccountId, Entry, EntryId, EntryKind, EntryTags, Millis};
use crate::limits;
use crate::name::Target;
use crate::store::sqlite::decode::entry_kind;
use crate::store::sqlite::tags;
use crate::store::{ConversationKind, Error};

/// A row of the log, with its author as a number.
pub(super) struct PgLogRow {
    pub(super) id: EntryId,
    /// Whose the conversation is.
    pub(super) of: ConversationKind,
    pub(super) author: AccountId,
    time: Millis,
    pub(super) kind: EntryKind,
    pub(super) body: Box<str>,
    pub(super) tags: Option<Box<EntryTags>>,
    /// `about` knows more of a message.
    pub(super) is_changed: bool,
    /// It is a note that came late, and so waits for its author.
    pub(super) is_late_note: bool,
    /// It is shown: not an expired message, or a mark that does not hold or whose message the reader may not see.
    pub(super) is_shown: bool,
}

/// How rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// As they hold.
    Now,
    /// The same, and the reader's own rows do not count for the size of a page.
    OfOthers,
    /// As they were written.
    AsWritten,
}

/// What a deleted message has in place of its text.
const NO_TEXT: &str = "-";

/// From the inside out: the rows, with what became of the text of each, as far as the reader `$2`
/// may see that; that text; how many bytes come before it. An edit is seen by those who were in by
/// then: in a group by its stays, in a direct chat (`n.direct`; 2: notes to oneself) by both.
/// `OFFSET 0` keeps the planner from joining the steps and looking up the same several times.
const LOG: &str = "SELECT id, author, time, kind, shown, re, tags, changed, gone, edit, seen
    FROM (SELECT s.*, sum(CASE WHEN $5 AND author = $2
                                    AND NOT (direct = 2 AND coalesce(tags LIKE '%late=%', false))
                               THEN 0 ELSE octet_length(shown) END)
                      OVER (ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
          FROM (SELECT r.*, CASE WHEN gone IS NOT NULL THEN $7
                                 WHEN edit IS NOT NULL AND kind = 0
                                     THEN (SELECT body FROM entry WHERE id = r.edit)
                                 ELSE body END AS shown
                FROM (SELECT e.*, n.at, n.direct,
                          CASE WHEN e.changed AND e.kind = 0 AND NOT $6 THEN
                              (SELECT a.mark FROM about a WHERE a.message = e.id AND a.kind = 3)
                          END AS gone,
                          CASE WHEN (e.changed AND e.kind = 0 OR e.kind = 2) AND NOT $6 THEN
                              (SELECT max((SELECT a.mark FROM about a
                                      WHERE a.message = CASE e.kind WHEN 0 THEN e.id ELSE e.re END
                                        AND a.kind = 2 AND a.account = 0
                                        AND a.mark BETWEEN w.since AND w.until
                                      ORDER BY a.mark DESC LIMIT 1))
                               FROM (SELECT 0 AS since, 9223372036854775807 AS until
                                     WHERE n.direct <> 0
                                     UNION ALL
                                     SELECT s.since, coalesce(s.until, 9223372036854775807)
                                     FROM stay s WHERE n.direct = 0 AND s.account = $2
                                       AND s.conversation = e.conversation) AS w)
                          END AS edit,
                          CASE WHEN e.kind IN (2, 3, 4) AND NOT $6 THEN
                              e.re > (SELECT floor FROM leader)
                              AND (e.kind = 3
                                   OR NOT EXISTS(SELECT FROM erasing x WHERE x.message = e.re))
                              AND (n.direct <> 0 OR EXISTS(
                                  SELECT FROM stay s WHERE s.conversation = e.conversation
                                    AND s.account = $2 AND s.since <= e.re
                                    AND (s.until IS NULL OR s.until >= e.re)))
                              ELSE true END AS seen
                      FROM unnest($1, $3) WITH ORDINALITY AS n(id, direct, at)
                      JOIN entry e ON e.id = n.id OFFSET 0) AS r OFFSET 0) AS s) AS t
    WHERE coalesce(before, 0) < $4 ORDER BY at";

/// The words of the reactions that hold, the most frequent first, and how many have each. Of those
/// that are as frequent, the one said first comes first.
pub(super) const TALLY: &str = "SELECT t.message, t.count, e.body, t.word
    FROM tally t JOIN entry e ON e.id = t.word
    WHERE t.message = ANY($1) ORDER BY t.message, t.count DESC, t.word";

/// The reactions of an account.
const MINE: &str = "SELECT a.message, e.body FROM about a JOIN entry e ON e.id = a.mark
    WHERE a.message = ANY($1) AND a.kind = 4 AND a.account = $2";

impl PgReader {
    /// Rows of the log as entries for `me`, with handles in place of numbers.
    pub(super) fn named(
        &mut self,
        me: AccountId,
        rows: Vec<PgLogRow>,
    ) -> Result<Vec<Entry>, Error> {
        let other = |row: &PgLogRow| match row.of {
            ConversationKind::Direct(pair) => pair.other(row.author),
            ConversationKind::Group(_) => row.author,
        };
        let all: Vec<AccountId> = rows.iter().flat_map(|row| [row.author, other(row)]).collect();
        self.learn_handles(all.into_iter())?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let to = match &row.of {
                ConversationKind::Group(name) => Target::Group(name.clone()),
                ConversationKind::Direct(pair) if pair.low == me || pair.high == me => {
                    Target::Person(self.handle(pair.other(row.author))?)
                }
                ConversationKind::Direct(_) => {
                    return Err(Error::damaged(format!("entry {} belongs to others", row.id.0)));
                }
            };
            let from = self.handle(row.author)?;
            let PgLogRow { id, time, kind, tags, body, .. } = row;
            entries.push(Entry { id, time, from, to, kind, tags, body });
        }
        Ok(entries)
    }

    /// Rows of the log by their ids, each with whose its conversation is, for `me`: as many as fit
    /// in a page of [`limits::PAGE_BYTES`], at least one. Those that are not shown are among them.
    pub(super) fn log_rows(
        &mut self,
        me: AccountId,
        ids: &[i64],
        of: &[ConversationKind],
        how: Shown,
    ) -> Result<Vec<PgLogRow>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let direct = of.iter().map(|of| match of {
            ConversationKind::Group(_) => 0,
            ConversationKind::Direct(_) if of.is_notes() => 2,
            ConversationKind::Direct(_) => 1,
        });
        let direct: Vec<i64> = direct.collect();
        let are_free = how == Shown::OfOthers;
        let params = [
            Param::Ints(ids),
            Param::Int(me.0),
            Param::Ints(&direct),
            Param::Int(limits::PAGE_BYTES as i64),
            Param::Bool(are_free),
            Param::Bool(how == Shown::AsWritten),
            Param::Text(NO_TEXT),
        ];
        let rows = self.rows(LOG, &params)?;
        let (mut found, mut bytes) = (Vec::with_capacity(rows.len()), 0);
        for ((row, id), of) in rows.iter().zip(ids).zip(of) {
            if row.get::<i64>(0)? != *id {
                break;
            }
            let row = log_row(row, of)?;
            let is_free = are_free && row.author == me && !row.is_late_note;
            bytes += if is_free { 0 } else { row.body.len() };
            found.push(row);
        }
        match ids.get(found.len()) {
            Some(missing) if bytes < limits::PAGE_BYTES => {
                Err(Error::damaged(format!("entry {missing} is missing")))
            }
            _ => Ok(found),
        }
    }

    /// Adds to messages the reactions to them, and that of `me` among those, who sees them.
    pub(super) fn add_reactions<'a>(
        &mut self,
        me: AccountId,
        rows: impl Iterator<Item = &'a mut PgLogRow>,
    ) -> Result<(), Error> {
        let is_gone = |row: &PgLogRow| row.tags.as_ref().is_some_and(|tags| tags.gone.is_some());
        let mut rows: Vec<&mut PgLogRow> = rows.filter(|row| row.is_changed).collect();
        rows.retain(|row| !is_gone(row));
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_by_key(|row| row.id);
        let ids: Vec<i64> = rows.iter().map(|row| row.id.0).collect();
        let both =
            [(TALLY, vec![Param::Ints(&ids)]), (MINE, vec![Param::Ints(&ids), Param::Int(me.0)])];
        let answers = self.many(&both)?;
        let [tallies, mine] = answers.as_slice() else { return Ok(()) };
        for (answer, is_tally) in [(tallies, true), (mine, false)] {
            for said in answer {
                let Ok(at) = ids.binary_search(&said.get(0)?) else { continue };
                let tags = rows[at].tags.get_or_insert_default();
                if is_tally {
                    tags.react.push(counted(said)?);
                } else {
                    tags.mine = Some(said.get(1)?);
                }
            }
        }
        Ok(())
    }
}

/// A row of [`TALLY`]: how many react with the word.
pub(super) fn counted(row: &PgRow) -> Result<(u64, Box<str>), Error> {
    Ok((row.get::<i64>(1)?.unsigned_abs(), row.get(2)?))
}

/// A row of [`LOG`].
fn log_row(row: &PgRow, of: &ConversationKind) -> Result<PgLogRow, Error> {
    let id = EntryId(row.get(0)?);
    let kind = match row.get(3)? {
        EXPIRED => EntryKind::Group,
        kind => entry_kind(kind)?,
    };
    let is_expired = row.get::<i64>(3)? == EXPIRED;
    let is_changed: bool = row.get(7)?;
    let gone = row.get::<Option<i64>>(8)?.map(EntryId);
    let edit = row.get::<Option<i64>>(9)?.map(EntryId);
    let mut tags = entry_tags(row, 5)?;
    let is_late_note = of.is_notes() && tags.as_ref().is_some_and(|tags| tags.late.is_some());
    let mut is_shown = !is_expired && row.get::<bool>(10)?;
    if kind.is_mark() {
        is_shown &= match kind {
            EntryKind::Edit => edit == Some(id),
            _ => !is_changed,
        };
    } else if gone.is_some() {
        let device = tags.and_then(|tags| tags.device);
        tags = Some(Box::new(EntryTags { gone, device, ..EntryTags::default() }));
    } else if edit.is_some() {
        tags.get_or_insert_default().edit = edit;
    }
    let of = of.clone();
    let (author, time, body) = (AccountId(row.get(1)?), Millis(row.get(2)?), row.get(4)?);
    Ok(PgLogRow { id, of, author, time, kind, body, tags, is_changed, is_late_note, is_shown })
}

/// The tags of an entry, from its `re` and `tags`, which are in `row` from column `first` on.
pub(super) fn entry_tags(row: &PgRow, first: usize) -> Result<Option<Box<EntryTags>>, Error> {
    let re: Option<i64> = row.get(first)?;
    // Of a deleted message nothing is left.
    let stored = row.get::<Option<String>>(first + 1)?.filter(|stored| !stored.is_empty());
    if re.is_none() && stored.is_none() {
        return Ok(None);
    }
    let mut found = Box::new(EntryTags { re: re.map(EntryId), ..EntryTags::default() });
    if let Some(stored) = stored {
        tags::decode(&stored, &mut found)?;
    }
    Ok(Some(found))
}
