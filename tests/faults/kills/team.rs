//! The group in the flood: its admin says things and changes it, two others say things, a fourth
//! comes and goes; all of them read. What each was confirmed has to be in the log, and what each
//! may see, has read and has waiting has to follow from it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Scope};

use super::{Moment, body};
use crate::process::{Client, Dice, Entry, PATIENCE, Papod, id};

/// The group, its admin, and the one who comes and goes.
const GROUP: &str = "#crew";
const ADMIN: &str = "zoe";
const GUEST: &str = "wil";
const PEOPLE: [&str; 4] = [ADMIN, "yan", "xis", GUEST];

/// A command that was typed and not yet answered.
enum Typed {
    /// An entry of the group: a text, or a change as it reads.
    Entry(String),
    Read(u64),
    Ping,
}

/// What one of them knows.
struct Fellow {
    handle: &'static str,
    /// What it sent in this round, in order; whether it was confirmed, and with which id if it has
    /// one.
    sent: Vec<(String, bool, Option<u64>)>,
    /// What it was shown in this round.
    heard: Vec<Entry>,
    /// The highest id that it asked to mark as read, and the highest for which it got the `OK`.
    asked: u64,
    read: u64,
    /// How many of these were confirmed in this round.
    reads: u64,
    /// The entries that it may see and did not write, of all rounds.
    others: Vec<u64>,
}

/// See the module's text.
pub struct Team {
    people: Vec<Fellow>,
    /// The newest entry that was compared.
    newest: u64,
    /// Whether the guest is in, by the log.
    is_in: bool,
    /// What was confirmed in all rounds: entries, and marks as read.
    pub confirmed: (usize, u64),
}

impl Team {
    pub fn new(papod: &Papod) -> Team {
        let mut clients = PEOPLE.map(|who| papod.register(who));
        clients[0].say(&format!("GROUP NEW {GROUP} {} {}", PEOPLE[1], PEOPLE[2]));
        clients[0].until("OK GROUP NEW ");
        let people = PEOPLE.iter().map(|handle| Fellow {
            handle,
            sent: Vec::new(),
            heard: Vec::new(),
            asked: 0,
            read: 0,
            reads: 0,
            others: Vec::new(),
        });
        let mut people: Vec<Fellow> = people.collect();
        // Those who were there from the beginning have its first entry.
        people[0].sent.push((format!("new {} {}", PEOPLE[1], PEOPLE[2]), true, None));
        let mut team = Team { people, newest: 0, is_in: false, confirmed: (0, 0) };
        team.check(papod);
        team
    }

    /// A session of each.
    pub fn log_in(&self, papod: &Papod) -> Vec<Client> {
        self.people.iter().map(|fellow| papod.login(fellow.handle).0).collect()
    }

    /// Has each of them flood until the server is gone.
    pub fn flood<'scope>(
        &'scope mut self,
        scope: &'scope Scope<'scope, '_>,
        clients: Vec<Client>,
        window: usize,
        dice: &mut Dice,
        confirmed: &'scope Moment,
    ) {
        let is_in = self.is_in;
        for (fellow, client) in self.people.iter_mut().zip(clients) {
            let dice = Dice::new(dice.below(1 << 31));
            scope.spawn(move || fellow.flood(client, window, dice, is_in, confirmed));
        }
    }

    /// The newest entry that is known to be in the log.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Compares everything with what was confirmed.
    pub fn check(&mut self, papod: &Papod) {
        let log = papod.login_quietly(ADMIN).history(GROUP, self.newest);
        assert!(log.is_sorted_by(|a, b| a.id < b.id), "in the order of ids");
        // Whom each entry is shown to, as the changes have it.
        let mut seen: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &log {
            let is_change = |change: &str| entry.from == ADMIN && entry.body == change;
            self.is_in |= is_change(&format!("add {GUEST}"));
            for who in PEOPLE.iter().filter(|who| **who != GUEST || self.is_in) {
                seen.entry(who).or_default().push(entry);
            }
            self.is_in &= !is_change(&format!("remove {GUEST}"));
        }
        let (mut admin, mut there) = (papod.login_quietly(ADMIN), PEOPLE.to_vec());
        there.retain(|who| *who != GUEST || self.is_in);
        admin.say(&format!("GROUP WHO {GROUP}"));
        let who = admin.until("OK GROUP WHO ");
        assert_eq!(who.len(), there.len() + 1, "{who:?}");

        for fellow in &mut self.people {
            let mine = log.iter().filter(|entry| entry.from == fellow.handle).collect();
            self.confirmed.0 += fellow.check_kept(mine);
            let seen = seen.remove(fellow.handle).unwrap_or_default();
            fellow.check_seen(papod, &seen, &log, self.newest);
            fellow.check_read(papod);
            self.confirmed.1 += std::mem::take(&mut fellow.reads);
        }
        self.newest = log.last().map_or(self.newest, |entry| entry.id);
    }
}

impl Fellow {
    fn flood(
        &mut self,
        mut client: Client,
        window: usize,
        mut dice: Dice,
        is_in: bool,
        confirmed: &Moment,
    ) {
        let (type_one, typed) = mpsc::sync_channel(window);
        let newest_heard = AtomicU64::new(0);
        let socket = client.socket().try_clone().expect("a socket can be shared");
        let (handle, newest) = (self.handle, &newest_heard);
        thread::scope(|scope| {
            scope.spawn(move || pour(socket, handle, is_in, &mut dice, newest, type_one));
            while let Some(line) = client.next_line() {
                self.hear(&line, &typed, confirmed);
                let heard = self.heard.last().map_or(0, |entry| entry.id);
                newest_heard.store(heard, Ordering::Relaxed);
            }
            for command in typed {
                match command {
                    Typed::Entry(text) => self.sent.push((text, false, None)),
                    Typed::Read(upto) => self.asked = self.asked.max(upto),
                    Typed::Ping => {}
                }
            }
        });
    }

    fn hear(&mut self, line: &str, typed: &Receiver<Typed>, confirmed: &Moment) {
        match line.split(' ').next().unwrap_or_default() {
            "MSG" | "GROUP" => {
                let entry = Entry::parse(line);
                let before = self.heard.last().map_or(0, |entry| entry.id);
                assert!(entry.id > before, "after {before} came {line}");
                self.heard.push(entry);
            }
            "ACK" | "READ" => {}
            _ => match typed.recv_timeout(PATIENCE).expect("an answer has a question") {
                Typed::Entry(text) => {
                    let given = line.strip_prefix("OK MSG ").map(id);
                    assert!(given.is_some() || line.starts_with("OK GROUP "), "{line}");
                    self.sent.push((text, true, given));
                    confirmed.passed_one();
                }
                Typed::Read(upto) => {
                    assert_eq!(line, format!("OK READ {upto}"));
                    self.asked = self.asked.max(upto);
                    self.read = self.read.max(upto);
                    self.reads += 1;
                }
                Typed::Ping => assert_eq!(line, "OK PING"),
            },
        }
    }

    /// What it wrote is the beginning of what it sent, and reaches over all that was confirmed.
    fn check_kept(&mut self, mine: Vec<&Entry>) -> usize {
        let confirmed = self.sent.iter().filter(|(_, confirmed, _)| *confirmed).count();
        let (who, kept, sent) = (self.handle, mine.len(), self.sent.len());
        let fits = (confirmed..=sent).contains(&kept);
        assert!(fits, "{who}: {sent} sent, {confirmed} confirmed, {kept} in the log");
        for (entry, (text, _, id)) in mine.iter().zip(&self.sent) {
            assert_eq!(&entry.body, text, "entry {}", entry.id);
            assert!(id.is_none_or(|id| id == entry.id), "{id:?} is {}", entry.id);
        }
        self.sent.clear();
        confirmed
    }

    /// What it may see is what the changes of the group have it see, and what it was shown is there.
    fn check_seen(&mut self, papod: &Papod, seen: &[&Entry], log: &[Entry], newest: u64) {
        let who = self.handle;
        // Who was never in has no such group.
        if !(self.others.is_empty() && seen.is_empty()) {
            let view = papod.login_quietly(who).history(GROUP, newest);
            assert!(view.iter().eq(seen.iter().copied()), "{who} does not see what it should");
        }
        for entry in self.heard.drain(..).filter(|entry| entry.id > newest) {
            assert!(log.contains(&entry), "shown, then lost: {entry:?}");
        }
        self.others.extend(seen.iter().filter(|e| e.from != who).map(|e| e.id));
    }

    /// What it has not read, and what waits for it, is what lies above where it has read.
    fn check_read(&self, papod: &Papod) {
        let (mut client, read) = papod.login(self.handle);
        let waiting = id(&read[0]);
        client.say("CHATS");
        let chats = client.until("OK CHATS ");
        let start = format!("CHAT {GROUP} ");
        let unread = chats.iter().find_map(|line| line.strip_prefix(&start)).map_or(0, id);
        let above = |mark: u64| self.others.iter().filter(|id| **id > mark).count() as u64;
        let (who, least, most) = (self.handle, above(self.asked), above(self.read));
        assert!((least..=most).contains(&unread), "{who}: {unread} unread, {least} to {most}");
        // Nothing else waits for it, and it received what it read.
        assert_eq!(waiting, unread, "{who}");
    }
}

/// Types as fast as it is taken: texts, for the admin changes, and marks as read.
fn pour(
    mut socket: impl Write,
    handle: &str,
    mut is_in: bool,
    dice: &mut Dice,
    newest_heard: &AtomicU64,
    type_one: SyncSender<Typed>,
) {
    for n in 0.. {
        let newest = newest_heard.load(Ordering::Relaxed);
        let (typed, line) = match dice.below(6) {
            0 | 1 if newest > 0 => (Typed::Read(newest), format!("READ {newest}")),
            _ if handle == GUEST => (Typed::Ping, "PING".into()),
            2 if handle == ADMIN => {
                let text = format!("topic number {n}");
                (Typed::Entry(text), format!("GROUP TOPIC {GROUP} number {n}"))
            }
            3 if handle == ADMIN => {
                let verb = if is_in { "remove" } else { "add" };
                is_in = !is_in;
                let line = format!("GROUP {} {GROUP} {GUEST}", verb.to_uppercase());
                (Typed::Entry(format!("{verb} {GUEST}")), line)
            }
            _ => {
                let body = body(dice, n);
                let line = format!("MSG {GROUP} {body}");
                (Typed::Entry(body), line)
            }
        };
        if type_one.send(typed).is_err()
            || socket.write_all(format!("{line}\n").as_bytes()).is_err()
        {
            return;
        }
    }
}
