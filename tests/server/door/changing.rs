//! Messages that are changed, deleted or said later.

use serde_json::{Value, json};

use super::{Web, as_user, ask, start, subscribe};
use crate::process::Home;

/// What an event says about which message.
fn told(event: &Value) -> String {
    let field = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
    ["event", "id", "sequence_id", "message"].map(field).join("|")
}

fn poll(web: std::net::SocketAddr, path: &str, lines: &str) -> Vec<String> {
    let mut stream = subscribe(web, path, lines);
    let mut events = Vec::new();
    loop {
        match stream.chunk() {
            chunk if chunk.is_empty() => return events,
            chunk => events.push(told(&serde_json::from_str(&chunk).unwrap())),
        }
    }
}

#[test]
fn a_message_is_changed_and_deleted_by_its_id() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let (me, him) = (as_user("ana"), as_user("bob"));
    let mut stream = subscribe(web, "/ana/json", &him);
    assert_eq!(stream.event()["event"], "open");
    let sequence = format!("{me}X-Sequence-ID: 000000000001\r\n");
    assert_eq!(told(&ask(web, "PUT /bob", &me, "one").json()), "message|000000000001|-|one");
    let expected = "message|000000000002|000000000001|two";
    assert_eq!(told(&ask(web, "PUT /Bob", &sequence, "two").json()), expected);
    // Said again, it is the same change.
    assert_eq!(told(&ask(web, "PUT /bob", &sequence, "two").json()), expected);
    let got = ask(web, "POST /bob/000000000001", &format!("{me}Title: T\r\n"), "three");
    assert_eq!(told(&got.json()), "message|000000000003|000000000001|three");
    let body = json!({"topic": "bob", "message": "!! four", "sequence_id": "000000000001"});
    assert_eq!(ask(web, "POST /", &me, &body.to_string()).json()["id"], "000000000004");
    // It is of another conversation, of another person, or of nobody.
    assert_eq!(ask(web, "PUT /ana", &sequence, "x").status, 200, "my own topic has all of mine");
    bob.say("GROUP NEW ops ana");
    bob.until("OK GROUP");
    assert_eq!(ask(web, "PUT /_ops", &sequence, "x").denied(), (404, 40401));
    assert_eq!(ask(web, "DELETE /_ops/000000000001", &me, "").denied(), (404, 40401));
    assert_eq!(ask(web, "PUT /ana/000000000001", &him, "x").denied(), (403, 40301));
    assert_eq!(ask(web, "DELETE /ana/000000000001", &him, "").denied(), (403, 40301));
    assert_eq!(ask(web, "PUT /bob/000000000099", &me, "x").denied(), (404, 40401));
    assert_eq!(ask(web, "PUT /bob/a%20b", &me, "x").denied(), (400, 40049));
    assert_eq!(ask(web, "DELETE /_/000000000001", &me, "").denied(), (400, 40009));
    assert_eq!(ask(web, "DELETE /bob/000000000001", "", "").denied(), (403, 40301));
    // These are read before the message is deleted: of what is, nothing is sent.
    for expected in [
        "message|000000000001|-|one",
        "message|000000000002|000000000001|two",
        "message|000000000003|000000000001|T\nthree",
        "message|000000000004|000000000001|four",
        "message|000000000005|000000000001|x",
    ] {
        assert_eq!(told(&stream.event()), expected);
    }
    let deleted = ask(web, "DELETE /bob/000000000001", &me, "").json();
    assert_eq!(told(&deleted), "message_delete|000000000007|000000000001|-");
    assert_eq!(deleted["topic"], "bob");
    assert_eq!(ask(web, "DELETE /bob/1", &me, "").json()["id"], "000000000007", "nothing more");
    assert_eq!(ask(web, "PUT /bob", &sequence, "x").denied(), (404, 40401));
    assert_eq!(told(&stream.event()), "message_delete|000000000007|000000000001|-");
    bob.until("DEL 7 ");
}

#[test]
fn a_message_may_have_a_name() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, _bob) = (papod.register("ana"), papod.register("bob"));
    ana.say("GROUP NEW ops");
    ana.until("OK GROUP");
    let me = as_user("ana");
    let named = |topic: &str, name: &str, text: &str| {
        let got = ask(web, &format!("PUT /{topic}"), &format!("{me}SID: {name}\r\n"), text);
        told(&got.json())
    };
    let delete = |path: &str| ask(web, &format!("DELETE {path}"), &me, "");
    assert_eq!(named("bob", "backup", "begun"), "message|000000000002|backup|begun");
    assert_eq!(named("bob", "backup", "half"), "message|000000000003|backup|half");
    assert_eq!(named("bob", "backup", "begun"), "message|000000000004|backup|begun");
    assert_eq!(named("bob", "backup", "begun"), "message|000000000004|backup|begun");
    // Each conversation has its own names, and numbers are names, too.
    assert_eq!(named("_ops", "backup", "a"), "message|000000000005|backup|a");
    assert_eq!(named("bob", "2", "b"), "message|000000000006|2|b");
    assert_eq!(named("bob", "2", "c"), "message|000000000007|2|c");
    assert_eq!(named("bob", "1795873373123", "d"), "message|000000000008|1795873373123|d");
    let cleared = ask(web, "PUT /bob/backup/clear", &me, "").json();
    assert_eq!(told(&cleared), "message_clear|000000000002|backup|-");
    assert_eq!(told(&delete("/bob/backup").json()), "message_delete|000000000009|backup|-");
    assert_eq!(delete("/bob/nothing").denied(), (404, 40401));
    // After its end, the name is free for another message.
    assert_eq!(named("bob", "backup", "begun"), "message|000000000010|backup|begun");
    assert_eq!(named("bob", "backup", "done"), "message|000000000011|backup|done");
    let rows = ana.history("bob", 0);
    let bodies: Vec<&str> = rows.iter().map(|row| &*row.body).collect();
    assert_eq!(bodies, ["-", "c", "d", "done"]);
    // However often that happens, nothing is lost.
    for n in 0..20 {
        assert!(delete("/bob/backup").status == 200 || n >= 15, "{n}");
        assert!(named("bob", "backup", &n.to_string()).starts_with("message|"));
    }
}

#[test]
fn whoever_was_away_gets_what_holds() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let (me, him) = (as_user("ana"), as_user("bob"));
    for text in ["one", "secret", "three"] {
        ask(web, "PUT /bob", &me, text);
    }
    ask(web, "PUT /bob/000000000001", &me, "one more");
    ask(web, "DELETE /bob/000000000002", &me, "");
    bob.until("DEL 5 ");
    bob.say("REACT 3 ok");
    bob.until("OK REACT 6");
    let since = |since: &str| poll(web, &format!("/_/json?poll=1&since={since}"), &him);
    let first = "message|000000000001|-|one more";
    let third = "message|000000000003|-|three";
    let edit = "message|000000000004|000000000001|one more";
    let end = "message_delete|000000000005|000000000002|-";
    assert_eq!(since("all"), [first, third]);
    assert_eq!(since("latest"), [third]);
    // Its text came with the message.
    assert_eq!(since("000000000000"), [first, third, end]);
    assert_eq!(since("10m"), [first, third, end]);
    assert_eq!(since("000000000001"), [third, edit, end]);
    assert_eq!(since("000000000004"), [end]);
    assert_eq!(since("000000000006"), [""; 0]);
    // A notice that was changed goes once it is read elsewhere.
    let mut stream = subscribe(web, "/ana/json?since=000000000003", &him);
    let mut next = || told(&stream.event());
    assert_eq!([next(), next(), next()], ["open|000000000003|-|-", edit, end]);
    bob.say("READ 3");
    bob.until("OK READ");
    assert_eq!(next(), "message_clear|000000000006|000000000001|-");
    ask(web, "PUT /bob", &me, "four");
    assert_eq!(next(), "message|000000000007|-|four");
}

#[test]
fn a_message_may_be_said_later() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let put = |lines: &str| ask(web, "PUT /bob", &format!("{me}{lines}\r\n"), "later");
    let got = put("In: 30 minutes").json();
    assert_eq!(told(&got), "message|at-1|-|later");
    let body = json!({"topic": "bob", "message": "at dawn", "delay": "4000000000"});
    assert_eq!(ask(web, "POST /", &me, &body.to_string()).denied(), (400, 40006));
    assert_eq!(put("At: tomorrow").denied(), (400, 40004));
    assert_eq!(put("X-Delay: 1795873373000").denied().0, 400);
    assert_eq!(put("Delay: 1600000000").denied(), (400, 40005));
    assert_eq!(put("In: 1h\r\nSID: a").denied(), (400, 40004));
    // Or it would be deleted by that name.
    assert_eq!(put("SID: at-1").denied(), (400, 40049));
    assert_eq!(
        ask(web, "PUT /bob?wait=read", &format!("{me}In: 1h\r\n"), "x").denied(),
        (400, 40004)
    );
    assert_eq!(put("In: 1s\r\nIdempotency-Key: k").json()["id"], "at-2");
    let line = bob.until("MSG 1 ").pop().unwrap();
    assert!(line.ends_with(" ana bob late=2 later"), "{line}");
    // It waits for another topic.
    assert_eq!(ask(web, "DELETE /ana/at-1", &me, "").denied(), (404, 40401));
    ana.say("AT");
    ana.until("OK AT 1");
    let deleted = ask(web, "DELETE /bob/at-1", &me, "").json();
    assert_eq!(told(&deleted), "message_delete|at-1|at-1|-");
    assert_eq!(ask(web, "DELETE /bob/at-1", &me, "").denied(), (404, 40401));
    ana.say("AT");
    ana.until("OK AT 0");
}

#[test]
fn a_retry_of_what_is_said_later_or_changes_a_message_does_it_once() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let put = |lines: &str, text: &str| {
        ask(web, "PUT /bob", &format!("{me}{lines}Idempotency-Key: k\r\n"), text)
    };
    let later = "At: 4 hours\r\n";
    let first = put(later, "one\ntwo \\ three");
    assert_eq!(first.json()["id"], "at-1");
    assert_eq!(put(later, "one\ntwo \\ three").body, first.body);
    assert_eq!(put("In: 5h\r\n", "one\ntwo \\ three").body, first.body, "it waits already");
    assert_eq!(put(later, "another").denied(), (409, 40905));
    ana.say("AT");
    ana.until("OK AT 1");
    // Taken back, the key is free. A retry of that is answered alike.
    let delete =
        |line: &str, key: &str| ask(web, line, &format!("{me}Idempotency-Key: {key}\r\n"), "");
    assert_eq!(delete("DELETE /ana/at-1", "d").denied(), (404, 40401));
    let deleted = delete("DELETE /bob/at-1", "d");
    assert_eq!(told(&deleted.json()), "message_delete|at-1|at-1|-");
    assert_eq!(delete("DELETE /bob/at-1", "d").body, deleted.body);
    for line in ["DELETE /bob/at-2", "DELETE /ana/at-1", "PUT /bob", "PUT /bob/at"] {
        let other = delete(line, "d");
        assert_eq!(other.denied(), (409, 40905), "{line}");
        assert_eq!(
            other.json()["error"],
            "key-reused: d was used for something else; use a new key"
        );
    }
    assert_eq!(delete("DELETE /bob/at-1", "e").denied(), (404, 40401));
    assert_eq!(put("In: 1s\r\n", "soon").json()["id"], "at-2");
    bob.until("MSG 1 ");
    // It has been said, and is not said again.
    assert_eq!(put("In: 1s\r\n", "soon").json()["id"], "000000000001");
    assert_eq!(put("", "soon").json()["id"], "000000000001");
    assert_eq!(put("In: 1s\r\n", "other").denied(), (409, 40905));
    // The key is that of this message, also with a sequence id.
    assert_eq!(put("SID: job\r\n", "other").denied(), (409, 40905));
    assert_eq!(put("SID: 000000000001\r\n", "other").denied(), (409, 40905));
    assert_eq!(put("SID: job\r\n", "soon").json()["id"], "000000000001");
    bob.has_heard_all();
    // A change of a message is the same change, with a key of its own or without.
    let named = |text: &str| {
        let lines = format!("{me}SID: job\r\nIdempotency-Key: {text}\r\n");
        ask(web, "PUT /bob", &lines, text)
    };
    let begun = named("begun");
    assert_eq!(named("begun").body, begun.body);
    let done = named("done");
    assert_eq!(named("done").body, done.body);
    assert_eq!(
        (&begun.json()["id"], &done.json()["id"]),
        (&"000000000002".into(), &"000000000003".into())
    );
    bob.until("EDIT 3 ");
    bob.has_heard_all();
}

#[test]
fn a_key_is_for_one_change_of_a_message() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let send = |line: &str, key: &str, text: &str| {
        ask(web, line, &format!("{}Idempotency-Key: {key}\r\n", as_user("ana")), text)
    };
    // The first under a name, a change, and a change that changes nothing.
    let begun = send("PUT /bob/job", "k1", "begun");
    assert_eq!(told(&begun.json()), "message|000000000001|job|begun");
    let half = send("PUT /bob/job", "k2", "half");
    assert_eq!(told(&half.json()), "message|000000000002|job|half");
    let same = send("PUT /bob/job", "k3", "half");
    assert_eq!(same.body, half.body);
    let done = send("POST /bob/job", "k4", "done");
    assert_eq!(told(&done.json()), "message|000000000003|job|done");
    // A retry that comes late does not bring back what was said then.
    let sequence = format!("{}SID: job\r\nIdempotency-Key: k1\r\n", as_user("ana"));
    assert_eq!(ask(web, "POST /bob", &sequence, "begun").body, begun.body);
    for (key, text, first) in
        [("k1", "begun", &begun), ("k2", "half", &half), ("k3", "half", &same)]
    {
        assert_eq!(send("PUT /bob/job", key, text).body, first.body, "{key}");
        for (line, text) in [
            ("PUT /bob/job", "other"),
            ("PUT /bob/other", text),
            ("PUT /ana/job", text),
            ("PUT /bob", text),
            ("PUT /bob", "other"),
            ("DELETE /bob/job", ""),
        ] {
            assert_eq!(send(line, key, text).denied(), (409, 40905), "{line} {key} {text}");
        }
    }
    // So is a deletion, also when there is another message under the name by then.
    let deleted = send("DELETE /bob/job", "k5", "");
    assert_eq!(told(&deleted.json()), "message_delete|000000000004|job|-");
    assert_eq!(send("PUT /bob/job", "k6", "anew").json()["id"], "000000000005");
    assert_eq!(send("DELETE /bob/job", "k5", "").body, deleted.body);
    assert_eq!(send("PUT /bob/job", "k5", "x").denied(), (409, 40905));
    assert_eq!(send("PUT /bob/job", "k2", "half").body, half.body);
    // What was refused leaves its key free, and a key is for one request of a connection.
    assert_eq!(send("PUT /bob/000000000099", "k7", "x").denied(), (404, 40401));
    let (mut one, me, key) = (Web::connect(web), as_user("ana"), "Idempotency-Key: k7\r\n");
    let mut on_one = |line: &str, key: &str, text: &str| {
        let length = text.len();
        let head = format!("{line} HTTP/1.1\r\nHost: h\r\n{me}Content-Length: {length}\r\n");
        one.write(format!("{head}{key}\r\n{text}"));
        one.got()
    };
    assert_eq!(on_one("PUT /bob/job", key, "again").json()["id"], "000000000006");
    assert_eq!(on_one("PUT /bob/job", "", "and again").json()["id"], "000000000007");
    assert_eq!(on_one("PUT /bob/job", key, "again").json()["id"], "000000000006");
    assert_eq!(ana.history("bob", 0).last().unwrap().body, "and again");
    bob.until("EDIT 7 ");
    bob.has_heard_all();
}

#[test]
fn an_answer_may_wait_for_a_reaction() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let mut one = super::Web::connect(web);
    let me = as_user("ana");
    one.write(format!("PUT /bob?wait=answered HTTP/1.1\r\nHost: h\r\n{me}\r\n"));
    bob.until("MSG 1 ");
    bob.say("REACT 1 ok");
    bob.until("OK REACT");
    assert_eq!(one.got().status, 200);
    // A change is not answered.
    assert_eq!(ask(web, "PUT /bob/a?wait=answered", &me, "x").denied().0, 400);
}

#[test]
fn what_is_too_old_to_be_changed_is_said_anew() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--amend", "1"]);
    let (_ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let mut said = 0;
    let mut next = || {
        said += 1;
        assert_eq!(ask(web, "PUT /bob/backup", &me, &said.to_string()).status, 200);
        bob.line()
    };
    assert!(next().starts_with("MSG 1 "));
    // It is a change for a second, and then a message.
    let line = loop {
        let line = next();
        if !line.starts_with("EDIT ") {
            break line;
        }
    };
    assert!(line.starts_with("MSG "), "{line}");
    assert!(next().starts_with("EDIT "));
}
