//! The terminal as a device: its original settings, and the bytes typed on it.
//!
//! At a byte that is not UTF-8 the editor gives up, and loses what was typed. So it reads from a
//! pseudo-terminal, and input passes through here: invalid bytes become U+FFFD, which the user can
//! see and correct, and escape `sequences` that are no keys are dropped, but for the terminal's
//! answers about its `abilities`. If the system has no
//! pseudo-terminal left, the editor reads from the terminal itself.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, dup, read, write};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::stdio::dup2_stdin;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr,
    tcsetattr,
};

use super::picture::abilities::{Abilities, Answers};
use super::sequences::Sequences;

/// Time limit for the rest of a key, since Esc alone is a key as well. Terminals send a key at
/// once, and networks mostly in one packet.
const KEY_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Time limit for the rest of an answer, which is no key that anybody presses.
const ANSWER_TIME: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Time limit for all answers. What comes later may be cut in two, and is dropped if it is not.
const ANSWERED: Duration = Duration::from_secs(2);

/// Time limit for answers on leaving: later ones would be typed into the shell.
const LEAVING: Duration = Duration::from_millis(500);

/// A terminal, with the settings it had before.
pub struct TerminalDevice {
    terminal: Arc<OwnedFd>,
    found: Termios,
    /// Nobody can type on it any more.
    has_hung_up: Arc<AtomicBool>,
    /// Until when its answers are awaited. The other end is closed when they have come.
    answers: Mutex<Option<(Instant, mpsc::Receiver<()>)>>,
}

impl TerminalDevice {
    /// The terminal on standard input, from which the editor reads only text from now on. `foreign`
    /// is called once, when something else is typed, and `answered` when it has answered the
    /// `questions`.
    ///
    /// # Errors
    /// It is no terminal.
    pub fn open(
        questions: Option<String>,
        foreign: impl FnOnce() + Send + 'static,
        answered: impl FnOnce(Abilities) + Send + 'static,
    ) -> io::Result<TerminalDevice> {
        let terminal = Arc::new(dup(io::stdin())?);
        let found = tcgetattr(&terminal)?;
        let (has_hung_up, answers) = (Arc::default(), Mutex::default());
        let device = TerminalDevice { terminal, found, has_hung_up, answers };
        if let Ok((master, slave)) = device.pseudo() {
            device.be_raw()?;
            dup2_stdin(&slave)?;
            let awaited = match questions {
                Some(questions) => Some(device.ask(&questions, answered)?),
                None => None,
            };
            let (terminal, has_hung_up) = (device.terminal.clone(), device.has_hung_up.clone());
            thread::spawn(move || {
                pass(&terminal, &master, foreign, awaited, has_more);
                has_hung_up.store(true, Ordering::SeqCst);
            });
        }
        Ok(device)
    }

    fn ask<A>(&self, questions: &str, answered: A) -> io::Result<AwaitedAnswers<A>> {
        // Whatever a terminal prints of them is cleared.
        write!(io::stdout(), "{questions}\r\x1b[K")?;
        io::stdout().flush()?;
        let until = Instant::now() + ANSWERED;
        let (open, closed) = mpsc::channel();
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, closed));
        Ok(AwaitedAnswers { answers: Answers::default(), until, answered, _open: open })
    }

    /// Waits a little for answers that would else be typed into the shell.
    pub fn await_answers(&self) {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((until, closed)) = answers {
            let left = until.saturating_duration_since(Instant::now());
            let _ = closed.recv_timeout(left.min(LEAVING));
        }
    }

    /// A pseudo-terminal that passes bytes on unchanged.
    fn pseudo(&self) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = open(name, flags, Mode::empty())?;
        tcsetattr(&slave, OptionalActions::Now, &raw(&self.found))?;
        Ok((master, slave))
    }

    /// Each key is read when it is pressed, and none is a signal.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn be_raw(&self) -> rustix::io::Result<()> {
        tcsetattr(&self.terminal, OptionalActions::Drain, &raw(&self.found))
    }

    /// Restores the settings, ends bracketed paste, and clears what is below the cursor, after a
    /// line end if `is_on_a_line`.
    pub fn be_as_found(&self, is_on_a_line: bool) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.found);
        let line_end = if is_on_a_line { "\r\n" } else { "" };
        let _ = write!(io::stdout(), "\x1b[?2004l{line_end}\x1b[J");
        let _ = io::stdout().flush();
    }

    /// Nobody can type on it any more.
    pub fn has_hung_up(&self) -> bool {
        self.has_hung_up.load(Ordering::SeqCst)
    }
}

/// Settings that pass each byte on as it comes; output is still processed.
fn raw(found: &Termios) -> Termios {
    let mut raw = found.clone();
    raw.input_modes.remove(
        InputModes::BRKINT
            | InputModes::ICRNL
            | InputModes::INPCK
            | InputModes::ISTRIP
            | InputModes::IXON,
    );
    raw.control_modes.insert(ControlModes::CS8);
    raw.local_modes
        .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG);
    raw.special_codes[SpecialCodeIndex::VMIN] = 1;
    raw.special_codes[SpecialCodeIndex::VTIME] = 0;
    raw
}

/// Answers of a terminal that are awaited, and what is done with them.
struct AwaitedAnswers<A> {
    answers: Answers,
    until: Instant,
    answered: A,
    /// Closed with the rest.
    _open: mpsc::Sender<()>,
}

/// Passes input on as text until nobody can type or read any more.
fn pass<A: FnOnce(Abilities)>(
    terminal: &OwnedFd,
    master: &OwnedFd,
    foreign: impl FnOnce(),
    mut awaited: Option<AwaitedAnswers<A>>,
    has_more: impl Fn(&OwnedFd, &Timespec) -> bool,
) {
    let (mut bytes, mut held, mut foreign) = ([0; 4096], Vec::new(), Some(foreign));
    let mut sequences = Sequences::default();
    loop {
        let is_awaited = awaited.as_ref().is_some_and(|it| Instant::now() < it.until);
        let time = if is_awaited && sequences.may_be_answer() { &ANSWER_TIME } else { &KEY_TIME };
        if sequences.is_begun() && !has_more(terminal, time) {
            sequences.expire();
        }
        match read(terminal, &mut bytes) {
            Err(Errno::INTR) => continue,
            Ok(0) | Err(_) => return,
            Ok(n) => held.extend(sequences.take(&bytes[..n])),
        }
        for other in sequences.others() {
            let known = awaited.as_mut().and_then(|awaited| awaited.answers.take(&other));
            if let (Some(abilities), Some(awaited)) = (known, awaited.take_if(|_| known.is_some()))
            {
                (awaited.answered)(abilities);
            }
        }
        let (text, is_whole) = text(&mut held);
        if !is_whole && let Some(foreign) = foreign.take() {
            foreign();
        }
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match write(master, rest) {
                Err(Errno::INTR) => {}
                Err(_) => return,
                Ok(n) => rest = &rest[n..],
            }
        }
    }
}

/// Whether more input comes within this time.
fn has_more(terminal: &OwnedFd, time: &Timespec) -> bool {
    let mut wanted = [PollFd::new(terminal, PollFlags::IN)];
    // A signal counts as more: the next call waits again.
    poll(&mut wanted, Some(time)) != Ok(0)
}

/// The text in these bytes, and whether they are all valid. An incomplete character stays in
/// `bytes` until the rest of it comes.
fn text(bytes: &mut Vec<u8>) -> (String, bool) {
    let (mut text, mut is_whole) = (String::with_capacity(bytes.len()), true);
    let mut from = 0;
    while let Err(e) = std::str::from_utf8(&bytes[from..]) {
        let valid = from + e.valid_up_to();
        text.push_str(&String::from_utf8_lossy(&bytes[from..valid]));
        from = valid;
        let Some(invalid) = e.error_len() else { break };
        text.push(char::REPLACEMENT_CHARACTER);
        (from, is_whole) = (from + invalid, false);
    }
    if let Ok(rest) = std::str::from_utf8(&bytes[from..]) {
        text.push_str(rest);
        from = bytes.len();
    }
    bytes.drain(..from);
    (text, is_whole)
}

#[cfg(test)]
mod tests {
    use rustix::pipe::pipe;

    use super::*;

    #[test]
    fn a_letter_long_after_esc_is_a_letter() {
        let (terminal, keys) = pipe().unwrap();
        let (out, master) = pipe().unwrap();
        write(&keys, b"a\x1b").unwrap();
        let keys = std::cell::Cell::new(Some(keys));
        pass(
            &terminal,
            &master,
            || (),
            None::<AwaitedAnswers<fn(Abilities)>>,
            |_, _| {
                write(keys.take().unwrap(), b"n").unwrap();
                false
            },
        );
        let mut typed = [0; 8];
        let n = read(&out, &mut typed).unwrap();
        assert_eq!(&typed[..n], b"an");
    }

    #[test]
    fn bytes_become_text_wherever_they_are_cut() {
        let typed = b"caf\xc3\xa9 caf\xe9 \xf0\x9f\x91\xa9\x80\xff\r";
        let expected = "café caf\u{fffd} 👩\u{fffd}\u{fffd}\r";
        for cut in 0..=typed.len() {
            let (mut held, mut all, mut is_whole) = (Vec::new(), String::new(), true);
            for part in [&typed[..cut], &typed[cut..]] {
                held.extend_from_slice(part);
                let (text, whole) = text(&mut held);
                all.push_str(&text);
                is_whole &= whole;
            }
            assert_eq!((&*all, is_whole, held.len()), (expected, false, 0), "{cut}");
        }
        // Half a character waits for the other half, but not forever.
        let mut held = vec![b'a', 0xc3];
        assert_eq!(text(&mut held), ("a".into(), true));
        held.push(b'\r');
        assert_eq!(text(&mut held), ("\u{fffd}\r".into(), false));
    }
}
