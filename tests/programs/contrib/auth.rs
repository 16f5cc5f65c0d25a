//! contrib/auth/: what papod's log-ins are checked by, with stand-ins for the programs that ask.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::contrib;
use crate::process::Home;

/// The status of a script for two lines, where this is the program that it asks.
fn status(script: &str, arguments: &[&str], program: (&str, &str), input: &str) -> i32 {
    let home = Home::new();
    let (name, text) = program;
    let path = home.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(contrib(script));
    command.args(arguments).env("PATH", format!("{}:/usr/bin:/bin", home.path().display()));
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // It may have decided before.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait().unwrap().code().unwrap()
}

#[test]
fn a_directory_is_asked_for_the_handle_with_the_password() {
    let asked = |input: &str, text: &str| {
        let arguments = ["ldaps://ldap.example.org", "ou=people,dc=example,dc=org"];
        status("auth/ldap.sh", &arguments, ("ldapwhoami", text), input)
    };
    let right = r#"[ "$*" = "-x -H ldaps://ldap.example.org -D uid=ana,ou=people,dc=example,dc=org -y /dev/stdin -o nettimeout=5" ] &&
        [ "$(cat; echo .)" = 'a\b"c$d.' ] && exit 0; exit 49"#;
    assert_eq!(asked("ana\na\\b\"c$d\n", right), 0);
    assert_eq!(asked("ana\nwrong-one\n", right), 1);
    assert_eq!(asked("bia\na\\b\"c$d\n", right), 1);
    assert_eq!(asked("ana\n\n", "exit 0"), 1, "a bind as nobody");
    assert_eq!(asked("ana\nright-one\n", "exit 255"), 75, "it is not there");
    assert_eq!(asked("", "exit 0"), 75);
}

#[test]
fn pam_is_asked_for_the_handle_with_the_password() {
    let asked =
        |input: &str, text: &str| status("auth/pam.sh", &["papo"], ("pamtester", text), input);
    let right = r#"[ "$*" = "papo ana authenticate acct_mgmt" ] && read -r line && [ "$line" = right-one ]"#;
    assert_eq!(asked("ana\nright-one\n", right), 0);
    assert_eq!(asked("ana\nwrong-one\n", right), 1);
    assert_eq!(asked("bia\nright-one\n", right), 1);
    assert_eq!(asked("", right), 75);
}
