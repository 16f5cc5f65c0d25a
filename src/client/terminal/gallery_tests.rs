//! Pictures on a screen: where they stand, and that they go with their message.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::gallery::Gallery;
use super::item::ScreenItem;
use super::picture::abilities::{Abilities, Answers};
use super::picture::{CellSize, Picture, Raster};
use super::screen::{Room, Size};
use super::screen_tests::Paper;
use crate::name::Handle;
use crate::wire::rows::EntryLine;

const WIDE: Size = Size { columns: 60, rows: 20 };
const ROOM: Room = Room { size: WIDE, typed: 2, most: 2, cell: None };

fn abilities(answers: &[&str]) -> Abilities {
    let mut taken = Answers::default();
    answers.iter().find_map(|answer| taken.take(answer.as_bytes())).unwrap()
}

fn kitty() -> Abilities {
    abilities(&["\x1b_Gi=4294967295;OK", "\x1b[?62c"])
}

fn sixel() -> Abilities {
    abilities(&["\x1b[6;20;10t", "\x1b[?62;4c"])
}

/// A conversation on a terminal that can do this, with messages around a file, whose picture has
/// four rows.
fn talk(abilities: Abilities) -> Paper {
    let mut paper = Paper::of(WIDE);
    let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
    paper.print(&page);
    let text = paper.screen.may_draw(abilities, ROOM);
    paper.print(&text);
    add(&mut paper, "MSG 1 2020-11-22T11:58:03.214Z bob ana - before");
    add(&mut paper, "MSG 2 2020-11-22T11:58:03.214Z bob ana file=34000 photo.png");
    add(&mut paper, "MSG 3 2020-11-22T11:58:03.214Z bob ana - after");
    paper
}

fn add(paper: &mut Paper, line: &str) {
    let entry = EntryLine::parse(line).unwrap().entry.into_owned();
    let item = ScreenItem::entry(&entry, &Handle::new("ana").unwrap(), &TimeZone::UTC);
    let text = paper.screen.add(item, ROOM);
    paper.print(&text);
}

fn illustrate(paper: &mut Paper, room: Room) -> String {
    let picture = Arc::new(Picture::new(7, Raster::clear(100, 80)));
    let text = paper.screen.illustrate(|id| (id == 2).then(|| picture.clone()), room);
    paper.print(&text);
    text
}

/// All rows from the first message on.
fn rows(paper: &Paper) -> Vec<String> {
    let all = paper.all_rows();
    let first = all.iter().position(|row| row.contains("before")).unwrap();
    let end = all.iter().position(|row| row.starts_with('>')).unwrap();
    all[first..=end].to_vec()
}

const FILE: &str = "11:58      bob: ⎘ photo.png 34 kB (/get)";

#[test]
fn a_picture_has_its_rows_below_its_name() {
    for abilities in [kitty(), sixel()] {
        let mut paper = talk(abilities);
        assert_eq!(paper.screen.files_shown(), [2]);
        let text = illustrate(&mut paper, ROOM);
        assert!(text.contains("\x1b7\x1b[11C\x1b_G") || text.contains("\x1b7\x1b[11C\x1bP"));
        let expected = [
            "11:58      bob: before",
            FILE,
            "",
            "",
            "",
            "",
            "11:58      bob: after",
            "> half a line",
        ];
        assert_eq!(rows(&paper), expected);
        // It is not drawn again with what comes below.
        add(&mut paper, "MSG 4 2020-11-22T11:58:03.214Z bob ana - more");
        assert_eq!(rows(&paper)[6..8], ["11:58      bob: after", "11:58      bob: more"]);
        assert_eq!(illustrate(&mut paper, ROOM), "");
    }
}

#[test]
fn a_picture_goes_with_its_message() {
    let mut paper = talk(kitty());
    illustrate(&mut paper, ROOM);
    let (text, is_shown) = paper.screen.change(2, |said| said.delete(), ROOM).unwrap();
    paper.print(&text);
    assert!(is_shown && text.contains("\x1b_Ga=d,d=I,i=7,q=2\x1b\\"), "{text:?}");
    let expected = [
        "11:58      bob: before",
        "11:58      bob: (deleted)",
        "11:58      bob: after",
        "> half a line",
    ];
    assert_eq!(rows(&paper), expected);
    assert_eq!((illustrate(&mut paper, ROOM), paper.screen.files_shown()), (String::new(), vec![]));
}

#[test]
fn what_changes_above_a_picture_moves_it() {
    let mut paper = talk(kitty());
    illustrate(&mut paper, ROOM);
    let longer = "before, and now in more than one row";
    let (text, _) = paper.screen.change(1, |said| said.change(9, longer), ROOM).unwrap();
    paper.print(&text);
    // Taken away where it was, and shown again without its bytes.
    assert!(text.contains("\x1b_Ga=d,d=i,i=7,q=2\x1b\\"), "{text:?}");
    assert!(text.contains("\x1b_Ga=p,i=7,") && !text.contains("a=T"), "{text:?}");
    let rows = rows(&paper);
    assert_eq!(rows[rows.len() - 6..], ["", "", "", "", "11:58      bob: after", "> half a line"]);
    assert_eq!(rows[rows.len() - 7], FILE);
    // A redrawn screen has it anew.
    let text = paper.screen.again(ROOM);
    assert!(text.starts_with("\x1b[H\x1b[2J\x1b_Ga=d,d=I,i=7,q=2\x1b\\") && text.contains("a=T"));
}

#[test]
fn a_picture_follows_the_size_of_the_terminal() {
    let mut paper = talk(sixel());
    let first = illustrate(&mut paper, ROOM);
    assert!(first.contains("\"1;1;100;80"), "{first:?}");
    // In a narrow one it is smaller, and in a low one it is not there.
    let narrow = Room { size: Size { columns: 17, ..WIDE }, ..ROOM };
    assert!(paper.screen.again(narrow).contains("\"1;1;50;40"));
    let low = Room { size: Size { rows: 9, ..WIDE }, ..ROOM };
    assert!(!paper.screen.again(low).contains("\x1bP"));
    let coarse = Room { cell: CellSize::new(5, 10), ..ROOM };
    assert!(paper.screen.again(coarse).contains("\"1;1;100;80"));
    assert!(paper.screen.again(ROOM).contains("\"1;1;100;80"));
}

#[test]
fn a_terminal_that_cannot_gets_none() {
    let mut paper = talk(abilities(&["\x1b[?62;22c"]));
    assert!(!paper.screen.has_canvas());
    illustrate(&mut paper, ROOM);
    assert_eq!(rows(&paper).len(), 4);
    for line in ["photo.png", "photo.tar.png", "a.JPEG"] {
        assert!(super::picture::fetch::may_be_shown(line, 1 << 20), "{line}");
        assert!(!super::picture::fetch::may_be_shown(line, (1 << 20) + 1), "{line}");
    }
    for line in ["png", "photo.svg", "photo.png.exe", "photo"] {
        assert!(!super::picture::fetch::may_be_shown(line, 1), "{line}");
    }
}

#[test]
fn the_oldest_pictures_leave_memory_first_and_what_is_forgotten_stays_so() {
    let (to_fetch, wanted) = smol::channel::unbounded();
    let mut gallery = Gallery::new(to_fetch);
    for id in 1..=40 {
        gallery.ask(id);
        assert_eq!(wanted.try_recv(), Ok(id));
        if id == 3 {
            gallery.forget(id);
        }
        gallery.fetched(id, Some(Raster::clear(640, 480)));
    }
    assert!(gallery.picture(3).is_none());
    let too_many = gallery.too_many(&[1]);
    // 32 MiB are 27 of these.
    assert_eq!(too_many, [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    for id in too_many {
        gallery.forget(id);
    }
    assert!(gallery.too_many(&[]).is_empty());
    gallery.ask(41);
    gallery.fetched(41, None);
    assert!(gallery.picture(41).is_none() && gallery.picture(40).is_some());
}
