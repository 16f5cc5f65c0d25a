//! The target `session`: bytes to a real server over loopback, as four sessions at once would send
//! them. Session 0 is nobody's, 1 is ana's, 2 bia's, 3 ana's, too, but quiet.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use memchr::memchr;
use papo::config::{Config, PasswordCost};
use papo::limits;
use papo::server::Server;
use papo::wire::request::{self, Command, SessionCommand, Which};
use papo::wire::rows::{EntryForm, EntryLine, ServerLine};
use papo::wire::{help, line, telnet};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tempfile::TempDir;

use super::{PEOPLE, Step, steps};

/// How the sessions begin, who they are before an input speaks for them.
const LOGINS: [&str; PEOPLE] = [
    "PING\n",
    "LOGIN ana secret-a\nREAD\n",
    "LOGIN bia secret-b\nREAD\n",
    "LOGIN ana secret-a quiet\n",
];
/// What is said at the end: the end of a line, the end of `TALK`, and something to be answered.
const LAST: &[u8] = b"\n/\nPING the-end\n";
/// Time without a byte from anyone after which a session hangs.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// A server, and accounts of which an input may make what it can.
pub struct World {
    /// Ended before its folder goes.
    server: Option<Server>,
    address: SocketAddr,
    _folder: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

impl World {
    /// A server with a new database: ana, bia and caio, who have a group and have said something.
    pub fn new() -> World {
        let folder = tempfile::tempdir().expect("there is room");
        let config = Config {
            listen: vec!["127.0.0.1:0".into()],
            password_cost: PasswordCost { kib: 8, passes: 1 },
            ..Config::new(folder.path().join("papo.db"))
        };
        let server = Server::start(&config).expect("it starts");
        let address = server.addresses()[0];
        for typed in [
            "REG caio secret-c\n",
            "REG bia secret-b Bia\n",
            "REG ana secret-a Ana Maria\nGROUP NEW team bia caio\nMSG bia oi\nMSG #team a\\nb\n",
        ] {
            assert!(Person::enter(address, typed).is_some(), "{typed}");
        }
        World { server: Some(server), address, _folder: folder }
    }

    /// Plays an input and checks all that was answered. Gives back whether the accounts could be
    /// entered; an earlier input may have changed a password, and then a new world is needed.
    pub fn play(&self, input: &[u8]) -> bool {
        let people = LOGINS.iter().map(|login| Person::enter(self.address, login));
        let Some(mut people) = people.collect::<Option<Vec<_>>>() else {
            return false;
        };
        for step in plan(input) {
            step.carry_out(&mut people);
        }
        wait(&mut people, |people| people.iter().all(|person| person.is_over));
        people.iter().for_each(Person::check);
        true
    }
}

/// One session, as its client sees it.
struct Person {
    socket: TcpStream,
    typed: Vec<u8>,
    /// Bytes of `typed` that were taken.
    taken: usize,
    heard: Vec<u8>,
    /// Where the whole lines of `heard` stand, without their ends.
    lines: Vec<Range<usize>>,
    /// How many of them are final lines.
    finals: usize,
    is_live: bool,
    /// It was told `BYE`.
    is_dismissed: bool,
    /// It was reset, so nothing is due to it.
    is_gone: bool,
    /// Nothing more will come.
    is_over: bool,
}

impl Person {
    /// Connects and types the first lines. `None` if one of them was refused.
    fn enter(address: SocketAddr, typed: &str) -> Option<Person> {
        let mut socket = TcpStream::connect(address).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a socket");
        socket.write_all(typed.as_bytes()).expect("it is taken");
        let mut person = Person {
            socket,
            typed: typed.into(),
            taken: typed.len(),
            heard: Vec::new(),
            lines: Vec::new(),
            finals: 0,
            is_live: false,
            is_dismissed: false,
            is_gone: false,
            is_over: false,
        };
        let shall_live = !typed.starts_with("PING") && !typed.contains("quiet");
        while person.finals < commands(typed.as_bytes()) || person.is_live != shall_live {
            if person.lines().any(|line| line.starts_with(b"ERR ")) {
                return None;
            }
            let mut some = [0; 16_384];
            match person.socket.read(&mut some) {
                Ok(n) => person.hear(&some[..n]),
                // The fuzzer has a clock that does.
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => panic!("it does not answer: {e}"),
            }
        }
        person.socket.set_nonblocking(true).expect("it is a socket");
        Some(person)
    }

    fn hear(&mut self, bytes: &[u8]) {
        let mut from = self.heard.len();
        self.heard.extend_from_slice(bytes);
        let mut start = self.lines.last().map_or(0, |line| line.end + 1);
        while let Some(length) = memchr(b'\n', &self.heard[from..]) {
            let mut end = from + length;
            // What Telnet answers to Telnet is no part of a line.
            let is_refusal = |three: &[u8]| matches!(three, [255, 252 | 254, _]);
            while let Some(at) = self.heard[start..end].windows(3).position(is_refusal) {
                self.heard.drain(start + at..start + at + 3);
                end -= 3;
            }
            let line = &self.heard[start..end];
            self.finals += usize::from(line.starts_with(b"OK ") || line.starts_with(b"ERR "));
            self.is_live |= line.starts_with(b"LIVE ");
            self.is_dismissed |= line.starts_with(b"BYE ");
            self.lines.push(start..end);
            start = end + 1;
            from = start;
        }
    }

    fn lines(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.lines.iter().map(|line| &self.heard[line.clone()])
    }

    /// Final lines that are due to what was typed so far and ends a line.
    fn due(&self) -> usize {
        let whole = self.typed.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        commands(&self.typed[..whole])
    }

    /// Reads what is there, and writes what is taken.
    fn stir(&mut self) {
        while self.taken < self.typed.len() && !self.is_gone {
            match self.socket.write(&self.typed[self.taken..]) {
                Ok(n) => self.taken += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // After a goodbye nobody takes anything.
                Err(_) => self.taken = self.typed.len(),
            }
        }
        let mut some = [0; 16_384];
        while !self.is_over {
            match self.socket.read(&mut some) {
                Ok(0) => self.is_over = true,
                Ok(n) => self.hear(&some[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.is_over = true,
            }
        }
    }

    /// Checks all that came.
    fn check(&self) {
        let mut rows = false;
        for line in self.lines() {
            let said = std::str::from_utf8(line).expect("it says UTF-8 only");
            let at = || format!("{said:?}\nto {:?}", self.typed.escape_ascii().to_string());
            assert!(!said.contains(|c: char| c.is_control() && c != '\t'), "{}", at());
            let known = ServerLine::parse(said).unwrap_or_else(|| panic!("{}", at()));
            let mut again = Vec::new();
            known.write(&mut again);
            assert_eq!(again.strip_suffix(b"\n"), Some(line), "it reads back: {}", at());
            match known {
                ServerLine::Ok(_) => rows = false,
                ServerLine::Err(refused) => {
                    rows = false;
                    assert!(!["bug", "storage"].contains(&refused.code), "{}", at());
                }
                ServerLine::Entry(EntryLine { form: EntryForm::Event, .. })
                | ServerLine::Receipt(_)
                | ServerLine::Live(_)
                | ServerLine::Hello(_) => assert!(!rows, "an event splits a reply: {}", at()),
                ServerLine::Bye(bye) => {
                    let expected = ["quit", "kicked", "not-http", "not-tls"];
                    assert!(expected.contains(&bye.reason), "{}", at());
                }
                _ => rows = true,
            }
        }
        if self.is_gone {
            return;
        }
        let commands = commands(&self.typed);
        let typed = self.typed.escape_ascii();
        if self.is_dismissed {
            assert!(self.finals <= commands, "{} of {commands}: {typed}", self.finals);
            let last = self.lines().last().unwrap_or_default();
            assert!(last.starts_with(b"BYE "), "{}: {typed}", last.escape_ascii());
            return;
        }
        assert_eq!(self.finals, commands, "final lines for commands: {typed}");
        if self.typed.ends_with(LAST) {
            // After `TALK … raw` it is a text.
            let is_raw = self.typed.to_ascii_lowercase().windows(3).any(|three| three == b"raw");
            let mut finals =
                self.lines().rev().filter(|l| l.starts_with(b"OK ") || l.starts_with(b"ERR "));
            let last = finals.next().unwrap_or_default();
            let is_text = last.starts_with(b"OK MSG ") || last.starts_with(b"ERR MSG ");
            let is_right = last == b"OK PING the-end" || (is_raw && is_text);
            assert!(is_right, "{}: {typed}", last.escape_ascii());
        }
    }
}

/// How many final lines are due to these bytes: one for each line that is not blank.
fn commands(typed: &[u8]) -> usize {
    let is_due = |text: &&[u8]| {
        let is_long = text.len() >= limits::LINE;
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        is_long || !telnet::typed(text).iter().all(|byte| matches!(byte, b' ' | b'\t'))
    };
    let mut before = 0;
    // An LF ends a line, and so does CR NUL.
    let lines = typed.split(|byte| {
        let is_end = *byte == b'\n' || (*byte == 0 && before == b'\r');
        before = *byte;
        is_end
    });
    lines.filter(is_due).count()
}

/// What is done, by the number of a session.
enum Move {
    Type(usize, Vec<u8>),
    Settle(usize),
    Finish(usize),
    Reset(usize),
}

impl Move {
    fn carry_out(self, people: &mut [Person]) {
        match self {
            Move::Type(who, bytes) if !people[who].is_gone => {
                people[who].typed.extend(bytes);
                people[who].stir();
                wait(people, |people| people[who].taken == people[who].typed.len());
            }
            Move::Settle(who) => {
                let due = people[who].due();
                wait(people, |people| {
                    let person = &people[who];
                    person.finals >= due || person.is_dismissed || person.is_over
                });
            }
            Move::Finish(who) => {
                // One that is gone needs none.
                let _ = people[who].socket.shutdown(Shutdown::Write);
            }
            Move::Reset(who) => {
                let person = &mut people[who];
                person.stir();
                let now = Some(Duration::ZERO);
                let _ = rustix::net::sockopt::set_socket_linger(&person.socket, now);
                let _ = person.socket.shutdown(Shutdown::Both);
                (person.is_gone, person.is_over) = (true, true);
            }
            Move::Type(..) => {}
        }
    }
}

/// What an input has them do. Each that is still there at the end says [`LAST`] and ends its input.
fn plan(input: &[u8]) -> Vec<Move> {
    let mut streams: [Vec<u8>; PEOPLE] = Default::default();
    let mut ends: [bool; PEOPLE] = Default::default();
    let mut parts: Vec<(usize, Result<Range<usize>, Step>)> = Vec::new();
    let mut who = 1;
    for step in steps(input) {
        match step {
            Step::Turn(next) => who = next,
            Step::Bytes(bytes) if !ends[who] => {
                let from = streams[who].len();
                streams[who].extend(bytes);
                parts.push((who, Ok(from..streams[who].len())));
            }
            Step::Finish | Step::Reset if !ends[who] => {
                ends[who] = true;
                parts.push((who, Err(step)));
            }
            Step::Settle => parts.push((who, Err(step))),
            // Nothing comes after the end.
            Step::Bytes(_) | Step::Finish | Step::Reset => {}
        }
    }
    streams.iter_mut().for_each(|stream| without_waiting(stream));
    let moves = parts.into_iter().map(|(who, part)| match part {
        Ok(range) => Move::Type(who, streams[who][range].to_vec()),
        Err(Step::Finish) => Move::Finish(who),
        Err(Step::Reset) => Move::Reset(who),
        Err(_) => Move::Settle(who),
    });
    let mut moves: Vec<Move> = moves.collect();
    for who in (0..PEOPLE).filter(|who| !ends[*who]) {
        moves.extend([Move::Type(who, LAST.to_vec()), Move::Finish(who)]);
    }
    moves
}

/// A `WAIT` may take a day. One for a message that cannot be there is left in.
fn without_waiting(stream: &mut [u8]) {
    for text in stream.split_mut(|byte| *byte == b'\n') {
        let typed = telnet::typed(text);
        let said = typed.strip_prefix(b"/").unwrap_or(&typed);
        let Ok(said) = line::text(said.strip_suffix(b"\r").unwrap_or(said)) else { continue };
        let Some(verb) = help::verb(request::first_word(said)) else { continue };
        let waits = match help::read(verb, said).map(|request| request.command) {
            Ok(Command::Session(SessionCommand::Wait { which: Which::Id(id), .. })) => {
                id.0 < 1_000_000_000
            }
            Ok(Command::Session(SessionCommand::Wait { .. })) => true,
            _ => false,
        };
        if waits {
            text.iter_mut().filter(|b| b.eq_ignore_ascii_case(&b'w')).for_each(|b| *b = b'x');
        }
    }
}

/// Reads and writes until it is so.
fn wait(people: &mut [Person], is_so: impl Fn(&[Person]) -> bool) {
    loop {
        people.iter_mut().for_each(Person::stir);
        if is_so(people) {
            return;
        }
        let interest = |person: &Person| {
            let room =
                if person.taken < person.typed.len() { PollFlags::OUT } else { PollFlags::empty() };
            PollFlags::IN | room
        };
        let open = people.iter().filter(|person| !person.is_over);
        let mut fds: Vec<PollFd> =
            open.map(|person| PollFd::new(&person.socket, interest(person))).collect();
        let happened = match poll(&mut fds, Some(&PATIENCE)) {
            Err(Errno::INTR) => continue,
            happened => happened.expect("sockets can be waited for"),
        };
        if happened == 0 {
            let typed = people.iter().map(|person| {
                let (done, due) = (person.finals, person.due());
                format!("{done} of {due} answered: {}", person.typed.escape_ascii())
            });
            panic!("nothing comes:\n{}", typed.collect::<Vec<_>>().join("\n"));
        }
    }
}
