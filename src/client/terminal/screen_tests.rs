//! What is printed goes to a terminal emulator whose cells can be read.

use std::num::NonZero;

use jiff::tz::TimeZone;

use super::item::ScreenItem;
use super::screen::{Room, Screen, Size};
use super::style::{Style, Tick};
use crate::name::Handle;
use crate::wire::rows::EntryLine;

pub(super) const SIZE: Size = Size { columns: 40, rows: 10 };
pub(super) const ROOM: Room = Room { size: SIZE, typed: 2, most: 2, cell: None };

/// A terminal with a prompt and a line below it; prints above them as the editor does.
pub(super) struct Paper {
    terminal: vt100::Parser,
    pub screen: Screen,
}

impl Paper {
    pub fn new() -> Paper {
        Paper::of(SIZE)
    }

    pub fn of(size: Size) -> Paper {
        let cells = |n: usize| NonZero::new(n as u16).unwrap();
        let terminal = vt100::Parser::new(cells(size.rows), cells(size.columns), 0);
        Paper { terminal, screen: Screen::new(ROOM, Style::default()) }
    }

    pub fn print(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let line_end = if text.ends_with('\n') { "" } else { "\n" };
        let all = format!("\r\x1b[J{text}{line_end}").replace('\n', "\r\n");
        self.terminal.process(all.as_bytes());
        self.terminal.process(b"> half a line\r\nbelow\x1b[A\x1b[8C");
    }

    pub fn add(&mut self, id: u64, from: &str, body: &str) {
        let text = self.screen.add(entry(id, from, body), ROOM);
        self.print(&text);
    }

    /// The rows of the terminal.
    pub fn all_rows(&self) -> Vec<String> {
        let screen = self.terminal.screen();
        let rows = screen.rows(0, screen.size().1.get());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    /// Those with a text, without the days.
    pub fn rows(&self) -> Vec<String> {
        let rows = self.all_rows().into_iter();
        let rows =
            rows.filter(|row| !row.is_empty() && !row.contains("November") && row != "below");
        rows.collect()
    }
}

fn entry(id: u64, from: &str, body: &str) -> ScreenItem {
    let line = format!("MSG {id} 2020-11-22T11:58:03.214Z {from} bob - {body}");
    ScreenItem::entry(
        &EntryLine::parse(&line).unwrap().entry,
        &Handle::new("ana").unwrap(),
        &TimeZone::UTC,
    )
}

fn entries(ids: std::ops::Range<u64>) -> Vec<ScreenItem> {
    ids.map(|id| entry(id, "bob", &format!("number {id}"))).collect()
}

#[test]
fn ticks_are_written_where_the_message_stands_and_nothing_else_changes() {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
    paper.print(&page);
    paper.add(1, "ana", "one");
    paper.add(2, "ana", "a text that has to be broken into two rows");
    paper.add(3, "bob", "three");
    let text = paper.screen.reached(2, Tick::Delivered, true, ROOM);
    paper.print(&text);
    let text = paper.screen.reached(1, Tick::Read, true, ROOM);
    paper.print(&text);
    assert_eq!(
        paper.rows(),
        [
            "── bob ────────────────────────────────",
            "11:58 read you: one",
            "11:58 ✓✓   you: a text that has to be",
            "           broken into two rows",
            "11:58      bob: three",
            "> half a line",
        ]
    );
}

#[test]
fn what_has_left_the_screen_is_told_below() {
    let mut paper = Paper::new();
    paper.add(1, "ana", "long ago");
    for id in 2..12 {
        paper.add(id, "bob", "more");
    }
    let text = paper.screen.reached(1, Tick::Read, true, ROOM);
    paper.print(&text);
    let rows = paper.rows();
    assert_eq!(rows[rows.len() - 2..], ["      read “long ago”", "> half a line"]);
    // Once.
    assert_eq!(paper.screen.reached(1, Tick::Read, true, ROOM), "");
}

#[test]
fn where_the_line_that_is_typed_has_grown_the_first_rows_are_not_there_any_more() {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
    paper.print(&page);
    paper.add(1, "ana", "one");
    for id in 2..8 {
        paper.add(id, "bob", "more");
    }
    // The message is in the third of ten rows, and seven of them lie between it and the end.
    let text = paper.screen.reached(1, Tick::Delivered, true, Room { typed: 3, most: 3, ..ROOM });
    assert!(text.starts_with("\x1b[7A"), "{text:?}");
    // The line grew and was cleared again: what it pushed up stays up.
    let text = paper.screen.reached(1, Tick::Read, true, Room { most: 5, ..ROOM });
    assert!(text.contains("read “one”"), "{text:?}");
}

#[test]
fn pages_lead_to_the_first_item_and_back_and_miss_none() {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", entries(40..60), true, ROOM);
    paper.print(&page);
    assert!(paper.screen.is_at_end());
    let mut seen: Vec<String> = paper.rows();
    loop {
        match paper.screen.older(ROOM) {
            Some(page) => paper.print(&page),
            None if paper.screen.oldest() == Some(40) => paper.screen.load(entries(1..40), false),
            None => panic!("there is no more"),
        }
        assert!(!paper.screen.is_at_end());
        seen.extend(paper.rows());
        assert!(paper.rows().last().is_some_and(|row| row == "> half a line"), "{seen:?}");
        if paper.rows().iter().any(|row| row.ends_with("number 1")) {
            break;
        }
    }
    for id in 1..60 {
        assert!(seen.iter().any(|row| row.ends_with(&format!(": number {id}"))), "{id}: {seen:#?}");
    }
    // What is added meanwhile is not printed, but counted.
    let text = paper.screen.add(entry(60, "bob", "fresh"), ROOM);
    assert!(!text.contains("fresh"), "{text:?}");
    let mut seen = paper.rows();
    while !paper.screen.is_at_end() {
        let page = paper.screen.newer(ROOM);
        paper.print(&page);
        seen.extend(paper.rows());
    }
    for id in 1..60 {
        assert!(seen.iter().any(|row| row.ends_with(&format!(": number {id}"))), "{id}: {seen:#?}");
    }
    assert!(paper.rows().iter().any(|row| row.ends_with("fresh")));
}

#[test]
fn a_message_that_is_taller_than_the_screen_is_scrolled_through_line_by_line() {
    let mut paper = Paper::new();
    let tall: Vec<String> = (1..=20).map(|n| format!("line {n}")).collect();
    let items =
        vec![entry(1, "bob", "first"), entry(2, "bob", &tall.join("\\n")), entry(3, "ana", "last")];
    let page = paper.screen.turn_to("bob", items, false, ROOM);
    paper.print(&page);
    // The page is full, though not all of the message fits on it.
    let rows = paper.rows();
    assert_eq!(rows[1].trim(), "line 16");
    assert_eq!(rows[6], "11:58 ✓    you: last");
    let text = paper.screen.reached(3, Tick::Read, true, ROOM);
    paper.print(&text);
    assert_eq!(paper.rows()[6], "11:58 read you: last");
    // One line of each page is also on the next one.
    for (first, last) in [(12, "line 16"), (8, "line 12"), (4, "line 8")] {
        let page = paper.screen.older(ROOM).unwrap();
        paper.print(&page);
        let rows = paper.rows();
        assert!(rows[1].ends_with(&format!("line {first}")), "{rows:#?}");
        assert_eq!(rows[5].trim(), last);
        assert_eq!(rows[6], "── PageDown goes on, Enter goes to the…");
    }
    let page = paper.screen.older(ROOM).unwrap();
    paper.print(&page);
    assert_eq!(paper.rows()[1..3], ["11:58      bob: first", "11:58      bob: line 1"]);
    let mut seen = paper.rows();
    while !paper.screen.is_at_end() {
        let page = paper.screen.newer(ROOM);
        paper.print(&page);
        seen.extend(paper.rows());
    }
    for line in tall.iter().map(String::as_str).chain(["last"]) {
        assert!(seen.iter().any(|row| row.ends_with(line)), "{line}: {seen:#?}");
    }
}

#[test]
fn pages_have_room_for_what_is_typed() {
    let mut paper = Paper::new();
    let room = Room { typed: 5, most: 5, ..ROOM };
    let page = paper.screen.turn_to("bob", entries(1..30), false, room);
    // The title, the day, and three messages.
    assert_eq!(page.lines().count(), 5, "{page}");
    let mut ids = Vec::new();
    while ids.first() != Some(&1) {
        let page = paper.screen.older(room).unwrap();
        let on_it = page.lines().filter_map(|row| row.split(": number ").nth(1)?.parse().ok());
        ids.splice(0..0, on_it.collect::<Vec<u64>>());
    }
    ids.dedup();
    assert!(ids.windows(2).all(|two| two[0] + 1 == two[1]), "{ids:?}");
}

#[test]
fn what_comes_while_one_has_scrolled_back_is_counted_below() {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", entries(1..30), false, ROOM);
    paper.print(&page);
    let page = paper.screen.older(ROOM).unwrap();
    paper.print(&page);
    let before = paper.rows();
    paper.add(30, "bob", "fresh");
    paper.add(31, "bob", "fresh");
    let rows = paper.rows();
    assert_eq!(rows[..6], before[..6]);
    assert_eq!(rows[6..], ["── 2 new below; PageDown goes on, Ente…", "> half a line"]);
    let page = paper.screen.draw_newest(ROOM);
    paper.print(&page);
    let page = paper.screen.older(ROOM).unwrap();
    paper.print(&page);
    assert_eq!(paper.rows()[6], "── PageDown goes on, Enter goes to the…");
}

#[test]
fn what_was_missed_stands_where_it_belongs() {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", entries(1..3), false, ROOM);
    paper.print(&page);
    paper.add(5, "bob", "number 5");
    let page = paper.screen.merge(entries(3..6), ROOM);
    paper.print(&page);
    let rows = paper.rows();
    let bodies: Vec<&str> = rows.iter().filter_map(|row| row.split(": ").nth(1)).collect();
    assert_eq!(bodies, ["number 1", "number 2", "number 3", "number 4", "number 5"]);
}

#[test]
fn a_terminal_of_another_size_is_drawn_anew() {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", entries(1..3), false, ROOM);
    paper.print(&page);
    let small = Room { size: Size { columns: 30, rows: 8 }, ..ROOM };
    let text = paper.screen.add(entry(3, "bob", "number 3"), small);
    assert!(text.starts_with("\x1b[H\x1b[2J"), "{text:?}");
    assert!(text.contains("number 1") && text.contains("number 3"));
}

#[test]
fn memory_does_not_grow_with_what_is_said() {
    let mut screen = Screen::new(ROOM, Style::default());
    for id in 1..10_000 {
        screen.add(entry(id, "bob", "more"), ROOM);
    }
    assert!(screen.oldest() > Some(6_000), "{:?}", screen.oldest());
    assert!(screen.is_at_end());
}

#[test]
fn a_page_back_begins_where_the_screen_does_after_much_was_printed() {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", entries(1..10), false, ROOM);
    paper.print(&page);
    for id in 10..40 {
        paper.add(id, "bob", &format!("number {id}"));
    }
    let page = paper.screen.older(ROOM).unwrap();
    paper.print(&page);
    // The last page has six besides the day; its first is also on the one before, which has five.
    let rows = paper.rows();
    assert!(rows.iter().any(|row| row.ends_with(": number 34")), "{rows:#?}");
    assert!(rows.iter().any(|row| row.ends_with(": number 30")), "{rows:#?}");
}

#[test]
fn a_link_is_whole_and_ticks_find_their_place_around_it() {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
    paper.print(&page);
    let link = format!("https://a.example/{}", "x".repeat(35));
    paper.add(1, "ana", &format!("see {link} now"));
    let text = paper.screen.reached(1, Tick::Read, true, ROOM);
    paper.print(&text);
    let rows = paper.rows();
    assert_eq!(
        rows[1..],
        ["11:58 read you: see", &link[..40], &link[40..], "           now", "> half a line",]
    );
    // The terminal knows that the two rows are one line.
    assert!(paper.terminal.screen().row_wrapped(3), "{rows:#?}");
}
