//! The prompt, and how much room the line behind it takes.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, mpsc};

use rustyline::Helper;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;

use super::item::{self, Style};
use super::known::{Known, lock, size};

/// Columns of the prompt: what is typed stands below what was said.
pub const PROMPT: usize = 11;

/// What the editor asks while a line is typed.
pub struct Line {
    pub known: Arc<Mutex<Known>>,
    /// Told when the line is drawn.
    pub ready: mpsc::Sender<()>,
    pub style: Style,
}

impl Helper for Line {}

impl Validator for Line {}

impl Hinter for Line {
    type Hint = String;
}

impl Highlighter for Line {
    /// Called whenever the line is drawn anew, which it is whenever it takes another row.
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        let columns = size().columns;
        let rows = line.split('\n').enumerate().map(|(n, part)| {
            let before = if n == 0 { PROMPT } else { 0 };
            (before + textwrap::core::display_width(part)) / columns + 1
        });
        let mut known = lock(&self.known);
        known.rows = rows.sum();
        known.most = known.most.max(known.rows);
        Cow::Borrowed(line)
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        default: bool,
    ) -> Cow<'b, str> {
        let _ = self.ready.send(());
        if !default {
            return Cow::Borrowed(prompt);
        }
        let name = item::cut(&lock(&self.known).prompt, PROMPT - 2);
        let blanks = PROMPT - 2 - textwrap::core::display_width(&name);
        Cow::Owned(format!("{}{}> ", " ".repeat(blanks), self.style.bold(&name)))
    }
}

impl Completer for Line {
    type Candidate = String;
}
