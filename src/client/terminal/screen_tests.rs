//! What is printed is given to a terminal of which each cell can be read.

use std::num::NonZero;

use jiff::tz::TimeZone;

use super::item::{Item, Style, Tick};
use super::screen::{Room, Screen, Size};
use crate::client::lines::Entry;
use crate::name::Handle;

const SIZE: Size = Size { columns: 40, rows: 10 };
const ROOM: Room = Room { size: SIZE, typed: 2, most: 2 };

/// A terminal with a prompt and a line below it, above which is printed as the editor does it.
struct Paper {
    terminal: vt100::Parser,
    screen: Screen,
}

impl Paper {
    fn new() -> Paper {
        let cells = |n: usize| NonZero::new(n as u16).unwrap();
        let terminal = vt100::Parser::new(cells(SIZE.rows), cells(SIZE.columns), 0);
        Paper { terminal, screen: Screen::new(ROOM, Style { colour: false }) }
    }

    fn print(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let line_end = if text.ends_with('\n') { "" } else { "\n" };
        let all = format!("\r\x1b[J{text}{line_end}").replace('\n', "\r\n");
        self.terminal.process(all.as_bytes());
        self.terminal.process(b"> half a line\r\nbelow\x1b[A\x1b[8C");
    }

    fn add(&mut self, id: u64, from: &str, body: &str) {
        let text = self.screen.add(entry(id, from, body), ROOM);
        self.print(&text);
    }

    /// What stands on the terminal, without the days.
    fn rows(&self) -> Vec<String> {
        let rows = self.terminal.screen().rows(0, SIZE.columns as u16);
        let rows = rows.map(|row| row.trim_end().to_owned());
        let rows =
            rows.filter(|row| !row.is_empty() && !row.contains("November") && row != "below");
        rows.collect()
    }
}

fn entry(id: u64, from: &str, body: &str) -> Item {
    let line = format!("MSG {id} 2020-11-22T11:58:03.214Z {from} bob - {body}");
    Item::entry(&Entry::parse(&line).unwrap(), &Handle::new("ana").unwrap(), &TimeZone::UTC)
}

fn entries(ids: std::ops::Range<u64>) -> Vec<Item> {
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
    // It has grown, and was cleared again: what it has pushed up stays there.
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
    // What is added meanwhile is not printed.
    assert_eq!(paper.screen.add(entry(60, "bob", "fresh"), ROOM), "");
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
fn a_message_that_is_taller_than_the_screen_does_not_stop_the_way_back() {
    let mut paper = Paper::new();
    let tall = r"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm";
    let items = vec![entry(1, "bob", "first"), entry(2, "bob", tall), entry(3, "bob", "last")];
    let page = paper.screen.turn_to("bob", items, false, ROOM);
    paper.print(&page);
    for _ in 0..4 {
        let page = paper.screen.older(ROOM).unwrap();
        paper.print(&page);
    }
    assert!(paper.rows().iter().any(|row| row.ends_with("first")), "{:#?}", paper.rows());
    while !paper.screen.is_at_end() {
        let page = paper.screen.newer(ROOM);
        paper.print(&page);
    }
    assert!(paper.rows().iter().any(|row| row.ends_with("last")));
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
    let mut screen = Screen::new(ROOM, Style { colour: false });
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
    // A page has five beside the day; the one before ended with 39, and its first stays.
    let rows = paper.rows();
    assert!(rows.iter().any(|row| row.ends_with(": number 35")), "{rows:#?}");
    assert!(rows.iter().any(|row| row.ends_with(": number 31")), "{rows:#?}");
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
