//! Somebody guesses at secrets: more and more slowly, and then not at all, while those who know
//! theirs are not held up.
//!
//! No time is measured. What the brake lets through at most follows from the pauses that it makes:
//! for thirteen failures in a row they add up to 31 seconds, which nothing here waits for.

use super::connect_from;
use crate::process::{Client, Home, PASSWORD, PATIENCE, Papod};
use rustix::process::Signal;

/// Tries at one account at once, more than can be answered in time.
const CROWD: usize = 20;

/// Failures in a row that can be had in [`PATIENCE`].
const FEW: usize = 12;

const WRONG: &str = "wrong handle or password";

/// A connection from another address of this machine.
fn from_elsewhere(papod: &Papod) -> Client {
    connect_from(papod, "127.0.0.2")
}

/// Many connections that say this at the same time.
fn crowd(papod: &Papod, line: &str) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..CROWD).map(|_| papod.connect()).collect();
    clients.iter_mut().for_each(|client| client.say(line));
    clients
}

/// What a crowd was answered: some were let through, and all others told when to come back.
fn some_get_through(crowd: Vec<Client>) {
    let mut wrong = 0;
    for mut client in crowd {
        let line = client.line();
        if line == format!("ERR LOGIN wrong-secret {WRONG}") {
            wrong += 1;
            continue;
        }
        let seconds = line.strip_prefix("ERR LOGIN too-fast ");
        let seconds = seconds.and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        assert!(seconds.is_some_and(|n| (1..=256).contains(&n)), "{line}");
        // Refused, and otherwise a session like any other.
        client.has_heard_all();
    }
    assert!((6..=FEW).contains(&wrong), "{wrong} of {CROWD} got through");
}

#[test]
fn who_guesses_is_slowed_down_and_nobody_else() {
    assert!(PATIENCE.as_secs() < 31, "{FEW} failures and one more would take 31 s");
    let home = Home::new();
    let papod = home.start();
    let mut ana = papod.register("ana");
    ana.say("TOKEN NEW script");
    let token = ana.line().rsplit(' ').next().unwrap().to_owned();
    // A handle that nobody has is treated alike.
    let crowds = ["ana", "nobody"].map(|who| crowd(&papod, &format!("LOGIN {who} a-guess")));
    // While they wait, a token and another address do not.
    let mut script = papod.connect();
    script.say(&format!("LOGIN ana {token} quiet"));
    script.expect("OK LOGIN ana 0");
    let mut elsewhere = from_elsewhere(&papod);
    elsewhere.say(&format!("LOGIN ana {PASSWORD} quiet"));
    elsewhere.expect("OK LOGIN ana 0");
    // Nor another account.
    papod.register("bia");
    papod.login_quietly("bia");
    crowds.into_iter().for_each(some_get_through);

    // What was right elsewhere has ended nothing here.
    let mut guesser = papod.connect();
    let refused = (0..FEW).find(|_| {
        guesser.say("LOGIN ana a-guess");
        guesser.line().starts_with("ERR LOGIN too-fast ")
    });
    assert!(refused.is_some_and(|tries| tries < 6), "{refused:?}");
    for (mut client, secret) in [(papod.connect(), &*token), (from_elsewhere(&papod), PASSWORD)] {
        client.say(&format!("LOGIN ana {secret} quiet"));
        client.expect("OK LOGIN ana 0");
    }
}

#[test]
fn what_is_right_ends_the_row() {
    let home = Home::new();
    let papod = home.start();
    let mut ana = papod.register("ana");
    let mut other = papod.connect();
    for _ in 0..4 {
        for guess in
            ["LOGIN ana a-guess", "LOGIN ana papo_0123456789012345678901234567890123456789"]
        {
            other.say(guess);
            other.expect(&format!("ERR LOGIN wrong-secret {WRONG}"));
        }
        // The old password is a guess like any other, and counts for the same account.
        for _ in 0..3 {
            ana.say("PASSWD a-guess another-secret");
            ana.expect("ERR PASSWD wrong-secret wrong current password");
        }
        ana.say(&format!("PASSWD {PASSWORD} {PASSWORD}"));
        ana.expect("OK PASSWD");
    }
    // Not one that was left out, which is no guess at all.
    for _ in 0..20 {
        other.say("LOGIN ana");
        let none =
            "ERR LOGIN wrong-secret no password was given: LOGIN <handle> <password or token>";
        other.expect(none);
    }
    papod.login_quietly("ana");
}

#[test]
fn the_old_password_is_guessed_at_as_slowly() {
    let home = Home::new();
    let papod = home.start();
    let mut ana = papod.register("ana");
    // The failures of all count together.
    let others = crowd(&papod, "LOGIN ana a-guess");
    let refused = (0..FEW).find(|_| {
        ana.say("PASSWD a-guess another-secret");
        ana.line().starts_with("ERR PASSWD too-fast ")
    });
    assert!(refused.is_some(), "it goes on for ever");
    drop(others);
}

/// A try that is held back does not hold up the end.
#[test]
fn it_ends_at_once_while_somebody_waits() {
    let home = Home::new();
    let mut papod = home.start();
    papod.register("ana");
    let crowd = crowd(&papod, "LOGIN ana a-guess");
    some_get_through(crowd);
    // The next one has seconds to wait. Its turn was before that of those who come after it.
    let mut guesser = papod.connect();
    guesser.say("LOGIN ana a-guess");
    for handle in ["bia", "caio"] {
        papod.register(handle);
        papod.login_quietly(handle);
    }
    papod.signal(Signal::TERM);
    let said = guesser.rest();
    assert_eq!(said.last().map(String::as_str), Some("BYE shutdown"));
    assert!(!said[0].contains("wrong-secret"), "{said:?}");
    assert_eq!(papod.wait().code(), Some(0), "{}", papod.log());
}
