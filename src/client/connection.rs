//! One connection to a server: lines out, lines in, and commands with their answers. It does not
//! reconnect: a caller and a feed do.

use std::io::{self, ErrorKind};
use std::time::Duration;

use smol::Timer;
use smol::future::FutureExt;
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::address::Address;
use super::dial::{self, Endpoint, FirstAddress, Transport};
use super::failure::Failure;
use super::lines;
use crate::wire::reply::Reply as Done;
use crate::wire::request::Events;
use crate::wire::request::first_word;
use crate::wire::rows::{Bye, ByeLine, HelloLine};

/// Time limit for dialling and the greeting, and for reaching a server at all if patience is
/// limited.
pub const REACH: Duration = Duration::from_secs(5);

/// Delay until the next address of a server is tried in parallel. A node that answers does so sooner,
/// but for one far away.
const NEXT_SERVER: Duration = Duration::from_secs(1);

/// Above every id of a server: `SYNC` after it has no rows, and its reply names the newest id.
const ABOVE_ALL: u64 = i64::MAX as u64;

/// Time limit for an answer. A server may delay a login or a message by 5 seconds (its brake and
/// its limits); three times as long counts as silence.
pub const ANSWER: Duration = Duration::from_secs(15);

/// Time without a greeting after which a server is probed for TLS.
const GREETED: Duration = Duration::from_secs(1);

/// Blank lines, enough bytes for a TLS server to see that they are no TLS record.
const BLANK: &[u8] = b"\n\n\n\n\n\n\n\n\n\n\n\n";

/// The record type of a TLS alert (RFC 8446, section 5.1).
const TLS_ALERT: u8 = 21;
const SPEAKS_TLS: &str = "the server speaks TLS";

/// Most bytes in a line from the server, as promised in PROTOCOL.md.
const LINE: usize = 160 * 1024;

/// A connection past the greeting.
pub struct Connection {
    stream: BufReader<Box<dyn Transport>>,
    /// The beginning of an incomplete line.
    part: Vec<u8>,
    /// Bytes still to be sent.
    unsent: Vec<u8>,
    /// The reason in the last line, if that was a `BYE`.
    bye: Option<String>,
    place: AddressInUse,
}

/// Which of the server's addresses a connection leads to.
#[derive(Clone)]
struct AddressInUse {
    first: FirstAddress,
    place: usize,
}

impl AddressInUse {
    /// As [`within`]. If that takes longer, another address is tried first from now on.
    async fn within<T>(
        &self,
        patience: Duration,
        what: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let silence = async {
            Timer::after(patience).await;
            self.first.leave(self.place);
            Err(silent(patience))
        };
        what.or(silence).await
    }
}

/// The answer to a command that was not refused.
#[derive(Debug)]
pub struct Success {
    /// In the order in which they came.
    pub rows: Vec<String>,
    /// The `OK` line.
    pub ok: String,
}

impl Success {
    /// The parsed `OK` line.
    ///
    /// # Errors
    /// `Lost`: the server does not speak this protocol.
    pub fn done(&self) -> Result<Done, Failure> {
        Done::parse(&self.ok).ok_or_else(|| self.unexpected())
    }

    /// The id that the server gave to a message.
    ///
    /// # Errors
    /// `Lost`: it is the answer to something else.
    pub fn sent(&self) -> Result<u64, Failure> {
        match self.done()? {
            Done::Sent { id, .. } | Done::FileSent { id, .. } => Ok(id.number()),
            _ => Err(self.unexpected()),
        }
    }

    /// The new token.
    ///
    /// # Errors
    /// `Lost`: it is the answer to something else.
    pub fn token(&self) -> Result<String, Failure> {
        match self.done()? {
            Done::TokenMade { token, .. } => Ok(token.into()),
            _ => Err(self.unexpected()),
        }
    }

    /// Whether the bounds of a `HIST` hold more entries than were returned.
    pub fn has_more(&self) -> bool {
        matches!(self.done(), Ok(Done::Listed { more: true, .. }))
    }

    /// The failure that an answer to something else means.
    pub fn unexpected(&self) -> Failure {
        Failure::Lost(format!("unexpected answer {:?}", self.ok))
    }
}

impl Connection {
    /// Dials and reads the greeting. Each address has [`REACH`] for that; the next one is tried once
    /// that fails or takes longer than a second.
    ///
    /// # Errors
    /// `Lost`; `Busy` if one has no room for now; the first `Wrong`, if there is one.
    pub async fn open(server: &Endpoint) -> Result<Connection, Failure> {
        let tries = server.in_order().map(|at| Box::pin(Connection::open_at(server, at)) as _);
        let failed = match dial::first_to_succeed(tries, NEXT_SERVER).await {
            Ok(connection) => return Ok(connection),
            Err(failed) => failed,
        };
        let (mut whys, mut is_busy) = (Vec::new(), false);
        for failure in failed {
            is_busy |= matches!(failure, Failure::Busy(_));
            match failure {
                Failure::Lost(why) | Failure::Busy(why) => whys.push(why),
                other => return Err(other),
            }
        }
        let why = whys.join("; ");
        Err(if is_busy { Failure::Busy(why) } else { Failure::Lost(why) })
    }

    async fn open_at(
        server: &Endpoint,
        (place, address): (usize, &Address),
    ) -> Result<Connection, Failure> {
        let greeted = async {
            let stream = dial::dial(server, address).await.map_err(unreached)?;
            let mut connection = Connection {
                stream: BufReader::with_capacity(65_536, stream),
                part: Vec::new(),
                unsent: Vec::new(),
                bye: None,
                place: AddressInUse { first: server.first.clone(), place },
            };
            if let Address::Tcp(_) = address {
                connection.must_be_plain().await?;
            }
            let hello = connection.next_line().await?;
            if let Some(bye) = ByeLine::parse(&hello) {
                return Err(said_bye(bye.reason));
            }
            match HelloLine::parse(&hello) {
                Some(HelloLine { protocol: HelloLine::PROTOCOL, .. }) => Ok(connection),
                _ => Err(Failure::Lost(format!("its greeting is {hello:?}"))),
            }
        };
        match within(REACH, greeted).await {
            Err(Failure::Lost(why)) => Err(Failure::Lost(format!("{address}: {why}"))),
            Err(Failure::Wrong(why)) => {
                let hint =
                    if why == SPEAKS_TLS { format!("; use tls:{address}") } else { String::new() };
                Err(Failure::Wrong(format!("{address}: {why}{hint}")))
            }
            Err(Failure::Busy(why)) => Err(Failure::Busy(format!("{address}: {why}"))),
            other => other,
        }
    }

    /// Waits for the first byte. A TLS server waits for the client to begin, so after [`GREETED`]
    /// it is sent blank lines, which this protocol ignores and TLS rejects with an alert.
    async fn must_be_plain(&mut self) -> Result<(), Failure> {
        let silence = async {
            Timer::after(GREETED).await;
            Ok(None)
        };
        let first = async { self.stream.fill_buf().await.map(|some| some.first().copied()) };
        // Whatever has arrived, even the end of the stream, stays to be read.
        let mut first = first.or(silence).await.map_err(lost)?;
        if first.is_none() && self.stream.buffer().is_empty() {
            self.stream.get_mut().write_all(BLANK).await.map_err(lost)?;
            first = self.stream.fill_buf().await.map_err(lost)?.first().copied();
        }
        if first == Some(TLS_ALERT) {
            return Err(Failure::Wrong(SPEAKS_TLS.to_owned()));
        }
        Ok(())
    }

    /// Logs in to a session that is sent these events, as `name`: a handle, and a device after a
    /// slash if it is one.
    ///
    /// # Errors
    /// `Secret` if the secret is refused; else as [`Connection::ask`].
    pub async fn login(&mut self, name: &str, secret: &str, events: Events) -> Result<(), Failure> {
        let word = match events {
            Events::All => "",
            Events::Quiet => " quiet",
            Events::Watch => " watch",
        };
        match self.ask(&format!("LOGIN {name} {secret}{word}"), ANSWER).await {
            Ok(_) => Ok(()),
            Err(Failure::Refused(line)) if lines::code(&line) == "wrong-secret" => {
                Err(Failure::Secret(line))
            }
            Err(e) => Err(e),
        }
    }

    /// Sends one line, given without its end.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn say(&mut self, line: &str) -> Result<(), Failure> {
        self.queue(line);
        self.flush().await
    }

    /// Queues a line, given without its end, for the next [`Connection::flush`].
    pub fn queue(&mut self, line: &str) {
        self.unsent.extend_from_slice(line.as_bytes());
        self.unsent.push(b'\n');
    }

    /// Sends queued lines. Cancel-safe: the next call goes on.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn flush(&mut self) -> Result<(), Failure> {
        while !self.unsent.is_empty() {
            match self.stream.get_mut().write(&self.unsent).await.map_err(lost)? {
                0 => return Err(Failure::Lost("the server has stopped reading".to_owned())),
                n => drop(self.unsent.drain(..n)),
            }
        }
        self.stream.get_mut().flush().await.map_err(lost)
    }

    /// Sends a command and waits for its answer, up to `patience` for each line. Events in between
    /// are dropped, so this is for sessions that are quiet or ignore events.
    ///
    /// # Errors
    /// `Refused`; `Lost`, also on a timeout.
    pub async fn ask(&mut self, command: &str, patience: Duration) -> Result<Success, Failure> {
        if let Err(e) = self.place.clone().within(patience, self.say(command)).await {
            return Err(self.last_word().await.unwrap_or(e));
        }
        self.reply(patience).await
    }

    /// Sends commands that may safely be repeated, and waits for all answers. Refusals are ignored,
    /// except temporary ones.
    ///
    /// # Errors
    /// `Refused` with a temporary refusal: some were not carried out. `Lost`.
    pub async fn ask_all(&mut self, commands: &[String]) -> Result<(), Failure> {
        for command in commands {
            self.queue(command);
        }
        self.place.clone().within(ANSWER, self.flush()).await?;
        let mut failed = Ok(());
        for _ in commands {
            match self.reply(ANSWER).await {
                Err(Failure::Refused(line)) if !lines::is_passing(&line) => {}
                Err(Failure::Refused(line)) => failed = Err(Failure::Refused(line)),
                answered => drop(answered?),
            }
        }
        failed
    }

    /// The newest id of the service, 0 if there is none.
    ///
    /// # Errors
    /// `Refused`, `Lost`.
    pub async fn newest(&mut self) -> Result<u64, Failure> {
        let reply = self.ask(&format!("SYNC {ABOVE_ALL}"), ANSWER).await?;
        match reply.done()? {
            Done::Synced { last, .. } => Ok(last.number()),
            _ => Err(reply.unexpected()),
        }
    }

    /// The same, with each row given to `each` as it comes, so that the answer may have any length.
    /// Returns the `OK` line.
    ///
    /// # Errors
    /// As [`Connection::ask`]; or that of `each`, and then the connection is of no further use.
    pub async fn ask_for_rows(
        &mut self,
        command: &str,
        patience: Duration,
        each: impl FnMut(String) -> Result<(), Failure>,
    ) -> Result<String, Failure> {
        if let Err(e) = self.place.clone().within(patience, self.say(command)).await {
            return Err(self.last_word().await.unwrap_or(e));
        }
        self.answer(patience, each).await
    }

    /// Sends queued lines, within `patience`.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn flush_within(&mut self, patience: Duration) -> Result<(), Failure> {
        match self.place.clone().within(patience, self.flush()).await {
            Ok(()) => Ok(()),
            Err(e) => Err(self.last_word().await.unwrap_or(e)),
        }
    }

    /// The answer to the oldest unanswered command.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub async fn reply(&mut self, patience: Duration) -> Result<Success, Failure> {
        let mut rows = Vec::new();
        let each = |row| {
            rows.push(row);
            Ok(())
        };
        let ok = self.answer(patience, each).await?;
        Ok(Success { rows, ok })
    }

    async fn answer(
        &mut self,
        patience: Duration,
        mut each: impl FnMut(String) -> Result<(), Failure>,
    ) -> Result<String, Failure> {
        let place = self.place.clone();
        loop {
            // The limit is per line: a long answer over a slow network is no silence.
            let line = place.within(patience, self.next_line()).await?;
            match first_word(&line) {
                "OK" => return Ok(line),
                "ERR" => return Err(Failure::Refused(line)),
                "BYE" => {
                    self.leave();
                    return Err(said_bye(line[3..].trim()));
                }
                "MSG" | "GROUP" | "EDIT" | "DEL" | "REACT" | "GONE" | "ACK" | "READ" | "LIVE" => {}
                _ => each(line)?,
            }
        }
    }

    /// After a failed write: the reason that the server gave before it closed the connection, if
    /// any.
    async fn last_word(&mut self) -> Option<Failure> {
        while within(GREETED, self.next_line()).await.is_ok() {}
        self.bye.as_deref().map(said_bye)
    }

    /// The next line, without its end. Cancel-safe.
    ///
    /// # Errors
    /// `Lost`, also for a line that no server of this protocol sends: too long, not UTF-8, or with
    /// control characters, which could attack a terminal.
    pub async fn next_line(&mut self) -> Result<String, Failure> {
        loop {
            let some = self.stream.fill_buf().await.map_err(lost)?;
            if some.is_empty() {
                let closed = || Failure::Lost("the server has closed the connection".to_owned());
                return Err(self.bye.as_deref().map_or_else(closed, said_bye));
            }
            let end = memchr::memchr(b'\n', some);
            let length = end.map_or(some.len(), |at| at + 1);
            self.part.extend_from_slice(&some[..length]);
            self.stream.consume(length);
            let unfit = |what| Err(Failure::Lost(format!("the server sends {what}")));
            if self.part.len() > LINE {
                return unfit("a line that is too long");
            }
            if end.is_some() {
                self.part.pop();
                return match String::from_utf8(std::mem::take(&mut self.part)) {
                    Ok(line) if line.chars().any(|c| c.is_control() && c != '\t') => {
                        unfit("control characters")
                    }
                    Ok(line) => {
                        self.bye = ByeLine::parse(&line).map(|bye| bye.reason.to_owned());
                        Ok(line)
                    }
                    Err(_) => unfit("something that is not UTF-8"),
                };
            }
        }
    }

    /// No answer comes over it, so another address of the server is tried first from now on.
    pub fn leave(&self) {
        self.place.first.leave(self.place.place);
    }

    /// Whether that was its last line.
    pub fn has_ended_with(&self, bye: Bye) -> bool {
        self.bye.as_deref() == Some(bye.as_str())
    }

    /// Whether another whole line is already buffered.
    pub fn has_line(&self) -> bool {
        self.stream.buffer().contains(&b'\n')
    }

    /// The bytes after the last line, and the stream, to go on byte by byte.
    pub(super) fn into_parts(self) -> (Vec<u8>, Box<dyn Transport>) {
        let rest = [&self.part, self.stream.buffer()].concat();
        (rest, self.stream.into_inner())
    }
}

/// The failure that an unexpected `BYE` means.
pub(super) fn said_bye(reason: &str) -> Failure {
    let known = Bye::new(reason);
    let meaning = match known {
        Some(Bye::NeedTls) => return Failure::Wrong(SPEAKS_TLS.to_owned()),
        Some(Bye::TooMany) => {
            "too many connections: in total, from this address or of this account"
        }
        Some(Bye::Unavailable) => "it does not reach its database",
        Some(Bye::Kicked) => {
            "an operator disconnected the session, or its password or token was changed or deleted"
        }
        Some(Bye::LoginTimeout) => "nobody logged in over this connection in time",
        Some(Bye::Idle) => "nothing was sent for too long",
        Some(Bye::Stalled) => "its output was not read for too long",
        _ => "",
    };
    let colon = if meaning.is_empty() { "" } else { ": " };
    let why = format!("the server says BYE {reason}{colon}{meaning}");
    match known {
        // It is there, so it deserves more than a server that is not.
        Some(Bye::TooMany | Bye::Unavailable) => Failure::Busy(why),
        _ => Failure::Lost(why),
    }
}

fn lost(e: io::Error) -> Failure {
    match e.kind() {
        // TLS: the stream ended without a close_notify.
        ErrorKind::UnexpectedEof => Failure::Lost("the connection was cut".to_owned()),
        _ => Failure::Lost(e.to_string()),
    }
}

/// Why a server was not reached. Certificate and TLS errors, and local ones, have these kinds.
fn unreached(e: io::Error) -> Failure {
    match e.kind() {
        ErrorKind::InvalidData | ErrorKind::Other => Failure::Wrong(e.to_string()),
        _ => lost(e),
    }
}

/// `Lost` if `what` takes longer than `patience`.
async fn within<T>(
    patience: Duration,
    what: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let silence = async {
        Timer::after(patience).await;
        Err(silent(patience))
    };
    what.or(silence).await
}

fn silent(patience: Duration) -> Failure {
    Failure::Lost(format!("the server was silent for {} seconds", patience.as_secs()))
}
