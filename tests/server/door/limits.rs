//! The limits of HTTP, and those of papo that hold for it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::{Web, as_user, ask, basic, start, subscribe};
use crate::process::{Home, PATIENCE, Papod};

#[test]
fn guesses_are_braked_by_the_real_address() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    papod.register("ana");
    let codes: Vec<_> = (0..20)
        .map(|_| ask(web, "PUT /ana", &basic("ana", "wrong-one"), "x"))
        .map(|got| (got.denied().1, got.header("retry-after").is_some()))
        .take_while(|(code, _)| *code == 40101)
        .collect();
    assert!((6..20).contains(&codes.len()), "{codes:?}");
    let got = ask(web, "PUT /ana", &basic("ana", "wrong-one"), "x");
    assert_eq!(got.denied(), (429, 42901));
    assert!(got.header("retry-after").unwrap().parse::<u64>().unwrap() > 5);
}

#[test]
fn wrong_tokens_are_braked_and_logged_and_right_ones_go_on() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    ana.say("TOKEN NEW bell to ana");
    let hook = ana.line().rsplit(' ').next().unwrap().to_owned();
    let wrong = format!("papo_{}", "0".repeat(40));
    let bearer = |secret: &str| format!("Authorization: Bearer {secret}\r\n");
    // All of them are one row, whatever they are tried for.
    let tries: [&dyn Fn() -> super::Got; 5] = [
        &|| ask(web, &format!("POST /hook/{wrong}"), "", "x"),
        &|| ask(web, "PUT /ana", &bearer(&wrong), "x"),
        &|| ask(web, "PUT /ana", &bearer("no-token"), "x"),
        &|| ask(web, &format!("POST /message?token={wrong}"), "", "x"),
        &|| ask(web, &format!("PUT /{wrong}"), "", "x"),
    ];
    let mut statuses = Vec::new();
    for n in 0..20 {
        let (status, _) = tries[n % tries.len()]().denied();
        if status == 429 {
            break;
        }
        statuses.push(status);
    }
    assert!((6..20).contains(&statuses.len()), "{statuses:?}");
    assert_eq!(statuses[..6], [404, 401, 401, 404, 404, 404]);
    let got = ask(web, &format!("POST /hook/{wrong}"), "", "x");
    assert_eq!(got.denied(), (429, 42901));
    assert!(got.header("retry-after").unwrap().parse::<u64>().unwrap() > 5);
    // Whoever has a token or a password is not held up.
    assert_eq!(ask(web, &format!("POST /hook/{hook}"), "", "x").status, 200);
    assert_eq!(ask(web, "PUT /ana", &as_user("ana"), "x").status, 200);
    let log = papod.log();
    let line = " from=127.0.0.1 handle=-";
    let lines = log.lines().filter(|l| l.contains("wrong-secret session=") && l.ends_with(line));
    assert_eq!(lines.count(), statuses.len(), "{log}");
    assert!(log.contains("guesses from=127.0.0.1 times=1"), "{log}");
    assert!(!log.contains("papo_"), "{log}");
}

#[test]
fn connections_sessions_and_rates_are_those_of_everyone() {
    let home = Home::new();
    let flags = ["--limit-local", "--limit-address", "3", "--limit-sessions", "2"];
    let (papod, web) = start(&home, &flags);
    let _ana = papod.register("ana");
    let me = as_user("ana");
    let _stream = subscribe(web, "/ana/json", &me);
    // Two sessions of the account.
    let got = ask(web, "PUT /ana", &me, "x");
    assert_eq!(got.denied(), (429, 42903));
    assert!(got.header("retry-after").is_some());
    // A third connection of the address, and one too many.
    let mut third = Web::connect(web);
    third.write("GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(third.got().status, 200);
    let got = ask(web, "GET /v1/health", "", "");
    assert_eq!((got.status, got.header("retry-after").is_some()), (503, true));
}

#[test]
fn requests_and_streams_are_counted() {
    let home = Home::new();
    let admin = home.path().join("admin");
    let (papod, web) = start(&home, &["--admin", admin.to_str().unwrap()]);
    papod.register("ana");
    let value = |name: &str| -> u64 {
        let mut operator = UnixStream::connect(&admin).unwrap();
        operator.write_all(b"ADMIN STATS\nQUIT\n").unwrap();
        let mut rows = String::new();
        operator.read_to_string(&mut rows).unwrap();
        let row = rows.lines().find_map(|row| row.strip_prefix(&format!("STAT {name} ")));
        row.unwrap_or_else(|| panic!("{rows}")).parse().unwrap()
    };
    let mut stream = subscribe(web, "/ana/json", &as_user("ana"));
    assert_eq!(stream.event()["event"], "open");
    assert_eq!(ask(web, "GET /v1/health", "", "").status, 200);
    assert_eq!((value("http_requests"), value("http_streams")), (1, 1));
    drop(stream);
    let begun = Instant::now();
    while (value("http_requests"), value("http_streams")) != (2, 0) {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn the_end_of_papod_is_an_answer() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    papod.register("ana");
    let mut stream = subscribe(web, "/ana/json", &as_user("ana"));
    assert_eq!(stream.event()["event"], "open");
    let mut idle = Web::connect(web);
    idle.write("GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(idle.got().status, 200);
    papod.stop();
    assert_eq!(stream.chunk(), "", "the stream ends in order");
    assert_eq!(stream.rest(), b"");
    assert_eq!(idle.rest(), b"");
}

#[test]
fn only_loopback_is_served_without_tls() {
    let home = Home::new();
    let mut command = crate::process::papod();
    command.args(["--http", "0.0.0.0:0", "--listen", "127.0.0.1:0", "--db"]).arg(home.db());
    let output = crate::process::run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("0.0.0.0 is not loopback") && said.contains("--plain-anywhere"),
        "{said}"
    );
    let flags = ["--http", "0.0.0.0:0", "--plain-anywhere"];
    let papod = Papod::start_with(&home.db(), flags);
    papod.way("http://");
}

#[test]
fn a_proxy_says_whose_connection_it_is() {
    let home = Home::new();
    let flags = ["--proxy-from", "127.0.0.0/8", "--log", "debug"];
    let (papod, web) = start(&home, &flags);
    let mut one = std::net::TcpStream::connect(web).unwrap();
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0x1c, 0x6e]);
    one.write_all(&header).unwrap();
    // What a header of HTTP says about it is not believed.
    let lines = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n";
    let me = basic("nobody", "wrong-one");
    one.write_all(format!("PUT /ana HTTP/1.1\r\nHost: h\r\n{me}{lines}\r\n").as_bytes()).unwrap();
    papod.until_logged("wrong-secret session=");
    assert!(papod.log().contains("from=192.0.2.7 handle=-"), "{}", papod.log());
    assert!(!papod.log().contains("203.0.113.9"));
}

#[test]
fn without_a_disk_nothing_is_said_and_all_is_read() {
    let home = Home::new();
    let admin = home.path().join("admin");
    let (papod, web) = start(&home, &["--admin", admin.to_str().unwrap()]);
    let mut ana = papod.register("ana");
    ana.say("TOKEN NEW bell to ana");
    let hook = ana.line().rsplit(' ').next().unwrap().to_owned();
    let me = as_user("ana");
    assert_eq!(ask(web, "PUT /ana", &me, "before").status, 200);
    let order = |order: &str| {
        let mut operator = UnixStream::connect(&admin).unwrap();
        operator.write_all(format!("{order}\nQUIT\n").as_bytes()).unwrap();
        let said = std::io::read_to_string(operator).unwrap();
        assert!(said.contains(&format!("OK {order}\n")), "{said}");
    };
    // As on a full disk.
    order("ADMIN READONLY on");
    for (line, lines, body) in [
        ("PUT /ana", &*me, "x"),
        ("PUT /ana", &format!("{me}Idempotency-Key: k\r\n"), "x"),
        ("PUT /ana/job", &me, "x"),
        ("PUT /ana", &format!("{me}In: 1h\r\n"), "x"),
        ("DELETE /ana/000000000001", &me, ""),
        ("POST /v1/account/token", &me, "{}"),
        (&format!("POST /hook/{hook}"), "", "x"),
    ] {
        assert_eq!(ask(web, line, lines, body).denied(), (507, 50702), "{line} {lines}");
    }
    let mut stream = subscribe(web, "/ana/json?poll=1&since=all", &me);
    assert_eq!(stream.event()["message"], "before");
    assert_eq!(stream.chunk(), "");
    order("ADMIN READONLY off");
    assert_eq!(ask(web, "PUT /ana", &format!("{me}Idempotency-Key: k\r\n"), "x").status, 200);
}
