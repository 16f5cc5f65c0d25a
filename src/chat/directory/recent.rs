//! The newest entries of the whole log, by their ids: where each stands, and whether it is known to
//! be a message that was not deleted. Most acts about an entry are about one of those, and the hub
//! has written them itself, so nothing is looked up for that.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::entry::{EntryId, EntryPos};
use crate::limits;

/// See the module documentation.
#[derive(Default)]
pub(super) struct Recent {
    /// Sorted by id. Ids may have gaps.
    places: VecDeque<EntryPos>,
    /// Of each of them whether it is a message that was not deleted.
    standing: VecDeque<bool>,
}

impl Recent {
    /// Adds an entry, which is the newest one.
    pub(super) fn add(&mut self, pos: EntryPos, is_message: bool) {
        if self.places.len() == limits::RECENT {
            self.places.pop_front();
            self.standing.pop_front();
        }
        self.places.push_back(pos);
        self.standing.push_back(is_message);
    }

    /// Where an entry stands.
    pub(super) fn place(&self, id: EntryId) -> Option<&EntryPos> {
        self.places.get(self.at(id)?)
    }

    /// Whether it is a message that was not deleted.
    pub(super) fn stands(&self, id: EntryId) -> bool {
        self.at(id).and_then(|at| self.standing.get(at)).is_some_and(|stands| *stands)
    }

    /// Records that a message was deleted.
    pub(super) fn delete(&mut self, id: EntryId) {
        if let Some(stands) = self.at(id).and_then(|at| self.standing.get_mut(at)) {
            *stands = false;
        }
    }

    /// Records that these messages have expired, and the marks about them.
    pub(super) fn expire(&mut self, messages: &FxHashSet<EntryId>) {
        for id in messages {
            if let Some(pos) = self.at(*id).and_then(|at| self.places.get_mut(at)) {
                pos.expired = true;
            }
        }
        for mark in self.places.iter_mut().filter(|pos| pos.about != EntryId(0)) {
            mark.expired |= messages.contains(&mark.about);
        }
    }

    /// Between two ids there are at most as many places as their difference, so an id can only be in
    /// a range as long as the gaps: without any, that is one place.
    fn at(&self, id: EntryId) -> Option<usize> {
        let last = self.places.len().checked_sub(1)?;
        let steps = |from: EntryId, to: EntryId| usize::try_from(to.0.checked_sub(from.0)?).ok();
        let (oldest, newest) = (self.places[0].id, self.places[last].id);
        let mut from = last.saturating_sub(steps(id, newest)?);
        let mut upto = last.min(steps(oldest, id)?);
        while from < upto {
            let middle = from.midpoint(upto);
            if self.places[middle].id < id { from = middle + 1 } else { upto = middle }
        }
        (self.places[from].id == id).then_some(from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::{AccountId, ConversationId};

    fn pos(id: i64) -> EntryPos {
        let (conversation, author) = (ConversationId(1), AccountId(1));
        let (id, about) = (EntryId(id), EntryId(0));
        EntryPos { conversation, id, seq: 1, author, author_seq: 0, about, expired: false }
    }

    proptest! {
        #[test]
        fn finds_what_is_there(gaps in prop::collection::vec(1..5_i64, 0..40)) {
            let mut recent = Recent::default();
            let mut ids = vec![];
            for gap in gaps {
                ids.push(ids.last().unwrap_or(&3) + gap);
                recent.add(pos(ids[ids.len() - 1]), true);
            }
            for id in (0..=ids.last().unwrap_or(&0) + 3).chain([i64::MIN, -1, i64::MAX]) {
                let found = recent.place(EntryId(id)).map(|pos| pos.id.0);
                prop_assert_eq!(found, ids.contains(&id).then_some(id));
                prop_assert_eq!(recent.stands(EntryId(id)), ids.contains(&id));
            }
        }
    }
}
