//! A server at an address that outlives it, and the client at work.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::process::{Pid, Signal};

use crate::process::{
    Home, PASSWORD, PATIENCE, Papod, die_with_this_thread, run, with_clean_environment,
};

/// A folder, and a papod in it that can be killed and started again at the same Unix socket.
pub struct Place {
    pub papod: Option<Papod>,
    pub home: Home,
    /// More arguments of papod.
    pub flags: Vec<OsString>,
}

impl Place {
    /// Starts a papod, and makes these accounts.
    pub fn with(handles: &[&str]) -> Place {
        Place::with_flags(handles, &[])
    }

    /// The same, with more arguments of papod.
    pub fn with_flags(handles: &[&str], flags: &[&str]) -> Place {
        let flags = flags.iter().map(OsString::from).collect();
        let mut place = Place { papod: None, home: Home::new(), flags };
        place.start();
        for handle in handles {
            place.papod().register(handle);
        }
        place
    }

    pub fn start(&mut self) {
        let socket = ["--unix".into(), self.socket().into_os_string()];
        let flags = socket.into_iter().chain(self.flags.iter().cloned());
        let papod = Papod::start_with(&self.home.db(), flags);
        papod.way("unix:");
        self.papod = Some(papod);
    }

    pub fn papod(&self) -> &Papod {
        self.papod.as_ref().expect("it runs")
    }

    /// `kill -9`; nobody listens then.
    pub fn kill(&mut self) {
        self.papod.take().expect("it runs").kill();
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("socket")
    }

    /// Where its accounts keep their settings.
    pub fn config(&self) -> PathBuf {
        self.home.path().join("papo/config")
    }

    /// The address of its Unix socket.
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// A command of papo for an account, which knows the server and the password.
    pub fn papo(&self, handle: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare(arguments);
        command.env("PAPO_SERVER", self.address()).env("PAPO_AS", handle);
        command.env("PAPO_SECRET", PASSWORD);
        command
    }

    /// One that knows nothing but where its settings are.
    pub fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = with_clean_environment(Command::new(env!("CARGO_BIN_EXE_papo")));
        for name in
            ["PAPO_SERVER", "PAPO_AS", "PAPO_SECRET", "PAPO_CA", "PAPO_DEVICE", "PAPO_INVITATION"]
        {
            command.env_remove(name);
        }
        command.env("XDG_CONFIG_HOME", self.home.path()).env("TZ", "UTC0");
        command.args(arguments);
        command
    }

    /// Runs a command that must succeed, and gives back what it printed.
    pub fn done(&self, handle: &str, arguments: &[&str]) -> String {
        done(&mut self.papo(handle, arguments))
    }

    /// The bodies that two people have sent each other, as `me` is shown them.
    pub fn bodies(&self, me: &str, with: &str) -> Vec<String> {
        let mut client = self.papod().login_quietly(me);
        client.history(with, 0).into_iter().map(|entry| entry.body).collect()
    }
}

/// Runs a command that must succeed, and gives back what it printed.
pub fn done(command: &mut Command) -> String {
    let output = run(command);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with this status, print nothing, and say one thing that starts so.
pub fn fails(command: &mut Command, status: i32, says: &str) {
    let output = run(command);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.starts_with(says), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard input that holds this.
pub fn input(text: &[u8]) -> Stdio {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    file.rewind().unwrap();
    file.into()
}

/// A command that goes on, ended with the test.
pub struct Running {
    pub child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        die_with_this_thread(command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (out, err) = (lines(child.stdout.take()), lines(child.stderr.take()));
        Running { child, out, err }
    }

    /// The next line of its standard output.
    pub fn line(&self) -> String {
        self.out.recv_timeout(PATIENCE).expect("it says something")
    }

    /// The next line of its standard output, if it has come.
    pub fn try_line(&self) -> Option<String> {
        self.out.try_recv().ok()
    }

    /// The next line of its standard error.
    pub fn complaint(&self) -> String {
        self.err.recv_timeout(PATIENCE).expect("it complains")
    }

    pub fn kill(&mut self) {
        let id = Pid::from_child(&self.child);
        rustix::process::kill_process(id, Signal::KILL).expect("it runs");
        self.child.wait().expect("its status is known");
    }

    /// Waits for its end: its status, what it still printed, what it still complained of.
    pub fn finish(mut self) -> (Option<i32>, Vec<String>, Vec<String>) {
        let all = |lines: &Receiver<String>| {
            let mut all = Vec::new();
            loop {
                match lines.recv_timeout(PATIENCE) {
                    Ok(line) => all.push(line),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return all,
                    Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {all:?}"),
                }
            }
        };
        let (out, err) = (all(&self.out), all(&self.err));
        (self.child.wait().expect("its status is known").code(), out, err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, if there is one.
fn lines(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (line, received) = mpsc::channel();
    if let Some(pipe) = pipe {
        let lines = BufReader::new(pipe).lines().map_while(Result::ok);
        thread::spawn(move || lines.for_each(|text| drop(line.send(text))));
    }
    received
}
