//! The screen of one conversation: what is printed above the line being typed, and what to print to
//! change it.
//!
//! One thread prints everything, where the line being typed begins. So the number of rows from
//! there to each message is known, and a message still on the screen is changed in place (see
//! `repaint`). When the terminal's size changes that number is lost, and the screen is redrawn.
//! Nothing here prints: methods return the text to print.

use std::ops::Range;

use jiff::civil::Date;

use super::columns::{ScreenLine, cut};
use super::item::{self, ScreenItem};
use super::pages::{LineRef, Pages};
use super::picture::abilities::Abilities;
use super::picture::{Canvas, CellSize, PlacedPictures};
use super::said::Said;
use super::style::{INDENT, Style, Tick};

/// Items kept. Older ones are loaded again when somebody scrolls back to them.
const KEPT: usize = 3_000;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The rows of a printed item, counted since the screen was cleared.
#[derive(Clone, Copy, Debug)]
pub(super) struct PrintedRows {
    /// The first of them.
    pub top: usize,
    /// The one with its time and ticks; `None` if that is not printed.
    pub head: Option<usize>,
    /// The one after the last.
    pub end: usize,
}

/// The state of the screen.
pub struct Screen {
    title: String,
    pub(super) items: Vec<ScreenItem>,
    /// The server has older items.
    has_older: bool,
    /// The first printed line since the screen was cleared.
    pub(super) begin: LineRef,
    /// The end of the printed lines.
    pub(super) end: LineRef,
    /// Messages below `end` that came since.
    pub(super) below: usize,
    /// Where each printed item is.
    pub(super) printed: Vec<PrintedRows>,
    /// Rows printed since the screen was cleared.
    pub(super) height: usize,
    /// The day of the last printed item.
    pub(super) day: Option<Date>,
    pub(super) size: Size,
    /// Rows of the line being typed.
    typed: usize,
    /// Rows at the bottom without items: those of that line, and those it took before that were not
    /// printed over since.
    pub(super) bottom: usize,
    pub(super) style: Style,
    /// What the terminal says that it can do.
    abilities: Abilities,
    pub(super) pictures: PlacedPictures,
}

impl Screen {
    pub fn new(room: Room, style: Style) -> Screen {
        Screen {
            title: String::new(),
            items: Vec::new(),
            has_older: false,
            begin: LineRef::default(),
            end: LineRef::default(),
            below: 0,
            printed: Vec::new(),
            height: 0,
            day: None,
            size: room.size,
            typed: room.typed,
            bottom: room.most,
            style,
            abilities: Abilities::default(),
            pictures: PlacedPictures::default(),
        }
    }

    /// The terminal can do this, so pictures may be drawn from now on.
    pub fn may_draw(&mut self, abilities: Abilities, room: Room) -> String {
        self.abilities = abilities;
        if self.meet(room) { String::new() } else { self.draw(self.end) }
    }

    /// Shows another conversation.
    pub fn turn_to(
        &mut self,
        title: &str,
        items: Vec<ScreenItem>,
        has_older: bool,
        room: Room,
    ) -> String {
        self.meet(room);
        (self.title, self.items, self.has_older) = (title.to_owned(), items, has_older);
        self.quote_all();
        self.draw(self.all())
    }

    /// Whether the newest item is on the screen, so that added ones are printed.
    pub fn is_at_end(&self) -> bool {
        self.end >= self.all()
    }

    /// Ids of the user's messages not known to be read by everyone, ascending.
    pub fn unread(&self) -> Vec<u64> {
        let said = self.items.iter().filter_map(own).filter(|said| said.tick < Tick::Read);
        let mut ids: Vec<u64> = said.filter_map(|said| said.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether the last item is this remark.
    pub fn ends_with(&self, remark: &str) -> bool {
        match self.items.last() {
            Some(ScreenItem::Remark(last)) => last == remark,
            Some(ScreenItem::About(last)) => last.text == remark,
            _ => false,
        }
    }

    /// The id of the first item that has one.
    pub fn oldest(&self) -> Option<u64> {
        self.items.iter().find_map(ScreenItem::id)
    }

    /// The newest entry that is to be read.
    pub fn newest_to_read(&self) -> Option<u64> {
        let is_to_read =
            |item: &&ScreenItem| matches!(item, ScreenItem::Said(said) if said.is_to_read());
        self.items.iter().filter(is_to_read).filter_map(ScreenItem::id).max()
    }

    /// The message with this id.
    pub fn said(&self, id: u64) -> Option<&Said> {
        self.said_newest_first().find(|said| said.id == Some(id))
    }

    /// The newest message that fits; it may not have an id yet.
    pub fn newest(&self, fits: fn(&Said) -> bool) -> Option<&Said> {
        self.said_newest_first().find(|said| fits(said) && said.tick != Tick::Refused)
    }

    /// Whether a message fits.
    pub fn has_any(&self, fits: fn(&Said) -> bool) -> bool {
        self.newest(fits).is_some()
    }

    /// The newest message with a piece of text in it, in any letter case: one that fits, or if there
    /// is none any.
    pub fn find(&self, piece: &str, fits: fn(&Said) -> bool) -> Option<u64> {
        let piece = piece.to_lowercase();
        let has_it = |said: &&Said| {
            said.is_message() && said.id.is_some() && said.body.to_lowercase().contains(&piece)
        };
        let found = || self.said_newest_first().filter(has_it);
        found().find(|said| fits(said)).or(found().next())?.id
    }

    /// The lowest file with this in its name, in any letter case, be it in the conversation or found by
    /// a search.
    pub fn find_file(&self, piece: &str) -> Option<u64> {
        let piece = piece.to_lowercase();
        self.items.iter().rev().find_map(|item| {
            let (id, name) = match item {
                ScreenItem::Said(said) if said.file.is_some() => (said.id?, &said.body),
                ScreenItem::Found(found) if found.file.is_some() => {
                    (found.id, found.text.as_ref()?)
                }
                _ => return None,
            };
            name.to_lowercase().contains(&piece).then_some(id)
        })
    }

    fn said_newest_first(&self) -> impl Iterator<Item = &Said> {
        self.items.iter().rev().filter_map(|item| match item {
            ScreenItem::Said(said) => Some(&**said),
            _ => None,
        })
    }

    /// The user's newest message.
    pub fn newest_own(&self) -> Option<u64> {
        self.items.iter().filter_map(own).filter_map(|said| said.id).max()
    }

    /// The highest id that came as an event or a row. Messages sent from here are confirmed over
    /// another connection, which says nothing about entries before them.
    pub fn newest_heard(&self) -> Option<u64> {
        let heard =
            |item: &&ScreenItem| !matches!(item, ScreenItem::Said(said) if said.key.is_some());
        self.items.iter().filter(heard).filter_map(ScreenItem::id).max()
    }

    /// Whether the entry with this id is among the items.
    pub fn has(&self, id: u64) -> bool {
        self.items.iter().rev().any(|item| item.id() == Some(id))
    }

    /// Whether an entry with a higher id is among the items.
    pub fn has_later(&self, id: u64) -> bool {
        self.items.iter().any(|item| item.id() > Some(id))
    }

    /// Items newer than an id, and those without one.
    pub fn later_than(&self, last: u64) -> Vec<ScreenItem> {
        let is_later = |item: &&ScreenItem| item.id().is_none_or(|id| id > last);
        self.items.iter().filter(is_later).cloned().collect()
    }

    /// Adds items that are not there yet, each before the first with a higher id, and redraws the
    /// newest.
    pub fn merge(&mut self, items: Vec<ScreenItem>, room: Room) -> String {
        for item in items {
            let higher = |other: &ScreenItem| other.id() > item.id();
            if !item.id().is_some_and(|id| self.has(id)) {
                let at = self.items.iter().position(higher).unwrap_or(self.items.len());
                self.items.insert(at, item);
            }
        }
        self.quote_all();
        self.draw_newest(room)
    }

    /// Adds an item at the end.
    pub fn add(&mut self, item: ScreenItem, room: Room) -> String {
        let (at_end, is_as_before) = (self.is_at_end(), self.meet(room));
        let is_said = matches!(item, ScreenItem::Said(_));
        self.items.push(item);
        self.quote_from(self.items.len() - 1);
        // More are kept while somebody scrolls back.
        if self.items.len() > if at_end { KEPT } else { 2 * KEPT } {
            let gone = self.items.len() - KEPT * 2 / 3;
            self.items.drain(..gone);
            self.has_older = true;
            return self.draw(self.all());
        }
        if !at_end {
            self.below += usize::from(is_said);
            return if is_said && is_as_before { self.note_again() } else { String::new() };
        }
        if is_as_before {
            self.print(self.items.len() - 1, 0..usize::MAX)
        } else {
            self.draw(self.all())
        }
    }

    /// Updates what is known of the terminal. Returns whether its size is unchanged.
    pub(super) fn meet(&mut self, room: Room) -> bool {
        let canvas = self.canvas(room);
        let is_as_before = self.size == room.size && self.style.canvas == canvas;
        self.style.canvas = canvas;
        if self.size.columns != room.size.columns && self.end.line > 0 {
            // It breaks into other lines now.
            self.end = LineRef::before(self.end.item + 1);
        }
        (self.size, self.typed) = (room.size, room.typed);
        self.bottom = self.bottom.max(room.most);
        is_as_before
    }

    fn canvas(&self, room: Room) -> Option<Canvas> {
        let (protocol, size) = (self.abilities.protocol()?, room.size);
        let columns = size.columns.saturating_sub(1 + INDENT);
        Some(Canvas::new(protocol, room.cell.or(self.abilities.cell), columns, size.rows))
    }

    /// Scrolls back by a page. `None` if older items have to be loaded first.
    pub fn older(&mut self, room: Room) -> Option<String> {
        self.meet(room);
        let pages = self.pages();
        // What was printed since the screen was drawn has pushed the first lines off it.
        let begin = pages.begin(self.end);
        // Pages overlap by one line.
        let kept = pages.next(begin);
        let end = if self.end > kept { kept } else { begin };
        if self.has_older && pages.begin(end) == LineRef::default() {
            return None;
        }
        let first = pages.end(LineRef::default());
        Some(self.draw(end.max(first)))
    }

    /// Adds older items; `has_older` says whether the server has more.
    pub fn load(&mut self, older: Vec<ScreenItem>, has_older: bool) {
        let n = older.len();
        self.items.splice(0..0, older);
        self.quote_all();
        (self.begin.item, self.end.item) = (self.begin.item + n, self.end.item + n);
        self.has_older = has_older;
    }

    /// Scrolls forward by a page.
    pub fn newer(&mut self, room: Room) -> String {
        self.meet(room);
        let pages = self.pages();
        let end = pages.end(pages.last(self.end)).max(pages.next(self.end));
        self.draw(end)
    }

    /// Redraws the newest items.
    pub fn draw_newest(&mut self, room: Room) -> String {
        self.meet(room);
        self.draw(self.all())
    }

    /// Redraws what is shown.
    pub fn again(&mut self, room: Room) -> String {
        self.meet(room);
        self.draw(self.end)
    }

    /// Below the last item.
    fn all(&self) -> LineRef {
        LineRef::before(self.items.len())
    }

    /// Pages leave rows for the title, the note, the input and the line below it.
    fn pages(&self) -> Pages<'_> {
        Pages {
            items: &self.items,
            room: self.size.rows.saturating_sub(2 + self.typed).max(1),
            width: self.width(),
            columns: self.size.columns,
            style: self.style,
        }
    }

    /// Most columns of a line: some terminals break it when the last one is written.
    fn width(&self) -> usize {
        self.size.columns.saturating_sub(1).max(20)
    }

    /// Prints lines of an item below the last ones, under a line for its day if that is another.
    pub(super) fn print(&mut self, n: usize, lines: Range<usize>) -> String {
        let all = self.pages().lines(n);
        let end = lines.end.min(all.len());
        let mut printed = Vec::new();
        if let Some(day) = self.items[n].day().filter(|day| self.day != Some(*day)) {
            self.day = Some(day);
            let rule = format!("── {} ──", item::day(day, jiff::Zoned::now().date()));
            printed.push(ScreenLine::new(self.style.faint(&rule)));
        }
        let top = self.height + printed.len();
        let above = self.items[n].above();
        let is_whole = lines.start <= above && end > above;
        let head = is_whole.then(|| top + above - lines.start);
        self.end =
            if end < all.len() { LineRef { item: n, line: end } } else { LineRef::before(n + 1) };
        printed.extend(all.into_iter().take(end).skip(lines.start));
        let (before, mut text) = (self.height, String::new());
        for line in &printed {
            match (&line.picture, &self.style.canvas) {
                (Some((picture, area)), Some(canvas)) => {
                    let drawn = self.pictures.draw(self.height, INDENT, (picture, *area), canvas);
                    text.push_str(&drawn);
                }
                _ => text.push_str(&line.text),
            }
            text.push('\n');
            self.height += line.rows(self.size.columns);
        }
        let rows = self.height - before;
        self.printed.push(PrintedRows { top, head, end: self.height });
        self.bottom = self.bottom.saturating_sub(rows).max(self.typed);
        text
    }

    /// Clears the screen and draws as many lines before `end` as fit.
    pub(super) fn draw(&mut self, end: LineRef) -> String {
        let begin = self.pages().begin(end);
        (self.begin, self.end, self.day, self.height) = (begin, begin, None, 0);
        self.bottom = self.typed;
        self.printed.clear();
        let mut out = format!("\x1b[H\x1b[2J{}", self.pictures.clear());
        if !self.title.is_empty() {
            let width = self.width();
            out.push_str(&self.style.bold(&item::rule(&self.title, width)));
            out.push('\n');
            self.height += 1;
        }
        while self.end < end {
            let LineRef { item, line } = self.end;
            let upto = if item == end.item { end.line } else { usize::MAX };
            out.push_str(&self.print(item, line..upto));
        }
        if self.is_at_end() {
            self.below = 0;
        } else {
            out.push_str(&self.note());
            self.height += 1;
        }
        out
    }

    /// The line below a page that is not the last one.
    fn note(&self) -> String {
        let new = match self.below {
            0 => String::new(),
            n => format!("{n} new below; "),
        };
        let note = format!("── {new}PageDown goes on, Enter goes to the end ──");
        self.style.faint(&cut(&note, self.width())) + "\n"
    }

    /// Overwrites that line.
    fn note_again(&self) -> String {
        if self.bottom >= self.size.rows {
            return String::new();
        }
        format!("\x1b[A\r\x1b[2K{}", self.note())
    }
}

/// The terminal at the time of a change.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub size: Size,
    /// Rows of the line being typed, with its prompt and the line below it; 2 or more.
    pub typed: usize,
    /// The most rows it took since the last change.
    pub most: usize,
    /// The size of a cell, if the system knows it.
    pub cell: Option<CellSize>,
}

/// A message of the user's.
pub(super) fn own(item: &ScreenItem) -> Option<&Said> {
    match item {
        ScreenItem::Said(said) if said.from.is_none() && !said.is_change => Some(said),
        _ => None,
    }
}
