//! The secret to log in with, from a named file, the environment, or a person at a terminal. Never
//! from an argument, which every user of the system can read in the process list.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::failure::Failure;
use super::lines;

/// The secret in the file of `--secret-file`, else in `PAPO_SECRET`.
///
/// # Errors
/// `Usage` if the file cannot be read, or the secret is malformed.
pub fn given(file: Option<&Path>) -> Result<Option<String>, Failure> {
    if let Some(file) = file {
        let unfit = |why: String| Failure::Usage(format!("{}: {why}", file.display()));
        let text = fs::read_to_string(file).map_err(|e| unfit(e.to_string()))?;
        // Editors end the last line; that is not part of the secret.
        let secret = lines::word(text.trim_end_matches(['\n', '\r']));
        return secret.map(Some).map_err(unfit);
    }
    let Some(secret) = env::var_os("PAPO_SECRET") else { return Ok(None) };
    let unfit = |why: String| Failure::Usage(format!("PAPO_SECRET: {why}"));
    let secret = secret.into_string().map_err(|_| unfit("expected UTF-8".to_owned()))?;
    // It may have been read from a file; an empty variable counts as unset.
    let secret = secret.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        return Ok(None);
    }
    lines::word(secret).map(Some).map_err(unfit)
}

/// Prompts at the terminal, without echo.
///
/// # Errors
/// As [`typed`]; `Usage` if what was typed cannot be a secret.
pub fn prompt(question: &str) -> Result<String, Failure> {
    let typed = typed(question)?;
    lines::word(&typed)
        .map_err(|_| Failure::Usage("a password is one word, without spaces".to_owned()))
}

/// The same for any input, which may be empty.
///
/// # Errors
/// `Usage` if there is no terminal; `Unfit` for Ctrl-D, its end of input.
pub fn typed(question: &str) -> Result<String, Failure> {
    let nobody = || {
        let why = "no secret: run papo login, set PAPO_SECRET, or name a file with --secret-file";
        Failure::Usage(why.to_owned())
    };
    // If nobody can read the prompt, nobody is there to type.
    if !io::stderr().is_terminal() {
        return Err(nobody());
    }
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let terminal = terminal.map_err(|_| nobody())?;
    ask(&terminal, question).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => Failure::Unfit("nothing was typed".to_owned()),
        _ => Failure::Usage(format!("/dev/tty: {e}")),
    })
}

fn ask(terminal: &File, question: &str) -> io::Result<String> {
    // Echo is off before the question appears.
    let hidden = Hidden::new(terminal)?;
    let typed = loop {
        (&*terminal).write_all(format!("{question}: ").as_bytes())?;
        match read(terminal) {
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                (&*terminal).write_all(b"\nThat is not UTF-8: set your terminal to UTF-8.\n")?;
            }
            read => break read,
        }
    };
    drop(hidden);
    // Enter was not echoed either.
    (&*terminal).write_all(b"\n")?;
    match typed? {
        Some(typed) => Ok(typed),
        // Die of SIGINT, as without a prompt; the terminal is restored already.
        None => {
            kill_process(getpid(), Signal::INT)?;
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// Bytes that these keys send.
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// Reads a line, key by key; `None` for Ctrl-C.
fn read(terminal: &File) -> io::Result<Option<String>> {
    let mut typed = Vec::new();
    // Byte by byte: what was typed ahead answers the next question.
    let (mut terminal, mut byte) = (terminal, [0]);
    while terminal.read(&mut byte)? == 1 {
        match byte[0] {
            CTRL_D if typed.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            b'\n' | b'\r' | CTRL_D => break,
            CTRL_C => return Ok(None),
            CTRL_U => typed.clear(),
            BACKSPACE | DELETE => {
                // All bytes of one character.
                while typed.pop().is_some_and(|byte: u8| byte & 0xc0 == 0x80) {}
            }
            byte => typed.push(byte),
        }
    }
    String::from_utf8(typed).map(Some).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// A terminal without echo, until this is dropped.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Hidden<'_> {
    fn new(terminal: &File) -> io::Result<Hidden<'_>> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        // Flushed, as earlier input was not meant as an answer.
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Hidden { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
