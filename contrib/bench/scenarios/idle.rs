//! `idle`: 10,000 connections that do nothing. What one costs in memory, before and after it is
//! logged in to an account of its own; how fast they log in; and what they cost while idle.

use std::thread;
use std::time::Duration;

use super::Scenario;
use crate::machine::{self, Meter};
use crate::net::Net;
use crate::people::{ask, connect, enter_quietly, handles, register};
use crate::report::Subject;
use crate::{Bench, Outcome, PASSWORD};

pub const SCENARIO: Scenario = Scenario { name: "idle", about: "10,000 idle connections", run };

const CONNECTIONS: usize = 10_000;
/// Log-ins that are under way at the same time.
const TOGETHER: usize = 100;
/// Open files of a process that are not connections.
const OTHER_FILES: usize = 100;
const IDLE: Duration = Duration::from_secs(5);

fn run(bench: &mut Bench) -> Outcome<()> {
    let count = CONNECTIONS.min(bench.open_files - OTHER_FILES);
    if count < CONNECTIONS {
        eprintln!("bench: {count} connections only; see ulimit -n");
    }
    let people = handles("idle", count);
    let server = bench.papod()?;
    register(&mut Net::new()?, server.address, &people)?;
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
    let mut note = |what: &str, unit, value| bench.note(Subject::Papod, what, unit, value);

    let before = machine::rss(pid)?;
    let mut net = Net::new()?;
    let slots = connect(&mut net, server.address, count)?;
    let connected = machine::rss(pid)?;
    note("memory per connection", "KiB", each(connected - before));

    let login = |handle: &String| format!("LOGIN {handle} {PASSWORD}\n");
    let commands: Vec<_> = slots.into_iter().zip(people.iter().map(login)).collect();
    let meter = Meter::start(pid)?;
    ask(&mut net, &commands, "LIVE", TOGETHER)?;
    let spent = meter.stop()?;
    note("log-ins", "/s", count as f64 / spent.seconds);
    note("server CPU per log-in", "µs", spent.server / count as f64 * 1e6);
    let in_all = machine::rss(pid)?;
    note("memory per logged-in connection", "KiB", each(in_all - before));

    thread::sleep(Duration::from_millis(500));
    let meter = Meter::start(pid)?;
    thread::sleep(IDLE);
    let spent = meter.stop()?;
    note("server CPU while idle", "%", spent.server / spent.seconds * 100.0);
    Ok(())
}
