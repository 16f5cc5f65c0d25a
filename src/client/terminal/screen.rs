//! The screen of one conversation: what is printed above the line that is being typed, and what to
//! print to change it.
//!
//! Everything is printed by one thread at the place where the line being typed begins, so it is
//! known how many rows lie between that place and each message, and the ticks of a message that is
//! still on the screen are written over in place. Where that is not known any more, after the
//! terminal has changed its size, the screen is drawn anew. Nothing here prints.

use std::ops::Range;

use jiff::civil::Date;

use super::columns::{Line, cut};
use super::item::{self, Item, Said, Style, TICKS, Tick};

/// Items that are kept. Older ones are loaded again when somebody scrolls back to them.
const KEPT: usize = 3_000;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

/// What a conversation looks like.
pub struct Screen {
    title: String,
    items: Vec<Item>,
    /// The server has older ones.
    has_older: bool,
    /// Those that are printed, from the top of the screen on.
    shown: Range<usize>,
    /// The row in which each of those begins, counted from the last time that the screen was cleared.
    begins: Vec<usize>,
    /// Rows printed since then.
    height: usize,
    /// The day of the last item that was printed.
    day: Option<Date>,
    size: Size,
    /// Rows that the line takes that is being typed.
    typed: usize,
    /// Rows at the bottom that do not show items: those of that line, and those that it took before
    /// and that nothing was printed over since.
    bottom: usize,
    style: Style,
}

impl Screen {
    /// An empty one.
    pub fn new(room: Room, style: Style) -> Screen {
        Screen {
            title: String::new(),
            items: Vec::new(),
            has_older: false,
            shown: 0..0,
            begins: Vec::new(),
            height: 0,
            day: None,
            size: room.size,
            typed: room.typed,
            bottom: room.most,
            style,
        }
    }

    /// Another conversation is shown.
    pub fn turn_to(
        &mut self,
        title: &str,
        items: Vec<Item>,
        has_older: bool,
        room: Room,
    ) -> String {
        self.meet(room);
        (self.title, self.items, self.has_older) = (title.to_owned(), items, has_older);
        self.draw(self.items.len())
    }

    /// The newest item is on the screen, so what is added is printed.
    pub fn is_at_end(&self) -> bool {
        self.shown.end == self.items.len()
    }

    /// Ids of messages of one's own that not everyone has read, as far as is known, in their order.
    pub fn unread(&self) -> Vec<u64> {
        let said = self.items.iter().filter_map(own).filter(|said| said.tick < Tick::Read);
        let mut ids: Vec<u64> = said.filter_map(|said| said.id).collect();
        ids.sort_unstable();
        ids
    }

    /// The id of the first item that has one.
    pub fn oldest(&self) -> Option<u64> {
        self.items.iter().find_map(Item::id)
    }

    /// The newest entry of somebody else.
    pub fn newest_of_others(&self) -> Option<u64> {
        let of_others = |item: &&Item| matches!(item, Item::Said(said) if said.from.is_some());
        self.items.iter().filter(of_others).filter_map(Item::id).max()
    }

    /// The newest message of one's own.
    pub fn newest_own(&self) -> Option<u64> {
        self.items.iter().filter_map(own).filter_map(|said| said.id).max()
    }

    /// The highest id of what came from the server: what is sent from here is confirmed over another
    /// connection, and says nothing about what came before it.
    pub fn newest_heard(&self) -> Option<u64> {
        let heard = |item: &&Item| !matches!(item, Item::Said(said) if said.key.is_some());
        self.items.iter().filter(heard).filter_map(Item::id).max()
    }

    /// Whether the entry of this id is there.
    pub fn has(&self, id: u64) -> bool {
        self.items.iter().rev().any(|item| item.id() == Some(id))
    }

    /// What is newer than an id, and what has none.
    pub fn later_than(&self, last: u64) -> Vec<Item> {
        let is_later = |item: &&Item| item.id().is_none_or(|id| id > last);
        self.items.iter().filter(is_later).cloned().collect()
    }

    /// Adds items that are not there yet, each before the first with a higher id, and draws the
    /// newest anew.
    pub fn merge(&mut self, items: Vec<Item>, room: Room) -> String {
        for item in items {
            let higher = |other: &Item| other.id() > item.id();
            if !item.id().is_some_and(|id| self.has(id)) {
                let at = self.items.iter().position(higher).unwrap_or(self.items.len());
                self.items.insert(at, item);
            }
        }
        self.end(room)
    }

    /// Adds an item at the end.
    pub fn add(&mut self, item: Item, room: Room) -> String {
        let (at_end, is_as_before) = (self.is_at_end(), self.meet(room));
        self.items.push(item);
        // Whoever scrolls back has some time to do so.
        if self.items.len() > if at_end { KEPT } else { 2 * KEPT } {
            let gone = self.items.len() - KEPT * 2 / 3;
            self.items.drain(..gone);
            self.has_older = true;
            return self.draw(self.items.len());
        }
        if !at_end {
            return String::new();
        }
        if is_as_before { self.print(self.items.len() - 1) } else { self.draw(self.items.len()) }
    }

    /// What is known of the terminal now. Gives back whether it has the size that it had.
    fn meet(&mut self, room: Room) -> bool {
        let is_as_before = self.size == room.size;
        (self.size, self.typed) = (room.size, room.typed);
        self.bottom = self.bottom.max(room.most);
        is_as_before
    }

    /// A message that was sent with this key is confirmed, or refused.
    pub fn answered(&mut self, key: &str, id: Option<u64>, room: Room) -> String {
        let is_as_before = self.meet(room);
        let found = self
            .items
            .iter()
            .rposition(|item| own(item).is_some_and(|said| said.key.as_deref() == Some(key)));
        let Some(n) = found else { return String::new() };
        if let Item::Said(said) = &mut self.items[n] {
            said.id = id;
            said.tick = if id.is_some() { Tick::Sent } else { Tick::Refused };
        }
        if !is_as_before {
            return self.draw(self.shown.end);
        }
        self.tick(n).unwrap_or_default()
    }

    /// Messages of one's own up to this id have come so far. News that cannot be shown beside them
    /// any more is said below.
    pub fn reached(&mut self, upto: u64, tick: Tick, is_news: bool, room: Room) -> String {
        if !self.meet(room) {
            let drawn = self.draw(self.shown.end);
            return drawn + &self.reached(upto, tick, is_news, room);
        }
        let (mut out, mut unseen) = (String::new(), None);
        for n in 0..self.items.len() {
            let Item::Said(said) = &mut self.items[n] else { continue };
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
        if let Some(Item::Said(said)) = unseen.map(|n| &self.items[n])
            && is_news
            && self.is_at_end()
        {
            let text = cut(&said.body, self.size.columns.saturating_sub(16).min(50));
            let remark = format!("      {:<4} “{text}”", tick.sign());
            out.push_str(&self.add(Item::Remark(remark), room));
        }
        out
    }

    /// Scrolls towards older items by a page. `None` where they have to be loaded first.
    pub fn older(&mut self, room: Room) -> Option<String> {
        self.meet(room);
        // What was printed since the screen was drawn has pushed the first ones off it.
        let mut start = self.shown.end;
        while start > self.shown.start
            && (start == self.shown.end || self.fits(start - 1..self.shown.end))
        {
            start -= 1;
        }
        // One item stays, so that nobody loses the thread.
        let end = if self.shown.end > start + 1 { start + 1 } else { start };
        if self.has_older && self.fits(0..end) {
            return None;
        }
        Some(self.draw(end.max(self.first_page())))
    }

    /// Older items are there; the server has more of them, or not.
    pub fn load(&mut self, older: Vec<Item>, has_older: bool) {
        let n = older.len();
        self.items.splice(0..0, older);
        self.shown = self.shown.start + n..self.shown.end + n;
        self.has_older = has_older;
    }

    /// Scrolls towards newer items by a page.
    pub fn newer(&mut self, room: Room) -> String {
        self.meet(room);
        let start = self.shown.end.saturating_sub(1);
        let mut end = start;
        while end < self.items.len() && (end == start || self.fits(start..end + 1)) {
            end += 1;
        }
        self.draw(end.max(self.shown.end + 1).min(self.items.len()))
    }

    /// Draws the newest items anew.
    pub fn end(&mut self, room: Room) -> String {
        self.meet(room);
        self.draw(self.items.len())
    }

    /// Draws what is shown anew.
    pub fn again(&mut self, room: Room) -> String {
        self.meet(room);
        self.draw(self.shown.end)
    }

    /// Where the page ends that begins with the first item.
    fn first_page(&self) -> usize {
        let mut end = 0;
        while end < self.items.len() && (end == 0 || self.fits(0..end + 1)) {
            end += 1;
        }
        end
    }

    /// Whether these items have room on one page.
    fn fits(&self, range: Range<usize>) -> bool {
        let mut day = None;
        range.map(|n| self.rows(&self.rendered(n, &mut day))).sum::<usize>() <= self.page()
    }

    /// Rows for items on a page: without those for the title, a remark below, what is typed, and
    /// what is unread elsewhere.
    fn page(&self) -> usize {
        self.size.rows.saturating_sub(4).max(1)
    }

    /// Rows that lines take.
    fn rows(&self, lines: &[Line]) -> usize {
        lines.iter().map(|line| line.rows(self.size.columns)).sum()
    }

    /// Columns of a line at most: some terminals break it when the last one is written.
    fn width(&self) -> usize {
        self.size.columns.saturating_sub(1).max(20)
    }

    /// The lines of an item, under a line for its day where that is another than before.
    fn rendered(&self, n: usize, day: &mut Option<Date>) -> Vec<Line> {
        let width = self.width();
        let item = &self.items[n];
        let mut lines = Vec::new();
        if let Some(its) = item.day()
            && *day != Some(its)
        {
            *day = Some(its);
            let today = jiff::Zoned::now().date();
            let rule = format!("── {} ──", item::day(its, today));
            lines.push(Line::new(self.style.faint(&rule)));
        }
        lines.extend(item.lines(width, self.style));
        lines
    }

    /// Prints an item below the last one.
    fn print(&mut self, n: usize) -> String {
        let mut day = self.day;
        let lines = self.rendered(n, &mut day);
        // Where the day is another, its line comes first.
        self.begins.push(self.height + usize::from(day != self.day));
        let rows = self.rows(&lines);
        self.height += rows;
        self.bottom = self.bottom.saturating_sub(rows).max(self.typed);
        self.day = day;
        self.shown.end = n + 1;
        lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }

    /// Clears the screen and draws as many items as have room, the last of them before `end`.
    fn draw(&mut self, end: usize) -> String {
        let mut start = end;
        while start > 0 && (start == end || self.fits(start - 1..end)) {
            start -= 1;
        }
        (self.shown, self.day, self.height) = (start..start, None, 0);
        self.bottom = self.typed;
        self.begins.clear();
        let mut out = String::from("\x1b[H\x1b[2J");
        if !self.title.is_empty() {
            let width = self.width();
            out.push_str(&self.style.bold(&item::rule(&self.title, width)));
            out.push('\n');
            self.height += 1;
        }
        for n in start..end {
            out.push_str(&self.print(n));
        }
        if !self.is_at_end() {
            let note = "── PageDown goes on, Enter goes to the end ──";
            let width = self.width();
            out.push_str(&self.style.faint(&cut(note, width)));
            out.push('\n');
            self.height += 1;
        }
        out
    }

    /// Writes the ticks of an item over the old ones; `None` where it is not on the screen.
    fn tick(&self, n: usize) -> Option<String> {
        let Item::Said(said) = &self.items[n] else { return None };
        let begins = *self.begins.get(n.checked_sub(self.shown.start)?)?;
        let up = self.height - begins;
        if up + self.bottom > self.size.rows {
            return None;
        }
        // What is printed gets a line end, so it ends one row higher than it began.
        let down = if up > 1 { format!("\x1b[{}B", up - 1) } else { String::new() };
        let tick = said.tick.padded(self.style);
        Some(format!("\x1b[{up}A\r\x1b[{}C{tick}\r{down}\n", TICKS.0))
    }
}

/// What is known of the terminal when something changes on it.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Its size.
    pub size: Size,
    /// Rows that the line takes that is being typed, with its prompt and the line below it; 2 or
    /// more.
    pub typed: usize,
    /// The most that it took since this was asked for the last time.
    pub most: usize,
}

fn own(item: &Item) -> Option<&Said> {
    match item {
        Item::Said(said) if said.from.is_none() && !said.is_change => Some(said),
        _ => None,
    }
}
