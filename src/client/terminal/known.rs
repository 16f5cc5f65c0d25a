//! What the editor's thread and the rest share, and the input that it passes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::termios::tcgetwinsize;

use super::activity::Activity;
use super::picture::CellSize;
use super::picture::abilities::Abilities;
use super::screen::Size;

/// Input from the keyboard.
pub enum Typed {
    /// A line, perhaps empty.
    Line(String),
    /// A secret that was asked for, perhaps empty.
    Secret(String),
    /// Bytes that are not UTF-8.
    Bytes,
    /// The key that was waited for.
    Here,
    Older,
    Newer,
    /// Switch to the next unread conversation.
    Next,
    /// The same, while a line is being typed.
    Busy,
    /// Number the messages on the screen, or take the numbers away.
    Numbers,
    /// React to the message of this number.
    React(usize),
    /// Answer a message: send what to put in front of the line here.
    Answer(mpsc::Sender<String>),
    /// Change the last message: send the line for that here.
    Edit(mpsc::Sender<String>),
    /// The line was cleared.
    Cleared,
    /// Leave, although messages are unsent.
    Leave,
    /// Ctrl-C with nothing typed.
    Interrupt,
    Redraw,
    /// Find names with this prefix, and send them here.
    Names(String, mpsc::Sender<Vec<String>>),
    /// Possible completions of a word.
    Ways(Vec<String>),
    /// The terminal has said what it can do.
    Answered(Abilities),
    /// The editor has ended; with the reason if that was not asked for.
    End(Option<String>),
}

/// Receives the input.
pub type Out = Arc<dyn Fn(Typed) + Send + Sync>;

/// State shared by the editor and the rest.
#[derive(Default)]
pub struct Known {
    /// The current conversation; empty if none.
    pub with: String,
    /// The name in the prompt.
    pub label: String,
    /// The line below.
    pub activity: Activity,
    /// Names to complete.
    pub names: BTreeSet<String>,
    /// Lines typed before, by conversation, and the arrow keys' place among them.
    pub lines: BTreeMap<String, Vec<String>>,
    pub place: usize,
    /// The unfinished line from before the arrow keys were used.
    pub draft: String,
    /// The line that the editor shows next.
    pub recalled: Option<String>,
    /// The secret typed so far, while one is asked for. The editor never sees it, since it could
    /// bring it back.
    pub secret: Option<String>,
    /// Rows of the line being typed with the one below it, and their recent maximum.
    pub rows: usize,
    pub most: usize,
    /// They fit on the terminal.
    pub has_room: bool,
    /// The line being typed is not empty.
    pub is_typing: bool,
    /// Report the next key, whatever it is.
    pub is_awaited: bool,
    /// No message is unsent, except in the `untaken` lines that were not handled yet.
    pub may_leave: bool,
    pub untaken: usize,
    /// The editor has ended, and the cursor is below its line.
    pub has_ended: bool,
}

impl Known {
    /// Whether nothing is lost by leaving now.
    pub fn may_leave(&self) -> bool {
        self.may_leave && self.untaken == 0
    }

    /// Lines typed before in the current conversation.
    pub fn typed_here(&self) -> &[String] {
        self.lines.get(&self.with).map_or(&[], Vec::as_slice)
    }
}

/// Locks it, even after a panic: no code leaves it inconsistent.
pub fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Columns of the line below the input.
pub fn line_below() -> usize {
    size().columns.saturating_sub(1)
}

/// The size of the terminal; 80 by 24 if unknown.
pub fn size() -> Size {
    let found = tcgetwinsize(std::io::stdout()).ok();
    let found = found.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    found.map_or(Size { columns: 80, rows: 24 }, |size| Size {
        columns: size.ws_col.into(),
        rows: size.ws_row.into(),
    })
}

/// The size of a cell, if the system knows the terminal's in pixels.
pub fn cell() -> Option<CellSize> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    let width = size.ws_xpixel.checked_div(size.ws_col)?;
    let height = size.ws_ypixel.checked_div(size.ws_row)?;
    CellSize::new(width.into(), height.into())
}
