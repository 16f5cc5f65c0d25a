//! `ping-pong`: how long one message takes on a server that has nothing else to do. The next one is
//! sent when the sender has its `OK` and the recipient the message.

use std::net::SocketAddr;
use std::time::Instant;

use super::Scenario;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter, message, unexpected};
use crate::report::Subject;
use crate::stats::Latencies;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "ping-pong", about: "one message at a time", large: true, run };

/// Messages before any is counted.
const WARM_UP: usize = 200;

fn run(bench: &mut Bench) -> Outcome<()> {
    bench.beside_limits(|bench, subject, server| {
        play(bench, server.address)?.note(bench, subject);
        Ok(())
    })
}

/// A game of two who are new.
pub fn play(bench: &Bench, address: SocketAddr) -> Outcome<Game> {
    let count = if bench.quick { 2_000 } else { 5_000 };
    let mut net = Net::new()?;
    let people = bench.handles("player", 2);
    let slots = enter(&mut net, address, &people)?;
    let mut game = Game::new(slots[0], &people[1]);
    game.serve(&mut net.out);
    net.until(&mut game, |game| game.played == WARM_UP)?;
    game.start_counting();
    net.until(&mut game, |game| game.played == WARM_UP + count)?;
    Ok(game)
}

/// One plays with another; their slots are neighbours.
pub struct Game {
    sender: usize,
    line: Vec<u8>,
    sent: Instant,
    /// Lines that have to come before the next message.
    due: usize,
    played: usize,
    /// No message follows the one that is under way.
    pub is_last: bool,
    pub to_ok: Latencies,
    pub to_recipient: Latencies,
}

impl Game {
    pub fn new(sender: usize, recipient: &str) -> Game {
        Game {
            sender,
            line: message(recipient),
            sent: Instant::now(),
            due: 0,
            played: 0,
            is_last: false,
            to_ok: Latencies::default(),
            to_recipient: Latencies::default(),
        }
    }

    pub fn serve(&mut self, out: &mut Outputs) {
        out.to(self.sender).extend_from_slice(&self.line);
        self.due = 2;
        self.sent = Instant::now();
    }

    /// Nothing is under way.
    pub fn is_over(&self) -> bool {
        self.due == 0
    }

    pub fn start_counting(&mut self) {
        self.to_ok = Latencies::default();
        self.to_recipient = Latencies::default();
    }

    pub fn note(&self, bench: &mut Bench, subject: Subject) {
        bench.latencies(subject, "send to OK", &self.to_ok);
        bench.latencies(subject, "send to recipient", &self.to_recipient);
    }
}

impl Peer for Game {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        let latencies = match (line, at == self.sender) {
            ([b'O', b'K', ..], true) => &mut self.to_ok,
            ([b'M', b'S', b'G', ..], false) => &mut self.to_recipient,
            _ => return unexpected(line),
        };
        latencies.add(now - self.sent);
        self.due -= 1;
        if self.is_over() {
            self.played += 1;
            if !self.is_last {
                self.serve(out);
            }
        }
        Ok(())
    }
}
