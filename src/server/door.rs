//! The door: accepts connections, determines their origin, and lets them in or turns them away.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use smol::future::{FutureExt, yield_now};
use smol::{Async, Executor, Task, Timer};

use super::listen::{self, Listener, Speech};
use super::proxy;
use crate::door::{HttpConnection, HttpServices};
use crate::limits;
use crate::live_limits::Limit;
use crate::origin::Origin;
use crate::session::{Accepted, Certificates, Peer, Services, Session, Socket, Stream};
use crate::wire::rows::Bye;

pub struct Door {
    pub executor: Executor<'static>,
    pub services: Arc<Services>,
    /// What connections by HTTP share.
    pub http: Arc<HttpServices>,
    pub certificates: Option<Certificates>,
    /// The same for HTTPS.
    pub http_certificates: Option<Certificates>,
    /// Networks of proxies, whose connections begin with a PROXY header.
    pub proxies: Vec<IpNet>,
    /// Silence before the first TCP keepalive probe; `None`: no keepalive.
    pub keepalive: Option<Duration>,
    /// The tasks that accept, one per listener.
    pub accepting: Mutex<Vec<Task<()>>>,
    /// Connections whose PROXY header has not arrived.
    pub introduced: AtomicUsize,
    /// When a bad PROXY header was last logged.
    pub warned: Mutex<Option<Instant>>,
}

enum Accepting {
    Tcp(Async<TcpListener>),
    Unix(Async<UnixListener>),
}

impl Accepting {
    async fn accept(&self, keepalive: Option<Duration>) -> Accepted {
        match self {
            Accepting::Tcp(listener) => {
                listener.read_with(|listener| Socket::accept_tcp(listener, keepalive)).await
            }
            Accepting::Unix(listener) => listener.read_with(Socket::accept_unix).await,
        }
    }
}

impl Door {
    /// Starts accepting from a listener.
    ///
    /// # Errors
    /// The socket cannot be registered for async I/O.
    pub fn open(self: &Arc<Door>, listener: Listener) -> io::Result<()> {
        let Listener { socket, speech, name, .. } = listener;
        let accepting = match socket {
            listen::ListeningSocket::Tcp(socket) => {
                Socket::prepare(&socket, self.keepalive)?;
                Accepting::Tcp(Async::new(socket)?)
            }
            listen::ListeningSocket::Unix(socket) => Accepting::Unix(Async::new(socket)?),
        };
        // Holds the door weakly: the door owns the executor that owns this task.
        let (door, keepalive) = (Arc::downgrade(self), self.keepalive);
        let accept = async move {
            let mut warned: Option<Instant> = None;
            loop {
                let accepted = accepting.accept(keepalive).await;
                let Some(door) = door.upgrade() else { return };
                match accepted {
                    Ok(Ok((socket, peer))) => {
                        let counters = &door.services.counters;
                        let admit = || door.admit(socket, peer, speech);
                        counters.caught("a new connection", admit);
                        drop(door);
                        // To the back of the executor's queue: however many connections come,
                        // sessions that are ready wait for one of them at a time.
                        yield_now().await;
                    }
                    // It disconnected before we got to it.
                    Ok(Err(_)) => {}
                    Err(e) => {
                        // Most likely out of file descriptors: open connections go on, and new ones
                        // wait in the kernel's queue.
                        if warned.is_none_or(|at| at.elapsed() >= limits::ACCEPT_WARNING) {
                            log::warn!("cannot accept a connection to {name}: {e}");
                            warned = Some(Instant::now());
                        }
                        door.services.counters.refused.add(1);
                        drop(door);
                        Timer::after(limits::ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        let accept = self.executor.spawn(accept);
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner).push(accept);
        Ok(())
    }

    /// Checks the certificates now and once a day.
    pub fn watch_certificates(self: &Arc<Door>) {
        self.look_at_certificates();
        if self.certificates.is_none() {
            return;
        }
        let door = Arc::downgrade(self);
        let look = async move {
            loop {
                Timer::after(limits::CERTIFICATE_LOOK).await;
                let Some(door) = door.upgrade() else { return };
                door.look_at_certificates();
            }
        };
        self.executor.spawn(look).detach();
    }

    /// Ends connections that do not log in in time. (Operators need not: the admin socket identifies
    /// them.)
    pub fn watch_logins(self: &Arc<Door>) {
        let door = Arc::downgrade(self);
        let look = async move {
            while let Some(door) = door.upgrade() {
                let time = Duration::from_secs(door.services.limits.get(Limit::Login));
                let wait = door.services.roster.end_logins(time);
                drop(door);
                if wait.is_zero() {
                    yield_now().await;
                } else {
                    Timer::after(wait).await;
                }
            }
        };
        self.executor.spawn(look).detach();
    }

    /// Logs the certificates' current and coming problems, and updates the expiry gauge.
    pub fn look_at_certificates(&self) {
        let Some(certificates) = &self.certificates else { return };
        for warning in certificates.warnings(self.services.clock.now()) {
            log::warn!("{warning}");
        }
        let ends = certificates.end().and_then(|ends| u64::try_from(ends).ok());
        self.services.counters.certificate_ends.set(ends.unwrap_or_default());
    }

    /// Stops accepting and closes the listening sockets. Later connections are refused by the
    /// kernel; an inherited socket stays open in the service manager, where they wait for the next
    /// papod. Every connection accepted before is in the roster, except those whose PROXY header is
    /// still missing.
    pub fn close(&self) {
        let tasks =
            std::mem::take(&mut *self.accepting.lock().unwrap_or_else(PoisonError::into_inner));
        smol::block_on(async {
            for accept in tasks {
                accept.cancel().await;
            }
        });
    }

    fn admit(self: &Arc<Door>, socket: Socket, peer: Peer, speech: Speech) {
        let is_proxy = match peer.origin {
            Origin::Address(address) => self.proxies.iter().any(|net| net.contains(&address)),
            Origin::User(_) => false,
        };
        if !is_proxy {
            return self.welcome(socket, peer, speech);
        }
        if self.introduced.fetch_add(1, Ordering::Relaxed) >= limits::INTRODUCED {
            self.introduced.fetch_sub(1, Ordering::Relaxed);
            self.services.counters.refused.add(1);
            return;
        }
        let door = Arc::downgrade(self);
        let introduce = async move {
            let late = async {
                Timer::after(limits::PROXY_TIME).await;
                Err(io::ErrorKind::TimedOut.into())
            };
            let said = AssertUnwindSafe(proxy::read(&socket).or(late)).catch_unwind().await;
            let Some(door) = Weak::upgrade(&door) else { return };
            door.introduced.fetch_sub(1, Ordering::Relaxed);
            let counters = &door.services.counters;
            let what = "a connection of a proxy";
            let decide = |said| match said {
                Ok(Some(address)) => door.welcome(socket, Peer::told(address), speech),
                Ok(None) => door.welcome(socket, peer.proxy(), speech),
                Err(e) => door.refuse(peer, &e),
            };
            match said {
                Ok(said) => {
                    counters.caught(what, || decide(said));
                }
                Err(_) => counters.panicked(what),
            }
        };
        self.executor.spawn(introduce).detach();
    }

    /// Logs a bad PROXY header, at most once per [`limits::ACCEPT_WARNING`]: it may be a health
    /// check.
    fn refuse(&self, peer: Peer, e: &io::Error) {
        self.services.counters.refused.add(1);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| at.elapsed() >= limits::ACCEPT_WARNING) {
            log::warn!("a connection from the proxy {peer} was refused: {e}");
            *warned = Some(Instant::now());
        }
    }

    /// Serves a connection whose origin is known, if the roster lets it in.
    fn welcome(self: &Arc<Door>, socket: Socket, peer: Peer, speech: Speech) {
        let Speech { kind, tls, http } = speech;
        let certificates = if http { &self.http_certificates } else { &self.certificates };
        let certificates = certificates.as_ref().filter(|_| tls);
        let Ok(stream) = Stream::new(socket, certificates) else { return };
        if http {
            return self.welcome_by_http(stream, peer);
        }
        let now = self.services.clock.now();
        let Some((id, outbox)) = self.services.roster.enter(peer, kind, now) else {
            self.services.counters.refused.add(1);
            return;
        };
        log::debug!("session {}: from {peer}", id.0);
        let is_refused = matches!(outbox.bye(), Some(Bye::TooMany | Bye::Unavailable));
        self.services.counters.refused.add(u64::from(is_refused));
        let session = Session::new(id, self.services.clone(), stream, kind, outbox);
        self.executor.spawn(session.run_apart()).detach();
    }

    /// The same for one that speaks HTTP, which sees to the roster itself.
    fn welcome_by_http(&self, stream: Stream, peer: Peer) {
        let Some(connection) = HttpConnection::new(self.http.clone(), stream, peer) else { return };
        let services = self.services.clone();
        let task = async move {
            // A panic ends only its connection.
            if AssertUnwindSafe(connection.run()).catch_unwind().await.is_err() {
                services.counters.panicked("a connection by HTTP");
            }
        };
        self.executor.spawn(task).detach();
    }
}
