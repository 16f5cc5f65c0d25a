//! Answers with what they answer above them, and how a message is named; calls.

use super::desktop::Desktop;
use super::place::{Place, rule};

#[test]
#[ignore = "needs tmux"]
fn an_answer_stands_below_what_it_answers() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("lunch at one?");
    bob.until("MSG 1 ");
    bob.say("RE 1 the usual place?");
    window.says("           ↳ you: lunch at one?\nHH:MM      bob: the usual place?\n");
    bob.send("ana", r"or\nsomewhere else");
    window.says("somewhere else");
    // A piece of its text names it; nothing, the last one of the other.
    window.line("/re usual/ yes");
    let heard = bob.until("MSG ").pop().unwrap();
    assert!(heard.ends_with(" ana bob re=2 yes"), "{heard}");
    window.line("/re where/or what?");
    let heard = bob.until("MSG ").pop().unwrap();
    assert!(heard.ends_with(" ana bob re=3 where/or what?"), "{heard}");
    window.line("/re 2 of us");
    let heard = bob.until("MSG ").pop().unwrap();
    assert!(heard.ends_with(" ana bob re=3 2 of us"), "{heard}");
    // An edit, and a deletion, reach the quotes.
    bob.say("EDIT 2 the corner?");
    bob.say("DEL 3");
    bob.until("OK DEL ");
    let shown = "|HH:MM ✓    you: lunch at one?
         |           ↳ you: lunch at one?
         |HH:MM      bob: the corner? (edited)
         |HH:MM      bob: (deleted)
         |           ↳ bob: the corner?
         |HH:MM ✓    you: yes
         |           ↳ bob: (deleted)
         |HH:MM ✓    you: where/or what?
         |           ↳ bob: (deleted)
         |HH:MM ✓    you: 2 of us";
    let shown = format!("|{}\n|── today ──\n{shown}\n|      bob>", rule("bob"));
    window.shows(&shown);
    bob.say("ACK");
    bob.say("READ");
    let shown = shown.replace("✓ ", "read").replace("read  you", "read you");
    let shown = shown.replace("read   you", "read you");
    window.shows(&shown);
    window.line("/to ana");
    window.says("      ana>");
    window.line("/to bob");
    window.shows(&shown);
    // Who answers what was deleted is told.
    window.line("/re somewhere/ no");
    window.says("no message here has “somewhere”; PageUp loads older ones\n");
}

#[test]
#[ignore = "needs tmux"]
fn alt_r_and_alt_e_mean_what_stood_there_when_they_were_pressed() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.key("M-r");
    window.says("there is no such message here yet\n");
    bob.send("ana", "the first?");
    window.says("bob: the first?");
    window.text("3 of us");
    window.key("M-r");
    window.says("bob> /re / 3 of us");
    bob.send("ana", "the second?");
    window.says("bob: the second?");
    window.key("Enter");
    let heard = bob.until("MSG ").pop().unwrap();
    assert!(heard.ends_with(" ana bob re=1 3 of us"), "{heard}");
    window.says("✓    you: 3 of us\n");
    // Another device writes while a message is being changed here.
    window.key("M-e");
    window.says("bob> /edit / 3 of us");
    place.client("ana").send("bob", "from the phone");
    window.says("you: from the phone");
    window.text(", or 4");
    window.key("Enter");
    window.says("you: 3 of us, or 4 (edited)\n");
    let heard = bob.until("EDIT ").pop().unwrap();
    assert!(heard.ends_with(" ana bob re=3 3 of us, or 4"), "{heard}");
    // Nothing typed is lost, and several rows come back as they were.
    window.text("half");
    window.key("M-e");
    window.says("Enter sends what you have typed, Ctrl-C clears it\n      bob> half");
    window.key("C-c");
    window.text("one");
    window.key("M-Enter");
    window.line("two");
    window.says("HH:MM ✓    you: one\n           two\n");
    window.key("M-e");
    window.says("bob> /edit one\ntwo");
    window.line(" or three");
    let heard = bob.until("EDIT ").pop().unwrap();
    assert!(heard.ends_with(r"one\ntwo or three"), "{heard}");
}

#[test]
#[ignore = "needs tmux"]
fn a_message_that_looks_like_a_substitution_is_sent_when_it_is_meant() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.sends("see usr/lib");
    window.line("s/etc/bin/");
    window.says("your last message has no “etc”; the same line again is sent as it is\n");
    window.sends("s/etc/bin/");
    let heard = bob.until("MSG 2 ").pop().unwrap();
    assert!(heard.ends_with(" ana bob - s/etc/bin/"), "{heard}");
    window.sends("s/w");
    let heard = bob.until("MSG 3 ").pop().unwrap();
    assert!(heard.ends_with(" ana bob - s/w"), "{heard}");
    window.line("s/s/S/");
    window.says("you: S/w (edited)\n");
    let heard = bob.until("EDIT ").pop().unwrap();
    assert!(heard.ends_with(" re=3 S/w"), "{heard}");
    window.line(r"s/S\/w//");
    window.says("nothing would be left of it; /del deletes it\n");
    // A message of somebody else's is not one's own to change.
    bob.send("ana", "hello");
    window.says("bob: hello");
    window.line("/edit hello/ bye");
    window.says("only bob may change this; /re answers it\n");
}

#[test]
#[ignore = "needs tmux"]
fn what_is_answered_is_fetched_where_it_is_not_loaded() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    bob.say("GROUP NEW team cid");
    bob.until("OK GROUP ");
    let early = cid.send("#team", "before ana came");
    bob.say("GROUP ADD team ana");
    bob.until("OK GROUP ");
    let first = bob.send("#team", "long ago");
    for n in 1..=120 {
        bob.send("#team", &format!("number {n}"));
    }
    bob.say(&format!("RE {first} that was long ago"));
    bob.say(&format!("RE {early} and that even longer"));
    bob.until("OK RE ");
    bob.until("OK RE ");
    let window = place.shell("ana");
    window.start("papo");
    window.says(
        "           ↳ bob: long ago
HH:MM      bob: that was long ago
           ↳ a message you cannot see
HH:MM      bob: and that even longer
    #team>",
    );
    window.line("/fwd that was/ cid");
    window.says("forwarded to cid");
    let heard = cid.until(&format!("MSG {} ", early + 125)).pop().unwrap();
    assert!(heard.ends_with(" ana cid fwd=1 that was long ago"), "{heard}");
    window.line("/to cid");
    window.says("HH:MM ✓    you: that was long ago (forwarded)\n");
}

#[test]
#[ignore = "needs tmux"]
fn a_call_rings_and_a_notice_is_withdrawn_with_its_message() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    bob.say("GROUP NEW team ana");
    bob.until("OK GROUP NEW ");
    let window = place.shell_with("ana", &[]);
    let desktop = Desktop::start(&place, "ana", &window);
    window.says("#team>");
    window.tells("#{window_bell_flag}", "0");
    let id = bob.send("#team", "hello, @Ana!");
    assert_eq!(desktop.told(), "--app-name=papo --print-id papo bob calls you in #team\n");
    window.tells("#{window_bell_flag}", "1");
    window.says("bob: hello, @Ana!");
    let coloured = window.tmux(&["capture-pane", "-p", "-e"]);
    assert!(coloured.contains(": hello, \x1b[1m@Ana\x1b[0m"), "{coloured:?}");
    bob.say(&format!("DEL {id}"));
    let withdrawn = "--replace-id=17 --expire-time=1 papo a message was deleted";
    assert_eq!(desktop.told(), format!("--app-name=papo {withdrawn}\n"));
    window.says("bob: (deleted)");
    // An answer to one's own message calls, too.
    window.line("mine");
    let heard = bob.until("MSG ").pop().unwrap();
    bob.say(&format!("RE {} yours", crate::process::id(&heard)));
    assert_eq!(desktop.told(), "--app-name=papo --print-id papo bob calls you in #team\n");
}
