//! The items on the screen of a conversation: messages, changes of groups, and remarks of papo's
//! own. Nothing here knows positions on the screen.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::columns::{ScreenLine, cut, width, wrap};
use super::said::{Said, sent_file};
use super::style::Style;
use crate::entry::Entry;
use crate::name::Handle;

/// Something on the screen.
#[derive(Clone, Debug)]
pub enum ScreenItem {
    /// A message or a change of a group.
    Said(Box<Said>),
    /// A text of papo's own, with real line breaks.
    Remark(String),
    /// The same, about a failure.
    Complaint(String),
    /// A remark with the text of a message, which leaves with it.
    About(AboutMessage),
    /// A message that a search has found.
    Found(FoundMessage),
}

/// A remark about a message.
#[derive(Clone, Debug)]
pub struct AboutMessage {
    pub id: u64,
    /// When the message vanishes.
    pub due: Option<Timestamp>,
    pub text: String,
    pub kind: AboutKind,
}

/// What a remark about a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AboutKind {
    /// Texts of it.
    Texts,
    /// How somebody has reacted to it.
    Reaction,
    /// No more than that it was deleted.
    Deletion,
}

/// A message as a search shows it, on one line.
#[derive(Clone, Debug)]
pub struct FoundMessage {
    pub id: u64,
    /// When it vanishes.
    pub due: Option<Timestamp>,
    /// What stands before its text.
    pub head: String,
    /// Its text, if it has not been deleted.
    pub text: Option<String>,
    /// Bytes of the file that it is; its text is the file's name.
    pub file: Option<u64>,
}

impl ScreenItem {
    /// An entry as `me` sees it.
    pub fn entry(entry: &Entry, me: &Handle, zone: &TimeZone) -> ScreenItem {
        ScreenItem::Said(Box::new(Said::entry(entry, me, zone)))
    }

    pub fn id(&self) -> Option<u64> {
        match self {
            ScreenItem::Said(said) => said.id,
            _ => None,
        }
    }

    /// The lines above the one with time and ticks.
    pub fn above(&self) -> usize {
        match self {
            ScreenItem::Said(said) => said.above(),
            _ => 0,
        }
    }

    /// Its day, unless it is a remark.
    pub fn day(&self) -> Option<Date> {
        match self {
            ScreenItem::Said(said) => Some(said.time.date()),
            _ => None,
        }
    }

    /// Its lines, none wider than `width` columns except links.
    pub fn lines(&self, width: usize, style: Style) -> Vec<ScreenLine> {
        match self {
            ScreenItem::Said(said) => said.lines(width, style),
            ScreenItem::Remark(text) | ScreenItem::About(AboutMessage { text, .. }) => {
                each_line(text, width, |line| style.faint(line))
            }
            ScreenItem::Found(FoundMessage { head, text, file, .. }) => {
                let text = match (text, *file) {
                    (None, _) => "(deleted)".to_owned(),
                    (Some(text), None) => text.replace(['\n', '\t'], " "),
                    // Without a name, /get fetches what was sent last.
                    (Some(name), Some(bytes)) => sent_file(name, bytes) + " (/get NAME)",
                };
                vec![ScreenLine::new(style.faint(&cut(&format!("{head}{text}"), width)))]
            }
            ScreenItem::Complaint(text) => each_line(text, width, |line| style.red(line)),
        }
    }
}

/// A line across the screen with a text in it.
pub fn rule(text: &str, columns: usize) -> String {
    let text = cut(text, columns.saturating_sub(8));
    let rest = columns.saturating_sub(4 + width(&text));
    format!("── {text} {}", "─".repeat(rest))
}

/// The name of a day, as seen from `today`.
pub fn day(day: Date, today: Date) -> String {
    if day == today {
        return "today".to_owned();
    }
    if today.yesterday().is_ok_and(|yesterday| yesterday == day) {
        return "yesterday".to_owned();
    }
    let form = if day.year() == today.year() { "%A, %-d %B" } else { "%A, %-d %B %Y" };
    day.strftime(form).to_string()
}

fn each_line(text: &str, width: usize, style: impl Fn(&str) -> String) -> Vec<ScreenLine> {
    let lines = wrap(text, width).into_iter();
    lines
        .map(|line| if line.is_link() { line } else { ScreenLine::new(style(&line.text)) })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::client::terminal::style::INDENT;
    use crate::wire::rows::EntryLine;

    const PLAIN: Style = Style { colour: false, canvas: None };

    fn entry(line: &str) -> ScreenItem {
        let EntryLine { entry, .. } = EntryLine::parse(line).unwrap();
        ScreenItem::entry(&entry, &Handle::new("ana").unwrap(), &TimeZone::UTC)
    }

    fn lines(item: &ScreenItem, width: usize) -> Vec<String> {
        item.lines(width, PLAIN).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_message_is_wrapped_and_no_line_of_it_looks_like_another() {
        let item = entry(r"MSG 1 2026-11-22T11:58:03.214Z bob ana - lunch at\n12:00 ana: one?");
        assert_eq!(lines(&item, 26), ["11:58      bob: lunch at", "           12:00 ana: one?"]);
        let item = entry("MSG 1 2026-11-22T11:58:03.214Z ana bob - a-very-long-word to wrap");
        assert_eq!(
            lines(&item, 21),
            ["11:58 ✓    you:", "           a-very-lon", "           g-word to", "           wrap"]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let body = "漢字かな交じり文 👩‍🚀 and\ttabs ".repeat(20);
        let item = entry(&format!("MSG 1 2026-11-22T11:58:03.214Z bob ana - {body}"));
        for width in [12, 13, 20, 79] {
            for line in lines(&item, width) {
                // One glyph of two columns may not fit into one.
                assert!(super::width(&line) <= width.max(INDENT + 2), "{line:?}");
            }
        }
    }

    #[test]
    fn days_are_called_by_how_far_they_are() {
        let today = date(2026, 11, 25);
        assert_eq!(day(today, today), "today");
        assert_eq!(day(date(2026, 11, 24), today), "yesterday");
        assert_eq!(day(date(2026, 11, 2), today), "Monday, 2 November");
        assert_eq!(day(date(2025, 11, 25), today), "Tuesday, 25 November 2025");
    }

    #[test]
    fn changes_of_a_group_are_sentences() {
        let said =
            |change| entry(&format!("GROUP 1 2026-11-22T11:58:03.214Z bob #team - {change}"));
        assert_eq!(lines(&said("add cid dora"), 60), ["11:58      * bob added cid, dora"]);
        assert_eq!(lines(&said("add cid ana"), 60), ["11:58      * bob added cid, you"]);
        assert_eq!(lines(&said("remove ana"), 60), ["11:58      * bob removed you"]);
        assert_eq!(lines(&said("admin ana"), 60), ["11:58      * bob made you an admin"]);
        assert_eq!(lines(&said("topic a b"), 60), ["11:58      * bob set the topic: a b"]);
        let said = entry("EXPIRE 1 2026-11-22T11:58:03.214Z bob ana - 86400");
        let words = "set messages here to vanish after 1 day";
        assert_eq!(lines(&said, 60), [format!("11:58      * bob {words}")]);
    }
}
