//! A connected socket over TCP or of this machine, and who is at its other end.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::sockopt;
use smol::Async;

use crate::limits;
use crate::origin::Origin;

/// A connected socket.
pub enum Socket {
    /// Over a network, if only loopback.
    Tcp(Async<TcpStream>),
    /// From another process of this machine.
    Unix(Async<UnixStream>),
}

impl Socket {
    /// Takes a connection that was accepted. Its peer is asked for a sign of life after `keepalive`
    /// without one, and is gone after twice that, also where what was sent to it is not
    /// acknowledged.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn tcp(stream: async_net::TcpStream, keepalive: Option<Duration>) -> io::Result<Socket> {
        if let Some(silence) = keepalive {
            sockopt::set_socket_keepalive(&stream, true)?;
            sockopt::set_tcp_keepidle(&stream, silence)?;
            let pause = (silence / limits::KEEPALIVE_PROBES).max(Duration::from_secs(1));
            sockopt::set_tcp_keepintvl(&stream, pause)?;
            sockopt::set_tcp_keepcnt(&stream, limits::KEEPALIVE_PROBES)?;
            sockopt::set_tcp_user_timeout(&stream, millis(2 * silence))?;
        }

        // Replies are written whole, so nothing is gained by holding a small one back.
        stream.set_nodelay(true)?;
        // Telnet sends the byte after an interrupt as urgent data; out of line it would be missing
        // from its sequence, and the next letter of the line would be taken for it.
        sockopt::set_socket_oobinline(&stream, true)?;
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
                let credentials = sockopt::socket_peercred(socket)?;
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

    /// Whether what is sent has to be acknowledged in time, or the peer is taken for gone. A peer that
    /// is there and takes nothing would be taken for gone, too: the system asks both with one clock.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn expect_acknowledgement(&self, expect: bool) -> io::Result<()> {
        if let Socket::Tcp(stream) = self
            && sockopt::socket_keepalive(stream)?
        {
            let silence = sockopt::tcp_keepidle(stream)?;
            let time = if expect { millis(2 * silence) } else { 0 };
            sockopt::set_tcp_user_timeout(stream, time)?;
        }
        Ok(())
    }

    /// Whether nothing can be sent any more: it was reset, its peer is gone, or both sides have
    /// ended it. Not where the peer has ended its own side only.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn is_gone(&self) -> io::Result<bool> {
        let mut asked = match self {
            Socket::Tcp(socket) => [PollFd::new(socket, PollFlags::empty())],
            Socket::Unix(socket) => [PollFd::new(socket, PollFlags::empty())],
        };
        // These two are always told (poll(2)).
        rustix::event::poll(&mut asked, Some(&Timespec::default()))?;
        Ok(asked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR))
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
    /// It came through a proxy: it is not on this machine, whatever the proxy says.
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

    /// A proxy that speaks for itself: as one that it speaks for, it is not on this machine.
    pub fn proxy(self) -> Peer {
        Peer { told: true, ..self }
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

/// As the system takes it; 0 is for ever.
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair(keepalive: Option<Duration>) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        (Socket::tcp(accepted.try_into().unwrap(), keepalive).unwrap(), peer)
    }

    #[test]
    fn a_peer_that_is_gone_is_noticed_within_two_minutes() {
        let (Socket::Tcp(socket), _peer) = pair(Some(limits::KEEPALIVE)) else { panic!() };
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        let silence = sockopt::tcp_keepidle(&socket).unwrap();
        let probes = sockopt::tcp_keepcnt(&socket).unwrap();
        let time = silence + probes * sockopt::tcp_keepintvl(&socket).unwrap();
        assert_eq!(time, Duration::from_secs(120));
        // The same for one that something was sent to.
        assert_eq!(u128::from(sockopt::tcp_user_timeout(&socket).unwrap()), time.as_millis());
        let (Socket::Tcp(socket), _peer) = pair(None) else { panic!() };
        assert!(!sockopt::socket_keepalive(&socket).unwrap());
        assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), 0);
    }

    #[test]
    fn who_takes_nothing_is_not_taken_for_gone() {
        for keepalive in [None, Some(Duration::from_secs(30))] {
            let (socket, _peer) = pair(keepalive);
            let time = || match &socket {
                Socket::Tcp(socket) => sockopt::tcp_user_timeout(socket).unwrap(),
                Socket::Unix(_) => panic!(),
            };
            let usual = keepalive.map_or(0, |_| 60_000);
            assert_eq!(time(), usual);
            socket.expect_acknowledgement(false).unwrap();
            assert_eq!(time(), 0);
            socket.expect_acknowledgement(true).unwrap();
            assert_eq!(time(), usual);
        }
    }

    #[test]
    fn one_side_that_ended_is_not_gone() {
        let (socket, peer) = pair(None);
        assert!(!socket.is_gone().unwrap());
        peer.shutdown(Shutdown::Write).unwrap();
        let mut buffer = [0];
        while !matches!((&socket).read(&mut buffer), Ok(0)) {}
        assert!(!socket.is_gone().unwrap(), "it still listens");
        // What comes for a socket that is closed is answered with a reset.
        drop(peer);
        while (&socket).write(b"anyone there?").is_ok() {}
        assert!(socket.is_gone().unwrap());
    }
}
