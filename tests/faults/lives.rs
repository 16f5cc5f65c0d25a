//! Random lives of three people who write, edit, delete and react, come to a group and leave it, are
//! away, and whose server is killed now and then. Each keeps two copies of what was said, one made of
//! events and one of `SYNC`; and so does each of their devices, which come and go and are deleted:
//! its copy begins with `SYNC` before its first login, and is made of its events from then on. All of
//! them must show what `HIST` shows, nobody may be sent what was said outside their stay, and a text
//! that was deleted is never sent again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::process::{Client, Dice, PASSWORD, Papod, id};
use papo::entry::Entry;
use papo::wire::rows::EntryLine;

#[path = "lives/copy.rs"]
mod copy;
#[path = "lives/looks.rs"]
mod looks;

use copy::Copy;

const PEOPLE: [&str; 3] = ["ana", "bob", "cid"];
const DEVICES: [&str; 2] = ["phone", "tab"];
const WORDS: [&str; 4] = ["👍", "ok", "+1", "-"];

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

/// With a session that is sent events, and what it knows from them.
#[derive(Default)]
struct Reading {
    session: Option<Client>,
    events: Copy,
    /// What it will not be sent as events any more, `SYNC` has to say before the next login.
    misses_some: bool,
}

#[derive(Default)]
struct Person {
    /// First the one that is no device.
    readings: [Reading; 1 + DEVICES.len()],
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
    /// Which of somebody's sessions says what is said next, if it is open.
    by: usize,
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
        let people = PEOPLE.map(|name| {
            let mut person = Person::default();
            for reading in &mut person.readings {
                reading.misses_some = true;
            }
            let session = Some(papod.register(name));
            person.readings[0] = Reading { session, ..Reading::default() };
            person
        });
        let (log, deleted) = (BTreeMap::new(), BTreeSet::new());
        let db = db.to_owned();
        let (papod, by) = (Some(papod), 0);
        let mut world = World { db, flags, papod, people, by, log, deleted, count: 0 };
        world.changes_group("GROUP NEW team", |members| members[0] = true);
        world
    }

    /// Lets some time pass. Returns the texts that were deleted; papod has ended.
    pub fn lives(mut self, dice: &mut Dice) -> BTreeSet<String> {
        const STEPS: usize = 250;
        for _ in 0..STEPS {
            let who = dice.below(3) as usize;
            self.by = dice.below(1 + DEVICES.len() as u64) as usize;
            match dice.below(36) {
                0..=6 => self.writes(who, dice),
                7 | 8 => self.answers(who, dice),
                9..=12 => self.edits(who, dice),
                13 | 14 => self.deletes(who, dice),
                15..=19 => self.reacts(who, dice),
                20 | 21 => self.invites_or_removes(1 + dice.below(2) as usize),
                22 | 23 => self.comes_or_goes(who, 0),
                24..=28 => self.comes_or_goes(who, 1 + dice.below(2) as usize),
                29..=31 => self.acknowledges(who, dice),
                32 => self.restarts(),
                33 if dice.below(2) == 0 => self.deletes_a_device(who),
                _ => self.looks(who),
            }
            self.hear_all();
        }
        for who in 0..3 {
            for which in 0..=DEVICES.len() {
                if self.people[who].readings[which].session.is_none() {
                    self.comes_or_goes(who, which);
                }
            }
            self.hear_all();
            self.looks(who);
        }
        self.end_all();
        self.papod.take().expect("it runs").stop();
        self.deleted
    }

    /// Says something as somebody: in the session whose turn it is, in the one that is no device's, or
    /// in a quiet one. Returns the final line.
    fn say(&mut self, who: usize, line: &str) -> String {
        let which = self.speaks(who);
        self.speaks_to_the_log(who, which);
        self.says(who, which, line)
    }

    /// Which of the sessions of somebody speaks.
    fn speaks(&self, who: usize) -> usize {
        let is_open = self.people[who].readings[self.by].session.is_some();
        if is_open { self.by } else { 0 }
    }

    /// What a device makes or acknowledges is not sent at the next login without it.
    fn speaks_to_the_log(&mut self, who: usize, which: usize) {
        let is_narrow = self.is_narrow();
        let plain = &mut self.people[who].readings[0];
        plain.misses_some |= which > 0 && (plain.session.is_none() || is_narrow);
    }

    fn says(&mut self, who: usize, which: usize, line: &str) -> String {
        let verb = line.split(' ').next().unwrap_or_default();
        let (ok, err) = (format!("OK {verb}"), format!("ERR {verb}"));
        let name = PEOPLE[who];
        let mut quiet = None;
        let client = match &mut self.people[who].readings[which].session {
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
        println!("{}: {line} -> {last}", login(who, which));
        heard.iter().for_each(|line| self.hears(who, which, line));
        last
    }

    /// Whether sessions fall behind at the second thing that waits for them.
    fn is_narrow(&self) -> bool {
        !self.flags.is_empty()
    }

    /// Takes in an event.
    fn hears(&mut self, who: usize, which: usize, line: &str) {
        let Some(EntryLine { entry, .. }) = EntryLine::parse(line) else { return };
        let entry = entry.into_owned();
        println!("    {} < {line}", login(who, which));
        self.may_hear(who, &entry);
        self.people[who].readings[which].events.take(entry);
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
            for which in 0..=DEVICES.len() {
                if self.people[who].readings[which].session.is_some() {
                    self.says(who, which, "PING all");
                }
            }
        }
    }

    /// An own entry, as a client notes it when it is confirmed.
    fn notes(&mut self, who: usize, word: &str, id: i64, to: &str, tags: &str, text: &str) {
        let line =
            format!("{word} {id} 2026-01-01T00:00:00.000Z {} {to} {tags} {text}", PEOPLE[who]);
        let entry = EntryLine::parse(&line).expect("an entry").entry.into_owned();
        let which = self.speaks(who);
        let events = &mut self.people[who].readings[which].events;
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
        self.by = 0;
        let session = self.people[0].readings[0].session.take();
        let (answer, newest) = {
            let answer = self.say(0, command);
            let rows =
                self.papod.as_ref().expect("it runs").login_quietly("ana").history("#team", 0);
            (answer, rows.last().expect("there is the change").id as i64)
        };
        self.people[0].readings[0].session = session;
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

    fn comes_or_goes(&mut self, who: usize, which: usize) {
        let name = login(who, which);
        if self.people[who].readings[which].session.take().is_some() {
            return println!("{name} goes");
        }
        if std::mem::take(&mut self.people[who].readings[which].misses_some) {
            println!("{name} syncs");
            let mut copy = Copy::default();
            self.syncs(who, 0, &mut copy);
            self.people[who].readings[which].events = copy;
        }
        let mut client = self.papod.as_ref().expect("it runs").connect();
        client.say(&format!("LOGIN {name} {PASSWORD}"));
        let read = client.until("LIVE ");
        println!("{name} comes: {}", read[0]);
        assert!(read[0].starts_with(&format!("OK LOGIN {name} ")), "{read:?}");
        self.people[who].readings[which].session = Some(client);
        read.iter().for_each(|line| self.hears(who, which, line));
    }

    /// Lets a copy take what `SYNC` says after an entry, and returns where that ends.
    fn syncs(&self, who: usize, mut at: u64, copy: &mut Copy) -> u64 {
        let mut client = self.papod.as_ref().expect("it runs").login_quietly(PEOPLE[who]);
        loop {
            client.say(&format!("SYNC {at}"));
            let mut read = client.until("OK SYNC ");
            let last = read.pop().expect("the final line");
            for line in read {
                let entry = EntryLine::parse(&line).expect("a row").entry.into_owned();
                println!("    {} syncs {line}", PEOPLE[who]);
                self.may_hear(who, &entry);
                copy.take(entry);
            }
            at = id(&last);
            if last.ends_with(" end") {
                return at;
            }
        }
    }

    /// Up to what was sent, or up to an entry.
    fn acknowledges(&mut self, who: usize, dice: &mut Dice) {
        let which = self.speaks(who);
        if self.people[who].readings[which].session.is_none() {
            return;
        }
        self.speaks_to_the_log(who, which);
        // One that is behind may not have been sent all that there is.
        let line = match dice.below(if self.is_narrow() { 2 } else { 4 }) {
            0 => "ACK".to_owned(),
            1 => "READ".to_owned(),
            verb => {
                let (id, _) = self.any(who, dice);
                format!("{} {id}", if verb == 2 { "ACK" } else { "READ" })
            }
        };
        self.says(who, which, &line);
    }

    fn deletes_a_device(&mut self, who: usize) {
        let Some(name) = self.by.checked_sub(1).map(|device| DEVICES[device]) else { return };
        let which = std::mem::take(&mut self.by);
        let answer = self.say(who, &format!("DEVICES DEL {name}"));
        let reading = &mut self.people[who].readings[which];
        let session = std::mem::take(reading).session;
        reading.misses_some = true;
        if let Some(mut session) = session {
            assert!(answer.starts_with("OK "), "{answer}");
            assert_eq!(session.rest().last().map(|line| &**line), Some("BYE kicked"));
        }
    }

    fn end_all(&mut self) {
        let readings = self.people.iter_mut().flat_map(|person| &mut person.readings);
        readings.for_each(|reading| reading.session = None);
    }

    fn restarts(&mut self) {
        println!("killed");
        self.end_all();
        self.papod.take().expect("it runs").kill();
        self.papod = Some(Papod::start_with(&self.db, self.flags));
    }
}

/// As whom a session of somebody logs in.
fn login(who: usize, which: usize) -> String {
    match which.checked_sub(1) {
        Some(device) => format!("{}/{}", PEOPLE[who], DEVICES[device]),
        None => PEOPLE[who].to_owned(),
    }
}
