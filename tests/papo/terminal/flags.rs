//! What is muted, pinned, archived or marked as unread; preferences and devices.

use super::place::{Place, rule};
use crate::process::Client;

#[test]
#[ignore = "needs tmux"]
fn flags_order_the_list() {
    let place = Place::with(&["ana", "bob", "cid", "dora"]);
    for name in ["dora", "cid"] {
        place.papod().login_quietly(name).send("ana", "hello");
    }
    let mut ana = place.papod().login_quietly("ana");
    ana.say("READ 1");
    ana.say("READ 2");
    ana.send("bob", "hi");
    let window = place.shell("ana");
    window.start("papo");
    window.says("you: hi\n      bob>");
    window.line("/mute 8h");
    window.says("bob is muted, but for @you, until ");
    window.line("/mute off");
    window.says("bob rings again");
    window.line("/pin");
    window.says("bob is pinned");
    window.line("/mute soon");
    // Flags that another session sets come as events.
    ana.say("FLAG cid mute");
    ana.say("FLAG dora archive");
    ana.until("OK FLAG dora");
    window.line("/to cid");
    window.says("cid: hello\n      cid>");
    window.line("/chats");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      cid: hello
         |     1  bob  pinned  HH:MM  you: hi
         |     2  cid  muted   HH:MM  cid: hello
         |        and 1 archived: /chats all
         |      cid>",
        rule("cid")
    ));
    window.line("/chats all");
    window.says("3  dora  archived  ");
}

#[test]
#[ignore = "needs tmux"]
fn a_muted_conversation_is_announced_only_if_it_calls() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut ana = place.papod().login_quietly("ana");
    ana.send("bob", "hi");
    ana.say("GROUP NEW team cid");
    ana.until("OK GROUP NEW");
    ana.say("FLAG #team mute");
    ana.until("OK FLAG");
    let mut cid = place.client("cid");
    let window = place.shell("ana");
    window.start("papo");
    window.says("you: hi\n      bob>");
    cid.send("#team", "anybody?");
    // This one says that the one before it has come.
    cid.send("ana", "hello");
    let below = |line: &str| {
        window.shows(&format!(
            "|{}
             |── today ──
             |HH:MM ✓    you: hi
             |      bob>
             |      {line}",
            rule("bob")
        ));
    };
    below("3:cid  cid: hello");
    cid.send("#team", "@ana, are you there?");
    below("3:cid 1:#team(2)  #team cid: @ana, are you there?");
}

#[test]
#[ignore = "needs tmux"]
fn a_call_that_waited_is_announced_as_well() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut ana = place.papod().login_quietly("ana");
    for group in ["team", "ops"] {
        ana.say(&format!("GROUP NEW {group} cid"));
        ana.say(&format!("FLAG #{group} mute"));
    }
    ana.until("OK FLAG #ops");
    let mut cid = place.papod().login_quietly("cid");
    for (to, text) in [("#team", "@ana, soup?"), ("#team", "at one"), ("#ops", "all is well")] {
        cid.send(to, text);
    }
    place.papod().login_quietly("bob").send("ana", "hello");
    let window = place.shell("ana");
    let shows_the_call = || {
        window.start("papo");
        window.shows(&format!(
            "|{}
             |── today ──
             |HH:MM      bob: hello
             |      bob>
             |      3:#team(2)  #team cid: at one",
            rule("bob")
        ));
    };
    shows_the_call();
    // It has been received, and is still unread.
    window.key("C-d");
    window.says("status 0");
    shows_the_call();
}

#[test]
#[ignore = "needs tmux"]
fn preferences_and_devices_are_answered_in_words() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    for (typed, said) in [
        ("/pref read off", "nobody sees what you read in direct chats, nor you what they read"),
        ("/pref seen chats", "only those you have written to see when you are online"),
        ("/pref add none", "nobody may add you to groups"),
    ] {
        window.line(typed);
        window.says(&format!("      {said}\n"));
    }
    window.line("/pref");
    window.says("      read  off\n      seen  chats\n      add   none\n");
    window.text("/pref seen n");
    window.key("Tab");
    window.says("bob> /pref seen none");
    window.key("C-c");
    window.line("/devices");
    window.says("      no devices; papo login makes this machine one\n");
    place.papod().login("ana/phone");
    // Its session ends soon.
    let mut ana = place.papod().login_quietly("ana");
    let is_seen = |ana: &mut Client| {
        ana.say("DEVICES");
        !ana.until("OK DEVICES ")[0].ends_with(" -")
    };
    while !is_seen(&mut ana) {}
    window.line("/devices");
    window.says("      phone                 last seen YYYY-MM-DD HH:MM\n");
    window.line("/devices del phone");
    window.says("      phone is deleted\n");
    window.line("/devices del phone");
    window.says("phone: no device has this name; /devices shows yours\n");
}

#[test]
#[ignore = "needs tmux"]
fn what_is_marked_as_unread_is_so_until_it_is_opened() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut ana = place.papod().login_quietly("ana");
    place.papod().login_quietly("cid").send("ana", "hello");
    ana.say("READ 1");
    ana.send("bob", "hi");
    let window = place.shell("ana");
    window.start("papo");
    window.says("you: hi\n      bob>");
    ana.say("FLAG cid unread");
    ana.until("OK FLAG");
    let below = |line: &str| {
        window.shows(&format!(
            "|{}
             |── today ──
             |HH:MM ✓    you: hi
             |      bob>{line}",
            rule("bob")
        ));
    };
    below("\n|      2:cid");
    window.key("M-n");
    window.says("cid: hello\n      cid>");
    window.line("/to bob");
    below("");
    ana.say("CHATS");
    let rows = ana.until("OK CHATS");
    assert!(rows.iter().all(|row| !row.starts_with("FLAGS")), "{rows:?}");
}
