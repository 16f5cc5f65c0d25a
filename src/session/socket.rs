//! A connected socket over TCP or of this machine, and who is at its other end.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll};

use smol::Async;

use crate::origin::Origin;

/// A connected socket.
pub enum Socket {
    /// Over a network, if only loopback.
    Tcp(Async<TcpStream>),
    /// From another process of this machine.
    Unix(Async<UnixStream>),
}

impl Socket {
    /// Takes a connection that was accepted.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn tcp(stream: async_net::TcpStream) -> io::Result<Socket> {
        // Replies are written whole, so nothing is gained by holding a small one back.
        stream.set_nodelay(true)?;
        // Telnet sends the byte after an interrupt as urgent data; out of line it would be missing
        // from its sequence, and the next letter of the line would be taken for it.
        rustix::net::sockopt::set_socket_oobinline(&stream, true)?;
        // Nobody else has it yet, so the pointer that async-net shares is not needed.
        let shared: Arc<Async<TcpStream>> = stream.into();
        Ok(Socket::Tcp(Arc::try_unwrap(shared).map_err(|_| io::ErrorKind::Other)?))
    }

    /// Takes a connection that was accepted on a Unix socket.
    ///
    /// # Errors
    /// None that is known.
    pub fn unix(stream: async_net::unix::UnixStream) -> io::Result<Socket> {
        let shared: Arc<Async<UnixStream>> = stream.into();
        Ok(Socket::Unix(Arc::try_unwrap(shared).map_err(|_| io::ErrorKind::Other)?))
    }

    /// Who is at the other end, as the kernel knows.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn peer(&self) -> io::Result<Peer> {
        Ok(match self {
            Socket::Tcp(socket) => Peer::at(socket.get_ref().peer_addr()?),
            Socket::Unix(socket) => {
                let credentials = rustix::net::sockopt::socket_peercred(socket)?;
                Peer::user(credentials.uid.as_raw())
            }
        })
    }

    /// Ready once there is something to read.
    pub fn poll_readable(&self, cx: &mut Context) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(socket) => socket.poll_readable(cx),
            Socket::Unix(socket) => socket.poll_readable(cx),
        }
    }

    /// Ready once there is room to write.
    pub fn poll_writable(&self, cx: &mut Context) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(socket) => socket.poll_writable(cx),
            Socket::Unix(socket) => socket.poll_writable(cx),
        }
    }

    /// How many bytes the kernel holds that have not been read. Where it does not say, there may be
    /// any number of them.
    pub(super) fn unread(&self) -> usize {
        let held = match self {
            Socket::Tcp(socket) => rustix::io::ioctl_fionread(socket),
            Socket::Unix(socket) => rustix::io::ioctl_fionread(socket),
        };
        held.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Says that nothing more will be written.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.get_ref().shutdown(Shutdown::Write),
            Socket::Unix(socket) => socket.get_ref().shutdown(Shutdown::Write),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut socket.get_ref()).read(buffer),
            Socket::Unix(socket) => (&mut socket.get_ref()).read(buffer),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut socket.get_ref()).write(bytes),
            Socket::Unix(socket) => (&mut socket.get_ref()).write(bytes),
        }
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut socket.get_ref()).write_vectored(bytes),
            Socket::Unix(socket) => (&mut socket.get_ref()).write_vectored(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Who is at the other end of a connection. Small, since each connection has it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What limits count it by.
    pub origin: Origin,
    port: u16,
    /// A proxy says so: it is not on this machine, whatever it says.
    told: bool,
}

impl Peer {
    /// The connection's own network address.
    pub fn at(address: SocketAddr) -> Peer {
        Peer { origin: Origin::of(address.ip()), port: address.port(), told: false }
    }

    /// A network address that a proxy told.
    pub fn told(address: SocketAddr) -> Peer {
        Peer { told: true, ..Peer::at(address) }
    }

    /// Whether it is on this machine.
    pub fn is_local(self) -> bool {
        !self.told && self.origin.is_local()
    }

    /// A user of this machine.
    pub fn user(user: u32) -> Peer {
        Peer { origin: Origin::User(user), port: 0, told: false }
    }
}

/// One field of a line: `127.0.0.1:50312`, `uid:1000`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.origin {
            Origin::Address(address) => write!(f, "{}", SocketAddr::new(address, self.port)),
            Origin::User(user) => write!(f, "uid:{user}"),
        }
    }
}

/// What could be done at once.
pub(super) fn now(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Ok(n) => Ok(Some(n)),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}
