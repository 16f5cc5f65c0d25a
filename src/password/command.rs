//! A program that knows the passwords in papod's place: LDAP, PAM, a file of another service.
//!
//! It is run once for each try, on a hashing thread, so that the queue, its turns and the brake on
//! guessing are those of hashing. It gets the handle and the secret as two lines of standard input, an
//! environment of `PATH` alone, and no shell; nothing secret is in its arguments.

use std::env;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::Failed;
use crate::limits;
use crate::name::Handle;

/// The status by which it says that it cannot tell (sysexits.h, `EX_TEMPFAIL`).
const CANNOT_TELL: i32 = 75;

/// The program and its arguments.
#[derive(Clone, Debug)]
pub struct AuthCommand {
    program: Box<str>,
    arguments: Box<[Box<str>]>,
}

impl AuthCommand {
    /// Takes a command line, split at blanks. The program is named by its whole path, since papod's
    /// `PATH` and folder are not those of the shell in which it was tried.
    ///
    /// # Errors
    /// One line for the operator: there is no such program.
    pub fn new(line: &str) -> Result<AuthCommand, String> {
        let mut words = line.split_whitespace().map(Box::from);
        let program: Box<str> = words.next().unwrap_or_default();
        let say = |what: &dyn std::fmt::Display| format!("--auth-command {program}: {what}");
        if !program.starts_with('/') {
            return Err(say(&"must be an absolute path"));
        }
        let meta = Path::new(&*program).metadata().map_err(|e| say(&e))?;
        if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
            return Err(say(&"is not an executable program"));
        }
        Ok(AuthCommand { arguments: words.collect(), program })
    }

    /// Whether it lets this secret in.
    ///
    /// # Errors
    /// [`Failed::Unknown`]: it cannot tell, could not be run, was ended by a signal, or took longer
    /// than [`limits::AUTH_COMMAND_TIME`]. The log says which.
    pub(super) fn lets_in(&self, handle: &Handle, secret: &str) -> Result<bool, Failed> {
        // It has to fit into a pipe that nobody reads.
        if secret.len() > limits::AUTH_COMMAND_SECRET {
            return Ok(false);
        }
        let unknown = |what: &dyn std::fmt::Display| {
            log::error!("--auth-command {}: {what}", self.program);
            Failed::Unknown
        };
        let status = match self.run(handle, secret) {
            Ok(Some(status)) => status,
            Ok(None) => {
                let time = limits::AUTH_COMMAND_TIME.as_secs();
                return Err(unknown(&format_args!("took longer than {time} seconds")));
            }
            Err(e) => return Err(unknown(&e)),
        };
        match status.code() {
            Some(0) => Ok(true),
            Some(CANNOT_TELL) => Err(unknown(&"cannot tell (status 75)")),
            Some(_) => Ok(false),
            None => {
                let signal = status.signal().unwrap_or_default();
                Err(unknown(&format_args!("was ended by signal {signal}")))
            }
        }
    }

    /// Runs it to its end. `None`: it took too long and was killed, with all that it has started.
    fn run(&self, handle: &Handle, secret: &str) -> io::Result<Option<ExitStatus>> {
        let mut command = Command::new(&*self.program);
        command.args(self.arguments.iter().map(|word| &**word)).current_dir("/");
        command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
        // What it says on standard error goes where papod's log does.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut child = command.process_group(0).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that does not read decides without.
            let _ = input.write_all(format!("{handle}\n{secret}\n").as_bytes());
        }
        let ended = has_ended(&child);
        if !matches!(ended, Ok(true)) {
            let _ = rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL);
        }
        let status = child.wait()?;
        Ok(ended?.then_some(status))
    }
}

/// Waits for its end, but no longer than it may take.
fn has_ended(child: &Child) -> io::Result<bool> {
    let process = rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let until = Instant::now() + limits::AUTH_COMMAND_TIME;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut asked = [PollFd::new(&process, PollFlags::IN)];
        match rustix::event::poll(&mut asked, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
