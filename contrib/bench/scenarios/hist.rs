//! `hist`: pages of 50 rows, asked for by 8 sessions with 4 questions in flight each: the last
//! page, as a client asks for when it opens a conversation, and pages anywhere in one of 20,000, as
//! when someone scrolls back; and the last page asked for by one session, one at a time. In the
//! large database the rows of a page lie far apart, and the last page is one of any of 2,000
//! conversations.

use std::time::Instant;

use super::Scenario;
use crate::large::{Dice, LARGE};
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter_quietly, register, send, unexpected};
use crate::report::Subject;
use crate::stats::Latencies;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "hist", about: "pages of 50 rows", large: true, run };

const ROWS: usize = 20_000;
const SESSIONS: usize = 8;
const IN_FLIGHT: usize = 4;

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    let (me, with, ids);
    if bench.large.is_some() {
        me = "a0".to_owned();
        with = (0..LARGE.friends).map(|n| format!("b{n}")).collect();
        ids = (LARGE.entries, LARGE.long);
    } else {
        me = "ana".to_owned();
        with = vec!["bia".to_owned()];
        register(&mut net, server.address, &[me.clone(), with[0].clone()])?;
        let at = enter_quietly(&mut net, server.address, std::slice::from_ref(&me))?[0];
        ids = (send(&mut net, at, &with, ROWS)? as usize, 1);
        net.close(at);
    }
    let slots = enter_quietly(&mut net, server.address, &vec![me; SESSIONS])?;
    let mut reading = Reading::new(&with, ids);
    for (what, anywhere) in [("pages, last", false), ("pages, anywhere", true)] {
        reading.anywhere = anywhere;
        reading.begin(&mut net, &slots, IN_FLIGHT);
        net.drive(&mut reading, bench.warm_up() / 2)?;
        reading.pages = 0;
        let meter = Meter::start(server.pid())?;
        net.drive(&mut reading, bench.time() / 2)?;
        bench.rate(Subject::Papod, what, reading.pages as f64, meter.stop()?);
        reading.end(&mut net)?;
    }
    reading.anywhere = false;
    reading.begin(&mut net, &slots[..1], 1);
    net.drive(&mut reading, bench.time() / 4)?;
    reading.end(&mut net)?;
    bench.latencies(Subject::Papod, "one at a time, last", &reading.times);
    Ok(())
}

struct Reading<'a> {
    with: &'a [String],
    /// The newest id of the first of these conversations, and how far its ids lie apart.
    ids: (usize, usize),
    anywhere: bool,
    dice: Dice,
    /// Nothing more is asked.
    ended: bool,
    unanswered: usize,
    pages: u64,
    /// When something was asked last. With one question at a time it is when that was asked.
    asked: Instant,
    times: Latencies,
}

impl<'a> Reading<'a> {
    fn new(with: &'a [String], ids: (usize, usize)) -> Reading<'a> {
        Reading {
            with,
            ids,
            anywhere: false,
            dice: Dice(1),
            ended: false,
            unanswered: 0,
            pages: 0,
            asked: Instant::now(),
            times: Latencies::default(),
        }
    }

    fn begin(&mut self, net: &mut Net, slots: &[usize], in_flight: usize) {
        self.ended = false;
        self.times = Latencies::default();
        for at in slots {
            for _ in 0..in_flight {
                self.ask(*at, &mut net.out);
            }
        }
    }

    /// What is still under way must not be counted as the next one's.
    fn end(&mut self, net: &mut Net) -> Outcome<()> {
        self.ended = true;
        net.until(self, |reading| reading.unanswered == 0)
    }

    fn ask(&mut self, at: usize, out: &mut Outputs) {
        let line = if self.anywhere {
            // Below it stand 50 rows at least.
            let (last, step) = self.ids;
            let before = 51 * step + self.dice.below(last - 51 * step);
            format!("HIST {} 50 before {before}\n", self.with[0])
        } else {
            format!("HIST {} 50\n", self.with[self.dice.below(self.with.len())])
        };
        out.to(at).extend_from_slice(line.as_bytes());
        self.unanswered += 1;
        self.asked = Instant::now();
    }
}

impl Peer for Reading<'_> {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"OK HIST 50 ") {
            self.pages += 1;
            self.unanswered -= 1;
            self.times.add(now.saturating_duration_since(self.asked));
            if !self.ended {
                self.ask(at, out);
            }
        } else if !line.starts_with(b"HIST ") {
            return unexpected(line);
        }
        Ok(())
    }
}
