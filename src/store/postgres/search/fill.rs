//! Filling the index, through a connection of its own. It waits for no standby: what is lost is made
//! anew.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::super::PgError;
use super::super::log::entry_tags;
use super::super::protocol::PgConnection;
use super::super::source::{PgPurpose, Source};
use super::super::value::{Param, PgRow};
use crate::entry::{ConversationId, EntryId};
use crate::limits;
use crate::store::ids::encode;
use crate::store::search::{
    Filled, Filler, Segment, SegmentDraft, SegmentId, SegmentWord, SegmentWords, Stretch,
    are_neighbours, key, size,
};
use crate::store::{Error, Haste, Indexer};

/// Entries of the log that are read at once, and bytes of the index that are written at once.
const ROWS: i64 = 256;
const BYTES: usize = 256 * 1024;
/// Entries of the log whose changes are noted in one pass.
const NOTED: i64 = 16_384;

/// One fills the index at a time: the number of the lock is "papS" in ASCII. Whoever waits to drop a
/// table has all wait who come after.
const BEGIN: &str = "SELECT pg_try_advisory_lock(1885433939),
    set_config('synchronous_commit', 'off', false), set_config('lock_timeout', '50', false)";

/// How far the log goes, if none of the tables is gone or was emptied.
const NEWEST: &str =
    "SELECT entry, floor, (SELECT count(*) FROM (SELECT FROM search_edited LIMIT 1) AS e)
    FROM leader CROSS JOIN search_progress";

/// The next segment's end and size.
const AHEAD: &str = "SELECT id, total FROM (
        SELECT id, (sum(1 + octet_length(body) / $3) OVER w)::bigint AS total,
               1 + octet_length(body) / $3 AS own
        FROM (SELECT id, body FROM entry WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $4) AS e
        WINDOW w AS (ORDER BY id)) AS n
    WHERE total - own < $4 ORDER BY id DESC LIMIT 1";

const OFTEN_EDITED: &str = "SELECT id, after, upto, size FROM search_segment s
    WHERE (SELECT count(*) FROM (SELECT FROM search_edited LIMIT $1) AS few) >= $1
      AND (SELECT count(*) FROM search_edited e
           WHERE e.message > s.after AND e.message <= s.upto) >= $1
    LIMIT 1";

/// The writer of the index, if this process leads.
pub struct PgIndexer {
    filler: Filler,
    source: Arc<Source>,
    index: Option<PgIndexWriter>,
}

/// The index, with the log.
struct PgIndexWriter {
    on: PgConnection,
    /// Up to where changes are known, in memory: what is in the table may be older.
    seen: EntryId,
    /// Former segments may be left.
    is_swept: bool,
}

impl PgIndexer {
    pub(in super::super) fn new(source: Arc<Source>) -> PgIndexer {
        PgIndexer { filler: Filler::new(), source, index: None }
    }

    /// The same, but it makes a segment of so few new entries, and deleted texts leave the index with
    /// the next pass.
    pub fn eager(self, tail: usize) -> PgIndexer {
        PgIndexer { filler: self.filler.eager(tail), ..self }
    }

    /// Whether it may fill the index: this process leads, and no other one does it.
    fn begin(&mut self) -> Result<bool, PgError> {
        if !self.source.leads() {
            self.index = None;
            self.filler.saw(EntryId(0), EntryId(0), |_, _| Ok::<_, PgError>((None, None)))?;
            return Ok(false);
        }
        if self.index.is_none() {
            let mut on = self.source.connect(PgPurpose::Write)?;
            if !one(&on.query(BEGIN, &[])?)?.get(0)? {
                return Ok(false);
            }
            on.query("SELECT papo_search_open()", &[])?;
            let seen = on.query("SELECT seen FROM search_progress", &[])?;
            let seen = EntryId(one(&seen)?.get(0)?);
            self.filler.opened();
            self.index = Some(PgIndexWriter { on, seen, is_swept: false });
        }
        if let Some(index) = &mut self.index {
            let rows = index.on.query(NEWEST, &[])?;
            let row = one(&rows)?;
            let (newest, floor) = (EntryId(row.get(0)?), EntryId(row.get(1)?));
            self.filler.saw(newest, floor, |above, upto| stretch(&mut index.on, above, upto))?;
        }
        Ok(true)
    }

    fn fill(&mut self, go_on: &dyn Fn(Haste) -> bool) -> Result<bool, Error> {
        if !self.begin()? {
            return Ok(false);
        }
        let Some(index) = &mut self.index else { return Ok(false) };
        let is_more = self.filler.fill(index, go_on)?;
        if !index.is_swept {
            index.clean()?;
        }
        Ok(is_more)
    }
}

impl Indexer for PgIndexer {
    /// Makes the tables if this process leads already. A node that will lead makes them then.
    fn open(&mut self) -> Result<(), Error> {
        self.begin().map(drop).map_err(Into::into)
    }

    fn pass(&mut self, go_on: &dyn Fn(Haste) -> bool) -> Result<bool, Error> {
        let filled = self.fill(go_on);
        if filled.is_err() {
            // A transaction may be open, tables may be missing.
            self.index = None;
        }
        filled
    }

    fn lag(&self) -> u64 {
        self.filler.lag()
    }
}

fn one(rows: &[PgRow]) -> Result<&PgRow, PgError> {
    rows.first().ok_or_else(|| PgError::Odd("a row is missing".into()))
}

/// See [`Filled::stretch`].
fn stretch(on: &mut PgConnection, above: EntryId, upto: EntryId) -> Result<Stretch, PgError> {
    let sql = "SELECT (SELECT max(id) FROM entry WHERE id > $1 AND id <= $2),
                      (SELECT min(id) FROM entry WHERE id > $2)";
    let rows = on.query(sql, &[Param::Int(above.0), Param::Int(upto.0)])?;
    let row = one(&rows)?;
    let id =
        |at| -> Result<Option<EntryId>, PgError> { Ok(row.get::<Option<i64>>(at)?.map(EntryId)) };
    Ok((id(0)?, id(1)?))
}

/// A segment, from its row.
pub(super) fn segment(row: &PgRow) -> Result<Segment, PgError> {
    Ok(Segment {
        id: SegmentId(row.get(0)?),
        after: EntryId(row.get(1)?),
        upto: EntryId(row.get(2)?),
        size: usize::try_from(row.get::<i64>(3)?).unwrap_or(0),
    })
}

impl PgIndexWriter {
    /// The words of the entries above one and up to another, the size of these, and when the first of
    /// them expires; nothing if it is not to `go_on`.
    fn draft(
        &mut self,
        floor: EntryId,
        (after, upto): (EntryId, EntryId),
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<(SegmentDraft, usize, Option<i64>)>, Error> {
        let sql = "SELECT id, conversation, kind, body, changed, re, tags, time FROM entry
                   WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3";
        let edits = "SELECT a.message, e.body FROM about a JOIN entry e ON e.id = a.mark
                     WHERE a.message = ANY($1) AND a.kind = 2
                       AND NOT EXISTS(SELECT FROM erasing x WHERE x.message = a.message)";
        let mut draft = SegmentDraft::new(after);
        let (mut all, mut at, mut due) = (0, after.max(floor).0, None);
        loop {
            let rows =
                self.on.query(sql, &[Param::Int(at), Param::Int(upto.0), Param::Int(ROWS)])?;
            let mut changed = Vec::new();
            for row in &rows {
                if row.get(4)? {
                    changed.push(row.get::<i64>(0)?);
                }
            }
            let mut later: FxHashMap<i64, Vec<Box<str>>> = FxHashMap::default();
            if !changed.is_empty() {
                for row in self.on.query(edits, &[Param::Ints(&changed)])? {
                    later.entry(row.get(0)?).or_default().push(row.get(1)?);
                }
            }
            for row in &rows {
                let (id, body): (i64, Box<str>) = (row.get(0)?, row.get(3)?);
                at = id;
                all += size(body.len());
                if row.get::<i64>(2)? == 0 {
                    if let Some(seconds) = entry_tags(row, 5)?.and_then(|tags| tags.exp) {
                        let time: i64 = row.get(7)?;
                        let expires = time.saturating_add(i64::from(seconds) * 1000);
                        due = due.into_iter().chain([expires]).min();
                    }
                    let conversation = ConversationId(row.get(1)?);
                    for text in [body].into_iter().chain(later.remove(&id).unwrap_or_default()) {
                        draft.add(conversation, EntryId(id), &text);
                    }
                }
            }
            if rows.is_empty() {
                return Ok(Some((draft, all, due)));
            }
            if !go_on() {
                return Ok(None);
            }
        }
    }

    /// Writes the words of a new segment.
    fn add(&mut self, segment: i64, words: &mut SegmentWords) -> Result<(), PgError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while let Some(SegmentWord { conversation, word, list }) = words.next_word() {
            let key = key(conversation, word);
            bytes += key.len() + list.len() + 16;
            rows.push((key, list.to_vec()));
            if bytes >= BYTES {
                self.add_words(segment, &rows)?;
                rows.clear();
                bytes = 0;
            }
        }
        self.add_words(segment, &rows)
    }

    fn add_words(&mut self, segment: i64, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), PgError> {
        let keys: Vec<&[u8]> = rows.iter().map(|(key, _)| &key[..]).collect();
        let lists: Vec<&[u8]> = rows.iter().map(|(_, ids)| &ids[..]).collect();
        let params = [Param::Int(segment), Param::Blobs(&keys), Param::Blobs(&lists)];
        self.on.query("SELECT papo_search_add($1, $2, $3)", &params).map(drop)
    }
}

impl Filled for PgIndexWriter {
    fn forget(&mut self, floor: EntryId) -> Result<bool, Error> {
        let rows = self.on.query("SELECT papo_search_forget($1)", &[Param::Int(floor.0)])?;
        let has_some: bool = one(&rows)?.get(0)?;
        self.is_swept &= !has_some;
        Ok(has_some)
    }

    fn segments(&mut self) -> Result<Vec<Segment>, Error> {
        let sql = "SELECT id, after, upto, size FROM search_segment ORDER BY upto";
        let all: Vec<Segment> =
            self.on.query(sql, &[])?.iter().map(segment).collect::<Result<_, _>>()?;
        if are_neighbours(&all) {
            return Ok(all);
        }
        log::warn!("the index for searching is damaged, and is made anew");
        self.on.query("DELETE FROM search_segment", &[])?;
        self.is_swept = false;
        Ok(Vec::new())
    }

    fn note(&mut self, end: EntryId) -> Result<bool, Error> {
        let params = [self.seen.0, end.0, NOTED].map(Param::Int);
        let rows =
            self.on.query("SELECT last, number FROM papo_search_note($1, $2, $3)", &params)?;
        let row = one(&rows)?;
        self.seen = EntryId(row.get(0)?);
        Ok(row.get::<i64>(1)? == NOTED)
    }

    fn stale(&mut self) -> Result<Option<Segment>, Error> {
        let sql = "SELECT id, after, upto, size FROM search_segment WHERE stale LIMIT 1";
        Ok(self.on.query(sql, &[])?.first().map(segment).transpose()?)
    }

    fn stretch(&mut self, above: EntryId, upto: EntryId) -> Result<Stretch, Error> {
        Ok(stretch(&mut self.on, above, upto)?)
    }

    fn ahead(&mut self, end: EntryId, most: usize) -> Result<(EntryId, usize), Error> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let params = [end.0, self.seen.0, limits::SEARCH_ENTRY_BYTES as i64, most].map(Param::Int);
        let rows = self.on.query(AHEAD, &params)?;
        let Some(row) = rows.first() else { return Ok((end, 0)) };
        Ok((EntryId(row.get(0)?), usize::try_from(row.get::<i64>(1)?).unwrap_or(0)))
    }

    fn make(
        &mut self,
        floor: EntryId,
        within: (EntryId, EntryId),
        _old: &[Segment],
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        let Some((draft, size, due)) = self.draft(floor, within, go_on)? else { return Ok(()) };
        self.is_swept = false;
        // Not in one transaction: as long as that lasts, no version of a row that others replace can
        // be removed, and theirs are replaced for each message. Nobody sees a table before there is
        // a segment for it, and one without is swept.
        let number = one(&self.on.query("SELECT papo_search_make()", &[])?)?.get(0)?;
        let mut words = draft.sorted();
        self.add(number, &mut words)?;
        let of: Vec<EntryId> = words.conversations().iter().map(|id| EntryId(id.0)).collect();
        let conversations = encode(EntryId(0), &of);
        let params = [
            Param::Int(number),
            Param::Int(within.0.0),
            Param::Int(within.1.0),
            Param::Int(i64::try_from(size).unwrap_or(i64::MAX)),
            Param::Int(floor.0),
            Param::Int(self.seen.0),
            Param::MaybeInt(due),
            Param::Bytes(&conversations),
        ];
        self.on.query("SELECT papo_search_put($1, $2, $3, $4, $5, $6, $7, $8)", &params)?;
        Ok(())
    }

    fn often_edited(&mut self, _all: &[Segment]) -> Result<Option<Segment>, Error> {
        let rows = self.on.query(OFTEN_EDITED, &[Param::Int(limits::SEARCH_EDITED as i64)])?;
        Ok(rows.first().map(segment).transpose()?)
    }

    fn clean(&mut self) -> Result<bool, Error> {
        let left: i64 = one(&self.on.query("SELECT papo_search_sweep()", &[])?)?.get(0)?;
        self.is_swept = left == 0;
        Ok(self.is_swept)
    }
}
