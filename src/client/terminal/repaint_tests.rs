//! What is changed in place looks as if it were drawn anew.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::item::{AboutKind, AboutMessage, ScreenItem};
use super::said::Said;
use super::screen_tests::{Paper, ROOM};
use super::style::Tick;
use crate::name::Handle;
use crate::wire::rows::EntryLine;

fn said(line: &str) -> Said {
    let (line, me) = (EntryLine::parse(line).unwrap(), Handle::new("ana").unwrap());
    Said::entry(&line.entry, &me, &TimeZone::UTC)
}

/// A message with tags.
fn tagged(id: u64, from: &str, tags: &str, body: &str) -> Said {
    said(&format!("HIST {id} 2020-11-22T11:58:03.214Z {from} bob {tags} {body}"))
}

fn add(paper: &mut Paper, said: Said) {
    let text = paper.screen.add(ScreenItem::Said(Box::new(said)), ROOM);
    paper.print(&text);
}

fn change(paper: &mut Paper, id: u64, change: impl FnOnce(&mut Said)) -> Option<bool> {
    let (text, is_shown) = paper.screen.change(id, change, ROOM)?;
    paper.print(&text);
    Some(is_shown)
}

fn with_title() -> Paper {
    let mut paper = Paper::new();
    let page = paper.screen.turn_to("bob", Vec::new(), false, ROOM);
    paper.print(&page);
    paper
}

#[test]
fn a_text_that_grows_moves_what_is_below_it_and_nothing_else() {
    let mut paper = with_title();
    add(&mut paper, tagged(1, "bob", "-", "one"));
    add(&mut paper, tagged(2, "ana", "-", "two"));
    add(&mut paper, tagged(3, "bob", "re=2", "three"));
    let long = "a text that has to be broken into two rows";
    let (text, is_shown) = paper.screen.change(2, |said| said.change(4, long), ROOM).unwrap();
    // The message, the quote, and the last message; not the first.
    assert!(is_shown && text.starts_with("\x1b[3A\r\x1b[J") && !text.contains("one"), "{text:?}");
    paper.print(&text);
    let text = paper.screen.reached(2, Tick::Read, true, ROOM);
    paper.print(&text);
    let expected = [
        "11:58      bob: one",
        "11:58 read you: a text that has to be",
        "           broken into two rows",
        "           (edited)",
        "           ↳ you: a text that has to b…",
        "11:58      bob: three",
        "> half a line",
    ];
    assert_eq!(paper.rows()[paper.rows().len() - 7..], expected);
    assert_eq!(change(&mut paper, 2, Said::delete), Some(true));
    let expected = [
        "11:58      bob: one",
        "11:58 read you: (deleted)",
        "           ↳ you: (deleted)",
        "11:58      bob: three",
        "> half a line",
    ];
    assert_eq!(paper.rows()[paper.rows().len() - 5..], expected);
    // An old edit that comes late does not bring the text back.
    change(&mut paper, 2, |said| said.change(5, "two"));
    assert_eq!(paper.rows()[paper.rows().len() - 5..], expected);
}

#[test]
fn what_is_not_on_the_screen_is_not_printed() {
    let mut paper = with_title();
    for id in 1..20 {
        add(&mut paper, tagged(id, "bob", "-", "more"));
    }
    let before = paper.rows();
    assert_eq!(change(&mut paper, 1, |said| said.change(20, "other")), Some(false));
    assert_eq!(change(&mut paper, 99, Said::delete), None);
    assert_eq!(paper.rows(), before);
}

#[test]
fn a_row_shows_all_that_holds() {
    let plain = super::style::Style { colour: false, canvas: None };
    let lines = |said: &Said| -> Vec<String> {
        said.lines(40, plain).into_iter().map(|line| line.text).collect()
    };
    let tags = "re=7,edit=9,fwd=1,late=2,react=12*👍/3*ok/1*a-long-reaction,mine=ok";
    assert_eq!(
        lines(&tagged(8, "bob", tags, "one")),
        [
            "           ↳ …",
            "11:58      bob: ⏲ one (forwarded,edited)",
            "           👍 12  [ok 3]",
            "           a-long-reaction 1",
        ]
    );
    assert_eq!(lines(&tagged(8, "ana", "kind=gone,del=9", "-")), ["11:58 ✓    you: (deleted)"]);
    let colour = super::style::Style { colour: true, canvas: None };
    let text = tagged(8, "bob", "at=ana/@all", "@Ana. x@ana @ana-b /@ana (@all)").lines(70, colour);
    assert_eq!(
        text[0].text.split_once("\x1b[1mbob\x1b[0m").unwrap().1,
        ": \x1b[1m@Ana\x1b[0m. x@ana @ana-b /@ana (\x1b[1m@all\x1b[0m)"
    );
    let text = tagged(8, "bob", "edit=9,react=2*ok/1*no,mine=no", "(edited)").lines(70, colour);
    assert!(text[0].text.ends_with(": (edited) \x1b[2m(edited)\x1b[0m"), "{text:?}");
    assert_eq!(text[1].text.trim_start(), "\x1b[2mok 2\x1b[0m  \x1b[1mno 1\x1b[0m");
    // Nothing in a reaction or a quote reaches beyond its place.
    let mut said = tagged(8, "bob", "re=7,react=1*a\u{202e}b", "one");
    said.quote = Some(format!("bob: {}", "x\u{202e}".repeat(200)));
    for line in lines(&said) {
        assert!(!line.contains('\u{202e}') && super::columns::width(&line) <= 40, "{line:?}");
    }
}

#[test]
fn numbers_are_counted_from_below_and_stay_with_their_messages() {
    let mut paper = with_title();
    add(&mut paper, tagged(1, "bob", "-", "one"));
    add(&mut paper, tagged(2, "bob", "kind=gone,del=9", "-"));
    add(&mut paper, tagged(3, "ana", "re=1", "three"));
    let (ids, text) = paper.screen.number(ROOM);
    paper.print(&text);
    assert_eq!(ids, [3, 1]);
    add(&mut paper, tagged(4, "bob", "-", "four"));
    change(&mut paper, 1, |said| said.change(5, "two\nrows"));
    let text = paper.screen.reached(3, Tick::Read, true, ROOM);
    paper.print(&text);
    let numbered = [
        "11:58 2    bob: two",
        "           rows (edited)",
        "11:58      bob: (deleted)",
        "           ↳ bob: two rows",
        "11:58 1    you: three",
        "11:58      bob: four",
    ];
    let rows = paper.rows();
    assert_eq!(rows[rows.len() - 7..rows.len() - 1], numbered);
    let text = paper.screen.unnumber(ROOM);
    paper.print(&text);
    let rows = paper.rows();
    assert_eq!(
        (&*rows[rows.len() - 7], &*rows[rows.len() - 3]),
        ("11:58      bob: two", "11:58 read you: three")
    );
}

/// A remark about a reaction.
fn remark(id: u64, text: &str) -> AboutMessage {
    let text = format!("      {text}");
    AboutMessage { id, due: None, text, kind: AboutKind::Reaction }
}

#[test]
fn a_reaction_takes_the_place_of_one_before_it() {
    let mut paper = with_title();
    for (id, text) in [(1, "👍 bob"), (1, "ok bob"), (2, "👍 cid"), (1, "no bob")] {
        let text = paper.screen.reacted(remark(id, text), ROOM);
        paper.print(&text);
    }
    let rows = paper.rows();
    assert_eq!(rows[1..4], ["      ok bob", "      👍 cid", "      no bob"]);
    let text = paper.screen.forget(1, ROOM);
    paper.print(&text);
    assert_eq!(paper.rows()[1..], ["      👍 cid", "> half a line"]);
}

proptest! {
    /// Whatever is changed, the rows are those of a screen that is drawn anew, but that this may
    /// have more of them at its top, and a title.
    #[test]
    fn what_is_changed_in_place_looks_as_if_drawn_anew(
        changes in proptest::collection::vec((0..8_u8, 1..30_u64, 0..90_usize), 1..60),
    ) {
        let mut paper = with_title();
        for (next, (what, id, length)) in (1..).zip(changes) {
            let body = "some words ".repeat(length / 11);
            let (from, mark) = (["ana", "bob"][length % 2], 1_000 + next);
            match what {
                0..=2 => {
                    let tags = match id {
                        id if what == 1 && id < next => format!("re={id}"),
                        _ => "-".to_owned(),
                    };
                    add(&mut paper, tagged(next, from, &tags, &format!("x{body}")));
                }
                3 => drop(change(&mut paper, id, |said| said.change(mark, &format!("y{body}")))),
                4 => drop(change(&mut paper, id, Said::delete)),
                5 => {
                    let reactions = (0..length / 8).map(|n| (1, format!("word-{n}"))).collect();
                    change(&mut paper, id, |said| said.reactions = reactions);
                }
                6 => {
                    let text = paper.screen.number(ROOM).1;
                    paper.print(&text);
                }
                _ => {
                    let text = paper.screen.reacted(remark(id, &format!("remark {body}")), ROOM);
                    paper.print(&text);
                }
            }
        }
        let rows = paper.rows();
        let text = paper.screen.again(ROOM);
        paper.print(&text);
        let anew = paper.rows();
        let rows = &rows[usize::from(rows[0].starts_with("── bob"))..];
        // What was added last may have pushed away the first rows of an item.
        let same = rows.iter().rev().zip(anew.iter().rev()).take_while(|(a, b)| a == b).count();
        prop_assert!(same >= rows.len().min(anew.len() - 1), "{rows:#?}\n{anew:#?}");
    }
}
