//! A new password, typed where everybody can see the screen.

use super::place::Place;
use crate::process::PASSWORD;

const NEW: &str = "Another-horse-1";

#[test]
#[ignore = "needs tmux"]
fn a_password_is_changed_and_never_shown() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    window.line("/passwd");
    window.says("      old>");
    window.line("wrong-horse");
    window.says("      new>");
    window.line("short");
    window.says("a password has 6 to 128 characters\n      new>");
    window.line(NEW);
    window.says("    again>");
    window.line(NEW);
    window.says("the password stays as it is: that is not the old password\n      bob>");
    window.line("/passwd");
    window.says("      old>");
    window.paste(PASSWORD);
    window.key("Enter");
    window.says("      new>");
    window.text(&format!("{NEW}2"));
    window.key("BSpace");
    window.key("Enter");
    window.says("    again>");
    window.line(NEW);
    window.says("the password was changed\n");
    // It goes on, though it was opened with the old one; and the arrow keys and undo know nothing.
    let mut bob = place.papod().login_quietly_as("ana", NEW);
    bob.say("PING");
    bob.until("OK PING");
    let mut bob = place.client("bob");
    window.line("still here");
    bob.until("MSG ");
    window.says("✓    you: still here");
    for key in ["Up", "Up", "C-_", "C-y", "C-c"] {
        window.key(key);
        let screen = window.screen();
        for secret in [NEW, PASSWORD, "wrong-horse", "short"] {
            assert!(!screen.contains(secret), "{screen}");
        }
    }
}

#[test]
#[ignore = "needs tmux"]
fn a_password_that_is_not_given_stays() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    window.line("/passwd");
    window.says("      old>");
    window.key("C-c");
    window.says("the password stays as it is\n      bob>");
    window.line("/passwd");
    window.says("      old>");
    window.line(PASSWORD);
    window.says("      new>");
    window.line(NEW);
    window.says("    again>");
    window.line("Another-horse-2");
    window.says("the passwords do not match; the old one stays\n      bob>");
    place.papod().login_quietly("ana");
}
