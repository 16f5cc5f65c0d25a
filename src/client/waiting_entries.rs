//! What `papo on` has not got to yet, as it holds: what is deleted meanwhile is passed over, a text
//! that is edited is the new one, and of somebody's reactions to a message the last counts.

use std::cell::RefCell;
use std::collections::HashMap;

use super::lines;
use crate::entry::{Entry, EntryKind};
use crate::wire::rows::EntryLine;

/// An entry by somebody else.
#[derive(Clone)]
pub struct WaitingEntry {
    pub entry: Entry,
    /// Its tags as they are on the wire, `-` if there are none.
    pub tags: String,
}

impl WaitingEntry {
    pub fn new(line: EntryLine) -> WaitingEntry {
        let pairs = line.tags().into_iter().map(|(key, value)| format!("{key}={value}"));
        let tags = pairs.collect::<Vec<_>>().join(",");
        let tags = if tags.is_empty() { "-".to_owned() } else { tags };
        WaitingEntry { entry: line.entry.into_owned(), tags }
    }

    fn is_reaction_to(&self, message: u64) -> bool {
        self.entry.kind == EntryKind::React && lines::about(&self.entry) == Some(message)
    }
}

/// Those that wait, by their ids.
#[derive(Default)]
pub struct WaitingEntries(RefCell<HashMap<u64, WaitingEntry>>);

impl WaitingEntries {
    pub fn add(&self, waiting: WaitingEntry) {
        self.0.borrow_mut().insert(waiting.entry.id.number(), waiting);
    }

    /// One of them as it is now, if it has to be dealt with.
    pub fn get(&self, id: u64) -> Option<WaitingEntry> {
        self.0.borrow().get(&id).cloned()
    }

    pub fn remove(&self, id: u64) {
        self.0.borrow_mut().remove(&id);
    }

    /// They come again: the server's log was put back.
    pub fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// Notes what a mark changes about them.
    pub fn hear(&self, mark: &Entry) {
        let Some(message) = lines::about(mark) else { return };
        let mut all = self.0.borrow_mut();
        match mark.kind {
            EntryKind::Edit => {
                if let Some(waiting) = all.get_mut(&message) {
                    waiting.entry.body.clone_from(&mark.body);
                }
            }
            EntryKind::Del => all.retain(|id, it| *id != message && !it.is_reaction_to(message)),
            EntryKind::React => {
                all.retain(|_, it| !it.is_reaction_to(message) || it.entry.from != mark.from);
            }
            _ => {}
        }
    }
}
