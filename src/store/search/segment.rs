//! Segments of an index: of the entries from one id to another, which messages of which
//! conversation have had which words. A segment is made once, from the log, and never changed: made
//! again when a text in it was deleted, and together with its neighbours while they are small. So
//! what is deleted leaves with the whole segment, and each word takes one lookup per segment.

use crate::entry::{ConversationId, EntryId};
use crate::limits;
use crate::store::ids;
use crate::store::walk::Window;

/// The number of a segment; never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct SegmentId(pub(in crate::store) i64);

/// A segment of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Segment {
    pub(in crate::store) id: SegmentId,
    /// It is of the entries above this one,
    pub(in crate::store) after: EntryId,
    /// up to this one.
    pub(in crate::store) upto: EntryId,
    /// How many entries those were, a long text counting as several.
    pub(in crate::store) size: usize,
}

/// The size of an entry whose text has so many bytes, in entries of the usual length.
pub(in crate::store) fn size(bytes: usize) -> usize {
    1 + bytes / limits::SEARCH_ENTRY_BYTES
}

/// Maximum size of a segment in a log whose newest entry is this one.
pub(in crate::store) fn most(newest: EntryId) -> usize {
    let part = usize::try_from(newest.0).unwrap_or(0) / limits::SEARCH_SEGMENTS;
    part.clamp(limits::SEARCH_SEGMENT, limits::SEARCH_SEGMENT_MAX)
}

/// How many of the last segments are to be made into one with `new` entries that follow them, of
/// `most` at most: those that are no more than twice as large as what comes after them. So a segment
/// of any size took few steps to get there, and few are small.
pub(in crate::store) fn to_merge(segments: &[Segment], new: usize, most: usize) -> usize {
    let mut all = new;
    let fits = |segment: &&Segment| {
        let fits = segment.size <= 2 * all && all + segment.size <= most;
        all += segment.size;
        fits
    };
    segments.iter().rev().take_while(fits).count()
}

/// Whether each segment begins where the one before it ends.
#[cfg(feature = "postgres")]
pub(in crate::store) fn are_neighbours(segments: &[Segment]) -> bool {
    segments.windows(2).all(|pair| pair[0].upto == pair[1].after)
}

/// Which part of a window a look takes next, beginning at its end or, if `upwards`, at its beginning:
/// as far as it lies in one segment, and that; or as far as there is none.
pub(in crate::store) fn next_part(
    segments: &[Segment],
    within: Window,
    upwards: bool,
) -> (Window, Option<Segment>) {
    let at = if upwards { EntryId(within.0.0 + 1) } else { within.1 };
    let found = segments.get(segments.partition_point(|segment| segment.upto < at));
    if let Some(segment) = found.filter(|segment| segment.after < at) {
        return ((within.0.max(segment.after), within.1.min(segment.upto)), Some(*segment));
    }
    let last = segments.last().map_or(EntryId(0), |last| last.upto);
    match segments.first() {
        Some(first) if at <= first.after => ((within.0, within.1.min(first.after)), None),
        _ => ((within.0.max(last), within.1), None),
    }
}

/// The key of a word of a conversation: such that the words of a conversation lie beside each other,
/// and those with the same beginning among them. No key has a byte `0xff` after its first.
pub(in crate::store) fn key(conversation: ConversationId, word: &str) -> Vec<u8> {
    let number = conversation.0.to_be_bytes();
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let mut key = Vec::with_capacity(9 + word.len());
    key.push((8 - zeros) as u8);
    key.extend(&number[zeros..]);
    key.extend(word.as_bytes());
    key
}

/// Those of the conversations `all` that are in the encoded list of a segment; both are sorted.
/// `None`: it is damaged.
pub(in crate::store) fn both(list: &[u8], all: &[ConversationId]) -> Option<Vec<ConversationId>> {
    let mut its = Vec::new();
    ids_of(list, EntryId(0), (EntryId(0), EntryId(i64::MAX)), &mut its)?;
    let mut its = its.into_iter().map(|id| ConversationId(id.0)).peekable();
    let mut both = Vec::new();
    for one in all {
        while its.next_if(|next| next < one).is_some() {}
        both.extend(its.next_if_eq(one));
    }
    Some(both)
}

/// What the index keeps of a word.
pub(in crate::store) fn kept(word: &str) -> &str {
    let most = limits::SEARCH_WORD_BYTES.min(word.len());
    let end = (0..=most).rev().find(|at| word.is_char_boundary(*at)).unwrap_or(0);
    &word[..end]
}

/// Adds the ids of an encoded list of a segment that begins above `after` to `into`, as far as they
/// lie above `above` and not above `upto`. `None`: it is damaged.
pub(in crate::store) fn ids_of(
    bytes: &[u8],
    after: EntryId,
    (above, upto): (EntryId, EntryId),
    into: &mut Vec<EntryId>,
) -> Option<()> {
    let (mut at, mut last) = (0, after);
    while at < bytes.len() {
        let step = ids::take(bytes, &mut at).filter(|step| *step > 0)?;
        last = EntryId(last.0.checked_add_unsigned(step)?);
        if last > upto {
            break;
        }
        if last > above {
            into.push(last);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_segments_are_small() {
        let (mut segments, mut written, mut at) = (Vec::<Segment>::new(), 0, 0);
        for n in 0..2_000 {
            let new = limits::SEARCH_TAIL + n % 7;
            let merged = to_merge(&segments, new, limits::SEARCH_SEGMENT);
            let old = segments.split_off(segments.len() - merged);
            let size = new + old.iter().map(|one| one.size).sum::<usize>();
            assert!(size <= limits::SEARCH_SEGMENT);
            let after = old.first().map_or(EntryId(at), |first| first.after);
            at += new as i64;
            segments.push(Segment { id: SegmentId(n as i64), after, upto: EntryId(at), size });
            written += size;
            let small = segments.iter().filter(|one| one.size < limits::SEARCH_SEGMENT / 2);
            assert!(small.count() <= 6, "{segments:?}");
        }
        assert!(segments.windows(2).all(|pair| pair[0].upto == pair[1].after));
        // How often an entry was written.
        assert!(written < 6 * at as usize, "{written} for {at}");
    }
}
