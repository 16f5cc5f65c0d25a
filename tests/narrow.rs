//! A session on a narrow connection: one that takes a few kilobytes at a time, as many a real one
//! does. On the loopback address the kernel takes megabytes at once, and much goes unnoticed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use papo::config::{Limits, PasswordCost};
use papo::counters::Counters;
use papo::entry::{Clock, Millis, SessionId};
use papo::hub::{Hub, Work};
use papo::outbox::Outbox;
use papo::password::Hasher;
use papo::rates::Rates;
use papo::readers::Readers;
use papo::session::{Roster, Services, Session, Socket, Stream};
use papo::store::Recall;
use papo::store::sqlite::Database;
use papo::wire::help::Place;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

/// Serves one narrow connection to its end. What is typed is sent at once, what comes is read
/// little by little.
fn served(typed: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let clock = Clock::Still(Millis(0));
    let counters = Arc::new(Counters::default());
    let pen = Box::new(database.pen().unwrap());
    let (hub, _) = Hub::start(pen, clock, counters.clone()).unwrap();
    let eyes: Box<dyn Recall> = Box::new(database.eyes().unwrap());
    let (readers, _) = Readers::start(vec![eyes]).unwrap();
    let cost = PasswordCost { kib: 8, passes: 1 };
    let (hasher, _) = Hasher::start(cost, counters.clone()).unwrap();
    let services = Arc::new(Services {
        hub: hub.clone(),
        readers,
        upkeep: Arc::new(database.upkeep()),
        hasher,
        counters: counters.clone(),
        clock,
        idle: None,
        registration: true,
        sessions: 0,
        rates: Rates::new(&Limits::DEFAULT),
        roster: Roster::new(Limits::DEFAULT),
    });

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    set_socket_send_buffer_size(&listener, 4_096).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    set_socket_recv_buffer_size(&client, 16_384).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (socket, _) = listener.accept().unwrap();
    let session = thread::spawn(move || {
        let socket = Socket::tcp(async_net::TcpStream::try_from(socket).unwrap()).unwrap();
        let from = (socket.peer().unwrap(), Place::Network);
        let (stream, outbox) = (Stream::new(socket, None).unwrap(), Arc::new(Outbox::default()));
        smol::block_on(Session::new(SessionId(1), services, stream, from, outbox).run());
    });
    let mut typing = client.try_clone().unwrap();
    let (bytes, typed) = (typed.len(), typed.to_owned());
    let typist = thread::spawn(move || typing.write_all(typed.as_bytes()).unwrap());
    let (mut read, mut some) = (Vec::new(), [0; 1_024]);
    loop {
        match client.read(&mut some).expect("the connection is ended well") {
            0 => break,
            n => read.extend_from_slice(&some[..n]),
        }
    }
    typist.join().unwrap();
    session.join().unwrap();
    hub.ask(Work::End);
    // Each byte was counted, however it was cut.
    assert_eq!(counters.sent.get(), read.len() as u64);
    assert_eq!(counters.received.get(), bytes as u64);
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
