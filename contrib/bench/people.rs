//! Connections that say something and wait for its answer: how every scenario gets its people in.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::net::{Net, Outputs, Peer};
use crate::{Outcome, PASSWORD};

/// Connections that are made, and accounts that are registered, at the same time: fewer than a
/// server lets wait to be accepted, or to have their secrets hashed.
const TOGETHER: usize = 100;

/// Connects so many times, and gives back the slots once each was greeted.
pub fn connect(net: &mut Net, server: SocketAddr, count: usize) -> Outcome<Vec<usize>> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let mut slots = Vec::new();
        for _ in 0..TOGETHER.min(count - all.len()) {
            slots.push(net.connect(server)?);
        }
        let asked: Vec<_> = slots.iter().map(|at| (*at, String::new())).collect();
        ask(net, &asked, "HELLO", TOGETHER)?;
        all.extend(slots);
    }
    Ok(all)
}

/// Sends each its command, at most `window` unanswered at a time, until the last was answered by a
/// line with this beginning.
pub fn ask(net: &mut Net, commands: &[(usize, String)], until: &str, window: usize) -> Outcome<()> {
    let mut rest = commands.iter();
    let mut awaiting = Awaiting {
        until: until.as_bytes(),
        next: Box::new(move || rest.next().cloned()),
        answered: 0,
        failed: None,
    };
    for _ in 0..window {
        awaiting.ask(&mut net.out);
    }
    while awaiting.answered < commands.len() {
        net.turn(&mut awaiting, Duration::from_secs(1))?;
        if let Some(why) = awaiting.failed {
            return Err(why.into());
        }
    }
    Ok(())
}

/// Makes accounts, and leaves.
pub fn register(net: &mut Net, server: SocketAddr, handles: &[String]) -> Outcome<()> {
    for some in handles.chunks(TOGETHER) {
        for at in enter(net, server, some)? {
            net.close(at);
        }
    }
    Ok(())
}

/// Makes accounts, and gives back the slots in which they are logged in.
pub fn enter(net: &mut Net, server: SocketAddr, handles: &[String]) -> Outcome<Vec<usize>> {
    let slots = connect(net, server, handles.len())?;
    let reg = |handle: &String| format!("REG {handle} {PASSWORD}\n");
    let commands: Vec<_> = slots.iter().copied().zip(handles.iter().map(reg)).collect();
    ask(net, &commands, "LIVE", TOGETHER)?;
    Ok(slots)
}

/// Logs in quietly, and gives back the slots.
pub fn enter_quietly(net: &mut Net, server: SocketAddr, handles: &[String]) -> Outcome<Vec<usize>> {
    let slots = connect(net, server, handles.len())?;
    let login = |handle: &String| format!("LOGIN {handle} {PASSWORD} quiet\n");
    let commands: Vec<_> = slots.iter().copied().zip(handles.iter().map(login)).collect();
    ask(net, &commands, "OK LOGIN", TOGETHER)?;
    Ok(slots)
}

/// Handles with one beginning.
pub fn handles(beginning: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{beginning}{n}")).collect()
}

/// Has `count` messages wait, sent in turn to each of these from one quiet session with many in
/// flight, and gives back the first and the last id.
pub fn send(net: &mut Net, from: usize, to: &[&str], count: usize) -> Outcome<(u64, u64)> {
    let mut sending = Sending {
        from,
        lines: to.iter().map(|to| message(to)).collect(),
        sent: 0,
        count,
        confirmed: 0,
        ids: (u64::MAX, 0),
        failed: None,
    };
    for _ in 0..256.min(count) {
        sending.next(&mut net.out);
    }
    while sending.confirmed < count {
        net.turn(&mut sending, Duration::from_secs(1))?;
        if let Some(why) = sending.failed {
            return Err(why.into());
        }
    }
    Ok(sending.ids)
}

/// A message of 100 bytes.
pub fn message(to: &str) -> Vec<u8> {
    format!("MSG {to} {}\n", "x".repeat(100)).into_bytes()
}

/// What an `ERR` or a line nobody expects becomes.
pub fn unexpected(line: &[u8]) -> String {
    format!("unexpected: {}", String::from_utf8_lossy(line))
}

struct Awaiting<'a> {
    until: &'a [u8],
    next: Box<dyn FnMut() -> Option<(usize, String)> + 'a>,
    answered: usize,
    failed: Option<String>,
}

impl Awaiting<'_> {
    fn ask(&mut self, out: &mut Outputs) {
        if let Some((at, command)) = (self.next)() {
            out.to(at).extend_from_slice(command.as_bytes());
        }
    }
}

impl Peer for Awaiting<'_> {
    fn line(&mut self, _: usize, _: Instant, line: &[u8], out: &mut Outputs) {
        if line.starts_with(self.until) {
            self.answered += 1;
            self.ask(out);
        } else if line.starts_with(b"ERR") {
            self.failed = Some(unexpected(line));
        }
    }

    fn closed(&mut self, _: usize, _: &mut Outputs) {
        self.failed = Some("the server has closed a connection".into());
    }
}

struct Sending {
    from: usize,
    lines: Vec<Vec<u8>>,
    sent: usize,
    count: usize,
    confirmed: usize,
    ids: (u64, u64),
    failed: Option<String>,
}

impl Sending {
    fn next(&mut self, out: &mut Outputs) {
        if self.sent < self.count {
            let line = &self.lines[self.sent % self.lines.len()];
            out.to(self.from).extend_from_slice(line);
            self.sent += 1;
        }
    }
}

impl Peer for Sending {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) {
        if at != self.from {
            return;
        }
        let id = line.strip_prefix(b"OK MSG ").and_then(|rest| {
            let id = rest.split(|b| *b == b' ').next()?;
            std::str::from_utf8(id).ok()?.parse::<u64>().ok()
        });
        match id {
            Some(id) => {
                self.confirmed += 1;
                self.ids = (self.ids.0.min(id), self.ids.1.max(id));
                self.next(out);
            }
            None => self.failed = Some(unexpected(line)),
        }
    }
}
