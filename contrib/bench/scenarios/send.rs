//! `send`: many pairs at once, each sender with a few messages in flight; with receipts, and
//! without. The rate at which messages become durable is the rate of `OK MSG`.
//!
//! A recipient acknowledges once per read, the last id it got: `ACK` covers what is before it, so
//! this is what a careful client does under load.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use rustix::process::Pid;

use super::Scenario;
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{enter, message, unexpected};
use crate::report::Subject;
use crate::stats::Latencies;
use crate::{Bench, Outcome};

/// Messages to the recipient, `ACK` back, receipts to the sender.
pub const SEND: Scenario = Scenario {
    name: "send",
    about: "50 pairs, 16 messages in flight each, acknowledged",
    large: true,
    run: |bench| run(bench, true),
};

/// The same without `ACK`.
pub const PLAIN: Scenario = Scenario {
    name: "send-plain",
    about: "50 pairs, 16 messages in flight each, not acknowledged",
    large: true,
    run: |bench| run(bench, false),
};

pub const PAIRS: usize = 50;
const IN_FLIGHT: usize = 16;
/// No more can wait for a commit.
const MOST: usize = PAIRS * IN_FLIGHT;
/// Rows in a batch of bare SQLite.
const BATCHES: [usize; 3] = [MOST, 256, 64];
const CONFIRMED: &str = "messages confirmed";

fn run(bench: &mut Bench, acks: bool) -> Outcome<()> {
    let server = bench.papod()?;
    load(bench, Subject::Papod, server.address, server.pid(), acks)
        .map_err(|e| format!("{e}\n{}", server.said()))?;
    drop(server);
    for (subject, syncs) in bench.limits() {
        let server = bench.limit(*syncs)?;
        load(bench, *subject, server.address, server.pid(), acks)?;
    }
    // Its rows include the cursors that `ACK` moves.
    if acks && !bench.limits().is_empty() {
        for batch in BATCHES {
            let (rate, cpu) = bench.sqlite(batch)?;
            let measure = match batch {
                MOST => CONFIRMED.into(),
                _ => format!("rows in batches of {batch}"),
            };
            bench.note(Subject::Sqlite, &measure, "/s", rate);
            bench.note(Subject::Sqlite, &format!("{measure}: server CPU each"), "µs", cpu * 1e6);
        }
    }
    Ok(())
}

fn load(
    bench: &mut Bench,
    subject: Subject,
    address: SocketAddr,
    pid: Pid,
    acks: bool,
) -> Outcome<()> {
    let mut net = Net::new()?;
    // Slots are given in order: senders first, then their recipients.
    let names = [bench.handles("from", PAIRS), bench.handles("to", PAIRS)].concat();
    enter(&mut net, address, &names)?;
    let mut pairs = Pairs::new(&names[PAIRS..], acks);
    pairs.begin(&mut net.out);
    net.drive(&mut pairs, bench.warm_up())?;
    pairs.start_counting();
    let meter = Meter::start(pid)?;
    net.drive(&mut pairs, bench.time())?;
    let spent = meter.stop()?;
    let messages = pairs.confirmed as f64;
    bench.rate(subject, CONFIRMED, messages, spent);
    bench.note(subject, "server CPU", "%", spent.server / spent.seconds * 100.0);
    bench.latencies(subject, "send to OK", &pairs.to_ok);
    bench.latencies(subject, "send to recipient", &pairs.to_recipient);
    if acks {
        let of = |count: u64| count as f64 / messages * 100.0;
        bench.note(subject, "ACKs per 100 messages", "", of(pairs.acked));
        bench.note(subject, "receipts per 100 messages", "", of(pairs.receipts));
    }
    Ok(())
}

pub struct Pairs {
    acks: bool,
    /// What was confirmed is not followed by the next message, and a recipient, who gets its
    /// messages one by one then, acknowledges as many at a time as it gets at the top rate.
    pub is_paced: bool,
    /// What each sender says.
    lines: Vec<Vec<u8>>,
    /// By sender: when each message was sent that is not confirmed, or has not arrived.
    unconfirmed: Vec<VecDeque<Instant>>,
    under_way: Vec<VecDeque<Instant>>,
    /// By recipient: how many messages have come.
    arrived: Vec<usize>,
    /// The last id that came in the read which is being taken up, if it is to be acknowledged.
    last: Vec<u8>,
    pub confirmed: u64,
    acked: u64,
    receipts: u64,
    to_ok: Latencies,
    to_recipient: Latencies,
}

impl Pairs {
    pub fn new(recipients: &[String], acks: bool) -> Pairs {
        Pairs {
            acks,
            is_paced: false,
            lines: recipients.iter().map(|to| message(to)).collect(),
            unconfirmed: vec![VecDeque::new(); PAIRS],
            under_way: vec![VecDeque::new(); PAIRS],
            arrived: vec![0; PAIRS],
            last: Vec::new(),
            confirmed: 0,
            acked: 0,
            receipts: 0,
            to_ok: Latencies::default(),
            to_recipient: Latencies::default(),
        }
    }

    pub fn begin(&mut self, out: &mut Outputs) {
        for at in 0..PAIRS {
            for _ in 0..IN_FLIGHT {
                self.send(at, Instant::now(), out);
            }
        }
    }

    pub fn send(&mut self, at: usize, now: Instant, out: &mut Outputs) {
        out.to(at).extend_from_slice(&self.lines[at]);
        self.unconfirmed[at].push_back(now);
        self.under_way[at].push_back(now);
    }

    /// Everything sent has arrived and is confirmed.
    pub fn is_done(&self) -> bool {
        self.unconfirmed.iter().chain(&self.under_way).all(VecDeque::is_empty)
    }

    pub fn start_counting(&mut self) {
        (self.confirmed, self.acked, self.receipts) = (0, 0, 0);
        self.to_ok = Latencies::default();
        self.to_recipient = Latencies::default();
    }
}

impl Peer for Pairs {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"OK MSG ") && at < PAIRS {
            if let Some(sent) = self.unconfirmed[at].pop_front() {
                self.to_ok.add(now - sent);
            }
            self.confirmed += 1;
            if !self.is_paced {
                self.send(at, now, out);
            }
        } else if let (Some(rest), true) = (line.strip_prefix(b"MSG "), at >= PAIRS) {
            if let Some(sent) = self.under_way[at - PAIRS].pop_front() {
                self.to_recipient.add(now - sent);
            }
            self.arrived[at - PAIRS] += 1;
            if self.acks && (!self.is_paced || self.arrived[at - PAIRS].is_multiple_of(IN_FLIGHT)) {
                let id = rest.split(|b| *b == b' ').next().unwrap_or_default();
                self.last.clear();
                self.last.extend_from_slice(id);
            }
        } else if line.starts_with(b"ACK ") && at < PAIRS {
            self.receipts += 1;
        } else if line.starts_with(b"OK ACK ") && at >= PAIRS {
            self.acked += 1;
        } else {
            return unexpected(line);
        }
        Ok(())
    }

    fn read_done(&mut self, at: usize, out: &mut Outputs) {
        if !self.last.is_empty() {
            let out = out.to(at);
            out.extend_from_slice(b"ACK ");
            out.append(&mut self.last);
            out.push(b'\n');
        }
    }
}
