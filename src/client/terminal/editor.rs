//! The line being typed: an editor on a thread of its own, and printing above its line.
//!
//! The key that ends a line takes it out of the editor, which goes on running, so everything
//! printed goes through it, in one order.

use std::cell::Cell;
use std::env;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::{ColorMode, Config, Editor, ExternalPrinter, GraphemeClusterMode};

use super::activity::Activity;
use super::device::TerminalDevice;
use super::keys;
use super::known::{Known, Out, Typed, cell, lock, size};
use super::prompt::{PROMPT, TAB, Typing};
use super::recalled::Recalled;
use super::screen::Room;
use super::style::Style;
use crate::client::failure::Failure;

/// A handle to the editor.
pub struct Keyboard {
    known: Arc<Mutex<Known>>,
    printer: mpsc::Sender<String>,
    go_on: mpsc::Sender<()>,
    device: Arc<TerminalDevice>,
    /// The prompt or the line below has changed and is not redrawn yet.
    is_stale: Cell<bool>,
}

impl Keyboard {
    /// Starts the editor. Input goes to `typed`, on another thread, and so do the terminal's answers
    /// to `questions`.
    ///
    /// # Errors
    /// `Usage` if the editor cannot work on this terminal.
    pub fn open(
        style: Style,
        questions: Option<String>,
        typed: impl Fn(Typed) + Clone + Send + Sync + 'static,
    ) -> Result<Keyboard, Failure> {
        let unfit = |e: &dyn Display| {
            let kind = env::var("TERM").unwrap_or_default();
            Failure::Usage(format!(
                "TERM={kind}: papo cannot use this terminal ({e}); use papo tail and papo send"
            ))
        };
        let typed: Out = Arc::new(typed);
        let (foreign, answered) = (typed.clone(), typed.clone());
        let foreign = move || foreign(Typed::Bytes);
        let answered = move |abilities| answered(Typed::Answered(abilities));
        let device = TerminalDevice::open(questions, foreign, answered).map_err(|e| unfit(&e))?;
        let device = Arc::new(device);
        let known = Known { rows: 2, most: 2, has_room: true, may_leave: true, ..Known::default() };
        let known = Arc::new(Mutex::new(known));
        // Forced, or the prompt would not be drawn; the style decides about colour. Widths are
        // summed character by character, as the line is laid out.
        let config = Config::builder()
            .color_mode(ColorMode::Forced)
            .tab_stop(TAB as u8)
            .grapheme_cluster_mode(GraphemeClusterMode::WcWidth)
            .bell_style(BellStyle::None)
            // For an editor that reads from the terminal itself.
            .keyseq_timeout(Some(50))
            .build();
        let recalled = Recalled(known.clone());
        let mut editor =
            Editor::<Typing, Recalled>::with_history(config, recalled).map_err(|e| unfit(&e))?;
        let mut above =
            editor.create_external_printer().map_err(|_| unfit(&"it cannot move its cursor"))?;
        let (ready, is_ready) = mpsc::channel();
        let typing = Typing { known: known.clone(), ready, typed: typed.clone(), style };
        let (go_on, goes_on) = mpsc::channel();
        keys::bind(&mut editor, &known, &device, &typed, goes_on);
        editor.set_helper(Some(typing));
        let (of_editor, of_device) = (known.clone(), device.clone());
        thread::spawn(move || {
            let prompt = " ".repeat(PROMPT);
            // Report every end, even a panic.
            let end = match catch_unwind(AssertUnwindSafe(|| editor.readline(&prompt))) {
                Ok(Ok(_) | Err(ReadlineError::Eof)) => None,
                Ok(Err(_)) if of_device.has_hung_up() => None,
                Ok(Err(e)) => Some(e.to_string()),
                Err(_) => Some("the editor panicked, which is a bug in papo".to_owned()),
            };
            lock(&of_editor).has_ended = true;
            typed(Typed::End(end));
        });
        let (printer, to_print) = mpsc::channel::<String>();
        thread::spawn(move || {
            // The editor's first line would be drawn over anything printed before.
            let _ = is_ready.recv();
            while let Ok(text) = to_print.recv() {
                if above.print(text).is_err() {
                    break;
                }
            }
        });
        Ok(Keyboard { known, printer, go_on, device, is_stale: Cell::new(false) })
    }

    /// Prints above the line being typed. An empty text changes nothing.
    pub fn print(&self, text: String) {
        let Some(text) = text.strip_suffix('\n') else { return };
        self.is_stale.set(false);
        // Without autowrap no line takes two rows, even if the terminal finds it wider than
        // expected. If the editor has ended, everything else is about to.
        let _ = self.printer.send(format!("\x1b[?7l{text}\x1b[?7h\n"));
    }

    /// The process continues after it was stopped.
    pub fn go_on(&self) {
        let _ = self.go_on.send(());
    }

    /// Sets the current conversation; empty for none.
    pub fn turn_to(&self, with: &str) {
        let mut known = lock(&self.known);
        known.with = with.to_owned();
        known.place = known.typed_here().len();
    }

    /// Sets the prompt and the line below, which are drawn with the next print.
    pub fn say(&self, label: String, activity: Activity) {
        let mut known = lock(&self.known);
        if (&known.label, &known.activity) != (&label, &activity) {
            (known.label, known.activity) = (label, activity);
            self.is_stale.set(true);
        }
    }

    /// Draws them now, if nothing was printed since.
    pub fn refresh(&self) {
        if self.is_stale.get() {
            // Printing adds a line end, so go up by one first.
            self.print("\x1b[A\n".to_owned());
        }
    }

    /// Starts or stops reading a secret, without echo.
    pub fn ask_secret(&self, is_asked: bool) {
        lock(&self.known).secret = is_asked.then(String::new);
    }

    /// Reports the next key, whatever it is.
    pub fn await_key(&self) {
        lock(&self.known).is_awaited = true;
    }

    /// Adds names to complete.
    pub fn names(&self, names: impl IntoIterator<Item = String>) {
        lock(&self.known).names.extend(names);
    }

    /// Forgets a name.
    pub fn forget_name(&self, name: &str) {
        lock(&self.known).names.remove(name);
    }

    /// Whether a line is being typed, or was and is not handled yet.
    pub fn is_typing(&self) -> bool {
        let known = lock(&self.known);
        known.is_typing || known.untaken > 0
    }

    /// A line is being handled.
    pub fn takes_line(&self) {
        lock(&self.known).untaken -= 1;
    }

    /// Sets whether the user may leave without a warning.
    pub fn may_leave(&self, may: bool) {
        lock(&self.known).may_leave = may;
    }

    /// How much room there is. Pass it to the screen, which has to know of each change.
    pub fn room(&self) -> Room {
        let mut known = lock(&self.known);
        let (typed, most) = (known.rows, known.most);
        known.most = typed;
        Room { size: size(), typed, most, cell: cell() }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let has_ended = lock(&self.known).has_ended;
        self.device.await_answers();
        self.device.be_as_found(!has_ended);
    }
}
