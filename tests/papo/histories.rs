//! Histories that are made by chance: the client and the server are killed, and other sessions of the
//! account acknowledge, at any moment. Nothing is lost, and nothing is acknowledged that nobody got.

use std::collections::BTreeSet;
use std::fs;

use crate::place::{Place, Running};
use crate::process::{Dice, Entry, id};

/// What happens, seed by seed.
const SEEDS: [u64; 3] = [1, 20, 300];

/// Steps of a history.
const STEPS: u64 = 12;

struct History {
    place: Place,
    dice: Dice,
    /// Ids of what was sent to ana, all confirmed.
    sent: Vec<u64>,
    /// Ids of what she was given, over all lives of her client.
    given: BTreeSet<u64>,
}

impl History {
    fn new(seed: u64) -> History {
        let place = Place::with(&["ana", "bob", "cid"]);
        History { place, dice: Dice::new(seed), sent: Vec::new(), given: BTreeSet::new() }
    }

    /// A few messages, or many, from one of two.
    fn send(&mut self) {
        let from = ["bob", "cid"][self.dice.below(2) as usize];
        let mut client = self.place.papod().login_quietly(from);
        for _ in 0..=self.dice.below(60) {
            self.sent.push(client.send("ana", "text"));
            // Marks come between, and are nobody's business here.
            match self.dice.below(6) {
                0 => client.say("EDIT last other text"),
                1 => client.say("REACT last ok"),
                _ => continue,
            }
            let answer = client.line();
            assert!(answer.starts_with("OK "), "{answer}");
        }
    }

    fn restart(&mut self) {
        self.place.kill();
        self.place.start();
    }

    /// Lines that one client printed: each is news to it, in the order of the ids.
    fn take(&mut self, lines: &[String], last: &mut u64) {
        for line in lines {
            let id = Entry::parse(line).id;
            assert!(id > *last, "{id} after {last}");
            *last = id;
            self.given.insert(id);
        }
    }

    /// What waits is all that was not given, and perhaps more.
    fn nothing_else_is_acknowledged(&self) {
        let (_, read) = self.place.papod().login("ana");
        let waiting: BTreeSet<u64> =
            read.iter().filter(|l| l.starts_with("MSG ")).map(|l| id(l)).collect();
        let lost = self.sent.iter().filter(|id| !self.given.contains(id) && !waiting.contains(id));
        assert_eq!(lost.collect::<Vec<_>>(), [] as [&u64; 0]);
    }
}

#[test]
fn over_the_lives_of_tail_each_message_is_printed_at_least_once() {
    for seed in SEEDS {
        let mut history = History::new(seed);
        let mut tail = Running::start(&mut history.place.papo("ana", &["tail"]));
        let mut last = 0;
        for _ in 0..STEPS {
            history.send();
            match history.dice.below(3) {
                0 => history.restart(),
                1 => {
                    // Something has come, but for that other lives have printed all.
                    if history.dice.below(2) == 0 {
                        let line = tail.line();
                        history.take(&[line], &mut last);
                    }
                    tail.kill();
                    let (_, lines, _) = tail.finish();
                    history.take(&lines, &mut last);
                    history.nothing_else_is_acknowledged();
                    tail = Running::start(&mut history.place.papo("ana", &["tail"]));
                    last = 0;
                }
                _ => {}
            }
        }
        while !history.sent.iter().all(|id| history.given.contains(id)) {
            let line = tail.line();
            history.take(&[line], &mut last);
        }
    }
}

#[test]
fn what_other_sessions_acknowledge_is_printed_once_all_the_same() {
    for seed in SEEDS {
        let mut history = History::new(seed);
        let tail = Running::start(&mut history.place.papo("ana", &["tail"]));
        history.send();
        // It has begun: what comes from now on is its business.
        let mut last = 0;
        let line = tail.line();
        history.take(&[line], &mut last);
        for _ in 0..STEPS {
            history.send();
            match history.dice.below(3) {
                0 => history.restart(),
                1 => {
                    let (mut other, _) = history.place.papod().login("ana");
                    other.say("ACK");
                    other.until("OK ACK ");
                    history.restart();
                }
                _ => {}
            }
        }
        while last < *history.sent.last().unwrap() {
            let line = tail.line();
            history.take(&[line], &mut last);
        }
        assert_eq!(history.sent, history.given.iter().copied().collect::<Vec<_>>());
    }
}

#[test]
fn over_the_lives_of_on_each_message_is_dealt_with_at_least_once() {
    for seed in SEEDS {
        let mut history = History::new(seed);
        let done = history.place.home.path().join("done");
        let script = r#"echo "$PAPO_ID" >> "$0""#;
        let arguments = ["on", "--", "sh", "-c", script, done.to_str().unwrap()];
        let start = |place: &Place| Running::start(&mut place.papo("ana", &arguments));
        let mut on = start(&history.place);
        let done = || -> BTreeSet<u64> {
            let text = fs::read_to_string(&done).unwrap_or_default();
            text.lines().map(|line| line.parse().unwrap()).collect()
        };
        for _ in 0..STEPS / 2 {
            history.send();
            match history.dice.below(2) {
                0 => history.restart(),
                _ => {
                    on.kill();
                    history.given = done();
                    history.nothing_else_is_acknowledged();
                    on = start(&history.place);
                }
            }
        }
        // Whoever waits for the last of each is told when all before it are.
        for from in ["bob", "cid"] {
            let arguments = ["send", "--wait", "delivered", "--timeout", "60", "ana", "last"];
            history.sent.push(id(history.place.done(from, &arguments).trim()));
        }
        let done = done();
        assert!(history.sent.iter().all(|id| done.contains(id)));
    }
}

/// `papo ask` is killed at any moment.
#[test]
fn an_answer_that_was_not_printed_waits() {
    let place = Place::with(&["ana", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    let mut dice = Dice::new(1);
    for n in 0..20 {
        let mut ask = Running::start(&mut place.papo("ana", &["ask", "bob", "well?"]));
        while !bob.line().ends_with(" ana bob - well?") {}
        let text = format!("answer {n}");
        let answer = place.papod().login_quietly("bob").send("ana", &text);
        for _ in 0..dice.below(6) {
            drop(place.papod().connect());
        }
        ask.kill();
        let (_, lines, _) = ask.finish();
        let (mut ana, read) = place.papod().login("ana");
        let waits = read.iter().any(|line| line.starts_with("MSG ") && id(line) == answer);
        assert!(waits || lines == [text], "{lines:?}, and then {read:?}");
        ana.say("ACK");
        ana.until("OK ACK ");
    }
}
