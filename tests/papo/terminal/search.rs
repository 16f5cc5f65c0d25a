//! Searching at the terminal.

use super::place::Place;

#[test]
#[ignore = "needs tmux"]
fn messages_are_searched_here_and_everywhere() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let window = place.talking("ana", "bob");
    let mut bob = place.client("bob");
    for n in 1..=12 {
        bob.say(&format!("MSG ana tea {n}"));
        bob.until("OK MSG ");
    }
    let mut cid = place.client("cid");
    cid.say("MSG ana a Tea\\nhouse");
    cid.until("OK MSG ");
    window.line("/search tea 7");
    window.says("      HH:MM  bob: tea 7\n");
    window.line("/search coffee");
    window.says("      nothing found\n");
    window.line("/search ?");
    window.says("expected words to look for");
    window.line("/more");
    window.says("nothing more; /search WORDS looks for messages");
    window.line("/search all tea");
    window.says("      HH:MM  cid to you: a Tea house\n      /more shows older ones");
    window.line("/more");
    window.says("      HH:MM  bob to you: tea 3\n");
    // Ctrl-R searches for what was typed.
    window.text("TEA 12");
    window.key("C-r");
    window.says("bob> /search TEA 12");
    window.key("Enter");
    window.says("      HH:MM  bob: tea 12\n");
    // What is found goes with its message, wherever that is.
    cid.say("DEL last");
    cid.until("OK DEL ");
    window.line("/search all house");
    window.says("      nothing found\n");
    bob.say("EDIT last coffee");
    bob.until("OK EDIT ");
    window.says("      HH:MM  bob: coffee\n");
    bob.say("DEL last");
    bob.until("OK DEL ");
    window.says("      HH:MM  bob: (deleted)\n");
}
