//! What goes on from page to page: a walk over everything that an account may see, in the order of
//! ids, its conversations merged; and the list of its conversations, the newest first. What is known
//! of the rest is kept, so that a page costs what it shows, not how many conversations there are.
//! Plain data; a store fills it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::ConversationKind;
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

    /// Gives up the memory that a walk needs only while it goes on: it is kept for later.
    pub fn rest(&mut self) {
        if let Some(merge) = &mut self.merge {
            merge.lanes = FxHashMap::default();
        }
    }
}

/// A part of a conversation that someone may see: above the first, up to the second.
pub(super) type Window = (EntryId, EntryId);

/// What is ahead in one conversation.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) conversation: ConversationId,
    pub(super) kind: ConversationKind,
    /// What may be seen of it, the oldest last.
    pub(super) windows: Vec<Window>,
    /// Ids, from one that was passed or the next one on.
    pub(super) ids: Ids,
    /// Nothing follows those.
    pub(super) whole: bool,
}

/// Which conversations have not been looked at, and so in which order they are.
#[derive(Debug)]
pub(super) enum Unopened {
    /// Groups above this one, and all chats of two.
    Groups(ConversationId),
    /// Chats in which something waits from an entry above this one on.
    Waiting(EntryId),
    /// Chats begun before `before` whose rank by their newest entry is above `above`; and those
    /// begun later, if some are.
    Recent { above: EntryId, before: Option<ConversationId> },
    /// Chats from this one on, whose first entries lie above `reached`.
    Later { from: ConversationId, reached: EntryId },
    /// None.
    Nothing,
}

impl Unopened {
    /// No entry of those conversations lies at `id` or below.
    pub(super) fn is_above(&self, id: EntryId) -> bool {
        match self {
            Unopened::Groups(_) | Unopened::Recent { .. } => false,
            Unopened::Waiting(reached) | Unopened::Later { reached, .. } => id <= *reached,
            Unopened::Nothing => true,
        }
    }
}

/// Conversations, merged by the ids of what is next in each.
#[derive(Debug)]
pub(super) struct Merge {
    pub(super) unopened: Unopened,
    /// The next id of each that was looked at and has one. A conversation may stand here twice, if it
    /// was met again after it had changed its rank: with an id that was passed by then.
    next: BinaryHeap<Reverse<(EntryId, ConversationId)>>,
    /// What is at hand of some of them.
    lanes: FxHashMap<ConversationId, Lane>,
    /// Where conversations go on for which there was no room.
    horizon: Option<EntryId>,
}

impl Merge {
    pub(super) fn new() -> Merge {
        Merge {
            unopened: Unopened::Groups(ConversationId(0)),
            next: BinaryHeap::new(),
            lanes: FxHashMap::default(),
            horizon: None,
        }
    }

    /// The next id of those that were looked at.
    pub(super) fn peek(&self) -> Option<EntryId> {
        let Reverse((id, _)) = self.next.peek()?;
        Some(*id).filter(|id| self.horizon.is_none_or(|horizon| *id < horizon))
    }

    /// Whether there was no room for all.
    pub(super) fn is_cut(&self) -> bool {
        self.horizon.is_some()
    }

    /// Takes the next id, and what is at hand of its conversation.
    pub(super) fn pop(&mut self) -> Option<(EntryId, ConversationId, Option<Lane>)> {
        self.peek()?;
        let Reverse((id, conversation)) = self.next.pop()?;
        Some((id, conversation, self.lanes.remove(&conversation)))
    }

    /// Adds a conversation with its next id.
    pub(super) fn push(&mut self, id: EntryId, lane: Lane) {
        self.next.push(Reverse((id, lane.conversation)));
        if self.lanes.len() >= limits::LANES {
            self.lanes.clear();
        }
        self.lanes.insert(lane.conversation, lane);
        if self.next.len() >= 2 * limits::AHEAD {
            let mut all = std::mem::take(&mut self.next).into_vec();
            let (_, Reverse((cut, _)), _) =
                all.select_nth_unstable_by_key(limits::AHEAD, |Reverse(next)| *next);
            self.horizon = self.horizon.into_iter().chain([*cut]).min();
            all.truncate(limits::AHEAD);
            self.next = all.into();
        }
    }
}

/// Where the list of someone's conversations is. What changes its place meanwhile is listed all the
/// same, where it was when the list began.
#[derive(Debug, Default)]
pub struct Listing {
    /// It is at its end.
    pub done: bool,
    /// Where it is, once it has begun.
    pub(super) at: Option<Bookmark>,
    /// Conversations that are not found by their rank, each with its last entry, the newest last:
    /// groups, and chats that got a higher one before they were listed.
    pub(super) aside: Vec<(EntryId, ConversationId)>,
}

/// What has been listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bookmark {
    /// Everything whose last entry is this or above.
    pub(super) down_to: EntryId,
    /// Chats of two whose rank is this or above.
    pub(super) rank: EntryId,
    /// The newest entry of the service at that moment.
    pub(super) newest: EntryId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::AccountId;
    use crate::store::Pair;

    #[test]
    fn what_has_no_room_is_beyond_a_horizon() {
        let mut merge = Merge::new();
        let count = 2 * limits::AHEAD as i64;
        // From both ends, so that neither the first nor the last are those that stay.
        for n in 0..count {
            let id = if n % 2 == 0 { n + 1 } else { count - n + 1 };
            let lane = Lane {
                conversation: ConversationId(id),
                kind: ConversationKind::Direct(Pair::of(AccountId(1), AccountId(id))),
                windows: Vec::new(),
                ids: Ids::default(),
                whole: true,
            };
            merge.push(EntryId(id), lane);
            assert!(merge.lanes.len() <= limits::LANES);
        }
        assert!(merge.is_cut());
        let popped: Vec<i64> = std::iter::from_fn(|| merge.pop()).map(|(id, ..)| id.0).collect();
        assert_eq!(popped, (1..=limits::AHEAD as i64).collect::<Vec<_>>());
        assert_eq!(merge.horizon, Some(EntryId(limits::AHEAD as i64 + 1)));
    }
}
