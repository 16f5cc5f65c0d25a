//! What papod is told, looked at before it is used: `--check`.

mod process;

#[path = "restore/files.rs"]
mod files;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use files::{ends, files};
use process::Home;

#[test]
fn a_check_starts_nothing_and_changes_nothing() {
    let home = Home::new();
    let db = home.db();
    let unchanged = |status, arguments: &[&str]| {
        let before = files(home.path());
        let said = ends(status, &db, arguments);
        assert!(files(home.path()) == before, "{said}");
        said
    };
    let none = "no database there; a new one would be made";
    assert_eq!(unchanged(0, &["--check"]), format!("{}: {none}\n", db.display()));
    let nowhere = home.path().join("none/papo.db");
    assert_eq!(ends(0, &nowhere, &["--check"]), format!("{}: {none}\n", nowhere.display()));
    assert!(!home.path().join("none").exists());
    // A backup of which nothing is left must not pass for one.
    fs::write(&db, "").unwrap();
    assert!(unchanged(1, &["--check"]).contains("papo.db: an empty file, and no database\n"));
    let mut papod = home.start();
    let is_sound = |contents: &str, when: &str| {
        let said = unchanged(0, &["--check"]);
        let begins = format!("{}: sound; ", db.display());
        let said = said.strip_prefix(&begins).unwrap_or_else(|| panic!("{when}: {said}"));
        // With the moment at which the first account was made, by which a database is known.
        let (accounts, rest) = said.split_once(',').unwrap();
        let accounts = match accounts.split_once(" since ") {
            Some((accounts, since)) => {
                assert!(since.len() == 24 && since.ends_with('Z'), "{said}");
                accounts
            }
            None => accounts,
        };
        assert_eq!(format!("{accounts},{rest}"), format!("{contents}\n"), "{when}");
    };
    is_sound("0 accounts, 0 messages, newest id 0", "new");
    let mut alice = papod.register("alice");
    alice.send("alice", "1");
    let contents = "1 account, 1 message, newest id 1";
    is_sound(contents, "in use");
    papod.kill();
    is_sound(contents, "killed");
    fs::remove_file(home.path().join("papo.db-shm")).unwrap();
    is_sound(contents, "killed, and the machine was off");
    home.start().stop();
    is_sound(contents, "at rest");
    let open_to = |mode, who: &str| {
        fs::set_permissions(&db, fs::Permissions::from_mode(mode)).unwrap();
        let said = unchanged(0, &["--check"]);
        assert!(said.contains(&format!("opens it to {who}; chmod 600 ")), "{said}");
        let papod = home.start();
        papod.until_logged(&format!("opens it to {who}; chmod 600 "));
        papod.stop();
    };
    open_to(0o644, "everybody on this machine");
    open_to(0o640, "its group");
    fs::set_permissions(&db, fs::Permissions::from_mode(0o600)).unwrap();

    // A line for each problem.
    let missing = home.path().join("missing.pem");
    let missing = missing.to_str().unwrap();
    let socket = home.path().join("no/socket");
    let said = unchanged(
        1,
        &[
            "--check",
            "--listen",
            "192.0.2.1:0,127.0.0.1:0",
            "--unix",
            socket.to_str().unwrap(),
            "--tls-listen",
            "127.0.0.1:0",
            "--tls-cert",
            missing,
            "--tls-key",
            missing,
        ],
    );
    for what in ["missing.pem", "--plain-anywhere", "no/socket"] {
        let lines = said.lines().filter(|line| line.contains(what) && line.starts_with("papod: "));
        assert_eq!(lines.count(), 1, "{what}: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("papod: ")).count(), 3, "{said}");
    let tool = rusqlite::Connection::open(&db).unwrap();
    tool.execute("UPDATE newest SET entry = 0", []).unwrap();
    drop(tool);
    assert!(unchanged(1, &["--check"]).contains("above the newest"));
    ends(2, &db, &["--check", "--keep", "soon"]);
    ends(2, &db, &["--check", "--restore", "x"]);
}
