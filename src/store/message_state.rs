//! A message as the rules and the stores know it, with what was done to it later.

use crate::entry::{EntryId, EntryKind, EntryPos, EntryTags, FileRef, Millis};

/// A message, or another entry, with all that holds about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageState {
    /// Where it stands.
    pub pos: EntryPos,
    /// When it was written.
    pub time: Millis,
    /// What it is: only a message can be answered or have marks.
    pub kind: EntryKind,
    /// The mark that deleted it, and when.
    pub gone: Option<(EntryId, Millis)>,
    /// The last edit, and when.
    pub edit: Option<(EntryId, Millis)>,
    /// The text that holds; empty if it was deleted.
    pub body: Box<str>,
    /// What it says besides, as it was written.
    pub tags: Option<Box<EntryTags>>,
    /// Its file, unless it has none, or the file was deleted.
    pub file: Option<FileRef>,
    /// The words of the reactions that hold, the most frequent first.
    pub tally: Vec<Tallied>,
    /// There is more to know about it than its row says: it has, or had, marks.
    pub changed: bool,
}

/// A word with which members react to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tallied {
    /// The word.
    pub word: Box<str>,
    /// How many react with it, and which reaction keeps it.
    pub by: WordCount,
}

/// How many react with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordCount {
    /// The reaction that keeps the word for all of them, whether or not it still holds.
    pub keeper: EntryId,
    /// How many they are.
    pub count: u64,
}
