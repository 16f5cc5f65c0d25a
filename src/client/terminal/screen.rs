//! The screen of one conversation: what is printed above the line that is being typed, and what to
//! print to change it.
//!
//! Everything is printed by one thread at the place where the line being typed begins, so it is
//! known how many rows lie between that place and each message, and the ticks of a message that is
//! still on the screen are written over in place. Where that is not known any more, after the
//! terminal has changed its size, the screen is drawn anew. Nothing here prints.

use std::ops::Range;

use jiff::civil::Date;

use super::columns::{ScreenLine, cut};
use super::item::{self, Said, ScreenItem, Style, TICKS, Tick};
use super::pages::{LineRef, Pages};

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
    items: Vec<ScreenItem>,
    /// The server has older ones.
    has_older: bool,
    /// What is printed, from the top of the screen on: from here.
    begin: LineRef,
    /// Up to here.
    end: LineRef,
    /// Messages that came since, and are below that.
    below: usize,
    /// The row in which each of those items begins, counted from the last time that the screen was
    /// cleared; nothing for one whose beginning is not printed.
    begins: Vec<Option<usize>>,
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

    /// Another conversation is shown.
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

    /// The newest item is on the screen, so what is added is printed.
    pub fn is_at_end(&self) -> bool {
        self.end >= self.all()
    }

    /// Ids of messages of one's own that not everyone has read, as far as is known, in their order.
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

    /// The newest entry of somebody else.
    pub fn newest_of_others(&self) -> Option<u64> {
        let of_others =
            |item: &&ScreenItem| matches!(item, ScreenItem::Said(said) if said.from.is_some());
        self.items.iter().filter(of_others).filter_map(ScreenItem::id).max()
    }

    /// The newest message of one's own.
    pub fn newest_own(&self) -> Option<u64> {
        self.items.iter().filter_map(own).filter_map(|said| said.id).max()
    }

    /// The highest id of what came from the server: what is sent from here is confirmed over another
    /// connection, and says nothing about what came before it.
    pub fn newest_heard(&self) -> Option<u64> {
        let heard =
            |item: &&ScreenItem| !matches!(item, ScreenItem::Said(said) if said.key.is_some());
        self.items.iter().filter(heard).filter_map(ScreenItem::id).max()
    }

    /// Whether the entry of this id is there.
    pub fn has(&self, id: u64) -> bool {
        self.items.iter().rev().any(|item| item.id() == Some(id))
    }

    /// What is newer than an id, and what has none.
    pub fn later_than(&self, last: u64) -> Vec<ScreenItem> {
        let is_later = |item: &&ScreenItem| item.id().is_none_or(|id| id > last);
        self.items.iter().filter(is_later).cloned().collect()
    }

    /// Adds items that are not there yet, each before the first with a higher id, and draws the
    /// newest anew.
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
        // Whoever scrolls back has some time to do so.
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

    /// What is known of the terminal now. Gives back whether it has the size that it had.
    fn meet(&mut self, room: Room) -> bool {
        let is_as_before = self.size == room.size;
        if self.size.columns != room.size.columns && self.end.line > 0 {
            // Its lines are others now.
            self.end = LineRef::before(self.end.item + 1);
        }
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
        if let ScreenItem::Said(said) = &mut self.items[n] {
            said.id = id;
            said.tick = if id.is_some() { Tick::Sent } else { Tick::Refused };
        }
        if !is_as_before {
            return self.draw(self.end);
        }
        self.tick(n).unwrap_or_default()
    }

    /// Messages of one's own up to this id have come so far. News that cannot be shown beside them
    /// any more is said below.
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

    /// Scrolls towards older items by a page. `None` where they have to be loaded first.
    pub fn older(&mut self, room: Room) -> Option<String> {
        self.meet(room);
        let pages = self.pages();
        // What was printed since the screen was drawn has pushed the first lines off it.
        let begin = pages.begin(self.end);
        // One line stays, so that nobody loses the thread.
        let kept = pages.next(begin);
        let end = if self.end > kept { kept } else { begin };
        if self.has_older && pages.begin(end) == LineRef::default() {
            return None;
        }
        let first = pages.end(LineRef::default());
        Some(self.draw(end.max(first)))
    }

    /// Older items are there; the server has more of them, or not.
    pub fn load(&mut self, older: Vec<ScreenItem>, has_older: bool) {
        let n = older.len();
        self.items.splice(0..0, older);
        (self.begin.item, self.end.item) = (self.begin.item + n, self.end.item + n);
        self.has_older = has_older;
    }

    /// Scrolls towards newer items by a page.
    pub fn newer(&mut self, room: Room) -> String {
        self.meet(room);
        let pages = self.pages();
        let end = pages.end(pages.last(self.end)).max(pages.next(self.end));
        self.draw(end)
    }

    /// Draws the newest items anew.
    pub fn newest(&mut self, room: Room) -> String {
        self.meet(room);
        self.draw(self.all())
    }

    /// Draws what is shown anew.
    pub fn again(&mut self, room: Room) -> String {
        self.meet(room);
        self.draw(self.end)
    }

    /// Below the last item.
    fn all(&self) -> LineRef {
        LineRef::before(self.items.len())
    }

    /// Pages have no rows for the title, a remark below, and what is typed with the line below it.
    fn pages(&self) -> Pages<'_> {
        Pages {
            items: &self.items,
            room: self.size.rows.saturating_sub(2 + self.typed).max(1),
            width: self.width(),
            columns: self.size.columns,
            style: self.style,
        }
    }

    /// Columns of a line at most: some terminals break it when the last one is written.
    fn width(&self) -> usize {
        self.size.columns.saturating_sub(1).max(20)
    }

    /// Prints lines of an item below the last ones, under a line for its day where that is another.
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

    /// Clears the screen and draws as many lines as have room, the last of them before `end`.
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

    /// Writes that line over the one that is there.
    fn note_again(&self) -> String {
        if self.bottom >= self.size.rows {
            return String::new();
        }
        format!("\x1b[A\r\x1b[2K{}", self.note())
    }

    /// Writes the ticks of an item over the old ones; `None` where it is not on the screen.
    fn tick(&self, n: usize) -> Option<String> {
        let ScreenItem::Said(said) = &self.items[n] else { return None };
        let begins = (*self.begins.get(n.checked_sub(self.begin.item)?)?)?;
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

fn own(item: &ScreenItem) -> Option<&Said> {
    match item {
        ScreenItem::Said(said) if said.from.is_none() && !said.is_change => Some(said),
        _ => None,
    }
}
