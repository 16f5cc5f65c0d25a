//! A papod and those who talk to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(20);

/// The lines of a pipe, each waited for with patience; `None` is its end.
pub struct Pipe(Receiver<String>);

impl Pipe {
    pub fn new(pipe: Option<impl Read + Send + 'static>) -> Pipe {
        let lines = BufReader::new(pipe.unwrap()).lines();
        let (line, received) = mpsc::channel();
        // It reads to the end even when nobody listens any more, so that its writer can go on.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|text| drop(line.send(text))));
        Pipe(received)
    }

    pub fn next(&self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line and no end in {PATIENCE:?}"),
        }
    }

    pub fn rest(&self) -> String {
        std::iter::from_fn(|| self.next()).map(|line| line + "\n").collect()
    }
}

pub struct Papod {
    pub child: Child,
    pub log: Pipe,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// A command of papod that nothing in the environment has a say in.
pub fn papod() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papod"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PAPOD_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

impl Papod {
    pub fn start() -> Papod {
        let folder = tempfile::tempdir().unwrap();
        let mut command = papod();
        command.args(["--listen", "127.0.0.1:0", "--password-cost", "8:1", "--db"]);
        command.arg(folder.path().join("papo.db"));
        Papod::spawn(command, folder)
    }

    /// Starts a papod whose first address is of interest.
    pub fn spawn(mut command: Command, folder: tempfile::TempDir) -> Papod {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Pipe::new(child.stderr.take());
        let mut papod = Papod { child, log, address: ([127, 0, 0, 1], 0).into(), _folder: folder };
        while let Some(line) = papod.log.next() {
            if let Some((_, address)) = line.split_once("listening on ") {
                papod.address = address.parse().unwrap();
                return papod;
            }
        }
        panic!("papod did not start");
    }

    /// Makes an account and leaves.
    pub fn account(&self, handle: &str) {
        let mut client = Client::new(self.address);
        client.say(&format!("REG {handle} secret-{handle}"));
        client.say("QUIT");
        assert!(client.rest().starts_with(&format!("OK REG {handle}\n")));
    }

    /// Someone who has logged in and been told what waited, which is given back.
    pub fn login(&self, handle: &str) -> (Client, String) {
        let mut client = Client::new(self.address);
        client.say(&format!("LOGIN {handle} secret-{handle}"));
        let mut lines = String::new();
        loop {
            let line = client.line();
            if line.starts_with("LIVE ") {
                return (client, lines);
            }
            lines.push_str(&line);
            lines.push('\n');
        }
    }

    /// Asks it to end, and waits until it has.
    pub fn end(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        // Its log ends with it.
        self.log.rest();
        self.child.wait().unwrap()
    }
}

impl Drop for Papod {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Client {
    pub lines: BufReader<TcpStream>,
}

impl Client {
    /// Connects, without looking at the greeting.
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { lines: BufReader::new(stream) }
    }

    pub fn new(address: SocketAddr) -> Client {
        let mut client = Client::connect(address);
        assert!(client.line().starts_with("HELLO papo/1 "));
        client
    }

    pub fn say(&mut self, line: &str) {
        self.lines.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let n = self.lines.read_line(&mut line).expect("a line from papod");
        assert!(n > 0, "papod has closed the connection");
        line.trim_end_matches('\n').to_owned()
    }

    /// What comes until the server closes.
    pub fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("the end of the connection");
        rest
    }

    /// Goes, as when Ctrl-C ends nc; the server has noticed when this returns.
    pub fn leave(&mut self) {
        // After `BYE` the server may have closed already.
        let _ = self.lines.get_mut().shutdown(Shutdown::Write);
        assert_eq!(self.rest(), "", "it was sent more than README.md shows");
    }
}

/// A line in the columns of an entry: its author, and its text as it was escaped.
pub fn entry(line: &str) -> (&str, &str) {
    let columns: Vec<&str> = line.splitn(7, ' ').collect();
    assert_eq!(columns[0], "MSG", "{line}");
    (columns[3], columns[6])
}
