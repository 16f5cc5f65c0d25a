//! A message or a change of a group on the screen, and how it looks in a given width.
//!
//! A message is `11:58 ✓✓   bob: the text`: time, ticks, name, text. Its later lines are indented,
//! so that no text looks like another message. Above it stands what it answers, `↳ ana: lunch?`,
//! and below it the reactions. Nothing here knows positions on the screen.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::columns::{ScreenLine, cut, width, wrap};
use super::picture::Picture;
use super::style::{INDENT, Style, TICKS, Tick};
use crate::client::byte_count::ByteCount;
use crate::client::expire;
use crate::client::lines::{is_message, is_reminder};
use crate::entry::{Call, Entry, EntryKind, EntryTags};
use crate::name::Handle;

/// Most columns of a quoted text: no terminal is wider.
const QUOTE: usize = 400;

/// What the name of a file begins with.
pub const FILE: &str = "⎘ ";

/// In place of a quoted text that the user cannot see.
pub const UNSEEN: &str = "a message you cannot see";

/// Most columns of a reaction; it has 16 characters.
const REACTION: usize = 32;

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
    /// The message that it answers.
    pub re: Option<u64>,
    /// The author and the text of that, once they are known.
    pub quote: Option<String>,
    /// When that vanishes.
    pub quote_due: Option<Timestamp>,
    /// When it vanishes itself, by this machine's clock.
    pub due: Option<Timestamp>,
    /// It was deleted.
    pub is_gone: bool,
    /// The mark that gave it its text; 0 if that is the first one.
    pub edit: u64,
    pub is_forwarded: bool,
    /// Bytes of the file that it is; its text is the file's name.
    pub file: Option<u64>,
    /// What is shown of that.
    pub picture: Option<Arc<Picture>>,
    /// `AT` or `UNLESS` has sent it.
    pub is_late: bool,
    /// A late message of the user's to themselves: it waits for them, as one by somebody else does.
    pub is_reminder: bool,
    /// The names in the text that call the user: the own one, or `all`.
    pub called: Vec<String>,
    /// The reactions that hold, with their counts, the most frequent first.
    pub reactions: Vec<(u64, String)>,
    /// The user's own reaction.
    pub mine: Option<String>,
    /// The number by which the user can name it now.
    pub number: Option<usize>,
}

impl Said {
    /// A message of the user's that was just typed, to be sent with this key.
    pub fn typed(key: String, body: String) -> Said {
        let (time, key) = (Zoned::now(), Some(key));
        let mut said = Said::new(time, body);
        (said.key, said.tick) = (key, Tick::Waiting);
        said
    }

    fn new(time: Zoned, body: String) -> Said {
        Said {
            id: None,
            key: None,
            time,
            from: None,
            body,
            is_change: false,
            tick: Tick::Sent,
            re: None,
            quote: None,
            quote_due: None,
            due: None,
            is_gone: false,
            edit: 0,
            is_forwarded: false,
            file: None,
            picture: None,
            is_late: false,
            is_reminder: false,
            called: Vec::new(),
            reactions: Vec::new(),
            mine: None,
            number: None,
        }
    }

    /// An entry as `me` sees it.
    pub fn entry(entry: &Entry, me: &Handle, zone: &TimeZone) -> Said {
        let time = Timestamp::from_millisecond(entry.time.0).unwrap_or_else(|_| Timestamp::now());
        let is_change = !is_message(entry) && !entry.is_gone();
        let body = if is_change { change(entry, me) } else { entry.body.to_string() };
        let mut said = Said::new(time.to_zoned(zone.clone()), body);
        said.id = Some(entry.id.number());
        said.from = Some(entry.from.to_string()).filter(|_| entry.from != *me);
        (said.is_change, said.is_gone) = (is_change, entry.is_gone());
        said.is_reminder = is_reminder(entry, me);
        said.due = expire::due(entry, Timestamp::now());
        let Some(tags) = &entry.tags else { return said };
        let EntryTags { re, edit, file, fwd, calls, late, react, mine, .. } = &**tags;
        said.re = re.map(|id| id.number());
        said.edit = edit.map_or(0, |id| id.number());
        (said.is_forwarded, said.is_late) = (*fwd > 0, late.is_some());
        said.file = *file;
        said.called = calls.iter().filter_map(|call| calling(call, me)).collect();
        said.reactions = react.iter().map(|(n, word)| (*n, word.to_string())).collect();
        said.mine = mine.as_ref().map(|word| word.to_string());
        said.drop_if_gone();
        said
    }

    /// Takes over what holds now, from a later row for the same entry.
    pub fn renew(&mut self, now: Said) {
        if now.edit >= self.edit {
            (self.body, self.edit) = (now.body, now.edit);
        }
        self.is_gone |= now.is_gone;
        (self.reactions, self.mine, self.due) = (now.reactions, now.mine, now.due);
        self.drop_if_gone();
    }

    /// A mark has given it this text.
    pub fn change(&mut self, mark: u64, body: &str) {
        if mark > self.edit && !self.is_gone {
            (self.edit, self.body) = (mark, body.to_owned());
        }
    }

    /// It was deleted.
    pub fn delete(&mut self) {
        self.is_gone = true;
        self.drop_if_gone();
    }

    /// Of a deleted message nothing is kept.
    fn drop_if_gone(&mut self) {
        if self.is_gone {
            self.body.clear();
            self.reactions.clear();
            (self.mine, self.called) = (None, Vec::new());
            (self.file, self.picture) = (None, None);
            (self.re, self.quote, self.quote_due) = (None, None, None);
        }
    }

    /// Whether it counts as somebody else's: it is to be read.
    pub fn is_to_read(&self) -> bool {
        self.from.is_some() || self.is_reminder
    }

    /// Whether it is a message that can be named, answered and so on.
    pub fn is_message(&self) -> bool {
        !self.is_change && !self.is_gone
    }

    /// Whether it is a message of the user's that can be changed.
    pub fn is_own(&self) -> bool {
        self.is_message() && self.from.is_none()
    }

    /// The author, as the user calls them.
    pub fn who(&self) -> &str {
        self.from.as_deref().unwrap_or("you")
    }

    /// Author and text in one line, as messages that answer it quote it.
    pub fn as_quote(&self) -> String {
        let text = if self.is_gone { "(deleted)" } else { &self.body };
        let sign = if self.file.is_some() { FILE } else { "" };
        cut(&format!("{}: {sign}{text}", self.who()), QUOTE)
    }

    /// The lines above the one with time and ticks.
    pub fn above(&self) -> usize {
        usize::from(self.re.is_some())
    }

    /// What stands in the ticks' column, padded to its full width.
    pub fn sign(&self, style: Style) -> String {
        match (self.number, &self.from) {
            (Some(number), _) => style.bold(&format!("{number:<width$}", width = TICKS.1)),
            // The user's changes of a group have no ticks.
            (None, None) if !self.is_change => self.tick.padded(style),
            _ => " ".repeat(TICKS.1),
        }
    }

    /// Its lines, none wider than `width` columns except links.
    pub fn lines(&self, width: usize, style: Style) -> Vec<ScreenLine> {
        let name = self.who();
        let (before, after) = if self.is_change { ("* ", " ") } else { ("", ": ") };
        let late = if self.is_late && !self.is_gone { "⏲ " } else { "" };
        let (head, note) = (format!("{before}{name}"), self.note());
        let text = if self.is_gone { Cow::default() } else { self.text() };
        let blank = if note.is_empty() || text.is_empty() { "" } else { " " };
        let text = format!("{head}{after}{late}{text}{blank}{note}");
        let indent = " ".repeat(INDENT);
        let mut lines = Vec::new();
        if self.re.is_some() {
            let quote = self.quote.as_deref().unwrap_or("…");
            let quote = cut(&format!("↳ {quote}"), width.saturating_sub(INDENT));
            lines.push(ScreenLine::new(format!("{indent}{}", style.faint(&quote))));
        }
        let (time, sign) = (self.time.strftime("%H:%M").to_string(), self.sign(style));
        let start = format!("{} {sign} ", style.faint(&time));
        let wrapped = wrap(&text, width.saturating_sub(INDENT));
        let last = wrapped.len().saturating_sub(1);
        for (n, line) in wrapped.into_iter().enumerate() {
            if line.is_link() {
                lines.push(line);
                continue;
            }
            let (text, note) = match line.text.strip_suffix(&note) {
                Some(text) if n == last => (text, &*note),
                _ => (&*line.text, ""),
            };
            let (name, text) = match text.strip_prefix(&head) {
                Some(rest) if n == 0 => (style.bold(&head), rest),
                _ => (String::new(), text),
            };
            let start = if n == 0 { &start } else { &indent };
            let text = self.with_calls(text, style);
            let note = if note.is_empty() { String::new() } else { style.faint(note) };
            let text = format!("{start}{name}{text}{note}");
            lines.push(ScreenLine::new(text.trim_end().to_owned()));
        }
        if let (Some(picture), Some(canvas)) = (&self.picture, style.canvas)
            && let Some(area) = picture.area(&canvas)
        {
            lines.push(ScreenLine::picture(picture.clone(), area));
        }
        lines.extend(self.reaction_lines(width.saturating_sub(INDENT), style));
        lines
    }

    /// The text; of a file also how large it is, and what fetches one of somebody else.
    fn text(&self) -> Cow<'_, str> {
        let Some(bytes) = self.file else { return Cow::from(&self.body) };
        let hint = if self.from.is_some() { " (/get)" } else { "" };
        (sent_file(&self.body, bytes) + hint).into()
    }

    /// What is said about the text behind it, in one word.
    fn note(&self) -> String {
        let notes = match (self.is_gone, self.is_forwarded, self.edit > 0) {
            (true, ..) => "deleted",
            (_, true, true) => "forwarded,edited",
            (_, true, false) => "forwarded",
            (_, false, true) => "edited",
            _ => return String::new(),
        };
        format!("({notes})")
    }

    /// A part of the text in which calls of the user are bold.
    fn with_calls(&self, text: &str, style: Style) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while !self.called.is_empty()
            && let Some(at) = rest.find('@')
        {
            let name: &str = &rest[at + 1..];
            let end = name.find(|c| !is_of_handle(c)).unwrap_or(name.len());
            let name = name[..end].trim_end_matches(['.', '_', '-']);
            let before = rest[..at].chars().next_back();
            let is_call = !before.is_some_and(|c| is_of_handle(c) || matches!(c, '@' | '/'))
                && self.called.iter().any(|called| called.eq_ignore_ascii_case(name));
            let end = at + 1 + if is_call { name.len() } else { 0 };
            out.push_str(&rest[..at]);
            let call = &rest[at..end];
            out.push_str(&if is_call { style.bold(call) } else { call.to_owned() });
            rest = &rest[end..];
        }
        out + rest
    }

    /// The reactions; the user's own is bold, or in brackets where nothing can be bold.
    fn reaction_lines(&self, width: usize, style: Style) -> Vec<ScreenLine> {
        let (mut lines, mut used) = (Vec::<String>::new(), 0);
        for (count, word) in &self.reactions {
            let part = format!("{} {count}", cut(word, REACTION));
            let is_mine = self.mine.as_ref() == Some(word);
            let part = if is_mine && !style.colour { format!("[{part}]") } else { part };
            let columns = self::width(&part);
            let shown = if is_mine { style.bold(&part) } else { style.faint(&part) };
            match lines.last_mut() {
                Some(line) if used + 2 + columns <= width => {
                    line.push_str("  ");
                    line.push_str(&shown);
                    used += 2 + columns;
                }
                _ => {
                    lines.push(format!("{}{shown}", " ".repeat(INDENT)));
                    used = columns;
                }
            }
        }
        lines.into_iter().map(ScreenLine::new).collect()
    }
}

/// How a file looks in a conversation.
pub fn sent_file(name: &str, bytes: u64) -> String {
    format!("{FILE}{name} {}", ByteCount(bytes))
}

/// The name by which a call calls `me`, if it does.
fn calling(call: &Call, me: &Handle) -> Option<String> {
    match call {
        Call::All => Some("all".to_owned()),
        Call::Handle(handle) => (handle == me).then(|| handle.to_string()),
    }
}

fn is_of_handle(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// A change of a group or of how long it keeps messages, as `me` sees it.
pub fn change(entry: &Entry, me: &Handle) -> String {
    if entry.kind == EntryKind::Expire {
        return expire::in_words(&entry.body);
    }
    let change = &*entry.body;
    let (verb, rest) = change.split_once(' ').unwrap_or((change, ""));
    let called = |who| if who == me.as_str() { "you" } else { who };
    let listed = || rest.split(' ').map(called).collect::<Vec<_>>().join(", ");
    match (verb, rest) {
        ("new", "") => "made the group".to_owned(),
        ("new", _) => format!("made the group, with {}", listed()),
        ("add", _) => format!("added {}", listed()),
        ("remove", _) => format!("removed {}", called(rest)),
        ("leave", _) => "left".to_owned(),
        ("join", _) => "joined".to_owned(),
        ("member", _) => format!("made {} a plain member", called(rest)),
        ("rule", "write all") => "allowed everyone to write".to_owned(),
        ("rule", "write admins") => "allowed only admins to write".to_owned(),
        ("rule", "add all") => "allowed everyone to add members".to_owned(),
        ("rule", "add admins") => "allowed only admins to add members".to_owned(),
        ("rule", "join open") => "opened the group to everyone".to_owned(),
        ("rule", "join closed") => "closed the group to newcomers".to_owned(),
        ("admin", _) => format!("made {} an admin", called(rest)),
        ("topic", _) => format!("set the topic: {rest}"),
        _ => change.to_owned(),
    }
}
