//! Bytes and characters of all kinds, typed and shown.

use super::place::{Place, rule};
use super::window::Window;
use crate::process::{Entry, PASSWORD};

#[test]
#[ignore = "needs tmux"]
fn a_byte_that_is_not_utf_8_ends_nothing_and_can_be_mended() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    // What a terminal sends that is set to Latin-1.
    window.tmux(&["send-keys", "-H", "63", "61", "66", "e9", "20", "6f", "6b"]);
    window.shows(&format!(
        "|{}
         |what you typed is not UTF-8 and became \u{fffd}: set your terminal to UTF-8
         |      bob> caf\u{fffd} ok",
        rule("bob")
    ));
    for _ in 0..4 {
        window.key("BSpace");
    }
    window.text("é");
    window.key("Enter");
    assert_eq!(Entry::parse(&bob.until("MSG ")[0]).body, "café");
    // A paste of such bytes, with line ends in it, is one message as well.
    window.paste_bytes(b"na\xefve\nlines\xff\n");
    window.says("lines\u{fffd}");
    window.key("Enter");
    assert_eq!(Entry::parse(&bob.until("MSG ")[0]).body, "na\u{fffd}ve\\nlines\u{fffd}");
}

#[test]
#[ignore = "needs tmux"]
fn what_has_no_certain_width_pushes_nothing_away() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    // The editor reckons with no column for these, and tmux with one.
    let soft = "so\u{ad}ft ".repeat(14);
    bob.send("ana", &format!("{soft}hyphens"));
    window.text(&format!("{soft}too"));
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      bob: {}
         |           {}hyphens
         |      bob> {}
         | too",
        rule("bob"),
        "soft ".repeat(12),
        "soft soft ",
        "soft ".repeat(14).trim_end(),
    ));
    window.key("Enter");
    assert_eq!(Entry::parse(&bob.until("MSG ").pop().unwrap()).body, format!("{soft}too"));
    for n in 1..=30 {
        bob.send("ana", &format!("\u{200b}\u{3164}{n} 👩\u{200d}👩\u{200d}👧 \u{2764}\u{fe0f}"));
    }
    window.says("bob: 30 ");
    let screen = window.screen();
    assert_eq!(screen.lines().filter(|line| line.contains("bob: ")).count(), 22, "{screen}");
}

#[test]
#[ignore = "needs tmux"]
fn a_row_that_is_full_leaves_the_screen_as_it_is() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let window = place.talking("ana", "bob");
    place.client("cid").send("ana", "hello");
    window.says("2:cid  cid: hello");
    let shows = |rows: &str| {
        window.shows(&format!("|{}\n|      bob> {rows}\n|      2:cid  cid: hello", rule("bob")));
    };
    // 11 columns are the prompt's.
    let full = "x".repeat(69);
    window.text(&full);
    shows(&format!("{full}\n|"));
    window.text("y");
    shows(&format!("{full}\n|y"));
    window.key("BSpace");
    shows(&format!("{full}\n|"));
    window.key("BSpace");
    shows(&full[1..]);
    window.text("!");
    place.papod().login_quietly("cid").send("bob", "nothing to ana");
    shows(&format!("{}!\n|", &full[1..]));
    window.key("Home");
    window.key("C-k");
    window.shows(&format!("|{}\n|      bob>\n|      2:cid  cid: hello", rule("bob")));
}

#[test]
#[ignore = "needs tmux"]
fn a_link_is_one_line_for_the_terminal() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    let link = format!("https://ci.example.org/{}?token=0123", "artifacts/".repeat(12));
    bob.send("ana", &format!("see {link} now"));
    window.says("           now\n");
    window.line("I do");
    bob.until("MSG ");
    bob.say("READ");
    window.says("read you: I do");
    window.shows_joined(&format!(
        "|{}
         |── today ──
         |HH:MM      bob: see
         |{link}
         |           now
         |HH:MM read you: I do
         |      bob>",
        rule("bob")
    ));
}

#[test]
#[ignore = "needs tmux"]
fn a_byte_that_is_not_utf_8_ends_no_question() {
    let place = Place::with(&["ana"]);
    let home = place.home_of("newcomer");
    let window = Window::open(&home, place.address.port(), &[("NO_COLOR", "1")]);
    window.start(&format!("papo --server {}", place.address));
    window.says("Your handle");
    window.tmux(&["send-keys", "-H", "61", "e9", "0d"]);
    window.says("expected a handle: a letter a-z, then letters a-z, digits");
    window.line("ana");
    window.says("Is ana a new account");
    window.line("no");
    window.says("Your password:");
    window.tells("#{cursor_x}", "15");
    window.tmux(&["send-keys", "-H", "61", "e9", "0d"]);
    window.says("That is not UTF-8: set your terminal to UTF-8.\nYour password:");
    window.line(PASSWORD);
    window.says("logged in as ana");
}
