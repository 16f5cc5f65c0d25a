//! `marks`: what a mark costs beside a message, a page of `HIST` where many have reacted, and
//! commands that are due in the same moment.
//!
//! 50 sessions with 16 commands in flight each send messages to a partner who is away; or answer
//! those that they have sent, one after the other; or edit them; or react to them; or delete each
//! message at once. Bare SQLite writes the rows of the same messages, edits and reactions. And they
//! send messages while a million commands wait for their time. Then 200 members of a group react to
//! each of 50 messages with one of 20 words, and the page with all of them is asked for. At last 100
//! accounts have a hundred commands each carried out in the same second.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use papo::config::PasswordCost;
use papo::entry::{AccountId, Millis};
use papo::name::{DisplayName, Handle};
use papo::store::sqlite::Database;
use papo::store::{Change, Later, Newest, Writer};

use super::Scenario;
use crate::child::Server;
use crate::large;
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
/// Messages that each of them has sent before, and then changes one after the other: so many that
/// none is changed twice.
const EACH: u64 = 20_000;
/// Rows of how many of them bare SQLite writes at once: papod puts about as many into a commit.
const BARE_BATCH: usize = 256;
const MEMBERS: usize = 200;
const ROWS: usize = 50;
const WORDS: usize = 20;
const PAGES: usize = 20;
/// Accounts with commands for later, and how many each has: as many as it may.
const LATER: (usize, usize) = (100, 100);
/// Long enough for all of them to be said.
const AHEAD: Duration = Duration::from_secs(8);

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Accounts whose commands wait for a time that does not come here, and how many each has.
const WAITING: (usize, u64) = (10_000, 100);
/// Of those, how many are written at once.
const BATCH: usize = 10_000;

fn run(bench: &mut Bench) -> Outcome<()> {
    // Each kind on a new database, so that none has more behind it.
    for (what, verb) in [
        ("messages", "MSG"),
        ("answers", "RE"),
        ("edits", "EDIT"),
        ("reactions", "REACT"),
        ("messages, each deleted", "DEL"),
    ] {
        let server = bench.papod()?;
        repeated(bench, &server, what, verb)?;
    }
    for what in ["messages", "edits", "reactions"] {
        let (rate, cpu) = bench.bare_sqlite(what, BARE_BATCH)?;
        bench.note(Subject::Sqlite, what, "/s", rate);
        bench.note(Subject::Sqlite, &format!("{what}: server CPU each"), "µs", cpu * 1e6);
    }
    let folder = bench.next_folder();
    fs::create_dir_all(&folder)?;
    put_off(&folder.join("papo.db"))?;
    let server = bench.papod()?;
    repeated(bench, &server, "messages, 1,000,000 commands wait", "MSG")?;
    drop(server);
    page(bench)?;
    later(bench)
}

/// A database in which commands wait.
fn put_off(path: &Path) -> Outcome<()> {
    let database = Database::open(path)?;
    let mut writer = database.writer()?;
    let mut newest = Newest::default();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let due = Millis(i64::try_from((now + YEAR / 2).as_millis())?);
    let (secret, mut changes) = (large::hash(PasswordCost::DEFAULT)?, Vec::new());
    for n in 0..WAITING.0 {
        newest.account += 1;
        let (account, text) = (AccountId(newest.account), format!("owner{n}"));
        let handle = Handle::new(&text).ok_or("not a handle")?;
        let (name, time) = (DisplayName::from(&handle), Millis(0));
        let secret = secret.clone();
        changes.push(Change::Account { id: account, handle, name, secret, time });
        for number in 1..=WAITING.1 {
            let (unless, command) = (None, format!("MSG {text} {number}").into());
            let later = Later { number, due, unless, command };
            changes.push(Change::Later { account, later });
        }
        if changes.len() >= BATCH || n + 1 == WAITING.0 {
            changes.push(Change::Newest(newest));
            writer.record(&changes)?;
            changes.clear();
        }
    }
    Ok(())
}

/// Commands one after the other.
fn repeated(bench: &mut Bench, server: &Server, what: &str, verb: &'static str) -> Outcome<()> {
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
            "RE" => format!("RE {id} {round:0>100}\n").into_bytes(),
            // By its id: one of `DEL last` is held until the message has an answer.
            "DEL" => message(to),
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
        // Each message that is deleted has an answer of its own.
        if self.verb == "DEL"
            && let Some(sent) = line.strip_prefix(b"OK MSG ")
        {
            let id = sent.split(|byte| *byte == b' ').next().unwrap_or_default();
            out.to(at).extend_from_slice(&[b"DEL ", id, b"\n"].concat());
            return Ok(());
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
