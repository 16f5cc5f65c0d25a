//! One connection's TLS (1.2 and 1.3, by rustls on ring).
//!
//! rustls is used without an async wrapper: it holds bytes and no socket, which suits a session
//! that waits in one place for readiness and then reads and writes without blocking.

use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;

use super::certificates::Certificates;
use super::socket::{Socket, now};
use crate::wire::rows::Bye;

/// The first byte of every TLS connection: a record of the handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 0x16;

/// The most plaintext that one read of the socket can add: a record of 16 KiB, and one that was
/// incomplete before. A read only begins with more room than this, so that no data stays in rustls,
/// where the socket's readiness would not announce it.
const MARGIN: usize = 2 * 16_384;

/// One connection's TLS.
pub(super) struct Tls {
    connection: ServerConnection,
    /// Bytes given to rustls and not yet reported as written.
    taken: usize,
    /// rustls may hold plaintext that has not been read.
    has_unread: bool,
    /// Nothing has been received yet.
    untouched: bool,
}

impl Tls {
    pub(super) fn accept(certificates: &Certificates) -> io::Result<Tls> {
        let connection = ServerConnection::new(certificates.config()).map_err(io::Error::other)?;
        Ok(Tls { connection, taken: 0, has_unread: false, untouched: true })
    }

    pub(super) fn has_unread(&self) -> bool {
        self.has_unread
    }

    /// An upper bound of the plaintext that has not been read.
    pub(super) fn unread(&self) -> usize {
        if self.has_unread { MARGIN } else { 0 }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn is_owing(&self) -> bool {
        self.connection.wants_write()
    }

    /// Reads from the socket into rustls: 0 at the end of the input, `None` if there is nothing
    /// now.
    fn take_in(&mut self, socket: &Socket) -> io::Result<Option<usize>> {
        let mut first = FirstByte { socket, byte: None };
        let read = now(self.connection.read_tls(&mut first))?;
        if self.untouched && first.byte.is_some_and(|byte| byte != HANDSHAKE) {
            return Err(say_need_tls(socket));
        }
        self.untouched &= first.byte.is_none();
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.has_unread |= state.plaintext_bytes_to_read() > 0 || state.peer_has_closed();
                Ok(read)
            }
            Err(e) => {
                // Sends the TLS alert, if there is room.
                let _ = self.flush(socket);
                Err(io::Error::new(io::ErrorKind::InvalidData, e))
            }
        }
    }

    /// As `Stream::read`. The buffer must be larger than [`MARGIN`].
    pub(super) fn read(&mut self, socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut filled = 0;
        loop {
            let more = self.take_in(socket);
            loop {
                match self.connection.reader().read(&mut buffer[filled..]) {
                    // After a close_notify. Data received before it is returned first.
                    Ok(0) if filled == 0 => return Ok(Some(0)),
                    Ok(0) => return Ok(Some(filled)),
                    Ok(n) => filled += n,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) if filled > 0 => return Ok(Some(filled)),
                    Err(e) => return Err(e),
                }
            }
            self.has_unread = false;
            let more = match more {
                // Data before the error is intact and counts; the next read returns the error.
                Err(_) if filled > 0 => {
                    self.has_unread = true;
                    return Ok(Some(filled));
                }
                more => more?,
            };
            match more {
                Some(0) if filled == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(1..) if buffer.len() - filled > MARGIN => {}
                _ => break,
            }
        }
        self.flush(socket)?;
        Ok((filled > 0).then_some(filled))
    }

    /// As `Stream::write`: bytes reported as written have been passed to the socket.
    pub(super) fn write(&mut self, socket: &Socket, bytes: &[u8]) -> io::Result<Option<usize>> {
        if self.connection.is_handshaking() {
            self.flush(socket)?;
            return Ok(None);
        }
        if self.taken == 0 {
            self.taken = self.connection.writer().write(bytes)?;
        }
        let is_out = self.flush(socket)?;
        Ok(is_out.then(|| std::mem::take(&mut self.taken)))
    }

    /// Writes pending ciphertext; returns whether all of it was written.
    pub(super) fn flush(&mut self, mut socket: &Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            if now(self.connection.write_tls(&mut socket))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ready once the handshake is over and the socket is writable.
    pub(super) fn poll_writable(
        &mut self,
        socket: &Socket,
        cx: &mut Context,
    ) -> Poll<io::Result<()>> {
        while self.connection.is_handshaking() {
            if !self.flush(socket)? {
                return socket.poll_writable(cx);
            }
            ready!(socket.poll_readable(cx))?;
            if self.take_in(socket)? == Some(0) {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        socket.poll_writable(cx)
    }

    /// Sends a close_notify.
    pub(super) fn close(&mut self, socket: &Socket) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush(socket).map(drop)
    }
}

/// Remembers the first byte read from a socket.
struct FirstByte<'a> {
    socket: &'a Socket,
    byte: Option<u8>,
}

impl Read for FirstByte<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.socket.read(buffer)?;
        if self.byte.is_none() {
            self.byte = buffer[..read].first().copied();
        }
        Ok(read)
    }
}

/// The error for a peer that does not speak TLS on a TLS port.
#[derive(Debug)]
pub(super) struct Plain;

impl std::error::Error for Plain {}

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the peer does not speak TLS")
    }
}

/// Sends `BYE need-tls` in plain text: to somebody's `nc`, or a client given the wrong port, a TLS
/// alert would look like silence.
fn say_need_tls(mut socket: &Socket) -> io::Error {
    let mut line = Vec::new();
    Bye::NeedTls.write(&mut line);
    // A failure means that the peer is gone. Its input is read, or a reset could overtake the line.
    let _ = socket.write_all(&line).and_then(|()| socket.shutdown());
    let mut rest = [0; 4_096];
    for _ in 0..16 {
        if !socket.read(&mut rest).is_ok_and(|n| n > 0) {
            break;
        }
    }
    io::Error::new(io::ErrorKind::InvalidData, Plain)
}
