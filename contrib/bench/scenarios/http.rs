//! `http`: messages published over HTTP, 16 at a time, on connections that stay and on one for each;
//! and a group of 500 whose members follow it over HTTP, with 16 messages under way.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::child::Server;
use crate::machine::{self, Meter};
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, enter, register, tokens, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "http", about: "publishing and streams over HTTP", large: false, run };

const TOGETHER: usize = 16;
const MEMBERS: usize = 500;
const UNDER_WAY: usize = 16;

fn run(bench: &mut Bench) -> Outcome<()> {
    let help = Command::new(bench.program).arg("--help").output()?;
    if !String::from_utf8_lossy(&help.stdout).contains("--http ") {
        eprintln!("bench: {} does not serve HTTP", bench.program.display());
        return Ok(());
    }
    let server = bench.papod_with(&["--http", "127.0.0.1:0"])?;
    let load = |bench: &mut Bench| {
        let http = server.http()?;
        publish(bench, &server, http)?;
        stream(bench, &server, http)
    };
    load(bench).map_err(|e| format!("{e}\n{}", server.said()).into())
}

fn publish(bench: &mut Bench, server: &Server, http: SocketAddr) -> Outcome<()> {
    let mut net = Net::new()?;
    let (people, to) = (bench.handles("from", TOGETHER), bench.handles("away", 1));
    let tokens = tokens(&mut net, server.address, &people)?;
    register(&mut net, server.address, &to)?;
    for (what, keep) in [("published", true), ("published, a connection each", false)] {
        let connection = if keep { "" } else { "Connection: close\r\n" };
        let request = |token: &String| {
            format!(
                "PUT /{} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
                 Content-Length: 100\r\n{connection}\r\n{}",
                to[0],
                "x".repeat(100)
            )
        };
        let mut publishers = Publishers {
            http,
            requests: tokens.iter().map(request).collect(),
            keep,
            whose: Vec::new(),
            ended: (0..TOGETHER).collect(),
            confirmed: 0,
        };
        publishers.drive(&mut net, bench.warm_up())?;
        publishers.confirmed = 0;
        let meter = Meter::start(server.pid())?;
        publishers.drive(&mut net, bench.time())?;
        let spent = meter.stop()?;
        bench.rate(Subject::Papod, what, publishers.confirmed as f64, spent);
        net = Net::new()?;
    }
    Ok(())
}

struct Publishers {
    http: SocketAddr,
    /// By account: what it sends.
    requests: Vec<String>,
    /// Connections stay.
    keep: bool,
    /// By slot: which account it is.
    whose: Vec<usize>,
    /// Accounts without a connection.
    ended: Vec<usize>,
    confirmed: u64,
}

impl Publishers {
    fn drive(&mut self, net: &mut Net, time: Duration) -> Outcome<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            while let Some(who) = self.ended.pop() {
                let at = net.connect(self.http)?;
                if self.whose.len() <= at {
                    self.whose.resize(at + 1, 0);
                }
                self.whose[at] = who;
                net.out.to(at).extend_from_slice(self.requests[who].as_bytes());
            }
            net.turn(self, time)?;
        }
        Ok(())
    }
}

impl Peer for Publishers {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"HTTP/1.1 ") && !line.starts_with(b"HTTP/1.1 200 ") {
            return unexpected(line);
        }
        // The body, which is one line.
        if line.starts_with(b"{\"id\"") {
            self.confirmed += 1;
            if self.keep {
                out.to(at).extend_from_slice(self.requests[self.whose[at]].as_bytes());
            }
        }
        Ok(())
    }

    fn closed(&mut self, at: usize) -> Outcome<()> {
        self.ended.push(self.whose[at]);
        Ok(())
    }
}

fn stream(bench: &mut Bench, server: &Server, http: SocketAddr) -> Outcome<()> {
    let mut net = Net::new()?;
    let members = bench.handles("member", MEMBERS);
    let tokens = tokens(&mut net, server.address, &members)?;
    let author = enter(&mut net, server.address, &bench.handles("author", 1))?;
    let group = &bench.handles("group", 1)[0];
    ask(&mut net, &author, |_| format!("GROUP NEW {group} {}\n", members.join(" ")), "OK GROUP")?;

    let before = machine::rss(server.pid())?;
    let slots: Vec<usize> = tokens.iter().map(|_| net.connect(http)).collect::<Result<_, _>>()?;
    let begin = |n: usize| {
        format!(
            "GET /_{group}/json HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
            tokens[n]
        )
    };
    ask(&mut net, &slots, begin, "{\"id\"")?;
    let each = (machine::rss(server.pid())? - before) / MEMBERS as f64;
    bench.note(Subject::Papod, "memory per stream", "KiB", each);

    let line = format!("MSG #{group} {}\n", "x".repeat(100)).into_bytes();
    let mut streams = Streams { author: author[0], line, sent: 0, delivered: 0 };
    net.drive(&mut streams, bench.warm_up())?;
    let delivered = streams.delivered;
    let meter = Meter::start(server.pid())?;
    net.drive(&mut streams, bench.time())?;
    let spent = meter.stop()?;
    bench.rate(Subject::Papod, "sent in streams", (streams.delivered - delivered) as f64, spent);
    Ok(())
}

struct Streams {
    author: usize,
    /// What the author says.
    line: Vec<u8>,
    /// Messages said.
    sent: usize,
    /// Messages that came over all streams together.
    delivered: usize,
}

impl Peer for Streams {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"ERR ") {
            return unexpected(line);
        }
        self.delivered += usize::from(at != self.author && line.starts_with(b"{\"id\""));
        Ok(())
    }

    fn speak(&mut self, _: Instant, out: &mut Outputs) -> Option<Instant> {
        while self.sent < self.delivered / MEMBERS + UNDER_WAY {
            out.to(self.author).extend_from_slice(&self.line);
            self.sent += 1;
        }
        None
    }
}
