//! What is done to a message after it was said: in place where it is on the screen, in a line of its
//! own where it is not, and the same in history.

use super::place::{Place, rule};
use super::window::Window;

/// A screen without a line for the day, which has the prompt of a conversation with bob.
fn shows(window: &Window, lines: &str) {
    window.shows(&format!("|{}\n|── today ──\n{lines}\n|      bob>", rule("bob")));
}

#[test]
#[ignore = "needs tmux"]
fn an_edit_is_made_in_place_while_one_types() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.sends("lunch at one?");
    window.sends("or not");
    bob.until("MSG 2 ");
    let id = bob.send("ana", "which lunch?");
    window.says("bob: which lunch?");
    // The last message of one's own, by a part of it, by all of it, and an earlier one by a piece.
    window.line("s/not/at two/");
    let edit = bob.until("EDIT ").pop().unwrap();
    assert!(edit.ends_with(" ana bob re=2 or at two"), "{edit}");
    window.line("/edit or at three");
    window.line("/edit lunch/ lunch at noon?");
    let edit = bob.until("EDIT 6 ").pop().unwrap();
    assert!(edit.ends_with(" ana bob re=1 lunch at noon?"), "{edit}");
    window.text("half");
    let long = "which lunch, when there is none, and nobody has asked for one since spring?";
    bob.say(&format!("EDIT {id} {long}"));
    let shown = "|HH:MM ✓    you: lunch at noon? (edited)
         |HH:MM ✓    you: or at three (edited)
         |HH:MM      bob: which lunch, when there is none, and nobody has asked for one
         |           since spring? (edited)";
    window.shows(&format!("|{}\n|── today ──\n{shown}\n|      bob> half", rule("bob")));
    bob.say("READ 2");
    window.says("read you: or at three (edited)");
    window.text(" a line");
    bob.say(&format!("EDIT {id} which?"));
    let shown = "|HH:MM read you: lunch at noon? (edited)
         |HH:MM read you: or at three (edited)
         |HH:MM      bob: which? (edited)";
    window.shows(&format!("|{}\n|── today ──\n{shown}\n|      bob> half a line", rule("bob")));
    window.key("C-c");
    // Ticks still find their place, and history says the same.
    window.line("there");
    bob.until("MSG ");
    bob.say("READ 9");
    let shown = format!("{shown}\n         |HH:MM read you: there");
    shows(&window, &shown);
    window.line("/to ana");
    window.says("      ana>");
    window.line("/to bob");
    shows(&window, &shown);
    window.line("/marks lunch");
    window.says("      HH:MM  you: lunch at one?\n      HH:MM  you: lunch at noon?\n");
    // They leave with the message.
    window.line("/del lunch");
    window.says("delete?>");
    window.line("");
    bob.until("DEL ");
    window.changes(|screen| screen.contains("you: (deleted)") && !screen.contains("lunch at"));
}

#[test]
#[ignore = "needs tmux"]
fn what_is_off_the_screen_is_told_in_a_line() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("a question of mine");
    bob.until("MSG 1 ");
    bob.send("ana", "lunch at one?");
    bob.send("ana", "my pin is 4711");
    for n in 1..=22 {
        bob.send("ana", &format!("number {n}"));
    }
    bob.until("READ 25 ");
    bob.say("EDIT 2 lunch at two?");
    window.says("number 22\n      ✎ bob: lunch at two?\n      bob>");
    bob.say("EDIT 3 my pin is no secret");
    window.says("\n      ✎ bob: my pin is no secret\n      bob>");
    // That line leaves with its message.
    bob.say("DEL 3");
    window.says("at two?\n      ✎ bob: (deleted)\n      bob>");
    bob.say("REACT 1 👍");
    window.says("(deleted)\n      👍 bob: “a question of mine”\n      bob>");
    bob.say("REACT 1 ok");
    window.says("(deleted)\n      ok bob: “a question of mine”\n      bob>");
    // Nobody is told that somebody has reacted to somebody else, and it shows on its page.
    bob.say("REACT 2 ok");
    bob.until("OK REACT ");
    window.key("PageUp");
    window.says(
        "           ok 1
HH:MM      bob: lunch at two? (edited)
           ok 1
HH:MM      bob: (deleted)
HH:MM      bob: number 1\n",
    );
}

#[test]
#[ignore = "needs tmux"]
fn a_deletion_asks_first_and_leaves_nothing_on_the_screen() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    let window = place.talking("ana", "bob");
    window.sends("my pin is 4711");
    let asked =
        "delete “my pin is 4711” for everyone? Enter deletes it, Ctrl-C keeps it\n  delete?>";
    window.line("/del");
    window.says(asked);
    window.key("C-c");
    window.says("it is not deleted\n      bob>");
    window.line("/del");
    window.says("Ctrl-C keeps it\n  delete?>");
    window.line("no");
    bob.until("MSG 2 ");
    window.says("you: no\n      bob>");
    window.line("/del pin/");
    window.says("Ctrl-C keeps it\n  delete?>");
    window.key("Enter");
    let heard = bob.until("DEL ");
    assert!(heard.last().unwrap().ends_with(" ana bob re=1 -"), "{heard:?}");
    assert_eq!(heard.len(), 1, "{heard:?}");
    window.key("C-l");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM ✓    you: (deleted)
         |      it is not deleted
         |HH:MM ✓    you: no
         |      bob>",
        rule("bob")
    ));
    // Elsewhere it leaves the line at the bottom and the list.
    let id = cid.send("ana", "a secret");
    window.says("2:cid  cid: a secret");
    cid.say(&format!("DEL {id}"));
    window.says("2:cid  cid: (deleted)");
    window.line("/chats");
    window.says("2  cid  1 unread  HH:MM  cid: (deleted)");
    window.line("/to cid");
    window
        .shows(&format!("|{}\n|── today ──\n|HH:MM      cid: (deleted)\n|      cid>", rule("cid")));
}

#[test]
#[ignore = "needs tmux"]
fn what_was_deleted_while_one_was_away_is_there_without_its_text() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    bob.send("ana", "lunch at one?");
    bob.send("ana", "my pin is 4711");
    for mark in ["EDIT 1 lunch at two?", "DEL 2", "REACT 1 ok"] {
        bob.say(mark);
        bob.until("OK ");
    }
    let window = place.shell("ana");
    window.start("papo");
    let shown = "|HH:MM      bob: lunch at two? (edited)
         |           ok 1
         |HH:MM      bob: (deleted)";
    shows(&window, shown);
    bob.until("ACK 2 ");
    window.text("x");
    bob.until("READ 2 ");
    bob.send("ana", "I am here");
    bob.until("READ 6 ");
    window.key("C-c");
    shows(&window, &format!("{shown}\n|HH:MM      bob: I am here"));
}

#[test]
#[ignore = "needs tmux"]
fn what_waits_elsewhere_is_announced_though_a_mark_came_after_it() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut cid = place.client("cid");
    cid.send("ana", "one");
    place.client("bob").send("ana", "hello");
    for mark in ["EDIT 1 two", "REACT 1 ok"] {
        cid.say(mark);
        cid.until("OK ");
    }
    let window = place.shell("ana");
    window.start("papo");
    // A mark moves no conversation up: bob's is opened.
    window.says("bob: hello\n      bob>\n      2:cid  cid: two");
}

#[test]
#[ignore = "needs tmux"]
fn an_admin_deletes_what_others_said() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("/group new team bob");
    window.says("#team>");
    bob.until("GROUP ");
    bob.send("#team", "buy now");
    window.says("bob: buy now");
    window.line("/del buy");
    window.says("delete “buy now” for everyone?");
    window.key("Enter");
    let heard = bob.until("DEL ").pop().unwrap();
    assert!(heard.contains(" ana #team re=2,at=bob -"), "{heard}");
    window.key("C-l");
    window.changes(|screen| screen.contains("HH:MM      bob: (deleted)\n"));
}

#[test]
#[ignore = "needs tmux"]
fn what_was_done_during_an_outage_shows_when_it_is_over() {
    let mut place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    for text in ["one", "two", "three"] {
        bob.send("ana", text);
    }
    window.says("bob: three");
    place.kill();
    window.says("trying again");
    let elsewhere = place.home.start();
    let mut bob = elsewhere.login_quietly("bob");
    for mark in ["EDIT 1 1", "DEL 2", "REACT 3 ok", "MSG ana four"] {
        bob.say(mark);
        bob.until("OK ");
    }
    elsewhere.stop();
    place.restart();
    window.says("connected again");
    window.changes(|screen| {
        let lines: Vec<&str> = screen.lines().skip(2).filter(|line| !line.contains('─')).collect();
        lines
            == [
                "HH:MM      bob: 1 (edited)",
                "HH:MM      bob: (deleted)",
                "HH:MM      bob: three",
                "           ok 1",
                "HH:MM      bob: four",
                "      bob>",
            ]
    });
}

#[test]
#[ignore = "needs tmux"]
fn reactions_stand_under_the_message_with_ones_own_marked() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("lunch at one?");
    bob.until("MSG 1 ");
    bob.send("ana", "1 fish or 2 pizza?");
    bob.until("READ 2 ");
    // Numbers are counted from below, and stay whatever comes.
    window.key("M-m");
    window.says("HH:MM 2    you: lunch at one?\nHH:MM 1    bob: 1 fish or 2 pizza?\n");
    bob.send("ana", "or nothing?");
    window.says("HH:MM 1    bob: 1 fish or 2 pizza?\nHH:MM      bob: or nothing?\n      bob>");
    window.line("/react 1 2");
    let react = bob.until("REACT ").pop().unwrap();
    assert!(react.ends_with(" ana bob re=2,at=bob 2"), "{react}");
    bob.say("REACT 2 2");
    bob.say("REACT 1 👍");
    let two = "|HH:MM ✓✓   you: lunch at one?
         |           👍 1
         |HH:MM      bob: 1 fish or 2 pizza?
         |           [2 2]
         |HH:MM      bob: or nothing?";
    bob.say("ACK");
    shows(&window, two);
    window.key("M-m");
    window.says("HH:MM 1    bob: or nothing?");
    window.key("M-3");
    bob.until("REACT ");
    window.says("HH:MM 3    you: lunch at one?\n           [👍 2]\n");
    // Once more takes it back; Alt-M takes the numbers away.
    window.key("M-3");
    bob.until("REACT ");
    window.says("HH:MM 3    you: lunch at one?\n           👍 1\n");
    window.key("M-m");
    shows(&window, two);
    window.key("M-3");
    window.says("Alt-M shows the numbers of the messages\n");
    window.line("/react fish/ -");
    bob.until("REACT ");
    window.says("bob: 1 fish or 2 pizza?\n           2 1\n");
    window.line("/marks fish");
    window.says("      HH:MM  2 bob\n      bob>");
}

#[test]
#[ignore = "needs tmux"]
fn what_is_changed_while_the_server_is_dead_is_changed_when_it_is_back() {
    let mut place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    window.line("lunch at one?");
    window.says("✓    you: lunch at one?");
    place.kill();
    window.says("trying again");
    window.line("s/one/two/");
    window.key("C-d");
    window.says("1 change not sent yet; press Ctrl-D again to leave without it\n");
    window.text("x");
    window.key("C-c");
    place.restart();
    window.says("✓    you: lunch at two? (edited)\n");
    // Left at once, it is not made, and that is said.
    place.kill();
    window.says("trying again ──\n      bob>\n      offline");
    window.line("s/two/three/");
    window.line("/quit now");
    window.says("papo: not confirmed: 1 change of messages\n");
    window.says("papo: left with 1 unsent\nstatus 3\n");
}

#[test]
#[ignore = "needs tmux"]
fn help_and_completion_know_all_of_it() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    window.text("/help m");
    window.key("Tab");
    window.says("bob> /help messages");
    window.key("Enter");
    window.says("  /re yes          answer that of somebody else; Alt-R too\n");
    window.text("/unl");
    window.key("Tab");
    window.text("a");
    window.key("Tab");
    window.says("bob> /unless answered");
    window.key("C-c");
    window.line("/re");
    window.says("usage: /re TEXT answers the last message; /re PIECE/ TEXT another one\n");
    window.line("/edit");
    window.says("usage: /edit TEXT changes your last message; Alt-E brings it back\n");
}
