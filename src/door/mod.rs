//! papo over HTTP/1.1: ntfy's API, for programs that notify and programs that are notified.
//!
//! Each request logs in to an ordinary session over a pipe in memory (`link`), or takes that of the
//! request before it (`account_link`), and is carried out with its commands. So it can do what a
//! client of papo/1 can do, and every rule and limit of sessions applies. There are no rules and no
//! state here, and no outgoing connections.
//!
//! `request` parses the head of a request and `body` reads the rest; `who` parses the credentials
//! and `topics` the names of conversations. `publish` turns a request into a message, `shapes` does
//! so for hooks (of which a `form` may tell), and `notice` formats it; `delay` is about when it should be said, `sequence` about
//! which message it changes, and `commands` has what the session is sent then. `upload` makes a file
//! of a body, `attachment` says what is told about it, and `download` serves it, by a `file_link` or
//! with a login, whole or a `range` of it; only this reads files itself, without a session. `stream_request` parses what a
//! subscriber wants to follow, and `subscribe` follows it, from where `since` says (`history` finds
//! it); `feed` turns it into `events`, which have four forms, and `websocket` has the frames. `routes`
//! says what is where.

mod account_link;
mod actions;
mod answer;
mod attachment;
mod body;
mod commands;
mod delay;
mod download;
mod escapes;
mod events;
mod feed;
mod file_link;
mod form;
mod history;
mod http_stream;
mod json;
mod link;
mod notice;
mod publish;
mod range;
mod request;
mod routes;
mod sequence;
mod shapes;
mod signs;
mod since;
mod stream_request;
mod subscribe;
mod topics;
mod upload;
mod websocket;
mod who;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::config::HttpKeepalive;
use crate::entry::Millis;
use crate::limits;
use crate::origin::Origin;
use crate::session::{Peer, Services, Stream};
use crate::wire::rows::Bye;
use account_link::AccountLink;
use answer::{Denial, Response};
use http_stream::HttpStream;
use link::Admission;
use request::Head;
use stream_request::StreamRequest;

/// What all connections share.
pub struct HttpServices {
    pub services: Arc<Services>,
    pub keepalive: HttpKeepalive,
    /// Days after which entries are deleted; 0: never.
    pub keep: u64,
}

/// A connection.
pub struct HttpConnection {
    shared: Arc<HttpServices>,
    stream: HttpStream,
    admission: Admission,
    /// The session of the last request.
    kept: Option<Box<AccountLink>>,
    origin: Origin,
    /// When its current turn began.
    turn: Instant,
}

/// Why a request is not carried out.
#[derive(Debug)]
pub enum Fault {
    /// It is answered with that.
    Denied(Denial),
    /// The peer is gone.
    Gone,
}

impl From<Denial> for Fault {
    fn from(denial: Denial) -> Fault {
        Fault::Denied(denial)
    }
}

impl From<io::Error> for Fault {
    fn from(e: io::Error) -> Fault {
        match e.kind() {
            io::ErrorKind::TimedOut => Denial::new(40800, "the request took too long").into(),
            _ => Fault::Gone,
        }
    }
}

/// What becomes of a request.
enum Outcome {
    /// It is answered like this, and its body was read.
    Answer(Response),
    /// It was answered, and the connection is to end.
    Done,
    /// It asks for a stream, with which the connection ends.
    Stream(Box<StreamRequest>),
}

/// How far a request was served.
enum HttpServed {
    /// It was answered. `keep`: another may follow.
    Request { keep: bool },
    /// It asks for a stream. `shown`: its path for the log.
    Stream { asked: Box<StreamRequest>, shown: String },
}

impl HttpConnection {
    /// Lets a connection in; `None` if there are too many.
    pub fn new(
        shared: Arc<HttpServices>,
        stream: Stream,
        peer: Peer,
    ) -> Option<Box<HttpConnection>> {
        let admission = Admission::new(shared.services.clone(), peer)?;
        log::debug!("session {}: from {peer}, by HTTP", admission.id().0);
        let stream = HttpStream::new(stream, shared.services.counters.clone());
        let (origin, turn) = (peer.origin, Instant::now());
        let kept = None;
        Some(Box::new(HttpConnection { shared, stream, admission, kept, origin, turn }))
    }

    /// Yields to other sessions if this one's turn is over.
    async fn give_way(&mut self) {
        if self.turn.elapsed() >= limits::SESSION_TURN {
            let (line, mut has_joined) = (&self.shared.services.line, false);
            poll_fn(|cx| line.poll_turn(&mut has_joined, self.origin, None, cx)).await;
            self.turn = Instant::now();
        }
    }

    fn now(&self) -> Millis {
        self.shared.services.clock.now()
    }

    /// Counts a wrong token, which may take a while.
    ///
    /// # Errors
    /// There were too many.
    async fn wrong_token(&mut self) -> Result<(), Denial> {
        let wrong = self.shared.services.wrong_token(self.admission.id(), self.origin).await;
        wrong.map_err(|refusal| Denial::too_fast(&refusal))
    }

    /// Serves the connection to its end.
    pub async fn run(mut self: Box<Self>) {
        let mut is_first = true;
        loop {
            // Its error, which is large, is not kept any longer.
            let may_go_on = matches!(self.serve(is_first).await, Ok(true));
            if !may_go_on {
                break;
            }
            is_first = false;
            self.give_way().await;
        }
        if self.stream.flush_last().await.is_ok() {
            let HttpConnection { stream, admission, kept, .. } = *self;
            // It counts as gone from here on.
            drop((kept, admission));
            Box::pin(stream.close()).await;
        }
    }

    /// Serves one request. Returns whether another may follow.
    ///
    /// # Errors
    /// The peer is gone.
    async fn serve(&mut self, is_first: bool) -> Result<bool, Fault> {
        let head = match self.head(is_first).await {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(false),
            Err(Fault::Denied(denial)) => {
                let answer = Response::from(denial);
                self.stream.push(&answer.bytes(false, false));
                return Ok(false);
            }
            Err(Fault::Gone) => return Err(Fault::Gone),
        };
        // Boxed apart, and nothing kept of it, so that a stream takes no more memory than it needs.
        let served = Box::pin(self.carry_out(head)).await?;
        let (asked, shown) = match served {
            HttpServed::Request { keep } => return Ok(keep),
            HttpServed::Stream { asked, shown } => (asked, shown),
        };
        let ended = Box::pin(subscribe::serve(asked, self)).await;
        if let Err(Fault::Denied(denial)) = ended {
            self.push(&denial.into(), ("GET", &shown), false);
        } else {
            self.shared.services.counters.http_requests.add(1);
            ended?;
        }
        Ok(false)
    }

    /// Carries out a request up to its answer.
    async fn carry_out(&mut self, head: Box<Head>) -> Result<HttpServed, Fault> {
        let outcome = match self.bye() {
            Some(bye) => Err(Denial::ended(Some(bye)).into()),
            None => routes::carry_out(self, &head).await,
        };
        let (answer, keep) = match outcome {
            Ok(Outcome::Answer(answer)) => (answer, head.keep),
            Ok(Outcome::Done) => {
                self.shared.services.counters.http_requests.add(1);
                return Ok(HttpServed::Request { keep: false });
            }
            Ok(Outcome::Stream(asked)) => {
                return Ok(HttpServed::Stream { asked, shown: routes::shown(&head) });
            }
            // Its body may not have been read, so nothing after it can be understood.
            Err(Fault::Denied(denial)) => (denial.into(), false),
            Err(Fault::Gone) => return Err(Fault::Gone),
        };
        if !keep {
            self.kept = None;
        }
        self.push(&answer, (&head.method, &routes::shown(&head)), keep);
        self.stream.flush().await?;
        Ok(HttpServed::Request { keep })
    }

    /// Puts an answer behind what waits to be sent.
    fn push(&mut self, answer: &Response, (method, path): (&str, &str), keep: bool) {
        let id = self.admission.id().0;
        log::debug!("session {id}: {method} {path} {}", answer.status);
        self.shared.services.counters.http_requests.add(1);
        self.stream.push(&answer.bytes(keep, method == "HEAD"));
    }

    /// Why the connection must end. The end of a session that is kept is no reason: the next request
    /// logs in again.
    fn bye(&mut self) -> Option<Bye> {
        let bye = self.admission.bye()?;
        if self.kept.take().is_none() {
            return Some(bye);
        }
        if self.admission.renew() { self.admission.bye() } else { Some(Bye::TooMany) }
    }

    /// Reads the head of the next request; `None` if there is none.
    async fn head(&mut self, is_first: bool) -> Result<Option<Box<Head>>, Fault> {
        let deadline = Instant::now() + limits::HTTP_HEAD_TIME;
        loop {
            // Looked at once for each line, not for each byte.
            let input = &self.stream.input;
            let is_worth_it = input.contains(&b'\n') || input.len() >= limits::HTTP_HEAD;
            if is_worth_it && let Some((head, length)) = Head::parse(input)? {
                self.stream.input = self.stream.input.split_off(length);
                return Ok(Some(Box::new(head)));
            }
            let woken = poll_fn(|cx| match self.admission.poll_bye(cx) {
                Poll::Ready(bye) => Poll::Ready(Ok(Err(bye))),
                Poll::Pending => self.stream.poll_fill_by(deadline, cx).map_ok(Ok),
            });
            let woken = woken.await;
            if matches!(woken, Ok(Err(_))) && self.bye().is_none() {
                continue;
            }
            match woken {
                // Whoever is not let in is told so, once it has said what it wants.
                Ok(Err(bye @ (Bye::TooMany | Bye::Unavailable)))
                    if self.stream.input.is_empty() =>
                {
                    self.stream.fill(deadline).await?;
                    return Err(Denial::ended(Some(bye)).into());
                }
                Ok(Err(bye)) if is_first || !self.stream.input.is_empty() => {
                    return Err(Denial::ended(Some(bye)).into());
                }
                Ok(Err(_)) => return Ok(None),
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => {}
                // An idle connection ends without a word.
                Err(e) if e.kind() == io::ErrorKind::TimedOut && self.stream.input.is_empty() => {
                    return if is_first { Err(e.into()) } else { Ok(None) };
                }
                Err(e) => return Err(e.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, F>(_: impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }

    fn size_of_future_of_two<A, B, F>(_: impl Fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// With its session, its socket and what lists it, a stream then takes less than 4 KiB.
    #[test]
    fn a_stream_holds_nothing_but_what_it_needs() {
        let sizes = [
            size_of::<HttpConnection>(),
            size_of::<subscribe::Subscription>(),
            size_of_future(HttpConnection::run),
            size_of_future_of_two(subscribe::serve),
        ];
        assert!(sizes.iter().sum::<usize>() <= 1_000, "{sizes:?}");
    }
}
