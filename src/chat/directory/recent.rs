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

    fn at(&self, id: EntryId) -> Option<usize> {
        self.places.binary_search_by_key(&id, |pos| pos.id).ok()
    }
}
