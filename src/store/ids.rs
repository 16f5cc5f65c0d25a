//! A list of ascending ids in few bytes: each is stored as the difference to the one before it (the
//! first: to 0), in groups of seven bits, the lowest first, with the eighth bit set if more follow
//! (LEB128). Neighbours in a conversation are close to each other, so most ids take one to three
//! bytes. A difference of 0 says that the next one leads to an id that is not listed any more: that
//! of an entry which has expired, after which the list is continued.

use crate::entry::EntryId;

/// Encodes `ids`, which must be ascending and above `after`, to be appended to a list that ends
/// with `after`.
pub(super) fn encode(after: EntryId, ids: &[EntryId]) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * ids.len());
    let mut last = after.0;
    for id in ids {
        put(&mut out, id.0.abs_diff(last));
        last = id.0;
    }
    out
}

/// Encodes `ids`, which must be ascending, so that the list is continued after `end`.
pub(super) fn encode_upto(ids: &[EntryId], end: EntryId) -> Vec<u8> {
    let mut out = encode(EntryId(0), ids);
    let last = ids.last().copied().unwrap_or_default();
    if end > last {
        put(&mut out, 0);
        put(&mut out, end.0.abs_diff(last.0));
    }
    out
}

/// Appends a number below 2^63, in groups of seven bits.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads such a number at `at` and moves `at` past it; `None` if it is cut short.
pub(super) fn take(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Reads a list, id by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    bytes: Box<[u8]>,
    at: usize,
    last: EntryId,
}

impl Ids {
    pub(super) fn new(bytes: impl Into<Box<[u8]>>) -> Ids {
        Ids { bytes: bytes.into(), at: 0, last: EntryId(0) }
    }

    /// The first id above `floor`. Consumes the ids before it, but not the id itself.
    pub(super) fn seek(&mut self, floor: EntryId) -> Option<EntryId> {
        loop {
            let (id, at) = self.read()?;
            if id > floor {
                return Some(id);
            }
            (self.last, self.at) = (id, at);
        }
    }

    /// The next id, and where the one after it begins. A list that is cut short or does not ascend
    /// ends there; callers that expect more notice by counting.
    fn read(&self) -> Option<(EntryId, usize)> {
        let (mut last, mut at) = (self.last, self.at);
        loop {
            let (id, after, is_listed) = self.step(last, at)?;
            if is_listed {
                return Some((id, after));
            }
            (last, at) = (id, after);
        }
    }

    /// The id after `last` at the byte `at`, the byte after it, and whether it is listed.
    fn step(&self, last: EntryId, mut at: usize) -> Option<(EntryId, usize, bool)> {
        let mut step = take(&self.bytes, &mut at)?;
        let is_listed = step > 0;
        if !is_listed {
            step = take(&self.bytes, &mut at)?;
        }
        let id = last.0.checked_add_unsigned(step).filter(|_| step > 0)?;
        Some((EntryId(id), at, is_listed))
    }

    /// The id after which the list is continued.
    pub(super) fn end(&self) -> EntryId {
        self.walk().0
    }

    /// Whether it is a list up to its last byte.
    pub(super) fn is_whole(&self) -> bool {
        self.walk().1 == self.bytes.len()
    }

    fn walk(&self) -> (EntryId, usize) {
        let (mut last, mut at) = (self.last, self.at);
        while let Some((id, after, _)) = self.step(last, at) {
            (last, at) = (id, after);
        }
        (last, at)
    }
}

impl Iterator for Ids {
    type Item = EntryId;

    fn next(&mut self) -> Option<EntryId> {
        let (id, at) = self.read()?;
        (self.last, self.at) = (id, at);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[i64]) -> Vec<EntryId> {
        numbers.iter().copied().map(EntryId).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        for numbers in [
            &[][..],
            &[1],
            &[1, 2, 3],
            &[127, 254, 255, 383],
            &[128, 16_511, 16_512, i64::MAX - 1, i64::MAX],
        ] {
            let list = encode(EntryId(0), &ids(numbers));
            assert_eq!(Ids::new(list).collect::<Vec<_>>(), ids(numbers));
        }
    }

    #[test]
    fn a_list_is_continued_behind_its_end() {
        let mut list = encode(EntryId(0), &ids(&[5, 900]));
        list.extend(encode(EntryId(900), &ids(&[901, 5000])));
        assert_eq!(Ids::new(list).collect::<Vec<_>>(), ids(&[5, 900, 901, 5000]));
    }

    #[test]
    fn a_list_is_continued_after_what_has_expired() {
        for left in [&[][..], &[5], &[5, 900]] {
            let mut list = encode_upto(&ids(left), EntryId(900));
            assert_eq!(Ids::new(&*list).end(), EntryId(900));
            assert_eq!(Ids::new(&*list).collect::<Vec<_>>(), ids(left));
            list.extend(encode(EntryId(900), &ids(&[901, 5000])));
            let all: Vec<EntryId> = ids(left).into_iter().chain(ids(&[901, 5000])).collect();
            assert_eq!(Ids::new(&*list).collect::<Vec<_>>(), all);
            assert_eq!(Ids::new(list).seek(EntryId(900)), Some(EntryId(901)));
        }
    }

    #[test]
    fn seeking_passes_over_what_is_below() {
        let mut list = Ids::new(encode(EntryId(0), &ids(&[5, 900, 901])));
        assert_eq!(list.seek(EntryId(0)), Some(EntryId(5)));
        assert_eq!(list.seek(EntryId(5)), Some(EntryId(900)));
        assert_eq!(list.seek(EntryId(899)), Some(EntryId(900)));
        assert_eq!(list.seek(EntryId(901)), None);
        assert_eq!(list.next(), None);
    }

    #[test]
    fn damage_ends_a_list() {
        for bytes in [&[0x80][..], &[0], &[0, 0], &[0, 0x80], &[0xff; 12]] {
            assert_eq!(Ids::new(bytes).next(), None);
        }
        assert_eq!(Ids::new([3, 0, 0, 4]).collect::<Vec<_>>(), ids(&[3]));
    }
}
