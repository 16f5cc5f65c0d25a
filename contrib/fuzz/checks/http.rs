//! The target `http`: bytes to a real server's HTTP. `\x01a` stands for ana's credentials, as a header
//! line, and `\x01h` for the token of a hook of hers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use memchr::memmem;
use papo::config::{Config, PasswordCost};
use papo::server::Server;
use tempfile::TempDir;

/// Time without a byte after which a connection hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server, and accounts of which an input may make what it can.
pub struct WebWorld {
    /// Ended before its folder goes.
    server: Option<Server>,
    http: SocketAddr,
    credentials: Vec<u8>,
    hook: Vec<u8>,
    _folder: TempDir,
}

impl Drop for WebWorld {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

/// All that comes after these bytes, up to the end.
fn answers(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    // It may have had enough before the end.
    let _ = socket.write_all(bytes).and_then(|()| socket.shutdown(Shutdown::Write));
    let (mut heard, mut some) = (Vec::new(), [0; 16_384]);
    loop {
        match socket.read(&mut some) {
            Ok(0) => return heard,
            Ok(n) => heard.extend_from_slice(&some[..n]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return heard,
            Err(e) => panic!("it hangs: {e}"),
        }
    }
}

impl WebWorld {
    /// A server with a new database: ana, bob, and a group of theirs.
    pub fn new() -> WebWorld {
        let folder = tempfile::tempdir().expect("there is room");
        let config = Config {
            listen: vec!["127.0.0.1:0".into()],
            http: vec!["127.0.0.1:0".into()],
            password_cost: PasswordCost { kib: 8, passes: 1 },
            ..Config::new(folder.path().join("papo.db"))
        };
        let server = Server::start(&config).expect("it starts");
        let name = |name: &String| name.strip_prefix("http://")?.parse().ok();
        let http = server.names().iter().find_map(name).expect("it serves HTTP");
        let lines = server.addresses().iter().find(|address| **address != http).expect("and lines");
        answers(*lines, b"REG bob secret-b\nQUIT\n");
        let typed = b"REG ana secret-a\nGROUP NEW ops bob\nMSG bob hi\nTOKEN NEW h to bob\nQUIT\n";
        let said = String::from_utf8(answers(*lines, typed)).expect("it is text");
        let hook = said.lines().find_map(|line| line.strip_prefix("OK TOKEN NEW h "));
        let pair = Base64::encode_string(b"ana:secret-a");
        WebWorld {
            http,
            credentials: format!("Authorization: Basic {pair}\r\n").into(),
            hook: hook.expect("it is given").into(),
            server: Some(server),
            _folder: folder,
        }
    }

    /// Plays an input and checks what was answered.
    pub fn play(&self, input: &[u8]) {
        let mut bytes = Vec::new();
        let mut rest = input.iter().copied();
        while let Some(byte) = rest.next() {
            if byte != 1 {
                bytes.push(byte);
                continue;
            }
            match rest.next() {
                Some(b'a') => bytes.extend_from_slice(&self.credentials),
                Some(b'h') => bytes.extend_from_slice(&self.hook),
                Some(other) => bytes.push(other),
                None => {}
            }
        }
        // What waits for somebody, or for wrong tokens before it, takes its time.
        let waits: [&[u8]; 3] = [b"wait", b"Wait", b"WAIT"];
        if !waits.iter().any(|word| memmem::find(&bytes, word).is_some()) {
            check(&answers(self.http, &bytes));
        }
    }
}

/// Answers follow each other up to the end, and none says that there is a bug.
fn check(mut heard: &[u8]) {
    while !heard.is_empty() {
        let shown = String::from_utf8_lossy(heard);
        let end = memmem::find(heard, b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {shown}"));
        let head = str::from_utf8(&heard[..end]).expect("a head is text");
        heard = &heard[end + 4..];
        let status: u16 = head.get(9..12).and_then(|s| s.parse().ok()).expect("a status");
        assert!(head.starts_with("HTTP/1.1 ") && status != 500, "{shown}");
        let field = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        match (status, field("content-length")) {
            (100, _) => {}
            (_, Some(length)) => {
                let length: usize = length.parse().expect("a length");
                // To HEAD there is a length and no body.
                heard = heard.get(length..).unwrap_or_else(|| panic!("cut off: {shown}"));
                assert_eq!(field("x-content-type-options"), Some("nosniff"), "{shown}");
            }
            // A stream, which goes on to the end.
            (101 | 200, None) => return,
            (_, None) => panic!("no length: {shown}"),
        }
    }
}
