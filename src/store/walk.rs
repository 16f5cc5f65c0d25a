//! A walk over everything that an account may see, in the order of ids, page by page: its
//! conversations merged. What is known of the rest is kept from page to page, so that a page costs
//! what it shows, not how many conversations there are. Plain data; a store fills it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Kind;
use super::ids::Ids;
use crate::entry::{ConversationId, EntryId};
use crate::limits;

/// Where a walk is, and what is known of what lies ahead.
#[derive(Debug)]
pub struct Walk {
    /// Everything up to here has been passed.
    pub at: EntryId,
    /// It ends here. What is written while it goes on lies above.
    pub upto: EntryId,
    /// Only what waits: above the delivered cursor and not the account's own.
    pub waiting: bool,
    /// It is at its end.
    pub done: bool,
    pub(super) merge: Option<Merge>,
}

impl Walk {
    /// A walk from `from` up to `upto`: the first exclusive, the second inclusive.
    pub fn new(from: EntryId, upto: EntryId, waiting: bool) -> Walk {
        Walk { at: from, upto, waiting, done: false, merge: None }
    }
}

/// A part of a conversation that someone may see: above the first, up to the second.
pub(super) type Window = (EntryId, EntryId);

/// What is ahead in one conversation.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) conversation: ConversationId,
    pub(super) kind: Kind,
    /// What may be seen of it, the oldest last.
    pub(super) windows: Vec<Window>,
    /// Ids, from one that was passed or the next one on.
    pub(super) ids: Ids,
    /// Nothing follows those.
    pub(super) whole: bool,
}

/// Conversations, merged by the ids of what is next in each.
#[derive(Debug)]
pub(super) struct Merge {
    lanes: Vec<Lane>,
    /// The next id of each lane that has one.
    next: BinaryHeap<Reverse<(EntryId, usize)>>,
    /// Where conversations begin that have no lane, if there are some.
    horizon: Option<EntryId>,
}

impl Merge {
    /// Those of `ahead` that come next, each with its next id: as many as a walk may hold.
    pub(super) fn new(
        ahead: impl IntoIterator<Item = Result<(EntryId, Lane), super::Error>>,
    ) -> Result<Merge, super::Error> {
        let mut nearest = Vec::new();
        let mut horizon = None;
        for lane in ahead {
            nearest.push(lane?);
            if nearest.len() >= 2 * limits::LANES {
                horizon = nearer(horizon, cut(&mut nearest));
            }
        }
        horizon = nearer(horizon, cut(&mut nearest));
        let next = nearest.iter().enumerate().map(|(at, (id, _))| Reverse((*id, at))).collect();
        Ok(Merge { lanes: nearest.into_iter().map(|(_, lane)| lane).collect(), next, horizon })
    }

    /// The next id, if one is known.
    pub(super) fn peek(&self) -> Option<EntryId> {
        let Reverse((id, _)) = self.next.peek()?;
        Some(*id).filter(|id| self.horizon.is_none_or(|horizon| *id < horizon))
    }

    /// Whether conversations that have no lane go on behind what is known.
    pub(super) fn has_more(&self, upto: EntryId) -> bool {
        self.horizon.is_some_and(|horizon| horizon <= upto)
    }

    /// Passes the next id: `follow` says what then is next in its lane.
    pub(super) fn pass(
        &mut self,
        follow: impl FnOnce(&mut Lane, EntryId) -> Result<Option<EntryId>, super::Error>,
    ) -> Result<Option<(EntryId, &Lane)>, super::Error> {
        let Some(id) = self.peek() else { return Ok(None) };
        let Some(Reverse((_, at))) = self.next.pop() else { return Ok(None) };
        let lane = &mut self.lanes[at];
        if let Some(next) = follow(lane, id)? {
            self.next.push(Reverse((next, at)));
        }
        Ok(Some((id, lane)))
    }
}

/// Keeps the nearest; gives back where the first of the others begins.
fn cut(nearest: &mut Vec<(EntryId, Lane)>) -> Option<EntryId> {
    if nearest.len() <= limits::LANES {
        return None;
    }
    let (_, (horizon, _), _) = nearest.select_nth_unstable_by_key(limits::LANES, |(id, _)| *id);
    let horizon = *horizon;
    nearest.truncate(limits::LANES);
    Some(horizon)
}

fn nearer(one: Option<EntryId>, other: Option<EntryId>) -> Option<EntryId> {
    one.into_iter().chain(other).min()
}
