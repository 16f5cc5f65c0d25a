//! Bodies that become files, and the links by which they are fetched.

use std::net::TcpStream;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use serde_json::{Value, json};

use super::{Got, Web, as_user, ask, basic, start, subscribe};
use crate::process::{Home, PASSWORD};

/// An answer whose body may be anything.
fn raw(web: std::net::SocketAddr, request: &[u8]) -> (Got, Vec<u8>) {
    let mut one = Web::connect(web);
    one.write(request);
    let (status, head) = one.head();
    let got = Got { status, head, body: String::new() };
    let length = got.header("content-length").map_or(0, |length| length.parse().unwrap());
    let body = one.read(length);
    (got, body)
}

fn put(web: std::net::SocketAddr, path: &str, lines: &str, body: &[u8]) -> Got {
    let length = body.len();
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: h:80\r\n{lines}Content-Length: {length}\r\n\r\n");
    let (mut got, answer) = raw(web, &[head.as_bytes(), body].concat());
    got.body = String::from_utf8(answer).unwrap();
    got
}

/// Fetches the file of a link.
fn fetch(web: std::net::SocketAddr, link: &Value, lines: &str) -> (Got, Vec<u8>) {
    let path =
        link.as_str().unwrap().strip_prefix("http://h:80").unwrap_or_else(|| panic!("{link}"));
    raw(web, format!("GET {path} HTTP/1.1\r\nHost: h:80\r\n{lines}\r\n").as_bytes())
}

fn some_bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| u8::try_from(i * 7919 % 251).unwrap() ^ 0x80).collect()
}

#[test]
fn a_body_that_is_no_text_becomes_a_file_with_a_link() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, mut bob, _eve) =
        (papod.register("ana"), papod.register("bob"), papod.register("eve"));
    let (me, him) = (as_user("ana"), as_user("bob"));
    let mut one = Web::connect(web);
    one.write(format!("GET /ana/json HTTP/1.1\r\nHost: h:80\r\n{him}\r\n"));
    one.head();
    one.chunk();
    let bytes = b"\x89PNG\r\n\x1a\n\0\xff";
    let got = put(web, "/bob", &me, bytes);
    assert_eq!(got.status, 200, "{got:?}");
    let said = got.json();
    assert_eq!((&said["id"], &said["message"]), (&"000000000001".into(), &"attachment.png".into()));
    let attachment = &said["attachment"];
    assert_eq!(attachment["name"], "attachment.png");
    assert_eq!(attachment["type"], "image/png");
    assert_eq!(attachment["size"], 10);
    let expires = attachment["expires"].as_i64().unwrap();
    assert_eq!(expires - said["time"].as_i64().unwrap(), 24 * 60 * 60);
    assert!(bob.until("MSG 1 ").pop().unwrap().ends_with(" ana bob file=10 attachment.png"));
    // The subscriber has a link of its own, without a login.
    let event = one.event();
    assert_eq!((&event["event"], &event["message"]), (&"message".into(), &"attachment.png".into()));
    assert_eq!(event["attachment"]["size"], 10);
    for link in [&attachment["url"], &event["attachment"]["url"]] {
        let (got, body) = fetch(web, link, "");
        assert_eq!((got.status, &*body), (200, &bytes[..]));
        assert_eq!(got.header("content-type"), Some("image/png"));
        assert_eq!(got.header("content-disposition"), Some("attachment"));
        assert_eq!(got.header("content-security-policy"), Some("default-src 'none'; sandbox"));
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(got.header("access-control-allow-origin"), Some("*"));
    }
    assert_ne!(attachment["url"], event["attachment"]["url"]);
    // With a login it is served to those who may see it.
    let (got, body) = fetch(web, &json!("http://h:80/file/000000000001"), &him);
    assert_eq!((got.status, &*body), (200, &bytes[..]));
    assert_eq!(got.header("content-type"), Some("application/octet-stream"));
    let get = |path: &str, lines: &str| ask(web, &format!("GET {path}"), lines, "").denied();
    assert_eq!(get("/file/000000000001", &as_user("eve")), (404, 40401));
    assert_eq!(get("/file/000000000001", ""), (403, 40301));
    assert_eq!(get("/file/000000000001", &basic("bob", "wrong-one")), (401, 40101));
    assert_eq!(get("/file/000000000002", &him), (404, 40401));
    assert_eq!(get("/file/x", &him), (404, 40401));
    // A link is for one file, and nothing of it can be changed.
    let link = attachment["url"].as_str().unwrap().strip_prefix("http://h:80").unwrap();
    put(web, "/bob", &me, &[0xff]);
    let last = if link.ends_with('A') { "B" } else { "A" };
    for wrong in [
        link.replace("000000000001", "000000000002"),
        link.replace("token=1.", "token=2."),
        format!("{}{last}", &link[..link.len() - 1]),
        format!("{link}AA"),
        link[..link.len() - 43].to_owned(),
    ] {
        assert_eq!(get(&wrong, ""), (404, 40401), "{wrong}");
    }
    // The head alone says how long it is.
    let mut head = Web::connect(web);
    head.write(format!("HEAD {link} HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(head.head().1.contains("Content-Length: 10\r\n"));
    assert_eq!(head.rest(), b"");
}

#[test]
fn a_download_that_broke_off_goes_on() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, _bob) = (papod.register("ana"), papod.register("bob"));
    // It has more than one of the parts in which it is read.
    let bytes = some_bytes(100_003);
    let link = &put(web, "/bob", &as_user("ana"), &bytes).json()["attachment"]["url"];
    let (whole, body) = fetch(web, link, "");
    assert_eq!((whole.status, body == bytes), (200, true));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let tag = whole.header("etag").unwrap();
    for (range, from, end) in [
        ("0-0", 0, 1),
        ("49000-50999", 49_000, 51_000),
        ("70000-", 70_000, 100_003),
        ("99999-200000", 99_999, 100_003),
        ("-3", 100_000, 100_003),
    ] {
        let (got, body) = fetch(web, link, &format!("Range: bytes={range}\r\nIf-Range: {tag}\r\n"));
        assert_eq!((got.status, body == bytes[from..end]), (206, true), "{range}");
        let expected = format!("bytes {from}-{}/100003", end - 1);
        assert_eq!(got.header("content-range"), Some(&*expected));
        assert_eq!(got.header("content-disposition"), Some("attachment"));
    }
    // Of another file, or in another form, the whole is served.
    for lines in ["bytes=5-\r\nIf-Range: \"x\"", "bytes=0-1,3-4", "lines=1-2"] {
        let (got, body) = fetch(web, link, &format!("Range: {lines}\r\n"));
        assert_eq!((got.status, body == bytes), (200, true), "{lines}");
    }
    let (got, body) = fetch(web, link, "Range: bytes=100003-\r\n");
    assert_eq!(got.header("content-range"), Some("bytes */100003"));
    assert_eq!(Got { body: String::from_utf8(body).unwrap(), ..got }.denied(), (416, 41600));
    // A part of what may not be seen is as little seen.
    let lines = format!("{}Range: bytes=0-0\r\n", as_user("eve"));
    assert_eq!(fetch(web, &json!("http://h:80/file/000000000001"), &lines).0.status, 401);
}

#[test]
fn a_name_makes_a_file_and_what_is_said_about_it_comes_before() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, _bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let plain = put(web, "/bob", &format!("{me}Filename: ../log.txt\r\n"), b"all of it").json();
    assert_eq!(
        (&plain["attachment"]["name"], &plain["message"]),
        (&"log.txt".into(), &"log.txt".into())
    );
    assert_eq!(plain["attachment"]["type"], "text/plain; charset=utf-8");
    let lines = format!(
        "{me}X-Filename: cam.jpg\r\nTitle: Door\r\nMessage: somebody is there\r\nPriority: 5\r\n\
         Idempotency-Key: k-1\r\n"
    );
    let first = put(web, "/bob", &lines, b"\xff\xd8\xff");
    let said = first.json();
    assert_eq!((&said["id"], &said["title"]), (&"000000000003".into(), &"Door".into()));
    assert_eq!((&said["message"], &said["priority"]), (&"somebody is there".into(), &5.into()));
    // Said again, neither comes twice.
    assert_eq!(put(web, "/bob", &lines, b"\xff\xd8\xff").body, first.body);
    assert_eq!(put(web, "/bob", &lines, b"\xff\xd8\xfe").denied(), (409, 40905));
    put(web, "/bob?filename=a%2Fb.bin&tags=warning", &me, b"\0");
    let rows = ana.history("bob", 0);
    let bodies: Vec<&str> = rows.iter().map(|row| &*row.body).collect();
    let expected = ["log.txt", "!!! Door\\nsomebody is there", "cam.jpg", "⚠️ b.bin", "b.bin"];
    assert_eq!(bodies, expected);
    // Where no file may be, a named text is a text, and anything else is refused.
    for lines in ["In: 1h\r\n", "SID: a\r\n"] {
        let lines = format!("{me}{lines}Filename: log.txt\r\n");
        assert_eq!(put(web, "/bob", &lines, b"text").json()["title"], "log.txt");
        assert_eq!(put(web, "/bob", &lines, b"\xff").denied(), (400, 40014));
    }
    ana.say("TOKEN NEW bell to bob");
    let token = ana.until("OK TOKEN").pop().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(put(web, &format!("/{token}"), "", b"\xff").denied(), (400, 40014));
    assert_eq!(put(web, "/bob", &basic("ana", &token), b"\xff").denied(), (403, 40301));
}

#[test]
fn large_files_come_and_go_in_parts() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--limit-file", "1000000"]);
    let (_ana, _bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let bytes = some_bytes(1_000_000);
    let named = format!("{me}Filename: x\r\n");
    let check = |got: Got, expected: &[u8]| {
        assert_eq!(got.status, 200, "{got:?}");
        let (got, body) = fetch(web, &got.json()["attachment"]["url"], "");
        assert_eq!((got.status, body == expected), (200, true));
    };
    check(put(web, "/bob", &named, &bytes), &bytes);
    // Without a name it is known by what it begins with.
    check(put(web, "/bob", &me, &bytes), &bytes);
    let chunked = |lines: &str, bytes: &[u8], size: usize| {
        let mut request =
            format!("PUT /bob HTTP/1.1\r\nHost: h:80\r\n{lines}Transfer-Encoding: chunked\r\n\r\n")
                .into_bytes();
        for chunk in bytes.chunks(size) {
            request.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend([chunk, b"\r\n"].concat());
        }
        request.extend(b"0\r\n\r\n");
        let (mut got, body) = raw(web, &request);
        got.body = String::from_utf8(body).unwrap();
        got
    };
    for (lines, size) in [(&named, 999), (&me, 100_000), (&me, 1_000_000), (&named, 1_000_000)] {
        if lines == &me && size == 1_000_000 {
            // Of a single chunk nothing has come when its size has to be judged.
            assert_eq!(chunked(lines, &bytes, size).denied(), (413, 41301));
            continue;
        }
        check(chunked(lines, &bytes, size), &bytes);
    }
    // One byte more is too much, which is said before it is sent.
    let too_much = (413, 41301);
    let says = |lines: &str, length: usize, body: &[u8]| {
        let mut one = Web::connect(web);
        one.write(format!(
            "PUT /bob HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: {length}\r\n\r\n"
        ));
        one.write(body);
        one.got().denied()
    };
    assert_eq!(says(&named, 1_000_001, b""), too_much);
    assert_eq!(says(&me, 1_000_001, b"\xff\xfe"), too_much);
    assert_eq!(says(&me, 262_145, b"some text"), too_much);
    assert_eq!(chunked(&named, &some_bytes(1_000_001), 70_000).denied(), too_much);
    assert_eq!(chunked(&me, &[b'x'; 262_145], 65_536).denied(), too_much);
    // A client that waits to be told is told.
    let mut one = Web::connect(web);
    one.write(format!(
        "PUT /bob HTTP/1.1\r\nHost: h:80\r\n{me}Content-Length: 300000\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(one.head().0, 100);
    one.write(&bytes[..300_000]);
    check(one.got(), &bytes[..300_000]);
    // One that is cut off is not sent.
    let mut one = Web::connect(web);
    one.write(format!("PUT /bob HTTP/1.1\r\nHost: h\r\n{named}Content-Length: 300000\r\n\r\n"));
    one.write(&bytes[..200_000]);
    one.finish();
    assert_eq!(one.rest(), b"");
    let (mut ana, _) = papod.login("ana");
    assert_eq!(ana.history("bob", 0).len(), 6);
}

#[test]
fn a_link_ends_with_the_file_and_with_the_password() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, _bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let [one, two] = [b"\xff", b"\xfe"].map(|bytes| put(web, "/bob", &me, bytes).json());
    let status = |said: &Value| fetch(web, &said["attachment"]["url"], "").0.status;
    assert_eq!((status(&one), status(&two)), (200, 200));
    assert_eq!(ask(web, "DELETE /bob/1", &me, "").status, 200);
    assert_eq!((status(&one), status(&two)), (404, 200));
    ana.say(&format!("PASSWD {PASSWORD} another-one"));
    ana.until("OK PASSWD");
    assert_eq!(status(&two), 404);
    // Whoever was away gets links that work.
    let him = as_user("bob");
    let mut stream = subscribe(web, "/_/json?poll=1&since=all", &him);
    let event = stream.event();
    assert_eq!(event["attachment"]["name"], "attachment.bin");
    let url = event["attachment"]["url"].as_str().unwrap().replace("http://papo/", "http://h:80/");
    assert_eq!(status(&json!({"attachment": {"url": url}})), 200);
}

#[test]
fn the_rest_of_a_file_that_is_deleted_is_not_sent() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, _bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    // More than the sockets hold.
    let bytes = some_bytes(5_000_000);
    assert_eq!(put(web, "/bob", &me, &bytes).status, 200);
    let socket = TcpStream::connect(web).unwrap();
    set_socket_recv_buffer_size(&socket, 16_384).unwrap();
    let mut one = Web::of(socket);
    one.write(format!("GET /file/1 HTTP/1.1\r\nHost: h\r\n{me}\r\n"));
    assert!(one.head().1.contains("Content-Length: 5000000\r\n"));
    assert_eq!(one.read(1_000), bytes[..1_000]);
    assert_eq!(ask(web, "DELETE /bob/1", &me, "").status, 200);
    assert!(one.rest().len() < 4_999_000);
}

#[test]
fn a_file_that_is_renamed_stays_one() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let (me, him) = (as_user("ana"), as_user("bob"));
    let mut from_the_first = subscribe(web, "/ana/json", &him);
    from_the_first.chunk();
    put(web, "/bob", &me, b"\xff\xfe");
    put(web, "/bob", &me, b"some text");
    from_the_first.chunk();
    from_the_first.chunk();
    let mut later = subscribe(web, "/ana/json", &him);
    later.chunk();
    ana.say("EDIT 1 holiday.jpg");
    ana.until("OK EDIT 3 ");
    ana.say("EDIT 2 other text");
    ana.until("OK EDIT 4 ");
    for stream in [&mut from_the_first, &mut later] {
        let event = stream.event();
        assert_eq!(event["sequence_id"], "000000000001");
        assert_eq!(
            (&event["id"], &event["message"]),
            (&"000000000003".into(), &"holiday.jpg".into())
        );
        let attachment = &event["attachment"];
        assert_eq!((&attachment["name"], &attachment["size"]), (&"holiday.jpg".into(), &2.into()));
        assert_eq!(attachment["type"], "image/jpeg");
        let url = attachment["url"].as_str().unwrap().replace("http://papo/", "http://h:80/");
        let (got, body) = fetch(web, &json!(url), "");
        assert_eq!((got.status, &*body), (200, &b"\xff\xfe"[..]));
        let event = stream.event();
        assert_eq!((&event["message"], &event["attachment"]), (&"other text".into(), &Value::Null));
    }
    // So it is for whoever was away.
    let mut away = subscribe(web, "/ana/json?since=000000000002", &him);
    away.chunk();
    assert_eq!(away.event()["attachment"]["name"], "holiday.jpg");
    bob.until("EDIT 4 ");
}
