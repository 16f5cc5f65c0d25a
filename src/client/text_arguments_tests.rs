//! Which words of a command line are text.

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use super::flags::{Action, CommandLine};
use super::group_flags::GroupVerb;
use super::text_arguments::with_text_apart;

fn sent(line: &[&str]) -> (String, Vec<String>, Option<String>) {
    let arguments = line.iter().map(OsString::from);
    let apart = with_text_apart(&CommandLine::command(), arguments);
    match CommandLine::try_parse_from(apart).map_err(|e| e.to_string()).unwrap().action {
        Some(Action::Send { to, text, flags, .. }) => (to.to_string(), text, flags.key),
        Some(Action::At { to, text, key, .. }) => (to.to_string(), text, key),
        Some(Action::Ask { to, text, .. }) => (to.to_string(), text, None),
        Some(Action::Group(GroupVerb::Topic { group, text })) => (group.to_string(), text, None),
        _ => panic!("another command"),
    }
}

#[test]
fn what_follows_a_name_is_text() {
    for (typed, text) in [
        (&["-5", "degrees"][..], &["-5", "degrees"][..]),
        (&["--", "-5"], &["-5"]),
        (&["--help"], &["--help"]),
        (&["--key", "k"], &["--key", "k"]),
        (&["a", "--", "b"], &["a", "--", "b"]),
        (&["--", "--"], &["--"]),
        (&["-"], &["-"]),
        (&[], &[]),
    ] {
        let line = |verb: &[&'static str]| [&["papo"], verb, typed].concat();
        assert_eq!(sent(&line(&["send", "bob"])).1, text, "{typed:?}");
        assert_eq!(sent(&line(&["-4", "send", "--lossy", "bob"])).1, text, "{typed:?}");
        let flags = ["--as", "send", "send", "--key", "ask", "--server=h:1", "bob"];
        assert_eq!(sent(&line(&flags)), ("bob".into(), to_owned(text), Some("ask".into())));
        if !text.is_empty() {
            assert_eq!(sent(&line(&["ask", "--timeout", "9", "bob"])).1, text);
            assert_eq!(sent(&line(&["group", "topic", "team"])).1, text);
            assert_eq!(sent(&line(&["at", "--lossy", "+9", "bob"])).1, text);
        }
    }
}

fn to_owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn other_commands_are_as_they_are_typed() {
    for line in [
        &["papo", "hist", "bob", "5", "--after", "7"][..],
        &["papo", "tail", "bob", "--all"],
        &["papo", "on", "bob", "--", "cat", "-n"],
        &["papo", "group", "new", "team", "--as", "ana"],
        &["papo", "send", "--", "bob", "-5"],
        &["papo", "react", "17", "-1"],
        &["papo", "fwd", "17", "--key", "k", "bob"],
    ] {
        let apart = with_text_apart(&CommandLine::command(), line.iter().map(OsString::from));
        assert_eq!(apart, line);
    }
}
