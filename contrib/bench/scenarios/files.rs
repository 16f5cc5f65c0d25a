//! `files`: files of 16 MiB up and down again, in lines as wide as they may be, through one session;
//! and 64 uploads at once. Uploads are measured up to the answer to the last `PUT`; that `FILE` then
//! has the bytes synced is the disk's matter, and stands by itself.

use std::time::Instant;

use super::Scenario;
use crate::child::Server;
use crate::large::Dice;
use crate::machine::{self, Meter, Spent};
use crate::net::{Net, Outputs, Peer};
use crate::people::{ask, enter_quietly, register, unexpected};
use crate::report::Subject;
use crate::stats::median;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario =
    Scenario { name: "files", about: "files of 16 MiB, up and down", large: false, run };

/// Bytes of a file, and characters of Base64 in a line: the most that fit, in whole groups.
const FILE: usize = 16 * 1024 * 1024;
const WIDTH: usize = 65_528;
const BYTES: usize = WIDTH / 4 * 3;
/// Lines that are under way.
const IN_FLIGHT: usize = 8;
const UPLOADS: usize = 64;

fn run(bench: &mut Bench) -> Outcome<()> {
    let rounds = if bench.quick { 4 } else { 16 };
    let lines = lines();
    let server = bench.papod()?;
    let mut net = Net::new()?;
    let people = bench.handles("sender", UPLOADS);
    register(&mut net, server.address, &people)?;
    let slots = enter_quietly(&mut net, server.address, &people)?;
    let one = &slots[..1];
    let to = &people[0];

    let grows = Grows::from(&server)?;
    let (mut up, mut ids, mut places) = (Sum::default(), Vec::new(), Vec::new());
    for n in 0..rounds {
        up.add(put(&mut net, &server, one, &lines, n)?);
        let placing = Instant::now();
        let answer = ask(&mut net, one, |_| format!("FILE {to} file {n}\n"), "OK FILE")?.remove(0);
        places.push(placing.elapsed().as_secs_f64() * 1e3);
        ids.push(answer.split(' ').nth(2).unwrap_or_default().to_owned());
    }
    up.note(bench, "up", rounds * FILE);
    bench.note(Subject::Papod, "FILE, synced", "ms", median(&places));
    grows.note(bench, "up", &server)?;

    let grows = Grows::from(&server)?;
    let mut down = Sum::default();
    for id in &ids {
        let mut getting = Getting { bytes: 0, is_done: false };
        net.out.to(one[0]).extend_from_slice(format!("GET {id}\n").as_bytes());
        let meter = Meter::start(server.pid())?;
        net.until(&mut getting, |getting| getting.is_done)?;
        down.add(meter.stop()?);
        if getting.bytes != FILE.div_ceil(3) * 4 {
            return Err(format!("{} characters came", getting.bytes).into());
        }
    }
    down.note(bench, "down", rounds * FILE);
    grows.note(bench, "down", &server)?;

    let grows = Grows::from(&server)?;
    let some = &lines[..lines.len() / 8];
    let spent = put(&mut net, &server, &slots, some, rounds)?;
    let bytes = UPLOADS * some.len() * BYTES;
    bench.note(Subject::Papod, "64 at once, up", "MB/s", bytes as f64 / 1e6 / spent.seconds);
    grows.note(bench, "64 at once, up", &server)
}

/// What papod holds at first, from when on its peak is measured.
struct Grows(f64);

impl Grows {
    fn from(server: &Server) -> Outcome<Grows> {
        machine::forget_peak(server.pid())?;
        Ok(Grows(machine::rss(server.pid())?))
    }

    fn note(&self, bench: &mut Bench, what: &str, server: &Server) -> Outcome<()> {
        let grown = machine::peak(server.pid())? - self.0;
        bench.note(Subject::Papod, &format!("{what}: memory grows by"), "KiB", grown);
        Ok(())
    }
}

/// What several files have taken.
#[derive(Default)]
struct Sum {
    seconds: Vec<f64>,
    server: f64,
}

impl Sum {
    fn add(&mut self, spent: Spent) {
        self.seconds.push(spent.seconds);
        self.server += spent.server;
    }

    fn note(&self, bench: &mut Bench, what: &str, bytes: usize) {
        let megabytes = bytes as f64 / 1e6;
        let each = megabytes / self.seconds.len() as f64;
        bench.note(Subject::Papod, what, "MB/s", each / median(&self.seconds));
        let cpu = self.server / megabytes * 1e3;
        bench.note(Subject::Papod, &format!("{what}: server CPU of a MB"), "ms", cpu);
    }
}

/// The lines of a file of random bytes.
fn lines() -> Vec<Vec<u8>> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut dice = Dice(1);
    let mut left = FILE / 3 * 4;
    let mut lines = Vec::new();
    while left > 0 {
        let width = left.min(WIDTH);
        let letters = (0..width).map(|_| LETTERS[dice.below(64)]);
        lines.push(b"PUT ".iter().copied().chain(letters).chain([b'\n']).collect());
        left -= width;
    }
    // The last byte.
    if let Some(last) = lines.last_mut().filter(|_| FILE % 3 == 1) {
        let last: &mut Vec<u8> = last;
        last.splice(last.len() - 1.., *b"AA==\n");
    }
    lines
}

/// Has each of these sessions put these lines, the first of which is another with each `n`.
fn put(
    net: &mut Net,
    server: &Server,
    slots: &[usize],
    lines: &[Vec<u8>],
    n: usize,
) -> Outcome<Spent> {
    let last = slots.iter().max().map_or(0, |last| last + 1);
    let mut putting = Putting { lines, n, said: vec![0; last], left: slots.len() * lines.len() };
    for at in slots {
        for _ in 0..IN_FLIGHT {
            putting.say(*at, &mut net.out);
        }
    }
    let meter = Meter::start(server.pid())?;
    net.until(&mut putting, |putting| putting.left == 0)?;
    meter.stop()
}

struct Putting<'a> {
    lines: &'a [Vec<u8>],
    n: usize,
    /// By slot, how many it has said.
    said: Vec<usize>,
    /// Answers to come.
    left: usize,
}

impl Putting<'_> {
    fn say(&mut self, at: usize, out: &mut Outputs) {
        let said = self.said[at];
        let Some(line) = self.lines.get(said) else { return };
        let out = out.to(at);
        if said == 0 {
            // So that no two files are the same.
            out.extend_from_slice(format!("PUT {:08}", self.n * 100 + at).as_bytes());
            out.extend_from_slice(&line[12..]);
        } else {
            out.extend_from_slice(line);
        }
        self.said[at] += 1;
    }
}

impl Peer for Putting<'_> {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if !line.starts_with(b"OK PUT ") {
            return unexpected(line);
        }
        self.left -= 1;
        self.say(at, out);
        Ok(())
    }
}

struct Getting {
    /// Characters of Base64.
    bytes: usize,
    is_done: bool,
}

impl Peer for Getting {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        match line.strip_prefix(b"DATA ") {
            Some(data) => self.bytes += data.len(),
            None if line.starts_with(b"OK GET ") => self.is_done = true,
            None => return unexpected(line),
        }
        Ok(())
    }
}
