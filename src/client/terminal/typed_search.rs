//! A search that was typed at the terminal.

use super::item::FoundMessage;

/// Where it is, and what it has found.
#[derive(Clone, Debug)]
pub struct TypedSearch {
    /// A conversation, or `-` for all.
    pub to: String,
    pub words: String,
    /// Where the next look begins.
    pub before: Option<u64>,
    /// Messages that are still to be found before they are shown.
    pub left: usize,
    /// Those found so far, the oldest first.
    pub found: Vec<FoundMessage>,
}
