//! `hist`: pages of 50 rows of a conversation of 20,000, asked for by 8 sessions with 4 questions
//! in flight each: the last page, as a client asks for when it opens a conversation, and pages
//! anywhere, as when someone scrolls back.

use std::time::{Duration, Instant};

use super::Scenario;
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter_quietly, register, send, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario { name: "hist", about: "pages of 50 rows", run };

const ROWS: usize = 20_000;
const SESSIONS: usize = 8;
const IN_FLIGHT: usize = 4;

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    register(&mut net, server.address, &["ana".into(), "bia".into()])?;
    let names = vec!["ana".to_owned(); SESSIONS];
    let slots = enter_quietly(&mut net, server.address, &names)?;
    let (_, last) = send(&mut net, slots[0], &["bia"], ROWS)?;
    for (what, anywhere) in [("last", None), ("anywhere", Some(last))] {
        let mut reading = Reading { anywhere, dice: 1, pages: 0, failed: None };
        for at in &slots {
            for _ in 0..IN_FLIGHT {
                reading.ask(*at, &mut net.out);
            }
        }
        reading.drive(&mut net, bench.warm_up() / 2)?;
        reading.pages = 0;
        let meter = Meter::start(server.pid())?;
        reading.drive(&mut net, bench.time() / 2)?;
        let spent = meter.stop()?;
        let pages = reading.pages as f64;
        let rate = pages / spent.seconds;
        bench.note(Subject::Papod, &format!("pages, {what}"), "/s", rate);
        let measure = format!("server CPU per page, {what}");
        bench.note(Subject::Papod, &measure, "µs", spent.server / pages * 1e6);
        // What is still under way must not be counted as the next one's.
        let mut rest = Rest(SESSIONS * IN_FLIGHT);
        while rest.0 > 0 {
            net.turn(&mut rest, Duration::from_secs(1))?;
        }
    }
    Ok(())
}

struct Reading {
    /// The newest id, where pages are asked for anywhere below it.
    anywhere: Option<u64>,
    dice: u64,
    pages: u64,
    failed: Option<String>,
}

impl Reading {
    fn ask(&mut self, at: usize, out: &mut Outputs) {
        let out = out.to(at);
        out.extend_from_slice(b"HIST bia 50");
        if let Some(last) = self.anywhere {
            // A linear congruential generator (Knuth's MMIX) is random enough to choose a page.
            self.dice = self
                .dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let before = 51 + (self.dice >> 33) % (last - 50);
            out.extend_from_slice(format!(" before {before}").as_bytes());
        }
        out.push(b'\n');
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

impl Peer for Reading {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) {
        if line.starts_with(b"OK HIST 50 ") {
            self.pages += 1;
            self.ask(at, out);
        } else if !line.starts_with(b"HIST ") {
            self.failed = Some(unexpected(line));
        }
    }
}

/// Waits for answers and asks nothing.
struct Rest(usize);

impl Peer for Rest {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) {
        if line.starts_with(b"OK HIST ") {
            self.0 -= 1;
        }
    }
}
