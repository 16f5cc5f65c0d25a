//! The screen of one conversation: what is printed above the line being typed, and what to print to
//! change it.
//!
//! One thread prints everything, where the line being typed begins. So the number of rows from
//! there to each message is known, and the ticks of a message still on the screen are overwritten
//! in place. When the terminal's size changes that number is lost, and the screen is redrawn.
//! Nothing here prints: methods return the text to print.

use std::ops::Range;

use jiff::civil::Date;

use super::columns::{ScreenLine, cut};
use super::item::{self, Said, ScreenItem, Style, TICKS, Tick};
use super::pages::{LineRef, Pages};

/// Items kept. Older ones are loaded again when somebody scrolls back to them.
const KEPT: usize = 3_000;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The state of the screen.
pub struct Screen {
    title: String,
    items: Vec<ScreenItem>,
    /// The server has older items.
    has_older: bool,
    /// The first printed line since the screen was cleared.
    begin: LineRef,
    /// The end of the printed lines.
    end: LineRef,
    /// Messages below `end` that came since.
    below: usize,
    /// The row in which each printed item begins, counted since the screen was cleared; `None` if
    /// its beginning is not printed.
    begins: Vec<Option<usize>>,
    /// Rows printed since then.
    height: usize,
    /// The day of the last printed item.
    day: Option<Date>,
    size: Size,
    /// Rows of the line being typed.
    typed: usize,
    /// Rows at the bottom without items: those of that line, and those it took before that were not
    /// printed over since.
    bottom: usize,
    style: Style,
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
            begins: Vec::new(),
            height: 0,
            day: None,
            size: room.size,
            typed: room.typed,
            bottom: room.most,
            style,
        }
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
        matches!(self.items.last(), Some(ScreenItem::Remark(last)) if last == remark)
    }

    /// The id of the first item that has one.
    pub fn oldest(&self) -> Option<u64> {
        self.items.iter().find_map(ScreenItem::id)
    }

    /// The newest entry by somebody else.
    pub fn newest_of_others(&self) -> Option<u64> {
        let of_others =
            |item: &&ScreenItem| matches!(item, ScreenItem::Said(said) if said.from.is_some());
        self.items.iter().filter(of_others).filter_map(ScreenItem::id).max()
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
        self.newest(room)
    }

    /// Adds an item at the end.
    pub fn add(&mut self, item: ScreenItem, room: Room) -> String {
        let (at_end, is_as_before) = (self.is_at_end(), self.meet(room));
        let is_said = matches!(item, ScreenItem::Said(_));
        self.items.push(item);
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
    fn meet(&mut self, room: Room) -> bool {
        let is_as_before = self.size == room.size;
        if self.size.columns != room.size.columns && self.end.line > 0 {
            // It breaks into other lines now.
            self.end = LineRef::before(self.end.item + 1);
        }
        (self.size, self.typed) = (room.size, room.typed);
        self.bottom = self.bottom.max(room.most);
        is_as_before
    }

    /// The message sent with this key is confirmed, or refused if it has no `id`.
    pub fn answered(&mut self, key: &str, id: Option<u64>, room: Room) -> String {
        let is_as_before = self.meet(room);
        let found = self
            .items
            .iter()
            .rposition(|item| own(item).is_some_and(|said| said.key.as_deref() == Some(key)));
        let Some(n) = found else { return String::new() };
        if let ScreenItem::Said(said) = &mut self.items[n] {
            said.id = id;
            said.tick = if id.is_some() { Tick::Sent } else { Tick::Refused };
        }
        if !is_as_before {
            return self.draw(self.end);
        }
        self.tick(n).unwrap_or_default()
    }

    /// The user's messages up to this id have come so far. News about a message no longer on the
    /// screen is added as a remark.
    pub fn reached(&mut self, upto: u64, tick: Tick, is_news: bool, room: Room) -> String {
        if !self.meet(room) {
            let drawn = self.draw(self.end);
            return drawn + &self.reached(upto, tick, is_news, room);
        }
        let (mut out, mut unseen) = (String::new(), None);
        for n in 0..self.items.len() {
            let ScreenItem::Said(said) = &mut self.items[n] else { continue };
            let is_meant = said.from.is_none() && said.id.is_some_and(|id| id <= upto);
            if !is_meant || said.tick >= tick || said.is_change {
                continue;
            }
            said.tick = tick;
            match self.tick(n) {
                Some(done) => out.push_str(&done),
                None => unseen = Some(n),
            }
        }
        if let Some(ScreenItem::Said(said)) = unseen.map(|n| &self.items[n])
            && is_news
            && self.is_at_end()
        {
            let text = cut(&said.body, self.size.columns.saturating_sub(16).min(50));
            let remark = format!("      {:<4} “{text}”", tick.sign());
            out.push_str(&self.add(ScreenItem::Remark(remark), room));
        }
        out
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
    pub fn newest(&mut self, room: Room) -> String {
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
    fn print(&mut self, n: usize, lines: Range<usize>) -> String {
        let all = self.pages().lines(n);
        let end = lines.end.min(all.len());
        let mut printed = Vec::new();
        if let Some(day) = self.items[n].day().filter(|day| self.day != Some(*day)) {
            self.day = Some(day);
            let rule = format!("── {} ──", item::day(day, jiff::Zoned::now().date()));
            printed.push(ScreenLine::new(self.style.faint(&rule)));
        }
        self.begins.push((lines.start == 0).then_some(self.height + printed.len()));
        self.end =
            if end < all.len() { LineRef { item: n, line: end } } else { LineRef::before(n + 1) };
        printed.extend(all.into_iter().take(end).skip(lines.start));
        let rows: usize = printed.iter().map(|line| line.rows(self.size.columns)).sum();
        self.height += rows;
        self.bottom = self.bottom.saturating_sub(rows).max(self.typed);
        printed.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }

    /// Clears the screen and draws as many lines before `end` as fit.
    fn draw(&mut self, end: LineRef) -> String {
        let begin = self.pages().begin(end);
        (self.begin, self.end, self.day, self.height) = (begin, begin, None, 0);
        self.bottom = self.typed;
        self.begins.clear();
        let mut out = String::from("\x1b[H\x1b[2J");
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

    /// Overwrites the ticks of an item; `None` if it is not on the screen.
    fn tick(&self, n: usize) -> Option<String> {
        let ScreenItem::Said(said) = &self.items[n] else { return None };
        let begins = (*self.begins.get(n.checked_sub(self.begin.item)?)?)?;
        let up = self.height - begins;
        if up + self.bottom > self.size.rows {
            return None;
        }
        // Printing adds a line end, so stop one row higher.
        let down = if up > 1 { format!("\x1b[{}B", up - 1) } else { String::new() };
        let tick = said.tick.padded(self.style);
        Some(format!("\x1b[{up}A\r\x1b[{}C{tick}\r{down}\n", TICKS.0))
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
}

fn own(item: &ScreenItem) -> Option<&Said> {
    match item {
        ScreenItem::Said(said) if said.from.is_none() && !said.is_change => Some(said),
        _ => None,
    }
}
