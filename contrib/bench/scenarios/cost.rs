//! `cost`: whether a message costs more where there are more connections, and where there are more
//! conversations.
//!
//! Connections: half of them send, with 2 messages in flight, each to a partner of its own among
//! the other half. Conversations: 100 quiet sessions with 4 messages in flight, to people who are away;
//! only who writes to whom differs. The conversations are there before anything is measured.

use std::time::Instant;

use super::Scenario;
use crate::child::Server;
use crate::large::{LARGE, Shape};
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter, enter_quietly, message, unexpected};
use crate::report::{Subject, number};
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario {
    name: "cost",
    about: "messages with more connections, and over more conversations",
    large: true,
    run,
};

const SESSIONS: usize = 100;
/// The people of the large database, with one entry to a conversation.
const SMALL: Shape = Shape { entries: LARGE.authors * LARGE.friends, long: 0, ..LARGE };

fn run(bench: &mut Bench) -> Outcome<()> {
    if bench.large.is_none() {
        let counts: &[usize] = if bench.quick { &[100, 1_000] } else { &[100, 1_000, 10_000] };
        for count in counts {
            connections(bench, *count)?;
        }
    }
    let server = bench.papod_among(&SMALL)?;
    for (authors, friends) in [(1, 1), (1, 100), (LARGE.authors, LARGE.friends)] {
        let mut net = Net::new()?;
        let names: Vec<_> = (0..SESSIONS).map(|n| format!("a{}", n % authors)).collect();
        enter_quietly(&mut net, server.address, &names)?;
        let cost = Cost {
            lines: (0..friends).map(|n| message(&format!("b{n}"))).collect(),
            // Each begins elsewhere, so that they do not follow each other.
            next: (0..SESSIONS).map(|n| n * friends / SESSIONS).collect(),
            step: 1,
            in_flight: 4,
            confirmed: 0,
        };
        let what = format!("messages, conversations: {}", number((authors * friends) as f64));
        cost.measure(bench, &mut net, &server, &what)?;
    }
    Ok(())
}

fn connections(bench: &mut Bench, count: usize) -> Outcome<()> {
    let count = bench.connections(count);
    let server = bench.papod()?;
    let mut net = Net::new()?;
    // Slots are given in order: senders first, then their partners.
    let names = bench.handles("one", count);
    enter(&mut net, server.address, &names)?;
    let partners = &names[count / 2..];
    let cost = Cost {
        lines: partners.iter().map(|to| message(to)).collect(),
        next: (0..partners.len()).collect(),
        step: 0,
        in_flight: 2,
        confirmed: 0,
    };
    let what = format!("messages, connections: {}", number(count as f64));
    cost.measure(bench, &mut net, &server, &what)
}

struct Cost {
    /// A message to each who is written to.
    lines: Vec<Vec<u8>>,
    /// By sender, whose slots are the first: whom it writes to next, and how many it goes on then.
    next: Vec<usize>,
    step: usize,
    in_flight: usize,
    confirmed: u64,
}

impl Cost {
    fn measure(
        mut self,
        bench: &mut Bench,
        net: &mut Net,
        server: &Server,
        what: &str,
    ) -> Outcome<()> {
        for at in 0..self.next.len() {
            for _ in 0..self.in_flight {
                self.send(at, &mut net.out);
            }
        }
        net.drive(&mut self, bench.warm_up())?;
        self.confirmed = 0;
        let meter = Meter::start(server.pid())?;
        net.drive(&mut self, bench.time())?;
        bench.rate(Subject::Papod, what, self.confirmed as f64, meter.stop()?);
        Ok(())
    }

    fn send(&mut self, at: usize, out: &mut Outputs) {
        let next = &mut self.next[at];
        out.to(at).extend_from_slice(&self.lines[*next % self.lines.len()]);
        *next += self.step;
    }
}

impl Peer for Cost {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"OK MSG ") {
            self.confirmed += 1;
            self.send(at, out);
        } else if !line.starts_with(b"MSG ") {
            return unexpected(line);
        }
        Ok(())
    }
}
