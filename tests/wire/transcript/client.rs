//! One connection of a transcript: plain blocking sockets, and time only as a last resort.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use papo::wire::rows::ServerLine;
use rustix::net::Shutdown;
use rustix::net::sockopt::{Timeout, set_socket_timeout};

/// A server that says nothing for so long is broken. No transcript that holds ever waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a client gets next.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A line, without its LF.
    Line(Vec<u8>),
    /// The end of the connection; these bytes before it had no LF.
    Closed(Vec<u8>),
    /// The connection broke.
    Broken(ErrorKind),
    /// Nothing came in time; these bytes had no LF yet.
    Nothing(Vec<u8>),
}

/// A connection.
pub struct Client {
    /// What is written to it, and what is read from it.
    write: Box<dyn Write + Send>,
    read: Box<dyn Read + Send>,
    /// The socket itself, for its options.
    socket: OwnedFd,
    kept: Vec<u8>,
}

impl Client {
    /// Connects to a server.
    pub fn connect(server: SocketAddr) -> Client {
        let socket = TcpStream::connect(server).expect("the server listens");
        // Each write is a packet of its own, so that a line can come in pieces.
        socket.set_nodelay(true).expect("a socket option");
        let clone = || socket.try_clone().expect("a socket can be had twice");
        Client::new(clone(), clone(), socket.into())
    }

    /// Connects to a server's Unix socket.
    pub fn connect_unix(path: &Path) -> Client {
        let socket = UnixStream::connect(path).expect("the server listens");
        let clone = || socket.try_clone().expect("a socket can be had twice");
        Client::new(clone(), clone(), socket.into())
    }

    fn new(
        write: impl Write + Send + 'static,
        read: impl Read + Send + 'static,
        socket: OwnedFd,
    ) -> Client {
        let (write, read) = (Box::new(write), Box::new(read));
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE)).expect("a socket option");
        let mut client = Client { write, read, socket, kept: Vec::new() };
        client.set_patience(PATIENCE);
        client
    }

    /// Sends bytes. That a server which has closed takes none is no failure: what it said tells.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.write.write_all(bytes);
    }

    /// Ends the input.
    pub fn end(&mut self) {
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
    }

    /// How long [`Client::hear`] waits.
    pub fn set_patience(&mut self, patience: Duration) {
        set_socket_timeout(&self.socket, Timeout::Recv, Some(patience)).expect("a socket option");
    }

    /// The next line, once it is there.
    pub fn hear(&mut self) -> Heard {
        let mut searched = 0;
        loop {
            if let Some(at) = self.kept[searched..].iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.kept.drain(..=searched + at).collect();
                line.pop();
                let line = without_refusals(line);
                reads_back(&line);
                return Heard::Line(line);
            }
            searched = self.kept.len();
            let mut bytes = [0; 16_384];
            match self.read.read(&mut bytes) {
                Ok(0) => {
                    return Heard::Closed(without_refusals(std::mem::take(&mut self.kept)));
                }
                Ok(n) => self.kept.extend_from_slice(&bytes[..n]),
                Err(e) => match e.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        return Heard::Nothing(without_refusals(self.kept.clone()));
                    }
                    kind => return Heard::Broken(kind),
                },
            }
        }
    }
}

/// Every line that a server sends is of a form that clients can read, and is the same when written
/// again.
fn reads_back(line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let mut again = Vec::new();
    if let Some(known) = ServerLine::parse(&text) {
        known.write(&mut again);
    }
    assert_eq!(
        String::from_utf8_lossy(&again).strip_suffix('\n'),
        Some(&*text),
        "ServerLine::parse (src/wire/reply.rs, rows.rs, events.rs) does not read this line back"
    );
}

/// Takes out what Telnet answers to Telnet, as a Telnet client does: when it comes depends on how the
/// bytes were split on their way, and tests/server/processes.rs says that it does.
fn without_refusals(mut bytes: Vec<u8>) -> Vec<u8> {
    let is_refusal = |three: &[u8]| matches!(three, [255, 252 | 254, _]);
    while let Some(at) = bytes.windows(3).position(is_refusal) {
        bytes.drain(at..at + 3);
    }
    bytes
}
