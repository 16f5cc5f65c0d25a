//! One papod has a database, by whatever name it is opened, and notices where it is taken away.

mod process;

#[path = "restore/files.rs"]
mod files;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use files::{ends, notes, refuses, start};
use process::unix::over;
use process::{Home, PASSWORD, Papod, papod};

#[test]
fn whoever_opens_it_by_another_name_finds_it_taken() {
    let home = Home::new();
    let papod = home.start();
    let mut alice = papod.register("alice");
    symlink(home.db(), home.path().join("link.db")).unwrap();
    fs::hard_link(home.db(), home.path().join("hard.db")).unwrap();
    fs::remove_file(home.path().join("papo.db.generation")).unwrap();
    for name in ["papo.db", "link.db", "hard.db"] {
        let db = home.path().join(name);
        assert!(refuses(&db, &[]).contains("in use by another papod"), "{name}");
        // Whoever only reads is no trouble.
        if name != "hard.db" {
            ends(0, &db, &["--check"]);
        }
    }
    alice.send("alice", "still here");
    papod.stop();
    // A symbolic link is as good a name as another.
    let papod = Papod::start(&home.path().join("link.db"));
    papod.login_quietly("alice").send("alice", "by the link");
    papod.stop();
    assert!(!home.path().join("link.db.generation").exists());
    assert_eq!(notes(&home).len(), 2);
    fs::remove_file(home.db()).unwrap();
    assert!(refuses(&home.path().join("link.db"), &[]).contains("symbolic link"));
}

/// Two at once make one database.
#[test]
fn two_that_make_the_same_database_at_once_do_not_share_it() {
    for _ in 0..5 {
        let home = Home::new();
        let starts = || {
            let mut command = papod();
            command.args(process::USUAL).arg("--db").arg(home.db()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let mut both = [starts(), starts()];
        // One of them ends by itself.
        let ended = loop {
            let ended = both.iter_mut().position(|papod| papod.try_wait().unwrap().is_some());
            match ended {
                Some(at) => break at,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(both[ended].wait().unwrap().code(), Some(1));
        assert!(both[1 - ended].try_wait().unwrap().is_none(), "the other one has it");
        both[1 - ended].kill().unwrap();
        both[1 - ended].wait().unwrap();
        home.start().stop();
    }
}

const GONE: &str = "storage the server's database is damaged or gone, and its operator has to mend \
                    it; nothing was saved";

#[test]
fn a_database_that_is_removed_while_in_use_takes_nothing_more() {
    for replaced in [false, true] {
        let home = Home::new();
        let papod = start(&home);
        let admin = home.path().join("admin.sock");
        let mut alice = papod.register("alice");
        alice.send("alice", "1");
        for ending in ["", "-wal", "-shm"] {
            fs::remove_file(home.path().join(format!("papo.db{ending}"))).unwrap();
        }
        if replaced {
            fs::write(home.db(), "something else").unwrap();
        }
        alice.say("MSG alice 2");
        alice.expect(&format!("ERR MSG {GONE}"));
        assert_eq!(alice.history("alice", 0).len(), 1, "what is there is still read");
        papod.until_logged("removed or replaced");
        let said = over(&admin, "ADMIN CHECK");
        assert!(said[0].starts_with("PROBLEM ") && said[0].contains("removed"), "{said:?}");
        let said = over(&admin, &format!("ADMIN BACKUP {}", home.path().join("b").display()));
        assert!(said[0].starts_with("ERR ADMIN storage "), "{said:?}");
        papod.stop();
        assert_eq!(fs::read(home.db()).ok(), replaced.then(|| b"something else".to_vec()));
    }
}

/// Moved away and back: it is the same file.
#[test]
fn a_database_that_comes_back_is_written_again() {
    let home = Home::new();
    let papod = home.start();
    let mut alice = papod.register("alice");
    let away = home.path().join("away");
    fs::rename(home.db(), &away).unwrap();
    alice.say("MSG alice x");
    alice.expect(&format!("ERR MSG {GONE}"));
    fs::rename(&away, home.db()).unwrap();
    alice.send("alice", "back");
    papod.stop();
    assert_eq!(notes(&home).len(), 1);
}

#[test]
fn a_log_that_is_removed_while_in_use_is_written_back_at_the_end() {
    let home = Home::new();
    let papod = home.start();
    let mut alice = papod.register("alice");
    for n in 0..20 {
        alice.send("alice", &n.to_string());
    }
    fs::remove_file(home.path().join("papo.db-wal")).unwrap();
    alice.say("MSG alice x");
    alice.expect(&format!("ERR MSG {GONE}"));
    // It says what to do.
    papod.until_logged("SIGTERM");
    papod.stop();
    assert_eq!(notes(&home).len(), 20);
}

/// What an ended papod wrote beside a database that is gone is not taken for the new one's.
#[test]
fn a_new_database_does_not_begin_with_an_old_ones_leftovers() {
    let home = Home::new();
    let papod = home.start();
    papod.register("alice").send("alice", "from before");
    papod.stop();
    fs::remove_file(home.db()).unwrap();
    let papod = home.start();
    let mut alice = papod.connect();
    alice.say(&format!("LOGIN alice {PASSWORD}"));
    assert!(alice.line().starts_with("ERR LOGIN wrong-secret "), "{}", papod.log());
    assert_eq!(papod.register("alice").send("alice", "a new beginning"), 1);
    papod.stop();
    let papod = home.start();
    assert_eq!(papod.login_quietly("alice").send("alice", "and on"), 2);
    papod.stop();
}
