//! A real papod and real connections: how they end, how many there can be, how fast they may type.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::unix::over;
use crate::process::{self, Client, Entry, Home, PASSWORD, Papod, id};

#[test]
fn a_client_that_has_ended_its_input_is_answered_to_the_end() {
    let home = Home::new();
    let papod = home.start();
    let mut bob = papod.register("bob");
    drop(papod.register("alice"));
    // As `printf … | nc -N` does; what is missing is the last line's end.
    let mut alice = papod.connect();
    alice.write(format!("LOGIN alice {PASSWORD}\nMSG bob one\nMSG bob two").as_bytes());
    alice.finish();
    let read = alice.rest();
    let starts = ["OK LOGIN alice 0", "LIVE 0", "OK MSG 1 ", "OK MSG 2 "];
    assert_eq!(read.len(), starts.len(), "{read:?}");
    for (line, start) in read.iter().zip(starts) {
        assert!(line.starts_with(start), "{line} is not {start}");
    }
    for body in ["one", "two"] {
        assert_eq!(Entry::parse(&bob.line()).body, body);
    }
    bob.has_heard_all();
}

#[test]
fn who_has_ended_the_input_still_gets_all_that_waited() {
    let home = Home::new();
    let papod = home.start();
    drop(papod.register("bob"));
    let mut alice = papod.register("alice");
    let long = "long ".repeat(10_000);
    let long = long.trim_end();
    for n in 1..=100 {
        alice.say(&format!("MSG bob {n} {long}"));
    }
    for _ in 1..=100 {
        alice.until("OK MSG ");
    }
    let mut bob = papod.connect();
    bob.write(format!("LOGIN bob {PASSWORD}\nACK").as_bytes());
    bob.finish();
    bob.expect("OK LOGIN bob 100");
    for n in 1..=100 {
        assert_eq!(Entry::parse(&bob.line()).body, format!("{n} {long}"));
    }
    assert_eq!(bob.rest(), ["LIVE 100", "OK ACK 100"]);
    // Before he ended, alice was told.
    let receipt = alice.line();
    assert!(receipt.starts_with("ACK 100 ") && receipt.ends_with(" bob alice"), "{receipt}");
}

#[test]
fn after_a_reset_the_unfinished_line_is_dropped() {
    let home = Home::new();
    let papod = home.start();
    drop(papod.register("bob"));
    drop(papod.register("alice"));
    let sent: Vec<Entry> = (0..10)
        .map(|n| {
            let mut alice = papod.login("alice").0;
            let body = format!("whole {n}");
            let id = alice.send("bob", &body);
            alice.write(format!("MSG bob unfinished {n}").as_bytes());
            let now = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(alice.socket(), now).unwrap();
            Entry { id, from: "alice".into(), to: "bob".into(), body }
        })
        .collect();
    // An end in good order leaves no session undecided.
    papod.stop();
    let papod = home.start();
    assert_eq!(papod.login_quietly("bob").history("alice", 0), sent);
}

/// Says a line on each connection before any answer is read. Where too many secrets wait to be
/// hashed, it is said again.
fn all_say(clients: &mut [Client], line: impl Fn(usize) -> String, answer: &str) {
    for (n, client) in clients.iter_mut().enumerate() {
        client.say(&line(n));
    }
    for (n, client) in clients.iter_mut().enumerate() {
        loop {
            let read = client.line();
            if read.contains(" too-many ") {
                client.say(&line(n));
                continue;
            }
            assert!(read.starts_with(answer), "{n}: {read}");
            break;
        }
    }
}

#[test]
fn three_hundred_at_once() {
    let home = Home::new();
    let papod = home.start();
    let crowd = || -> Vec<Client> { (0..300).map(|_| papod.connect()).collect() };
    let mut clients = crowd();
    all_say(&mut clients, |n| format!("REG user{n} {PASSWORD} User {n}"), "OK REG user");
    for client in &mut clients {
        client.until("LIVE ");
    }
    drop(clients);

    let mut clients = crowd();
    all_say(&mut clients, |n| format!("LOGIN user{n} {PASSWORD}"), "OK LOGIN user");
    for client in &mut clients {
        client.expect("LIVE 0");
    }
    // Everyone writes to the next one, and hears from the one before.
    for (n, client) in clients.iter_mut().enumerate() {
        client.say(&format!("MSG user{} from {n}", (n + 1) % 300));
    }
    for (n, client) in clients.iter_mut().enumerate() {
        let mut read = [client.line(), client.line()];
        read.sort();
        let [event, answer] = read;
        assert!(answer.starts_with("OK MSG "), "{answer}");
        let before = (n + 299) % 300;
        assert_eq!(Entry::parse(&event).body, format!("from {before}"));
        assert_eq!(Entry::parse(&event).from, format!("user{before}"));
    }
    for client in &mut clients {
        client.has_heard_all();
    }
}

#[test]
fn two_sessions_of_one_account_see_the_same() {
    let home = Home::new();
    let papod = home.start();
    let mut laptop = papod.register("alice");
    let mut bob = papod.register("bob");
    let mut phone = papod.login("alice").0;
    let mut script = papod.login_quietly("alice");

    let id = laptop.send("bob", "from the laptop");
    for other in [&mut bob, &mut phone] {
        let seen = other.until("MSG ").pop().map(|line| Entry::parse(&line));
        assert_eq!(seen.map(|seen| (seen.id, seen.from)), Some((id, "alice".into())));
    }
    bob.say(&format!("READ {id}"));
    bob.expect(&format!("OK READ {id}"));
    for other in [&mut laptop, &mut phone] {
        let receipt = other.line();
        assert!(receipt.starts_with(&format!("READ {id} ")), "{receipt}");
        assert!(receipt.ends_with(" bob alice"), "{receipt}");
    }
    // What is read on the phone is read on the laptop.
    let answer = bob.send("alice", "an answer");
    laptop.until("MSG ");
    phone.until("MSG ");
    phone.say("READ");
    phone.expect(&format!("OK READ {answer}"));
    for other in [&mut laptop, &mut bob] {
        let receipt = other.line();
        assert!(receipt.starts_with(&format!("READ {answer} ")), "{receipt}");
        assert!(receipt.ends_with(" alice bob"), "{receipt}");
    }
    // One of them leaves, the other stays.
    phone.say("QUIT");
    assert_eq!(phone.rest(), ["OK QUIT", "BYE quit"]);
    let id = bob.send("alice", "still there?");
    assert!(laptop.line().starts_with(&format!("MSG {id} ")));
    for client in [&mut laptop, &mut bob, &mut script] {
        client.has_heard_all();
    }
}

#[test]
fn who_is_idle_is_told_so() {
    let home = Home::new();
    let papod = Papod::start_with(&home.db(), ["--idle", "1"]);
    let mut alice = papod.register("alice");
    assert_eq!(alice.rest(), ["BYE idle"]);
}

/// What a session has to carry out itself waits until the acts before it are confirmed. That the
/// confirmation can come at any moment, while something long is written for example, must not
/// leave it waiting.
#[test]
fn a_command_behind_a_message_is_answered() {
    let home = Home::new();
    let papod = home.start();
    let long = "x".repeat(20_000);
    thread::scope(|scope| {
        for n in 0..8 {
            let (papod, long) = (&papod, &long);
            scope.spawn(move || {
                let name = format!("user{n}");
                let mut client = papod.register(&name);
                for n in 0..200 {
                    client.say(&format!("PING {long}\nMSG {name} note {n}\nPING {n}"));
                    client.until("OK PING xxx");
                    client.until("OK MSG ");
                    client.expect(&format!("OK PING {n}"));
                }
            });
        }
    });
}

/// More messages in one write than a session takes on at once: the rest is in its hands already
/// when the first of them are confirmed, and nothing more comes from the socket.
#[test]
fn more_messages_than_a_session_takes_on_are_all_answered() {
    let home = Home::new();
    let papod = home.start();
    thread::scope(|scope| {
        for n in 0..8 {
            let papod = &papod;
            scope.spawn(move || {
                let name = format!("user{n}");
                let mut client = papod.register(&name);
                for _ in 0..10 {
                    client.write(format!("MSG {name} a note\n").repeat(1_500).as_bytes());
                    for _ in 0..1_500 {
                        client.until("OK MSG ");
                    }
                }
            });
        }
    });
}

/// A port scanner, a browser, a peer that is gone at once: none of them is anyone else's matter.
#[test]
fn strangers_do_no_harm() {
    let home = Home::new();
    let papod = home.start();
    let mut alice = papod.register("alice");
    for said in
        [&b""[..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", &[0; 4096]]
    {
        for _ in 0..20 {
            let mut stranger = TcpStream::connect(papod.address).unwrap();
            // It may be refused half-way; it does not wait for an answer.
            let _ = stranger.write_all(said);
        }
    }
    alice.has_heard_all();
    assert!(!papod.log().contains("panicked"), "{}", papod.log());
    papod.stop();
}

/// A client that waits for others is gone: its session ends, and not only when the wait does. One that
/// has only ended its input is answered.
#[test]
fn a_wait_ends_with_its_client() {
    let home = Home::new();
    let [path, unix] = ["admin.sock", "papo.sock"].map(|name| home.path().join(name));
    let flags = ["--admin", path.to_str().unwrap(), "--unix", unix.to_str().unwrap()];
    let papod = Papod::start_with(&home.db(), flags);
    let mut bob = papod.register("bob");
    drop(papod.register("ana"));
    let typed = format!("LOGIN ana {PASSWORD} quiet\nMSG bob may I?\nWAIT last read 600\n");
    let mut half = papod.connect();
    half.write(typed.as_bytes());
    half.finish();
    let id = id(&half.until("OK MSG ")[1]);
    let mut reset = papod.connect();
    reset.write(typed.as_bytes());
    reset.until("OK MSG ");
    rustix::net::sockopt::set_socket_linger(reset.socket(), Some(Duration::ZERO)).unwrap();
    drop(reset);
    let mut closed = UnixStream::connect(&unix).unwrap();
    closed.set_read_timeout(Some(process::PATIENCE)).unwrap();
    closed.write_all(typed.as_bytes()).unwrap();
    let mut lines = BufReader::new(&closed).lines();
    lines.find(|line| line.as_ref().unwrap().starts_with("OK MSG ")).unwrap().unwrap();
    drop(closed);
    let until = Instant::now() + process::PATIENCE;
    loop {
        let sessions = over(&path, "ADMIN SESSIONS");
        let of_ana = sessions.iter().filter(|row| row.contains(" ana ")).count();
        if of_ana == 1 {
            break;
        }
        assert!(Instant::now() < until, "{sessions:?}");
    }
    bob.say("READ");
    bob.until("OK READ ");
    assert_eq!(half.rest(), [format!("OK WAIT {id} read")]);
    papod.stop();
}

/// A Telnet client that was interrupted shows nothing until it is answered; and whoever asks for an
/// option is refused it, between lines.
#[test]
fn telnet_is_answered() {
    let home = Home::new();
    let papod = home.start();
    let mut bob = papod.register("bob");
    let mut ana = papod.register("ana");
    let heard = |client: &mut Client, expected: &[u8]| {
        let mut bytes = vec![0; expected.len()];
        client.read(&mut bytes);
        assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    };
    // Nothing has to end a line for it.
    ana.write(b"PI\xff\xf4\xff\xfd\x06");
    heard(&mut ana, b"\xff\xfc\x06");
    ana.write(b"\xff\xfb\x1f\xff\xfd\x01NG a\r\0");
    heard(&mut ana, b"\xff\xfe\x1f\xff\xfc\x01OK PING a\n");
    // While it waits, too.
    let id = ana.send("bob", "may I?");
    ana.say("WAIT last read 600");
    ana.write(b"\xff\xf4\xff\xfd\x06PING b\r\0");
    heard(&mut ana, b"\xff\xfc\x06");
    // A person sees that somebody is there.
    ana.write(b"\xff\xf6");
    assert!(ana.line().starts_with("HELLO papo/1 "));
    bob.until("MSG ");
    bob.say("READ");
    bob.until("OK READ ");
    ana.until(&format!("READ {id} "));
    ana.expect(&format!("OK WAIT {id} read"));
    ana.expect("OK PING b");
    papod.stop();
}

/// Whoever asks for options and reads no answer is read from no more.
#[test]
fn a_flood_of_telnet_is_held_back() {
    let home = Home::new();
    let papod = home.start();
    let flood = papod.connect();
    let before = papod.memory("VmRSS");
    let mut other = papod.connect();
    let mut socket = flood.socket().try_clone().unwrap();
    socket.set_nonblocking(true).unwrap();
    let options = b"\xff\xfd\x06".repeat(20_000);
    let (mut sent, mut refused) = (0, 0);
    // Nothing more is taken, however often others are answered meanwhile.
    while refused < 50 {
        match socket.write(&options) {
            Ok(n) => (sent, refused) = (sent + n, 0),
            Err(_) => {
                refused += 1;
                other.has_heard_all();
            }
        }
        assert!(sent < 1 << 30, "it reads on");
    }
    let grown = papod.memory("VmHWM").saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB for {sent} bytes");
    drop((flood, socket));
    papod.stop();
}
