//! Readers that stop reading: they cost bounded memory and no one else's speed, and lose nothing.
//!
//! How much memory a papod uses is what the kernel says of its process. Its highest mark is held
//! against what it held before, so that it does not matter when one looks.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::process::{self, Client, Dice, Entry, Home, PASSWORD, PATIENCE, Papod, id, tls};
use rustix::process::Signal;

/// Growth of the server's memory that is allowed, in KiB: half of what is sent. Its parts are the
/// page caches of the database, one batch, and the outbox of whoever does not read.
const GROWTH: u64 = 16 * 1024;
/// What is sent to someone who does not read, in bytes. The kernel's buffers take 10 MB at most.
const FLOOD: usize = 32_000_000;

/// How far memory has grown at any moment since it was this, in KiB.
fn growth(papod: &Papod, before: u64) -> u64 {
    papod.memory("VmHWM").saturating_sub(before)
}

/// Bodies of 1 to 60 KB, so many bytes in all.
fn bodies(bytes: usize) -> Vec<String> {
    let mut dice = Dice::new(7);
    let mut bodies = Vec::new();
    let mut sum = 0;
    while sum < bytes {
        let length = usize::try_from(1_000 + dice.below(59_000)).unwrap();
        let start = format!("{} ", bodies.len());
        let body = start + &"0123456789 abcdefghijklmnopqrst ".repeat(1 + length / 32);
        sum += body.len();
        bodies.push(body.trim_end().to_owned());
    }
    bodies
}

/// Sends all bodies to one person, as fast as they are taken. Gives back their ids.
fn flood(client: &mut Client, to: &str, bodies: &[String]) -> Vec<u64> {
    let mut socket = client.socket().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            for body in bodies {
                let line = format!("MSG {to} {body}\n");
                socket.write_all(line.as_bytes()).expect("papod reads");
            }
        });
        let answers = bodies.iter().map(|_| {
            let answer = client.line();
            assert!(answer.starts_with("OK MSG "), "{answer}");
            id(&answer)
        });
        answers.collect()
    })
}

#[test]
fn who_does_not_read_loses_nothing_and_holds_nobody_up() {
    let home = Home::new();
    let papod = home.start();
    let mut bob = papod.register("bob");
    let mut carol = papod.register("carol");
    let mut dave = papod.register("dave");
    drop(papod.register("alice"));
    let mut alice = papod.login_quietly("alice");
    // What carol will acknowledge while bob does not read.
    let asked = bob.send("carol", "is it there?");
    carol.until(&format!("MSG {asked} "));
    let bodies = bodies(FLOOD);
    let before = papod.memory("VmRSS");

    let sent = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&mut alice, "bob", &bodies));
        for n in 0..50 {
            let (there, back) = (format!("there {n}"), format!("back {n}"));
            let id = carol.send("dave", &there);
            let read = dave.until(&format!("MSG {id} "));
            assert_eq!(Entry::parse(&read[0]).body, there);
            let id = dave.send("carol", &back);
            let read = carol.until(&format!("MSG {id} "));
            assert_eq!(Entry::parse(&read[0]).body, back);
        }
        flood.join().expect("all is confirmed")
    });
    // Bob's session has fallen behind by now, and this is no entry that it could find in the log.
    carol.say(&format!("ACK {asked}"));
    carol.until("OK ACK ");
    let after = papod.memory("VmRSS");
    let highest = growth(&papod, before);
    println!("{FLOOD} bytes: {before} KiB before, {after} after, {} at most", before + highest);
    assert!(highest < GROWTH, "it holds {highest} KiB for a reader that stopped");

    let mut receipt = false;
    let mut read = Vec::new();
    while read.len() < sent.len() || !receipt {
        let line = bob.line();
        if line.starts_with("ACK ") {
            assert!(!receipt, "twice: {line}");
            assert!(line.starts_with(&format!("ACK {asked} ")), "{line}");
            assert!(line.ends_with(" carol bob"), "{line}");
            receipt = true;
        } else {
            read.push(Entry::parse(&line));
        }
    }
    let read_ids: Vec<u64> = read.iter().map(|entry| entry.id).collect();
    assert_eq!(read_ids, sent, "each once and in order");
    assert!(read.iter().zip(&bodies).all(|(e, body)| e.body == *body), "each with its own body");
    bob.has_heard_all();
    let highest = growth(&papod, before);
    assert!(highest < GROWTH, "catching up took {highest} KiB");

    // It was sent all that, so a bare ACK covers it.
    bob.say("ACK");
    bob.expect(&format!("OK ACK {}", sent.last().unwrap()));
    drop(bob);
    let (_, read) = papod.login("bob");
    assert_eq!(read[0], "OK LOGIN bob 0");
}

/// Writes until the server has taken nothing for a second: it has stopped reading. Gives back how
/// much was taken; all of it means that it never stopped.
fn write_until_refused(mut socket: &TcpStream, bytes: &[u8]) -> usize {
    let second = Some(Duration::from_secs(1));
    socket.set_write_timeout(second).unwrap();
    let mut taken = 0;
    while taken < bytes.len() {
        match socket.write(&bytes[taken..]) {
            Ok(n) => taken += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => panic!("{e}"),
        }
    }
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    taken
}

/// Types all this without reading, checks that the server stops taking it, then reads on. Gives
/// back the lines that came, up to the answer of a last `PING`.
fn stall_and_read(papod: &Papod, client: &mut Client, typed: &str) -> Vec<String> {
    let before = papod.memory("VmRSS");
    let typed = format!("{typed}PING the-end\n");
    let typed = typed.as_bytes();
    let taken = write_until_refused(client.socket(), typed);
    let highest = growth(papod, before);
    println!("{taken} of {} bytes taken, {highest} KiB more", typed.len());
    assert!(taken < typed.len(), "it takes commands whose replies nobody reads");
    let mut socket = client.socket().try_clone().unwrap();
    let read = thread::scope(|scope| {
        scope.spawn(move || socket.write_all(&typed[taken..]).expect("papod reads on"));
        client.until("OK PING the-end")
    });
    let highest = growth(papod, before);
    println!("{highest} KiB more at the end");
    assert!(highest < GROWTH, "it holds {highest} KiB of replies");
    read
}

#[test]
fn who_asks_and_does_not_read_is_not_read_either() {
    let home = Home::new();
    let papod = home.start();
    let mut eve = papod.register("eve");
    // Replies about as long as the commands, in sum more than all buffers on the way.
    let filler = "0123456789 abcdefghijklmnopqrst ".repeat(64);
    let text = |n: usize| format!("{n} {}", &filler[..filler.len() - 1]);
    let typed: String = (0..FLOOD / filler.len()).map(|n| format!("PING {}\n", text(n))).collect();
    let mut read = stall_and_read(&papod, &mut eve, &typed);
    read.pop();
    assert_eq!(read.len(), FLOOD / filler.len());
    for (n, line) in read.iter().enumerate() {
        assert_eq!(*line, format!("OK PING {}", text(n)), "in order");
    }
    eve.has_heard_all();
}

#[test]
fn strangers_who_ask_and_do_not_read_cost_little() {
    let home = Home::new();
    let papod = home.start();
    let before = papod.memory("VmRSS");
    let crowd: Vec<Client> = (0..100).map(|_| papod.connect()).collect();
    // Each answer is a hundred times as long as what asks for it.
    let typed = b"HELP\n".repeat(100_000);
    thread::scope(|scope| {
        for client in &crowd {
            scope.spawn(|| write_until_refused(client.socket(), &typed));
        }
    });
    let each = growth(&papod, before) / 100;
    println!("{each} KiB each");
    assert!(each < 200, "{each} KiB for each of those who have not logged in");
}

#[test]
fn who_asks_for_history_and_does_not_read_costs_a_page() {
    let home = Home::new();
    let papod = home.start();
    let mut eve = papod.register("eve");
    let bodies = bodies(1_500_000);
    let notes = flood(&mut eve, "eve", &bodies);
    // Commands whose replies are a hundred thousand times as long; between them entries of one's
    // own, each of which belongs to every later answer. Blank lines, which mean nothing, make it
    // more than the kernel would hold for a server that does not read.
    let blank = (" ".repeat(63_999) + "\n").repeat(FLOOD / 20 / 64_000);
    let typed: String =
        (0..20).map(|n| format!("HIST eve 1000\nMSG eve note {n}\n{blank}")).collect();
    let mut read = stall_and_read(&papod, &mut eve, &typed).into_iter();
    for n in 0..20 {
        let rows: Vec<Entry> =
            read.by_ref().take(notes.len() + n).map(|line| Entry::parse(&line)).collect();
        let said = (0..n).map(|n| format!("note {n}"));
        let all = bodies.iter().cloned().chain(said);
        assert!(rows.into_iter().map(|row| row.body).eq(all), "history {n}");
        let end = format!("OK HIST {} end", notes.len() + n);
        assert_eq!(read.next(), Some(end));
        let confirmed = read.next().expect("MSG is answered, too");
        assert!(confirmed.starts_with("OK MSG "), "{confirmed}");
    }
    eve.has_heard_all();
}

/// On one processor everything is done in turns: a session that waits for its peer must give its
/// turn up. Two of them, so that it does not help that the first is served from the log by then.
#[test]
fn who_does_not_read_takes_no_turn() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    // A process begins with the processors of the thread that starts it; this one is the test's.
    let here = sched_getaffinity(None).unwrap();
    let one = (0..CpuSet::MAX_CPU).find(|n| here.is_set(*n)).unwrap();
    let mut only = CpuSet::new();
    only.set(one);
    sched_setaffinity(None, &only).unwrap();
    let home = Home::new();
    let papod = home.start();
    sched_setaffinity(None, &here).unwrap();

    let mut readers = [papod.register("bob"), papod.register("eve")];
    let mut alice = papod.register("alice");
    let body = "0123456789 abcdefghijklmnopqrst ".repeat(300);
    let body = body.trim_end();
    let mut sent = [Vec::new(), Vec::new()];
    // More than the kernel holds for each, and far more than an outbox.
    for n in 0..12_000_000 / body.len() {
        let to = ["bob", "eve"][n % 2];
        sent[n % 2].push(alice.send(to, body));
    }
    let mut carol = papod.register("carol");
    let id = carol.send("alice", "is anyone served?");
    alice.until(&format!("MSG {id} "));
    for (reader, sent) in readers.iter_mut().zip(sent) {
        let read: Vec<u64> = sent.iter().map(|_| id_of(reader)).collect();
        assert!(read == sent, "each once and in order");
        reader.has_heard_all();
    }
}

fn id_of(reader: &mut Client) -> u64 {
    let line = reader.line();
    assert!(line.starts_with("MSG "), "{line}");
    id(&line)
}

#[test]
fn who_does_not_read_does_not_hold_up_the_end() {
    let home = Home::new();
    let mut papod = home.start();
    let bob = papod.register("bob");
    let mut alice = papod.register("alice");
    let bodies = bodies(16_000_000);
    let sent = flood(&mut alice, "bob", &bodies);
    papod.signal(Signal::TERM);
    alice.expect("BYE shutdown");
    assert_eq!(papod.wait().code(), Some(0));
    drop(bob);

    let papod = home.start();
    let mut bob = papod.connect();
    bob.say(&format!("LOGIN bob {}", process::PASSWORD));
    bob.expect(&format!("OK LOGIN bob {}", sent.len()));
    let read = bob.until("LIVE ");
    let ids = read[..sent.len()].iter().map(|line| id(line));
    assert!(ids.eq(sent), "what he was not sent is not lost");
}

#[test]
fn who_leaves_while_much_waits_finds_it_again() {
    let home = Home::new();
    let papod = home.start();
    let mut bob = papod.register("bob");
    let mut alice = papod.register("alice");
    let bodies = bodies(4_000_000);
    let sent = flood(&mut alice, "bob", &bodies);
    // Reads one, acknowledges it, and is gone with all the others on the way to him.
    let first = bob.line();
    assert_eq!(id(&first), sent[0]);
    bob.say(&format!("ACK {}", sent[0]));
    bob.finish();
    let read = bob.rest();
    let answers: Vec<_> = read.iter().filter(|line| !line.starts_with("MSG ")).collect();
    assert_eq!(answers, [&format!("OK ACK {}", sent[0])], "of {} lines", read.len());
    let (_, read) = papod.login("bob");
    assert_eq!(read[0], format!("OK LOGIN bob {}", sent.len() - 1));
    let ids = read[1..sent.len()].iter().map(|line| id(line));
    assert!(ids.eq(sent[1..].iter().copied()), "all but the first");
}

/// Through TLS it is the same: what waits in memory is bounded, and nothing is lost on the way
/// through what TLS itself keeps.
#[test]
fn who_does_not_read_through_tls_loses_nothing() {
    let home = Home::new();
    let (papod, address) = tls::start(&home, &tls::file("one.pem"), &tls::file("one.key"));
    let mut bob = BufReader::new(tls::connect(address, "one.pem"));
    let register = format!("REG bob {PASSWORD}\nSET ack auto\n");
    bob.get_mut().write_all(register.as_bytes()).unwrap();
    let mut lines = Vec::new();
    for _ in 0..4 {
        let mut line = String::new();
        bob.read_line(&mut line).unwrap();
        lines.push(line);
    }
    assert_eq!(lines[3], "OK SET ack auto\n");
    let mut alice = papod.register("alice");
    let bodies = bodies(FLOOD / 2);
    let before = papod.memory("VmRSS");
    // Those of a session that does get receipts stay unread by it, and are fewer than the bodies.
    alice.say("SET receipts off");
    alice.expect("OK SET receipts off");
    let sent = flood(&mut alice, "bob", &bodies);
    let highest = growth(&papod, before);
    assert!(highest < GROWTH, "it holds {highest} KiB for a reader that stopped");
    for (id, body) in sent.iter().zip(&bodies) {
        let mut line = String::new();
        bob.read_line(&mut line).unwrap();
        let entry = Entry::parse(line.trim_end_matches('\n'));
        assert!((entry.id, &entry.body) == (*id, body), "{id} came as {}", entry.id);
    }
    // What was written counts as received; so none of it waits.
    bob.get_mut().write_all(b"QUIT\n").unwrap();
    let mut rest = String::new();
    bob.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "OK QUIT\nBYE quit\n");
    let (_, read) = papod.login("bob");
    assert_eq!(read[0], "OK LOGIN bob 0");
}
