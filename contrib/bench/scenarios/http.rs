//! `http`: messages published over HTTP, 16 at a time, on connections that stay and on one for each,
//! beside a server that answers such requests and does nothing else; a group of 500 whose members
//! follow it over HTTP, with 16 messages under way, beside the same by sessions that watch; one
//! message to 10,000 streams; and the pairs of `send`, alone and beside 1,000 streams.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use memchr::memmem;

use super::Scenario;
use super::send::{PAIRS, Pairs};
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
/// Streams beside the sessions of papo/1, and how often each of them is sent a message.
const BESIDE: usize = 1_000;
const PACE: Duration = Duration::from_millis(100);
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
        stream(bench, &server, http)?;
        beside(bench, &server, http)
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

    open(&mut net, http, group, &tokens, MEMBERS)?;
    streams.measure(bench, &mut net, server, "sent in streams")?;

    // Those before have messages to be cleared, and the memory of what was under way.
    let before = machine::rss(server.pid())?;
    let count = bench.connections(CROWD);
    open(&mut net, http, group, &tokens, count - MEMBERS)?;
    let each = (machine::rss(server.pid())? - before) / (count - MEMBERS) as f64;
    bench.note(Subject::Papod, "memory per stream", "KiB", each);
    streams.members = count;
    let meter = Meter::start(server.pid())?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        (streams.sent, streams.delivered) = (1, 0);
        net.out.to(streams.author).extend_from_slice(&streams.line);
        let begun = Instant::now();
        net.until(&mut streams, |streams| streams.delivered == count)?;
        times.push(begun.elapsed());
    }
    let spent = meter.stop()?;
    let each = spent.server / (count * TIMES) as f64 * 1e6;
    bench.note(Subject::Papod, "one of 10,000 streams: server CPU", "µs", each);
    let each = spent.load / (count * TIMES) as f64 * 1e6;
    bench.note(Subject::Papod, "one of 10,000 streams: load CPU", "µs", each);
    let each = (machine::rss(server.pid())? - before) / (count - MEMBERS) as f64;
    bench.note(Subject::Papod, "memory per stream, 9 messages later", "KiB", each);
    times.sort_unstable();
    let median = times[TIMES / 2].as_secs_f64() * 1e3;
    bench.note(Subject::Papod, "until the last of 10,000 streams has it", "ms", median);
    Ok(())
}

/// Opens streams of a group, in turn by each of these tokens.
fn open(
    net: &mut Net,
    http: SocketAddr,
    group: &str,
    tokens: &[String],
    count: usize,
) -> Outcome<()> {
    let begin = |n: usize| {
        format!(
            "GET /_{group}/json HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
            tokens[n % tokens.len()]
        )
    };
    let mut opened = 0;
    while opened < count {
        let some = TOGETHER.min(count - opened);
        let slots: Vec<usize> = (0..some).map(|_| net.connect(http)).collect::<Result<_, _>>()?;
        ask(net, &slots, |n| begin(opened + n), "{\"id\"")?;
        opened += some;
    }
    Ok(())
}

/// What sessions of papo/1 get done while there are streams.
fn beside(bench: &mut Bench, server: &Server, http: SocketAddr) -> Outcome<()> {
    let mut net = Net::new()?;
    // Slots are given in order: senders, recipients, the author, then the streams.
    let names = [bench.handles("left", PAIRS), bench.handles("right", PAIRS)].concat();
    enter(&mut net, server.address, &names)?;
    let author = enter(&mut net, server.address, &bench.handles("herald", 1))?;
    let members = bench.handles("reader", MEMBERS);
    let mut others = Net::new()?;
    let tokens = tokens(&mut others, server.address, &members)?;
    let group = &bench.handles("paper", 1)[0];
    ask(&mut net, &author, |_| format!("GROUP NEW {group} {}\n", members.join(" ")), "OK GROUP")?;
    let line = format!("MSG #{group} {}\n", "x".repeat(100)).into_bytes();
    let pairs = Pairs::new(&names[PAIRS..], Some(1));
    let mut load = Beside { pairs, author: author[0], line, next: None, opening: 0 };
    load.pairs.begin(&mut net.out);
    net.drive(&mut load, bench.warm_up())?;
    for (what, streams, is_told) in [
        ("papo/1 alone", 0, false),
        ("papo/1 beside 1,000 streams", BESIDE, false),
        ("papo/1 beside 1,000 streams with 10 messages a second", 0, true),
    ] {
        // Their answers come between those of the pairs, which go on after it.
        load.opening = streams;
        for n in 0..streams {
            let at = net.connect(http)?;
            let request = format!(
                "GET /_{group}/json HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
                tokens[n % tokens.len()]
            );
            net.out.to(at).extend_from_slice(request.as_bytes());
        }
        net.until(&mut load, |load| load.opening == 0)?;
        load.next = is_told.then(Instant::now);
        net.drive(&mut load, bench.warm_up())?;
        load.pairs.start_counting();
        let meter = Meter::start(server.pid())?;
        net.drive(&mut load, bench.time())?;
        let spent = meter.stop()?;
        bench.rate(Subject::Papod, what, load.pairs.confirmed as f64, spent);
        bench.latencies(Subject::Papod, what, &load.pairs.to_ok);
    }
    Ok(())
}

/// The pairs of `send`, and streams that somebody writes to now and then.
struct Beside {
    pairs: Pairs,
    author: usize,
    line: Vec<u8>,
    /// When the author says the next; `None`: never.
    next: Option<Instant>,
    /// Streams that have not begun.
    opening: usize,
}

impl Peer for Beside {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if at < self.author {
            return self.pairs.line(at, now, line, out);
        }
        if line.starts_with(b"HTTP/1.1 ") && !line.starts_with(b"HTTP/1.1 200 ") {
            return unexpected(line);
        }
        self.opening -= usize::from(memmem::find(line, b"\"event\":\"open\"").is_some());
        Ok(())
    }

    fn read_done(&mut self, at: usize, out: &mut Outputs) {
        if at < self.author {
            self.pairs.read_done(at, out);
        }
    }

    fn speak(&mut self, now: Instant, out: &mut Outputs) -> Option<Instant> {
        let next = self.next.as_mut()?;
        while *next <= now {
            out.to(self.author).extend_from_slice(&self.line);
            *next += PACE;
        }
        Some(*next)
    }
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
