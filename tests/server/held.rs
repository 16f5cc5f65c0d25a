//! One papod has a database, by whatever name it is opened, and notices where it is taken away.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::files::{backup, ends, notes, refuses, start};
use crate::process::unix::over;
use crate::process::{self, Home, Papod, papod};

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

const GONE: &str = "storage the server's database is damaged or gone, and its operator has to repair \
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
        // While it runs, all of it can still be saved, and it says so.
        assert!(papod.log().contains("first save it with ADMIN BACKUP"), "{}", papod.log());
        let saved = backup(&home, "saved.db");
        papod.stop();
        assert_eq!(fs::read(home.db()).ok(), replaced.then(|| b"something else".to_vec()));
        ends(0, &home.db(), &["--restore", saved.to_str().unwrap()]);
        assert_eq!(notes(&home), [(1, "1".to_owned())]);
    }
}

#[test]
fn a_database_that_is_moved_away_after_an_end_is_missed() {
    let home = Home::new();
    let papod = start(&home);
    papod.register("alice").send("alice", "1");
    let saved = backup(&home, "saved.db");
    papod.stop();
    let away = home.path().join("away.db");
    fs::rename(home.db(), &away).unwrap();
    for empty in [false, true] {
        if empty {
            fs::write(home.db(), "").unwrap();
        }
        for arguments in [&[][..], &["--check"]] {
            let said = refuses(&home.db(), arguments);
            for what in ["papo.db.generation is, so there was one", "put the file back", "remove"] {
                assert!(said.contains(what), "{said}");
            }
        }
    }
    // Each of the three ways out.
    fs::rename(&away, home.db()).unwrap();
    assert_eq!(notes(&home).len(), 1);
    fs::remove_file(home.db()).unwrap();
    ends(0, &home.db(), &["--restore", saved.to_str().unwrap()]);
    assert_eq!(notes(&home).len(), 1);
    fs::remove_file(home.db()).unwrap();
    fs::remove_file(home.path().join("papo.db.generation")).unwrap();
    let papod = home.start();
    assert_eq!(papod.register("bob").send("bob", "a new beginning"), 1);
    papod.stop();
}

/// A first start that was cut off, by a power cut between two of its steps, has nothing in it.
#[test]
fn a_database_that_was_never_finished_is_begun_anew() {
    let home = Home::new();
    home.start().stop();
    fs::rename(home.db(), home.path().join("papo.db.new")).unwrap();
    let papod = home.start();
    assert_eq!(papod.register("alice").send("alice", "1"), 1);
    papod.stop();
    assert_eq!(notes(&home).len(), 1);
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
