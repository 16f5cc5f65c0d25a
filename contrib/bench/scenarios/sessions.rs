//! `sessions`: what a script does with `printf … | nc`: connect, `LOGIN`, `MSG`, `QUIT` in one
//! write, read to the end, close; 16 at a time. Quiet, and not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::Scenario;
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{handles, register, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome, PASSWORD};

pub const SCENARIO: Scenario =
    Scenario { name: "sessions", about: "connect, LOGIN, MSG, QUIT", run };

const TOGETHER: usize = 16;

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    register(&mut net, server.address, &handles("from", TOGETHER))?;
    register(&mut net, server.address, &["away".into()])?;
    for quiet in [true, false] {
        let (address, pid) = (server.address, server.pid());
        load(bench, &mut net, Subject::Papod, address, pid, quiet)
            .map_err(|e| format!("{e}\n{}", server.said()))?;
    }
    drop(server);
    let server = bench.limit(false)?;
    let (address, pid) = (server.address, server.pid());
    load(bench, &mut Net::new()?, Subject::Limit, address, pid, false)
}

fn load(
    bench: &mut Bench,
    net: &mut Net,
    subject: Subject,
    address: SocketAddr,
    pid: Pid,
    quiet: bool,
) -> Outcome<()> {
    let mut sessions = Sessions {
        address,
        mode: if quiet { " quiet" } else { "" },
        whose: Vec::new(),
        ended: (0..TOGETHER).collect(),
        confirmed: 0,
        failed: None,
    };
    sessions.drive(net, bench.warm_up())?;
    sessions.confirmed = 0;
    let meter = Meter::start(pid)?;
    sessions.drive(net, bench.time())?;
    let spent = meter.stop()?;
    while sessions.ended.len() < TOGETHER {
        net.turn(&mut sessions, bench.time())?;
    }
    let count = sessions.confirmed as f64;
    let what = if quiet { "quiet sessions" } else { "sessions" };
    bench.note(subject, what, "/s", count / spent.seconds);
    let measure = format!("server CPU, {what}");
    bench.note(subject, &measure, "µs", spent.server / count * 1e6);
    Ok(())
}

struct Sessions {
    address: SocketAddr,
    /// What stands behind the password.
    mode: &'static str,
    /// By slot: which account it is.
    whose: Vec<usize>,
    /// Accounts without a session.
    ended: Vec<usize>,
    confirmed: u64,
    failed: Option<String>,
}

impl Sessions {
    fn drive(&mut self, net: &mut Net, time: Duration) -> Outcome<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            while let Some(who) = self.ended.pop() {
                self.begin(net, who)?;
            }
            net.turn(self, time)?;
            if let Some(why) = self.failed.take() {
                return Err(why.into());
            }
        }
        Ok(())
    }

    fn begin(&mut self, net: &mut Net, who: usize) -> Outcome<()> {
        let at = net.connect(self.address)?;
        if self.whose.len() <= at {
            self.whose.resize(at + 1, 0);
        }
        self.whose[at] = who;
        let mode = self.mode;
        let text = format!("LOGIN from{who} {PASSWORD}{mode}\nMSG away hello\nQUIT\n");
        net.out.to(at).extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Peer for Sessions {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) {
        if line.starts_with(b"OK MSG ") {
            self.confirmed += 1;
        } else if line.starts_with(b"ERR") {
            self.failed = Some(unexpected(line));
        }
    }

    fn closed(&mut self, at: usize, _: &mut Outputs) {
        self.ended.push(self.whose[at]);
    }
}
