//! People who write and read on several papods of one database, and those papods.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::process::{Client, PASSWORD, Papod, id};

/// How long people wait for an answer before they try another node: one that is cut off from the
/// database lets them in for a while, and has nothing to tell them.
const ANSWER: Duration = Duration::from_secs(2);

/// A connection to a node, if it lets people in, and says so soon.
pub fn greeted(address: SocketAddr) -> Option<Client> {
    let socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // Without taking it away.
    let mut hello = [0; 5];
    let length = socket.peek(&mut hello).ok()?;
    // One that is cut off from the database for longer says `BYE`.
    hello[..length].starts_with(b"HELLO").then(|| Client::of(socket))
}

/// What people do, and know.
pub struct People {
    /// Where the nodes listen.
    pub addresses: Mutex<Vec<SocketAddr>>,
    pub enough: AtomicBool,
    /// When messages were confirmed.
    pub confirmed: Mutex<Vec<Instant>>,
    /// For how long they wait for anything.
    pub patience: Duration,
}

/// Sets this when it is dropped: threads that wait for it end, also where a test fails meanwhile.
pub struct Enough<'a>(pub &'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl People {
    /// How many messages were confirmed.
    pub fn count(&self) -> usize {
        self.confirmed.lock().unwrap().len()
    }

    /// Waits until as many more messages were confirmed. Returns the longest time without one.
    pub fn progress(&self, more: usize) -> Duration {
        self.progress_from(self.count(), more)
    }

    /// The same, counted from when so many were confirmed.
    pub fn progress_from(&self, from: usize, more: usize) -> Duration {
        let began = Instant::now();
        loop {
            let confirmed = self.confirmed.lock().unwrap();
            if confirmed.len() >= from + more {
                let times = confirmed[from.saturating_sub(1)..].windows(2);
                return times.map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
            }
            drop(confirmed);
            assert!(began.elapsed() < self.patience, "nothing is confirmed any more");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A connection to the next node that says something.
    pub fn connect(&self, next: &mut usize) -> Client {
        let until = Instant::now() + self.patience * 2;
        loop {
            *next += 1;
            let addresses = self.addresses.lock().unwrap();
            let address = addresses[*next % addresses.len()];
            drop(addresses);
            assert!(Instant::now() < until, "no node answers");
            if let Some(client) = greeted(address) {
                client.socket().set_read_timeout(Some(self.patience)).unwrap();
                return client;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next line, if it comes soon.
    fn answer(&self, client: &mut Client) -> Option<String> {
        client.socket().set_read_timeout(Some(ANSWER)).unwrap();
        let line = client.line_in_time().ok().flatten();
        client.socket().set_read_timeout(Some(self.patience)).unwrap();
        line
    }

    /// A session of somebody on some node.
    pub fn log_in(&self, next: &mut usize, handle: &str, how: &str) -> Client {
        let until = Instant::now() + self.patience * 2;
        loop {
            assert!(Instant::now() < until, "no node lets {handle} in");
            let mut client = self.connect(next);
            let line = format!("LOGIN {handle} {PASSWORD}{how}\n");
            let said = client.socket().write_all(line.as_bytes());
            if said.is_ok() && self.answer(&mut client).is_some_and(|it| it.starts_with("OK LOGIN"))
            {
                return client;
            }
        }
    }

    /// Writes to bob until there is enough. Returns what was confirmed.
    pub fn write(&self, n: usize) -> Vec<(u64, String)> {
        let (handle, mut next) = (format!("w{n}"), n);
        let mut client = self.log_in(&mut next, &handle, " quiet");
        let mut confirmed = Vec::new();
        while !self.enough.load(Ordering::SeqCst) {
            let body = format!("{n} says {}", confirmed.len());
            // Where it is not known what became of it, it is said again.
            let id = loop {
                let line = format!("ONCE k{} MSG bob {body}\n", confirmed.len());
                let said = client.socket().write_all(line.as_bytes());
                match said.ok().and_then(|()| self.answer(&mut client)) {
                    Some(line) if line.starts_with("OK MSG") => break id(&line),
                    Some(line) => assert!(line.starts_with("BYE "), "{line}"),
                    None => {}
                }
                client = self.log_in(&mut next, &handle, " quiet");
            };
            confirmed.push((id, body));
            self.confirmed.lock().unwrap().push(Instant::now());
        }
        confirmed
    }

    /// What bob is sent in sessions on all nodes, one after the other: within each, ids grow.
    pub fn read(&self, n: usize) -> BTreeSet<u64> {
        let (mut all, mut next) = (BTreeSet::new(), n);
        let mut client = self.log_in(&mut next, "bob", "");
        let mut last = 0;
        loop {
            match self.answer(&mut client) {
                Some(line) if line.starts_with("MSG ") => {
                    let id = id(&line);
                    assert!(id > last, "{id} after {last}");
                    last = id;
                    all.insert(id);
                    if line.ends_with(" that is all") {
                        return all;
                    }
                }
                Some(_) => {}
                None => {
                    client = self.log_in(&mut next, "bob", "");
                    last = 0;
                }
            }
        }
    }
}

/// Papods on one database, whose people know all their addresses.
pub struct Team<'a> {
    /// How each node reaches the database.
    pub urls: Vec<PathBuf>,
    pub nodes: Vec<Papod>,
    pub people: &'a People,
}

impl Team<'_> {
    /// Which node leads.
    pub fn leader(&self, on: &Cluster) -> usize {
        let name = self.urls[0].to_str().unwrap().rsplit('/').next().unwrap();
        let sql = "SELECT n.address FROM leader l JOIN node n ON n.name = l.node";
        let address = on.ask(name, sql).unwrap();
        let said = format!("reach at {address}\n");
        let of = |node: &Papod| node.log().contains(&said);
        self.nodes.iter().position(of).expect("one of them leads")
    }

    /// A node has ended. Another comes in its place.
    pub fn replace(&mut self, at: usize) {
        self.nodes[at] = Papod::start(&self.urls[at]);
        self.people.addresses.lock().unwrap()[at] = self.nodes[at].address;
    }
}
