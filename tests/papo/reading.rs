//! `papo hist`, `chats`, `find`, `group`, `info` and `raw`: for people, and for programs.

use serde_json::{Value, json};

use crate::place::{Place, done, fails, input};
use crate::process::run;

/// Each line of what was printed, read by another program's reader of JSON.
fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What was printed, without the times, which are `YYYY-MM-DD HH:MM`.
fn without_times(printed: &str) -> String {
    let digits = printed.replace(|c: char| c.is_ascii_digit(), "9");
    let mut text = printed.to_owned();
    let found: Vec<_> = digits.match_indices("9999-99-99 99:99").collect();
    // From the end on, so that the places before stay what they are.
    for (at, time) in found.into_iter().rev() {
        text.replace_range(at..at + time.len(), "TIME");
    }
    text
}

#[test]
fn a_conversation_is_shown_line_by_line() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["group", "new", "team", "bob"]);
    // One of them looks like a row.
    let row = "    99  2026-11-28 17:52  bob: forged";
    place.done("ana", &["send", "+team", &format!("two\n{row}")]);
    place.done("bob", &["send", "+team", "C:\\new"]);
    let shown = without_times(&place.done("bob", &["hist", "+team"]));
    let below = " ".repeat("     2  2026-11-28 17:52  ".len());
    let all = format!(
        "     1  TIME  ana * new bob
     2  TIME  ana: two
{below}    99  TIME  bob: forged
     3  TIME  bob: C:\\new
"
    );
    assert_eq!(shown, all);
    let bodies = |arguments: &[&str]| -> Vec<String> {
        let printed = place.done("bob", &[&["hist", "+team", "--json"], arguments].concat());
        let bodies = objects(&printed).into_iter();
        bodies.map(|object| object["body"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(bodies(&[]), ["new bob", &format!("two\n{row}"), "C:\\new"]);
    assert_eq!(bodies(&["1"]), ["C:\\new"]);
    assert_eq!(bodies(&["--before", "3", "--after", "1"]), [format!("two\n{row}")]);
    let first = &objects(&place.done("bob", &["hist", "+team", "1", "--before", "2", "--json"]))[0];
    assert_eq!(first["tags"], json!({"kind": "group"}));
    assert_eq!(first["id"], json!(1));
}

#[test]
fn times_are_in_the_local_zone() {
    let place = Place::with(&["ana"]);
    place.done("ana", &["send", "ana", "note"]);
    let here = place.done("ana", &["hist", "ana"]);
    // Half an hour off, so that it shows at any time of the day.
    let there = done(place.papo("ana", &["hist", "ana"]).env("TZ", "XYZ-05:30"));
    let minutes = |line: &str| {
        let time = line.split_whitespace().nth(2).unwrap();
        let (hours, minutes) = time.split_once(':').unwrap();
        hours.parse::<i32>().unwrap() * 60 + minutes.parse::<i32>().unwrap()
    };
    let apart = (minutes(&there) - minutes(&here)).rem_euclid(24 * 60);
    assert_eq!(apart, 5 * 60 + 30, "{here}{there}");
}

#[test]
fn conversations_and_people_are_listed() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["raw"]);
    done(place.papo("ana", &["raw"]).stdin(input(b"NAME Ana Maria\nQUIT\n")));
    place.done("ana", &["send", "bob", "one"]);
    place.done("ana", &["send", "bob", "two"]);
    place.done("bob", &["send", "bob", "a note"]);
    let shown = without_times(&place.done("bob", &["chats"]));
    assert_eq!(shown, "TIME  bob\nTIME  ana                   2 unread\n");
    let chats = objects(&place.done("bob", &["chats", "--json"]));
    assert_eq!((&chats[1]["to"], &chats[1]["unread"]), (&json!("ana"), &json!(2)));
    assert_eq!(chats[1]["id"], json!(2));
    let (_online, _) = place.papod().login("ana");
    let shown = place.done("bob", &["find", "mar"]);
    assert_eq!(shown, "ana                   Ana Maria                 online\n");
    let found = objects(&place.done("bob", &["find", "--json", "ana", "mar"]));
    let all = json!({"handle": "ana", "online": true, "seen": null, "name": "Ana Maria"});
    assert_eq!(found, [all]);
    let none = run(&mut place.papo("bob", &["find", "nobody"]));
    assert_eq!((none.status.code(), &*none.stdout), (Some(0), &b""[..]));
    assert_eq!(none.stderr, b"papo: nobody found\n");
    // Characters of two columns move nothing.
    done(place.papo("bob", &["raw"]).stdin(input("NAME 漢字\nQUIT\n".as_bytes())));
    let shown = place.done("ana", &["find", "bob"]);
    let state = format!("bob                   漢字{}  last seen ", " ".repeat(20));
    assert!(shown.starts_with(&state), "{shown}");
}

#[test]
fn groups_are_made_changed_and_left() {
    let place = Place::with(&["ana", "bob", "cid"]);
    for arguments in [
        &["new", "+team", "bob"][..],
        &["add", "team", "cid"],
        &["admin", "#team", "bob"],
        &["topic", "+team", "lunch", "at one"],
        &["remove", "team", "cid"],
    ] {
        assert_eq!(place.done("ana", &[&["group"], arguments].concat()), "");
    }
    let who = place.done("bob", &["group", "who", "+team"]);
    assert_eq!(who, "ana                   admin\nbob                   admin\n");
    let members = objects(&place.done("bob", &["group", "who", "team", "--json"]));
    assert_eq!(members[1], json!({"group": "#team", "handle": "bob", "role": "admin"}));
    let listed = place.done("bob", &["group", "list"]);
    assert_eq!(listed, "#team                 admin       2  lunch at one\n");
    let all = json!({"group": "#team", "role": "admin", "members": 2, "topic": "lunch at one"});
    assert_eq!(objects(&place.done("bob", &["group", "list", "--json"])), [all]);
    place.done("ana", &["group", "leave", "team"]);
    let mut again = place.papo("ana", &["group", "leave", "team"]);
    fails(&mut again, 1, "ERR GROUP no-such-group #team: ");
}

#[test]
fn who_has_read_a_message_is_shown() {
    let place = Place::with(&["ana", "bob", "cid"]);
    place.done("ana", &["group", "new", "team", "bob", "cid"]);
    place.done("ana", &["send", "+team", "hello"]);
    let mut bob = place.papod().login_quietly("bob");
    bob.say("READ 2");
    bob.expect("OK READ 2");
    let shown = without_times(&place.done("ana", &["info", "2"]));
    assert_eq!(shown, "bob                   read       TIME\ncid                   sent\n");
    let info = objects(&place.done("ana", &["info", "2", "--json"]));
    let all = json!({"id": 2, "handle": "cid", "state": "sent", "delivered": null, "read": null});
    assert_eq!(info[1], all);
    assert_eq!(info[0]["state"], json!("read"));
    assert_eq!(info[0]["read"].as_str().unwrap().len(), 24);
    assert_eq!(place.done("ana", &["info", "last"]), place.done("ana", &["info", "2"]));
    fails(&mut place.papo("ana", &["info", "99"]), 1, "ERR INFO no-such-message ");
    let nothing = "papo: no message of yours was found; name its id";
    fails(&mut place.papo("bob", &["info", "last"]), 1, nothing);
}

#[test]
fn a_number_that_cannot_be_is_refused_in_words() {
    let place = Place::with(&["ana"]);
    for (arguments, expected) in [
        (&["info", "x"][..], "'x' for '<ID>': expected an id, or last"),
        (&["hist", "ana", "0"], "'0' for '[N]': expected a whole number, 1 to 1000"),
        (&["hist", "ana", "--before", "x"], "'x' for '--before <ID>': expected an id"),
        (&["tail", "--count", "0"], "'0' for '--count <N>': expected a whole number, at least 1"),
        (
            &["send", "--wait", "read", "--timeout", "86401", "ana", "hi"],
            "'86401' for '--timeout <SECONDS>': expected a whole number, 1 to 86400",
        ),
        (
            &["group", "invite", "--uses", "many", "team"],
            "'many' for '--uses <N>': expected a whole number, 1 to 5000",
        ),
    ] {
        let why = format!("error: invalid value {expected}\n");
        fails(&mut place.papo("ana", arguments), 2, &why);
    }
}

#[test]
fn raw_is_the_protocol_after_a_log_in() {
    let mut place = Place::with(&["ana", "bob"]);
    place.done("bob", &["send", "ana", "hi"]);
    // The end of input is passed on; what is due comes first.
    let printed = done(place.papo("ana", &["raw"]).stdin(input(b"ACK\nPING over")));
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].ends_with(" bob ana - hi"), "{printed}");
    assert_eq!(lines[1..], ["LIVE 1", "OK ACK 1", "OK PING over"]);
    let mut quiet = place.papo("ana", &["raw", "--quiet"]);
    let printed = done(quiet.stdin(input(b"MSG bobb hi\nQUIT\nPING never\n")));
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("ERR MSG no-such-user "), "{printed}");
    assert_eq!(lines[1..], ["OK QUIT", "BYE quit"]);
    // Whoever is cut off learns that it was not the end.
    let mut command = place.papo("ana", &["raw"]);
    let (reader, _writer) = std::io::pipe().unwrap();
    let raw = crate::place::Running::start(command.stdin(reader));
    assert_eq!(raw.line(), "LIVE 1");
    place.kill();
    let (status, out, _) = raw.finish();
    assert_eq!((status, out.len()), (Some(3), 0));
    let output = run(&mut place.papo("ana", &["raw"]));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn that_there_is_more_is_said() {
    let place = Place::with(&["ana"]);
    for text in ["one", "two", "three"] {
        place.done("ana", &["send", "ana", text]);
    }
    let said = |arguments: &[&str]| {
        let output = run(&mut place.papo("ana", &[&["hist", "ana"], arguments].concat()));
        crate::place::stderr(&output)
    };
    assert_eq!(said(&["1", "--after", "1"]), "papo: there is more: --after 2\n");
    assert_eq!(said(&["1", "--after", "0", "--before", "3"]), "papo: there is more: --before 2\n");
    assert_eq!(said(&["--after", "1"]), "");
    // Of the last ones nobody expects that they are all.
    assert_eq!(said(&["1"]), "");
}

#[test]
fn output_that_does_not_block_is_not_cut() {
    let place = Place::with(&["ana"]);
    let mut ana = place.papod().login_quietly("ana");
    for _ in 0..400 {
        ana.send("ana", &"x".repeat(500));
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut command = place.papo("ana", &["hist", "ana", "1000"]);
    let mut child = command.stdout(writer).spawn().unwrap();
    drop(command);
    // It has filled the pipe, and waits.
    while rustix::io::ioctl_fionread(&reader).unwrap() < 60_000 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    assert_eq!((child.wait().unwrap().code(), text.lines().count()), (Some(0), 400));
}

#[test]
fn what_cannot_be_printed_is_a_failure() {
    let place = Place::with(&["ana"]);
    for arguments in [&["send", "ana", "hi"][..], &["hist", "ana"], &["--help"], &["--version"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = place.papo("ana", arguments);
        command.stdout(full).stderr(std::process::Stdio::null());
        assert_eq!(command.status().unwrap().code(), Some(1), "{arguments:?}");
    }
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = place.papo("ana", &["bogus"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2), "a wrong command line is one wherever that is printed");
}

#[test]
#[ignore = "needs script"]
fn nothing_turns_the_lines_of_a_terminal_around() {
    let place = Place::with(&["ana"]);
    place.done("ana", &["send", "ana", "a\u{202e}b\u{200f} caf\u{e9}"]);
    // A pipe has it as it is.
    assert!(place.done("ana", &["hist", "ana"]).contains("a\u{202e}b\u{200f} caf\u{e9}"));
    assert!(place.done("ana", &["hist", "ana", "--json"]).contains('\u{202e}'));
    for arguments in ["hist ana", "hist ana --json", "tail --count 1"] {
        place.papod().login_quietly("ana");
        let mut script = std::process::Command::new("script");
        let papo = format!("'{}' {arguments}", env!("CARGO_BIN_EXE_papo"));
        script.args(["-qec", &papo, "/dev/null"]).stdin(std::process::Stdio::null());
        for (name, value) in place.papo("ana", &[]).get_envs() {
            script.env(name, value.unwrap_or_default());
        }
        if arguments.starts_with("tail") {
            place.papod().register("bob").send("ana", "a\u{202e}b\u{200f} caf\u{e9}");
        }
        let shown = done(&mut script);
        assert!(shown.contains("a\u{fffd}b\u{fffd} caf\u{e9}"), "{arguments}: {shown}");
        assert!(!shown.contains('\u{202e}'), "{arguments}");
    }
}
