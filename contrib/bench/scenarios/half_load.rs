//! `half-load`: how long one message takes on a server that is half busy. The pairs of `send` send
//! at half of their top rate, evenly and whether or not they are answered, and two others play
//! `ping-pong` beside them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::Scenario;
use super::ping_pong::Game;
use super::send::{IN_FLIGHT, PAIRS, Pairs};
use crate::machine::Meter;
use crate::net::{Net, Outputs, Peer};
use crate::people::enter;
use crate::report::Subject;
use crate::{Bench, Outcome};

pub const SCENARIO: Scenario = Scenario {
    name: "half-load",
    about: "one message at a time beside half of the top rate",
    large: true,
    run,
};

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    load(bench, Subject::Papod, server.address, server.pid())
        .map_err(|e| format!("{e}\n{}", server.said()))?;
    drop(server);
    // The limit that keeps nothing is not half as busy as its load.
    for (subject, syncs) in bench.limits().iter().filter(|(_, syncs)| *syncs) {
        let server = bench.limit(*syncs)?;
        load(bench, *subject, server.address, server.pid())?;
    }
    Ok(())
}

fn load(bench: &mut Bench, subject: Subject, address: SocketAddr, pid: Pid) -> Outcome<()> {
    let mut net = Net::new()?;
    let names =
        [bench.handles("from", PAIRS), bench.handles("to", PAIRS), bench.handles("player", 2)]
            .concat();
    // Slots are given in this order.
    let slots = enter(&mut net, address, &names)?;
    let pairs = Pairs::new(&names[PAIRS..2 * PAIRS], Some(1));
    let game = Game::new(slots[2 * PAIRS], &names[2 * PAIRS + 1]);
    let mut half = Half { pairs, game };

    half.pairs.begin(&mut net.out);
    net.drive(&mut half, bench.warm_up())?;
    half.pairs.start_counting();
    let start = Instant::now();
    net.drive(&mut half, bench.time() / 2)?;
    let top = half.pairs.confirmed as f64 / start.elapsed().as_secs_f64();
    half.pairs.is_paced = true;
    // Messages come one by one now; as many at a time are acknowledged as at the top rate.
    half.pairs.ack_every = Some(IN_FLIGHT);
    net.until(&mut half, |half| half.pairs.is_done())?;

    let step = Duration::from_secs_f64(2.0 / top);
    half.game.serve(&mut net.out);
    half.pace(&mut net, step, bench.warm_up())?;
    half.game.start_counting();
    half.pairs.start_counting();
    let meter = Meter::start(pid)?;
    half.pace(&mut net, step, bench.time() * 2)?;
    let spent = meter.stop()?;
    half.game.note(bench, subject);
    let rate = half.pairs.confirmed as f64 / spent.seconds;
    bench.note(subject, "beside it", "k/s", rate / 1e3);
    let core = |seconds: f64| seconds / spent.seconds * 100.0;
    bench.note(subject, "server CPU", "%", core(spent.server));
    bench.note(subject, "load CPU", "%", core(spent.load));
    Ok(())
}

struct Half {
    pairs: Pairs,
    game: Game,
}

impl Half {
    /// Has the pairs send a message per step, each in turn. What is late is made up for.
    fn pace(&mut self, net: &mut Net, step: Duration, time: Duration) -> Outcome<()> {
        let start = Instant::now();
        let (mut due, mut turn) = (start, 0);
        loop {
            let now = Instant::now();
            if now - start > time {
                return Ok(());
            }
            while due <= now {
                self.pairs.send(turn % PAIRS, now, &mut net.out);
                (due, turn) = (due + step, turn + 1);
            }
            net.turn(self, due - now)?;
        }
    }
}

impl Peer for Half {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if at < 2 * PAIRS {
            self.pairs.line(at, now, line, out)
        } else {
            self.game.line(at, now, line, out)
        }
    }

    fn read_done(&mut self, at: usize, out: &mut Outputs) {
        self.pairs.read_done(at, out);
    }
}
