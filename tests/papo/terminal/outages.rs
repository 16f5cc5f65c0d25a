//! A server that dies, and an account that is taken away.

use super::place::{Place, rule};
use crate::process::Entry;

/// The line at the bottom without a server.
const OFFLINE: &str = "      offline; Enter tries again now";

fn bodies(place: &Place, of: &str, with: &str) -> Vec<String> {
    let entries: Vec<Entry> = place.papod().login_quietly(of).history(with, 0);
    entries.into_iter().map(|entry| entry.body).collect()
}

#[test]
#[ignore = "needs tmux"]
fn what_is_typed_while_the_server_is_dead_is_sent_once_when_it_is_back() {
    let mut place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    let rule = rule("bob");
    window.line("before");
    window.says("✓    you: before");
    place.kill();
    window.says("trying again");
    window.line("one");
    window.line("two");
    window.text("thr");
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM ✓    you: before
         |── the server has closed the connection; trying again ──
         |HH:MM …    you: one
         |HH:MM …    you: two
         |      bob> thr
         |      offline; Enter tries again now"
    ));
    // It was up for a while, elsewhere.
    let elsewhere = place.home.start();
    elsewhere.login_quietly("bob").send("ana", "meanwhile");
    elsewhere.stop();
    place.restart();
    // Whoever is back first: what ana sends comes to bob before his LIVE or after it.
    let (mut bob, mut came) = place.papod().login("bob");
    came.retain(|line| line.starts_with("MSG "));
    while came.len() < 3 {
        came.push(bob.until("MSG ").pop().unwrap());
    }
    for (line, body) in came.iter().zip(["before", "one", "two"]) {
        assert!(line.ends_with(&format!(" ana bob - {body}")), "{line}");
    }
    window.text("ee");
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM ✓    you: before
         |── the server has closed the connection; trying again ──
         |HH:MM      bob: meanwhile
         |HH:MM ✓    you: one
         |HH:MM ✓    you: two
         |── connected again ──
         |      bob> three"
    ));
    window.key("Enter");
    bob.until("MSG ");
    assert_eq!(bodies(&place, "bob", "ana"), ["before", "meanwhile", "one", "two", "three"]);
}

#[test]
#[ignore = "needs tmux"]
fn what_came_before_an_own_message_was_sent_is_shown_whichever_connection_is_back_first() {
    let mut place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    place.kill();
    window.says("trying again");
    let elsewhere = place.home.start();
    elsewhere.login_quietly("bob").send("ana", "meanwhile");
    elsewhere.stop();
    // The connection that listens tries more and more seldom; the one that sends begins to try now.
    window.line("one");
    window.says("…    you: one");
    place.restart();
    window.says("── connected again ──");
    window.says("bob: meanwhile\n");
    window.says("✓    you: one\n");
    let screen = window.screen();
    assert!(screen.find("bob: meanwhile") < screen.find("you: one"), "{screen}");
    assert_eq!(
        screen.matches("meanwhile").count() + screen.matches("one\n").count(),
        2,
        "{screen}"
    );
}

#[test]
#[ignore = "needs tmux"]
fn what_came_elsewhere_while_the_server_was_out_of_reach_is_announced() {
    let mut place = Place::with(&["ana", "bob", "cid"]);
    let window = place.talking("ana", "bob");
    place.kill();
    window.says("trying again");
    let elsewhere = place.home.start();
    elsewhere.login_quietly("cid").send("ana", "meanwhile");
    elsewhere.stop();
    place.restart();
    window.says("── connected again ──");
    window.says("      bob>\n      2:cid  cid: meanwhile");
}

#[test]
#[ignore = "needs tmux"]
fn who_leaves_with_something_unsent_is_warned_on_an_older_page_too() {
    let mut place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    for n in 1..=50 {
        bob.send("ana", &format!("number {n}"));
    }
    let window = place.shell("ana");
    window.start("papo");
    window.says("bob: number 50\n");
    place.kill();
    window.says("trying again");
    window.line("one");
    window.says("…    you: one");
    window.key("PageUp");
    window.says("PageDown goes on");
    window.key("C-d");
    window.says("press Ctrl-D again to leave without sending it");
}

#[test]
#[ignore = "needs tmux"]
fn what_is_unsent_stands_there_whenever_one_turns_back_to_it() {
    let mut place = Place::with(&["ana", "bob", "cid"]);
    let window = place.talking("ana", "bob");
    place.kill();
    window.says("trying again");
    window.line("one");
    window.says("…    you: one");
    window.line("/to cid");
    window.says("      cid>");
    window.line("/to bob");
    window.says("      bob>");
    window.says("…    you: one");
}

#[test]
#[ignore = "needs tmux"]
fn an_order_that_waits_behind_a_message_says_so() {
    let mut place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    window.line("before");
    window.says("✓    you: before");
    place.kill();
    window.says("trying again");
    window.line("one");
    window.line("/chats");
    window.says("waiting for the server");
    place.restart();
    window.says("✓    you: one\n");
    window.changes(|screen| !screen.contains("waiting") && screen.contains("     1  bob  "));
}

#[test]
#[ignore = "needs tmux"]
fn a_log_that_was_put_back_is_shown_as_it_is_and_nothing_of_it_swallowed() {
    let mut place = Place::with(&["ana", "bob"]);
    // The window lives in the folder of the first log, which so has to outlive it.
    let _first;
    let window = place.talking("ana", "bob");
    let mut bob = place.client("bob");
    for text in ["one", "two", "three"] {
        bob.send("ana", text);
    }
    window.says("bob: three\n");
    place.kill();
    window.says("trying again");
    // Another log, whose first message has an id that was seen.
    let other = Place::with(&["ana", "bob"]);
    other.papod().login_quietly("bob").send("ana", "another");
    _first = std::mem::replace(&mut place.home, other.into_home());
    place.restart();
    window.says("the server's log was put back: it ends at 1, but 3 was seen");
    window.says("bob: another\n");
    // What is on the screen is read.
    let mut bob = place.papod().login_quietly("bob");
    bob.say("WAIT 1 read 20");
    bob.expect("OK WAIT 1 read");
    bob.send("ana", "and on");
    window.says("bob: and on\n");
}

#[test]
#[ignore = "needs tmux"]
fn that_a_server_ends_is_said_in_one_line_and_stands_below_until_it_is_back() {
    let mut place = Place::with(&["ana", "bob", "cid"]);
    let window = place.talking("ana", "bob");
    place.stop();
    window.shows(&format!(
        "|{}\n|── the server says BYE shutdown; trying again ──\n|      bob>\n|{OFFLINE}",
        rule("bob")
    ));
    // It is also said where one has turned elsewhere.
    window.line("/to cid");
    window.shows(&format!("|{}\n|      cid>\n|{OFFLINE}", rule("cid")));
    place.restart();
    window.key("Enter");
    window.shows(&format!("|{}\n|── connected again ──\n|      cid>", rule("cid")));
}
