//! A way to a server, which can be cut, both ways or one of them, and be slow.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::process::PATIENCE;

/// Passes on what comes, both ways, between a port of this machine and a server.
pub struct Relay {
    pub address: SocketAddr,
    way: Arc<Way>,
}

/// Where a way leads.
#[derive(Clone)]
pub enum Goal {
    Socket(PathBuf),
    Port(SocketAddr),
}

/// The two ways on which bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    Server = 0,
    Client = 1,
}

struct Way {
    goal: Mutex<Goal>,
    state: Mutex<WayState>,
    changed: Condvar,
    has_ended: AtomicBool,
    connections: Mutex<Vec<(TcpStream, Far)>>,
}

#[derive(Clone, Default)]
struct WayState {
    /// Nothing comes through: toward the server, toward the client.
    is_cut: [bool; 2],
    /// It is cut toward the server once these bytes come, which do not come through.
    cut_before: Option<Vec<u8>>,
    /// How long everything takes.
    delay: Duration,
}

impl Way {
    /// Has these bytes wait while it is cut, and for as long as it is slow.
    fn pass(&self, toward: Toward, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap();
        let ends = |end: &Vec<u8>| bytes.windows(end.len()).any(|some| some == end);
        if toward == Toward::Server && state.cut_before.as_ref().is_some_and(ends) {
            (state.is_cut[Toward::Server as usize], state.cut_before) = (true, None);
            self.changed.notify_all();
        }
        let is_cut = |state: &mut WayState| state.is_cut[toward as usize];
        let delay = self.changed.wait_while(state, is_cut).unwrap().delay;
        if !delay.is_zero() {
            thread::sleep(delay);
        }
    }

    fn change(&self, change: impl FnOnce(&mut WayState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

impl Relay {
    /// A way to the socket of this server.
    pub fn to(server: &Cluster) -> Relay {
        Relay::toward(Goal::Socket(server.socket()))
    }

    /// A way there.
    pub fn toward(goal: Goal) -> Relay {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let (state, changed, has_ended, connections) = Default::default();
        let goal = Mutex::new(goal);
        let way = Arc::new(Way { goal, state, changed, has_ended, connections });
        let shared = way.clone();
        thread::spawn(move || {
            for client in socket.incoming() {
                shared.pass(Toward::Server, &[]);
                if shared.has_ended.load(Ordering::SeqCst) {
                    return;
                }
                let goal = shared.goal.lock().unwrap().clone();
                let (Ok(client), Ok(server)) = (client, Far::connect(&goal)) else {
                    continue;
                };
                let both = || (client.try_clone().unwrap(), server.try_clone().unwrap());
                shared.connections.lock().unwrap().push(both());
                let ((from, to), (back, forth)) = (both(), both());
                let (there, here) = (shared.clone(), shared.clone());
                thread::spawn(move || {
                    copy(&there, Toward::Server, from, &to);
                    to.shutdown();
                });
                thread::spawn(move || {
                    copy(&here, Toward::Client, forth, &back);
                    let _ = back.shutdown(Shutdown::Both);
                });
            }
        });
        Relay { address, way }
    }

    /// The URL of a database over this way.
    pub fn url(&self, database: &str) -> PathBuf {
        format!("postgres://papo@{}/{database}", self.address).into()
    }

    /// From now on it leads there, for new connections.
    pub fn lead(&self, goal: Goal) {
        *self.way.goal.lock().unwrap() = goal;
    }

    /// From now on nothing comes through, and no end knows.
    pub fn cut(&self) {
        self.way.change(|state| state.is_cut = [true; 2]);
    }

    /// From now on nothing comes through this way.
    pub fn cut_toward(&self, toward: Toward) {
        self.way.change(|state| state.is_cut[toward as usize] = true);
    }

    /// From these bytes on nothing comes through toward the server. They must come together.
    pub fn cut_before(&self, bytes: &[u8]) {
        self.way.change(|state| state.cut_before = Some(bytes.to_owned()));
    }

    /// Waits until it is cut toward the server.
    pub fn until_cut(&self) {
        let state = self.way.state.lock().unwrap();
        let comes = |state: &mut WayState| !state.is_cut[Toward::Server as usize];
        let waited = self.way.changed.wait_timeout_while(state, PATIENCE, comes).unwrap();
        assert!(!waited.1.timed_out(), "those bytes do not come");
    }

    /// From now on everything takes this long, either way.
    pub fn delay(&self, time: Duration) {
        self.way.change(|state| state.delay = time);
    }

    /// Everything comes through again, what was on the way as well, and at once.
    pub fn mend(&self) {
        self.way.change(|state| *state = WayState::default());
    }

    /// Ends all connections.
    pub fn reset(&self) {
        for (client, server) in self.way.connections.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            server.shutdown();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.way.has_ended.store(true, Ordering::SeqCst);
        self.mend();
        self.reset();
        let _ = TcpStream::connect(self.address);
    }
}

fn copy(way: &Way, toward: Toward, mut from: impl Read, mut to: impl Write) {
    let mut bytes = [0; 16 * 1024];
    loop {
        match from.read(&mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                way.pass(toward, &bytes[..n]);
                if to.write_all(&bytes[..n]).is_err() {
                    return;
                }
            }
        }
    }
}

/// A connection to a server.
enum Far {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Far {
    fn connect(goal: &Goal) -> io::Result<Far> {
        Ok(match goal {
            Goal::Socket(path) => Far::Unix(UnixStream::connect(path)?),
            Goal::Port(address) => Far::Tcp(TcpStream::connect(address)?),
        })
    }

    fn try_clone(&self) -> io::Result<Far> {
        Ok(match self {
            Far::Unix(socket) => Far::Unix(socket.try_clone()?),
            Far::Tcp(socket) => Far::Tcp(socket.try_clone()?),
        })
    }

    fn shutdown(&self) {
        let _ = match self {
            Far::Unix(socket) => socket.shutdown(Shutdown::Both),
            Far::Tcp(socket) => socket.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Far {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Far::Unix(socket) => socket.read(bytes),
            Far::Tcp(socket) => socket.read(bytes),
        }
    }
}

impl Write for &Far {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Far::Unix(socket) => (&mut &*socket).write(bytes),
            Far::Tcp(socket) => (&mut &*socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
