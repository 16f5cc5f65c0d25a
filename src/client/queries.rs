//! `papo hist`, `chats`, `find`, `info`: rows for people, in the local time zone, or as JSON, in
//! UTC as in the protocol.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::account::Credentials;
use super::byte_count::ByteCount;
use super::caller::Caller;
use super::connection::Success;
use super::expire;
use super::failure::{Failure, report};
use super::json::{self, Object};
use super::lines;
use super::progress::{SERVER, shown};
use super::stdout;
use super::terminal::width;
use crate::chat_flags::ChatFlag;
use crate::entry::{Entry, EntryKind, Millis};
use crate::name::Target;
use crate::wire::columns::written_time;
use crate::wire::rows::{
    Availability, ChatLine, EntryLine, FlagsLine, InfoLine, Progress, ServerLine, UserLine,
};

/// Which part of a conversation to show; `None` is the protocol's default.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// At most this many entries, 1 to 1,000.
    pub rows: Option<u16>,
    /// Only those with smaller ids.
    pub before: Option<u64>,
    /// Only those with greater ids.
    pub after: Option<u64>,
    /// Only those that answer this message.
    pub re: Option<u64>,
}

/// Shows a part of a conversation, the oldest entry first.
pub async fn hist(
    account: &Credentials,
    with: &Target,
    part: &Part,
    as_json: bool,
) -> Result<(), Failure> {
    let mut command = format!("HIST {with}");
    let bounds = [
        ("", part.rows.map(u64::from)),
        (" before", part.before),
        (" after", part.after),
        (" re", part.re),
    ];
    for (name, number) in bounds {
        if let Some(number) = number {
            command.push_str(&format!("{name} {number}"));
        }
    }
    let reply = show(account, &command, |row| {
        let ServerLine::Entry(row) = row else { return None };
        if as_json {
            return Some(json::entry(&row, None));
        }
        Some(entry_row(&row.entry, None))
    })
    .await?;
    // With `after`, entries inside the range may have been left out.
    if part.after.is_some() && reply.has_more() {
        let rows = reply.rows.iter().filter_map(|row| EntryLine::parse(row));
        let mut ids = rows.map(|row| row.entry.id.number());
        let (bound, id) = match part.before {
            None => ("after", ids.next_back()),
            Some(_) => ("before", ids.next()),
        };
        if let Some(id) = id {
            report(format_args!("papo: there is more: --{bound} {id}"));
        }
    }
    Ok(())
}

/// The row of an entry for people, perhaps with the conversation where it is.
pub fn entry_row(entry: &Entry, place: Option<&Target>) -> String {
    let is_said = lines::is_message(entry) || entry.is_gone();
    let sign = if is_said { ":" } else { " *" };
    let head = row_head(entry);
    // Later lines are indented to the name, so that none looks like another message.
    let text = match entry.kind {
        EntryKind::Expire => Cow::from(expire::in_words(&entry.body)),
        _ => Cow::from(lines::text_of(entry)),
    };
    let body = text.replace('\n', &format!("\n{}", " ".repeat(head.len())));
    let place = place.map(|place| format!(" to {place}")).unwrap_or_default();
    format!("{head}{}{place}{}{sign} {body}", entry.from, notes(entry))
}

/// The beginning of an entry's row for people: its id and its time.
pub fn row_head(entry: &Entry) -> String {
    format!("{:>6}  {}  ", entry.id.number(), local(entry.time))
}

/// What became of a message, for people, as in ` (re 3, edited, 👍 2)`; empty for most. It stands
/// before the text, where no text can look like it.
fn notes(entry: &Entry) -> String {
    let Some(tags) = &entry.tags else { return String::new() };
    let mut notes = Vec::new();
    notes.extend(tags.file.map(|bytes| format!("file, {}", ByteCount(bytes))));
    notes.extend(tags.re.map(|id| format!("re {}", id.number())));
    notes.extend(tags.edit.map(|_| "edited".to_owned()));
    notes.extend((tags.fwd > 0).then(|| "forwarded".to_owned()));
    notes.extend(tags.react.iter().map(|(count, word)| format!("{word} {count}")));
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) }
}

/// Shows the conversations, the most recent first; for people, pinned ones before and archived ones
/// after the others.
pub async fn chats(account: &Credentials, as_json: bool) -> Result<(), Failure> {
    let reply = shown(SERVER, Caller::hasty(account).ask("CHATS")).await?;
    let mut chats: Vec<(ChatLine, Vec<FlagsLine>)> = Vec::new();
    for row in &reply.rows {
        match (ServerLine::parse(row), chats.last_mut()) {
            (Some(ServerLine::Chat(chat)), _) => chats.push((chat, Vec::new())),
            (Some(ServerLine::Flags(flag)), Some((_, flags))) => flags.push(flag),
            _ => {}
        }
    }
    if !as_json {
        chats.sort_by_key(|(_, flags)| {
            let has = |flag| flags.iter().any(|row| row.flag == flag);
            (has(ChatFlag::Archive), !has(ChatFlag::Pin))
        });
    }
    let form = if as_json { chat_json } else { chat_row };
    let text: String = chats.iter().map(|(chat, flags)| form(chat, flags) + "\n").collect();
    stdout::write_text(&text)
}

/// Formats a conversation for people.
fn chat_row(chat: &ChatLine, flags: &[FlagsLine]) -> String {
    let mut notes = Vec::new();
    if chat.unread > 0 {
        notes.push(format!("{} unread", chat.unread));
    }
    for FlagsLine { flag, until, .. } in flags {
        let word = match flag {
            ChatFlag::Unread if chat.unread > 0 => continue,
            ChatFlag::Mute => "muted",
            ChatFlag::Pin => "pinned",
            ChatFlag::Archive => "archived",
            ChatFlag::Unread => "unread",
        };
        notes.push(match until {
            Some(end) => format!("{word} until {}", local(*end)),
            None => word.to_owned(),
        });
    }
    let (time, to) = (local(chat.time), chat.to.to_string());
    format!("{time}  {to:<20}  {}", notes.join(", ")).trim_end().to_owned()
}

/// Formats it as JSON. Of each flag there is the time when it ends, or null.
fn chat_json(chat: &ChatLine, flags: &[FlagsLine]) -> String {
    let flags = flags.iter().fold(Object::new(), |all, FlagsLine { flag, until, .. }| {
        all.time_or_null(flag.as_str(), *until)
    });
    let object = Object::new().text("to", &chat.to.to_string()).bare("unread", chat.unread);
    let object = object.bare("id", chat.last.number()).time("time", chat.time);
    object.bare("flags", flags.end()).end()
}

/// Shows people by the prefixes of their names.
pub async fn find(account: &Credentials, words: &str, as_json: bool) -> Result<(), Failure> {
    let command = format!("FIND {}", lines::escaped(words));
    let reply = show(account, &command, |row| {
        let ServerLine::User(row) = row else { return None };
        if !as_json {
            return Some(user(&row));
        }
        let is_online = row.state == Availability::Online;
        let object = Object::new().text("handle", row.handle.as_str()).bare("online", is_online);
        Some(object.time_or_null("seen", row.seen).text("name", &row.name).end())
    })
    .await?;
    if reply.rows.is_empty() {
        report("papo: nobody found");
    }
    Ok(())
}

/// Formats a user for people.
pub fn user(row: &UserLine) -> String {
    let state = match (row.state, row.seen) {
        (Availability::Online, _) => "online".to_owned(),
        (_, None) => String::new(),
        (_, Some(seen)) => format!("last seen {}", local(seen)),
    };
    let (handle, name) = (row.handle.as_str(), &row.name);
    // Some characters take two columns.
    let blanks = " ".repeat(24usize.saturating_sub(width(name)));
    format!("{handle:<20}  {name}{blanks}  {state}").trim_end().to_owned()
}

/// Shows who has received and read an entry.
pub async fn info(account: &Credentials, id: u64, as_json: bool) -> Result<(), Failure> {
    show(account, &format!("INFO {id}"), |row| {
        let ServerLine::Info(row) = row else { return None };
        if !as_json {
            return Some(reader(&row));
        }
        let object = Object::new().bare("id", row.id.number()).text("handle", row.handle.as_str());
        let object = object.text("state", row.state.as_str());
        Some(object.time_or_null("delivered", row.delivered).time_or_null("read", row.read).end())
    })
    .await
    .map(drop)
}

/// Formats for people how far an entry has come with one of its readers.
pub fn reader(row: &InfoLine) -> String {
    let when = match row.state {
        Progress::Read => row.read,
        Progress::Delivered => row.delivered,
        Progress::Sent | Progress::Left => None,
    };
    let (handle, state) = (row.handle.as_str(), row.state.as_str());
    let when = when.map(local).unwrap_or_default();
    format!("{handle:<20}  {state:<9}  {when}").trim_end().to_owned()
}

/// Runs a command and prints those rows of its answer for which `form` has a text. Returns the
/// answer.
pub async fn show(
    account: &Credentials,
    command: &str,
    form: impl Fn(ServerLine) -> Option<String>,
) -> Result<Success, Failure> {
    let reply = shown(SERVER, Caller::hasty(account).ask(command)).await?;
    let rows = reply.rows.iter().filter_map(|row| ServerLine::parse(row));
    let text: String = rows.filter_map(form).map(|row| row + "\n").collect();
    stdout::write_text(&text)?;
    Ok(reply)
}

/// A time in the local zone, to the minute.
pub fn local(time: Millis) -> String {
    let Ok(stamp) = Timestamp::from_millisecond(time.0) else { return written_time(time) };
    stamp.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}
