//! Files that are sent and fetched while one talks.

use std::fs;
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::place::Place;

/// 200,000 bytes that no line ends in the same place.
fn noise() -> Vec<u8> {
    (0..200_000_u32).map(|n| (n * 7 + n / 251) as u8).collect()
}

#[test]
#[ignore = "needs tmux"]
fn files_are_sent_and_fetched_while_one_talks() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    let home = place.home_of("ana");
    fs::write(home.join("holiday photo.jpg"), noise()).unwrap();
    fs::write(home.join("a.txt"), "hello\n").unwrap();
    window.line("/file holiday photo.jpg");
    let said = bob.until("MSG 1 ").pop().unwrap();
    assert!(said.ends_with(" ana bob file=200000 holiday photo.jpg"), "{said}");
    window.says("you: ⎘ holiday photo.jpg 200 kB\n");
    bob.say("READ 1");
    window.says("read you: ⎘ holiday photo.jpg 200 kB\n");
    window.line("/file 'holiday photo.jpg' \\a.txt");
    bob.until("MSG 3 ");
    window.says("you: ⎘ a.txt 6 bytes\n");
    // What cannot be sent is said, and nothing is.
    window.line("/file a.txt nothing");
    window.says("not sent: nothing: No such file or directory");
    window.line("/file .hidden");
    window.says("not sent: .hidden: expected a file's name");
    // Nor waits the terminal for who writes into a pipe.
    assert!(Command::new("mkfifo").arg(home.join("ff")).status().unwrap().success());
    window.line("/file ff");
    window.says("not sent: ff: not a regular file");
    bob.has_heard_all();

    bob.say(&format!("PUT {}", BASE64_STANDARD.encode("from bob")));
    bob.say("FILE ana notes.txt");
    bob.until("OK FILE 4 ");
    window.says("      bob: ⎘ notes.txt 8 bytes (/get)\n");
    let downloads = home.join("Downloads");
    window.line("/get");
    window.says("saved as ");
    assert_eq!(fs::read(downloads.join("notes.txt")).unwrap(), b"from bob");
    // Never over another one.
    window.line("/get notes");
    window.says("notes (2).txt");
    assert_eq!(fs::read(downloads.join("notes (2).txt")).unwrap(), b"from bob");
    window.line("/get holiday/ ~/copy.jpg");
    window.says("/copy.jpg\n");
    assert_eq!(fs::read(home.join("copy.jpg")).unwrap(), noise());
    window.line("/get holiday/ ~/copy.jpg");
    window.says("copy.jpg: already exists");
    bob.say("DEL 4");
    window.says("bob: (deleted)");
    window.line("/get");
    window.says_joined("Downloads/a.txt");
    assert_eq!(fs::read(downloads.join("a.txt")).unwrap(), b"hello\n");
}

#[test]
#[ignore = "needs tmux"]
fn a_file_that_was_found_is_fetched() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let window = place.talking("ana", "bob");
    let mut cid = place.client("cid");
    cid.say(&format!("PUT {}", BASE64_STANDARD.encode("from cid")));
    cid.say("FILE ana old holiday.txt");
    cid.until("OK FILE 1 ");
    let mut bob = place.client("bob");
    bob.say(&format!("PUT {}", BASE64_STANDARD.encode("of bob")));
    bob.say("FILE ana holiday.txt");
    bob.until("OK FILE 2 ");
    window.says("bob: ⎘ holiday.txt 6 bytes (/get)\n");
    let home = place.home_of("ana");
    // No message of this conversation.
    window.line("/get old/ ~/old.txt");
    window.says("no message here has “old”");
    window.line("/search all old");
    window.says("  cid to you: ⎘ old holiday.txt 8 bytes (/get NAME)\n");
    window.line("/get old/ ~/old.txt");
    window.says("saved as ~/old.txt\n");
    assert_eq!(fs::read(home.join("old.txt")).unwrap(), b"from cid");
    // Of two, the one that stands lower.
    window.line("/get holiday/ ~/lower.txt");
    window.says("saved as ~/lower.txt\n");
    assert_eq!(fs::read(home.join("lower.txt")).unwrap(), b"from cid");
    window.line("/get ~/last.txt");
    window.says("saved as ~/last.txt\n");
    assert_eq!(fs::read(home.join("last.txt")).unwrap(), b"of bob");
    cid.say("EDIT 1 new.txt");
    cid.until("OK EDIT ");
    window.says("  cid to you: ⎘ new.txt 8 bytes (/get NAME)\n");
    cid.say("DEL 1");
    cid.until("OK DEL ");
    window.says("  cid to you: (deleted)\n");
    window.line("/get new");
    window.says("no message here has “new”");
}

#[test]
#[ignore = "needs tmux"]
fn a_file_is_sent_once_when_the_server_is_back() {
    let mut place = Place::with(&["ana", "bob"]);
    let window = place.talking("ana", "bob");
    fs::write(place.home_of("ana").join("noise"), noise()).unwrap();
    place.kill();
    window.line("/file noise");
    window.says("sending noise …");
    window.key("C-d");
    window.says("1 change not sent yet; press Ctrl-D again");
    place.restart();
    window.says("you: ⎘ noise 200 kB\n");
    let mut bob = place.papod().login_quietly("bob");
    let all = bob.history("ana", 0);
    assert_eq!(all.len(), 1, "{all:?}");
}
