//! `scale`: what grows with how much there is, for one session on an otherwise idle server with
//! 1,000,000 accounts, some of them with 100,000 conversations: logging in where nothing, ten or
//! all of them wait, `SYNC 0`, `CHATS`, and kinds of `FIND`. Each is the median of a few. Then 1,100
//! accounts log in one after another, before and after all accounts were given three devices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::bench::CHEAP_HASH;
use crate::crowd::{self, ACTORS, BUSY, CHATS, EIGHT, RARE, actor, token};
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, connect, unexpected};
use crate::report::Subject;
use crate::stats::{Latencies, median};
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario {
    name: "scale",
    about: "LOGIN, SYNC, CHATS, FIND among 1,000,000 accounts",
    large: false,
    run,
};

const TIMES: usize = 5;

/// What is looked for, and how that is called in the table.
const FINDS: [(&str, &str); 9] = [
    ("exact handle", "u500000"),
    ("exact handle, a common name, too", "ana"),
    ("rare word", RARE),
    ("common prefix", "u"),
    ("two words, one of them rarer", "u999 souza"),
    ("two common words", "ana souza"),
    ("8 words", EIGHT),
    ("nothing, one word", "zzzz"),
    ("nothing, two common words", "ana bruno"),
];

fn run(bench: &mut Bench) -> Outcome<()> {
    let folder = bench.crowd()?;
    let server = bench.papod_in(&folder, &CHEAP_HASH)?;
    play(bench, server.address).map_err(|e| format!("{e}\n{}", server.said()))?;
    drop(server);
    // The same before and after everyone has devices.
    for with_devices in [false, true] {
        if with_devices {
            crowd::add_devices(&folder.join("papo.db"))?;
        }
        let server = bench.papod_in(&folder, &CHEAP_HASH)?;
        let devices = if with_devices { &["", "/phone"][..] } else { &[""] };
        for device in devices {
            let has = if with_devices { "three" } else { "no" };
            let how = if device.is_empty() { "" } else { " as one" };
            let what = format!("LOGIN{how} where accounts have {has} devices, to LIVE");
            logins(bench, server.address, device, &what)
                .map_err(|e| format!("{e}\n{}", server.said()))?;
        }
    }
    Ok(())
}

/// Accounts log in, one after another.
fn logins(bench: &mut Bench, server: SocketAddr, device: &str, what: &str) -> Outcome<()> {
    let mut times = Latencies::default();
    // The first ones are not counted.
    for n in 0..if bench.quick { 200 } else { ACTORS } {
        let (mut net, who) = (Net::new()?, actor(n));
        let at = connect(&mut net, server, 1)?[0];
        let login = format!("LOGIN {who}{device} {}\n", token(&who));
        let heard = listen(&mut net, at, &login, b"LIVE ")?;
        if n >= 100 {
            times.add(heard.end);
        }
    }
    bench.latencies(Subject::Papod, what, &times);
    Ok(())
}

fn play(bench: &mut Bench, server: SocketAddr) -> Outcome<()> {
    let times = if bench.quick { 1 } else { TIMES };
    for ((who, _), waits) in BUSY.into_iter().zip(["nothing", "ten", "all"]) {
        let (mut first, mut live) = (Vec::new(), Vec::new());
        for _ in 0..times {
            let mut net = Net::new()?;
            let at = connect(&mut net, server, 1)?[0];
            let login = format!("LOGIN {who} {}\n", token(who));
            let found = listen(&mut net, at, &login, b"LIVE ")?;
            first.push(millis(found.first));
            live.push(millis(found.end));
        }
        bench.note(
            Subject::Papod,
            &format!("LOGIN to first row, {waits} waits"),
            "ms",
            median(&first),
        );
        bench.note(Subject::Papod, &format!("LOGIN to LIVE, {waits} waits"), "ms", median(&live));
    }

    let mut net = Net::new()?;
    let at = connect(&mut net, server, 1)?[0];
    let (who, _) = BUSY[0];
    ask(&mut net, &[at], |_| format!("LOGIN {who} {} quiet\n", token(who)), "OK LOGIN")?;
    let mut note = |what: &str, line: &str, until: &[u8]| -> Outcome<Heard> {
        let mut first = Vec::new();
        let mut last = Heard::default();
        for _ in 0..times {
            last = listen(&mut net, at, line, until)?;
            first.push(millis(last.first));
        }
        bench.note(Subject::Papod, what, "ms", median(&first));
        Ok(last)
    };
    note("CHATS to first row", "CHATS\n", b"OK CHATS ")?;
    let mut finds = Vec::new();
    for (what, words) in FINDS {
        let heard = note(&format!("FIND: {what}"), &format!("FIND {words}\n"), b"OK FIND ")?;
        eprintln!("  FIND {words}: {} rows, the first is {}", heard.rows, heard.row);
        finds.push((what, heard.rows));
    }
    note("SYNC 0 to first row", "SYNC 0\n", b"OK SYNC ")?;
    let (start, mut rows, mut from) = (Instant::now(), 0, "0".to_owned());
    loop {
        let heard = listen(&mut net, at, &format!("SYNC {from}\n"), b"OK SYNC ")?;
        rows += heard.rows;
        let mut words = heard.answer.split(' ').skip(2);
        from = words.next().unwrap_or_default().to_owned();
        if words.next() != Some("more") {
            break;
        }
    }
    if rows != CHATS {
        return Err(format!("{rows} of {CHATS} rows came").into());
    }
    let rate = rows as f64 / start.elapsed().as_secs_f64();
    bench.note(Subject::Papod, "SYNC, rows of 100,000 conversations", "/s", rate);
    for (what, rows) in finds {
        bench.note(Subject::Papod, &format!("FIND: {what}, found"), "rows", rows as f64);
    }
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Says a line, and hears the answer to its end.
fn listen(net: &mut Net, at: usize, line: &str, until: &[u8]) -> Outcome<Heard> {
    let start = Instant::now();
    let mut hearing = Hearing { start, until, heard: Heard::default() };
    net.out.to(at).extend_from_slice(line.as_bytes());
    net.until(&mut hearing, |hearing| !hearing.heard.answer.is_empty())?;
    Ok(hearing.heard)
}

#[derive(Default)]
struct Heard {
    /// The time to the first row or event, or to the end where there is none.
    first: Duration,
    end: Duration,
    rows: usize,
    row: String,
    answer: String,
}

struct Hearing<'a> {
    start: Instant,
    until: &'a [u8],
    heard: Heard,
}

impl Peer for Hearing<'_> {
    fn line(&mut self, _: usize, now: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"ERR") {
            return unexpected(line);
        }
        let is_end = line.starts_with(self.until);
        let heard = &mut self.heard;
        // The final line of a LOGIN comes before what waits.
        if is_end || !line.starts_with(b"OK ") {
            if heard.first.is_zero() {
                heard.first = now - self.start;
                heard.row = String::from_utf8_lossy(line).into_owned();
            }
            heard.rows += usize::from(!is_end);
        }
        if is_end {
            heard.end = now - self.start;
            heard.answer = String::from_utf8_lossy(line).into_owned();
        }
        Ok(())
    }
}
