//! Pages of a conversation: which lines of which items fit on a screen together.
//!
//! A page may begin and end between any two lines, so that a message taller than the screen is
//! scrolled through like any other. A line with the day is above the first dated item, and above
//! each item of another day than the one before.

use jiff::civil::Date;

use super::columns::ScreenLine;
use super::item::ScreenItem;
use super::style::Style;

/// A place between two lines: before this line of this item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineRef {
    pub item: usize,
    pub line: usize,
}

impl LineRef {
    /// Before the first line of an item.
    pub fn before(item: usize) -> LineRef {
        LineRef { item, line: 0 }
    }
}

/// A conversation to be cut into pages.
pub struct Pages<'a> {
    pub items: &'a [ScreenItem],
    /// Rows of a page with the note below it, 1 or more; the last page has one more, and no note.
    pub room: usize,
    /// Most columns of a line.
    pub width: usize,
    /// Columns of the terminal.
    pub columns: usize,
    pub style: Style,
}

impl Pages<'_> {
    /// Where the page that ends at `end` begins. It has at least one line, if there is one.
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
            // The line for the same day moves up.
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

    /// Where the page that begins at `begin` ends. It has at least one line, if there is one.
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
