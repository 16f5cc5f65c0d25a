//! Random lives of three people who write, edit, delete and react, come to a group and leave it, are
//! away, and whose server is killed now and then. Each keeps two copies of what was said, one made of
//! events and one of `SYNC`. Both must show what `HIST` shows, nobody may be sent what was said
//! outside their stay, and a text that was deleted is never sent again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::process::{Client, Dice, Papod, id};
use papo::entry::{Entry, EntryKind};
use papo::wire::rows::EntryLine;

const PEOPLE: [&str; 3] = ["ana", "bob", "cid"];
const WORDS: [&str; 4] = ["👍", "ok", "+1", "-"];

/// An entry as a copy has it.
#[derive(Clone, Debug, Default)]
struct Row {
    is_group: bool,
    text: String,
    edit: i64,
    gone: bool,
    re: i64,
    /// The newest reaction of each person: its mark and its word.
    reactions: BTreeMap<String, (i64, String)>,
}

impl Row {
    fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (_, word) in self.reactions.values().filter(|(_, word)| word != "-") {
            *counts.entry(word.clone()).or_default() += 1;
        }
        counts
    }
}

/// What a client knows.
#[derive(Clone, Debug, Default)]
struct Copy(BTreeMap<i64, Row>);

impl Copy {
    /// Takes in an entry, in any order and as often as it comes.
    fn take(&mut self, entry: Entry) {
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

/// A message as it is.
#[derive(Clone, Debug)]
struct Said {
    author: usize,
    in_group: bool,
    /// Who was there.
    readers: [bool; 3],
    is_message: bool,
    gone: bool,
    /// All texts that it ever had.
    texts: Vec<String>,
}

struct Person {
    /// A session that is sent events.
    session: Option<Client>,
    events: Copy,
    synced: Copy,
    /// Where the latest `SYNC` ended.
    at: u64,
    /// The entry with which the present stay in the group began; `None` while out.
    since: Option<i64>,
}

pub struct World {
    db: PathBuf,
    flags: &'static [&'static str],
    papod: Option<Papod>,
    people: [Person; 3],
    log: BTreeMap<i64, Said>,
    /// Texts of deleted messages.
    deleted: BTreeSet<String>,
    count: usize,
}

/// The lives that a run has: two, or as many as `PAPO_LIVES` says. Every other one has flags with
/// which sessions fall behind at the second thing that waits for them.
pub fn all() -> impl Iterator<Item = &'static [&'static str]> {
    let count = std::env::var("PAPO_LIVES").map_or(2, |count| count.parse().expect("a number"));
    [&[][..], &["--limit-waiting", "1"]].into_iter().cycle().take(count)
}

impl World {
    /// A world on a new database.
    pub fn new(db: &Path, flags: &'static [&'static str]) -> World {
        let papod = Papod::start_with(db, flags);
        let people = PEOPLE.map(|name| Person {
            session: Some(papod.register(name)),
            events: Copy::default(),
            synced: Copy::default(),
            at: 0,
            since: None,
        });
        let (log, deleted) = (BTreeMap::new(), BTreeSet::new());
        let db = db.to_owned();
        let mut world = World { db, flags, papod: Some(papod), people, log, deleted, count: 0 };
        world.changes_group("GROUP NEW team", |members| members[0] = true);
        world
    }

    /// Lets some time pass. Returns the texts that were deleted; papod has ended.
    pub fn lives(mut self, dice: &mut Dice) -> BTreeSet<String> {
        const STEPS: usize = 250;
        for _ in 0..STEPS {
            let who = dice.below(3) as usize;
            match dice.below(30) {
                0..=6 => self.writes(who, dice),
                7 | 8 => self.answers(who, dice),
                9..=12 => self.edits(who, dice),
                13 | 14 => self.deletes(who, dice),
                15..=19 => self.reacts(who, dice),
                20 | 21 => self.invites_or_removes(1 + dice.below(2) as usize),
                22 | 23 => self.comes_or_goes(who),
                24 | 25 => self.acknowledges(who, dice),
                26 => self.restarts(),
                _ => self.looks(who),
            }
            self.hear_all();
        }
        for who in 0..3 {
            if self.people[who].session.is_none() {
                self.comes_or_goes(who);
            }
            self.hear_all();
            self.looks(who);
        }
        self.people.iter_mut().for_each(|person| person.session = None);
        self.papod.take().expect("it runs").stop();
        self.deleted
    }

    /// Says something as somebody, in the session or in a quiet one. Returns the final line.
    fn say(&mut self, who: usize, line: &str) -> String {
        let verb = line.split(' ').next().unwrap_or_default();
        let (ok, err) = (format!("OK {verb}"), format!("ERR {verb}"));
        let name = PEOPLE[who];
        let mut quiet = None;
        let client = match &mut self.people[who].session {
            Some(session) => session,
            None => quiet.insert(self.papod.as_ref().expect("it runs").login_quietly(name)),
        };
        client.say(line);
        let mut heard = Vec::new();
        let last = loop {
            let line = client.line();
            if line.starts_with(&ok) || line.starts_with(&err) {
                break line;
            }
            heard.push(line);
        };
        println!("{name}: {line} -> {last}");
        heard.iter().for_each(|line| self.hears(who, line));
        last
    }

    /// Whether sessions fall behind at the second thing that waits for them.
    fn is_narrow(&self) -> bool {
        !self.flags.is_empty()
    }

    /// Takes in an event.
    fn hears(&mut self, who: usize, line: &str) {
        let Some(EntryLine { entry, .. }) = EntryLine::parse(line) else { return };
        let entry = entry.into_owned();
        println!("    {} < {line}", PEOPLE[who]);
        self.may_hear(who, &entry);
        self.people[who].events.take(entry);
    }

    /// Nobody is sent anything from outside their stay, or a text that was deleted.
    fn may_hear(&self, who: usize, entry: &Entry) {
        // A session that is behind may have been sent a page that is read later.
        let is_in_time = self.is_narrow() || !self.deleted.contains(&*entry.body);
        assert!(is_in_time, "{}: {entry:?}", PEOPLE[who]);
        let about = entry.tags.as_ref().and_then(|tags| tags.re).filter(|_| entry.kind.is_mark());
        let message = about.unwrap_or(entry.id).0;
        let said = self.log.get(&message).unwrap_or_else(|| panic!("{entry:?} was never said"));
        assert!(said.readers[who], "{} may not see {entry:?}", PEOPLE[who]);
    }

    /// Everyone who is there reads all that came.
    fn hear_all(&mut self) {
        for who in 0..3 {
            if self.people[who].session.is_some() {
                self.say(who, "PING all");
            }
        }
    }

    /// An own entry, as a client notes it when it is confirmed.
    fn notes(&mut self, who: usize, word: &str, id: i64, to: &str, tags: &str, text: &str) {
        let line =
            format!("{word} {id} 2026-01-01T00:00:00.000Z {} {to} {tags} {text}", PEOPLE[who]);
        let entry = EntryLine::parse(&line).expect("an entry").entry.into_owned();
        let events = &mut self.people[who].events;
        // In a quiet session one may see a message before it was sent as an event.
        let about = entry.tags.as_ref().and_then(|tags| tags.re);
        if let Some(about) = about.filter(|_| entry.kind.is_mark()) {
            events.0.entry(about.0).or_default();
        }
        events.take(entry);
    }

    fn text(&mut self) -> String {
        self.count += 1;
        format!("text-{:06}", self.count)
    }

    fn members(&self) -> [bool; 3] {
        [0, 1, 2].map(|who| self.people[who].since.is_some())
    }

    /// The conversation as somebody in it names it.
    fn target(&self, who: usize, in_group: bool) -> &'static str {
        if in_group { "#team" } else { PEOPLE[1 - who] }
    }

    fn writes(&mut self, who: usize, dice: &mut Dice) {
        let in_group = who == 2 || dice.below(2) == 0;
        let (to, text) = (self.target(who, in_group), self.text());
        let answer = self.say(who, &format!("MSG {to} {text}"));
        if in_group && !self.members()[who] {
            return assert!(answer.starts_with("ERR MSG no-such-group "), "{answer}");
        }
        self.said(who, &answer, in_group, "-", text);
    }

    fn said(&mut self, who: usize, answer: &str, in_group: bool, tags: &str, text: String) {
        assert!(answer.starts_with("OK "), "{answer}");
        let (id, to) = (id(answer) as i64, self.target(who, in_group));
        let readers = if in_group { self.members() } else { [true, true, false] };
        let (is_message, gone, texts) = (true, false, vec![text.clone()]);
        let said = Said { author: who, in_group, readers, is_message, gone, texts };
        self.log.insert(id, said);
        self.notes(who, "MSG", id, to, tags, &text);
    }

    /// Any entry, and what somebody may not do with it: the code of the refusal.
    fn any(&self, who: usize, dice: &mut Dice) -> (i64, Option<&'static str>) {
        let at = dice.below(self.log.len() as u64) as usize;
        let (id, said) = self.log.iter().nth(at).expect("there are so many");
        let code = match said {
            said if !said.readers[who] || !said.is_message => Some("no-such-message"),
            said if said.in_group && !self.members()[who] && !said.gone => Some("no-such-group"),
            said if said.gone => Some("no-such-message"),
            _ => None,
        };
        (*id, code)
    }

    fn refused(answer: &str, code: Option<&str>) -> bool {
        if let Some(code) = code {
            let said = answer.split(' ').nth(2);
            assert_eq!((answer.starts_with("ERR "), said), (true, Some(code)), "{answer}");
        }
        code.is_some()
    }

    fn answers(&mut self, who: usize, dice: &mut Dice) {
        let (about, code) = self.any(who, dice);
        let text = self.text();
        let answer = self.say(who, &format!("RE {about} {text}"));
        if !World::refused(&answer, code) {
            let in_group = self.log[&about].in_group;
            self.said(who, &answer, in_group, &format!("re={about}"), text);
        }
    }

    fn edits(&mut self, who: usize, dice: &mut Dice) {
        let (about, mut code) = self.any(who, dice);
        let text = self.text();
        let said = &self.log[&about];
        if said.author != who {
            code = code.or(Some("not-yours"));
        }
        let to = self.target(who.min(1), said.in_group);
        let answer = self.say(who, &format!("EDIT {about} {text}"));
        if !World::refused(&answer, code) {
            self.notes(who, "EDIT", id(&answer) as i64, to, &format!("re={about}"), &text);
            let again = self.say(who, &format!("EDIT {about} {text}"));
            assert_eq!(again, answer);
            self.log.get_mut(&about).expect("it is there").texts.push(text);
        }
    }

    fn deletes(&mut self, who: usize, dice: &mut Dice) {
        let (about, mut code) = self.any(who, dice);
        let said = &self.log[&about];
        let may = said.author == who || (said.in_group && who == 0);
        if said.is_message && said.readers[who] && said.gone {
            code = (said.in_group && !self.members()[who]).then_some("no-such-group");
        }
        code = code.or((!may).then_some("not-yours"));
        let (to, was_gone) = (self.target(who.min(1), said.in_group), said.gone);
        let answer = self.say(who, &format!("DEL {about}"));
        if !World::refused(&answer, code) {
            let said = self.log.get_mut(&about).expect("it is there");
            said.gone = true;
            self.deleted.extend(said.texts.drain(..));
            if !was_gone {
                self.notes(who, "DEL", id(&answer) as i64, to, &format!("re={about}"), "-");
            }
        }
    }

    fn reacts(&mut self, who: usize, dice: &mut Dice) {
        let (about, code) = self.any(who, dice);
        let word = WORDS[dice.below(4) as usize];
        let to = self.target(who.min(1), self.log[&about].in_group);
        let answer = self.say(who, &format!("REACT {about} {word}"));
        if !World::refused(&answer, code) {
            let mark = id(&answer) as i64;
            // What held before is named, which is the message if there was nothing.
            if mark != about {
                self.notes(who, "REACT", mark, to, &format!("re={about}"), word);
            }
        }
    }

    /// Ana, the only admin, changes who is in the group.
    fn changes_group(&mut self, command: &str, change: impl Fn(&mut [bool; 3])) {
        let before = self.members();
        let mut after = before;
        change(&mut after);
        // A member who is removed sees that, too.
        let readers = [0, 1, 2].map(|who| before[who] || after[who]);
        let quiet = self.people[0].session.take();
        let (answer, newest) = {
            let answer = self.say(0, command);
            let rows =
                self.papod.as_ref().expect("it runs").login_quietly("ana").history("#team", 0);
            (answer, rows.last().expect("there is the change").id as i64)
        };
        self.people[0].session = quiet;
        assert!(answer.starts_with("OK GROUP "), "{answer}");
        let (is_message, gone, texts) = (false, false, Vec::new());
        let said = Said { author: 0, in_group: true, readers, is_message, gone, texts };
        self.log.insert(newest, said);
        for (who, person) in self.people.iter_mut().enumerate() {
            match (before[who], after[who]) {
                (false, true) => person.since = Some(newest),
                (true, false) => person.since = None,
                _ => {}
            }
        }
    }

    fn invites_or_removes(&mut self, whom: usize) {
        let (name, is_in) = (PEOPLE[whom], self.members()[whom]);
        let word = if is_in { "REMOVE" } else { "ADD" };
        self.changes_group(&format!("GROUP {word} team {name}"), |members| members[whom] = !is_in);
    }

    fn comes_or_goes(&mut self, who: usize) {
        if self.people[who].session.take().is_some() {
            return println!("{} goes", PEOPLE[who]);
        }
        let (client, read) = self.papod.as_ref().expect("it runs").login(PEOPLE[who]);
        println!("{} comes", PEOPLE[who]);
        self.people[who].session = Some(client);
        read.iter().for_each(|line| self.hears(who, line));
    }

    /// Up to what was sent, or up to an entry that may be a mark.
    fn acknowledges(&mut self, who: usize, dice: &mut Dice) {
        let verb = if dice.below(2) == 0 { "ACK" } else { "READ" };
        if self.people[who].session.is_some() {
            self.say(who, verb);
        }
    }

    fn restarts(&mut self) {
        println!("killed");
        self.people.iter_mut().for_each(|person| person.session = None);
        self.papod.take().expect("it runs").kill();
        self.papod = Some(Papod::start_with(&self.db, self.flags));
    }

    /// Compares both copies with the history.
    fn looks(&mut self, who: usize) {
        // Of a session that is behind it is not known when it has all; of a new one it is.
        if self.is_narrow() && self.people[who].session.is_some() {
            self.comes_or_goes(who);
            self.comes_or_goes(who);
        }
        let name = PEOPLE[who];
        let mut client = self.papod.as_ref().expect("it runs").login_quietly(name);
        client.say(&format!("SYNC {}", self.people[who].at));
        let mut read = client.until("OK SYNC ");
        self.people[who].at = id(&read.pop().expect("the final line"));
        for line in read {
            let entry = EntryLine::parse(&line).expect("a row").entry.into_owned();
            println!("    {name} syncs {line}");
            self.may_hear(who, &entry);
            self.people[who].synced.take(entry);
        }
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
        let with_events = person.session.is_some().then_some(("events", &person.events));
        for (what, copy) in with_events.into_iter().chain([("SYNC", &person.synced)]) {
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
