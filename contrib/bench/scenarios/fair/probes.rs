//! Someone ordinary, whose waiting is measured: `MSG` to its `OK`, `LOGIN` with a token to `LIVE`,
//! and `HIST` to its `OK`, each on a connection of its own and a few times a second.
//!
//! Each is asked when it is due, or as soon as the one before it was answered, and its time counts
//! from when it was due: a server that stands still for a second has kept all of that second's
//! waiting.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::crowd::{FRIEND, GUEST, WRITER, token};
use crate::net::{Net, Outputs, Peer};
use crate::people::{connect_from, message, unexpected};
use crate::stats::Latencies;

/// What is asked, in the order of the table.
pub const ASKED: [&str; 3] = ["MSG", "LOGIN", "HIST"];
/// The time from one to the next: no account writes more than 50 messages a second for long.
const EVERY: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(40), Duration::from_millis(30)];
/// The beginning of the line that answers it.
const ANSWER: [&[u8]; 3] = [b"OK MSG ", b"LIVE ", b"OK HIST "];
const LOGIN: usize = 1;

/// The three, logged in.
pub struct Probes {
    net: Net,
    server: SocketAddr,
    from: IpAddr,
    asking: Asking,
}

struct Asking {
    probes: [Probe; 3],
}

struct Probe {
    at: usize,
    line: Vec<u8>,
    /// It may be asked. A new connection must have been greeted.
    ready: bool,
    /// It was asked, and is not answered.
    asked: bool,
    /// When it is to be asked next, or should have been.
    due: Instant,
    times: Latencies,
}

impl Probes {
    /// Logs in from this address.
    pub fn start(server: SocketAddr, from: IpAddr) -> Outcome<Probes> {
        let mut net = Net::new()?;
        let lines = [
            message(FRIEND),
            format!("LOGIN {GUEST} {}\n", token(GUEST)).into(),
            format!("HIST {FRIEND} 50\n").into(),
        ];
        let login = format!("LOGIN {WRITER} {} quiet\n", token(WRITER));
        let slots = connect_from(&mut net, Some(from), server, lines.len())?;
        for (n, at) in slots.iter().enumerate() {
            if n != LOGIN {
                crate::people::ask(&mut net, &[*at], |_| login.clone(), "OK LOGIN")?;
            }
        }
        let now = Instant::now();
        let mut lines = lines.into_iter().zip(slots);
        let probes = std::array::from_fn(|n| {
            let (line, at) = lines.next().unwrap_or_default();
            let times = Latencies::default();
            Probe { at, line, ready: true, asked: false, due: now + EVERY[n], times }
        });
        Ok(Probes { net, server, from, asking: Asking { probes } })
    }

    /// Asks for so long, then waits until all is answered, but no longer than `patience`. What is
    /// not answered then has taken as long as it has up to now.
    pub fn measure(&mut self, time: Duration, patience: Duration) -> Outcome<[Latencies; 3]> {
        // An attack may take long to prepare.
        self.net.wait_anew();
        let start = Instant::now();
        for (probe, every) in self.asking.probes.iter_mut().zip(EVERY) {
            probe.due = start + every;
        }
        let (end, last) = (start + time, start + time + patience);
        loop {
            let now = Instant::now();
            let is_over = self.asking.probes.iter().all(|probe| probe.due > end);
            if is_over || now > last {
                break;
            }
            self.renew()?;
            for probe in &mut self.asking.probes {
                if probe.ready && !probe.asked && probe.due <= now.min(end) {
                    self.net.out.to(probe.at).extend_from_slice(&probe.line);
                    probe.asked = true;
                }
            }
            let next = self.asking.probes.iter().map(|p| p.due).filter(|due| *due > now).min();
            let wait = next.map_or(Duration::from_millis(10), |due| due - now);
            self.net.turn(&mut self.asking, wait)?;
        }
        let now = Instant::now();
        for (probe, every) in self.asking.probes.iter_mut().zip(EVERY) {
            while probe.due <= end {
                probe.times.add(now - probe.due);
                probe.due += every;
            }
        }
        let mut probes = self.asking.probes.iter_mut();
        Ok(std::array::from_fn(|_| {
            probes.next().map(|probe| std::mem::take(&mut probe.times)).unwrap_or_default()
        }))
    }

    /// Each log-in is a connection's first.
    fn renew(&mut self) -> Outcome<()> {
        let probe = &mut self.asking.probes[LOGIN];
        if !probe.ready && probe.asked {
            self.net.close(probe.at);
            probe.at = self.net.connect_from(Some(self.from), self.server)?;
            probe.asked = false;
        }
        Ok(())
    }
}

impl Peer for Asking {
    fn line(&mut self, at: usize, now: Instant, line: &[u8], _: &mut Outputs) -> Outcome<()> {
        let Some(n) = self.probes.iter().position(|probe| probe.at == at) else {
            return Ok(());
        };
        let probe = &mut self.probes[n];
        if line.starts_with(ANSWER[n]) {
            probe.times.add(now - probe.due);
            probe.due += EVERY[n];
            if n == LOGIN {
                // It stays `asked` until it is connected anew.
                probe.ready = false;
            } else {
                probe.asked = false;
            }
        } else if line.starts_with(b"HELLO") {
            probe.ready = true;
        } else if line.starts_with(b"ERR") || line.starts_with(b"BYE") {
            return unexpected(line);
        }
        Ok(())
    }
}
