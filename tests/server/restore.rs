//! A database cannot be destroyed or mixed up: what lies in its place is known for a copy, what lies
//! beside it for another's, and no id is given twice. Real processes, real files; whatever is
//! refused has the same bytes afterwards.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use crate::files::{backup, ends, files, files_named, notes, refuses, start};
use crate::process::unix::{mode, over};
use crate::process::{Client, Home, PATIENCE, Papod};
use rustix::process::Signal;

/// Alice notes numbers; each id that was given must be new.
fn note(alice: &mut Client, numbers: impl Iterator<Item = u32>, given: &mut BTreeSet<u64>) {
    for n in numbers {
        let id = alice.send("alice", &format!("note {n} {}", "x".repeat(500)));
        assert!(given.last().is_none_or(|last| id > *last), "{id} was given, or passed over");
        given.insert(id);
    }
}

/// A backup is put over a database whose log was left by a papod that was killed.
#[test]
fn a_backup_copied_over_a_killed_database_is_refused_and_then_restored() {
    for later in [1, 400] {
        let home = Home::new();
        let mut papod = start(&home);
        let mut given = BTreeSet::new();
        let mut alice = papod.register("alice");
        note(&mut alice, 0..50, &mut given);
        let saved = backup(&home, "b.db");
        note(&mut alice, 50..50 + later, &mut given);
        papod.kill();
        let lost = fs::read(home.db()).unwrap();
        fs::copy(&saved, home.db()).unwrap();

        let said = refuses(&home.db(), &[]);
        assert!(said.contains("papo.db-wal") && said.contains("--restore"), "{said}");
        assert!(refuses(&home.db(), &["--check"]).contains("papo.db-wal"));
        // Whoever copied it over can still take it back.
        let copied = fs::read(home.db()).unwrap();
        fs::write(home.db(), lost).unwrap();
        ends(0, &home.db(), &["--check"]);
        fs::write(home.db(), copied).unwrap();

        let before = files(home.path());
        let said = ends(0, &home.db(), &["--restore", saved.to_str().unwrap()]);
        assert!(said.contains("papo.db.aside-1"), "it says where the old files are: {said}");
        let after = files(home.path());
        assert_eq!(after["papo.db"], before["b.db"]);
        assert_eq!(after["b.db"], before["b.db"], "the backup is not touched");
        for ending in ["", "-wal", ".generation"] {
            let (old, new) = (format!("papo.db{ending}"), format!("papo.db.aside-1{ending}"));
            assert!(after[&new] == before[&old], "{new}");
        }
        assert!(!after.contains_key("papo.db-wal"));
        assert_eq!(mode(&home.db()), 0o600);

        let papod = start(&home);
        let kept = papod.login_quietly("alice").history("alice", 0);
        let ids: Vec<u64> = kept.iter().map(|entry| entry.id).collect();
        let due: Vec<u64> = given.iter().copied().take(50).collect();
        assert_eq!(ids, due, "all of the backup, and no more");
        papod.until_logged("restored or copied");
        let (mut alice, _) = papod.login("alice");
        note(&mut alice, 0..3, &mut given);
        assert!(given.last().unwrap() > &1_000_000_000_000, "far above");
        assert!(given.last().unwrap() < &(1 << 53), "exact in JSON");
        assert_eq!(over(&home.path().join("admin.sock"), "ADMIN CHECK"), ["OK ADMIN CHECK 0"]);
        papod.stop();
        ends(0, &home.db(), &["--check"]);
        assert_eq!(notes(&home).len(), 53);
    }
}

#[test]
fn a_backup_restored_again_and_again_never_gives_an_id_twice() {
    let home = Home::new();
    let papod = start(&home);
    let mut given = BTreeSet::new();
    let mut alice = papod.register("alice");
    note(&mut alice, 0..5, &mut given);
    let mut saved = backup(&home, "0.db");
    note(&mut alice, 5..10, &mut given);
    papod.stop();
    for life in 1..=6 {
        ends(0, &home.db(), &["--restore", saved.to_str().unwrap()]);
        let mut papod = start(&home);
        let (mut alice, _) = papod.login("alice");
        note(&mut alice, 0..20, &mut given);
        // The third and later lives come from a backup of one that had been restored itself.
        if life == 2 {
            saved = backup(&home, "1.db");
            note(&mut alice, 0..20, &mut given);
        }
        if life % 2 == 0 { papod.stop() } else { papod.kill() }
    }
    let aside = files(home.path()).into_keys().filter(|name| name.contains(".aside-"));
    let aside: Vec<String> = aside.filter(|name| !name.contains("-wal")).collect();
    assert!((1..=6).all(|n| aside.contains(&format!("papo.db.aside-{n}"))), "{aside:?}");
    // What was put aside opens, with what was said in that life.
    fs::create_dir(home.path().join("old")).unwrap();
    for ending in ["", "-wal", ".generation"] {
        let name = home.path().join(format!("papo.db.aside-2{ending}"));
        if name.exists() {
            fs::copy(name, home.path().join(format!("old/papo.db{ending}"))).unwrap();
        }
    }
    let old = Papod::start(&home.path().join("old/papo.db"));
    assert_eq!(old.login_quietly("alice").history("alice", 0).len(), 25);
    old.stop();
}

/// What happens every day is no copy: ids go on by one.
#[test]
fn an_end_and_a_kill_are_no_reason_to_leave_ids_out() {
    let home = Home::new();
    home.start().stop();
    let papod = home.start();
    assert_eq!(papod.register("alice").send("alice", "1"), 1);
    papod.stop();
    let mut next = 2;
    for id in 2..=7 {
        let mut papod = home.start();
        assert_eq!(papod.login_quietly("alice").send("alice", "x"), next);
        next += 1;
        // A tool that writes the log back is nobody's enemy.
        let tool = rusqlite::Connection::open(home.db()).unwrap();
        if id > 3 {
            tool.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
        }
        if id > 5 {
            // Nor is one that begins the next log, which papod goes on with.
            tool.execute("UPDATE newest SET id = 1", []).unwrap();
            assert_eq!(papod.login_quietly("alice").send("alice", "y"), next);
            next += 1;
        }
        drop(tool);
        papod.kill();
    }
}

/// Each of these is accepted, and known for what it is: ids that may have been given are passed over.
#[test]
fn what_is_not_as_it_was_left_goes_on_far_above() {
    type Change = fn(&Path);
    let rows: [(&str, Change); 5] = [
        ("an older copy, at rest", |db| {
            fs::copy(db.with_extension("old"), db).unwrap();
        }),
        ("no sidecar", |db| fs::remove_file(db.with_extension("db.generation")).unwrap()),
        ("a sidecar that is none", |db| {
            fs::write(db.with_extension("db.generation"), [255; 90]).unwrap();
        }),
        ("no log, after a kill", |db| {
            let killed = fs::read(db).unwrap();
            let mut papod = Papod::start(db);
            papod.login_quietly("alice").send("alice", "in the log");
            papod.kill();
            assert_eq!(fs::read(db).unwrap(), killed, "nothing was written back");
            fs::remove_file(db.with_extension("db-wal")).unwrap();
        }),
        ("a log and no sidecar", |db| {
            let mut papod = Papod::start(db);
            papod.login_quietly("alice").send("alice", "in the log");
            papod.kill();
            fs::remove_file(db.with_extension("db.generation")).unwrap();
        }),
    ];
    for (what, change) in rows {
        let home = Home::new();
        let papod = home.start();
        papod.register("alice").send("alice", "1");
        papod.stop();
        fs::copy(home.db(), home.db().with_extension("old")).unwrap();
        let papod = home.start();
        papod.login_quietly("alice").send("alice", "2");
        papod.stop();
        change(&home.db());
        let papod = home.start();
        let mut alice = papod.login_quietly("alice");
        let next = alice.send("alice", "next");
        assert!(next > 1_000_000_000_000, "{what}: {next}");
        assert!(papod.log().contains("restored or copied"), "{what}: {}", papod.log());
        drop(alice);
        papod.stop();
        let papod = home.start();
        assert_eq!(papod.login_quietly("alice").send("alice", "on"), next + 1, "{what}: once");
        papod.stop();
        ends(0, &home.db(), &["--check"]);
    }
}

/// A tool of SQLite's copies the database while papod writes, in each of its two ways, and the copy
/// is put in its place: with the log of the original beside it, and without.
#[test]
fn a_copy_that_a_tool_made_is_known_for_one() {
    for (statement, with_log) in [("VACUUM INTO ?1", true), ("VACUUM INTO ?1", false)] {
        let home = Home::new();
        let mut papod = home.start();
        let mut alice = papod.register("alice");
        for n in 0..30 {
            alice.send("alice", &format!("{n} {}", "x".repeat(900)));
        }
        let copy = home.path().join("copy.db");
        let tool = rusqlite::Connection::open(home.db()).unwrap();
        tool.execute(statement, [copy.to_str().unwrap()]).unwrap();
        drop(tool);
        let last = alice.send("alice", "later");
        papod.kill();
        fs::copy(&copy, home.db()).unwrap();
        if with_log {
            refuses(&home.db(), &[]);
            continue;
        }
        fs::remove_file(home.path().join("papo.db-wal")).unwrap();
        let papod = home.start();
        let next = papod.login_quietly("alice").send("alice", "next");
        assert!(next > last + 1_000_000, "{next} after {last}");
        papod.stop();
    }
}

/// A file that was copied by hand while papod wrote, and a log that goes on from a later one.
#[test]
fn a_log_that_goes_on_from_a_later_state_is_refused() {
    let home = Home::new();
    let mut papod = home.start();
    let mut alice = papod.register("alice");
    let written_back = || {
        let tool = rusqlite::Connection::open(home.db()).unwrap();
        tool.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    };
    let copy = home.path().join("copy.db");
    alice.send("alice", "1");
    written_back();
    alice.send("alice", "2");
    fs::copy(home.db(), &copy).unwrap();
    // With the log that goes on from it, it is as good as the original.
    let log = fs::read(home.path().join("papo.db-wal")).unwrap();
    written_back();
    alice.send("alice", "3");
    papod.kill();
    let now = fs::read(home.db()).unwrap();
    fs::copy(&copy, home.db()).unwrap();
    refuses(&home.db(), &[]);
    fs::write(home.db(), now).unwrap();
    assert_eq!(notes(&home).len(), 3);
    fs::copy(&copy, home.db()).unwrap();
    fs::write(home.path().join("papo.db-wal"), log).unwrap();
    assert_eq!(notes(&home).len(), 2);
    let papod = home.start();
    assert!(papod.login_quietly("alice").send("alice", "3 was given") > 1_000_000_000_000);
    papod.stop();
}

#[test]
fn a_log_without_its_database_is_refused_and_kept() {
    let home = Home::new();
    let mut papod = home.start();
    papod.register("alice").send("alice", "1");
    let saved = home.path().join("saved");
    papod.kill();
    fs::rename(home.db(), &saved).unwrap();
    for empty in [false, true] {
        if empty {
            fs::write(home.db(), "").unwrap();
        }
        let said = refuses(&home.db(), &[]);
        assert!(said.contains("papo.db-wal") && said.contains("--restore"), "{said}");
        refuses(&home.db(), &["--check"]);
    }
    fs::rename(&saved, home.db()).unwrap();
    assert_eq!(notes(&home).len(), 1);
}

#[test]
fn what_cannot_be_restored_changes_nothing() {
    let home = Home::new();
    let papod = start(&home);
    papod.register("alice").send("alice", &"a page and more ".repeat(500));
    let good = fs::read(backup(&home, "good.db")).unwrap();
    papod.stop();
    let put = |name: &str, bytes: &[u8]| fs::write(home.path().join(name), bytes).unwrap();
    let patched = |at: usize, with: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    put("text.db", b"Milk, bread\n");
    put("empty.db", b"");
    put("short.db", &good[..good.len() / 2]);
    put("newer.db", &patched(60, &[0, 0, 0, 99]));
    put("page.db", &patched(3 * 4096, &[0xff; 64]));
    // No page is damaged; the number of the newest entry is.
    put("rules.db", &good);
    let tool = rusqlite::Connection::open(home.path().join("rules.db")).unwrap();
    tool.execute("UPDATE newest SET entry = 0", []).unwrap();
    drop(tool);
    put("logged.db", &good);
    put("logged.db-wal", b"x");
    fs::create_dir(home.path().join("folder.db")).unwrap();
    for (name, why) in [
        ("text.db", "not a papo database"),
        ("empty.db", "not a papo database"),
        ("short.db", "damaged"),
        ("newer.db", "newer papod"),
        ("page.db", "damaged"),
        ("rules.db", "above the newest"),
        ("logged.db", "logged.db-wal"),
        ("folder.db", "not a file"),
        ("missing.db", "No such file"),
        ("papo.db", "the database itself"),
    ] {
        let from = home.path().join(name);
        let said = refuses(&home.db(), &["--restore", from.to_str().unwrap()]);
        assert!(said.contains(why) && said.contains(name), "{name}: {said}");
    }
    let good = home.path().join("good.db");
    let papod = home.start();
    let said = refuses(&home.db(), &["--restore", good.to_str().unwrap()]);
    assert!(said.contains("in use by another papod"), "{said}");
    papod.stop();
    assert_eq!(notes(&home).len(), 1);
    // Root puts it back for whom it was.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(home.db(), Some(12_345), Some(12_345)).unwrap();
        ends(0, &home.db(), &["--restore", good.to_str().unwrap()]);
        home.start().stop();
        for name in ["papo.db", "papo.db.generation"] {
            let meta = fs::metadata(home.path().join(name)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (12_345, 12_345), "{name}");
        }
    }
    // No folder is left of what could not be.
    let nowhere = home.path().join("new/folder/papo.db");
    ends(1, &nowhere, &["--restore", home.path().join("text.db").to_str().unwrap()]);
    assert!(!home.path().join("new").exists());
    // Where there is nothing yet, there is nothing to put aside.
    let fresh = home.path().join("new/folder/papo.db");
    let said = ends(0, &fresh, &["--restore", good.to_str().unwrap()]);
    assert!(!said.contains("aside"), "{said}");
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(said.contains("it belongs to root; if papod runs as another user"), is_root);
    assert_eq!(fs::read_dir(fresh.parent().unwrap()).unwrap().count(), 1);
    let papod = Papod::start(&fresh);
    assert_eq!(papod.login_quietly("alice").history("alice", 0).len(), 1);
    papod.stop();
}

/// A signal in the middle of a backup: there is a whole one, or none.
#[test]
fn a_backup_that_is_cut_off_leaves_nothing_under_its_name() {
    let home = Home::new();
    start(&home).stop();
    // Some 60 MB that need no rule.
    let tool = rusqlite::Connection::open(home.db()).unwrap();
    tool.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15000)
         INSERT INTO once(account, key, digest, entry, time) SELECT 1, 'key-' || i, zeroblob(4000), 0, 0 FROM n;",
    )
    .unwrap();
    drop(tool);
    let saved = home.path().join("saved.db");
    for (signal, status) in [(Signal::TERM, Some(0)), (Signal::KILL, None)] {
        let mut papod = start(&home);
        let admin = home.path().join("admin.sock");
        let asks = format!("ADMIN BACKUP {}", saved.display());
        let drafts = || files_named(home.path(), "papo-draft-");
        std::thread::scope(|scope| {
            // It may be cut off without a word.
            scope.spawn(|| std::panic::catch_unwind(|| over(&admin, &asks)).ok());
            let until = Instant::now() + PATIENCE;
            while drafts().is_empty() && !saved.exists() && Instant::now() < until {
                std::thread::yield_now();
            }
            papod.signal(signal);
            assert_eq!(papod.wait().code(), status, "{}", papod.log());
        });
        if saved.exists() {
            ends(0, &saved, &["--check"]);
            fs::remove_file(&saved).unwrap();
        }
        assert!(files_named(home.path(), "saved.db").is_empty());
        if signal == Signal::TERM {
            assert!(drafts().is_empty(), "{:?}", drafts());
        }
    }
    // What a kill leaves is taken away by the next backup; what is not ours is not.
    fs::write(home.path().join("papo-draft-2"), "").unwrap();
    let papod = start(&home);
    backup(&home, "saved.db");
    assert_eq!(files_named(home.path(), "papo-draft-"), ["papo-draft-2"]);
    papod.stop();
}
