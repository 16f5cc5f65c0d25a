//! Messages that have changed in a way that their events do not tell: who had reacted before, what
//! an answered message says. Their rows are fetched, one at a time, the newest first.

use std::collections::BTreeMap;

/// A reaction that the user is told about if the message is not on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    pub from: String,
    pub word: String,
}

/// A row to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleMessage {
    pub id: u64,
    /// Its conversation.
    pub name: String,
    pub reaction: Option<Reaction>,
}

/// The rows to fetch.
#[derive(Default)]
pub struct Stale {
    messages: BTreeMap<u64, (String, Option<Reaction>)>,
    is_asking: bool,
    /// Answers with texts that were asked for. They may be older than an event that came since, and
    /// rows that are asked for after them are not: commands are answered in their order.
    pub loads: usize,
    /// Messages that were edited or deleted meanwhile, and their conversations.
    changed: BTreeMap<u64, String>,
}

impl Stale {
    /// Has a row fetched; of several reactions to a message, the last is told.
    pub fn add(&mut self, message: StaleMessage) {
        let StaleMessage { id, name, reaction } = message;
        let (_, known) = self.messages.entry(id).or_insert((name, None));
        *known = reaction.or(known.take());
    }

    /// The next row to ask for, unless one is on its way.
    pub fn next(&mut self) -> Option<StaleMessage> {
        if self.is_asking {
            return None;
        }
        let (id, (name, reaction)) = self.messages.pop_last()?;
        self.is_asking = true;
        Some(StaleMessage { id, name, reaction })
    }

    /// The row has come, or does not come.
    pub fn answered(&mut self) {
        self.is_asking = false;
    }

    /// A message was edited or deleted. Answers that are on their way may not know.
    pub fn note(&mut self, id: u64, name: &str) {
        if self.loads > 0 {
            self.changed.insert(id, name.to_owned());
        }
    }

    /// The messages that were noted, once all of those answers have come.
    pub fn take_changed(&mut self) -> BTreeMap<u64, String> {
        if self.loads == 0 { std::mem::take(&mut self.changed) } else { BTreeMap::new() }
    }

    /// Another conversation is shown.
    pub fn clear(&mut self) {
        self.messages.clear();
    }

    /// The ids mean other messages now.
    pub fn forget(&mut self) {
        self.messages.clear();
        self.changed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_is_fetched_at_a_time_and_each_once() {
        let stale = |id, word: &str| StaleMessage {
            id,
            name: "bob".into(),
            reaction: (!word.is_empty())
                .then(|| Reaction { from: "bob".into(), word: word.into() }),
        };
        let mut all = Stale::default();
        for (id, word) in [(3, ""), (4, "ok"), (3, "+1"), (3, "")] {
            all.add(stale(id, word));
        }
        assert_eq!(all.next(), Some(stale(4, "ok")));
        assert_eq!(all.next(), None);
        // What changes meanwhile is fetched again.
        all.add(stale(4, ""));
        all.answered();
        assert_eq!(all.next(), Some(stale(4, "")));
        all.answered();
        assert_eq!(all.next(), Some(stale(3, "+1")));
        all.answered();
        assert_eq!(all.next(), None);
    }

    #[test]
    fn what_changes_while_texts_are_on_their_way_is_asked_for_once_they_have_come() {
        let mut all = Stale::default();
        all.note(1, "bob");
        all.loads = 2;
        [2, 3, 2].iter().for_each(|id| all.note(*id, "bob"));
        all.loads = 1;
        assert!(all.take_changed().is_empty());
        all.loads = 0;
        assert_eq!(all.take_changed().into_keys().collect::<Vec<_>>(), [2, 3]);
        assert!(all.take_changed().is_empty());
    }
}
