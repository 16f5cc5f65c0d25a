//! Subscriptions: what is sent, in which form, from where on.

use super::{Web, as_user, ask, brief, start, subscribe};
use crate::process::Home;

/// All events of a poll.
fn poll(web: std::net::SocketAddr, path: &str, lines: &str) -> Vec<String> {
    let mut stream = subscribe(web, path, lines);
    let mut events = Vec::new();
    loop {
        let chunk = stream.chunk();
        if chunk.is_empty() {
            assert_eq!(stream.rest(), b"");
            return events;
        }
        events.push(brief(&serde_json::from_str(&chunk).unwrap()));
    }
}

#[test]
fn what_happens_is_sent_under_the_first_topic_that_fits() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    bob.send("ana", "before");
    ana.say("GROUP NEW ops bob");
    ana.until("OK GROUP ");
    let mut stream = subscribe(web, "/_Ops,bob,Ana,_/json", &as_user("ana"));
    assert_eq!(brief(&stream.event()), "open|000000000002|_Ops,bob,Ana,_|-|-|-");
    bob.send("ana", "!! one\\ntwo");
    ana.send("#ops", "three");
    bob.until("MSG 4 ");
    bob.send("#ops", "!!! four");
    ana.send("bob", "five");
    ana.send("ana", "a note");
    let mut eve = papod.register("eve");
    eve.send("ana", "six");
    ana.until("MSG 8 ");
    ana.send("eve", "seven");
    for expected in [
        "message|000000000003|bob|bob|one\ntwo|4",
        "message|000000000004|_Ops|ana|three|1",
        "message|000000000005|_Ops|bob|four|5",
        "message|000000000006|bob|ana|five|1",
        "message|000000000007|Ana|ana|a note|-",
        "message|000000000008|Ana|eve|six|-",
        "message|000000000009|_|ana|seven|1",
    ] {
        assert_eq!(brief(&stream.event()), expected);
    }
    let all = poll(web, "/_/json?poll=1&since=000000000003", &as_user("bob"));
    assert_eq!(all[0], "message|000000000004|_|#ops: ana|three|-");
    assert_eq!(all[1], "message|000000000005|_|#ops: bob|four|1");
}

#[test]
fn the_last_messages_are_those_of_the_topic() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let ids = |path: &str, user: &str| -> Vec<String> {
        let events = poll(web, path, &as_user(user));
        events.iter().map(|event| event.split('|').nth(1).unwrap()[9..].to_owned()).collect()
    };
    bob.send("ana", "can you hear me?");
    // What she says in the chat is not said to her.
    for n in 2..=170 {
        ana.send("bob", &format!("{n}"));
    }
    assert_eq!(ids("/ana/json?poll=1&since=latest", "ana"), ["001"]);
    assert_eq!(ids("/ana/json?poll=1", "ana"), ["001"]);
    assert_eq!(ids("/bob/json?poll=1&since=latest", "ana"), ["170"]);
    assert_eq!(ids("/_/json?poll=1&since=latest", "ana"), ["170"]);
    // Changes of a group, and deleted messages.
    ana.say("GROUP NEW ops bob");
    ana.send("#ops", "one");
    ana.send("#ops", "two");
    for n in 174..=330 {
        ana.say(&format!("GROUP TOPIC ops {n}"));
    }
    ana.send("#ops", "three");
    ana.say("DEL last");
    ana.until("OK DEL ");
    assert_eq!(ids("/_ops/json?poll=1&since=latest", "bob"), ["173"]);
    assert_eq!(ids("/_ops/json?poll=1&since=all", "bob"), ["172", "173"]);
}

#[test]
fn since_says_where_it_begins() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let ids = |path: &str| -> Vec<String> {
        let events = poll(web, path, &me);
        events.iter().map(|event| event.split('|').nth(1).unwrap()[9..].to_owned()).collect()
    };
    for n in 1..=120 {
        bob.send("ana", &format!("{n}"));
    }
    ana.say("GROUP NEW ops bob");
    ana.send("#ops", "hi");
    bob.until("MSG 122 ");
    let last_100: Vec<String> = (21..=120).map(|n| format!("{n:03}")).collect();
    assert_eq!(ids("/bob/json?poll=1"), last_100);
    assert_eq!(ids("/ana/json?poll=1&since=all"), last_100);
    assert_eq!(ids("/bob/json?poll=1&since=none"), [""; 0]);
    assert_eq!(ids("/bob,_ops/json?po=1&si=latest"), ["120", "122"]);
    assert_eq!(ids("/_/json?poll=1&since=latest"), ["120", "122"]);
    assert_eq!(ids("/bob/json?poll=1&since=000000000118"), ["119", "120"]);
    assert_eq!(ids("/_/json?poll=1&since=000000000119"), ["120", "122"]);
    assert_eq!(ids("/bob/json?poll=1&since=9223372036854775807"), [""; 0]);
    assert_eq!(ids("/bob/json?poll=1&since=0000000000000").len(), 120);
    assert_eq!(ids("/bob/json?poll=1&since=10m").len(), 120);
    assert_eq!(ids("/bob/json?poll=1&since=1500000000").len(), 120);
    assert_eq!(ids("/bob/json?poll=1&since=4000000000"), [""; 0]);
    assert_eq!(ids("/bob/json?poll=1&since=all&message=110"), ["110"]);
    assert_eq!(ids("/bob/json?poll=1&since=all&id=000000000111"), ["111"]);
    assert_eq!(ids("/bob/json?poll=1&since=all&priority=4,5"), [""; 0]);
    assert_eq!(ids("/bob/json?poll=1&since=all&tags=x"), [""; 0]);
    assert_eq!(ids("/bob/json?poll=1&since=+all+&tags=,+"), ids("/bob/json?poll=1&since=all"));
    let get = |path: &str| ask(web, &format!("GET {path}"), &me, "").denied();
    for bad in ["yesterday", "-1", "1w", "99999999999999999999", ""] {
        let expected = if bad.is_empty() { continue } else { (400, 40008) };
        assert_eq!(get(&format!("/bob/json?since={bad}")), expected, "{bad}");
    }
    assert_eq!(get("/nobody/json"), (404, 40401));
    assert_eq!(get("/_none/json"), (404, 40401));
    assert_eq!(get("/a/json"), (400, 40009));
    assert_eq!(get(&format!("/{}/json", ["bob"; 21].join(","))), (400, 40009));
    assert_eq!(get("/bob/json?priority=x"), (400, 40007));
    assert_eq!(get("/bob/ws"), (400, 40016));
    assert_eq!(ask(web, "GET /bob/json", "", "").denied(), (403, 40301));
}

#[test]
fn each_form_is_its_own() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--keep", "2"]);
    let (_ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let mut sse = subscribe(web, "/bob/sse", &me);
    let mut raw = subscribe(web, "/bob/raw", &me);
    let mut old = Web::connect(web);
    old.write(format!("GET /bob/json HTTP/1.0\r\n{me}\r\n"));
    let (status, head) = old.head();
    assert!(status == 200 && !head.contains("chunked"), "{head}");
    assert!(head.contains("Content-Type: application/x-ndjson; charset=utf-8\r\n"), "{head}");
    assert!(head.contains("X-Accel-Buffering: no\r\n"), "{head}");
    let open = sse.chunk();
    assert!(
        open.starts_with("event: open\ndata: {\"id\":\"000000000000\",") && open.ends_with("}\n\n")
    );
    assert_eq!(raw.chunk(), "\n");
    assert!(old.line().contains("\"event\":\"open\""));
    bob.send("ana", "one\\ntwo");
    let message = sse.chunk();
    assert!(message.starts_with("data: {\"id\":\"000000000001\",") && message.ends_with("}\n\n"));
    assert!(message.contains("\"expires\":"), "{message}");
    assert_eq!(raw.chunk(), "one two\n");
    assert!(old.line().contains("\"message\":\"one\\ntwo\""));
    // What the conversation deletes earlier expires earlier.
    bob.say("EXPIRE ana 3600");
    bob.until("OK EXPIRE");
    bob.send("ana", "three");
    let message: serde_json::Value = serde_json::from_str(&old.line()).unwrap();
    let [time, expires] = ["time", "expires"].map(|key| message[key].as_i64().unwrap());
    assert_eq!(expires - time, 3_600, "{message}");
}

#[test]
fn a_browser_says_in_the_address_who_it_is() {
    use base64ct::Encoding;
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    papod.register("ana");
    let me = as_user("ana");
    let auth =
        base64ct::Base64UrlUnpadded::encode_string(me["Authorization: ".len()..].trim().as_bytes());
    let mut sse = subscribe(web, &format!("/ana/sse?auth={auth}"), "");
    assert!(sse.chunk().starts_with("event: open"));
    for form in ["json", "raw", "auth"] {
        let got = ask(web, &format!("GET /ana/{form}?auth={auth}"), "", "");
        assert_eq!(got.denied(), (403, 40301), "{form}");
    }
}

#[test]
fn nothing_is_missing_and_nothing_comes_twice_while_much_is_said() {
    const MANY: u64 = 600;
    let home = Home::new();
    let (papod, web) = start(&home, &["--limit-waiting", "4000"]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    ana.say("SET receipts off");
    ana.until("OK SET");
    let text = "x".repeat(500);
    for n in 0..100 {
        bob.send("ana", &format!("{n} {text}"));
    }
    // Half of it is said while the log is read, and the reader is slow.
    let mut stream = subscribe(web, "/bob/json?since=000000000000", &as_user("ana"));
    let writer = std::thread::spawn(move || {
        for n in 100..MANY {
            bob.send("ana", &format!("{n} {text}"));
        }
    });
    assert_eq!(stream.event()["event"], "open");
    for n in 0..MANY {
        let event = stream.event();
        assert_eq!(event["event"], "message");
        assert!(event["message"].as_str().unwrap().starts_with(&format!("{n} ")), "{n}: {event}");
    }
    writer.join().unwrap();
}

#[test]
fn silence_is_filled_and_says_how_far_all_was_sent() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--http-keepalive", "1", "--idle", "2"]);
    let (_ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let mut stream = subscribe(web, "/bob/json", &as_user("ana"));
    assert_eq!(brief(&stream.event()), "open|000000000000|bob|-|-|-");
    bob.send("ana", "x");
    let mut next = || brief(&stream.event());
    while next() != "message|000000000001|bob|bob|x|-" {}
    // Longer than a session may be idle.
    for _ in 0..4 {
        assert_eq!(next(), "keepalive|000000000001|bob|-|-|-");
    }
}
