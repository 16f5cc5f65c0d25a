//! Random lives of an account with devices that come and go, are deleted, stop reading, and whose
//! server is killed, against a model: a device is sent exactly what the account has not acknowledged
//! and what lies above its own place and was not made by it, and no receipt that it has not answered
//! to is lost. Every place that was confirmed is kept.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::process::{Client, Dice, Home, PASSWORD, Papod, id};

const DEVICES: [&str; 3] = ["phone", "tab", "box"];
/// Ana's conversations with Bob.
const TALKS: [&str; 2] = ["bob", "#team"];

/// An entry.
struct Said {
    id: u64,
    talk: usize,
    is_bobs: bool,
    /// The device of Ana's that made it.
    device: Option<usize>,
}

/// What a device, or Ana without one, knows for certain.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Bob's newest `READ` in each conversation.
    bobs: [u64; 2],
    /// Ana's own.
    own: [u64; 2],
    /// The server may have forgotten that.
    may_come_twice: bool,
}

#[derive(Clone, Copy, Debug)]
struct Device {
    place: u64,
    known: Known,
}

struct Session {
    client: Client,
    device: Option<usize>,
    /// It neither reads nor writes any more.
    is_silent: bool,
    /// Entries that it will be sent.
    expects: VecDeque<u64>,
    /// Of each conversation the last entry that it was sent.
    sent: [u64; 2],
    heard: Known,
}

struct World {
    home: Home,
    papod: Option<Papod>,
    bob: Client,
    /// Of each conversation, the last entry of Ana's that Bob's session was sent.
    bob_sent: [u64; 2],
    bob_read: [u64; 2],
    log: Vec<Said>,
    devices: [Option<Device>; 3],
    /// What Ana knows without a device.
    plain: Known,
    sessions: Vec<Session>,
    acked: [u64; 2],
    read: [u64; 2],
    /// The newest `READ`s that were told: Bob's, and Ana's.
    told: Known,
}

#[test]
fn every_device_gets_everything() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let until = Instant::now() + Duration::from_secs(6);
    for round in 0..40 {
        println!("life {round}");
        World::new().lives(&mut dice);
        if Instant::now() > until {
            break;
        }
    }
}

impl World {
    fn new() -> World {
        let home = Home::new();
        let papod = home.start();
        let mut bob = papod.register("bob");
        let mut ana = papod.register("ana");
        ana.say("GROUP NEW team bob");
        ana.expect("OK GROUP NEW #team");
        bob.until("GROUP 1 ");
        World {
            home,
            papod: Some(papod),
            bob,
            bob_sent: [0, 1],
            bob_read: [0; 2],
            log: vec![Said { id: 1, talk: 1, is_bobs: false, device: None }],
            devices: [None; 3],
            plain: Known::default(),
            sessions: Vec::new(),
            acked: [0, 1],
            read: [0, 1],
            told: Known::default(),
        }
    }

    fn lives(mut self, dice: &mut Dice) {
        for _ in 0..120 {
            match dice.below(24) {
                0..=4 => self.bob_writes(dice),
                5..=7 => self.ana_writes(dice),
                8..=10 => self.comes(dice),
                11..=14 => self.acknowledges(dice),
                15 | 16 => self.reads(dice),
                17 | 18 => self.bob_reads(),
                19 | 20 => self.goes(dice),
                21 => self.falls_silent(dice),
                22 if dice.below(4) == 0 => self.is_deleted(dice),
                23 if dice.below(3) == 0 => self.restarts(),
                _ => {}
            }
            self.hear_all();
        }
        self.restarts();
        for device in 0..3 {
            self.opens(Some(device));
            self.hear_all();
        }
    }

    fn papod(&self) -> &Papod {
        self.papod.as_ref().expect("it runs")
    }

    /// Something was said; `by`: the session that is not sent it.
    fn said(&mut self, answer: &str, talk: usize, by: Option<usize>) -> u64 {
        assert!(answer.starts_with("OK MSG "), "{answer}");
        let (id, device) = (id(answer), by.and_then(|at| self.sessions[at].device));
        self.log.push(Said { id, talk, is_bobs: false, device });
        for (at, session) in self.sessions.iter_mut().enumerate() {
            if by != Some(at) {
                session.expects.push_back(id);
            }
        }
        id
    }

    fn bob_writes(&mut self, dice: &mut Dice) {
        let talk = dice.below(2) as usize;
        self.bob.say(&format!("MSG {} hello", ["ana", "#team"][talk]));
        let answer = answer(&mut self.bob);
        let id = self.said(&answer, talk, None);
        println!("bob writes {id}");
        self.log.last_mut().expect("it was added").is_bobs = true;
        let hers = |said: &Said| !said.is_bobs && said.talk == talk;
        if !self.log.iter().any(|said| hers(said) && said.id > self.bob_read[talk]) {
            self.bob_read[talk] = id;
        }
    }

    /// In one of her sessions, or in another that is no device.
    fn ana_writes(&mut self, dice: &mut Dice) {
        let talk = dice.below(2) as usize;
        let line = format!("MSG {} hello", TALKS[talk]);
        let at = self.any(dice);
        let answer = match at {
            Some(at) => self.say(at, &line),
            None => {
                let mut quiet = self.papod().login_quietly("ana");
                quiet.say(&line);
                answer(&mut quiet)
            }
        };
        let id = self.said(&answer, talk, at);
        println!("ana writes {id} in {at:?}");
        let waits = |upto: u64| {
            self.log.iter().any(|said| said.is_bobs && said.talk == talk && said.id > upto)
        };
        let [acks, reads] = [self.acked[talk], self.read[talk]].map(|upto| !waits(upto));
        if acks {
            self.acked[talk] = id;
        }
        if reads {
            self.read[talk] = id;
        }
        self.bob.until(&format!("MSG {id} "));
        self.bob_sent[talk] = id;
    }

    /// One of her sessions that still reads.
    fn any(&self, dice: &mut Dice) -> Option<usize> {
        let reading: Vec<usize> =
            (0..self.sessions.len()).filter(|at| !self.sessions[*at].is_silent).collect();
        let at = dice.below(reading.len() as u64 + 1) as usize;
        reading.get(at).copied()
    }

    /// Says something in a session, which then has answered to all that it had heard.
    fn say(&mut self, at: usize, line: &str) -> String {
        self.sessions[at].client.say(line);
        loop {
            let line = self.sessions[at].client.line();
            if line.starts_with("OK ") || line.starts_with("ERR ") {
                return line;
            }
            self.hears(at, &line);
        }
    }

    /// An event.
    fn hears(&mut self, at: usize, line: &str) {
        let session = &mut self.sessions[at];
        let mut words = line.split(' ');
        let (verb, id) = (words.next().unwrap_or_default(), words.next());
        let id: u64 = id.and_then(|id| id.parse().ok()).expect("an id");
        let (from, to) = (words.nth(1), words.next());
        let talk = usize::from(to == Some("#team"));
        match verb {
            "MSG" | "GROUP" => {
                assert_eq!(session.expects.pop_front(), Some(id), "{:?}: {line}", session.device);
                session.sent[talk] = id;
            }
            "READ" if from == Some("bob") => session.heard.bobs[talk] = id,
            "READ" => session.heard.own[talk] = id,
            _ => panic!("{line}"),
        }
    }

    /// Each session that reads has all that it is due, and answers to it.
    fn hear_all(&mut self) {
        for at in 0..self.sessions.len() {
            if self.sessions[at].is_silent {
                continue;
            }
            loop {
                assert_eq!(self.say(at, "PING"), "OK PING");
                let Session { expects, heard, .. } = &self.sessions[at];
                let told = &self.told;
                if expects.is_empty() && heard.bobs == told.bobs && heard.own == told.own {
                    break;
                }
            }
            assert_eq!(self.say(at, "PING"), "OK PING");
            let known = Known { may_come_twice: false, ..self.told };
            match self.sessions[at].device {
                None => self.plain = known,
                Some(device) => {
                    self.devices[device].as_mut().expect("it is there").known = known;
                }
            }
        }
    }

    fn comes(&mut self, dice: &mut Dice) {
        let device = Some(dice.below(4) as usize).filter(|device| *device < 3);
        self.opens(device);
    }

    /// She logs in, and is sent what she is due.
    fn opens(&mut self, device: Option<usize>) {
        let mut client = self.papod().connect();
        let name = device.map_or("ana".to_owned(), |device| format!("ana/{}", DEVICES[device]));
        client.say(&format!("LOGIN {name} {PASSWORD}"));
        let lines = client.until("LIVE ");
        println!("{name} comes: {lines:?}");
        let known = device.and_then(|device| self.devices[device]);
        let newest = self.log.last().map_or(0, |said| said.id);
        let place = known.map_or(newest, |known| known.place);
        let waits = |said: &&Said| said.is_bobs && said.id > self.acked[said.talk];
        let is_due = |said: &&Said| match device {
            Some(_) if said.id > place => said.device != device,
            _ => waits(said),
        };
        let due: Vec<u64> = self.log.iter().filter(is_due).map(|said| said.id).collect();
        assert_eq!(lines[0], format!("OK LOGIN {name} {}", due.len()), "{known:?}");
        let mut session = Session {
            client,
            device,
            is_silent: false,
            expects: due.into(),
            sent: [0; 2],
            heard: Known::default(),
        };
        // What a new device knows is what Ana knows without one.
        let certain = match (device, known) {
            (Some(_), Some(known)) => known.known,
            _ => Known { own: self.told.own, ..self.plain },
        };
        session.heard = certain;
        self.sessions.push(session);
        let at = self.sessions.len() - 1;
        for line in &lines[1..lines.len() - 1] {
            self.hears(at, line);
        }
        let session = &self.sessions[at];
        assert!(session.expects.is_empty(), "{:?} are missing", session.expects);
        let heard = session.heard;
        assert_eq!((heard.bobs, heard.own), (self.told.bobs, self.told.own), "{lines:?}");
        let is_receipt = |line: &&String| line.starts_with("READ ");
        let is_new = device.is_some() && known.is_none();
        let knows_all = certain.bobs == self.told.bobs && certain.own == self.told.own;
        if knows_all && !certain.may_come_twice && !is_new {
            assert_eq!(lines.iter().find(is_receipt), None, "{certain:?}");
        }
        if let Some(device) = device {
            let known = known.map_or(certain, |known| known.known);
            self.devices[device] = Some(Device { place, known });
        }
    }

    fn acknowledges(&mut self, dice: &mut Dice) {
        let Some(at) = self.any(dice) else { return };
        let sent = self.sessions[at].sent;
        let (line, talks, place) = match dice.below(3) {
            0 => {
                let newest = sent[0].max(sent[1]);
                ("ACK".to_owned(), sent, Some(newest))
            }
            1 => {
                let Said { id, talk, .. } = self.log[dice.below(self.log.len() as u64) as usize];
                let mut talks = [0; 2];
                talks[talk] = id;
                (format!("ACK {id}"), talks, Some(id))
            }
            _ => {
                let talk = dice.below(2) as usize;
                let mut talks = [0; 2];
                talks[talk] = sent[talk];
                (format!("ACK {}", TALKS[talk]), talks, None)
            }
        };
        let answer = self.say(at, &line);
        println!("{:?}: {line} -> {answer}", self.sessions[at].device);
        if talks == [0; 2] {
            let is_bare = line == "ACK";
            return assert!(
                if is_bare { answer == "OK ACK -" } else { answer.starts_with("ERR ") },
                "{answer}"
            );
        }
        assert!(answer.starts_with("OK ACK "), "{answer}");
        for (talk, upto) in talks.into_iter().enumerate() {
            self.acked[talk] = self.acked[talk].max(upto);
        }
        let device = self.sessions[at].device.and_then(|device| self.devices[device].as_mut());
        if let (Some(device), Some(place)) = (device, place) {
            device.place = device.place.max(place);
        }
    }

    fn reads(&mut self, dice: &mut Dice) {
        let Some(at) = self.any(dice) else { return };
        let answer = self.say(at, "READ");
        println!("{:?} reads: {answer}", self.sessions[at].device);
        let (sent, device) = (self.sessions[at].sent, self.sessions[at].device);
        for (talk, upto) in sent.into_iter().enumerate() {
            if upto <= self.read[talk] {
                continue;
            }
            self.read[talk] = upto;
            self.acked[talk] = self.acked[talk].max(upto);
            self.told.own[talk] = upto;
            // The session that asked is not told.
            self.sessions[at].heard.own[talk] = upto;
            if let Some(device) = device.and_then(|device| self.devices[device].as_mut()) {
                device.known.own[talk] = upto;
            }
        }
        // Nobody is told without a device what was read elsewhere while away.
        self.plain.own = self.told.own;
    }

    fn bob_reads(&mut self) {
        self.bob.say("READ");
        println!("bob reads: {}", answer(&mut self.bob));
        for talk in 0..2 {
            let upto = self.bob_sent[talk];
            if upto > self.bob_read[talk] {
                self.bob_read[talk] = upto;
                self.told.bobs[talk] = upto;
            }
        }
    }

    fn goes(&mut self, dice: &mut Dice) {
        let Some(at) = self.any(dice) else { return };
        let mut session = self.sessions.remove(at);
        println!("{:?} goes", session.device);
        match dice.below(3) {
            0 => {
                session.client.say("QUIT");
                session.client.rest();
            }
            1 => {
                session.client.finish();
                session.client.rest();
            }
            _ => resets(&session.client),
        }
    }

    /// A session that is sent everything and takes nothing any more. Whenever it ends, it was not in
    /// order.
    fn falls_silent(&mut self, dice: &mut Dice) {
        if let Some(at) = self.any(dice) {
            println!("{:?} falls silent", self.sessions[at].device);
            resets(&self.sessions[at].client);
            self.sessions[at].is_silent = true;
        }
    }

    fn is_deleted(&mut self, dice: &mut Dice) {
        let which = dice.below(3) as usize;
        println!("{} is deleted", DEVICES[which]);
        let mut quiet = self.papod().login_quietly("ana");
        quiet.say(&format!("DEVICES DEL {}", DEVICES[which]));
        let answer = answer(&mut quiet);
        assert_eq!(answer.starts_with("OK "), self.devices[which].is_some(), "{answer}");
        self.devices[which] = None;
        for mut session in std::mem::take(&mut self.sessions) {
            if session.device != Some(which) {
                self.sessions.push(session);
            } else if !session.is_silent {
                assert_eq!(session.client.rest().last().unwrap(), "BYE kicked");
            }
        }
    }

    /// The server is killed, and what it has confirmed is there.
    fn restarts(&mut self) {
        println!("killed");
        self.papod.take().expect("it runs").kill();
        self.sessions.clear();
        let papod = self.home.start();
        let (bob, lines) = papod.login("bob");
        self.bob = bob;
        for talk in 0..2 {
            let hers = |said: &&Said| !said.is_bobs && said.talk == talk;
            let waits = |said: &&Said| hers(said) && said.id > self.bob_read[talk];
            self.bob_sent[talk] = self.log.iter().filter(waits).map(|s| s.id).max().unwrap_or(0);
            let last = self.bob_sent[talk];
            assert!(last == 0 || lines.iter().any(|line| line.contains(&format!(" {last} "))));
        }
        let mut quiet = papod.login_quietly("ana");
        quiet.say("DEVICES");
        let mut rows: Vec<(String, u64)> = Vec::new();
        for (device, name) in self.devices.iter_mut().zip(DEVICES) {
            let Some(device) = device else { continue };
            device.known.may_come_twice = true;
            rows.push((name.to_owned(), device.place));
        }
        rows.sort();
        let said = quiet.until("OK DEVICES ");
        let read = said[..said.len() - 1].iter().map(|row| {
            let mut words = row.split(' ').skip(1);
            (words.next().unwrap().to_owned(), words.next().unwrap().parse().unwrap())
        });
        assert_eq!(read.collect::<Vec<(String, u64)>>(), rows);
        self.plain.may_come_twice = true;
        self.papod = Some(papod);
    }
}

/// When it is closed, the connection is reset.
fn resets(client: &Client) {
    rustix::net::sockopt::set_socket_linger(client.socket(), Some(Duration::ZERO)).unwrap();
}

/// The next line that is a final one: events are passed over.
fn answer(client: &mut Client) -> String {
    loop {
        let line = client.line();
        if line.starts_with("OK ") || line.starts_with("ERR ") {
            return line;
        }
    }
}
