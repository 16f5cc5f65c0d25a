//! What the editor's thread and the rest both know, and what the one tells the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::termios::tcgetwinsize;

use super::activity::Activity;
use super::screen::Size;

/// What somebody does at the keyboard.
pub enum Typed {
    /// Ends a line; it may be empty.
    Line(String),
    /// Ends a secret that was asked for; it may be empty.
    Secret(String),
    /// Types bytes that are no UTF-8.
    Bytes,
    /// Presses the key that was waited for.
    Here,
    /// Scrolls back.
    Older,
    /// Scrolls forth.
    Newer,
    /// Turns to the next conversation in which something is unread.
    Next,
    /// Wanted to, with a line that is not sent.
    Busy,
    /// Wants to leave, which is not done yet.
    Leave,
    /// Ctrl-C with nothing typed.
    Interrupt,
    /// Wants to see everything anew.
    Redraw,
    /// Waits for names that begin like this.
    Names(String, mpsc::Sender<Vec<String>>),
    /// Begins a word that can go on in these ways.
    Ways(Vec<String>),
    /// The editor has ended; with a reason, where nobody asked for that.
    End(Option<String>),
}

/// Where what is typed goes.
pub type Out = Arc<dyn Fn(Typed) + Send + Sync>;

/// What the editor and the rest both know.
#[derive(Default)]
pub struct Known {
    /// The conversation that is turned to; empty where there is none.
    pub with: String,
    /// What the prompt says.
    pub label: String,
    /// What the line below says.
    pub activity: Activity,
    /// Whose names are completed.
    pub names: BTreeSet<String>,
    /// What was typed before, by conversation, and where in it the arrow keys are.
    pub lines: BTreeMap<String, Vec<String>>,
    pub place: usize,
    /// What was being typed before they were used.
    pub draft: String,
    /// What the editor is to show instead of its line.
    pub recalled: Option<String>,
    /// What was typed of the secret that is asked for. The editor, which could bring it back, never
    /// sees it.
    pub secret: Option<String>,
    /// Rows that the line takes that is being typed, with the one below it, and the most that it has
    /// taken.
    pub rows: usize,
    pub most: usize,
    /// They are not more than the terminal has.
    pub has_room: bool,
    /// Something stands in the line that is being typed.
    pub is_typing: bool,
    /// The next key is told, whatever it is.
    pub is_awaited: bool,
    /// Nothing is lost by leaving, but for the lines that were typed and not looked at yet.
    pub may_leave: bool,
    pub untaken: usize,
    /// The editor has ended, and the cursor stands below its line.
    pub has_ended: bool,
}

impl Known {
    /// Nothing is lost by leaving now.
    pub fn may_leave(&self) -> bool {
        self.may_leave && self.untaken == 0
    }

    /// What was typed in the conversation that is turned to.
    pub fn typed_here(&self) -> &[String] {
        self.lines.get(&self.with).map_or(&[], Vec::as_slice)
    }
}

/// Locks it. Nobody leaves it in a state that could not be gone on with.
pub fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Columns of the line below what is typed.
pub fn line_below() -> usize {
    size().columns.saturating_sub(1)
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
