use proptest::prelude::*;

use super::*;
use crate::entry::{Cursor, EntryId};
use crate::name::{DisplayName, Target};
use crate::wire::refusal::Suggestion;
use crate::wire::request::{
    ActCommand, Command, Events, Hist, Query, Secret, SessionCommand, Setting, Upto, is_http,
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
        Command::Query(Query::Hist(Hist { to, count, before: id(before), after: id(after) }))
    };
    let moved = |cursor, upto| Command::Act(ActCommand::Move { cursor, upto });
    let ack = |upto| moved(Cursor::Delivered, upto);
    let session = Command::Session;
    let login = |secret, events| session(SessionCommand::Login { handle: ana(), secret, events });
    let token = |label: &str, to| session(SessionCommand::NewToken { label: label.into(), to });
    let cases = [
        (
            "REG ana secret-a",
            session(SessionCommand::Register {
                handle: ana(),
                password: secret("secret-a"),
                name: None,
            }),
        ),
        (
            "REG ana secret-a Ana  M",
            session(SessionCommand::Register {
                handle: ana(),
                password: secret("secret-a"),
                name: Some(DisplayName::new("Ana  M").unwrap()),
            }),
        ),
        ("LOGIN ana", login(None, Events::All)),
        ("LOGIN ana x", login(Some(secret("x")), Events::All)),
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
