//! The limits of connections, sessions and rates: each is crossed, and what others have of it.

mod guessing;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::process::{self, Client, Home, PASSWORD, Papod};
use rustix::net::{AddressFamily, SocketType};

fn start(home: &Home, flags: &[&str]) -> Papod {
    Papod::start_with(&home.db(), flags)
}

/// A connection from another address of loopback.
fn connect_from(papod: &Papod, address: &str) -> Client {
    Client::of(stream_from(address, papod.address))
}

/// The same to any listener.
pub fn stream_from(address: &str, to: SocketAddr) -> TcpStream {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let from: SocketAddr = format!("{address}:0").parse().unwrap();
    rustix::net::bind(&socket, &from).unwrap();
    rustix::net::connect(&socket, &to).unwrap();
    TcpStream::from(socket)
}

/// It is told why it is sent away, and sent away.
fn is_one_too_many(client: &mut Client) {
    assert_eq!(client.rest(), ["BYE too-many"]);
}

#[test]
fn connections_in_all() {
    let home = Home::new();
    let papod = start(&home, &["--limit-connections", "2"]);
    let mut ana = papod.register("ana");
    let second = papod.connect();
    is_one_too_many(&mut papod.connect());
    // Those who are in notice nothing, and who leaves makes room.
    ana.has_heard_all();
    let mut second = second;
    second.say("QUIT");
    assert_eq!(second.rest(), ["OK QUIT", "BYE quit"]);
    ana.send("ana", "a moment passes");
    let let_in = std::iter::repeat_with(|| papod.connect()).find_map(|mut client| {
        client.say("PING");
        client.next_line().filter(|line| line == "OK PING")
    });
    assert!(let_in.is_some());
    papod.stop();
}

#[test]
fn connections_of_one_address() {
    let home = Home::new();
    let papod = start(&home, &["--limit-local", "--limit-address", "2"]);
    let held = [papod.connect(), papod.connect()];
    is_one_too_many(&mut papod.connect());
    let mut other = connect_from(&papod, "127.0.0.2");
    other.has_heard_all();
    drop(held);
    papod.stop();
}

#[test]
fn sessions_of_one_account() {
    let home = Home::new();
    let papod = start(&home, &["--limit-local", "--limit-sessions", "2"]);
    let mut first = papod.register("ana");
    let second = papod.login("ana");
    let mut third = papod.connect();
    third.say(&format!("LOGIN ana {PASSWORD}"));
    let refused = "ERR LOGIN too-many too many sessions of this account; close one with QUIT";
    third.expect(refused);
    first.has_heard_all();
    drop(second);
    first.send("ana", "a moment passes");
    // It may log in again on the same connection.
    loop {
        third.say(&format!("LOGIN ana {PASSWORD}"));
        let line = third.line();
        if line != refused {
            assert!(line.starts_with("OK LOGIN ana "), "{line}");
            break;
        }
    }
    papod.stop();
}

#[test]
fn registrations_of_one_address() {
    let home = Home::new();
    let papod = start(&home, &["--limit-local", "--limit-registrations", "2"]);
    papod.register("ana");
    papod.register("bia");
    let mut third = papod.connect();
    third.say("REG caio secret-c");
    // Half an hour for each.
    third.expect("ERR REG too-fast 1800 seconds until the next try; that was too much at once");
    // Nor does it learn whether a handle is taken.
    third.say("REG ana secret-c");
    third.expect("ERR REG too-fast 1800 seconds until the next try; that was too much at once");
    third.has_heard_all();
    let mut other = connect_from(&papod, "127.0.0.2");
    // To ask for one that is taken is a registration, too.
    other.say("REG ana secret-c");
    assert!(other.line().starts_with("ERR REG taken "));
    other.say("REG caio secret-c");
    other.expect("OK REG caio");
    other.say("QUIT");
    let mut other = connect_from(&papod, "127.0.0.2");
    other.say("REG davi secret-d");
    assert!(other.line().starts_with("ERR REG too-fast "));
    papod.stop();
}

#[test]
fn messages_in_a_second_wait_first_and_are_refused_then() {
    let home = Home::new();
    let papod = start(&home, &["--limit-local", "--limit-messages", "1"]);
    papod.register("ana");
    let mut sessions: Vec<Client> = (0..17).map(|_| papod.login_quietly("ana")).collect();
    // Ten come at once; after that each has to wait a second longer than the one before.
    let mut answers = sessions.iter_mut().map(|session| {
        session.say("MSG ana note");
        session.line()
    });
    let answers: Vec<String> = answers.by_ref().collect();
    let taken = answers.iter().filter(|line| line.starts_with("OK MSG ")).count();
    // A second may pass meanwhile, on a slow machine.
    assert!((15..17).contains(&taken), "{answers:#?}");
    let refused = answers.last().unwrap();
    let seconds = refused.strip_prefix("ERR MSG too-fast ").and_then(|rest| rest.split_once(' '));
    assert!(
        seconds.is_some_and(|(n, rest)| n.parse::<u64>().is_ok() && rest.starts_with("second"))
    );
    // A single one that pours is slowed down and loses nothing.
    let mut pouring = papod.register("bia");
    let typed = "MSG bia note\n".repeat(12) + "PING after\n";
    pouring.write(typed.as_bytes());
    let read = pouring.until("OK PING after");
    assert_eq!(read.iter().filter(|line| line.starts_with("OK MSG ")).count(), 12);
    papod.stop();
}

#[test]
fn groups_and_bytes_in_a_day() {
    let home = Home::new();
    let papod = start(&home, &["--limit-local", "--limit-groups", "1", "--limit-bytes", "20000"]);
    let mut ana = papod.register("ana");
    ana.say("GROUP NEW one");
    ana.expect("OK GROUP NEW #one");
    ana.say("GROUP NEW two");
    let answer = ana.line();
    assert!(answer.starts_with("ERR GROUP too-fast "), "{answer}");
    let text = "x".repeat(15_000);
    ana.send("ana", &text);
    ana.say(&format!("MSG ana {text}"));
    let answer = ana.line();
    assert!(answer.starts_with("ERR MSG too-fast "), "{answer}");
    ana.send("ana", "a short one");
    papod.stop();
}

#[test]
fn what_is_done_with_a_message_counts_as_one() {
    let home = Home::new();
    let papod = start(&home, &["--limit-local", "--limit-messages", "1"]);
    papod.register("ana").send("ana", "note");
    let mut sessions: Vec<Client> = (0..20).map(|_| papod.login_quietly("ana")).collect();
    let answers: Vec<String> = sessions
        .iter_mut()
        .zip(["EDIT 1 x", "REACT 1 ok", "RE 1 x", "FWD 1 ana", "AT +600 MSG ana x"].iter().cycle())
        .map(|(session, typed)| {
            session.say(typed);
            session.line()
        })
        .collect();
    let refused = |line: &&String| line.contains(" too-fast ");
    // A second may pass meanwhile, on a slow machine.
    let taken = answers.len() - answers.iter().filter(refused).count();
    assert!((14..17).contains(&taken), "{answers:#?}");
    let last = answers.last().unwrap();
    assert!(last.starts_with("ERR AT too-fast "), "{last}");
    papod.stop();
}

#[test]
fn authors_may_change_a_message_for_so_long_and_no_longer() {
    let home = Home::new();
    let papod = start(&home, &["--amend", "1"]);
    let mut ana = papod.register("ana");
    ana.send("ana", "note");
    let mut edits = 0;
    let refused = loop {
        ana.say(&format!("EDIT 1 {edits}"));
        match ana.line() {
            line if line.starts_with("OK EDIT ") => edits += 1,
            line => break line,
        }
    };
    assert!(refused.starts_with("ERR EDIT too-late "), "{refused}");
    ana.say("DEL 1");
    assert!(ana.line().starts_with("ERR DEL too-late "));
    // What it says already, and what is no change of it.
    if edits > 0 {
        ana.say(&format!("EDIT 1 {}", edits - 1));
        assert!(ana.line().starts_with("OK EDIT "));
    }
    ana.say("REACT 1 ok");
    assert!(ana.line().starts_with("OK REACT "));
    papod.stop();
}

#[test]
fn marks_are_shown_a_page_at_a_time() {
    let home = Home::new();
    let papod = start(&home, &[]);
    let mut ana = papod.register("ana");
    ana.send("ana", "note");
    for some in [500, 500] {
        for n in 0..some {
            ana.say(&format!("EDIT 1 {some} {n}"));
        }
        for _ in 0..some {
            assert!(ana.line().starts_with("OK EDIT "));
        }
        // Else this would be the text already.
        ana.say("EDIT 1 between");
        assert!(ana.line().starts_with("OK EDIT "));
    }
    ana.say("MARKS 1");
    let page = ana.until("OK MARKS ");
    assert_eq!((page.len(), page.last().map(|line| &**line)), (1_001, Some("OK MARKS 1000 more")));
    ana.say(&format!("MARKS 1 after {}", crate::process::id(&page[999])));
    let rest = ana.until("OK MARKS ");
    assert_eq!(rest.last().map(|line| &**line), Some("OK MARKS 3 end"));
    papod.stop();
}

#[test]
fn on_this_machine_there_are_no_such_limits_unless_asked_for() {
    let home = Home::new();
    let flags = ["--limit-address", "1", "--limit-sessions", "1", "--limit-registrations", "1"];
    let papod = start(&home, &[&flags[..], &["--limit-messages", "1"]].concat());
    let _held = [papod.register("ana"), papod.register("bia")];
    let mut quiet = papod.login_quietly("ana");
    quiet.write("MSG ana x\n".repeat(100).as_bytes());
    quiet.until("OK MSG 100 ");
    papod.stop();
}

#[test]
fn time_to_log_in() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let flags = ["--limit-login", "1", "--admin", path.to_str().unwrap()];
    let papod = start(&home, &flags);
    let mut ana = papod.register("ana");
    let mut silent = papod.connect();
    let mut slow = papod.connect();
    slow.write(b"LOGIN an");
    // Operators do not log in, so they have time.
    let operator = std::os::unix::net::UnixStream::connect(&path).unwrap();
    operator.set_read_timeout(Some(process::PATIENCE)).unwrap();
    assert_eq!(silent.rest(), ["BYE login-timeout"]);
    assert_eq!(slow.rest(), ["BYE login-timeout"]);
    let mut operator = BufReader::new(operator);
    operator.get_mut().write_all(b"QUIT\n").unwrap();
    let said: Vec<String> = operator.lines().skip(1).map(Result::unwrap).collect();
    assert_eq!(said, ["OK QUIT", "BYE quit"]);
    ana.has_heard_all();
    papod.stop();
}

#[test]
fn unconfirmed_commands_and_waiting_bytes() {
    let home = Home::new();
    let papod = start(&home, &["--limit-unconfirmed", "2", "--limit-waiting", "1000"]);
    let (mut ana, mut bia) = (papod.register("ana"), papod.register("bia"));
    // All are answered, a few at a time; who reads them in one go gets all, from the disk.
    ana.write("MSG bia some text to fill a line with\n".repeat(500).as_bytes());
    ana.until("OK MSG 500 ");
    let ids = bia.until("MSG 500 ").iter().map(|line| process::id(line)).collect::<Vec<_>>();
    assert_eq!(ids, (1..=500).collect::<Vec<_>>());
    papod.stop();
}

#[test]
fn secrets_that_wait_to_be_hashed() {
    let home = Home::new();
    let mut command = process::papod();
    // Hashing takes a moment, on eight threads at most, and only one may wait meanwhile.
    command.args(["--listen", "127.0.0.1:0", "--password-cost", "65536:4"]);
    command.args(["--limit-secrets", "1", "--db"]).arg(home.db());
    let papod = Papod::spawn(command);
    let mut crowd: Vec<Client> = (0..16).map(|_| papod.connect()).collect();
    for (n, client) in crowd.iter_mut().enumerate() {
        client.say(&format!("REG bia{n} {PASSWORD}"));
    }
    let answers: Vec<String> = crowd.iter_mut().map(Client::line).collect();
    let refused = answers.iter().filter(|line| line.starts_with("ERR REG too-many ")).count();
    assert!((1..16).contains(&refused), "{answers:#?}");
    assert!(answers.iter().any(|line| line.starts_with("OK REG ")), "{answers:#?}");
    // Who was refused may try again on the same connection.
    let at = answers.iter().position(|line| line.starts_with("ERR ")).unwrap();
    crowd[at].has_heard_all();
    papod.stop();
}

/// An office comes back after an outage, at the usual cost of a hash.
#[test]
fn sixty_who_come_at_once_get_in() {
    let home = Home::new();
    let mut command = process::papod();
    command.args(["--listen", "127.0.0.1:0", "--limit-local", "--limit-registrations", "0"]);
    command.arg("--db").arg(home.db());
    let papod = Papod::spawn(command);
    for (verb, rest) in [("REG", ""), ("LOGIN", " 0")] {
        let mut crowd: Vec<Client> = (0..60).map(|_| papod.connect()).collect();
        for (n, client) in crowd.iter_mut().enumerate() {
            client.say(&format!("{verb} ana{n} {PASSWORD}"));
        }
        for (n, client) in crowd.iter_mut().enumerate() {
            client.expect(&format!("OK {verb} ana{n}{rest}"));
        }
    }
    papod.stop();
}

/// The cost is raised: who logs in next is kept at the new one, also if they come many at a time.
#[test]
fn a_password_of_another_cost_is_hashed_anew() {
    let home = Home::new();
    let papod = home.start();
    papod.register("ana");
    papod.stop();
    let cost = || {
        let database = rusqlite::Connection::open(home.db()).unwrap();
        let secret: String = database
            .query_row("SELECT secret FROM account WHERE handle = 'ana'", [], |row| row.get(0))
            .unwrap();
        secret.split('$').nth(3).unwrap().to_owned()
    };
    assert_eq!(cost(), "m=8,t=1,p=1");
    let mut command = process::papod();
    command.args(["--listen", "127.0.0.1:0", "--password-cost", "64:3", "--db"]).arg(home.db());
    let papod = Papod::spawn(command);
    let mut crowd: Vec<Client> = (0..20).map(|_| papod.connect()).collect();
    for client in &mut crowd {
        client.say(&format!("LOGIN ana {PASSWORD} quiet"));
    }
    for client in &mut crowd {
        client.expect("OK LOGIN ana 0");
    }
    let mut stranger = papod.connect();
    stranger.say("LOGIN ana another-secret");
    assert!(stranger.line().starts_with("ERR LOGIN wrong-secret "));
    papod.stop();
    assert_eq!(cost(), "m=64,t=3,p=1");
    let papod = home.start();
    papod.login_quietly("ana");
    papod.stop();
    assert_eq!(cost(), "m=8,t=1,p=1");
}

#[test]
fn where_the_house_is_full_an_operator_gets_in() {
    let home = Home::new();
    let path = home.path().join("admin.sock");
    let flags = ["--limit-connections", "1", "--admin", path.to_str().unwrap()];
    let papod = start(&home, &flags);
    let _ana = papod.register("ana");
    is_one_too_many(&mut papod.connect());
    let operator = std::os::unix::net::UnixStream::connect(&path).unwrap();
    operator.set_read_timeout(Some(process::PATIENCE)).unwrap();
    let mut operator = BufReader::new(operator);
    operator.get_mut().write_all(b"ADMIN KICK ana\nADMIN STATS\nQUIT\n").unwrap();
    let said: Vec<String> = operator.lines().skip(1).map(Result::unwrap).collect();
    assert_eq!((said[0].as_str(), said.last().unwrap().as_str()), ("OK ADMIN KICK 1", "BYE quit"));
    for row in ["STAT connections 2", "STAT connections_refused 1"] {
        assert!(said.iter().any(|line| line == row), "{row} is not in {said:?}");
    }
    papod.stop();
}

#[test]
fn changes_beside_messages_wait_first_and_are_refused_then() {
    let home = Home::new();
    let papod = start(&home, &["--limit-local", "--limit-commands", "1"]);
    papod.register("ana");
    // A name counts as ten, which is all that may come at once; a further one would wait for ten
    // seconds.
    for refused in ["NAME Ana", "TOKEN NEW t", "ACK 1"] {
        let mut ana = papod.login_quietly("ana");
        ana.say(refused);
        let answer = ana.line();
        if refused == "NAME Ana" {
            assert_eq!(answer, "OK NAME");
            continue;
        }
        // An `ACK` waits for a second only.
        let code = if refused == "ACK 1" { "no-such-message" } else { "too-fast" };
        assert_eq!(answer.split(' ').nth(2), Some(code), "{answer}");
    }
    papod.stop();
}

/// A bot in busy groups acknowledges each message. That must never be slowed down: at one in a second
/// it would take minutes.
#[test]
fn receipts_of_what_was_sent_are_free() {
    let home = Home::new();
    let papod = start(&home, &["--limit-local", "--limit-commands", "1"]);
    let mut bot = papod.register("bot");
    let mut ana = papod.register("ana");
    for n in 0..100 {
        let id = ana.send("bot", &n.to_string());
        bot.until(&format!("MSG {id} "));
        bot.say(&format!("ACK {id}"));
        bot.expect(&format!("OK ACK {id}"));
        bot.say(&format!("READ {id}"));
        bot.expect(&format!("OK READ {id}"));
    }
    bot.say("READ");
    bot.expect("OK READ 100");
    // And of what was shown as a row, in another session.
    let mut other = papod.login_quietly("bot");
    other.say("HIST ana 100");
    other.until("OK HIST 100 ");
    for id in 1..=100 {
        other.say(&format!("READ {id}"));
        other.expect(&format!("OK READ {id}"));
    }
    papod.stop();
}
