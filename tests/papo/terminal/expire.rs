//! Messages that vanish.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::desktop::Desktop;
use super::place::{Place, rule};

/// The address of a way to a server that shortens each minute to a second.
fn hastened(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the test program.
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut server = TcpStream::connect(server).unwrap();
            let (mut up, lines) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut up, &mut server));
            thread::spawn(move || {
                for line in BufReader::new(lines).lines().map_while(Result::ok) {
                    let line = line.replace("exp=60 ", "exp=1 ");
                    let line = match line.strip_suffix(" - 60") {
                        Some(event) => format!("{event} - 1\n"),
                        None => line + "\n",
                    };
                    if (&client).write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
#[ignore = "needs tmux"]
fn what_has_vanished_leaves_the_screen_the_line_below_and_the_desktop() {
    let mut place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    bob.send("ana", "this stays");
    cid.send("ana", "and this");
    place.address = hastened(place.address);
    let window = place.shell("ana");
    let desktop = Desktop::start(&place, "ana", &window);
    window.says("cid: and this\n      cid>");
    window.line("/to bob");
    window.says("bob: this stays\n      bob>");
    cid.say("EXPIRE ana 60");
    cid.until("OK EXPIRE ");
    bob.say("EXPIRE ana 60");
    window.says("* bob set messages here to vanish after 1 second\n");
    // It is read, so it was on the screen.
    let id = bob.send("ana", "the code is 4711");
    bob.until(&format!("READ {id} "));
    assert_eq!(desktop.told(), "--app-name=papo --print-id papo a message from bob\n");
    let withdrawn = "--replace-id=17 --expire-time=1 papo a message was deleted";
    assert_eq!(desktop.told(), format!("--app-name=papo {withdrawn}\n"));
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      bob: this stays
         |HH:MM      * bob set messages here to vanish after 1 second
         |      bob>
         |      1:cid  cid set messages here to vanish after 1 second",
        rule("bob")
    ));
    cid.send("ana", "another code");
    assert_eq!(desktop.told(), "--app-name=papo --print-id papo a message from cid\n");
    assert_eq!(desktop.told(), format!("--app-name=papo {withdrawn}\n"));
    window.changes(|screen| !screen.contains("another code") && screen.contains(":cid"));
    // A remark about a new text leaves as well.
    bob.say(&format!("EDIT {id} the code is 4712"));
    bob.send("ana", "wait");
    window.changes(|screen| !screen.contains("4712") && !screen.contains("bob: wait"));
    bob.say("EXPIRE ana -");
    bob.send("ana", "a last one");
    window.changes(|screen| !screen.contains("4712") && screen.contains("bob: a last one"));
    bob.say("EXPIRE ana 60");
    bob.until("OK EXPIRE ");
    // It was on the screen before it was sent.
    window.line("mine");
    bob.until("MSG ");
    window.changes(|screen| !screen.contains("you: mine") && screen.contains("this stays"));
}

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
    window.says("status 0");
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
