//! The messages of PostgreSQL's protocol: a tag, a length and a body, both ways over one stream.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::time::Duration;

use super::PgError;
use super::failure::is_warning;
use super::socket::PgSocket;
use super::value::length;

/// What a message from the server is.
type PgMessage = (u8, Vec<u8>);

/// A stream of messages.
pub(super) struct MessageStream {
    socket: PgSocket,
    /// Received and not looked at yet, from `at` on.
    input: Vec<u8>,
    at: usize,
    output: Vec<u8>,
    /// A warning has come.
    pub(super) warned: bool,
}

impl MessageStream {
    pub(super) fn new(socket: PgSocket) -> MessageStream {
        MessageStream { socket, input: Vec::new(), at: 0, output: Vec::new(), warned: false }
    }

    /// Sends the first message, which has no tag.
    pub(super) fn begin(&mut self, body: &[u8]) -> Result<(), PgError> {
        self.output.extend(length(body.len() + 4));
        self.output.extend_from_slice(body);
        self.flush()
    }

    pub(super) fn local_address(&self) -> IpAddr {
        self.socket.local_address()
    }

    /// Gives up on a message that takes longer than this.
    pub(super) fn patience(&mut self, time: Duration) -> Result<(), PgError> {
        self.socket.patience(time).map_err(PgError::lost)
    }

    /// How many bytes are sent next.
    pub(super) fn unsent(&self) -> usize {
        self.output.len()
    }

    /// Sends nothing of that.
    pub(super) fn forget(&mut self) {
        self.output.clear();
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
