//! What is a request and what is none.

use super::{Web, as_user, ask, start};
use crate::process::Home;

#[test]
fn bodies_come_by_length_or_in_chunks() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    let me = as_user("ana");
    assert_eq!(ask(web, "PUT /ana", &me, "by length").status, 200);
    let mut one = Web::connect(web);
    let head = format!("POST /ana HTTP/1.1\r\nHost: h\r\n{me}Transfer-Encoding: chunked\r\n");
    one.write(format!("{head}\r\n5;x=y\r\nin ch\r\n4\r\nunks\r\n0\r\nTrailer: a\r\n\r\n"));
    assert_eq!(one.got().status, 200);
    // Whoever waits to be told to go on is.
    one.write(format!("{head}Expect: 100-continue\r\n\r\n"));
    assert_eq!(one.head().0, 100);
    one.write("5\r\nlater\r\n0\r\n\r\n");
    assert_eq!(one.got().status, 200);
    // LF alone ends a line; the absolute form is the same.
    let lf = format!(
        "PUT http://h/ana HTTP/1.1\nHost: h\n{}Content-Length: 2\n\nlf",
        me.replace('\r', "")
    );
    one.write(lf);
    assert_eq!(one.got().status, 200);
    one.write(format!("GET /ana/publish?message=a+b%21 HTTP/1.0\r\n{me}\r\n"));
    let got = one.got();
    assert_eq!((got.status, got.header("connection")), (200, Some("close")));
    assert_eq!(one.rest(), b"");
    // In the smallest chunks and packets, with the next request behind it.
    let mut one = Web::connect(web);
    let chunks: String = "x".repeat(3_000).chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    let get = "GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n";
    one.write(format!("{head}\r\n{chunks}0\r\n\r\n{get}{get}"));
    assert_eq!(one.got().status, 200);
    for _ in 0..2 {
        assert_eq!(one.got().body, "{\"healthy\":true}\n");
    }
    let said: Vec<String> = ana.history("ana", 0).into_iter().map(|entry| entry.body).collect();
    assert_eq!(said, ["by length", "in chunks", "later", "lf", "a b!", &"x".repeat(3_000)]);
    // Of what a stranger sends not much is read.
    let line = "GET /v1/health HTTP/1.1\r\nHost: h\r\n";
    for body in ["Content-Length: 16385\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n4001\r\n"] {
        let mut one = Web::connect(web);
        one.write(format!("{line}{body}"));
        assert_eq!(one.got().denied(), (413, 41301), "{body}");
    }
}

#[test]
fn what_is_no_request_is_carried_out_by_nobody() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    let me = as_user("ana");
    let put =
        |lines: &str, body: &str| format!("PUT /ana HTTP/1.1\r\nHost: h\r\n{me}{lines}\r\n{body}");
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (request, status) in [
        ("LOGIN ana correct-horse\nMSG ana x\n".to_owned(), 400),
        (put("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400),
        (put(&format!("Content-Length: 5\r\n{chunked}"), "5\r\nhello\r\n0\r\n\r\n"), 400),
        (put("Content-Length: +5\r\n", "hello"), 400),
        (put("Content-Length : 5\r\n", "hello"), 400),
        (put("X: a\r\n folded\r\nContent-Length: 5\r\n", "hello"), 400),
        (put("Transfer-Encoding: gzip\r\n", "5\r\nhello\r\n0\r\n\r\n"), 501),
        (put(chunked, "5\r\nhelloX\r\n0\r\n\r\n"), 400),
        (put(chunked, "-5\r\nhello\r\n0\r\n\r\n"), 400),
        (put(chunked, "40001\r\n"), 413),
        (put("Content-Length: 262145\r\n", ""), 413),
        (put(&"X: y\r\n".repeat(100), ""), 431),
        (format!("PUT /ana HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "y".repeat(16_384)), 431),
        (format!("PUT /ana HTTP/1.1\r\n{me}Content-Length: 5\r\n\r\nhello"), 400),
        (format!("PUT /ana HTTP/2.0\r\nHost: h\r\n{me}Content-Length: 5\r\n\r\nhello"), 400),
    ] {
        let mut one = Web::connect(web);
        one.write(&request);
        let got = one.got();
        assert_eq!(got.denied().0, status, "{request:?}");
        assert_eq!(got.header("connection"), Some("close"));
        assert_eq!(one.rest(), b"", "nothing follows: {request:?}");
    }
    // One that is cut off is not sent.
    for request in [put("Content-Length: 5\r\n", "hell"), put(chunked, "5\r\nhello\r\n")] {
        let mut one = Web::connect(web);
        one.write(&request);
        one.finish();
        assert_eq!(one.rest(), b"", "{request:?}");
    }
    assert_eq!(ana.history("ana", 0), []);
    // And HTTP on papo's own port is not served either.
    let mut one = papod.connect();
    one.write(put("Content-Length: 5\r\n", "hello").as_bytes());
    assert_eq!(one.rest(), ["BYE not-http"]);
}

#[test]
fn nothing_in_a_name_becomes_a_command() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    let me = as_user("ana");
    for path in ["/ana%0d%0aQUIT", "/ana%0a", "/ana%00", "/ana%20x", "/%61na%0aMSG%20ana%20x", "/a"]
    {
        assert_eq!(ask(web, &format!("PUT {path}"), &me, "x").denied(), (400, 40009), "{path}");
    }
    let key = |key: &str| format!("{me}Idempotency-Key: {key}\r\n");
    for bad in ["a b", "\"\"", &"k".repeat(65)] {
        assert_eq!(ask(web, "PUT /ana", &key(bad), "x").denied().0, 400, "{bad}");
    }
    // A text is one, whatever is in it.
    let text = "one\r\nMSG ana two\nQUIT\\n\n";
    assert_eq!(ask(web, "PUT /ana", &me, text).status, 200);
    let said: Vec<String> = ana.history("ana", 0).into_iter().map(|entry| entry.body).collect();
    assert_eq!(said, ["one\\nMSG ana two\\nQUIT\\\\n"]);
}

#[test]
fn pages_of_others_can_write_nothing_and_read_only_with_a_login() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    let me = as_user("ana");
    for mode in ["navigate", "no-cors"] {
        let lines = format!("{me}Sec-Fetch-Mode: {mode}\r\n");
        for line in [
            "PUT /ana",
            "PUT /ana/job",
            "POST /",
            "GET /ana/publish",
            "GET /ana/send?message=x",
            "GET /ana/trigger",
            "DELETE /ana/1",
            "PUT /ana/1/clear",
            "POST /hook/x",
            "POST /hooks/x/y",
            "POST /message?token=x",
            "POST /v1/account/token",
        ] {
            assert_eq!(ask(web, line, &lines, "").denied(), (403, 40301), "{line}");
        }
    }
    assert_eq!(ana.history("ana", 0), []);
    let got = ask(web, "OPTIONS /ana", "Origin: https://x\r\n", "");
    assert_eq!(got.status, 200);
    assert_eq!(got.header("access-control-allow-methods"), Some("GET, PUT, POST, DELETE"));
    assert_eq!(got.header("access-control-allow-headers"), Some("*"));
    assert_eq!(got.header("access-control-max-age"), Some("86400"));
    for got in [got, ask(web, "PUT /ana", &me, "x"), ask(web, "PUT /ana", "", "x")] {
        assert_eq!(got.header("access-control-allow-origin"), Some("*"));
        assert_eq!(got.header("cache-control"), Some("no-store"));
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(got.header("www-authenticate"), None);
    }
}
