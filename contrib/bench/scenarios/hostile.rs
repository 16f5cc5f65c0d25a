//! `hostile`: how long one message takes while others do their worst. Two play `ping-pong`, first
//! alone, then beside all of these at once:
//!
//! - a sender that floods a receiver, who takes nothing;
//! - a line that never ends;
//! - 1,000 connections that say nothing, and 500 that say one byte a second.
//!
//! The load has one core, too, and the flood and the line take much of it: what the players wait
//! for the load itself is in their times. `load CPU` says how busy it was.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::Scenario;
use super::ping_pong::Game;
use crate::machine::{self, Meter};
use crate::net::{Net, Outputs, Peer};
use crate::people::{connect, enter, enter_quietly, message, register, unexpected};
use crate::report::Subject;
use crate::{Bench, Outcome, PASSWORD};

pub const SCENARIO: Scenario = Scenario {
    name: "hostile",
    about: "one message at a time, alone and under attack",
    large: false,
    run,
};

const SILENT: usize = 1_000;
const SLOW: usize = 500;
/// What the flood and the endless line write at once: as much as a server reads.
const PIECE: usize = 65_536;
/// Time after which those who are slow are looked after at the latest.
const STEP: Duration = Duration::from_millis(1);

fn run(bench: &mut Bench) -> Outcome<()> {
    let server = bench.papod()?;
    attack(bench, server.address, server.pid())
        .map_err(|e| format!("{e}\n{}", server.said()).into())
}

fn attack(bench: &mut Bench, address: SocketAddr, pid: Pid) -> Outcome<()> {
    let mut net = Net::new()?;
    let people = bench.handles("player", 2);
    let players = enter(&mut net, address, &people)?;
    let mut all = All { game: Game::new(players[0], &people[1]), players, attack: None };
    all.game.serve(&mut net.out);
    all.drive(&mut net, bench.warm_up())?;
    all.measure(&mut net, bench, pid, "alone")?;
    // What comes while the others arrive is not for the players.
    all.game.is_last = true;
    net.until(&mut all, |all| all.game.is_over())?;

    let victims = bench.handles("victim", 2);
    register(&mut net, address, &victims)?;
    let _deaf = deaf(address, &victims[0])?;
    let flood = enter_quietly(&mut net, address, &victims[1..])?[0];
    let endless = connect(&mut net, address, 1)?[0];
    let others = bench.connections(SILENT + SLOW);
    let crowd = connect(&mut net, address, others)?;
    let line = message(&victims[0]);
    all.attack = Some(Attack {
        flood,
        lines: line.repeat(PIECE / line.len()),
        confirmed: 0,
        endless,
        slow: crowd[others.min(SILENT)..].to_vec(),
        said: 0,
        begun: Instant::now(),
    });
    all.game.is_last = false;
    all.game.serve(&mut net.out);
    all.drive(&mut net, bench.warm_up())?;
    all.measure(&mut net, bench, pid, "attacked")?;
    bench.note(Subject::Papod, "memory under attack", "MiB", machine::rss(pid)? / 1_024.0);
    Ok(())
}

/// Someone who is logged in and reads no more.
fn deaf(address: SocketAddr, handle: &str) -> Outcome<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(format!("LOGIN {handle} {PASSWORD}\n").as_bytes())?;
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    while !lines.next().ok_or("no LIVE")??.starts_with("LIVE") {}
    Ok(socket)
}

/// The players, and those who make it hard for them.
struct All {
    game: Game,
    players: Vec<usize>,
    attack: Option<Attack>,
}

struct Attack {
    flood: usize,
    /// Messages for the one who takes nothing.
    lines: Vec<u8>,
    confirmed: u64,
    endless: usize,
    /// Those who say one byte a second, in turn.
    slow: Vec<usize>,
    /// Bytes that they have said.
    said: usize,
    begun: Instant,
}

impl All {
    /// Has them play, and the others do what they do, for so long.
    fn drive(&mut self, net: &mut Net, time: Duration) -> Outcome<()> {
        let end = Instant::now() + time;
        while let Some(mut left) = end.checked_duration_since(Instant::now()) {
            if let Some(attack) = &mut self.attack {
                // As fast as it is taken.
                let fed = attack.feed(&mut net.out);
                left = if fed { Duration::ZERO } else { left.min(STEP) };
            }
            net.turn(self, left)?;
        }
        Ok(())
    }

    fn measure(&mut self, net: &mut Net, bench: &mut Bench, pid: Pid, when: &str) -> Outcome<()> {
        self.game.start_counting();
        let before = self.attack.as_ref().map(|attack| attack.confirmed);
        let meter = Meter::start(pid)?;
        self.drive(net, bench.time() * 2)?;
        let spent = meter.stop()?;
        let (game, subject) = (&self.game, Subject::Papod);
        bench.latencies(subject, &format!("{when}: send to OK"), &game.to_ok);
        bench.latencies(subject, &format!("{when}: send to recipient"), &game.to_recipient);
        let core = |seconds: f64| seconds / spent.seconds * 100.0;
        bench.note(subject, &format!("{when}: server CPU"), "%", core(spent.server));
        bench.note(subject, &format!("{when}: load CPU"), "%", core(spent.load));
        if let (Some(before), Some(attack)) = (before, &self.attack) {
            let rate = (attack.confirmed - before) as f64 / spent.seconds;
            bench.note(subject, "beside it, of the flood", "k/s", rate / 1e3);
        }
        Ok(())
    }
}

impl Attack {
    /// Says what is due. Gives back whether the flood or the line went on.
    fn feed(&mut self, out: &mut Outputs) -> bool {
        // More only once the connection has taken what there was.
        let flood = out.to(self.flood);
        let floods = flood.is_empty();
        if floods {
            flood.extend_from_slice(&self.lines);
        }
        let endless = out.to(self.endless);
        let goes_on = endless.is_empty();
        if goes_on {
            endless.resize(PIECE, b'x');
        }
        let due = (self.begun.elapsed().as_secs_f64() * self.slow.len() as f64) as usize;
        while self.said < due {
            out.to(self.slow[self.said % self.slow.len()]).push(b'x');
            self.said += 1;
        }
        floods || goes_on
    }
}

impl Peer for All {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        match &mut self.attack {
            _ if self.players.contains(&at) => self.game.line(at, now, line, out),
            Some(attack) if at == attack.flood && line.starts_with(b"OK MSG ") => {
                attack.confirmed += 1;
                Ok(())
            }
            // The endless line is answered once.
            Some(attack) if at == attack.endless => Ok(()),
            _ => unexpected(line),
        }
    }
}
