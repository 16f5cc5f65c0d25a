//! The secret that an account is opened with, and where it comes from: a file that is named, the
//! environment, or a person at a terminal. Never an argument, which every user of the system can
//! read in the list of processes.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::failure::Failure;
use super::lines;

/// What a script was given: the file of `--secret-file`, else `PAPO_SECRET`.
///
/// # Errors
/// `Usage` where the file cannot be read, or what it holds cannot be a secret.
pub fn given(file: Option<&Path>) -> Result<Option<String>, Failure> {
    if let Some(file) = file {
        let unfit = |why: String| Failure::Usage(format!("{}: {why}", file.display()));
        let text = fs::read_to_string(file).map_err(|e| unfit(e.to_string()))?;
        // An editor ends the last line, which is none of the secret.
        let secret = lines::word(text.trim_end_matches(['\n', '\r']));
        return secret.map(Some).map_err(unfit);
    }
    let Some(secret) = env::var_os("PAPO_SECRET") else { return Ok(None) };
    let unfit = |why: String| Failure::Usage(format!("PAPO_SECRET: {why}"));
    let secret = secret.into_string().map_err(|_| unfit("expected UTF-8".to_owned()))?;
    // Of a file that was read into it; and a variable that is empty is none.
    let secret = secret.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        return Ok(None);
    }
    lines::word(secret).map(Some).map_err(unfit)
}

/// Asks at the terminal, without showing what is typed.
///
/// # Errors
/// As [`typed`]; `Usage` where what was typed can be no secret.
pub fn prompt(question: &str) -> Result<String, Failure> {
    let typed = typed(question)?;
    lines::word(&typed).map_err(|_| Failure::Usage("a password is one word".to_owned()))
}

/// The same, for whatever is typed, which may be nothing.
///
/// # Errors
/// `Usage` where there is no terminal; `Unfit` for its end, Ctrl-D.
pub fn typed(question: &str) -> Result<String, Failure> {
    let nobody = || {
        let why = "no secret: run papo login, set PAPO_SECRET, or name a file with --secret-file";
        Failure::Usage(why.to_owned())
    };
    // Where nobody reads what is said, nobody is there to type.
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
    // Whoever answers a question that stands there is not shown any more.
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
    // The Enter was not shown, either.
    (&*terminal).write_all(b"\n")?;
    match typed? {
        Some(typed) => Ok(typed),
        // As it would have been without a question; the terminal is what it was before.
        None => {
            kill_process(getpid(), Signal::INT)?;
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// What these keys send.
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// Reads a line, key by key; `None` for Ctrl-C.
fn read(terminal: &File) -> io::Result<Option<String>> {
    let mut typed = Vec::new();
    // Byte by byte, as what was typed ahead is the answer to the next question.
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

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Hidden<'_> {
    fn new(terminal: &File) -> io::Result<Hidden<'_>> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        // What was typed before the question was not meant as an answer.
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Hidden { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
