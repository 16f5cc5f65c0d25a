//! What a session owes its client however the hub's answers and the client's bytes fall in time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::narrow::Narrow;
use papo::config::{Config, PasswordCost};
use papo::entry::{Clock, Millis};
use papo::hub::Work;
use papo::server::Server;

fn server(folder: &tempfile::TempDir) -> Server {
    server_at(folder, Clock::Still(Millis(0)))
}

fn server_at(folder: &tempfile::TempDir, clock: Clock) -> Server {
    let config = Config {
        listen: vec!["127.0.0.1:0".into()],
        password_cost: PasswordCost { kib: 8, passes: 1 },
        clock,
        ..Config::new(folder.path().join("papo.db"))
    };
    Server::start(&config).unwrap()
}

/// A command that waits its turn is carried out when the answer before it comes, even if that comes
/// just while the session looks the other way: hundreds of packets, none may hang.
#[test]
fn no_answer_is_slept_through() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder);
    let mut client = TcpStream::connect(server.addresses()[0]).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
    let mut next = move || lines.next().unwrap().unwrap();
    client.write_all(b"REG ana secret-a\n").unwrap();
    for _ in 0..3 {
        next();
    }
    for round in 0..400 {
        let packet = format!("ACK 99\nPING {round}\nMSG nobody x\nMSG ana x\nPING\nACK 99\nPING\n");
        client.write_all(packet.as_bytes()).unwrap();
        let said: Vec<String> = (0..7).map(|_| next()).collect();
        assert_eq!(said[1], format!("OK PING {round}"));
        assert!(said[3].starts_with("OK MSG "), "{said:?}");
        assert_eq!(said[6], "OK PING");
    }
    server.stop();
}

/// A client that sends a thousand times what may be under way is answered in full.
#[test]
fn a_full_window_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder);
    let mut client = TcpStream::connect(server.addresses()[0]).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let lines = BufReader::new(client.try_clone().unwrap()).lines();
    let writer = std::thread::spawn(move || {
        client.write_all(b"REG ana secret-a\n").unwrap();
        let packet = b"MSG ana x\nMSG ana y\nMSG nobody z\nPING a long line of text to fill it\n"
            .repeat(500);
        for _ in 0..10 {
            client.write_all(&packet).unwrap();
        }
        client.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    writer.join().unwrap();
    assert_eq!(said.len(), 3 + 20_000);
    assert!(said[3..].chunks(4).all(|four| four[3].starts_with("OK PING")));
    server.stop();
}

/// One client over a real socket.
struct Client {
    socket: TcpStream,
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Client {
    fn new(server: &Server, hello: &str) -> Client {
        let mut socket = TcpStream::connect(server.addresses()[0]).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        lines.next();
        socket.write_all(hello.as_bytes()).unwrap();
        let mut client = Client { socket, lines };
        client.until("LIVE ");
        client
    }

    fn say(&mut self, lines: &str) {
        self.socket.write_all(lines.as_bytes()).unwrap();
    }

    /// Reads up to a line that starts so; gives back all that was read.
    fn until(&mut self, start: &str) -> Vec<String> {
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.starts_with(start)) {
            said.push(self.lines.next().unwrap().unwrap());
        }
        said
    }
}

/// What is read on one device is read on all, also on one that fell behind meanwhile; and a device
/// is not told of what it said itself.
#[test]
fn a_session_that_fell_behind_learns_what_was_read_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder);
    let mut phone = Client::new(&server, "REG ana secret-a\n");
    let mut laptop = Client::new(&server, "LOGIN ana secret-a\n");
    let mut bob = Client::new(&server, "REG bob secret-b\n");
    let body = "x".repeat(60_000);
    for _ in 0..300 {
        bob.say(&format!("MSG ana {body}\n"));
        bob.until("OK MSG ");
        phone.until("MSG ");
    }
    phone.say("READ 200\n");
    phone.until("OK READ 200");
    // Said before it has taken up what waits for it.
    laptop.say("READ 250\nPING\n");
    bob.until("READ 250 ");
    phone.until("READ 250 ");
    phone.say("READ 300\nMSG ana note\n");
    phone.until("OK MSG 301");
    let said = laptop.until("READ 300 ");
    let ids: Vec<&str> =
        said.iter().filter_map(|l| l.strip_prefix("MSG ")?.split(' ').next()).collect();
    let all: Vec<String> = (1..=301).map(|id| id.to_string()).collect();
    let mut ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
    if ids.len() == 300 {
        ids.extend(laptop.until("MSG ").last().map(|l| l.split(' ').nth(1).unwrap().to_owned()));
    }
    assert_eq!(ids, all);
    assert!(!said.iter().any(|line| line.starts_with("READ 250 ")), "its own move");
    server.stop();
}

/// Who comes in a crowd is greeted, every one: none may believe to be connected while the server
/// knows nothing of it.
#[test]
fn a_crowd_is_greeted_to_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder);
    let address = server.addresses()[0];
    // Both ends of each are open files of this process.
    let mut files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    files.current = files.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, files).unwrap();
    // Without waiting for one handshake before the next begins.
    let connect = |_| {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
        let (family, flags) = (AddressFamily::INET, SocketFlags::NONBLOCK);
        let socket = socket_with(family, SocketType::STREAM, flags, None).unwrap();
        match connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => TcpStream::from(socket),
            Err(e) => panic!("{e}"),
        }
    };
    let crowd: Vec<TcpStream> = (0..2_000).map(connect).collect();
    for socket in crowd {
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).unwrap();
        assert!(line.starts_with("HELLO papo/1 "), "{line:?}");
    }
    server.stop();
}

/// A clock that is set back changes times, and nothing else: not what is next, not what was read.
#[test]
fn a_clock_that_is_set_back_changes_no_order() {
    static NOW: AtomicI64 = AtomicI64::new(1_800_000_000_000);
    let folder = tempfile::tempdir().unwrap();
    let server = server_at(&folder, Clock::Told(&NOW));
    let mut ana = Client::new(&server, "REG ana secret-a\n");
    let mut bob = Client::new(&server, "REG bob secret-b\n");
    let mut due = Vec::new();
    for back in [0, 3_600_000, 86_400_000, 1_799_999_999_000] {
        NOW.store(1_800_000_000_000 - back, Ordering::SeqCst);
        let id = due.len() + 1;
        ana.say(&format!("ONCE k{id} MSG bob before {back}\n"));
        let ok = ana.until("OK MSG ").pop().unwrap();
        assert!(ok.starts_with(&format!("OK MSG {id} ")), "{ok}");
        due.push(bob.until("MSG ").pop().unwrap());
        bob.say(&format!("READ {id}\n"));
        bob.until(&format!("OK READ {id}"));
        let read = ana.until("READ ").pop().unwrap();
        assert!(read.starts_with(&format!("READ {id} ")), "{read}");
        // What was done stays done, and what is read is not unread.
        ana.say(&format!("ONCE k{id} MSG bob before {back}\nINFO {id}\n"));
        assert_eq!(ana.until("OK MSG ").pop().unwrap(), ok);
        let info = ana.until("OK INFO 1");
        assert!(info[0].starts_with(&format!("INFO {id} bob read ")), "{info:?}");
    }
    let time = |line: &String| line.split(' ').nth(2).unwrap().to_owned();
    let times: Vec<String> = due.iter().map(time).collect();
    assert!(times.is_sorted_by(|a, b| a > b), "each says what the clock said: {times:?}");
    bob.say("HIST ana\n");
    let mut hist = bob.until("OK HIST 4 end");
    hist.pop();
    let shown: Vec<String> = hist.iter().map(|line| line.replace("HIST ", "MSG ")).collect();
    assert_eq!(shown, due, "in the order in which they were written");
    // After a restart, too.
    drop((ana, bob));
    server.stop();
    let server = server_at(&folder, Clock::Told(&NOW));
    let mut bob = Client::new(&server, "LOGIN bob secret-b\n");
    bob.say("MSG ana last\n");
    assert!(bob.until("OK MSG ").pop().unwrap().starts_with("OK MSG 5 "));
    drop(bob);
    server.stop();
}

/// `SYNC` with the id that the last one ended with goes on from there: with what came meanwhile, after
/// one that asked for something else, and in a session that never asked before.
#[test]
fn a_sync_goes_on_where_the_last_one_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder);
    let connect = |first: &str| {
        let mut client = TcpStream::connect(server.addresses()[0]).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
        let mut ask = move |line: &str, last: &str| {
            client.write_all(format!("{line}\n").as_bytes()).unwrap();
            let mut next = || lines.next().unwrap().unwrap();
            let mut said: Vec<String> = Vec::new();
            while said.last().is_none_or(|line| !line.starts_with(last)) {
                said.extend([next()].into_iter().filter(|line| !line.starts_with("MSG ")));
            }
            said
        };
        ask(first, "LIVE ");
        ask
    };
    let mut ana = connect("REG ana secret-a");
    let mut bia = connect("REG bia secret-b");
    let mut all = Vec::new();
    let mut say = |say: &mut dyn FnMut(&str, &str) -> Vec<String>, to: &str| {
        let said = say(&format!("MSG {to} x"), "OK MSG ");
        all.push(said[0].split(' ').nth(2).unwrap().parse::<u32>().unwrap());
        all.clone()
    };
    for n in 0..2_100 {
        say(if n % 3 == 0 { &mut bia } else { &mut ana }, "ana");
    }
    let rows = |said: Vec<String>| -> (Vec<u32>, String) {
        let (last, rows) = said.split_last().unwrap();
        let ids = rows.iter().map(|row| row.split(' ').nth(1).unwrap().parse().unwrap());
        (ids.collect(), last.clone())
    };
    let (first, last) = rows(ana("SYNC 0", "OK SYNC "));
    assert_eq!((first.len(), &*last), (1_000, "OK SYNC 1000 more"));
    say(&mut bia, "ana");
    let (second, last) = rows(ana("SYNC 1000", "OK SYNC "));
    assert_eq!((second.len(), &*last), (1_000, "OK SYNC 2000 more"));
    let all = say(&mut bia, "ana");
    let mut other = connect("LOGIN ana secret-a");
    for session in [&mut ana, &mut other] {
        let (third, last) = rows(session("SYNC 2000", "OK SYNC "));
        assert_eq!(last, "OK SYNC 2102 end");
        assert_eq!([&first[..], &second, &third].concat(), all);
        assert_eq!(rows(session("SYNC 0", "OK SYNC ")).0, first);
        assert_eq!(rows(session("SYNC 2099", "OK SYNC ")).0, [2_100, 2_101, 2_102]);
        assert_eq!(rows(session("SYNC 1000", "OK SYNC ")).0, second);
    }
    server.stop();
}

/// Serves one narrow connection to its end. What is typed is sent at once, what comes is read
/// little by little.
fn served(typed: &str) -> String {
    let mut served = Narrow::new(Clock::Still(Millis(0)));
    let (mut client, session) = served.session(typed);
    let (mut read, mut some) = (Vec::new(), [0; 1_024]);
    loop {
        match client.read(&mut some).expect("the connection is ended well") {
            0 => break,
            n => read.extend_from_slice(&some[..n]),
        }
    }
    session.join().unwrap();
    served.hub.ask(Work::End);
    // Each byte was counted, however it was cut.
    let counters = &served.counters;
    assert_eq!(counters.sent.get(), read.len() as u64);
    assert_eq!(counters.received.get(), typed.len() as u64);
    assert_eq!((counters.connections.get(), counters.sessions.get()), (1, 0));
    String::from_utf8(read).unwrap()
}

#[test]
fn quit_comes_after_all_that_was_asked_for() {
    const ROWS: usize = 100;
    let body = "x".repeat(3_000);
    let notes = format!("MSG ana {body}\n").repeat(ROWS);
    let read = served(&format!("REG ana secret-a\n{notes}HIST ana {ROWS}\nQUIT\n"));
    let lines: Vec<&str> = read.lines().collect();
    let end = ["OK HIST 100 end", "OK QUIT", "BYE quit"];
    assert_eq!(lines[lines.len() - 3..], end, "the last line is whole");
    assert_eq!(lines.iter().filter(|line| line.starts_with("HIST ")).count(), ROWS);
    assert_eq!(lines.len(), "HELLO REG LIVE".split(' ').count() + 2 * ROWS + end.len());
}
