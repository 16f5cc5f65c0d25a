//! One connection: readiness, and reads and writes that never wait, in the clear or through TLS.
//! Nothing further in knows which.

use std::io::{self, Read, Write};
use std::task::{Context, Poll};

use super::certificates::Certificates;
use super::socket::{Socket, now};
use super::tls::Tls;
use crate::limits;

/// A connected socket and what is spoken over it.
pub struct Stream {
    socket: Socket,
    tls: Option<Box<Tls>>,
    /// Bytes that were written since something came.
    unheard: usize,
    /// The last write found no room.
    full: bool,
    /// The peer has the time of one that takes nothing, and not that of one that does not answer.
    patient: bool,
}

impl Stream {
    /// Over a socket, in the clear or, with certificates, through TLS.
    ///
    /// # Errors
    /// TLS cannot be begun.
    pub fn new(socket: Socket, certificates: Option<&Certificates>) -> io::Result<Stream> {
        let tls = certificates.map(Tls::accept).transpose()?;
        let tls = tls.map(Box::new);
        Ok(Stream { socket, tls, unheard: 0, full: false, patient: false })
    }

    /// Ready once there is something to read.
    pub fn poll_readable(&mut self, cx: &mut Context) -> Poll<io::Result<()>> {
        match &self.tls {
            Some(tls) if tls.has_unread() => Poll::Ready(Ok(())),
            _ => self.socket.poll_readable(cx),
        }
    }

    /// Ready once there is room to write. Through TLS that takes the handshake, which goes on here.
    pub fn poll_writable(&mut self, cx: &mut Context) -> Poll<io::Result<()>> {
        match &mut self.tls {
            Some(tls) => tls.poll_writable(&self.socket, cx),
            None => self.socket.poll_writable(cx),
        }
    }

    /// How many bytes the peer has sent that have not been read. Through TLS it is not less than
    /// that, since what is encrypted is longer.
    pub fn unread(&self) -> usize {
        let decrypted = self.tls.as_ref().map_or(0, |tls| tls.unread());
        self.socket.unread().saturating_add(decrypted)
    }

    /// Reads what is there; 0 is the end of the input, `None` that nothing is there now.
    ///
    /// # Errors
    /// The connection is lost. `UnexpectedEof`: it ended, but without the end that TLS knows, so
    /// somebody may have cut it.
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

    /// Writes what fits; `None` where nothing does now. Whoever is told `None` comes again with the
    /// same bytes first, or asks for [`Stream::taken`].
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let written = match &mut self.tls {
            Some(tls) => tls.write(&self.socket, bytes)?,
            None => now((&self.socket).write(bytes))?,
        };
        self.full = written.is_none();
        self.unheard += written.unwrap_or_default();
        self.adapt()?;
        Ok(written)
    }

    /// Whoever takes nothing has more time than whoever does not acknowledge what is sent. The system
    /// does not tell the two apart where a peer's buffer is full, so nobody whose buffer may be is
    /// asked to acknowledge.
    fn adapt(&mut self) -> io::Result<()> {
        let patient = self.full || self.unheard > limits::UNHEARD;
        if self.patient != patient {
            self.patient = patient;
            self.socket.expect_acknowledgement(!patient)?;
        }
        Ok(())
    }

    /// Whether the peer is gone: see `Socket::is_gone`.
    pub fn is_gone(&self) -> io::Result<bool> {
        self.socket.is_gone()
    }

    /// How many bytes of the last write that gave `None` are on their way all the same.
    pub fn taken(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.taken())
    }

    /// Whether something of TLS's own waits for room; [`Stream::flush`] writes it.
    pub fn is_owing(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_owing())
    }

    /// Writes what TLS owes, as far as there is room.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.flush(&self.socket).map(drop),
            None => Ok(()),
        }
    }

    /// Says that nothing more will be written.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.close(&self.socket)?;
        }
        self.socket.shutdown()
    }

    /// Whether it goes through TLS, where an end has to be said.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}
