//! A connection to PostgreSQL: its protocol, version 3.0 (postgresql.org, "Frontend/Backend
//! Protocol"), as far as a store needs it.
//!
//! It blocks, as the threads that use it do, and gives up on an answer that does not come in time:
//! then the connection is lost, and nothing is known of what was asked last. Statements are prepared
//! when they are first used. Several can be sent before the first answer is read, so that many
//! lookups take one round trip.

use std::net::IpAddr;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::PgError;
use super::auth::authenticate;
use super::message::MessageStream;
use super::socket::PgSocket;
use super::value::{Param, PgRow};

/// Bytes that are sent before answers are read. The system takes as many even if the server does
/// not read, since it waits for its answers to be read.
const AHEAD: usize = 16 * 1024;

/// A statement with its parameters.
pub(super) type Statement<'a> = (&'static str, Vec<Param<'a>>);

/// A connection.
pub(super) struct PgConnection {
    stream: MessageStream,
    /// The numbers of the prepared statements.
    prepared: FxHashMap<&'static str, usize>,
    /// How many statements were ever prepared.
    named: usize,
    /// Answers that nobody waits for, and that have to be read before the next one.
    owed: usize,
    /// The place of its server in the URL.
    pub(super) server: usize,
}

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
            stream: MessageStream::new(socket),
            prepared: FxHashMap::default(),
            named: 0,
            owed: 0,
            server: 0,
        };
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for (name, value) in settings {
            for text in [name, value] {
                body.extend_from_slice(text.as_bytes());
                body.push(0);
            }
        }
        body.push(0);
        connection.stream.begin(&body)?;
        let user = settings.iter().find(|(name, _)| *name == "user").map_or("", |(_, user)| user);
        authenticate(&mut connection.stream, user, password)?;
        connection.answers(1)?;
        Ok(connection)
    }

    /// The address of this end.
    pub(super) fn local_address(&self) -> IpAddr {
        self.stream.local_address()
    }

    /// Gives up on an answer that takes longer than this.
    pub(super) fn patience(&mut self, time: Duration) -> Result<(), PgError> {
        self.stream.patience(time)
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
        if self.stream.unsent() >= AHEAD { self.end_ahead() } else { Ok(Vec::new()) }
    }

    /// Asks the questions that were added.
    pub(super) fn end_ahead(&mut self) -> Result<Vec<Vec<PgRow>>, PgError> {
        if self.stream.unsent() == 0 {
            return Ok(Vec::new());
        }
        self.sync();
        self.stream.flush()?;
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
        self.stream.flush()?;
        self.answers(1).map(|_| ())
    }

    /// The same without waiting for the answer, which nobody is interested in.
    pub(super) fn send(&mut self, sql: &str) -> Result<(), PgError> {
        self.ask(sql);
        self.owed += 1;
        self.stream.flush()
    }

    /// Whether a warning came with the last answer.
    pub(super) fn was_warned(&self) -> bool {
        self.stream.warned
    }

    fn ask(&mut self, sql: &str) {
        self.stream.message(b'Q', |out| {
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
            self.stream.message(b'P', |out| {
                name(out, number);
                out.extend_from_slice(sql.as_bytes());
                out.push(0);
                out.extend((params.len() as u16).to_be_bytes());
                params.iter().for_each(|param| out.extend(param.oid().to_be_bytes()));
            });
        }
        self.stream.message(b'B', |out| {
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
        self.stream.message(b'E', |out| out.extend([0; 5]));
    }

    fn sync(&mut self) {
        self.stream.message(b'S', |_| {});
    }

    /// Reads answers until the server is ready again, `more` times, after those that are owed.
    fn answers(&mut self, more: usize) -> Result<Vec<Vec<PgRow>>, PgError> {
        let (mut found, mut rows) = (Vec::new(), Vec::new());
        let mut failed = None;
        let mut left = self.owed + more;
        self.stream.warned = false;
        while left > 0 {
            let (tag, body) = match self.stream.next() {
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
                        self.stream.warned = false;
                    }
                }
                _ => {}
            }
        }
        failed.map_or(Ok(found), Err)
    }
}

/// Says goodbye, so that the server does not wait for more.
impl Drop for PgConnection {
    fn drop(&mut self) {
        self.stream.forget();
        self.stream.message(b'X', |_| {});
        // The connection may be lost.
        let _ = self.stream.flush();
    }
}

/// The name of a prepared statement.
fn name(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(number.to_string().as_bytes());
    out.push(0);
}
