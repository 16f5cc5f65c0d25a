//! The people of the histories: each writes, reads and asks in sessions of its own, and notes what it
//! was told. Where something is wrong at once they say so; the rest is compared at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::net::{Shutdown, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::process::{Client, Dice, Entry, PASSWORD, id};
use crate::team::People;

/// How many people there are: each has three sessions.
pub const PEOPLE: usize = 10;

/// The groups, and who is in them.
pub const GROUPS: [(&str, usize); 2] = [("#some", 4), ("#all", PEOPLE)];

/// The last message, to everybody.
pub const LAST: &str = "that is all";

/// The handle of one of the people.
pub fn handle(n: usize) -> String {
    format!("p{n}")
}

/// Whether somebody is a member of a group.
pub fn is_in(n: usize, group: &str) -> bool {
    GROUPS.iter().any(|(name, members)| *name == group && n < *members)
}

/// A message as its author knows it.
pub struct WrittenMessage {
    pub called: Instant,
    pub returned: Instant,
    /// `None`: it is not known what became of it.
    pub id: Option<u64>,
    pub from: String,
    pub to: String,
    pub body: String,
}

/// An attempt to have a group, or an account, of a name that others want too.
pub struct Attempt {
    pub name: String,
    /// `None`: it is not known.
    pub won: Option<bool>,
}

/// What waits for somebody, as far as it is known.
#[derive(Default)]
struct Mailbox {
    /// What was confirmed to its author and not acknowledged.
    due: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    /// Up to here it may have been acknowledged.
    perhaps: u64,
}

/// The newest `READ` of somebody, by who it is and by where.
pub type Read = HashMap<(String, String), u64>;

/// What all of them know.
pub struct World<'a> {
    pub people: &'a People,
    /// The newest message of each conversation that was confirmed.
    newest: Mutex<HashMap<(String, String), u64>>,
    /// What each id was shown with, anywhere.
    shown: Mutex<BTreeMap<u64, Entry>>,
    /// The time of each.
    times: Mutex<BTreeMap<u64, String>>,
    /// How far each was seen to have got with a message.
    progress: Mutex<HashMap<u64, HashMap<String, usize>>>,
    mailboxes: [Mutex<Mailbox>; PEOPLE],
    /// Nothing more will be written.
    pub all_is_said: AtomicBool,
}

/// A conversation, whoever's message it is.
pub fn conversation(from: &str, to: &str) -> (String, String) {
    match to.starts_with('#') {
        true => (to.into(), String::new()),
        false => (from.min(to).into(), from.max(to).into()),
    }
}

impl World<'_> {
    pub fn new(people: &People) -> World<'_> {
        let (newest, shown, times, progress) = Default::default();
        let (mailboxes, all_is_said) = Default::default();
        World { people, newest, shown, times, progress, mailboxes, all_is_said }
    }

    fn is_over(&self) -> bool {
        self.people.enough.load(Ordering::SeqCst)
    }

    /// A message to others was confirmed.
    fn wait_for_others(&self, from: usize, to: &str, id: u64) {
        for n in (0..PEOPLE).filter(|n| *n != from && (handle(*n) == to || is_in(*n, to))) {
            let mut mailbox = self.mailboxes[n].lock().unwrap();
            if id > mailbox.perhaps && !mailbox.acked.contains(&id) {
                mailbox.due.insert(id);
            }
        }
    }

    /// An entry that was shown: it never looks different anywhere.
    pub fn show(&self, line: &str) -> Entry {
        let entry = Entry::parse(line);
        let mut shown = self.shown.lock().unwrap();
        let known = shown.entry(entry.id).or_insert_with(|| entry.clone());
        assert_eq!(*known, entry, "an id with two messages");
        let time = line.split(' ').nth(2).unwrap();
        let mut times = self.times.lock().unwrap();
        let known = times.entry(entry.id).or_insert_with(|| time.to_owned());
        assert_eq!(*known, time, "an id with two times");
        entry
    }

    /// Of all that was shown, whatever the clocks said: times never fall as ids grow.
    pub fn check_times(&self) {
        let times = self.times.lock().unwrap();
        let fallen = times.iter().zip(times.iter().skip(1)).find(|(a, b)| a.1 > b.1);
        assert!(fallen.is_none(), "{fallen:?}");
    }
}

/// Types a line. `None`: the session has ended.
fn say(client: &Client, line: &str) -> Option<()> {
    client.socket().write_all(format!("{line}\n").as_bytes()).ok()
}

/// The rows of an answer, and its final line. `None`: the session has ended.
fn answer(client: &mut Client, line: &str, verb: &str) -> Option<(Vec<String>, String)> {
    say(client, line)?;
    let mut rows = Vec::new();
    loop {
        let line = client.next_line()?;
        let is_final = |word: &str| line.strip_prefix(word).is_some_and(|it| it.starts_with(verb));
        if is_final("OK ") || is_final("ERR ") {
            return Some((rows, line));
        }
        if line.starts_with("BYE ") {
            return None;
        }
        rows.push(line);
    }
}

/// Writes until there is enough.
pub fn write(world: &World, n: usize, mut dice: Dice) -> (Vec<WrittenMessage>, Vec<Attempt>) {
    let (from, mut next) = (handle(n), n);
    let log_in = |next: &mut usize| world.people.log_in(next, &from, " quiet");
    let mut client = log_in(&mut next);
    let (mut all, mut attempts) = (Vec::<WrittenMessage>::new(), Vec::new());
    while !world.is_over() {
        let count = all.len();
        if count % 40 == 39 {
            let round = count / 40;
            let (name, line, verb) = match round % 2 {
                0 => (format!("#race{round}"), format!("GROUP NEW #race{round}"), "GROUP"),
                _ => (format!("race{round}"), format!("REG race{round} {PASSWORD}"), "REG"),
            };
            // An account is made by somebody who is not logged in.
            let mut newcomer = (verb == "REG").then(|| world.people.connect(&mut next));
            let answered = answer(newcomer.as_mut().unwrap_or(&mut client), &line, verb);
            let won = match answered {
                Some((_, line)) if line.starts_with("OK ") => Some(true),
                Some((_, line)) if line.starts_with(&format!("ERR {verb} taken ")) => Some(false),
                Some((_, line)) => {
                    assert!(line.contains(" storage "), "{line}");
                    None
                }
                None => {
                    client = log_in(&mut next);
                    None
                }
            };
            attempts.push(Attempt { name, won });
        }
        let mut groups = GROUPS.iter().filter(|(_, members)| n < *members).map(|(name, _)| *name);
        let to = match dice.below(3) {
            0 => groups.next_back().unwrap().to_owned(),
            1 => groups.next().unwrap().to_owned(),
            _ => handle(dice.below(PEOPLE as u64) as usize),
        };
        let body = format!("{n} says {count}");
        let is_once = dice.below(4) > 0;
        let key = if is_once { format!("ONCE k{count} ") } else { String::new() };
        let called = Instant::now();
        let id = loop {
            match answer(
                &mut client,
                &format!("{key}MSG {to} {body}"),
                if is_once { "" } else { "MSG" },
            ) {
                Some((_, line)) if line.starts_with("OK MSG ") => break Some(id(&line)),
                // Nothing was sent.
                Some((_, line)) => assert!(line.contains(" storage "), "{line}"),
                None => {
                    client = log_in(&mut next);
                    if !is_once {
                        break None;
                    }
                }
            }
        };
        let returned = Instant::now();
        if let Some(id) = id {
            let mut newest_of = world.newest.lock().unwrap();
            let newest = newest_of.entry(conversation(&from, &to)).or_default();
            *newest = id.max(*newest);
            drop(newest_of);
            world.wait_for_others(n, &to, id);
            world.people.confirmed.lock().unwrap().push(returned);
        }
        all.push(WrittenMessage { called, returned, id, from: from.clone(), to, body });
    }
    (all, attempts)
}

/// Reads events and acknowledges them, session after session, until everything has been said. Returns
/// the last session, and what it knows of others.
pub fn watch(world: &World, n: usize, mut dice: Dice) -> (Client, Read) {
    let (me, mut next, mut read) = (handle(n), n + 1, Read::new());
    loop {
        let due = world.mailboxes[n].lock().unwrap().due.clone();
        // Then nothing comes after what is sent at the login.
        let mut is_last = world.all_is_said.load(Ordering::SeqCst);
        let mut client = world.people.log_in(&mut next, &me, "");
        let mut is_live = false;
        let mut sent = BTreeSet::new();
        let mut heard =
            Heard { me: me.clone(), by: client.socket().peer_addr().ok(), line: String::new() };
        // Whether a command is unanswered, and covers the last message.
        let mut asked = None;
        while let Some(line) = client.next_line() {
            heard.line.clone_from(&line);
            match line.split(' ').next().unwrap() {
                "MSG" => {
                    let entry = world.show(&line);
                    let last = sent.last().copied().unwrap_or(0);
                    assert!(entry.id > last, "{} after {last} for {me}", entry.id);
                    sent.insert(entry.id);
                    is_last |= entry.body == LAST;
                }
                "READ" | "ACK" => note_receipt(&mut read, &line, &me),
                "LIVE" => {
                    is_live = true;
                    let mailbox = world.mailboxes[n].lock().unwrap();
                    let missing: Vec<_> = due.difference(&sent).collect();
                    assert!(missing.is_empty(), "not sent to {me} before {line}: {missing:?}");
                    let again: Vec<_> = mailbox.acked.intersection(&sent).collect();
                    assert!(again.is_empty(), "sent to {me} again: {again:?}");
                }
                "OK" => {
                    // All that was sent so far.
                    let mut mailbox = world.mailboxes[n].lock().unwrap();
                    for id in sent.iter().filter(|id| **id <= id_or(&line, 0)) {
                        mailbox.due.remove(id);
                        mailbox.acked.insert(*id);
                    }
                    if asked.take() == Some(true) {
                        let mailbox = &*mailbox;
                        assert!(mailbox.due.is_empty(), "never sent to {me}: {:?}", mailbox.due);
                        return (client, read);
                    }
                }
                "ERR" => {
                    assert!(line.contains(" storage "), "{line}");
                    asked = None;
                }
                _ => {}
            }
            if is_live && asked.is_none() && (is_last || dice.below(8) == 0) {
                let verb = if is_last || dice.below(2) == 0 { "READ" } else { "ACK" };
                asked = Some(is_last);
                say(&client, verb);
            } else if is_live && !world.is_over() && dice.below(300) == 0 {
                // What has come counts as shown, so it is read to its end.
                let _ = client.socket().shutdown(Shutdown::Write);
                is_live = false;
            }
        }
        if asked.is_some() {
            // It may cover what was sent, and not read from it. Some of that is not known yet.
            let newest = world.newest.lock().unwrap().values().max().copied();
            let upto = newest.max(sent.last().copied()).unwrap_or(0) + 1_000;
            let mut mailbox = world.mailboxes[n].lock().unwrap();
            mailbox.perhaps = upto;
            mailbox.due.retain(|id| *id > upto);
        }
    }
}

/// What somebody was told last, for when nothing comes after it.
struct Heard {
    me: String,
    by: Option<SocketAddr>,
    line: String,
}

impl Drop for Heard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the last that {} heard, from {:?}: {}", self.me, self.by, self.line);
        }
    }
}

fn id_or(line: &str, or: u64) -> u64 {
    line.split(' ').find_map(|word| word.parse().ok()).unwrap_or(or)
}

/// Notes a `READ` of somebody else.
pub fn note_receipt(read: &mut Read, line: &str, me: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    if let ["READ", id, _, from, to] = &*words
        && *from != me
    {
        let known = read.entry(((*from).into(), (*to).into())).or_default();
        *known = id.parse::<u64>().unwrap().max(*known);
    }
}

/// Asks for what there is, of messages that were confirmed before among it. Returns all that `SYNC`
/// has shown.
pub fn ask(world: &World, n: usize, mut dice: Dice) -> BTreeMap<u64, Entry> {
    let (me, mut next) = (handle(n), n + 2);
    let mut client = world.people.log_in(&mut next, &me, " quiet");
    let (mut all, mut place) = (BTreeMap::new(), 0);
    loop {
        let is_over = world.all_is_said.load(Ordering::SeqCst);
        let done = match if is_over { 1 } else { dice.below(3) } {
            0 => ask_history(world, &mut client, n, &mut dice),
            1 => sync(world, &mut client, &mut place, &mut all),
            _ => ask_info(world, &mut client, &me, &mut dice),
        };
        match done {
            Some(more) if is_over && !more => return all,
            Some(_) => {}
            None => client = world.people.log_in(&mut next, &me, " quiet"),
        }
    }
}

/// What was refused for want of a database is asked again.
fn is_answer(line: &str) -> bool {
    assert!(line.starts_with("OK ") || line.contains(" storage "), "{line}");
    line.starts_with("OK ")
}

/// Whether a row is of a message: there are rows of changes of groups, too.
fn is_message(row: &str) -> bool {
    row.starts_with("HIST ") && !row.contains(" kind=")
}

fn ask_history(world: &World, client: &mut Client, n: usize, dice: &mut Dice) -> Option<bool> {
    let me = &handle(n);
    let newest = world.newest.lock().unwrap().clone();
    let mine = |(a, b): &&(String, String)| a == me || b == me || is_in(n, a);
    let known: Vec<_> = newest.keys().filter(mine).collect();
    if known.is_empty() {
        return Some(true);
    }
    let (a, b) = known[dice.below(known.len() as u64) as usize];
    let with = if a == me { b } else { a };
    let (rows, last) = answer(client, &format!("HIST {with} 5"), "HIST")?;
    if is_answer(&last) {
        let shown = rows.iter().filter(|row| is_message(row)).map(|row| world.show(row).id);
        let shown: Vec<u64> = shown.collect();
        assert!(shown.is_sorted_by(|a, b| a < b), "{shown:?}");
        let confirmed = newest[&(a.clone(), b.clone())];
        let is_there = shown.last().is_some_and(|last| *last >= confirmed);
        assert!(is_there, "{confirmed} was confirmed to {a} {b} before: {shown:?}");
    }
    Some(true)
}

/// One step. Returns whether there is more.
fn sync(
    world: &World,
    client: &mut Client,
    place: &mut u64,
    all: &mut BTreeMap<u64, Entry>,
) -> Option<bool> {
    let (rows, last) = answer(client, &format!("SYNC {place}"), "SYNC")?;
    if !is_answer(&last) {
        return Some(true);
    }
    for entry in rows.iter().filter(|row| is_message(row)).map(|row| world.show(row)) {
        assert!(entry.id > *place, "{} after {place}", entry.id);
        *place = entry.id;
        all.insert(entry.id, entry);
    }
    *place = id(&last);
    Some(last.ends_with(" more"))
}

fn ask_info(world: &World, client: &mut Client, me: &str, dice: &mut Dice) -> Option<bool> {
    let mine = {
        let shown = world.shown.lock().unwrap();
        let newest = shown.keys().next_back().copied().unwrap_or(0);
        let candidate = newest.saturating_sub(dice.below(50));
        shown.get(&candidate).filter(|entry| entry.from == me).cloned()
    };
    let Some(mine) = mine else { return Some(true) };
    let before = world.progress.lock().unwrap().get(&mine.id).cloned().unwrap_or_default();
    let (rows, last) = answer(client, &format!("INFO {}", mine.id), "INFO")?;
    if is_answer(&last) {
        for row in rows.iter().filter(|row| row.starts_with("INFO ")) {
            let words: Vec<&str> = row.split(' ').collect();
            let place = ["sent", "delivered", "read"].iter().position(|word| *word == words[3]);
            let (who, place) = (words[2], place.unwrap());
            let least = before.get(who).copied().unwrap_or(0);
            assert!(place >= least, "it was further before: {row}");
            let mut progress = world.progress.lock().unwrap();
            let known = progress.entry(mine.id).or_default().entry(who.into()).or_default();
            *known = place.max(*known);
        }
    }
    Some(true)
}
