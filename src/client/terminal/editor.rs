//! The line that is being typed: an editor on a thread of its own, the keys that it knows beyond the
//! usual ones, and the way in which others print above it.
//!
//! A line is taken out of the editor by the key that ends it, and the editor goes on, so it is
//! always at work and everything that is printed goes through it, in one order.

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
use super::device::Device;
use super::item::Style;
use super::keys;
use super::known::{Known, Out, Typed, lock, size};
use super::prompt::{PROMPT, TAB, Typing};
use super::recalled::Recalled;
use super::screen::Room;
use crate::client::failure::Failure;

/// The editor, from outside.
pub struct Keyboard {
    known: Arc<Mutex<Known>>,
    printer: mpsc::Sender<String>,
    go_on: mpsc::Sender<()>,
    device: Arc<Device>,
    /// The prompt or the line below is not drawn as it is known.
    is_stale: Cell<bool>,
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
                "TERM={kind}: papo cannot use this terminal ({e}); use papo tail and papo send"
            ))
        };
        let typed: Out = Arc::new(typed);
        let foreign = typed.clone();
        let device = Device::open(move || foreign(Typed::Bytes)).map_err(|e| unfit(&e))?;
        let device = Arc::new(device);
        let known = Known { rows: 2, most: 2, has_room: true, may_leave: true, ..Known::default() };
        let known = Arc::new(Mutex::new(known));
        // What there is of colour is up to the style: without, there would be no prompt either.
        // Widths are added up character by character, which is how the line is shown.
        let config = Config::builder()
            .color_mode(ColorMode::Forced)
            .tab_stop(TAB as u8)
            .grapheme_cluster_mode(GraphemeClusterMode::WcWidth)
            .bell_style(BellStyle::None)
            // For where the device is not in between.
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
            // Whatever ends it, the rest has to know.
            let end = match catch_unwind(AssertUnwindSafe(|| editor.readline(&prompt))) {
                Ok(Ok(_) | Err(ReadlineError::Eof)) => None,
                Ok(Err(_)) if of_device.has_hung_up() => None,
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
        Ok(Keyboard { known, printer, go_on, device, is_stale: Cell::new(false) })
    }

    /// Prints above the line that is being typed. What is empty changes nothing.
    pub fn print(&self, text: String) {
        let Some(text) = text.strip_suffix('\n') else { return };
        self.is_stale.set(false);
        // No line takes two rows, even if the terminal finds it wider than it was reckoned to be.
        // Where the editor has ended, so does everything else.
        let _ = self.printer.send(format!("\x1b[?7l{text}\x1b[?7h\n"));
    }

    /// The process goes on after it was stopped.
    pub fn go_on(&self) {
        let _ = self.go_on.send(());
    }

    /// With whom one talks from now on; empty for nobody.
    pub fn turn_to(&self, with: &str) {
        let mut known = lock(&self.known);
        known.with = with.to_owned();
        known.place = known.typed_here().len();
    }

    /// What the prompt and the line below say. It is seen when something is printed next.
    pub fn say(&self, label: String, activity: Activity) {
        let mut known = lock(&self.known);
        if (&known.label, &known.activity) != (&label, &activity) {
            (known.label, known.activity) = (label, activity);
            self.is_stale.set(true);
        }
    }

    /// Has them seen now, if nothing was printed since.
    pub fn refresh(&self) {
        if self.is_stale.get() {
            // A line end is printed behind it, so it goes up by one first.
            self.print("\x1b[A\n".to_owned());
        }
    }

    /// Asks for a secret, which is not shown, or for none any more.
    pub fn ask_secret(&self, is_asked: bool) {
        lock(&self.known).secret = is_asked.then(String::new);
    }

    /// Tells of the next key, whatever it is.
    pub fn await_key(&self) {
        lock(&self.known).is_awaited = true;
    }

    /// More names that are completed.
    pub fn names(&self, names: impl IntoIterator<Item = String>) {
        lock(&self.known).names.extend(names);
    }

    /// There is nobody of this name.
    pub fn forget_name(&self, name: &str) {
        lock(&self.known).names.remove(name);
    }

    /// Whether a line is being typed, or was and is not looked at yet.
    pub fn is_typing(&self) -> bool {
        let known = lock(&self.known);
        known.is_typing || known.untaken > 0
    }

    /// A line that was typed is looked at.
    pub fn takes_line(&self) {
        lock(&self.known).untaken -= 1;
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

impl Drop for Keyboard {
    fn drop(&mut self) {
        let has_ended = lock(&self.known).has_ended;
        self.device.be_as_found(!has_ended);
    }
}
