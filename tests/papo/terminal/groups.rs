//! Groups: made, changed, and written to.

use super::place::{Place, rule};
use crate::process::id;

#[test]
#[ignore = "needs tmux"]
fn the_ticks_of_a_group_are_those_of_the_last_of_its_members() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    let window = place.shell("ana");
    window.start("papo");
    window.says("/help has the rest");
    window.line("/group new team bob cid");
    let head = format!("|{}\n|── today ──\n", rule("#team"));
    window.shows(&format!("{head}|HH:MM      * you made the group, with bob, cid\n|    #team>"));
    place.papod().login_quietly("ana").say("GROUP ADMIN team bob");
    bob.until("GROUP 2 ");
    for change in ["TOPIC team Friday: soup", "REMOVE team cid", "ADD team cid"] {
        bob.say(&format!("GROUP {change}"));
    }
    window.says("bob added cid");
    window.line("to all");
    let id = id(bob.until("MSG ").last().unwrap());
    cid.until("MSG ");
    let entries = format!(
        "{head}|HH:MM      * you made the group, with bob, cid
         |HH:MM      * you made bob an admin
         |HH:MM      * bob set the topic: Friday: soup
         |HH:MM      * bob removed cid
         |HH:MM      * bob added cid\n"
    );
    window.shows(&format!("{entries}|HH:MM ✓    you: to all\n|    #team>"));
    bob.say(&format!("READ {id}"));
    bob.until("OK READ ");
    // It has come to one of them, which is not all.
    window.line("/info");
    let info = "|      bob                   read       YYYY-MM-DD HH:MM\n|      cid                   sent\n";
    let shows = |sign: &str| {
        window.shows(&format!("{entries}|HH:MM {sign:<4} you: to all\n{info}|    #team>"));
    };
    shows("✓");
    cid.say(&format!("ACK {id}"));
    shows("✓✓");
    cid.say(&format!("READ {id}"));
    shows("read");
}

#[test]
#[ignore = "needs tmux"]
fn the_ticks_of_a_group_do_not_wait_for_somebody_who_has_left() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    let window = place.shell("ana");
    window.start("papo");
    window.says("/help has the rest");
    window.line("/group new team bob cid");
    window.says("you made the group, with bob, cid");
    window.line("to all");
    let id = id(bob.until("MSG ").last().unwrap());
    bob.say(&format!("READ {id}"));
    bob.until("OK READ ");
    cid.say("GROUP LEAVE team");
    cid.until("OK GROUP LEAVE ");
    window.says("cid left");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      * you made the group, with bob, cid
         |HH:MM read you: to all
         |HH:MM      * cid left
         |    #team>",
        rule("#team")
    ));
    window.line("/info");
    window.says("cid                   left");
}

#[test]
#[ignore = "needs tmux"]
fn a_change_of_ones_own_is_shown_once_and_in_words() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let window = place.shell("ana");
    window.start("papo");
    window.says("/help has the rest");
    window.line("/group new team bob");
    window.says("you made the group, with bob");
    window.line("/group add team cid");
    window.says("you added cid");
    window.line("/chats");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      * you made the group, with bob
         |HH:MM      * you added cid
         |     1  #team  HH:MM  you added cid
         |    #team>",
        rule("#team")
    ));
}

#[test]
#[ignore = "needs tmux"]
fn what_is_done_in_a_group_need_not_name_it() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut bob = place.client("bob");
    let window = place.shell("ana");
    window.start("papo");
    window.says("/help has the rest");
    window.line("/group new team");
    window.says("* you made the group\n");
    window.says("#team has only you; /group add HANDLE adds people\n");
    window.line("/group add bob");
    bob.until("GROUP 2 ");
    window.line("/group topic Friday: soup");
    assert!(bob.until("GROUP 3 ")[0].ends_with(" topic Friday: soup"));
    window.text("/group re");
    window.key("Tab");
    window.says("#team> /group remove");
    window.line("cid");
    window.says("cid: not in #team; /group who team shows who is");
    window.line("/group");
    window.says("/group topic [GROUP] TEXT");
    window.says("Without GROUP, it is the one you are in.\n");
    window.line("/group leave");
    bob.until("GROUP 4 ");
}

#[test]
#[ignore = "needs tmux"]
fn the_ticks_of_many_messages_are_found_when_one_turns_to_them() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let mut ana = place.papod().login_quietly("ana");
    for group in ["one", "two"] {
        ana.say(&format!("GROUP NEW {group} bob"));
        for n in 1..=10 {
            let id = ana.send(&format!("#{group}"), &format!("number {n}"));
            match n {
                7 => bob.say(&format!("READ {id}")),
                9 => bob.say(&format!("ACK {id}")),
                _ => {}
            }
        }
    }
    bob.say("PING");
    bob.until("OK PING");
    let window = place.shell("ana");
    window.start("papo");
    window.says("     #two>");
    // Turned to and away again while that is being found out.
    window.line("/to +one");
    window.line("/to +two");
    window.line("/to +one");
    let ticks = ["read"; 7].into_iter().chain(["✓✓", "✓✓", "✓"]);
    let rows = ticks.zip(1..).map(|(tick, n)| format!("|HH:MM {tick:<4} you: number {n}\n"));
    let change = "|── today ──\n|HH:MM      * you made the group, with bob\n";
    let rows: String = rows.collect();
    window.shows(&format!("|{}\n{change}{rows}|     #one>", rule("#one")));
}
