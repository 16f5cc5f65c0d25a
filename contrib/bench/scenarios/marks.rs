//! `marks`: what a mark costs beside a message, a page of `HIST` where many have reacted, and
//! commands that are due in the same moment.
//!
//! 50 sessions with 16 commands in flight each send messages to a partner who is away; or edit those
//! that they have sent, one after the other; or react to them. Then 200 members of a group react to
//! each of 50 messages with one of 20 words, and the page with all of them is asked for. At last 100
//! accounts have a hundred commands each carried out in the same second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, enter, enter_quietly, message, register, send, unexpected};
use crate::report::Subject;
use crate::stats::{Latencies, median};
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario {
    name: "marks",
    about: "edits, reactions, and commands for later",
    large: false,
    run,
};

const PAIRS: usize = 50;
const IN_FLIGHT: usize = 16;
/// Messages that each of them has sent before, and then changes one after the other.
const EACH: u64 = 2_000;
const MEMBERS: usize = 200;
const ROWS: usize = 50;
const WORDS: usize = 20;
const PAGES: usize = 20;
/// Accounts with commands for later, and how many each has: as many as it may.
const LATER: (usize, usize) = (100, 100);
/// Long enough for all of them to be said.
const AHEAD: Duration = Duration::from_secs(8);

fn run(bench: &mut Bench) -> Outcome<()> {
    repeated(bench)?;
    page(bench)?;
    later(bench)
}

/// Commands one after the other, each kind on a new database, so that none has more behind it.
fn repeated(bench: &mut Bench) -> Outcome<()> {
    for (what, verb) in [("messages", "MSG"), ("edits", "EDIT"), ("reactions", "REACT")] {
        let server = bench.papod()?;
        let mut net = Net::new()?;
        let away = bench.handles("away", PAIRS);
        register(&mut net, server.address, &away)?;
        let slots = enter(&mut net, server.address, &bench.handles("here", PAIRS))?;
        let mut saying = Saying { verb, to: HashMap::new(), done: 0 };
        for (at, to) in slots.iter().zip(away) {
            let last = send(&mut net, *at, std::slice::from_ref(&to), EACH as usize)?;
            saying.to.insert(*at, (to, last, 0));
        }
        for at in &slots {
            for _ in 0..IN_FLIGHT {
                saying.say(*at, &mut net.out);
            }
        }
        net.drive(&mut saying, bench.warm_up())?;
        saying.done = 0;
        let meter = Meter::start(server.pid())?;
        net.drive(&mut saying, bench.time())?;
        bench.rate(Subject::Papod, what, saying.done as f64, meter.stop()?);
    }
    Ok(())
}

struct Saying {
    verb: &'static str,
    /// By the slot: to whom it speaks, its last message, and how much it has said since.
    to: HashMap<usize, (String, u64, u64)>,
    done: u64,
}

impl Saying {
    fn say(&mut self, at: usize, out: &mut Outputs) {
        let Some((to, last, said)) = self.to.get_mut(&at) else { return };
        // No mark says what the one before it has said, so each is an entry.
        let (id, round) = (*last - *said % EACH, *said / EACH);
        *said += 1;
        let line = match self.verb {
            "MSG" => message(to),
            "EDIT" => format!("EDIT {id} {round:0>100}\n").into_bytes(),
            _ => format!("REACT {id} {round}\n").into_bytes(),
        };
        out.to(at).extend_from_slice(&line);
    }
}

impl Peer for Saying {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if !line.starts_with(b"OK ") {
            return unexpected(line);
        }
        self.done += 1;
        self.say(at, out);
        Ok(())
    }
}

fn page(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    let members = bench.handles("member", MEMBERS);
    register(&mut net, server.address, &members)?;
    let slots = enter_quietly(&mut net, server.address, &members)?;
    let (owner, rest) = (&slots[..1], members[1..].join(" "));
    ask(&mut net, owner, |_| format!("GROUP NEW poll {rest}\n"), "OK GROUP")?;
    let mut ids = Vec::new();
    for _ in 0..ROWS {
        let answer = ask(&mut net, owner, |_| "MSG #poll which?\n".into(), "OK MSG")?.remove(0);
        ids.push(answer.split(' ').nth(2).unwrap_or_default().to_owned());
    }
    for id in &ids {
        ask(&mut net, &slots, |n| format!("REACT {id} word{}\n", n % WORDS), "OK REACT")?;
    }
    let mut times = Vec::new();
    for _ in 0..PAGES {
        let start = Instant::now();
        ask(&mut net, owner, |_| format!("HIST #poll {ROWS}\n"), "OK HIST 50 ")?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    bench.note(Subject::Papod, "50 rows, 200 reactions each", "ms", median(&times));
    Ok(())
}

fn later(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    let mut net = Net::new()?;
    let (accounts, each) = LATER;
    let handles = bench.handles("later", accounts);
    let slots = enter(&mut net, server.address, &handles)?;
    // The first says in how long, its answer when that is, and so all others.
    let due = Instant::now() + AHEAD;
    let seconds = AHEAD.as_secs();
    let first = |_| format!("AT +{seconds} MSG {} 0\n", handles[0]);
    let answer = ask(&mut net, &slots[..1], first, "OK AT")?.remove(0);
    let time = answer.rsplit(' ').next().unwrap_or_default();
    for n in 1..each {
        ask(&mut net, &slots, |at| format!("AT {time} MSG {} {n}\n", handles[at]), "OK AT")?;
    }
    ask(&mut net, &slots[1..], |at| format!("AT {time} MSG {} 0\n", handles[at + 1]), "OK AT")?;
    if Instant::now() >= due {
        return Err("the commands were due before all had been said".into());
    }
    let mut coming = Coming { left: accounts * each, due, times: Latencies::default() };
    net.until(&mut coming, |coming| coming.left == 0)?;
    bench.latencies(Subject::Papod, "10,000 due at once, each", &coming.times);
    let last = due.elapsed();
    bench.note(Subject::Papod, "10,000 due at once, the last", "ms", last.as_secs_f64() * 1e3);
    Ok(())
}

struct Coming {
    left: usize,
    due: Instant,
    times: Latencies,
}

impl Peer for Coming {
    fn line(&mut self, _: usize, now: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if !line.starts_with(b"MSG ") {
            return unexpected(line);
        }
        self.times.add(now.saturating_duration_since(self.due));
        self.left -= 1;
        Ok(())
    }
}
