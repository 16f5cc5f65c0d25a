//! Peers that mean harm: requests that two programs could understand in two ways, that never end,
//! or that come by the hundred.

use super::{Web, as_user, ask, start};
use crate::limits::stream_from;
use crate::process::Home;

#[test]
fn nothing_in_a_body_becomes_a_request() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--limit-file", "1000"]);
    let mut ana = papod.register("ana");
    let me = as_user("ana");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let hidden = format!("PUT /ana HTTP/1.1\r\nHost: h\r\n{me}Content-Length: 6\r\n\r\nhidden");
    let length = hidden.len();
    for (lines, body) in [
        // Chunks that are longer than anything may be, of a file and of a text.
        (format!("Filename: a\r\n{chunked}"), format!("ffffffff\r\n{hidden}")),
        (chunked.into(), format!("ffffffff\r\n{hidden}")),
        // What the other reads as the length is none here.
        (format!("Content-Length: 5\u{a0}\r\n{chunked}"), format!("0\r\n\r\n{hidden}")),
        ("Content-Length: 5\u{a0}\r\n".into(), format!("hello{hidden}")),
        ("Transfer-Encoding: chunked\u{a0}\r\n".into(), format!("0\r\n\r\n{hidden}")),
        ("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n".into(), hidden.clone()),
        ("X: a\rTransfer-Encoding: chunked\r\n".into(), hidden.clone()),
        ("X: a\0\r\nContent-Length: 0\r\n".into(), hidden.clone()),
        // A line that ends within a chunk's, for whom a carriage return ends one.
        (chunked.into(), format!("5;x\r0\r\r\nhello\r\n0\r\n\r\n{hidden}")),
        (chunked.into(), format!("5\r\r\nhello\r\n0\r\n\r\n{hidden}")),
        (chunked.into(), format!("0\r\nX: a\rY: b\r\n\r\n{hidden}")),
        (chunked.into(), format!("5\r\nhello0\r\n\r\n{hidden}")),
        (chunked.into(), format!("{length:#x}\r\n{hidden}\r\n0\r\n\r\n")),
        (format!("{me}Content-Length: 0\r\n"), hidden.clone()),
    ] {
        let mut one = Web::connect(web);
        one.write(format!("PUT /ana HTTP/1.1\r\nHost: h\r\n{me}{lines}\r\n{body}"));
        let got = one.got();
        assert_eq!(got.status / 100, if got.status == 501 { 5 } else { 4 }, "{lines:?} {got:?}");
        assert_eq!(one.rest(), b"", "{lines:?}");
    }
    assert_eq!(ana.history("ana", 0), []);
    // Where a body is none, what follows it is a request in its own right.
    let mut one = Web::connect(web);
    let get = format!("GET /v1/health HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    one.write(format!("{get}{hidden}{hidden}"));
    assert_eq!((one.got().status, one.got().status), (200, 200));
    assert_eq!(ana.history("ana", 0).len(), 1);
}

#[test]
fn no_path_leads_to_a_file() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    papod.register("ana");
    let me = as_user("ana");
    for path in [
        "/../../../../etc/passwd",
        "/file/../../../etc/passwd",
        "/file/..%2f..%2f..%2fetc%2fpasswd",
        "/file/%2e%2e/%2e%2e/etc/passwd",
        "/file//etc/passwd",
        "/file/000000000001%00.png",
        "/file/1/../../../etc/passwd",
        "/%2e%2e/json",
        "/ana/..%2f..%2fetc",
        "/ana\\..\\..\\x/json",
    ] {
        let got = ask(web, &format!("GET {path}"), &me, "");
        assert_eq!(got.status / 100, 4, "{path}: {got:?}");
        assert!(!got.body.contains("root:"), "{path}: {got:?}");
    }
}

#[test]
fn whoever_is_slow_is_told_so_and_whoever_is_idle_is_not() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    papod.register("ana");
    let (mut slow, mut silent, mut idle) =
        (Web::connect(web), Web::connect(web), Web::connect(web));
    slow.write("PUT /ana HTTP/1.1\r\nHost: h\r\n");
    idle.write(format!("PUT /ana HTTP/1.1\r\nHost: h\r\n{}\r\n", as_user("ana")));
    assert_eq!(idle.got().status, 200);
    slow.write("X: y\r\n");
    for one in [&mut slow, &mut silent] {
        assert_eq!(one.got().denied(), (408, 40800));
        assert_eq!(one.rest(), b"");
    }
    assert_eq!(idle.rest(), b"");
}

#[test]
fn a_thousand_that_never_finish_keep_nobody_else_out() {
    const MANY: usize = 1_000;
    let home = Home::new();
    let flags = ["--limit-local", "--limit-address", "50", "--limit-connections", "200"];
    let (papod, web) = start(&home, &flags);
    drop(papod.register("ana"));
    let mut half_open = Vec::new();
    for _ in 0..MANY {
        let mut one = Web::of(stream_from("127.0.0.3", web));
        // Those over the limit may be gone by then.
        let _ = one.try_write("PUT /ana HTTP/1.1\r\nHost: h\r\n");
        half_open.push(one);
    }
    let mut other = Web::of(stream_from("127.0.0.4", web));
    let me = as_user("ana");
    other.write(format!("PUT /ana HTTP/1.1\r\nHost: h\r\n{me}Content-Length: 1\r\n\r\nx"));
    assert_eq!(other.got().status, 200);
    let mut refused = Web::of(stream_from("127.0.0.3", web));
    let _ = refused.try_write("GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n");
    let rest = refused.rest();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 503 "), "{rest:?}");
}
