//! State that is kept from page to page: a walk over everything an account may see, in the order of
//! ids, its conversations merged; and the list of its conversations, the newest first. Both
//! remember what is known of the rest, so the cost of a page depends on what it shows, not on the
//! number of conversations. Plain data, filled by a store.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::ConversationKind;
use super::ids::Ids;
use crate::entry::{ConversationId, DeviceNumber, EntryId, EntryTags};
use crate::limits;

/// Where a walk is, and what is known of the entries ahead.
#[derive(Debug)]
pub struct Walk {
    /// Everything up to here has been passed.
    pub at: EntryId,
    /// It ends here. Entries written during the walk lie above.
    pub upto: EntryId,
    /// Only entries that wait: above the delivered cursor, and not the account's own.
    pub waiting: bool,
    /// Entries that this device of the account has made are left out.
    pub without: Option<DeviceNumber>,
    /// The end is reached.
    pub done: bool,
    pub(super) merge: Option<Merge>,
}

impl Walk {
    /// A walk from `from` (exclusive) up to `upto` (inclusive).
    pub fn new(from: EntryId, upto: EntryId, waiting: bool) -> Walk {
        Walk { at: from, upto, waiting, without: None, done: false, merge: None }
    }

    /// Frees memory that a paused walk does not need. It is read again when the walk goes on.
    pub fn rest(&mut self) {
        if let Some(merge) = &mut self.merge {
            merge.lanes = FxHashMap::default();
        }
    }
}

/// Whether an entry with these tags was made by the device `without` of its account, whose own it is
/// (`is_own`).
pub(super) fn is_made_by(
    without: Option<DeviceNumber>,
    is_own: bool,
    tags: Option<&EntryTags>,
) -> bool {
    is_own && without.is_some() && tags.is_some_and(|tags| tags.device == without)
}

/// A part of a conversation that an account may see: above the first id, up to the second.
pub(super) type Window = (EntryId, EntryId);

/// What lies ahead in one conversation: of its entries, or of its marks.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) conversation: ConversationId,
    pub(super) kind: ConversationKind,
    /// Its marks.
    pub(super) is_of_marks: bool,
    /// The parts that may be seen, the oldest first.
    pub(super) windows: Arc<[Window]>,
    /// How many of those have been passed.
    pub(super) passed: usize,
    /// A list of its ids, beginning with the next one or one already passed.
    pub(super) ids: Ids,
    /// No ids follow that list.
    pub(super) whole: bool,
}

impl Lane {
    fn key(&self) -> LaneKey {
        (self.conversation, self.is_of_marks)
    }
}

/// A conversation, and whether its marks are meant.
pub(super) type LaneKey = (ConversationId, bool);

/// Which conversations have not been opened yet, and so in which order they will be.
#[derive(Debug)]
pub(super) enum Unopened {
    /// Groups above this one, and all direct chats.
    Groups(ConversationId),
    /// Direct chats in which something waits, by [`Rank::Waits`](super::Rank::Waits) above this
    /// entry.
    Waiting(EntryId),
    /// Direct chats whose [`Rank::Marked`](super::Rank::Marked) is above `above`, if begun before
    /// `before`; and then those of `then`.
    Marked { above: EntryId, before: Option<ConversationId>, then: Box<Unopened> },
    /// Direct chats whose [`Rank::Recent`](super::Rank::Recent) is above `above`, if begun before
    /// `before`; and then those begun later, if `before` is given.
    Recent { above: EntryId, before: Option<ConversationId> },
    /// Direct chats from this one on. Their first entries lie above `reached`.
    Later { from: ConversationId, reached: EntryId },
    /// None.
    Nothing,
}

impl Unopened {
    /// Whether no entry of those conversations lies at `id` or below.
    pub(super) fn is_above(&self, id: EntryId) -> bool {
        match self {
            Unopened::Groups(_) | Unopened::Marked { .. } | Unopened::Recent { .. } => false,
            Unopened::Waiting(reached) | Unopened::Later { reached, .. } => id <= *reached,
            Unopened::Nothing => true,
        }
    }
}

/// Conversations, merged by the next id of each; those with marks twice.
#[derive(Debug)]
pub(super) struct Merge {
    pub(super) unopened: Unopened,
    /// The next id of each opened conversation that has one. A conversation may be here twice, if
    /// it changed its rank and was met again: then one of the ids has been passed when its turn
    /// comes.
    next: BinaryHeap<Reverse<(EntryId, LaneKey)>>,
    /// What is in memory of some of them, at most [`limits::LANES`].
    lanes: FxHashMap<LaneKey, Lane>,
    /// If there was no room for all: the lowest id that was dropped. From there on, what is ahead
    /// has to be looked up anew.
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

    /// The next id of all opened conversations, if it lies below the horizon.
    pub(super) fn peek(&self) -> Option<EntryId> {
        let Reverse((id, _)) = self.next.peek()?;
        Some(*id).filter(|id| self.horizon.is_none_or(|horizon| *id < horizon))
    }

    /// Whether some were dropped for lack of room.
    pub(super) fn is_cut(&self) -> bool {
        self.horizon.is_some()
    }

    /// Takes the next id and what is in memory of its conversation.
    pub(super) fn pop(&mut self) -> Option<(EntryId, LaneKey, Option<Lane>)> {
        self.peek()?;
        let Reverse((id, key)) = self.next.pop()?;
        Some((id, key, self.lanes.remove(&key)))
    }

    /// Puts an id back that was taken. What is in memory of its conversation lies behind it.
    #[cfg(feature = "postgres")]
    pub(super) fn put_back(&mut self, id: EntryId, key: LaneKey) {
        self.lanes.remove(&key);
        self.next.push(Reverse((id, key)));
    }

    /// Adds a conversation with its next id.
    pub(super) fn push(&mut self, id: EntryId, lane: Lane) {
        self.next.push(Reverse((id, lane.key())));
        if self.lanes.len() >= limits::LANES {
            self.lanes.clear();
        }
        self.lanes.insert(lane.key(), lane);
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

/// Where the list of an account's conversations is. A conversation whose place changes meanwhile is
/// listed all the same, where it was when the list began.
#[derive(Debug, Default)]
pub struct Listing {
    /// The end is reached.
    pub done: bool,
    /// What has been listed; `None` before the first page.
    pub(super) at: Option<Bookmark>,
    /// Conversations that are not found by their rank, each with its last entry, the newest last:
    /// groups, and direct chats that came first before they were listed.
    pub(super) aside: Vec<(EntryId, ConversationId)>,
}

/// What has been listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bookmark {
    /// Conversations whose last entry is this one or above.
    pub(super) down_to: EntryId,
    /// Direct chats whose rank is this one or above.
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
        // From both ends alternately, so that neither the first nor the last ones pushed are those
        // that stay.
        for n in 0..count {
            let id = if n % 2 == 0 { n + 1 } else { count - n + 1 };
            let lane = Lane {
                conversation: ConversationId(id),
                kind: ConversationKind::Direct(Pair::of(AccountId(1), AccountId(id))),
                is_of_marks: false,
                windows: Arc::new([]),
                passed: 0,
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
