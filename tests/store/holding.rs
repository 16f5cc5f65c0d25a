//! What is said about messages later: edits, deletions, reactions and replies. Random lives of a
//! chat of two and of a group, checked against a model that keeps everything.

use std::collections::BTreeMap;

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle, person};
use papo::chat::Act;
use papo::entry::{AccountId, Cursor, Entry, EntryId, EntryKind, EntryTags};
use papo::name::Target;
use papo::store::{Pair, SpanQuery, Walk};
use papo::wire::request::GroupChange;
use proptest::prelude::*;

const PEOPLE: [(AccountId, &str); 3] = [(ANA, "ana"), (BIA, "bia"), (CAIO, "caio")];

/// Words of reactions; the last one takes it back.
const WORDS: [Option<&str>; 4] = [Some("ok"), Some("+1"), Some("👍"), None];

#[derive(Clone, Debug)]
enum Step {
    /// Into the group, or to the other of Ana and Bia.
    Send(usize, bool),
    Answer(usize, u8),
    Edit(usize, u8),
    Delete(usize, u8),
    React(usize, u8, usize),
    Add(usize),
    Remove(usize),
    Move(usize, Cursor, u8),
    Commit,
    Tick,
    Forget(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let cursor = prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    let (who, id) = (0..3usize, any::<u8>());
    let one = (who.clone(), id);
    prop_oneof![
        5 => (who.clone(), any::<bool>()).prop_map(|(who, group)| Step::Send(who, group)),
        2 => one.clone().prop_map(|(who, id)| Step::Answer(who, id)),
        4 => one.clone().prop_map(|(who, id)| Step::Edit(who, id)),
        2 => one.clone().prop_map(|(who, id)| Step::Delete(who, id)),
        6 => (one.clone(), 0..WORDS.len()).prop_map(|((who, id), word)| Step::React(who, id, word)),
        2 => (1..3usize).prop_map(Step::Add),
        2 => (1..3usize).prop_map(Step::Remove),
        4 => (one, cursor).prop_map(|((who, id), cursor)| Step::Move(who, cursor, id)),
        3 => Just(Step::Commit),
        1 => Just(Step::Tick),
        1 => id.prop_map(Step::Forget),
    ]
}

/// An entry that was made.
#[derive(Clone, Debug)]
struct Said {
    author: usize,
    kind: EntryKind,
    in_group: bool,
    /// The message that it answers, or is about.
    re: Option<i64>,
    body: String,
    /// The stay of each person in which it was made; `None`: the person may not see it.
    stays: [Option<usize>; 3],
    gone: Option<i64>,
    /// The words of its reactions: the mark that said it first, and how many have it.
    tally: Vec<(String, i64, u64)>,
}

/// Everything that was ever said, and who has received what.
#[derive(Default)]
struct Model {
    log: BTreeMap<i64, Said>,
    floor: i64,
    /// How many stays in the group each has begun, and whether the last one goes on.
    stays: [(usize, bool); 3],
    /// Of each, in the group and in the direct chat: delivered and read.
    cursors: [[[i64; 2]; 2]; 3],
}

impl Model {
    fn add(&mut self, id: i64, said: Said) {
        let (author, kind, re, body) = (said.author, said.kind, said.re, said.body.clone());
        self.log.insert(id, said);
        let Some(message) = re.filter(|_| kind.is_mark()) else { return };
        let was = self.reaction(message, author, id);
        let message = self.log.get_mut(&message).unwrap();
        match kind {
            EntryKind::Del => message.gone = Some(id),
            EntryKind::React => {
                if let Some(was) = was {
                    message.tally.iter_mut().filter(|t| t.0 == was).for_each(|t| t.2 -= 1);
                    message.tally.retain(|(.., count)| *count > 0);
                }
                match message.tally.iter_mut().find(|(word, ..)| *word == body) {
                    _ if body == "-" => {}
                    Some((.., count)) => *count += 1,
                    None => message.tally.push((body, id, 1)),
                }
            }
            _ => {}
        }
    }

    /// What an entry is for those who see it now.
    fn said(
        &self,
        author: usize,
        kind: EntryKind,
        in_group: bool,
        re: Option<i64>,
        body: &str,
    ) -> Said {
        let mut stays = match in_group {
            true => self.stays.map(|(stay, is_in)| is_in.then_some(stay)),
            false => [Some(0), Some(0), None],
        };
        if let Some(message) = re.filter(|_| kind.is_mark()).and_then(|re| self.log.get(&re)) {
            for (stay, seen) in stays.iter_mut().zip(message.stays) {
                *stay = stay.filter(|_| seen.is_some());
            }
        }
        let (body, gone, tally) = (body.to_owned(), None, Vec::new());
        Said { author, kind, in_group, re, body, stays, gone, tally }
    }

    /// The word with which an author reacts to a message, as of before the mark `below`.
    fn reaction(&self, message: i64, author: usize, below: i64) -> Option<String> {
        let is_one = |said: &&Said| {
            said.kind == EntryKind::React && said.re == Some(message) && said.author == author
        };
        let last = self.log.range(..below).map(|(_, said)| said).rev().find(is_one)?;
        (last.body != "-").then(|| last.body.clone())
    }

    /// The entries that `who` may see and that have not expired.
    fn seen(&self, who: usize) -> impl Iterator<Item = (i64, &Said)> {
        let is_left =
            |said: &Said| said.re.is_none_or(|re| !said.kind.is_mark() || re > self.floor);
        let above = self.log.range(self.floor + 1..).map(|(id, said)| (*id, said));
        above.filter(move |(_, said)| said.stays[who].is_some() && is_left(said))
    }

    /// The last edit of a message that `who` may see.
    fn edit(&self, who: usize, message: i64) -> Option<(i64, &Said)> {
        let is_one = |said: &Said| said.kind == EntryKind::Edit && said.re == Some(message);
        self.seen(who).filter(|(_, said)| is_one(said)).last()
    }

    /// A line for an entry as `who` gets it from a walk; `None` if it is passed over.
    fn shown(&self, who: usize, id: i64, said: &Said) -> Option<String> {
        let mut tags = EntryTags { re: said.re.map(EntryId), ..EntryTags::default() };
        if !said.kind.is_mark() {
            if let Some(gone) = said.gone {
                let gone = EntryTags { gone: Some(EntryId(gone)), ..EntryTags::default() };
                return Some(line(id, said, &gone, "-"));
            }
            let edit = self.edit(who, id);
            tags.edit = edit.map(|(edit, _)| EntryId(edit));
            return Some(line(id, said, &tags, edit.map_or(&said.body, |(_, edit)| &edit.body)));
        }
        let message = said.re.unwrap();
        let is_later = |other: &Said| {
            (other.kind, other.re, other.author) == (said.kind, said.re, said.author)
        };
        let holds = match said.kind {
            EntryKind::Del => true,
            _ if self.log[&message].gone.is_some() => false,
            EntryKind::Edit => self.edit(who, message).map(|(last, _)| last) == Some(id),
            _ => !self.log.range(id + 1..).any(|(_, other)| is_later(other)),
        };
        holds.then(|| line(id, said, &tags, &said.body))
    }

    /// The same for a row of `HIST`, with the reactions.
    fn row(&self, who: usize, id: i64, said: &Said) -> String {
        let mut row = self.shown(who, id, said).unwrap();
        let is_in =
            !said.in_group || (self.stays[who].1 && said.stays[who] == Some(self.stays[who].0));
        if said.gone.is_none() && is_in {
            let mut tally = said.tally.clone();
            tally.sort_by_key(|(_, first, count)| (std::cmp::Reverse(*count), *first));
            let react: Vec<String> = tally.iter().map(|(w, _, n)| format!("{n}*{w}")).collect();
            let mine = self.reaction(id, who, i64::MAX);
            row += &reactions(&react, mine.as_deref());
        }
        row
    }

    /// What `MARKS` has about a message.
    fn marks(&self, who: usize, message: i64) -> Option<Vec<String>> {
        let (_, said) = self.seen(who).find(|(id, _)| *id == message)?;
        if said.kind != EntryKind::Message || said.gone.is_some() {
            return None;
        }
        let tags = EntryTags { re: Some(EntryId(message)), ..EntryTags::default() };
        let mut rows = Vec::new();
        if self.edit(who, message).is_some() {
            rows.push(line(message, said, &tags, &said.body));
        }
        for (id, mark) in self.seen(who).filter(|(_, mark)| mark.re == Some(message)) {
            let holds = self.shown(who, id, mark).is_some() && mark.body != "-";
            if mark.kind == EntryKind::Edit || (mark.kind == EntryKind::React && holds) {
                rows.push(line(id, mark, &tags, &mark.body));
            }
        }
        Some(rows)
    }

    fn answered(&self, who: usize, message: i64) -> Option<bool> {
        let (_, said) = self.seen(who).find(|(id, _)| *id == message)?;
        if said.kind != EntryKind::Message || said.author != who || said.gone.is_some() {
            return None;
        }
        let later = || self.log.range(message + 1..).filter(|(_, other)| other.author != who);
        let has_replied = later().any(|(_, o)| !o.kind.is_mark() && o.re == Some(message));
        let has_spoken = !said.in_group && later().any(|(_, o)| !o.in_group && !o.kind.is_mark());
        let reacts = (0..3).any(|o| o != who && self.reaction(message, o, i64::MAX).is_some());
        Some(has_replied || has_spoken || reacts)
    }
}

fn line(id: i64, said: &Said, tags: &EntryTags, body: &str) -> String {
    let EntryTags { gone, re, edit, .. } = tags;
    let number = |id: &Option<EntryId>| id.map_or(0, |id| id.0);
    let (gone, re, edit) = (number(gone), number(re), number(edit));
    format!("{id} {:?} {} gone={gone} re={re} edit={edit} {body}", said.kind, PEOPLE[said.author].1)
}

fn reactions(react: &[String], mine: Option<&str>) -> String {
    if react.is_empty() { String::new() } else { format!(" {} mine={mine:?}", react.join("/")) }
}

/// The line of an entry from the store.
fn told(entry: &Entry) -> String {
    let author = PEOPLE.iter().position(|(_, name)| handle(name) == entry.from).unwrap();
    let tags = entry.tags.as_deref().cloned().unwrap_or_default();
    let said = Said {
        author,
        kind: entry.kind,
        in_group: matches!(entry.to, Target::Group(_)),
        re: None,
        body: String::new(),
        stays: [None; 3],
        gone: None,
        tally: Vec::new(),
    };
    let react: Vec<String> = tags.react.iter().map(|(n, word)| format!("{n}*{word}")).collect();
    line(entry.id.0, &said, &tags, &entry.body) + &reactions(&react, tags.mine.as_deref())
}

/// Whatever a store tells about everything that was said, compared with the model.
fn compare(store: &mut Bench, model: &Model) {
    let newest = store.chat.newest().entry;
    for (who, (me, name)) in PEOPLE.into_iter().enumerate() {
        let waits = |(id, said): &(i64, &Said)| {
            *id > model.cursors[who][usize::from(said.in_group)][0] && said.author != who
        };
        let counted = model.seen(who).filter(waits).filter(|(_, said)| !said.kind.is_mark());
        let waiting = store.reader.waiting(me, newest).unwrap();
        assert_eq!(waiting.count, counted.count() as u64, "{name} waiting");
        let lines = |waiting: bool, from: i64| -> Vec<String> {
            let all = model.seen(who).filter(|one| one.0 > from && (!waiting || waits(one)));
            all.filter_map(|(id, said)| model.shown(who, id, said)).collect()
        };
        assert_eq!(
            store.walk(me, Walk::new(EntryId(0), newest, true)),
            lines(true, 0),
            "{name} at login"
        );
        assert!(lines(true, 0).is_empty() || waiting.count > 0 || waiting.marks, "{name} marks");
        for from in [0, newest.0 / 3, newest.0 / 2] {
            let walk = Walk::new(EntryId(from), newest, false);
            assert_eq!(store.walk(me, walk), lines(false, from), "{name} from {from}");
        }
        let group = store.reader.membership(me, &handle("team")).unwrap().map(|(id, _)| id);
        let direct = match who {
            2 => None,
            _ => store.reader.direct(Pair::of(ANA, BIA)).unwrap().map(|log| log.id),
        };
        for (in_group, conversation) in [(true, group), (false, direct)] {
            let Some(conversation) = conversation else { continue };
            let here =
                || model.seen(who).filter(|(_, s)| s.in_group == in_group && !s.kind.is_mark());
            let mut spans = vec![None];
            spans.extend(here().map(|(id, _)| Some(id)).step_by(3));
            for re in spans {
                let want: Vec<_> = here().filter(|(_, s)| re.is_none() || s.re == re).collect();
                let (before, after) = (None, None);
                let query = SpanQuery { count: 1_000, before, after, re: re.map(EntryId) };
                let span = store.reader.span(me, conversation, &query).unwrap();
                let rows = store.reader.entries(me, conversation, &span.ids).unwrap();
                assert!(!span.more);
                let want: Vec<String> = want.iter().map(|(id, s)| model.row(who, *id, s)).collect();
                assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), want, "{name} re {re:?}");
            }
            let unread = here().filter(|(id, s)| {
                *id > model.cursors[who][usize::from(in_group)][1] && s.author != who
            });
            let last = here().last().map(|(last, _)| last);
            let row = store.chats(me).into_iter().find(|row| Some(row.last.0) == last);
            assert_eq!(
                row.map(|row| row.unread),
                last.map(|_| unread.count() as i64),
                "{name} chats"
            );
        }
        for id in (0..=newest.0 + 1).step_by(2) {
            let rows = store.reader.marks(me, EntryId(id), EntryId(0)).unwrap();
            let rows = rows.map(|page| page.rows.iter().map(told).collect::<Vec<_>>());
            assert_eq!(rows, model.marks(who, id), "{name} marks of {id}");
            let answered = store.reader.answered(me, EntryId(id)).unwrap();
            assert_eq!(answered, model.answered(who, id), "{name} answered {id}");
        }
    }
}

fn take(store: &mut Bench, model: &mut Model, step: &Step, number: usize) {
    let before = store.chat.newest().entry.0;
    // Which entry a number of a step names; sometimes none.
    let entry = |id: u8| i64::from(id) % (before + 2);
    let text = format!("text {number}");
    let change = |change| Act::Group { name: handle("team"), change };
    let (who, act, kind, re, body) = match *step {
        Step::Commit => return store.commit(),
        Step::Tick => return store.now += 1_500,
        Step::Forget(part) => {
            model.floor += (before - model.floor) * i64::from(part) / 512;
            return store.forget(EntryId(model.floor));
        }
        Step::Move(who, cursor, id) => {
            let id = entry(id);
            store.act(PEOPLE[who].0, Act::Advance { cursor, id: EntryId(id) });
            // Also up to a mark whose message has expired: it may be the last that was sent.
            let found = model.log.range(model.floor + 1..).find(|(one, _)| **one == id);
            if let Some((_, said)) = found.filter(|(_, said)| said.stays[who].is_some()) {
                let cursors = &mut model.cursors[who][usize::from(said.in_group)];
                cursors[0] = cursors[0].max(id);
                if cursor == Cursor::Read {
                    cursors[1] = cursors[1].max(id);
                }
            }
            return;
        }
        Step::Send(who, in_group) => {
            let other = person(if who == 0 { "bia" } else { "ana" });
            if who == 2 && !in_group {
                return;
            }
            let to = if in_group { Target::Group(handle("team")) } else { other };
            let said = model.said(who, EntryKind::Message, in_group, None, &text);
            store.act(PEOPLE[who].0, Act::Send { to, body: text, once: None });
            if store.chat.newest().entry.0 > before {
                model.add(before + 1, said);
            }
            return;
        }
        Step::Add(who) => {
            store.act(ANA, change(GroupChange::Add(vec![handle(PEOPLE[who].1)])));
            if store.chat.newest().entry.0 > before {
                model.stays[who] = (model.stays[who].0 + 1, true);
                let body = format!("add {}", PEOPLE[who].1);
                model.add(before + 1, model.said(0, EntryKind::Group, true, None, &body));
            }
            return;
        }
        Step::Remove(who) => {
            store.act(ANA, change(GroupChange::Remove(handle(PEOPLE[who].1))));
            if store.chat.newest().entry.0 > before {
                let body = format!("remove {}", PEOPLE[who].1);
                model.add(before + 1, model.said(0, EntryKind::Group, true, None, &body));
                model.stays[who].1 = false;
            }
            return;
        }
        Step::Answer(who, id) => {
            let about = EntryId(entry(id));
            let act = Act::Answer { about, body: text.clone(), once: None };
            (who, act, EntryKind::Message, about.0, text)
        }
        Step::Edit(who, id) => {
            // Of different lengths, and some longer than a page.
            let text = text.repeat(1 + number % 3 * (1 + number % 7 / 6 * 300));
            let about = EntryId(entry(id));
            (who, Act::Edit { about, body: text.clone() }, EntryKind::Edit, about.0, text)
        }
        Step::Delete(who, id) => {
            let about = EntryId(entry(id));
            (who, Act::Delete { about }, EntryKind::Del, about.0, "-".to_owned())
        }
        Step::React(who, id, word) => {
            let (about, word) = (EntryId(entry(id)), WORDS[word]);
            let act = Act::React { about, word: word.map(Into::into) };
            (who, act, EntryKind::React, about.0, word.unwrap_or("-").to_owned())
        }
    };
    store.act(PEOPLE[who].0, act);
    if store.chat.newest().entry.0 > before {
        let in_group = model.log[&re].in_group;
        model.add(before + 1, model.said(who, kind, in_group, Some(re), &body));
    }
}

impl Bench {
    /// The lines of a walk.
    fn walk(&mut self, me: AccountId, mut walk: Walk) -> Vec<String> {
        let mut lines = Vec::new();
        while !walk.done {
            let (entries, next) = self.reader.page(me, walk, 7).unwrap();
            lines.extend(entries.iter().map(told));
            walk = next;
            walk.rest();
        }
        lines
    }
}

/// Plays steps on a store and on the model.
fn holds(steps: &[Step]) {
    every_store(|store| {
        let mut model = Model::default();
        let change = GroupChange::New(vec![handle("bia")]);
        store.act(ANA, Act::Group { name: handle("team"), change });
        model.stays = [(1, true), (1, true), (0, false)];
        model.add(1, model.said(0, EntryKind::Group, true, None, "new bia"));
        for (number, step) in steps.iter().enumerate() {
            take(store, &mut model, step, number);
            if number == steps.len() / 2 {
                store.commit();
                compare(store, &model);
            }
        }
        store.commit();
        compare(store, &model);
    });
}

// Half of the cases each, side by side: on PostgreSQL few other tests take as long.
proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_holds_is_what_a_scan_would_find(steps in prop::collection::vec(step(), 1..300)) {
        holds(&steps);
    }

    #[test]
    fn what_holds_after_other_steps_is_that_too(steps in prop::collection::vec(step(), 1..300)) {
        holds(&steps);
    }
}

#[test]
fn a_reaction_that_was_taken_back_and_given_again_leaves_with_its_message() {
    every_store(|store| {
        let about = store.send(ANA, "bia", "text");
        for word in [Some("ok"), None, Some("no")] {
            store.act(BIA, Act::React { about, word: word.map(Into::into) });
        }
        store.act(ANA, Act::Delete { about });
        store.commit();
        let marks = store.reader.page(BIA, Walk::new(about, EntryId(i64::MAX), false), 10);
        let kinds: Vec<EntryKind> = marks.unwrap().0.iter().map(|mark| mark.kind).collect();
        assert_eq!(kinds, [EntryKind::Del]);
    });
}
