//! One connection: readiness, and reads and writes that never wait, in the clear or through TLS.
//! Nothing further in knows which.

use std::io::{self, Read, Write};
use std::task::{Context, Poll};

use super::socket::{Socket, now};
use super::tls::{Certificates, Tls};

/// A connected socket and what is spoken over it.
pub struct Stream {
    socket: Socket,
    tls: Option<Box<Tls>>,
}

impl Stream {
    /// Over a socket, in the clear or, with certificates, through TLS.
    ///
    /// # Errors
    /// TLS cannot be begun.
    pub fn new(socket: Socket, certificates: Option<&Certificates>) -> io::Result<Stream> {
        let tls = certificates.map(Certificates::accept).transpose()?;
        Ok(Stream { socket, tls: tls.map(Box::new) })
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
        match &mut self.tls {
            Some(tls) => tls.read(&self.socket, buffer),
            None => now((&self.socket).read(buffer)),
        }
    }

    /// Writes what fits; `None` where nothing does now. Whoever is told `None` comes again with the
    /// same bytes first, or asks for [`Stream::taken`].
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        match &mut self.tls {
            Some(tls) => tls.write(&self.socket, bytes),
            None => now((&self.socket).write(bytes)),
        }
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
