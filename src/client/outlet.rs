//! Hands lines over on standard output, and acknowledges them when they have been taken, not
//! sooner.
//!
//! A file, terminal or socket has a line once it is written. A pipe holds it until the reader takes
//! it, and loses it if the reader exits first; so a line counts as taken when nothing of it is left
//! in the pipe. The pipe is given at most a 64th more than was taken, one line after another at
//! first: `head -n 1` takes one line, however many wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smol::Timer;

use super::acks::Acks;
use super::failure::Failure;
use super::stdout;

/// The pipe may hold a 64th as many lines as were taken.
const AHEAD: u64 = 64;

/// Bytes gathered for one write, unless to a pipe.
const GATHERED: usize = 65_536;

/// Pauses between polls of the pipe, as nothing signals that it was read from. They grow with the
/// time that the reader takes.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(500);

/// An entry by somebody else: its conversation and its id.
pub type EntryRef = (String, u64);

/// Standard output, with acknowledgements.
pub struct Outlet<'a> {
    acks: &'a Acks<'a>,
    is_pipe: bool,
    gathered: String,
    written: u64,
    /// Lines not taken yet, each with the offset of its end.
    lines: VecDeque<(u64, Option<EntryRef>)>,
    /// Number of lines taken.
    taken: u64,
}

impl<'a> Outlet<'a> {
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

    /// Writes a line, at once or with later ones, when the reader is ready for it.
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

    /// An entry of which nothing is shown: it is acknowledged with the line before it.
    pub fn pass(&mut self, mark: EntryRef) {
        let end = self.written + self.gathered.len() as u64;
        match self.lines.back_mut() {
            Some((_, last)) if last.as_ref().is_none_or(|(to, _)| *to == mark.0) => {
                *last = Some(mark);
            }
            Some(_) => self.lines.push_back((end, Some(mark))),
            None => self.acks.add(&mark.0, mark.1),
        }
    }

    /// Writes the gathered lines.
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

    /// Returns when the pipe holds at most `most` lines. Cancel-safe.
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

    /// Whether all lines were taken.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Acknowledges nothing of the lines so far any more: they belong to a log that no longer
    /// exists.
    pub fn forget(&mut self) {
        self.look();
        self.lines.iter_mut().for_each(|(_, mark)| *mark = None);
        self.acks.forget();
    }

    /// Acknowledges lines that were taken meanwhile, even after the reader has gone.
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
