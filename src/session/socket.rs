//! A connected socket over TCP or of this machine, and who is at its other end.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
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
            Socket::Tcp(socket) => Peer::Address(socket.get_ref().peer_addr()?),
            Socket::Unix(socket) => {
                let credentials = rustix::net::sockopt::socket_peercred(socket)?;
                Peer::User(credentials.uid.as_raw())
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

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A network address.
    Address(SocketAddr),
    /// A network address that a proxy told us.
    Proxied(SocketAddr),
    /// A user of this machine.
    User(u32),
}

impl Peer {
    /// What limits count it by.
    pub fn origin(self) -> Origin {
        match self {
            Peer::Address(address) | Peer::Proxied(address) => Origin::of(address.ip()),
            Peer::User(user) => Origin::User(user),
        }
    }

    /// Its network address, if it has one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Peer::Address(address) | Peer::Proxied(address) => Some(address.ip().to_canonical()),
            Peer::User(_) => None,
        }
    }
}

/// One field of a line: `127.0.0.1:50312`, `uid:1000`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Peer::Address(address) | Peer::Proxied(address) => write!(f, "{address}"),
            Peer::User(user) => write!(f, "uid:{user}"),
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
