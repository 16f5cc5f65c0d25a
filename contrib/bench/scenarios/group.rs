//! `group`: a hundred messages into a group of a thousand, of whom half are online; then those
//! acknowledge all of it at once.

use std::fs;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, enter, handles, register, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "group", about: "a group of 1,000 with 500 online", run };

const MEMBERS: usize = 1_000;
const ONLINE: usize = 500;
const MESSAGES: usize = 100;

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    let owner = enter(&mut net, server.address, &["owner".into()])?[0];
    let members = handles("member", MEMBERS - 1);
    let online = enter(&mut net, server.address, &members[..ONLINE])?;
    register(&mut net, server.address, &members[ONLINE..])?;
    let new = format!("GROUP NEW room {}\n", members.join(" "));
    ask(&mut net, &[(owner, new)], "OK GROUP", 1)?;
    // The change that added them is an event, too, and stands before this answer.
    let pings: Vec<_> = online.iter().map(|at| (*at, "PING\n".to_owned())).collect();
    ask(&mut net, &pings, "OK PING", ONLINE)?;
    let written = written(server.pid().as_raw_nonzero().get())?;
    let meter = Meter::start(server.pid())?;
    let line = format!("MSG #room {}\n", "x".repeat(100));
    net.out.to(owner).extend_from_slice(line.repeat(MESSAGES).as_bytes());
    let mut fan = Until { start: b"MSG ", awaited: ONLINE * MESSAGES, failed: None };
    fan.drive(&mut net)?;
    let spent = meter.stop()?;
    let deliveries = (ONLINE * MESSAGES) as f64;
    let more = written_since(server.pid().as_raw_nonzero().get(), written)?;
    bench.note(Subject::Papod, "deliveries", "/s", deliveries / spent.seconds);
    bench.note(Subject::Papod, "server CPU per delivery", "µs", spent.server / deliveries * 1e6);
    bench.note(Subject::Papod, "written per message", "B", more / MESSAGES as f64);
    let meter = Meter::start(server.pid())?;
    for at in &online {
        net.out.to(*at).extend_from_slice(b"ACK\n");
    }
    let mut acks = Until { start: b"OK ACK", awaited: ONLINE, failed: None };
    acks.drive(&mut net)?;
    let spent = meter.stop()?;
    bench.note(Subject::Papod, "500 acknowledge in", "ms", spent.seconds * 1e3);
    Ok(())
}

/// Bytes that a process has handed to the file system so far.
fn written(pid: i32) -> Outcome<f64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let bytes = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(bytes.ok_or("no write_bytes in /proc")?.parse()?)
}

fn written_since(pid: i32, before: f64) -> Outcome<f64> {
    Ok(written(pid)? - before)
}

/// Waits for so many lines that start so.
struct Until {
    start: &'static [u8],
    awaited: usize,
    failed: Option<String>,
}

impl Until {
    fn drive(&mut self, net: &mut Net) -> Outcome<()> {
        while self.awaited > 0 {
            net.turn(self, Duration::from_secs(1))?;
            if let Some(why) = self.failed.take() {
                return Err(why.into());
            }
        }
        Ok(())
    }
}

impl Peer for Until {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) {
        if line.starts_with(self.start) {
            self.awaited = self.awaited.saturating_sub(1);
        } else if line.starts_with(b"ERR") || line.starts_with(b"BYE") {
            self.failed = Some(unexpected(line));
        }
    }
}
