//! What a stranger, a page in a browser, or somebody who reads the log gets out of it: nothing.

use std::io::ErrorKind;
use std::net::TcpListener;

use base64ct::Encoding;
use serde_json::json;

use super::{as_user, ask, basic, start, subscribe};
use crate::process::{Home, PASSWORD};

#[test]
fn secrets_and_texts_are_in_no_log_and_secrets_in_no_answer() {
    const TEXT: &str = "four-eyes-only";
    const WRONG: &str = "wrong-one-indeed";
    let home = Home::new();
    let (papod, web) = start(&home, &["--log", "trace"]);
    let (mut ana, _bob) = (papod.register("ana"), papod.register("bob"));
    ana.say("TOKEN NEW bell to bob");
    let hook = ana.line().rsplit(' ').next().unwrap().to_owned();
    let me = as_user("ana");
    let header = me["Authorization: ".len()..].trim().to_owned();
    let auth = base64ct::Base64UrlUnpadded::encode_string(header.as_bytes());
    let put = |path: &str, lines: &str| ask(web, &format!("PUT {path}"), lines, TEXT);
    let answers = [
        put("/bob", &me),
        put("/bob", &basic("ana", WRONG)),
        put("/bob", &format!("Authorization: Bearer {WRONG}\r\n")),
        put(&format!("/bob?auth={auth}"), ""),
        put(&format!("/hook/{hook}/{TEXT}"), ""),
        put(&format!("/{hook}"), ""),
        put(&format!("/hook/{WRONG}"), ""),
        put(&format!("/message?token={hook}"), ""),
        put("/nobody", &me),
        put("/bob", &format!("{me}Idempotency-Key: {WRONG} {TEXT}\r\n")),
        ask(web, &format!("GET /bob/publish?message={TEXT}"), &me, ""),
        ask(web, &format!("GET /bob/auth?auth={auth}"), "", ""),
    ];
    let mut stream = subscribe(web, &format!("/ana/sse?auth={auth}"), "");
    stream.chunk();
    let pair = base64ct::Base64::encode_string(format!("ana:{PASSWORD}").as_bytes());
    let secrets = [PASSWORD, WRONG, &pair, &auth, &hook[5..]];
    for answer in answers {
        let all = format!("{}{}", answer.head, answer.body);
        assert!(!secrets.iter().any(|secret| all.contains(secret)), "{all}");
    }
    assert_eq!(ask(web, "GET /v1/health", "", "").status, 200);
    papod.until_logged("GET /v1/… 200");
    let log = papod.log();
    assert!(log.contains("PUT /bob 200") && log.contains("/hook/…"), "{log}");
    for secret in secrets.iter().chain(&[TEXT]) {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn what_a_notice_names_is_fetched_from_nowhere() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    papod.register("ana");
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}/x", elsewhere.local_addr().unwrap());
    let lines = format!(
        "{}Click: {url}\r\nAttach: {url}\r\nIcon: {url}\r\nActions: http, Off, {url}; view, On, \
         {url}\r\n",
        as_user("ana")
    );
    let got = ask(web, "PUT /ana", &lines, &format!("![](<{url}>)"));
    assert_eq!(got.status, 200);
    let body = json!({"topic": "ana", "attach": url, "icon": url, "click": url, "markdown": true});
    assert_eq!(ask(web, "POST /", &as_user("ana"), &body.to_string()).status, 200);
    papod.stop();
    assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn no_answer_is_a_page_or_sets_a_cookie() {
    const HTML: &str = "<script>alert(1)</script>";
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, _bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let lines = format!("{me}Accept: text/html\r\nTitle: {HTML}\r\n");
    let mut heads = Vec::new();
    for (line, lines) in [
        ("PUT /bob", &*lines),
        ("PUT /%3Cscript%3E", &lines),
        ("GET /<script>", &lines),
        ("GET /", "Accept: text/html\r\n"),
        ("GET /v1/health", ""),
        ("GET /v1/account", &me),
        ("GET /config.js", ""),
        ("POST /hook/x", ""),
        ("OPTIONS /bob", ""),
        ("BREW /bob", &me),
    ] {
        let got = ask(web, line, lines, HTML);
        heads.push(got.head);
    }
    for form in ["json", "sse", "raw"] {
        let mut one = super::Web::connect(web);
        one.write(format!("GET /bob/{form}?poll=1 HTTP/1.1\r\nHost: h\r\n{me}\r\n"));
        let (status, head) = one.head();
        assert_eq!(status, 200);
        heads.push(head);
    }
    for head in heads {
        let kind = head.lines().find_map(|line| line.strip_prefix("Content-Type: "));
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        let plain = ["application/json", "text/plain", "application/x-ndjson", "text/event-stream"];
        assert!(plain.contains(&kind), "{head}");
        assert!(head.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{head}");
        assert!(!head.to_ascii_lowercase().contains("set-cookie"), "{head}");
    }
}

#[test]
fn no_header_query_or_json_becomes_a_command_or_a_header() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    ana.say("TOKEN NEW bell to ana");
    let hook = ana.line().rsplit(' ').next().unwrap().to_owned();
    let me = as_user("ana");
    let (query, word) = ("x%0D%0AMSG%20ana%20evil%0D%0A", "=?utf-8?q?x=0D=0AMSG_ana_evil=0D=0A?=");
    let raw = "x\r\nMSG ana evil\r\n";
    let mut answers = Vec::new();
    let mut try_it = |line: &str, lines: &str, body: &str| {
        let mut one = super::Web::connect(web);
        let length = body.len();
        let lines = format!("{me}{lines}Connection: close\r\nContent-Length: {length}\r\n");
        one.write(format!("{line} HTTP/1.1\r\nHost: h\r\n{lines}\r\n{body}"));
        answers.push(String::from_utf8(one.rest()).unwrap());
    };
    for name in [
        "Title",
        "Message",
        "Priority",
        "Tags",
        "Click",
        "Attach",
        "Actions",
        "Filename",
        "Icon",
        "X-Sequence-ID",
        "Idempotency-Key",
        "Delay",
        "Since",
        "X-ID",
        "Wait",
        "Timeout",
    ] {
        try_it("PUT /ana", &format!("{name}: {word}\r\n"), "harmless");
        try_it(&format!("PUT /ana?{name}={query}"), "", "harmless");
        try_it(&format!("GET /ana/json?poll=1&{name}={query}"), "", "");
    }
    for line in [
        format!("PUT /{query}"),
        format!("PUT /ana/{query}"),
        format!("DELETE /ana/{query}"),
        format!("PUT /ana/1{query}/clear"),
        format!("GET /ana,{query}/auth"),
        format!("GET /{query}/json?poll=1"),
        format!("GET /file/1{query}/{query}"),
        format!("POST /hook/{hook}{query}"),
        format!("POST /message?token={hook}{query}"),
    ] {
        try_it(&line, "", "harmless");
    }
    let json = json!({"topic": "ana", "message": raw, "title": raw, "tags": [raw], "click": raw,
        "attach": raw, "label": raw, "filename": raw, "delay": raw});
    try_it("POST /", "", &json.to_string());
    try_it("POST /", "", &json!({"topic": raw, "message": "x"}).to_string());
    try_it("POST /v1/account/token", "", &json.to_string());
    try_it(&format!("POST /hook/{hook}"), "X-GitHub-Event: push\r\n", &json.to_string());
    for answer in answers {
        let (head, _) = answer.split_once("\r\n\r\n").expect("it has a head");
        assert!(!head.contains("evil") && !head.starts_with("HTTP/1.1 5"), "{answer}");
    }
    assert!(ana.history("ana", 0).iter().all(|entry| entry.body != "evil"));
    ana.say("TOKEN LIST");
    let tokens = ana.until("OK TOKEN LIST");
    assert!(tokens.iter().any(|line| line.starts_with("TOKEN x-MSG-ana-evil ")), "{tokens:?}");
}

#[test]
fn a_stranger_is_answered_before_a_body_is_read() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    papod.register("ana");
    let no_token = format!("papo_{}", "0".repeat(40));
    for (line, lines, status) in [
        ("PUT /ana", "", 403),
        ("POST /", "", 403),
        ("DELETE /ana/1", "", 403),
        ("PUT /ana/1/clear", "", 403),
        ("PUT /ana", &*basic("ana", "wrong-one"), 401),
        ("PUT /ana", &as_user("nobody"), 401),
        ("POST /v1/account/token", &as_user("nobody"), 401),
        (&format!("POST /hook/{no_token}"), "", 404),
        (&format!("POST /message?token={no_token}"), "", 404),
    ] {
        let mut one = super::Web::connect(web);
        let length = 200_000;
        one.write(format!("{line} HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: {length}\r\n\r\n"));
        let got = one.got();
        assert_eq!(got.status, status, "{line} {lines}");
        assert_eq!(got.header("connection"), Some("close"), "{line} {lines}");
    }
}
