//! The history of a cursor: its moves before the newest one, at four to six bytes a move. `INFO`
//! and missed receipts are answered from it.
//!
//! Each move is stored as three differences to the one before it (the first: to 0): of the entry it
//! named, of its time in seconds, and of its number. They are encoded as in `ids`. The time may go
//! back, if a clock was set, so its sign is in the lowest bit.

use super::ids::{put, take};
use crate::entry::{EntryId, Millis, MoveNumber};
use crate::limits::MOVES;

/// Where a cursor was at the end of a second in which it moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Move {
    /// The entry that the move named.
    pub id: EntryId,
    /// Its time, a whole second.
    pub time: Millis,
    /// The number of the move.
    pub number: MoveNumber,
}

/// A list of moves, the oldest first: at most [`MOVES`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves(Vec<u8>);

impl Moves {
    /// A list from its stored bytes.
    pub(super) fn new(bytes: impl Into<Vec<u8>>) -> Moves {
        Moves(bytes.into())
    }

    /// The bytes to store.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds a move, which must name a later entry and have a higher number than those before it. If
    /// that makes the list full, returns it and begins a new one.
    pub fn push(&mut self, next: Move) -> Option<Moves> {
        let (count, last) = self.iter().fold((0, Move::default()), |(n, _), m| (n + 1, m));
        put(&mut self.0, next.id.0.abs_diff(last.id.0));
        let seconds = next.time.0.div_euclid(1000) - last.time.0.div_euclid(1000);
        put(&mut self.0, seconds.unsigned_abs() << 1 | u64::from(seconds < 0));
        put(&mut self.0, next.number.0.abs_diff(last.number.0));
        (count + 1 == MOVES).then(|| std::mem::take(self))
    }

    /// The first move that named `id` or a later entry.
    pub(super) fn reaching(&self, id: EntryId) -> Option<Move> {
        self.iter().find(|m| m.id >= id)
    }

    /// The moves, the oldest first. A damaged list ends at the damage.
    pub(super) fn iter(&self) -> impl Iterator<Item = Move> + '_ {
        let (mut at, mut last) = (0, Move::default());
        std::iter::from_fn(move || {
            let id = take(&self.0, &mut at).filter(|step| *step > 0)?;
            let seconds = take(&self.0, &mut at)?;
            let number = take(&self.0, &mut at).filter(|step| *step > 0)?;
            let time = i64::try_from(seconds >> 1).ok()?.checked_mul(1000)?;
            let time = if seconds & 1 == 1 { -time } else { time };
            last = Move {
                id: EntryId(last.id.0.checked_add_unsigned(id)?),
                time: Millis(last.time.0.checked_add(time)?),
                number: MoveNumber(last.number.0.checked_add_unsigned(number)?),
            };
            Some(last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(of: &[(i64, i64, i64)]) -> Vec<Move> {
        let one = |(id, time, number): &(i64, i64, i64)| Move {
            id: EntryId(*id),
            time: Millis(*time),
            number: MoveNumber(*number),
        };
        of.iter().map(one).collect()
    }

    #[test]
    fn moves_are_read_as_they_were_written() {
        // A clock that is set back, one before 1970, ids that jump.
        let all = moves(&[
            (1, 1_700_000_000_000, 9),
            (2, 1_600_000_000_000, 10),
            (1_000_000_000_005, -1_000, 11),
            (i64::MAX, 4_000_000_000_000, i64::MAX),
        ]);
        let mut list = Moves::default();
        for one in &all {
            assert_eq!(list.push(*one), None);
        }
        assert_eq!(list.iter().collect::<Vec<_>>(), all);
        assert_eq!(list.reaching(EntryId(2)), Some(all[1]));
        assert_eq!(list.reaching(EntryId(3)), Some(all[2]));
    }

    #[test]
    fn a_time_is_kept_to_the_second() {
        let mut list = Moves::default();
        list.push(moves(&[(1, 5_999, 1)])[0]);
        assert_eq!(list.iter().next().map(|m| m.time), Some(Millis(5_000)));
    }

    #[test]
    fn a_full_list_is_taken_out() {
        let mut list = Moves::default();
        for n in 1..MOVES as i64 {
            assert_eq!(list.push(moves(&[(n, n * 60_000, 9_000 * n)])[0]), None);
        }
        let n = MOVES as i64;
        let full = list.push(moves(&[(n, n * 60_000, 9_000 * n)])[0]);
        assert_eq!(full.map(|full| full.iter().count()), Some(MOVES));
        assert_eq!(list, Moves::default());
    }

    #[test]
    fn damage_ends_a_list() {
        for bytes in [&[0x80][..], &[1, 2], &[0, 0, 1], &[1, 0, 0], &[0xff; 30]] {
            assert_eq!(Moves::new(bytes).iter().next(), None);
        }
    }
}
