//! Which messages the user has picked, for the next line.

/// Valid until the next line is typed.
#[derive(Default)]
pub struct Picked {
    /// The messages that have numbers on the screen; number 1 is the first.
    pub numbered: Vec<u64>,
    /// Alt-R or Alt-E was pressed when this was the message that fits: it stays that, whatever
    /// arrives while the line is being typed.
    pub offered: Option<u64>,
    /// Enter alone deletes this message.
    pub deleting: Option<u64>,
    /// A line like `s/one/two/` that changed nothing. The same line again is a text.
    pub unmatched: Option<String>,
}
