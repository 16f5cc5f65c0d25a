//! Real papod processes, and a client that talks to them line by line.
//!
//! Every server listens on a free port of loopback, has a database in a folder that goes away with
//! the test, and is ended by its own process id. Nothing here sleeps: what has to be waited for is
//! a line, the end of a stream or the end of a process, each for [`PATIENCE`] at most, so that a
//! failure says what was missing instead of hanging.
#![allow(dead_code)] // Each test program uses a part of it.

mod dice;
pub mod ports;
pub mod signals;
pub mod tls;
pub mod unix;

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use papo::wire::rows::EntryLine;
use papo::wire::text;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

#[allow(unused_imports)] // Not all tests need it.
pub use dice::Dice;

/// For how long anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The password of everyone whose password does not matter.
pub const PASSWORD: &str = "correct-horse";

/// A folder that goes away with the test, and the database in it.
pub struct Home {
    folder: TempDir,
}

impl Home {
    pub fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn db(&self) -> PathBuf {
        self.path().join("papo.db")
    }

    pub fn start(&self) -> Papod {
        Papod::start(&self.db())
    }
}

/// A papod that has not been started, without what the caller's environment says to it.
pub fn papod() -> Command {
    with_clean_environment(Command::new(env!("CARGO_BIN_EXE_papod")))
}

/// Takes papod's own variables out of a command's environment, and its standard input away.
pub fn with_clean_environment(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PAPOD_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// The arguments of every server here: a free port, and passwords that cost nothing to hash.
pub const USUAL: [&str; 4] = ["--listen", "127.0.0.1:0", "--password-cost", "8:1"];

/// Runs a command that is expected to end by itself.
pub fn run(command: &mut Command) -> Output {
    die_with_this_thread(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let text = |stream: Receiver<Vec<u8>>, child: &mut Child| match stream.recv_timeout(PATIENCE) {
        Ok(bytes) => bytes,
        Err(_) => {
            let _ = child.kill();
            panic!("it still runs after {PATIENCE:?}");
        }
    };
    let stdout = text(stdout, &mut child);
    let stderr = text(stderr, &mut child);
    let status = child.wait().expect("its status is known");
    Output { status, stdout, stderr }
}

/// Reads a stream to its end on a thread of its own.
fn read_all(stream: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (done, all) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        let _ = done.send(bytes);
    });
    all
}

/// A test program that is killed itself drops nothing; the kernel ends its children then.
pub fn die_with_this_thread(command: &mut Command) {
    let ask = || Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(ask);
    }
}

/// A papod that runs.
pub struct Papod {
    child: Child,
    /// The first address that it listens on.
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// What it says that it listens on. Disconnected when its standard error has ended.
    names: Mutex<Receiver<String>>,
}

impl Papod {
    /// Starts one on this database, with the usual arguments.
    pub fn start(db: &Path) -> Papod {
        Papod::start_with(db, [] as [&str; 0])
    }

    /// Starts one on this database, with the usual arguments and these.
    pub fn start_with(db: &Path, more: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Papod {
        let mut command = papod();
        command.args(USUAL).arg("--db").arg(db).args(more);
        Papod::spawn(command)
    }

    /// Starts a command that is, or becomes, a papod.
    pub fn spawn(mut command: Command) -> Papod {
        die_with_this_thread(&mut command);
        command.stderr(Stdio::piped());
        let mut child = command.spawn().expect("papod starts");
        let stderr = child.stderr.take().expect("its standard error is a pipe");
        let log = Arc::new(Mutex::new(String::new()));
        let (say, names) = mpsc::channel::<String>();
        let kept = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                let name = line.split_once("listening on ").map(|(_, name)| name.to_owned());
                let mut log = kept.lock().expect("no reader panics");
                log.push_str(&line);
                log.push('\n');
                if let Some(name) = name {
                    let _ = say.send(name);
                }
            }
        });
        match names.recv_timeout(PATIENCE).map(|name| name.parse()) {
            Ok(Ok(address)) => Papod { child, address, log, names: Mutex::new(names) },
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("papod did not start:\n{}", log.lock().unwrap());
            }
        }
    }

    /// What it listens on by this way (`tls:`, `unix:`), without the way.
    pub fn way(&self, way: &str) -> String {
        let names = self.names.lock().expect("no reader panics");
        loop {
            let name = names.recv_timeout(PATIENCE).expect("it listens that way, too");
            if let Some(name) = name.strip_prefix(way) {
                return name.to_owned();
            }
        }
    }

    /// Waits until its log has this.
    pub fn until_logged(&self, said: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.log().contains(said) {
            assert!(Instant::now() < until, "{said:?} is not in:\n{}", self.log());
            thread::yield_now();
        }
    }

    /// A connection that has read `HELLO`.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// A connection of a new account.
    pub fn register(&self, handle: &str) -> Client {
        let mut client = self.connect();
        client.say(&format!("REG {handle} {PASSWORD}"));
        client.expect(&format!("OK REG {handle}"));
        client.until("LIVE ");
        client
    }

    /// A connection that has logged in and read up to its `LIVE`, and what it read.
    pub fn login(&self, handle: &str) -> (Client, Vec<String>) {
        let mut client = self.connect();
        client.say(&format!("LOGIN {handle} {PASSWORD}"));
        let read = client.until("LIVE ");
        assert!(read[0].starts_with("OK LOGIN "), "{read:?}");
        (client, read)
    }

    /// A connection that is sent replies only.
    pub fn login_quietly(&self, handle: &str) -> Client {
        self.login_quietly_as(handle, PASSWORD)
    }

    /// The same with a password of its own.
    pub fn login_quietly_as(&self, handle: &str, secret: &str) -> Client {
        let mut client = self.connect();
        client.say(&format!("LOGIN {handle} {secret} quiet"));
        client.until("OK LOGIN ");
        client
    }

    /// Its process id, for what looks at it from outside.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panics").clone()
    }

    /// A line of /proc/PID/status that counts memory, in KiB: `VmRSS` is what it holds now,
    /// `VmHWM` the most it ever held.
    pub fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.expect("it runs");
        let value = status.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(':')?;
            value.trim().strip_suffix(" kB")?.parse().ok()
        });
        value.expect("the kernel counts it")
    }

    /// What it serves for Prometheus, if it was told to.
    pub fn metrics(&self) -> String {
        let log = self.log();
        let address = log.split_once("metrics at http://").unwrap().1.split('/').next().unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends it a signal. If it is to stop, it has when this returns.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).expect("ids are small");
        let id = Pid::from_raw(id).expect("ids are not zero");
        signals::send(id, signal).expect("it can be signalled");
    }

    /// Whether it has not ended.
    #[allow(dead_code)] // Not all tests need it.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let ended = self.names.get_mut().expect("nobody panics with it");
        loop {
            match ended.recv_timeout(PATIENCE) {
                // Another address.
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("papod does not end"),
            }
        }
        self.child.wait().expect("its status is known")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("its status is known");
    }

    /// Ends it in good order.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Papod {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What a failure has to be explained with.
            eprintln!("papod at {}:\n{}", self.address, self.log());
        }
        // It may have ended already; its id is not given away before it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, spoken line by line.
pub struct Client {
    lines: BufReader<TcpStream>,
}

impl Client {
    /// Connects and reads `HELLO`.
    pub fn connect(address: SocketAddr) -> Client {
        Client::of(TcpStream::connect(address).expect("papod accepts"))
    }

    /// Reads `HELLO` from a socket that is connected.
    pub fn of(socket: TcpStream) -> Client {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client { lines: BufReader::new(socket) };
        let hello = client.line();
        assert!(hello.starts_with("HELLO papo/1 "), "{hello}");
        client
    }

    /// The socket, for what is not a line.
    pub fn socket(&self) -> &TcpStream {
        self.lines.get_ref()
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.lines.get_mut().write_all(bytes).expect("papod reads");
    }

    /// Reads bytes that are no line.
    pub fn read(&mut self, bytes: &mut [u8]) {
        self.lines.read_exact(bytes).expect("papod keeps the connection");
    }

    /// The next line without its end, or `None` where there is no whole line any more, be it that
    /// the stream has ended or that the connection was reset. What Telnet answers to Telnet is taken
    /// out of it.
    pub fn next_line(&mut self) -> Option<String> {
        self.line_in_time().expect("nothing comes")
    }

    /// The same, or an error where nothing comes for as long as the socket waits.
    pub fn line_in_time(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        match self.lines.read_until(b'\n', &mut line) {
            Ok(_) => {
                let is_refusal = |three: &[u8]| matches!(three, [255, 252 | 254, _]);
                while let Some(at) = line.windows(3).position(is_refusal) {
                    line.drain(at..at + 3);
                }
                let line = String::from_utf8(line).expect("papod says UTF-8 only");
                Ok(line.strip_suffix('\n').map(str::to_owned))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(e),
            Err(_) => Ok(None),
        }
    }

    /// The next line. There must be one.
    pub fn line(&mut self) -> String {
        self.next_line().expect("papod keeps the connection")
    }

    /// The next line must be this.
    pub fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }

    /// Reads up to a line that starts so, and gives back all that was read, that line last.
    pub fn until(&mut self, start: &str) -> Vec<String> {
        let mut read = Vec::new();
        loop {
            let line = self.line();
            let is_it = line.starts_with(start);
            assert!(is_it || !line.starts_with("ERR "), "{line}");
            read.push(line);
            if is_it {
                return read;
            }
        }
    }

    /// Says that nothing more will be typed.
    pub fn finish(&mut self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// All lines up to the end of the connection.
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next_line()).collect()
    }

    /// Sends a message, and gives back its id. Events that come before its `OK` are passed over.
    pub fn send(&mut self, to: &str, body: &str) -> u64 {
        self.say(&format!("MSG {to} {body}"));
        let read = self.until("OK MSG ");
        id(read.last().expect("there is that line"))
    }

    /// Nothing else has been said: the answer to a `PING` is the very next line.
    pub fn has_heard_all(&mut self) {
        self.say("PING all");
        self.expect("OK PING all");
    }

    /// A whole conversation from an id on, page by page.
    pub fn history(&mut self, with: &str, after: u64) -> Vec<Entry> {
        let mut found: Vec<Entry> = Vec::new();
        loop {
            let from = found.last().map_or(after, |entry| entry.id);
            self.say(&format!("HIST {with} 1000 after {from}"));
            let mut read = self.until("OK HIST ");
            let last = read.pop().expect("there is that line");
            let rows = read.iter().filter(|line| line.starts_with("HIST "));
            found.extend(rows.map(|line| Entry::parse(line)));
            if last.ends_with(" end") {
                return found;
            }
        }
    }
}

/// The first number in a line.
pub fn id(line: &str) -> u64 {
    let number = line.split(' ').find_map(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("no number in: {line}"))
}

/// An entry as it is shown, by `MSG` or by `HIST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    pub from: String,
    pub to: String,
    /// As it was typed.
    pub body: String,
}

impl Entry {
    /// Reads the columns of a line.
    pub fn parse(line: &str) -> Entry {
        let Some(EntryLine { entry, .. }) = EntryLine::parse(line) else {
            panic!("not an entry: {line}");
        };
        let mut body = Vec::new();
        text::escape(&entry.body, &mut body);
        Entry {
            id: entry.id.0.unsigned_abs(),
            from: entry.from.to_string(),
            to: entry.to.to_string(),
            body: String::from_utf8(body).expect("it was text"),
        }
    }
}
