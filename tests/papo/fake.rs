//! A server that answers what a test wants, so that an answer can be lost or be one that a real
//! papod seldom gives; and what the client does then.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::place::{Place, Running};
use crate::process::PATIENCE;

/// What is said to each command of the quiet sessions, one after another; nothing closes the
/// connection.
type Answers = VecDeque<Option<&'static str>>;

struct Fake {
    address: String,
    heard: Receiver<String>,
}

impl Fake {
    /// Sends `events` to each session that is not quiet, and ends it where there is a `BYE` in them.
    fn start(events: &'static str, answers: &[Option<&'static str>]) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers = Arc::new(Mutex::new(Answers::from(answers.to_vec())));
        let (say, heard) = mpsc::channel();
        // It ends with the test program.
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (answers, say) = (answers.clone(), say.clone());
                thread::spawn(move || serve(&connection.unwrap(), events, &answers, &say));
            }
        });
        Fake { address, heard }
    }

    /// The next command of a quiet session.
    fn heard(&self) -> String {
        self.heard.recv_timeout(PATIENCE).expect("it is told something")
    }
}

fn serve(socket: &TcpStream, events: &str, answers: &Mutex<Answers>, say: &Sender<String>) {
    // Where the client has gone, nobody wants to know.
    let write = |text: &str| drop({ socket }.write_all(text.as_bytes()));
    write("HELLO papo/1 fake type HELP\n");
    for line in BufReader::new(socket).lines().map_while(Result::ok) {
        if line.starts_with("LOGIN ") {
            write("OK LOGIN me 0\n");
            if !line.ends_with(" quiet") {
                write(events);
                if events.contains("BYE ") {
                    return;
                }
            }
            continue;
        }
        let answer = answers.lock().unwrap().pop_front().flatten();
        let _ = say.send(line);
        let Some(answer) = answer else { return };
        write(answer);
    }
}

/// A papo that talks to it.
fn papo(fake: &Fake, arguments: &[&str]) -> Running {
    let place = Place::with(&[]);
    let mut command = place.papo("bob", arguments);
    Running::start(command.env("PAPO_SERVER", &fake.address))
}

const SENT: &str = "OK MSG 2 2026-01-01T00:00:00.000Z\n";

#[test]
fn a_message_whose_answer_is_lost_is_said_again_with_the_same_key() {
    let fake = Fake::start("", &[None, None, Some(SENT)]);
    let running = papo(&fake, &["send", "ana", "hi"]);
    let first = fake.heard();
    let words: Vec<&str> = first.split(' ').collect();
    let ["ONCE", key, "MSG", "ana", "hi"] = words[..] else { panic!("{first}") };
    assert_eq!(key.len(), 32);
    assert_eq!([fake.heard(), fake.heard()], [first.as_str(), first.as_str()]);
    assert_eq!(running.finish(), (Some(0), vec!["2".to_owned()], vec![]));
    // Another run has another key.
    let other = Fake::start("", &[Some(SENT)]);
    papo(&other, &["send", "ana", "hi"]).finish();
    assert_ne!(other.heard(), first);
}

#[test]
fn what_is_no_use_twice_is_said_once() {
    let fake = Fake::start("", &[None]);
    let (status, _, err) = papo(&fake, &["group", "new", "team"]).finish();
    assert_eq!((status, fake.heard()), (Some(3), "GROUP NEW team".to_owned()));
    assert!(err[0].starts_with("papo: "), "{err:?}");
    assert!(fake.heard.try_recv().is_err());
}

const MESSAGE: &str = "MSG 1 2026-01-01T00:00:00.000Z ana bob - hi\nLIVE 1\n";

#[test]
fn a_reply_is_repeated_until_it_is_kept_and_then_the_message_acknowledged() {
    let full = "ERR ONCE storage the disk is full\n";
    let fake = Fake::start(MESSAGE, &[Some(full), None, Some(SENT), None, Some("OK ACK 1\n")]);
    let _on = papo(&fake, &["on", "--pause", "0.001", "--", "cat"]);
    let once = "ONCE papo-on-1 MSG ana hi";
    let heard: Vec<String> = (0..5).map(|_| fake.heard()).collect();
    assert_eq!(heard, [once, once, once, "ACK 1", "ACK 1"]);
}

#[test]
fn an_answer_that_another_device_has_acknowledged_is_found() {
    let mine = "HIST 2 2026-01-01T00:00:00.000Z bob ana - well?\n";
    let theirs = "HIST 3 2026-01-01T00:00:00.000Z ana bob - yes\n";
    let history = format!("{mine}{theirs}OK HIST 2 end\n").leak();
    let fake = Fake::start("LIVE 3\n", &[Some(SENT), Some(history), Some("OK READ 3\n")]);
    let (status, out, _) = papo(&fake, &["ask", "ana", "well?"]).finish();
    assert_eq!((status, out), (Some(0), vec!["yes".to_owned()]));
    assert!(fake.heard().ends_with(" MSG ana well?"));
    assert_eq!([fake.heard(), fake.heard()], ["HIST ana 1000 after 2", "READ 3"]);
}

#[test]
fn an_acknowledgement_that_is_lost_is_said_again() {
    let fake = Fake::start(MESSAGE, &[None, Some("OK ACK 1\n")]);
    let tail = papo(&fake, &["tail"]);
    assert!(tail.line().ends_with(" hi"));
    assert_eq!([fake.heard(), fake.heard()], ["ACK 1", "ACK 1"]);
}

/// What comes with each new connection, which ends at once.
const AGAIN: &str = "MSG 1 2026-01-01T00:00:00.000Z ana bob - hi\nLIVE 1\nBYE shutdown\n";

/// Waits until what came with the second connection was dealt with.
fn until_the_third(running: &Running) {
    let is_back = |line: String| line == "papo: connected again";
    let back = std::iter::repeat_with(|| running.complaint()).map(is_back).filter(|back| *back);
    assert_eq!(back.take(2).count(), 2);
}

#[test]
fn what_comes_again_is_not_printed_again() {
    let fake = Fake::start(AGAIN, &[Some("OK ACK 1\n"); 20]);
    let mut tail = papo(&fake, &["tail", "--json"]);
    until_the_third(&tail);
    // It may be that it comes again because it was not acknowledged.
    assert_eq!([fake.heard(), fake.heard()], ["ACK 1", "ACK 1"]);
    tail.kill();
    assert_eq!(tail.finish().1.len(), 1);
}

#[test]
fn what_comes_again_is_not_dealt_with_again() {
    let fake = Fake::start(AGAIN, &[Some(SENT), Some("OK ACK 1\n")]);
    let mut on = papo(&fake, &["on", "--", "cat"]);
    assert_eq!([fake.heard(), fake.heard()], ["ONCE papo-on-1 MSG ana hi", "ACK 1"]);
    until_the_third(&on);
    on.kill();
    assert!(fake.heard.try_recv().is_err());
}

#[test]
fn a_server_that_attacks_the_terminal_is_left() {
    let fake = Fake::start("MSG 1 2026-01-01T00:00:00.000Z ana bob - \x1b[31mred\n", &[]);
    let tail = papo(&fake, &["tail"]);
    let said = tail.complaint();
    assert_eq!(said, "papo: the server sends control characters; trying again");
}
