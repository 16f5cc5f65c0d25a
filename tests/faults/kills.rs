//! `kill -9` in a flood: what was confirmed is there after a restart, where it was said to be.
//!
//! Pairs of people flood each other with pipelined messages and acknowledge what they receive, and
//! a group floods itself (`kills/team.rs`). At a random moment the server is killed and started again on the same database. Then every promise
//! of the contract about what is kept is held against what each side saw before. `PAPO_KILLS` says
//! how often that is done, `PAPO_SEED` repeats a run as far as the threads allow it.

mod team;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

use crate::process::{Client, Dice, Entry, Home, PATIENCE, Papod, id};
use papo::store::Maintenance;
use papo::store::sqlite::Database;
use team::Team;

/// Conversations at once.
const PAIRS: usize = 3;
/// Commands of one session that are unanswered at most, in one round after the other. Few leave
/// time for answers to what is heard; the most are more than the server takes on at once, so that
/// some lie in its buffers and in the kernel's when it is killed.
const WINDOWS: [usize; 4] = [2, 16, 128, 700];
/// `OK`s after which the server is killed, at most.
const LAST_MOMENT: u64 = 2_500;

/// A command that was typed and not yet answered.
enum Typed {
    Message(String),
    Ack(u64),
}

/// What one side of a conversation knows.
struct Person {
    handle: String,
    peer: String,
    /// All its entries that are known to be in the log, of earlier rounds.
    kept: Vec<(u64, String)>,
    /// What it sent in this round, in order; with its id where it was confirmed.
    sent: Vec<(String, Option<u64>)>,
    /// What it was shown in this round.
    heard: Vec<Entry>,
    /// The highest id that it asked to acknowledge, and the highest for which it got the `OK`.
    asked: u64,
    acked: u64,
    /// How many acknowledgements were confirmed, in all rounds.
    acks: u64,
    /// The highest id of which it was told that the peer has received it.
    told: u64,
}

impl Person {
    fn new(handle: String, peer: String) -> Person {
        Person {
            handle,
            peer,
            kept: Vec::new(),
            sent: Vec::new(),
            heard: Vec::new(),
            asked: 0,
            acked: 0,
            acks: 0,
            told: 0,
        }
    }

    fn confirmed(&self) -> usize {
        self.sent.iter().filter(|(_, id)| id.is_some()).count()
    }

    /// A session, and the newest id that waited for it.
    fn log_in(&self, papod: &Papod) -> (Client, u64) {
        let (client, read) = papod.login(&self.handle);
        let waited = read.iter().rev().find(|line| line.starts_with("MSG "));
        (client, waited.map_or(0, |line| id(line)))
    }

    /// Floods until the server is gone. What was read before that counts.
    fn flood(&mut self, login: (Client, u64), window: usize, mut dice: Dice, confirmed: &Moment) {
        let (mut client, waited) = login;
        let (type_one, typed) = mpsc::sync_channel(window);
        let newest_heard = AtomicU64::new(waited);
        let socket = client.socket().try_clone().expect("a socket can be shared");
        let (peer, newest) = (self.peer.clone(), &newest_heard);
        thread::scope(|scope| {
            scope.spawn(move || pour(socket, &peer, &mut dice, newest, type_one));
            while let Some(line) = client.next_line() {
                self.hear(&line, &typed, confirmed);
                if let Some(entry) = self.heard.last() {
                    newest_heard.store(entry.id, Ordering::Relaxed);
                }
            }
            // Nobody will answer these. That some of them were carried out is possible.
            for command in typed {
                self.unanswered(command);
            }
        });
    }

    fn hear(&mut self, line: &str, typed: &Receiver<Typed>, confirmed: &Moment) {
        let verb = line.split(' ').next().unwrap_or_default();
        match verb {
            "MSG" => {
                let entry = Entry::parse(line);
                let before = self.heard.last().map_or(0, |entry| entry.id);
                assert!(entry.id > before, "after {before} came {line}");
                self.heard.push(entry);
            }
            "ACK" | "READ" => self.told = self.told.max(id(line)),
            _ => match typed.recv_timeout(PATIENCE).expect("an answer has a question") {
                Typed::Message(body) => {
                    assert!(line.starts_with("OK MSG "), "{line}");
                    self.sent.push((body, Some(id(line))));
                    confirmed.passed_one();
                }
                Typed::Ack(upto) => {
                    assert_eq!(line, format!("OK ACK {upto}"));
                    self.asked = self.asked.max(upto);
                    self.acked = self.acked.max(upto);
                    self.acks += 1;
                }
            },
        }
    }

    fn unanswered(&mut self, command: Typed) {
        match command {
            Typed::Message(body) => self.sent.push((body, None)),
            Typed::Ack(upto) => self.asked = self.asked.max(upto),
        }
    }

    /// What is in the log of what it sent in this round must be the beginning of what it sent, each
    /// with its own body and under the id that was confirmed, and reach over all that was. Gives
    /// back how many were kept though nobody had been told so, and what around that end can be said
    /// again: the body, and its id if it was kept.
    fn check_kept(&mut self, log: &[Entry]) -> (usize, Vec<(String, Option<u64>)>) {
        let mine: Vec<&Entry> = log.iter().filter(|e| e.from == self.handle).collect();
        let confirmed = self.confirmed();
        assert!(
            (confirmed..=self.sent.len()).contains(&mine.len()),
            "{}: {} sent, {confirmed} confirmed, {} in the log",
            self.handle,
            self.sent.len(),
            mine.len()
        );
        for (entry, (body, id)) in mine.iter().zip(&self.sent) {
            assert_eq!(&entry.body, body, "entry {}", entry.id);
            assert!(id.is_none_or(|id| id == entry.id), "{id:?} is {}", entry.id);
        }
        let ids = mine.iter().map(|entry| Some(entry.id)).chain(iter::repeat(None));
        let around = self.sent.drain(..).zip(ids).map(|((body, _), id)| (body, id));
        let around = around.skip(mine.len().saturating_sub(4)).take(8);
        let again = around.filter(|(body, _)| command("-", body).starts_with("ONCE "));
        let again = again.collect();
        self.kept.extend(mine.iter().map(|e| (e.id, e.body.clone())));
        (mine.len() - confirmed, again)
    }

    /// Whoever heard no answer says it again: what was kept is not kept twice, what was not is now.
    fn say_again(&mut self, papod: &Papod, again: Vec<(String, Option<u64>)>) {
        let mut client = papod.login_quietly(&self.handle);
        for (body, kept) in again {
            client.say(&command(&self.peer, &body));
            let answer = client.line();
            assert!(answer.starts_with("OK MSG "), "{answer}");
            let given = id(&answer);
            if kept.is_none() {
                self.kept.push((given, body));
            } else {
                assert_eq!(kept, Some(given), "kept twice");
            }
        }
    }

    fn newest(&self) -> u64 {
        self.kept.last().map_or(0, |(id, _)| *id)
    }

    /// What waits must be the end of what the peer wrote: nothing that was confirmed as received,
    /// and everything of which that was never said.
    fn check_pending(&mut self, peer: &Person, papod: &Papod, newest: u64) {
        let (mut client, read) = papod.login(&self.handle);
        let pending: Vec<Entry> = read
            .iter()
            .filter(|line| line.starts_with("MSG "))
            .map(|line| Entry::parse(line))
            .collect();
        let me = &self.handle;
        assert_eq!(read[0], format!("OK LOGIN {me} {}", pending.len()));
        assert_eq!(read.last(), Some(&format!("LIVE {newest}")));
        let from = peer.kept.len().saturating_sub(pending.len());
        let due = peer.kept[from..].iter();
        let same = due.map(|(id, body)| (*id, body.as_str()));
        assert!(
            same.eq(pending.iter().map(|e| (e.id, e.body.as_str()))),
            "{me}: what waits is not the end of what {} wrote",
            peer.handle
        );
        if let Some(first) = pending.first() {
            assert!(first.id > self.acked, "{me}: {} waits again", first.id);
        }
        if let Some((last, _)) = peer.kept[..from].last() {
            assert!(*last <= self.asked, "{me}: {last} does not wait any more");
        }
        for line in read.iter().filter(|line| line.starts_with("ACK ")) {
            self.told = self.told.max(id(line));
        }
        client.has_heard_all();
    }

    /// Nobody was shown what is not in the log, and nobody misses a receipt.
    fn check_seen(&mut self, peer: &Person) {
        let log: BTreeMap<u64, &str> = peer.kept.iter().map(|(id, b)| (*id, &**b)).collect();
        for entry in self.heard.drain(..) {
            let kept = log.get(&entry.id);
            assert_eq!(kept, Some(&&*entry.body), "shown, then lost: {}", entry.id);
        }
        assert!(
            self.told >= peer.acked,
            "{} has received {}, {} was told {}",
            peer.handle,
            peer.acked,
            self.handle,
            self.told
        );
    }
}

/// Types messages, and now and then an acknowledgement, as fast as they are taken.
fn pour(
    mut socket: impl std::io::Write,
    peer: &str,
    dice: &mut Dice,
    newest_heard: &AtomicU64,
    type_one: SyncSender<Typed>,
) {
    let mut acknowledged = 0;
    for n in 0.. {
        let mut lines = String::new();
        let body = body(dice, n);
        let _ = writeln!(lines, "{}", command(peer, &body));
        if type_one.send(Typed::Message(body)).is_err() {
            return;
        }
        let newest = newest_heard.load(Ordering::Relaxed);
        if newest > acknowledged && dice.below(2) == 0 {
            acknowledged = newest;
            let _ = writeln!(lines, "ACK {newest}");
            if type_one.send(Typed::Ack(newest)).is_err() {
                return;
            }
        }
        if socket.write_all(lines.as_bytes()).is_err() {
            return;
        }
    }
}

/// A body unlike any other, most of them short, some longer than a page of the database. Escapes
/// stand in it as the server writes them.
fn body(dice: &mut Dice, n: u64) -> String {
    let length = match dice.below(64) {
        0 => dice.below(30_000),
        1..8 => dice.below(3_000),
        _ => dice.below(100),
    };
    let filler = "çá \\\\ \\n x".repeat(usize::try_from(length / 12).unwrap_or(0));
    format!("{n}-{:08x} {filler}.", dice.below(1 << 31))
}

/// How a body is sent: each second one with a key of its own, which can be said again.
fn command(peer: &str, body: &str) -> String {
    let key = body.split(' ').next().unwrap_or_default();
    let number = key.split('-').next().and_then(|n| n.parse::<u64>().ok());
    match number.is_some_and(|n| n % 2 == 0) {
        true => format!("ONCE {key} MSG {peer} {body}"),
        false => format!("MSG {peer} {body}"),
    }
}

/// The moment of the kill: when so many messages have been confirmed to anyone.
struct Moment {
    left: AtomicU64,
    come: Sender<()>,
}

impl Moment {
    fn passed_one(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            let _ = self.come.send(());
        }
    }
}

#[test]
fn what_is_confirmed_survives_kill_9() {
    let kills = env::var("PAPO_KILLS").ok();
    let kills: u32 = kills.map_or(8, |n| n.parse().expect("PAPO_KILLS is a number"));
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let home = Home::new();
    let mut papod = home.start();
    let mut pairs: Vec<[Person; 2]> = (0..PAIRS)
        .map(|n| {
            let (one, other) = (format!("ana{n}"), format!("bia{n}"));
            papod.register(&one);
            papod.register(&other);
            [Person::new(one.clone(), other.clone()), Person::new(other, one)]
        })
        .collect();
    let mut team = Team::new(&papod);
    let (mut confirmed, mut unconfirmed, mut said_again) = (0, 0, 0);
    for (_, window) in (0..kills).zip(WINDOWS.into_iter().cycle()) {
        let (come, moment) = mpsc::channel();
        let left = AtomicU64::new(1 + dice.below(LAST_MOMENT));
        let mark = &Moment { left, come };
        // All are in before the first of them says anything that counts.
        let people = pairs.as_flattened().iter();
        let clients: Vec<(Client, u64)> = people.map(|person| person.log_in(&papod)).collect();
        let fellows = team.log_in(&papod);
        thread::scope(|scope| {
            team.flood(scope, fellows, window, &mut dice, mark);
            for (person, client) in pairs.as_flattened_mut().iter_mut().zip(clients) {
                let dice = Dice::new(dice.below(1 << 31));
                scope.spawn(move || person.flood(client, window, dice, mark));
            }
            let come = moment.recv_timeout(PATIENCE);
            papod.kill();
            come.expect("messages are confirmed");
        });
        papod = home.start();
        for pair in &mut pairs {
            let [one, other] = pair;
            let before = one.newest().max(other.newest());
            let log = papod.login_quietly(&one.handle).history(&one.peer, before);
            let same = papod.login_quietly(&other.handle).history(&other.peer, before);
            assert_eq!(log, same, "both see the same");
            assert!(log.is_sorted_by(|a, b| a.id < b.id), "in the order of ids");
            for person in pair {
                confirmed += person.confirmed();
                let (more, again) = person.check_kept(&log);
                unconfirmed += more;
                said_again += again.len();
                person.say_again(&papod, again);
            }
        }
        team.check(&papod);
        let newest = pairs.as_flattened().iter().map(Person::newest).max().unwrap_or_default();
        let newest = newest.max(team.newest());
        for [one, other] in &mut pairs {
            one.check_pending(other, &papod, newest);
            other.check_pending(one, &papod, newest);
            one.check_seen(other);
            other.check_seen(one);
        }
    }
    check_whole_log(&papod, &pairs);
    let acks: u64 = pairs.as_flattened().iter().map(|person| person.acks).sum();
    println!(
        "{kills} kills: {confirmed} messages and {acks} acknowledgements confirmed and all there, \
         {unconfirmed} messages kept unconfirmed, {said_again} said again; in the group {} entries and \
         {} cursors",
        team.confirmed.0, team.confirmed.1
    );
    papod.stop();
    let database = Database::open(&home.db()).unwrap();
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
}

/// What was right after each kill is right after all of them, and no id was ever given twice.
fn check_whole_log(papod: &Papod, pairs: &[[Person; 2]]) {
    let mut ids = BTreeMap::new();
    for [one, other] in pairs {
        let log = papod.login_quietly(&one.handle).history(&one.peer, 0);
        let mut all: Vec<_> = one.kept.iter().chain(&other.kept).cloned().collect();
        all.sort();
        for (id, _) in &all {
            let twice = ids.insert(*id, &one.handle);
            assert_eq!(twice, None, "{id} was given twice");
        }
        let log = log.into_iter().map(|entry| (entry.id, entry.body));
        assert!(log.eq(all), "the log of {} has changed", one.handle);
    }
}
