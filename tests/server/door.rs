//! papo over HTTP: what programs that notify and programs that are notified may rely on.

mod attachments;
mod attacks;
mod changing;
mod hooks;
mod limits;
mod publishing;
mod requests;
mod rest;
mod security;
mod sessions;
mod subscribing;
mod watching;
mod websocket;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use base64ct::{Base64, Encoding};
use serde_json::Value;

use crate::process::{Home, PASSWORD, PATIENCE, Papod};

/// A papod that serves HTTP, too, and where.
pub fn start(home: &Home, more: &[&str]) -> (Papod, SocketAddr) {
    let flags = [&["--http", "127.0.0.1:0"], more].concat();
    let papod = Papod::start_with(&home.db(), flags);
    let address = papod.way("http://").parse().unwrap();
    (papod, address)
}

/// The line that says who asks.
pub fn basic(handle: &str, secret: &str) -> String {
    let pair = Base64::encode_string(format!("{handle}:{secret}").as_bytes());
    format!("Authorization: Basic {pair}\r\n")
}

/// The same with the password of everyone.
pub fn as_user(handle: &str) -> String {
    basic(handle, PASSWORD)
}

/// A connection.
pub struct Web {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Status and ntfy's code of an answer that says no.
    pub fn denied(&self) -> (u16, u64) {
        let json = self.json();
        assert_eq!(json["http"], self.status, "{self:?}");
        (self.status, json["code"].as_u64().unwrap())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Web {
    pub fn connect(address: SocketAddr) -> Web {
        Web::of(TcpStream::connect(address).unwrap())
    }

    pub fn of(socket: TcpStream) -> Web {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Web { stream: BufReader::new(socket) }
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The same to a peer that may be gone.
    pub fn try_write(&mut self, bytes: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_bytes())
    }

    pub fn finish(&mut self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// The head of the next answer, and its status.
    pub fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.stream.read_line(&mut head).unwrap(), 0, "it ended: {head:?}");
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("{head}")), head)
    }

    /// The next answer, whose length is known.
    pub fn got(&mut self) -> Got {
        let (status, head) = self.head();
        let mut got = Got { status, head, body: String::new() };
        let length = got.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        got.body = String::from_utf8(body).unwrap();
        got
    }

    /// A line of a stream without chunks.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.strip_suffix('\n').unwrap_or_else(|| panic!("it ended: {line:?}")).to_owned()
    }

    /// The next chunk; empty at the end.
    pub fn chunk(&mut self) -> String {
        let size = self.line();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk).unwrap();
        assert!(chunk.ends_with(b"\r\n"));
        chunk.truncate(size);
        String::from_utf8(chunk).unwrap()
    }

    /// The next event of a stream of JSON.
    pub fn event(&mut self) -> Value {
        let chunk = self.chunk();
        assert!(chunk.ends_with('\n') && chunk.matches('\n').count() == 1, "{chunk:?}");
        serde_json::from_str(&chunk).unwrap()
    }

    pub fn read(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// All up to the end.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(e) => assert_eq!(e.kind(), io::ErrorKind::ConnectionReset),
        }
        rest
    }
}

/// Sends a request on a connection of its own. `lines` are header lines with their ends.
pub fn ask(address: SocketAddr, line: &str, lines: &str, body: &str) -> Got {
    let mut web = Web::connect(address);
    let length = format!("Content-Length: {}\r\n", body.len());
    let length = if body.is_empty() { "" } else { &length };
    web.write(format!("{line} HTTP/1.1\r\nHost: papo\r\n{lines}{length}\r\n{body}"));
    let got = web.got();
    if got.header("connection") == Some("close") {
        // From then on it counts no more.
        assert_eq!(web.rest(), b"");
    }
    got
}

/// Begins a stream, whose head must say that it is one.
pub fn subscribe(address: SocketAddr, path: &str, lines: &str) -> Web {
    let mut web = Web::connect(address);
    web.write(format!("GET {path} HTTP/1.1\r\nHost: papo\r\n{lines}\r\n"));
    let (status, head) = web.head();
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    web
}

/// The fields of an event that do not depend on time, as one line.
pub fn brief(event: &Value) -> String {
    let field = |name: &str| match &event[name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    };
    ["event", "id", "topic", "title", "message", "priority"].map(field).join("|")
}
