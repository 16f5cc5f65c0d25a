//! papo over HTTP on several nodes: what was sent by one is served by every other.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use base64ct::{Base64, Encoding};

use crate::cluster::cluster;
use crate::machines::start_nodes;
use crate::process::{PASSWORD, Papod};

/// Asks a node something. Returns the answer, of which the head comes first.
fn ask(node: &str, line: &str, handle: Option<&str>, body: &[u8]) -> Vec<u8> {
    let auth = handle.map_or(String::new(), basic);
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.0\r\nHost: h\r\n{auth}Content-Length: {length}\r\nFilename: a.bin\r\n\r\n"
    );
    let answer = exchange(node, &[head.as_bytes(), body].concat());
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    answer
}

/// Sends a node a request, and returns the answer.
fn exchange(node: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(node).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// The line that says who asks.
fn basic(handle: &str) -> String {
    let pair = Base64::encode_string(format!("{handle}:{PASSWORD}").as_bytes());
    format!("Authorization: Basic {pair}\r\n")
}

/// The path of the link in an answer.
fn link(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let rest = text.split("\"url\":\"http://h").nth(1).unwrap_or_else(|| panic!("{text}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_key_is_for_one_change_on_all_nodes() {
    let db = PathBuf::from(cluster().database());
    let nodes = start_nodes::<2>(|_| Papod::start_with(&db, ["--http", "127.0.0.1:0"]));
    let ways = [0, 1].map(|n| nodes[n].way("http://"));
    drop((nodes[0].register("ana"), nodes[1].register("bob")));
    let json = |node: usize, line: &str, key: &str, text: &str| {
        let auth = basic("ana");
        let lines = format!("{auth}Idempotency-Key: {key}\r\nMessage: {text}\r\n");
        let answer = exchange(&ways[node], format!("{line} HTTP/1.0\r\n{lines}\r\n").as_bytes());
        String::from_utf8(answer).unwrap().split("\r\n\r\n").nth(1).unwrap().to_owned()
    };
    let begun = json(1, "PUT /bob/job", "k1", "begun");
    let done = json(0, "PUT /bob/job", "k2", "done");
    for node in [0, 1] {
        assert_eq!(json(node, "PUT /bob/job", "k1", "begun"), begun);
        assert_eq!(json(node, "PUT /bob/job", "k2", "done"), done);
        assert!(json(node, "PUT /bob/job", "k1", "other").contains("40905"));
        assert!(json(node, "PUT /bob", "k2", "done").contains("40905"));
    }
    let deleted = json(1, "DELETE /bob/job", "k3", "");
    assert!(json(0, "PUT /bob/job", "k4", "anew").contains("\"message\":\"anew\""));
    assert_eq!(json(0, "DELETE /bob/job", "k3", ""), deleted);
    let told = ask(&ways[1], "GET /ana/json?poll=1", Some("bob"), b"");
    assert_eq!(String::from_utf8_lossy(&told).matches("\"message\":\"anew\"").count(), 1);
    nodes.into_iter().rev().for_each(Papod::stop);
}

#[test]
fn a_link_to_a_file_works_on_every_node() {
    let db = PathBuf::from(cluster().database());
    let nodes = start_nodes::<2>(|_| Papod::start_with(&db, ["--http", "127.0.0.1:0"]));
    let ways = [0, 1].map(|n| nodes[n].way("http://"));
    drop((nodes[0].register("ana"), nodes[1].register("bob")));
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n.to_be_bytes()[3] ^ 0x80).collect();
    let sent = ask(&ways[0], "PUT /bob", Some("ana"), &bytes);
    let sent_there = ask(&ways[1], "PUT /bob", Some("ana"), &bytes);
    let told = ask(&ways[1], "GET /ana/json?poll=1", Some("bob"), b"");
    assert!(String::from_utf8_lossy(&told).contains("\"size\":100000"));
    for link in [link(&sent), link(&sent_there), link(&told)] {
        for node in &ways {
            let answer = ask(node, &format!("GET {link}"), None, b"");
            assert!(answer.ends_with(&bytes), "{link}");
        }
    }
    nodes.into_iter().rev().for_each(Papod::stop);
}
