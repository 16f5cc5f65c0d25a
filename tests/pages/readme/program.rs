//! What contrib/OPERATING.md says of the program: its flags, its variables, its exit statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::blocks::OPERATING;
use super::papod::{Client, Papod, papod};

/// What stands behind `start` up to `end`, wherever it does.
fn between<'a>(text: &'a str, start: &str, end: char) -> Option<&'a str> {
    text.split_once(start)?.1.split(end).next()
}

/// The flags of `papod --help`: name, form, variable, default.
fn flags_of_help() -> BTreeMap<String, [Option<String>; 3]> {
    let output = papod().arg("--help").output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let starts = |line: &str| line.starts_with("      --") || line.starts_with("  -");
    let mut flags: Vec<String> = Vec::new();
    for line in help.lines() {
        if starts(line) {
            flags.push(String::new());
        }
        if let Some(flag) = flags.last_mut() {
            flag.push_str(line);
            flag.push('\n');
        }
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    flags
        .iter()
        .map(|flag| {
            let name = flag[flag.find("--").unwrap()..].split_whitespace().next().unwrap();
            let first = flag.lines().next().unwrap();
            let value = between(first, "<", '>');
            let variable = between(flag, "[env: ", ']').and_then(|env| env.split('=').next());
            let default = between(flag, "[default: ", ']');
            (name.to_owned(), [owned(value), owned(variable), owned(default)])
        })
        .collect()
}

#[test]
fn the_table_of_flags_is_that_of_help() {
    let help = flags_of_help();
    let mut shown = BTreeSet::new();
    for row in [OPERATING.table("flag"), OPERATING.table("limit")].concat() {
        let [names, variable, default, _] = row[..] else { panic!("{row:?}") };
        for name in names.split(", ") {
            let name = name.trim_matches('`');
            let (name, value) = name.split_once(' ').unwrap_or((name, ""));
            let said = help.get(name).unwrap_or_else(|| panic!("{name} is not in --help"));
            let [form, env, usual] = said.each_ref().map(Option::as_deref);
            assert_eq!(value, form.unwrap_or_default(), "{name}");
            let variable = variable.trim_matches('`').split('=').next().unwrap();
            assert_eq!(variable, env.unwrap_or_default(), "{name}");
            // One that says where a thing is found is a sentence, and the table has one of its own.
            if let Some(usual) = usual.filter(|usual| !usual.contains(' ')) {
                assert_eq!(default, format!("`{usual}`"), "{name}");
            } else {
                assert!(!default.contains('`'), "{name}");
            }
            assert!(shown.insert(name), "{name} stands there twice");
        }
    }
    let there: BTreeSet<&str> = help.keys().map(String::as_str).collect();
    assert_eq!(shown, there);
}

#[test]
fn variables_work_as_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = papod();
    for row in OPERATING.table("flag") {
        // One with a value shows it, since it is not plain what it is.
        if let Some((name, value)) = row[1].trim_matches('`').split_once('=') {
            command.env(name, value);
        }
    }
    command.env("PAPOD_LISTEN", "127.0.0.1:0,127.0.0.1:0").env("PAPOD_IDLE", "9");
    command.env("PAPOD_PASSWORD_COST", "8:1").env("PAPOD_LOG", "info");
    let db = folder.path().join("new/papo.db");
    command.env("PAPOD_DB", &db);
    let mut papod = Papod::spawn(command, folder);
    assert!(papod.log.next().unwrap().contains("listening on 127.0.0.1:"));
    // What to type next.
    let try_this = format!("try: nc localhost {}, then type HELP", papod.address.port());
    assert!(papod.log.next().unwrap().ends_with(&try_this));
    assert!(db.is_file());
    assert!(papod.end().success());
}

#[test]
fn exit_statuses_are_those_of_the_page() {
    // 0, and `BYE shutdown` to who is there.
    let mut papod_runs = Papod::start();
    let mut client = Client::new(papod_runs.address);
    assert_eq!(papod_runs.end().code(), Some(0));
    assert_eq!(client.rest(), "BYE shutdown\n");
    // 1, and one line.
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("papo.db");
    fs::write(&db, "shopping: milk, bread").unwrap();
    let output = papod().args(["--listen", "127.0.0.1:0", "--db"]).arg(&db).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    // 2.
    let output = papod().arg("--listne").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
