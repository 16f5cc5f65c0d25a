//! One connection's TLS (1.2 and 1.3, by rustls on ring).
//!
//! rustls is used without an asynchronous wrapper: it holds bytes and no socket, which is what a
//! session wants that waits in one place for readiness and then reads and writes without waiting.

use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;

use super::certificates::Certificates;
use super::socket::{Socket, now};
use crate::wire::rows::Bye;

/// The first byte of every TLS connection: a record of the handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 0x16;

/// Plaintext that one reading of the socket can add: less than this is left free before each, so
/// that nothing stays behind in rustls that no readiness would tell of. A record has 16 KiB, and
/// one that was incomplete before may become whole.
const MARGIN: usize = 2 * 16_384;

/// One connection's TLS.
pub(super) struct Tls {
    connection: ServerConnection,
    /// Bytes that were handed over to be written and not yet reported as written.
    taken: usize,
    /// Something was read from the socket that has not been read from here.
    has_unread: bool,
    /// Nothing has come yet.
    untouched: bool,
}

impl Tls {
    /// The beginning of a connection.
    pub(super) fn accept(certificates: &Certificates) -> io::Result<Tls> {
        let connection = ServerConnection::new(certificates.config()).map_err(io::Error::other)?;
        Ok(Tls { connection, taken: 0, has_unread: false, untouched: true })
    }

    pub(super) fn has_unread(&self) -> bool {
        self.has_unread
    }

    /// How many bytes were read from the socket and not from here, at most.
    pub(super) fn unread(&self) -> usize {
        if self.has_unread { MARGIN } else { 0 }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn is_owing(&self) -> bool {
        self.connection.wants_write()
    }

    /// Takes in what the socket has; 0 where it is at its end, `None` where nothing is there.
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
                // Says what is wrong in TLS's own way, if there is room.
                let _ = self.flush(socket);
                Err(io::Error::new(io::ErrorKind::InvalidData, e))
            }
        }
    }

    /// As `Stream::read`. The buffer has room for more than [`MARGIN`].
    pub(super) fn read(&mut self, socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut filled = 0;
        loop {
            let more = self.take_in(socket);
            loop {
                match self.connection.reader().read(&mut buffer[filled..]) {
                    // Closed in order. What came before is given out first.
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
                // What came before it is whole and counts; the error comes again.
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

    /// As `Stream::write`: what is reported as written has left for the socket.
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

    /// Writes what is encrypted; gives back whether that was all.
    pub(super) fn flush(&mut self, mut socket: &Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            if now(self.connection.write_tls(&mut socket))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ready once something can be written, for which the handshake has to be over.
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

    /// Says that nothing more will be written.
    pub(super) fn close(&mut self, socket: &Socket) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush(socket).map(drop)
    }
}

/// A socket that remembers the first byte that was read from it.
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

/// The error of a peer that does not speak TLS where TLS is spoken.
#[derive(Debug)]
pub(super) struct Plain;

impl std::error::Error for Plain {}

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the peer does not speak TLS")
    }
}

/// Tells a peer in plain text that it has to speak TLS here. It is somebody's `nc`, or a client that
/// was given the wrong port: an alert of TLS would look like silence to both.
fn say_need_tls(mut socket: &Socket) -> io::Error {
    let mut line = Vec::new();
    Bye::NeedTls.write(&mut line);
    // Where that fails it is gone already. What it sent is read, or a reset could overtake the line.
    let _ = socket.write_all(&line).and_then(|()| socket.shutdown());
    let mut rest = [0; 4_096];
    for _ in 0..16 {
        if !socket.read(&mut rest).is_ok_and(|n| n > 0) {
            break;
        }
    }
    io::Error::new(io::ErrorKind::InvalidData, Plain)
}
