//! `chat`: how long a message takes where some people talk: 20 pairs, five messages a second each,
//! at random moments. Every message is acknowledged by itself, as a person's client does.

use std::time::{Duration, Instant};

use super::Scenario;
use super::send::Pairs;
use crate::child::Server;
use crate::machine::Meter;
use crate::moments::Moments;
use crate::net::{Net, Outputs, Peer};
use crate::people::enter;
use crate::report::Subject;
use crate::sharing::Sharing;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario {
    name: "chat",
    about: "20 pairs, five messages a second each, at random moments",
    large: true,
    run,
};

const CHATS: usize = 20;
/// The mean time between two messages of one sender.
const GAP: Duration = Duration::from_millis(200);

fn run(bench: &mut Bench) -> Outcome<()> {
    bench.beside_limits(load)
}

fn load(bench: &mut Bench, subject: Subject, server: &Server) -> Outcome<()> {
    let mut net = Net::new()?;
    let names = [bench.handles("from", CHATS), bench.handles("to", CHATS)].concat();
    enter(&mut net, server.address, &names)?;
    let mut pairs = Pairs::new(&names[CHATS..], Some(1));
    pairs.is_paced = true;
    let mut chats = Chats { pairs, moments: Moments::new(0) };
    let now = Instant::now();
    for at in 0..CHATS {
        chats.wait(at, now);
    }
    net.drive(&mut chats, bench.warm_up())?;
    chats.pairs.start_counting();
    let sharing = Sharing::start(server)?;
    let meter = Meter::start(server.pid())?;
    net.drive(&mut chats, bench.time() * 2)?;
    let spent = meter.stop()?;
    sharing.note(bench, subject, server)?;
    bench.rate(subject, "messages confirmed", chats.pairs.confirmed as f64, spent);
    chats.pairs.note(bench, subject);
    Ok(())
}

struct Chats {
    pairs: Pairs,
    moments: Moments,
}

impl Chats {
    fn wait(&mut self, at: usize, since: Instant) {
        let gap = self.moments.gap(GAP);
        self.moments.add(since + gap, at);
    }
}

impl Peer for Chats {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        self.pairs.line(at, now, line, out)
    }

    fn read_done(&mut self, at: usize, out: &mut Outputs) {
        self.pairs.read_done(at, out);
    }

    fn speak(&mut self, now: Instant, out: &mut Outputs) -> Option<Instant> {
        while let Some((due, at)) = self.moments.due(now) {
            self.pairs.send(at, now, out);
            // Counted from when it was due: whoever is late has not said less.
            self.wait(at, due);
        }
        self.moments.next()
    }
}
