//! The line that is being typed: an editor on a thread of its own, the keys that it knows beyond the
//! usual ones, and the way in which others print above it.
//!
//! A line is taken out of the editor by the key that ends it, and the editor goes on, so it is
//! always at work and everything that is printed goes through it, in one order.

use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::{ColorMode, Config, Editor, ExternalPrinter};

use super::item::Style;
use super::keys;
use super::known::{Known, Out, Typed, lock, size};
use super::prompt::{Line, PROMPT};
use super::recalled::Recalled;
use super::screen::Room;
use crate::client::failure::Failure;

/// The editor, from outside.
pub struct Keyboard {
    known: Arc<Mutex<Known>>,
    printer: mpsc::Sender<String>,
    go_on: mpsc::Sender<()>,
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
        let unfit = |e: &dyn Display| {
            let kind = env::var("TERM").unwrap_or_default();
            Failure::Usage(format!(
                "TERM={kind} is no terminal to talk on ({e}); papo tail and papo send need none"
            ))
        };
        let known =
            Arc::new(Mutex::new(Known { rows: 1, most: 1, may_leave: true, ..Known::default() }));
        let terminal = Terminal::now(known.clone()).map_err(|e| unfit(&e))?;
        // What there is of colour is up to the style: without, there would be no prompt either.
        let config = Config::builder().color_mode(ColorMode::Forced).tab_stop(4).build();
        let recalled = Recalled(known.clone());
        let mut editor =
            Editor::<Line, Recalled>::with_history(config, recalled).map_err(|e| unfit(&e))?;
        let mut above = editor
            .create_external_printer()
            .map_err(|_| unfit(&"the cursor cannot be moved on it"))?;
        let (ready, is_ready) = mpsc::channel();
        let typed: Out = Arc::new(typed);
        let line = Line { known: known.clone(), ready, style };
        let (go_on, goes_on) = mpsc::channel();
        keys::bind(&mut editor, &known, &typed, goes_on);
        editor.set_helper(Some(line));
        let of_editor = known.clone();
        thread::spawn(move || {
            let prompt = " ".repeat(PROMPT);
            // Whatever ends it, the rest has to know.
            let end = match catch_unwind(AssertUnwindSafe(|| editor.readline(&prompt))) {
                Ok(Ok(_) | Err(ReadlineError::Eof)) => None,
                Ok(Err(e)) => Some(e.to_string()),
                Err(_) => Some("the editor has failed, which is a fault of papo".to_owned()),
            };
            lock(&of_editor).has_ended = true;
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
        Ok(Keyboard { known, printer, go_on, _terminal: terminal })
    }

    /// Prints above the line that is being typed. What is empty changes nothing.
    pub fn print(&self, text: String) {
        let Some(text) = text.strip_suffix('\n') else { return };
        // No line takes two rows, even if the terminal finds it wider than it was reckoned to be.
        // Where the editor has ended, so does everything else.
        let _ = self.printer.send(format!("\x1b[?7l{text}\x1b[?7h\n"));
    }

    /// The process goes on after it was stopped.
    pub fn go_on(&self) {
        let _ = self.go_on.send(());
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

    /// How much room there is; to be told to the screen, which has to know of each change.
    pub fn room(&self) -> Room {
        let mut known = lock(&self.known);
        let (typed, most) = (known.rows, known.most);
        known.most = typed;
        Room { size: size(), typed, most }
    }
}

/// The terminal as it was found, and as it is left, whatever happens.
struct Terminal(Arc<Mutex<Known>>);

impl Terminal {
    fn now(known: Arc<Mutex<Known>>) -> rustix::io::Result<Terminal> {
        lock(&known).found = Some(tcgetattr(io::stdin())?);
        Ok(Terminal(known))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let known = lock(&self.0);
        if let Some(found) = &known.found {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, found);
        }
        // A paste is nothing special any more. What is said next stands on a line of its own.
        let line_end = if known.has_ended { "" } else { "\r\n" };
        let _ = write!(io::stdout(), "\x1b[?2004l{line_end}");
        let _ = io::stdout().flush();
    }
}
