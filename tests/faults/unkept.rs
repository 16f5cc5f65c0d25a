//! Commits that fail: what was answered with a failure did not happen, and saying it again does it.
//! What a session does of its own accord it tries again.

use crate::process::unix::over;
use crate::process::{self, Client, Home, PASSWORD, PATIENCE, id};
use rusqlite::Connection;

/// Another process that has the database open.
fn outsider(home: &Home) -> Connection {
    let outsider = Connection::open(home.db()).unwrap();
    outsider.busy_timeout(PATIENCE).unwrap();
    outsider
}

/// From now on no cursor moves; messages are kept. A constraint that fails is told as `bug`.
const NO_MOVES: &str = "CREATE TRIGGER full BEFORE UPDATE ON newest WHEN NEW.moved > OLD.moved
                        BEGIN SELECT RAISE(ABORT, 'full'); END";

/// How far Bob is, as Ana is told.
fn state(ana: &mut Client) -> String {
    ana.say("INFO last");
    let rows = ana.until("OK INFO 1");
    rows[rows.len() - 2].split(' ').nth(3).unwrap().to_owned()
}

#[test]
fn an_ack_that_was_not_kept_is_kept_when_it_is_said_again() {
    for (verb, done) in [("ACK", "delivered"), ("READ", "read")] {
        let home = Home::new();
        let papod = home.start();
        let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
        let id = ana.send("bob", "is it kept?");
        bob.until(&format!("MSG {id} "));
        let outsider = outsider(&home);
        outsider.execute_batch("BEGIN IMMEDIATE").unwrap();
        bob.say(verb);
        let answer = bob.line();
        assert!(answer.starts_with(&format!("ERR {verb} storage ")), "{answer}");
        outsider.execute_batch("ROLLBACK").unwrap();
        assert_eq!(state(&mut ana), "sent");
        bob.say(verb);
        bob.expect(&format!("OK {verb} {id}"));
        assert_eq!(state(&mut ana), done);
        let (_, read) = papod.login("bob");
        assert_eq!(read[0], "OK LOGIN bob 0");
    }
}

#[test]
fn an_automatic_ack_that_was_not_kept_is_tried_again() {
    let home = Home::new();
    let operators = home.path().join("operators");
    let more = ["--admin", operators.to_str().unwrap()];
    let papod = process::Papod::start_with(&home.db(), more);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    bob.say("SET ack auto");
    bob.expect("OK SET ack auto");
    let outsider = outsider(&home);
    outsider.execute_batch(NO_MOVES).unwrap();
    let (mut last, mut sent) = (0, 0);
    while sent < 100 {
        ana.say("MSG bob another");
        let answer = ana.line();
        // It may be in one batch with a try.
        if !answer.starts_with("ERR MSG bug ") {
            assert!(answer.starts_with("OK MSG "), "{answer}");
            (last, sent) = (id(&answer), sent + 1);
            bob.until(&format!("MSG {last} "));
        }
    }
    assert_eq!(state(&mut ana), "sent");
    let stats = over(&operators, "ADMIN STATS");
    let failed = stats.iter().find_map(|row| row.strip_prefix("STAT commits_failed ")).unwrap();
    let failed: u64 = failed.parse().unwrap();
    assert!((1..20).contains(&failed), "{failed} tries for a hundred messages");
    outsider.execute_batch("DROP TRIGGER full").unwrap();
    ana.until(&format!("ACK {last} "));
    assert_eq!(state(&mut ana), "delivered");
    bob.has_heard_all();
    // And it goes on as before.
    let id = ana.send("bob", "one more");
    ana.until(&format!("ACK {id} "));
}

/// What could not be kept is not counted against what an account or an address may do.
#[test]
fn what_was_not_kept_is_not_charged() {
    let home = Home::new();
    let more = "--limit-local --limit-registrations 1 --limit-groups 1 --limit-bytes 1000";
    let papod = process::Papod::start_with(&home.db(), more.split(' '));
    let outsider = outsider(&home);
    let full = "CREATE TRIGGER full BEFORE UPDATE ON newest BEGIN SELECT RAISE(ABORT, 'full'); END";
    let with_room = "DROP TRIGGER full";
    let mut ana = papod.connect();
    let mut tries = |line: &str, verb: &str| {
        outsider.execute_batch(full).unwrap();
        for _ in 0..3 {
            ana.say(line);
            let said =
                std::iter::from_fn(|| ana.next_line()).find(|line| !line.starts_with("LIVE "));
            let refused = format!("ERR {verb} bug ");
            assert!(said.as_ref().is_some_and(|said| said.starts_with(&refused)), "{said:?}");
        }
        outsider.execute_batch(with_room).unwrap();
        ana.say(line);
        ana.until(&format!("OK {verb} "));
    };
    tries(&format!("REG ana {PASSWORD}"), "REG");
    tries("GROUP NEW team", "GROUP");
    tries(&format!("MSG ana {}", "x".repeat(900)), "MSG");
}
