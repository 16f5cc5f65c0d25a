//! `send`: many pairs at once, each sender with a few messages in flight; with receipts, and
//! without. The rate at which messages become durable is the rate of `OK MSG`.
//!
//! A recipient acknowledges once per read, the last id it got: `ACK` covers what is before it, so
//! this is what a careful client does under load.

use std::collections::VecDeque;
use std::time::Instant;

use super::Scenario;
use crate::child::Server;
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{acknowledge, enter, message, unexpected};
use crate::report::Subject;
use crate::sharing::Sharing;
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
/// Messages of one sender that are not confirmed, at most.
pub const IN_FLIGHT: usize = 16;
/// No more can wait for a commit.
const MOST: usize = PAIRS * IN_FLIGHT;
/// Rows in a batch of bare SQLite.
const BATCHES: [usize; 3] = [MOST, 256, 64];
const CONFIRMED: &str = "messages confirmed";

fn run(bench: &mut Bench, acks: bool) -> Outcome<()> {
    bench.beside_limits(|bench, subject, server| load(bench, subject, server, acks))?;
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

fn load(bench: &mut Bench, subject: Subject, server: &Server, acks: bool) -> Outcome<()> {
    let mut net = Net::new()?;
    // Slots are given in order: senders first, then their recipients.
    let names = [bench.handles("from", PAIRS), bench.handles("to", PAIRS)].concat();
    enter(&mut net, server.address, &names)?;
    let mut pairs = Pairs::new(&names[PAIRS..], acks.then_some(1));
    pairs.begin(&mut net.out);
    net.drive(&mut pairs, bench.warm_up())?;
    pairs.start_counting();
    let sharing = Sharing::start(server)?;
    let meter = Meter::start(server.pid())?;
    net.drive(&mut pairs, bench.time())?;
    let spent = meter.stop()?;
    sharing.note(bench, subject, server)?;
    bench.rate(subject, CONFIRMED, pairs.confirmed as f64, spent);
    bench.note(subject, "server CPU", "%", spent.server / spent.seconds * 100.0);
    pairs.note(bench, subject);
    Ok(())
}

pub struct Pairs {
    /// A recipient acknowledges with each read, if it has got this many more messages: 1 is with
    /// each read.
    pub ack_every: Option<usize>,
    /// Messages are sent by somebody else, not in answer to what was confirmed.
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
    pub to_ok: Latencies,
    to_recipient: Latencies,
}

impl Pairs {
    /// A pair for each recipient. Senders have the first slots, in the same order, and recipients
    /// the next.
    pub fn new(recipients: &[String], ack_every: Option<usize>) -> Pairs {
        let count = recipients.len();
        Pairs {
            ack_every,
            is_paced: false,
            lines: recipients.iter().map(|to| message(to)).collect(),
            unconfirmed: vec![VecDeque::new(); count],
            under_way: vec![VecDeque::new(); count],
            arrived: vec![0; count],
            last: Vec::new(),
            confirmed: 0,
            acked: 0,
            receipts: 0,
            to_ok: Latencies::default(),
            to_recipient: Latencies::default(),
        }
    }

    pub fn begin(&mut self, out: &mut Outputs) {
        for at in 0..self.lines.len() {
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

    /// How many more a sender may send now.
    pub fn room(&self, at: usize) -> usize {
        IN_FLIGHT - self.unconfirmed[at].len()
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

    /// Notes latencies, and how often there was an `ACK`.
    pub fn note(&self, bench: &mut Bench, subject: Subject) {
        bench.latencies(subject, "send to OK", &self.to_ok);
        bench.latencies(subject, "send to recipient", &self.to_recipient);
        if self.ack_every.is_some() {
            let of = |count: u64| count as f64 / self.confirmed as f64 * 100.0;
            bench.note(subject, "ACKs per 100 messages", "", of(self.acked));
            bench.note(subject, "receipts per 100 messages", "", of(self.receipts));
        }
    }
}

impl Peer for Pairs {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        let senders = self.lines.len();
        if line.starts_with(b"OK MSG ") && at < senders {
            if let Some(sent) = self.unconfirmed[at].pop_front() {
                self.to_ok.add(now - sent);
            }
            self.confirmed += 1;
            if !self.is_paced {
                self.send(at, now, out);
            }
        } else if let (Some(rest), true) = (line.strip_prefix(b"MSG "), at >= senders) {
            let to = at - senders;
            if let Some(sent) = self.under_way[to].pop_front() {
                self.to_recipient.add(now - sent);
            }
            self.arrived[to] += 1;
            if self.ack_every.is_some_and(|every| self.arrived[to].is_multiple_of(every)) {
                let id = rest.split(|b| *b == b' ').next().unwrap_or_default();
                self.last.clear();
                self.last.extend_from_slice(id);
            }
        } else if line.starts_with(b"ACK ") && at < senders {
            self.receipts += 1;
        } else if line.starts_with(b"OK ACK ") && at >= senders {
            self.acked += 1;
        } else {
            return unexpected(line);
        }
        Ok(())
    }

    fn read_done(&mut self, at: usize, out: &mut Outputs) {
        acknowledge(&mut self.last, at, out);
    }
}
