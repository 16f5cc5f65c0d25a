//! Messages that are sent later, and reminders.

use super::place::{Place, rule};

#[test]
#[ignore = "needs tmux"]
fn what_is_sent_later_is_listed_sent_and_cancelled() {
    let place = Place::with(&["ana", "bob", "oncall"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("/later");
    window.says("nothing waits to be sent\n");
    window.line("/at soon tea");
    window.says("/at: expected +10m");
    window.line("/at +1h it is five o'clock");
    window.says("to bob: it is five o'clock  (/later del 1)\n");
    window.sends("are you there?");
    bob.until("MSG 1 ");
    window.line("/unless read 30m oncall bob does not read");
    window.says("unless read, to oncall: bob does not read  (/later del 2)\n");
    window.key("C-l");
    window.line("/later");
    window.changes(|screen| {
        let rows: Vec<&str> = screen.lines().filter(|line| line.contains('⏲')).collect();
        rows.len() >= 4 && rows[rows.len() - 2].ends_with("bob does not read  (/later del 2)")
    });
    window.line("/later del 1");
    window.says("cancelled: it will not be sent\n");
    window.line("/later del 1");
    window.says("nothing waits under this number; /later shows what does\n");
    // It comes as a message that was said then.
    window.line("/at +0 now");
    let heard = bob.until("MSG ").pop().unwrap();
    assert!(heard.ends_with(" ana bob late=3 now"), "{heard}");
    window.says("HH:MM ✓    you: ⏲ now\n");
    // It cannot be sent when it is due, and its author learns that.
    window.line("/unless read 0 oncall nobody");
    window.says("4)\n");
}

#[test]
#[ignore = "needs tmux"]
fn a_reminder_rings_and_is_unread_until_it_is_shown() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.shell("ana");
    window.start("papo --bell");
    window.says("/help has the rest");
    window.line("/to bob");
    window.says("      bob>");
    let mut phone = place.client("ana");
    window.tells("#{window_bell_flag}", "0");
    phone.say("AT +0 MSG ana tea");
    phone.until("MSG ");
    window.tells("#{window_bell_flag}", "1");
    window.says(":ana  you: tea");
    window.key("M-n");
    window.shows(&format!(
        "|{}\n|── today ──\n|HH:MM ✓    you: ⏲ tea\n|      ana>",
        rule("notes to yourself")
    ));
    // Its other sessions learn that it was read.
    phone.until("READ 1 ");
}
