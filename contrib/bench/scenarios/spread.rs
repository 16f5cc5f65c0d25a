//! `spread`: whether a message costs more where there are more conversations. The load is the same
//! each time, 100 quiet sessions with 4 messages in flight each, to people who are away; only who
//! writes to whom differs: one to one, one to 100 in turn, 100 to 100 in turn.

use std::time::{Duration, Instant};

use super::Scenario;
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter_quietly, handles, message, register, unexpected};
use crate::report::{Subject, number};
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "spread", about: "messages spread over 1, 100 and 10,000 conversations", run };

const SESSIONS: usize = 100;
const RECIPIENTS: usize = 100;
const IN_FLIGHT: usize = 4;

fn run(bench: &mut Bench) -> Outcome<()> {
    for (authors, recipients) in [(1, 1), (1, RECIPIENTS), (SESSIONS, RECIPIENTS)] {
        let server = bench.papod()?;
        let mut net = Net::new()?;
        let (from, to) = (handles("from", authors), handles("to", recipients));
        register(&mut net, server.address, &from)?;
        register(&mut net, server.address, &to)?;
        let names: Vec<String> = (0..SESSIONS).map(|n| from[n % authors].clone()).collect();
        // The net's slots are free again, so these are its first.
        let slots = enter_quietly(&mut net, server.address, &names)?;
        let mut spread = Spread {
            lines: to.iter().map(|to| message(to)).collect(),
            // Each begins elsewhere, so that not all write to the same one at the same time.
            next: (0..SESSIONS).collect(),
            confirmed: 0,
            failed: None,
        };
        for at in slots {
            for _ in 0..IN_FLIGHT {
                spread.send(at, &mut net.out);
            }
        }
        spread.drive(&mut net, bench.warm_up())?;
        spread.confirmed = 0;
        let meter = Meter::start(server.pid())?;
        spread.drive(&mut net, bench.time())?;
        let spent = meter.stop()?;
        let (messages, count) = (spread.confirmed as f64, authors * recipients);
        let of = number(count as f64);
        let measure = format!("messages confirmed, conversations: {of}");
        bench.note(Subject::Papod, &measure, "/s", messages / spent.seconds);
        let measure = format!("server CPU per message, conversations: {of}");
        let cpu = spent.server / messages * 1e6;
        bench.note(Subject::Papod, &measure, "µs", cpu);
    }
    Ok(())
}

struct Spread {
    /// A message to each recipient.
    lines: Vec<Vec<u8>>,
    /// By slot: whom it writes to next.
    next: Vec<usize>,
    confirmed: u64,
    failed: Option<String>,
}

impl Spread {
    fn send(&mut self, at: usize, out: &mut Outputs) {
        let next = &mut self.next[at];
        out.to(at).extend_from_slice(&self.lines[*next % self.lines.len()]);
        *next += 1;
    }

    fn drive(&mut self, net: &mut Net, time: Duration) -> Outcome<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            net.turn(self, time)?;
            if let Some(why) = self.failed.take() {
                return Err(why.into());
            }
        }
        Ok(())
    }
}

impl Peer for Spread {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) {
        if line.starts_with(b"OK MSG ") {
            self.confirmed += 1;
            self.send(at, out);
        } else {
            self.failed = Some(unexpected(line));
        }
    }
}
