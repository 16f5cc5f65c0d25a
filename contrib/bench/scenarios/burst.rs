//! `burst`: 5,000 connections at once, as after a restart, when everyone comes back in the same
//! second. Each says nothing until it is greeted, as nc does.

use std::time::{Duration, Instant};

use super::Scenario;
use crate::net::{Net, Outputs, Peer};
use crate::people::unexpected;
use crate::report::Subject;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "burst", about: "5,000 connections at once", large: false, run };

const CONNECTIONS: usize = 5_000;
/// Who is not greeted by then has given up.
const PATIENCE: Duration = Duration::from_secs(5);

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    let start = Instant::now();
    for _ in 0..CONNECTIONS {
        net.connect(server.address)?;
    }
    let mut greeted = Greeted { count: 0, last: start };
    while greeted.count < CONNECTIONS && start.elapsed() < PATIENCE {
        net.turn(&mut greeted, Duration::from_millis(100))?;
    }
    let count = greeted.count as f64;
    bench.note(Subject::Papod, "greeted within 5 s", "%", count / CONNECTIONS as f64 * 100.0);
    let last = (greeted.last - start).as_secs_f64();
    bench.note(Subject::Papod, "time until the last of them", "ms", last * 1e3);
    Ok(())
}

struct Greeted {
    count: usize,
    last: Instant,
}

impl Peer for Greeted {
    fn line(&mut self, _: usize, now: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if !line.starts_with(b"HELLO ") {
            return unexpected(line);
        }
        self.count += 1;
        self.last = now;
        Ok(())
    }
}
