//! `search`: `HIST … with` in a log of 1,000,000 messages, a fifth of them of the one who searches
//! and a tenth in the conversation that is searched. First how fast the index is made of a log that
//! has none; then how long one search takes that asks for 50 rows, on a server that has nothing else
//! to do; then what the index costs messages, which are sent with it and without; and last all of
//! that again on PostgreSQL, which shares all cores with papod and the load.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::{Scenario, cluster};
use crate::child::Server;
use crate::cluster::{Cluster, url};
use crate::large::{self, Dice, Shape};
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
/// What the rates of messages are called, and whether there is an index.
const MESSAGES: [(&str, bool); 2] = [("messages, indexed", true), ("messages, not indexed", false)];
/// Longer than it takes by far.
const PATIENCE: Duration = Duration::from_secs(300);

fn run(bench: &mut Bench) -> Outcome<()> {
    let entries = if bench.quick { 100_000 } else { 1_000_000 };
    let shape = Shape { authors: 10, friends: 10, entries, long: 10, words: Some(WORDS) };
    let server = bench.papod_among(&shape)?;
    searches(bench, &server, "")?;
    drop(server);
    for (what, is_indexed) in MESSAGES {
        let folder = bench.next_folder();
        if !is_indexed {
            // No index can be made in its place.
            fs::create_dir_all(folder.join("papo.db-search"))?;
        }
        let server = bench.papod()?;
        messages(bench, &server, None, what)?;
    }
    match cluster::lacks(bench) {
        None => on_postgres(bench, &shape),
        Some(why) => {
            eprintln!("bench: search on PostgreSQL is left out: {why}");
            Ok(())
        }
    }
}

/// The same on PostgreSQL.
fn on_postgres(bench: &mut Bench, shape: &Shape) -> Outcome<()> {
    let folder = bench.next_folder();
    *bench.starts += 1;
    fs::create_dir(&folder)?;
    large::make(&folder.join("papo.db"), shape)?;
    let postgres = cluster::server(bench, &[])?;
    let imported = cluster::imported(bench, &postgres, &folder.join("papo.db"))?;
    let server = cluster::leader_on(bench, &imported)?;
    searches(bench, &server, "PostgreSQL: ")?;
    drop(server);
    // Both ways, so that neither always has what the other has left behind.
    for (what, is_indexed) in MESSAGES.into_iter().chain(MESSAGES.into_iter().rev()) {
        let name = postgres.make_database();
        // papod leaves the index to whoever has this lock. An idle session has it, since one that
        // waits in a statement keeps all versions of the rows that are replaced for each message.
        let lock = "SELECT pg_advisory_lock(1885433939)";
        let holder = (!is_indexed).then(|| postgres.session(&name, lock));
        if holder.is_some() {
            postgres.until(&name, "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory'");
        }
        // The first change of each page after it is written as a whole page.
        assert!(postgres.run(&name, "CHECKPOINT"));
        let server = cluster::leader_on(bench, &url(&[&postgres], &name))?;
        let done = messages(bench, &server, Some(&postgres), &format!("PostgreSQL: {what}"));
        drop((server, holder));
        postgres.drop_database(&name);
        done?;
    }
    Ok(())
}

/// Has the index made, and searches.
fn searches(bench: &mut Bench, server: &Server, on: &str) -> Outcome<()> {
    let begun = Instant::now();
    let lag_until = |is_enough: fn(f64) -> bool| -> Outcome<f64> {
        loop {
            let lag = metric(server, "papod_search_lag")?;
            if is_enough(lag) {
                return Ok(lag);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{on}the index is not made: {lag} entries lack").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    };
    // On PostgreSQL it is begun a moment after papod leads.
    let all = lag_until(|lag| lag > 0.0)?;
    let meter = Meter::start(server.pid())?;
    // What is not enough for a segment is never indexed.
    let rest = lag_until(|lag| lag < 512.0)?;
    bench.rate(Subject::Papod, &format!("{on}entries indexed"), all - rest, meter.stop()?);
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
            bench.latencies(Subject::Papod, &format!("{on}{kind}, {whence}"), &times);
        }
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
fn messages(
    bench: &mut Bench,
    server: &Server,
    postgres: Option<&Cluster>,
    what: &str,
) -> Outcome<()> {
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
    let processes = ("PostgreSQL", postgres.map(Cluster::children).unwrap_or_default());
    let before = cluster::spent(&processes);
    let meter = Meter::start(server.pid())?;
    net.drive(&mut saying, bench.time())?;
    let done = saying.done as f64;
    bench.rate(Subject::Papod, what, done, meter.stop()?);
    if postgres.is_some() {
        let each = (cluster::spent(&processes) - before) / done;
        bench.note(Subject::Papod, &cluster::cpu_each(what, processes.0), "µs", each * 1e6);
    }
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
