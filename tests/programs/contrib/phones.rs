//! contrib/bots/ios.sh: what it tells the other server is a hash and an id, with which ntfy's app
//! fetches the message.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sha2::{Digest, Sha256};

use super::contrib;
use crate::http::token;
use crate::process::{self, Client, Home, PATIENCE, Papod, run};

/// A server that a phone waits for, and the head of each request that it got.
fn upstream() -> (String, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (asked, wakes) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head = lines.take_while(|line| !line.is_empty()).collect();
            let _ = (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            let _ = asked.send(head);
        }
    });
    (address, wakes)
}

/// The id of the message for which it was woken.
fn woken_for(head: &[String]) -> u64 {
    let id = head.iter().find_map(|line| line.strip_prefix("X-Poll-ID: ")).unwrap();
    assert_eq!(id.len(), 12, "{head:?}");
    id.parse().unwrap()
}

/// Sends messages until the phone is woken for one of them, and then another: its id.
fn wakes_up(ana: &mut Client, wakes: &Receiver<Vec<String>>) -> u64 {
    let first = ana.send("bob", "wake up");
    let step = Duration::from_millis(100);
    while !wakes.recv_timeout(step).is_ok_and(|head| woken_for(&head) >= first) {
        ana.send("bob", "wake up");
    }
    let last = ana.send("bob", "are you up?");
    while woken_for(&wakes.recv_timeout(PATIENCE).unwrap()) != last {}
    last
}

#[test]
#[ignore = "needs curl"]
fn a_phone_is_woken_by_a_hash_and_an_id() {
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let flags = ["--http", "127.0.0.1:0", "--admin", admin.to_str().unwrap()];
    let papod = Papod::start_with(&home.db(), flags);
    let web = format!("http://{}", papod.way("http://"));
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let (login, token) = (home.path().join("login"), token(&mut bob, "t"));
    std::fs::write(&login, format!("user = \"bob:{token}\"\n")).unwrap();
    drop(bob);
    let (address, wakes) = upstream();
    let mut command = Command::new("sh");
    command.arg(contrib("bots/ios.sh")).arg("bob").env("TMPDIR", home.path());
    command.env("PAPO_WEB", &web).env("PAPO_LOGIN", &login).env("PAPO_UPSTREAM", address);
    process::die_with_this_thread(&mut command);
    let mut script = command.spawn().unwrap();

    // It is woken for each message from when the script has begun, and told nothing else.
    let last = wakes_up(&mut ana, &wakes);
    let next = ana.send("bob", "a secret");
    let head = wakes.recv_timeout(PATIENCE).unwrap();
    assert_eq!(woken_for(&head), next);
    let hash = Sha256::digest(format!("{web}/bob"));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(head[0], format!("POST /{hash} HTTP/1.1"));
    let mut names: Vec<&str> =
        head[1..].iter().map(|line| line.split(':').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Accept", "Host", "User-Agent", "X-Poll-ID"], "{head:?}");

    // So its app fetches one event, which is all that the answer may be.
    let fetched = |id: u64| {
        let mut command = Command::new("curl");
        command.args(["-fsS", "--max-time", "20", "-K"]).arg(&login);
        let shown = run(command.arg(format!("{web}/bob/json?poll=1&id={id:012}"))).stdout;
        let event: serde_json::Value = serde_json::from_slice(&shown).unwrap();
        (event["event"].as_str().unwrap().to_owned(), event["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(fetched(next), ("message".into(), "a secret".into()));
    ana.say(&format!("EDIT {next} no secret"));
    ana.until("OK EDIT ");
    assert_eq!(woken_for(&wakes.recv_timeout(PATIENCE).unwrap()), next);
    assert_eq!(fetched(next), ("message".into(), "no secret".into()));

    // It goes on after a break.
    let mut operator = UnixStream::connect(&admin).unwrap();
    operator.write_all(b"ADMIN KICK bob\nQUIT\n").unwrap();
    assert!(io::read_to_string(operator).unwrap().contains("OK ADMIN KICK 1\n"));
    assert!(wakes_up(&mut ana, &wakes) > last);

    // Bob was not there, and nothing was acknowledged.
    ana.say("FIND bob");
    assert!(ana.until("USER bob ").pop().unwrap().starts_with("USER bob offline "));
    rustix::process::kill_process(Pid::from_child(&script), Signal::TERM).unwrap();
    script.wait().unwrap();
    let sent = ana.history("bob", 0).len();
    let (_, waiting) = papod.login("bob");
    assert_eq!(waiting.iter().filter(|line| line.starts_with("MSG ")).count(), sent);
}
