//! What papod is told, in a file and elsewhere, and looking at it before it is used: `--env-file`, `--check`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::files::{ends, files};
use crate::process::{self, Home, PASSWORD, Papod, papod, run, tls};

/// A command of papod with these lines in a file of variables.
fn with_file(home: &Home, lines: &str) -> std::process::Command {
    let file = home.path().join("papod.env");
    fs::write(&file, lines).unwrap();
    let mut command = papod();
    command.arg("--env-file").arg(file).arg("--db").arg(home.db());
    command
}

#[test]
fn variables_of_a_file_are_as_those_of_the_environment() {
    let home = Home::new();
    let lines = "# ours\nPAPOD_LISTEN=127.0.0.1:0\nPAPOD_REGISTRATION = \"closed\"\nPAPOD_LOG=\n\
                 PAPOD_PASSWORD_COST=8:1\n";
    let mut command = with_file(&home, lines);
    // As with systemd, the file comes before what else was set; flags come before both.
    command.env("PAPOD_REGISTRATION", "open").env("PAPOD_IDLE", "1000").args(["--idle", "1"]);
    let papod = Papod::spawn(command);
    assert!(papod.log().contains(", registration closed, "), "{}", papod.log());
    let mut client = papod.connect();
    client.say(&format!("REG ana {PASSWORD}"));
    assert!(client.line().starts_with("ERR REG closed "));
    drop(client);
    papod.stop();
}

/// Each of these would have been passed over by systemd, and an open server would have started.
#[test]
fn a_slip_in_a_file_of_variables_starts_no_server() {
    let home = Home::new();
    for slip in [
        "export PAPOD_REGISTRATION=closed",
        "PAPO_REGISTRATION=closed",
        "REGISTRATION=closed",
        "PAPOD_REGISTRATION: closed",
        "PAPOD_REGISTRATION=closed # only us",
        "PAPOD_REGISTRATION=closd",
    ] {
        for check in [false, true] {
            let mut command = with_file(&home, &format!("PAPOD_LISTEN=127.0.0.1:0\n{slip}\n"));
            let output = run(command.args(check.then_some("--check")));
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{slip}: {said}");
            assert!(said.contains("REGISTRATION"), "{said}");
        }
    }
    assert!(!home.db().exists());
    let mut command = papod();
    command.arg("--env-file").arg(home.path().join("none")).arg("--check");
    assert_eq!(run(&mut command).status.code(), Some(2), "a file that is not there is no file");
    // The unit has papod read it, and nobody else.
    let unit = include_str!("../../contrib/systemd/papod.service");
    assert!(unit.contains("\nExecStart=papod --env-file /etc/papo/papod.env "));
    assert!(!unit.contains("\nEnvironmentFile="));
}

#[test]
fn a_check_by_root_knows_who_will_read_the_key() {
    let home = Home::new();
    home.start().stop();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let user = Some(4_000_000_000);
    std::os::unix::fs::chown(home.db(), user, user).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let [certificate, key] = ["one.pem", "one.key"].map(|name| home.path().join(name));
    fs::copy(tls::file("one.pem"), &certificate).unwrap();
    fs::copy(tls::file("one.key"), &key).unwrap();
    for (mode, status, what) in [
        (0o600, 1, "one.key belongs to root, mode 0600; uid 4000000000, who owns the database"),
        (0o644, 0, "uid 4000000000, who owns the database, can read the files"),
    ] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let [certificate, key] = [&certificate, &key].map(|path| path.to_str().unwrap());
        let flags = ["--check", "--tls-cert", certificate, "--tls-key", key];
        let said = ends(status, &home.db(), &flags);
        assert!(said.contains(what), "{said}");
    }
}

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
    let none = "no database there; a new one would be created";
    assert_eq!(unchanged(0, &["--check"]), format!("{}: {none}\n", db.display()));
    let nowhere = home.path().join("none/papo.db");
    assert_eq!(ends(0, &nowhere, &["--check"]), format!("{}: {none}\n", nowhere.display()));
    assert!(!home.path().join("none").exists());
    // A backup of which nothing is left must not pass for one.
    fs::write(&db, "").unwrap();
    assert!(unchanged(1, &["--check"]).contains("papo.db: an empty file, not a database\n"));
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

#[test]
fn fewer_open_files_than_connections_are_warned_of() {
    let home = Home::new();
    let script = r#"ulimit -n 512; exec "$0" --db "$1" "$2" "$3""#;
    let started = |most: &str| {
        let mut command = process::with_clean_environment(std::process::Command::new("sh"));
        command.args(["-c", script, env!("CARGO_BIN_EXE_papod")]).arg(home.db());
        command.args(["--limit-connections", most]);
        command.env("PAPOD_LISTEN", "127.0.0.1:0").env("PAPOD_PASSWORD_COST", "8:1");
        let papod = Papod::spawn(command);
        let log = papod.log();
        papod.stop();
        log.contains(" allows 512 open files, and --limit-connections is ")
    };
    assert!(started("513"));
    assert!(!started("512"));
}

#[test]
fn a_database_is_made_with_one_folder_and_not_more() {
    let home = Home::new();
    let (made, mistyped) = (home.path().join("data"), home.path().join("dta"));
    Papod::start(&made.join("papo.db")).stop();
    assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);

    let db = mistyped.join("papo/papo.db");
    let output = run(papod().args(["--listen", "127.0.0.1:0", "--db"]).arg(&db));
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{reason}");
    let why = format!("papod: {}: there is no folder {}\n", db.display(), mistyped.display());
    assert_eq!(reason, why);
    assert!(!mistyped.exists());
}
