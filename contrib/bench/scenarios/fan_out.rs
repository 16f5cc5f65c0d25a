//! `fan-out`: messages into a group of 500 that are all online, with at most 16 under way. A short
//! random time after one has reached everybody the next is sent; members acknowledge with each read.
//!
//! In `group` a hundred messages are written at once and nobody acknowledges meanwhile, which shows
//! what sockets cost. Here `ACK`s come in a trickle between the messages, as from people's clients.
//! Without the pauses all 16 would soon be written together, and read together by each member.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::child::Server;
use crate::machine::Meter;
use crate::moments::Moments;
use crate::net::{Net, Outputs, Peer};
use crate::people::{acknowledge, ask, enter, unexpected};
use crate::report::Subject;
use crate::sharing::Sharing;
use crate::stats::Latencies;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario {
    name: "fan-out",
    about: "a group of 500 online, 16 messages under way, acknowledged",
    large: true,
    run,
};

const MEMBERS: usize = 500;
const UNDER_WAY: usize = 16;
/// The mean of the pauses.
const PAUSE: Duration = Duration::from_millis(2);

fn run(bench: &mut Bench) -> Outcome<()> {
    bench.beside_limits(load)
}

fn load(bench: &mut Bench, subject: Subject, server: &Server) -> Outcome<()> {
    let mut net = Net::new()?;
    // Slots are given in order: members first, then the author.
    let members = bench.handles("member", MEMBERS);
    let slots = enter(&mut net, server.address, &members)?;
    let author = enter(&mut net, server.address, &bench.handles("author", 1))?;
    let group = &bench.handles("group", 1)[0];
    ask(&mut net, &author, |_| format!("GROUP NEW {group} {}\n", members.join(" ")), "OK GROUP")?;
    // The change that added them is an event, too, and stands before this answer.
    ask(&mut net, &slots, |_| "PING\n".into(), "OK PING")?;

    let line = format!("MSG #{group} {}\n", "x".repeat(100)).into_bytes();
    let mut fan_out = FanOut {
        line,
        received: vec![0; MEMBERS],
        complete: 0,
        under_way: VecDeque::new(),
        last: Vec::new(),
        moments: Moments::new(0),
        counted: Counted::default(),
    };
    for _ in 0..UNDER_WAY {
        fan_out.pause(Instant::now());
    }
    net.drive(&mut fan_out, bench.warm_up())?;
    fan_out.counted = Counted::default();
    let sharing = Sharing::start(server)?;
    let meter = Meter::start(server.pid())?;
    net.drive(&mut fan_out, bench.time() * 2)?;
    let spent = meter.stop()?;
    sharing.note(bench, subject, server)?;
    let Counted { deliveries, acks, to_all } = fan_out.counted;
    bench.rate(subject, "deliveries", deliveries as f64, spent);
    bench.note(subject, "server CPU", "%", spent.server / spent.seconds * 100.0);
    bench.latencies(subject, "send to the last member", &to_all);
    let of_100 = acks as f64 / deliveries as f64 * 100.0;
    bench.note(subject, "ACKs per 100 deliveries", "", of_100);
    Ok(())
}

struct FanOut {
    /// What the author says.
    line: Vec<u8>,
    /// By member: how many messages it has got.
    received: Vec<usize>,
    /// Messages that everybody has got.
    complete: usize,
    /// Of those after them: when each was sent, and how many have got it.
    under_way: VecDeque<(Instant, usize)>,
    /// The last id that came in the read which is being taken up.
    last: Vec<u8>,
    /// When the next messages are to be sent.
    moments: Moments,
    counted: Counted,
}

#[derive(Default)]
struct Counted {
    deliveries: u64,
    acks: u64,
    to_all: Latencies,
}

impl FanOut {
    fn pause(&mut self, now: Instant) {
        let pause = self.moments.pause(PAUSE);
        self.moments.add(now + pause, MEMBERS);
    }
}

impl Peer for FanOut {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if let (Some(rest), true) = (line.strip_prefix(b"MSG "), at < MEMBERS) {
            self.counted.deliveries += 1;
            let number = self.received[at] - self.complete;
            self.received[at] += 1;
            self.under_way[number].1 += 1;
            while let Some((sent, MEMBERS)) = self.under_way.front() {
                self.counted.to_all.add(now - *sent);
                self.under_way.pop_front();
                self.complete += 1;
                self.pause(now);
            }
            let id = rest.split(|b| *b == b' ').next().unwrap_or_default();
            self.last.clear();
            self.last.extend_from_slice(id);
        } else if line.starts_with(b"OK ACK ") && at < MEMBERS {
            self.counted.acks += 1;
        } else if at < MEMBERS || !(line.starts_with(b"OK MSG ") || line.starts_with(b"ACK ")) {
            return unexpected(line);
        }
        Ok(())
    }

    fn read_done(&mut self, at: usize, out: &mut Outputs) {
        acknowledge(&mut self.last, at, out);
    }

    fn speak(&mut self, now: Instant, out: &mut Outputs) -> Option<Instant> {
        while let Some((_, author)) = self.moments.due(now) {
            out.to(author).extend_from_slice(&self.line);
            self.under_way.push_back((now, 0));
        }
        self.moments.next()
    }
}
