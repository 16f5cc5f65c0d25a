use proptest::prelude::*;

use super::*;
use crate::entry::{Condition, Cursor, EntryId, Millis};
use crate::name::{DeviceName, DisplayName, FileName, Target};
use crate::wire::refusal::Suggestion;
use crate::wire::request::{
    ActCommand, Admin, Command, DueTime, Events, Hist, Query, Search, Secret, SessionCommand,
    Setting, Upto, Which, is_http,
};
use crate::wire::suggestions::suggest;
use crate::wire::text;

/// Parses a line as a session does.
fn read(line: &str) -> Result<Command, Refusal> {
    let word = first_word(line);
    match verb(word) {
        Some(verb) => super::read(verb, line).map(|request| request.command),
        None => Err(Refusal::BadCommand { suggestion: suggest(word, ListenerKind::Network) }),
    }
}

fn ana() -> Handle {
    Handle::new("ana").unwrap()
}

fn message(to: Target, body: &str) -> Command {
    Command::Act(ActCommand::Send { to, body: body.into(), once: None })
}

fn person(name: &str) -> Target {
    Target::Person(Handle::new(name).unwrap())
}

/// The column of a syntax error, and what was expected there.
fn refused(line: &str) -> (usize, &'static str) {
    match read(line) {
        Err(Refusal::BadSyntax { column, expected }) => (column, expected),
        other => panic!("{line:?} gave {other:?}"),
    }
}

#[test]
fn blanks_and_letter_case_do_not_matter_before_free_text() {
    let said = message(person("bia"), "Oi,  tudo\tbem?");
    assert_eq!(read("MSG bia Oi,  tudo\tbem?"), Ok(said.clone()));
    assert_eq!(read(" \tmsg\t \tBIA   Oi,  tudo\tbem? \t"), Ok(said));
}

#[test]
fn free_text_has_two_escapes() {
    let body = |line| match read(line) {
        Ok(Command::Act(ActCommand::Send { body, .. })) => body,
        other => panic!("{other:?}"),
    };
    assert_eq!(body(r"MSG bia a\nb\\c\d"), "a\nb\\c\\d");
    assert_eq!(body("MSG bia MSG bob x"), "MSG bob x");
}

#[test]
fn every_verb_reads_its_forms() {
    let secret = |text: &str| Secret(text.into());
    let hist = |count, before, after| {
        let id = |n: Option<i64>| n.map(EntryId);
        let to = person("bia");
        let (before, after, re) = (id(before), id(after), None);
        Command::Query(Query::Hist(Hist { to, count, before, after, re }))
    };
    let moved = |cursor, upto| Command::Act(ActCommand::Move { cursor, upto });
    let ack = |upto| moved(Cursor::Delivered, upto);
    let session = Command::Session;
    let login_as = |device: Option<&str>, secret, events| {
        let device = device.and_then(DeviceName::new);
        session(SessionCommand::Login { handle: ana(), device, secret, events })
    };
    let login = |secret, events| login_as(None, secret, events);
    let token = |label: &str, to| session(SessionCommand::NewToken { label: label.into(), to });
    let cases = [
        (
            "REG ana secret-a",
            session(SessionCommand::Register {
                handle: ana(),
                password: secret("secret-a"),
                invitation: None,
                name: None,
            }),
        ),
        (
            "REG ana secret-a Ana  M",
            session(SessionCommand::Register {
                handle: ana(),
                password: secret("secret-a"),
                invitation: None,
                name: Some(DisplayName::new("Ana  M").unwrap()),
            }),
        ),
        ("LOGIN ana", login(None, Events::All)),
        ("LOGIN ana x", login(Some(secret("x")), Events::All)),
        ("LOGIN Ana/Phone x", login_as(Some("phone"), Some(secret("x")), Events::All)),
        ("LOGIN ana/1 - quiet", login_as(Some("1"), None, Events::Quiet)),
        ("DEVICES", Command::Query(Query::Devices)),
        (
            "DEVICES del Phone",
            Command::Act(ActCommand::DropDevice(DeviceName::new("phone").unwrap())),
        ),
        ("LOGIN ana quiet", login(Some(secret("quiet")), Events::All)),
        ("LOGIN ana x QUIET", login(Some(secret("x")), Events::Quiet)),
        ("LOGIN ana - quiet", login(None, Events::Quiet)),
        ("LOGIN ana x Watch", login(Some(secret("x")), Events::Watch)),
        ("LOGIN ana - watch", login(None, Events::Watch)),
        ("LOGIN ana -", login(Some(secret("-")), Events::All)),
        ("token new to", token("to", None)),
        ("TOKEN NEW t TO #Ops", token("t", Target::new("#ops"))),
        ("TOKEN NEW to to bia", token("to", Target::new("bia"))),
        ("quit", session(SessionCommand::Quit)),
        ("PING", session(SessionCommand::Ping { text: String::new() })),
        ("PING a b", session(SessionCommand::Ping { text: "a b".into() })),
        ("HELP", session(SessionCommand::Help { verb: None })),
        ("help msg", session(SessionCommand::Help { verb: Some("msg".into()) })),
        ("HELP group add", session(SessionCommand::Help { verb: Some("group".into()) })),
        ("WHOAMI", Command::Query(Query::Whoami)),
        ("NAME Ana", Command::Act(ActCommand::Rename(DisplayName::new("Ana").unwrap()))),
        (
            "PASSWD old secret-b",
            session(SessionCommand::Passwd { old: secret("old"), new: secret("secret-b") }),
        ),
        ("TALK bia", session(SessionCommand::Talk { to: person("bia"), raw: false })),
        ("TALK bia RAW", session(SessionCommand::Talk { to: person("bia"), raw: true })),
        ("MSG #Team x", message(Target::Group(Handle::new("team").unwrap()), "x")),
        ("ACK", ack(Upto::Everything)),
        ("ACK 17", ack(Upto::Id(EntryId(17)))),
        ("ACK 99999999999999999999", ack(Upto::Id(EntryId(i64::MAX)))),
        ("ACK bia", ack(Upto::Last(person("bia")))),
        ("READ", moved(Cursor::Read, Upto::Everything)),
        ("SET ack auto", session(SessionCommand::Set(Setting::AckAuto(true)))),
        ("SET ACK Manual", session(SessionCommand::Set(Setting::AckAuto(false)))),
        ("SET receipts off", session(SessionCommand::Set(Setting::Receipts(false)))),
        ("HIST bia", hist(50, None, None)),
        ("HIST bia 7", hist(7, None, None)),
        ("HIST bia 1000 before 9", hist(1000, Some(9), None)),
        ("HIST bia after 3 before 9", hist(50, Some(9), Some(3))),
    ];
    for (line, request) in cases {
        assert_eq!(read(line), Ok(request), "{line}");
    }
}

#[test]
fn what_is_done_with_a_message_reads_its_forms() {
    let act = Command::Act;
    let id = Which::Id(EntryId(17));
    let body = || "x y".to_owned();
    let key = || Some("k".into());
    let wait =
        |until| Command::Session(SessionCommand::Wait { which: Which::Last, until, seconds: 5 });
    let hist = |before, re| {
        let to = person("bia");
        Command::Query(Query::Hist(Hist { to, count: 50, before, after: None, re }))
    };
    let search = |to: Option<&str>, count, re, words: &[&str]| {
        let to = to.map(|to| Target::new(to).unwrap());
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let (before, after) = (None, None);
        Command::Query(Query::Search(Search { to, count, before, after, re, words }))
    };
    let cases = [
        ("RE 17 x y", act(ActCommand::Answer { about: id, body: body(), once: None })),
        ("re LAST x y", act(ActCommand::Answer { about: Which::Last, body: body(), once: None })),
        ("ONCE k RE 17 x y", act(ActCommand::Answer { about: id, body: body(), once: key() })),
        ("FWD 17 bia", act(ActCommand::Forward { about: id, to: person("bia"), once: None })),
        (
            "ONCE k fwd 17 bia",
            act(ActCommand::Forward { about: id, to: person("bia"), once: key() }),
        ),
        (
            "ONCE k MSG bia x y",
            act(ActCommand::Send { to: person("bia"), body: body(), once: key() }),
        ),
        ("EDIT last x y", act(ActCommand::Edit { about: Which::Last, body: body() })),
        ("DEL 17", act(ActCommand::Delete { about: id })),
        ("REACT 17 -", act(ActCommand::React { about: id, word: None })),
        ("REACT 17 👍", act(ActCommand::React { about: id, word: Some("👍".into()) })),
        ("REACT last +1", act(ActCommand::React { about: Which::Last, word: Some("+1".into()) })),
        ("EXPIRE bia 60", act(ActCommand::Expire { to: person("bia"), seconds: Some(60) })),
        ("expire bia -", act(ActCommand::Expire { to: person("bia"), seconds: None })),
        ("MARKS 17", Command::Query(Query::Marks { which: id, after: None })),
        ("MARKS 17 after 9", Command::Query(Query::Marks { which: id, after: Some(EntryId(9)) })),
        ("HIST bia re 17", hist(None, Some(id))),
        ("HIST bia RE last before 9", hist(Some(EntryId(9)), Some(Which::Last))),
        ("HIST bia with Café men, CAF", search(Some("bia"), 50, None, &["cafe", "men"])),
        ("HIST - 3 re last with with", search(None, 3, Some(Which::Last), &["with"])),
        ("hist #xy WITH a\\nb", search(Some("#xy"), 50, None, &["a", "b"])),
        ("WAIT last answered 5", wait(Condition::Answered)),
        ("WAIT last Read 5", wait(Condition::Reached(Cursor::Read))),
        ("ADMIN DEL 17", Command::Session(SessionCommand::Admin(Admin::DropMessage(EntryId(17))))),
        ("AT", Command::Query(Query::Later)),
        ("AT DEL 3", act(ActCommand::Unschedule { number: 3 })),
    ];
    for (line, request) in cases {
        assert_eq!(read(line), Ok(request), "{line}");
    }
}

#[test]
fn a_reaction_is_one_short_word() {
    let family = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}";
    let england = "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}";
    for word in ["ok", "2", "*", "❤\u{FE0F}", family, england, &"é".repeat(16)] {
        let expected = ActCommand::React { about: Which::Id(EntryId(1)), word: Some(word.into()) };
        assert_eq!(read(&format!("REACT 1 {word}")), Ok(Command::Act(expected)), "{word}");
    }
    let label = "a reaction of 1 to 16 characters without blanks , = and /, or -";
    for word in ["a,b", "a=b", "a/b", "a\u{202E}", "\u{200D}", "a\u{2028}b", &"é".repeat(17)] {
        assert_eq!(refused(&format!("REACT 1 {word}")), (9, label), "{word}");
    }
    for word in ["\u{FE0F}", "\u{E0100}", "\u{3164}", "\u{2800}\u{200D}"] {
        assert_eq!(refused(&format!("REACT 1 {word}")), (9, label), "{word:?}");
    }
    assert_eq!(refused("REACT 1"), (8, label));
    assert_eq!(refused("REACT 1 ok then"), (12, "the end of the line"));
}

#[test]
fn a_command_for_later_is_kept_as_it_was_typed() {
    let schedule = |line| match read(line) {
        Ok(Command::Act(ActCommand::Schedule { due, unless, later })) => (due, unless, later),
        other => panic!("{line:?} gave {other:?}"),
    };
    let (due, unless, later) = schedule(r"at +600  msg BIA  a\nb\c");
    assert_eq!((due, unless), (DueTime::In(600), None));
    assert_eq!((later.verb, &*later.typed), ("MSG", r"msg BIA  a\nb\c"));
    assert_eq!(*later.command, {
        ActCommand::Send { to: person("bia"), body: "a\nb\\c".into(), once: None }
    });
    assert_eq!(read(&later.typed), Ok(Command::Act(*later.command)));
    let (due, _, later) = schedule("AT 2026-01-01T01:00:00+01:00 ONCE k RE last a\u{2028}b");
    assert_eq!(due, DueTime::At(Millis(1_767_225_600_000)));
    assert_eq!((later.verb, &*later.typed), ("ONCE", r"ONCE k RE last a\nb"));
    assert_eq!(read(&later.typed), Ok(Command::Act(*later.command)));
    let (due, unless, _) = schedule("UNLESS last answered 0 FWD 17 bia");
    assert_eq!((due, unless), (DueTime::In(0), Some((Which::Last, Condition::Answered))));
}

#[test]
fn a_due_time_is_within_a_year() {
    let now = Millis(1_000_000);
    let year = 31_536_000;
    assert_eq!(DueTime::In(600).from(now), Ok(Millis(1_600_000)));
    assert_eq!(DueTime::At(Millis(5)).from(now), Ok(Millis(5)));
    let last = Millis(now.0 + year * 1000);
    assert_eq!(DueTime::At(last).from(now), Ok(last));
    let beyond = DueTime::At(Millis(last.0 + 1)).from(now);
    assert!(matches!(beyond, Err(Refusal::BadSyntax { column: 4, .. })), "{beyond:?}");
    let due = "a time like 2026-01-01T09:00:00Z or +600 seconds, at most a year ahead";
    for time in ["9:00", "2026-01-01", "+", "+x", "+-5", "+31536001", "600"] {
        assert_eq!(refused(&format!("AT {time} MSG bia x")), (4, due), "{time}");
    }
    assert!(read("AT +31536000 MSG bia x").is_ok());
    assert_eq!(refused("UNLESS 17 read 31536001 MSG bia x").0, 16);
}

#[test]
fn a_broken_form_about_a_message_says_where() {
    assert_eq!(refused("RE"), (3, "the id of a message, or last"));
    assert_eq!(refused("RE bia x"), (4, "the id of a message, or last"));
    assert_eq!(refused("RE 17"), (6, "the text of the message"));
    assert_eq!(refused("DEL 17 18"), (8, "the end of the line"));
    assert_eq!(refused("FWD 17 2x"), (8, "a handle or #group"));
    assert_eq!(refused("MARKS 17 before 3"), (10, "after <id> or the end of the line"));
    assert_eq!(refused("MARKS 17 after last"), (16, "the id of a message"));
    assert_eq!(refused("HIST bia re 1 re 2"), (15, "before, after and re at most once each"));
    assert_eq!(refused("WAIT 17 done 5"), (9, "delivered, read or answered"));
    assert_eq!(refused("ONCE k EDIT 17 x"), (8, "MSG, RE, FWD or FILE"));
    assert_eq!(refused("AT +5 EDIT 17 x"), (7, "MSG, RE, FWD or ONCE"));
    assert_eq!(refused("AT +5 AT +5 MSG bia x"), (7, "MSG, RE, FWD or ONCE"));
    assert_eq!(refused("AT +5 ONCE k MSG bia"), (21, "the text of the message"));
    assert_eq!(refused("AT +5 FWD 17 bia x"), (18, "the end of the line"));
    assert_eq!(refused("AT DEL x"), (8, "the number of a command, as AT shows it"));
    assert_eq!(refused("ADMIN DEL last"), (11, "the id of a message"));
}

#[test]
fn a_broken_form_says_what_was_expected_and_where() {
    assert_eq!(refused("MSG").0, 4);
    assert_eq!(refused("TALK bia loud"), (10, "raw"));
    assert_eq!(refused("MSG é x"), (5, "a handle or #group"));
    assert_eq!(refused("MSG bia"), (8, "the text of the message"));
    assert_eq!(refused("MSG  bia  "), (9, "the text of the message"));
    assert_eq!(refused("QUIT now"), (6, "the end of the line"));
    assert_eq!(refused("WHOAMI x"), (8, "the end of the line"));
    let password = "quiet, watch or the end of the line; a password has no blanks";
    assert_eq!(refused("LOGIN ana a b"), (13, password));
    assert_eq!(refused("PASSWD a secret-b c").1, "the end of the line; a password has no blanks");
    assert_eq!(refused("LOGIN ana a quiet x"), (19, "the end of the line"));
    assert_eq!(refused("LOGIN ana a quiet watch"), (19, "the end of the line"));
    assert_eq!(refused("TOKEN NEW a b"), (13, "to or the end of the line"));
    assert_eq!(refused("TOKEN NEW a to"), (15, "a handle or #group"));
    assert_eq!(refused("TOKEN NEW a to bia x"), (20, "the end of the line"));
    assert_eq!(refused("REG ana short").0, 9);
    assert_eq!(refused(&format!("REG ana {}", "x".repeat(129))).0, 9);
    assert_eq!(refused("REG 1ana secret-a").0, 5);
    assert_eq!(refused(&format!("NAME {}", "x".repeat(65))).0, 6);
    assert_eq!(refused("NAME").0, 5);
    assert_eq!(refused("TALK bia raw x").0, 14);
    assert_eq!(refused("TALK bia cooked").0, 10);
    assert_eq!(refused("ACK 1 2").0, 7);
    assert_eq!(refused("ACK 1x").0, 5);
    assert_eq!(refused("SET").0, 4);
    assert_eq!(refused("SET ack maybe"), (9, "auto or manual"));
    assert_eq!(refused("SET colour on").0, 5);
    assert_eq!(refused("SET ack auto x").0, 14);
    assert_eq!(refused("HIST bia 0"), (10, "a number of rows from 1 to 1000"));
    assert_eq!(refused("HIST bia 1001").0, 10);
    assert_eq!(refused("HIST -").0, 7);
    assert_eq!(refused("HIST - 5 before 3").0, 18);
    assert_eq!(refused("HIST bia with"), (14, "words to look for, of letters or digits"));
    assert_eq!(refused("HIST bia with ?! -").0, 15);
    let many = (0..17).map(|n| format!("w{n} ")).collect::<String>();
    assert_eq!(refused(&format!("HIST bia with {many}")), (15, "at most 16 words"));
    assert_eq!(refused("HIST bia 5 5").0, 12);
    assert_eq!(refused("HIST bia before").0, 16);
    assert_eq!(refused("HIST bia before 5 before 6").0, 19);
    assert_eq!(refused("HELP me now"), (9, "the end of the line"));
    assert_eq!(refused("HELP MSG to"), (10, "the end of the line"));
    assert_eq!(refused("TOKEN NEW").1, "a label of 1 to 64 characters without blanks");
    assert!(refused("REG bj\u{f8}rn secret-b").1.contains("a letter a-z"));
}

#[test]
fn a_name_with_a_sign_of_elsewhere_is_corrected() {
    for (line, said) in [
        ("MSG @ana hi", "a handle without the @"),
        ("BLOCK @ana", "a handle without the @"),
        ("GROUP ADD team @ana", "a handle without the @"),
        ("MSG ana, hi", "a name without the comma after it"),
        ("TALK #team:", "a name without the colon after it"),
        ("HIST +team", "a handle or #group; write # instead of +"),
        ("BLOCK +team", "a handle, not a group"),
        ("GROUP ADD team #staff", "a handle, not a group"),
        ("LOGIN #team secret-a", "a handle, not a group"),
        ("GROUP WHO +team", "a group's name without the +"),
        ("MSG +1 hi", "a handle or #group"),
        ("MSG @ hi", "a handle or #group"),
    ] {
        assert_eq!(refused(line).1, said, "{line}");
    }
}

#[test]
fn names_hide_nothing() {
    let byte = |line: &str| match read(line) {
        Err(Refusal::BadText { byte, .. }) => byte,
        other => panic!("{line:?} gave {other:?}"),
    };
    assert_eq!(byte("NAME a\u{202e}b"), 7);
    assert_eq!(byte("REG ana secret-a é\u{200b}"), 20);
    assert_eq!(byte(r"NAME a\nb"), 7);
}

#[test]
fn an_unknown_verb_is_said_back_with_the_nearest() {
    assert_eq!(read("MGS bia x"), Err(Refusal::BadCommand { suggestion: Suggestion::Verb("MSG") }));
    assert_eq!(
        read("LOGON ana x"),
        Err(Refusal::BadCommand { suggestion: Suggestion::Verb("LOGIN") })
    );
    assert_eq!(read("oi, bia!"), Err(Refusal::BadCommand { suggestion: Suggestion::Text }));
    assert_eq!(display_verb("olá"), "OLÁ");
    assert_eq!(display_verb("msg"), "MSG");
    assert_eq!(display_verb(""), "-");
    assert_eq!(display_verb(&"x".repeat(65)), "-");
}

#[test]
fn a_browser_is_known_by_its_first_line_or_its_host() {
    for line in [
        "GET / HTTP/1.1",
        "post /x http/1.0",
        "PRI * HTTP/2.0",
        "BREW pot HTTP/1.1",
        "GET /a b HTTP/1.1",
        "Host: localhost:7276",
        "hOsT:x",
    ] {
        assert!(is_http(line), "{line}");
    }
    for line in ["GET / HTTP/", "HTTP/1.1 200", "GET /", "Hostess: x", "PING"] {
        assert!(!is_http(line), "{line}");
    }
}

#[test]
fn help_fits_a_screen() {
    let ana = ana();
    for (listener, me) in [
        (ListenerKind::Network, None),
        (ListenerKind::Network, Some(&ana)),
        (ListenerKind::Unix, Some(&ana)),
        (ListenerKind::Admin, None),
    ] {
        let lines = overview(listener, me);
        assert!(lines.len() < 24, "{}: {lines:#?}", lines.len());
        assert!(lines.iter().all(fits_a_line), "{lines:#?}");
    }
    // But for the operators' verb, a table that is wider.
    let others = VERBS.iter().filter(|verb| verb.served != Served::Operators);
    let mut lines = others.flat_map(|verb| of(verb.word, ListenerKind::Unix).unwrap());
    assert_eq!(lines.find(|line| !fits_a_line(line)), None);
}

/// Whether it fits on a terminal of 80 columns after the word HELP and a blank.
fn fits_a_line(line: impl AsRef<str>) -> bool {
    "HELP ".len() + line.as_ref().chars().count() <= 80
}

#[test]
fn secrets_are_not_printed() {
    let said = format!("{:?}", read("LOGIN ana hunter2"));
    assert!(!said.contains("hunter2"), "{said}");
}

proptest! {
    #[test]
    fn no_line_makes_the_reader_panic(line in "\\PC*") {
        let _ = read(&line);
        let _ = is_http(&line);
    }

    #[test]
    fn no_fields_make_a_rule_panic(verb in 0..VERBS.len(), fields in "[ -~\t\\\\é]*") {
        let _ = read(&format!("{} {fields}", VERBS[verb].word));
    }

    #[test]
    fn a_message_reads_back(body in "[^ \t\r\n\u{2028}\u{2029}][^\r\u{2028}\u{2029}]*[^ \t\r\u{2028}\u{2029}]") {
        let mut line = b"MSG bia ".to_vec();
        text::escape(&body, &mut line);
        let line = String::from_utf8(line).unwrap();
        prop_assert_eq!(read(&line), Ok(message(person("bia"), &body)));
    }
}

#[test]
fn bytes_are_base64_in_whole_groups() {
    let put = |bytes: &[u8]| Ok(Command::Session(SessionCommand::Put(Some(bytes.into()))));
    assert_eq!(read("PUT aGVsbG8K"), put(b"hello\n"));
    assert_eq!(read("put YQ=="), put(b"a"));
    assert_eq!(read("PUT -"), Ok(Command::Session(SessionCommand::Put(None))));
    const BASE64: &str = "Base64, whole groups of 4 characters";
    for (line, column) in [
        ("PUT", 4),
        ("PUT -x", 5),
        ("PUT aGVsbG8", 12),
        ("PUT aGVs bG8K", 9),
        ("PUT aGV_bG8K", 8),
        ("PUT YR==", 6),
        ("PUT aGVséG8K", 9),
    ] {
        assert_eq!(refused(line), (column, BASE64), "{line}");
    }
}

#[test]
fn a_file_has_a_name_and_a_target() {
    let file = |name: &str, once: Option<&str>| {
        let (to, name) = (person("bia"), FileName::new(name).unwrap());
        Ok(Command::Session(SessionCommand::SendFile { to, name, once: once.map(Into::into) }))
    };
    assert_eq!(read("FILE bia  my photo.jpg "), file("my photo.jpg", None));
    assert_eq!(read("ONCE k FILE bia a"), file("a", Some("k")));
    for (line, column) in [
        ("FILE bia", 9),
        ("FILE bia ../../etc/passwd", 10),
        ("FILE bia .rc", 10),
        ("FILE bia -rf", 10),
        ("FILE bia a/b", 10),
        ("ONCE k FILE bia a/b", 17),
    ] {
        assert_eq!(refused(line), (column, FileName::EXPECTED), "{line}");
    }
    let byte = |line| match read(line) {
        Err(Refusal::BadText { byte, .. }) => byte,
        other => panic!("{line:?} gave {other:?}"),
    };
    assert_eq!(byte("FILE bia a\u{202E}b"), 11);
    assert_eq!(byte(r"FILE bia a\nb"), 11);
    let (which, from) = (Which::Id(EntryId(17)), 5);
    assert_eq!(read("GET 17 5"), Ok(Command::Query(Query::File { which, from })));
    let (which, from) = (Which::Last, 0);
    assert_eq!(read("GET last"), Ok(Command::Query(Query::File { which, from })));
    assert_eq!(refused("GET 17 -1").0, 8);
    assert_eq!(refused("AT +5 ONCE k FILE bia a").1, "MSG, RE or FWD");
}
