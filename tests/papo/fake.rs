//! A server that answers what a test wants, so that an answer can be lost or be one that a real
//! papod seldom gives; and what the client does then.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::place::{Place, Running};
use crate::process::PATIENCE;

/// What is said to each command of the quiet sessions, one after another; nothing closes the
/// connection. Which id is the newest is answered apart from these.
type Answers = VecDeque<Option<&'static str>>;

/// What is sent to each session that is not quiet, one after another; the last of them to all further
/// ones. Rows of the log, and the `OK SYNC` behind them, wait until they are asked for. A `BYE` ends
/// the session.
type Events = Vec<&'static str>;

struct Fake {
    address: String,
    /// Commands of the quiet sessions.
    heard: Receiver<String>,
    /// Commands of the others.
    asked: Receiver<String>,
}

impl Fake {
    fn start(events: &'static str, answers: &[Option<&'static str>]) -> Fake {
        Fake::start_with(vec![events], answers)
    }

    fn start_with(events: Events, answers: &[Option<&'static str>]) -> Fake {
        Fake::start_holding(events, answers).0
    }

    /// A quiet session is told which id is the newest for each thing sent here, or when this is
    /// dropped.
    fn start_holding(events: Events, answers: &[Option<&'static str>]) -> (Fake, Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (say, heard) = mpsc::channel();
        let (say_asked, asked) = mpsc::channel();
        let answers = Mutex::new(Answers::from(answers.to_vec()));
        let (tell_newest, newest) = mpsc::channel();
        let newest = Mutex::new(newest);
        let session = 0.into();
        let script = Arc::new(Script { events, answers, newest, session, say, say_asked });
        // It ends with the test program.
        thread::spawn(move || {
            for connection in listener.incoming() {
                let script = script.clone();
                thread::spawn(move || serve(&connection.unwrap(), &script));
            }
        });
        (Fake { address, heard, asked }, tell_newest)
    }

    /// The next command of a quiet session.
    fn heard(&self) -> String {
        self.heard.recv_timeout(PATIENCE).expect("it is told something")
    }

    /// The next command of another session.
    fn asked(&self) -> String {
        self.asked.recv_timeout(PATIENCE).expect("it is asked something")
    }
}

struct Script {
    events: Events,
    answers: Mutex<Answers>,
    newest: Mutex<Receiver<()>>,
    /// Sessions that were not quiet.
    session: AtomicUsize,
    say: Sender<String>,
    say_asked: Sender<String>,
}

impl Script {
    fn events(&self, session: usize) -> &'static str {
        self.events[session.min(self.events.len() - 1)]
    }
}

/// Whether it is for who asks for it.
fn is_row(line: &str) -> bool {
    line.starts_with("HIST ") || line.starts_with("OK SYNC ")
}

fn serve(socket: &TcpStream, script: &Script) {
    // Where the client has gone, nobody wants to know.
    let write = |text: &str| drop({ socket }.write_all(text.as_bytes()));
    write("HELLO papo/1 fake type HELP\n");
    let mut events = None;
    for line in BufReader::new(socket).lines().map_while(Result::ok) {
        if line.starts_with("LOGIN ") {
            write("OK LOGIN me 0\n");
            if !line.ends_with(" quiet") {
                let mine = script.events(script.session.fetch_add(1, SeqCst));
                events = Some(mine);
                mine.split_inclusive('\n').filter(|line| !is_row(line)).for_each(&write);
                if mine.contains("BYE ") {
                    return;
                }
            }
            continue;
        }
        if let Some(mine) = events {
            // Whoever looks at these has an end of this; the others do not mind.
            let _ = script.say_asked.send(line);
            mine.split_inclusive('\n').filter(|line| is_row(line)).for_each(&write);
            continue;
        }
        if line == "SYNC 9223372036854775807" {
            // An error says that nothing is held.
            let _ = script.newest.lock().unwrap().recv();
            // As it is in the session that is there, or will be.
            let session = script.session.load(SeqCst).saturating_sub(1);
            let live = script.events(session).lines().find_map(|line| line.strip_prefix("LIVE "));
            write(&format!("OK SYNC {} end\n", live.unwrap_or("0")));
            continue;
        }
        let answer = script.answers.lock().unwrap().pop_front().flatten();
        let _ = script.say.send(line);
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
fn what_is_to_be_sent_later_is_not_put_off_twice() {
    // The answer was lost, but it waits.
    let row = "AT 7 2026-01-01T09:00:00.000Z - - ONCE k MSG ana tea\nOK AT 1\n";
    let fake = Fake::start("", &[Some("OK AT 0\n"), None, Some(row)]);
    let running = papo(&fake, &["at", "--key", "k", "+600", "ana", "tea"]);
    let put_off = "AT +600 ONCE k MSG ana tea";
    assert_eq!([fake.heard(), fake.heard(), fake.heard()], ["AT", put_off, "AT"]);
    assert_eq!(running.finish(), (Some(0), vec!["7".to_owned()], vec![]));
    // It did not come to that.
    let row = "AT 7 2026-01-01T09:00:00.000Z - - ONCE K MSG ana tea\nOK AT 1\n";
    let done = "OK UNLESS 8 2026-01-01T09:00:00.000Z\n";
    let fake = Fake::start("", &[Some(SENT), None, Some(row), Some(done)]);
    let running = papo(&fake, &["send", "--unless", "read:10m:+ops=x", "ana", "hi"]);
    let sent = fake.heard();
    let key = sent.split(' ').nth(1).unwrap();
    let unless = format!("UNLESS 2 read 600 ONCE {key}-unless1 MSG #ops x");
    assert_eq!([fake.heard(), fake.heard(), fake.heard()], [&unless, "AT", &unless]);
    assert_eq!(running.finish(), (Some(0), vec!["2".to_owned()], vec![]));
}

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
    let rows = "HIST 2 2026-01-01T00:00:00.000Z bob ana - well?\n\
                HIST 3 2026-01-01T00:00:00.000Z ana bob - yes\nOK SYNC 3 end\n";
    let back = format!("LIVE 3\n{rows}").leak();
    // The first connection ends when the question has been asked.
    let fake =
        Fake::start_with(vec!["LIVE 1\nBYE shutdown\n", back], &[Some(SENT), Some("OK READ 3\n")]);
    let (status, out, _) = papo(&fake, &["ask", "ana", "well?"]).finish();
    assert_eq!((status, out), (Some(0), vec!["yes".to_owned()]));
    assert!(fake.heard().ends_with(" MSG ana well?"));
    assert_eq!((fake.asked(), fake.heard()), ("SYNC 1".to_owned(), "READ 3".to_owned()));
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
    assert_eq!(fake.heard(), "ACK 1");
    tail.kill();
    assert_eq!(tail.finish().1.len(), 1);
    assert!(fake.heard.try_recv().is_err());
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
fn why_a_server_ends_the_connection_is_said_in_words() {
    for (answer, why) in [
        ("BYE kicked\n", "papo: the server says BYE kicked: an operator disconnected "),
        ("BYE new-reason\n", "papo: the server says BYE new-reason"),
    ] {
        let fake = Fake::start("", &[Some(answer)]);
        let (status, _, err) = papo(&fake, &["group", "new", "team"]).finish();
        assert!(status == Some(3) && err[0].starts_with(why), "{err:?}");
    }
}

#[test]
fn why_a_server_ends_the_connection_is_said() {
    let fake = Fake::start(AGAIN, &[Some("OK ACK 1\n"); 20]);
    let tail = papo(&fake, &["tail"]);
    assert_eq!(tail.complaint(), "papo: the server says BYE shutdown; trying again");
}

/// What is in the log after an outage, in pages: 2 to 4 were acknowledged elsewhere meanwhile, 3 is
/// none of a kind that is known here, and 5 is another conversation's.
const MISSED: &str = "MSG 6 2026-01-01T00:00:00.000Z ana bob - six\nLIVE 6\n\
    HIST 2 2026-01-01T00:00:00.000Z ana bob - two\nEDIT 3 1 new\n\
    HIST 4 2026-01-01T00:00:00.000Z bob ana - mine\nHIST 5 2026-01-01T00:00:00.000Z cid bob - no\n\
    HIST 6 2026-01-01T00:00:00.000Z ana bob - six\nOK SYNC 6 end\n";

#[test]
fn what_was_acknowledged_elsewhere_meanwhile_is_printed() {
    let known = Some("OK HIST 0 end\n");
    let answers = [&[known][..], &[Some("OK ACK 6\n"); 20]].concat();
    let fake = Fake::start_with(vec![AGAIN, MISSED], &answers);
    let tail = papo(&fake, &["tail", "ana"]);
    assert_eq!(fake.heard(), "HIST ana 1");
    let said = [tail.line(), tail.line(), tail.line()];
    let said = said.map(|line| line.split(' ').next_back().unwrap().to_owned());
    assert_eq!(
        (said, fake.asked()),
        (["hi", "two", "six"].map(str::to_owned), "SYNC 1".to_owned())
    );
    while fake.heard() != "ACK 6" {}
}

#[test]
fn what_was_acknowledged_elsewhere_meanwhile_is_dealt_with() {
    let fake = Fake::start_with(vec![AGAIN, MISSED], &[Some(SENT); 20]);
    let _on = papo(&fake, &["on", "ana", "--", "cat"]);
    let heard: Vec<String> = std::iter::repeat_with(|| fake.heard())
        .filter(|line| line.starts_with("ONCE "))
        .take(3)
        .collect();
    let once =
        ["ONCE papo-on-1 MSG ana hi", "ONCE papo-on-2 MSG ana two", "ONCE papo-on-6 MSG ana six"];
    assert_eq!(heard, once);
}

#[test]
fn a_log_that_was_put_back_is_begun_anew_and_nothing_of_it_swallowed() {
    let before = "MSG 17 2026-01-01T00:00:00.000Z ana bob - old\nLIVE 17\nBYE shutdown\n";
    let put_back = "MSG 3 2026-01-02T00:00:00.000Z ana bob - new\n\
        MSG 4 2026-01-02T00:00:00.000Z cid bob - newer\nLIVE 4\n";
    // The acknowledgement of the old one gets no answer, and means nothing in the log put back.
    let answers = [None, Some("OK ACK 3\n"), Some("OK ACK 4\n")];
    let (fake, newest) = Fake::start_holding(vec![before, put_back], &answers);
    newest.send(()).unwrap();
    let tail = papo(&fake, &["tail"]);
    let lines = [tail.line(), tail.line(), tail.line()];
    let bodies = lines.each_ref().map(|line| line.rsplit_once(' ').unwrap().1);
    assert_eq!(bodies, ["old", "new", "newer"]);
    // That the log of the acknowledgement of the old one is gone is heard only now.
    drop(newest);
    let said: Vec<String> = std::iter::repeat_with(|| tail.complaint()).take(3).collect();
    assert!(
        said[2].starts_with("papo: the server's log was put back: it ends at 4, but 17 "),
        "{said:?}"
    );
    assert_eq!([fake.heard(), fake.heard(), fake.heard()], ["ACK 17", "ACK 3", "ACK 4"]);
}

#[test]
fn a_server_that_attacks_the_terminal_is_left() {
    let fake = Fake::start("MSG 1 2026-01-01T00:00:00.000Z ana bob - \x1b[31mred\n", &[]);
    let tail = papo(&fake, &["tail"]);
    let said = tail.complaint();
    assert_eq!(said, "papo: the server sends control characters; trying again");
}

#[test]
fn a_server_that_says_when_is_asked_again_then() {
    let fast = "ERR ONCE too-fast 1 seconds until the next message\n";
    let fake = Fake::start("", &[Some(fast), Some(SENT)]);
    let running = papo(&fake, &["send", "ana", "hi"]);
    assert_eq!(fake.heard(), fake.heard());
    assert_eq!(running.finish().0, Some(0));
    // When it would be too late, that is said at once.
    let late = "ERR ONCE too-fast 3600 seconds until the next message\n";
    let fake = Fake::start("", &[Some(late)]);
    let (status, _, err) = papo(&fake, &["send", "ana", "hi"]).finish();
    assert_eq!((status, &err[..]), (Some(1), &[late.trim().replace("ONCE", "MSG")][..]));
}

#[test]
fn readers_are_waited_for_a_minute_at_a_time() {
    // A server that has gone without a word is noticed in between.
    let timeout = "ERR WAIT timeout 2 was not read\n";
    let read = "OK WAIT 2 read\n";
    let fake = Fake::start("", &[Some(SENT), Some(timeout), None, Some(read)]);
    let arguments = ["send", "--wait", "read", "--timeout", "600", "ana", "hi"];
    let running = papo(&fake, &arguments);
    fake.heard();
    assert_eq!([fake.heard(), fake.heard(), fake.heard()], ["WAIT 2 read 60"; 3]);
    assert_eq!(running.finish(), (Some(0), vec!["2".to_owned()], vec![]));
}

#[test]
fn a_search_that_takes_several_looks_is_gone_on_with() {
    let hit = |id: u64| format!("HIST {id} 2026-01-01T00:00:00.000Z bob ana - tea {id}\n");
    let first: &'static str = format!("{}OK HIST 1 more 500\n", hit(700)).leak();
    let last: &'static str = format!("{}{}OK HIST 2 end\n", hit(3), hit(4)).leak();
    let fake = Fake::start("", &[Some(first), Some("OK HIST 0 more 250\n"), Some(last)]);
    let running = papo(&fake, &["search", "-n", "20", "--json", "tea"]);
    for want in
        ["HIST - 20 with tea", "HIST - 19 before 500 with tea", "HIST - 19 before 250 with tea"]
    {
        assert_eq!(fake.heard(), want);
    }
    let (status, printed, _) = running.finish();
    assert_eq!(status, Some(0));
    let ids: Vec<&str> = printed.iter().map(|line| &line[..line.find(',').unwrap()]).collect();
    assert_eq!(ids, ["{\"id\":3", "{\"id\":4", "{\"id\":700"]);
}

#[test]
fn a_server_without_room_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let place = Place::with(&[]);
    let mut command = place.papo("bob", &["send", "ana", "hi"]);
    let running = Running::start(command.env("PAPO_SERVER", address));
    for _ in 0..2 {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"BYE too-many\n").unwrap();
    }
    let (socket, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(&socket).lines();
    for (says, hears) in
        [("HELLO papo/1 fake type HELP\n", "LOGIN "), ("OK LOGIN bob 0\n", "ONCE ")]
    {
        (&socket).write_all(says.as_bytes()).unwrap();
        assert!(lines.next().unwrap().unwrap().starts_with(hears));
    }
    (&socket).write_all(SENT.as_bytes()).unwrap();
    assert_eq!(running.finish().0, Some(0));
}

#[test]
fn an_acknowledgement_waits_for_a_server_that_cannot_write() {
    let full = "ERR ACK storage the disk is full\n";
    let fake = Fake::start(MESSAGE, &[Some(full), Some("OK ACK 1\n")]);
    let tail = papo(&fake, &["tail"]);
    assert!(tail.line().ends_with(" hi"));
    assert_eq!([fake.heard(), fake.heard()], ["ACK 1", "ACK 1"]);
}
