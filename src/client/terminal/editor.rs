//! The line that is being typed: an editor on a thread of its own, the keys that it knows beyond the
//! usual ones, and the way in which others print above it.
//!
//! A line is taken out of the editor by the key that ends it, and the editor goes on, so it is
//! always at work and everything that is printed goes through it, in one order.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event,
    EventContext, EventHandler, ExternalPrinter, Helper, KeyCode, KeyEvent, Modifiers, Movement,
    RepeatCount,
};

use super::item::{self, Style};
use super::order;
use super::screen::{Room, Size};
use crate::client::failure::Failure;

/// Columns of the prompt: what is typed stands below what was said.
const PROMPT: usize = 11;

/// Lines that the arrow keys bring back.
const RECALLED: usize = 500;

/// For how long names are waited for that only the server knows.
const NAMES: Duration = Duration::from_secs(1);

/// What somebody does at the keyboard.
pub enum Typed {
    /// Ends a line, which is not blank.
    Line(String),
    /// Scrolls back.
    Older,
    /// Scrolls forth.
    Newer,
    /// Turns to the next conversation in which something is unread.
    Next,
    /// Wants to leave, which is not done yet.
    Leave,
    /// Ctrl-C with nothing typed.
    Interrupt,
    /// Wants to see everything anew.
    Redraw,
    /// Waits for names that begin like this.
    Names(String, mpsc::Sender<Vec<String>>),
    /// The editor has ended; with a reason, where nobody asked for that.
    End(Option<String>),
}

/// What the editor and the rest both know.
#[derive(Default)]
struct Known {
    /// With whom one talks.
    prompt: String,
    /// Whose names are completed.
    names: BTreeSet<String>,
    /// What was typed before, and where in it the arrow keys are.
    lines: Vec<String>,
    place: usize,
    /// What was being typed before they were used.
    draft: String,
    /// Rows that the line takes that is being typed.
    rows: usize,
    /// Nothing is lost by leaving.
    may_leave: bool,
}

/// The editor, from outside.
pub struct Keyboard {
    known: Arc<Mutex<Known>>,
    printer: mpsc::Sender<String>,
    /// Only to be left as it was found.
    _terminal: Terminal,
}

impl Keyboard {
    /// Begins to read. What is typed goes to `typed`, from a thread of its own.
    ///
    /// # Errors
    /// `Usage` where this is no terminal that an editor can work on.
    pub fn open(
        style: Style,
        typed: impl Fn(Typed) + Clone + Send + Sync + 'static,
    ) -> Result<Keyboard, Failure> {
        let unfit = |e: &dyn std::fmt::Display| {
            Failure::Usage(format!("this is no terminal to talk on ({e}); see papo --help"))
        };
        let terminal = Terminal::now().map_err(|e| unfit(&e))?;
        let known = Arc::new(Mutex::new(Known { rows: 1, may_leave: true, ..Known::default() }));
        let config = Config::builder()
            // What there is of it is up to the style: without, there would be no prompt either.
            .color_mode(ColorMode::Forced)
            .completion_type(CompletionType::Circular)
            .max_history_size(0)
            .map(|config| config.tab_stop(4).build())
            .map_err(|e| unfit(&e))?;
        let mut editor = Editor::<Line, MemHistory>::with_history(config, MemHistory::new())
            .map_err(|e| unfit(&e))?;
        let mut above = editor.create_external_printer().map_err(|e| unfit(&e))?;
        let (ready, is_ready) = mpsc::channel();
        let typed = Arc::new(typed);
        let line = Line { known: known.clone(), typed: typed.clone(), ready, style };
        bind(&mut editor, &line);
        editor.set_helper(Some(line));
        thread::spawn(move || {
            let prompt = " ".repeat(PROMPT);
            let end = match editor.readline(&prompt) {
                Ok(_) | Err(ReadlineError::Eof) => None,
                Err(e) => Some(e.to_string()),
            };
            typed(Typed::End(end));
        });
        let (printer, to_print) = mpsc::channel::<String>();
        thread::spawn(move || {
            // What is printed before the editor draws its line would be drawn over.
            let _ = is_ready.recv();
            while let Ok(text) = to_print.recv() {
                if above.print(text).is_err() {
                    break;
                }
            }
        });
        Ok(Keyboard { known, printer, _terminal: terminal })
    }

    /// Prints above the line that is being typed. What is empty changes nothing.
    pub fn print(&self, text: String) {
        if !text.is_empty() {
            // Where the editor has ended, so does everything else.
            let _ = self.printer.send(text);
        }
    }

    /// With whom one talks from now on. It is seen when something is printed next.
    pub fn prompt(&self, with: &str) {
        lock(&self.known).prompt = with.to_owned();
    }

    /// More names that are completed.
    pub fn names(&self, names: impl IntoIterator<Item = String>) {
        lock(&self.known).names.extend(names);
    }

    /// Whether nothing is lost by leaving, so that the editor need not ask.
    pub fn may_leave(&self, may: bool) {
        lock(&self.known).may_leave = may;
    }

    /// How much room there is.
    pub fn room(&self) -> Room {
        Room { size: size(), typed: lock(&self.known).rows }
    }
}

/// The terminal as it was found, and as it is left, whatever happens.
struct Terminal(Termios);

impl Terminal {
    fn now() -> Result<Terminal, rustix::io::Errno> {
        tcgetattr(std::io::stdin()).map(Terminal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
        // A paste is nothing special any more.
        let _ = std::io::stdout().write_all(b"\x1b[?2004l");
        let _ = std::io::stdout().flush();
    }
}

/// The size of the terminal; 80 by 24 where it does not say.
pub fn size() -> Size {
    let found = tcgetwinsize(std::io::stdout()).ok();
    let found = found.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    found.map_or(Size { columns: 80, rows: 24 }, |size| Size {
        columns: size.ws_col.into(),
        rows: size.ws_row.into(),
    })
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

type Out = Arc<dyn Fn(Typed) + Send + Sync>;

/// What the editor asks while a line is typed.
struct Line {
    known: Arc<Mutex<Known>>,
    typed: Out,
    ready: mpsc::Sender<()>,
    style: Style,
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
        lock(&self.known).rows = rows.sum();
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

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let start = line[..pos].rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &line[start..pos];
        if start == 0 && word.starts_with('/') {
            let orders = order::NAMES.iter().filter(|order| order.starts_with(&word[1..]));
            return Ok((start, orders.map(|order| format!("/{order} ")).collect()));
        }
        // A group is typed as in a shell, too.
        let begins = word
            .strip_prefix('+')
            .map_or(word.to_lowercase(), |name| format!("#{}", name.to_lowercase()));
        let mut found = self.names(&begins);
        if found.is_empty() && !begins.is_empty() && !begins.starts_with('#') {
            let (answer, names) = mpsc::channel();
            (self.typed)(Typed::Names(begins.clone(), answer));
            found = names.recv_timeout(NAMES).unwrap_or_default();
        }
        Ok((start, found))
    }
}

impl Line {
    fn names(&self, begin: &str) -> Vec<String> {
        let known = lock(&self.known);
        let names = known.names.range(begin.to_owned()..);
        let names = names.take_while(|name| !begin.is_empty() && name.starts_with(begin));
        names.take(50).map(|name| format!("{name} ")).collect()
    }
}

/// What a key does beyond what it does in every editor.
struct Key {
    known: Arc<Mutex<Known>>,
    typed: Out,
    does: Does,
}

#[derive(Clone, Copy)]
enum Does {
    End,
    Earlier,
    Later,
    Older,
    Newer,
    Interrupt,
    Leave,
    Redraw,
    Next,
}

impl ConditionalEventHandler for Key {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        let line = ctx.line();
        match self.does {
            Does::End => return Some(self.end(line)),
            Does::Earlier | Does::Later => return self.recall(line),
            Does::Interrupt if !line.is_empty() => return Some(replace(String::new())),
            // Deletes what is under the cursor.
            Does::Leave if !line.is_empty() => return None,
            Does::Leave if lock(&self.known).may_leave => return Some(Cmd::EndOfFile),
            Does::Leave => (self.typed)(Typed::Leave),
            Does::Older => (self.typed)(Typed::Older),
            Does::Newer => (self.typed)(Typed::Newer),
            Does::Interrupt => (self.typed)(Typed::Interrupt),
            Does::Redraw => (self.typed)(Typed::Redraw),
            Does::Next => (self.typed)(Typed::Next),
        }
        Some(Cmd::Noop)
    }
}

impl Key {
    /// Takes the line out of the editor.
    fn end(&self, line: &str) -> Cmd {
        let mut known = lock(&self.known);
        let line = line.trim();
        if !line.is_empty() && known.lines.last().is_none_or(|last| last != line) {
            known.lines.push(line.to_owned());
            if known.lines.len() > RECALLED {
                known.lines.remove(0);
            }
        }
        known.place = known.lines.len();
        let may_leave = known.may_leave;
        drop(known);
        match line {
            "/quit" if may_leave => return Cmd::EndOfFile,
            "/quit" => (self.typed)(Typed::Leave),
            "" => (self.typed)(Typed::Line(String::new())),
            _ => (self.typed)(Typed::Line(line.to_owned())),
        }
        replace(String::new())
    }

    /// Brings back what was typed before. In a line of several rows the keys move the cursor.
    fn recall(&self, line: &str) -> Option<Cmd> {
        let mut known = lock(&self.known);
        let recalled = known.lines.get(known.place).is_some_and(|recalled| recalled == line);
        if line.contains('\n') && !recalled {
            return None;
        }
        let place = match self.does {
            Does::Earlier => known.place.checked_sub(1),
            _ => Some(known.place + 1).filter(|place| *place <= known.lines.len()),
        };
        let Some(place) = place else { return Some(Cmd::Noop) };
        if known.place == known.lines.len() {
            known.draft = line.to_owned();
        }
        known.place = place;
        let text = known.lines.get(place).unwrap_or(&known.draft);
        Some(replace(text.clone()))
    }
}

fn replace(text: String) -> Cmd {
    Cmd::Replace(Movement::WholeBuffer, Some(text))
}

fn bind(editor: &mut Editor<Line, MemHistory>, line: &Line) {
    let mut does = |key: KeyEvent, does: Does| {
        let key_does = Key { known: line.known.clone(), typed: line.typed.clone(), does };
        editor.bind_sequence(key, EventHandler::Conditional(Box::new(key_does)));
    };
    let plain = |code| KeyEvent(code, Modifiers::NONE);
    does(plain(KeyCode::Enter), Does::End);
    for (key, control, what) in
        [(KeyCode::Up, 'p', Does::Earlier), (KeyCode::Down, 'n', Does::Later)]
    {
        does(plain(key), what);
        does(KeyEvent::ctrl(control), what);
    }
    does(plain(KeyCode::PageUp), Does::Older);
    does(plain(KeyCode::PageDown), Does::Newer);
    does(KeyEvent::ctrl('c'), Does::Interrupt);
    does(KeyEvent::ctrl('d'), Does::Leave);
    does(KeyEvent::ctrl('l'), Does::Redraw);
    does(KeyEvent::alt('n'), Does::Next);
    // A line break in a message. A terminal that does not say that something is pasted sends the
    // second one for each line of it.
    editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), Cmd::Newline);
    editor.bind_sequence(KeyEvent::ctrl('j'), Cmd::Newline);
    // There is nothing to search in.
    editor.bind_sequence(KeyEvent::ctrl('r'), Cmd::Noop);
    editor.bind_sequence(KeyEvent::ctrl('s'), Cmd::Noop);
}
