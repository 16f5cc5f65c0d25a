//! `drain`: someone was away, and much waits. Time from `LOGIN` to `LIVE`, where all of it was
//! written by one person, and where it was written by a thousand; in the large database also by two
//! thousand over a year, so that it lies scattered over the whole of it.

use std::time::Instant;

use super::Scenario;
use crate::child::Server;
use crate::large::{AWAY, AWAY_AUTHORS};
use crate::machine::{self, Meter};
use crate::net::{Net, Outputs, Peer};
use crate::people::{connect, enter_quietly, register, send, unexpected};
use crate::report::{Subject, number};
use crate::{Bench, Outcome, PASSWORD};

pub const SCENARIO: Scenario =
    Scenario { name: "drain", about: "100,000 messages wait for one person", large: true, run };

const WAITING: usize = 100_000;

fn run(bench: &mut Bench) -> Outcome<()> {
    for authors in [1, 1_000] {
        let server = bench.papod()?;
        let mut net = Net::new()?;
        let away = bench.handles("away", 1);
        let people = bench.handles("from", authors);
        register(&mut net, server.address, &away)?;
        register(&mut net, server.address, &people)?;
        for some in people.chunks(100) {
            let slots = enter_quietly(&mut net, server.address, some)?;
            for at in slots {
                send(&mut net, at, &away, WAITING / authors)?;
                net.close(at);
            }
        }
        // A new process, so that what it holds is not left over from the writing.
        drop(server);
        let server = bench.papod_again()?;
        let messages = fetch(bench, &server, &away[0], authors)?;
        if messages != WAITING {
            return Err(format!("{messages} of {WAITING} messages came").into());
        }
    }
    if bench.large.is_some() {
        let server = bench.papod()?;
        fetch(bench, &server, AWAY, AWAY_AUTHORS)?;
    }
    Ok(())
}

/// Gives back how many messages waited.
fn fetch(bench: &mut Bench, server: &Server, who: &str, authors: usize) -> Outcome<usize> {
    let mut net = Net::new()?;
    let at = connect(&mut net, server.address, 1)?[0];
    let before = machine::rss(server.pid())?;
    machine::forget_peak(server.pid())?;
    net.out.to(at).extend_from_slice(format!("LOGIN {who} {PASSWORD}\n").as_bytes());
    let mut drain = Drain { messages: 0, live: false };
    let meter = Meter::start(server.pid())?;
    net.until(&mut drain, |drain| drain.live)?;
    let spent = meter.stop()?;
    let of = if authors == 1 { "1 author".into() } else { number(authors as f64) + " authors" };
    bench.rate(Subject::Papod, &format!("messages of {of}"), drain.messages as f64, spent);
    let grown = machine::peak(server.pid())? - before;
    bench.note(Subject::Papod, &format!("messages of {of}: memory grows by"), "KiB", grown);
    Ok(drain.messages)
}

struct Drain {
    messages: usize,
    live: bool,
}

impl Peer for Drain {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        match line {
            [b'M', b'S', b'G', ..] => self.messages += 1,
            [b'L', b'I', b'V', b'E', ..] => self.live = true,
            [b'O', b'K', ..] | [b'R', b'E', b'A', b'D', ..] => {}
            _ => return unexpected(line),
        }
        Ok(())
    }
}
