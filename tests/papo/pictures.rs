//! Pictures at terminals of each kind: a pseudo-terminal that answers as these do, and looks at what
//! it is sent.

mod drawn;
mod played;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::process::{Client, Home, Papod};
use drawn::{Drawn, halves, png};
use played::{PlayedTerminal, TerminalKind};

/// A papod with two accounts.
fn place() -> (Home, Papod, Client) {
    let home = Home::new();
    let papod = home.start();
    papod.register("ana");
    let bob = papod.register("bob");
    (home, papod, bob)
}

fn send(bob: &mut Client, name: &str, file: &[u8]) {
    for piece in file.chunks(48_000) {
        bob.say(&format!("PUT {}", BASE64_STANDARD.encode(piece)));
    }
    bob.say(&format!("FILE ana {name}"));
    bob.until("OK FILE ");
}

/// A terminal at which ana talks to bob. It answers in the middle of what she types.
fn talking(home: &Home, papod: &Papod, kind: TerminalKind) -> PlayedTerminal {
    let mut terminal = PlayedTerminal::open(home, papod, kind, &[]);
    terminal.until_asked();
    terminal.types("/t");
    terminal.answers();
    terminal.types("o bob\r");
    terminal.shows("── bob ─");
    terminal
}

#[test]
fn a_picture_is_drawn_in_the_way_of_the_terminal() {
    let (home, papod, mut bob) = place();
    send(&mut bob, "photo.png", &png(&halves()));
    for kind in [TerminalKind::KITTY, TerminalKind::ITERM, TerminalKind::SIXEL, TerminalKind::TMUX]
    {
        let mut terminal = talking(&home, &papod, kind);
        let drawn = terminal.draws(1).remove(0);
        assert!(drawn.is_of(&kind) && drawn.begins_with(&halves()), "{kind:?}: {drawn:?}");
        // It has a row below its name, and what comes next is below that.
        bob.send("ana", "do you like it?");
        terminal.shows("bob: do you like it?");
        let rows = terminal.rows();
        let at = |text: &str| rows.iter().rposition(|row| row.contains(text)).unwrap();
        let (name, next) = (at("bob: ⎘ photo.png"), at("do you like it?"));
        assert!(next >= name + 2 && rows[name + 1].is_empty(), "{rows:#?}");
        // A screen that is drawn anew has it again, and so has a conversation that is come back to.
        terminal.types("\x0c");
        terminal.draws(2);
        terminal.types("/to ana\r");
        terminal.shows("── notes to yourself ─");
        terminal.types("/to bob\r");
        terminal.shows("── bob ─");
        let all = terminal.draws(3);
        assert!(all.iter().all(|drawn| drawn.begins_with(&halves())));
        terminal.leaves();
    }
}

#[test]
fn a_terminal_that_cannot_is_sent_the_name_and_the_size() {
    let (home, papod, mut bob) = place();
    send(&mut bob, "photo.png", &png(&halves()));
    for kind in [TerminalKind::PLAIN, TerminalKind::SILENT] {
        let mut terminal = talking(&home, &papod, kind);
        terminal.shows("bob: ⎘ photo.png ");
        bob.send("ana", "after");
        terminal.shows("bob: after");
        terminal.leaves();
        assert_eq!(terminal.drawn(), [], "{kind:?}");
        // Nothing but what was asked.
        assert!(!terminal.rows().iter().any(|row| row.contains("i=") || row.contains(";OK")));
    }
    for variables in [[("TERM", "linux")], [("PAPO_PICTURES", "never")]] {
        let mut terminal = PlayedTerminal::open(&home, &papod, TerminalKind::KITTY, &variables);
        terminal.shows("bob>");
        terminal.types("/to bob\r");
        terminal.shows("bob: ⎘ photo.png ");
        terminal.leaves();
        assert!(!terminal.is_asked(), "{variables:?}");
        assert_eq!(terminal.drawn(), [], "{variables:?}");
    }
}

#[test]
fn what_is_no_picture_or_a_huge_one_is_a_name_and_a_size() {
    let (home, papod, mut bob) = place();
    let good = png(&halves());
    let mut bomb = good.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 255, 255, 0, 0, 255, 255]);
    let sum = drawn::crc(&bomb[12..29]).to_be_bytes();
    bomb[29..33].copy_from_slice(&sum);
    send(&mut bob, "bomb.png", &bomb);
    send(&mut bob, "broken.png", &good[..good.len() / 2]);
    send(&mut bob, "text.png", b"\x1b[2J\x1b]0;no picture\x07");
    send(&mut bob, "good.txt", &good);
    send(&mut bob, "large.png", &[&good[..], &vec![0; 1 << 20]].concat());
    let mut terminal = talking(&home, &papod, TerminalKind::KITTY);
    terminal.shows("bob: ⎘ large.png 1.0 MB");
    // Files are fetched one after another, so all others were looked at before this one.
    send(&mut bob, "last.png", &good);
    assert!(terminal.draws(1)[0].begins_with(&halves()));
    assert!(terminal.memory() < 400 << 20, "{} bytes", terminal.memory());
    for name in ["bomb.png", "broken.png", "text.png", "good.txt", "last.png"] {
        terminal.shows(&format!("bob: ⎘ {name} "));
    }
    terminal.leaves();
    assert_eq!(terminal.drawn().len(), 1);
    assert!(!terminal.has_said("\x1b]0;no picture"));
}

#[test]
fn a_picture_goes_with_its_message() {
    let (home, papod, mut bob) = place();
    send(&mut bob, "photo.png", &png(&halves()));
    let mut terminal = talking(&home, &papod, TerminalKind::KITTY);
    let Drawn { id, .. } = terminal.draws(1).remove(0);
    bob.say("DEL 1");
    terminal.says(&format!("\x1b_Ga=d,d=I,i={id},q=2\x1b\\"));
    terminal.shows_below("bob: (deleted)", "bob>");
    terminal.leaves();
}
