//! Those who carry out an attack.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::attacks::{Attack, By, Turn, What, Who};
use crate::crowd::{BUSY, CROWD, JOINER, actor, token};
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, connect};
use crate::{Outcome, PASSWORD};

/// Sessions of one account, and connections of one address: the default limits.
const SESSIONS: usize = 50;
const CONNECTIONS: usize = 200;
/// Sessions that wait, without limits.
const WAITING: usize = 1_000;
/// Of those that come and go fewer at a time: one that goes is counted for a moment longer.
const COMING: usize = 3;
/// Time after which it is seen that it is over.
const STEP: Duration = Duration::from_millis(10);

/// What became of an attack's commands.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Final lines that were `OK`, and that were `ERR`.
    pub answered: u64,
    pub refused: u64,
    /// The first refusal.
    pub refusal: Option<String>,
    /// Connections that the server has closed.
    pub closed: u64,
}

impl Done {
    fn note(&mut self, line: &[u8]) -> bool {
        let is_refused = line.starts_with(b"ERR ");
        if is_refused {
            self.refused += 1;
            let text = || String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
            self.refusal.get_or_insert_with(text);
        }
        let is_answered = line.starts_with(b"OK ");
        self.answered += u64::from(is_answered);
        is_refused || is_answered
    }
}

/// Who attacks where, and for how long.
pub struct Crew<'a> {
    pub server: SocketAddr,
    pub admin: &'a Path,
    pub by: By,
    /// The limits hold.
    pub limited: bool,
    /// Told when everything is prepared: from then on it is an attack.
    pub ready: Sender<()>,
    pub over: &'a AtomicBool,
}

impl Crew<'_> {
    /// Attacks until it is over.
    pub fn attack(self, attack: &Attack) -> Outcome<Done> {
        let sessions = if self.by == By::Account { SESSIONS } else { CONNECTIONS };
        match &attack.what {
            What::Nothing => {
                self.ready.send(())?;
                Ok(Done::default())
            }
            What::Loop { who: Who::Late, line, in_flight, .. } => {
                let mut net = Net::new()?;
                let slots = self.enter(&mut net, Who::Late, 1, "")?;
                self.repeat(net, Who::Late, slots, *line, *in_flight)
            }
            What::Loop { who, first, line, in_flight } => {
                let mut net = Net::new()?;
                let slots = self.enter(&mut net, *who, sessions, " quiet")?;
                let turn = |session| self.turn(*who, session);
                if !first(turn(0)).is_empty() {
                    ask(&mut net, &slots, |session| first(turn(session)), "OK")?;
                }
                self.repeat(net, *who, slots, *line, *in_flight)
            }
            What::Sessions { who, text, until } => {
                self.come_and_go(*who, *text, until, sessions - COMING)
            }
            What::Wait if self.limited => self.wait(CONNECTIONS / 2, CONNECTIONS / 2),
            What::Wait => self.wait(WAITING, CONNECTIONS / 2),
            What::Deaf => self.deaf(sessions),
            What::Delete => self.delete(),
        }
    }

    fn turn(&self, who: Who, session: usize) -> Turn {
        Turn { who: who.number(self.by, session), session, nth: 0 }
    }

    fn enter(&self, net: &mut Net, who: Who, count: usize, mode: &str) -> Outcome<Vec<usize>> {
        let slots = connect(net, self.server, count)?;
        if who != Who::Nobody {
            let login = |session| {
                let handle = who.handle(who.number(self.by, session));
                let secret = if who == Who::Owner { PASSWORD.into() } else { token(&handle) };
                format!("LOGIN {handle} {secret}{mode}\n")
            };
            let until = if mode.is_empty() { "LIVE" } else { "OK LOGIN" };
            ask(net, &slots, login, until)?;
        }
        Ok(slots)
    }

    fn go_on(&self, mut net: Net, peer: &mut impl Peer) -> Outcome<()> {
        while !self.over.load(Ordering::Relaxed) {
            net.turn(peer, STEP)?;
        }
        Ok(())
    }

    /// See [`What::Loop`].
    fn repeat(
        self,
        mut net: Net,
        who: Who,
        slots: Vec<usize>,
        line: fn(Turn) -> String,
        in_flight: usize,
    ) -> Outcome<Done> {
        let turns = (0..slots.len()).map(|session| self.turn(who, session)).collect();
        let mut repeat = Repeat { line, slots, turns, done: Done::default() };
        self.ready.send(())?;
        for _ in 0..in_flight {
            for session in 0..repeat.slots.len() {
                repeat.say(session, &mut net.out);
            }
        }
        self.go_on(net, &mut repeat)?;
        Ok(repeat.done)
    }

    /// See [`What::Sessions`].
    fn come_and_go(
        self,
        who: Who,
        text: fn(Turn) -> String,
        until: &str,
        sessions: usize,
    ) -> Outcome<Done> {
        let mut net = Net::new()?;
        let mut coming = Coming {
            until: until.as_bytes(),
            turns: (0..sessions).map(|session| self.turn(who, session)).collect(),
            whose: Vec::new(),
            ended: (0..sessions).collect(),
            done: Done::default(),
        };
        self.ready.send(())?;
        while !self.over.load(Ordering::Relaxed) {
            while let Some(session) = coming.ended.pop() {
                let at = net.connect(self.server)?;
                if coming.whose.len() <= at {
                    coming.whose.resize(at + 1, None);
                }
                coming.whose[at] = Some(session);
                net.out.to(at).extend_from_slice(text(coming.turns[session]).as_bytes());
                coming.turns[session].nth += 1;
            }
            net.turn(&mut coming, STEP)?;
        }
        Ok(coming.done)
    }

    /// See [`What::Wait`]. Each message is waited for by its author, and read by all who read.
    fn wait(self, waiting: usize, reading: usize) -> Outcome<Done> {
        let mut net = Net::new()?;
        let login = |n, mode: &str| format!("LOGIN {0} {1}{mode}\n", actor(n), token(&actor(n)));
        let authors = connect(&mut net, self.server, waiting)?;
        ask(&mut net, &authors, |n| login(n, " quiet"), "OK LOGIN")?;
        let readers = connect(&mut net, self.server, reading)?;
        ask(&mut net, &readers, |n| login(waiting + n, ""), "LIVE")?;
        let mut peer = Waiting { waiting: authors, done: Done::default() };
        self.ready.send(())?;
        for at in &peer.waiting {
            net.out.to(*at).extend_from_slice(WRITE_AND_WAIT.as_bytes());
        }
        self.go_on(net, &mut peer)?;
        Ok(peer.done)
    }

    /// See [`What::Deaf`].
    fn deaf(self, sessions: usize) -> Outcome<Done> {
        let mut sockets = Vec::with_capacity(sessions);
        for session in 0..sessions {
            let mut socket = TcpStream::connect(self.server)?;
            // Half of them have everything waiting, half ask for the same again and again.
            let said = if session % 2 == 0 {
                let (handle, _) = BUSY[2 + session / 2 % 2];
                format!("LOGIN {handle} {}\n", token(handle))
            } else {
                let handle = actor(Who::Actor.number(self.by, session));
                let questions = format!("HIST #{CROWD} 1000\nSYNC 0\nGROUP WHO {CROWD}\n");
                format!("LOGIN {handle} {} quiet\n{}", token(&handle), questions.repeat(100))
            };
            socket.write_all(said.as_bytes())?;
            sockets.push(socket);
            if session == 0 {
                self.ready.send(())?;
            }
        }
        while !self.over.load(Ordering::Relaxed) {
            std::thread::sleep(STEP);
        }
        Ok(Done::default())
    }

    /// See [`What::Delete`].
    fn delete(self) -> Outcome<Done> {
        let mut operator = UnixStream::connect(self.admin)?;
        operator.set_read_timeout(Some(STEP))?;
        self.ready.send(())?;
        operator.write_all(format!("ADMIN USER DEL {JOINER}\n").as_bytes())?;
        let (mut said, mut piece) = (Vec::new(), [0; 1_024]);
        while !self.over.load(Ordering::Relaxed) {
            // Nothing has come yet, or nothing comes any more.
            let count = operator.read(&mut piece).unwrap_or(0);
            said.extend_from_slice(&piece[..count]);
        }
        let mut done = Done::default();
        for line in said.split(|byte| *byte == b'\n') {
            done.note(line);
        }
        Ok(done)
    }
}

/// Each says the next line when one was answered.
struct Repeat {
    line: fn(Turn) -> String,
    /// By session.
    slots: Vec<usize>,
    turns: Vec<Turn>,
    done: Done,
}

impl Repeat {
    fn say(&mut self, session: usize, out: &mut Outputs) {
        let turn = &mut self.turns[session];
        out.to(self.slots[session]).extend_from_slice((self.line)(*turn).as_bytes());
        turn.nth += 1;
    }
}

impl Peer for Repeat {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        // The slots of a new net are numbered one after the other.
        if self.done.note(line)
            && let Ok(session) = self.slots.binary_search(&at)
        {
            self.say(session, out);
        }
        Ok(())
    }

    fn closed(&mut self, _: usize) -> Outcome<()> {
        self.done.closed += 1;
        Ok(())
    }
}

struct Coming<'a> {
    until: &'a [u8],
    /// By session.
    turns: Vec<Turn>,
    /// By slot: the session.
    whose: Vec<Option<usize>>,
    /// Sessions without a connection.
    ended: Vec<usize>,
    done: Done,
}

impl Peer for Coming<'_> {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        self.done.note(line);
        if (line.starts_with(self.until) || line.starts_with(b"ERR "))
            && let Some(session) = self.whose[at].take()
        {
            self.ended.push(session);
            out.end(at);
        }
        Ok(())
    }

    fn closed(&mut self, at: usize) -> Outcome<()> {
        self.done.closed += 1;
        self.ended.extend(self.whose[at].take());
        Ok(())
    }
}

/// What a waiting session says again and again.
const WRITE_AND_WAIT: &str = "MSG #crowd hi\nWAIT last read 1\n";

struct Waiting {
    /// Slots of those who wait; the others read.
    waiting: Vec<usize>,
    done: Done,
}

impl Peer for Waiting {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        self.done.note(line);
        let waits = self.waiting.binary_search(&at).is_ok();
        if waits && (line.starts_with(b"OK WAIT") || line.starts_with(b"ERR WAIT")) {
            out.to(at).extend_from_slice(WRITE_AND_WAIT.as_bytes());
        } else if !waits && let Some(rest) = line.strip_prefix(b"MSG ") {
            let id = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
            let out = out.to(at);
            out.extend_from_slice(b"READ ");
            out.extend_from_slice(id);
            out.push(b'\n');
        }
        Ok(())
    }

    fn closed(&mut self, _: usize) -> Outcome<()> {
        self.done.closed += 1;
        Ok(())
    }
}
