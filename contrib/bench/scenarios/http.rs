//! `http`: messages published over HTTP, 16 at a time, on connections that stay and on one for each,
//! beside a server that answers such requests and does nothing else; a group of 500 whose members
//! follow it over HTTP, with 16 messages under way, beside the same by sessions that watch; and one
//! message to 10,000 streams.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use memchr::memmem;

use super::Scenario;
use crate::child::Server;
use crate::machine::{self, Meter};
use crate::net::{Net, Outputs, Peer};
use crate::people::{TOGETHER, ask, connect, enter, register, tokens, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "http", about: "publishing and streams over HTTP", large: false, run };

const PUBLISHERS: usize = 16;
const MEMBERS: usize = 500;
const UNDER_WAY: usize = 16;
/// Streams, several of each member.
const CROWD: usize = 10_000;
/// Messages to all of them, one after the other.
const TIMES: usize = 9;
/// What a message in a stream has, and a keepalive has not.
const EVENT: &[u8] = b"\"event\":\"message\"";

fn run(bench: &mut Bench) -> Outcome<()> {
    let help = Command::new(bench.program).arg("--help").output()?;
    if !String::from_utf8_lossy(&help.stdout).contains("--http ") {
        eprintln!("bench: {} does not serve HTTP", bench.program.display());
        return Ok(());
    }
    let server = bench.papod_with(&["--http", "127.0.0.1:0"])?;
    let load = |bench: &mut Bench| {
        let http = server.http()?;
        publish(bench, Subject::Papod, &server, http)?;
        stream(bench, &server, http)
    };
    load(bench).map_err(|e| format!("{e}\n{}", server.said()))?;
    drop(server);
    for (subject, syncs) in bench.limits() {
        let server = bench.limit(*syncs)?;
        publish(bench, *subject, &server, server.address)?;
    }
    Ok(())
}

fn publish(bench: &mut Bench, subject: Subject, server: &Server, http: SocketAddr) -> Outcome<()> {
    let mut net = Net::new()?;
    let (people, to) = (bench.handles("from", PUBLISHERS), bench.handles("away", 1));
    let tokens = tokens(&mut net, server.address, &people)?;
    register(&mut net, server.address, &to)?;
    for (what, keep) in [("published", true), ("published, a connection each", false)] {
        let connection = if keep { "" } else { "Connection: close\r\n" };
        let request = |token: &String| {
            format!(
                "PUT /{} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
                 Content-Length: 100\r\n{connection}\r\n{}\n",
                to[0],
                "x".repeat(99)
            )
        };
        let mut publishers = Publishers {
            http,
            requests: tokens.iter().map(request).collect(),
            keep,
            whose: Vec::new(),
            ended: (0..PUBLISHERS).collect(),
            confirmed: 0,
        };
        publishers.drive(&mut net, bench.warm_up())?;
        publishers.confirmed = 0;
        let meter = Meter::start(server.pid())?;
        publishers.drive(&mut net, bench.time())?;
        let spent = meter.stop()?;
        bench.rate(subject, what, publishers.confirmed as f64, spent);
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

    let line = format!("MSG #{group} {}\n", "x".repeat(100)).into_bytes();
    let mut streams = Streams { author: author[0], members: 0, line, sent: 0, delivered: 0 };
    let watching = connect(&mut net, server.address, MEMBERS)?;
    let log_in = |n: usize| format!("LOGIN {} {} watch\n", members[n], tokens[n]);
    ask(&mut net, &watching, log_in, "LIVE")?;
    streams.members = MEMBERS;
    streams.measure(bench, &mut net, server, "sent to sessions that watch")?;
    for at in watching {
        net.close(at);
    }

    let begin = |n: usize| {
        format!(
            "GET /_{group}/json HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
            tokens[n % MEMBERS]
        )
    };
    let before = machine::rss(server.pid())?;
    let slots: Vec<usize> = (0..MEMBERS).map(|_| net.connect(http)).collect::<Result<_, _>>()?;
    ask(&mut net, &slots, begin, "{\"id\"")?;
    streams.measure(bench, &mut net, server, "sent in streams")?;

    let count = bench.connections(CROWD);
    let mut all = slots.len();
    while all < count {
        let some = TOGETHER.min(count - all);
        let slots: Vec<usize> = (0..some).map(|_| net.connect(http)).collect::<Result<_, _>>()?;
        ask(&mut net, &slots, begin, "{\"id\"")?;
        all += some;
    }
    let each = (machine::rss(server.pid())? - before) / count as f64;
    bench.note(Subject::Papod, "memory per stream", "KiB", each);
    streams.members = count;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        (streams.sent, streams.delivered) = (1, 0);
        net.out.to(streams.author).extend_from_slice(&streams.line);
        let begun = Instant::now();
        net.until(&mut streams, |streams| streams.delivered == count)?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let median = times[TIMES / 2].as_secs_f64() * 1e3;
    bench.note(Subject::Papod, "until the last of 10,000 streams has it", "ms", median);
    Ok(())
}

struct Streams {
    author: usize,
    /// How many get each message.
    members: usize,
    /// What the author says.
    line: Vec<u8>,
    /// Messages said.
    sent: usize,
    /// Messages that came over all streams together.
    delivered: usize,
}

impl Streams {
    fn measure(
        &mut self,
        bench: &mut Bench,
        net: &mut Net,
        server: &Server,
        what: &str,
    ) -> Outcome<()> {
        (self.sent, self.delivered) = (0, 0);
        net.drive(self, bench.warm_up())?;
        let delivered = self.delivered;
        let meter = Meter::start(server.pid())?;
        net.drive(self, bench.time())?;
        let spent = meter.stop()?;
        bench.rate(Subject::Papod, what, (self.delivered - delivered) as f64, spent);
        // What is under way arrives before anything else is measured.
        let due = self.sent * self.members;
        net.until(self, |streams| streams.delivered >= due)
    }
}

impl Peer for Streams {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"ERR ") {
            return unexpected(line);
        }
        let is_message = line.starts_with(b"MSG ") || memmem::find(line, EVENT).is_some();
        self.delivered += usize::from(at != self.author && is_message);
        Ok(())
    }

    fn speak(&mut self, _: Instant, out: &mut Outputs) -> Option<Instant> {
        while self.sent < self.delivered / self.members + UNDER_WAY {
            out.to(self.author).extend_from_slice(&self.line);
            self.sent += 1;
        }
        None
    }
}
