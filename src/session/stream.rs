//! One connection: readiness, and non-blocking reads and writes, plain or through TLS. Other
//! modules need not know which.

use std::io::{self, Read, Write};
use std::task::{Context, Poll};

use super::certificates::Certificates;
use super::socket::{Socket, now};
use super::tls::Tls;
use crate::chat::OnceKey;
use crate::limits;

/// A connected socket, with TLS or without.
pub struct Stream {
    socket: Socket,
    tls: Option<Box<Tls>>,
    /// Bytes written since the last read.
    unheard: u32,
    /// The last write would have blocked.
    full: bool,
    /// The acknowledgement timeout is off; see [`Stream::adapt`].
    patient: bool,
}

impl Stream {
    /// Speaks TLS if there are certificates, otherwise plain text.
    ///
    /// # Errors
    /// rustls cannot set up the connection.
    pub fn new(socket: Socket, certificates: Option<&Certificates>) -> io::Result<Stream> {
        let tls = certificates.map(Tls::accept).transpose()?;
        let tls = tls.map(Box::new);
        Ok(Stream { socket, tls, unheard: 0, full: false, patient: false })
    }

    pub fn poll_readable(&mut self, cx: &mut Context) -> Poll<io::Result<()>> {
        match &self.tls {
            Some(tls) if tls.has_unread() => Poll::Ready(Ok(())),
            _ => self.socket.poll_readable(cx),
        }
    }

    /// Ready once there is room to write. With TLS this drives the handshake and is ready only
    /// after it.
    pub fn poll_writable(&mut self, cx: &mut Context) -> Poll<io::Result<()>> {
        match &mut self.tls {
            Some(tls) => tls.poll_writable(&self.socket, cx),
            None => self.socket.poll_writable(cx),
        }
    }

    /// Bytes that have arrived but not been read. With TLS this is an upper bound, since ciphertext
    /// is longer.
    pub fn unread(&self) -> usize {
        let decrypted = self.tls.as_ref().map_or(0, |tls| tls.unread());
        self.socket.unread().saturating_add(decrypted)
    }

    /// See `Socket::take_once`.
    pub(super) fn take_once(&self) -> Option<OnceKey> {
        self.socket.take_once()
    }

    /// Reads what is available: 0 at the end of the input, `None` if there is nothing now.
    ///
    /// # Errors
    /// The connection is lost. `UnexpectedEof`: it ended without TLS's close_notify, so somebody
    /// may have cut it.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let read = match &mut self.tls {
            Some(tls) => tls.read(&self.socket, buffer)?,
            None => now((&self.socket).read(buffer))?,
        };
        if read.is_some() {
            self.unheard = 0;
            self.adapt()?;
        }
        Ok(read)
    }

    /// Writes what fits; `None` if nothing does now. After `None` the next write must begin with
    /// the same bytes, unless the caller accounts for [`Stream::taken`].
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let written = match &mut self.tls {
            Some(tls) => tls.write(&self.socket, bytes)?,
            None => now((&self.socket).write(bytes))?,
        };
        self.full = written.is_none();
        let written_bytes = u32::try_from(written.unwrap_or_default()).unwrap_or(u32::MAX);
        self.unheard = self.unheard.saturating_add(written_bytes);
        self.adapt()?;
        Ok(written)
    }

    /// A peer that reads nothing gets more time than one that does not acknowledge data. The kernel
    /// cannot tell the two apart once the peer's buffer is full, so the acknowledgement timeout is
    /// off for any peer whose buffer may be.
    fn adapt(&mut self) -> io::Result<()> {
        let patient = self.full || self.unheard > limits::UNHEARD;
        if self.patient != patient {
            self.patient = patient;
            self.socket.expect_acknowledgement(!patient)?;
        }
        Ok(())
    }

    /// See `Socket::is_gone`.
    pub fn is_gone(&self) -> io::Result<bool> {
        self.socket.is_gone()
    }

    /// Bytes of the last write that returned `None` that are on their way all the same.
    pub fn taken(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.taken())
    }

    /// Whether TLS has bytes of its own to send; [`Stream::flush`] writes them.
    pub fn is_owing(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_owing())
    }

    /// Writes those bytes, as far as there is room.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.flush(&self.socket).map(drop),
            None => Ok(()),
        }
    }

    /// Closes the writing side, with TLS after a close_notify.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.close(&self.socket)?;
        }
        self.socket.shutdown()
    }

    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}
