//! Dialling: turns a server's address into a byte stream, plain or TLS.
//!
//! A name may have several addresses, some of them dead: they are tried as in RFC 8305 ("Happy
//! Eyeballs"), and the first that answers is used.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_rustls::TlsConnector;
use rustix::net::sockopt;
use rustls::pki_types::ServerName;
use smol::Timer;
use smol::future::FutureExt;
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
use smol::net::unix::UnixStream;

use super::address::{Address, Addresses, Host};
use super::trust;

/// A server and how to reach it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub addresses: Addresses,
    /// PEM file of certificates to trust in place of the system's.
    pub roots: Option<PathBuf>,
    /// The only address family to use.
    pub family: Option<Family>,
    pub first: FirstAddress,
}

/// Which of a server's addresses is tried first, by its place: the next after one where a session has
/// waited for an answer in vain. All that a process connects goes by it.
#[derive(Clone, Debug, Default)]
pub struct FirstAddress(Arc<AtomicUsize>);

impl Endpoint {
    /// The addresses in the order in which they are tried, each with its place.
    pub fn in_order(&self) -> impl ExactSizeIterator<Item = (usize, &Address)> {
        let mut all: Vec<_> = self.addresses.iter().enumerate().collect();
        let first = self.first.0.load(Ordering::Relaxed) % all.len().max(1);
        all.rotate_left(first);
        all.into_iter()
    }
}

impl FirstAddress {
    /// The one at this place gives no answers, so it is tried last from now on.
    pub fn leave(&self, place: usize) {
        self.0.store(place + 1, Ordering::Relaxed);
    }
}

/// An IP address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// The byte stream of a connection.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Dials one of the server's addresses.
pub async fn dial(server: &Endpoint, address: &Address) -> io::Result<Box<dyn Transport>> {
    match address {
        Address::Tcp(host) => Ok(Box::new(connect(host, server.family).await?)),
        Address::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Address::Tls(host) => {
            let name = ServerName::try_from(host.without_zone().to_owned());
            let name = name.map_err(|_| io::Error::other("no certificate can name this host"))?;
            let tls = TlsConnector::from(trust::config(server.roots.as_deref())?);
            let plain = connect(host, server.family).await?;
            let stream = tls.connect(name, plain).await.map_err(|e| trust::in_words(e, host))?;
            Ok(Box::new(stream))
        }
    }
}

async fn connect(host: &Host, family: Option<Family>) -> io::Result<TcpStream> {
    let found = smol::net::resolve((host.name.as_str(), host.port)).await?;
    let tries = in_turns(found, family).into_iter();
    let tries =
        tries.map(|address| Box::pin(TcpStream::connect(address)) as Try<TcpStream, io::Error>);
    let stream = first_to_succeed(tries, NEXT).await.map_err(preferred)?;
    // Commands are small writes that wait for an answer.
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    Ok(stream)
}

/// The order in which addresses are tried: the system's, but the two families alternate, so that a
/// dead one costs little time.
fn in_turns(found: Vec<SocketAddr>, family: Option<Family>) -> Vec<SocketAddr> {
    let wanted = |address: &SocketAddr| match family {
        None => true,
        Some(Family::V4) => address.is_ipv4(),
        Some(Family::V6) => address.is_ipv6(),
    };
    let first = found.first().map(SocketAddr::is_ipv6);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for address in found.into_iter().filter(wanted) {
        if Some(address.is_ipv6()) == first { one.push(address) } else { other.push(address) }
    }
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut all = Vec::new();
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

/// Delay until the next address is tried in parallel (RFC 8305, section 5).
const NEXT: Duration = Duration::from_millis(250);

/// An attempt.
pub type Try<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Makes attempts, each once the previous one has failed or has taken longer than `next`, until one
/// succeeds.
///
/// # Errors
/// Those of all attempts, in the order in which they failed.
pub async fn first_to_succeed<'a, T, E>(
    mut attempts: impl ExactSizeIterator<Item = Try<'a, T, E>>,
    next: Duration,
) -> Result<T, Vec<E>> {
    let mut failed = Vec::new();
    let mut tries: Vec<Try<T, E>> = Vec::new();
    loop {
        tries.extend(attempts.next());
        if tries.is_empty() {
            return Err(failed);
        }
        let is_last = attempts.len() == 0;
        let over = poll_fn(|context| {
            for n in 0..tries.len() {
                if let Poll::Ready(over) = tries[n].as_mut().poll(context) {
                    drop(tries.remove(n));
                    return Poll::Ready(Some(over));
                }
            }
            Poll::Pending
        });
        let silence = async {
            Timer::after(if is_last { Duration::MAX } else { next }).await;
            None
        };
        match over.or(silence).await {
            Some(Ok(done)) => return Ok(done),
            Some(Err(e)) => failed.push(e),
            None => {}
        }
    }
}

/// The error of the preferred address.
fn preferred(errors: Vec<io::Error>) -> io::Error {
    let none = || io::Error::new(io::ErrorKind::NotFound, "no address of this family");
    errors.into_iter().next().unwrap_or_else(none)
}

/// TCP keepalive: idle time before the first probe, and between probes.
const QUIET: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_secs(10);
/// Unanswered probes after which the connection is lost.
const TIMES: u32 = 5;

/// Detects a peer that vanished without closing: `QUIET` plus `TIMES` times `BETWEEN`, 110 seconds,
/// after its last byte, and as long after a sent byte that it does not confirm.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, QUIET)?;
    sockopt::set_tcp_keepintvl(stream, BETWEEN)?;
    sockopt::set_tcp_keepcnt(stream, TIMES)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(stream, (QUIET + BETWEEN * TIMES).as_millis() as u32)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn addresses(all: &str) -> Vec<SocketAddr> {
        all.split_whitespace().map(|one| one.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let found = addresses("[::1]:1 [::2]:1 [::3]:1 1.1.1.1:1 2.2.2.2:1");
        let turns = addresses("[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1 [::3]:1");
        assert_eq!(in_turns(found.clone(), None), turns);
        let four = addresses("1.1.1.1:1 2.2.2.2:1");
        assert_eq!(in_turns(found.clone(), Some(Family::V4)), four);
        assert_eq!(in_turns(found, Some(Family::V6)), addresses("[::1]:1 [::2]:1 [::3]:1"));
        assert_eq!(in_turns(vec![], None), []);
    }

    /// A listener whose queue is full: the kernel drops further connections, as a black hole does.
    fn black_hole() -> (TcpListener, Vec<std::net::TcpStream>) {
        use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
        let hole = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&hole, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listen(&hole, 0).unwrap();
        let hole = TcpListener::from(hole);
        let address = hole.local_addr().unwrap();
        let first = std::net::TcpStream::connect(address).unwrap();
        (hole, vec![first])
    }

    #[test]
    fn a_dead_address_is_passed_by() {
        let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (hole, _full) = black_hole();
        let hole = hole.local_addr().unwrap();
        let good = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = good.local_addr().unwrap();
        smol::block_on(async {
            let first = async |all: Vec<SocketAddr>| {
                let tries = all.into_iter();
                let tries =
                    tries.map(|one| Box::pin(TcpStream::connect(one)) as Try<TcpStream, io::Error>);
                first_to_succeed(tries, NEXT).await
            };
            let stream = first(vec![hole, refusing, hole, there]).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), there);
            let failed = first(vec![refusing, refusing]).await.unwrap_err();
            assert_eq!(failed.len(), 2);
            assert_eq!(preferred(failed).kind(), io::ErrorKind::ConnectionRefused);
            assert!(first(vec![]).await.is_err());
        });
    }
}
