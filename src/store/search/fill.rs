//! Filling an index, behind the log: a pass notes which texts have changed, makes a segment of what
//! is new, and makes those again that have words of deleted texts.
//!
//! A segment has the words of all texts that its messages have had and that are still in the log,
//! since members who have left a group still see the text of their time.

use std::time::{Duration, Instant};

use super::segment::{Segment, most, to_merge};
use crate::entry::EntryId;
use crate::limits;
use crate::store::{Error, Haste};

/// The entries of a stretch of the log: the last one in it, and the first one beyond it.
pub(in crate::store) type Stretch = (Option<EntryId>, Option<EntryId>);

/// Ids of the log that are looked at together when its entries are counted.
const STRETCH: i64 = 1 << 20;

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
    /// Of the entries above one and up to another.
    fn stretch(&mut self, above: EntryId, upto: EntryId) -> Result<Stretch, Error>;
    /// The last of the entries above `end` that are to be indexed next, and their size: as many as
    /// have been noted, and no more than the first that reaches `most`.
    fn ahead(&mut self, end: EntryId, most: usize) -> Result<(EntryId, usize), Error>;
    /// Makes a segment of the entries above one and up to another, in place of `old`; none if it is
    /// not to `go_on`.
    fn make(
        &mut self,
        floor: EntryId,
        within: (EntryId, EntryId),
        old: &[Segment],
        go_on: &dyn Fn() -> bool,
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
    /// Entries above that.
    lag: u64,
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
            lag: 0,
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

    /// The log has reached an entry, and those up to `floor` have expired. `stretch` is as
    /// [`Filled::stretch`].
    pub(in crate::store) fn saw<E>(
        &mut self,
        newest: EntryId,
        floor: EntryId,
        stretch: impl FnMut(EntryId, EntryId) -> Result<Stretch, E>,
    ) -> Result<(), E> {
        (self.newest, self.floor) = (newest, floor);
        self.count(stretch)
    }

    /// Entries that are not indexed yet, small gaps between their ids included.
    pub(in crate::store) fn lag(&self) -> u64 {
        self.lag
    }

    /// Counts them without reading them all. Where the database was restored or imported, their ids
    /// jump: there are fewer entries than ids.
    fn count<E>(
        &mut self,
        mut stretch: impl FnMut(EntryId, EntryId) -> Result<Stretch, E>,
    ) -> Result<(), E> {
        let (mut at, mut lag) = (self.end.max(self.floor), 0);
        while at < self.newest {
            let (last, next) = stretch(at, EntryId(at.0.saturating_add(STRETCH)))?;
            lag += last.map_or(0, |last| last.0.abs_diff(at.0));
            at = next.map_or(self.newest, |next| EntryId(next.0 - 1));
        }
        self.lag = lag;
        Ok(())
    }

    /// Does a part of what is to be done; returns whether there is more. See [`Indexer::pass`].
    ///
    /// [`Indexer::pass`]: crate::store::Indexer::pass
    pub(in crate::store) fn fill(
        &mut self,
        index: &mut impl Filled,
        go_on: &dyn Fn(Haste) -> bool,
    ) -> Result<bool, Error> {
        let end = self.end;
        let is_more = self.step(index, go_on)?;
        if self.end != end {
            self.count(|above, upto| index.stretch(above, upto))?;
        }
        Ok(is_more)
    }

    fn step(
        &mut self,
        index: &mut impl Filled,
        go_on: &dyn Fn(Haste) -> bool,
    ) -> Result<bool, Error> {
        let (at_rest, in_haste) = (&|| go_on(Haste::None), &|| go_on(Haste::Erasing));
        let floor = self.floor;
        self.is_soiled |= index.forget(floor)?;
        let all = index.segments()?;
        self.end = all.last().map_or(floor, |last| last.upto);
        let is_more = index.note(self.end)?;
        if !at_rest() {
            return Ok(false);
        }
        if let Some(erased) = index.stale()? {
            let since = *self.stale.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.erase {
                index.make(floor, (erased.after, erased.upto), &[erased], in_haste)?;
                self.is_soiled = true;
                return Ok(true);
            }
        } else {
            self.stale = None;
        }
        let most = most(self.newest);
        let (upto, new) = index.ahead(self.end, most)?;
        // What is still to be noted comes first: so a segment is as large as it may be at once.
        if new >= if is_more { most } else { self.tail } {
            let merged = to_merge(&all, new, most);
            let old = &all[all.len() - merged..];
            let after = old.first().map_or(self.end, |first| first.after);
            index.make(floor, (after, upto), old, at_rest)?;
            self.end = upto;
            return Ok(true);
        }
        if self.remade.is_none_or(|at| at.elapsed() >= self.erase)
            && let Some(edited) = index.often_edited(&all)?
        {
            self.remade = Some(Instant::now());
            index.make(floor, (edited.after, edited.upto), &[edited], at_rest)?;
            return Ok(true);
        }
        if self.is_soiled {
            self.is_soiled = !index.clean()?;
        }
        Ok(is_more)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::search::SegmentId;

    #[test]
    fn what_lags_is_counted_across_jumps() {
        let jump = limits::JUMP;
        let runs = [1..=100, jump..=jump + 2_999_999, 3 * jump..=3 * jump + 9];
        let ids: BTreeSet<i64> = runs.into_iter().flatten().collect();
        let stretch = |above: EntryId, upto: EntryId| -> Result<Stretch, Error> {
            let last = ids.range(above.0 + 1..=upto.0).next_back();
            let next = ids.range(upto.0 + 1..).next();
            Ok((last.copied().map(EntryId), next.copied().map(EntryId)))
        };
        let mut filler = Filler::new();
        for (end, floor) in [
            (0, 0),
            (90, 0),
            (90, 95),
            (100, 0),
            (jump + 7, 0),
            (3 * jump + 2, 0),
            (3 * jump + 9, 0),
        ] {
            filler.end = EntryId(end);
            // The newest id may have been given to no entry yet.
            filler.saw(EntryId(5 * jump), EntryId(floor), stretch).unwrap();
            let left = ids.range(end.max(floor) + 1..).count() as u64;
            assert_eq!(filler.lag(), left, "{end} {floor}");
        }
    }

    /// A log of `newest` entries, and an index of it that only counts.
    struct Counted {
        newest: i64,
        seen: i64,
        segments: Vec<Segment>,
        written: usize,
    }

    impl Filled for Counted {
        fn forget(&mut self, _: EntryId) -> Result<bool, Error> {
            Ok(false)
        }

        fn segments(&mut self) -> Result<Vec<Segment>, Error> {
            Ok(self.segments.clone())
        }

        fn note(&mut self, _: EntryId) -> Result<bool, Error> {
            let left = self.newest - self.seen;
            self.seen += left.min(16_384);
            Ok(left > 16_384)
        }

        fn stale(&mut self) -> Result<Option<Segment>, Error> {
            Ok(None)
        }

        fn stretch(&mut self, _: EntryId, _: EntryId) -> Result<Stretch, Error> {
            Ok((None, None))
        }

        fn ahead(&mut self, end: EntryId, most: usize) -> Result<(EntryId, usize), Error> {
            let upto = self.seen.min(end.0 + most as i64);
            Ok((EntryId(upto), (upto - end.0) as usize))
        }

        fn make(
            &mut self,
            _: EntryId,
            (after, upto): (EntryId, EntryId),
            old: &[Segment],
            _: &dyn Fn() -> bool,
        ) -> Result<(), Error> {
            let size = (upto.0 - after.0) as usize;
            self.written += size;
            self.segments.truncate(self.segments.len() - old.len());
            self.segments.push(Segment { id: SegmentId(upto.0), after, upto, size });
            Ok(())
        }

        fn often_edited(&mut self, _: &[Segment]) -> Result<Option<Segment>, Error> {
            Ok(None)
        }

        fn clean(&mut self) -> Result<bool, Error> {
            Ok(true)
        }
    }

    #[test]
    fn the_index_of_a_long_log_is_written_once() {
        for newest in [1_000, 100_000, 4_000_000, 10_000_000] {
            let mut index = Counted { newest, seen: 0, segments: Vec::new(), written: 0 };
            let mut filler = Filler::new();
            filler.newest = EntryId(newest);
            while filler.fill(&mut index, &|_| true).unwrap() {}
            assert_eq!(index.segments.last().unwrap().upto, EntryId(newest));
            assert_eq!(index.written, newest as usize);
        }
    }
}
