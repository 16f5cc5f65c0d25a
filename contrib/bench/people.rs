//! Connections that say something and wait for its answer: how every scenario gets its people in.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::net::{Net, Outputs, Peer};
use crate::{Outcome, PASSWORD};

/// Connections that are made, and accounts that are registered, at the same time: fewer than a
/// server lets wait to be accepted, or to have their secrets hashed.
pub const TOGETHER: usize = 100;

/// Connects so many times, and returns the slots once each was greeted.
pub fn connect(net: &mut Net, server: SocketAddr, count: usize) -> Outcome<Vec<usize>> {
    connect_from(net, None, server, count)
}

/// The same from one of this machine's addresses.
pub fn connect_from(
    net: &mut Net,
    from: Option<IpAddr>,
    server: SocketAddr,
    count: usize,
) -> Outcome<Vec<usize>> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let mut slots = Vec::new();
        for _ in 0..TOGETHER.min(count - all.len()) {
            slots.push(net.connect_from(from, server)?);
        }
        ask(net, &slots, |_| String::new(), "HELLO")?;
        all.extend(slots);
    }
    Ok(all)
}

/// Sends each slot what it has to say, by its number in the list, few of them at a time, and gives
/// back the lines with this beginning that answer, in the order of the slots.
pub fn ask(
    net: &mut Net,
    slots: &[usize],
    say: impl Fn(usize) -> String,
    until: &str,
) -> Outcome<Vec<String>> {
    let mut asking = Asking {
        slots,
        which: slots.iter().copied().zip(0..).collect(),
        say,
        until: until.as_bytes(),
        asked: 0,
        answered: 0,
        answers: vec![String::new(); slots.len()],
    };
    for _ in 0..TOGETHER {
        asking.next(&mut net.out);
    }
    net.until(&mut asking, |asking| asking.answered == slots.len())?;
    Ok(asking.answers)
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

/// Makes accounts, and gives back a token for each.
pub fn tokens(net: &mut Net, server: SocketAddr, handles: &[String]) -> Outcome<Vec<String>> {
    let mut tokens = Vec::with_capacity(handles.len());
    for some in handles.chunks(TOGETHER) {
        let slots = enter(net, server, some)?;
        for answer in ask(net, &slots, |_| "TOKEN NEW bench\n".into(), "OK TOKEN")? {
            tokens.push(answer.rsplit(' ').next().unwrap_or_default().to_owned());
        }
        for at in slots {
            net.close(at);
        }
    }
    Ok(tokens)
}

/// Makes accounts, and gives back the slots in which they are logged in.
pub fn enter(net: &mut Net, server: SocketAddr, handles: &[String]) -> Outcome<Vec<usize>> {
    let slots = connect(net, server, handles.len())?;
    ask(net, &slots, |n| format!("REG {} {PASSWORD}\n", handles[n]), "LIVE")?;
    Ok(slots)
}

/// Logs in quietly, and gives back the slots.
pub fn enter_quietly(net: &mut Net, server: SocketAddr, handles: &[String]) -> Outcome<Vec<usize>> {
    let slots = connect(net, server, handles.len())?;
    ask(net, &slots, |n| format!("LOGIN {} {PASSWORD} quiet\n", handles[n]), "OK LOGIN")?;
    Ok(slots)
}

/// Has `count` messages wait, sent in turn to each of these from one quiet session with many in
/// flight, and gives back the last id.
pub fn send(net: &mut Net, from: usize, to: &[String], count: usize) -> Outcome<u64> {
    let lines = to.iter().map(|to| message(to)).collect();
    let mut sending = Sending { from, lines, sent: 0, count, confirmed: 0, last: 0 };
    for _ in 0..256.min(count) {
        sending.next(&mut net.out);
    }
    net.until(&mut sending, |sending| sending.confirmed == count)?;
    Ok(sending.last)
}

/// Answers a read with one `ACK` for the last id in it, if there was one.
pub fn acknowledge(last: &mut Vec<u8>, at: usize, out: &mut Outputs) {
    if !last.is_empty() {
        let out = out.to(at);
        out.extend_from_slice(b"ACK ");
        out.append(last);
        out.push(b'\n');
    }
}

/// A message of 100 bytes.
pub fn message(to: &str) -> Vec<u8> {
    format!("MSG {to} {}\n", "x".repeat(100)).into_bytes()
}

/// What an `ERR` or a line nobody expects becomes.
pub fn unexpected(line: &[u8]) -> Outcome<()> {
    Err(format!("unexpected: {}", String::from_utf8_lossy(line)).into())
}

struct Asking<'a, S> {
    slots: &'a [usize],
    /// Where in the list each slot stands.
    which: HashMap<usize, usize>,
    say: S,
    until: &'a [u8],
    asked: usize,
    answered: usize,
    answers: Vec<String>,
}

impl<S: Fn(usize) -> String> Asking<'_, S> {
    fn next(&mut self, out: &mut Outputs) {
        if let Some(at) = self.slots.get(self.asked) {
            out.to(*at).extend_from_slice((self.say)(self.asked).as_bytes());
            self.asked += 1;
        }
    }
}

impl<S: Fn(usize) -> String> Peer for Asking<'_, S> {
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if line.starts_with(b"ERR") {
            return unexpected(line);
        }
        if let (true, Some(n)) = (line.starts_with(self.until), self.which.get(&at)) {
            self.answers[*n] = String::from_utf8_lossy(line).into_owned();
            self.answered += 1;
            self.next(out);
        }
        Ok(())
    }
}

struct Sending {
    from: usize,
    lines: Vec<Vec<u8>>,
    sent: usize,
    count: usize,
    confirmed: usize,
    last: u64,
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
    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if at != self.from {
            return Ok(());
        }
        let Some(rest) = line.strip_prefix(b"OK MSG ") else { return unexpected(line) };
        let id = rest.split(|b| *b == b' ').next().unwrap_or_default();
        self.last = std::str::from_utf8(id)?.parse()?;
        self.confirmed += 1;
        self.next(out);
        Ok(())
    }
}
