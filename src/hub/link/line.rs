//! One line between two nodes: packets both ways, each in the order in which it was given, over TLS
//! on a thread of its own.
//!
//! Whoever gives a packet never waits. If too much waits to be taken by the other end, or nothing
//! comes from it for a while, the line ends: to its sessions that is as if they had read too slowly.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::Connection;

use crate::limits;

/// Bytes read at once.
const READ: usize = 64 * 1024;

/// This end of a line, for those who give packets.
#[derive(Clone)]
pub(super) struct Line {
    shared: Arc<Mutex<UnsentFrames>>,
    /// A byte here has the thread look.
    bell: Arc<UnixStream>,
}

#[derive(Default)]
struct UnsentFrames {
    bytes: Vec<u8>,
    /// No more is taken; what waits is still sent.
    closed: bool,
    /// The bell was rung, and the thread has not looked since.
    rung: bool,
}

/// What the thread of a line needs.
pub(super) struct LineEnd {
    shared: Arc<Mutex<UnsentFrames>>,
    bell: UnixStream,
}

/// A new line, whose thread has to call [`LineEnd::run`].
///
/// # Errors
/// The system has no more sockets.
pub(super) fn line() -> io::Result<(Line, LineEnd)> {
    let (bell, hears) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    hears.set_nonblocking(true)?;
    let shared = Arc::<Mutex<UnsentFrames>>::default();
    let line = Line { shared: shared.clone(), bell: Arc::new(bell) };
    Ok((line, LineEnd { shared, bell: hears }))
}

fn lock(shared: &Mutex<UnsentFrames>) -> MutexGuard<'_, UnsentFrames> {
    // No code that holds the lock can panic halfway through a change.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// Gives a packet. If the line has ended it is lost.
    pub(super) fn send(&self, packet: &[u8]) {
        let mut out = lock(&self.shared);
        if out.closed {
            return;
        }
        if out.bytes.len() + packet.len() > limits::LINK_WAITING {
            log::warn!("a node takes too little of what it is told: its line is cut");
            (out.closed, out.bytes) = (true, Vec::new());
        } else {
            let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
            out.bytes.extend(length.to_be_bytes());
            out.bytes.extend_from_slice(packet);
        }
        self.ring(out);
    }

    /// Ends the line once the other end has taken what waits.
    pub(super) fn close(&self) {
        let mut out = lock(&self.shared);
        out.closed = true;
        self.ring(out);
    }

    fn ring(&self, mut out: MutexGuard<'_, UnsentFrames>) {
        if !std::mem::replace(&mut out.rung, true) {
            drop(out);
            // Full means that it was rung; gone, that the thread has ended.
            let _ = (&*self.bell).write(&[1]);
        }
    }
}

impl LineEnd {
    /// Serves the line until it ends, and says why. `got` is called with each packet, and returns
    /// whether it makes sense.
    pub(super) fn run(
        mut self,
        mut socket: TcpStream,
        mut tls: Connection,
        got: impl FnMut(&[u8]) -> bool,
    ) -> io::Error {
        let ended = self.serve(&mut socket, &mut tls, got);
        *lock(&self.shared) = UnsentFrames { closed: true, rung: true, ..UnsentFrames::default() };
        match ended {
            Ok(()) => ErrorKind::UnexpectedEof.into(),
            Err(e) => e,
        }
    }

    fn serve(
        &mut self,
        socket: &mut TcpStream,
        tls: &mut Connection,
        mut got: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        tls.set_buffer_limit(None);
        let (mut input, mut scratch) = (Vec::new(), vec![0; READ]);
        let (mut heard, mut sent) = (Instant::now(), Instant::now());
        loop {
            // Some may have come with the last words of the handshake.
            while take_out(tls, &mut scratch, &mut input)? {}
            let mut at = 0;
            while let Some(packet) = next(&input[at..])? {
                // An empty one only says that this end is there.
                if !packet.is_empty() && !got(packet) {
                    return Err(io::Error::other("it sends what cannot be read"));
                }
                at += 4 + packet.len();
            }
            input.drain(..at);
            let ends;
            {
                let mut out = lock(&self.shared);
                out.rung = false;
                ends = out.closed;
                let bytes = std::mem::take(&mut out.bytes);
                drop(out);
                tls.writer().write_all(&bytes)?;
            }
            if !tls.wants_write() && sent.elapsed() >= limits::LINK_BEAT {
                tls.writer().write_all(&[0; 4])?;
            }
            while tls.wants_write() {
                match tls.write_tls(socket) {
                    Ok(_) => sent = Instant::now(),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            if ends && !tls.wants_write() {
                tls.send_close_notify();
                let _ = tls.write_tls(socket);
                return Ok(());
            }
            let Some(left) = limits::LINK_SILENCE.checked_sub(heard.min(sent).elapsed()) else {
                return Err(io::Error::new(ErrorKind::TimedOut, "the other end is silent"));
            };
            if self.wait(socket, tls.wants_write(), left.min(limits::LINK_BEAT))? {
                if !take_in(socket, tls)? {
                    return Ok(());
                }
                heard = Instant::now();
            }
        }
    }

    /// Waits until there is something to do. Returns whether something has come.
    fn wait(&mut self, socket: &TcpStream, writes: bool, most: Duration) -> io::Result<bool> {
        let wanted = if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut waits = [PollFd::new(socket, wanted), PollFd::new(&self.bell, PollFlags::IN)];
        let most = Timespec::try_from(most).map_err(io::Error::other)?;
        match poll(&mut waits, Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let [socket, bell] = waits.map(|wait| wait.revents());
        if !bell.is_empty() {
            match self.bell.read(&mut [0; 16]) {
                Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(e),
                _ => {}
            }
        }
        Ok(!(socket - PollFlags::OUT).is_empty())
    }
}

/// Reads what has come, which has to be taken out before more is read. Returns `false` at the end.
fn take_in(socket: &mut TcpStream, tls: &mut Connection) -> io::Result<bool> {
    match tls.read_tls(socket) {
        Ok(0) => Ok(false),
        Ok(_) => tls.process_new_packets().map(|_| true).map_err(io::Error::other),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(true),
        Err(e) => Err(e),
    }
}

/// Takes out what was read. Returns whether there was something.
fn take_out(tls: &mut Connection, scratch: &mut [u8], input: &mut Vec<u8>) -> io::Result<bool> {
    match tls.reader().read(scratch) {
        // The other end has said that this was all.
        Ok(0) => Ok(false),
        Ok(n) => {
            input.extend_from_slice(&scratch[..n]);
            Ok(true)
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(e) => Err(e),
    }
}

/// The first packet, if it is whole.
fn next(input: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some((length, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > limits::LINK_WAITING {
        return Err(io::Error::other("a packet is too long"));
    }
    Ok(rest.get(..length))
}
