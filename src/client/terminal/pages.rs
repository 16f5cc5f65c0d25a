//! Pages of a conversation: which lines of which items have room on a screen together.
//!
//! A page begins and ends between two lines, wherever that is, so that a message that is taller than
//! the screen is scrolled through like any other. Above its first item that is of a day stands a line
//! for that day, and above each one that is of another day than the one before.

use jiff::civil::Date;

use super::columns::ScreenLine;
use super::item::{ScreenItem, Style};

/// A place between two lines: before this line of this item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineRef {
    /// The item.
    pub item: usize,
    /// Its line, which is there.
    pub line: usize,
}

impl LineRef {
    /// Before an item.
    pub fn before(item: usize) -> LineRef {
        LineRef { item, line: 0 }
    }
}

/// What a page is made of.
pub struct Pages<'a> {
    /// All items.
    pub items: &'a [ScreenItem],
    /// Rows of a page, 1 or more, that has a remark below it; the last one has none.
    pub room: usize,
    /// Columns of a line at most.
    pub width: usize,
    /// Columns of the terminal.
    pub columns: usize,
    /// How it looks.
    pub style: Style,
}

impl Pages<'_> {
    /// Where the page begins that ends here. It has at least one line, if there is one.
    pub fn begin(&self, end: LineRef) -> LineRef {
        let is_last = end.item >= self.items.len();
        let (mut begin, mut room) = (end, self.room + usize::from(is_last));
        let mut day: Option<Date> = None;
        loop {
            let (n, upto) = match begin {
                LineRef { item, line } if line > 0 => (item, line),
                LineRef { item: 0, .. } => return begin,
                LineRef { item, .. } => (item - 1, usize::MAX),
            };
            let lines = self.lines(n);
            let mut line = upto.min(lines.len());
            // The line for a day that is there already moves up.
            let its = self.items[n].day();
            room = room.saturating_sub(usize::from(its.is_some() && its != day));
            while line > 0 {
                let rows = lines[line - 1].rows(self.columns);
                if rows > room && begin != end {
                    return begin;
                }
                (line, room) = (line - 1, room.saturating_sub(rows));
                begin = LineRef { item: n, line };
            }
            day = its.or(day);
        }
    }

    /// Where the page ends that begins here. It has at least one line, if there is one.
    pub fn end(&self, begin: LineRef) -> LineRef {
        let (mut end, mut room) = (begin, self.room);
        let mut day: Option<Date> = None;
        while let Some(item) = self.items.get(end.item) {
            let its = item.day();
            room = room.saturating_sub(usize::from(its.is_some() && its != day));
            let lines = self.lines(end.item);
            for line in &lines[end.line.min(lines.len())..] {
                let rows = line.rows(self.columns);
                if rows > room && end != begin {
                    return end;
                }
                room = room.saturating_sub(rows);
                end.line += 1;
            }
            end = LineRef::before(end.item + 1);
            day = its.or(day);
        }
        end
    }

    /// One line further; at the end, the end.
    pub fn next(&self, at: LineRef) -> LineRef {
        match self.items.get(at.item) {
            None => at,
            Some(_) if at.line + 1 < self.lines(at.item).len() => {
                LineRef { line: at.line + 1, ..at }
            }
            Some(_) => LineRef::before(at.item + 1),
        }
    }

    /// One line back; at the beginning, the beginning.
    pub fn last(&self, at: LineRef) -> LineRef {
        match at {
            LineRef { item, line } if line > 0 => LineRef { item, line: line - 1 },
            LineRef { item: 0, .. } => at,
            LineRef { item, .. } => {
                LineRef { item: item - 1, line: self.lines(item - 1).len().saturating_sub(1) }
            }
        }
    }

    /// The lines of an item.
    pub fn lines(&self, n: usize) -> Vec<ScreenLine> {
        self.items[n].lines(self.width, self.style)
    }
}
