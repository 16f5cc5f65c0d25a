//! `papo tail`: what is printed, what is acknowledged, and what a server that dies changes in it.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::place::{Place, Running};
use crate::process::{Entry, PATIENCE, run};

/// The text of a line of papo's.
fn body(line: &str) -> String {
    assert!(line.starts_with("MSG "), "{line}");
    Entry::parse(line).body
}

#[test]
fn what_others_write_is_printed_and_then_acknowledged() {
    let place = Place::with(&["ana", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    bob.send("ana", r"it waited\nC:\\new");
    let tail = Running::start(&mut place.papo("ana", &["tail"]));
    let line = tail.line();
    assert!(
        line.starts_with("MSG 1 ") && line.ends_with(r" bob ana - it waited\nC:\\new"),
        "{line}"
    );
    assert!(bob.line().starts_with("ACK 1 "));
    // What ana writes elsewhere, and what happens to a group, is no message from others.
    place.done("ana", &["send", "bob", "from elsewhere"]);
    assert_eq!(body(&bob.line()), "from elsewhere");
    place.done("ana", &["group", "new", "team", "bob"]);
    bob.until("GROUP 3 ");
    bob.send("#team", "it came");
    assert_eq!(body(&tail.line()), "it came");
    bob.until("ACK 4 ");
    // It need not be shown again.
    drop(tail);
    let (_, read) = place.papod().login("ana");
    assert_eq!(read[0], "OK LOGIN ana 0");
}

#[test]
fn only_what_is_named_is_printed_and_acknowledged() {
    let place = Place::with(&["ana", "bob", "cid"]);
    place.done("cid", &["group", "new", "team", "ana"]);
    place.done("bob", &["send", "ana", "not this"]);
    place.done("cid", &["send", "ana", "in private"]);
    place.done("cid", &["send", "+team", "in the group"]);
    let tail = Running::start(&mut place.papo("ana", &["tail", "+team", "cid"]));
    assert_eq!([body(&tail.line()), body(&tail.line())], ["in private", "in the group"]);
    // When the next one is there, those before it are acknowledged.
    place.done("cid", &["send", "ana", "wait for this", "--wait", "delivered", "--timeout", "60"]);
    let (_, read) = place.papod().login("ana");
    assert_eq!(body(&read[1]), "not this");
    assert_eq!(read.len(), 3, "{read:?}");
}

#[test]
fn json_is_as_it_is_promised() {
    let place = Place::with(&["ana", "bob"]);
    let tail = Running::start(&mut place.papo("ana", &["tail", "--json"]));
    let text = "say \"hi\"\nC:\\new\t☃";
    place.done("bob", &["send", "ana", text]);
    let line = tail.line();
    let read: Value = serde_json::from_str(&line).unwrap();
    let time = read["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
    let all = json!({
        "id": 1, "time": time, "from": "bob", "to": "ana", "tags": {}, "body": text,
    });
    assert_eq!(read, all);
    assert!(line.starts_with(r#"{"id":1,"time":""#), "{line}");
}

#[test]
fn all_events_are_printed_where_that_is_asked_for() {
    let place = Place::with(&["ana", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    let plain = Running::start(&mut place.papo("ana", &["tail", "--all"]));
    assert_eq!(plain.line(), "LIVE 0");
    let json = Running::start(&mut place.papo("ana", &["tail", "--all", "--json"]));
    let next = || serde_json::from_str::<Value>(&json.line()).unwrap();
    assert_eq!(next(), json!({"event": "LIVE", "id": 0}));
    place.done("ana", &["group", "new", "team", "bob"]);
    bob.until("GROUP 1 ");
    bob.say("READ 1");
    bob.expect("OK READ 1");
    assert!(plain.line().ends_with(" ana #team - new bob"));
    assert!(plain.line().ends_with(" bob #team"));
    let (group, read) = (next(), next());
    assert_eq!((&group["event"], &group["body"]), (&json!("GROUP"), &json!("new bob")));
    assert_eq!(
        (&read["event"], &read["from"], &read["id"]),
        (&json!("READ"), &json!("bob"), &json!(1))
    );
}

#[test]
fn live_skips_what_waited() {
    let place = Place::with(&["ana", "bob"]);
    place.done("bob", &["send", "ana", "old"]);
    let tail = Running::start(&mut place.papo("ana", &["tail", "--live", "--all"]));
    assert_eq!(tail.line(), "LIVE 1");
    place.done("bob", &["send", "ana", "new"]);
    assert_eq!(body(&tail.line()), "new");
}

#[test]
fn a_server_that_is_killed_loses_nothing_and_repeats_nothing() {
    let mut place = Place::with(&["ana", "bob"]);
    let mut tail = Running::start(&mut place.papo("ana", &["tail"]));
    let (mut n, mut came) = (0, Vec::new());
    for _ in 0..4 {
        let mut bob = place.papod().login_quietly("bob");
        for _ in 0..20 {
            n += 1;
            bob.send("ana", &n.to_string());
        }
        // Some are written by now, and some of these acknowledged.
        came.push(body(&tail.line()));
        place.kill();
        place.start();
    }
    while came.len() < n {
        came.push(body(&tail.line()));
    }
    place.done("bob", &["send", "ana", "last", "--wait", "delivered", "--timeout", "60"]);
    let expected: Vec<String> = (1..=n).map(|n| n.to_string()).collect();
    assert_eq!(came, expected);
    assert_eq!(body(&tail.line()), "last");
    assert!(tail.complaint().ends_with("; trying again"));
    assert_eq!(tail.complaint(), "papo: connected again");
    tail.kill();
    let (_, read) = place.papod().login("ana");
    assert_eq!(read[0], "OK LOGIN ana 0");
}

#[test]
fn it_ends_with_its_reader() {
    let place = Place::with(&["ana", "bob"]);
    place.done("bob", &["send", "ana", "one"]);
    // Nobody writes after this, so it notices by itself.
    let mut command = place.papo("ana", &["tail"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut papo = command.spawn().unwrap();
    let mut reader = papo.stdout.take().unwrap();
    let mut first = [0; 4];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"MSG ");
    drop(reader);
    let output = papo.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
    // And in a shell, where what was printed is acknowledged.
    place.done("bob", &["send", "ana", "two"]);
    let mut shell = Command::new("timeout");
    let seconds = PATIENCE.as_secs().to_string();
    shell.args([&seconds, "sh", "-c", "\"$PAPO\" tail | head -n 1"]);
    for (name, value) in place.papo("ana", &[]).get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell.env("PAPO", env!("CARGO_BIN_EXE_papo")).env_remove("PAPO_CA");
    let output = run(&mut shell);
    assert_eq!(output.status.code(), Some(0));
    let (_, read) = place.papod().login("ana");
    assert_eq!(read[0], "OK LOGIN ana 0", "{output:?}");
}

#[test]
fn a_token_that_is_revoked_ends_it() {
    let place = Place::with(&["ana"]);
    let mut ana = place.papod().login_quietly("ana");
    ana.say("TOKEN NEW tail");
    let said = ana.line();
    let token = said.rsplit(' ').next().unwrap();
    let tail = Running::start(place.papo("ana", &["tail", "--all"]).env("PAPO_SECRET", token));
    assert_eq!(tail.line(), "LIVE 0");
    ana.say("TOKEN DEL tail");
    ana.expect("OK TOKEN DEL tail");
    let (status, out, err) = tail.finish();
    assert_eq!((status, &out[..]), (Some(4), &["BYE kicked".to_owned()][..]));
    assert!(err.last().unwrap().starts_with("ERR LOGIN wrong-secret "), "{err:?}");
}
