//! contrib/cluster: three papods on one machine, and down again.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::ports;
use crate::process::{Client, PATIENCE, run};

#[test]
fn three_papods_are_up_and_down_again() {
    let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    crate::cluster::open_to_all(home.path());
    let (folder, port) = (home.path().join("cluster"), ports::free(&[10, 20]));
    let script = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/cluster").join(name);
        let mut command = Command::new(path);
        command.arg(&folder).env("PAPOD", env!("CARGO_BIN_EXE_papod"));
        command.env("PG_PORT", ports::free(&[1]).to_string()).env("PORT", port.to_string());
        let done = run(&mut command);
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        (done.status.success(), said)
    };
    let (is_up, said) = script("up.sh");
    assert!(is_up && said.contains(&format!("nc localhost {port} ")), "{said}");
    let at = |n: u16| Client::connect(SocketAddr::from(([127, 0, 0, 1], port + 10 * n)));
    let (mut ana, mut bob) = (at(1), at(2));
    for (client, name) in [(&mut ana, "ana"), (&mut bob, "bob")] {
        client.say(&format!("REG {name} correct-horse"));
        client.until("LIVE ");
    }
    let id = ana.send("bob", "hello");
    bob.until(&format!("MSG {id} "));
    // The first leads.
    let pid = |n: u16| {
        let file = folder.join(format!("run/papod{n}.pid"));
        Pid::from_raw(fs::read_to_string(file).unwrap().trim().parse().unwrap()).unwrap()
    };
    let pids = [1, 2, 3].map(pid);
    kill_process(pids[0], Signal::KILL).unwrap();
    // What is asked for at that moment may end its session.
    let log = |n: u16| fs::read_to_string(folder.join(format!("run/papod{n}.log"))).unwrap();
    let until = Instant::now() + PATIENCE;
    while ![2, 3].iter().any(|n| log(*n).contains("this node leads")) {
        assert!(Instant::now() < until, "{}{}", log(2), log(3));
        thread::sleep(Duration::from_millis(10));
    }
    let id = bob.send("ana", "still here");
    ana.until(&format!("MSG {id} "));
    let (is_down, said) = script("down.sh");
    assert!(is_down && !folder.exists(), "{said}");
    assert_eq!(ana.rest(), ["BYE shutdown"]);
    // What is not there cannot be ended.
    let (is_down, said) = script("down.sh");
    assert!(!is_down && said.contains("was not made by up.sh"), "{said}");
}
