//! One author, two readers, a random history, and a model that knows which receipts the author has
//! certainly seen.
//!
//! Ana writes to Bob, to Cid and to a group of all three; they acknowledge and read, and sometimes
//! the database cannot be written. Her sessions come and go in every way. A receipt that none of
//! them answered to must come with each login, in its form: of each reader and conversation the
//! newest `READ`, and an `ACK` only where more was received than read.

use std::collections::BTreeMap;
use std::time::Duration;

use papo::entry::Cursor;
use papo::name::Target;
use papo::wire::rows::ReceiptLine;
use rusqlite::Connection;

use crate::process::{Client, Dice, Home, PASSWORD, Papod, id};

/// The author's conversations, as she names them.
const TALKS: [&str; 3] = ["bob", "cid", "#team"];
/// Who is in them beside her.
const READERS: [&str; 2] = ["bob", "cid"];

/// A receipt that she is due: of whom, and where.
#[derive(Clone, Debug)]
struct Due {
    reads: bool,
    id: u64,
    reader: usize,
    talk: usize,
    /// A session of hers has answered to it, or ended in order after it had it.
    seen: bool,
}

impl Due {
    /// Whether a line says what it does, or more.
    fn is_said_by(&self, line: &Line) -> bool {
        let is_of = (line.reader, line.talk) == (self.reader, self.talk);
        is_of && line.id >= self.id && (line.reads || !self.reads)
    }
}

/// A receipt as it came.
#[derive(Clone, Debug)]
struct Line {
    reads: bool,
    id: u64,
    reader: usize,
    talk: usize,
}

impl Line {
    fn parse(line: &str) -> Option<Line> {
        let ReceiptLine(receipt) = ReceiptLine::parse(line)?;
        let reader = READERS.iter().position(|name| *name == receipt.from.as_str())?;
        let talk = if matches!(receipt.to, Target::Group(_)) { 2 } else { reader };
        let (reads, id) = (receipt.cursor == Cursor::Read, receipt.id.0.unsigned_abs());
        Some(Line { reads, id, reader, talk })
    }
}

/// A session of hers.
struct Session {
    client: Client,
    /// Receipts that it read.
    heard: Vec<Line>,
    /// How many receipts were due when it had read all that came.
    has: usize,
    wants: bool,
    /// What was due and is not wanted, from here on.
    since: usize,
}

/// How a session can end.
#[derive(Clone, Copy, Debug)]
enum End {
    Quit,
    Fin,
    Reset,
    /// It stays, and never reads again.
    BlackHole,
}

struct World {
    home: Home,
    flags: &'static [&'static str],
    papod: Option<Papod>,
    readers: Vec<Client>,
    /// A quiet session of hers, which proves nothing.
    writer: Option<Client>,
    /// One that watches, which is sent no receipts and so proves nothing either.
    watcher: Option<Client>,
    sessions: Vec<Session>,
    /// Those that never read again.
    holes: Vec<Client>,
    due: Vec<Due>,
    /// Of each conversation the last entry, which is hers.
    last: [u64; 3],
    /// Of each reader and conversation: the last entry that its session was sent.
    sent: [[u64; 3]; 2],
    /// Of each reader and conversation: received and read up to here.
    cursors: [[[u64; 2]; 3]; 2],
    /// The database cannot be written.
    fails: bool,
}

fn is_in(reader: usize, talk: usize) -> bool {
    talk == 2 || talk == reader
}

/// With so little room that sessions fall behind at the second thing that waits for them, or with the
/// usual one.
pub fn history(dice: &mut Dice, steps: usize, is_narrow: bool) {
    let mut world = World::new(if is_narrow { &["--limit-waiting", "1"] } else { &[] });
    for _ in 0..steps {
        match dice.below(21) {
            0..=4 => world.send(dice),
            5..=10 => world.moves(dice),
            11..=13 => world.opens(),
            14 => world.speaks(dice),
            15 | 16 => world.ends(dice),
            17 => world.fails(true),
            18 => world.wants_none(dice),
            19 => world.watches(dice),
            _ if dice.below(4) == 0 => world.restarts(dice.below(2) == 0),
            _ => world.fails(false),
        }
    }
    world.fails(false);
    // The rule holds whichever sessions are there, and when none is.
    world.opens();
    world.holes.clear();
    while let Some(session) = world.sessions.pop() {
        world.end(session, End::Reset);
    }
    world.opens();
    world.pending();
}

impl World {
    fn new(flags: &'static [&'static str]) -> World {
        let home = Home::new();
        let papod = Papod::start_with(&home.db(), flags);
        let readers: Vec<Client> = READERS.iter().map(|name| papod.register(name)).collect();
        let mut ana = papod.register("ana");
        ana.say("GROUP NEW team bob cid");
        ana.expect("OK GROUP NEW #team");
        let mut world = World {
            home,
            flags,
            papod: Some(papod),
            readers,
            writer: None,
            watcher: None,
            sessions: vec![Session {
                client: ana,
                heard: Vec::new(),
                has: 0,
                wants: true,
                since: 0,
            }],
            holes: Vec::new(),
            due: Vec::new(),
            last: [0, 0, 1],
            sent: [[0, 0, 1]; 2],
            cursors: [[[0; 2]; 3]; 2],
            fails: false,
        };
        world.readers.iter_mut().for_each(|reader| drop(reader.until("GROUP 1 ")));
        world
    }

    fn papod(&self) -> &Papod {
        self.papod.as_ref().expect("it runs")
    }

    /// From now on the database takes no new entry and no move of a cursor, or does again.
    fn fails(&mut self, fails: bool) {
        if fails != self.fails {
            println!("fails: {fails}");
            self.fails = fails;
            let writer = Connection::open(self.home.db()).unwrap();
            writer.busy_timeout(Duration::from_secs(20)).unwrap();
            let sql = if fails {
                "CREATE TRIGGER full BEFORE UPDATE ON newest BEGIN SELECT RAISE(ABORT, 'full'); END"
            } else {
                "DROP TRIGGER full"
            };
            writer.execute_batch(sql).unwrap();
        }
    }

    /// She writes: in one of her sessions, or in a quiet one.
    fn send(&mut self, dice: &mut Dice) {
        let talk = dice.below(3) as usize;
        let line = format!("MSG {} hello", TALKS[talk]);
        let at = dice.below(self.sessions.len() as u64 + 1) as usize;
        let mut own = self.sessions.get_mut(at);
        let client = match &mut own {
            Some(session) => &mut session.client,
            None => {
                let papod = self.papod.as_ref().unwrap();
                self.writer.get_or_insert_with(|| papod.login_quietly("ana"))
            }
        };
        println!("session {at}: {line}");
        client.say(&line);
        let answer = answer(client);
        if self.fails {
            assert!(answer.starts_with("ERR MSG bug "), "{answer}");
        } else {
            assert!(answer.starts_with("OK MSG "), "{answer}");
            let id = id(&answer);
            self.last[talk] = id;
            for (reader, client) in self.readers.iter_mut().enumerate() {
                if is_in(reader, talk) {
                    client.until(&format!("MSG {id} "));
                    self.sent[reader][talk] = id;
                }
            }
        }
        if at < self.sessions.len() {
            self.answered(at);
        }
    }

    /// A session of hers has sent a line: it has seen what it had.
    fn answered(&mut self, at: usize) {
        let Session { has, since, .. } = self.sessions[at];
        for (n, due) in self.due[..has].iter_mut().enumerate() {
            due.seen |= n < since;
        }
    }

    /// A reader acknowledges or reads: one conversation, or all that it was sent.
    fn moves(&mut self, dice: &mut Dice) {
        let reader = dice.below(2) as usize;
        let reads = dice.below(2) == 0;
        let verb = if reads { "READ" } else { "ACK" };
        let (line, talks) = match dice.below(2) {
            0 => {
                let sent = self.sent[reader];
                (verb.to_owned(), vec![(reader, sent[reader]), (2, sent[2])])
            }
            _ => {
                let talk = if dice.below(2) == 0 { reader } else { 2 };
                let last = self.last[talk];
                (format!("{verb} {last}"), vec![(talk, last)])
            }
        };
        let client = &mut self.readers[reader];
        // More than one at a time: each relies on the one before it.
        let times = 1 + dice.below(3) as usize;
        println!("{}: {line}, {times} times", READERS[reader]);
        client.write(format!("{line}\n").repeat(times).as_bytes());
        for _ in 0..times {
            let answer = answer(client);
            if !answer.starts_with("OK ") {
                let code = if line.ends_with(" 0") { "no-such-message" } else { "bug" };
                assert!(answer.starts_with(&format!("ERR {verb} {code} ")), "{answer}");
                continue;
            }
            let before = self.due.len();
            let mut moved = talks.clone();
            moved.sort_by_key(|(_, to)| *to);
            for (talk, to) in moved {
                let cursors = &mut self.cursors[reader][talk];
                let old = cursors[usize::from(reads)];
                cursors[0] = cursors[0].max(to);
                if reads {
                    cursors[1] = cursors[1].max(to);
                }
                if to > old {
                    self.due.push(Due { reads, id: to, reader, talk, seen: false });
                }
            }
            assert!(!self.fails || self.due.len() == before, "nothing can be written: {answer}");
        }
        self.read_all();
        self.check_info(reader);
    }

    /// Her sessions that still read get what they are due, as it happens.
    fn read_all(&mut self) {
        for session in &mut self.sessions {
            while session.wants && session.has < self.due.len() {
                // One that fell behind may be sent the newest only.
                let due = &self.due[session.has];
                if !session.heard.iter().any(|line| due.is_said_by(line)) {
                    session.heard.extend(Line::parse(&session.client.line()));
                    continue;
                }
                session.has += 1;
                session.since = session.since.max(session.has);
            }
        }
    }

    /// What was answered with `OK` is what `INFO` says.
    fn check_info(&mut self, reader: usize) {
        let papod = self.papod.as_ref().unwrap();
        let writer = self.writer.get_or_insert_with(|| papod.login_quietly("ana"));
        for talk in [reader, 2] {
            let last = self.last[talk];
            if last == 0 {
                continue;
            }
            writer.say(&format!("INFO {last}"));
            let rows = writer.until("OK INFO ");
            let [delivered, read] = self.cursors[reader][talk];
            let state = match last {
                last if read >= last => "read",
                last if delivered >= last => "delivered",
                _ => "sent",
            };
            let start = format!("INFO {last} {} {state} ", READERS[reader]);
            assert!(rows.iter().any(|row| row.starts_with(&start)), "{start}: {rows:?}");
        }
    }

    /// She logs in, and gets all that she has not certainly seen.
    fn opens(&mut self) {
        let (client, read) = self.papod().login("ana");
        println!("opens {}: {read:?}", self.sessions.len());
        let lines: Vec<Line> = read.iter().filter_map(|line| Line::parse(line)).collect();
        for due in self.due.iter().filter(|due| !due.seen) {
            assert!(lines.iter().any(|line| due.is_said_by(line)), "{due:?} is lost: {read:?}");
        }
        let mut each = BTreeMap::new();
        for line in &lines {
            let [delivered, has_read] = self.cursors[line.reader][line.talk];
            assert_eq!(line.id, if line.reads { has_read } else { delivered }, "{read:?}");
            assert!(line.reads || delivered > has_read, "{read:?}");
            let before = each.insert((line.reader, line.talk, line.reads), line.id);
            assert!(before.is_none(), "{read:?}");
        }
        let has = self.due.len();
        self.sessions.push(Session { client, heard: Vec::new(), has, wants: true, since: has });
    }

    /// One of her sessions says something.
    fn speaks(&mut self, dice: &mut Dice) {
        if let Some(at) = self.any(dice) {
            println!("session {at} speaks");
            let client = &mut self.sessions[at].client;
            client.say("PING");
            assert_eq!(answer(client), "OK PING");
            self.answered(at);
        }
    }

    /// One of her sessions wants no receipts any more.
    fn wants_none(&mut self, dice: &mut Dice) {
        if let Some(at) = self.any(dice) {
            println!("session {at} wants none");
            let session = &mut self.sessions[at];
            session.client.say("SET receipts off");
            assert_eq!(answer(&mut session.client), "OK SET receipts off");
            session.wants = false;
            self.answered(at);
        }
    }

    /// A session of hers that watches begins, or says something and perhaps ends.
    fn watches(&mut self, dice: &mut Dice) {
        println!("watches");
        let Some(mut watcher) = self.watcher.take() else {
            let mut watcher = self.papod().connect();
            watcher.say(&format!("LOGIN ana {PASSWORD} watch"));
            assert_eq!(watcher.until("LIVE ").len(), 2);
            self.watcher = Some(watcher);
            return;
        };
        watcher.say("PING");
        let read = watcher.until("OK PING");
        let is_receipt = |line: &String| line.starts_with("ACK ") || line.starts_with("READ ");
        assert!(!read.iter().any(is_receipt), "{read:?}");
        match dice.below(3) {
            0 => self.watcher = Some(watcher),
            1 => {
                watcher.say("QUIT");
                watcher.rest();
            }
            _ => resets(&watcher),
        }
    }

    fn any(&self, dice: &mut Dice) -> Option<usize> {
        let count = self.sessions.len() as u64;
        (count > 0).then(|| dice.below(count) as usize)
    }

    fn ends(&mut self, dice: &mut Dice) {
        if let Some(at) = self.any(dice) {
            let ways = [End::Quit, End::Fin, End::Reset, End::BlackHole];
            println!("session {at} ends");
            let session = self.sessions.remove(at);
            self.end(session, ways[dice.below(4) as usize]);
        }
    }

    fn end(&mut self, mut session: Session, how: End) {
        println!("by {how:?}");
        match how {
            End::Quit | End::Fin => {
                if let End::Quit = how {
                    session.client.say("QUIT");
                } else {
                    session.client.finish();
                }
                let rest = session.client.rest();
                assert_eq!(rest.iter().any(|line| line == "BYE quit"), matches!(how, End::Quit));
                self.due[..session.since].iter_mut().for_each(|due| due.seen = true);
            }
            End::Reset => resets(&session.client),
            End::BlackHole => {
                // Whenever it goes: an end in order would say that it took everything.
                resets(&session.client);
                self.holes.push(session.client);
            }
        }
    }

    /// The server is stopped, or killed, while her sessions hang, and comes back.
    fn restarts(&mut self, kills: bool) {
        println!("restarts, killed: {kills}");
        self.fails(false);
        for session in std::mem::take(&mut self.sessions) {
            self.end(session, End::BlackHole);
        }
        (self.writer, self.watcher) = (None, None);
        self.readers.clear();
        let mut papod = self.papod.take().expect("it runs");
        if kills {
            papod.kill();
        } else {
            papod.stop();
        }
        self.holes.clear();
        let papod = Papod::start_with(&self.home.db(), self.flags);
        for (reader, name) in READERS.iter().enumerate() {
            let (client, read) = papod.login(name);
            assert_eq!(read[0], format!("OK LOGIN {name} {}", self.waiting(reader, &read)));
            for talk in [reader, 2] {
                let is_sent = self.last[talk] > self.cursors[reader][talk][0];
                self.sent[reader][talk] = if is_sent { self.last[talk] } else { 0 };
            }
            self.readers.push(client);
        }
        self.papod = Some(papod);
    }

    /// How many entries wait for a reader, of which the last of each conversation must be there.
    fn waiting(&self, reader: usize, read: &[String]) -> usize {
        for talk in [reader, 2] {
            let (last, [delivered, _]) = (self.last[talk], self.cursors[reader][talk]);
            let is_here = read.iter().any(|line| {
                ["MSG", "GROUP"].iter().any(|verb| line.starts_with(&format!("{verb} {last} ")))
            });
            assert_eq!(is_here, last > delivered, "{last} in {read:?}");
        }
        read.iter().filter(|line| line.starts_with("MSG ") || line.starts_with("GROUP ")).count()
    }

    /// At the end: what waits for the readers is what they have not acknowledged.
    fn pending(&mut self) {
        for (reader, name) in READERS.iter().enumerate() {
            let (_, read) = self.papod().login(name);
            assert_eq!(read[0], format!("OK LOGIN {name} {}", self.waiting(reader, &read)));
        }
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
