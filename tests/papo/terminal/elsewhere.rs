//! What is said in other conversations than the one that is turned to.

use std::fmt::Write;

use super::place::{Place, rule};
use super::window::Window;
use crate::process::{Entry, PASSWORD};

#[test]
#[ignore = "needs tmux"]
fn a_flurry_elsewhere_leaves_the_conversation_where_it_is() {
    let others: Vec<String> = (1..=15).map(|n| format!("friend-{n}")).collect();
    let mut handles = vec!["ana", "bob"];
    handles.extend(others.iter().map(String::as_str));
    let place = Place::with(&handles);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("one moment");
    bob.until("MSG ");
    window.text("half a line");
    for round in 1..=3 {
        for other in &others {
            place.papod().login_quietly(other).send("ana", &format!("number {round}"));
        }
    }
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM ✓    you: one moment
         |      bob> half a line
         |      16:friend-15(3) 15:friend-14(3) +13  friend-15: number 3",
        rule("bob")
    ));
    // The list has each of them, the newest first, with what was said last.
    window.key("C-c");
    window.line("/chats");
    let rows = (1..=15).rev().fold(String::new(), |mut rows, n| {
        let name = format!("friend-{n}");
        writeln!(rows, "|{:>6}  {name:<9}  3 unread  HH:MM  {name}: number 3", n + 1).unwrap();
        rows
    });
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM ✓    you: one moment
         {rows}|     1  bob                  HH:MM  you: one moment
         |      bob>
         |      16:friend-15(3) 15:friend-14(3) +13  friend-15: number 3",
        rule("bob")
    ));
}

#[test]
#[ignore = "needs tmux"]
fn the_list_knows_what_was_said_last_before_it_began() {
    let place = Place::with(&["ana", "bob", "cid"]);
    place.client("cid").send("ana", r"long\nago");
    let mut ana = place.papod().login_quietly("ana");
    ana.say("READ 1");
    ana.until("OK READ");
    ana.send("bob", "not so long");
    let window = place.shell("ana");
    window.start("papo");
    window.says("you: not so long\n      bob>");
    window.line("/chats");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM ✓    you: not so long
         |     1  bob  HH:MM  you: not so long
         |     2  cid  HH:MM  cid: long ago
         |      bob>",
        rule("bob")
    ));
}

#[test]
#[ignore = "needs tmux"]
fn a_number_and_a_text_say_something_elsewhere() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut cid = place.client("cid");
    cid.send("ana", "are you coming?");
    let window = place.shell("ana");
    window.start("papo");
    window.says("cid: are you coming?\n      cid>");
    window.line("/to bob");
    window.shows(&format!("|{}\n|      bob>", rule("bob")));
    cid.until("READ 1 ");
    // Its number was not shown yet, and is another one each time.
    window.line("/1 on my way");
    let repeat = "|not sent: /1 is cid now; if you meant that, repeat it\n";
    window.shows(&format!("|{}\n{repeat}|      bob>", rule("bob")));
    cid.has_heard_all();
    window.line("/1 on my way");
    let line = cid.until("MSG ").pop().unwrap();
    assert!(line.ends_with(" ana cid - on my way"), "{line}");
    window.shows(&format!("|{}\n{repeat}|      ✓ to cid: on my way\n|      bob>", rule("bob")));
    // One that stands below is known.
    cid.send("ana", "good");
    window.says("1:cid  cid: good");
    window.line("/1 see you");
    cid.until("MSG ");
    window.line("/9 hello");
    window.says("there is no conversation 9: see /chats");
    place.client("bob").has_heard_all();
}

/// The line at the bottom is about others, whatever one has written from elsewhere.
#[test]
#[ignore = "needs tmux"]
fn what_one_has_written_elsewhere_is_no_news() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let window = place.talking("ana", "bob");
    place.client("cid").send("ana", "are you there?");
    window.says("2:cid  cid: are you there?");
    place.papod().login_quietly("ana").send("cid", "soon");
    window.line("/chats");
    window.says("2  cid  1 unread  HH:MM  you: soon");
    window.says("2:cid  cid: are you there?");
}

#[test]
#[ignore = "needs tmux"]
fn two_groups_whose_names_begin_alike_can_be_told_apart() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.papod().login_quietly("bob");
    for group in ["release-2026-11-alpha-a", "release-2026-11-alpha-b"] {
        bob.say(&format!("GROUP NEW {group} ana"));
        bob.until("OK GROUP NEW ");
    }
    let window = place.shell("ana");
    window.start("papo");
    window
        .says("#relea…-b>\n      2:#release-2026…-a  #release-2026-11-alpha-a bob made the group");
    window.key("M-n");
    window.says("#relea…-a>");
}

#[test]
#[ignore = "needs tmux"]
fn whoever_has_messages_waiting_is_not_asked_whom_to_write_to() {
    let place = Place::with(&["ana", "bob", "cid"]);
    place.client("cid").send("ana", "from cid");
    place.client("bob").send("ana", "from bob");
    let home = place.home_of("newcomer");
    let window = Window::open(&home, place.address.port(), &[("NO_COLOR", "1")]);
    window.start(&format!("papo --server {}", place.address));
    window.says("Your handle");
    window.line("ana");
    window.says("Is ana a new account");
    window.line("no");
    window.says("Your password:");
    window.tells("#{cursor_x}", "15");
    window.line(PASSWORD);
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      bob: from bob
         |      bob>
         |      2:cid  cid: from cid",
        rule("bob")
    ));
}

#[test]
#[ignore = "needs tmux"]
fn the_arrow_keys_bring_back_what_was_typed_in_that_conversation() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    let window = place.talking("ana", "bob");
    window.line("for bob");
    bob.until("MSG ");
    window.line("/to cid");
    window.says("      cid>");
    window.line("for cid");
    cid.until("MSG ");
    for _ in 0..5 {
        window.key("Up");
    }
    window.line("!");
    let line = cid.until("MSG ").pop().unwrap();
    assert_eq!(Entry::parse(&line).body, "for cid!");
    window.line("/to bob");
    window.says("      bob>");
    window.key("Up");
    window.says("bob> /to cid");
    window.key("Up");
    window.line("!");
    let line = bob.until("MSG ").pop().unwrap();
    assert_eq!(Entry::parse(&line).body, "for bob!");
}
