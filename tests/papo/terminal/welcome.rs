//! Somebody who comes for the first time.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use super::place::{Place, rule};
use super::window::Window;
use crate::process::{Entry, PASSWORD, ports};

#[test]
#[ignore = "needs tmux"]
fn a_newcomer_is_led_to_a_first_message() {
    let place = Place::with(&["taken", "bob"]);
    let mut bob = place.client("bob");
    let home = place.home_of("newcomer");
    let open = || Window::open(&home, place.address.port(), &[("NO_COLOR", "1")]);
    let window = open();
    window.start("papo");
    window.shows_joined(
        "|papo needs a chat server and an account on it. A few questions first.
         |Server, HOST:PORT, tls:HOST:PORT or unix:PATH [localhost:7276]:",
    );
    // Nobody listens at a port that is free.
    let free = format!("127.0.0.1:{}", ports::free(&[]));
    window.line(&free);
    window.says("machine.\nServer, HOST:PORT, tls:HOST:PORT or unix:PATH [localhost:7276]:");
    window.line(&place.address.to_string());
    window.says("Your handle");
    window.line("4ana");
    window.says("expected a handle: a letter a-z, then letters a-z, digits, . _ -, 2 to 32 in all");
    window.line("Taken");
    window.says("Is taken a new account");
    window.key("Enter");
    let password = |first: &str, second: &str| {
        window.says("A password, 6 characters or more:");
        window.tells("#{cursor_x}", "34");
        window.line(first);
        window.says("Repeat it:");
        window.tells("#{cursor_x}", "11");
        window.line(second);
    };
    password(PASSWORD, PASSWORD);
    window.says("taken: this handle is taken; choose another");
    window.line("Ana");
    window.says("Is ana a new account");
    window.key("Enter");
    password(PASSWORD, "correct-hoarse");
    window.says("The passwords do not match.\nA password, 6 characters or more:");
    window.tells("#{cursor_x}", "34");
    window.line("short");
    window.says("That is too short.\nA password, 6 characters or more:");
    password(PASSWORD, PASSWORD);
    window.shows_joined(&format!(
        "|papo needs a chat server and an account on it. A few questions first.
         |Server, HOST:PORT, tls:HOST:PORT or unix:PATH [localhost:7276]: {free}
         |papo: {free}: Connection refused (os error 111)
         |Is it running? `papod` starts one on this machine.
         |Server, HOST:PORT, tls:HOST:PORT or unix:PATH [localhost:7276]: 127.0.0.1:12345
         |Your handle (the name others use to write to you): 4ana
         |expected a handle: a letter a-z, then letters a-z, digits, . _ -, 2 to 32 in all
         |Your handle (the name others use to write to you): Taken
         |Is taken a new account at 127.0.0.1:12345? yes or no [yes]:
         |A password, 6 characters or more:
         |Repeat it:
         |taken: this handle is taken; choose another
         |Your handle (the name others use to write to you): Ana
         |Is ana a new account at 127.0.0.1:12345? yes or no [yes]:
         |A password, 6 characters or more:
         |Repeat it:
         |The passwords do not match.
         |A password, 6 characters or more:
         |That is too short.
         |A password, 6 characters or more:
         |Repeat it:
         |logged in as ana; the token \"HOST\" is saved in ~/.config/papo/config
         |Who do you want to write to first? A handle, +group, or Enter for nobody yet:"
    ));
    window.line("Bob!");
    window.says("expected a handle, #group or +group\nWho do");
    window.line("Bob");
    let rule = rule("bob");
    let hint = "|      Enter sends what you type; /help explains, Ctrl-D leaves";
    window.shows(&format!("|{rule}\n{hint}\n|      bob>"));
    window.line("hello bob");
    let talk = "|── today ──\n|HH:MM ✓    you: hello bob\n|      bob>";
    window.shows(&format!("|{rule}\n{hint}\n{talk}"));
    assert_eq!(Entry::parse(&bob.until("MSG ")[0]).body, "hello bob");
    // What is kept is a token.
    let config = home.join(".config/papo/config");
    let kept = fs::read_to_string(&config).unwrap();
    assert!(kept.contains("\nas ana\ntoken papo_"), "{kept}");
    assert!(!kept.contains(PASSWORD) && !kept.contains("correct-hoarse"), "{kept}");
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    window.key("C-d");
    window.says("status 0");
    // Nothing is asked any more.
    window.start("papo");
    window.shows(&format!("|{rule}\n{talk}"));
}

/// papod is suggested only where it could help: a server elsewhere is not started here.
#[test]
#[ignore = "needs tmux"]
fn only_a_server_on_this_machine_can_be_started_here() {
    let place = Place::with(&[]);
    let window = Window::open(&place.home_of("newcomer"), place.address.port(), &[]);
    window.start("papo");
    window.says("[localhost:7276]:");
    let free = SocketAddr::from(([127, 0, 0, 1], ports::free(&[])));
    // By the name that stands for all addresses, it is not known to be this machine.
    window.line(&format!("0.0.0.0:{}", free.port()));
    window.says("Is it running there, and are the name and the port right?");
    window.line(&free.to_string());
    window.says("Is it running? `papod` starts one on this machine.");
}

#[test]
#[ignore = "needs tmux"]
fn who_has_an_account_opens_it_with_its_password() {
    let place = Place::with(&["ana"]);
    let home = place.home_of("newcomer");
    let window = Window::open(&home, place.address.port(), &[("NO_COLOR", "1")]);
    window.start(&format!("papo --server {}", place.address));
    window.says("Your handle");
    window.line("ana");
    window.says("Is ana a new account");
    window.line("no");
    window.says("Your password:");
    window.tells("#{cursor_x}", "15");
    window.line("wrong-horse");
    window.changes(|screen| screen.matches("Your password:").count() == 2);
    window.tells("#{cursor_x}", "15");
    window.line("two words");
    window.changes(|screen| screen.matches("Your password:").count() == 3);
    window.tells("#{cursor_x}", "15");
    window.line(PASSWORD);
    window.shows_joined(
        "|papo needs a chat server and an account on it. A few questions first.
         |Your handle (the name others use to write to you): ana
         |Is ana a new account at 127.0.0.1:12345? yes or no [yes]: no
         |Your password:
         |That is not the password, or there is no such account.
         |Try again; Enter alone asks for the handle again.
         |Your password:
         |A password cannot contain spaces.
         |Your password:
         |logged in as ana; the token \"HOST\" is saved in ~/.config/papo/config
         |Who do you want to write to first? A handle, +group, or Enter for nobody yet:",
    );
    window.key("Enter");
    window.shows(
        "|nobody has written yet: /to bob talks to bob, /help has the rest
         |         >",
    );
}

#[test]
#[ignore = "needs tmux"]
fn a_token_that_was_revoked_is_replaced_by_another() {
    let place = Place::with(&["ana", "bob"]);
    let window = place.shell("ana");
    window.line("papo login; unset PAPO_SECRET");
    window.says("logged in as ana");
    let revoke = || {
        let mut other = place.papod().login_quietly("ana");
        other.say("TOKEN LIST");
        let tokens = other.until("OK TOKEN LIST ");
        other.say(&format!("TOKEN DEL {}", tokens[0].split(' ').nth(1).unwrap()));
        other.until("OK TOKEN DEL ");
    };
    let leaves = || {
        window.shows(
            "|nobody has written yet: /to bob talks to bob, /help has the rest
             |         >",
        );
        window.key("C-d");
        window.says("status 0");
    };
    revoke();
    window.start("papo");
    window.says_joined(
        "papo: the token kept in ~/.config/papo/config is no longer valid.\nPassword of",
    );
    window.tells("#{cursor_x}", "17");
    window.line("wrong-horse");
    window.says("Try again; Enter alone leaves.\nPassword of ana:");
    window.tells("#{cursor_x}", "17");
    window.line(PASSWORD);
    leaves();
    // Nothing is asked any more.
    window.start("papo");
    leaves();
    // After papo logout it is the same.
    window.start("papo logout");
    window.says("the token for ana was revoked\nstatus 0");
    window.start("papo");
    window.says("Password of ana:");
    window.tells("#{cursor_x}", "17");
    window.line(PASSWORD);
    leaves();
    let config = place.home_of("ana").join(".config/papo/config");
    assert!(fs::read_to_string(config).unwrap().contains("\ntoken papo_"));
}

#[test]
#[ignore = "needs tmux"]
fn register_says_how_to_log_in_and_login_asks_for_whom() {
    let place = Place::with(&[]);
    let server = place.address.to_string();
    let known = [("PAPO_SERVER", &*server), ("PAPO_SECRET", PASSWORD)];
    let window = Window::open(&place.home_of("zed"), place.address.port(), &known);
    window.start("papo register --as zed");
    window.says("registered zed at ");
    window.says("papo: next: papo login --server 127.0.0.1:12345 --as zed\nstatus 0");
    window.start("papo login");
    window.says("Handle at 127.0.0.1:12345:");
    window.line("zed");
    window.says("logged in as zed");
    window.start("rm -r .config; papo login </dev/null");
    window.says("papo: no account: name it with --as HANDLE or PAPO_AS\nstatus 2");
}

#[test]
#[ignore = "needs tmux"]
fn quit_leaves_at_each_question() {
    let place = Place::with(&[]);
    let home = place.home_of("newcomer");
    let at_server = format!("papo --server {}", place.address);
    for (command, before, question) in [
        ("papo", None, "[localhost:7276]:"),
        (&at_server, None, "Your handle"),
        (&at_server, Some("Your handle"), "yes or no"),
    ] {
        let window = Window::open(&home, place.address.port(), &[]);
        window.start(command);
        if let Some(before) = before {
            window.says(before);
            window.line("ana");
        }
        window.says(question);
        window.line("/quit");
        window.says("status 0");
    }
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_c_at_a_question_for_a_password_leaves_a_terminal_that_shows_what_is_typed() {
    let place = Place::with(&[]);
    let home = place.home_of("newcomer");
    let window = Window::open(&home, place.address.port(), &[("NO_COLOR", "1")]);
    window.line("stty -a >before");
    window.start(&format!("papo --server {}", place.address));
    window.says("Your handle");
    window.line("ana");
    window.says("Is ana a new account");
    window.key("Enter");
    window.says("A password");
    window.key("C-c");
    window.says("\n$");
    window.line("stty -a >after; echo ri\"\"ght");
    window.says("\nright");
    let read = |name: &str| fs::read_to_string(home.join(name)).unwrap();
    assert_eq!(read("before"), read("after"));
}

#[test]
#[ignore = "needs tmux"]
fn no_question_is_broken_by_the_edge_of_the_screen() {
    let place = Place::with(&[]);
    let home = place.home_of("newcomer");
    let window = Window::open(&home, place.address.port(), &[("NO_COLOR", "1")]);
    window.start(&format!("papo --server {}", place.address));
    window.says("Your handle");
    let broken = window.screen();
    window.shows_joined(&broken.lines().map(|line| format!("|{line}\n")).collect::<String>());
}

#[test]
#[ignore = "needs tmux"]
fn a_server_elsewhere_is_not_one_to_start_here() {
    let place = Place::with(&[]);
    let home = place.home_of("newcomer");
    let window = Window::open(&home, place.address.port(), &[]);
    window.start("papo");
    window.says("[localhost:7276]:");
    window.line("chat.invalid");
    window.says("tls:chat.invalid:7277: ");
    window.changes(|screen| screen.matches("[localhost:7276]:").count() == 2);
    assert!(!window.screen().contains("Is it running?"));
}
