//! What a session's work is made of while it waits for its turns.

use std::vec::IntoIter;

use super::Work;
use crate::chat::Act;
use crate::entry::{Cursor, EntryId};

/// One piece of a session's work.
pub(super) enum Step {
    Act(Act),
    /// What is left of a cursor's move in many conversations.
    Rest {
        cursor: Cursor,
        ids: IntoIter<EntryId>,
        answer: Option<EntryId>,
        lost_moves: u32,
    },
    /// Anything else, which stays after the acts before it.
    Other(Work),
}

impl Step {
    /// Its weight, and its bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Step::Act(act) => (act.weight(), act.bytes()),
            Step::Rest { ids, .. } => (ids.len() * Act::MOVE, 0),
            Step::Other(work) => work.size(),
        }
    }

    pub(super) fn of(act: Act) -> Step {
        match act {
            Act::AdvanceAll { cursor, ids, answer, lost_moves } => {
                Step::Rest { cursor, ids: ids.into_iter(), answer, lost_moves }
            }
            act => Step::Act(act),
        }
    }
}
