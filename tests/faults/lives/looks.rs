//! Comparing what clients know with what `HIST` shows.

use std::collections::BTreeMap;

use papo::entry::{Entry, EntryKind};
use papo::wire::rows::EntryLine;

use super::{DEVICES, PEOPLE, Said, World, login};

impl World {
    /// Compares all copies of somebody's with the history.
    pub fn looks(&mut self, who: usize) {
        // Of a session that is behind it is not known when it has all; of a new one it is.
        for which in 0..=DEVICES.len() {
            if self.is_narrow() && self.people[who].readings[which].session.is_some() {
                self.comes_or_goes(who, which);
                self.comes_or_goes(who, which);
            }
        }
        let name = PEOPLE[who];
        let mut synced = std::mem::take(&mut self.people[who].synced);
        self.people[who].at = self.syncs(who, self.people[who].at, &mut synced);
        self.people[who].synced = synced;
        let mut client = self.papod.as_ref().expect("it runs").login_quietly(name);
        let mut talks = vec![("#team", true)];
        if who < 2 {
            talks.push((PEOPLE[1 - who], false));
        }
        for (to, in_group) in talks {
            client.say(&format!("HIST {to} 1000"));
            let mut rows = Vec::new();
            let last = loop {
                let line = client.line();
                match EntryLine::parse(&line) {
                    Some(line) => rows.push(line.entry.into_owned()),
                    None => break line,
                }
            };
            let was_in = self.log.values().any(|said| said.in_group && said.readers[who]);
            let is_known = !in_group || was_in;
            assert_eq!(last.starts_with("OK HIST "), is_known, "{last}");
            let shown: Vec<i64> = rows.iter().map(|row| row.id.0).collect();
            let visible = |said: &Said| said.in_group == in_group && said.readers[who];
            let seen = self.log.iter().filter(|(_, said)| visible(said)).map(|(id, _)| *id);
            assert_eq!(shown, seen.collect::<Vec<_>>(), "{name} {to}");
            for row in &rows {
                self.compares(who, in_group, row);
            }
        }
    }

    fn compares(&self, who: usize, in_group: bool, row: &Entry) {
        let person = &self.people[who];
        let (id, tags) = (row.id.0, row.tags.as_deref().cloned().unwrap_or_default());
        let is_now = !in_group || person.since.is_some_and(|since| since <= id);
        // Whose session has not been opened since may not know it yet.
        let is_open = |which: &usize| person.readings[*which].session.is_some();
        let with_events = (0..=DEVICES.len()).filter(is_open);
        let with_events =
            with_events.map(|which| (login(who, which), &person.readings[which].events));
        for (what, copy) in with_events.chain([("SYNC".to_owned(), &person.synced)]) {
            let context = || format!("{} by {what}: {row:?}, {:?}", PEOPLE[who], copy.0.get(&id));
            // Ana's own changes of the group are not sent to the session that made them.
            if row.kind == EntryKind::Group {
                continue;
            }
            let copied = copy.0.get(&id).unwrap_or_else(|| panic!("{} is missing", context()));
            assert_eq!(copied.is_group, in_group, "{}", context());
            if tags.gone.is_some() {
                // Who is out is not told.
                assert!(copied.gone || !is_now, "{}", context());
                continue;
            }
            assert!(!copied.gone, "{}", context());
            let edit = tags.edit.map_or(0, |edit| edit.0);
            let re = tags.re.map_or(0, |re| re.0);
            let said = (&*row.body, edit, re);
            assert_eq!((&*copied.text, copied.edit, copied.re), said, "{}", context());
            let react = tags.react.iter().map(|(count, word)| (word.to_string(), *count));
            let react: BTreeMap<String, u64> = react.collect();
            let mine = copied.reactions.get(PEOPLE[who]).map(|(_, word)| &**word);
            if is_now {
                assert_eq!(copied.counts(), react, "{}", context());
                assert_eq!(mine.filter(|word| *word != "-"), tags.mine.as_deref(), "{}", context());
            } else {
                assert!(react.is_empty() && tags.mine.is_none(), "{}", context());
            }
        }
    }
}
