//! A segment while it is made: every word of every message as three small numbers, which are sorted
//! at the end. A word that many conversations have is kept once, and no message takes an allocation
//! for each of its words.

use rustc_hash::FxHashMap;

use super::segment::kept;
use crate::entry::{ConversationId, EntryId};
use crate::fold;
use crate::store::ids;

/// A segment that is being made.
pub(in crate::store) struct SegmentDraft {
    after: EntryId,
    conversations: FxHashMap<ConversationId, u32>,
    words: FxHashMap<Box<str>, u32>,
    /// Of each word, one more than the number of the last message that has it.
    seen: Vec<u32>,
    messages: Vec<EntryId>,
    all: Vec<Occurrence>,
}

/// That a message has a word, by their numbers in the draft.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Occurrence {
    conversation: u32,
    word: u32,
    message: u32,
}

/// The words of a segment, by conversation and word.
pub(in crate::store) struct SegmentWords {
    after: EntryId,
    conversations: Vec<ConversationId>,
    words: Vec<Box<str>>,
    messages: Vec<EntryId>,
    all: Vec<Occurrence>,
    /// How many of `all` were read.
    at: usize,
    /// The list that was read last.
    list: Vec<u8>,
}

/// A word of a conversation.
pub(in crate::store) struct SegmentWord<'a> {
    pub(in crate::store) conversation: ConversationId,
    pub(in crate::store) word: &'a str,
    /// The messages that have it, encoded as in `store/ids.rs`.
    pub(in crate::store) list: &'a [u8],
}

impl SegmentDraft {
    /// Of the entries above `after`.
    pub(in crate::store) fn new(after: EntryId) -> SegmentDraft {
        SegmentDraft {
            after,
            conversations: FxHashMap::default(),
            words: FxHashMap::default(),
            seen: Vec::new(),
            messages: Vec::new(),
            all: Vec::new(),
        }
    }

    /// Adds a text of a message. The messages have to come in the order of their ids.
    pub(in crate::store) fn add(&mut self, conversation: ConversationId, id: EntryId, text: &str) {
        let next = self.conversations.len() as u32;
        let conversation = *self.conversations.entry(conversation).or_insert(next);
        if self.messages.last() != Some(&id) {
            self.messages.push(id);
        }
        let count = self.messages.len() as u32;
        fold::each_run(text, |run| {
            let run = kept(run);
            let word = match self.words.get(run) {
                Some(word) => *word,
                None => {
                    let next = self.seen.len() as u32;
                    self.words.insert(run.into(), next);
                    self.seen.push(0);
                    next
                }
            };
            if self.seen[word as usize] != count {
                self.seen[word as usize] = count;
                self.all.push(Occurrence { conversation, word, message: count - 1 });
            }
        });
    }

    /// All words, sorted.
    pub(in crate::store) fn sorted(self) -> SegmentWords {
        let SegmentDraft { after, conversations, words, messages, mut all, .. } = self;
        let (conversations, conversation_places) = in_order(conversations);
        let (words, word_places) = in_order(words);
        for one in &mut all {
            one.conversation = conversation_places[one.conversation as usize];
            one.word = word_places[one.word as usize];
        }
        all.sort_unstable();
        SegmentWords { after, conversations, words, messages, all, at: 0, list: Vec::new() }
    }
}

/// The keys in their order, and for each number the place of its key there.
fn in_order<K: Ord>(numbers: FxHashMap<K, u32>) -> (Vec<K>, Vec<u32>) {
    let mut pairs: Vec<(K, u32)> = numbers.into_iter().collect();
    pairs.sort_unstable();
    let mut places = vec![0; pairs.len()];
    for (place, (_, number)) in (0..).zip(&pairs) {
        places[*number as usize] = place;
    }
    (pairs.into_iter().map(|(key, _)| key).collect(), places)
}

impl SegmentWords {
    /// The conversations of its messages, in the order of their numbers.
    pub(in crate::store) fn conversations(&self) -> &[ConversationId] {
        &self.conversations
    }

    /// The next word.
    pub(in crate::store) fn next_word(&mut self) -> Option<SegmentWord<'_>> {
        let first = *self.all.get(self.at)?;
        self.list.clear();
        let mut last = self.after;
        while let Some(one) = self.all.get(self.at)
            && (one.conversation, one.word) == (first.conversation, first.word)
        {
            let id = self.messages[one.message as usize];
            ids::put(&mut self.list, id.0.abs_diff(last.0));
            last = id;
            self.at += 1;
        }
        Some(SegmentWord {
            conversation: self.conversations[first.conversation as usize],
            word: &self.words[first.word as usize],
            list: &self.list,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use crate::store::search::ids_of;

    #[test]
    fn lists_are_read() {
        let mut draft = SegmentDraft::new(EntryId(1_000_000));
        let (here, there) = (ConversationId(7), ConversationId(3));
        draft.add(here, EntryId(1_000_001), "Ein Wort, ein WORT");
        draft.add(there, EntryId(1_000_002), "wort");
        draft.add(here, EntryId(1_000_300), &"é".repeat(100));
        draft.add(here, EntryId(1_000_300), "worte");
        draft.add(here, EntryId(1_000_301), "wort");
        let mut words = draft.sorted();
        assert_eq!(words.conversations(), [there, here]);
        let all = (EntryId(0), EntryId(i64::MAX));
        let read = |bytes: &[u8], within| {
            let mut ids = Vec::new();
            ids_of(bytes, EntryId(1_000_000), within, &mut ids).unwrap();
            ids.iter().map(|id| id.0 - 1_000_000).collect::<Vec<_>>()
        };
        let mut lists = Vec::new();
        while let Some(SegmentWord { conversation, word, list }) = words.next_word() {
            lists.push((conversation, word.to_owned(), list.to_vec()));
        }
        let shown: Vec<_> =
            lists.iter().map(|(of, word, list)| (*of, &**word, read(list, all))).collect();
        let long = "e".repeat(limits::SEARCH_WORD_BYTES);
        assert_eq!(
            shown,
            [
                (there, "wort", vec![2]),
                (here, long.as_str(), vec![300]),
                (here, "ein", vec![1]),
                (here, "wort", vec![1, 301]),
                (here, "worte", vec![300]),
            ]
        );
        let within = (EntryId(1_000_001), EntryId(1_000_300));
        assert_eq!(read(&lists[3].2, within), [0_i64; 0]);
        assert_eq!(ids_of(&[0x80], EntryId(0), all, &mut Vec::new()), None);
    }
}
