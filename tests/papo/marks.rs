//! `papo re`, `fwd`, `edit`, `del`, `react` and `marks`; and what `ask`, `on` and `tail` make of them.

use serde_json::{Value, json};

use crate::place::{Place, Running, done, fails, input};
use crate::process::{Client, Entry, run};

/// Each line, read as JSON.
fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What was printed, without the columns before the names: id and time.
fn rows(printed: &str) -> Vec<&str> {
    printed.lines().map(|line| &line["     1  2026-01-01 00:00  ".len()..]).collect()
}

#[test]
fn a_message_is_answered_changed_forwarded_and_deleted() {
    let place = Place::with(&["ana", "bob", "cid"]);
    assert_eq!(place.done("ana", &["send", "bob", "lunch at one?"]), "1\n");
    assert_eq!(place.done("bob", &["re", "1", "-5", "degrees,", "where?"]), "2\n");
    assert_eq!(done(place.papo("ana", &["edit", "1"]).stdin(input(b"lunch\nat two?\n"))), "");
    assert_eq!(place.done("bob", &["react", "1", "-1"]), "");
    assert_eq!(place.done("ana", &["fwd", "2", "cid"]), "5\n");
    let shown = place.done("bob", &["hist", "ana"]);
    let below = format!("{}at two?", " ".repeat(26));
    let all = ["ana (edited, -1 1): lunch", &below[26..], "bob (re 1): -5 degrees, where?"];
    assert_eq!(rows(&shown), all);
    assert_eq!(rows(&place.done("cid", &["hist", "ana"])), ["ana (forwarded): -5 degrees, where?"]);
    let shown = place.done("ana", &["marks", "1"]);
    let all = ["ana: lunch at one?", "ana (edit): lunch", "at two?", "bob reacted: -1"];
    assert_eq!(rows(&shown), all);
    // Said again, they make nothing new; the reaction is taken back.
    place.done("ana", &["edit", "1", "lunch\nat two?"]);
    place.done("bob", &["react", "1", "-1"]);
    assert_eq!(place.done("bob", &["react", "1", "-"]), "");
    assert_eq!(place.done("ana", &["send", "bob", "my pin is 4711"]), "7\n");
    for _ in 0..2 {
        assert_eq!(place.done("ana", &["del", "7"]), "");
    }
    let last = place.done("bob", &["hist", "ana", "1"]);
    assert_eq!(rows(&last), ["ana: (deleted)"]);
    assert_eq!(rows(&place.done("bob", &["hist", "ana", "--re", "1"])).len(), 1);
    // Where nothing was changed, that is said.
    let output = run(&mut place.papo("bob", &["marks", "2"]));
    let said = "papo: it was not changed, and nobody has reacted\n";
    assert_eq!((&*output.stdout, &*output.stderr), (&b""[..], said.as_bytes()));
}

#[test]
fn json_names_what_became_of_a_message() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["send", "bob", "fish or pizza?"]);
    place.done("bob", &["re", "1", "fish"]);
    place.done("ana", &["edit", "1", "fish or pasta?"]);
    place.done("bob", &["react", "1", "👍"]);
    place.done("bob", &["del", "2"]);
    let rows = objects(&place.done("bob", &["hist", "ana", "--json"]));
    assert_eq!(rows[0]["tags"], json!({"edit": 3, "react": {"👍": 1}, "mine": "👍"}));
    assert_eq!(rows[0]["body"], "fish or pasta?");
    assert_eq!(rows[1]["tags"], json!({"kind": "gone", "del": 5}));
    assert_eq!(rows[1]["body"], Value::Null);
    let marks = objects(&place.done("ana", &["marks", "1", "--json"]));
    let kinds: Vec<_> = marks.iter().map(|mark| (&mark["tags"]["kind"], &mark["body"])).collect();
    let [text, edit, react] = ["text", "edit", "react"].map(Value::from);
    let [old, new, word] = ["fish or pizza?", "fish or pasta?", "👍"].map(Value::from);
    assert_eq!(kinds, [(&text, &old), (&edit, &new), (&react, &word)]);
}

#[test]
fn more_marks_than_a_page_are_shown() {
    let place = Place::with(&["ana"]);
    let mut ana = place.papod().login_quietly("ana");
    ana.send("ana", "0");
    let edits: String = (1..=1_200).map(|n| format!("EDIT last {n}\n")).collect();
    ana.write(edits.as_bytes());
    ana.until("OK EDIT 1201 ");
    let shown = place.done("ana", &["marks", "1"]);
    let rows = rows(&shown);
    assert_eq!((rows.len(), rows[0], rows[1_200]), (1_201, "ana: 0", "ana (edit): 1200"));
}

#[test]
fn last_is_the_newest_message_of_the_account() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let nothing = "papo: no message of yours was found; name its id";
    fails(&mut place.papo("ana", &["edit", "last", "x"]), 1, nothing);
    place.done("ana", &["send", "bob", "one"]);
    place.done("ana", &["send", "cid", "two"]);
    place.done("bob", &["send", "ana", "three"]);
    place.done("ana", &["edit", "last", "the second"]);
    assert_eq!(place.bodies("cid", "ana"), ["the second"]);
    // Behind more than one page of what others have said.
    let mut bob = place.papod().login_quietly("bob");
    let lines: String = (0..60).map(|n| format!("MSG ana {n}\n")).collect();
    bob.write(lines.as_bytes());
    bob.until("OK MSG 64 ");
    place.done("ana", &["del", "last"]);
    assert_eq!(place.bodies("cid", "ana"), ["-"]);
    // Said again, it deletes no other one.
    place.done("ana", &["del", "last"]);
    place.done("ana", &["edit", "LAST", "the first"]);
    assert_eq!(place.bodies("bob", "ana")[0], "the first");
}

#[test]
fn refusals_say_what_a_shell_can_do() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["send", "bob", "hi"]);
    let why = "papo: with --key name the id of the message: the next time, last may be another one";
    fails(&mut place.papo("ana", &["re", "--key", "k", "last", "ho"]), 2, why);
    fails(&mut place.papo("ana", &["fwd", "--key", "k", "last", "bob"]), 2, why);
    let mut edit = place.papo("bob", &["edit", "1", "ho"]);
    fails(&mut edit, 1, "ERR EDIT not-yours 1: only ana may change this; papo re 1 <text> ");
    fails(&mut place.papo("bob", &["re", "9", "x"]), 1, "ERR RE no-such-message 9: ");
    fails(&mut place.papo("bob", &["fwd", "1", "nobody"]), 1, "ERR FWD no-such-user nobody: ");
    fails(&mut place.papo("bob", &["react", "1", "a,b"]), 1, "ERR REACT bad-syntax ");
    fails(&mut place.papo("ana", &["edit", "1", " "]), 1, "papo: not sent: the text is empty");
    let mut red = place.papo("ana", &["edit", "1", "a\x1b[31m"]);
    fails(&mut red, 1, "ERR EDIT bad-text byte 2: ");
    place.done("ana", &["edit", "--lossy", "1", "a\x1b[31m red"]);
    assert_eq!(place.bodies("bob", "ana"), ["a red"]);
}

#[test]
fn replies_and_forwards_have_keys() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["send", "bob", "hi"]);
    for _ in 0..2 {
        assert_eq!(place.done("bob", &["re", "--key", "k", "1", "hello"]), "2\n");
        assert_eq!(place.done("bob", &["fwd", "--key", "f", "1", "bob"]), "3\n");
    }
    let mut other = place.papo("bob", &["re", "--key", "k", "1", "other"]);
    fails(&mut other, 1, "ERR ONCE key-reused ");
}

#[test]
fn a_server_that_is_killed_keeps_each_reply_once_and_every_mark() {
    let mut place = Place::with(&["ana", "bob"]);
    place.done("ana", &["send", "bob", "0"]);
    for n in 1..=6 {
        let text = n.to_string();
        let edit = Running::start(&mut place.papo("ana", &["edit", "1", &text]));
        let reply = Running::start(&mut place.papo("bob", &["re", "1", &text]));
        for _ in 0..n {
            std::hint::black_box(place.papod().connect());
        }
        place.kill();
        place.start();
        assert_eq!(edit.finish(), (Some(0), vec![], vec![]));
        let (status, out, err) = reply.finish();
        assert_eq!((status, out.len()), (Some(0), 1), "{err:?}");
        let bodies = place.bodies("bob", "ana");
        assert_eq!((bodies.len(), &bodies[0], bodies.last()), (n + 1, &text, Some(&text)));
    }
}

#[test]
fn a_reply_or_a_reaction_is_an_answer() {
    let place = Place::with(&["ana", "bob", "cid"]);
    place.done("ana", &["group", "new", "team", "bob", "cid"]);
    let (mut bob, _) = place.papod().login("bob");
    let ask = |to: &str| Running::start(&mut place.papo("ana", &["ask", to, "deploy?"]));
    let running = ask("+team");
    let asked = bob.until("MSG 2 ").pop().unwrap();
    assert!(asked.ends_with(" ana #team - deploy?"), "{asked}");
    bob.say("REACT 2 no");
    bob.until("OK REACT 3 ");
    assert_eq!(running.finish().1, ["no"]);
    // In a group a reply to something else is no answer.
    let running = ask("+team");
    bob.until("MSG 4 ");
    bob.say("RE 2 not this");
    bob.until("OK RE 5 ");
    bob.say("RE 4 yes");
    bob.until("OK RE 6 ");
    assert_eq!(running.finish().1, ["yes"]);
    let running = ask("bob");
    bob.until("MSG 7 ");
    bob.say("REACT 7 👍");
    bob.until("OK REACT 8 ");
    assert_eq!(running.finish(), (Some(0), vec!["👍".to_owned()], vec![]));
}

#[test]
fn sending_waits_for_an_answer() {
    let place = Place::with(&["ana", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    let send = ["send", "--wait", "answered", "--timeout", "600"];
    let running = Running::start(&mut place.papo("ana", &[&send[..], &["bob", "may I?"]].concat()));
    assert_eq!(running.line(), "1");
    bob.until("MSG 1 ");
    bob.say("REACT 1 ok");
    assert_eq!(running.finish(), (Some(0), vec![], vec![]));
    // Nobody else can answer a note, and that is known at once.
    let output = run(&mut place.papo("ana", &[&send[..], &["ana", "a note"]].concat()));
    assert_eq!((output.status.code(), &*output.stdout), (Some(5), &b"3\n"[..]));
    assert_eq!(output.stderr, b"papo: nobody else can see the message\n");
}

#[test]
fn a_command_is_run_for_reactions_where_that_is_asked_for() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    let script = r#"echo "$PAPO_ID [$PAPO_REACT] [$PAPO_RE] [$PAPO_TAGS] $(cat)""#;
    let on = ["on", "--react", "--pause", "0.001", "--", "sh", "-c", script];
    let _on = Running::start(&mut place.papo("bob", &on));
    ana.send("bob", "hi");
    let next = |ana: &mut Client| Entry::parse(&ana.until("MSG ").pop().unwrap()).body;
    assert_eq!(next(&mut ana), "1 [] [] [-] hi");
    ana.say("RE 2 again");
    assert_eq!(next(&mut ana), "3 [] [2] [re=2] again");
    ana.say("REACT 2 👍");
    assert_eq!(next(&mut ana), "5 [👍] [2] [re=2,at=bob] 👍");
    ana.say("REACT 2 -");
    assert_eq!(next(&mut ana), "7 [-] [2] [re=2,at=bob] -");
    // For edits and deletions nothing is run.
    ana.say("EDIT 3 changed");
    ana.until("OK EDIT ");
    ana.say("DEL 3");
    ana.until("OK DEL ");
    ana.send("bob", "the end");
    assert_eq!(next(&mut ana), "11 [] [] [-] the end");
}

#[test]
fn what_is_passed_over_is_acknowledged_in_its_turn() {
    for command in [&["tail"][..], &["on", "--", "true"]] {
        let place = Place::with(&["ana", "bob"]);
        let (mut bob, _) = place.papod().login("bob");
        bob.send("ana", "one");
        bob.send("ana", "two");
        bob.say("REACT 1 ok");
        bob.say("DEL 2");
        bob.until("OK DEL 4 ");
        let running = Running::start(&mut place.papo("ana", command));
        bob.until("ACK ");
        // Marks alone: nothing else comes that would be acknowledged with them.
        bob.say("EDIT 1 first");
        bob.until("OK EDIT 5 ");
        bob.say("WAIT 5 delivered 60");
        bob.until("OK WAIT 5 delivered");
        drop(running);
        let (mut ana, read) = place.papod().login("ana");
        assert_eq!(read, ["OK LOGIN ana 0", "LIVE 5"]);
        ana.has_heard_all();
    }
}

#[test]
fn tail_prints_marks_where_all_is_asked_for() {
    let place = Place::with(&["ana", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    let plain = Running::start(&mut place.papo("ana", &["tail", "--all"]));
    let json = Running::start(&mut place.papo("ana", &["tail", "--all", "--json"]));
    assert_eq!((plain.line(), json.line()), ("LIVE 0".into(), r#"{"event":"LIVE","id":0}"#.into()));
    // A receipt of ana's own other session may come between them.
    let next = |from: &Running| loop {
        let line = from.line();
        if !line.starts_with("ACK ") && !line.contains(r#""event":"ACK""#) {
            return line;
        }
    };
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let (mut lines, mut shown) = (vec![], Vec::<Value>::new());
    for line in ["MSG ana hi", "EDIT 1 ho", "REACT 1 ok", "REACT 1 -", "DEL 1"] {
        bob.say(line);
        bob.until("OK ");
        // Each is read before the next: what does not hold any more is not sent.
        lines.push(words(&next(&plain)));
        shown.push(serde_json::from_str(&next(&json)).unwrap());
    }
    assert_eq!(lines, ["MSG 1", "EDIT 2", "REACT 3", "REACT 4", "DEL 5"]);
    let events: Vec<_> = shown.iter().map(|one| one["event"].as_str()).collect();
    assert_eq!(events, [None, Some("EDIT"), Some("REACT"), Some("REACT"), Some("DEL")]);
    assert!(shown[1..].iter().all(|one| one["tags"] == json!({"re": 1})), "{shown:?}");
    let bodies: Vec<_> = shown.iter().map(|one| one["body"].as_str()).collect();
    assert_eq!(bodies, [Some("hi"), Some("ho"), Some("ok"), None, None]);
}
