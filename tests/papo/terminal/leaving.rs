//! How one leaves, and what the terminal is like then.

use std::fs;
use std::process::{Command, Output, Stdio};

use rustix::process::{Signal, kill_process};

use super::place::{Place, rule};
use super::window::Window;
use crate::process::{PASSWORD, run};

/// Starts to talk in a shell that knows the settings of its terminal.
fn talking(place: &Place) -> Window {
    let window = place.shell("ana");
    window.line("stty -a >before");
    window.start("papo");
    window.says("/help has the rest");
    window.line("/to bob");
    window.shows(&format!("|{}\n|      bob>", rule("bob")));
    window
}

/// papo has ended with this status, and the terminal is as it was, where the shell shows what is
/// typed.
fn has_left(place: &Place, window: &Window, status: i32) {
    window.says(&format!("\nstatus {status}\n$"));
    window.line("stty -a >after; echo ri\"\"ght");
    window.says("\n$ stty -a >after; echo ri\"\"ght\nright\n$");
    let read = |name: &str| fs::read_to_string(place.home_of("ana").join(name)).unwrap();
    assert_eq!(read("before"), read("after"));
    // A paste is nothing special any more, either: it would show where it begins and ends.
    window.paste("pasted");
    window.says("\n$ pasted");
}

#[test]
#[ignore = "needs tmux"]
fn the_first_ctrl_c_clears_the_line_and_the_next_says_how_to_leave() {
    let place = Place::with(&["ana", "bob"]);
    let window = talking(&place);
    window.text("half a line");
    window.says("bob> half a line");
    window.key("C-c");
    window.shows(&format!("|{}\n|      bob>", rule("bob")));
    window.key("C-c");
    let told = format!("|{}\n|Ctrl-D or /quit leaves\n|      bob>", rule("bob"));
    window.shows(&told);
    // On a line with something in it Ctrl-D is an ordinary key.
    window.text("ab");
    window.key("Home");
    window.key("C-d");
    window.says("bob> b");
    window.key("C-d");
    window.shows(&told);
    window.key("C-d");
    has_left(&place, &window, 0);
}

#[test]
#[ignore = "needs tmux"]
fn who_leaves_with_something_unsent_is_warned_and_gets_it_back() {
    let mut place = Place::with(&["ana", "bob"]);
    let window = talking(&place);
    place.kill();
    window.says("trying again");
    window.line("one");
    window.line("two words");
    window.key("C-d");
    window.shows(&format!(
        "|{}
         |── the server has closed the connection; trying again ──
         |── today ──
         |HH:MM …    you: one
         |HH:MM …    you: two words
         |2 messages not sent yet; press Ctrl-D again to leave without sending them
         |      bob>
         |      offline; Enter tries again now",
        rule("bob")
    ));
    window.key("C-d");
    window.shows(&format!(
        "|{}
         |── the server has closed the connection; trying again ──
         |── today ──
         |HH:MM …    you: one
         |HH:MM …    you: two words
         |2 messages not sent yet; press Ctrl-D again to leave without sending them
         |      bob>
         |papo: not confirmed, to bob: one
         |papo: not confirmed, to bob: two words
         |papo: left with 2 unsent
         |status 3
         |$",
        rule("bob")
    ));
    has_left(&place, &window, 3);
}

#[test]
#[ignore = "needs tmux"]
fn a_signal_leaves_the_terminal_as_it_was() {
    let place = Place::with(&["ana", "bob"]);
    let window = talking(&place);
    window.text("half");
    window.says("half");
    kill_process(window.process(), Signal::TERM).unwrap();
    has_left(&place, &window, 1);
}

#[test]
#[ignore = "needs tmux"]
fn whoever_is_locked_out_is_told_so() {
    let place = Place::with(&["ana", "bob"]);
    let mut other = place.papod().login_quietly("ana");
    // The token of this machine is revoked.
    let window = place.shell("ana");
    window.line("papo login; unset PAPO_SECRET; stty -a >before");
    window.says("logged in as ana");
    window.start("papo");
    window.says("/help has the rest");
    other.say("TOKEN LIST");
    let tokens = other.until("OK TOKEN LIST ");
    let label = tokens[0].split(' ').nth(1).unwrap();
    other.say(&format!("TOKEN DEL {label}"));
    other.until("OK TOKEN DEL ");
    window.says_joined("papo: the token kept in ~/.config/papo/config is no longer valid\n");
    has_left(&place, &window, 4);
    // The password is another one, and so on.
    let window = talking(&place);
    other.say(&format!("PASSWD {PASSWORD} {PASSWORD}-2"));
    other.until("OK PASSWD");
    window.says("papo: wrong handle or password\n");
    has_left(&place, &window, 4);
}

fn is_refused(ended: &Output) {
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "");
    let said = "papo: papo needs a terminal; for scripts see papo --help\n";
    assert_eq!(String::from_utf8_lossy(&ended.stderr), said);
}

#[test]
fn without_a_terminal_nothing_begins() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papo"));
    is_refused(&run(command.env_clear().stdin(Stdio::null())));
}

#[test]
#[ignore = "needs tmux"]
fn where_nobody_reads_the_screen_nothing_begins() {
    let place = Place::with(&["ana"]);
    let window = place.shell("ana");
    window.start("papo </dev/null; echo $?; { papo; echo $? >&2; } | cat");
    window.shows(
        "|papo: papo needs a terminal; for scripts see papo --help
         |2
         |papo: papo needs a terminal; for scripts see papo --help
         |2
         |status 0
         |$",
    );
}

#[test]
#[ignore = "needs tmux"]
fn quit_leaves() {
    let place = Place::with(&["ana", "bob"]);
    let window = talking(&place);
    window.line("/quit");
    has_left(&place, &window, 0);
}

#[test]
#[ignore = "needs tmux"]
fn quit_now_leaves_whatever_is_unsent() {
    let mut place = Place::with(&["ana", "bob"]);
    let window = talking(&place);
    place.kill();
    window.says("trying again");
    window.line("one");
    window.says("…    you: one");
    window.line("/quit");
    window.says("1 message not sent yet; press Ctrl-D again to leave without sending it");
    window.text("half");
    window.key("C-c");
    window.line("/quit now");
    window.says("papo: not confirmed, to bob: one\npapo: left with 1 unsent");
    has_left(&place, &window, 3);
}

#[test]
#[ignore = "needs tmux"]
fn nothing_is_left_of_the_line_at_the_bottom() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let window = talking(&place);
    place.client("cid").send("ana", "hello");
    window.says("2:cid  cid: hello");
    window.key("C-z");
    window.says("Stopped");
    window.changes(|screen| !screen.contains("cid: hello"));
    window.line("fg");
    window.says("\n      bob>\n      2:cid  cid: hello");
    kill_process(window.process(), Signal::TERM).unwrap();
    window.shows(&format!("|{}\n|      bob>\n|papo: ended by a signal\n|$", rule("bob")));
}

#[test]
#[ignore = "needs tmux"]
fn what_is_said_at_the_end_stands_on_a_line_of_its_own() {
    let place = Place::with(&["ana", "bob"]);
    let window = talking(&place);
    window.text("half");
    window.says("half");
    kill_process(window.process(), Signal::TERM).unwrap();
    window.says("\npapo: ended by a signal\nstatus 1\n$");
    let window = talking(&place);
    let mut other = place.papod().login_quietly("ana");
    other.say(&format!("PASSWD {PASSWORD} {PASSWORD}-2"));
    other.until("OK PASSWD");
    window.says("\npapo: wrong handle or password\nstatus 4\n$");
}

#[test]
#[ignore = "needs tmux"]
fn a_dumb_terminal_is_called_that() {
    let place = Place::with(&["ana"]);
    let window = place.shell("ana");
    window.start("TERM=dumb papo");
    window.says("\nstatus 2\n$");
    let said = window.screen();
    assert!(said.contains("TERM") && !said.contains("ENOTTY"), "{said}");
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_z_stops_it_and_it_goes_on_as_if_nothing_had_been() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = talking(&place);
    window.line("one");
    window.line("two");
    window.says("✓    you: two");
    window.key("C-z");
    window.says("Stopped");
    window.line("stty -a >after; echo ri\"\"ght");
    window.says("\nright\n$");
    let read = |name: &str| fs::read_to_string(place.home_of("ana").join(name)).unwrap();
    assert_eq!(read("before"), read("after"));
    // The messages are not where they were.
    window.line("fg");
    window.says("\n      bob>");
    bob.until("MSG 2 ");
    bob.say("READ 2");
    window.line("three");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM read you: one
         |HH:MM read you: two
         |HH:MM ✓    you: three
         |      bob>",
        rule("bob")
    ));
}
