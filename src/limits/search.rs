//! The limits of searching, and of the index for it.

use std::time::Duration;

/// Maximum words of a `HIST … with`: each is looked up in the index, and in the texts found there.
pub const SEARCH_WORDS: usize = 16;
/// Work of one look: a text is read and compared for ten, a word's list of messages looked up for
/// two. It is meant to bound a look to some 10 ms, at 0.5 µs each.
pub const SEARCH_STEPS: usize = 20_000;
/// Work that finding the candidates in one segment of the index may be. With more, the words are so
/// frequent that the log itself is read from its newer end.
pub const SEARCH_SEGMENT_STEPS: usize = 10_000;
/// Entries of the log that are looked through at once where there is no index.
pub const SEARCH_SCAN: usize = 256;
/// Bytes of a word that the index keeps; longer ones are told apart in the texts.
pub const SEARCH_WORD_BYTES: usize = 64;
/// New entries after which the index is extended. Until then a look reads them in the log.
pub const SEARCH_TAIL: usize = 512;
/// Entries in one segment of the index, at least: so much is read again when the text of one of
/// them is deleted. In long logs it is a [`SEARCH_SEGMENTS`]th of the ids.
pub const SEARCH_SEGMENT: usize = 16_384;
/// The same, at most: while it is made, a segment is in memory.
pub const SEARCH_SEGMENT_MAX: usize = 65_536;
/// Bytes of text that make an entry count as one more of a segment's. Most are shorter.
pub const SEARCH_ENTRY_BYTES: usize = 512;
/// Segments of a long log, as long as they do not get too large. Each is one more lookup for a word.
pub const SEARCH_SEGMENTS: usize = 64;
/// Messages in one segment whose text was changed since it was made. With more it is made again, one
/// segment every [`SEARCH_ERASE`]; until then each is a candidate of every look.
pub const SEARCH_EDITED: usize = 64;
/// Pause between two looks for new entries by the thread that fills the index.
pub const SEARCH_PAUSE: Duration = Duration::from_secs(1);
/// Time after which segments with deleted texts are made again: within a minute a deleted text is
/// gone, and so many deletions share the work. Edits share it likewise.
pub const SEARCH_ERASE: Duration = Duration::from_secs(10);
/// The nice(2) increment of the thread that fills the index for searching, the largest: a
/// twentieth of a reader's weight, so that it hardly takes the turns that readers let others have.
pub const INDEXER_NICE: i32 = 19;
/// Work of this thread after which it rests while others write or read: a thread that waits for the
/// disk, or that has let others have a turn, gets its core back that much later.
pub const INDEXER_STEP: Duration = Duration::from_micros(200);
/// How long it rests, in times of its work, so that messages have the rest of a core.
pub const INDEXER_REST: u32 = 19;
/// The same at most, of a step that was longer.
pub const INDEXER_REST_MAX: Duration = Duration::from_millis(100);
/// Time from one commit to the next from which on nobody counts as writing.
pub const INDEXER_QUIET: Duration = Duration::from_millis(20);
