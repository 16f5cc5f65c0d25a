//! What happens when answers to commands and events overtake each other: they come over two
//! connections.

use super::place::Place;
use super::relay::Relay;
use super::window::Window;
use crate::process::id;

/// A terminal of ana's behind a relay, where the prompt is that of bob. It says this at its start. All
/// that it has asked by then is answered.
fn behind(place: &Place, start: &str) -> (Relay, Window) {
    let relay = Relay::start(place.address);
    let window = place.shell("ana");
    window.start(&format!("papo --server {}", relay.address));
    window.says(start);
    window.line("/to bob");
    window.sends("hello");
    (relay, window)
}

#[test]
#[ignore = "needs tmux"]
fn what_is_read_before_it_is_known_to_be_sent_is_read() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    bob.say("GROUP NEW team ana");
    bob.until("OK GROUP ");
    let (relay, window) = behind(&place, "    #team>");
    for (with, to) in [("#team", "#team"), ("bob", "ana")] {
        window.line(&format!("/to {with}"));
        window.says(&format!("{with:>9}>"));
        // So nothing asked before is answered behind the gate.
        window.sends("one");
        bob.until("MSG ");
        relay.hold();
        window.line("two");
        while !bob.until("MSG ").pop().unwrap().ends_with(" two") {}
        bob.say("READ");
        bob.until("OK READ ");
        bob.send(to, "seen");
        window.says("bob: seen");
        relay.release();
        window.says("read you: two");
    }
}

#[test]
#[ignore = "needs tmux"]
fn what_is_deleted_before_it_is_found_is_gone() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    let (relay, window) = behind(&place, "/help has the rest");
    let secret = bob.send("ana", "a secret of bob");
    bob.say(&format!("EDIT {secret} a secret of bob, edited"));
    let other = cid.send("ana", "a secret of cid");
    window.says("2:cid  cid: a secret of cid");
    window.line("/more");
    relay.hold();
    window.line("/search all secret");
    window.line("/marks edited");
    bob.say(&format!("DEL {secret}"));
    cid.say(&format!("DEL {other}"));
    window.says("bob: (deleted)\n");
    window.says("2:cid  cid: (deleted)");
    relay.release();
    // What was asked for comes, and what holds of it.
    window.line("/search all hello");
    window.says("you to bob: hello");
    window.changes(|screen| !screen.contains("secret of"));
    relay.hold();
    let third = cid.send("ana", "a third secret");
    window.says("cid: a third secret");
    window.line("/to cid");
    window.says("      cid>");
    cid.say(&format!("DEL {third}"));
    cid.until("OK DEL ");
    cid.has_heard_all();
    relay.release();
    window.says("cid: (deleted)\n      cid>");
    window.line("/to bob");
    window.line("/chats");
    window.says("cid: (deleted)\n");
    window.changes(|screen| !screen.contains("secret"));
}

#[test]
#[ignore = "needs tmux"]
fn what_is_unread_is_counted_whichever_comes_first() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut cid = place.client("cid");
    let mut phone = place.papod().login_quietly("ana");
    let (relay, window) = behind(&place, "/help has the rest");
    // The list comes later than what it does not know of.
    relay.hold();
    window.line("/chats");
    window.says("waiting for the server");
    cid.send("ana", "one");
    window.says("cid: one");
    relay.release();
    window.says("1  bob");
    window.says("\n      2:cid  cid: one");
    // Another device has read a part, and then all but what it has said itself.
    let second = cid.send("ana", "two");
    cid.send("ana", "three");
    window.says("2:cid(3)  cid: three");
    phone.say(&format!("READ {second}"));
    window.says("2:cid  cid: three");
    let last = cid.send("ana", "four");
    window.says("2:cid(2)  cid: four");
    phone.send("cid", "an answer");
    phone.say(&format!("READ {last}"));
    window.changes(|screen| screen.ends_with("      bob>"));
}

#[test]
#[ignore = "needs tmux"]
fn what_another_device_says_meanwhile_has_its_ticks_and_reactions() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    let mut phone = place.papod().login_quietly("ana");
    let (relay, window) = behind(&place, "/help has the rest");
    relay.hold();
    window.line("one");
    while !bob.until("MSG ").pop().unwrap().ends_with(" one") {}
    phone.send("bob", "from the phone");
    let said = id(&bob.until("MSG ").pop().unwrap());
    bob.say(&format!("REACT {said} ok"));
    bob.say(&format!("READ {said}"));
    bob.until("OK READ ");
    cid.send("ana", "seen");
    window.says("cid: seen");
    // It is said when the answer to the first has come, and bob's before it.
    window.line("two");
    window.says("…    you: two");
    bob.send("ana", "before");
    window.says("bob: before");
    relay.release();
    window.says(
        "HH:MM read you: one\nHH:MM read you: from the phone\n           ok 1\nHH:MM      bob: before\nHH:MM ✓    you: two\n",
    );
}
