//! `papo send` and `papo ask`, and what their exit statuses say.

use papo::limits;

use crate::place::{Place, Running, done, fails, input, stderr};
use crate::process::{Entry, PASSWORD, id, run};

#[test]
fn a_text_is_sent_as_it_is_and_its_id_printed() {
    let place = Place::with(&["ana", "bob"]);
    assert_eq!(place.done("ana", &["send", "bob", "two", "words"]), "1\n");
    let text = b"first line\n\nQUIT\nC:\\new \\n\n\n\n";
    assert_eq!(done(place.papo("ana", &["send", "bob"]).stdin(input(text))), "2\n");
    assert_eq!(done(place.papo("ana", &["send", "bob", "-"]).stdin(input(b"from a pipe"))), "3\n");
    assert_eq!(place.done("ana", &["send", "bob", "--", "--wait", "+1"]), "4\n");
    // What follows the name is text, whatever it begins with.
    assert_eq!(place.done("ana", &["send", "bob", "-5", "degrees"]), "5\n");
    assert_eq!(place.done("ana", &["send", "--as", "ana", "bob", "--help"]), "6\n");
    let sent = [
        "two words",
        r"first line\n\nQUIT\nC:\\new \\n",
        "from a pipe",
        "--wait +1",
        "-5 degrees",
        "--help",
    ];
    assert_eq!(place.bodies("bob", "ana"), sent);
}

#[test]
fn a_plus_is_a_group() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["group", "new", "+team", "bob"]);
    assert_eq!(place.done("ana", &["send", "+Team", "hello"]), "2\n");
    assert_eq!(place.done("bob", &["send", "#team", "hi"]), "3\n");
    assert_eq!(place.bodies("bob", "#team"), ["new bob", "hello", "hi"]);
    // In a text it is a plus.
    assert_eq!(place.done("ana", &["send", "bob", "+1"]), "4\n");
    assert_eq!(place.bodies("bob", "ana"), ["+1"]);
}

#[test]
fn a_flag_in_the_text_is_sent_and_warned_of() {
    let place = Place::with(&["ana", "bob"]);
    for text in [&["--wait", "read", "hi"][..], &["--key=k", "hi"], &["--help"]] {
        let output = run(place.papo("ana", &["send", "bob"]).args(text));
        let flag = text[0].split('=').next().unwrap();
        let warning = format!("papo: {flag} is sent as text; flags go before the handle or id\n");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), warning);
        assert!(output.status.success());
    }
    assert_eq!(place.bodies("bob", "ana"), ["--wait read hi", "--key=k hi", "--help"]);
    // One word that is no flag as a whole is a text like any other.
    let output = run(&mut place.papo("ana", &["send", "bob", "--wait for me", "-5 degrees"]));
    assert!(output.stderr.is_empty() && output.status.success());
}

#[test]
fn what_variables_say_is_not_shown_as_missing() {
    let place = Place::with(&["ana"]);
    let output = run(&mut place.papo("ana", &["send"]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("\nUsage: papo send <TO> [TEXT]...\n"), "{said}");
}

#[test]
fn a_key_is_for_one_message() {
    let place = Place::with(&["ana", "bob"]);
    for _ in 0..3 {
        assert_eq!(place.done("ana", &["send", "--key", "backup-1", "bob", "done"]), "1\n");
    }
    let mut other = place.papo("ana", &["send", "--key", "backup-1", "bob", "failed"]);
    fails(&mut other, 1, "ERR ONCE key-reused ");
    assert_eq!(place.bodies("bob", "ana"), ["done"]);
}

#[test]
fn a_refusal_is_status_1_and_the_line_of_the_server_as_of_a_message() {
    let place = Place::with(&["ana"]);
    fails(&mut place.papo("ana", &["send", "bob", "hi"]), 1, "ERR MSG no-such-user bob: ");
    fails(&mut place.papo("ana", &["hist", "+team"]), 1, "ERR HIST no-such-group #team: ");
    let mut red = place.papo("ana", &["send", "ana", "two\nlines \x1b[31mred"]);
    fails(&mut red, 1, "ERR MSG bad-text byte 11: ");
    fails(
        place.papo("ana", &["send", "ana"]).stdin(input(b"\n")),
        1,
        "papo: not sent: the text is empty",
    );
    let bad = "papo: standard input: not valid UTF-8 at byte 2";
    fails(place.papo("ana", &["send", "ana"]).stdin(input(b"a\xff")), 1, bad);
    assert_eq!(place.bodies("ana", "ana"), [""; 0]);
}

#[test]
fn what_is_too_long_is_not_sent() {
    let place = Place::with(&["ana"]);
    let overhead = "ONCE k MSG ana \n".len();
    let send = |length: usize| {
        let mut command = place.papo("ana", &["send", "--key", "k", "ana"]);
        command.stdin(input("x".repeat(length).as_bytes()));
        command
    };
    fails(&mut send(limits::LINE - overhead + 1), 1, "papo: not sent: too long (");
    fails(&mut send(limits::LINE * 5), 1, "papo: not sent: too long (more than 262,144 bytes; ");
    assert_eq!(done(&mut send(limits::LINE - overhead)), "1\n");
    assert_eq!(place.bodies("ana", "ana").len(), 1);
}

#[test]
fn a_wrong_command_line_is_status_2() {
    let place = Place::with(&[]);
    fails(&mut place.bare(&[]), 2, "papo: papo needs a terminal");
    fails(&mut place.bare(&["--as", "ana"]), 2, "papo: papo needs a terminal");
    for wrong in [
        &["sned", "bob", "hi"][..],
        &["--bell", "send", "bob", "hi"],
        &["send"],
        &["send", "two words", "hi"],
        &["send", "ana\nQUIT", "hi"],
        &["send", "--key", "two words", "bob", "hi"],
        &["send", "--wait", "soon", "bob", "hi"],
        &["send", "--timeout", "9", "bob", "hi"],
        &["send", "--no-such-flag", "bob", "hi"],
        &["tail", "--live", "--waiting"],
        &["tail", "--count", "0"],
        &["on", "--limit", "0", "--", "true"],
        &["ask", "bob"],
        &["hist", "bob", "1001"],
        &["on", "bob"],
        &["--server", "nowhere", "chats"],
        &["--as", "no handle", "chats"],
    ] {
        fails(&mut place.papo("ana", wrong), 2, "error: ");
    }
    // Nobody to log in as, and nothing to log in with; nobody is asked where nobody sits.
    fails(&mut place.bare(&["chats"]), 2, "papo: no account: ");
    fails(&mut place.bare(&["chats", "--as", "ana"]), 2, "papo: no secret: ");
    let mut empty = place.bare(&["chats", "--as", "ana"]);
    fails(empty.env("PAPO_SECRET", ""), 2, "papo: no secret: ");
    fails(place.papo("ana", &["chats"]).env("PAPO_SECRET", "two words"), 2, "papo: PAPO_SECRET: ");
    fails(&mut place.papo("ana", &["chats", "--secret-file", "/none"]), 2, "papo: /none: ");
}

#[test]
fn a_server_that_is_not_there_is_status_3() {
    let mut place = Place::with(&["ana"]);
    place.kill();
    fails(&mut place.papo("ana", &["send", "ana", "hi"]), 3, "papo: unix:");
    // What listens there is something else.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let mut register = place.papo("ana", &["register"]);
    fails(register.env("PAPO_SERVER", &address), 3, &format!("papo: {address}: "));
}

#[test]
fn of_several_addresses_the_next_is_tried() {
    let place = Place::with(&["ana"]);
    let none = "unix:/none";
    // Who listens here says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    for first in [none, &silent] {
        let both = format!("{first},{}", place.address());
        let mut send = place.papo("ana", &["send", "ana", "hi"]);
        done(send.env("PAPO_SERVER", both));
    }
    let mut send = place.papo("ana", &["send", "ana", "hi"]);
    let output = run(send.env("PAPO_SERVER", format!("{none},unix:/neither")));
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(said.contains(none) && said.contains("unix:/neither"), "{said}");
    // A token is sent to each of the addresses that were named when it was made.
    let both = format!("{none},{}", place.address());
    let mut login = place.papo("ana", &["login"]);
    done(login.env("PAPO_SERVER", both));
    done(&mut place.bare(&["send", "ana", "hi"]));
    done(place.bare(&["send", "ana", "hi"]).env("PAPO_SERVER", place.address()));
}

#[test]
fn a_wrong_secret_is_status_4() {
    let place = Place::with(&["ana"]);
    for command in [&["send", "ana", "hi"][..], &["tail"], &["on", "--", "true"], &["login"]] {
        let mut command = place.papo("ana", command);
        fails(command.env("PAPO_SECRET", "no-secret"), 4, "ERR LOGIN wrong-secret ");
    }
}

#[test]
fn sending_waits_for_those_who_read() {
    let place = Place::with(&["ana", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    let arguments = ["send", "--wait", "read", "--timeout", "600", "bob", "may I?"];
    let running = Running::start(&mut place.papo("ana", &arguments));
    assert_eq!(running.line(), "1");
    let came = bob.line();
    bob.say(&format!("READ {}", id(&came)));
    bob.expect("OK READ 1");
    assert_eq!(running.finish(), (Some(0), vec![], vec![]));
    // Received is less than read, and nobody does even that.
    let arguments = ["send", "--wait", "delivered", "--timeout", "1", "bob", "still?"];
    let output = run(&mut place.papo("ana", &arguments));
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(5), &b"2\n"[..]));
}

#[test]
fn a_wait_outlives_the_server() {
    let mut place = Place::with(&["ana", "bob"]);
    let arguments = ["send", "--wait", "read", "--timeout", "600", "bob", "may I?"];
    let running = Running::start(&mut place.papo("ana", &arguments));
    assert_eq!(running.line(), "1");
    place.kill();
    place.start();
    let (mut bob, _) = place.papod().login("bob");
    bob.say("READ 1");
    bob.expect("OK READ 1");
    assert_eq!(running.finish(), (Some(0), vec![], vec![]));
}

#[test]
fn an_answer_is_printed_and_read() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, _) = place.papod().login("bob");
    // What was there before is no answer, and neither is what somebody else says.
    bob.send("ana", "yes");
    place.done("ana", &["tail", "--waiting"]);
    bob.until("ACK 1 ");
    let running = Running::start(&mut place.papo("ana", &["ask", "bob", "deploy", "it?"]));
    let question = bob.line();
    assert!(question.ends_with(" ana bob - deploy it?"), "{question}");
    place.papod().login_quietly("cid").send("ana", "no");
    bob.say(r"MSG ana not before\nsix");
    bob.until("OK MSG 4 ");
    assert!(bob.until("READ 4 ").last().unwrap().ends_with(" ana bob"));
    let (status, out, _) = running.finish();
    assert_eq!((status, out), (Some(0), vec!["not before".to_owned(), "six".to_owned()]));
}

/// Nothing counts as read or received that was not printed.
#[test]
fn what_waits_before_an_answer_goes_on_waiting() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let waiting = || place.done("ana", &["tail", "--waiting"]);
    let texts = |lines: String| -> Vec<String> {
        lines.lines().map(|line| Entry::parse(line).body).collect()
    };
    let (mut bob, _) = place.papod().login("bob");
    bob.send("ana", "the disk is full");
    let running = Running::start(&mut place.papo("ana", &["ask", "bob", "deploy?"]));
    bob.until("MSG 2 ");
    bob.send("ana", "yes");
    assert_eq!(running.finish(), (Some(0), vec!["yes".to_owned()], vec![]));
    assert_eq!(texts(waiting()), ["the disk is full", "yes"]);
    // In a group others say something meanwhile.
    place.done("ana", &["group", "new", "team", "bob", "cid"]);
    bob.until("GROUP 4 ");
    let running = Running::start(&mut place.papo("ana", &["ask", "+team", "lunch?"]));
    bob.until("MSG 5 ");
    place.done("cid", &["send", "+team", "who was here?"]);
    bob.until("MSG 6 ");
    let answered = running.finish();
    assert_eq!(answered.1, ["who was here?"]);
    assert_eq!(texts(waiting()), [""; 0]);
    place.done("bob", &["send", "+team", "fire!"]);
    let running = Running::start(&mut place.papo("ana", &["ask", "+team", "tea?"]));
    bob.until("MSG 8 ");
    bob.say("RE 6 me");
    bob.say("RE 8 yes");
    assert_eq!(running.finish().1, ["yes"]);
    assert_eq!(texts(waiting()), ["fire!", "me", "yes"]);
}

#[test]
fn a_group_is_asked_like_a_person() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["group", "new", "team", "bob"]);
    let (mut bob, _) = place.papod().login("bob");
    let running = Running::start(&mut place.papo("ana", &["ask", "+team", "lunch?"]));
    bob.until("MSG 2 ");
    // In private is not there.
    bob.send("ana", "are they hungry?");
    bob.send("#team", "yes");
    assert_eq!(running.finish().1, ["yes"]);
}

#[test]
fn no_answer_in_time_is_status_5() {
    let place = Place::with(&["ana", "bob"]);
    let mut ask = place.papo("ana", &["ask", "--timeout", "1", "bob", "hello?"]);
    fails(&mut ask, 5, "papo: no answer within 1 second");
    assert_eq!(place.bodies("bob", "ana"), ["hello?"]);
}

#[test]
fn a_server_that_is_killed_meanwhile_keeps_each_message_once() {
    let mut place = Place::with(&["ana", "bob"]);
    // It is not there when sending begins.
    place.kill();
    let running = Running::start(&mut place.papo("ana", &["send", "bob", "first"]));
    place.start();
    assert_eq!(running.finish(), (Some(0), vec!["1".to_owned()], vec![]));
    // It goes while sending goes on, wherever that has come to.
    let mut sent = vec!["first".to_owned()];
    for n in 0..12_u32 {
        let text = format!("text {n}");
        let running = Running::start(&mut place.papo("ana", &["send", "bob", &text]));
        for _ in 0..n {
            std::hint::black_box(place.papod().connect());
        }
        place.kill();
        place.start();
        let (status, out, err) = running.finish();
        assert_eq!((status, out.len()), (Some(0), 1), "{err:?}");
        sent.push(text);
    }
    assert_eq!(place.bodies("bob", "ana"), sent);
}

#[test]
fn no_secret_stands_in_the_process_list() {
    let place = Place::with(&["ana", "bob"]);
    let file = place.home.path().join("secret");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let mut command = place.papo("ana", &["tail", "--secret-file", file.to_str().unwrap()]);
    let running = Running::start(command.env_remove("PAPO_SECRET"));
    place.papod().login_quietly("bob").send("ana", "it is logged in");
    assert!(running.line().ends_with(" it is logged in"));
    let shown = std::fs::read(format!("/proc/{}/cmdline", running.child.id())).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("tail") && !shown.contains(PASSWORD), "{shown}");
}

#[test]
fn whatever_is_in_it_a_lossy_text_is_sent() {
    let place = Place::with(&["ana", "bob"]);
    let send =
        |bytes: &[u8]| done(place.papo("ana", &["send", "--lossy", "bob"]).stdin(input(bytes)));
    assert_eq!(send(b""), "1\n");
    assert_eq!(send(b"caf\xe9 \x07 \x1b[31mred\x1b[0m\r\n"), "2\n");
    let long = format!("begin\n{}end\n", "\\\n".repeat(300_000));
    assert_eq!(send(long.as_bytes()), "3\n");
    place.done("ana", &["send", "--lossy", "bob", "an\x1b[0m argument"]);
    let sent = place.bodies("bob", "ana");
    assert_eq!(sent[..2], ["(empty)", "caf\u{fffd} \u{fffd} red"]);
    assert!(sent[2].starts_with(r"begin\n\\\n") && sent[2].ends_with(r"\\\nend"));
    assert!(sent[2].contains(" bytes left out ") && sent[2].len() > limits::LINE - 500);
    assert_eq!(sent[3], "an argument");
}

#[test]
fn a_crowd_that_sends_at_once_gets_through() {
    let place = Place::with_flags(&["ana", "bob"], &["--limit-secrets", "1"]);
    let all: Vec<Running> = (0..60)
        .map(|n| Running::start(&mut place.papo("ana", &["send", "bob", &n.to_string()])))
        .collect();
    for one in all {
        let (status, out, err) = one.finish();
        assert_eq!((status, out.len()), (Some(0), 1), "{err:?}");
    }
    assert_eq!(place.bodies("bob", "ana").len(), 60);
}
