//! People who talk to a recorded papod, and what each of them typed, in order.

use std::fmt::Write as _;
use std::thread;

use papo::entry::Cursor;

use crate::process::{Client, Dice, PASSWORD, Papod, id};

/// Who there is. The first makes the group and changes it, the last one goes in and out.
pub const PEOPLE: [&str; 4] = ["ana", "bia", "caio", "dora"];

/// A command.
#[derive(Clone, Debug)]
pub enum Typed {
    /// `REG` or `LOGIN`.
    Enter,
    Message {
        to: String,
        body: String,
        key: Option<String>,
    },
    Move {
        cursor: Cursor,
        id: u64,
    },
    /// A change of the group, as its entry reads.
    Change(String),
}

impl Typed {
    fn line(&self) -> String {
        match self {
            Typed::Enter => unreachable!("that is typed by hand"),
            Typed::Message { to, body, key: None } => format!("MSG {to} {body}"),
            Typed::Message { to, body, key: Some(key) } => format!("ONCE {key} MSG {to} {body}"),
            Typed::Move { cursor: Cursor::Delivered, id } => format!("ACK {id}"),
            Typed::Move { cursor: Cursor::Read, id } => format!("READ {id}"),
            Typed::Change(change) => {
                let (verb, rest) = change.split_once(' ').expect("a change has a subject");
                format!("GROUP {} team {rest}", verb.to_uppercase())
            }
        }
    }
}

/// A connection and what was typed on it.
pub struct Talk {
    pub who: &'static str,
    /// How the recording calls it.
    pub connection: String,
    pub typed: Vec<Typed>,
    client: Client,
    /// The newest entry that it was shown.
    heard: u64,
}

impl Talk {
    /// Comes in, for the first time or again.
    pub fn enter(papod: &Papod, who: &'static str, is_new: bool) -> Talk {
        let mut client = papod.connect();
        let here = client.socket().local_addr().expect("it is connected");
        let connection = format!("TCP:[{}->{here}]", papod.address);
        let verb = if is_new { "REG" } else { "LOGIN" };
        client.say(&format!("{verb} {who} {PASSWORD}"));
        let mut talk = Talk { who, connection, typed: vec![Typed::Enter], client, heard: 0 };
        for line in talk.client.until("LIVE ") {
            talk.hears(&line);
        }
        talk
    }

    fn hears(&mut self, line: &str) -> bool {
        if line.starts_with("MSG ") || line.starts_with("GROUP ") {
            self.heard = id(line);
        }
        assert!(!line.starts_with("ERR "), "{line}");
        line.starts_with("OK ")
    }

    /// Types some commands at once, and reads until all are answered.
    pub fn say(&mut self, commands: Vec<Typed>) {
        let mut lines = String::new();
        for command in &commands {
            let _ = writeln!(lines, "{}", command.line());
        }
        self.client.write(lines.as_bytes());
        let mut unanswered = commands.len();
        self.typed.extend(commands);
        while unanswered > 0 {
            let line = self.client.line();
            unanswered -= usize::from(self.hears(&line));
        }
    }

    /// Something to say.
    fn command(&self, dice: &mut Dice, n: usize) -> Typed {
        let cursor = if dice.below(2) == 0 { Cursor::Delivered } else { Cursor::Read };
        match dice.below(8) {
            0..3 if self.heard > 0 => return Typed::Move { cursor, id: self.heard },
            3 if self.who == PEOPLE[0] => return Typed::Change(format!("topic number {n}")),
            _ => {}
        }
        let to = match dice.below(6) {
            0 | 1 if self.who != PEOPLE[3] => "#team".into(),
            n => PEOPLE[n as usize % PEOPLE.len()].to_owned(),
        };
        let length = match dice.below(32) {
            0 => dice.below(20_000),
            1..6 => dice.below(3_000),
            _ => dice.below(100),
        };
        let body = format!("{}-{n} {}.", self.who, "ç".repeat(length as usize / 2));
        let key = (dice.below(3) == 0).then(|| format!("{}-{n}", self.who));
        Typed::Message { to, body, key }
    }
}

/// Has everyone say so many things, all at the same time. `from` is above every number before.
pub fn talk(talks: &mut [Talk], dice: &mut Dice, from: usize, count: usize) {
    thread::scope(|scope| {
        for talk in talks {
            let mut dice = Dice::new(dice.below(1 << 31));
            scope.spawn(move || {
                let mut n = from;
                while n < from + count {
                    let burst = 1 + dice.below(8) as usize;
                    let mut commands: Vec<Typed> =
                        (n..n + burst).map(|n| talk.command(&mut dice, n)).collect();
                    if talk.who == PEOPLE[0] && dice.below(3) == 0 {
                        let dora = PEOPLE[3];
                        commands.push(Typed::Change(format!("add {dora}")));
                        commands.push(Typed::Change(format!("remove {dora}")));
                    }
                    talk.say(commands);
                    n += burst;
                }
            });
        }
    });
}
