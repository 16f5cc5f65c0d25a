//! Places in the log that members refer to, which the check compares as it gets to them.

use crate::entry::{Cursor, EntryId};

/// A place in the log that a member refers to.
pub(super) struct LogMark {
    pub(super) id: EntryId,
    /// The index of the member.
    pub(super) who: usize,
    pub(super) what: What,
}

pub(super) enum What {
    Cursor(Cursor),
    /// The first entry of one of its stays.
    Since(usize),
    /// The last entry of one of its stays.
    Until(usize),
}

/// The word for a cursor in a finding.
pub(super) fn word(cursor: Cursor) -> &'static str {
    match cursor {
        Cursor::Delivered => "received",
        Cursor::Read => "read",
    }
}
