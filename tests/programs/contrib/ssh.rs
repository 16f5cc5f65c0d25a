//! contrib/ssh/: the forced command, run as sshd runs it.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{Place, ended, hears};
use crate::process::PASSWORD;

/// A papod with a Unix socket, where this system user is linked to alice and to bob.
fn linked() -> Place {
    let place = Place::with(|home| {
        ["--unix".to_owned(), home.join("papo.sock").display().to_string()].into()
    });
    for who in ["alice", "bob"] {
        let link = format!(
            "printf 'LOGIN {who} {PASSWORD}\\nUID LINK\\nQUIT\\n' | nc.openbsd -U papo.sock"
        );
        let (out, _) = ended(&mut place.shell("sh", who, &link), 0);
        assert!(out.contains("OK UID LINK "), "{out}");
    }
    place
}

fn forced(place: &Place, who: &str) -> Command {
    let mut command = place.script("ssh/papo-ssh.sh", "nobody");
    command.arg(who).env("PAPO_SOCKET", place.path("papo.sock")).env("PAPO_NC", "nc.openbsd -N");
    command.env_remove("PAPO_SECRET").env_remove("SSH_ORIGINAL_COMMAND");
    command
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn one_command_gets_its_answer() {
    let mut place = linked();
    let ask = |place: &Place, who: &str, line: &str, status| {
        ended(forced(place, who).env("SSH_ORIGINAL_COMMAND", line), status)
    };
    let (out, _) = ask(&place, "alice", "MSG bob lunch at one? $(id) `id`", 0);
    assert!(out.starts_with("OK MSG 1 ") && out.lines().count() == 1, "{out}");
    assert_eq!(place.said("bob", "alice"), ["lunch at one? $(id) `id`"]);
    assert!(ask(&place, "alice", "HIST bob", 0).0.starts_with("HIST 1 "));
    assert!(ask(&place, "alice", "MSG nobody hi", 1).0.starts_with("ERR MSG no-such-user "));
    // Nobody becomes another, not even one who is linked to the same system user.
    let (out, _) = ask(&place, "alice", "LOGIN bob - quiet\nWHOAMI", 1);
    assert!(out.starts_with("ERR LOGIN already-in ") && out.contains("OK WHOAMI alice "), "{out}");
    let (out, err) = ask(&place, "carol", "LOGIN bob - quiet\nWHOAMI", 1);
    assert!(out.is_empty() && err.starts_with("ERR LOGIN wrong-secret "), "{out}{err}");
    place.papod.kill();
    ask(&place, "alice", "PING", 3);
    place.is_tidy();
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd) and ncat"]
fn without_a_command_it_is_a_session() {
    let place = linked();
    let session = |who: &str, typed: &str| {
        let mut command = forced(&place, who);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let mut alice = place.papod.login("alice").0;
    alice.send("bob", "it waited");
    // The end of what is typed is the end of it, and so is QUIT.
    for end in ["", "QUIT\nMSG alice too late\n"] {
        let (out, status) = session("bob", &format!("MSG alice hello\nREAD\n{end}"));
        assert_eq!(status, Some(0), "{out}");
        assert!(out.starts_with("HELLO papo/1 ") && out.contains("\nOK LOGIN bob "), "{out}");
        assert!(out.contains("\nLIVE ") && out.contains("\nOK MSG "), "{out}");
        assert!(end.is_empty() || out.ends_with("OK QUIT\nBYE quit\n"), "{out}");
        hears(&mut alice, "hello");
    }
    alice.has_heard_all();
    let (out, status) = session("carol", "LOGIN bob\nMSG alice stolen\n");
    assert!(status == Some(1) && out.is_empty(), "{out}");
    alice.has_heard_all();
    place.is_tidy();
}

/// Whoever stays connected is told when the server goes.
#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn a_session_ends_with_the_server() {
    let place = linked();
    let mut command = forced(&place, "bob");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let typed = child.stdin.take().unwrap();
    let mut alice = place.papod.login("alice").0;
    (&typed).write_all(b"MSG alice hello\n").unwrap();
    hears(&mut alice, "hello");
    place.papod.stop();
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("BYE shutdown\n"));
    drop(typed);
}
