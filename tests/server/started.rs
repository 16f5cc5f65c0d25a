//! By whom and from where papod is started: a terminal that is closed, nohup, a standard error that
//! takes nothing, a super-server that hands it one client.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use crate::process::{self, Client, Home, Papod, USUAL, papod, run, tls, with_clean_environment};
use async_signal::Signals;
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::OpenptFlags;

#[test]
fn a_reason_that_cannot_be_written_is_status_1_all_the_same() {
    let home = Home::new();
    for script in [r#"exec "$0" --db "$1" 2>/dev/full"#, r#"exec "$0" --db "$1" 2>&-"#] {
        let mut command = with_clean_environment(Command::new("sh"));
        command.args(["-c", script, env!("CARGO_BIN_EXE_papod")]).arg(home.path());
        assert_eq!(run(&mut command).status.code(), Some(1), "{script}");
    }
}

#[test]
fn it_goes_on_where_nobody_reads_its_log() {
    let home = Home::new();
    let mut command = papod();
    command.args(USUAL).args(["--log", "debug", "--db"]).arg(home.db()).stderr(Stdio::piped());
    process::die_with_this_thread(&mut command);
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = log.find_map(|line| Some(line.split_once("listening on ")?.1.parse().unwrap()));
    drop(log);
    let mut client = Client::connect(address.unwrap());
    client.say("REG ana secret-a");
    client.until("LIVE ");
    client.has_heard_all();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn help_that_cannot_be_printed_is_status_1() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for flag in ["--help", "-h", "--version"] {
        let output = papod().arg(flag).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        let reason = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{flag}");
        assert!(reason.starts_with("papod: standard output: "), "{reason}");
    }
    let status = papod().arg("--bogus").stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

/// A papod at a terminal of its own, and the terminal.
fn at_a_terminal(mut command: Command) -> (Papod, OwnedFd) {
    // These tests may run under nohup. A program inherits that a signal is ignored, but not that it is
    // handled.
    let _handled = Signals::new([async_signal::Signal::Hup]).unwrap();
    // The last one that holds it must be this test, and no papod that any test starts.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&terminal).unwrap();
    rustix::pty::unlockpt(&terminal).unwrap();
    let name = rustix::pty::ptsname(&terminal, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let inside = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    command.stdin(inside);
    let take = || {
        rustix::process::setsid()?;
        Ok(rustix::process::ioctl_tiocsctty(std::io::stdin().as_fd())?)
    };
    // SAFETY: between fork and exec it makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(take);
    }
    (Papod::spawn(command), terminal)
}

fn usual(home: &Home, program: &str) -> Command {
    let mut command = with_clean_environment(Command::new(program));
    if program != env!("CARGO_BIN_EXE_papod") {
        command.arg(env!("CARGO_BIN_EXE_papod"));
    }
    command.args(USUAL).arg("--db").arg(home.db()).stdout(File::create("/dev/null").unwrap());
    command
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let home = Home::new();
    let (mut papod, terminal) = at_a_terminal(usual(&home, env!("CARGO_BIN_EXE_papod")));
    let mut client = papod.connect();
    drop(terminal);
    client.expect("BYE shutdown");
    assert_eq!(papod.wait().code(), Some(0), "{}", papod.log());
}

#[test]
fn under_nohup_it_outlives_its_terminal() {
    let home = Home::new();
    let (papod, terminal) = at_a_terminal(usual(&home, "nohup"));
    drop(terminal);
    papod.signal(Signal::HUP);
    papod.connect().has_heard_all();
    papod.stop();
}

#[test]
fn with_a_certificate_a_hangup_loads_it_again_while_there_is_a_terminal() {
    let home = Home::new();
    let mut command = usual(&home, env!("CARGO_BIN_EXE_papod"));
    command.args(["--tls-listen", "127.0.0.1:0"]);
    command.arg("--tls-cert").arg(tls::file("one.pem"));
    command.arg("--tls-key").arg(tls::file("one.key"));
    let (mut papod, terminal) = at_a_terminal(command);
    papod.signal(Signal::HUP);
    papod.until_logged("certificate reloaded");
    papod.connect().has_heard_all();
    drop(terminal);
    assert_eq!(papod.wait().code(), Some(0), "{}", papod.log());
}

/// Both ends of a connection, over TCP and over a Unix socket.
fn connections(home: &Home) -> [(OwnedFd, OwnedFd); 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let path = home.path().join("inetd.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let other = UnixStream::connect(&path).unwrap();
    let accepted = (listener.accept().unwrap().0, unix.accept().unwrap().0);
    [(client.into(), accepted.0.into()), (other.into(), accepted.1.into())]
}

fn refused(output: &Output) {
    let reason = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{reason}");
    assert!(reason.contains("is a connection of one client"), "{reason}");
}

#[test]
fn one_client_that_is_handed_over_is_refused_and_does_not_hang() {
    for passed in [true, false] {
        let home = Home::new();
        for (_client, accepted) in connections(&home) {
            let script = if passed {
                r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --listen 127.0.0.1:0 --db "$1" 3<&0 </dev/null"#
            } else {
                r#"exec "$0" --listen 127.0.0.1:0 --db "$1""#
            };
            let mut command = with_clean_environment(Command::new("sh"));
            command.args(["-c", script, env!("CARGO_BIN_EXE_papod")]).arg(home.db());
            refused(&run(command.stdin(accepted)));
        }
    }
}

/// sshd and other programs give their children a pair of sockets to talk by.
#[test]
fn a_pair_of_sockets_is_no_client() {
    let home = Home::new();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let mut command = usual(&home, env!("CARGO_BIN_EXE_papod"));
    command.stdin(OwnedFd::from(theirs));
    Papod::spawn(command).stop();
}
