//! The list of conversations that was asked for: events that come before it may be newer than it is.

use std::collections::BTreeMap;

/// What is on its way, and what came since it was asked for.
#[derive(Default)]
pub struct PendingList {
    /// Lists that were asked for and have not come.
    pub on_their_way: usize,
    /// One more is to be asked for once they have: they may not know of something.
    pub is_wanted: bool,
    /// Entries by others that came meanwhile, of each conversation.
    later: BTreeMap<String, Vec<u64>>,
}

impl PendingList {
    /// Something has changed that a list on its way may not know of.
    pub fn doubt(&mut self) {
        self.is_wanted |= self.on_their_way > 0;
    }

    /// An entry by somebody else has come.
    pub fn note(&mut self, name: &str, id: u64) {
        if self.on_their_way > 0 {
            self.later.entry(name.to_owned()).or_default().push(id);
        }
    }

    /// How many of a conversation are newer than the last entry that the list has of it.
    pub fn later_than(&self, name: &str, last: u64) -> u64 {
        let ids = self.later.get(name).map_or(&[][..], Vec::as_slice);
        ids.iter().filter(|id| **id > last).count() as u64
    }

    /// A list has come.
    pub fn came(&mut self) {
        if self.on_their_way == 0 {
            self.later.clear();
        }
    }

    /// The ids mean other entries now.
    pub fn forget(&mut self) {
        self.later.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_the_list_was_made_is_counted_until_the_last_list_has_come() {
        let mut list = PendingList::default();
        list.note("bob", 1);
        list.on_their_way = 2;
        for (name, id) in [("bob", 2), ("cid", 3), ("bob", 4)] {
            list.note(name, id);
        }
        assert_eq!(["bob", "cid", "dora"].map(|name| list.later_than(name, 2)), [1, 1, 0]);
        list.on_their_way = 1;
        list.came();
        assert_eq!(list.later_than("bob", 0), 2);
        list.on_their_way = 0;
        list.came();
        assert_eq!(list.later_than("bob", 0), 0);
    }
}
