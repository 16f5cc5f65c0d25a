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
fn an_invitation_is_shown_as_it_is_typed_and_whoever_joins_turns_to_the_group() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let window = place.shell("ana");
    window.start("papo");
    window.says("/help has the rest");
    window.line("/invite");
    window.says("usage: /invite [GROUP] [USES] [8h]\n");
    window.line("/group new team");
    window.says("#team has only you;");
    window.line("/invite 2 8h");
    window.says("an invitation to #team, for 2 people within 8 hours; they type\n      /join team");
    let join = |screen: &str| {
        let mut lines = screen.lines().filter(|line| line.starts_with("      /join team papo_"));
        lines.next_back().unwrap().trim().to_owned()
    };
    let void = join(&window.screen());
    window.line("/invite Off");
    window.says("no invitation to #team is good any more\n");
    window.line("/invite 0");
    window.says("usage: /invite [GROUP] [USES] [8h]\n    #team>");
    window.line("/invite");
    window.says("an invitation to #team, for 1 person within 1 day; they type\n");
    let good = join(&window.screen());

    let guest = place.shell("bob");
    guest.start("papo");
    guest.says("/help has the rest");
    guest.line(good.split(' ').next_back().unwrap());
    guest.says("to whom? ");
    // A token does not say of which group it is.
    guest.line(&good.replace(" team", ""));
    guest.says("usage: /join GROUP [TOKEN]\n");
    guest.line(&void);
    guest.says("#team: no such group, or not one that you can join; ask there for an invitation\n");
    guest.line(&good);
    let joined = format!("|{}\n|── today ──\n|HH:MM      * you joined\n", rule("#team"));
    guest.shows(&format!("{joined}|    #team>"));
    window.says("* bob joined\n");
    guest.line("/invite");
    let refusal = "#team: only its admins may do this; /group who team shows them\n";
    guest.shows(&format!("{joined}|{refusal}|    #team>"));
    // It was good for one.
    let other = place.shell("cid");
    other.start("papo");
    other.says("/help has the rest");
    other.line(&good);
    other.says("#team: no such group, or not one that you can join;");
}

#[test]
#[ignore = "needs tmux"]
fn the_rules_of_a_group_are_shown_and_set() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let window = place.shell("ana");
    window.start("papo");
    window.says("/help has the rest");
    window.line("/group new team bob");
    window.says("you made the group, with bob");
    window.line("/rules");
    let head = |change: &str| {
        format!("|{}\n|── today ──\n|HH:MM      * {change} the group, with bob\n", rule("#team"))
    };
    let rules = "|      write   all\n|      add     admins\n|      join    closed\n";
    window.shows(&format!("{}{rules}|    #team>", head("you made")));
    for (typed, shown) in [("/ru", "/rules"), ("w", "/rules write"), ("ad", "/rules write admins")]
    {
        window.text(typed);
        window.key("Tab");
        window.says(&format!("#team> {shown}"));
    }
    window.key("Enter");
    window.says("* you allowed only admins to write\n");
    window.line("/rules join maybe");
    window.says("expected closed or open\n");

    let member = place.shell("bob");
    member.start("papo");
    member.says("* ana allowed only admins to write\n    #team>");
    member.line("hello");
    member.says("not sent: #team: only its admins may write here; /react is open to all\n");
    member.line("/rules add all");
    member.says("#team: only its admins may do this; /group who team shows them\n");
    // A group is completed there as well.
    member.text("/rules +te");
    member.key("Tab");
    member.says("#team> /rules +team");
    member.key("Enter");
    member.says("      write   admins\n      add     admins\n      join    closed\n");

    let other = place.shell("cid");
    other.start("papo");
    other.says("/help has the rest");
    other.line("/group open");
    other.says("no group is open to everyone\n");
    window.line("/rules join open");
    member.says("* ana opened the group to everyone\n");
    other.line("/group open");
    other.says("#team                 -           2\n");
    other.line("/join team");
    other.says("* you joined\n    #team>");
    member.says("* cid joined\n");
    window.line("/group remove cid");
    other.says("* ana removed you\n");
    other.line("/join team");
    other.says("#team: an admin has removed you; an admin can add you again\n");
    window.line("/rules write all");
    member.says("* ana allowed everyone to write\n");
    member.line("hello");
    window.says("bob: hello\n");
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
