//! `sessions`: what a script does with `printf … | nc`: connect, `LOGIN`, `MSG`, `QUIT` in one
//! write, read to the end, close; 16 at a time. With a token, quiet and not, and with a password.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::child::Server;
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{register, tokens, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome, PASSWORD};

pub const SCENARIO: Scenario =
    Scenario { name: "sessions", about: "connect, LOGIN, MSG, QUIT", large: true, run };

const TOGETHER: usize = 16;

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    load(bench, Subject::Papod, &server).map_err(|e| format!("{e}\n{}", server.said()))?;
    drop(server);
    if bench.limits().is_empty() {
        return Ok(());
    }
    let server = bench.limit(false)?;
    load(bench, Subject::Limit, &server)
}

fn load(bench: &mut Bench, subject: Subject, server: &Server) -> Outcome<()> {
    let mut net = Net::new()?;
    let (people, to) = (bench.handles("from", TOGETHER), bench.handles("away", 1));
    let tokens = tokens(&mut net, server.address, &people)?;
    register(&mut net, server.address, &to)?;
    let passwords = vec![PASSWORD.to_owned(); TOGETHER];
    let quiet = ("token, quiet", &tokens, " quiet");
    let others = [("token", &tokens, ""), ("password", &passwords, "")];
    for (what, secrets, mode) in [quiet].into_iter().chain(others) {
        let text = |(handle, secret)| {
            format!("LOGIN {handle} {secret}{mode}\nMSG {} hello\nQUIT\n", to[0])
        };
        let mut sessions = Sessions {
            address: server.address,
            texts: people.iter().zip(secrets).map(text).collect(),
            whose: Vec::new(),
            ended: (0..TOGETHER).collect(),
            confirmed: 0,
        };
        sessions.drive(&mut net, bench.warm_up())?;
        sessions.confirmed = 0;
        let meter = Meter::start(server.pid())?;
        sessions.drive(&mut net, bench.time())?;
        let spent = meter.stop()?;
        let count = sessions.confirmed as f64;
        net.until(&mut sessions, |sessions| sessions.ended.len() == TOGETHER)?;
        bench.rate(subject, what, count, spent);
    }
    Ok(())
}

struct Sessions {
    address: SocketAddr,
    /// By account: all that it says.
    texts: Vec<String>,
    /// By slot: which account it is.
    whose: Vec<usize>,
    /// Accounts without a session.
    ended: Vec<usize>,
    confirmed: u64,
}

impl Sessions {
    fn drive(&mut self, net: &mut Net, time: Duration) -> Outcome<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            while let Some(who) = self.ended.pop() {
                let at = net.connect(self.address)?;
                if self.whose.len() <= at {
                    self.whose.resize(at + 1, 0);
                }
                self.whose[at] = who;
                net.out.to(at).extend_from_slice(self.texts[who].as_bytes());
            }
            net.turn(self, time)?;
        }
        Ok(())
    }
}

impl Peer for Sessions {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"ERR") {
            return unexpected(line);
        }
        self.confirmed += u64::from(line.starts_with(b"OK MSG "));
        Ok(())
    }

    fn closed(&mut self, at: usize) -> Outcome<()> {
        self.ended.push(self.whose[at]);
        Ok(())
    }
}
