//! `papo at` and `papo later`, and `papo send --unless`.

use serde_json::{Value, json};

use crate::place::{Place, Running, done, fails, input};
use crate::process::{Entry, run};

/// Each line, read as JSON.
fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// These fields of an object.
fn some(object: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| object[*name].clone()).collect()
}

#[test]
fn what_is_to_be_sent_later_is_listed_and_cancelled() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["group", "new", "team", "bob"]);
    assert_eq!(place.done("ana", &["at", "+2h", "bob", "-5", "degrees"]), "1\n");
    let file = input(b"stand-up\nin room 2\n");
    assert_eq!(done(place.papo("ana", &["at", "+1h", "+team"]).stdin(file)), "2\n");
    assert_eq!(place.done("ana", &["send", "--unless", "read:1d:+team=a: b=c", "bob", "x"]), "2\n");
    let shown = place.done("ana", &["later"]);
    let shown: Vec<&str> = shown.lines().collect();
    let [second, below, first, third] = shown[..] else { panic!("{shown:?}") };
    assert!(
        second.starts_with("     2  20") && second.ends_with("  to #team: stand-up"),
        "{second}"
    );
    assert_eq!(below, format!("{}in room 2", " ".repeat(26)));
    assert!(first.starts_with("     1  20") && first.ends_with("  to bob: -5 degrees"), "{first}");
    assert!(third.ends_with("  unless 2 is read, to #team: a: b=c"), "{third}");
    let all = objects(&place.done("ana", &["later", "--json"]));
    let [team, bob, unless] = &all[..] else { panic!("{all:?}") };
    assert_eq!(some(team, &["n", "to", "text"]), json!([2, "#team", "stand-up\nin room 2"]));
    assert_eq!(some(bob, &["verb", "unless", "about"]), json!(["MSG", null, null]));
    assert_eq!(some(unless, &["unless", "unless_id"]), json!(["read", 2]));
    assert_eq!(place.done("ana", &["later", "--del", "2"]), "");
    let nothing = "ERR AT no-such-message 2: nothing waits under this number; papo later shows ";
    fails(&mut place.papo("ana", &["later", "--del", "2"]), 1, nothing);
    // What was typed elsewhere is shown as well.
    let mut ana = place.papod().login_quietly("ana");
    ana.say("AT +7200 RE 2 why?");
    ana.say("AT +7200 ONCE k FWD 2 #team");
    ana.until("OK AT 5 ");
    let shown = place.done("ana", &["later"]);
    assert!(shown.contains("  re 2: why?\n") && shown.contains("  2 forwarded to #team\n"));
    let last = &objects(&place.done("ana", &["later", "--json"]))[2];
    assert_eq!(some(last, &["verb", "key", "about", "text"]), json!(["FWD", "k", 2, null]));
}

#[test]
fn it_is_sent_when_it_is_due() {
    let place = Place::with(&["ana", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    place.done("ana", &["at", "+0", "bob", "now"]);
    let line = bob.until("MSG ").pop().unwrap();
    assert!(line.ends_with(" ana bob late=1 now"), "{line}");
    // A time that has passed is due at once.
    place.done("ana", &["at", "2020-01-01T9:00", "bob", "then"]);
    assert!(bob.until("MSG ").pop().unwrap().ends_with(" ana bob late=2 then"));
    let late = ["at", "9998-01-01T00:00:00Z", "bob", "never"];
    fails(&mut place.papo("ana", &late), 1, "ERR AT bad-syntax ");
    fails(&mut place.papo("ana", &["at", "+1h", "nobody", "x"]), 1, "ERR AT no-such-user nobody: ");
    let mut red = place.papo("ana", &["at", "+1h", "bob", "two\nlines \x1b[31m"]);
    fails(&mut red, 1, "ERR AT bad-text byte 11: ");
}

#[test]
fn a_key_is_for_one_message_however_often_it_is_put_off() {
    let place = Place::with(&["ana", "bob"]);
    let at = ["at", "--key", "tea", "+1h", "bob", "tea"];
    assert_eq!((place.done("ana", &at), place.done("ana", &at)), ("1\n".into(), "1\n".into()));
    let send = ["send", "--key", "k", "--unless", "read:1h:ana=x", "--unless", "read:2h:ana=y"];
    let send = [&send[..], &["bob", "hi"]].concat();
    assert_eq!((place.done("ana", &send), place.done("ana", &send)), ("1\n".into(), "1\n".into()));
    assert_eq!(place.done("ana", &["later"]).lines().count(), 3);
    let mut other = place.papo("ana", &["at", "--key", "tea", "+1h", "bob", "coffee"]);
    fails(&mut other, 1, "papo: number 1 waits under this key, and says something else");
    // What was sent already under this key is not sent again.
    place.done("ana", &["send", "--key", "now", "bob", "once"]);
    place.done("ana", &["at", "--key", "now", "+0", "bob", "once"]);
    place.done("ana", &["send", "bob", "last"]);
    assert_eq!(place.bodies("bob", "ana"), ["hi", "once", "last"]);
}

#[test]
fn a_server_that_is_killed_has_it_once() {
    let mut place = Place::with(&["ana", "bob"]);
    for n in 1..=8_usize {
        let text = format!("text {n}");
        let running = Running::start(&mut place.papo("ana", &["at", "+1h", "bob", &text]));
        for _ in 0..n {
            std::hint::black_box(place.papod().connect());
        }
        place.kill();
        place.start();
        let (status, out, err) = running.finish();
        assert_eq!((status, out.len()), (Some(0), 1), "{err:?}");
        let waiting = objects(&place.done("ana", &["later", "--json"]));
        let it = waiting.iter().filter(|one| one["text"] == text.as_str());
        let numbers: Vec<_> = it.map(|one| one["n"].to_string()).collect();
        assert_eq!(numbers, out);
    }
}

#[test]
fn somebody_else_is_told_unless_the_first_one_answers() {
    let place = Place::with(&["ana", "bob", "cid"]);
    place.done("ana", &["group", "new", "oncall", "cid"]);
    let (mut cid, _) = place.papod().login("cid");
    let unless = ["--unless", "answered:0:+oncall=bob does not answer: db1"];
    place.done("ana", &[&["send"], &unless[..], &["bob", "db1 is full"]].concat());
    let line = cid.until("MSG ").pop().unwrap();
    let Entry { to, body, .. } = Entry::parse(&line);
    assert_eq!((&*to, &*body), ("#oncall", "bob does not answer: db1"));
    // A reply has its own.
    place.done("ana", &["re", "--unless", "read:0:cid=still nothing", "2", "db1 is full, still"]);
    assert!(cid.until("MSG ").pop().unwrap().ends_with(" still nothing"));
    // Nobody waits for a note: it counts as read.
    place.done("ana", &["fwd", "--unless", "read:0:cid=x", "2", "ana"]);
    cid.has_heard_all();
    assert_eq!(place.done("ana", &["later"]), "");
}

#[test]
fn what_cannot_be_told_later_is_found_out_before_anything_is_sent() {
    let place = Place::with(&["ana", "bob"]);
    let long = format!("read:9:bob={}", "x".repeat(65_500));
    let mut send = place.papo("ana", &["send", "--unless", &long, "bob", "hi"]);
    fails(&mut send, 1, "papo: not sent: too long (");
    let key = "k".repeat(60);
    let mut send =
        place.papo("ana", &["send", "--unless", "read:9:bob=x", "--key", &key, "bob", "a"]);
    fails(&mut send, 2, "papo: with --unless a key has at most 56 characters");
    assert_eq!(place.bodies("bob", "ana"), [""; 0]);
    // Bytes that nobody can send are replaced in both.
    let escalation = "read:1h:bob=\x1b[31mred\x07";
    place.done("ana", &["send", "--lossy", "--unless", escalation, "bob", "a\x07"]);
    let waiting = objects(&place.done("ana", &["later", "--json"]));
    assert_eq!(waiting[0]["text"], "red\u{fffd}");
    // Of one that is refused the message is sent all the same.
    let output = run(&mut place.papo("ana", &["send", "--unless", "read:9:nobody=x", "bob", "b"]));
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b"2\n"[..]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("ERR UNLESS no-such-user nobody: "), "{said}");
}

#[test]
fn times_and_conditions_that_are_none_are_status_2() {
    let place = Place::with(&[]);
    for wrong in [
        &["at", "soon", "bob", "hi"][..],
        &["at", "25:00", "bob", "hi"],
        &["at", "+366d", "bob", "hi"],
        &["at", "+5", "two words", "hi"],
        &["at", "+5"],
        &["later", "--del", "x"],
        &["later", "--del", "1", "--json"],
        &["send", "--unless", "seen:9:bob=x", "bob", "hi"],
        &["send", "--unless", "read:9:bob", "bob", "hi"],
        &["re", "one", "hi"],
        &["re", "-1", "hi"],
        &["edit", "1\nDEL 2", "hi"],
        &["react", "1", "two words"],
        &["react", "1"],
        &["fwd", "1"],
        &["fwd", "--lossy", "1", "bob"],
        &["del"],
        &["marks", "0x1"],
        &["hist", "bob", "--re", "last"],
    ] {
        fails(&mut place.papo("ana", wrong), 2, "error: ");
    }
}
