//! A connection to PostgreSQL: its protocol, version 3.0 (postgresql.org, "Frontend/Backend
//! Protocol"), as far as a store needs it.
//!
//! It blocks, as the threads that use it do, and gives up on an answer that does not come in time:
//! then the connection is lost, and nothing is known of what was asked last. Statements are prepared
//! when they are first used. Several can be sent before the first answer is read, so that many
//! lookups take one round trip.

use std::io::{Read, Write};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::PgError;
use super::auth::authenticate;
use super::failure::is_warning;
use super::socket::PgSocket;
use super::value::{Param, PgRow, length};

/// Bytes that are sent before answers are read. The system takes as many even if the server does
/// not read, since it waits for its answers to be read.
const AHEAD: usize = 16 * 1024;

/// A statement with its parameters.
pub(super) type Statement<'a> = (&'static str, Vec<Param<'a>>);

/// A connection.
pub(super) struct PgConnection {
    socket: PgSocket,
    /// Received and not looked at yet, from `at` on.
    input: Vec<u8>,
    at: usize,
    output: Vec<u8>,
    /// The numbers of the prepared statements.
    prepared: FxHashMap<&'static str, usize>,
    /// How many statements were ever prepared.
    named: usize,
    /// Answers that nobody waits for, and that have to be read before the next one.
    owed: usize,
    /// A warning came with the last answer.
    warned: bool,
}

/// What a message from the server is.
type PgMessage = (u8, Vec<u8>);

impl PgConnection {
    /// Introduces itself on a new socket. `settings` are those of the session, the user and the
    /// database among them.
    ///
    /// # Errors
    /// The server refuses, or the connection is lost.
    pub(super) fn start(
        socket: PgSocket,
        settings: &[(&str, &str)],
        password: Option<&str>,
    ) -> Result<PgConnection, PgError> {
        let mut connection = PgConnection {
            socket,
            input: Vec::new(),
            at: 0,
            output: Vec::new(),
            prepared: FxHashMap::default(),
            named: 0,
            owed: 0,
            warned: false,
        };
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for (name, value) in settings {
            for text in [name, value] {
                body.extend_from_slice(text.as_bytes());
                body.push(0);
            }
        }
        body.push(0);
        connection.output.extend(length(body.len() + 4));
        connection.output.extend(body);
        connection.flush()?;
        let user = settings.iter().find(|(name, _)| *name == "user").map_or("", |(_, user)| user);
        authenticate(&mut connection, user, password)?;
        connection.answers(1)?;
        Ok(connection)
    }

    /// Gives up on an answer that takes longer than this.
    pub(super) fn patience(&mut self, time: Duration) -> Result<(), PgError> {
        self.socket.patience(time).map_err(PgError::lost)
    }

    /// Asks one question.
    pub(super) fn query(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<PgRow>, PgError> {
        self.add(sql, params);
        Ok(self.end_ahead()?.pop().unwrap_or_default())
    }

    /// Asks several questions at once; returns the rows of each.
    pub(super) fn queries(&mut self, all: &[Statement]) -> Result<Vec<Vec<PgRow>>, PgError> {
        let mut found = Vec::with_capacity(all.len());
        for (sql, params) in all {
            found.extend(self.add_ahead(sql, params)?);
        }
        found.extend(self.end_ahead()?);
        Ok(found)
    }

    /// Adds a question to those that are asked next, and asks them if they are many. Returns the
    /// rows of each that was asked.
    pub(super) fn add_ahead(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Vec<PgRow>>, PgError> {
        self.add(sql, params);
        if self.output.len() >= AHEAD { self.end_ahead() } else { Ok(Vec::new()) }
    }

    /// Asks the questions that were added.
    pub(super) fn end_ahead(&mut self) -> Result<Vec<Vec<PgRow>>, PgError> {
        if self.output.is_empty() {
            return Ok(Vec::new());
        }
        self.sync();
        self.flush()?;
        let answers = self.answers(1);
        if answers.is_err() {
            // It is not known which statements were prepared. They are prepared again, under other
            // names.
            self.prepared.clear();
        }
        answers
    }

    /// Runs statements without parameters, all of them or none, and without their rows.
    pub(super) fn execute(&mut self, sql: &str) -> Result<(), PgError> {
        self.ask(sql);
        self.flush()?;
        self.answers(1).map(|_| ())
    }

    /// The same without waiting for the answer, which nobody is interested in.
    pub(super) fn send(&mut self, sql: &str) -> Result<(), PgError> {
        self.ask(sql);
        self.owed += 1;
        self.flush()
    }

    /// Whether a warning came with the last answer.
    pub(super) fn was_warned(&self) -> bool {
        self.warned
    }

    fn ask(&mut self, sql: &str) {
        self.message(b'Q', |out| {
            out.extend_from_slice(sql.as_bytes());
            out.push(0);
        });
    }

    /// Adds a statement to what is sent next, preparing it if it is new.
    fn add(&mut self, sql: &'static str, params: &[Param]) {
        let known = self.prepared.get(sql).copied();
        let number = known.unwrap_or(self.named);
        if known.is_none() {
            self.named += 1;
            self.prepared.insert(sql, number);
            self.message(b'P', |out| {
                name(out, number);
                out.extend_from_slice(sql.as_bytes());
                out.push(0);
                out.extend((params.len() as u16).to_be_bytes());
                params.iter().for_each(|param| out.extend(param.oid().to_be_bytes()));
            });
        }
        self.message(b'B', |out| {
            // The portal has no name.
            out.push(0);
            name(out, number);
            // One format, binary, for all parameters.
            out.extend([0, 1, 0, 1]);
            out.extend((params.len() as u16).to_be_bytes());
            params.iter().for_each(|param| param.put(out));
            // And for all columns.
            out.extend([0, 1, 0, 1]);
        });
        // The unnamed portal, all rows.
        self.message(b'E', |out| out.extend([0; 5]));
    }

    fn sync(&mut self) {
        self.message(b'S', |_| {});
    }

    /// Adds a message to what is sent next.
    pub(super) fn message(&mut self, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
        self.output.push(tag);
        let start = self.output.len();
        self.output.extend([0; 4]);
        body(&mut self.output);
        let bytes = length(self.output.len() - start);
        self.output[start..start + 4].copy_from_slice(&bytes);
    }

    pub(super) fn flush(&mut self) -> Result<(), PgError> {
        let sent = self.socket.write_all(&self.output).and_then(|()| self.socket.flush());
        self.output.clear();
        sent.map_err(PgError::lost)
    }

    /// Reads answers until the server is ready again, `more` times, after those that are owed.
    fn answers(&mut self, more: usize) -> Result<Vec<Vec<PgRow>>, PgError> {
        let (mut found, mut rows) = (Vec::new(), Vec::new());
        let mut failed = None;
        let mut left = self.owed + more;
        self.warned = false;
        while left > 0 {
            let (tag, body) = match self.next() {
                // A server says why before it closes the connection.
                Err(PgError::Lost(_)) if failed.is_some() && self.owed == 0 => break,
                next => next?,
            };
            match tag {
                b'D' => {
                    let row = PgRow::parse(&body);
                    rows.push(row.ok_or_else(|| PgError::Odd("a row is cut short".into()))?);
                }
                b'C' | b'I' => found.push(std::mem::take(&mut rows)),
                b'E' => {
                    let e = PgError::parse(&body);
                    // Where the server ends the connection it does not become ready again.
                    if e.is_lost() {
                        return Err(e);
                    }
                    failed = failed.or(Some(e));
                }
                b'Z' => {
                    left -= 1;
                    if self.owed > 0 {
                        self.owed -= 1;
                        found.clear();
                        failed = None;
                        self.warned = false;
                    }
                }
                _ => {}
            }
        }
        failed.map_or(Ok(found), Err)
    }

    /// The next message, after those that may come at any time.
    pub(super) fn next(&mut self) -> Result<PgMessage, PgError> {
        loop {
            let (tag, body) = self.read()?;
            match tag {
                b'N' => {
                    let notice = PgError::parse(&body);
                    log::debug!("PostgreSQL says: {notice}");
                    self.warned |= is_warning(&body);
                }
                // A setting was reported, or a notification sent.
                b'S' | b'A' => {}
                _ => return Ok((tag, body)),
            }
        }
    }

    fn read(&mut self) -> Result<PgMessage, PgError> {
        loop {
            let rest = &self.input[self.at..];
            if let [tag, a, b, c, d, rest @ ..] = rest {
                // The length counts itself.
                let bytes = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                let bytes = bytes.checked_sub(4).ok_or(PgError::Odd("a message is odd".into()))?;
                if let Some(body) = rest.get(..bytes) {
                    let message = (*tag, body.to_vec());
                    self.at += 5 + bytes;
                    return Ok(message);
                }
            }
            self.input.drain(..self.at);
            self.at = 0;
            let mut buffer = [0; 16 * 1024];
            match self.socket.read(&mut buffer).map_err(PgError::lost)? {
                0 => return Err(PgError::Lost("the server has closed the connection".into())),
                n => self.input.extend_from_slice(&buffer[..n]),
            }
        }
    }
}

/// Says goodbye, so that the server does not wait for more.
impl Drop for PgConnection {
    fn drop(&mut self) {
        self.output.clear();
        self.message(b'X', |_| {});
        // The connection may be lost.
        let _ = self.flush();
    }
}

/// The name of a prepared statement.
fn name(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(number.to_string().as_bytes());
    out.push(0);
}
