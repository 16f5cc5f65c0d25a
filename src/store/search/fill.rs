//! Filling an index, behind the log: a pass notes which texts have changed, makes a segment of what
//! is new, and makes those again that have words of deleted texts.
//!
//! A segment has the words of all texts that its messages have had and that are still in the log,
//! since members who have left a group still see the text of their time.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::segment::{Segment, most, to_merge};
use crate::entry::EntryId;
use crate::limits;
use crate::store::Error;

/// An index that is filled, with the log that it is of.
pub(in crate::store) trait Filled {
    /// Drops segments of entries that have expired, up to `floor`. One that has some of them gets
    /// stale. Returns whether there were any.
    fn forget(&mut self, floor: EntryId) -> Result<bool, Error>;
    /// Its segments, in the order of the log.
    fn segments(&mut self) -> Result<Vec<Segment>, Error>;
    /// Notes which messages of segments, which end at `end`, have changed by further entries of the
    /// log. Returns whether there are more.
    fn note(&mut self, end: EntryId) -> Result<bool, Error>;
    /// A segment with words of deleted texts.
    fn stale(&mut self) -> Result<Option<Segment>, Error>;
    /// The last of the entries above `end` that are to be indexed next, and their size: as many as
    /// have been noted, and no more than the first that reaches `most`.
    fn ahead(&mut self, end: EntryId, most: usize) -> Result<(EntryId, usize), Error>;
    /// Makes a segment of the entries above one and up to another, in place of `old`; none if it
    /// `ends` meanwhile.
    fn make(
        &mut self,
        floor: EntryId,
        within: (EntryId, EntryId),
        old: &[Segment],
        ends: &AtomicBool,
    ) -> Result<(), Error>;
    /// A segment with [`SEARCH_EDITED`](limits::SEARCH_EDITED) edited messages, so that looking at
    /// each costs too much.
    fn often_edited(&mut self, all: &[Segment]) -> Result<Option<Segment>, Error>;
    /// Has what was deleted leave the disk. Returns whether that is done: `false` if a reader is in
    /// the way.
    fn clean(&mut self) -> Result<bool, Error>;
}

/// Fills an index, pass by pass.
pub(in crate::store) struct Filler {
    /// Size of new entries that make a segment.
    tail: usize,
    /// For how long segments with words of deleted texts may stay; and from one segment that is
    /// made again because its messages were edited to the next.
    erase: Duration,
    /// Since when there are segments with words of deleted texts.
    stale: Option<Instant>,
    /// When a segment was last made again because its messages were edited.
    remade: Option<Instant>,
    /// What was deleted may still be on the disk.
    is_soiled: bool,
    /// The newest entry, the last one that has expired, and the last one that is indexed.
    newest: EntryId,
    floor: EntryId,
    end: EntryId,
}

impl Filler {
    pub(in crate::store) fn new() -> Filler {
        Filler {
            tail: limits::SEARCH_TAIL,
            erase: limits::SEARCH_ERASE,
            stale: None,
            remade: None,
            is_soiled: true,
            newest: EntryId(0),
            floor: EntryId(0),
            end: EntryId(0),
        }
    }

    /// The same, but it makes a segment of so few new entries, and deleted texts leave the index with
    /// the next pass.
    pub(in crate::store) fn eager(self, tail: usize) -> Filler {
        Filler { tail, erase: Duration::ZERO, ..self }
    }

    /// The index was opened, or made: nothing is known of it.
    pub(in crate::store) fn opened(&mut self) {
        (self.is_soiled, self.stale, self.end) = (true, None, EntryId(0));
    }

    /// The log has reached an entry, and those up to `floor` have expired.
    pub(in crate::store) fn saw(&mut self, newest: EntryId, floor: EntryId) {
        (self.newest, self.floor) = (newest, floor);
    }

    /// Entries that are not indexed yet.
    pub(in crate::store) fn lag(&self) -> u64 {
        u64::try_from(self.newest.0 - self.end.max(self.floor).0).unwrap_or(0)
    }

    /// Does a part of what is to be done; returns whether there is more. See [`Indexer::pass`].
    ///
    /// [`Indexer::pass`]: crate::store::Indexer::pass
    pub(in crate::store) fn fill(
        &mut self,
        index: &mut impl Filled,
        ends: &AtomicBool,
    ) -> Result<bool, Error> {
        let floor = self.floor;
        self.is_soiled |= index.forget(floor)?;
        let all = index.segments()?;
        self.end = all.last().map_or(floor, |last| last.upto);
        let is_more = index.note(self.end)?;
        if let Some(erased) = index.stale()? {
            let since = *self.stale.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.erase {
                index.make(floor, (erased.after, erased.upto), &[erased], ends)?;
                self.is_soiled = true;
                return Ok(true);
            }
        } else {
            self.stale = None;
        }
        let most = most(self.newest);
        let (upto, new) = index.ahead(self.end, most)?;
        if new >= self.tail {
            let merged = to_merge(&all, new, most);
            let old = &all[all.len() - merged..];
            let after = old.first().map_or(self.end, |first| first.after);
            index.make(floor, (after, upto), old, ends)?;
            self.end = upto;
            return Ok(true);
        }
        if self.remade.is_none_or(|at| at.elapsed() >= self.erase)
            && let Some(edited) = index.often_edited(&all)?
        {
            self.remade = Some(Instant::now());
            index.make(floor, (edited.after, edited.upto), &[edited], ends)?;
            return Ok(true);
        }
        if self.is_soiled {
            self.is_soiled = !index.clean()?;
        }
        Ok(is_more)
    }
}
