//! `HIST … with`: messages by the beginnings of their words, in bounded time for any words.
//!
//! The log is looked through from one end, a part after the other. Of each part a store names the
//! *candidates*: with an index those that have had the words, without one all messages there are.
//! Whether a candidate counts is decided by its text, as the reader may see it now. So an index may
//! know too much: texts that were changed since, or that this reader never saw. What it does not
//! know yet, the store has to name. A look ends when it has found enough, or has done
//! [`SEARCH_STEPS`](crate::limits::SEARCH_STEPS) of work; the next one goes on from there.

mod draft;
mod fill;
mod segment;

use super::walk::Window;
use super::{Error, SpanQuery};
use crate::entry::{ConversationId, EntryId};
use crate::fold;
use crate::limits;

#[cfg(feature = "postgres")]
pub(super) use draft::SegmentWords;
pub(super) use draft::{SegmentDraft, SegmentWord};
pub(super) use fill::{Filled, Filler, Stretch};
#[cfg(feature = "postgres")]
pub(super) use segment::are_neighbours;
pub(super) use segment::{Segment, SegmentId, both, ids_of, kept, key, next_part, size};

/// Candidates whose texts are read at once.
const TEXTS: usize = 32;
/// The work of reading a text and comparing it, besides its length.
const TEXT_STEPS: usize = 10;
/// Bytes of text that are a unit of work.
const STEP_BYTES: usize = 64;
/// The work of looking a word up in a segment.
pub(super) const LOOKUP: usize = 2;
/// So few candidates are compared rather than looked up for a further word.
pub(super) const FEW: usize = 8;
/// Changes that an index may not know of yet. With more it is not used.
pub(super) const FRESH: usize = 4_096;

/// Which messages to look for.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    /// In this conversation; `None`: in all of the account's.
    pub conversation: Option<ConversationId>,
    /// In which part of it, or of the log.
    pub span: SpanQuery,
    /// Each begins a word of the message's text: as [`fold::runs`] returns them, at least one.
    pub words: Vec<String>,
}

/// What one look has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPage {
    /// Messages, by ascending ids.
    pub found: Vec<(ConversationId, EntryId)>,
    /// It has looked down (or up) to this id, itself included, and there may be more beyond it.
    pub upto: Option<EntryId>,
}

/// A message that may have the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SearchCandidate {
    pub(super) id: EntryId,
    pub(super) conversation: ConversationId,
}

/// A part of the log that is looked through.
#[derive(Debug)]
pub(super) struct SearchPart {
    /// Its last id: the lowest one, or the highest one if the look goes upwards.
    pub(super) end: EntryId,
    /// In the direction of the look. All messages of the part that have the words are among them.
    pub(super) candidates: Vec<SearchCandidate>,
    /// The work that finding them was.
    pub(super) steps: usize,
}

/// A store that can be searched by one account.
pub(super) trait SearchSource {
    /// The next part within a window that is not empty, beginning at its upper end or, if `upwards`,
    /// at its lower one.
    fn part(&mut self, within: Window, upwards: bool) -> Result<SearchPart, Error>;
    /// The texts of the first of these candidates, as the account may see them; `None`: it may not
    /// see it, or it is no message, or it was deleted. As many as fit in a page, at least one.
    fn texts(&mut self, of: &[SearchCandidate]) -> Result<Vec<Option<Box<str>>>, Error>;
}

/// The last id of a part that is looked through as a whole.
pub(super) fn end_of(within: Window, upwards: bool) -> EntryId {
    if upwards { within.1 } else { EntryId(within.0.0 + 1) }
}

/// Looks once. `newest` is the newest entry there is.
pub(super) fn look(
    source: &mut impl SearchSource,
    query: &SearchQuery,
    newest: EntryId,
) -> Result<SearchPage, Error> {
    let SpanQuery { count, before, after, .. } = query.span;
    let upwards = after.is_some() && before.is_none();
    let top = before.map_or(newest, |before| newest.min(EntryId((before.0 - 1).max(0))));
    let mut left: Window = (after.unwrap_or_default(), top);
    let mut found: Vec<(ConversationId, EntryId)> = Vec::new();
    let mut steps = 0;
    let upto = 'look: loop {
        if left.0 >= left.1 {
            break None;
        }
        let part = source.part(left, upwards)?;
        steps += part.steps;
        let mut rest = &part.candidates[..];
        while !rest.is_empty() {
            // One more than asked for tells whether there are more.
            let wanted = (count + 1 - found.len()).clamp(1, TEXTS);
            let texts = source.texts(&rest[..wanted.min(rest.len())])?;
            let (these, others) = rest.split_at(texts.len());
            for (candidate, text) in these.iter().zip(texts) {
                let Some(text) = text else {
                    steps += TEXT_STEPS;
                    continue;
                };
                steps += TEXT_STEPS + text.len() / STEP_BYTES;
                if fold::begin_all(&query.words, &fold::runs(&text)) {
                    if found.len() == count {
                        break 'look found.last().map(|(_, id)| *id);
                    }
                    found.push((candidate.conversation, candidate.id));
                }
            }
            rest = others;
            if steps >= limits::SEARCH_STEPS
                && let Some(last) = these.last()
            {
                break 'look Some(last.id);
            }
        }
        left = match upwards {
            true => (part.end, left.1),
            false => (left.0, EntryId(part.end.0 - 1)),
        };
        if steps >= limits::SEARCH_STEPS && left.0 < left.1 {
            break Some(part.end);
        }
    };
    if !upwards {
        found.reverse();
    }
    Ok(SearchPage { found, upto })
}
