//! A papod whose log is written back again and again is killed at any moment: it starts again, and
//! has all that it confirmed.

use std::collections::BTreeMap;
use std::io::Write;
use std::thread;

use crate::process::{Dice, Home, id};
use rusqlite::Connection;

/// Bytes of a message: 15 pages.
const BODY: usize = 60_000;

#[test]
fn what_is_confirmed_survives_kill_9_while_the_log_is_written_back() {
    let (mut dice, seed) = Dice::from_environment();
    println!("seed {seed}");
    let home = Home::new();
    let mut confirmed: BTreeMap<u64, u64> = BTreeMap::new();
    home.start().register("alice");
    let mut next = 0;
    for _ in 0..3 {
        let mut papod = home.start();
        let mut alice = papod.login_quietly("alice");
        let count = 100 + dice.below(300);
        let mut typing = alice.socket().try_clone().unwrap();
        let typed = thread::spawn(move || {
            for n in next..next + count {
                // It may be killed while this is written.
                if typing.write_all(line(n).as_bytes()).is_err() {
                    break;
                }
            }
        });
        let killed_after = dice.below(count);
        for n in next..next + killed_after {
            confirmed.insert(id(&alice.line()), n);
        }
        papod.kill();
        typed.join().unwrap();
        next += count;
    }
    let papod = home.start();
    let mut alice = papod.login_quietly("alice");
    let (first, last) = (confirmed.keys().next().unwrap(), confirmed.keys().last().unwrap());
    let mut found = BTreeMap::new();
    let mut after = first - 1;
    while after < *last {
        let rows = alice.history("alice", after);
        assert!(!rows.is_empty(), "nothing after {after}");
        for row in rows {
            after = row.id;
            found.insert(row.id, row.body);
        }
    }
    for (id, n) in &confirmed {
        let body = found.get(id).unwrap_or_else(|| panic!("{id} is lost"));
        assert!(body.len() == BODY && body.starts_with(&format!("{n}.")), "{id} is another one");
    }
    papod.stop();
}

fn line(n: u64) -> String {
    format!("MSG alice {:x<BODY$}\n", format!("{n}."))
}

#[test]
fn a_log_that_another_program_began_survives_kill_9() {
    let home = Home::new();
    let mut papod = home.start();
    let first = papod.register("alice").send("alice", "hello");
    let other = Connection::open(home.db()).unwrap();
    let written: (i64, i64, i64) = other
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert!(written.0 == 0 && written.1 == written.2, "{written:?}");
    // All is written back, so this begins the log anew.
    other.execute_batch("CREATE VIEW mine AS SELECT 1").unwrap();
    papod.kill();
    let papod = home.start();
    // Before that it would have been the last one, and have written the log back.
    drop(other);
    let second = papod.login_quietly("alice").send("alice", "still here");
    assert_eq!(second, first + 1, "nothing was restored, so ids do not jump");
}
