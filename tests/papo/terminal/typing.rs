//! The line that is typed: what is pasted into it, what Tab completes, and what the arrow keys bring
//! back.

use super::place::{Place, rule};

#[test]
#[ignore = "needs tmux"]
fn a_paste_of_several_lines_is_one_message() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.paste("soup\n  bread\n/quit\n");
    window.says("/quit");
    window.text("and");
    window.key("M-Enter");
    window.text("salt");
    window.shows(&format!(
        "|{}
         |      bob> soup
         |  bread
         |/quit
         |and
         |salt",
        rule("bob")
    ));
    window.key("Enter");
    let line = bob.until("MSG ").pop().unwrap();
    assert!(line.ends_with(r" ana bob - soup\n  bread\n/quit\nand\nsalt"), "{line}");
    bob.send("ana", r"one\n\ntwo\n  three\nHH:MM      ana: four");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM ✓    you: soup
         |             bread
         |           /quit
         |           and
         |           salt
         |HH:MM      bob: one
         |
         |           two
         |             three
         |           HH:MM      ana: four
         |      bob>",
        rule("bob")
    ));
}

#[test]
#[ignore = "needs tmux"]
fn tab_completes_orders_and_names() {
    let place = Place::with(&["ana", "bob", "benedict", "zoe-of-the-server"]);
    let window = place.talking("ana", "bob");
    window.text("/ch");
    window.key("Tab");
    window.says("bob> /chats");
    window.tells("#{cursor_x}", "18");
    window.key("C-c");
    // Whoever has written is known.
    place.client("benedict").send("ana", "hello");
    window.says("2:benedict  benedict: hello");
    window.text("/to Be");
    window.key("Tab");
    window.says("bob> /to Benedict");
    window.tells("#{cursor_x}", "24");
    window.key("C-c");
    // Called in a text, too.
    window.text("hello @Be");
    window.key("Tab");
    window.says("bob> hello @Benedict");
    window.key("C-c");
    // Who has not, is looked for; and what does not exist stays as it is.
    window.text("/to zo");
    window.key("Tab");
    window.says("bob> /to zoe-of-the-server");
    window.key("C-c");
    window.text("/to nobody");
    window.key("Tab");
    window.text("!");
    window.shows(&format!(
        "|{}
         |      bob> /to nobody!
         |      2:benedict  benedict: hello",
        rule("bob")
    ));
}

#[test]
#[ignore = "needs tmux"]
fn the_arrow_keys_bring_back_lines_and_the_draft() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    for line in ["one", "two"] {
        window.line(line);
        bob.until("MSG ");
    }
    window.line("/nothing");
    window.text("a draft");
    let says = |typed: &str| {
        window.shows(&format!(
            "|{}
             |── today ──
             |HH:MM ✓    you: one
             |HH:MM ✓    you: two
             |there is no /nothing; /help lists the commands, //nothing sends that text
             |      bob> {typed}",
            rule("bob")
        ));
    };
    says("a draft");
    for (key, typed) in [
        ("Up", "/nothing"),
        ("Up", "two"),
        ("Up", "one"),
        ("Up", "one"),
        ("Down", "two"),
        ("Down", "/nothing"),
        ("Down", "a draft"),
        ("Down", "a draft"),
        ("C-p", "/nothing"),
        ("C-n", "a draft"),
    ] {
        window.key(key);
        says(typed);
    }
    // What is brought back is a line like any other.
    window.key("Up");
    window.key("Up");
    window.key("End");
    window.line("!");
    let line = bob.until("MSG ").pop().unwrap();
    assert!(line.ends_with(" ana bob - two!"), "{line}");
}

#[test]
#[ignore = "needs tmux"]
fn a_paste_with_control_characters_is_refused_and_not_lost() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.paste("a \x07\x01loud\x7f word");
    window.says("word");
    window.key("Enter");
    let refused = format!(
        "|{}
         |not sent: it contains control characters (colour codes?), which are never sent
         |      bob>",
        rule("bob")
    );
    window.shows(&refused);
    window.key("Up");
    window.says("bob> a");
    window.says("word");
    window.key("C-c");
    window.shows(&refused);
    bob.has_heard_all();
}

#[test]
#[ignore = "needs tmux"]
fn of_colours_links_and_keys_that_nobody_knows_nothing_is_sent() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.paste(
        "\x1b[0;1mbold\x1b[0m \x1b]0;title\x07\x1b]8;;http://a.example\x1b\\link\x1b]8;;\x1b\\!",
    );
    window.says("bob> bold link!");
    // Shift-Enter and Ctrl-a of some terminals, and a mouse.
    for key in ["\x1b[27;2;13~", "\x1b[97;5u", "\x1b[<0;12;7M"] {
        window.text(key);
    }
    window.key("Enter");
    let line = bob.until("MSG ").pop().unwrap();
    assert!(line.ends_with(" ana bob - bold link!"), "{line}");
}

#[test]
#[ignore = "needs tmux"]
fn a_text_over_the_limit_is_refused() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.paste(&"many words ".repeat(70_000 / 11));
    window.says("many words");
    window.key("Enter");
    window.shows(&format!(
        "|{}
         |not sent: too long (70,039 bytes; the limit is 65,536)
         |      bob>",
        rule("bob")
    ));
    window.line("a short one");
    let line = bob.until("MSG ").pop().unwrap();
    assert!(line.ends_with(" ana bob - a short one"), "{line}");
}

#[test]
#[ignore = "needs tmux"]
fn a_draft_that_was_taller_than_the_window_leaves_the_conversation_there() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    bob.send("ana", "are you there?");
    window.says("bob: are you there?");
    window.line("yes");
    window.says("✓    you: yes");
    let shows = |tick: &str, rest: &str| {
        window.shows(&format!(
            "|{}
             |── today ──
             |HH:MM      bob: are you there?
             |HH:MM {tick:<4} you: yes
             {rest}|      bob>",
            rule("bob")
        ));
    };
    let tall: Vec<String> = (1..=60).map(|n| format!("line {n}")).collect();
    window.paste(&tall.join("\n"));
    window.says("line 60");
    window.key("C-c");
    shows("✓", "");
    // Where it stands is known again.
    bob.say("READ 2");
    shows("read", "");
    window.text(&"x".repeat(24 * 80));
    window.key("C-u");
    shows("read", "");
    // A part of it is as good as nothing.
    window.paste(&tall.join("\n"));
    window.says("line 60");
    window.key("C-w");
    window.key("C-u");
    window.key("C-c");
    window.line("short");
    shows("read", "|HH:MM ✓    you: short\n");
}

#[test]
#[ignore = "needs tmux"]
fn a_line_that_is_brought_back_has_the_cursor_at_its_end() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    window.line("/nothing");
    window.says("there is no /nothing");
    window.key("Up");
    window.text(" more");
    window.says("bob> /nothing more");
}

#[test]
#[ignore = "needs tmux"]
fn what_is_asked_for_twice_stands_there_once() {
    let place = Place::with(&["ana", "bob", "benedict"]);
    let window = place.talking("ana", "bob");
    place.client("benedict").send("ana", "hello");
    window.says("2:benedict  benedict: hello");
    window.text("b");
    for _ in 0..3 {
        window.key("Tab");
    }
    window.text("!");
    window.says("> b!");
    assert_eq!(window.screen().matches("benedict  bob\n").count(), 1, "{}", window.screen());
}

#[test]
#[ignore = "needs tmux"]
fn help_fits_the_screen() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    window.line("/help");
    window.says("begins with /, type //.\n");
    let screen = window.screen();
    let alone = screen.lines().find(|line| line.len() > 1 && !line.trim().contains(' '));
    assert_eq!(alone, Some("      bob>"), "{screen}");
}

#[test]
#[ignore = "needs tmux"]
fn tab_after_a_blank_that_is_not_ascii_completes_as_after_any_other() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    window.text("\u{3000}\u{a0}bo");
    window.says("bo");
    window.key("Tab");
    window.text("!");
    window.says("bob !");
}
