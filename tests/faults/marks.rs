//! Random lives, after which no deleted text is in a file of the database.

use std::fs;
use std::time::Instant;

use papo::limits;

use crate::lives::{self, World};
use crate::process::{Dice, Home, PATIENCE};

#[test]
fn copies_show_what_the_history_shows() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    for flags in lives::all() {
        let home = Home::new();
        let deleted = World::new(&home.db(), flags).lives(&mut dice);
        for file in home.path().read_dir().unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            for text in &deleted {
                let is_there = memchr::memmem::find(&bytes, text.as_bytes()).is_some();
                assert!(!is_there, "{text:?} is on disk");
            }
        }
    }
}

/// Killed at any moment while the marks of a deleted message are erased in steps, papod goes on with
/// that, and never shows one of them.
#[test]
fn marks_that_are_erased_in_steps_are_erased_after_kills_too() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let home = Home::new();
    let mut papod = home.start();
    let mut bob = papod.register("bob");
    let mut ana = papod.register("ana");
    let about = ana.send("bob", "unsaid0");
    let edits = limits::ERASED + 4 * limits::EXPIRE;
    let typed: String = (1..=edits).map(|n| format!("EDIT {about} unsaid{n}\n")).collect();
    ana.write(typed.as_bytes());
    for _ in 0..edits {
        ana.until("OK EDIT ");
    }
    bob.say(&format!("REACT {about} unsaid"));
    bob.until("OK REACT ");
    let kept = ana.send("bob", "kept");
    ana.say(&format!("DEL {about}"));
    ana.until("OK DEL ");
    papod.kill();
    let left = || -> i64 {
        // One that writes would write the log back.
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(home.db(), flags).unwrap();
        let sql = "SELECT count(*) FROM about WHERE kind <> 3";
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let mut before = left();
    assert!(before > 0);
    let start = Instant::now();
    while before > 0 {
        assert!(start.elapsed() < PATIENCE, "{before} are left");
        papod = home.start();
        for name in ["ana", "bob"] {
            let mut session = papod.login_quietly(name);
            session.say("SYNC 0");
            let rows = session.until("OK SYNC ");
            let texts: Vec<&String> = rows.iter().filter(|row| row.contains("unsaid")).collect();
            assert_eq!(texts, [""; 0]);
            assert_eq!(rows.len(), 4, "{rows:?}");
            assert!(rows.iter().any(|row| row.contains(&format!(" {kept} "))));
        }
        for _ in 0..dice.below(4) {
            papod.login_quietly("ana");
        }
        papod.kill();
        let now = left();
        assert!(now <= before);
        before = now;
    }
    home.start().stop();
    // The index for searching is made anew a little later.
    for ending in ["", "-wal"] {
        let bytes = fs::read(format!("{}{ending}", home.db().display())).unwrap_or_default();
        assert!(memchr::memmem::find(&bytes, b"unsaid").is_none(), "{ending:?}");
    }
}
