//! The items on the screen of a conversation: messages, changes of groups, and remarks of papo's
//! own; and how they look in a given width.
//!
//! A message is `11:58 ✓✓   bob: the text`: time, ticks, name, text. Its later lines are indented,
//! so that no text looks like another message. Nothing here knows positions on the screen.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::columns::{ScreenLine, cut, width, wrap};
use crate::client::lines::{is_message, text_of};
use crate::entry::Entry;
use crate::name::Handle;

/// The column of the ticks, and their width.
pub const TICKS: (usize, usize) = (6, 4);

/// The columns of time and ticks, by which later lines are indented.
const INDENT: usize = 11;

/// How far a message of the user's has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tick {
    /// The server refused it.
    Refused,
    /// It has not been confirmed.
    Waiting,
    /// The server has it on disk.
    Sent,
    /// Everyone has received it.
    Delivered,
    /// Everyone has read it.
    Read,
}

impl Tick {
    /// The sign shown beside a message.
    pub fn sign(self) -> &'static str {
        match self {
            Tick::Refused => "✗",
            Tick::Waiting => "…",
            Tick::Sent => "✓",
            Tick::Delivered => "✓✓",
            Tick::Read => "read",
        }
    }

    /// The sign in colour, padded to its full width.
    pub fn padded(self, style: Style) -> String {
        let sign = format!("{:<width$}", self.sign(), width = TICKS.1);
        match self {
            Tick::Refused => style.red(&sign),
            Tick::Read => style.cyan(&sign),
            _ => style.faint(&sign),
        }
    }
}

/// Whether to use colour.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// False if the user has set `NO_COLOR` (no-color.org).
    pub colour: bool,
}

impl Style {
    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For what is less important.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// For names.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// For success.
    pub fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    /// For failure.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }
}

/// A message or a change of a group.
#[derive(Clone, Debug)]
pub struct Said {
    /// `None` until the server has given one.
    pub id: Option<u64>,
    /// The key that it is sent with, if it is sent from here.
    pub key: Option<String>,
    /// In the local zone.
    pub time: Zoned,
    /// The author; `None` for the account itself.
    pub from: Option<String>,
    pub body: String,
    pub is_change: bool,
    /// How far it has come, if it is the user's.
    pub tick: Tick,
}

/// Something on the screen.
#[derive(Clone, Debug)]
pub enum ScreenItem {
    /// A message or a change of a group.
    Said(Box<Said>),
    /// A text of papo's own, with real line breaks.
    Remark(String),
    /// The same, about a failure.
    Complaint(String),
}

impl ScreenItem {
    /// An entry as `me` sees it.
    pub fn entry(entry: &Entry, me: &Handle, zone: &TimeZone) -> ScreenItem {
        let time = Timestamp::from_millisecond(entry.time.0).unwrap_or_else(|_| Timestamp::now());
        let is_change = !is_message(entry) && !entry.is_gone();
        let mine = entry.from == *me;
        let body = if is_change { change(&entry.body, me) } else { text_of(entry).to_owned() };
        ScreenItem::Said(Box::new(Said {
            id: Some(entry.id.number()),
            key: None,
            time: time.to_zoned(zone.clone()),
            from: Some(entry.from.to_string()).filter(|_| !mine),
            body,
            is_change,
            tick: Tick::Sent,
        }))
    }

    pub fn id(&self) -> Option<u64> {
        match self {
            ScreenItem::Said(said) => said.id,
            _ => None,
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
            ScreenItem::Remark(text) => each_line(text, width, |line| style.faint(line)),
            ScreenItem::Complaint(text) => each_line(text, width, |line| style.red(line)),
        }
    }
}

impl Said {
    fn lines(&self, width: usize, style: Style) -> Vec<ScreenLine> {
        let name = self.from.as_deref().unwrap_or("you");
        let (before, after) = if self.is_change { ("* ", " ") } else { ("", ": ") };
        let text = format!("{before}{name}{after}{}", self.body);
        let time = self.time.strftime("%H:%M").to_string();
        let tick = match self.from {
            // The user's changes of a group have no ticks.
            None if !self.is_change => self.tick.padded(style),
            _ => " ".repeat(TICKS.1),
        };
        let wrapped = wrap(&text, width.saturating_sub(INDENT));
        let head = format!("{before}{name}");
        let lines = wrapped.into_iter().enumerate().map(|(n, line)| {
            let text = match line.text.strip_prefix(&head) {
                _ if line.is_link() => return line,
                Some(rest) if n == 0 => {
                    format!("{} {tick} {}{rest}", style.faint(&time), style.bold(&head))
                }
                _ if n == 0 => format!("{} {tick} {}", style.faint(&time), line.text),
                _ => format!("{}{}", " ".repeat(INDENT), line.text),
            };
            ScreenLine::new(text.trim_end().to_owned())
        });
        lines.collect()
    }
}

/// A change of a group, as `me` sees it.
pub fn change(change: &str, me: &Handle) -> String {
    let (verb, rest) = change.split_once(' ').unwrap_or((change, ""));
    let called = |who| if who == me.as_str() { "you" } else { who };
    let listed = || rest.split(' ').map(called).collect::<Vec<_>>().join(", ");
    match (verb, rest) {
        ("new", "") => "made the group".to_owned(),
        ("new", _) => format!("made the group, with {}", listed()),
        ("add", _) => format!("added {}", listed()),
        ("remove", _) => format!("removed {}", called(rest)),
        ("leave", _) => "left".to_owned(),
        ("admin", _) => format!("made {} an admin", called(rest)),
        ("topic", _) => format!("set the topic: {rest}"),
        _ => change.to_owned(),
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
    use crate::wire::rows::EntryLine;

    const PLAIN: Style = Style { colour: false };

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
    }
}
