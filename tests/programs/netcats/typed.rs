//! Programs at a terminal, as somebody types into them.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use super::host_and_port;
use crate::process::{Entry, Home, PASSWORD, PATIENCE};

/// A program on a terminal, and someone who types.
struct Typist {
    child: Child,
    keys: ChildStdin,
    shown: Receiver<Vec<u8>>,
    screen: String,
}

impl Typist {
    /// `script` gives the program a terminal of its own. It starts it through `$SHELL`, or `sh`
    /// where that is not set, and a shell that stayed would be ended by Ctrl-\: hence `exec`.
    fn sit_down(program: &str) -> Typist {
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", &format!("exec {program}"), "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script is there");
        let mut screen = child.stdout.take().unwrap();
        let (show, shown) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = screen.read(&mut bytes) {
                let _ = show.send(bytes[..n].to_vec());
            }
        });
        let keys = child.stdin.take().unwrap();
        Typist { child, keys, shown, screen: "\n".into() }
    }

    fn types(&mut self, line: &str) {
        // A terminal's Enter key.
        self.presses(&format!("{line}\r"));
    }

    fn presses(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a line that begins so is on the screen, below what was seen before.
    fn sees(&mut self, start: &str) {
        let start = format!("\n{start}");
        loop {
            if let Some(at) = self.screen.find(&start) {
                self.screen.drain(..at + start.len());
                return;
            }
            match self.shown.recv_timeout(PATIENCE) {
                Ok(bytes) => self.screen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout) => panic!("no {start:?} in {:?}", self.screen),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().unwrap();
                    panic!("no {start:?} in {:?}: the program ended, {status}", self.screen);
                }
            }
        }
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs telnet and script (bsdutils)"]
fn telnet_that_is_typed() {
    let home = Home::new();
    let papod = home.start();
    let mut bob = papod.register("bob");
    let (host, port) = host_and_port(&papod);
    let mut telnet = Typist::sit_down(&format!("telnet {host} {port}"));
    telnet.sees("HELLO papo/1 ");
    telnet.types(&format!("reg alice {PASSWORD} Alice B."));
    telnet.sees("OK REG alice");
    telnet.sees("LIVE 0");
    telnet.types("msg bob typed with telnet");
    telnet.sees("OK MSG 1 ");
    assert_eq!(Entry::parse(&bob.line()).body, "typed with telnet");
    bob.send("alice", "olá");
    telnet.sees("MSG 2 ");
    telnet.types("whoami");
    telnet.sees("OK WHOAMI alice Alice B.");
    telnet.presses("\x1d");
    telnet.sees("telnet> ");
    telnet.types("send ayt");
    telnet.sees("HELLO papo/1 ");
    telnet.types("quit");
    telnet.sees("BYE quit");
    telnet.sees("Connection closed by foreign host.");
}

/// Ctrl-C, Ctrl-\, Ctrl-O and Ctrl-Z: telnet shows nothing until it is answered.
#[test]
#[ignore = "needs telnet and script (bsdutils)"]
fn telnet_that_is_interrupted() {
    let home = Home::new();
    let papod = home.start();
    let (host, port) = host_and_port(&papod);
    let mut telnet = Typist::sit_down(&format!("telnet {host} {port}"));
    telnet.sees("HELLO papo/1 ");
    for (n, key) in ["\x03", "\x1c", "\x0f", "\x1a"].into_iter().enumerate() {
        telnet.presses(key);
        telnet.types(&format!("ping {n}"));
        telnet.sees(&format!("OK PING {n}"));
    }
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd) and script (bsdutils)"]
fn openbsd_nc_that_is_typed() {
    let home = Home::new();
    let papod = home.start();
    let mut bob = papod.register("bob");
    let (host, port) = host_and_port(&papod);
    let mut nc = Typist::sit_down(&format!("nc.openbsd {host} {port}"));
    nc.sees("HELLO papo/1 ");
    nc.types(&format!("REG alice {PASSWORD}"));
    nc.sees("OK REG alice");
    // The arrow key up, which a bare nc sends as it is: refused, and the talk goes on.
    nc.types("\x1b[A");
    nc.sees("ERR - bad-text ");
    nc.types("TALK bob");
    nc.sees("OK TALK bob");
    nc.types("typed with nc");
    nc.sees("OK MSG 1 ");
    assert_eq!(Entry::parse(&bob.line()).body, "typed with nc");
    nc.types("/quit");
    nc.sees("BYE quit");
}
