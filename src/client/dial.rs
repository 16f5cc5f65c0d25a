//! Dialling: turns a server's address into a byte stream, plain or TLS.
//!
//! A name may have several addresses, some of them dead: they are tried as in RFC 8305 ("Happy
//! Eyeballs"), and the first that answers is used.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
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

use super::address::{Address, Host};
use super::trust;

/// A server and how to reach it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub address: Address,
    /// PEM file of certificates to trust in place of the system's.
    pub roots: Option<PathBuf>,
    /// The only address family to use.
    pub family: Option<Family>,
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

pub async fn dial(server: &Endpoint) -> io::Result<Box<dyn Transport>> {
    match &server.address {
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
    let stream = first_to_connect(in_turns(found, family)).await?;
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

/// Tries addresses, each once the previous one has failed or been silent for `NEXT`, until one
/// answers.
async fn first_to_connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    type Try = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;
    let mut failed = None;
    let mut tries: Vec<Try> = Vec::new();
    let mut addresses = addresses.into_iter();
    loop {
        tries.extend(addresses.next().map(|address| Box::pin(TcpStream::connect(address)) as Try));
        if tries.is_empty() {
            let none = || io::Error::new(io::ErrorKind::NotFound, "no address of this family");
            return Err(failed.unwrap_or_else(none));
        }
        let is_last = addresses.len() == 0;
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
            Timer::after(if is_last { Duration::MAX } else { NEXT }).await;
            None
        };
        match over.or(silence).await {
            Some(Ok(stream)) => return Ok(stream),
            // The preferred address's error is the one reported.
            Some(Err(e)) => failed = failed.or(Some(e)),
            None => {}
        }
    }
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
            let stream = first_to_connect(vec![hole, refusing, hole, there]).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), there);
            let failed = first_to_connect(vec![refusing, refusing]).await.unwrap_err();
            assert_eq!(failed.kind(), io::ErrorKind::ConnectionRefused);
            assert!(first_to_connect(vec![]).await.is_err());
        });
    }
}
