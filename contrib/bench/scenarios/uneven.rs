//! `uneven`: the pairs of `send`, but nobody moves in step with anybody else. A sender has some
//! messages to say, says them with at most as many in flight as there, and pauses; both the number
//! and the pause are random.
//!
//! In `send` every message is the answer to an `OK`, so that soon all senders speak right after a
//! commit and all that a commit holds was written in one moment. Here what one commit gathers
//! depends on who happens to speak while the one before it is written.

use std::time::{Duration, Instant};

use super::Scenario;
use super::send::{PAIRS, Pairs};
use crate::child::Server;
use crate::machine::Meter;
use crate::moments::Moments;
use crate::net::{Net, Outputs, Peer};
use crate::people::enter;
use crate::report::Subject;
use crate::sharing::Sharing;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario {
    name: "uneven",
    about: "50 pairs, up to 16 messages in flight each, with pauses",
    large: true,
    run,
};

/// Messages before a pause, at most; 16.5 on average.
const RUN: usize = 32;
/// The mean of the pauses: short beside the time that a run takes on a busy server, so that the
/// server stays busy.
const PAUSE: Duration = Duration::from_micros(500);

fn run(bench: &mut Bench) -> Outcome<()> {
    bench.beside_limits(load)
}

fn load(bench: &mut Bench, subject: Subject, server: &Server) -> Outcome<()> {
    let mut net = Net::new()?;
    let names = [bench.handles("from", PAIRS), bench.handles("to", PAIRS)].concat();
    enter(&mut net, server.address, &names)?;
    let mut pairs = Pairs::new(&names[PAIRS..], Some(1));
    pairs.is_paced = true;
    let mut uneven = Uneven { pairs, left: [0; PAIRS], moments: Moments::new(0) };
    let now = Instant::now();
    for at in 0..PAIRS {
        uneven.pause(at, now);
    }
    net.drive(&mut uneven, bench.warm_up())?;
    uneven.pairs.start_counting();
    let sharing = Sharing::start(server)?;
    let meter = Meter::start(server.pid())?;
    net.drive(&mut uneven, bench.time() * 2)?;
    let spent = meter.stop()?;
    sharing.note(bench, subject, server)?;
    bench.rate(subject, "messages confirmed", uneven.pairs.confirmed as f64, spent);
    bench.note(subject, "server CPU", "%", spent.server / spent.seconds * 100.0);
    uneven.pairs.note(bench, subject);
    Ok(())
}

struct Uneven {
    pairs: Pairs,
    /// By sender: messages to say before the next pause.
    left: [usize; PAIRS],
    moments: Moments,
}

impl Uneven {
    fn pause(&mut self, at: usize, now: Instant) {
        let pause = self.moments.pause(PAUSE);
        self.moments.add(now + pause, at);
    }

    /// Sends as many of what a sender has to say as may be in flight.
    fn say(&mut self, at: usize, now: Instant, out: &mut Outputs) {
        while self.left[at] > 0 && self.pairs.room(at) > 0 {
            self.pairs.send(at, now, out);
            self.left[at] -= 1;
            if self.left[at] == 0 {
                self.pause(at, now);
            }
        }
    }
}

impl Peer for Uneven {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        self.pairs.line(at, now, line, out)?;
        if at < PAIRS {
            self.say(at, now, out);
        }
        Ok(())
    }

    fn read_done(&mut self, at: usize, out: &mut Outputs) {
        self.pairs.read_done(at, out);
    }

    fn speak(&mut self, now: Instant, out: &mut Outputs) -> Option<Instant> {
        while let Some((_, at)) = self.moments.due(now) {
            self.left[at] = 1 + self.moments.dice.below(RUN);
            self.say(at, now, out);
        }
        self.moments.next()
    }
}
