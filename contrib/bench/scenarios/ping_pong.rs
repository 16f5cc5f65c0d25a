//! `ping-pong`: how long one message takes on a server that has nothing else to do. The next one is
//! sent when the sender has its `OK` and the recipient the message.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter, message, unexpected};
use crate::report::Subject;
use crate::stats::Latencies;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario { name: "ping-pong", about: "one message at a time", run };

/// Messages before any is counted.
const WARM_UP: usize = 200;

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    play(bench, Subject::Papod, server.address).map_err(|e| format!("{e}\n{}", server.said()))?;
    drop(server);
    for (subject, syncs) in [(Subject::LimitFsync, true), (Subject::Limit, false)] {
        let server = bench.limit(syncs)?;
        play(bench, subject, server.address)?;
    }
    Ok(())
}

fn play(bench: &mut Bench, subject: Subject, address: SocketAddr) -> Outcome<()> {
    let count = if bench.quick { 2_000 } else { 5_000 };
    let mut net = Net::new()?;
    let slots = enter(&mut net, address, &["ana".into(), "bia".into()])?;
    let mut game = Game {
        sender: slots[0],
        line: message("bia"),
        sent: Instant::now(),
        due: 0,
        played: 0,
        to_ok: Latencies::default(),
        to_recipient: Latencies::default(),
        failed: None,
    };
    game.serve(&mut net.out);
    while game.played < WARM_UP + count {
        net.turn(&mut game, Duration::from_secs(1))?;
        if let Some(why) = game.failed {
            return Err(why.into());
        }
    }
    for (what, latencies) in [("OK", &game.to_ok), ("recipient", &game.to_recipient)] {
        for (name, part) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let measure = format!("send to {what}, {name}");
            bench.note(subject, &measure, "µs", latencies.micros(part));
        }
    }
    Ok(())
}

struct Game {
    sender: usize,
    line: Vec<u8>,
    sent: Instant,
    /// Lines that have to come before the next message.
    due: usize,
    played: usize,
    to_ok: Latencies,
    to_recipient: Latencies,
    failed: Option<String>,
}

impl Game {
    fn serve(&mut self, out: &mut Outputs) {
        out.to(self.sender).extend_from_slice(&self.line);
        self.due = 2;
        self.sent = Instant::now();
    }
}

impl Peer for Game {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) {
        let latencies = match (line, at == self.sender) {
            ([b'O', b'K', ..], true) => &mut self.to_ok,
            ([b'M', b'S', b'G', ..], false) => &mut self.to_recipient,
            _ => {
                self.failed = Some(unexpected(line));
                return;
            }
        };
        if self.played >= WARM_UP {
            latencies.add(now - self.sent);
        }
        self.due -= 1;
        if self.due == 0 {
            self.played += 1;
            self.serve(out);
        }
    }
}
