//! `drain`: someone was away, and much waits. Time from `LOGIN` to `LIVE`, where all of it was
//! written by one person, and where it was written by a thousand.

use std::time::{Duration, Instant};

use super::Scenario;
use crate::machine::{self, Meter};
use crate::net::{Net, Outputs, Peer};
use crate::people::{connect, enter_quietly, handles, register, send, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome, PASSWORD};

pub const SCENARIO: Scenario =
    Scenario { name: "drain", about: "100,000 messages wait for one person", run };

const WAITING: usize = 100_000;
const AUTHORS: usize = 1_000;

fn run(bench: &mut Bench) -> Outcome<()> {
    for authors in [1, AUTHORS] {
        let mut server = bench.papod()?;
        let mut net = Net::new()?;
        let people = handles("from", authors);
        register(&mut net, server.address, &["away".into()])?;
        register(&mut net, server.address, &people)?;
        for some in people.chunks(100) {
            let slots = enter_quietly(&mut net, server.address, some)?;
            for at in slots {
                send(&mut net, at, &["away"], WAITING / authors)?;
                net.close(at);
            }
        }
        // A new process, so that what it holds is not left over from the writing.
        drop(server);
        server = bench.papod_again()?;
        let at = connect(&mut net, server.address, 1)?[0];
        let before = machine::rss(server.pid())?;
        machine::forget_peak(server.pid())?;
        let login = format!("LOGIN away {PASSWORD}\n");
        net.out.to(at).extend_from_slice(login.as_bytes());
        let mut drain = Drain::default();
        let meter = Meter::start(server.pid())?;
        while !drain.live {
            net.turn(&mut drain, Duration::from_secs(1))?;
            if let Some(why) = drain.failed {
                return Err(why.into());
            }
        }
        let spent = meter.stop()?;
        if drain.messages != WAITING {
            return Err(format!("{} of {WAITING} messages came", drain.messages).into());
        }
        let of = if authors == 1 { "1 author" } else { "1,000 authors" };
        let mut note = |what: &str, unit, value| {
            bench.note(Subject::Papod, &format!("{what} {of}"), unit, value);
        };
        let messages = WAITING as f64;
        note("messages until LIVE, of", "/s", messages / spent.seconds);
        note("server CPU per message, of", "µs", spent.server / messages * 1e6);
        let grown = machine::peak(server.pid())? - before;
        note("server memory grows by, of", "KiB", grown);
    }
    Ok(())
}

#[derive(Default)]
struct Drain {
    messages: usize,
    live: bool,
    failed: Option<String>,
}

impl Peer for Drain {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], _: &mut Outputs) {
        match line {
            [b'M', b'S', b'G', ..] => self.messages += 1,
            [b'L', b'I', b'V', b'E', ..] => self.live = true,
            [b'O', b'K', ..] => {}
            _ => self.failed = Some(unexpected(line)),
        }
    }

    fn closed(&mut self, _: usize, _: &mut Outputs) {
        self.failed = Some("the server has closed a connection".into());
    }
}
