use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use rustls::Connection;

use super::frames::{Seated, SourceOutbox, ToLeader, decode, encode};
use super::keys::{self, NodeKey};
use super::line::{Line, line};
use crate::chat::{Act, OnceKey};
use crate::entry::{AccountId, EntryId, Key, MoveNumber};
use crate::name::Target;
use crate::origin::Origin;
use crate::outbox::Watermark;
use crate::store::BatchId;
use crate::wire::request::Events;

const SECRET: &[u8] = b"what the database says to those who may read it";

/// Two sockets that are connected to each other.
fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (one, listener.accept().unwrap().0)
}

type Met = io::Result<(TcpStream, Connection)>;

/// Has a node that believes in this key and this secret come to one that has `key`.
fn meet(key: &NodeKey, believed: &[u8], secret: &[u8]) -> (Met, Met) {
    let (mut here, mut there) = sockets();
    thread::scope(|scope| {
        let comes = scope.spawn(|| {
            let joined = keys::join(&mut here, believed, secret, 7);
            joined.map(|tls| (here, tls))
        });
        let accepted = key.accept(&mut there, SECRET, 3);
        if let Ok((_, number)) = &accepted {
            assert_eq!(*number, 7);
        }
        // One that is refused learns it by the end of the connection.
        let accepted = accepted.map(|(tls, _)| (there, tls));
        (comes.join().unwrap(), accepted)
    })
}

#[test]
fn only_nodes_of_one_database_have_a_line() {
    let [key, other] = [(); 2].map(|()| NodeKey::new().unwrap());
    let (came, accepted) = meet(&key, &key.public, SECRET);
    assert!(came.is_ok() && accepted.is_ok());
    let (came, accepted) = meet(&key, &other.public, SECRET);
    assert!(came.is_err() && accepted.is_err(), "another answers at its address");
    let (came, accepted) = meet(&key, &key.public, b"a guess");
    assert!(came.is_err() && accepted.is_err(), "a stranger comes");
}

/// Runs one end; returns what gives it packets, and what it gets, until it ends.
fn run((socket, tls): (TcpStream, Connection)) -> (Line, mpsc::Receiver<Vec<u8>>) {
    let (line, end) = line().unwrap();
    let (say, hear) = mpsc::channel();
    thread::spawn(move || end.run(socket, tls, |packet| say.send(packet.to_vec()).is_ok()));
    (line, hear)
}

#[test]
fn packets_arrive_whole_and_in_order_whatever_their_length() {
    let key = NodeKey::new().unwrap();
    let (came, accepted) = meet(&key, &key.public, SECRET);
    let ((one, ones), (other, others)) = (run(came.unwrap()), run(accepted.unwrap()));
    let packet = |n: usize| vec![n as u8; 1 + n * n * n % 70_000];
    for n in 0..200 {
        one.send(&packet(n));
        other.send(&packet(n + 1));
    }
    for n in 0..200 {
        assert_eq!(others.recv().unwrap(), packet(n));
        assert_eq!(ones.recv().unwrap(), packet(n + 1));
    }
    // What was given before the end arrives, and then both end.
    one.send(b"the last");
    one.close();
    one.send(b"too late");
    assert_eq!(others.recv().unwrap(), b"the last");
    assert!(others.recv().is_err() && ones.recv().is_err());
}

#[test]
fn frames_come_out_as_they_went_in() {
    let seated = Seated {
        session: 17,
        account: AccountId(3),
        device: None,
        due: MoveNumber(0),
        key: Key::User(1000),
        secrets: [1, u64::MAX],
        events: Events::Watch,
        online: true,
        pushes: true,
        proved: MoveNumber(9),
        outbox: SourceOutbox { lost_moves: 2, origin: Origin::User(1000) },
    };
    let told = Watermark { entries: EntryId(8), moves: MoveNumber(4) };
    let to = Target::new("#team").unwrap();
    let act = Act::Send { to, body: "é\n\\".into(), once: Some("key".into()) };
    let edit = Box::new(Act::Edit { about: EntryId(2), body: "x".into() });
    let once = Act::Once { once: OnceKey::new("key", "PUT", "x"), act: edit };
    let frames = vec![
        ToLeader::Hello { sessions: vec![seated], told, heard: BatchId { term: 2, number: 5 } },
        ToLeader::Acts { session: 17, acts: vec![act, once] },
        ToLeader::Fell { session: 17 },
    ];
    let packet = encode(&frames);
    let again: Vec<ToLeader> = decode(&packet).unwrap();
    assert_eq!(format!("{again:?}"), format!("{frames:?}"));
    for length in 0..packet.len() {
        assert!(decode::<Vec<ToLeader>>(&packet[..length]).is_none(), "cut at {length}");
    }
    // What is no handle does not become one on its way.
    let forged = postcard::to_stdvec("no handle").unwrap();
    assert!(decode::<crate::name::Handle>(&forged).is_none());
}
