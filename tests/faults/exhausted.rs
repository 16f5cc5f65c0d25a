//! A papod that has no file descriptor left: who is in notices nothing, who is not waits.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::process::{
    Client, Home, PASSWORD, PATIENCE, Papod, USUAL, papod, with_clean_environment,
};

/// Descriptors that papod may have, both softly and hard: with what it opens for itself it is left
/// with some twenty for connections.
const LIMIT: usize = 56;
/// More connections than that, and fewer than may wait to be accepted.
const CROWD: usize = 64;

/// Starts a papod with few descriptors. The shell sets both limits and becomes papod.
fn start(home: &Home) -> Papod {
    let program = papod().get_program().to_owned();
    let mut command = with_clean_environment(Command::new("sh"));
    command.args(["-c", &format!("ulimit -n {LIMIT} && exec \"$0\" \"$@\"")]);
    command.arg(program).args(USUAL).arg("--db").arg(home.db());
    Papod::spawn(command)
}

/// Sockets that it has open.
fn sockets(papod: &Papod) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", papod.id())).expect("it runs");
    let is_socket = |path: PathBuf| {
        fs::read_link(path)
            .is_ok_and(|to| to.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
    };
    // One may be closed while they are looked at.
    open.filter(|fd| fd.as_ref().is_ok_and(|fd| is_socket(fd.path()))).count()
}

/// Waits until papod has said this in its log.
fn until_logged(papod: &Papod, what: &str) {
    let begun = Instant::now();
    while !papod.log().contains(what) {
        assert!(begun.elapsed() < PATIENCE, "not in the log: {what}\n{}", papod.log());
        thread::yield_now();
    }
}

#[test]
fn out_of_descriptors_those_in_are_served_and_the_others_wait() {
    let home = Home::new();
    let papod = start(&home);
    let own = sockets(&papod);
    // Nobody has asked the database for anything yet: whatever it opens then must be open already.
    let mut waiting: Vec<TcpStream> =
        (0..CROWD).map(|_| TcpStream::connect(papod.address).expect("it is queued")).collect();
    until_logged(&papod, "cannot accept a connection");
    let count = sockets(&papod) - own;
    println!("{count} of {CROWD} are in");
    assert!((10..CROWD - 10).contains(&count), "{count} of {CROWD} are in");
    // They are let in in the order in which they came.
    let mut inside: Vec<Client> = waiting.drain(..count).map(Client::of).collect();
    let [alice, bob, ..] = &mut inside[..] else { unreachable!() };
    for (client, name) in [(&mut *alice, "alice"), (&mut *bob, "bob")] {
        client.say(&format!("REG {name} {PASSWORD}"));
        client.expect(&format!("OK REG {name}"));
        client.until("LIVE ");
    }
    let body = "x".repeat(20_000);
    for _ in 0..200 {
        let id = alice.send("bob", &body);
        bob.until(&format!("MSG {id} "));
    }
    bob.say(
        "READ\nHIST alice 1000\nSYNC 0\nCHATS\nFIND a\nINFO 1\nGROUP NEW team alice\nTOKEN NEW t",
    );
    bob.until("OK TOKEN NEW t ");
    alice.until("GROUP ");
    alice.say("PASSWD correct-horse battery-staple");
    alice.expect("OK PASSWD");

    waiting.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    for mut socket in &waiting {
        let nothing = socket.read(&mut [0; 1]).expect_err("it is neither greeted nor sent away");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    }
    waiting.iter().for_each(|socket| socket.set_nonblocking(false).unwrap());
    // Five leave, so five come in, and are served like any other.
    inside.truncate(count - 5);
    let mut newcomers: Vec<Client> = waiting.drain(..5).map(Client::of).collect();
    newcomers[4].say(&format!("LOGIN bob {PASSWORD}"));
    newcomers[4].until("LIVE ");
    let id = newcomers[4].send("alice", "there is room");
    inside[0].until(&format!("MSG {id} "));
    // The others still wait, and do no harm; the log says so once and not at each try.
    let log = papod.log();
    assert!(!log.contains("ERROR") && !log.contains("cannot be written back"), "{log}");
    assert_eq!(log.matches("cannot accept a connection").count(), 1, "{log}");
    papod.stop();
}
