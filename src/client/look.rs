//! `papo hist`, `chats`, `find`, `info`: what the server knows, for a person to read, in the local
//! time zone, or as JSON for a program, in UTC as the protocol has it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::account::Account;
use super::connection::Reply;
use super::desk::Desk;
use super::failure::{Failure, report};
use super::json::{self, Object};
use super::lines::{self, Entry};
use super::output;
use super::progress::{SERVER, shown};
use super::terminal::width;
use crate::name::Target;
use crate::wire::text;

/// Which part of a conversation is meant. What is left out is as in the protocol.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Entries at most, 1 to 1,000.
    pub rows: Option<u16>,
    /// Only those with smaller ids.
    pub before: Option<u64>,
    /// Only those with greater ids.
    pub after: Option<u64>,
}

/// Shows a part of a conversation, the oldest entry first.
///
/// # Errors
/// Any.
pub async fn hist(
    account: &Account,
    with: &Target,
    part: &Part,
    as_json: bool,
) -> Result<(), Failure> {
    let mut command = format!("HIST {with}");
    let bounds = [("", part.rows.map(u64::from)), (" before", part.before), (" after", part.after)];
    for (name, number) in bounds {
        if let Some(number) = number {
            command.push_str(&format!("{name} {number}"));
        }
    }
    let reply = show(account, &command, "HIST", |row| {
        let entry = Entry::parse(row)?;
        if as_json {
            return Some(json::entry(&entry, None));
        }
        let sign = if entry.is_message() { ":" } else { " *" };
        let head = format!("{:>6}  {}  ", entry.id, local(&entry.time));
        // A further line begins below the name, so that none looks like another message.
        let body = entry.body.replace('\n', &format!("\n{}", " ".repeat(head.len())));
        Some(format!("{head}{}{sign} {body}", entry.from))
    })
    .await?;
    // Older ones than those asked for are no surprise; ones left out from among them are.
    if part.after.is_some() && reply.ok.ends_with(" more") {
        let mut ids = reply.rows.iter().filter_map(|row| Some(Entry::parse(row)?.id));
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

/// Shows the conversations, the one with the newest entry first.
///
/// # Errors
/// Any.
pub async fn chats(account: &Account, as_json: bool) -> Result<(), Failure> {
    show(account, "CHATS", "CHAT", |row| {
        let words: Vec<&str> = row.split(' ').collect();
        let [_, to, unread, id, time] = words[..] else { return None };
        if !as_json {
            let unread = if unread == "0" { String::new() } else { format!("{unread} unread") };
            return Some(format!("{}  {to:<20}  {unread}", local(time)).trim_end().to_owned());
        }
        let object = Object::new().text("to", to).bare("unread", json::number(unread));
        Some(object.bare("id", json::number(id)).text("time", time).end())
    })
    .await
    .map(drop)
}

/// Shows the people whose names begin like this.
///
/// # Errors
/// Any.
pub async fn find(account: &Account, words: &str, as_json: bool) -> Result<(), Failure> {
    let command = format!("FIND {}", lines::escaped(words));
    let reply = show(account, &command, "USER", |row| {
        if !as_json {
            return user(row);
        }
        let columns: Vec<&str> = row.splitn(5, ' ').collect();
        let [_, handle, state, seen, name] = columns[..] else { return None };
        let is_online = if state == "online" { "true" } else { "false" };
        let object = Object::new().text("handle", handle).bare("online", is_online);
        let object = object.text_or_null("seen", seen);
        Some(object.text("name", &text::unescape(name)).end())
    })
    .await?;
    if reply.rows.is_empty() {
        report("papo: nobody found");
    }
    Ok(())
}

/// A row about somebody, for a person.
pub fn user(row: &str) -> Option<String> {
    let columns: Vec<&str> = row.splitn(5, ' ').collect();
    let [_, handle, state, seen, name] = columns[..] else { return None };
    let name = text::unescape(name);
    let state = match (state, seen) {
        ("online", _) => "online".to_owned(),
        (_, "-") => String::new(),
        _ => format!("last seen {}", local(seen)),
    };
    // Some characters take two columns.
    let blanks = " ".repeat(24usize.saturating_sub(width(&name)));
    Some(format!("{handle:<20}  {name}{blanks}  {state}").trim_end().to_owned())
}

/// Shows who has received and read an entry.
///
/// # Errors
/// Any.
pub async fn info(account: &Account, id: u64, as_json: bool) -> Result<(), Failure> {
    show(account, &format!("INFO {id}"), "INFO", |row| {
        if !as_json {
            return reader(row);
        }
        let words: Vec<&str> = row.split(' ').collect();
        let [_, id, handle, state, delivered, read] = words[..] else { return None };
        let object = Object::new().bare("id", json::number(id)).text("handle", handle);
        let object = object.text("state", state).text_or_null("delivered", delivered);
        Some(object.text_or_null("read", read).end())
    })
    .await
    .map(drop)
}

/// A row about somebody who could see an entry, for a person.
pub fn reader(row: &str) -> Option<String> {
    let words: Vec<&str> = row.split(' ').collect();
    let [_, _, handle, state, delivered, read] = words[..] else { return None };
    let when = match state {
        "read" => local(read),
        "delivered" => local(delivered),
        _ => String::new(),
    };
    Some(format!("{handle:<20}  {state:<9}  {when}").trim_end().to_owned())
}

/// Asks, and writes those rows of the answer that begin with `verb`, each as `form` has it. Returns
/// the answer.
///
/// # Errors
/// Any.
pub async fn show(
    account: &Account,
    command: &str,
    verb: &str,
    form: impl Fn(&str) -> Option<String>,
) -> Result<Reply, Failure> {
    let reply = shown(SERVER, Desk::hasty(account).ask(command)).await?;
    let rows = reply.rows.iter().filter(|row| lines::first_word(row) == verb);
    let text: String = rows.filter_map(|row| form(row)).map(|row| row + "\n").collect();
    output::write_text(&text)?;
    Ok(reply)
}

/// A time of the protocol in the local zone, to the minute; what is no time stands as it came.
pub fn local(time: &str) -> String {
    let Ok(stamp) = time.parse::<Timestamp>() else { return time.to_owned() };
    stamp.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}
