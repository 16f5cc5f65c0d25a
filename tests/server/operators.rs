//! The operators' socket: accounts, sessions, numbers, copies, checks.

use std::fs;
use std::io::Write;

use crate::process::unix::{mode, over};
use crate::process::{Home, PASSWORD, Papod};

/// The bodies of a conversation with oneself.
fn notes(papod: &Papod, handle: &str) -> Vec<String> {
    let mut client = papod.login_quietly(handle);
    client.history(handle, 0).into_iter().map(|entry| entry.body).collect()
}

#[test]
fn operators_have_a_socket_of_their_own() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let papod = Papod::start_with(&home.db(), ["--admin", path.to_str().unwrap()]);
    assert_eq!(mode(&path), 0o600);
    let lines =
        over(&path, "LOGIN ana x\nADMIN USER NEW ana secret-a Ana\nADMIN USER NEW ana secret-b");
    assert!(lines[0].starts_with("ERR LOGIN bad-command not available here; "), "{lines:?}");
    assert_eq!(lines[1], "OK ADMIN USER NEW ana");
    assert!(lines[2].starts_with("ERR ADMIN taken "), "{lines:?}");
    let login = |secret: &str| {
        let mut client = papod.connect();
        client.say(&format!("LOGIN ana {secret}"));
        let answer = client.line();
        (client, answer)
    };
    let (mut ana, answer) = login("secret-a");
    assert_eq!(answer, "OK LOGIN ana 0");
    ana.until("LIVE ");
    let lines = over(&path, "ADMIN SESSIONS");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("SESSION ") && lines[0].contains(" ana 127.0.0.1:"), "{lines:?}");
    assert!(lines[1].contains(" - uid:"), "{lines:?}");
    assert_eq!(lines[2], "OK ADMIN SESSIONS 2");
    assert_eq!(over(&path, "ADMIN USER PASSWD ana secret-c"), ["OK ADMIN USER PASSWD ana"]);
    ana.expect("BYE kicked");
    assert!(login("secret-a").1.starts_with("ERR LOGIN wrong-secret "));
    let (mut ana, _) = login("secret-c");
    ana.until("LIVE ");
    assert_eq!(over(&path, "ADMIN KICK ana"), ["OK ADMIN KICK 1"]);
    ana.expect("BYE kicked");
    let lines =
        over(&path, "ADMIN KICK nobody\nADMIN USER DEL nobody\nADMIN USER PASSWD nobody secret");
    assert!(
        lines.iter().all(|line| line.ends_with("no-such-user nobody: no such account")),
        "{lines:?}"
    );
    let mut tcp = papod.login_quietly_as("ana", "secret-c");
    tcp.say("ADMIN KICK ana");
    tcp.expect("ERR ADMIN bad-command not available here; ADMIN works on the socket of --admin");
    papod.stop();
}

#[test]
fn who_has_seen_its_connection_end_is_in_no_list() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let papod = Papod::start_with(&home.db(), ["--admin", path.to_str().unwrap()]);
    for _ in 0..300 {
        assert_eq!(over(&path, "ADMIN SESSIONS").last().unwrap(), "OK ADMIN SESSIONS 1");
    }
    papod.stop();
}

/// Somebody who has a password, a token and a link is shut out with all of them.
#[test]
fn another_password_and_revoke_end_all_that_opened_the_account() {
    let home = Home::new();
    let [path, unix] = ["admin.sock", "papo.sock"].map(|name| home.path().join(name));
    let flags = ["--admin", path.to_str().unwrap(), "--unix", unix.to_str().unwrap()];
    let papod = Papod::start_with(&home.db(), flags);
    papod.register("ana");
    papod.register("bia");
    let mut bia = papod.login_quietly("bia");
    for (order, secret) in [("REVOKE ana", PASSWORD), ("PASSWD ana secret-new", "secret-new")] {
        let typed = format!("LOGIN ana {PASSWORD} quiet\nTOKEN NEW t\nUID LINK\n");
        let said = over(&unix, &typed);
        let token = said[1].rsplit(' ').next().unwrap().to_owned();
        assert!(said[2].starts_with("OK UID LINK "), "{said:?}");
        let mut sessions = [PASSWORD, &token].map(|by| papod.login_quietly_as("ana", by));
        assert_eq!(over(&unix, "LOGIN ana - quiet"), ["OK LOGIN ana 0"]);
        let words = order.split(' ').next().unwrap();
        let done = over(&path, &format!("ADMIN USER {order}"));
        assert_eq!(done, [format!("OK ADMIN USER {words} ana")]);
        for session in &mut sessions {
            session.expect("BYE kicked");
        }
        let wrong = "ERR LOGIN wrong-secret wrong handle or password";
        let lines = over(&unix, &format!("LOGIN ana {token}\nLOGIN ana"));
        assert_eq!(lines[0], wrong);
        assert!(
            lines[1].starts_with("ERR LOGIN wrong-secret no password was given, "),
            "{lines:?}"
        );
        let mut owner = papod.login_quietly_as("ana", secret);
        owner.say("TOKEN LIST");
        owner.expect("OK TOKEN LIST 0");
        bia.has_heard_all();
    }
    assert!(over(&path, "ADMIN USER REVOKE nobody")[0].starts_with("ERR ADMIN no-such-user "));
    papod.stop();
}

#[test]
fn an_ended_account_is_gone_and_what_it_said_stays() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let flags = ["--admin", path.to_str().unwrap()];
    let papod = Papod::start_with(&home.db(), flags);
    let (mut ana, mut bia) = (papod.register("ana"), papod.register("bia"));
    ana.say("GROUP NEW team bia");
    ana.until("OK GROUP NEW ");
    bia.until("GROUP 1 ");
    ana.say("TOKEN NEW t");
    let token = ana.line().split(' ').next_back().unwrap().to_owned();
    ana.send("bia", "hello");
    bia.until("MSG 2 ");
    bia.send("ana", "and you");
    bia.say("WAIT last read 60");
    assert_eq!(over(&path, "ADMIN USER DEL ana"), ["OK ADMIN USER DEL ana"]);
    assert_eq!(ana.rest().last().unwrap(), "BYE kicked");
    // The order may come before the WAIT does.
    let mut lines = [bia.line(), bia.line()];
    lines.sort_unstable();
    let [left, waited] = &lines;
    assert!(left.starts_with("GROUP 4 ") && left.ends_with(" ana #team - leave"), "{left}");
    assert_eq!(waited, "OK WAIT 3 read");
    bia.say("GROUP WHO team");
    bia.expect("MEMBER #team bia admin");
    bia.expect("OK GROUP WHO 1");
    for refused in ["MSG ana x", "TALK ana", "GROUP ADD team ana", "GROUP NEW other ana"] {
        bia.say(refused);
        assert!(bia.line().contains(" no-such-user "), "{refused}");
    }
    bia.say("FIND ana");
    bia.expect("OK FIND 0");
    assert_eq!(bia.history("ana", 0).len(), 2, "what it said stays");
    drop(papod);
    let papod = Papod::start_with(&home.db(), flags);
    let mut stranger = papod.connect();
    for secret in [PASSWORD, &token, ""] {
        stranger.say(&format!("LOGIN ana {secret}"));
        assert!(stranger.line().starts_with("ERR LOGIN wrong-secret "));
    }
    stranger.say("REG ana secret-a");
    assert!(stranger.line().starts_with("ERR REG taken "), "a handle is never given again");
    assert!(over(&path, "ADMIN USER DEL ana")[0].starts_with("ERR ADMIN no-such-user "));
    assert_eq!(over(&path, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
    papod.stop();
}

#[test]
fn operators_see_numbers_copy_and_check() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let papod = Papod::start_with(&home.db(), ["--admin", path.to_str().unwrap()]);
    let mut ana = papod.register("ana");
    ana.send("ana", "note");
    let lines = over(&path, "ADMIN STATS");
    let rows = lines.len() - 1;
    assert_eq!(lines[rows], format!("OK ADMIN STATS {rows}"));
    for row in ["STAT messages 1", "STAT registrations 1", "STAT sessions_logged_in 1"] {
        assert!(lines.iter().any(|line| line == row), "{row} is not in {lines:?}");
    }
    let size = lines.iter().find_map(|line| line.strip_prefix("STAT database_bytes "));
    assert_eq!(size.unwrap(), fs::metadata(home.db()).unwrap().len().to_string());
    assert!(lines.iter().any(|line| line.starts_with("STAT database_log_bytes ")), "{lines:?}");
    let copy = home.path().join("copy.db");
    let typed = format!("ADMIN BACKUP {0}\nADMIN BACKUP {0}\nADMIN CHECK\n", copy.display());
    let lines = over(&path, &typed);
    let bytes = fs::metadata(&copy).unwrap().len();
    assert_eq!(lines[0], format!("OK ADMIN BACKUP {bytes}"));
    assert!(lines[1].starts_with("ERR ADMIN taken "), "{lines:?}");
    assert_eq!(lines[2], "OK ADMIN CHECK 0");
    let nowhere = home.path().join("missing/copy.db");
    let lines = over(&path, &format!("ADMIN BACKUP {}", nowhere.display()));
    let why = format!("backup failed: cannot write to {}: ", home.path().join("missing").display());
    assert!(lines[0].starts_with(&format!("ERR ADMIN storage {why}")), "{lines:?}");
    assert!(lines[0].ends_with("; create that folder first"), "{lines:?}");
    assert_eq!(mode(&copy), 0o600);
    ana.has_heard_all();
    papod.stop();
    let papod = Papod::start(&copy);
    assert_eq!(notes(&papod, "ana"), ["note"]);
    papod.stop();
}

/// A kill at any moment of a long deletion leaves an account that is gone, and the same order goes on
/// with it.
#[test]
fn a_deletion_that_was_killed_is_finished_by_the_same_order() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let flags = ["--admin", path.to_str().unwrap()];
    let mut papod = Papod::start_with(&home.db(), flags);
    let (_ana, mut bia) = (papod.register("ana"), papod.register("bia"));
    let groups = 400;
    let typed: String = (0..groups).map(|n| format!("GROUP NEW g{n} ana\n")).collect();
    bia.write(typed.as_bytes());
    bia.until(&format!("OK GROUP NEW #g{}", groups - 1));
    let mut operator = std::os::unix::net::UnixStream::connect(&path).unwrap();
    operator.write_all(b"ADMIN USER DEL ana\n").unwrap();
    // The first of her groups is left, and most are not.
    bia.until("GROUP 401 ");
    papod.kill();
    let papod = Papod::start_with(&home.db(), flags);
    let mut stranger = papod.connect();
    stranger.say(&format!("LOGIN ana {PASSWORD}"));
    let refused = |line: String| assert!(line.starts_with("ERR LOGIN wrong-secret "), "{line}");
    refused(stranger.line());
    assert_eq!(over(&path, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
    let mut bia = papod.login_quietly("bia");
    bia.say("GROUP ADD g0 ana");
    assert!(bia.line().contains(" no-such-user "));
    assert_eq!(over(&path, "ADMIN USER DEL ana"), ["OK ADMIN USER DEL ana"]);
    bia.say("GROUP WHO g399");
    bia.expect("MEMBER #g399 bia admin");
    bia.expect("OK GROUP WHO 1");
    assert_eq!(over(&path, "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
    papod.stop();
}
