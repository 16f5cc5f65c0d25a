//! Takes messages whose time is over off the screen.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::item::ScreenItem;
use super::said::{Said, UNSEEN};
use super::screen::{Room, Screen};

impl Screen {
    /// When the next message, quote or remark vanishes.
    pub fn next_due(&self) -> Option<Timestamp> {
        let dues = self.all_said().flat_map(|said| [said.due, said.quote_due]);
        let found = self.items.iter().map(|item| match item {
            ScreenItem::Found(found) => found.due,
            ScreenItem::About(about) => about.due,
            _ => None,
        });
        dues.chain(found).flatten().min()
    }

    /// The message with this id vanishes then.
    pub fn vanishes(&mut self, id: u64, due: Option<Timestamp>) {
        for item in self.items.iter_mut().filter(|item| item.id() == Some(id)) {
            if let ScreenItem::Said(said) = item {
                said.due = due;
            }
        }
    }

    /// What quotes the message with this id vanishes then, and so do remarks about it.
    pub fn quote_until(&mut self, id: u64, due: Option<Timestamp>) {
        for item in &mut self.items {
            match item {
                ScreenItem::Said(said) if said.re == Some(id) => said.quote_due = due,
                ScreenItem::About(about) if about.id == id => about.due = due,
                _ => {}
            }
        }
    }

    /// When the message with this id vanishes, as far as it is among the items.
    pub fn due_of(&self, id: u64) -> Option<Timestamp> {
        self.all_said().find(|said| said.id == Some(id))?.due
    }

    /// Messages newer than an id that were sent from here.
    pub fn sent_after(&self, last: u64) -> Vec<u64> {
        let sent = self.all_said().filter(|said| said.key.is_some());
        sent.filter_map(|said| said.id).filter(|id| *id > last).collect()
    }

    /// Drops messages that have vanished by now, remarks about them, and quotes. Returns what to
    /// print.
    pub fn vanish(&mut self, now: Timestamp, room: Room) -> String {
        let is_over = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        let over = self.all_said().filter(|said| is_over(said.due));
        let over: BTreeSet<u64> = over.filter_map(|said| said.id).collect();
        let mut is_changed = false;
        for n in 0..self.items.len() {
            let is_shown = self.is_on_screen(n);
            match &mut self.items[n] {
                ScreenItem::Said(said) if is_over(said.quote_due) => {
                    (said.quote, said.quote_due) = (Some(UNSEEN.to_owned()), None);
                    is_changed |= is_shown;
                }
                _ => {}
            }
        }
        let has_vanished = |item: &ScreenItem| match item {
            ScreenItem::Said(said) => said.id.is_some_and(|id| over.contains(&id)),
            ScreenItem::About(about) => is_over(about.due) || over.contains(&about.id),
            ScreenItem::Found(found) => is_over(found.due) || over.contains(&found.id),
            ScreenItem::Remark(_) | ScreenItem::Complaint(_) => false,
        };
        is_changed |= self.remove_all(has_vanished);
        match is_changed {
            true => self.again(room),
            false => String::new(),
        }
    }

    /// Drops remarks about the message with this id. Returns what to print.
    pub fn drop_remarks(&mut self, id: u64, room: Room) -> String {
        self.drop_all(|it| matches!(it, ScreenItem::About(about) if about.id == id), room)
    }

    /// Drops this remark, which does not hold any more. Returns what to print.
    pub fn withdraw(&mut self, remark: &str, room: Room) -> String {
        self.drop_all(|it| matches!(it, ScreenItem::Remark(text) if text == remark), room)
    }

    pub(super) fn drop_all(
        &mut self,
        is_meant: impl Fn(&ScreenItem) -> bool,
        room: Room,
    ) -> String {
        match self.remove_all(is_meant) {
            true => self.again(room),
            false => String::new(),
        }
    }

    /// Takes items away. Returns whether the screen has to be redrawn.
    fn remove_all(&mut self, is_meant: impl Fn(&ScreenItem) -> bool) -> bool {
        let is_at_end = self.is_at_end();
        let mut is_changed = false;
        for n in (0..self.items.len()).rev() {
            if is_meant(&self.items[n]) {
                is_changed |= self.is_on_screen(n);
                self.remove(n);
            }
        }
        self.below = self.below.min(self.items.len() - self.end.item);
        // Else a line at the bottom says that there is more.
        is_changed | (self.is_at_end() != is_at_end)
    }

    /// Takes an item away that is not on the screen, or all is printed again.
    fn remove(&mut self, n: usize) {
        self.items.remove(n);
        let (begin, end) = (&mut self.begin, &mut self.end);
        if n < begin.item {
            begin.item -= 1;
        } else {
            if n == begin.item {
                begin.line = 0;
            }
            let at = n - begin.item;
            if at < self.printed.len() {
                self.printed.remove(at);
            }
        }
        if n < end.item {
            end.item -= 1;
        } else if n == end.item {
            end.line = 0;
        }
    }

    fn all_said(&self) -> impl Iterator<Item = &Said> {
        self.items.iter().filter_map(|item| match item {
            ScreenItem::Said(said) => Some(&**said),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::tz::TimeZone;

    use super::super::item::{AboutKind, AboutMessage, FoundMessage};
    use super::super::screen_tests::{Paper, ROOM};
    use super::*;
    use crate::name::Handle;
    use crate::wire::rows::EntryLine;

    fn add(paper: &mut Paper, id: u64, tags: &str, body: &str) {
        let line = format!("MSG {id} 2020-11-22T11:58:03.214Z bob ana {tags} {body}");
        let entry = EntryLine::parse(&line).unwrap().entry.into_owned();
        let item = ScreenItem::entry(&entry, &Handle::new("ana").unwrap(), &TimeZone::UTC);
        let text = paper.screen.add(item, ROOM);
        paper.print(&text);
    }

    fn vanish(paper: &mut Paper, seconds: i64) -> String {
        let now = Timestamp::now() + SignedDuration::from_secs(seconds);
        let text = paper.screen.vanish(now, ROOM);
        paper.print(&text);
        text
    }

    #[test]
    fn a_message_leaves_the_screen_with_its_quotes() {
        let mut paper = Paper::new();
        let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
        paper.print(&page);
        add(&mut paper, 1, "-", "one");
        add(&mut paper, 2, "exp=30", "a secret");
        add(&mut paper, 3, "re=2", "thanks");
        add(&mut paper, 4, "exp=600", "a longer one");
        assert_eq!(vanish(&mut paper, 0), "");
        assert!(paper.rows().iter().any(|row| row.ends_with("bob: a secret")));
        vanish(&mut paper, 31);
        assert_eq!(
            paper.rows()[1..],
            [
                "11:58      bob: one",
                "           ↳ a message you cannot see",
                "11:58      bob: thanks",
                "11:58      bob: a longer one",
                "> half a line",
            ]
        );
        assert_eq!((paper.screen.has(2), paper.screen.has(4)), (false, true));
        // What is added goes below as before.
        vanish(&mut paper, 61);
        add(&mut paper, 5, "-", "five");
        let rows = paper.rows();
        assert_eq!(
            rows[rows.len() - 3..],
            ["11:58      bob: thanks", "11:58      bob: five", "> half a line"]
        );
        assert_eq!(paper.screen.next_due(), None);
    }

    #[test]
    fn what_a_search_has_found_changes_and_vanishes_with_its_message() {
        let mut paper = Paper::new();
        let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
        paper.print(&page);
        let due = Timestamp::now() + SignedDuration::from_secs(30);
        for (id, due) in [(1, Some(due)), (2, None), (3, None)] {
            let (head, text) = ("      bob: ".to_owned(), Some(format!("number\n{id}")));
            let found = ScreenItem::Found(FoundMessage { id, due, head, text, file: None });
            let text = paper.screen.add(found, ROOM);
            paper.print(&text);
        }
        let text = paper.screen.forget(2, ROOM);
        paper.print(&text);
        let text = paper.screen.found_again(3, "another text", ROOM);
        paper.print(&text);
        let rows = ["      bob: number 1", "      bob: (deleted)", "      bob: another text"];
        assert_eq!(paper.rows()[1..4], rows);
        assert_eq!(paper.screen.next_due(), Some(due));
        vanish(&mut paper, 31);
        assert_eq!(paper.rows()[1..3], rows[1..]);
        assert_eq!(paper.screen.next_due(), None);
    }

    #[test]
    fn a_remark_about_a_message_vanishes_with_it() {
        let mut paper = Paper::new();
        let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
        paper.print(&page);
        let due = Timestamp::now() + SignedDuration::from_secs(30);
        for (id, due) in [(1, None), (2, None), (3, Some(due))] {
            let text = format!("      ✎ bob: number {id}");
            let kind = AboutKind::Texts;
            let about = AboutMessage { id, due, text, kind };
            let text = paper.screen.add(ScreenItem::About(about), ROOM);
            paper.print(&text);
        }
        add(&mut paper, 9, "-", "nine");
        // The row of the second has come, and says so.
        paper.screen.quote_until(2, Some(due));
        assert_eq!(paper.screen.next_due(), Some(due));
        vanish(&mut paper, 31);
        let rows = ["      ✎ bob: number 1", "11:58      bob: nine", "> half a line"];
        assert_eq!(paper.rows()[1..], rows);
        assert_eq!(paper.screen.next_due(), None);
    }

    #[test]
    fn what_is_not_on_the_screen_vanishes_without_being_seen() {
        let mut paper = Paper::new();
        let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
        paper.print(&page);
        for id in 1..40 {
            add(
                &mut paper,
                id,
                if id % 3 == 0 && id < 30 { "exp=30" } else { "-" },
                &format!("{id}"),
            );
        }
        let before = paper.rows();
        assert_eq!(vanish(&mut paper, 31), "");
        assert_eq!(paper.rows(), before);
        // Everything is where it is thought to be.
        let text = paper.screen.change(38, |said| said.change(50, "changed"), ROOM);
        assert_eq!(text.as_ref().map(|(_, is_shown)| *is_shown), Some(true));
        paper.print(&text.unwrap().0);
        let rows = paper.rows();
        assert_eq!(
            rows[rows.len() - 4..],
            [
                "11:58      bob: 37",
                "11:58      bob: changed (edited)",
                "11:58      bob: 39",
                "> half a line"
            ]
        );
        for _ in 0..2 {
            let page = paper.screen.older(ROOM).unwrap();
            paper.print(&page);
        }
        let shown = paper.rows().join(" ");
        assert!(!shown.contains("bob: 27") && shown.contains("bob: 29"), "{shown}");
    }

    #[test]
    fn a_page_goes_on_where_it_was() {
        let mut paper = Paper::new();
        let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
        paper.print(&page);
        for id in 1..30 {
            add(&mut paper, id, if id > 10 { "exp=30" } else { "-" }, &format!("number {id}"));
        }
        let text = paper.screen.older(ROOM).unwrap();
        paper.print(&text);
        add(&mut paper, 30, "exp=30", "number 30");
        assert!(paper.rows().iter().any(|row| row.contains("1 new below")));
        vanish(&mut paper, 31);
        let rows = paper.rows();
        assert!(paper.screen.is_at_end());
        assert_eq!(rows[rows.len() - 2..], ["11:58      bob: number 10", "> half a line"]);
    }
}
