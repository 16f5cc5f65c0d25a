//! `--metrics`: what is served is what Prometheus reads, and the numbers in it are right.
//!
//! The format is read by a parser that is stricter than Prometheus' own: each family stands together
//! and is described first, each name is what its type asks for, and nothing stands there twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use crate::files::ends;
use crate::process::{self, Home, PASSWORD, PATIENCE, Papod, run};
use papo::limits;

/// A papod that serves metrics, and where.
fn start(home: &Home) -> (Papod, SocketAddr) {
    let papod = Papod::start_with(&home.db(), ["--metrics", "127.0.0.1:0"]);
    let log = papod.log();
    let address = log.split_once("metrics at http://").and_then(|(_, rest)| rest.split_once('/'));
    let address = address.unwrap_or_else(|| panic!("{log}")).0.parse().unwrap();
    (papod, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The head and the body of an answer, whose length is what the head says.
fn read_answer(socket: &mut TcpStream, has_body: bool) -> (String, String) {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(head.lines().any(|line| line == "Connection: close"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.unwrap().parse().unwrap();
    assert!(length > 0);
    assert_eq!(body.len(), if has_body { length } else { 0 });
    (head.to_owned(), body.to_owned())
}

/// What is answered to these bytes.
fn ask(address: SocketAddr, request: &[u8]) -> (String, String) {
    let mut socket = connect(address);
    socket.write_all(request).unwrap();
    read_answer(&mut socket, !request.starts_with(b"HEAD "))
}

const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The numbers, by their names with their labels.
fn scrape(address: SocketAddr) -> BTreeMap<String, f64> {
    let (head, body) = ask(address, GET);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    parse(&body)
}

/// The text format, version 0.0.4, read strictly.
fn parse(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n') && !text.contains("\n\n") && !text.contains('\r'));
    let is_name = |name: &str| {
        let is_letter = |b: u8| b.is_ascii_lowercase() || b == b'_';
        let is_known = name.starts_with("papod_") || name == "process_resident_memory_bytes";
        is_known && name.bytes().all(|b| is_letter(b) || b.is_ascii_digit())
    };
    let mut found = BTreeMap::new();
    let mut families: Vec<String> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')).unwrap();
        assert!(is_name(name) && !help.is_empty() && !help.contains('\\'), "{line}");
        assert!(!families.contains(&name.to_owned()), "{name} stands there twice");
        families.push(name.to_owned());
        let kind = lines.next().and_then(|l| l.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{line}");
            samples.push((sample.to_owned(), value));
            assert_eq!(found.insert(sample.to_owned(), value), None, "{sample}");
        }
        match kind {
            // Those with a label have a sample for each value, and none before the first.
            "counter" | "gauge" if ["papod_refusals_total", "papod_build_info"].contains(&name) => {
                let has_label = |(sample, _): &(String, f64)| {
                    let label = sample.strip_prefix(name).and_then(|rest| rest.strip_prefix('{'));
                    label.is_some_and(|label| label.ends_with("\"}"))
                };
                assert!(samples.iter().all(has_label), "{samples:?}");
            }
            "counter" | "gauge" => {
                assert_eq!(samples.len(), 1, "{name}");
                assert_eq!(samples[0].0, name);
            }
            "histogram" => is_histogram(name, &samples),
            other => panic!("{name} is of no known type: {other}"),
        }
    }
    assert!(families.len() > 15, "{families:?}");
    found
}

fn is_histogram(name: &str, samples: &[(String, f64)]) {
    let [buckets @ .., sum, count] = samples else { panic!("{name} has no buckets") };
    assert_eq!((&*sum.0, &*count.0), (&*format!("{name}_sum"), &*format!("{name}_count")));
    let (mut last, mut held) = (f64::NEG_INFINITY, 0.0);
    for (sample, value) in buckets {
        let bound = sample.strip_prefix(&format!("{name}_bucket{{le=\""));
        let bound = bound.and_then(|rest| rest.strip_suffix("\"}")).unwrap();
        let bound: f64 = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
        assert!(bound > last && *value >= held, "{sample}");
        (last, held) = (bound, *value);
    }
    assert_eq!((last, held), (f64::INFINITY, count.1), "the last bucket holds all");
}

#[test]
fn numbers_are_what_has_happened() {
    let home = Home::new();
    let (papod, address) = start(&home);
    let before = scrape(address);
    assert_eq!(before["papod_messages_total"], 0.0);
    assert_eq!(before["papod_sessions"], 0.0);

    let mut ana = papod.register("ana");
    let mut bia = papod.register("bia");
    let mut phone = papod.login("bia").0;
    // By now it is live: entries are pushed to it.
    phone.has_heard_all();
    let mut stranger = papod.connect();
    stranger.say("LOGIN ana a-guess");
    assert!(stranger.line().starts_with("ERR LOGIN wrong-secret "));
    // One is refused by the session, the other by the hub.
    for line in ["TALK nobody", "MSG nobody hi"] {
        ana.say(line);
        assert!(ana.line().contains(" no-such-user "));
    }
    for n in 0..10 {
        let id = ana.send("bia", &format!("message {n}"));
        bia.until(&format!("MSG {id} "));
        phone.until(&format!("MSG {id} "));
    }
    bia.say("READ");
    bia.until("OK READ ");
    ana.until("READ ");

    let after = scrape(address);
    for (name, expected) in [
        ("connections_total", 4.0),
        ("connections_refused_total", 0.0),
        ("sessions", 4.0),
        ("sessions_logged_in", 3.0),
        ("sessions_behind", 0.0),
        ("registrations_total", 2.0),
        ("logins_total", 1.0),
        ("logins_refused_total", 1.0),
        ("secrets_waiting", 0.0),
        ("questions_waiting", 0.0),
        // Two accounts, ten messages, one that was refused, one READ.
        ("commands_total", 14.0),
        ("messages_total", 10.0),
        ("deliveries_total", 20.0),
        ("receipts_total", 1.0),
        ("commits_failed_total", 0.0),
        ("panics_total", 0.0),
    ] {
        assert_eq!(after[&format!("papod_{name}")], expected, "{name}");
    }
    assert_eq!(after["papod_refusals_total{code=\"wrong-secret\"}"], 1.0);
    assert_eq!(after["papod_refusals_total{code=\"no-such-user\"}"], 2.0);
    let version = concat!("papod_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    assert_eq!(after[version], 1.0);
    let held = papod.memory("VmRSS") as f64 * 1024.0;
    let told = after["process_resident_memory_bytes"];
    assert!(told > held / 2.0 && told < held * 2.0, "{told} of {held}");
    let commits = after["papod_commit_duration_seconds_count"];
    assert!(commits >= 13.0, "{commits}");
    assert!(after["papod_commit_duration_seconds_sum"] > 0.0);
    let typed = "LOGIN ana a-guess\n".len() + "MSG bia message n\n".len() * 10;
    assert!(after["papod_received_bytes_total"] > typed as f64);
    assert!(after["papod_sent_bytes_total"] > 30.0 * "MSG 1 ".len() as f64);
    let size = fs::metadata(home.db()).unwrap().len();
    assert_eq!(after["papod_database_bytes"], size as f64);
    assert!(after["papod_database_log_bytes"] > 0.0);
    // Names are nobody's business here.
    let (_, text) = ask(address, GET);
    assert!(!text.contains("ana") && !text.contains("bia") && !text.contains(PASSWORD));
    for (name, value) in &before {
        let grows = name.ends_with("_total") || name.contains("_bucket");
        assert!(!grows || after[name] >= *value, "{name}");
    }
    drop((ana, bia, phone, stranger));
    papod.stop();
}

/// Where the index cannot be made, it lags behind, and searches find the same without it.
#[test]
fn the_lag_of_the_index_is_told() {
    let home = Home::new();
    let index = format!("{}-search", home.db().display());
    fs::create_dir(&index).unwrap();
    let (papod, address) = start(&home);
    let mut ana = papod.register("ana");
    let count = 2 * limits::SEARCH_TAIL;
    let said: String = (1..=count).map(|n| format!("MSG ana message {n}\n")).collect();
    ana.write(said.as_bytes());
    ana.until(&format!("OK MSG {count} "));
    let until = |fits: &dyn Fn(f64) -> bool| {
        let begun = Instant::now();
        while !fits(scrape(address)["papod_search_lag"]) {
            assert!(begun.elapsed() < PATIENCE, "{}", papod.log());
        }
    };
    let mut search = || {
        ana.say("HIST - 2 with message 17");
        ana.until("OK HIST ").len() - 1
    };
    until(&|lag| lag == count as f64);
    papod.until_logged("searching is slower");
    assert_eq!(search(), 2);
    fs::remove_dir(&index).unwrap();
    until(&|lag| lag == 0.0);
    assert_eq!(search(), 2);
    papod.stop();
}

/// The ids of a restored database jump, so there are fewer entries than ids.
#[test]
fn the_lag_of_the_index_is_counted_in_entries() {
    let home = Home::new();
    let (papod, _) = start(&home);
    let mut ana = papod.register("ana");
    for _ in 0..9 {
        ana.send("ana", "hello");
    }
    papod.stop();
    let saved = home.path().join("saved.db");
    fs::rename(home.db(), &saved).unwrap();
    let restored = Home::new();
    ends(0, &restored.db(), &["--restore", saved.to_str().unwrap()]);
    let (papod, address) = start(&restored);
    assert_eq!(scrape(address)["papod_search_lag"], 9.0);
    let mut ana = papod.login_quietly("ana");
    assert!(ana.send("ana", "hello") > 1_000_000);
    let begun = Instant::now();
    while scrape(address)["papod_search_lag"] != 10.0 {
        assert!(begun.elapsed() < PATIENCE, "{}", papod.log());
    }
    papod.stop();
}

#[test]
fn a_request_is_answered_as_http_asks() {
    let home = Home::new();
    let (_papod, address) = start(&home);
    let status = |request: &[u8]| ask(address, request).0.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(status(b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), "200");
    assert_eq!(status(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), "404");
    assert_eq!(status(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n"), "404");
    let (head, _) =
        ask(address, b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    assert!(
        head.starts_with("HTTP/1.1 405 ") && head.contains("\r\nAllow: GET, HEAD\r\n"),
        "{head}"
    );
    // Without waiting for more.
    assert_eq!(status(b"LOGIN ana secret-a\n"), "400");
    assert_eq!(status(b"\x16\x03\x01\x00\xf4\x01\x00\x00\n"), "400");
    // However it comes.
    let mut socket = connect(address);
    socket.set_nodelay(true).unwrap();
    GET.iter().for_each(|byte| socket.write_all(&[*byte]).unwrap());
    parse(&read_answer(&mut socket, true).1);
    // One that is cut off is none.
    let mut socket = connect(address);
    socket.write_all(&GET[..20]).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    assert!(read_answer(&mut socket, true).0.starts_with("HTTP/1.1 400 "));
    // A request has an end.
    let long = |bytes: usize| {
        let start = "GET /metrics HTTP/1.1\r\nHost: a\r\nCookie: ";
        let cookie = "x".repeat(bytes - start.len() - 4);
        format!("{start}{cookie}\r\n\r\n")
    };
    assert_eq!(status(long(limits::METRICS_REQUEST).as_bytes()), "200");
    assert_eq!(status(long(limits::METRICS_REQUEST * 2).as_bytes()), "431");
    assert_eq!(status("x".repeat(limits::METRICS_REQUEST).as_bytes()), "431");
}

#[test]
fn silent_connections_keep_nobody_waiting() {
    let home = Home::new();
    let (papod, address) = start(&home);
    // One batch after the other, so many would hold a scrape up for longer than it is waited for here.
    let batches = PATIENCE.div_duration_f64(limits::METRICS_TIME).ceil() as usize;
    let count = limits::METRICS_CONNECTIONS * (batches + 1);
    let silent: Vec<TcpStream> = (0..count).map(|_| connect(address)).collect();
    scrape(address);
    // The oldest had to go.
    assert!(matches!((&silent[0]).read(&mut [0]), Ok(0) | Err(_)));
    papod.stop();
}

#[test]
fn it_has_to_be_an_address() {
    let home = Home::new();
    for address in ["", "localhost", "127.0.0.1:x"] {
        let mut command = process::papod();
        command.args(process::USUAL).args(["--metrics", address, "--db"]).arg(home.db());
        let output = run(&mut command);
        assert_eq!(output.status.code(), Some(2), "{address}");
    }
    assert!(!home.db().exists(), "nothing is made where nothing is served");
}

#[test]
#[ignore = "needs curl"]
fn curl_understands_it() {
    let home = Home::new();
    let (papod, address) = start(&home);
    let curl = |arguments: &[&str], path: &str| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "20"]);
        let output = run(command.args(arguments).arg(format!("http://{address}{path}")));
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, text) = curl(&[], "/metrics");
    assert_eq!(status, Some(0));
    assert!(parse(&text).contains_key("papod_uptime_seconds"));
    let (status, text) = curl(&["--head"], "/metrics");
    assert_eq!((status, text.starts_with("HTTP/1.1 200 OK\r\n")), (Some(0), true), "{text}");
    // 22: the server has answered with an error.
    assert_eq!(curl(&[], "/").0, Some(22));
    assert_eq!(curl(&["--data", "x"], "/metrics").0, Some(22));
    papod.stop();
}
