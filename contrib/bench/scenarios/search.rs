//! `search`: `HIST … with` in a log of 1,000,000 messages, a fifth of them of the one who searches
//! and a tenth in the conversation that is searched. First how fast the index is made of a log that
//! has none; then how long one search takes that asks for 50 rows, on a server that has nothing else
//! to do; and last what the index costs messages, which are sent with it and without.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::child::Server;
use crate::large::{Dice, Shape};
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, enter, enter_quietly, register, unexpected};
use crate::report::Subject;
use crate::sharing::metric;
use crate::stats::Latencies;
use crate::texts::Words;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "search", about: "searches in 1,000,000 messages", large: false, run };

const WORDS: Words = Words(50_000);
/// How many words of the vocabulary are common, and how many words there are before the rare ones. The
/// first are each in some hundred thousand messages, the last in fifty or so.
const COMMON: usize = 8;
const RARE: usize = 20_000;
const PAIRS: usize = 50;
const IN_FLIGHT: usize = 16;
/// Longer than it takes by far.
const PATIENCE: Duration = Duration::from_secs(600);

fn run(bench: &mut Bench) -> Outcome<()> {
    let entries = if bench.quick { 100_000 } else { 1_000_000 };
    let shape = Shape { authors: 10, friends: 10, entries, long: 10, words: Some(WORDS) };
    let server = bench.papod_among(&shape)?;
    let meter = Meter::start(server.pid())?;
    let begun = Instant::now();
    // What is not enough for a segment is never indexed.
    while metric(&server, "papod_search_lag")? >= 512.0 {
        std::thread::sleep(Duration::from_millis(5));
        if begun.elapsed() > PATIENCE {
            return Err("the index is not made".into());
        }
    }
    let spent = meter.stop()?;
    bench.rate(Subject::Papod, "entries indexed", entries as f64, spent);
    let mut net = Net::new()?;
    let slots = enter_quietly(&mut net, server.address, &["a0".to_owned()])?;
    let mut dice = Dice(1);
    let count = if bench.quick { 100 } else { 400 };
    for (to, whence) in [("b0", "in one of 100,000"), ("-", "in all")] {
        for (kind, words) in KINDS {
            let mut times = Latencies::default();
            for _ in 0..count {
                let words = words(&mut dice);
                let asked = Instant::now();
                ask(&mut net, &slots, |_| format!("HIST {to} 50 with {words}\n"), "OK HIST")?;
                times.add(asked.elapsed());
            }
            bench.latencies(Subject::Papod, &format!("{kind}, {whence}"), &times);
        }
    }
    drop((net, server));
    for (what, is_indexed) in [("messages, indexed", true), ("messages, not indexed", false)] {
        let folder = bench.next_folder();
        if !is_indexed {
            // No index can be made in its place.
            fs::create_dir_all(folder.join("papo.db-search"))?;
        }
        let server = bench.papod()?;
        messages(bench, &server, what)?;
    }
    Ok(())
}

/// What is searched for.
type Kind = (&'static str, fn(&mut Dice) -> String);

const KINDS: [Kind; 5] = [
    ("a common word", common),
    ("a rare word", rare),
    ("two common words", |dice| format!("{} {}", common(dice), common(dice))),
    ("a common word and a rare one", |dice| format!("{} {}", common(dice), rare(dice))),
    ("a word that nobody has said", |dice| format!("zz{}", dice.below(1_000_000))),
];

fn common(dice: &mut Dice) -> String {
    WORDS.nth(dice.below(COMMON))
}

fn rare(dice: &mut Dice) -> String {
    WORDS.nth(RARE + dice.below(WORDS.0 - RARE))
}

/// Messages of many words, from 50 sessions with some in flight each, to people who are away.
fn messages(bench: &mut Bench, server: &Server, what: &str) -> Outcome<()> {
    let mut net = Net::new()?;
    let away = bench.handles("away", PAIRS);
    register(&mut net, server.address, &away)?;
    let slots = enter(&mut net, server.address, &bench.handles("here", PAIRS))?;
    let mut dice = Dice(1);
    let texts = (0..4_096).map(|_| WORDS.text(&mut dice)).collect();
    let away = slots.iter().copied().zip(away).collect();
    let mut saying = Saying { away, texts, said: 0, done: 0 };
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
    Ok(())
}

struct Saying {
    /// To whom each slot speaks.
    away: HashMap<usize, String>,
    texts: Vec<String>,
    said: usize,
    done: u64,
}

impl Saying {
    fn say(&mut self, at: usize, out: &mut Outputs) {
        let text = &self.texts[self.said % self.texts.len()];
        let line = format!("MSG {} {text}\n", self.away[&at]);
        out.to(at).extend_from_slice(line.as_bytes());
        self.said += 1;
    }
}

impl Peer for Saying {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if !line.starts_with(b"OK MSG ") {
            return unexpected(line);
        }
        self.done += 1;
        self.say(at, out);
        Ok(())
    }
}
