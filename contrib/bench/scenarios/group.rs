//! `group`: messages into a group, a hundred at a time, each hundred once the one before it has
//! reached everyone online; then those acknowledge all of it at once.

use std::fs;
use std::time::Instant;

use super::Scenario;
use crate::machine::{Meter, Spent};
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, enter, register, unexpected};
use crate::report::{Subject, number};
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "group", about: "a group of 1,000, half or all online", large: true, run };

const MEMBERS: usize = 1_000;
const MESSAGES: usize = 100;

fn run(bench: &mut Bench) -> Outcome<()> {
    for online in [MEMBERS / 2, MEMBERS] {
        load(bench, online)?;
    }
    Ok(())
}

fn load(bench: &mut Bench, online: usize) -> Outcome<()> {
    let server = bench.papod()?;
    let pid = server.pid();
    let mut net = Net::new()?;
    let owner = enter(&mut net, server.address, &bench.handles("owner", 1))?;
    let room = &bench.handles("room", 1)[0];
    let members = bench.handles("member", MEMBERS);
    let (here, away) = members.split_at(online);
    let slots = enter(&mut net, server.address, here)?;
    register(&mut net, server.address, away)?;
    // As many in one line as a line may hold.
    ask(&mut net, &owner, |_| format!("GROUP NEW {room} {}\n", members.join(" ")), "OK GROUP")?;
    // The change that added them is an event, too, and stands before this answer.
    ask(&mut net, &slots, |_| "PING\n".into(), "OK PING")?;

    let lines = format!("MSG #{room} {}\n", "x".repeat(100)).repeat(MESSAGES);
    let mut rounds = 0;
    let written_before = written(pid.as_raw_nonzero().get())?;
    let meter = Meter::start(pid)?;
    let start = Instant::now();
    while start.elapsed() < bench.time() / 2 {
        net.out.to(owner[0]).extend_from_slice(lines.as_bytes());
        wait_for(&mut net, b"MSG ", online * MESSAGES)?;
        rounds += 1;
    }
    let spent = meter.stop()?;
    let written = written(pid.as_raw_nonzero().get())? - written_before;
    let of = number(online as f64);
    let messages = (rounds * MESSAGES) as f64;
    bench.rate(Subject::Papod, &format!("deliveries to {of}"), messages * online as f64, spent);
    bench.note(Subject::Papod, &format!("{of}: written per message"), "B", written / messages);

    let meter = Meter::start(pid)?;
    for at in &slots {
        net.out.to(*at).extend_from_slice(b"ACK\n");
    }
    wait_for(&mut net, b"OK ACK", online)?;
    let Spent { seconds, .. } = meter.stop()?;
    bench.note(Subject::Papod, &format!("{of} acknowledge in"), "ms", seconds * 1e3);
    Ok(())
}

/// Bytes that a process has handed to the file system so far.
fn written(pid: i32) -> Outcome<f64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let bytes = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(bytes.ok_or("no write_bytes in /proc")?.parse()?)
}

/// Waits for so many lines that start so.
fn wait_for(net: &mut Net, start: &'static [u8], awaited: usize) -> Outcome<()> {
    net.until(&mut Until { start, awaited }, |until| until.awaited == 0)
}

struct Until {
    start: &'static [u8],
    awaited: usize,
}

impl Peer for Until {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if line.starts_with(self.start) {
            self.awaited = self.awaited.saturating_sub(1);
        } else if line.starts_with(b"ERR") || line.starts_with(b"BYE") {
            return unexpected(line);
        }
        Ok(())
    }
}
