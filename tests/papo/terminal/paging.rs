//! Scrolling through what was said long ago, and a terminal that changes its size.

use std::fmt::Write;

use super::place::{Place, rule};

/// The lines of numbered messages.
fn numbered(numbers: std::ops::RangeInclusive<usize>) -> String {
    numbers.fold(String::new(), |mut lines, n| {
        writeln!(lines, "|HH:MM      bob: number {n}").unwrap();
        lines
    })
}

#[test]
#[ignore = "needs tmux"]
fn pages_lead_to_the_first_message_and_back() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let crowd: String = (1..=300).map(|n| format!("MSG ana number {n}\n")).collect();
    bob.write(crowd.as_bytes());
    bob.until("OK MSG 300 ");
    let window = place.shell("ana");
    window.start("papo");
    let head = format!("|{}\n|── today ──\n", rule("bob"));
    window.shows(&format!("{head}{}|      bob>", numbered(281..=300)));
    window.key("C-l");
    bob.until("READ 300 ");
    let shows = |first: usize, new: &str, typed: &str| {
        window.shows(&format!(
            "{head}{}|── {new}PageDown goes on, Enter goes to the end ──\n|      bob>{typed}",
            numbered(first..=first + 18)
        ));
    };
    // One message of each page stands on the next one, too.
    for first in [263, 245, 227, 209] {
        window.key("PageUp");
        shows(first, "", "");
    }
    // What comes meanwhile does not disturb.
    window.text("half");
    let arrived = bob.send("ana", "while you read");
    bob.until(&format!("ACK {arrived} "));
    let half = " half\n|      1:bob  bob: while you read";
    let new = "1 new below; ";
    shows(209, new, half);
    let mut first = 209;
    while first > 1 {
        let before = first;
        window.key("PageUp");
        window.changes(|screen| {
            first = first_of(screen).unwrap_or(before);
            first < before
        });
        assert!(first + 18 >= before, "nothing is left out");
        shows(first, new, half);
    }
    window.key("PageUp");
    shows(1, new, half);
    // And back, until the end is there and all of it is read.
    while first + 18 < 300 {
        window.key("PageDown");
        first += 18;
        if first + 18 < 300 {
            shows(first, new, half);
            bob.has_heard_all();
        }
    }
    window.shows(&format!(
        "{head}{}|HH:MM      bob: while you read\n|      bob> half",
        numbered(282..=300)
    ));
    bob.until(&format!("READ {arrived} "));
}

/// The number of the first message on a screen.
fn first_of(screen: &str) -> Option<usize> {
    let number = screen.lines().find_map(|line| line.split_once(": number "));
    number?.1.parse().ok()
}

#[test]
#[ignore = "needs tmux"]
fn a_message_that_is_taller_than_the_window_can_be_read() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let lines: Vec<String> = (1..=60).map(|n| format!("line {n}")).collect();
    bob.send("ana", "first");
    bob.send("ana", &lines.join("\\n"));
    let window = place.shell("ana");
    window.start("papo");
    let head = format!("|{}\n|── today ──\n", rule("bob"));
    let below = |numbers: std::ops::RangeInclusive<usize>| {
        numbers.fold(String::new(), |rows, n| format!("{rows}|           line {n}\n"))
    };
    window.shows(&format!("{head}{}|      bob>", below(41..=60)));
    let foot = "|── PageDown goes on, Enter goes to the end ──\n|      bob>";
    for first in [23, 5] {
        window.key("PageUp");
        window.shows(&format!("{head}{}{foot}", below(first..=first + 18)));
    }
    window.key("PageUp");
    window.shows(&format!(
        "{head}|HH:MM      bob: first\n|HH:MM      bob: line 1\n{}{foot}",
        below(2..=18)
    ));
    window.key("PageDown");
    window.shows(&format!("{head}{}{foot}", below(18..=36)));
    window.key("C-l");
    window.shows(&format!("{head}{}{foot}", below(18..=36)));
    // So can help, in a small window.
    window.key("Enter");
    window.resize(40, 10);
    window.line("/help");
    window.says("//.\n");
    window.key("PageUp");
    window.says("PageDown goes on");
}

#[test]
#[ignore = "needs tmux"]
fn enter_goes_to_the_end() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    for n in 1..=50 {
        bob.send("ana", &format!("number {n}"));
    }
    let window = place.shell("ana");
    window.start("papo");
    window.says("bob: number 50\n");
    window.line("/back");
    window.says("PageDown goes on");
    let arrived = bob.send("ana", "number 51");
    bob.until(&format!("ACK {arrived} "));
    window.key("Enter");
    bob.until(&format!("READ {arrived} "));
    let head = format!("|{}\n|── today ──\n", rule("bob"));
    window.shows(&format!("{head}{}|      bob>", numbered(32..=51)));
}

#[test]
#[ignore = "needs tmux"]
fn what_comes_after_the_window_has_changed_its_size_fits_it() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("lunch at one, at the place at the corner, where the soup is?");
    bob.until("MSG ");
    window.text("half a line");
    window.resize(40, 10);
    bob.send("ana", "one is fine with me, let us meet in front of the door");
    window.shows(&format!(
        "|── bob {}
         |── today ──
         |HH:MM ✓    you: lunch at one, at the
         |           place at the corner, where
         |           the soup is?
         |HH:MM      bob: one is fine with me,
         |           let us meet in front of the
         |           door
         |      bob> half a line",
        "─".repeat(32)
    ));
    bob.say("READ 2");
    window.says("read you: lunch");
    window.resize(80, 24);
    bob.send("ana", "good");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM read you: lunch at one, at the place at the corner, where the soup is?
         |HH:MM      bob: one is fine with me, let us meet in front of the door
         |HH:MM      bob: good
         |      bob> half a line",
        rule("bob")
    ));
}
