//! Many sockets in one thread: an epoll loop that reads lines and writes what answers them.
//!
//! Both sides of a measurement are made of it, the load and the limits, so that what is measured
//! costs more than what measures. Per wake-up of a socket there is one read, and one write of all
//! that has gathered for a peer. It knows lines, not what they say.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use memchr::memchr;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::Outcome;
use crate::tls::{self, Tls};

/// Bytes that one read takes at most.
const SCRATCH: usize = 65_536;
/// Sockets that one wait reports at most.
const EVENTS: usize = 1_024;
/// Time without a byte from anyone after which a server hangs: none is asked for what takes so long.
const SILENCE: Duration = Duration::from_secs(30);
/// The listener's number among the events.
const LISTENER: u64 = u64::MAX;

/// Whoever is told what came in. A connection is known by its slot. An error ends the turn.
pub trait Peer {
    /// A connection was accepted.
    fn accepted(&mut self, _at: usize, _out: &mut Outputs) {}

    /// A line came, without its LF. `now` is when the read that brought it was done.
    fn line(&mut self, at: usize, now: Instant, line: &[u8], out: &mut Outputs) -> Outcome<()>;

    /// All whole lines of one read have been given.
    fn read_done(&mut self, _at: usize, _out: &mut Outputs) {}

    /// Says what is due by now without anything having come, and returns when it has to be asked
    /// again; [`Net::drive`] does so.
    fn speak(&mut self, _now: Instant, _out: &mut Outputs) -> Option<Instant> {
        None
    }

    /// The other side has ended the connection. Its slot is free now.
    fn closed(&mut self, _at: usize) -> Outcome<()> {
        Err("the server has closed a connection".into())
    }
}

/// What is to be written, by slot.
#[derive(Default)]
pub struct Outputs {
    buffers: Vec<Vec<u8>>,
    /// Slots for which something was put in since they were last written to.
    dirty: Vec<usize>,
    /// Slots to be closed once what they were told is written.
    ending: Vec<usize>,
}

impl Outputs {
    /// Where bytes for a connection go.
    pub fn to(&mut self, at: usize) -> &mut Vec<u8> {
        if self.buffers[at].is_empty() {
            self.dirty.push(at);
        }
        &mut self.buffers[at]
    }

    /// Closes a connection after the next write.
    pub fn end(&mut self, at: usize) {
        self.ending.push(at);
    }
}

struct Socket {
    stream: TcpStream,
    tls: Option<Tls>,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The last write did not take everything.
    full: bool,
}

/// The sockets and what waits for them.
pub struct Net {
    epoll: OwnedFd,
    listener: Option<TcpListener>,
    sockets: Vec<Option<Socket>>,
    free: Vec<usize>,
    events: Vec<Event>,
    scratch: Vec<u8>,
    /// When something happened last.
    heard: Instant,
    /// What is to be written; the caller may put something in between two turns.
    pub out: Outputs,
}

impl Net {
    pub fn new() -> io::Result<Net> {
        Ok(Net {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            listener: None,
            sockets: Vec::new(),
            free: Vec::new(),
            events: Vec::with_capacity(EVENTS),
            scratch: vec![0; SCRATCH],
            heard: Instant::now(),
            out: Outputs::default(),
        })
    }

    /// Listens on a free port of the loopback address and gives it back.
    pub fn listen(&mut self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let data = EventData::new_u64(LISTENER);
        epoll::add(&self.epoll, &listener, data, EventFlags::IN)?;
        let address = listener.local_addr()?;
        self.listener = Some(listener);
        Ok(address)
    }

    /// Begins to connect, and returns the slot. What is said meanwhile is written later.
    pub fn connect(&mut self, server: SocketAddr) -> io::Result<usize> {
        self.connect_from(None, server)
    }

    /// The same from one of this machine's addresses, for a server that counts by address.
    pub fn connect_from(&mut self, from: Option<IpAddr>, server: SocketAddr) -> io::Result<usize> {
        let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        if let Some(from) = from {
            net::bind(&socket, &SocketAddr::new(from, 0))?;
        }
        match net::connect(&socket, &server) {
            Ok(()) | Err(Errno::INPROGRESS) => self.admit(socket.into(), tls::client(server)?),
            Err(e) => Err(e.into()),
        }
    }

    fn admit(&mut self, stream: TcpStream, tls: Option<Tls>) -> io::Result<usize> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let at = self.free.pop().unwrap_or(self.sockets.len());
        let data = EventData::new_u64(at as u64);
        epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
        let socket = Some(Socket { stream, tls, partial: Vec::new(), full: false });
        if at == self.sockets.len() {
            self.sockets.push(socket);
            self.out.buffers.push(Vec::new());
        } else {
            self.sockets[at] = socket;
        }
        if self.sockets[at].as_ref().is_some_and(|socket| socket.tls.is_some()) {
            // The handshake is the client's to begin, once it is connected.
            self.watch(at, true)?;
        }
        Ok(at)
    }

    /// Closes a connection; its slot is used again.
    pub fn close(&mut self, at: usize) {
        if self.sockets[at].take().is_some() {
            self.out.buffers[at].clear();
            self.free.push(at);
        }
    }

    /// Waits for something to happen, reads from each socket that has something, and writes what
    /// was answered right after each read.
    pub fn turn(&mut self, peer: &mut impl Peer, wait: Duration) -> Outcome<()> {
        self.write()?;
        self.step(peer, Some(wait), true)?;
        if !self.events.is_empty() {
            self.heard = Instant::now();
        } else if self.heard.elapsed() > SILENCE {
            return Err("the server hangs: nothing comes".into());
        }
        Ok(())
    }

    /// From now on something is waited for: see [`SILENCE`].
    pub fn wait_anew(&mut self) {
        self.heard = Instant::now();
    }

    /// Takes turns for so long.
    pub fn drive(&mut self, peer: &mut impl Peer, time: Duration) -> Outcome<()> {
        let end = Instant::now() + time;
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            let until = peer.speak(now, &mut self.out).map_or(end, |next| next.min(end));
            self.turn(peer, until.saturating_duration_since(now))?;
        }
    }

    /// Takes turns until the peer has what it waits for.
    pub fn until<P: Peer>(&mut self, peer: &mut P, done: impl Fn(&P) -> bool) -> Outcome<()> {
        while !done(peer) {
            self.turn(peer, Duration::from_secs(1))?;
        }
        Ok(())
    }

    /// As [`Net::turn`], but what was answered is left for a [`Net::write`], and it waits for as
    /// long as nothing happens.
    pub fn gather(&mut self, peer: &mut impl Peer) -> Outcome<()> {
        self.step(peer, None, false)
    }

    fn step(&mut self, peer: &mut impl Peer, wait: Option<Duration>, write: bool) -> Outcome<()> {
        let wait = wait.and_then(|wait| wait.try_into().ok());
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        for i in 0..self.events.len() {
            let Event { flags, data } = self.events[i];
            if data.u64() == LISTENER {
                self.accept(peer)?;
                continue;
            }
            let at = data.u64() as usize;
            if flags.contains(EventFlags::OUT) {
                self.write_to(at)?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                self.read(at, peer)?;
            }
            if write {
                self.write()?;
            }
        }
        Ok(())
    }

    fn accept(&mut self, peer: &mut impl Peer) -> io::Result<()> {
        while let Some(listener) = &self.listener {
            match listener.accept() {
                Ok((stream, _)) => {
                    let at = self.admit(stream, None)?;
                    peer.accepted(at, &mut self.out);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn read(&mut self, at: usize, peer: &mut impl Peer) -> Outcome<()> {
        // It may have been closed earlier in this turn.
        let Some(socket) = &mut self.sockets[at] else {
            return Ok(());
        };
        let read = match &mut socket.tls {
            Some(tls) => tls.read(&mut socket.stream, &mut self.scratch),
            None => socket.stream.read(&mut self.scratch),
        };
        let n = match read {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(());
            }
            // A reset is an end like any other here.
            // Through TLS nothing for us may have come, only for the handshake.
            Ok(0) if socket.tls.as_ref().is_some_and(Tls::goes_on) => return Ok(()),
            Ok(0) | Err(_) => {
                self.close(at);
                return peer.closed(at);
            }
            Ok(n) => n,
        };
        let now = Instant::now();
        let mut bytes = &self.scratch[..n];
        while let Some(end) = memchr(b'\n', bytes) {
            if socket.partial.is_empty() {
                peer.line(at, now, &bytes[..end], &mut self.out)?;
            } else {
                socket.partial.extend_from_slice(&bytes[..end]);
                peer.line(at, now, &socket.partial, &mut self.out)?;
                socket.partial.clear();
            }
            bytes = &bytes[end + 1..];
        }
        socket.partial.extend_from_slice(bytes);
        peer.read_done(at, &mut self.out);
        Ok(())
    }

    /// Writes what waits, as far as the sockets take it.
    pub fn write(&mut self) -> io::Result<()> {
        while let Some(at) = self.out.dirty.pop() {
            self.write_to(at)?;
        }
        while let Some(at) = self.out.ending.pop() {
            self.close(at);
        }
        Ok(())
    }

    fn write_to(&mut self, at: usize) -> io::Result<()> {
        let (Some(socket), buffer) = (&mut self.sockets[at], &mut self.out.buffers[at]) else {
            self.out.buffers[at].clear();
            return Ok(());
        };
        let owes = socket.tls.as_ref().is_some_and(Tls::owes);
        if buffer.is_empty() && !owes {
            return Ok(());
        }
        let written = match &mut socket.tls {
            Some(tls) => tls.write(&mut socket.stream, buffer),
            None => socket.stream.write(buffer),
        };
        match written {
            Ok(n) if n == buffer.len() => buffer.clear(),
            Ok(n) => {
                buffer.drain(..n);
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // That the connection is gone is found by the read.
            Err(_) => buffer.clear(),
        }
        let full = !buffer.is_empty() || socket.tls.as_ref().is_some_and(Tls::owes);
        self.watch(at, full)
    }

    /// Has room to write reported, or not.
    fn watch(&mut self, at: usize, full: bool) -> io::Result<()> {
        let Some(socket) = &mut self.sockets[at] else { return Ok(()) };
        if full != socket.full {
            socket.full = full;
            let room = if full { EventFlags::OUT } else { EventFlags::empty() };
            let data = EventData::new_u64(at as u64);
            epoll::modify(&self.epoll, &socket.stream, data, EventFlags::IN | room)?;
        }
        Ok(())
    }
}
