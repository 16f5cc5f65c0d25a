//! `papo tail`: what is printed, what is acknowledged, and what a server that dies changes in it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::place::{Place, Running, fails};
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
fn a_reminder_is_printed_and_acknowledged_and_a_note_is_not() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["at", "+0", "ana", "tea"]);
    place.done("ana", &["send", "ana", "a note"]);
    // Nor is it the last message that she wrote herself.
    place.done("ana", &["at", "+0", "ana", "milk"]);
    place.done("ana", &["edit", "last", "my note"]);
    let tail = Running::start(&mut place.papo("ana", &["tail"]));
    assert_eq!([body(&tail.line()), body(&tail.line())], ["tea", "milk"]);
    // Once the next one is printed, those before it are acknowledged.
    place.done("bob", &["send", "--wait", "delivered", "--timeout", "60", "ana", "hi"]);
    drop(tail);
    let (_, read) = place.papod().login("ana");
    assert_eq!(read[0], "OK LOGIN ana 0");
    assert_eq!(place.bodies("ana", "ana"), ["tea", "my note", "milk"]);
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
    place.done("cid", &["send", "--wait", "delivered", "--timeout", "60", "ana", "wait for this"]);
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

/// What was skipped goes on waiting for whoever shows it.
#[test]
fn live_acknowledges_nothing() {
    let place = Place::with(&["ana", "bob"]);
    place.done("bob", &["send", "ana", "old"]);
    let all = ["tail", "--live", "--all", "--count", "2"];
    let tail = Running::start(&mut place.papo("ana", &all));
    assert_eq!(tail.line(), "LIVE 1");
    place.done("bob", &["send", "ana", "new"]);
    // It ends once all is acknowledged that is to be.
    assert_eq!(tail.finish().1.iter().map(|line| body(line)).collect::<Vec<_>>(), ["new"]);
    let watching = Running::start(&mut place.papo("ana", &["tail", "--live", "--count", "1"]));
    let mut sent = 2;
    while watching.try_line().is_none() {
        place.done("bob", &["send", "ana", "more"]);
        sent += 1;
    }
    assert_eq!(watching.finish().0, Some(0));
    let (_, read) = place.papod().login("ana");
    assert_eq!(read[0], format!("OK LOGIN ana {sent}"));
}

#[test]
fn live_alone_makes_nobody_online() {
    let mut place = Place::with(&["ana", "bob"]);
    place.done("bob", &["send", "ana", "old"]);
    let tail = Running::start(&mut place.papo("ana", &["tail", "--live"]));
    let mut bob = place.papod().login_quietly("bob");
    // It has begun once something comes.
    let mut n = 0;
    let first = loop {
        n += 1;
        bob.send("ana", &n.to_string());
        if let Some(line) = tail.try_line() {
            break body(&line);
        }
    };
    bob.say("FIND ana");
    let row = bob.line();
    assert!(row.starts_with("USER ana offline "), "{row}");
    // And it goes on over a restart of the server.
    let first: u32 = first.parse().unwrap();
    place.kill();
    place.start();
    place.done("bob", &["send", "ana", "last"]);
    let mut next = first + 1;
    loop {
        match body(&tail.line()).as_str() {
            "last" => break,
            text => assert_eq!(text, next.to_string()),
        }
        next += 1;
    }
    assert_eq!(next, n + 1);
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
    place.done("bob", &["send", "--wait", "delivered", "--timeout", "60", "ana", "last"]);
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
    // The rest of that line was not taken, so it comes again; and then the next.
    place.done("bob", &["send", "ana", "two"]);
    assert_eq!([first_lines(&place, 1), first_lines(&place, 1)], [["one"], ["two"]]);
    let (_, read) = place.papod().login("ana");
    assert_eq!(read[0], "OK LOGIN ana 0");
}

/// What `papo tail | head -n N` of ana's prints.
fn first_lines(place: &Place, n: usize) -> Vec<String> {
    let mut shell = Command::new("timeout");
    let seconds = PATIENCE.as_secs().to_string();
    shell.args([&seconds, "sh", "-c", &format!("\"$PAPO\" tail | head -n {n}")]);
    for (name, value) in place.papo("ana", &[]).get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell.env("PAPO", env!("CARGO_BIN_EXE_papo")).env_remove("PAPO_CA");
    let output = run(&mut shell);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(body).collect()
}

/// Sends numbers from bob to ana, all in one write.
fn flood(place: &Place, numbers: std::ops::Range<usize>) {
    let mut bob = place.papod().login_quietly("bob");
    let lines: String = numbers.clone().map(|n| format!("MSG ana {n}\n")).collect();
    std::thread::scope(|both| {
        let mut socket = bob.socket().try_clone().unwrap();
        both.spawn(move || std::io::Write::write_all(&mut socket, lines.as_bytes()).unwrap());
        for _ in numbers {
            bob.until("OK MSG ");
        }
    });
}

#[test]
fn what_the_reader_has_not_taken_is_not_acknowledged() {
    let place = Place::with(&["ana", "bob"]);
    flood(&place, 0..300);
    let mut next = 0;
    // Nothing is lost between one run and the next.
    for n in [1, 1, 5, 40] {
        let came = first_lines(&place, n);
        let expected: Vec<String> = (next..next + n).map(|n| n.to_string()).collect();
        assert_eq!(came, expected);
        next += n;
        let (_, read) = place.papod().login("ana");
        assert_eq!(read[0], format!("OK LOGIN ana {}", 300 - next));
    }
}

#[test]
fn a_reader_that_stops_costs_no_message() {
    let place = Place::with(&["ana", "bob"]);
    flood(&place, 0..2_000);
    let mut came = Vec::new();
    for lines in [700, 3, 2_000] {
        let mut command = place.papo("ana", &["tail"]);
        let mut papo = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(papo.stdout.take().unwrap());
        let mut line = String::new();
        for _ in 0..lines {
            line.clear();
            reader.read_line(&mut line).unwrap();
            came.push(body(line.trim_end()).parse::<usize>().unwrap());
            if came.len() >= 2_000 && came.last() == Some(&1_999) {
                break;
            }
        }
        papo.kill().unwrap();
        papo.wait().unwrap();
    }
    // At least once, in order within a life: each life begins no later than where the last ended,
    // but for what the reader's own buffer had taken.
    came.sort_unstable();
    came.dedup();
    let buffered = 2 * 8_192 / "MSG 1 2026-01-01T00:00:00.000Z bob ana - 1\n".len();
    assert!(came.len() + buffered >= 2_000, "{}", came.len());
}

#[test]
fn it_ends_when_it_is_enough() {
    let place = Place::with(&["ana", "bob"]);
    flood(&place, 0..5);
    let bodies = |arguments: &[&str]| -> Vec<String> {
        place.done("ana", &[&["tail"], arguments].concat()).lines().map(body).collect()
    };
    assert_eq!(bodies(&["--count", "2"]), ["0", "1"]);
    assert_eq!(bodies(&["--waiting"]), ["2", "3", "4"]);
    assert_eq!(bodies(&["--waiting"]), [""; 0]);
    let mut timed = place.papo("ana", &["tail", "--count", "1", "--timeout", "1"]);
    fails(&mut timed, 5, "papo: timed out after 1 second");
    let file = place.home.path().join("out");
    place.done("bob", &["send", "ana", "to a file"]);
    let mut command = place.papo("ana", &["tail", "--waiting"]);
    let status = command.stdout(std::fs::File::create(&file).unwrap()).status().unwrap();
    assert!(status.success());
    assert!(std::fs::read_to_string(file).unwrap().ends_with(" to a file\n"));
    let (_, read) = place.papod().login("ana");
    assert_eq!(read[0], "OK LOGIN ana 0");
}

#[test]
fn what_cannot_be_written_is_not_acknowledged() {
    let place = Place::with(&["ana", "bob"]);
    place.done("bob", &["send", "ana", "hi"]);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = place.papo("ana", &["tail"]);
    command.stdout(full).stderr(Stdio::null());
    assert_eq!(command.status().unwrap().code(), Some(1));
    let (_, read) = place.papod().login("ana");
    assert_eq!(read[0], "OK LOGIN ana 1");
}

#[test]
fn a_signal_ends_it_and_what_was_taken_is_acknowledged() {
    let place = Place::with(&["ana", "bob"]);
    for command in [&["tail"][..], &["on", "--", "true"]] {
        let (mut bob, _) = place.papod().login("bob");
        let running = Running::start(&mut place.papo("ana", command));
        bob.send("ana", "hi");
        if command[0] == "tail" {
            running.line();
        }
        bob.until("ACK ");
        let id = rustix::process::Pid::from_child(&running.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert_eq!(running.finish(), (Some(128 + 15), vec![], vec![]));
    }
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

#[test]
fn an_account_that_does_not_exist_is_not_waited_for() {
    let place = Place::with(&["ana"]);
    let why = "papo: nosuch: no such account; papo find nosuch looks for one\n";
    fails(&mut place.papo("ana", &["tail", "ana", "nosuch"]), 1, why);
    fails(&mut place.papo("ana", &["on", "nosuch", "--", "cat"]), 1, why);
    let mut tail = place.papo("ana", &["tail", "+team", "--timeout", "1"]);
    fails(&mut tail, 5, "papo: timed out");
}
