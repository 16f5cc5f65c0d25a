//! Changes what is on the screen, in place: ticks, texts, reactions, numbers, quotes.
//!
//! What keeps its width is overwritten. Otherwise everything from the changed item on is printed
//! again, so that nothing above it moves; only where that is not known to be on the screen, the
//! screen is redrawn.

use super::columns::cut;
use super::item::{AboutKind, AboutMessage, ScreenItem};
use super::pages::LineRef;
use super::said::Said;
use super::screen::{Room, Screen, own};
use super::style::{TICKS, Tick};

impl Screen {
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
        // What others said before it may have come while it was on its way.
        let is_before = |item: &ScreenItem| item.id().is_some() && item.id() < id;
        if let Some(last) = self.items.iter().rposition(is_before).filter(|last| *last > n)
            && self.is_at_end()
        {
            let item = self.items.remove(n);
            self.items.insert(last, item);
            return self.draw_newest(room);
        }
        if !is_as_before {
            return self.draw(self.end);
        }
        self.sign(n).unwrap_or_default()
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
            match self.sign(n) {
                Some(done) => out.push_str(&done),
                None => unseen = Some(n),
            }
        }
        if let Some(ScreenItem::Said(said)) = unseen.map(|n| &self.items[n])
            && let (Some(id), false) = (said.id, said.is_gone)
            && is_news
            && self.is_at_end()
        {
            let text = cut(&said.body, self.size.columns.saturating_sub(16).min(50));
            let text = format!("      {:<4} “{text}”", tick.sign());
            let kind = AboutKind::Texts;
            let about = AboutMessage { id, due: said.due, text, kind };
            out.push_str(&self.add(ScreenItem::About(about), room));
        }
        out
    }

    /// Changes the entry with this id, and what quotes it. Returns what to print, and whether the
    /// entry is on the screen; `None` if it is not among the items.
    pub fn change(
        &mut self,
        id: u64,
        change: impl FnOnce(&mut Said),
        room: Room,
    ) -> Option<(String, bool)> {
        let found = self.items.iter().rposition(|item| item.id() == Some(id))?;
        let ScreenItem::Said(said) = &mut self.items[found] else { return None };
        change(said);
        let quote = said.as_quote();
        let is_shown = self.is_on_screen(found);
        let text = self.touch(room, |item| match item {
            ScreenItem::Said(said) if said.re == Some(id) => {
                said.quote.replace(quote.clone()).as_ref() != Some(&quote)
            }
            item => item.id() == Some(id),
        });
        Some((text, is_shown))
    }

    /// The message with this id is quoted so, where it is not among the items itself.
    pub fn quote(&mut self, id: u64, quote: &str, room: Room) -> String {
        self.touch(room, |item| match item {
            ScreenItem::Said(said) if said.re == Some(id) => {
                said.quote.replace(quote.to_owned()).as_deref() != Some(quote)
            }
            _ => false,
        })
    }

    /// The message with this id has another text: so it has where a search has found it.
    pub fn found_again(&mut self, id: u64, text: &str, room: Room) -> String {
        self.touch(room, |item| match item {
            ScreenItem::Found(found) if found.id == id => {
                found.text = Some(text.to_owned());
                true
            }
            _ => false,
        })
    }

    /// The message with this id was deleted: its text leaves what searches found, and remarks about
    /// it leave the screen.
    pub fn forget(&mut self, id: u64, room: Room) -> String {
        let text = self.touch(room, |item| match item {
            ScreenItem::Found(found) if found.id == id => found.text.take().is_some(),
            _ => false,
        });
        // That it was deleted is no text of it.
        let is_meant = |item: &ScreenItem| match item {
            ScreenItem::About(about) => about.id == id && about.kind != AboutKind::Deletion,
            _ => false,
        };
        text + &self.drop_all(is_meant, room)
    }

    /// Changes items, and prints again what of it is on the screen. `change` says whether it has
    /// changed an item.
    pub(super) fn touch(
        &mut self,
        room: Room,
        mut change: impl FnMut(&mut ScreenItem) -> bool,
    ) -> String {
        let is_as_before = self.meet(room);
        let mut first = None;
        for n in 0..self.items.len() {
            if change(&mut self.items[n]) && first.is_none() && self.is_on_screen(n) {
                first = Some(n);
            }
        }
        match first {
            None => String::new(),
            Some(_) if !is_as_before => self.draw(self.end),
            Some(first) => self.again_from(first),
        }
    }

    /// Messages that are answered and whose text is not known, the newest first.
    pub fn unquoted(&self) -> impl Iterator<Item = u64> {
        self.items.iter().rev().filter_map(|item| match item {
            ScreenItem::Said(said) if said.quote.is_none() => said.re,
            _ => None,
        })
    }

    /// Quotes what the items answer, as far as that is among them.
    pub(super) fn quote_all(&mut self) {
        for n in 0..self.items.len() {
            self.quote_from(n);
        }
    }

    /// The same for one item.
    pub(super) fn quote_from(&mut self, n: usize) {
        let ScreenItem::Said(said) = &self.items[n] else { return };
        let (None, Some(re)) = (&said.quote, said.re) else { return };
        let is_it = |item: &&ScreenItem| item.id() == Some(re);
        if let Some(ScreenItem::Said(answered)) = self.items.iter().rev().find(is_it) {
            let (quote, due) = (Some(answered.as_quote()), answered.due);
            if let ScreenItem::Said(said) = &mut self.items[n] {
                (said.quote, said.quote_due) = (quote, due);
            }
        }
    }

    /// Numbers the messages on the screen, 1 being the lowest. Returns their ids in that order, and
    /// what to print.
    pub fn number(&mut self, room: Room) -> (Vec<u64>, String) {
        let mut out = if self.meet(room) { String::new() } else { self.draw(self.end) };
        let mut ids = Vec::new();
        for n in (0..self.items.len()).rev() {
            if self.sign(n).is_none() {
                continue;
            }
            if let ScreenItem::Said(said) = &mut self.items[n]
                && let (Some(id), true) = (said.id, said.is_message())
            {
                ids.push(id);
                said.number = Some(ids.len());
                out.push_str(&self.sign(n).unwrap_or_default());
            }
        }
        (ids, out)
    }

    /// Takes the numbers away.
    pub fn unnumber(&mut self, room: Room) -> String {
        let is_as_before = self.meet(room);
        let mut out = String::new();
        for n in 0..self.items.len() {
            if let ScreenItem::Said(said) = &mut self.items[n]
                && said.number.take().is_some()
            {
                out.push_str(&self.sign(n).unwrap_or_default());
            }
        }
        if is_as_before { out } else { self.draw(self.end) }
    }

    /// Adds a remark about a reaction to a message; it takes the place of one about the same
    /// message, if that is the last item.
    pub fn reacted(&mut self, about: AboutMessage, room: Room) -> String {
        match self.items.last_mut() {
            Some(ScreenItem::About(last))
                if last.kind == AboutKind::Reaction && last.id == about.id =>
            {
                *last = about;
                let last = self.items.len() - 1;
                if !self.meet(room) {
                    return self.draw(self.end);
                }
                if self.is_on_screen(last) { self.again_from(last) } else { String::new() }
            }
            _ => self.add(ScreenItem::About(about), room),
        }
    }

    /// Whether the last row of an item is on the screen.
    pub(super) fn is_on_screen(&self, n: usize) -> bool {
        let printed = n.checked_sub(self.begin.item).and_then(|n| self.printed.get(n));
        printed.is_some_and(|rows| self.height - rows.end + self.bottom < self.size.rows)
    }

    /// Prints the items from this one on again, which is on the screen.
    fn again_from(&mut self, n: usize) -> String {
        let at = n - self.begin.item;
        let top = self.printed[at].top;
        let up = self.height - top;
        let is_cut = at == 0 && self.begin.line > 0;
        if !self.is_at_end() || is_cut || up + self.bottom > self.size.rows {
            return self.draw(self.end);
        }
        self.printed.truncate(at);
        (self.height, self.bottom) = (top, self.bottom + up);
        // The line for its day stands above it already.
        self.day = self.items[self.begin.item..=n].iter().rev().find_map(ScreenItem::day);
        self.end = LineRef::before(n);
        let is_wanted = |id: u32| {
            let has = |item: &ScreenItem| matches!(item, ScreenItem::Said(said) if said.picture.as_ref().is_some_and(|it| it.id == id));
            self.items.iter().any(has)
        };
        let gone = self.pictures.clear_from(top, is_wanted);
        let mut out = format!("\x1b[{up}A\r\x1b[J{gone}");
        for n in n..self.items.len() {
            out.push_str(&self.print(n, 0..usize::MAX));
        }
        out
    }

    /// Overwrites what stands in the ticks' column of an item; `None` if that is not on the screen.
    fn sign(&self, n: usize) -> Option<String> {
        let ScreenItem::Said(said) = &self.items[n] else { return None };
        let head = self.printed.get(n.checked_sub(self.begin.item)?)?.head?;
        let up = self.height - head;
        if up + self.bottom > self.size.rows {
            return None;
        }
        // Printing adds a line end, so stop one row higher.
        let down = if up > 1 { format!("\x1b[{}B", up - 1) } else { String::new() };
        let sign = said.sign(self.style);
        Some(format!("\x1b[{up}A\r\x1b[{}C{sign}\r{down}\n", TICKS.0))
    }
}
