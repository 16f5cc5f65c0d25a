//! The prompt, the input after it, and the line below, which shows what is unread.
//!
//! The editor redraws the line at each key, since there is always something below it, and moves the
//! cursor by its own count of columns. So the line is shown to match that count: characters that
//! terminals disagree about are hidden here, and sent all the same.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, mpsc};

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use unicode_width::UnicodeWidthChar;

use super::columns::{is_doubtful, width};
use super::known::{Known, Out, Typed, line_below, lock, size};
use super::style::Style;

/// Columns of the prompt: the input lines up with the messages.
pub const PROMPT: usize = 11;

/// Columns of the name in it.
pub const NAME: usize = PROMPT - 2;

/// Columns between tab stops in the input.
pub const TAB: usize = 4;

/// The editor's helper while a line is typed.
pub struct Typing {
    pub known: Arc<Mutex<Known>>,
    /// Notified when the line is drawn.
    pub ready: mpsc::Sender<()>,
    /// Receives requests to redraw.
    pub typed: Out,
    pub style: Style,
}

impl Helper for Typing {}

impl Validator for Typing {}

/// The line below. It is always one row, since the editor counts on it when it prints something
/// above, and measures it only at a key.
pub struct Below;

impl Hint for Below {
    fn display(&self) -> &str {
        "\n "
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Typing {
    type Hint = Below;

    fn hint(&self, _line: &str, _pos: usize, _ctx: &Context<'_>) -> Option<Below> {
        Some(Below)
    }
}

impl Highlighter for Typing {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        let size = size();
        let (shown, rows) = laid_out(line, size.columns);
        let mut known = lock(&self.known);
        known.is_typing = !line.is_empty();
        // One more for the line below.
        known.rows = rows + 1;
        known.most = known.most.max(known.rows);
        // Input taller than the terminal has pushed away everything above it.
        let has_room = known.rows <= size.rows;
        if has_room && !known.has_room {
            (self.typed)(Typed::Redraw);
        }
        known.has_room = has_room;
        Cow::Owned(shown)
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
        let name = &lock(&self.known).label;
        let blanks = NAME.saturating_sub(width(name));
        Cow::Owned(format!("{}{}> ", " ".repeat(blanks), self.style.bold(name)))
    }

    fn highlight_hint<'h>(&self, _hint: &'h str) -> Cow<'h, str> {
        let line = lock(&self.known).activity.line(line_below(), self.style);
        Cow::Owned(format!("\n\x1b[?7l{line}\x1b[?7h"))
    }
}

impl Completer for Typing {
    type Candidate = String;
}

/// The input as shown, and the rows it takes by the editor's count.
fn laid_out(line: &str, columns: usize) -> (String, usize) {
    let (mut shown, mut row, mut column) = (String::with_capacity(line.len()), 1, PROMPT);
    for c in line.chars() {
        let own = match c {
            '\n' => {
                (row, column) = (row + 1, 0);
                shown.push(c);
                continue;
            }
            '\t' => TAB - column % TAB,
            _ => c.width().unwrap_or(0),
        };
        if column + own > columns {
            // A tab becomes blanks, which fill this row first.
            if c == '\t' {
                shown.extend(std::iter::repeat_n(' ', columns.saturating_sub(column)));
            }
            (row, column) = (row + 1, 0);
        }
        column += own;
        match c {
            '\t' => shown.extend(std::iter::repeat_n(' ', own)),
            _ if own == 0 && is_doubtful(c) => {}
            _ => shown.push(c),
        }
    }
    if column == columns {
        // For the editor the cursor is in the next row already.
        shown.push('\n');
        row += 1;
    }
    (shown, row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_shown_as_the_editor_reckons_it() {
        assert_eq!(laid_out("", 80), (String::new(), 1));
        assert_eq!(laid_out("a\u{ad}\u{200b}\u{7}b\u{202e}", 80), ("ab".into(), 1));
        assert_eq!(laid_out("e\u{301}", 80), ("e\u{301}".into(), 1));
        assert_eq!(laid_out("a\n\tb", 80), ("a\n    b".into(), 2));
        // A row that is full has the cursor in the next one.
        assert_eq!(laid_out(&"x".repeat(9), 20).1, 2);
        assert_eq!(laid_out(&"x".repeat(10), 20), ("x".repeat(10), 2));
        assert_eq!(laid_out(&"漢".repeat(5), 20), ("漢".repeat(5), 2));
        assert_eq!(laid_out("xxxxxxx\ty", 19), ("xxxxxxx   y".into(), 2));
    }
}
