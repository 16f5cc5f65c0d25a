//! The limit: what one thread on one core can do at best with these lines and these sockets.
//!
//! It relays `MSG` and `ACK` between connections and to groups, answers both and a `PUT` of HTTP,
//! checks nothing, and keeps nothing; with a journal it appends each line to a file and syncs it
//! once per turn of its loop, before anyone is told. A server that promises more can only be slower.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::slice;
use std::time::Instant;

use crate::Outcome;
use crate::net::{Net, Outputs, Peer};

/// All times are the same: reading the clock belongs to what the limit leaves out.
const TIME: &[u8] = b" 2026-01-01T00:00:00.000Z ";

/// Serves until it is killed.
pub fn run(journal: Option<&Path>) -> Outcome<()> {
    let mut net = Net::new()?;
    println!("{}", net.listen()?);
    let mut journal = journal.map(File::create).transpose()?;
    let mut relay = Relay { keeps: journal.is_some(), ..Relay::default() };
    loop {
        net.gather(&mut relay)?;
        if let (Some(file), false) = (&mut journal, relay.kept.is_empty()) {
            file.write_all(&relay.kept)?;
            file.sync_data()?;
            relay.kept.clear();
        }
        net.write()?;
    }
}

#[derive(Default)]
struct Relay {
    /// Where each name is connected.
    slots: HashMap<Vec<u8>, usize>,
    /// The name of each slot, and the slot from which it was last written to.
    names: Vec<(Vec<u8>, usize)>,
    /// The slots of a group's members, by its name with the `#`.
    groups: HashMap<Vec<u8>, Vec<usize>>,
    last: u64,
    keeps: bool,
    /// Requests of HTTP under way, by slot.
    requests: Vec<Option<Request>>,
    /// Lines that are to be synced.
    kept: Vec<u8>,
}

/// A request of HTTP, whose body is one line.
struct Request {
    /// Its head is complete.
    is_at_body: bool,
    /// The connection ends with it.
    closes: bool,
}

impl Peer for Relay {
    fn accepted(&mut self, at: usize, out: &mut Outputs) {
        if self.names.len() <= at {
            self.names.resize_with(at + 1, Default::default);
            self.requests.resize_with(at + 1, Default::default);
        }
        out.to(at).extend_from_slice(b"HELLO limit/1\n");
    }

    fn line(&mut self, at: usize, _: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()> {
        if self.is_http(at, line, out) {
            return Ok(());
        }
        let mut words = line.splitn(3, |b| *b == b' ');
        let mut word = || words.next().unwrap_or_default();
        match (word(), word(), word()) {
            (b"MSG", to, body) => {
                self.keep(line);
                self.last += 1;
                let mut id = itoa::Buffer::new();
                let id = id.format(self.last).as_bytes();
                say(out.to(at), &[b"OK MSG ", id, &TIME[..TIME.len() - 1]]);
                let peer = self.slots.get(to).map(slice::from_ref);
                let peers = peer.or_else(|| self.groups.get(to).map(Vec::as_slice));
                for peer in peers.unwrap_or_default() {
                    self.names[*peer].1 = at;
                    let from = &self.names[at].0;
                    say(out.to(*peer), &[b"MSG ", id, TIME, from, b" ", to, b" - ", body]);
                }
            }
            (b"ACK", id, _) => {
                self.keep(line);
                say(out.to(at), &[b"OK ACK ", id]);
                let (name, peer) = &self.names[at];
                let to = &self.names[*peer].0;
                say(out.to(*peer), &[b"ACK ", id, TIME, name, b" ", to]);
            }
            (verb @ (b"REG" | b"LOGIN"), name, _) => {
                self.slots.insert(name.to_vec(), at);
                self.names[at] = (name.to_vec(), at);
                say(out.to(at), &[b"OK ", verb, b" ", name, b" 0\nLIVE 0"]);
            }
            (b"GROUP", new, rest) => {
                let mut words = rest.split(|b| *b == b' ');
                let name = [b"#", words.next().unwrap_or_default()].concat();
                say(out.to(at), &[b"OK GROUP ", new, b" ", &name]);
                let members = words.filter_map(|name| self.slots.get(name).copied());
                self.groups.insert(name, members.collect());
            }
            (b"PING", ..) => say(out.to(at), &[b"OK PING"]),
            (b"TOKEN", new, label) => say(out.to(at), &[b"OK TOKEN ", new, b" ", label, b" token"]),
            (b"QUIT", ..) => {
                say(out.to(at), &[b"OK QUIT\nBYE quit"]);
                out.end(at);
            }
            _ => say(out.to(at), &[b"ERR - bad-command"]),
        }
        Ok(())
    }

    fn closed(&mut self, at: usize) -> Outcome<()> {
        self.requests[at] = None;
        Ok(())
    }
}

impl Relay {
    /// Takes a line of a request; with the last one it is answered.
    fn is_http(&mut self, at: usize, line: &[u8], out: &mut Outputs) -> bool {
        let request = &mut self.requests[at];
        match request {
            None if line.starts_with(b"PUT /") => {
                *request = Some(Request { is_at_body: false, closes: false });
                true
            }
            None => false,
            Some(request) if !request.is_at_body => {
                request.is_at_body = line.trim_ascii_end().is_empty();
                request.closes |= line.starts_with(b"Connection: close");
                true
            }
            Some(Request { closes, .. }) => {
                let closes = *closes;
                *request = None;
                self.keep(line);
                self.last += 1;
                let body = format!("{{\"id\":\"{:012}\",\"event\":\"message\"}}\n", self.last);
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\n\r\n",
                    body.len()
                );
                out.to(at).extend_from_slice(head.as_bytes());
                out.to(at).extend_from_slice(body.as_bytes());
                if closes {
                    out.end(at);
                }
                true
            }
        }
    }

    fn keep(&mut self, line: &[u8]) {
        if self.keeps {
            say(&mut self.kept, &[line]);
        }
    }
}

/// Appends a line.
fn say(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.push(b'\n');
}
