//! Plays a transcript against a server of its own and compares what every client gets.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use papo::config::{Config, PasswordCost, UnixConfig};
use papo::entry::{Clock, Millis};
use papo::server::Server;
use tempfile::TempDir;

use super::client::{Client, Heard, PATIENCE};
use super::names::Names;
use super::script::{Line, Script, Step, heard};

/// 2026-01-01T00:00:00.000Z, where the clock of the transcripts stands still.
const NOW: Millis = Millis(1_767_225_600_000);

/// The first line that the server says to everyone.
pub const GREETING: &str = concat!("HELLO papo/1 papod/", env!("CARGO_PKG_VERSION"), " type HELP");

/// What is done before a line is typed.
type Between = Box<dyn Fn(&[u8])>;

/// A server with an empty database of its own.
pub struct Stage {
    /// One, or several on one database.
    servers: Vec<(Server, TempDir)>,
    /// How many clients have come.
    come: Cell<usize>,
    /// Done before a line is typed, where nobody waits for an answer.
    between: Option<Between>,
}

impl Stage {
    /// Starts a server on a free port.
    pub fn open() -> Stage {
        Stage::open_nodes(1)
    }

    /// Starts so many servers on one database; the first is the leader.
    pub fn open_nodes(count: usize) -> Stage {
        let folders: Vec<TempDir> = (0..count).map(|_| Stage::folder()).collect();
        let db = crate::place::database(folders[0].path());
        let start = |folder: TempDir| (Stage::start(folder.path(), &db), folder);
        let servers = folders.into_iter().map(start).collect();
        Stage { servers, come: Cell::default(), between: None }
    }

    /// The same, where something is done between two lines: before somebody types something, if all
    /// that was typed before is answered.
    #[allow(dead_code)] // Only the tests on PostgreSQL do that.
    pub fn disturbed(self, between: impl Fn(&[u8]) + 'static) -> Stage {
        Stage { between: Some(Box::new(between)), ..self }
    }

    /// The folder of the first server.
    #[allow(dead_code)] // As above.
    pub fn folder_of_first(&self) -> &Path {
        self.servers[0].1.path()
    }

    fn folder() -> TempDir {
        // In memory where there is such a folder: how fast a disk is must not matter here.
        let memory = tempfile::tempdir_in("/dev/shm");
        memory.or_else(|_| tempfile::tempdir()).expect("a temporary folder")
    }

    fn start(folder: &Path, db: &Path) -> Server {
        let config = Config {
            listen: vec!["127.0.0.1:0".to_owned()],
            unix: vec![UnixConfig { path: folder.join("papo.sock"), mode: 0o600 }],
            admin: Some(folder.join("admin.sock")),
            // The least that Argon2 takes: what it costs is not what is tested here.
            password_cost: PasswordCost { kib: 8, passes: 1 },
            clock: Clock::Still(NOW),
            ..Config::new(db.to_owned())
        };
        Server::start(&config).expect("the server starts")
    }

    /// A connection of a client. Its name says how it comes: whoever is called `operator` by the
    /// operators' socket, whoever is called `local` by the other Unix socket, with or without a
    /// number. With several servers, each client comes to the next one.
    pub fn connect(&self, name: &str) -> Client {
        let next = self.come.replace(self.come.get() + 1);
        let (server, folder) = &self.servers[next % self.servers.len()];
        match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "operator" => Client::connect_unix(&folder.path().join("admin.sock")),
            "local" => Client::connect_unix(&folder.path().join("papo.sock")),
            _ => Client::connect(server.addresses()[0]),
        }
    }

    /// Ends the server. All clients should have gone, or it waits for them for a while.
    pub fn close(self) {
        // The leader last: nothing has to be taken over then.
        self.servers.into_iter().rev().for_each(|(server, _)| server.stop());
    }
}

/// How what is typed reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// A line at once.
    Lines,
    /// A byte at a time.
    Bytes,
}

/// Plays a transcript; its failure is a report for a person.
pub fn play(script: &Script, typing: Typing) -> Result<(), String> {
    play_on(script, typing, Stage::open())
}

/// The same on these servers.
pub fn play_on(script: &Script, typing: Typing, stage: Stage) -> Result<(), String> {
    let mut scene = Scene {
        script,
        typing,
        stage: &stage,
        people: HashMap::new(),
        names: Names::default(),
        said: Vec::new(),
    };
    let played = scene.play();
    // The clients hang up before the server is stopped, which would say goodbye to them.
    drop(scene);
    stage.close();
    played
}

/// A play under way.
struct Scene<'a> {
    script: &'a Script,
    typing: Typing,
    stage: &'a Stage,
    people: HashMap<&'a str, Person>,
    names: Names,
    /// The conversation so far.
    said: Vec<String>,
}

/// A client and what it has done.
struct Person {
    client: Option<Client>,
    ended: bool,
    /// Lines that it has typed and that were not answered.
    unanswered: usize,
}

impl<'a> Scene<'a> {
    fn play(&mut self) -> Result<(), String> {
        for line in &self.script.lines {
            self.meet(line)?;
            self.disturb(line);
            self.step(line)?;
        }
        self.finish()
    }

    /// Connects a client at its first mention.
    fn meet(&mut self, line: &'a Line) -> Result<(), String> {
        if self.people.contains_key(&*line.client) {
            return Ok(());
        }
        let person =
            Person { client: Some(self.stage.connect(&line.client)), ended: false, unanswered: 0 };
        self.people.insert(&line.client, person);
        if self.script.hears_greeting(&line.client) {
            return Ok(());
        }
        let greeting = Line { step: Step::Hear(GREETING.into()), ..line.clone() };
        self.expect(&greeting, line.at)
    }

    fn disturb(&mut self, line: &'a Line) {
        let is_calm = self.people.values().all(|it| it.unanswered == 0 && !it.ended);
        if let (Some(between), true, Step::Send(next)) = (&self.stage.between, is_calm, &line.step)
        {
            between(next);
        }
        if let (Step::Send(_), Some(person)) = (&line.step, self.people.get_mut(&*line.client)) {
            person.unanswered += 1;
        }
    }

    fn step(&mut self, line: &'a Line) -> Result<(), String> {
        let Some(person) = self.people.get_mut(&*line.client) else {
            unreachable!("it was connected at its first mention");
        };
        match (&line.step, &mut person.client) {
            (_, None) => self.fail(line.at, "the transcript says more of a client that has gone"),
            (Step::Send(_) | Step::End, _) if person.ended => {
                self.fail(line.at, "the transcript types after the end of the input")
            }
            (Step::Send(bytes), Some(client)) => {
                let bytes = &self.names.fill(bytes);
                match self.typing {
                    Typing::Lines => client.send(bytes),
                    Typing::Bytes => bytes.chunks(1).for_each(|byte| client.send(byte)),
                }
                self.said.push(self.script.text[line.at].clone());
                Ok(())
            }
            (Step::End, Some(client)) => {
                client.end();
                person.ended = true;
                self.said.push(self.script.text[line.at].clone());
                Ok(())
            }
            (Step::Hear(_) | Step::Closed, Some(_)) => self.expect(line, line.at),
        }
    }

    /// Compares the next that a client gets. A client that was sent away hangs up.
    fn expect(&mut self, line: &Line, at: usize) -> Result<(), String> {
        let name = &*line.client;
        let Some(person) = self.people.get_mut(name) else {
            unreachable!("it was connected at its first mention");
        };
        let Some(client) = &mut person.client else {
            return self.fail(at, "the transcript says more of a client that has gone");
        };
        let got = client.hear();
        let right = match (&line.step, &got) {
            (Step::Hear(expected), Heard::Line(got)) => self.names.fits(expected, got),
            (Step::Closed, Heard::Closed(rest)) => rest.is_empty(),
            _ => false,
        };
        if matches!(got, Heard::Closed(_) | Heard::Broken(_)) {
            person.client = None;
        }
        let got = show(name, &got);
        if right {
            if let Step::Hear(text) = &line.step
                && [&b"OK "[..], b"ERR "].iter().any(|it| text.starts_with(it))
            {
                person.unanswered = person.unanswered.saturating_sub(1);
            }
            self.said.push(got);
            return Ok(());
        }
        let expected = match &line.step {
            Step::Hear(text) => heard(name, text),
            _ => format!("{name}! (the end of the connection)"),
        };
        self.fail(at, &format!("expected  {expected}\n  got       {got}"))
    }

    /// Nothing else was said to anyone: the next line of each is the answer to a last question.
    fn finish(&mut self) -> Result<(), String> {
        let last = self.script.text.len().saturating_sub(1);
        for name in self.script.clients() {
            let Some(person) = self.people.get_mut(name) else {
                continue;
            };
            let Some(client) = &mut person.client else {
                continue;
            };
            let step = if person.ended {
                Step::Closed
            } else {
                client.send(b"PING end\n");
                self.said.push(format!("{name}> PING end"));
                Step::Hear(b"OK PING end".to_vec())
            };
            let client = name.to_owned();
            self.expect(&Line { at: last, client, step }, last)?;
        }
        Ok(())
    }

    fn fail(&self, at: usize, why: &str) -> Result<(), String> {
        let mut report = format!("{}, so far:\n", self.script.place(at));
        for line in &self.said {
            let _ = writeln!(report, "    {line}");
        }
        let _ = writeln!(report, "  {why}");
        Err(report)
    }
}

/// How a report shows what a client got.
pub fn show(name: &str, got: &Heard) -> String {
    match got {
        Heard::Line(line) => heard(name, line),
        Heard::Closed(rest) if rest.is_empty() => format!("{name}!"),
        Heard::Closed(rest) => format!("{name}! after a line without LF: {}", rest.escape_ascii()),
        Heard::Broken(kind) => format!("{name}: the connection broke: {kind}"),
        Heard::Nothing(rest) if rest.is_empty() => format!("{name}: nothing for {PATIENCE:?}"),
        Heard::Nothing(rest) => format!("{name}: a line without LF: {}", rest.escape_ascii()),
    }
}
