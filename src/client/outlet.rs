//! Lines that are handed over on standard output, and acknowledged when they have been, not sooner.
//!
//! A file, a terminal, a socket has a line once it is written. In a pipe it lies until the reader
//! takes it, and is lost if the reader ends before; so a line in a pipe has been handed over when the
//! pipe holds none of it any more. And the reader is given at most a 64th more than it has taken, one
//! line after another at first: `head -n 1` takes one line, however many wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smol::Timer;

use super::acks::Acks;
use super::failure::Failure;
use super::stdout;

/// Of what was taken this part may lie in the pipe.
const AHEAD: u64 = 64;

/// Bytes that are gathered for one write, where it is not a pipe that they are written to.
const GATHERED: usize = 65_536;

/// The pauses between two looks at the pipe, which tells nobody that it was read from. They grow with
/// the time that the reader takes.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(500);

/// An entry of others: its conversation and its id.
pub type EntryRef = (String, u64);

/// Standard output.
pub struct Outlet<'a> {
    acks: &'a Acks<'a>,
    is_pipe: bool,
    gathered: String,
    /// Bytes that were written.
    written: u64,
    /// Lines that were not handed over yet: up to which byte each goes.
    lines: VecDeque<(u64, Option<EntryRef>)>,
    /// Lines that were handed over.
    taken: u64,
}

impl<'a> Outlet<'a> {
    /// Nothing was written yet.
    pub fn new(acks: &'a Acks<'a>) -> Outlet<'a> {
        Outlet {
            acks,
            is_pipe: stdout::is_pipe(),
            gathered: String::new(),
            written: 0,
            lines: VecDeque::new(),
            taken: 0,
        }
    }

    /// Writes a line, at once or with those after it, when the reader is ready for it.
    ///
    /// # Errors
    /// `Output`.
    pub async fn write(&mut self, line: &str, mark: Option<EntryRef>) -> Result<(), Failure> {
        if self.is_pipe {
            self.until_taken(self.taken / AHEAD).await;
        }
        self.gathered.push_str(line);
        self.gathered.push('\n');
        self.lines.push_back((self.written + self.gathered.len() as u64, mark));
        if self.is_pipe || self.gathered.len() >= GATHERED { self.flush() } else { Ok(()) }
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    /// `Output`.
    pub fn flush(&mut self) -> Result<(), Failure> {
        stdout::write_text(&self.gathered)?;
        self.written += self.gathered.len() as u64;
        self.gathered.clear();
        self.look();
        Ok(())
    }

    /// Returns when at most as many lines lie in the pipe. This may be given up on at any time.
    pub async fn until_taken(&mut self, most: u64) {
        let began = Instant::now();
        loop {
            self.look();
            if self.lines.len() as u64 <= most {
                return;
            }
            Timer::after((began.elapsed() / 8).clamp(SHORTEST, LONGEST)).await;
        }
    }

    /// Whether nothing lies in the pipe.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What was handed over and what lies here belongs to a log that is no more: it is acknowledged
    /// no longer.
    pub fn forget(&mut self) {
        self.look();
        self.lines.iter_mut().for_each(|(_, mark)| *mark = None);
        self.acks.forget();
    }

    /// Has acknowledged what was handed over meanwhile, also after the reader has gone.
    pub fn look(&mut self) {
        let left = if self.is_pipe && !self.lines.is_empty() { stdout::unread() } else { 0 };
        let taken = self.written.saturating_sub(left);
        while self.lines.front().is_some_and(|(end, _)| *end <= taken) {
            let Some((_, mark)) = self.lines.pop_front() else { return };
            self.taken += 1;
            if let Some((conversation, id)) = mark {
                self.acks.add(&conversation, id);
            }
        }
    }
}
