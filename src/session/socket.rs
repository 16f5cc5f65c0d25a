//! A connected TCP or Unix socket, or a pipe in memory, and its peer.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags, sockopt};
use smol::Async;
use socket2::SockRef;

use super::pipe::PipeEnd;
use crate::chat::OnceKey;
use crate::limits;
use crate::origin::Origin;

/// The flags of accepted sockets.
const ACCEPTED: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

/// See [`Socket::accept_tcp`].
pub type Accepted = io::Result<io::Result<(Socket, Peer)>>;

pub enum Socket {
    Tcp(Async<TcpStream>),
    Unix(Async<UnixStream>),
    /// To a part of papod that is a client of it.
    Pipe(PipeEnd),
}

impl Socket {
    /// Sets options of a listening socket, which the connections made to it from then on inherit
    /// (tcp(7)). Probes start after a silence of `keepalive`; after twice that the peer counts as
    /// gone, also if it does not acknowledge data.
    ///
    /// # Errors
    /// A system call failed.
    pub fn prepare(listener: &TcpListener, keepalive: Option<Duration>) -> io::Result<()> {
        set_options(listener, keepalive)
    }

    /// Accepts a connection, and returns it with its address and port. The inner error is one of
    /// this connection.
    ///
    /// # Errors
    /// None is waiting (`WouldBlock`), or none can be accepted now.
    pub fn accept_tcp(listener: &TcpListener, keepalive: Option<Duration>) -> Accepted {
        let (accepted, address) = rustix::net::acceptfrom_with(listener, ACCEPTED)?;
        Ok(Socket::tcp(accepted, address, keepalive))
    }

    fn tcp(
        accepted: OwnedFd,
        address: Option<SocketAddrAny>,
        keepalive: Option<Duration>,
    ) -> io::Result<(Socket, Peer)> {
        let address: SocketAddr = address.ok_or(Errno::NOTCONN)?.try_into()?;
        // Connections that waited before `prepare`, such as the one that systemd starts papod for,
        // have inherited nothing.
        if !sockopt::tcp_nodelay(&accepted)? {
            set_options(&accepted, keepalive)?;
        }
        let socket = Async::new_nonblocking(TcpStream::from(accepted))?;
        Ok((Socket::Tcp(socket), Peer::at(address)))
    }

    /// Accepts a connection to a Unix socket, and returns it with the user at its other end.
    ///
    /// # Errors
    /// As for [`Socket::accept_tcp`].
    pub fn accept_unix(listener: &UnixListener) -> Accepted {
        let accepted = rustix::net::accept_with(listener, ACCEPTED)?;
        Ok(Socket::unix(accepted))
    }

    fn unix(accepted: OwnedFd) -> io::Result<(Socket, Peer)> {
        let user = sockopt::socket_peercred(&accepted)?.uid.as_raw();
        let socket = Async::new_nonblocking(UnixStream::from(accepted))?;
        Ok((Socket::Unix(socket), Peer::user(user)))
    }

    pub fn poll_readable(&self, cx: &mut Context) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(socket) => socket.poll_readable(cx),
            Socket::Unix(socket) => socket.poll_readable(cx),
            Socket::Pipe(end) => end.poll_readable(),
        }
    }

    pub fn poll_writable(&self, cx: &mut Context) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(socket) => socket.poll_writable(cx),
            Socket::Unix(socket) => socket.poll_writable(cx),
            Socket::Pipe(end) => end.poll_writable(),
        }
    }

    /// Sets whether a peer that does not acknowledge data in time counts as gone. The kernel
    /// applies the same timeout to a live peer whose receive window is full, so it must be off for
    /// those.
    ///
    /// # Errors
    /// The system call failed.
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

    /// Whether nothing can be sent any more: the connection was reset, the peer is gone, or both
    /// sides have closed. False if only the peer has closed its side.
    ///
    /// # Errors
    /// The system call failed.
    pub(super) fn is_gone(&self) -> io::Result<bool> {
        let mut asked = match self {
            Socket::Tcp(socket) => [PollFd::new(socket, PollFlags::empty())],
            Socket::Unix(socket) => [PollFd::new(socket, PollFlags::empty())],
            Socket::Pipe(end) => return Ok(end.is_gone()),
        };
        // poll(2) always reports `HUP` and `ERR`, requested or not.
        rustix::event::poll(&mut asked, Some(&Timespec::default()))?;
        Ok(asked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// The key for the act that was read. Only a pipe has such, beside its lines.
    pub(super) fn take_once(&self) -> Option<OnceKey> {
        match self {
            Socket::Tcp(_) | Socket::Unix(_) => None,
            Socket::Pipe(end) => end.take_once(),
        }
    }

    /// Bytes in the receive buffer; `usize::MAX` if the kernel does not say.
    pub(super) fn unread(&self) -> usize {
        let held = match self {
            Socket::Tcp(socket) => rustix::io::ioctl_fionread(socket),
            Socket::Unix(socket) => rustix::io::ioctl_fionread(socket),
            Socket::Pipe(end) => return end.unread(),
        };
        held.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Closes the writing side.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.get_ref().shutdown(Shutdown::Write),
            Socket::Unix(socket) => socket.get_ref().shutdown(Shutdown::Write),
            Socket::Pipe(end) => {
                end.shutdown();
                Ok(())
            }
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut socket.get_ref()).read(buffer),
            Socket::Unix(socket) => (&mut socket.get_ref()).read(buffer),
            Socket::Pipe(end) => end.read(buffer),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut socket.get_ref()).write(bytes),
            Socket::Unix(socket) => (&mut socket.get_ref()).write(bytes),
            Socket::Pipe(end) => end.write(bytes),
        }
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut socket.get_ref()).write_vectored(bytes),
            Socket::Unix(socket) => (&mut socket.get_ref()).write_vectored(bytes),
            Socket::Pipe(end) => end.write(bytes.first().map_or(&[][..], |first| first)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address or uid, which limits count by.
    pub origin: Origin,
    pub(super) way: Way,
}

/// How it comes from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    port: u16,
    /// Through a proxy, so it does not count as local, whatever the proxy says.
    told: bool,
}

impl Peer {
    /// The peer of a direct connection.
    pub fn at(address: SocketAddr) -> Peer {
        let way = Way { port: address.port(), told: false };
        Peer { origin: Origin::of(address.ip()), way }
    }

    /// A client whose address a proxy reported.
    pub fn told(address: SocketAddr) -> Peer {
        Peer::at(address).proxy()
    }

    /// A proxy's own connection (a health check): not local either.
    pub fn proxy(self) -> Peer {
        Peer { way: Way { told: true, ..self.way }, ..self }
    }

    /// Whether it is on this machine and did not come through a proxy.
    pub fn is_local(self) -> bool {
        !self.way.told && self.origin.is_local()
    }

    /// A system user, over a Unix socket.
    pub fn user(user: u32) -> Peer {
        Peer { origin: Origin::User(user), way: Way { port: 0, told: false } }
    }
}

/// A column of `ADMIN SESSIONS`: `127.0.0.1:50312`, `uid:1000`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.origin {
            Origin::Address(address) => write!(f, "{}", SocketAddr::new(address, self.way.port)),
            Origin::User(user) => write!(f, "uid:{user}"),
        }
    }
}

fn set_options(socket: impl AsFd, keepalive: Option<Duration>) -> io::Result<()> {
    let socket = socket.as_fd();
    if let Some(silence) = keepalive {
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, silence)?;
        let pause = (silence / limits::KEEPALIVE_PROBES).max(Duration::from_secs(1));
        sockopt::set_tcp_keepintvl(socket, pause)?;
        sockopt::set_tcp_keepcnt(socket, limits::KEEPALIVE_PROBES)?;
        sockopt::set_tcp_user_timeout(socket, millis(2 * silence))?;
    }
    // Telnet sends the byte after an interrupt as urgent data. Out of band it would be missing
    // from its sequence, which would swallow the next letter of the line instead.
    sockopt::set_socket_oobinline(socket, true)?;
    // Replies are written whole, so Nagle's algorithm would only delay them.
    sockopt::set_tcp_nodelay(socket, true)?;
    SockRef::from(&socket).set_tcp_notsent_lowat(limits::UNSENT)?;
    Ok(())
}

/// For `TCP_USER_TIMEOUT`, where 0 is the system's default.
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// `None` if the call would block or was interrupted.
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

    fn pair(keepalive: Option<Duration>) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Socket::prepare(&listener, keepalive).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // What a connection inherits is not set again.
        let (socket, address) = Socket::accept_tcp(&listener, None).unwrap().unwrap();
        assert_eq!(address, Peer::at(peer.local_addr().unwrap()));
        (socket, peer)
    }

    #[test]
    fn a_connection_from_before_its_listener_was_set_up_is_like_any_other() {
        for is_early in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let connect = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let early = is_early.then(connect);
            Socket::prepare(&listener, Some(limits::KEEPALIVE)).unwrap();
            let _peer = early.unwrap_or_else(connect);
            let accepted = Socket::accept_tcp(&listener, Some(limits::KEEPALIVE)).unwrap();
            let Ok((Socket::Tcp(socket), _)) = accepted else { panic!() };
            assert!(sockopt::tcp_nodelay(&socket).unwrap());
            assert!(sockopt::socket_oobinline(&socket).unwrap());
            assert!(sockopt::socket_keepalive(&socket).unwrap());
            assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), limits::KEEPALIVE);
            let flags = rustix::fs::fcntl_getfl(&socket).unwrap();
            assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
        }
    }

    #[test]
    fn a_peer_that_is_gone_is_noticed_within_two_minutes() {
        let (Socket::Tcp(socket), _peer) = pair(Some(limits::KEEPALIVE)) else { panic!() };
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        let silence = sockopt::tcp_keepidle(&socket).unwrap();
        let probes = sockopt::tcp_keepcnt(&socket).unwrap();
        let time = silence + probes * sockopt::tcp_keepintvl(&socket).unwrap();
        assert_eq!(time, Duration::from_secs(120));
        // The same for a peer with unacknowledged data.
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
                _ => panic!(),
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
    fn who_takes_nothing_fills_little_memory() {
        let (Socket::Tcp(socket), _peer) = pair(None) else { panic!() };
        let mut taken = 0;
        loop {
            match socket.get_ref().write(&[b'x'; 4096]) {
                Ok(n) => taken += n,
                // The peer's system may still take some, and then there is room again.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let mut polled = [PollFd::new(&socket, PollFlags::OUT)];
                    let time = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                    if rustix::event::poll(&mut polled, Some(&time)).unwrap() == 0 {
                        break;
                    }
                }
                Err(e) => panic!("{e}"),
            }
        }
        // Without a bound the system keeps 4 MiB for it.
        assert!(taken < 1024 * 1024, "{taken}");
    }

    #[test]
    fn one_side_that_ended_is_not_gone() {
        let (socket, peer) = pair(None);
        assert!(!socket.is_gone().unwrap());
        peer.shutdown(Shutdown::Write).unwrap();
        let mut buffer = [0];
        while !matches!((&socket).read(&mut buffer), Ok(0)) {}
        assert!(!socket.is_gone().unwrap(), "it still listens");
        // Data for a closed socket is answered with a reset.
        drop(peer);
        while (&socket).write(b"anyone there?").is_ok() {}
        assert!(socket.is_gone().unwrap());
    }
}
