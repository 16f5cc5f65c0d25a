//! One connection's socket: readiness, and reads and writes that never wait.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::task::{Context, Poll};

use smol::Async;

/// A connected socket.
pub struct Stream {
    socket: Async<TcpStream>,
}

impl Stream {
    /// Takes a connection that was accepted.
    ///
    /// # Errors
    /// The connection is gone already.
    pub fn new(stream: async_net::TcpStream) -> io::Result<Stream> {
        // Replies are written whole, so nothing is gained by holding a small one back.
        stream.set_nodelay(true)?;
        // Telnet sends the byte after an interrupt as urgent data; out of line it would be missing
        // from its sequence, and the next letter of the line would be taken for it.
        rustix::net::sockopt::set_socket_oobinline(&stream, true)?;
        // Nobody else has it yet, so the pointer that async-net shares is not needed.
        let shared: Arc<Async<TcpStream>> = stream.into();
        let socket = Arc::try_unwrap(shared).map_err(|_| io::ErrorKind::Other)?;
        Ok(Stream { socket })
    }

    /// Whose it is, for the log.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().peer_addr()
    }

    /// Ready once there is something to read.
    pub fn poll_readable(&self, cx: &mut Context) -> Poll<io::Result<()>> {
        self.socket.poll_readable(cx)
    }

    /// Ready once there is room to write.
    pub fn poll_writable(&self, cx: &mut Context) -> Poll<io::Result<()>> {
        self.socket.poll_writable(cx)
    }

    /// Reads what is there; 0 is the end of the input, `None` that nothing is there now.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        now((&mut self.socket.get_ref()).read(buffer))
    }

    /// Writes what fits; `None` where nothing does now.
    pub fn write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        now((&mut self.socket.get_ref()).write(bytes))
    }

    /// Says that nothing more will be written.
    pub fn finish(&self) -> io::Result<()> {
        self.socket.get_ref().shutdown(Shutdown::Write)
    }
}

fn now(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Ok(n) => Ok(Some(n)),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}
