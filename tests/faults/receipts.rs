//! Receipts are never lost: whatever became of the sessions that they were written to, those that no
//! session answered to come with the next login.
//!
//! Written to a socket is not received. Here readers are stopped, killed, reset and left hanging,
//! commits fail, and the server itself is stopped and killed.

mod model;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{
    Client, Dice, Home, PASSWORD, PATIENCE, Papod, die_with_this_thread, signals, tls,
};
use papo::config::{Config, PasswordCost};
use papo::entry::Clock;
use papo::server::Server;
use rusqlite::Connection;
use rustix::process::{Pid, Signal};

/// A netcat that has logged in as somebody.
struct Netcat {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Netcat {
    fn login(papod: &Papod, handle: &str) -> Netcat {
        let port = papod.address.port().to_string();
        let mut command = Command::new("nc");
        command.args(["127.0.0.1", &port]).stdin(Stdio::piped()).stdout(Stdio::piped());
        die_with_this_thread(&mut command);
        let mut child = command.spawn().expect("nc starts");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut netcat = Netcat { child, lines };
        netcat.say(&format!("LOGIN {handle} {PASSWORD}"));
        netcat.until("LIVE ");
        netcat
    }

    fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn until(&mut self, start: &str) {
        while !self.lines.next().expect("nc goes on").unwrap().starts_with(start) {}
    }

    fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Stops it, as Ctrl-Z does, and waits until it is.
    fn stop(&self) {
        signals::send(self.id(), Signal::STOP).unwrap();
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Waits until a client of this papod has bytes that its program has not read.
fn until_unread(papod: &Papod) {
    let until = Instant::now() + PATIENCE;
    let server = format!(":{:04X}", papod.address.port());
    let is_unread = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, _, peer, _, queues, ..] = columns[..] else { return false };
        peer.ends_with(&server) && !queues.ends_with(":00000000")
    };
    while !fs::read_to_string("/proc/net/tcp").unwrap().lines().any(is_unread) {
        assert!(Instant::now() < until, "nothing was written");
        thread::yield_now();
    }
}

/// Ana writes in netcat, which is then stopped; Bob reads, and the receipt is written to her socket.
fn ghost(papod: &Papod) -> Netcat {
    drop(papod.register("ana"));
    let mut bob = papod.register("bob");
    let mut ana = Netcat::login(papod, "ana");
    ana.say("MSG bob are you there?");
    ana.until("OK MSG 1 ");
    bob.until("MSG 1 ");
    ana.stop();
    bob.say("READ");
    bob.expect("OK READ 1");
    until_unread(papod);
    ana
}

/// Logs Ana in: the receipt is there. Having said a line, she is not sent it again.
fn is_shown(papod: &Papod) {
    let (mut ana, read) = papod.login("ana");
    assert_eq!(read.len(), 3, "{read:?}");
    assert!(read[1].starts_with("READ 1 ") && read[1].ends_with(" bob ana"), "{read:?}");
    ana.has_heard_all();
    let (_, read) = papod.login("ana");
    assert_eq!(read, ["OK LOGIN ana 0", "LIVE 1"]);
}

#[test]
fn a_receipt_written_to_a_stopped_netcat_comes_again_when_that_is_killed() {
    let home = Home::new();
    let papod = home.start();
    ghost(&papod).kill();
    is_shown(&papod);
}

#[test]
fn a_receipt_written_to_a_stopped_netcat_comes_to_another_session_meanwhile() {
    let home = Home::new();
    let papod = home.start();
    let ghost = ghost(&papod);
    is_shown(&papod);
    ghost.kill();
}

#[test]
fn a_receipt_written_to_a_stopped_netcat_outlives_the_server() {
    for kills in [false, true] {
        let home = Home::new();
        let mut papod = home.start();
        let ghost = ghost(&papod);
        if kills {
            papod.kill();
        } else {
            papod.stop();
        }
        let papod = home.start();
        is_shown(&papod);
        ghost.kill();
    }
}

#[test]
fn a_receipt_written_to_a_stopped_netcat_outlives_its_password() {
    let home = Home::new();
    let papod = home.start();
    let ghost = ghost(&papod);
    let mut ana = papod.login_quietly("ana");
    ana.say(&format!("PASSWD {PASSWORD} {PASSWORD}"));
    ana.expect("OK PASSWD");
    is_shown(&papod);
    ghost.kill();
}

/// Lines that were sent before the receipts were written prove nothing, whenever they are read.
#[test]
fn what_was_sent_with_the_login_proves_nothing() {
    let home = Home::new();
    let papod = home.start();
    let mut ana = papod.register("ana");
    let mut bob = papod.register("bob");
    ana.send("bob", "one");
    drop(ana);
    bob.until("MSG 1 ");
    bob.say("READ");
    bob.expect("OK READ 1");
    let mut ana = papod.connect();
    // As much as the kernel takes at once.
    let pings = "PING\n".repeat(8_000);
    ana.write(format!("LOGIN ana {PASSWORD}\n{pings}PING last\n").as_bytes());
    ana.until("OK PING last");
    let (_, read) = papod.login("ana");
    assert_eq!(read.len(), 3, "{read:?}");
    ana.has_heard_all();
    let (_, read) = papod.login("ana");
    assert_eq!(read.len(), 2, "{read:?}");
}

/// Ana writes in a quiet session, and Bob reads it while none of hers is told.
fn read_while_away(papod: &Papod, bob: &mut Client) {
    let id = papod.login_quietly("ana").send("bob", "hello");
    bob.until(&format!("MSG {id} "));
    bob.say("READ");
    bob.until(&format!("OK READ {id}"));
}

/// Through TLS the end has to be said: a stream that only stops may have been cut by somebody else.
#[test]
fn through_tls_only_a_close_notify_is_an_end_in_order() {
    let home = Home::new();
    let (papod, address) = tls::start(&home, &tls::file("one.pem"), &tls::file("one.key"));
    drop(papod.register("ana"));
    read_while_away(&papod, &mut papod.register("bob"));
    let shown = [false, true, true].map(|says_so| {
        let mut ana = BufReader::new(tls::connect(address, "one.pem"));
        ana.get_mut().write_all(format!("LOGIN ana {PASSWORD}\n").as_bytes()).unwrap();
        let lines = ana.by_ref().lines().map(Result::unwrap);
        let lines: Vec<String> = lines.take_while(|line| !line.starts_with("LIVE ")).collect();
        if says_so {
            ana.get_mut().conn.send_close_notify();
            ana.get_mut().flush().unwrap();
        }
        ana.get_ref().sock.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        ana.read_to_end(&mut rest).unwrap();
        lines.iter().any(|line| line.starts_with("READ 1 "))
    });
    assert_eq!(shown, [true, true, false]);
}

/// Who takes everything up to `BYE` and then closes has been shown it, without a line.
#[test]
fn who_takes_the_goodbye_has_taken_what_came_before_it() {
    let home = Home::new();
    drop(home.start().register("ana"));
    drop(home.start().register("bob"));
    let taken = || {
        let papod = home.start();
        read_while_away(&papod, &mut papod.login("bob").0);
        let (mut ana, read) = papod.login("ana");
        assert!(read.iter().any(|line| line.starts_with("READ ")), "{read:?}");
        let closing = thread::spawn(move || assert_eq!(ana.rest(), ["BYE shutdown"]));
        papod.stop();
        closing.join().unwrap();
        let (_, read) = home.start().login("ana");
        !read.iter().any(|line| line.starts_with("READ "))
    };
    // A client that needs a second for it is not waited for.
    assert!((0..5).any(|_| taken()));
}

/// What a session proved is written down while it lives, now and then.
#[test]
fn a_long_session_is_not_told_a_year_again_after_a_crash() {
    static NOW: AtomicI64 = AtomicI64::new(1_800_000_000_000);
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("papo.db");
    let config = Config {
        listen: vec!["127.0.0.1:0".into()],
        password_cost: PasswordCost { kib: 8, passes: 1 },
        clock: Clock::Told(&NOW),
        ..Config::new(db.clone())
    };
    let server = Server::start(&config).unwrap();
    let register = |handle: &str| {
        let mut client = Client::connect(server.addresses()[0]);
        client.say(&format!("REG {handle} {PASSWORD}"));
        client.until("LIVE ");
        client
    };
    let (mut ana, mut bob) = (register("ana"), register("bob"));
    let mut shown = Vec::new();
    for minutes in [0, 6, 1, 6] {
        NOW.fetch_add(minutes * 60_000, Ordering::SeqCst);
        let id = ana.send("bob", "well?");
        bob.until(&format!("MSG {id} "));
        bob.say("READ");
        bob.until("OK READ ");
        ana.until(&format!("READ {id} "));
        ana.has_heard_all();
        // What the hub does next comes after that.
        ana.send("ana", "note");
        let read = Connection::open(&db).unwrap();
        let sql = "SELECT shown, (SELECT moved FROM newest) FROM account WHERE handle = 'ana'";
        let marks = read.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
        let (mark, moved): (i64, i64) = marks.unwrap();
        shown.push(mark == moved);
    }
    assert_eq!(shown, [false, true, false, true]);
    drop((ana, bob));
    server.stop();
}

/// Random histories of the sessions of one author, some of whose readers' commits fail, in every way
/// in which a session can end.
#[test]
fn no_history_loses_a_receipt() {
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let until = Instant::now() + Duration::from_secs(6);
    for round in 0..40 {
        model::history(&mut dice, 60, round % 2 == 1);
        println!("history {round} holds");
        if Instant::now() > until {
            break;
        }
    }
}
