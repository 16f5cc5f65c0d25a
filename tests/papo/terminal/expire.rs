//! Messages that vanish.

use super::place::{Place, rule};

#[test]
#[ignore = "needs tmux"]
fn how_long_messages_stay_is_set_and_shown() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("/expire");
    window.says("what is said here stays; /expire 8h has it vanish\n");
    window.line("/expire 5");
    window.says("/expire: expected off, seconds, or a duration like 8h or 7d, from 60 seconds to");
    window.line("/expire 8h");
    assert!(bob.until("EXPIRE 1 ").pop().unwrap().ends_with(" ana bob - 28800"));
    window.says("* you set messages here to vanish after 8 hours\n");
    window.line("/expire");
    window.says("what is said here vanishes after 8 hours; /expire off ends that\n");
    bob.say("EXPIRE ana -");
    window.says("* bob set messages here to stay\n");
    window.line("/chats");
    window.says("1  bob  HH:MM  bob set messages here to stay");
    bob.say("EXPIRE ana 86400");
    bob.send("ana", "hello");
    window.says("bob: hello\n");
    window.key("C-d");
    window.start("papo");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      * you set messages here to vanish after 8 hours
         |HH:MM      * bob set messages here to stay
         |HH:MM      * bob set messages here to vanish after 1 day
         |HH:MM      bob: hello
         |      bob>",
        rule("bob")
    ));
    window.line("/expire");
    window.says("what is said here vanishes after 1 day; /expire off ends that\n");
}
