//! How things look: colours, and the ticks beside the user's messages.

use super::picture::Canvas;

/// The column of the ticks, and their width.
pub const TICKS: (usize, usize) = (6, 4);

/// The columns of time and ticks, by which later lines are indented.
pub const INDENT: usize = 11;

/// How far a message of the user's has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tick {
    /// The server refused it.
    Refused,
    /// It has not been confirmed.
    Waiting,
    /// The server has it on disk.
    Sent,
    /// Everyone has received it.
    Delivered,
    /// Everyone has read it.
    Read,
}

impl Tick {
    /// The sign shown beside a message.
    pub fn sign(self) -> &'static str {
        match self {
            Tick::Refused => "✗",
            Tick::Waiting => "…",
            Tick::Sent => "✓",
            Tick::Delivered => "✓✓",
            Tick::Read => "read",
        }
    }

    /// The sign in colour, padded to its full width.
    pub fn padded(self, style: Style) -> String {
        let sign = format!("{:<width$}", self.sign(), width = TICKS.1);
        match self {
            Tick::Refused => style.red(&sign),
            Tick::Read => style.cyan(&sign),
            _ => style.faint(&sign),
        }
    }
}

/// Whether to use colour, and pictures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// False if the user has set `NO_COLOR` (no-color.org).
    pub colour: bool,
    /// What pictures are drawn on, if the terminal can.
    pub canvas: Option<Canvas>,
}

impl Style {
    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For what is less important.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// For names.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// For success.
    pub fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    /// For failure.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }
}
