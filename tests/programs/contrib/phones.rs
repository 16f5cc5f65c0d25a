//! contrib/bots/ios.sh: what it tells the other server is a hash and an id.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{Pid, Signal};
use sha2::{Digest, Sha256};

use super::contrib;
use crate::http::{start, token};
use crate::process::{self, Home};

#[test]
#[ignore = "needs curl"]
fn a_phone_is_woken_by_a_hash_and_an_id() {
    let home = Home::new();
    let (papod, web) = start(&home);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let login = home.path().join("login");
    std::fs::write(&login, format!("user = \"bob:{}\"\n", token(&mut bob, "t"))).unwrap();
    drop(bob);
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", upstream.local_addr().unwrap());
    let mut command = Command::new("sh");
    command.arg(contrib("bots/ios.sh")).arg("bob");
    command.env("PAPO_WEB", &web).env("PAPO_LOGIN", login).env("PAPO_UPSTREAM", address);
    process::die_with_this_thread(&mut command);
    let mut script = command.spawn().unwrap();
    // It is told of each message from when it has begun.
    let (is_woken, asked) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let ids = thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = upstream.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            asked.lock().unwrap().extend(lines.by_ref().take_while(|line| !line.is_empty()));
            (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            is_woken.store(true, Ordering::Relaxed);
        });
        let mut ids = Vec::new();
        while !is_woken.load(Ordering::Relaxed) {
            ids.push(ana.send("bob", "wake up"));
        }
        ids
    });
    rustix::process::kill_process(Pid::from_child(&script), Signal::TERM).unwrap();
    script.wait().unwrap();
    let asked = asked.into_inner().unwrap();
    let hash = Sha256::digest(format!("{web}/bob"));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(asked[0], format!("POST /{hash} HTTP/1.1"));
    let id = asked.iter().find_map(|line| line.strip_prefix("X-Poll-ID: ")).unwrap();
    assert!(id.len() == 12 && ids.contains(&id.parse().unwrap()), "{asked:?}");
    // Nothing was acknowledged.
    let (_, waiting) = papod.login("bob");
    assert_eq!(waiting.iter().filter(|line| line.starts_with("MSG ")).count(), ids.len());
}
