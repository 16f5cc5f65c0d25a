//! papo over HTTP/1.1: ntfy's API, for programs that notify and programs that are notified.
//!
//! Each request logs in to an ordinary session over a pipe in memory (`link`), and is carried out
//! with its commands. So it can do what a client of papo/1 can do, and every rule and limit of
//! sessions applies. There are no rules and no state here, and no outgoing connections.
//!
//! `request` parses the head of a request and `body` reads the rest; `who` parses the credentials
//! and `topics` the names of conversations. `publish` turns a request into a message, `shapes` does
//! so for hooks, and `notice` formats it; `delay` is about when it should be said, `sequence` about
//! which message it changes, and `commands` has what the session is sent then. `upload` makes a file
//! of a body, `attachment` says what is told about it, and `download` serves it, by a `file_link` or
//! with a login; only this reads files itself, without a session. `subscribe` follows what happens,
//! from where `since` says (`history` finds it); `feed` turns it into `events`, which have four
//! forms, and `websocket` has the frames. `routes` says what is where.

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
mod history;
mod http_stream;
mod json;
mod link;
mod notice;
mod publish;
mod request;
mod routes;
mod sequence;
mod shapes;
mod signs;
mod since;
mod subscribe;
mod topics;
mod upload;
mod websocket;
mod who;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use smol::future::FutureExt;

use crate::config::HttpKeepalive;
use crate::entry::Millis;
use crate::limits;
use crate::origin::Origin;
use crate::session::{Peer, Services, Stream};
use crate::wire::rows::Bye;
use answer::{Denial, Response};
use http_stream::HttpStream;
use link::Admission;
use request::Head;

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
}

impl HttpConnection {
    /// Lets a connection in; `None` if there are too many.
    pub fn new(shared: Arc<HttpServices>, stream: Stream, peer: Peer) -> Option<HttpConnection> {
        let admission = Admission::new(shared.services.clone(), peer)?;
        log::debug!("session {}: from {peer}, by HTTP", admission.id().0);
        let stream = HttpStream::new(stream, shared.services.counters.clone());
        let (origin, turn) = (peer.origin, Instant::now());
        Some(HttpConnection { shared, stream, admission, origin, turn })
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
    async fn wrong_token(&self) -> Result<(), Denial> {
        let wrong = self.shared.services.wrong_token(self.admission.id(), self.origin).await;
        wrong.map_err(|refusal| Denial::too_fast(&refusal))
    }

    /// Serves the connection to its end.
    pub async fn run(mut self) {
        let mut is_first = true;
        while let Ok(true) = self.serve(is_first).await {
            is_first = false;
            self.give_way().await;
        }
        if self.stream.flush_last().await.is_ok() {
            let HttpConnection { stream, admission, .. } = self;
            // It counts as gone from here on.
            drop(admission);
            stream.close().await;
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
        let outcome = match self.admission.bye() {
            Some(bye) => Err(Denial::ended(Some(bye)).into()),
            None => Box::pin(routes::carry_out(self, &head)).await,
        };
        let counters = self.shared.services.counters.clone();
        let (answer, keep) = match outcome {
            Ok(Outcome::Answer(answer)) => (answer, head.keep),
            Ok(Outcome::Done) => {
                counters.http_requests.add(1);
                return Ok(false);
            }
            // Its body may not have been read, so nothing after it can be understood.
            Err(Fault::Denied(denial)) => (denial.into(), false),
            Err(Fault::Gone) => return Err(Fault::Gone),
        };
        let id = self.admission.id().0;
        log::debug!("session {id}: {} {} {}", head.method, routes::shown(&head), answer.status);
        counters.http_requests.add(1);
        self.stream.push(&answer.bytes(keep, head.method == "HEAD"));
        self.stream.flush().await?;
        Ok(keep)
    }

    /// Reads the head of the next request; `None` if there is none.
    async fn head(&mut self, is_first: bool) -> Result<Option<Head>, Fault> {
        let deadline = Instant::now() + limits::HTTP_HEAD_TIME;
        loop {
            // Looked at once for each line, not for each byte.
            let input = &self.stream.input;
            let is_worth_it = input.contains(&b'\n') || input.len() >= limits::HTTP_HEAD;
            if is_worth_it && let Some((head, length)) = Head::parse(input)? {
                self.stream.input = self.stream.input.split_off(length);
                return Ok(Some(head));
            }
            let admission = &self.admission;
            let ended = async {
                let bye = poll_fn(|cx| admission.poll_bye(cx)).await;
                Ok(Err(bye))
            };
            let filled = async { self.stream.fill(deadline).await.map(Ok) };
            match ended.or(filled).await {
                // Whoever is over a limit is told so, once it has said what it wants.
                Ok(Err(Bye::TooMany)) if self.stream.input.is_empty() => {
                    self.stream.fill(deadline).await?;
                    return Err(Denial::ended(Some(Bye::TooMany)).into());
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
