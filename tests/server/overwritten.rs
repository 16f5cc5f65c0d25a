//! A copy that is put over a database while papod uses it: the log is not written back into it.

use std::collections::BTreeSet;
use std::fs;

use crate::files::{backup, ends, notes, refuses, start};
use crate::process::unix::over;
use crate::process::{Client, Home};
use rusqlite::Connection;

fn note(alice: &mut Client, numbers: std::ops::Range<u32>) -> BTreeSet<u64> {
    numbers.map(|n| alice.send("alice", &format!("note {n} {}", "x".repeat(500)))).collect()
}

/// It is refused at the next start, and the backup can be put back; no id is given twice.
fn is_refused_and_restored(home: &Home, given: &BTreeSet<u64>) {
    let said = refuses(&home.db(), &[]);
    assert!(said.contains("papo.db-wal") && said.contains("--restore"), "{said}");
    let saved = home.path().join("b.db");
    ends(0, &home.db(), &["--restore", saved.to_str().unwrap()]);
    let papod = start(home);
    let (mut alice, _) = papod.login("alice");
    let id = alice.send("alice", "afterwards");
    assert!(given.last().is_none_or(|last| id > *last), "{id}");
    papod.stop();
    ends(0, &home.db(), &["--check"]);
    assert_eq!(notes(home).len(), 50 + 1);
}

#[test]
fn a_backup_copied_over_a_database_in_use_is_known_for_one_at_the_end() {
    for later in [1, 400] {
        let home = Home::new();
        let papod = start(&home);
        let mut alice = papod.register("alice");
        let mut given = note(&mut alice, 0..50);
        let saved = backup(&home, "b.db");
        given.extend(note(&mut alice, 50..50 + later));
        fs::copy(&saved, home.db()).unwrap();
        // What is in memory may still be answered from.
        drop(alice);
        papod.stop();
        is_refused_and_restored(&home, &given);
    }
}

#[test]
fn a_backup_copied_over_a_database_in_use_ends_what_is_written() {
    let home = Home::new();
    let papod = start(&home);
    let mut alice = papod.register("alice");
    let mut given = note(&mut alice, 0..50);
    let saved = backup(&home, "b.db");
    given.extend(note(&mut alice, 50..60));
    fs::copy(&saved, home.db()).unwrap();
    // The log is written back when there is much of it, but not into this.
    let line = format!("MSG alice {}", "x".repeat(60_000));
    let refused = (0..3_000).find_map(|_| {
        alice.say(&line);
        let line = alice.line();
        if line.starts_with("OK MSG ") {
            given.insert(crate::process::id(&line));
        }
        line.starts_with("ERR ").then_some(line)
    });
    assert!(refused.is_some_and(|line| line.starts_with("ERR MSG storage ")));
    papod.until_logged("overwritten while in use");
    // Half of the one and half of the other would be no backup.
    let copy = home.path().join("copy.db");
    let said = over(&home.path().join("admin.sock"), &format!("ADMIN BACKUP {}", copy.display()));
    assert!(said[0].starts_with("ERR ADMIN storage ") && !copy.exists(), "{said:?}");
    drop(alice);
    papod.stop();
    is_refused_and_restored(&home, &given);
}

/// Another program may add a view or an index of its own, also while papod runs.
#[test]
fn a_schema_that_another_program_changes_is_no_other_database() {
    let home = Home::new();
    let papod = start(&home);
    let mut alice = papod.register("alice");
    let other = Connection::open(home.db()).unwrap();
    let text = "x".repeat(60_000);
    // More than one write-ahead log, and each is written back in many parts.
    for n in 0..3 {
        other.execute_batch(&format!("CREATE VIEW mine{n} AS SELECT {n}")).unwrap();
        for _ in 0..300 {
            alice.send("alice", &text);
        }
    }
    drop((alice, other));
    papod.stop();
    ends(0, &home.db(), &["--check"]);
    assert_eq!(notes(&home).len(), 900);
}
