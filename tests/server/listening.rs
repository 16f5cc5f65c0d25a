//! The addresses that papod listens on, and what becomes of those who connect while it ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::process::{self, Client, Home, PASSWORD, PATIENCE, Papod, USUAL, papod, run};
use rustix::process::Signal;

/// The addresses of `localhost` that this machine has.
fn local() -> Vec<SocketAddr> {
    let named = "localhost:0".to_socket_addrs().unwrap();
    let mut local: Vec<SocketAddr> = named.filter(|a| TcpListener::bind(a).is_ok()).collect();
    local.dedup();
    local
}

#[test]
fn a_name_is_all_its_addresses() {
    let home = Home::new();
    let mut command = papod();
    command.args(["--listen", "localhost:0", "--metrics", "localhost:0"]);
    command.args(["--password-cost", "8:1", "--db"]).arg(home.db());
    let papod = Papod::spawn(command);
    for mut address in local() {
        address.set_port(papod.address.port());
        Client::connect(address).has_heard_all();
        papod.until_logged(&format!("listening on {address}"));
        papod.until_logged(&format!("metrics at http://{}:", host(address)));
    }
    papod.stop();
}

fn host(address: SocketAddr) -> String {
    let text = SocketAddr::new(address.ip(), 7).to_string();
    text.trim_end_matches(":7").to_owned()
}

/// Whoever connects by the name would come to the other program.
#[test]
fn a_name_of_which_another_program_has_one_address_is_refused() {
    let home = Home::new();
    for address in local() {
        let other = TcpListener::bind(address).unwrap();
        let taken = other.local_addr().unwrap();
        for flag in ["--listen", "--metrics"] {
            let mut command = papod();
            command.args([flag, &format!("localhost:{}", taken.port())]);
            let free = ["--listen", "127.0.0.1:0"];
            command.args(if flag == "--metrics" { &free[..] } else { &[] });
            let output = run(command.arg("--db").arg(home.db()));
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("in use"), "{said}");
        }
    }
}

#[test]
fn an_interface_may_be_named() {
    let home = Home::new();
    for address in ["[fe80::1%lo]:0", "fe80::1%lo:0"] {
        let mut command = papod();
        let output = run(command.args(["--listen", address, "--db"]).arg(home.db()));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("fe80::1 is not loopback"), "{said}");
    }
}

/// Starts a papod on a socket that is held for it, as systemd does (sd_listen_fds(3)).
fn activated(home: &Home, listener: &TcpListener) -> Papod {
    let mut command = process::with_clean_environment(Command::new("sh"));
    let script = r#"LISTEN_PID=$$ exec "$0" --password-cost 8:1 --db "$1" 3<&0 </dev/null >&2"#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_papod")]).arg(home.db());
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "plain");
    let held: OwnedFd = listener.try_clone().unwrap().into();
    command.stdin(held);
    Papod::spawn(command)
}

/// One connection that sends a message. Returns all that it was told.
fn send_once(address: SocketAddr) -> std::io::Result<Vec<String>> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(format!("LOGIN ana {PASSWORD} quiet\nMSG ana x\nQUIT\n").as_bytes())?;
    BufReader::new(socket).lines().collect()
}

/// Somebody sits there and says nothing, which keeps the end waiting, and scripts go on sending.
#[test]
fn a_restart_on_a_socket_that_is_held_loses_no_connection() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut papod = activated(&home, &listener);
    papod.register("ana");
    let over = AtomicBool::new(false);
    let connections = thread::scope(|scope| {
        let sending = || {
            let mut all = Vec::new();
            while !over.load(Ordering::Relaxed) {
                all.push(send_once(address));
            }
            all
        };
        let senders = [scope.spawn(sending), scope.spawn(sending)];
        for _ in 0..2 {
            let mut idle = papod.connect();
            papod.signal(Signal::TERM);
            assert_eq!(idle.rest(), ["BYE shutdown"]);
            assert_eq!(papod.wait().code(), Some(0), "{}", papod.log());
            papod = activated(&home, &listener);
            // Those who waited are served.
            papod.login_quietly("ana");
        }
        over.store(true, Ordering::Relaxed);
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
    });
    for said in &connections {
        let said = said.as_ref().expect("no connection fails");
        assert!(said[0].starts_with("HELLO "), "{said:?}");
        let last = said.last().map(String::as_str);
        assert!(matches!(last, Some("BYE quit" | "BYE shutdown")), "{said:?}");
    }
    papod.stop();
}

/// What papod has opened itself is closed first thing, so nobody is let in who would then be dropped.
#[test]
fn whoever_comes_while_it_ends_is_refused_or_told() {
    let home = Home::new();
    let mut command = papod();
    command.args(USUAL).arg("--db").arg(home.db());
    let mut papod = Papod::spawn(command);
    let mut idle = papod.connect();
    papod.signal(Signal::TERM);
    idle.expect("BYE shutdown");
    assert!(TcpStream::connect(papod.address).is_err(), "it accepts no more");
    assert!(idle.rest().is_empty());
    assert_eq!(papod.wait().code(), Some(0), "{}", papod.log());
}

/// The cable is pulled: one says nothing, one was sent something since, one waits for another.
#[test]
#[ignore = "needs unshare (util-linux) as one who may, ip (iproute2), bash and nc.openbsd (netcat-openbsd)"]
fn whoever_has_vanished_is_gone_after_twice_the_silence() {
    const SCRIPT: &str = r#"
        set -eu
        cd "$2"
        ip link set lo up
        : > log
        "$1" --db papo.db --listen 127.0.0.1:7276 --unix papo.sock --admin admin.sock \
            --keepalive 2 --password-cost 8:1 2>> log &
        trap 'kill $!; wait' EXIT
        until grep -q 'listening on admin' log; do :; done
        ask() { nc.openbsd -N -U "$1"; }
        count() { echo 'ADMIN SESSIONS' | ask admin.sock | grep -c "$1" || true; }
        printf '%s\n' 'REG ana secret-a' QUIT | ask papo.sock > made
        for who in bia caio; do
            exec {socket}<>/dev/tcp/127.0.0.1/7276
            echo "REG $who secret-c" >&"$socket"
        done
        exec {socket}<>/dev/tcp/127.0.0.1/7276
        until [ "$(count ' caio ')" = 1 ] && [ "$(count ' bia ')" = 1 ]; do :; done
        printf '%s\n' 'LOGIN ana secret-a quiet' 'MSG bia hi' 'WAIT last read 600' >&"$socket"
        until [ "$(count ' ana ')" = 1 ]; do :; done
        ip link set lo down
        printf '%s\n' 'LOGIN ana secret-a quiet' 'MSG caio hi' QUIT | ask papo.sock | grep -q '^OK MSG'
        [ "$(count ' 127.0.0.1:')" = 3 ]
        until [ "$(count ' 127.0.0.1:')" = 0 ]; do :; done
        echo gone"#;
    let home = Home::new();
    let mut command = process::with_clean_environment(Command::new("unshare"));
    command.args(["-rn", "bash", "-c", SCRIPT, "bash", env!("CARGO_BIN_EXE_papod")]);
    let output = run(command.arg(home.path()));
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!((out.as_str(), err.as_str()), ("gone\n", ""));
}
