//! Subscriptions by WebSocket.

use std::time::Instant;

use super::{Web, as_user, start};
use crate::process::{Home, PATIENCE};

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

fn open(web: std::net::SocketAddr, path: &str, handle: &str) -> Web {
    let mut one = Web::connect(web);
    let me = as_user(handle);
    one.write(format!("GET {path} HTTP/1.1\r\nHost: h\r\n{me}{UPGRADE}\r\n"));
    let (status, head) = one.head();
    assert_eq!(status, 101, "{head}");
    assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    one
}

/// The next frame: its first byte, and its payload.
fn frame(one: &mut Web) -> (u8, Vec<u8>) {
    let head = one.read(2);
    let length = match head[1] {
        126 => u16::from_be_bytes(one.read(2).try_into().unwrap()).into(),
        127 => panic!("a long frame"),
        length => usize::from(length),
    };
    (head[0], one.read(length))
}

fn text(one: &mut Web) -> serde_json::Value {
    let (first, payload) = frame(one);
    assert_eq!(first, 0x81);
    serde_json::from_slice(&payload).unwrap()
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 1, 2, 3, 4];
    out.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

#[test]
fn a_pong_behind_a_message_says_that_it_is_there() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, bob) = (papod.register("ana"), papod.register("bob"));
    drop(bob);
    let mut one = open(web, "/ana/ws", "bob");
    assert_eq!(text(&mut one)["event"], "open");
    ana.send("bob", "hi");
    let message = text(&mut one);
    assert_eq!((&message["id"], &message["message"]), (&"000000000001".into(), &"hi".into()));
    assert_eq!(frame(&mut one), (0x89, b"000000000001".to_vec()));
    // What was merely written counts for nothing, nor does another Pong.
    one.write(masked(0x8a, b""));
    one.write(masked(0x8a, b"x"));
    one.write(masked(0x8a, b"000000000009"));
    one.write(masked(0x89, b"there?"));
    assert_eq!(frame(&mut one), (0x8a, b"there?".to_vec()));
    ana.has_heard_all();
    one.write(masked(0x8a, b"000000000001"));
    assert!(ana.line().starts_with("ACK 1 "));
    // So it is with a new text, of which its author is told only when asked.
    ana.say("EDIT 1 hello");
    ana.until("OK EDIT 2 ");
    assert_eq!(text(&mut one)["sequence_id"], "000000000001");
    assert_eq!(frame(&mut one), (0x89, b"000000000002".to_vec()));
    one.write(masked(0x8a, b"000000000002"));
    let begun = Instant::now();
    loop {
        ana.say("INFO 2");
        if ana.until("OK INFO ").iter().any(|row| row.starts_with("INFO 2 bob delivered ")) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE);
    }
    one.write(masked(0x88, &[3, 232]));
    assert_eq!(frame(&mut one), (0x88, vec![3, 232]));
    assert_eq!(one.rest(), b"");
}

#[test]
fn whoever_sends_anything_else_is_closed() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    papod.register("bob");
    let mut long = masked(0x81, b"");
    long[1] = 0xfe;
    for bad in [
        vec![0x8a, 0],
        masked(0x01, b"part"),
        masked(0x09, b"part"),
        masked(0x80, b"rest"),
        masked(0xc1, b"compressed"),
        long,
    ] {
        let mut one = open(web, "/bob/ws", "bob");
        text(&mut one);
        one.write(&bad);
        assert_eq!(frame(&mut one), (0x88, vec![3, 234]), "{bad:x?}");
        assert_eq!(one.rest(), b"");
    }
    // A text that it may send means nothing.
    let mut one = open(web, "/bob/ws?poll=1&since=all", "bob");
    one.write(masked(0x81, b"hello"));
    assert_eq!(frame(&mut one), (0x88, vec![3, 232]));
}

#[test]
fn a_peer_that_answers_no_ping_is_gone() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--http-keepalive", "1"]);
    papod.register("bob");
    let mut one = open(web, "/bob/ws", "bob");
    assert_eq!(text(&mut one)["event"], "open");
    // It is asked once more before it counts as gone.
    assert_eq!(frame(&mut one), (0x89, vec![]));
    assert_eq!(one.rest(), b"");
}
