//! The line at the bottom: unread conversations, as in `4:#team(4) 5:bob`, and the newest message;
//! and names cut so that they can still be told apart.

use super::columns::{cut, width};
use super::style::Style;

/// Columns before it, as wide as the time.
const INDENT: usize = 6;

/// Most conversations in it: more do not fit in 400 columns.
pub const MOST: usize = 50;

/// Columns of a name in it.
const NAME: usize = 16;

/// Columns for the number of further conversations, ` +99999`.
const MORE: usize = 7;

/// Fewest columns worth beginning a text in.
const TEXT: usize = 20;

/// Shown while disconnected.
const OFFLINE: &str = "offline; Enter tries again now";

/// A conversation in which something is unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its number, as in `/4`.
    pub number: usize,
    /// Its name, cut to fit.
    pub name: String,
    pub count: u64,
}

impl Unread {
    fn text(&self) -> String {
        let count = if self.count > 1 { format!("({})", self.count) } else { String::new() };
        format!("{}:{}{count}", self.number, self.name)
    }
}

/// What is unread elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The most important first; no more than fit on any terminal.
    pub unread: Vec<Unread>,
    /// Unread conversations in total.
    pub total: usize,
    /// The newest message, with its author.
    pub newest: String,
    /// The connection for events is down.
    pub is_offline: bool,
}

impl Activity {
    /// One line of at most `columns`; empty if there is nothing to say.
    pub fn line(&self, columns: usize, style: Style) -> String {
        let room = self.room(columns);
        if !self.is_offline {
            return self.unread(room, style);
        }
        let unread = if room < INDENT + MORE { String::new() } else { self.unread(room, style) };
        let note = style.red(&cut(OFFLINE, columns.saturating_sub(INDENT)));
        format!("{}{note}  {}", " ".repeat(INDENT), unread.trim_start()).trim_end().to_owned()
    }

    /// Columns left for unread conversations.
    fn room(&self, columns: usize) -> usize {
        if self.is_offline { columns.saturating_sub(width(OFFLINE) + 2) } else { columns }
    }

    fn unread(&self, columns: usize, style: Style) -> String {
        let (fitting, mut room) = self.fitting(columns);
        // The author of a direct message expects an answer.
        let part = |one: &Unread| match one.name.starts_with('#') {
            true => one.text(),
            false => style.bold(&one.text()),
        };
        let mut parts: Vec<String> = self.unread.iter().take(fitting).map(part).collect();
        if fitting < self.total {
            let more = format!("+{}", self.total - fitting);
            room = room.saturating_sub(usize::from(fitting > 0) + more.len());
            parts.push(style.faint(&more));
        }
        if parts.is_empty() {
            return String::new();
        }
        let mut line = format!("{}{}", " ".repeat(INDENT), parts.join(" "));
        if !self.newest.is_empty() && room >= TEXT + 2 {
            line.push_str("  ");
            line.push_str(&style.faint(&cut(&self.newest, room - 2)));
        }
        line
    }

    /// The numbers of the conversations that fit in `columns`.
    pub fn numbers(&self, columns: usize) -> impl Iterator<Item = usize> {
        self.unread.iter().take(self.fitting(self.room(columns)).0).map(|one| one.number)
    }

    /// How many conversations fit, and the columns left over.
    fn fitting(&self, columns: usize) -> (usize, usize) {
        // Room is kept for the newest message, unless the terminal is narrow.
        let text = !self.newest.is_empty() && columns >= 3 * TEXT;
        let text = if text { TEXT + 2 } else { 0 };
        let mut room = columns.saturating_sub(INDENT + text);
        for (n, one) in self.unread.iter().enumerate() {
            let own = usize::from(n > 0) + width(&one.text());
            let more = if n + 1 == self.total { 0 } else { MORE };
            if own + more > room {
                return (n, room + text);
            }
            room -= own;
        }
        (self.unread.len(), room + text)
    }
}

/// A name as shown in the line.
pub fn brief<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> String {
    shortened(name, NAME, others)
}

/// A name in `columns` (4 or more), distinct from all other names cut the same way: at its end,
/// else in its middle, else at both ends.
pub fn shortened<'a>(name: &str, columns: usize, others: impl Iterator<Item = &'a str>) -> String {
    if !name.is_ascii() || name.len() <= columns {
        return cut(name, columns);
    }
    // A name that is not cut differs from any that is.
    let is_cut = |other: &&str| *other != name && other.is_ascii() && other.len() > columns;
    let others: Vec<&str> = others.filter(is_cut).collect();
    let kept = columns - 1;
    let parts = |name: &str, tail: usize| {
        (name[..kept - tail].to_owned(), name[name.len() - tail..].to_owned())
    };
    let tails = std::iter::once(0).chain(2..kept);
    for tail in tails {
        let own = parts(name, tail);
        if others.iter().all(|other| parts(other, tail) != own) {
            return format!("{}…{}", own.0, own.1);
        }
    }
    // They differ only in the middle: begin where the most similar one differs.
    let same = |other: &&str| name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let from = others.iter().map(same).max().unwrap_or(0).min(name.len() - 1);
    format!("{}…{}", &name[..1], cut(&name[from..], columns - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(names: &[(usize, &str, u64)]) -> Activity {
        let unread = names.iter().map(|(number, name, count)| Unread {
            number: *number,
            name: (*name).to_owned(),
            count: *count,
        });
        let newest = "bob: lunch at one, at the corner?".to_owned();
        let unread = unread.take(MOST).collect();
        Activity { unread, total: names.len(), newest, is_offline: false }
    }

    #[test]
    fn the_line_says_where_how_much_and_what_was_last() {
        let plain = Style { colour: false, canvas: None };
        let two = activity(&[(5, "bob", 1), (4, "#team", 4)]);
        let line = two.line(79, plain);
        assert_eq!(line, "      5:bob 4:#team(4)  bob: lunch at one, at the corner?");
        assert_eq!(two.line(50, plain), "      5:bob 4:#team(4)  bob: lunch at one, at the…");
        assert_eq!(two.line(40, plain), "      5:bob 4:#team(4)");
        assert_eq!(two.line(24, plain), "      5:bob 4:#team(4)");
        assert_eq!(two.line(21, plain), "      5:bob +1");
        // The text keeps its place, however many there are.
        let three = activity(&[(5, "bob", 1), (4, "#team", 4), (6, "#a-group-of-some", 10)]);
        let line = three.line(60, plain);
        assert_eq!(line, "      5:bob 4:#team(4) +1  bob: lunch at one, at the corner?");
        assert_eq!(Activity::default().line(79, plain), "");
        let offline = Activity { is_offline: true, ..two.clone() };
        assert_eq!(
            offline.line(79, plain),
            "      offline; Enter tries again now  5:bob 4:#team(4)  bob: lunch at one, at …"
        );
        for columns in 10..90 {
            assert!(width(&offline.line(columns, plain)) <= columns);
        }
        let alone = Activity { is_offline: true, ..Activity::default() };
        assert_eq!(alone.line(79, plain), "      offline; Enter tries again now");
        let many: Vec<_> = (1..=99_999).map(|n| (n, "somebody", n as u64)).collect();
        let many = activity(&many);
        for columns in 30..90 {
            let line = many.line(columns, plain);
            assert!(width(&line) <= columns && line.contains(" +999"), "{line}");
        }
    }

    #[test]
    fn names_that_are_cut_can_be_told_apart() {
        let told = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| shortened(name, 9, names.iter().copied())).collect()
        };
        assert_eq!(told(&["#team", "bob", "#release-2026"]), ["#team", "bob", "#release…"]);
        assert_eq!(told(&["#release-2026-11-a", "#release-2026-11-b"]), ["#relea…-a", "#relea…-b"]);
        for names in [
            ["#release-alpha-2026", "#release-beta-2026", "#release-gamma-2026"],
            ["#release-2026-11-30-a", "#release-2026-11-29-a", "#release-2026-12-30-a"],
            ["#notes-of-alpha-and-more-2026", "#notes-of-beta-and-more-2026", "#notes-of-2026"],
        ] {
            let mut told = told(&names);
            assert!(told.iter().all(|name| width(name) <= 9), "{told:?}");
            told.sort();
            told.dedup();
            assert_eq!(told.len(), 3, "{names:?} {told:?}");
        }
    }
}
