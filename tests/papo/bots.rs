//! `papo on`: what its command is given, what becomes of its output, and when it is tried again.

use std::fs;

use crate::place::{Place, Running, fails};
use crate::process::{Client, Entry};

/// A `papo on` of bob's whose pauses are short.
fn on(place: &Place, arguments: &[&str]) -> Running {
    let all = [&["on", "--pause", "0.001"], arguments].concat();
    Running::start(&mut place.papo("bob", &all))
}

/// The next message that somebody is sent: from, to and text.
fn next(client: &mut Client) -> String {
    let Entry { from, to, body, .. } = Entry::parse(&client.until("MSG ").pop().unwrap());
    [from, to, body].join(" ")
}

#[test]
fn the_output_goes_back_to_where_the_message_came_from() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    ana.send("bob", "it waited");
    let _on = on(&place, &["--", "tr", "a-z", "A-Z"]);
    assert_eq!(next(&mut ana), "bob ana IT WAITED");
    ana.say("GROUP NEW team bob");
    ana.until("OK GROUP ");
    ana.say(r"MSG #team two\nlines \\\n\n");
    assert_eq!(next(&mut ana), r"bob #team TWO\nLINES \\");
    ana.until("ACK 4 ");
    // What bob says elsewhere is no question.
    place.done("bob", &["send", "ana", "by hand"]);
    assert_eq!(next(&mut ana), "bob ana by hand");
    ana.send("bob", "next");
    assert_eq!(next(&mut ana), "bob ana NEXT");
}

#[test]
fn the_command_is_given_the_message_and_no_shell() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    let script = r#"printf '%s\n' "$PAPO_ID $PAPO_FROM $PAPO_TO" "$1" "${#PAPO_TIME}"; od -An -c"#;
    let _on = on(&place, &["--", "sh", "-c", script, "sh", "$HOME `id` *"]);
    ana.say(r"MSG bob a\n $b\n");
    let reply = next(&mut ana);
    let start = r"bob ana 1 ana bob\n$HOME `id` *\n24\n ";
    assert!(reply.starts_with(start), "{reply}");
    // The very bytes, and no more of them.
    let bytes: Vec<&str> = reply[start.len()..].split_whitespace().collect();
    assert_eq!(bytes, ["a", r"\\n", "$", "b", r"\\n"]);
}

#[test]
fn only_what_is_named_is_dealt_with() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    ana.say("GROUP NEW team bob");
    ana.until("OK GROUP ");
    ana.send("bob", "not this");
    ana.send("#team", "but this");
    let _on = on(&place, &["+team", "--", "cat"]);
    assert_eq!(next(&mut ana), "bob #team but this");
    ana.until("ACK 3 ");
    let (_, read) = place.papod().login("bob");
    assert_eq!(read[0], "OK LOGIN bob 1");
}

#[test]
fn a_command_that_says_nothing_says_nothing() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    // It need not read its input, either.
    let _on = on(&place, &["--", "echo"]);
    ana.send("bob", &"long ".repeat(12_000));
    assert!(ana.line().starts_with("ACK 1 "));
    ana.has_heard_all();
}

#[test]
fn a_command_that_fails_is_tried_again() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    let folder = place.home.path().join("tries");
    fs::create_dir(&folder).unwrap();
    // The third try succeeds. What the others printed is no reply.
    let script = r#"touch "$0/$$"; ls "$0" | wc -l; [ "$(ls "$0" | wc -l)" = 3 ]"#;
    let _on = on(&place, &["--", "sh", "-c", script, folder.to_str().unwrap()]);
    ana.send("bob", "try");
    assert_eq!(next(&mut ana).trim_start_matches("bob ana").trim(), "3");
    ana.until("ACK 1 ");
}

#[test]
fn after_ten_tries_a_message_is_passed_over() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    let tries = place.home.path().join("tries");
    let script = r#"read -r text; [ "$text" = good ] && echo done && exit; echo >> "$0"; exit 7"#;
    let on = on(&place, &["--", "sh", "-c", script, tries.to_str().unwrap()]);
    ana.send("bob", r"bad\n");
    // It waits behind the other.
    ana.send("bob", r"good\n");
    let said = on.complaint();
    let start = "papo: message 1 from ana was skipped after 10 tries: exit status: 7";
    assert_eq!(said, start);
    assert_eq!(fs::read_to_string(&tries).unwrap().lines().count(), 10);
    assert!(ana.line().starts_with("ACK 1 "));
    assert_eq!(next(&mut ana), "bob ana done");
    ana.until("ACK 2 ");
}

#[test]
fn conversations_do_not_wait_for_each_other() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut ana, _) = place.papod().login("ana");
    let (mut cid, _) = place.papod().login("cid");
    // Ana's command goes on until cid's has run.
    let flag = place.home.path().join("flag");
    let script = r#"if [ "$PAPO_FROM" = cid ]; then echo > "$0"; else cat "$0"; echo over; fi"#;
    let mut make = std::process::Command::new("mkfifo");
    assert!(make.arg(&flag).status().unwrap().success());
    let _on = on(&place, &["--", "sh", "-c", script, flag.to_str().unwrap()]);
    ana.send("bob", "wait");
    cid.send("bob", "go");
    assert!(next(&mut ana).ends_with("over"));
    cid.until("ACK 2 ");
}

#[test]
fn what_is_deleted_or_changed_while_it_waits_is_so_for_the_command() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut ana, _) = place.papod().login("ana");
    let (mut cid, _) = place.papod().login("cid");
    // The first command goes on until cid's has run, which comes after all else.
    let flag = place.home.path().join("flag");
    let script = r#"text=$(cat)
        case $PAPO_FROM/$text in
        cid/*) echo >"$0" ;;
        */hold) cat "$0" ;;
        *) echo "ran for $text" ;;
        esac"#;
    let mut make = std::process::Command::new("mkfifo");
    assert!(make.arg(&flag).status().unwrap().success());
    let _on = on(&place, &["--react", "--", "sh", "-c", script, flag.to_str().unwrap()]);
    let held = ana.send("bob", "hold");
    let deleted = ana.send("bob", "a secret");
    let edited = ana.send("bob", "old");
    let marks = [
        format!("REACT {deleted} sad"),
        format!("REACT {held} wrong"),
        format!("DEL {deleted}"),
        format!("EDIT {edited} new"),
        format!("REACT {held} right"),
    ];
    for mark in marks {
        ana.say(&mark);
        ana.until(&format!("OK {} ", mark.split(' ').next().unwrap()));
    }
    ana.send("bob", "end");
    let last = cid.send("bob", "go");
    cid.until(&format!("ACK {last} "));
    let replies = ["new", "right", "end"];
    for text in replies {
        assert_eq!(next(&mut ana), format!("bob ana ran for {text}"));
    }
}

#[test]
fn a_retry_never_replies_twice() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    ana.send("bob", "what time is it?");
    // It was killed between its reply and the acknowledgement, and would now say something else.
    place.done("bob", &["send", "--key", "papo-on-1", "ana", "nine"]);
    assert_eq!(next(&mut ana), "bob ana nine");
    let on = on(&place, &["--", "echo", "ten"]);
    assert!(ana.line().starts_with("ACK 1 "));
    ana.has_heard_all();
    drop(on);
    assert_eq!(place.bodies("ana", "bob"), ["what time is it?", "nine"]);
}

#[test]
fn what_was_cut_short_comes_again() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    ana.send("bob", "hi");
    let mark = place.home.path().join("mark");
    let mut command = std::process::Command::new("mkfifo");
    assert!(command.arg(&mark).status().unwrap().success());
    let script = r#"echo > "$0"; read -r go < "$0"; echo too late"#;
    let mut first = on(&place, &["--", "sh", "-c", script, mark.to_str().unwrap()]);
    // Its command has begun, and goes on when papo is no more.
    fs::read(&mark).unwrap();
    first.kill();
    fs::write(&mark, "go\n").unwrap();
    let _second = on(&place, &["--", "cat"]);
    assert_eq!(next(&mut ana), "bob ana hi");
    ana.until("ACK 1 ");
}

#[test]
fn a_server_that_is_killed_gets_each_reply_once() {
    let mut place = Place::with(&["ana", "bob"]);
    let _on = on(&place, &["--", "cat"]);
    let mut expected = Vec::new();
    for round in 0..4 {
        let mut ana = place.papod().login_quietly("ana");
        for n in 0..10 {
            expected.push(format!("{round} {n}"));
            ana.send("bob", &format!("{round} {n}"));
        }
        place.kill();
        place.start();
    }
    // The last is answered when all are.
    let (mut ana, _) = place.papod().login("ana");
    ana.send("bob", "last");
    expected.push("last".into());
    while next(&mut ana) != "bob ana last" {}
    ana.until("ACK ");
    let history = ana.history("bob", 0).into_iter();
    let replies: Vec<_> = history.filter(|e| e.from == "bob").map(|e| e.body).collect();
    assert_eq!(replies, expected);
}

#[test]
fn a_reply_that_is_refused_is_reported() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    let on = on(&place, &["--", "printf", r"\033[31mred"]);
    ana.send("bob", "colour?");
    let said = on.complaint();
    let start = "papo: the reply to message 1 is refused: ERR MSG bad-text ";
    assert!(said.starts_with(start), "{said}");
    assert!(ana.line().starts_with("ACK 1 "));
}

#[test]
fn a_reply_that_is_too_long_is_reported() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    let on = on(&place, &["--", "head", "-c", "70000", "/dev/zero"]);
    ana.send("bob", "all of it?");
    let said = on.complaint();
    assert!(said.starts_with("papo: not sent: too long ("), "{said}");
    assert!(said.ends_with("; it was the reply to message 1"), "{said}");
    assert!(ana.line().starts_with("ACK 1 "));
}

#[test]
fn a_command_that_is_not_there_costs_no_message() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["send", "bob", "hi"]);
    fails(&mut place.papo("bob", &["on", "--", "/no/such/program"]), 2, "papo: /no/such/program: ");
    let (_, read) = place.papod().login("bob");
    assert_eq!(read[0], "OK LOGIN bob 1");
}

#[test]
fn a_command_is_over_when_it_exits() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    // What it leaves behind keeps its output open, and its input.
    let on = on(&place, &["--", "sh", "-c", "cat; sleep 600 & echo $! >> \"$0\"", "/dev/stderr"]);
    ana.send("bob", "one");
    assert_eq!(next(&mut ana), "bob ana one");
    ana.send("bob", "two");
    assert_eq!(next(&mut ana), "bob ana two");
    for _ in 0..2 {
        let id: i32 = on.complaint().parse().unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    }
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_all_that_it_began() {
    let place = Place::with(&["ana", "bob"]);
    let (mut ana, _) = place.papod().login("ana");
    let script = "read -r text; [ $text = quick ] && exit; sleep 600; echo late";
    let on = on(&place, &["--limit", "0.05", "--", "sh", "-c", script]);
    ana.send("bob", r"slow\n");
    ana.send("bob", r"quick\n");
    let why = "papo: message 1 from ana was skipped after 10 tries: it took more than 0.05 seconds";
    assert_eq!(on.complaint(), why);
    ana.until("ACK 2 ");
    ana.has_heard_all();
}

#[test]
fn a_script_without_its_first_line_costs_no_message() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["send", "bob", "hi"]);
    let script = place.home.path().join("script");
    fs::write(&script, "echo hi\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    fails(&mut place.papo("bob", &["on", "--", script]), 2, &format!("papo: {script}: "));
    let (_, read) = place.papod().login("bob");
    assert_eq!(read[0], "OK LOGIN bob 1");
}
