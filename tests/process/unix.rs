//! Unix sockets for tests.
#![allow(dead_code)] // Each test program uses a part of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::PATIENCE;

/// All lines up to an orderly end.
pub fn rest(from: impl Read) -> Vec<String> {
    BufReader::new(from).lines().collect::<Result<_, _>>().expect("the end is said")
}

/// What is said over a Unix socket for what is typed.
pub fn over(path: &Path, typed: &str) -> Vec<String> {
    let mut socket = UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(typed.as_bytes()).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let lines = rest(socket);
    assert!(lines[0].starts_with("HELLO papo/1 "), "{lines:?}");
    lines[1..].to_vec()
}

/// The mode of a file.
pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
