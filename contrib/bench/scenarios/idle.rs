//! `idle`: 10,000 connections that do nothing. What one costs in memory, before and after it is
//! logged in to an account of its own; how fast they log in with a token each; and what they cost
//! while idle.

use std::thread;
use std::time::Duration;

use super::Scenario;
use crate::machine::{self, Meter};
use crate::net::Net;
use crate::people::{TOGETHER, ask, connect, enter_quietly, tokens};
use crate::report::Subject;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "idle", about: "10,000 idle connections", large: true, run };

const CONNECTIONS: usize = 10_000;

fn run(bench: &mut Bench) -> Outcome<()> {
    let count = bench.connections(CONNECTIONS);
    let server = bench.papod()?;
    let people = bench.handles("idle", count);
    let tokens = tokens(&mut Net::new()?, server.address, &people)?;
    // A new process, so that what registering has cost is not in the way; and a few log-ins, so
    // that what each thread and each cache takes once is not counted for the connections.
    drop(server);
    let server = bench.papod_again()?;
    drop({
        let mut net = Net::new()?;
        enter_quietly(&mut net, server.address, &people[..TOGETHER])?;
        net
    });
    thread::sleep(Duration::from_millis(200));
    let pid = server.pid();
    let each = |kib: f64| kib / count as f64;

    let before = machine::rss(pid)?;
    let mut net = Net::new()?;
    let slots = connect(&mut net, server.address, count)?;
    let connected = machine::rss(pid)?;
    bench.note(Subject::Papod, "memory per connection", "KiB", each(connected - before));

    let meter = Meter::start(pid)?;
    ask(&mut net, &slots, |n| format!("LOGIN {} {}\n", people[n], tokens[n]), "LIVE")?;
    bench.rate(Subject::Papod, "log-ins with a token", count as f64, meter.stop()?);
    let in_all = machine::rss(pid)?;
    bench.note(Subject::Papod, "memory per logged-in connection", "KiB", each(in_all - before));

    thread::sleep(Duration::from_millis(500));
    let meter = Meter::start(pid)?;
    thread::sleep(bench.time());
    let spent = meter.stop()?;
    bench.note(Subject::Papod, "server CPU while idle", "%", spent.server / spent.seconds * 100.0);
    Ok(())
}
