//! The real papod on PostgreSQL: how it starts, what it refuses and in which words, and the ways
//! into the database and out of it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{fs, thread};

use papo::store::Maintenance;
use papo::store::postgres::{PgDatabase, PgUrl};

use crate::cluster::{Cluster, cluster, url};
use crate::process::unix::over;
use crate::process::{Entry, Home, PATIENCE, Papod, USUAL, papod, run, tls};

/// A papod that would serve this database.
pub fn on(db: &str) -> Command {
    let mut command = papod();
    command.args(USUAL).args(["--db", db]).env_remove("PGPASSWORD").env_remove("PGPASSFILE");
    // No password file of whoever runs the tests.
    command.env("HOME", "/nonexistent");
    command
}

/// What a papod says that does not start: one line.
pub fn refused(command: &mut Command) -> String {
    let output = run(command);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let reason = said.lines().find(|line| line.starts_with("papod: "));
    reason.unwrap_or_else(|| panic!("no reason in: {said}")).to_owned()
}

/// A server that is full, or whose place another takes, has no room for another connection for a
/// while.
#[test]
fn a_check_waits_for_a_connection() {
    let (home, server) = (Home::new(), Cluster::start());
    let name = server.make_database();
    let admin = home.path().join("admin.sock");
    let db = url(&[&server], &name);
    let papod = Papod::start_with(Path::new(&db), ["--admin", admin.to_str().unwrap()]);
    papod.register("ana").send("ana", "a note");
    let accept = |is_wanted: bool| {
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {is_wanted}");
        assert!(server.run("postgres", &sql));
    };
    accept(false);
    let said = thread::scope(|scope| {
        let checked = scope.spawn(|| over(&admin, "ADMIN CHECK"));
        let refused = format!("database \"{name}\" is not currently accepting connections");
        let began = Instant::now();
        while !fs::read_to_string(server.path().join("log")).unwrap().contains(&refused) {
            assert!(began.elapsed() < PATIENCE, "it does not connect");
            thread::yield_now();
        }
        accept(true);
        checked.join().unwrap()
    });
    assert_eq!(said, ["OK ADMIN CHECK 0"]);
    papod.stop();
}

fn histories(papod: &Papod) -> Vec<Entry> {
    let mut ana = papod.login("ana").0;
    let mut all = ana.history("bob", 0);
    all.extend(ana.history("#team", 0));
    all
}

/// What holds about a message, as ana is told it.
fn said_of(papod: &Papod, id: u64) -> Vec<String> {
    let mut ana = papod.login("ana").0;
    ana.say(&format!("MARKS {id}"));
    ana.until("OK MARKS")
}

#[test]
fn it_serves_and_says_what_a_message_rests_on() {
    let db = cluster().database();
    let server = Papod::start(Path::new(&db));
    assert!(server.log().contains("database papo"), "{}", server.log());
    server.until_logged("OK means the disk of one machine");
    let mut ana = server.register("ana");
    let id = ana.send("ana", "a note");
    server.stop();
    let server = Papod::start(Path::new(&db));
    let mut ana = server.login("ana").0;
    assert_eq!(ana.history("ana", 0)[0].id, id);
    // The ids of a server that was not replaced have no gap.
    assert_eq!(ana.send("ana", "another"), id + 1);
    server.stop();
}

#[test]
fn a_second_papod_is_another_way_in_and_takes_over_when_the_first_is_killed() {
    let db = cluster().database();
    let mut first = Papod::start(Path::new(&db));
    let mut ana = first.register("ana");
    let second = Papod::start(Path::new(&db));
    let mut there = second.login("ana").0;
    let id = ana.send("ana", "a note");
    assert!(there.line().starts_with(&format!("MSG {id} ")));
    // After `kill -9` its connection tells PostgreSQL that it is gone.
    first.kill();
    assert!(there.send("ana", "another") > id);
    there.has_heard_all();
    second.stop();
}

#[test]
fn what_is_wrong_with_a_server_is_said() {
    let nowhere = Home::new();
    let folder = nowhere.path().display().to_string().replace('/', "%2F");
    let why = refused(&mut on(&format!("postgres://papo@{folder}/papo")));
    assert!(why.contains("no primary found"), "{why}");
    let shared = cluster();
    let why = refused(&mut on(&url(&[shared], "no_such_database")));
    assert!(why.contains("createdb"), "{why}");
    let db = shared.database();
    Papod::start(Path::new(&db)).stop();
    let name = db.rsplit('/').next().unwrap();
    assert!(shared.run(name, "UPDATE schema_version SET version = 99"));
    let why = refused(&mut on(&db));
    assert!(why.contains("newer papod (schema 99"), "{why}");
}

#[test]
fn a_password_is_taken_from_the_environment_and_never_said() {
    let shared = cluster();
    let name = shared.make_database();
    let made = format!(
        "CREATE ROLE locked LOGIN PASSWORD 'geheim'; ALTER DATABASE {name} OWNER TO locked"
    );
    assert!(shared.run("postgres", &made));
    let db = url(&[shared], &name).replace("papo@", "locked@");
    let why = refused(&mut on(&db));
    assert!(why.contains("PGPASSWORD"), "{why}");
    let why = refused(on(&db).env("PGPASSWORD", "verkehrt"));
    assert!(why.contains("is wrong") && !why.contains("verkehrt"), "{why}");
    let mut right = on(&db);
    right.env("PGPASSWORD", "geheim");
    let server = Papod::spawn(right);
    assert!(!server.log().contains("geheim"));
    server.stop();
    let file = Home::new();
    let passwords = file.path().join("passwords");
    std::fs::write(&passwords, "*:*:*:locked:geheim\n").unwrap();
    // The mode of new files is the process's, and another test changes it for a moment.
    std::fs::set_permissions(&passwords, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = refused(on(&db).env("PGPASSFILE", &passwords));
    assert!(open.contains("chmod 600"), "{open}");
    std::fs::set_permissions(&passwords, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut right = on(&db);
    right.env("PGPASSFILE", &passwords);
    Papod::spawn(right).stop();
}

#[test]
fn a_server_elsewhere_has_to_prove_its_name() {
    let server = Cluster::start_with_tls(&tls::file("leaf.pem"), &tls::file("leaf.key"));
    let name = server.make_database();
    let at = |host: &str, roots: &str| {
        let (port, roots) = (server.port, tls::file(roots).display().to_string());
        format!("postgres://papo@{host}:{port}/{name}?sslmode=verify-full&sslrootcert={roots}")
    };
    for (host, roots) in [("localhost", "other.pem"), ("127.0.0.1", "ca.pem")] {
        let why = refused(&mut on(&at(host, roots)));
        assert!(why.contains("certificate"), "{why}");
    }
    let plain = format!("postgres://papo@localhost:{}/{name}?sslmode=disable", server.port);
    let why = refused(&mut on(&plain));
    assert!(why.contains("no encryption"), "{why}");
    let papod = Papod::start(Path::new(&at("localhost", "ca.pem")));
    papod.register("ana").send("ana", "secret");
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'papod'";
    server.until(&name, encrypted);
    papod.stop();
}

#[test]
fn nothing_is_confirmed_without_the_standby_that_is_waited_for() {
    let lonely = Cluster::start_with(&["synchronous_standby_names=*"]);
    let why = refused(&mut on(&url(&[&lonely], "postgres")));
    assert!(why.contains("a standby has to be there"), "{why}");
}

#[test]
fn what_does_not_go_with_a_url_is_refused() {
    let db = "postgres://papo@localhost/papo";
    for (flags, said) in
        [(["--restore", "papo.db"], "--import"), (["--limit-db", "100"], "no effect")]
    {
        let why = refused(on(db).args(flags));
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn a_backup_is_a_file_for_any_papod_and_fills_another_database() {
    let home = Home::new();
    let db = cluster().database();
    let server = Papod::start(Path::new(&db));
    let mut bob = server.register("bob");
    let mut ana = server.register("ana");
    let mut ids = Vec::new();
    for n in 0..50 {
        ids.push(ana.send("bob", &format!("message {n}")));
    }
    // A text that is changed, one that is deleted, and one that waits.
    let (changed, deleted) = (ids[10], ids[20]);
    for (line, answer) in [
        (format!("EDIT {changed} another"), "OK EDIT"),
        (format!("REACT {changed} ok"), "OK REACT"),
        (format!("REACT {deleted} ok"), "OK REACT"),
        (format!("EDIT {deleted} another"), "OK EDIT"),
        (format!("DEL {deleted}"), "OK DEL"),
        (format!("RE {changed} an answer"), "OK RE"),
        (format!("UNLESS {changed} answered 3000 MSG bob late"), "OK UNLESS"),
        ("TOKEN NEW all".to_owned(), "OK TOKEN NEW all"),
        ("TOKEN NEW hook to bob".to_owned(), "OK TOKEN NEW hook"),
    ] {
        ana.say(&line);
        ana.until(answer);
    }
    ana.say("GROUP NEW team");
    ana.until("OK GROUP NEW");
    ana.say("GROUP ADD team bob");
    ana.until("OK GROUP ADD");
    let last = bob.send("#team", "hello");
    bob.say(&format!("ACK {last}"));
    bob.until("OK ACK");
    let before = histories(&server);
    let holds = said_of(&server, changed);
    assert!(holds.len() > 3, "{holds:?}");
    assert!(before.len() > 50, "{before:?}");
    drop((ana, bob));
    server.stop();

    let (database, writer) = PgDatabase::open(&PgUrl::parse(&db).unwrap()).unwrap();
    database.maintenance().backup(&home.db()).unwrap();
    drop((database, writer));
    let checked = run(on(&db).arg("--check"));
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success() && said.contains("sound; 2 accounts"), "{said}");

    let on_sqlite = home.start();
    assert_eq!(histories(&on_sqlite), before);
    assert_eq!(said_of(&on_sqlite, changed), holds);
    let waiting = on_sqlite.login("bob").1;
    on_sqlite.stop();

    let other = cluster().database();
    let busy = refused(on(&db).arg("--import").arg(home.db()));
    assert!(busy.contains("not empty"), "{busy}");
    let filled = run(on(&other).arg("--import").arg(home.db()));
    let said = String::from_utf8(filled.stdout).unwrap();
    let why = String::from_utf8(filled.stderr).unwrap();
    assert!(filled.status.success() && said.contains("is now a copy of"), "{said}{why}");
    let again = Papod::start(Path::new(&other));
    assert_eq!(histories(&again), before);
    assert_eq!(said_of(&again, changed), holds);
    let mut ana = again.login("ana").0;
    ana.say("AT");
    let later = ana.until("OK AT");
    assert!(later.iter().any(|line| line.ends_with("MSG bob late")), "{later:?}");
    ana.say("TOKEN LIST");
    let tokens = ana.until("OK TOKEN LIST");
    assert!(tokens[0].ends_with(" -") && tokens[1].ends_with(" bob"), "{tokens:?}");
    // What was deleted is known to be.
    ana.say(&format!("EDIT {deleted} again"));
    let refusal = ana.until("ERR EDIT").pop().unwrap();
    assert!(refusal.contains("was deleted"), "{refusal}");
    drop(ana);
    let waits = again.login("bob").1;
    assert_eq!(waits.len(), waiting.len(), "{waits:?}");
    assert_eq!(waits[0], waiting[0]);
    again.stop();
}
