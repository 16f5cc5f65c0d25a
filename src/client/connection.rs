//! One connection to a server: lines out, lines in, and commands with their answers.
//!
//! A connection that is lost is not mended here: that is the business of a caller and of a feed.

use std::io::{self, ErrorKind};
use std::time::Duration;

use smol::Timer;
use smol::future::FutureExt;
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::address::Address;
use super::dial::{self, Endpoint, Transport};
use super::failure::Failure;
use super::lines;
use crate::name::Handle;
use crate::wire::reply::Reply as Done;
use crate::wire::request::first_word;
use crate::wire::rows::{Bye, ByeLine, HelloLine};

/// For how long the greeting is waited for, dialling included, and for how long those who do not
/// wait for ever try to reach a server.
pub const REACH: Duration = Duration::from_secs(5);

/// An id above all that a server gives: `SYNC` after it shows nothing, and tells the newest.
const ABOVE_ALL: u64 = i64::MAX as u64;

/// For how long an answer is waited for. A server may hold a log-in or a message back for 5
/// seconds, by its brake and its limits; three times as long is silence.
pub const ANSWER: Duration = Duration::from_secs(15);

/// After how long without a greeting a server is asked whether it speaks TLS.
const GREETED: Duration = Duration::from_secs(1);

/// Blank lines, as many bytes as a record of TLS needs to be known for none.
const BLANK: &[u8] = b"\n\n\n\n\n\n\n\n\n\n\n\n";

/// The type of a record by which TLS refuses (RFC 8446, section 5.1).
const TLS_ALERT: u8 = 21;
const SPEAKS_TLS: &str = "it speaks TLS there";

/// Bytes in a line of the server's at most; PROTOCOL.md says that this is enough.
const LINE: usize = 160 * 1024;

/// A connection that was greeted.
pub struct Connection {
    stream: BufReader<Box<dyn Transport>>,
    /// The beginning of a line that has not come to its end.
    part: Vec<u8>,
    /// What is still to be sent.
    unsent: Vec<u8>,
    /// Why the server is about to close, once it has said so.
    bye: Option<String>,
}

/// The answer to a command that was not refused.
#[derive(Debug)]
pub struct Success {
    /// The rows, in the order in which they came.
    pub rows: Vec<String>,
    /// The `OK` line.
    pub ok: String,
}

impl Success {
    /// What the `OK` line says.
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
            Done::Sent { id, .. } => Ok(id.number()),
            _ => Err(self.unexpected()),
        }
    }

    /// The token that was made.
    ///
    /// # Errors
    /// `Lost`: it is the answer to something else.
    pub fn token(&self) -> Result<String, Failure> {
        match self.done()? {
            Done::TokenMade { token, .. } => Ok(token.into()),
            _ => Err(self.unexpected()),
        }
    }

    /// Whether the bounds of a `HIST` hold more entries than were shown.
    pub fn has_more(&self) -> bool {
        matches!(self.done(), Ok(Done::Listed { more: true, .. }))
    }

    fn unexpected(&self) -> Failure {
        Failure::Lost(format!("the server answers {:?}", self.ok))
    }
}

impl Connection {
    /// Dials and reads the greeting, within [`REACH`].
    ///
    /// # Errors
    /// `Lost`; `Wrong`; `Busy`.
    pub async fn open(server: &Endpoint) -> Result<Connection, Failure> {
        let address = &server.address;
        let greeted = async {
            let stream = dial::dial(server).await.map_err(unreached)?;
            let mut connection = Connection {
                stream: BufReader::with_capacity(65_536, stream),
                part: Vec::new(),
                unsent: Vec::new(),
                bye: None,
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
                    if why == SPEAKS_TLS { format!(": tls:{address}") } else { String::new() };
                Err(Failure::Wrong(format!("{address}: {why}{hint}")))
            }
            Err(Failure::Busy(why)) => Err(Failure::Busy(format!("{address}: {why}"))),
            other => other,
        }
    }

    /// Waits for the first byte. A server that speaks TLS waits, too, for a client that begins; so
    /// after a while it is sent blank lines, which this protocol ignores and TLS refuses.
    async fn must_be_plain(&mut self) -> Result<(), Failure> {
        let silence = async {
            Timer::after(GREETED).await;
            Ok(None)
        };
        let first = async { self.stream.fill_buf().await.map(|some| some.first().copied()) };
        // What is here stays there to be read, and the end of it, too.
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

    /// Logs in. A `quiet` session gets replies and no events.
    ///
    /// # Errors
    /// `Secret` where the secret is refused; else as [`Connection::ask`].
    pub async fn login(
        &mut self,
        handle: &Handle,
        secret: &str,
        quiet: bool,
    ) -> Result<(), Failure> {
        let quiet = if quiet { " quiet" } else { "" };
        match self.ask(&format!("LOGIN {handle} {secret}{quiet}"), ANSWER).await {
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

    /// Notes down a line, given without its end, that the next [`Connection::flush`] sends.
    pub fn queue(&mut self, line: &str) {
        self.unsent.extend_from_slice(line.as_bytes());
        self.unsent.push(b'\n');
    }

    /// Sends what is noted down. Where this is given up on half-way, the next call goes on.
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

    /// Says a command and waits for its answer, for each line of it for `patience` at most. Events that come before it
    /// are passed over, so this is for a session that is quiet or does not care.
    ///
    /// # Errors
    /// `Refused`; `Lost`, also where nothing came in time.
    pub async fn ask(&mut self, command: &str, patience: Duration) -> Result<Success, Failure> {
        if let Err(e) = within(patience, self.say(command)).await {
            return Err(self.last_word().await.unwrap_or(e));
        }
        self.reply(patience).await
    }

    /// Says commands that change nothing the second time, and waits for all their answers. A refusal
    /// of one does not concern the others, unless it is one that passes by itself.
    ///
    /// # Errors
    /// `Refused`, by a refusal that passes: some were not carried out. `Lost`.
    pub async fn ask_all(&mut self, commands: &[String]) -> Result<(), Failure> {
        for command in commands {
            self.queue(command);
        }
        within(ANSWER, self.flush()).await?;
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

    /// The newest id of the service, 0 where there is none.
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

    /// The answer to the next command that was said.
    async fn reply(&mut self, patience: Duration) -> Result<Success, Failure> {
        let mut rows = Vec::new();
        loop {
            // A long answer over a slow line is no silence.
            let line = within(patience, self.next_line()).await?;
            match first_word(&line) {
                "OK" => return Ok(Success { rows, ok: line }),
                "ERR" => return Err(Failure::Refused(line)),
                "BYE" => return Err(said_bye(line[3..].trim())),
                "MSG" | "GROUP" | "ACK" | "READ" | "LIVE" => {}
                _ => rows.push(line),
            }
        }
    }

    /// Why the server has closed a connection that takes no more, if it has said so before.
    async fn last_word(&mut self) -> Option<Failure> {
        while within(GREETED, self.next_line()).await.is_ok() {}
        self.bye.as_deref().map(said_bye)
    }

    /// The next line, without its end. Nothing is lost where this is given up on half-way.
    ///
    /// # Errors
    /// `Lost`, also for a line that no server of this protocol sends: too long, not UTF-8, or with
    /// control characters, by which a terminal could be attacked.
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
                return unfit("a line without an end");
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

    /// Whether another line is here already.
    pub fn has_line(&self) -> bool {
        self.stream.buffer().contains(&b'\n')
    }

    /// What came behind the last line, and the stream itself, for whoever goes on by bytes.
    pub(super) fn into_parts(self) -> (Vec<u8>, Box<dyn Transport>) {
        let rest = [&self.part, self.stream.buffer()].concat();
        (rest, self.stream.into_inner())
    }
}

/// What a `BYE` means to whoever wanted to go on.
pub(super) fn said_bye(reason: &str) -> Failure {
    let known = Bye::new(reason);
    let meaning = match known {
        Some(Bye::NeedTls) => return Failure::Wrong(SPEAKS_TLS.to_owned()),
        Some(Bye::TooMany) => {
            "it has too many connections: in all, from this address, or of this account"
        }
        Some(Bye::Kicked) => {
            "an operator ended the session, or its password or token was changed or deleted"
        }
        Some(Bye::LoginTimeout) => "nobody logged in over this connection in time",
        Some(Bye::Idle) => "nothing was sent to it for too long",
        Some(Bye::Stalled) => "what it sent was not read for too long",
        _ => "",
    };
    let colon = if meaning.is_empty() { "" } else { ": " };
    let why = format!("the server says BYE {reason}{colon}{meaning}");
    if known == Some(Bye::TooMany) { Failure::Busy(why) } else { Failure::Lost(why) }
}

fn lost(e: io::Error) -> Failure {
    match e.kind() {
        // By TLS: without a word that this was all.
        ErrorKind::UnexpectedEof => Failure::Lost("the connection was cut".to_owned()),
        _ => Failure::Lost(e.to_string()),
    }
}

/// Why a server was not reached. Of these kinds is what TLS says of a server, and what is wrong here.
fn unreached(e: io::Error) -> Failure {
    match e.kind() {
        ErrorKind::InvalidData | ErrorKind::Other => Failure::Wrong(e.to_string()),
        _ => lost(e),
    }
}

/// What takes longer is lost.
async fn within<T>(
    patience: Duration,
    what: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let silence = async {
        Timer::after(patience).await;
        Err(Failure::Lost(format!("the server is silent for {} seconds", patience.as_secs())))
    };
    what.or(silence).await
}
