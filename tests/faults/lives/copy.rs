//! What a client knows of the conversations, from events or from the rows of `SYNC`.

use std::collections::BTreeMap;

use papo::entry::{Entry, EntryKind};

/// An entry as a copy has it.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub is_group: bool,
    pub text: String,
    pub edit: i64,
    pub gone: bool,
    pub re: i64,
    /// The newest reaction of each person: its mark and its word.
    pub reactions: BTreeMap<String, (i64, String)>,
}

impl Row {
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (_, word) in self.reactions.values().filter(|(_, word)| word != "-") {
            *counts.entry(word.clone()).or_default() += 1;
        }
        counts
    }
}

/// What a client knows.
#[derive(Clone, Debug, Default)]
pub struct Copy(pub BTreeMap<i64, Row>);

impl Copy {
    /// Takes in an entry, in any order and as often as it comes.
    pub fn take(&mut self, entry: Entry) {
        let (id, text) = (entry.id.0, entry.body.to_string());
        let tags = entry.tags.unwrap_or_default();
        let about = tags.re.map_or(0, |re| re.0);
        if !entry.kind.is_mark() {
            let row = self.0.entry(id).or_default();
            row.is_group = entry.to.to_string().starts_with('#');
            (row.text, row.re, row.gone) = (text, about, tags.gone.is_some());
            row.edit = tags.edit.map_or(0, |edit| edit.0);
            return;
        }
        let row = self.0.get_mut(&about);
        let row = row.unwrap_or_else(|| panic!("{id} is about {about}, which was never sent"));
        match entry.kind {
            EntryKind::Edit if id > row.edit && !row.gone => (row.text, row.edit) = (text, id),
            EntryKind::Del => {
                row.gone = true;
                row.reactions.clear();
            }
            EntryKind::React => {
                let reaction = row.reactions.entry(entry.from.to_string()).or_default();
                if id > reaction.0 {
                    *reaction = (id, text);
                }
            }
            _ => {}
        }
    }
}
