//! A session of papo/1 over a pipe in memory, as its client: lines to it, lines from it.
//!
//! The session has no task of its own: it runs while somebody waits for its lines, so it lives
//! exactly as long as the request or the subscription that it serves.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use memchr::memchr;

use super::answer::Denial;
use super::who::Login;
use crate::chat::OnceKey;
use crate::entry::SessionId;
use crate::limits;
use crate::outbox::Outbox;
use crate::session::{Peer, PipeEnd, Services, Session, Socket, Stream, pipe};
use crate::wire::help::ListenerKind;
use crate::wire::reply::Reply;
use crate::wire::rows::{Bye, ByeLine, ErrLine};

/// A connection's entry in the roster. It has one at all times, which its sessions use one after the
/// other, so it counts as one connection whatever it does.
pub struct Admission {
    services: Arc<Services>,
    peer: Peer,
    id: SessionId,
    outbox: Arc<Outbox>,
    /// A session has had it.
    is_used: bool,
}

impl Admission {
    /// Lets a connection in; `None` if there are too many even of those that are only told so.
    pub fn new(services: Arc<Services>, peer: Peer) -> Option<Admission> {
        let (id, outbox) = enter(&services, peer)?;
        Some(Admission { services, peer, id, outbox, is_used: false })
    }

    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Why the connection must end, if it must; wakes the task when that changes.
    pub fn poll_bye(&self, cx: &mut Context) -> Poll<Bye> {
        self.outbox.register(cx.waker());
        self.outbox.bye().map_or(Poll::Pending, Poll::Ready)
    }

    pub fn bye(&self) -> Option<Bye> {
        self.outbox.bye()
    }

    /// Makes it ready for the next session; false if there are too many connections by now.
    pub fn renew(&mut self) -> bool {
        if std::mem::take(&mut self.is_used) {
            self.services.roster.leave(self.id);
            match enter(&self.services, self.peer) {
                Some((id, outbox)) => (self.id, self.outbox) = (id, outbox),
                // It is in the list no more, so leaving once more does nothing.
                None => return false,
            }
        }
        true
    }
}

fn enter(services: &Services, peer: Peer) -> Option<(SessionId, Arc<Outbox>)> {
    let now = services.clock.now();
    let entered = services.roster.enter(peer, ListenerKind::Network, now);
    let bye = entered.as_ref().map(|(_, outbox)| outbox.bye());
    let is_refused =
        matches!(bye, None | Some(Some(Bye::TooMany | Bye::Unavailable | Bye::Kicked)));
    services.counters.refused.add(u64::from(is_refused));
    entered
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.services.roster.leave(self.id);
    }
}

pub struct Link {
    far: PipeEnd,
    /// `None` once it has ended.
    session: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// What has come and was not taken.
    input: Vec<u8>,
    /// `input` up to here has been returned, and has no line end up to there.
    start: usize,
    searched: usize,
    /// The reason in its last line.
    bye: Option<Bye>,
}

/// The final line of a command.
pub type Final = Result<Reply, Denial>;

impl Link {
    /// Begins a session of a connection, which must have no other.
    ///
    /// # Errors
    /// There are too many connections.
    pub fn open(admission: &mut Admission) -> Result<Link, Denial> {
        if !admission.renew() {
            return Err(Denial::ended(Some(Bye::TooMany)));
        }
        admission.is_used = true;
        let (near, far) = pipe();
        let (id, services) = (admission.id, admission.services.clone());
        let stream = Stream::new(Socket::Pipe(near), None);
        let stream = stream.map_err(|_| Denial::ended(None))?;
        let outbox = admission.outbox.clone();
        let session = Session::new(id, services, stream, ListenerKind::Network, outbox);
        let session: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(session.run());
        let (input, bye) = (Vec::new(), None);
        Ok(Link { far, session: Some(session), input, start: 0, searched: 0, bye })
    }

    /// The same, logged in; `word` is `quiet` or `watch`.
    ///
    /// # Errors
    /// The login is refused.
    pub async fn log_in(
        admission: &mut Admission,
        login: &Login,
        word: &str,
    ) -> Result<Link, Denial> {
        let mut link = Link::open(admission)?;
        let Login { handle, secret } = login;
        link.send(format!("LOGIN {handle} {secret} {word}\n").as_bytes()).await?;
        link.reply().await?;
        Ok(link)
    }

    /// Runs the session. Returns whether it goes on.
    pub fn run(&mut self, cx: &mut Context) -> bool {
        if let Some(session) = &mut self.session
            && session.as_mut().poll(cx).is_ready()
        {
            self.session = None;
        }
        self.session.is_some()
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// The session has ended, perhaps with a reason.
    pub fn poll_line(&mut self, cx: &mut Context) -> Poll<Result<String, Option<Bye>>> {
        loop {
            if let Some(line) = self.take_line() {
                if let Some(bye) = ByeLine::parse(&line).and_then(|bye| Bye::new(bye.reason)) {
                    self.bye = Some(bye);
                    return Poll::Ready(Err(self.bye));
                }
                return Poll::Ready(Ok(line));
            }
            self.run(cx);
            match self.far.take(&mut self.input) {
                Ok(0) => return Poll::Ready(Err(self.bye)),
                Ok(_) => {}
                // Whatever lets the session go on wakes the task.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(_) => return Poll::Ready(Err(self.bye)),
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        match memchr(b'\n', &self.input[self.searched..]) {
            Some(at) => {
                let end = self.searched + at;
                let line = String::from_utf8_lossy(&self.input[self.start..end]).into_owned();
                (self.start, self.searched) = (end + 1, end + 1);
                Some(line)
            }
            None => {
                // An idle session holds no buffer.
                self.input = self.input.split_off(self.start);
                (self.start, self.searched) = (0, self.input.len());
                None
            }
        }
    }

    /// Waits for the next line.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn line(&mut self) -> Result<String, Denial> {
        poll_fn(|cx| self.poll_line(cx)).await.map_err(Denial::ended)
    }

    /// Hands over bytes of whole lines. They must fit into the pipe, unless no answers are due.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Denial> {
        let sent = poll_fn(|cx| {
            while !bytes.is_empty() {
                match self.far.write(bytes) {
                    Ok(n) => bytes = &bytes[n..],
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        self.run(cx);
                        ready!(self.far.poll_writable())?;
                    }
                    Err(e) => return Poll::Ready(Err(e)),
                }
            }
            Poll::Ready(io::Result::Ok(()))
        });
        match sent.await {
            Ok(()) => Ok(()),
            // It has said why.
            Err(_) => loop {
                self.line().await?;
            },
        }
    }

    /// Carries out a command, which is handed over as a line. With a key it is done at most once
    /// under that, and answered in the same way then.
    ///
    /// # Errors
    /// The command is refused, or the session has ended.
    pub async fn ask(&mut self, line: &[u8], once: Option<&OnceKey>) -> Final {
        if once.is_some() {
            self.far.set_once(once.cloned());
        }
        self.send(line).await?;
        let reply = self.reply().await;
        if once.is_some() {
            // It may have been refused before it was anything to carry out.
            self.far.set_once(None);
        }
        reply
    }

    /// Hands over a line if there is room for it. Returns whether there was.
    pub fn try_send(&mut self, line: &[u8]) -> bool {
        self.far.has_room(line.len()) && self.far.write(line).is_ok()
    }

    /// Waits for the final line of the next command; lines before it are dropped.
    ///
    /// # Errors
    /// The command is refused, or the session has ended.
    pub async fn reply(&mut self) -> Final {
        loop {
            if let Some(reply) = final_line(&self.line().await?) {
                return reply;
            }
        }
    }
}

/// A final line; `None` if a line is another.
pub fn final_line(line: &str) -> Option<Final> {
    match line.split(' ').next() {
        Some("OK") => Reply::parse(line).map(Ok),
        Some("ERR") => ErrLine::parse(line).map(|err| Err(Denial::refused(&err))),
        _ => None,
    }
}

/// The final line of a command with this verb; `None` if a line is another.
pub fn final_of(line: &str, verb: &str) -> Option<Final> {
    let mut words = line.split(' ');
    let is_final = matches!(words.next(), Some("OK" | "ERR")) && words.next() == Some(verb);
    if is_final { final_line(line) } else { None }
}

const _: () = assert!(limits::HTTP_TEXT + 2_048 < limits::LINE, "a text fits into a line");
